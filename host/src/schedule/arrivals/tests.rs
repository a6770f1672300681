//! Schedules recorded from the reference client, compared as exact doubles, and
//! the refusals.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::schedule::RampUpStrategy;

fn doubles(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn double(value: &Value) -> f64 {
    match value.as_str() {
        Some(text) => text.parse().unwrap(),
        None => value.as_f64().unwrap(),
    }
}

fn strategy(name: &str) -> RampUpStrategy {
    match name {
        "linear" => RampUpStrategy::Linear,
        "exponential" => RampUpStrategy::Exponential,
        other => panic!("no strategy `{other}`"),
    }
}

/// The pace that the `params` of a recorded schedule ask for.
fn pace(params: &Value) -> Pace {
    let burstiness = double(&params["burstiness"]);
    if let Some(timestamps) = params["timestamps"].as_array() {
        Pace::SelfTimed { timestamps_s: timestamps.iter().map(Value::as_f64).collect() }
    } else if let Some(name) = params["ramp_up_strategy"].as_str() {
        let rps = |key: &str| params[key].as_u64().unwrap();
        let ramp = RampUp {
            strategy: strategy(name),
            start_rps: rps("ramp_up_start_rps"),
            end_rps: rps("ramp_up_end_rps"),
        };
        Pace::RampUp { ramp, burstiness }
    } else {
        Pace::Constant { rate_rps: double(&params["request_rate"]), burstiness }
    }
}

#[test]
fn recorded_schedules_of_many_shapes() {
    // Python writes an infinite rate as no other JSON writer would.
    let text =
        include_str!("../../../../tests/fixtures/schedules/vectors.json").replace("Infinity", "\"inf\"");
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() > 100);
    for vector in vectors {
        let label = format!("seed {} n {} {}", vector["seed"], vector["n"], vector["params"]);
        let count = vector["n"].as_u64().unwrap() as usize;
        let mut numpy = NumpyRandomState::new(vector["seed"].as_u64().unwrap() as u32);
        let computed = arrivals(&pace(&vector["params"]), count, &mut numpy).unwrap();
        assert_eq!(computed.offsets_s, doubles(&vector["offsets_s"]), "{label}");
        if let Some(rates_rps) = computed.rates_rps() {
            let mut rates_rps = rates_rps.to_vec();
            // Recorded as one where all are the same.
            rates_rps.dedup();
            assert_eq!(rates_rps, doubles(&vector["rates"]), "{label}");
        }
        assert_eq!(
            [numpy.random_sample(), numpy.random_sample()].to_vec(),
            doubles(&vector["next_random_doubles"]),
            "{label}: the state left behind"
        );
    }
}

/// Runs of the dataset `random`, which leaves the legacy generator as `--seed`
/// made it.
#[test]
fn recorded_schedules_of_whole_runs() {
    let constant = |rate_rps, burstiness| Pace::Constant { rate_rps, burstiness };
    let ramp = |strategy, start_rps, end_rps| Pace::RampUp {
        ramp: RampUp { strategy, start_rps, end_rps },
        burstiness: 1.0,
    };
    let linear = RampUpStrategy::Linear;
    let exponential = RampUpStrategy::Exponential;
    macro_rules! recorded {
        ($name:literal) => {
            ($name, include_str!(concat!("../../../../tests/fixtures/schedules/", $name, ".json")))
        };
    }
    for ((name, text), seed, pace) in [
        (recorded!("metrics-pooling"), 3, constant(60.0, 1.0)),
        (recorded!("metrics-varied-goodput"), 1, constant(120.0, 1.0)),
        (recorded!("out-default-name-ramp"), 0, ramp(linear, 50, 200)),
        (recorded!("out-default-name-rate-conc"), 0, constant(200.0, 1.0)),
        (recorded!("sched-ramp-exponential"), 5, ramp(exponential, 6, 100)),
        (recorded!("sched-ramp-linear"), 4, ramp(linear, 5, 80)),
        (recorded!("sched-rate50-burst05"), 1, constant(50.0, 0.5)),
        (recorded!("sched-rate50-burst2"), 2, constant(50.0, 2.0)),
        (recorded!("sched-rate50-poisson"), 0, constant(50.0, 1.0)),
    ] {
        let recorded: Value = serde_json::from_str(text).unwrap();
        let offsets_s = doubles(&recorded["offsets_s"]);
        let computed = arrivals(&pace, offsets_s.len(), &mut NumpyRandomState::new(seed)).unwrap();
        assert_eq!(computed.offsets_s, offsets_s, "{name}");
        if let Some(rates_rps) = computed.rates_rps() {
            assert_eq!(rates_rps, doubles(&recorded["rates"]), "{name}");
        }
    }
}

/// `prefix_repetition` draws its prompts from the generator that the gaps are
/// drawn from afterwards: with seed 3, two prefixes of 16 and twelve suffixes
/// of 8 tokens, as long as none needs to be repaired.
#[test]
fn gaps_continue_where_the_dataset_stopped() {
    let recorded: Value = serde_json::from_str(include_str!(
        "../../../../tests/fixtures/schedules/prefix-repetition-rate.json"
    ))
    .unwrap();
    let pace = Pace::Constant { rate_rps: 80.0, burstiness: 1.0 };
    let offsets_s = doubles(&recorded["offsets_s"]);
    let untouched = arrivals(&pace, 12, &mut NumpyRandomState::new(3)).unwrap();
    assert_ne!(untouched.offsets_s, offsets_s);
    let stopped_at = (0..2000).find(|draws| {
        let mut numpy = NumpyRandomState::new(3);
        for _ in 0..*draws {
            numpy.next_u32();
        }
        let (words, position) = numpy.state();
        let mut restored = NumpyRandomState::from_state(words, position).unwrap();
        arrivals(&pace, 12, &mut restored).unwrap().offsets_s == offsets_s
    });
    assert!(stopped_at.is_some_and(|draws| draws >= 2 * 16 + 12 * 8), "{stopped_at:?}");
}

#[test]
fn recorded_schedules_of_traces() {
    for (text, timestamps_s) in [
        (
            include_str!("../../../../tests/fixtures/schedules/timed-trace-odd.json"),
            vec![None, Some(0.05), Some(0.02)],
        ),
        (
            include_str!("../../../../tests/fixtures/schedules/timed-trace.json"),
            [0.0, 0.01, 0.01, 0.02, 0.05, 0.05, 0.06, 0.09, 0.1, 0.16, 0.22, 0.22, 0.22, 0.25]
                .map(Some)
                .to_vec(),
        ),
        (
            include_str!("../../../../tests/fixtures/schedules/timed-trace-labels.json"),
            (0..10).map(|index| Some(f64::from(index * 25) * 0.001)).collect(),
        ),
    ] {
        let recorded: Value = serde_json::from_str(text).unwrap();
        let count = timestamps_s.len();
        let mut numpy = NumpyRandomState::new(0);
        let computed = arrivals(&Pace::SelfTimed { timestamps_s }, count, &mut numpy).unwrap();
        assert_eq!(computed.offsets_s, doubles(&recorded["offsets_s"]));
        assert_eq!(computed.rps_changes().count(), 0);
        assert_eq!(numpy, NumpyRandomState::new(0));
    }
}

/// The result of the recorded run `out-default-name-ramp` has 50 to 100 at its
/// second request, 101 to 150 at the third and 151 to 200 at the fourth.
#[test]
fn rps_changes_name_every_whole_rate_once() {
    let ramp = RampUp { strategy: RampUpStrategy::Linear, start_rps: 50, end_rps: 200 };
    let pace = Pace::RampUp { ramp, burstiness: 1.0 };
    let computed = arrivals(&pace, 4, &mut NumpyRandomState::new(0)).unwrap();
    let changes: Vec<RpsChange> = computed.rps_changes().collect();
    assert!(changes.iter().map(|change| change.rps).eq(50..=200));
    assert_eq!((changes[0].request, changes[0].offset_s), (None, 0.0));
    for change in &changes[1..] {
        let request = (change.rps as usize - 1) / 50;
        assert_eq!((change.request, change.offset_s), (Some(request), computed.offsets_s[request]));
    }
}

#[test]
fn refuses_what_has_no_schedule() {
    let attempt = |pace: Pace, count| {
        let mut numpy = NumpyRandomState::new(0);
        arrivals(&pace, count, &mut numpy).unwrap_err()
    };
    let constant = |rate_rps, burstiness| Pace::Constant { rate_rps, burstiness };
    assert_eq!(attempt(constant(1.0, 1.0), 0), ScheduleError::NoRequests);
    for rate_rps in [0.0, -5.0, f64::NEG_INFINITY] {
        assert_eq!(
            attempt(constant(rate_rps, 1.0), 3),
            ScheduleError::NonPositiveRate { rate_rps, request: 0 }
        );
    }
    assert!(matches!(attempt(constant(f64::NAN, 1.0), 3), ScheduleError::NonPositiveRate { .. }));
    assert_eq!(attempt(constant(1.0, 0.0), 3), ScheduleError::NonPositiveBurstiness(0.0));
    assert!(matches!(attempt(constant(1.0, f64::NAN), 3), ScheduleError::NonPositiveBurstiness(_)));
    // The scale of the distribution overflows.
    assert!(matches!(attempt(constant(1e-200, 1e-200), 3), ScheduleError::NotFinite { .. }));
    for strategy in [RampUpStrategy::Linear, RampUpStrategy::Exponential] {
        let ramp = RampUp { strategy, start_rps: 0, end_rps: 9 };
        let error = attempt(Pace::RampUp { ramp, burstiness: 1.0 }, 3);
        assert!(error.to_string().starts_with("obtained non-positive request rate"), "{error}");
    }
    let timed = |timestamp_s| Pace::SelfTimed { timestamps_s: vec![Some(0.0), Some(timestamp_s)] };
    assert_eq!(attempt(timed(f64::NAN), 2), ScheduleError::NotFinite { request: 1 });
    assert_eq!(attempt(timed(1.0), 3), ScheduleError::TimestampCount { timestamps: 2, requests: 3 });
}

proptest! {
    #[test]
    fn every_accepted_schedule_is_finite_and_ascends(
        seed: u32,
        count in 1_usize..200,
        rate_rps in prop::num::f64::ANY,
        burstiness in prop::num::f64::ANY,
    ) {
        let pace = Pace::Constant { rate_rps, burstiness };
        if let Ok(computed) = arrivals(&pace, count, &mut NumpyRandomState::new(seed)) {
            prop_assert_eq!(computed.offsets_s.len(), count);
            prop_assert!(computed.offsets_s.iter().all(|offset_s| offset_s.is_finite() && *offset_s >= 0.0));
            prop_assert!(computed.offsets_s.is_sorted());
        }
    }

    #[test]
    fn the_last_request_is_due_when_the_rate_says(
        seed: u32,
        count in 1_usize..200,
        rate_rps in 0.01_f64..10_000.0,
        burstiness in 0.1_f64..100.0,
    ) {
        let pace = Pace::Constant { rate_rps, burstiness };
        let computed = arrivals(&pace, count, &mut NumpyRandomState::new(seed)).unwrap();
        let due_s = count as f64 / rate_rps;
        prop_assert!((computed.offsets_s[count - 1] - due_s).abs() <= due_s * 1e-12);
    }

    #[test]
    fn all_at_once_draws_nothing(seed: u32, count in 1_usize..200) {
        let pace = Pace::Constant { rate_rps: f64::INFINITY, burstiness: 1.0 };
        let mut numpy = NumpyRandomState::new(seed);
        let computed = arrivals(&pace, count, &mut numpy).unwrap();
        prop_assert!(computed.offsets_s.iter().all(|offset_s| *offset_s == 0.0));
        prop_assert_eq!(numpy, NumpyRandomState::new(seed));
    }
}

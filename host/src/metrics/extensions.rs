//! What vbench reports beyond the reference client: the `vbench` object of a
//! result file. `docs/concepts/timing.md` defines the times.

use std::collections::BTreeMap;

use serde::Serialize;

use super::histogram::TokenHistograms;
use super::peaks::{ExactPeaks, exact_peaks};
use super::series::Series;
use super::server_counters::PrefixCache;
use super::stats::{Sorted, mean, population_std};
use crate::clock::seconds_between;
use crate::record::{RequestRecord, RunRecord, Task, TokenKind};

/// Characters of an error message that are kept as an example of its class.
const EXAMPLE_CHARS: usize = 400;

/// How a delay of the client itself was spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct LagReport {
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

impl LagReport {
    /// From delays in seconds; none if there are none.
    pub fn of(delays_s: Vec<f64>) -> Option<Self> {
        if delays_s.is_empty() {
            return None;
        }
        let sorted = Sorted::new(delays_s);
        Some(Self {
            p50_ms: sorted.median() * 1000.0,
            p99_ms: sorted.percentile(99.0) * 1000.0,
            max_ms: sorted.max() * 1000.0,
        })
    }
}

/// What the client knows of itself after a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ClientReport {
    /// CPU time used between start and end of the run, all threads.
    pub cpu_s: f64,
    /// Threads that did network I/O.
    pub io_threads: u32,
    /// How late the I/O loops came round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_lag: Option<LagReport>,
    /// Why the client, not the server, was the limit; none if it was not.
    pub client_limited: Option<String>,
}

/// What the extensions need besides the records.
#[derive(Debug, Clone, Default)]
pub struct ExtensionInput {
    /// The finite rate asked for, requests a second.
    pub requested_rps: Option<f64>,
    /// What the client knows of itself.
    pub client: ClientReport,
    /// The server's prefix cache, where it told.
    pub prefix_cache: Option<PrefixCache>,
}

/// A distribution of times.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distribution {
    /// Number of values.
    pub count: u64,
    /// Arithmetic mean.
    pub mean_ms: f64,
    /// Population standard deviation.
    pub std_ms: f64,
    /// Smallest value.
    pub min_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 90th percentile.
    pub p90_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// 99.9th percentile.
    pub p99_9_ms: f64,
    /// Largest value.
    pub max_ms: f64,
}

impl Distribution {
    /// From values in seconds; none if there are none.
    pub fn of(values_s: Vec<f64>) -> Option<Self> {
        if values_s.is_empty() {
            return None;
        }
        let (mean, std) = (mean(&values_s), population_std(&values_s));
        let sorted = Sorted::new(values_s);
        Some(Self {
            count: sorted.values().len() as u64,
            mean_ms: mean * 1000.0,
            std_ms: std * 1000.0,
            min_ms: sorted.min() * 1000.0,
            p50_ms: sorted.median() * 1000.0,
            p90_ms: sorted.percentile(90.0) * 1000.0,
            p99_ms: sorted.percentile(99.0) * 1000.0,
            p99_9_ms: sorted.percentile(99.9) * 1000.0,
            max_ms: sorted.max() * 1000.0,
        })
    }

    fn per_token(histograms: &TokenHistograms) -> Option<Self> {
        let mean_ns = histograms.mean_per_token_ns()?;
        let h = &histograms.itl_per_token_ns;
        let ms = |ns: u64| ns as f64 / 1e6;
        Some(Self {
            count: h.len(),
            mean_ms: mean_ns / 1e6,
            std_ms: h.stdev() / 1e6,
            min_ms: ms(h.min()),
            p50_ms: ms(h.value_at_quantile(0.5)),
            p90_ms: ms(h.value_at_quantile(0.9)),
            p99_ms: ms(h.value_at_quantile(0.99)),
            p99_9_ms: ms(h.value_at_quantile(0.999)),
            max_ms: ms(h.max()),
        })
    }
}

/// Times beyond the reference client's, over successful requests. What no
/// request has is missing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Timing {
    /// From the scheduled time to the first token: what a user would have
    /// waited who came when the schedule says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_from_schedule: Option<Distribution>,
    /// From the scheduled time to the last token, or the end of a pooling body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2el_from_schedule: Option<Distribution>,
    /// From the beginning to the first token of the answer itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_first_answer: Option<Distribution>,
    /// From the beginning to the first reasoning token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_first_reasoning: Option<Distribution>,
    /// From the beginning to the second token event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_token: Option<Distribution>,
    /// Gaps shared out among the tokens they brought, one value a token;
    /// percentiles to three digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub itl_per_token: Option<Distribution>,
    /// Latency over output tokens, one value a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub normalized_latency: Option<Distribution>,
    /// TPOT with every token weighing the same, not every request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_tpot_ms: Option<f64>,
}

/// How well the client kept its schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pacing {
    /// From the scheduled time to the release by the pacer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_lateness: Option<LagReport>,
    /// From the scheduled time to the beginning, waits for a slot included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_lateness: Option<LagReport>,
    /// From the beginning until the request was written: connecting, TLS, and a
    /// server slow to accept or to read. It is part of TTFT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_delay: Option<LagReport>,
    /// The finite rate asked for, requests a second.
    pub requested_rps: Option<f64>,
    /// The rate of the releases: requests over the time to the last one.
    pub released_rps: Option<f64>,
    /// The rate of the beginnings: requests over the time to the last one.
    pub started_rps: Option<f64>,
}

/// Failures of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureCount {
    /// How many.
    pub count: u64,
    /// The message of the first, shortened.
    pub example: String,
}

/// The measured part of the `vbench` object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Extensions {
    /// Times beyond the reference client's.
    pub timing: Timing,
    /// How well the client kept its schedule.
    pub pacing: Pacing,
    /// Exact peaks.
    pub peaks: ExactPeaks,
    /// Prompt tokens of the successes that the server says came from its cache.
    pub cached_prompt_tokens: Option<u64>,
    /// Output tokens of the successes spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Why models stopped, with counts.
    pub finish_reasons: BTreeMap<String, u64>,
    /// Failures by class.
    pub failures: BTreeMap<&'static str, FailureCount>,
    /// Bytes of all requests, heads included.
    pub bytes_out: u64,
    /// Bytes of all responses, heads included.
    pub bytes_in: u64,
    /// The server's prefix cache, where it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_cache: Option<PrefixCache>,
    /// What the client knows of itself.
    pub client: ClientReport,
}

impl Extensions {
    /// Computes everything in one place; the series and the histograms have to
    /// be those of the run.
    pub fn compute(
        run: &RunRecord,
        series: &Series,
        histograms: &TokenHistograms,
        input: ExtensionInput,
    ) -> Self {
        let mut finish_reasons = BTreeMap::new();
        let mut failures: BTreeMap<_, FailureCount> = BTreeMap::new();
        for request in &run.requests {
            if let Some(failure) = &request.failure {
                failures
                    .entry(failure.class.name())
                    .or_insert_with(|| FailureCount { count: 0, example: shortened(&failure.message) })
                    .count += 1;
            } else if let Some(reason) = &request.finish_reason {
                *finish_reasons.entry(reason.clone()).or_default() += 1;
            }
        }
        let reported = |field: fn(&RequestRecord) -> Option<u64>| {
            let mut counts = run.requests.iter().filter(|r| r.succeeded()).filter_map(field).peekable();
            counts.peek().is_some().then(|| counts.sum())
        };
        Self {
            timing: timing(run, series, histograms),
            pacing: pacing(run, input.requested_rps),
            peaks: exact_peaks(run),
            cached_prompt_tokens: reported(|r| r.usage.cached_tokens),
            reasoning_tokens: reported(|r| r.usage.reasoning_tokens),
            finish_reasons,
            failures,
            bytes_out: run.requests.iter().map(|r| r.bytes_out).sum(),
            bytes_in: run.requests.iter().map(|r| r.bytes_in).sum(),
            prefix_cache: input.prefix_cache,
            client: input.client,
        }
    }
}

fn timing(run: &RunRecord, series: &Series, histograms: &TokenHistograms) -> Timing {
    let over_successes = |value: &dyn Fn(usize, &RequestRecord) -> Option<f64>| {
        Distribution::of(series.successes().filter_map(|i| value(i, &run.requests[i])).collect())
    };
    let first_of = |kind: TokenKind| {
        over_successes(&|_, r| {
            let event = r.token_events.iter().find(|e| e.kind == kind)?;
            Some(seconds_between(r.stamps.started_ns, event.at_ns))
        })
    };
    let from_schedule = |r: &RequestRecord, at_ns: u64| {
        (r.stamps.scheduled_ns != 0).then(|| seconds_between(r.stamps.scheduled_ns, at_ns))
    };
    let last_ns = |r: &RequestRecord| r.token_events.last().map_or(r.stamps.end_ns, |e| e.at_ns);

    let (mut after_first_s, mut tokens_after_first) = (0.0, 0);
    for i in series.successes().filter(|&i| series.output_tokens[i] > 1) {
        after_first_s += series.latency_s[i] - series.ttft_s[i];
        tokens_after_first += series.output_tokens[i] - 1;
    }
    let generation = run.task == Task::Generation;
    Timing {
        ttft_from_schedule: over_successes(&|_, r| from_schedule(r, r.token_events.first()?.at_ns)),
        e2el_from_schedule: over_successes(&|_, r| from_schedule(r, last_ns(r))),
        ttft_first_answer: first_of(TokenKind::Content),
        ttft_first_reasoning: first_of(TokenKind::Reasoning),
        second_token: over_successes(&|_, r| {
            Some(seconds_between(r.stamps.started_ns, r.token_events.get(1)?.at_ns))
        }),
        itl_per_token: Distribution::per_token(histograms),
        normalized_latency: over_successes(&|i, _| {
            let tokens = series.output_tokens[i];
            (generation && tokens > 0).then(|| series.latency_s[i] / tokens as f64)
        }),
        weighted_tpot_ms: (generation && tokens_after_first > 0)
            .then(|| after_first_s / tokens_after_first as f64 * 1000.0),
    }
}

fn pacing(run: &RunRecord, requested_rps: Option<f64>) -> Pacing {
    let late = |stamp: fn(&RequestRecord) -> u64| {
        let with_both = run.requests.iter().filter(|r| r.stamps.scheduled_ns != 0 && stamp(r) != 0);
        LagReport::of(with_both.map(|r| seconds_between(r.stamps.scheduled_ns, stamp(r))).collect())
    };
    let rate = |stamp: fn(&RequestRecord) -> u64| {
        let stamps = run.requests.iter().map(stamp).filter(|&at| at != 0);
        let (count, last) = stamps.fold((0u64, 0), |(count, last), at| (count + 1, last.max(at)));
        (last > run.start_ns).then(|| count as f64 / seconds_between(run.start_ns, last))
    };
    Pacing {
        release_lateness: late(|r| r.stamps.released_ns),
        start_lateness: late(|r| r.stamps.started_ns),
        send_delay: LagReport::of(run.requests.iter().filter_map(RequestRecord::send_delay_s).collect()),
        requested_rps: requested_rps.filter(|rate| rate.is_finite()),
        released_rps: rate(|r| r.stamps.released_ns),
        started_rps: rate(|r| r.stamps.started_ns),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(EXAMPLE_CHARS) {
        None => message.to_owned(),
        Some((end, _)) => format!("{}…", &message[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, FailureClass, Stamps, TokenEvent, Usage};

    const MS: u64 = 1_000_000;

    fn request(scheduled_ms: u64, started_ms: u64, events: &[(u64, TokenKind)]) -> RequestRecord {
        RequestRecord {
            stamps: Stamps {
                scheduled_ns: scheduled_ms * MS,
                released_ns: (scheduled_ms + 1) * MS,
                started_ns: started_ms * MS,
                sent_ns: (started_ms + 2) * MS,
                end_ns: (started_ms + 100) * MS,
                ..Stamps::default()
            },
            token_events: events
                .iter()
                .map(|&(at, kind)| TokenEvent { at_ns: (started_ms + at) * MS, kind, tokens: 1 })
                .collect(),
            output_tokens: events.len() as u64,
            usage: Usage { cached_tokens: Some(5), ..Usage::default() },
            finish_reason: Some("stop".into()),
            bytes_in: 10,
            bytes_out: 3,
            status: 200,
            ..RequestRecord::default()
        }
    }

    fn compute(requests: Vec<RequestRecord>, task: Task) -> Extensions {
        let run = RunRecord { task, start_ns: 1000 * MS, end_ns: 3000 * MS, requests };
        let (series, histograms) = (Series::from_run(&run), TokenHistograms::from_run(&run));
        let input = ExtensionInput { requested_rps: Some(4.0), ..ExtensionInput::default() };
        Extensions::compute(&run, &series, &histograms, input)
    }

    #[test]
    fn anchors_and_first_tokens() {
        use TokenKind::{Content, Reasoning};
        let got = compute(
            vec![
                request(1000, 1500, &[(10, Reasoning), (20, Reasoning), (40, Content)]),
                request(1500, 1500, &[(10, Content)]),
            ],
            Task::Generation,
        );
        let t = &got.timing;
        assert_eq!(t.ttft_from_schedule.unwrap().max_ms, 510.0);
        assert_eq!(t.e2el_from_schedule.unwrap().max_ms, 540.0);
        assert_eq!((t.ttft_first_answer.unwrap().count, t.ttft_first_answer.unwrap().max_ms), (2, 40.0));
        assert_eq!((t.ttft_first_reasoning.unwrap().count, t.second_token.unwrap().p50_ms), (1, 20.0));
        assert_eq!(t.weighted_tpot_ms, Some(15.0));
        assert_eq!(t.itl_per_token.unwrap().mean_ms, 15.0);
        assert!((t.itl_per_token.unwrap().max_ms - 20.0).abs() < 0.02);
        assert_eq!(t.normalized_latency.unwrap().min_ms, 10.0);
        assert_eq!(got.peaks.concurrent_requests, 2);
        assert_eq!((got.cached_prompt_tokens, got.reasoning_tokens), (Some(10), None));
        assert_eq!((got.bytes_in, got.bytes_out, got.finish_reasons["stop"]), (20, 6, 2));
    }

    #[test]
    fn lateness_and_rates() {
        let got = compute(vec![request(1000, 1500, &[]), request(1499, 1500, &[])], Task::Pooling);
        let p = &got.pacing;
        assert_eq!(p.release_lateness, Some(LagReport { p50_ms: 1.0, p99_ms: 1.0, max_ms: 1.0 }));
        assert_eq!(p.start_lateness.unwrap().max_ms, 500.0);
        assert_eq!(p.send_delay, Some(LagReport { p50_ms: 2.0, p99_ms: 2.0, max_ms: 2.0 }));
        assert_eq!((p.requested_rps, p.released_rps, p.started_rps), (Some(4.0), Some(4.0), Some(4.0)));
        assert_eq!((got.timing.weighted_tpot_ms, got.timing.ttft_from_schedule), (None, None));
        assert_eq!(got.timing.e2el_from_schedule.unwrap().max_ms, 600.0);
    }

    #[test]
    fn failures_are_counted_by_class_with_an_example() {
        let failed = |class, message: &str| RequestRecord {
            failure: Some(Failure { class, message: message.into() }),
            ..request(1000, 1000, &[])
        };
        let long = "é".repeat(500);
        let got = compute(
            vec![
                failed(FailureClass::Status, "Bad Request"),
                failed(FailureClass::Status, "Not Found"),
                failed(FailureClass::Timeout, &long),
            ],
            Task::Generation,
        );
        assert_eq!(got.failures["status"], FailureCount { count: 2, example: "Bad Request".into() });
        assert_eq!(got.failures["timeout"].example.chars().count(), EXAMPLE_CHARS + 1);
        assert!(got.finish_reasons.is_empty());
        assert_eq!(got.timing, Timing::default());
    }
}

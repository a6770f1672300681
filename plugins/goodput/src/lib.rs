//! The criterion `goodput`: requests that met every service level objective, as
//! in `--goodput ttft:200 tpot:50 e2el:3000` (milliseconds, inclusive).
//!
//! Which request is good follows the reference client, vLLM 0.33: an answer of
//! one token has a TPOT of 0, and failed requests are never good. A run passes
//! if enough of its requests, failed ones included, are good.

use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [Goodput] }

/// Options of the criterion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Service level objectives as KEY:VALUE in milliseconds, with the keys ttft, tpot and e2el. A request is good if it meets all.
    #[schemars(extend("x-flag" = "goodput"))]
    slos: Vec<String>,
    /// Share of good requests, between 0 and 1, from which on a run passes.
    #[serde(default = "ninety_nine_percent")]
    #[schemars(range(min = 0.0, max = 1.0))]
    min_share: f64,
}

fn ninety_nine_percent() -> f64 {
    0.99
}

/// The metrics that can have an objective, with their columns.
const METRICS: [(&str, &str); 3] = [("ttft", "ttft_s"), ("tpot", "tpot_s"), ("e2el", "e2el_s")];

/// Counts good requests.
pub struct Goodput {
    /// Limits by column, in seconds.
    limits_s: Vec<(&'static str, f64)>,
    min_share: f64,
}

impl Criterion for Goodput {
    type Config = Config;
    const NAME: &'static str = "goodput";
    const SUMMARY: &'static str = "Share of requests that met every service level objective.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        if config.slos.is_empty() {
            return Err(Error::config("there is no service level objective").key("slos"));
        }
        if !(0.0..=1.0).contains(&config.min_share) {
            return Err(Error::config("has to lie between 0 and 1").key("min_share"));
        }
        Ok(Self { limits_s: parse_slos(&config.slos)?, min_share: config.min_share })
    }

    fn good(&self, run: Run) -> Result<Option<Vec<bool>>> {
        let column = |name: &str| {
            run.column(name).ok_or_else(|| Error::internal(format!("the host has no column `{name}`")))
        };
        let mut good: Vec<bool> = column("success")?.iter().map(|&success| success == 1.0).collect();
        for &(name, limit_s) in &self.limits_s {
            for (good, value_s) in good.iter_mut().zip(column(name)?) {
                // Not-a-number is within no limit.
                *good &= value_s <= limit_s;
            }
        }
        Ok(Some(good))
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        let (mut good, mut all) = (0, 0);
        for &run in runs {
            good += self.count(run)?;
            all += run.requests();
        }
        let actual = (all > 0).then(|| good as f64 / all as f64);
        let share = actual.unwrap_or(0.0);
        let pass = actual.is_some() && share >= self.min_share;
        let margin = if self.min_share > 0.0 { (self.min_share - share) / self.min_share } else { -share };
        // A run without requests has met nothing.
        let margin = if actual.is_none() { 1.0 } else { margin };
        let finding = Finding {
            criterion: format!("goodput_share >= {}", self.min_share),
            actual,
            limit: self.min_share,
            pass,
            margin,
        };
        Ok(Verdict { pass, margin, findings: vec![finding] })
    }

    /// Good requests a second.
    fn objective(&self, run: Run) -> Result<f64> {
        let duration_s = run.metric("duration").filter(|&duration_s| duration_s > 0.0);
        let duration_s = duration_s.ok_or_else(|| Error::internal("the run has no duration"))?;
        Ok(self.count(run)? as f64 / duration_s)
    }
}

impl Goodput {
    fn count(&self, run: Run) -> Result<usize> {
        Ok(self.good(run)?.map_or(0, |good| good.iter().filter(|&&good| good).count()))
    }
}

/// Reads the objectives, in the reference client's words where they are wrong.
/// Of two objectives for one metric the later holds.
fn parse_slos(slos: &[String]) -> Result<Vec<(&'static str, f64)>> {
    let pairs: Option<Vec<(&str, f64)>> = slos.iter().map(|slo| parse_pair(slo)).collect();
    let pairs = pairs.ok_or_else(|| {
        Error::config(
            "Invalid format found for service level objectives. Specify service level objectives for goodput as \
             \"KEY:VALUE\" pairs, where the key is a metric name, and the value is a number in milliseconds.",
        )
        .key("slos")
    })?;
    let mut limits_s: Vec<(&'static str, f64)> = Vec::new();
    for (metric, limit_ms) in pairs {
        let Some(&(_, column)) = METRICS.iter().find(|(name, _)| *name == metric) else {
            return Err(Error::config(format!(
                "Invalid metric name found, {metric}: {limit_ms:?}. The service level objective name should be one of \
                 ['ttft', 'tpot', 'e2el']. "
            ))
            .key("slos"));
        };
        if limit_ms < 0.0 {
            return Err(Error::config(format!(
                "Invalid value found, {metric}: {limit_ms:?}. The service level objective value should be \
                 non-negative."
            ))
            .key("slos"));
        }
        limits_s.retain(|(known, _)| *known != column);
        limits_s.push((column, limit_ms / 1000.0));
    }
    Ok(limits_s)
}

/// A key and a number with one colon between them.
fn parse_pair(slo: &str) -> Option<(&str, f64)> {
    let (key, value) = slo.split_once(':')?;
    let value: f64 = value.trim().parse().ok()?;
    (!value.is_nan()).then_some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vbench_plugin::testing::{RunData, TestCriterion};

    fn open(slos: &[&str]) -> Result<TestCriterion<Goodput>> {
        let config = serde_json::json!({ "slos": slos, "min_share": 0.5 }).to_string();
        TestCriterion::open(&config, Compat::V0_33)
    }

    fn message(slo: &str) -> String {
        let Err(error) = open(&[slo]) else { panic!("accepted {slo}") };
        assert_eq!(error.config_key.as_deref(), Some("slos"));
        error.message
    }

    #[test]
    fn wrong_objectives_are_named_in_the_reference_clients_words() {
        assert_eq!(
            message("itl:5"),
            "Invalid metric name found, itl: 5.0. The service level objective name should be one of ['ttft', 'tpot', 'e2el']. "
        );
        assert_eq!(
            message("ttft:-5"),
            "Invalid value found, ttft: -5.0. The service level objective value should be non-negative."
        );
        for slo in ["ttft=5", "ttft:", "ttft:a", "ttft:1:2", "ttft:nan", "ttft"] {
            assert!(message(slo).starts_with("Invalid format found for service level objectives."), "{slo}");
        }
        assert!(open(&[]).is_err());
    }

    fn run() -> RunData {
        RunData::new()
            .with_metric("duration", 2.0)
            .with_column("success", [1.0, 1.0, 1.0, 0.0, 1.0])
            .with_column("ttft_s", [0.2, 0.1, 0.3, f64::NAN, f64::NAN])
            .with_column("tpot_s", [0.0, 0.05, 0.0, f64::NAN, 0.0])
            .with_column("e2el_s", [0.2, 1.0, 0.3, f64::NAN, 0.1])
    }

    #[test]
    fn a_request_is_good_if_it_succeeded_within_every_limit() {
        let criterion = open(&["ttft:200", "tpot:50"]).unwrap();
        assert_eq!(criterion.good(&run()).unwrap().unwrap(), [true, true, false, false, false]);
        assert_eq!(criterion.objective(&run()).unwrap(), 1.0);
        let criterion = open(&["e2el:250"]).unwrap();
        assert_eq!(criterion.good(&run()).unwrap().unwrap(), [true, false, false, false, true]);
    }

    #[test]
    fn the_later_objective_of_a_metric_holds() {
        let criterion = open(&["ttft:1", "ttft:200"]).unwrap();
        assert_eq!(criterion.good(&run()).unwrap().unwrap(), [true, true, false, false, false]);
    }

    #[test]
    fn the_share_is_over_all_requests_of_all_runs() {
        let verdict = open(&["ttft:200"]).unwrap().evaluate(&[run(), run()]).unwrap();
        assert!(!verdict.pass);
        assert_eq!(verdict.findings[0].actual, Some(0.4));
        assert!((verdict.margin - 0.2).abs() < 1e-12);
        let verdict = open(&["e2el:1000"]).unwrap().evaluate(&[run()]).unwrap();
        assert!(verdict.pass && verdict.margin < 0.0);
    }
}

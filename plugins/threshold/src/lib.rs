//! The criterion `threshold`: metrics of the result file against limits, such as
//! `{"p99_e2el_ms": "<=200"}`.
//!
//! A metric is averaged over repeated runs first. Its margin is the distance
//! from the limit as a share of the limit, below 0 on the good side; the verdict's
//! margin is the largest. The rules are those of vLLM's search for the highest
//! load that meets an SLA, but for the division by the limit, which makes
//! milliseconds and rates comparable.

use std::collections::BTreeMap;

use vbench_plugin::limit::Limit;
use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [Threshold] }

/// Options of the criterion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Limits by metric of the result file, each an operator (<=, >=, < or >) and a number, as in {"p99_e2el_ms": "<=200"}.
    limits: BTreeMap<String, String>,
    /// Metric of the result file that a search makes as large as possible.
    #[serde(default = "request_throughput")]
    objective: String,
}

fn request_throughput() -> String {
    "request_throughput".into()
}

/// Compares metrics with limits.
pub struct Threshold {
    limits: Vec<Limit>,
    objective: String,
}

impl Criterion for Threshold {
    type Config = Config;
    const NAME: &'static str = "threshold";
    const SUMMARY: &'static str = "Metrics of the result file against limits.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        if config.limits.is_empty() {
            return Err(Error::config("there is no limit to hold").key("limits"));
        }
        let limits: Result<Vec<Limit>> =
            config.limits.iter().map(|(metric, text)| Limit::parse(metric, text)).collect();
        Ok(Self { limits: limits.map_err(|error| error.key("limits"))?, objective: config.objective })
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        let mut findings: Vec<Finding> = self.limits.iter().map(|limit| limit.judge_runs(runs)).collect();
        // The binding one first; a stable sort, so ties stay in the order of the names.
        findings.sort_by(|a, b| b.margin.total_cmp(&a.margin));
        Ok(Verdict {
            pass: findings.iter().all(|finding| finding.pass),
            margin: findings.first().map_or(0.0, |finding| finding.margin),
            findings,
        })
    }

    fn objective(&self, run: Run) -> Result<f64> {
        run.metric(&self.objective).filter(|value| value.is_finite()).ok_or_else(|| {
            Error::config(format!("the run has no number `{}` to maximise", self.objective)).key("objective")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vbench_plugin::testing::{RunData, TestCriterion};

    fn open(config: &str) -> Result<TestCriterion<Threshold>> {
        TestCriterion::open(config, Compat::Vbench)
    }

    #[test]
    fn the_mean_over_runs_is_judged_and_the_binding_limit_comes_first() {
        let criterion = open(r#"{"limits": {"a_ms": "<=100", "b_ms": "<=100"}}"#).unwrap();
        let run = |a: f64, b: f64| RunData::new().with_metric("a_ms", a).with_metric("b_ms", b);
        let verdict = criterion.evaluate(&[run(90.0, 120.0), run(90.0, 100.0)]).unwrap();
        assert!(!verdict.pass);
        assert_eq!(verdict.margin, 0.1);
        let criteria: Vec<_> = verdict.findings.iter().map(|finding| finding.criterion.as_str()).collect();
        assert_eq!(criteria, ["b_ms <= 100", "a_ms <= 100"]);
        assert_eq!(verdict.findings[0].actual, Some(110.0));
        assert!(criterion.evaluate(&[run(100.0, 100.0)]).unwrap().pass);
    }

    #[test]
    fn a_run_without_the_metric_fails() {
        let criterion = open(r#"{"limits": {"a_ms": "<=100"}}"#).unwrap();
        let runs = [RunData::new().with_metric("a_ms", 1.0), RunData::new()];
        let verdict = criterion.evaluate(&runs).unwrap();
        assert!(!verdict.pass && verdict.margin > 0.0);
        assert_eq!(verdict.findings[0].actual, None);
    }

    #[test]
    fn the_objective_is_a_metric() {
        let criterion = open(r#"{"limits": {"a": "<1"}}"#).unwrap();
        let run = RunData::new().with_metric("request_throughput", 7.0);
        assert_eq!(criterion.objective(&run).unwrap(), 7.0);
        assert!(criterion.objective(&RunData::new()).is_err());
        assert!(open(r#"{"limits": {}}"#).is_err());
    }
}

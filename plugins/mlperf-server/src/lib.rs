//! The criterion `mlperf-server`: the limits that MLPerf Inference sets to the
//! 99th percentiles of TTFT and TPOT of a model in its Server and Interactive
//! scenarios, as of round 5.1.
//!
//! It compares latencies only. A result may be called one of MLPerf's if it
//! follows all of MLPerf's rules, which also prescribe data, accuracy, arrival
//! times, duration and review.

use vbench_plugin::limit::Limit;
use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [MlperfServer] }

/// Options of the criterion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model whose limits hold: llama2-70b, llama3.1-8b, llama3.1-405b, mixtral-8x7b or deepseek-r1; "-interactive" after it for the stricter scenario of the first three.
    model: String,
    /// Limit of the 99th percentile of TTFT in milliseconds, in place of the model's.
    #[schemars(range(min = 0.0))]
    ttft_ms: Option<f64>,
    /// Limit of the 99th percentile of TPOT in milliseconds, in place of the model's.
    #[schemars(range(min = 0.0))]
    tpot_ms: Option<f64>,
}

/// Model, limit of TTFT and limit of TPOT, both in milliseconds at the 99th
/// percentile: the table of latency constraints in MLPerf's inference rules.
const LIMITS: [(&str, f64, f64); 8] = [
    ("llama2-70b", 2000.0, 200.0),
    ("llama2-70b-interactive", 450.0, 40.0),
    ("llama3.1-8b", 2000.0, 100.0),
    ("llama3.1-8b-interactive", 500.0, 30.0),
    ("llama3.1-405b", 6000.0, 175.0),
    ("llama3.1-405b-interactive", 4500.0, 80.0),
    ("mixtral-8x7b", 2000.0, 200.0),
    ("deepseek-r1", 2000.0, 80.0),
];

/// Compares two percentiles with a model's limits.
pub struct MlperfServer {
    limits: [Limit; 2],
}

impl Criterion for MlperfServer {
    type Config = Config;
    const NAME: &'static str = "mlperf-server";
    const SUMMARY: &'static str = "99th percentiles of TTFT and TPOT within MLPerf's limits of a model.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        let Some((_, ttft_ms, tpot_ms)) = LIMITS.iter().find(|(model, ..)| *model == config.model) else {
            let models: Vec<&str> = LIMITS.iter().map(|(model, ..)| *model).collect();
            return Err(Error::config(format!(
                "there are no limits of `{}`; there are those of {}",
                config.model,
                models.join(", ")
            ))
            .key("model"));
        };
        Ok(Self {
            limits: [
                Limit::at_most("p99_ttft_ms", config.ttft_ms.unwrap_or(*ttft_ms)),
                Limit::at_most("p99_tpot_ms", config.tpot_ms.unwrap_or(*tpot_ms)),
            ],
        })
    }

    /// A run passes if both percentiles do, each averaged over repeated runs.
    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        let mut findings: Vec<Finding> = self.limits.iter().map(|limit| limit.judge_runs(runs)).collect();
        findings.sort_by(|a, b| b.margin.total_cmp(&a.margin));
        Ok(Verdict {
            pass: findings.iter().all(|finding| finding.pass),
            margin: findings.iter().map(|finding| finding.margin).fold(f64::NEG_INFINITY, f64::max),
            findings,
        })
    }

    /// Output tokens a second, which is what MLPerf reports.
    fn objective(&self, run: Run) -> Result<f64> {
        run.metric("output_throughput")
            .filter(|value| value.is_finite())
            .ok_or_else(|| Error::internal("the run has no `output_throughput`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vbench_plugin::testing::{RunData, TestCriterion};

    fn open(config: &str) -> Result<TestCriterion<MlperfServer>> {
        TestCriterion::open(config, Compat::Vbench)
    }

    fn run(ttft_ms: f64, tpot_ms: f64) -> RunData {
        RunData::new().with_metric("p99_ttft_ms", ttft_ms).with_metric("p99_tpot_ms", tpot_ms)
    }

    #[test]
    fn both_percentiles_have_to_hold() {
        let criterion = open(r#"{"model": "llama2-70b"}"#).unwrap();
        assert!(criterion.evaluate(&[run(2000.0, 200.0)]).unwrap().pass);
        let verdict = criterion.evaluate(&[run(1000.0, 220.0)]).unwrap();
        assert!(!verdict.pass && (verdict.margin - 0.1).abs() < 1e-12);
        assert_eq!(verdict.findings[0].criterion, "p99_tpot_ms <= 200");
        assert!(!criterion.evaluate(&[RunData::new()]).unwrap().pass);
    }

    #[test]
    fn limits_can_be_replaced() {
        let criterion = open(r#"{"model": "llama2-70b-interactive", "ttft_ms": 1000}"#).unwrap();
        assert!(criterion.evaluate(&[run(900.0, 40.0)]).unwrap().pass);
        assert!(!criterion.evaluate(&[run(900.0, 41.0)]).unwrap().pass);
    }

    #[test]
    fn unknown_models_are_refused_by_name() {
        let Err(error) = open(r#"{"model": "gpt-2"}"#) else { panic!("accepted") };
        assert_eq!(error.config_key.as_deref(), Some("model"));
        assert!(error.message.contains("`gpt-2`") && error.message.contains("deepseek-r1"));
    }
}

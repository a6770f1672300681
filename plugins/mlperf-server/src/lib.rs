//! The criterion `mlperf-server`: the limits that MLPerf Inference sets to the
//! 99th percentile of a model's latencies in its Server and Interactive scenarios.
//!
//! It compares latencies only. A result may be called one of MLPerf's if it
//! follows all of MLPerf's rules, which also prescribe data, accuracy, arrival
//! times, duration and review.
//!
//! Source of models and limits: the table "Server latency constraint" of the
//! Datacenter suite in `inference_rules.adoc` of `mlcommons/inference_policies`
//! at commit ff7edba (August 2026, after round 6.0), compared with the keys
//! `*.Server.ttft_latency`, `tpot_latency` and `target_latency` of LoadGen's
//! `mlperf.conf` in `mlcommons/inference`, as of rounds 5.1 and 6.0. That the
//! percentile is the 99th is in the table of scenarios of the same rules and in
//! `*.Server.target_latency_percentile` of the same file.

use vbench_plugin::limit::Limit;
use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [MlperfServer] }

/// Options of the criterion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model whose limits hold: llama2-70b, llama3.1-8b, llama3.1-405b, mixtral-8x7b, deepseek-r1, gpt-oss-120b or qwen3-vl-235b-a22b; "-interactive" after it for the stricter scenario, which all but mixtral-8x7b have.
    model: String,
    /// Limit of the 99th percentile of TTFT in milliseconds, in place of the model's.
    #[schemars(range(min = 0.0))]
    ttft_ms: Option<f64>,
    /// Limit of the 99th percentile of TPOT in milliseconds, in place of the model's.
    #[schemars(range(min = 0.0))]
    tpot_ms: Option<f64>,
    /// Limit of the 99th percentile of E2EL in milliseconds, in place of the model's; only qwen3-vl-235b-a22b has one.
    #[schemars(range(min = 0.0))]
    e2el_ms: Option<f64>,
}

/// What MLPerf limits of a model, in milliseconds at the 99th percentile.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limits {
    /// The time to the first token, and between tokens.
    Tokens { ttft_ms: f64, tpot_ms: f64 },
    /// The time to the whole answer, where answers are short.
    Answer { e2el_ms: f64 },
}

const fn tokens(ttft_ms: f64, tpot_ms: f64) -> Limits {
    Limits::Tokens { ttft_ms, tpot_ms }
}

/// Models with their limits, each in its Server scenario (which the rules also
/// call conversational) and in its Interactive one.
const LIMITS: [(&str, Limits); 13] = [
    ("llama2-70b", tokens(2000.0, 200.0)),
    ("llama2-70b-interactive", tokens(450.0, 40.0)),
    ("llama3.1-8b", tokens(2000.0, 100.0)),
    ("llama3.1-8b-interactive", tokens(500.0, 30.0)),
    ("llama3.1-405b", tokens(6000.0, 175.0)),
    ("llama3.1-405b-interactive", tokens(4500.0, 80.0)),
    ("mixtral-8x7b", tokens(2000.0, 200.0)),
    ("deepseek-r1", tokens(2000.0, 80.0)),
    ("deepseek-r1-interactive", tokens(1500.0, 15.0)),
    ("gpt-oss-120b", tokens(3000.0, 80.0)),
    // The rules say 20 ms a token, LoadGen, which declares runs valid, 15 ms:
    // what holds the stricter holds both.
    ("gpt-oss-120b-interactive", tokens(2000.0, 15.0)),
    ("qwen3-vl-235b-a22b", Limits::Answer { e2el_ms: 12_000.0 }),
    ("qwen3-vl-235b-a22b-interactive", Limits::Answer { e2el_ms: 1500.0 }),
];

/// Compares percentiles with a model's limits.
pub struct MlperfServer {
    limits: Vec<Limit>,
}

impl Criterion for MlperfServer {
    type Config = Config;
    const NAME: &'static str = "mlperf-server";
    const SUMMARY: &'static str = "99th percentiles of latencies within MLPerf's limits of a model.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        let Some((_, limits)) = LIMITS.iter().find(|(model, _)| *model == config.model) else {
            let models: Vec<&str> = LIMITS.iter().map(|(model, _)| *model).collect();
            return Err(Error::config(format!(
                "there are no limits of `{}`; there are those of {}",
                config.model,
                models.join(", ")
            ))
            .key("model"));
        };
        let refuse = |key: &str, value: Option<f64>, limited: &str| match value {
            Some(_) => {
                Err(Error::config(format!("MLPerf limits {limited} of `{}`, not this", config.model))
                    .key(key))
            }
            None => Ok(()),
        };
        let limits = match *limits {
            Limits::Tokens { ttft_ms, tpot_ms } => {
                refuse("e2el_ms", config.e2el_ms, "TTFT and TPOT")?;
                vec![
                    Limit::at_most("p99_ttft_ms", config.ttft_ms.unwrap_or(ttft_ms)),
                    Limit::at_most("p99_tpot_ms", config.tpot_ms.unwrap_or(tpot_ms)),
                ]
            }
            Limits::Answer { e2el_ms } => {
                refuse("ttft_ms", config.ttft_ms, "E2EL")?;
                refuse("tpot_ms", config.tpot_ms, "E2EL")?;
                vec![Limit::at_most("p99_e2el_ms", config.e2el_ms.unwrap_or(e2el_ms))]
            }
        };
        Ok(Self { limits })
    }

    /// A run passes if all percentiles do, each averaged over repeated runs.
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
    fn short_answers_are_limited_as_a_whole() {
        let criterion = open(r#"{"model": "qwen3-vl-235b-a22b-interactive"}"#).unwrap();
        let run = |e2el_ms| run(9000.0, 900.0).with_metric("p99_e2el_ms", e2el_ms);
        assert!(criterion.evaluate(&[run(1500.0)]).unwrap().pass);
        assert!(!criterion.evaluate(&[run(1501.0)]).unwrap().pass);
    }

    #[test]
    fn a_limit_that_a_model_does_not_have_is_refused() {
        for (config, key) in [
            (r#"{"model": "qwen3-vl-235b-a22b", "ttft_ms": 1}"#, "ttft_ms"),
            (r#"{"model": "qwen3-vl-235b-a22b", "tpot_ms": 1}"#, "tpot_ms"),
            (r#"{"model": "deepseek-r1-interactive", "e2el_ms": 1}"#, "e2el_ms"),
        ] {
            let Err(error) = open(config) else { panic!("accepted {config}") };
            assert_eq!(error.config_key.as_deref(), Some(key));
        }
    }

    #[test]
    fn the_interactive_scenario_is_the_stricter_one() {
        let of = |name: &str| LIMITS.iter().find(|(model, _)| *model == name).map(|(_, limits)| *limits);
        for (model, strict) in LIMITS {
            let Some(name) = model.strip_suffix("-interactive") else { continue };
            match (of(name), strict) {
                (Some(Limits::Tokens { ttft_ms, tpot_ms }), Limits::Tokens { ttft_ms: t, tpot_ms: p }) => {
                    assert!(t < ttft_ms && p < tpot_ms, "{model}");
                }
                (Some(Limits::Answer { e2el_ms }), Limits::Answer { e2el_ms: e }) => assert!(e < e2el_ms),
                other => panic!("{model}: {other:?}"),
            }
        }
    }

    #[test]
    fn unknown_models_are_refused_by_name() {
        let Err(error) = open(r#"{"model": "gpt-2"}"#) else { panic!("accepted") };
        assert_eq!(error.config_key.as_deref(), Some("model"));
        assert!(error.message.contains("`gpt-2`") && error.message.contains("deepseek-r1"));
    }
}

//! The criterion `composite`: limits joined by all-of and any-of, such as
//! `{"any": [{"p99_ttft_ms": "<=200"}, {"all": [{"p50_ttft_ms": "<=100"}, {"p99_e2el_ms": "<=5000"}]}]}`.
//!
//! The margin of all-of is the largest of its parts', that of any-of the
//! smallest, so that a search finds the load at which the whole changes.

use std::collections::BTreeMap;

use serde_json::Value;
use vbench_plugin::limit::Limit;
use vbench_plugin::prelude::*;

vbench_plugin::export! { criteria: [Composite] }

/// Deepest nesting of a rule.
const DEEPEST: usize = 32;

/// Options of the criterion.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The rule: {"all": [RULE, …]}, {"any": [RULE, …]}, or limits by metric of the result file, all of which have to hold, as in {"p99_ttft_ms": "<=200"}.
    rule: BTreeMap<String, Value>,
    /// Metric of the result file that a search makes as large as possible.
    #[serde(default = "request_throughput")]
    objective: String,
}

fn request_throughput() -> String {
    "request_throughput".into()
}

/// Judges by a tree of limits.
pub struct Composite {
    rule: Rule,
    objective: String,
}

enum Rule {
    All(Vec<Rule>),
    Any(Vec<Rule>),
    Limit(Limit),
}

impl Rule {
    fn parse<'v>(items: impl Iterator<Item = (&'v String, &'v Value)>, depth: usize) -> Result<Self> {
        if depth > DEEPEST {
            return Err(Error::config(format!("it is nested deeper than {DEEPEST} levels")));
        }
        let items: Vec<(&String, &Value)> = items.collect();
        match items[..] {
            [] => Err(Error::config("there is an empty rule")),
            [(key, Value::Array(rules))] if key == "all" || key == "any" => {
                if rules.is_empty() {
                    return Err(Error::config(format!("`{key}` has no rules")));
                }
                let rules = rules
                    .iter()
                    .map(|rule| {
                        let object = rule.as_object().ok_or_else(|| {
                            Error::config(format!("`{key}` wants rules, which are objects, not {rule}"))
                        })?;
                        Self::parse(object.iter(), depth + 1)
                    })
                    .collect::<Result<Vec<_>>>()?;
                Ok(if key == "all" { Self::All(rules) } else { Self::Any(rules) })
            }
            _ => {
                let limits = items
                    .iter()
                    .map(|(metric, limit)| {
                        let text = limit.as_str().ok_or_else(|| {
                            Error::config(format!(
                                "the limit of `{metric}` has to be a text such as \"<=200\", not {limit}"
                            ))
                        })?;
                        Limit::parse(metric, text).map(Self::Limit)
                    })
                    .collect::<Result<Vec<_>>>()?;
                Ok(Self::All(limits))
            }
        }
    }

    fn judge(&self, runs: &[Run]) -> Verdict {
        match self {
            Self::Limit(limit) => {
                let finding = limit.judge_runs(runs);
                Verdict { pass: finding.pass, margin: finding.margin, findings: vec![finding] }
            }
            Self::All(rules) => {
                let mut verdicts: Vec<Verdict> = rules.iter().map(|rule| rule.judge(runs)).collect();
                verdicts.sort_by(|a, b| b.margin.total_cmp(&a.margin));
                join(verdicts, |verdicts| verdicts.iter().all(|verdict| verdict.pass))
            }
            Self::Any(rules) => {
                let mut verdicts: Vec<Verdict> = rules.iter().map(|rule| rule.judge(runs)).collect();
                verdicts.sort_by(|a, b| a.margin.total_cmp(&b.margin));
                join(verdicts, |verdicts| verdicts.iter().any(|verdict| verdict.pass))
            }
        }
    }
}

/// One verdict of several, of which the first binds.
fn join(verdicts: Vec<Verdict>, pass: impl FnOnce(&[Verdict]) -> bool) -> Verdict {
    Verdict {
        pass: pass(&verdicts),
        margin: verdicts.first().map_or(0.0, |verdict| verdict.margin),
        findings: verdicts.into_iter().flat_map(|verdict| verdict.findings).collect(),
    }
}

impl Criterion for Composite {
    type Config = Config;
    const NAME: &'static str = "composite";
    const SUMMARY: &'static str = "Metrics of the result file against limits joined by all-of and any-of.";

    fn open(_cx: &CriterionContext, config: Config) -> Result<Self> {
        let rule = Rule::parse(config.rule.iter(), 0).map_err(|error| error.key("rule"))?;
        Ok(Self { rule, objective: config.objective })
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        Ok(self.rule.judge(runs))
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

    fn open(rule: &str) -> Result<TestCriterion<Composite>> {
        TestCriterion::open(&format!("{{\"rule\": {rule}}}"), Compat::Vbench)
    }

    fn run(a: f64, b: f64) -> RunData {
        RunData::new().with_metric("a", a).with_metric("b", b)
    }

    #[test]
    fn all_of_takes_the_worst_and_any_of_the_best() {
        let both = open(r#"{"a": "<=100", "b": "<=100"}"#).unwrap();
        let verdict = both.evaluate(&[run(90.0, 120.0)]).unwrap();
        assert!(!verdict.pass && (verdict.margin - 0.2).abs() < 1e-12);
        assert_eq!(verdict.findings[0].criterion, "b <= 100");
        let either = open(r#"{"any": [{"a": "<=100"}, {"b": "<=100"}]}"#).unwrap();
        let verdict = either.evaluate(&[run(90.0, 120.0)]).unwrap();
        assert!(verdict.pass && (verdict.margin + 0.1).abs() < 1e-12);
        assert_eq!(verdict.findings[0].criterion, "a <= 100");
        assert!(!either.evaluate(&[run(110.0, 120.0)]).unwrap().pass);
    }

    #[test]
    fn rules_nest() {
        let rule = open(r#"{"any": [{"a": "<=10"}, {"all": [{"a": "<=100"}, {"b": ">=1"}]}]}"#).unwrap();
        assert!(rule.evaluate(&[run(50.0, 2.0)]).unwrap().pass);
        assert!(!rule.evaluate(&[run(50.0, 0.5)]).unwrap().pass);
        assert!(rule.evaluate(&[run(5.0, 0.0)]).unwrap().pass);
    }

    #[test]
    fn bad_rules_are_named() {
        let deep = format!("{}{}{}", r#"{"all": ["#.repeat(40), r#"{"a": "<1"}"#, "]}".repeat(40));
        for (rule, reason) in [
            ("{}", "an empty rule"),
            (r#"{"any": []}"#, "`any` has no rules"),
            (r#"{"any": [1]}"#, "wants rules"),
            (r#"{"a": 5}"#, "has to be a text"),
            (r#"{"a": "5"}"#, "no operator"),
            (&deep, "nested deeper"),
        ] {
            let Err(error) = open(rule) else { panic!("accepted {rule}") };
            assert_eq!(error.config_key.as_deref(), Some("rule"));
            assert!(error.message.contains(reason), "{rule}: {}", error.message);
        }
    }
}

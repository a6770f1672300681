//! The criterion `threshold`: metrics of the result file against limits, such as
//! `{"p99_e2el_ms": "<=200"}`.
//!
//! A metric is averaged over repeated runs first. Its margin is the distance
//! from the limit as a share of the limit, below 0 on the good side; the verdict's
//! margin is the largest. The rules are those of vLLM's search for the highest
//! load that meets an SLA, but for the division by the limit, which makes
//! milliseconds and rates comparable.

use std::collections::BTreeMap;

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
        Ok(Self { limits: limits?, objective: config.objective })
    }

    fn evaluate(&self, runs: &[Run]) -> Result<Verdict> {
        let mut findings: Vec<Finding> =
            self.limits.iter().map(|limit| limit.judge(mean_over_runs(runs, &limit.metric))).collect();
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

/// The mean of a metric; none if a run lacks it, since a run without it, such
/// as one in which every request failed, has not met the limit.
fn mean_over_runs(runs: &[Run], metric: &str) -> Option<f64> {
    let values: Option<Vec<f64>> =
        runs.iter().map(|run| run.metric(metric).filter(|value| value.is_finite())).collect();
    values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// How a metric is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    AtMost,
    AtLeast,
    Below,
    Above,
}

/// Operators in the order in which they are looked for, longest first.
const OPERATORS: [(&str, Operator); 4] =
    [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Below), (">", Operator::Above)];

#[derive(Debug, Clone, PartialEq)]
struct Limit {
    metric: String,
    operator: Operator,
    symbol: &'static str,
    target: f64,
}

impl Limit {
    /// Margin of a metric that a run does not have: a whole limit beyond.
    const MISSING: f64 = 1.0;
    /// How far from the limit a strict comparison wants to be.
    const STRICT: f64 = 1e-8;

    fn parse(metric: &str, text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::config(format!(
                "the limit `{text}` of `{metric}` {why}; write an operator (<=, >=, < or >) and a number, as in <=200"
            ))
            .key("limits")
        };
        let text = text.trim();
        let found = OPERATORS
            .iter()
            .find_map(|&(symbol, operator)| Some((symbol, operator, text.strip_prefix(symbol)?)));
        let (symbol, operator, number) = found.ok_or_else(|| bad("has no operator"))?;
        let target: f64 = number.trim().parse().map_err(|_| bad("has no number"))?;
        if !target.is_finite() {
            return Err(bad("is not finite"));
        }
        Ok(Self { metric: metric.into(), operator, symbol, target })
    }

    fn judge(&self, actual: Option<f64>) -> Finding {
        let (pass, margin) = actual.map_or((false, Self::MISSING), |actual| self.compare(actual));
        Finding {
            criterion: format!("{} {} {}", self.metric, self.symbol, self.target),
            actual,
            limit: self.target,
            pass,
            margin,
        }
    }

    fn compare(&self, actual: f64) -> (bool, f64) {
        let (holds, distance) = match self.operator {
            Operator::AtMost => (actual <= self.target, actual - self.target),
            Operator::Below => (actual < self.target, actual + Self::STRICT - self.target),
            Operator::AtLeast => (actual >= self.target, self.target - actual),
            Operator::Above => (actual > self.target, self.target + Self::STRICT - actual),
        };
        // A limit of 0 has no share of itself; the distance stands for it.
        let scale = if self.target == 0.0 { 1.0 } else { self.target.abs() };
        let margin = distance / scale;
        let pass = holds && margin <= 0.0;
        // Where the strict distance is lost to rounding, the sign still tells.
        (pass, if pass { margin } else { margin.max(f64::EPSILON) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vbench_plugin::testing::{RunData, TestCriterion};

    fn open(config: &str) -> Result<TestCriterion<Threshold>> {
        TestCriterion::open(config, Compat::Vbench)
    }

    fn margin(limit: &str, actual: f64) -> (bool, f64) {
        Limit::parse("m", limit).unwrap().compare(actual)
    }

    #[test]
    fn the_longest_operator_is_taken() {
        assert_eq!(Limit::parse("m", "<=5").unwrap().operator, Operator::AtMost);
        assert_eq!(Limit::parse("m", "<5").unwrap().operator, Operator::Below);
        assert_eq!(Limit::parse("m", " >= 5e2 ").unwrap().target, 500.0);
        for bad in ["5", "<=", "=5", "<=five", "<=nan", "<=inf", ""] {
            let error = Limit::parse("m", bad).unwrap_err();
            assert_eq!(error.config_key.as_deref(), Some("limits"), "{bad}");
        }
    }

    #[test]
    fn margins_are_shares_of_the_limit() {
        assert_eq!(margin("<=200", 220.0), (false, 0.1));
        assert_eq!(margin("<=200", 200.0), (true, 0.0));
        assert_eq!(margin(">=10", 5.0), (false, 0.5));
        assert_eq!(margin(">=10", 20.0), (true, -1.0));
        assert_eq!(margin("<=0", -3.0), (true, -3.0));
        assert!(!margin("<200", 200.0).0 && margin("<200", 200.0).1 > 0.0);
        // Large enough for the strict distance to vanish.
        assert!(!margin(">1e12", 1e12).0 && margin(">1e12", 1e12).1 > 0.0);
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

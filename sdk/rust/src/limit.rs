//! Limits of metrics, as `p99_e2el_ms` and `<=200`, which criteria compare runs with.
//!
//! A metric is averaged over repeated runs first. Its margin is the distance
//! from the limit as a share of the limit, below 0 on the good side.

use crate::criterion::{Finding, Run};
use crate::{Error, Result};

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

/// A limit of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
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

    /// Reads an operator (`<=`, `>=`, `<` or `>`) and a number.
    ///
    /// # Errors
    /// [`Error::config`] when one of them is missing.
    pub fn parse(metric: &str, text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::config(format!(
                "the limit `{text}` of `{metric}` {why}; write an operator (<=, >=, < or >) and a number, as in <=200"
            ))
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

    /// That a metric is at most this.
    pub fn at_most(metric: &str, target: f64) -> Self {
        Self { metric: metric.into(), operator: Operator::AtMost, symbol: "<=", target }
    }

    /// Compares the mean over repeated runs of one setting.
    pub fn judge_runs(&self, runs: &[Run]) -> Finding {
        self.judge(mean_over_runs(runs, &self.metric))
    }

    /// Compares a value; none fails, as it does not show that the limit is met.
    pub fn judge(&self, actual: Option<f64>) -> Finding {
        let (pass, margin) = actual.map_or((false, Self::MISSING), |actual| self.compare(actual));
        Finding {
            criterion: format!("{} {} {}", self.metric, self.symbol, self.target),
            actual,
            limit: self.target,
            pass,
            margin,
        }
    }

    /// Whether a value is within the limit, and its margin.
    pub fn compare(&self, actual: f64) -> (bool, f64) {
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
            assert_eq!(error.cause, crate::Cause::Config, "{bad}");
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
}

//! The criteria of an SLA search: where they come from, how they are called,
//! and what they say of runs.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::SweepError;
use super::params::{python_type, read_json};
use super::table::Row;
use crate::cli::Compat;
use crate::cli::plan::SlaPlan;
use crate::fault::Fault;
use crate::plugin::contract::{CriterionArgs, Verdict};
use crate::plugin::services::RunView;
use crate::plugin::{Criterion, Plugins};
use crate::sla::ResultRun;

/// The plugin behind `--sla-params`.
const THRESHOLD: &str = "threshold";
/// Operators in the order in which they are looked for.
const OPERATORS: [&str; 4] = ["<=", ">=", "<", ">"];

/// A criterion that is searched for by itself.
pub struct Target {
    /// For the user: `p99_e2el_ms<=500.00`, or the plugin's name.
    pub text: String,
    /// For a file's name.
    pub file_name: String,
    /// Needs what became of every request.
    pub detailed: bool,
    /// Limits of the documented form, for the documented lines.
    limits: Vec<Limit>,
    criterion: Box<dyn Criterion>,
}

/// One limit of `--sla-params`.
#[derive(Debug, Clone, PartialEq)]
struct Limit {
    metric: String,
    operator: &'static str,
    target: f64,
}

impl Target {
    /// Judges runs of one load.
    ///
    /// # Errors
    /// The plugin fails.
    pub fn judge(&mut self, rows: &[Row]) -> Result<(Verdict, Vec<f64>), Fault> {
        let runs: Vec<Arc<dyn RunView>> =
            rows.iter().map(|row| Arc::new(ResultRun::new(row.clone())) as Arc<dyn RunView>).collect();
        let verdict = self.criterion.evaluate(&runs)?;
        let margins = match &runs[..] {
            [_] => vec![verdict.margin],
            _ => runs
                .iter()
                .map(|run| Ok(self.criterion.evaluate(std::slice::from_ref(run))?.margin))
                .collect::<Result<_, Fault>>()?,
        };
        Ok((verdict, margins))
    }

    /// What the verdict rests on, a line each.
    pub fn explain(&self, verdict: &Verdict) -> Vec<String> {
        let word = |pass: bool| if pass { "PASSED" } else { "FAILED" };
        let mut lines = Vec::new();
        for limit in &self.limits {
            let head = format!("{} ", limit.metric);
            let finding = verdict.findings.iter().find(|finding| finding.criterion.starts_with(&head));
            if let Some(finding) = finding {
                let actual =
                    finding.actual.map_or("(not in the result)".to_owned(), |value| format!("{value:.2}"));
                lines.push(format!(
                    "Validating SLA: {} = {actual}{}{:.2} | {}",
                    limit.metric,
                    limit.operator,
                    limit.target,
                    word(finding.pass)
                ));
            }
        }
        if self.limits.is_empty() {
            for finding in &verdict.findings {
                let actual = finding.actual.map_or("not measured".to_owned(), |value| format!("{value:.4}"));
                lines.push(format!(
                    "Validating SLA: {} ({actual}) | {}",
                    finding.criterion,
                    word(finding.pass)
                ));
            }
        }
        lines
    }
}

/// The criteria of `--sla-params`, then those of `--sla`.
///
/// # Errors
/// The file is wrong, or a plugin refuses its options.
pub fn open_targets(
    path: Option<&Path>,
    named: &[SlaPlan],
    compat: Compat,
    plugins: &Plugins,
) -> Result<Vec<Target>, Fault> {
    let open = |name: &str, config: &Value| {
        plugins.open_criterion(
            name,
            CriterionArgs { config: config.to_string(), compat: compat.name().to_owned() },
        )
    };
    let mut targets = Vec::new();
    for limits in path.map(read_limits).transpose()?.unwrap_or_default() {
        let text = |separator: &str| {
            let limits = limits.iter().map(|one| format!("{}{}{:.2}", one.metric, one.operator, one.target));
            limits.collect::<Vec<_>>().join(separator)
        };
        let config: Map<String, Value> = limits
            .iter()
            .map(|one| (one.metric.clone(), Value::from(format!("{}{}", one.operator, one.target))))
            .collect();
        targets.push(Target {
            text: text(", "),
            file_name: format!("SLA--{}.json", text("-").replace('/', "_")),
            detailed: false,
            criterion: open(THRESHOLD, &serde_json::json!({"limits": config}))?,
            limits,
        });
    }
    for plan in named {
        targets.push(Target {
            text: format!("{} {}", plan.name, plan.config),
            file_name: format!("SLA--{}.json", plan.name.replace('/', "_")),
            detailed: true,
            criterion: open(&plan.name, &plan.config)?,
            limits: Vec::new(),
        });
    }
    if targets.is_empty() {
        return Err(SweepError::Usage(
            "there is no criterion to search for: --sla-params is empty".to_owned(),
        )
        .into());
    }
    Ok(targets)
}

fn read_limits(path: &Path) -> Result<Vec<Vec<Limit>>, SweepError> {
    const FLAG: &str = "sla-params";
    let content = |reason: String| SweepError::Content { path: path.to_owned(), flag: FLAG, reason };
    let value = read_json(path, FLAG)?;
    let Value::Array(records) = &value else {
        return Err(content(format!(
            "The SLA sweep should be a list of dictionaries, but found type: {}",
            python_type(&value)
        )));
    };
    records
        .iter()
        .map(|record| {
            let record = record.as_object().filter(|record| !record.is_empty()).ok_or_else(|| {
                content(format!("every item has to be an object of limits, as {{\"p99_e2el_ms\": \"<=500\"}}, not {record}"))
            })?;
            record.iter().map(|(metric, limit)| read_limit(metric, limit).map_err(content)).collect()
        })
        .collect()
}

fn read_limit(metric: &str, limit: &Value) -> Result<Limit, String> {
    let bad = |why: &str| {
        format!(
            "Invalid operator for SLA constraint '{metric}={}': {why}. Valid operators are: {{'<=', '>=', '<', '>'}}",
            limit.as_str().map_or_else(|| limit.to_string(), str::to_owned)
        )
    };
    let text = limit.as_str().ok_or_else(|| bad("it has to be a text, such as \"<=500\""))?;
    let operator = OPERATORS.into_iter().find(|operator| text.starts_with(operator));
    let operator = operator.ok_or_else(|| bad("there is none"))?;
    let target: f64 = text[operator.len()..].trim().parse().map_err(|_| bad("no number comes after it"))?;
    if !target.is_finite() {
        return Err(bad("its number is not finite"));
    }
    Ok(Limit { metric: metric.to_owned(), operator, target })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<Limit>>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sla.json");
        std::fs::write(&path, text).unwrap();
        read_limits(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn limits_are_an_operator_and_a_number() {
        let limits =
            read(r#"[{"p99_e2el_ms": "<=500", "request_throughput": ">2.5"}, {"a": "<1e3"}]"#).unwrap();
        assert_eq!(limits.len(), 2);
        assert_eq!((limits[0][0].operator, limits[0][0].target), ("<=", 500.0));
        assert_eq!((limits[0][1].operator, limits[1][0].target), (">", 1000.0));
        for (text, reason) in [
            ("{}", "but found type: <class 'dict'>"),
            ("[{}]", "every item has to be an object of limits"),
            ("[1]", "every item has to be an object of limits"),
            (r#"[{"a": "500"}]"#, "Invalid operator for SLA constraint 'a=500': there is none"),
            (r#"[{"a": 500}]"#, "has to be a text"),
            (r#"[{"a": "<=x"}]"#, "no number comes after it"),
            (r#"[{"a": "<=inf"}]"#, "not finite"),
            ("[", "line 1 column 1"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}

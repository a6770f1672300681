//! A run as its result file tells it, whoever wrote that.

use serde_json::{Map, Value};

use crate::metrics::stats::{Sorted, mean, population_std};
use crate::plugin::services::RunView;

/// The result of a run, by the keys of the reference client. With the arrays
/// that `--save-detailed` adds, any statistic and the columns can be had.
#[derive(Debug, Clone)]
pub struct ResultRun {
    row: Map<String, Value>,
    columns: Option<Columns>,
}

#[derive(Debug, Clone)]
struct Columns {
    success: Vec<f64>,
    ttft_s: Vec<f64>,
    tpot_s: Vec<f64>,
    e2el_s: Vec<f64>,
    /// Of all requests in one.
    itl_s: Vec<f64>,
    prompt_tokens: Vec<f64>,
    output_tokens: Vec<f64>,
}

impl ResultRun {
    /// From the object of a result file.
    pub fn new(row: Map<String, Value>) -> Self {
        let columns = Columns::read(&row);
        Self { row, columns }
    }
}

impl Columns {
    fn read(row: &Map<String, Value>) -> Option<Self> {
        let list = |key: &str| -> Option<Vec<f64>> {
            row.get(key)?.as_array()?.iter().map(|value| Some(value.as_f64().unwrap_or(f64::NAN))).collect()
        };
        let (ttfts, prompts, outputs) = (list("ttfts")?, list("input_lens")?, list("output_lens")?);
        let itls: Vec<Vec<f64>> = row
            .get("itls")?
            .as_array()?
            .iter()
            .map(|gaps| gaps.as_array().into_iter().flatten().filter_map(Value::as_f64).collect())
            .collect();
        let errors = row.get("errors")?.as_array()?;
        let count = ttfts.len();
        if [prompts.len(), outputs.len(), itls.len(), errors.len()].iter().any(|&length| length != count) {
            return None;
        }
        let failed = |at: usize| errors[at].as_str().is_some_and(|error| !error.is_empty());
        let where_good = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..count).map(|at| if failed(at) { f64::NAN } else { value(at) }).collect()
        };
        let e2el_s = where_good(&|at| ttfts[at] + itls[at].iter().sum::<f64>());
        Some(Self {
            success: (0..count).map(|at| f64::from(u8::from(!failed(at)))).collect(),
            ttft_s: where_good(&|at| ttfts[at]),
            tpot_s: where_good(&|at| {
                if outputs[at] > 1.0 { itls[at].iter().sum::<f64>() / (outputs[at] - 1.0) } else { 0.0 }
            }),
            itl_s: (0..count).filter(|&at| !failed(at)).flat_map(|at| itls[at].iter().copied()).collect(),
            prompt_tokens: where_good(&|at| prompts[at]),
            output_tokens: where_good(&|at| outputs[at]),
            e2el_s,
        })
    }

    /// The values behind a latency metric; TPOT leaves out answers of one token.
    fn latencies_s(&self, name: &str) -> Option<Vec<f64>> {
        let measured = |values: &[f64]| values.iter().copied().filter(|value| value.is_finite()).collect();
        Some(match name {
            "ttft" => measured(&self.ttft_s),
            "e2el" => measured(&self.e2el_s),
            "itl" => self.itl_s.clone(),
            "tpot" => {
                let several =
                    self.tpot_s.iter().zip(&self.output_tokens).filter(|(_, tokens)| **tokens > 1.0);
                several.map(|(value, _)| *value).filter(|value| value.is_finite()).collect()
            }
            _ => return None,
        })
    }
}

impl RunView for ResultRun {
    fn metric(&self, key: &str) -> Option<f64> {
        if let Some(number) = self.row.get(key).and_then(Value::as_f64) {
            return Some(number);
        }
        let (statistic, rest) = key.split_once('_')?;
        let values_s = self.columns.as_ref()?.latencies_s(rest.strip_suffix("_ms")?)?;
        if values_s.is_empty() {
            return None;
        }
        let value_s = match statistic {
            "mean" => mean(&values_s),
            "std" => population_std(&values_s),
            "median" => Sorted::new(values_s).median(),
            _ => {
                let percent: f64 = statistic.strip_prefix('p')?.parse().ok()?;
                if !(0.0..=100.0).contains(&percent) {
                    return None;
                }
                Sorted::new(values_s).percentile(percent)
            }
        };
        Some(value_s * 1000.0)
    }

    /// Without the columns from the time a request was due, which the files do not have.
    fn column(&self, name: &str) -> Option<Vec<f64>> {
        let columns = self.columns.as_ref()?;
        let values = match name {
            "success" => &columns.success,
            "ttft_s" => &columns.ttft_s,
            "tpot_s" => &columns.tpot_s,
            "e2el_s" => &columns.e2el_s,
            "prompt_tokens" => &columns.prompt_tokens,
            "output_tokens" => &columns.output_tokens,
            _ => return None,
        };
        Some(values.clone())
    }

    fn requests(&self) -> u32 {
        let counted =
            ["completed", "failed"].iter().filter_map(|key| self.row.get(*key)?.as_u64()).sum::<u64>();
        self.columns.as_ref().map_or(counted, |columns| columns.success.len() as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(value: Value) -> ResultRun {
        ResultRun::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn numbers_of_the_file_are_metrics() {
        let run = run(json!({"p99_ttft_ms": 5.0, "completed": 3, "failed": 1, "request_rate": "inf"}));
        assert_eq!((run.metric("p99_ttft_ms"), run.metric("completed")), (Some(5.0), Some(3.0)));
        assert_eq!((run.metric("request_rate"), run.metric("p50_ttft_ms")), (None, None));
        assert_eq!((run.requests(), run.column("success")), (4, None));
    }

    #[test]
    fn arrays_make_columns_and_any_statistic() {
        let run = run(json!({
            "ttfts": [0.1, 0.0, 0.3], "itls": [[0.1, 0.1], [], []], "errors": ["", "refused", ""],
            "input_lens": [3, 3, 3], "output_lens": [3, 0, 1],
        }));
        assert_eq!(run.requests(), 3);
        assert_eq!(run.column("success").unwrap(), [1.0, 0.0, 1.0]);
        let tpot = run.column("tpot_s").unwrap();
        assert!((tpot[0] - 0.1).abs() < 1e-12 && tpot[1].is_nan() && tpot[2] == 0.0);
        assert!((run.metric("p100_ttft_ms").unwrap() - 300.0).abs() < 1e-9);
        assert!((run.metric("median_e2el_ms").unwrap() - 300.0).abs() < 1e-9);
        assert!((run.metric("mean_tpot_ms").unwrap() - 100.0).abs() < 1e-9);
        assert_eq!((run.metric("p101_ttft_ms"), run.metric("mean_sleep_ms")), (None, None));
        assert_eq!(run.column("ttft_scheduled_s"), None);
    }

    #[test]
    fn arrays_of_different_lengths_are_none() {
        let run = run(json!({
            "ttfts": [0.1], "itls": [], "errors": [""], "input_lens": [3], "output_lens": [3],
        }));
        assert_eq!(run.column("ttft_s"), None);
    }
}

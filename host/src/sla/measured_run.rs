//! One run's numbers, by the keys of the result file and as columns.

use std::collections::HashMap;

use crate::clock;
use crate::metrics::stats::{Sorted, mean, population_std};
use crate::metrics::{LatencyMetric, Series, Summary};
use crate::plugin::services::RunView;
use crate::record::RunRecord;

/// A finished run.
#[derive(Debug, Clone, Default)]
pub struct MeasuredRun {
    requests: u32,
    columns: HashMap<&'static str, Vec<f64>>,
    /// Values behind each latency metric, in seconds, for any statistic.
    latencies_s: Vec<(&'static str, Vec<f64>)>,
    /// Plain numbers of the result file.
    numbers: HashMap<&'static str, f64>,
}

impl MeasuredRun {
    /// The columns and latencies of a run.
    pub fn new(run: &RunRecord, series: &Series) -> Self {
        let per_request = |value: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..series.len()).map(|i| if run.requests[i].succeeded() { value(i) } else { f64::NAN }).collect()
        };
        let tpot_s = series.tpot_or_zero_s();
        let before_start_s = |i: usize| {
            let stamps = &run.requests[i].stamps;
            clock::seconds_between(stamps.scheduled_ns, stamps.started_ns)
        };
        let columns = HashMap::from([
            ("success", run.requests.iter().map(|r| f64::from(u8::from(r.succeeded()))).collect()),
            ("ttft_s", per_request(&|i| series.ttft_s[i])),
            ("tpot_s", per_request(&|i| tpot_s[i])),
            ("e2el_s", per_request(&|i| series.latency_s[i])),
            ("ttft_scheduled_s", per_request(&|i| series.ttft_s[i] + before_start_s(i))),
            ("e2el_scheduled_s", per_request(&|i| series.latency_s[i] + before_start_s(i))),
            ("prompt_tokens", per_request(&|i| series.input_tokens[i] as f64)),
            ("output_tokens", per_request(&|i| series.output_tokens[i] as f64)),
        ]);
        let latencies_s = LatencyMetric::ALL.iter().map(|m| (m.name(), m.values_s(series))).collect();
        Self { requests: run.requests.len() as u32, columns, latencies_s, numbers: HashMap::new() }
    }

    /// Adds the plain numbers of the result file, by its keys.
    pub fn with_summary(mut self, summary: &Summary) -> Self {
        let numbers = [
            ("duration", Some(summary.duration_s)),
            ("completed", Some(summary.completed as f64)),
            ("failed", Some(summary.failed as f64)),
            ("total_input_tokens", Some(summary.total_input_tokens as f64)),
            ("total_output_tokens", Some(summary.total_output_tokens as f64)),
            ("request_throughput", Some(summary.request_throughput)),
            ("request_goodput", summary.request_goodput),
            ("output_throughput", Some(summary.output_throughput)),
            ("total_token_throughput", Some(summary.total_token_throughput)),
        ];
        // The file has null for what is no number.
        let finite =
            numbers.into_iter().filter_map(|(key, value)| Some((key, value.filter(|v| v.is_finite())?)));
        self.numbers.extend(finite);
        self
    }
}

impl RunView for MeasuredRun {
    fn metric(&self, key: &str) -> Option<f64> {
        if let Some(number) = self.numbers.get(key) {
            return Some(*number);
        }
        let (statistic, rest) = key.split_once('_')?;
        let name = rest.strip_suffix("_ms")?;
        let values_s = self.latencies_s.iter().find(|(n, _)| *n == name).map(|(_, values_s)| values_s)?;
        if values_s.is_empty() {
            return None;
        }
        let value_s = match statistic {
            "mean" => mean(values_s),
            "std" => population_std(values_s),
            "median" => Sorted::new(values_s.clone()).median(),
            _ => {
                let percent: f64 = statistic.strip_prefix('p')?.parse().ok()?;
                if !(0.0..=100.0).contains(&percent) {
                    return None;
                }
                Sorted::new(values_s.clone()).percentile(percent)
            }
        };
        Some(value_s * 1000.0)
    }

    fn column(&self, name: &str) -> Option<Vec<f64>> {
        self.columns.get(name).cloned()
    }

    fn requests(&self) -> u32 {
        self.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MetricOptions;
    use crate::record::{Failure, FailureClass, RequestRecord, Stamps, Task, TokenEvent, TokenKind};

    fn request(index: u32, started_ns: u64, tokens_ns: &[u64]) -> RequestRecord {
        let token_events = tokens_ns
            .iter()
            .map(|&at_ns| TokenEvent { at_ns, kind: TokenKind::Content, tokens: 0 })
            .collect();
        RequestRecord {
            index,
            stamps: Stamps { scheduled_ns: 1_000_000_000, started_ns, ..Stamps::default() },
            token_events,
            output_tokens: tokens_ns.len() as u64,
            ..RequestRecord::default()
        }
    }

    #[test]
    fn any_statistic_and_columns_in_dispatch_order() {
        let mut failed = request(1, 1_000_000_000, &[]);
        failed.failure = Some(Failure { class: FailureClass::Timeout, message: String::new() });
        let run = RunRecord {
            task: Task::Generation,
            start_ns: 1_000_000_000,
            end_ns: 3_000_000_000,
            requests: vec![
                request(0, 1_000_000_000, &[1_100_000_000, 1_200_000_000, 1_300_000_000]),
                failed,
                request(2, 1_500_000_000, &[1_800_000_000]),
                request(3, 1_500_000_000, &[1_600_000_000, 1_900_000_000]),
            ],
        };
        let series = Series::from_run(&run);
        let options = MetricOptions {
            selected: Vec::new(),
            percentiles: Vec::new(),
            capped: false,
            finite_rate: false,
            has_tokenizer: true,
            goodput: None,
        };
        let view = MeasuredRun::new(&run, &series).with_summary(&Summary::compute(&series, &options));
        assert_eq!(view.requests(), 4);
        assert_eq!((view.metric("completed"), view.metric("failed")), (Some(3.0), Some(1.0)));
        assert_eq!((view.metric("duration"), view.metric("output_throughput")), (Some(2.0), Some(3.0)));
        assert_eq!(view.metric("request_goodput"), None);
        assert!((view.metric("mean_ttft_ms").unwrap() - 500.0 / 3.0).abs() < 1e-9);
        assert!((view.metric("p50_ttft_ms").unwrap() - view.metric("median_ttft_ms").unwrap()).abs() < 1e-9);
        assert_eq!(view.metric("p101_ttft_ms"), None);
        assert_eq!(view.metric("mean_nothing_ms"), None);
        assert_eq!(view.column("success").unwrap(), [1.0, 0.0, 1.0, 1.0]);
        let tpot = view.column("tpot_s").unwrap();
        assert!((tpot[0] - 0.1).abs() < 1e-9 && tpot[1].is_nan() && tpot[2] == 0.0);
        assert!((tpot[3] - 0.3).abs() < 1e-9, "what comes after a failure stays in its place");
        let scheduled = view.column("ttft_scheduled_s").unwrap();
        assert!((scheduled[2] - 0.8).abs() < 1e-9);
        assert_eq!(view.column("colour"), None);
    }
}

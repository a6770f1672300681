//! The aggregates of a run, as the reference client computes them.

use super::latency::{LatencyMetric, LatencyStatistics};
use super::peaks::{BucketPeaks, bucket_peaks};
use super::series::Series;
use crate::record::Task;

/// What the user asked to be computed, and what the run's settings imply.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricOptions {
    /// `--percentile-metrics`, in any order.
    pub selected: Vec<LatencyMetric>,
    /// `--metric-percentiles`, each from 0 to 100, in the order given.
    pub percentiles: Vec<f64>,
    /// Whether a concurrency cap was set.
    pub capped: bool,
    /// Whether the request rate was finite.
    pub finite_rate: bool,
    /// Whether a tokenizer was at hand; without one token latencies mean nothing.
    pub has_tokenizer: bool,
    /// One verdict a request on whether it met its service levels; none
    /// without `--goodput`.
    pub goodput: Option<Vec<bool>>,
}

/// The aggregates of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Which numbers make sense.
    pub task: Task,
    /// Length of the run in seconds.
    pub duration_s: f64,
    /// Requests that succeeded.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Input tokens of the successes.
    pub total_input_tokens: u64,
    /// Output tokens of the successes.
    pub total_output_tokens: u64,
    /// Inputs of the successes (pooling).
    pub total_input_sequences: u64,
    /// Successes a second.
    pub request_throughput: f64,
    /// Successes that met their service levels, a second; none without goodput.
    pub request_goodput: Option<f64>,
    /// Output tokens a second.
    pub output_throughput: f64,
    /// Inputs a second (pooling).
    pub input_sequence_throughput: f64,
    /// Input and output tokens a second.
    pub total_token_throughput: f64,
    /// Seconds of audio a second.
    pub rtfx: f64,
    /// Peaks by the bucket method.
    pub peaks: BucketPeaks,
    /// The selected metrics that apply, in their fixed order.
    pub latencies: Vec<LatencyStatistics>,
}

impl Summary {
    /// Computes everything. A goodput verdict beyond the list counts as unmet.
    pub fn compute(series: &Series, options: &MetricOptions) -> Self {
        let total = |column: &[u64]| series.successes().map(|i| column[i]).sum::<u64>();
        let per_s = |amount: f64| if series.duration_s > 0.0 { amount / series.duration_s } else { 0.0 };
        let generation = series.task == Task::Generation;

        let completed = series.successes().count() as u64;
        let input = total(&series.input_tokens);
        let output = if generation { total(&series.output_tokens) } else { 0 };
        let sequences = total(&series.input_sequences);
        // Python's `+=` from left to right, not numpy's sum.
        let audio_s = series.successes().fold(0.0, |sum, i| sum + series.audio_s[i]);
        let good = options.goodput.as_ref().filter(|_| generation).map(|verdicts| {
            series.successes().filter(|&i| verdicts.get(i).copied().unwrap_or(false)).count()
        });
        let latencies = LatencyMetric::ALL
            .into_iter()
            .filter(|metric| options.selected.contains(metric))
            .filter(|metric| {
                metric.applies(series.task, options.has_tokenizer, options.capped, options.finite_rate)
            })
            .map(|metric| LatencyStatistics::of(metric, metric.values_s(series), &options.percentiles))
            .collect();
        Self {
            task: series.task,
            duration_s: series.duration_s,
            completed,
            failed: series.len() as u64 - completed,
            total_input_tokens: input,
            total_output_tokens: output,
            total_input_sequences: sequences,
            request_throughput: per_s(completed as f64),
            request_goodput: good.map(|n| per_s(n as f64)),
            output_throughput: per_s(output as f64),
            input_sequence_throughput: per_s(sequences as f64),
            total_token_throughput: per_s((input + output) as f64),
            rtfx: per_s(audio_s),
            peaks: if generation { bucket_peaks(series) } else { BucketPeaks::default() },
            latencies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> MetricOptions {
        MetricOptions {
            selected: vec![LatencyMetric::E2el, LatencyMetric::Ttft],
            percentiles: vec![99.0],
            capped: false,
            finite_rate: false,
            has_tokenizer: true,
            goodput: Some(vec![true]),
        }
    }

    fn two_requests() -> Series {
        let mut series = Series::empty(Task::Generation, 2.0);
        for (ok, tokens) in [(true, 5), (true, 3), (false, 0)] {
            series.succeeded.push(ok);
            series.input_tokens.push(10);
            series.output_tokens.push(tokens);
            series.input_sequences.push(1);
            series.audio_s.push(1.5);
            series.start_s.push(1.0);
            series.ttft_s.push(0.25);
            series.latency_s.push(0.5);
            series.queue_s.push(0.0);
            series.push_itl([0.25]);
        }
        series
    }

    #[test]
    fn failures_stay_out_of_the_totals() {
        let s = Summary::compute(&two_requests(), &options());
        assert_eq!((s.completed, s.failed, s.total_input_tokens, s.total_output_tokens), (2, 1, 20, 8));
        assert_eq!((s.request_throughput, s.total_token_throughput, s.rtfx), (1.0, 14.0, 1.5));
        // The second request has no verdict, so it is not counted as good.
        assert_eq!(s.request_goodput, Some(0.5));
        let names: Vec<_> = s.latencies.iter().map(|l| l.metric.name()).collect();
        assert_eq!(names, ["ttft", "e2el"]);
    }

    #[test]
    fn an_empty_run_divides_by_nothing() {
        let s = Summary::compute(&Series::empty(Task::Generation, 0.0), &options());
        assert_eq!((s.request_throughput, s.request_goodput, s.rtfx), (0.0, Some(0.0), 0.0));
        assert_eq!(s.latencies[0].mean_ms, 0.0);
    }
}

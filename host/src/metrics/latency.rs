//! The latency metrics of the reference client and their statistics.

use std::str::FromStr;

use thiserror::Error;

use super::series::Series;
use super::stats::{Sorted, mean, population_std};
use crate::record::Task;

/// A latency metric by the name of `--percentile-metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LatencyMetric {
    /// Time to first token.
    Ttft,
    /// Time per output token after the first, one value a request.
    Tpot,
    /// Gaps between token events, those of all requests pooled.
    Itl,
    /// From the beginning to the last token.
    E2el,
    /// Wait for a concurrency slot.
    ClientQueueTime,
    /// End-to-end latency with the wait for a slot.
    E2elIncludingClientQueue,
}

/// A name that is no latency metric.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no latency metric; there are ttft, tpot, itl, e2el, client_queue_time and e2el_including_client_queue"
)]
pub struct UnknownMetric(pub String);

impl LatencyMetric {
    /// All metrics in the order of result file and table.
    pub const ALL: [Self; 6] = [
        Self::Ttft,
        Self::Tpot,
        Self::Itl,
        Self::E2el,
        Self::ClientQueueTime,
        Self::E2elIncludingClientQueue,
    ];

    /// What is reported if the user names nothing.
    pub fn default_for(task: Task) -> &'static [Self] {
        match task {
            Task::Generation => &[Self::Ttft, Self::Tpot, Self::Itl],
            Task::Pooling => &[Self::E2el],
        }
    }

    /// The name in flags and result keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::Itl => "itl",
            Self::E2el => "e2el",
            Self::ClientQueueTime => "client_queue_time",
            Self::E2elIncludingClientQueue => "e2el_including_client_queue",
        }
    }

    /// The name in rows of the table.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::Itl => "ITL",
            Self::E2el => "E2EL",
            Self::ClientQueueTime => "Client Queue Time",
            Self::E2elIncludingClientQueue => "E2EL incl. Client Queue",
        }
    }

    /// The heading of its section in the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ttft => "Time to First Token",
            Self::Tpot => "Time per Output Token (excl. 1st token)",
            Self::Itl => "Inter-token Latency",
            Self::E2el => "End-to-end Latency",
            Self::ClientQueueTime => "Client-side Queueing",
            Self::E2elIncludingClientQueue => "Queue-inclusive End-to-end Latency",
        }
    }

    /// Its values over the successful requests, in seconds.
    pub fn values_s(self, series: &Series) -> Vec<f64> {
        match self {
            Self::Ttft => series.successes().map(|i| series.ttft_s[i]).collect(),
            Self::Tpot => series.successes().filter_map(|i| series.tpot_s(i)).collect(),
            // There may be millions: joined without room to grow.
            Self::Itl => series.successes().map(|i| series.itl_s(i)).collect::<Vec<_>>().concat(),
            Self::E2el => series.successes().map(|i| series.latency_s[i]).collect(),
            Self::ClientQueueTime => series.successes().map(|i| series.queue_s[i]).collect(),
            Self::E2elIncludingClientQueue => {
                series.successes().map(|i| series.latency_s[i] + series.queue_s[i]).collect()
            }
        }
    }

    /// Whether the run gives the metric a meaning. Token metrics need a
    /// tokenizer behind the lengths, queue metrics a cap, and the
    /// queue-inclusive latency a finite rate as well.
    pub fn applies(self, task: Task, has_tokenizer: bool, capped: bool, finite_rate: bool) -> bool {
        match self {
            Self::Ttft | Self::Tpot | Self::Itl => task == Task::Generation && has_tokenizer,
            Self::E2el => true,
            Self::ClientQueueTime => capped,
            Self::E2elIncludingClientQueue => capped && finite_rate,
        }
    }
}

impl FromStr for LatencyMetric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.into_iter().find(|m| m.name() == name).ok_or_else(|| UnknownMetric(name.to_owned()))
    }
}

/// Statistics of one metric, in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct LatencyStatistics {
    /// Of which metric.
    pub metric: LatencyMetric,
    /// Arithmetic mean.
    pub mean_ms: f64,
    /// Median.
    pub median_ms: f64,
    /// Population standard deviation.
    pub std_ms: f64,
    /// Percent and value, in the order asked for.
    pub percentiles_ms: Vec<(f64, f64)>,
}

impl LatencyStatistics {
    /// Statistics of values in seconds. As in the reference client the factor
    /// of 1000 comes after the statistic.
    pub fn of(metric: LatencyMetric, values_s: Vec<f64>, percents: &[f64]) -> Self {
        let (mean, std) = (mean(&values_s), population_std(&values_s));
        let sorted = Sorted::new(values_s);
        Self {
            metric,
            mean_ms: mean * 1000.0,
            median_ms: sorted.median() * 1000.0,
            std_ms: std * 1000.0,
            percentiles_ms: percents.iter().map(|&p| (p, sorted.percentile(p) * 1000.0)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_others_are_refused() {
        for metric in LatencyMetric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
        }
        assert_eq!("p99".parse::<LatencyMetric>(), Err(UnknownMetric("p99".into())));
    }

    #[test]
    fn queue_metrics_need_a_cap() {
        use LatencyMetric::{ClientQueueTime, E2elIncludingClientQueue, Ttft};
        let generation = Task::Generation;
        assert!(!ClientQueueTime.applies(generation, true, false, true));
        assert!(ClientQueueTime.applies(generation, true, true, false));
        assert!(!E2elIncludingClientQueue.applies(generation, true, true, false));
        assert!(!Ttft.applies(generation, false, true, true));
        assert!(!Ttft.applies(Task::Pooling, true, true, true));
    }
}

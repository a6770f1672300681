//! What the latency probes saw that ran beside the measured load.

use super::stats::Sorted;

/// Statistics of the probe requests.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProbeSummary {
    /// Probes that succeeded.
    pub completed: u64,
    /// Probes that failed.
    pub failed: u64,
    /// Median latency.
    pub median_e2el_ms: f64,
    /// 99th percentile of the latency.
    pub p99_e2el_ms: f64,
    /// Longest latency.
    pub max_e2el_ms: f64,
}

impl ProbeSummary {
    /// From the latencies of the successful probes; none if no probe succeeded,
    /// as there is nothing to report then.
    pub fn new(latencies_s: Vec<f64>, failed: u64) -> Option<Self> {
        if latencies_s.is_empty() {
            return None;
        }
        let sorted = Sorted::new(latencies_s);
        Some(Self {
            completed: sorted.values().len() as u64,
            failed,
            median_e2el_ms: sorted.median() * 1000.0,
            p99_e2el_ms: sorted.percentile(99.0) * 1000.0,
            max_e2el_ms: sorted.max() * 1000.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_a_success() {
        assert_eq!(ProbeSummary::new(vec![], 3), None);
        let probe = ProbeSummary::new(vec![0.5, 0.25, 1.0], 1).unwrap();
        assert_eq!((probe.completed, probe.failed), (3, 1));
        assert_eq!((probe.median_e2el_ms, probe.max_e2el_ms), (500.0, 1000.0));
        assert_eq!(probe.p99_e2el_ms, (1.0 - 0.5 * (1.0 - 0.98)) * 1000.0);
    }
}

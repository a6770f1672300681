//! How late the server itself was.

use std::fmt;

use hdrhistogram::Histogram;

/// Values beyond a minute count as a minute in percentiles.
const HIGHEST_NS: u64 = 60_000_000_000;

/// Durations, collected without keeping them.
pub(super) struct Durations {
    /// None only if the bounds below were invalid, which the tests exclude.
    histogram: Option<Histogram<u64>>,
    max_ns: u64,
    count: u64,
}

impl Durations {
    pub(super) fn new() -> Self {
        Self { histogram: Histogram::new_with_bounds(1, HIGHEST_NS, 3).ok(), max_ns: 0, count: 0 }
    }

    pub(super) fn record(&mut self, ns: u64) {
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(ns);
        }
    }

    pub(super) fn spread(&self) -> Spread {
        let at = |quantile| {
            let value = self.histogram.as_ref().map_or(0, |h| h.value_at_quantile(quantile));
            value.min(self.max_ns)
        };
        Spread { count: self.count, p50_ns: at(0.5), p99_ns: at(0.99), max_ns: self.max_ns }
    }
}

/// Percentiles of durations, to three significant digits; the maximum is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many there were.
    pub count: u64,
    /// Median, in nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// Maximum, in nanoseconds.
    pub max_ns: u64,
}

impl fmt::Display for Spread {
    /// In microseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: u64| ns as f64 / 1e3;
        write!(
            f,
            "p50 {:.1} µs, p99 {:.1} µs, max {:.1} µs",
            us(self.p50_ns),
            us(self.p99_ns),
            us(self.max_ns)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_durations() {
        let mut durations = Durations::new();
        for us in 1..=1000u64 {
            durations.record(us * 1000);
        }
        durations.record(3 * HIGHEST_NS);
        let spread = durations.spread();
        assert_eq!((spread.count, spread.max_ns), (1001, 3 * HIGHEST_NS));
        assert!(spread.p50_ns.abs_diff(501_000) <= 600, "{spread}");
        assert!(spread.p99_ns.abs_diff(991_000) <= 1100, "{spread}");
        assert_eq!(Durations::new().spread(), Spread::default());
    }
}

//! The request rate of a run that ramps up, and when it passes whole numbers.

use std::fmt;

/// How the request rate grows over the requests of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RampUpStrategy {
    /// By the same difference from request to request.
    Linear,
    /// By the same factor from request to request.
    Exponential,
}

impl fmt::Display for RampUpStrategy {
    /// The name of the strategy on the command line and in results.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linear => "linear",
            Self::Exponential => "exponential",
        })
    }
}

/// A request rate that goes from one value to another over the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RampUp {
    /// How it grows.
    pub strategy: RampUpStrategy,
    /// Requests per second at the first request.
    pub start_rps: u64,
    /// Requests per second at the last request.
    pub end_rps: u64,
}

impl RampUp {
    /// The rate in requests per second at request `index` (from 0) of `count`:
    /// with progress p = index / (count - 1), linear a + (b - a)·p, exponential
    /// a·(b / a)^p, as the reference client's `_get_current_request_rate`. A
    /// run of one request has the starting rate. An exponential ramp from 0 has
    /// no positive rate: 0 at first, then NaN.
    pub fn rate_rps(&self, index: usize, count: usize) -> f64 {
        let (start, end) = (self.start_rps as f64, self.end_rps as f64);
        let progress = index as f64 / count.saturating_sub(1).max(1) as f64;
        match self.strategy {
            RampUpStrategy::Linear => start + (end - start) * progress,
            RampUpStrategy::Exponential => start * (end / start).powf(progress),
        }
    }
}

/// The ramp reached a whole number of requests per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RpsChange {
    /// Requests per second reached.
    pub rps: u64,
    /// Index of the request at which it was; `None` for the starting rate,
    /// which holds from the start of the run.
    pub request: Option<usize>,
    /// When that request is due, in seconds from the start of the run.
    pub offset_s: f64,
}

/// The starting rate, then one change for each whole number that the rate has
/// passed since the request before. Lazy, since a steep ramp passes many.
pub(super) fn rps_changes<'a>(
    start_rps: u64,
    rates_rps: &'a [f64],
    offsets_s: &'a [f64],
) -> impl Iterator<Item = RpsChange> + 'a {
    let mut last_rps = start_rps;
    let later = rates_rps.iter().zip(offsets_s).enumerate().flat_map(move |(request, (rate, offset_s))| {
        let reached_rps = *rate as u64;
        let passed = (last_rps..=reached_rps).skip(1);
        last_rps = last_rps.max(reached_rps);
        passed.map(move |rps| RpsChange { rps, request: Some(request), offset_s: *offset_s })
    });
    std::iter::once(RpsChange { rps: start_rps, request: None, offset_s: 0.0 }).chain(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_has_the_starting_rate() {
        for strategy in [RampUpStrategy::Linear, RampUpStrategy::Exponential] {
            assert_eq!(RampUp { strategy, start_rps: 4, end_rps: 9 }.rate_rps(0, 1), 4.0);
        }
    }

    #[test]
    fn a_rate_that_passes_several_whole_numbers_reports_each() {
        let changes: Vec<_> = rps_changes(5, &[5.0, 5.9, 8.2, 8.9, 9.0], &[0.1, 0.2, 0.3, 0.4, 0.5])
            .map(|change| (change.rps, change.request, change.offset_s))
            .collect();
        assert_eq!(
            changes,
            [(5, None, 0.0), (6, Some(2), 0.3), (7, Some(2), 0.3), (8, Some(2), 0.3), (9, Some(4), 0.5)]
        );
    }
}

//! Searching for the highest load at which a criterion is met.
//!
//! A search is a pure function: from what was measured so far to the load that
//! is to be measured next. Who measures is not its business.
//!
//! - `history`: what was measured, load by load;
//! - `spline`, `bisect`, `scan`: the documented searches; `pchip` is a part of
//!   the first;
//! - `auto`: vbench's own.
//!
//! Depends on nothing but `statistics`.

mod auto;
mod bisect;
mod history;
mod pchip;
mod scan;
mod spline;
#[cfg(test)]
mod tests;

pub use history::{History, Interval, Outcome};

use super::args::{LoadVariable, SearchMethod};

/// Between which loads, and how closely, to search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Lowest load.
    pub min: u32,
    /// Highest load, which stands for no limit at all.
    pub max: u32,
    /// How near the highest passing and the lowest failing load have to be, as
    /// a share of the load; never nearer than 1.
    pub tolerance: f64,
    /// Most runs of one load near the limit.
    pub repeats: u32,
    /// What a load is.
    pub variable: LoadVariable,
}

/// The load to measure next, none when the search is over. A load that was
/// measured before is to be measured once more.
pub fn next_load(method: SearchMethod, history: &History, bounds: &Bounds) -> Option<u32> {
    match method {
        SearchMethod::Spline => spline::next(history, bounds),
        SearchMethod::Bisect => bisect::next(history, bounds),
        SearchMethod::Scan => scan::next(history, bounds),
        SearchMethod::Auto => auto::next(history, bounds),
    }
}

/// Whether a search wants every load's runs at once, or one at a time.
pub fn one_run_at_a_time(method: SearchMethod) -> bool {
    method == SearchMethod::Auto
}

//! Upwards from the lowest load: doubling while it passes, then in steps of the
//! tolerance. It assumes least, and takes longest.

use super::Bounds;
use super::history::History;

/// The next load.
pub fn next(history: &History, bounds: &Bounds) -> Option<u32> {
    let Some(failing) = history.min_failing() else {
        return match history.max_passing() {
            None => Some(bounds.min),
            Some(passing) if passing >= bounds.max => None,
            Some(passing) => Some(passing.saturating_mul(2).min(bounds.max)),
        };
    };
    let passing = history.safe_passing()?;
    let step = ((f64::from(passing) * bounds.tolerance).floor() as u32).max(1);
    (passing + step < failing).then_some(passing + step)
}

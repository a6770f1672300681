//! The search of the reference client's earlier documentation: what the server
//! does when everything comes at once is a first guess; doubling brackets the
//! limit, halving finds it.

use super::Bounds;
use super::history::History;

/// The next load.
pub fn next(history: &History, bounds: &Bounds) -> Option<u32> {
    let Some(highest) = history.get(bounds.max) else { return Some(bounds.max) };
    let failing = history.min_failing()?;
    let passing = history.safe_passing();
    if history.len() == 1 {
        let guess = (highest.achieved.ceil().max(1.0) as u32).clamp(bounds.min, bounds.max);
        if guess < failing {
            return Some(guess);
        }
    }
    if let Some(passing) = passing
        && failing == bounds.max
        && passing.saturating_mul(2) < bounds.max
    {
        return Some(passing * 2);
    }
    let low = passing.unwrap_or(bounds.min);
    if failing - low > 1 {
        return Some(low + (failing - low) / 2);
    }
    history.get(low).is_none().then_some(low)
}

//! The search of the reference client's documentation: the zero of a spline
//! through the margins, until neighbouring loads pass and fail.

use super::Bounds;
use super::history::History;
use super::pchip::first_root;

/// The next load: the highest, then the lowest, then the zero, rounded down;
/// one more if that was measured; the middle if there is no zero.
pub fn next(history: &History, bounds: &Bounds) -> Option<u32> {
    let passing = history.max_passing().unwrap_or(bounds.min);
    let failing = history.min_failing().unwrap_or(bounds.max);
    if passing.saturating_add(1) >= failing {
        return None;
    }
    if history.is_empty() {
        return Some(bounds.max);
    }
    if history.get(bounds.min).is_none() {
        return Some(bounds.min);
    }
    let points: Vec<(f64, f64)> =
        history.iter().map(|(load, outcome)| (f64::from(load), outcome.margin)).collect();
    let middle = passing + (failing - passing) / 2;
    let wanted = first_root(&points).map_or(middle, |root| root as u32);
    let wanted = if history.get(wanted).is_some() { wanted.saturating_add(1) } else { wanted };
    let wanted = wanted.clamp(bounds.min, bounds.max);
    // Both sides of the zero were measured, and noise has it elsewhere.
    let candidates = [wanted, middle];
    candidates.into_iter().find(|&load| history.get(load).is_none())
}

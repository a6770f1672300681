//! vbench's own search: few runs, and none wasted far from the limit.
//!
//! 1. Everything at once, the highest load, tells how much the server does at
//!    most. For a rate that is the first guess. For requests at a time the
//!    lowest load is measured as well: by Little's law the throughput at full
//!    load times the time of a request without company is how many the server
//!    can work on at once.
//! 2. From the guess outwards, in steps that double, until one load passes and
//!    one fails.
//! 3. Between the two by the zero of the line through their margins, kept away
//!    from the ends, until they are as near as the tolerance says.
//! 4. Loads at the limit whose runs leave it open whether they pass are measured
//!    again, until they do not, or the repeats are used up.

use super::Bounds;
use super::history::{History, Interval};
use crate::sweep::args::LoadVariable;

/// Largest margin that interpolation makes use of: far beyond the limit a queue
/// grows without bound, and the margin tells little of where the limit is.
const LARGEST_MARGIN: f64 = 0.5;
/// How near to an end of the bracket interpolation may come, as a share of it.
const NEAREST_END: f64 = 0.2;

/// The next load.
pub fn next(history: &History, bounds: &Bounds) -> Option<u32> {
    let Some(highest) = history.get(bounds.max) else { return Some(bounds.max) };
    if highest.pass {
        return repeat_if_unsure(history, bounds, &[bounds.max]);
    }
    if bounds.max == bounds.min {
        return repeat_if_unsure(history, bounds, &[bounds.min]);
    }
    if bounds.variable == LoadVariable::MaxConcurrency && history.get(bounds.min).is_none() {
        return Some(bounds.min);
    }
    let failing = history.min_failing()?;
    let Some(passing) = history.safe_passing() else {
        // Nothing passes yet: downwards.
        if failing <= bounds.min {
            return repeat_if_unsure(history, bounds, &[bounds.min]);
        }
        if failing == bounds.max {
            return Some(guess(history, bounds));
        }
        return Some(failing.saturating_sub(stride(failing, history, bounds)).max(bounds.min));
    };
    let nearest = ((f64::from(passing) * bounds.tolerance).floor() as u32).max(1);
    if failing - passing <= nearest {
        return repeat_if_unsure(history, bounds, &[passing, failing]);
    }
    let guess = guess(history, bounds);
    if passing < guess && guess < failing {
        return Some(guess);
    }
    if failing == bounds.max {
        let load = passing.saturating_add(stride(passing, history, bounds));
        return Some(load.min(bounds.max - 1));
    }
    Some(between(history, passing, failing))
}

/// The load at which the server is just fully used.
fn guess(history: &History, bounds: &Bounds) -> u32 {
    let full = history.get(bounds.max).map_or(0.0, |outcome| outcome.throughput_rps);
    let load = match bounds.variable {
        LoadVariable::RequestRate => full,
        LoadVariable::MaxConcurrency => full * history.get(bounds.min).map_or(0.0, |one| one.mean_e2el_s),
    };
    (load.round().max(1.0) as u32).clamp(bounds.min, bounds.max - 1)
}

/// How far to go from a load: a twentieth, doubled for every load measured so
/// far besides the ends.
fn stride(load: u32, history: &History, bounds: &Bounds) -> u32 {
    let tried = history.iter().filter(|(load, _)| *load > bounds.min && *load < bounds.max).count();
    let doubling = tried.saturating_sub(1).min(20) as u32;
    ((f64::from(load) * 0.05).ceil() as u32).max(1).saturating_mul(1 << doubling)
}

/// A load between two, where the line through their margins is 0.
fn between(history: &History, passing: u32, failing: u32) -> u32 {
    let margin = |load: u32| history.get(load).map_or(0.0, |outcome| outcome.margin);
    let below = -margin(passing).max(-LARGEST_MARGIN);
    let beyond = margin(failing).min(LARGEST_MARGIN);
    let share = if below + beyond > 0.0 { below / (below + beyond) } else { 0.5 };
    let share = share.clamp(NEAREST_END, 1.0 - NEAREST_END);
    let load = f64::from(passing) + share * f64::from(failing - passing);
    (load.round() as u32).clamp(passing + 1, failing - 1)
}

/// The first of some loads that has to be measured again.
fn repeat_if_unsure(history: &History, bounds: &Bounds, loads: &[u32]) -> Option<u32> {
    loads.iter().copied().find(|&load| {
        history.get(load).is_some_and(|outcome| {
            outcome.interval() == Interval::Unsure && outcome.margins.len() < bounds.repeats as usize
        })
    })
}

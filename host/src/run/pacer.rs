//! Releasing requests when they are due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::clock::{self, MonotonicNs};

/// A sleep is cut into pieces of at most this length, so that a stop is noticed.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// When an offset from the start of the run falls due.
pub fn due_ns(start_ns: MonotonicNs, offset_s: f64) -> MonotonicNs {
    start_ns.saturating_add((offset_s * 1e9).round() as u64)
}

/// Sleeps until `due_ns`; returns at once if that is past. False if `stop` was
/// set meanwhile.
pub fn wait_until(due_ns: MonotonicNs, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let now_ns = clock::now_ns();
        if now_ns >= due_ns {
            return true;
        }
        std::thread::sleep(Duration::from_nanos(due_ns - now_ns).min(LONGEST_SLEEP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_returns_early() {
        let stop = AtomicBool::new(false);
        let due_ns = clock::now_ns() + 2_000_000;
        assert!(wait_until(due_ns, &stop));
        assert!(clock::now_ns() >= due_ns);
        assert!(wait_until(0, &stop));
    }

    #[test]
    fn gives_up_when_told_to() {
        let stop = AtomicBool::new(true);
        assert!(!wait_until(u64::MAX, &stop));
    }

    #[test]
    fn offsets_are_from_the_start() {
        assert_eq!(due_ns(5, 0.0), 5);
        assert_eq!(due_ns(5, 1.5), 1_500_000_005);
        assert_eq!(due_ns(5, f64::MAX), u64::MAX);
    }
}

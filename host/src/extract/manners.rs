//! How the reader leaves the processor to the threads that keep the time.
//!
//! A lower priority is not enough where they share a core: once the reader
//! runs, a scheduler may leave it there until the next tick of the kernel, up
//! to 10 ms, and every stamp of that time is late. So it pauses by itself.

use std::time::Duration;

use crate::clock::{self, MonotonicNs};

/// How long the reader works in a go: what it can make a stamp late by.
const TURN_NS: u64 = 100_000;
/// How long it pauses. An I/O thread that waits for the core gets it at once.
const PAUSE: Duration = Duration::from_micros(50);
/// A reader that is further behind than this does not pause, for what it has
/// not read takes memory.
const BEHIND_NS: u64 = 100_000_000;

/// The reader's turn on the processor: from when it last waited.
pub(super) struct Manners {
    since_ns: MonotonicNs,
}

impl Manners {
    /// A turn begins.
    pub(super) fn begin() -> Self {
        Self { since_ns: clock::now_ns() }
    }

    /// To be called after every piece of work, with the time when it came off
    /// the wire: pauses when the turn is over.
    pub(super) fn after(&mut self, came_ns: MonotonicNs) {
        let now_ns = clock::now_ns();
        if now_ns.saturating_sub(self.since_ns) < TURN_NS {
            return;
        }
        if now_ns.saturating_sub(came_ns) < BEHIND_NS {
            std::thread::sleep(PAUSE);
        }
        self.since_ns = clock::now_ns();
    }
}

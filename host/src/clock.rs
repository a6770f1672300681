//! The only place that reads a clock.
//!
//! Times of a run are nanoseconds of the monotonic clock (`CLOCK_MONOTONIC`),
//! the clock behind the reference client's `time.perf_counter()`, so that
//! `start_times` in a result file mean the same thing.

use std::num::NonZeroU64;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// A point of the monotonic clock in nanoseconds.
pub type MonotonicNs = u64;

/// Now, on the monotonic clock.
#[inline]
pub fn now_ns() -> MonotonicNs {
    nanoseconds(ClockId::Monotonic)
}

/// Makes sleeps of the calling thread exact: the kernel may round them up by the
/// thread's timer slack, 50 µs unless told otherwise.
pub fn sharpen_timer() {
    // Where it is refused, sleeps are longer by that much, and recorded as such.
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

/// CPU time that this process has used so far, all threads, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

/// CPU time that the calling thread has used so far, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Now in the local time zone, for file names and the result's `date`.
#[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
pub fn local_now() -> jiff::Zoned {
    jiff::Zoned::now()
}

/// What the wall clock showed at a point of the monotonic clock, as far as it
/// has not been set since.
#[expect(clippy::disallowed_methods, reason = "the one place where clocks are read")]
pub fn wall_time_of(at_ns: MonotonicNs) -> SystemTime {
    let ago = Duration::from_nanos(now_ns().saturating_sub(at_ns));
    SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Nanoseconds as seconds.
#[inline]
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// The time from `earlier` to `later` in seconds, negative if they are the
/// other way round.
#[inline]
pub fn seconds_between(earlier: MonotonicNs, later: MonotonicNs) -> f64 {
    if later >= earlier { seconds(later - earlier) } else { -seconds(earlier - later) }
}

fn nanoseconds(clock: ClockId) -> u64 {
    let t = clock_gettime(clock);
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

//! Waking the poller at a point of time with microsecond precision.
//!
//! `epoll_wait` counts in milliseconds and rounds up. On Linux a timerfd, which
//! is exact and not subject to timer slack, is polled like a socket instead, so
//! that nothing spins; elsewhere (kqueue) the poll timeout itself is precise.

use std::io;
use std::time::Duration;

use mio::{Registry, Token};

use crate::clock::MonotonicNs;

/// Wakes the poller once at a set time.
#[cfg(target_os = "linux")]
pub(super) struct Alarm {
    timer: std::os::fd::OwnedFd,
    set_for: Option<MonotonicNs>,
}

#[cfg(target_os = "linux")]
impl Alarm {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        use std::os::fd::AsRawFd;

        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        let fd = timer.as_raw_fd();
        registry.register(&mut mio::unix::SourceFd(&fd), token, mio::Interest::READABLE)?;
        Ok(Self { timer, set_for: None })
    }

    /// Sets the time of the next wake and returns the timeout for the poll. The
    /// poller is edge-triggered, so an expired timer need not be read: setting
    /// it again arms the next edge.
    pub(super) fn set(&mut self, at: Option<MonotonicNs>, _now: MonotonicNs) -> io::Result<Option<Duration>> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        if self.set_for != at {
            // All zero disarms; no due time is 0 on a clock that started at boot.
            let at_ns = at.unwrap_or(0);
            let it_value =
                Timespec { tv_sec: (at_ns / 1_000_000_000) as _, tv_nsec: (at_ns % 1_000_000_000) as _ };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval, it_value })?;
            self.set_for = at;
        }
        Ok(None)
    }
}

/// Wakes the poller once at a set time.
#[cfg(not(target_os = "linux"))]
pub(super) struct Alarm;

#[cfg(not(target_os = "linux"))]
impl Alarm {
    pub(super) fn new(_registry: &Registry, _token: Token) -> io::Result<Self> {
        Ok(Self)
    }

    /// Returns the timeout for the poll.
    pub(super) fn set(&mut self, at: Option<MonotonicNs>, now: MonotonicNs) -> io::Result<Option<Duration>> {
        Ok(at.map(|at| Duration::from_nanos(at.saturating_sub(now))))
    }
}

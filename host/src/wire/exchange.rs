//! What goes into the wire and what comes out of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::capture::Capture;
use super::http1::ResponseHead;
use super::payload::Payload;
use crate::clock::MonotonicNs;
use crate::record::{Failure, Stamps};

/// A request, written out and ready to send.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Method, such as `POST`.
    pub method: String,
    /// Path below the target's base path, beginning with `/`.
    pub path: String,
    /// Headers besides `host` and `content-length`, which the wire adds.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Payload,
}

/// A request on its way to an I/O thread.
#[derive(Debug)]
pub struct Dispatch {
    /// Place in dispatch order.
    pub index: u32,
    /// When it was due.
    pub scheduled_ns: MonotonicNs,
    /// When the pacer let it go.
    pub released_ns: MonotonicNs,
    /// What to send.
    pub request: Outgoing,
    /// The cap it counts against, in which it holds a slot once it has started.
    pub slots: Arc<Slots>,
}

/// What an I/O thread hands on.
#[derive(Debug)]
pub enum Arrival {
    /// The next stretch of a body that goes on.
    Body {
        /// Which request it answers.
        index: u32,
        /// Status of the response.
        status: u16,
        /// The bytes and their stamps.
        capture: Capture,
    },
    /// A response has ended.
    End(Box<Ending>),
}

impl Arrival {
    /// When the last of it came off the wire.
    pub fn came_ns(&self) -> MonotonicNs {
        match self {
            Self::Body { capture, .. } => capture.reads.last().map_or(0, |read| read.at_ns),
            Self::End(ending) => ending.stamps.end_ns,
        }
    }
}

/// How a request ended.
#[derive(Debug)]
pub struct Ending {
    /// Which request.
    pub index: u32,
    /// The rest of the body.
    pub capture: Capture,
    /// Its life, but for `first_event_ns`, which is not known yet.
    pub stamps: Stamps,
    /// The head of the response, if one came.
    pub head: Option<ResponseHead>,
    /// Bytes sent, head included.
    pub bytes_out: u64,
    /// Bytes received, head and framing included.
    pub bytes_in: u64,
    /// Why the exchange failed below HTTP's level of meaning; a wrong status is not seen here.
    pub failure: Option<Failure>,
}

/// The concurrency cap: who may start, first come, first served.
#[derive(Debug)]
pub struct Slots(Mutex<SlotState>);

#[derive(Debug)]
struct SlotState {
    free: usize,
    waiting: VecDeque<Dispatch>,
}

impl Slots {
    /// At most `cap` requests at a time; none means any number.
    pub fn new(cap: Option<usize>) -> Self {
        Self(Mutex::new(SlotState { free: cap.unwrap_or(usize::MAX), waiting: VecDeque::new() }))
    }

    /// Gives the request back if it may start now, else keeps it waiting.
    pub fn enter(&self, dispatch: Dispatch) -> Option<Dispatch> {
        let mut state = self.lock();
        if state.free == 0 {
            state.waiting.push_back(dispatch);
            return None;
        }
        state.free -= 1;
        Some(dispatch)
    }

    /// A request has ended: gives the one that starts in its place, if any waits.
    pub fn leave(&self) -> Option<Dispatch> {
        let mut state = self.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.free = state.free.saturating_add(1);
        }
        next
    }

    /// Takes out all that wait, for a run that is being stopped.
    pub fn clear(&self) -> VecDeque<Dispatch> {
        std::mem::take(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        // No code that holds the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dispatch(index: u32, slots: &Arc<Slots>) -> Dispatch {
        let request = Outgoing {
            method: "GET".into(),
            path: "/".into(),
            headers: Vec::new(),
            body: Payload::default(),
        };
        Dispatch { index, scheduled_ns: 0, released_ns: 0, request, slots: Arc::clone(slots) }
    }

    #[test]
    fn a_slot_goes_to_whoever_came_first() {
        let slots = &Arc::new(Slots::new(Some(2)));
        let started: Vec<bool> = (0..4).map(|i| slots.enter(dispatch(i, slots)).is_some()).collect();
        assert_eq!(started, [true, true, false, false]);
        assert_eq!(slots.leave().map(|d| d.index), Some(2));
        assert_eq!(slots.leave().map(|d| d.index), Some(3));
        assert!(slots.leave().is_none());
        assert!(slots.enter(dispatch(4, slots)).is_some());
        assert!(slots.enter(dispatch(5, slots)).is_none());
        assert_eq!(slots.clear().len(), 1);
    }

    #[test]
    fn without_a_cap_everything_starts() {
        let slots = &Arc::new(Slots::new(None));
        assert!((0..10_000).all(|i| slots.enter(dispatch(i, slots)).is_some()));
    }
}

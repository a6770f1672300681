//! Who generates and who waits.

use std::collections::VecDeque;
use std::num::NonZeroUsize;

/// A request that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Its place in the order of arrival.
    pub(super) ordinal: u64,
    /// Its connection.
    pub(super) connection: usize,
}

/// A batch of limited size with a queue in order of arrival.
#[derive(Debug)]
pub(super) struct Batch {
    limit: usize,
    running: usize,
    /// Ascending in `ordinal`.
    queue: VecDeque<Waiting>,
}

impl Batch {
    pub(super) fn new(limit: Option<NonZeroUsize>) -> Self {
        Self { limit: limit.map_or(usize::MAX, NonZeroUsize::get), running: 0, queue: VecDeque::new() }
    }

    /// Puts a request at the end of the queue. Ordinals ascend from call to call.
    pub(super) fn push(&mut self, request: Waiting) {
        self.queue.push_back(request);
    }

    /// Lets the next request in if there is room for it.
    pub(super) fn admit(&mut self) -> Option<Waiting> {
        if self.running >= self.limit {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.running += 1;
        Some(next)
    }

    /// A running request is done.
    pub(super) fn leave(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// A waiting request is given up.
    pub(super) fn forget(&mut self, ordinal: u64) {
        if let Ok(place) = self.queue.binary_search_by_key(&ordinal, |request| request.ordinal) {
            self.queue.remove(place);
        }
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_enter_in_order_while_there_is_room() {
        let mut batch = Batch::new(NonZeroUsize::new(2));
        for ordinal in 1..=5 {
            batch.push(Waiting { ordinal, connection: 0 });
        }
        let admit = |batch: &mut Batch| batch.admit().map(|request| request.ordinal);
        assert_eq!([admit(&mut batch), admit(&mut batch), admit(&mut batch)], [Some(1), Some(2), None]);
        batch.forget(3);
        batch.forget(77);
        batch.leave();
        assert_eq!([admit(&mut batch), admit(&mut batch)], [Some(4), None]);
        assert_eq!((batch.running(), batch.waiting()), (2, 1));
    }
}

//! What a socket gave, and when.

use crate::clock::MonotonicNs;

/// Up to which byte of a [`Capture`] one read of the socket reached, and when
/// that read returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadMark {
    /// End offset in the capture.
    pub end: u32,
    /// The stamp, taken right after the read and before anything else.
    pub at_ns: MonotonicNs,
}

/// A stretch of one response's body, transfer framing taken off, with the
/// stamp of every read that brought some of it. A long response is handed on
/// in several captures, cut anywhere.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Body bytes.
    pub bytes: Vec<u8>,
    /// One mark a read, ascending; the last ends at the end of `bytes`.
    pub reads: Vec<ReadMark>,
}

impl Capture {
    /// Notes that everything up to the current end of `bytes` has come by `at_ns`.
    #[inline]
    pub fn mark(&mut self, at_ns: MonotonicNs) {
        let end = self.bytes.len() as u32;
        if self.reads.last().map_or(0, |r| r.end) < end {
            self.reads.push(ReadMark { end, at_ns });
        }
    }
}

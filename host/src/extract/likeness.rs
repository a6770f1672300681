//! Events that differ from an earlier one in nothing but their text.
//!
//! In a stream nearly all events are alike: the same JSON with another piece of
//! text in one place. Once such an event has been read in full, the next ones
//! are compared byte by byte around that place, which is ten times cheaper than
//! reading them, and says the same. What is not alike is read in full.

use std::ops::Range;

use crate::record::TokenKind;

/// Misses in a row after which a response is taken for one whose events differ.
const PATIENCE: u8 = 4;

/// An event that was read in full, and where its text stands in it.
#[derive(Debug, Default)]
pub struct Likeness {
    event: Vec<u8>,
    text: Range<usize>,
    kind: Option<TokenKind>,
    misses: u8,
}

impl Likeness {
    /// The kind of token and the text, if this event is like the one remembered.
    pub(super) fn read<'a>(&self, event: &'a [u8]) -> Option<(TokenKind, &'a str)> {
        let kind = self.kind?;
        let rest = event.strip_prefix(&self.event[..self.text.start])?;
        let text = rest.strip_suffix(&self.event[self.text.end..])?;
        // The inside of a JSON string that stands for itself, and no empty one:
        // rules may ask whether there is a text.
        let plain = |&byte: &u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.is_empty() || !text.iter().all(plain) {
            return None;
        }
        Some((kind, std::str::from_utf8(text).ok()?))
    }

    /// Whether remembering the next event may be worth it.
    pub(super) fn is_wanted(&self) -> bool {
        self.misses < PATIENCE
    }

    /// Remembers an event that said nothing but its text, which is `text` within it.
    pub(super) fn remember(&mut self, event: &[u8], text: Range<usize>, kind: TokenKind) {
        self.misses = if self.kind.is_some() { self.misses + 1 } else { 0 };
        self.event.clear();
        self.event.extend_from_slice(event);
        self.text = text;
        self.kind = Some(kind);
    }

    /// The remembered event has been of use.
    pub(super) fn confirm(&mut self) {
        self.misses = 0;
    }
}

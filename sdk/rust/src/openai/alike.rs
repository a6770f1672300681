//! Events that differ from an earlier one in nothing but their text.
//!
//! In a stream nearly all events are alike: the same JSON with another piece of
//! text in one place. Once such an event has been read in full, the next ones
//! are compared around that place, which is cheaper than reading them, and says
//! the same.

use crate::backend::TokenKind;

/// What stands around the text of an event that said nothing else.
pub(super) struct Alike<'a> {
    before: &'a [u8],
    after: &'a [u8],
    kind: TokenKind,
}

impl<'a> Alike<'a> {
    /// Of an event that said nothing but `text`; none unless that is a part of
    /// `event` itself, as it is where nothing in it is escaped.
    pub(super) fn of(event: &'a [u8], text: &str, kind: TokenKind) -> Option<Self> {
        let start = (text.as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
        let end = start.checked_add(text.len())?;
        let is_part = is_plain(text.as_bytes()) && event.get(start..end)? == text.as_bytes();
        is_part.then(|| Self { before: &event[..start], after: &event[end..], kind })
    }

    /// What kind of token an event is and its text, if it is like the one known.
    pub(super) fn read<'e>(&self, event: &'e [u8]) -> Option<(TokenKind, &'e str)> {
        let rest = event.len().checked_sub(self.after.len())?;
        let text = event.get(self.before.len()..rest)?;
        let (before, after) = (event.get(..self.before.len())?, event.get(rest..)?);
        if !is_plain(text) || !is_equal(before, self.before) || !is_equal(after, self.after) {
            return None;
        }
        Some((self.kind, std::str::from_utf8(text).ok()?))
    }
}

/// Whether both are the same bytes. Slices are compared byte by byte on this
/// target, which was most of what reading a response took.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    let ((words, rest), (other_words, other_rest)) = (left.as_chunks::<8>(), right.as_chunks::<8>());
    let are_equal =
        |(left, right): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*left) == u64::from_ne_bytes(*right);
    if words.len() != other_words.len() || !words.iter().zip(other_words).all(are_equal) {
        return false;
    }
    // The rest as the word that ends there, if there is one.
    match (left.last_chunk(), right.last_chunk()) {
        (Some(left), Some(right)) => rest.len() == other_rest.len() && are_equal((left, right)),
        _ => rest == other_rest,
    }
}

/// The inside of a JSON string that stands for itself, and no empty one, for
/// what an event says may depend on whether it has a text.
fn is_plain(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| byte >= 0x20 && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        for len in 0..35 {
            let bytes: Vec<u8> = (0..len).collect();
            assert!(is_equal(&bytes, &bytes.clone()));
            assert!(!is_equal(&bytes, &[&bytes[..], &[0]].concat()));
            for place in 0..bytes.len() {
                let mut other = bytes.clone();
                other[place] ^= 1;
                assert!(!is_equal(&bytes, &other), "byte {place} of {len}");
            }
        }
    }
}

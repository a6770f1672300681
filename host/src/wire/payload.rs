//! The body of a request, in pieces that may be shared between requests.

use std::io::IoSlice;

use bytes::Bytes;

/// Pieces written in one call at most; the system takes 1024.
const MAX_SLICES: usize = 64;

/// A body: pieces that are sent one after the other. Large pieces, such as
/// media, are shared by all requests that send them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    pieces: Vec<Bytes>,
    len: usize,
    own_len: usize,
}

impl Payload {
    /// A body of pieces, of which `own_len` bytes belong to this request alone.
    pub fn new(pieces: Vec<Bytes>, own_len: usize) -> Self {
        let len = pieces.iter().map(Bytes::len).sum();
        Self { pieces, len, own_len }
    }

    /// Bytes that will be sent.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that are held for this request alone.
    pub fn own_len(&self) -> usize {
        self.own_len
    }

    /// The pieces in their order.
    pub fn pieces(&self) -> &[Bytes] {
        &self.pieces
    }

    /// All bytes together; a copy, if there are several pieces.
    pub fn to_bytes(&self) -> Bytes {
        match self.pieces.as_slice() {
            [] => Bytes::new(),
            [only] => only.clone(),
            pieces => pieces.concat().into(),
        }
    }

    /// `head`, then the pieces, without the first `skip` bytes of the whole;
    /// as many slices as one call may take.
    pub(super) fn slices_after<'a>(&'a self, head: &'a [u8], skip: usize) -> Vec<IoSlice<'a>> {
        let mut skip = skip;
        let mut slices = Vec::new();
        for piece in std::iter::once(head).chain(self.pieces.iter().map(|piece| &piece[..])) {
            if skip >= piece.len() {
                skip -= piece.len();
                continue;
            }
            slices.push(IoSlice::new(&piece[skip..]));
            skip = 0;
            if slices.len() == MAX_SLICES {
                break;
            }
        }
        slices
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        let len = bytes.len();
        Self { pieces: vec![bytes], len, own_len: len }
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_is_written_at_a_time_the_whole_is_written(
            head in prop::collection::vec(any::<u8>(), 0..9),
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..100),
            step in 1usize..40,
        ) {
            let payload = Payload::new(pieces.iter().cloned().map(Bytes::from).collect(), 0);
            let whole = [head.clone(), pieces.concat()].concat();
            prop_assert_eq!(payload.len() + head.len(), whole.len());
            prop_assert_eq!(&payload.to_bytes()[..], &whole[head.len()..]);
            let mut written = Vec::new();
            while written.len() < whole.len() {
                let slices = payload.slices_after(&head, written.len());
                prop_assert!(!slices.is_empty() && slices.len() <= MAX_SLICES);
                let next: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                prop_assert!(!next.is_empty());
                written.extend(next);
            }
            prop_assert_eq!(written, whole);
        }
    }
}

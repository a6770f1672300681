//! How bytes are changed.

use chacha20::ChaCha12Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Pieces that mean something to one reader or another.
const PIECES: [&[u8]; 24] = [
    b"\r\n",
    b"\n\n",
    b"data: ",
    b"event: x\n",
    b"\0asm",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80",
    b"ffffffff",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 18446744073709551615\r\n",
    b"{\"",
    b"[[[[[[[[",
    b"]}",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"null",
    b"..",
    b"%2e%2e",
    b"://",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
];

/// Makes new inputs of old ones; the same ones from the same seed.
pub(super) struct Mutator(ChaCha12Rng);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// An example with a few changes.
    pub(super) fn next(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(4) {
            self.change(&mut input, corpus);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = (at + self.below(17)).min(input.len());
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = self.below(256) as u8,
            2 => drop(input.splice(at..at, PIECES[self.below(PIECES.len())].iter().copied())),
            3 => drop(input.splice(at..end, PIECES[self.below(PIECES.len())].iter().copied())),
            4 => drop(input.drain(at..end)),
            5 => input.truncate(at),
            6 => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            _ => {
                let other = &corpus[self.below(corpus.len())];
                let from = self.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.0.next_u64() % end as u64) as usize
    }
}

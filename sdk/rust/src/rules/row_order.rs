//! The order in which Hugging Face `datasets` gives out rows after
//! `shuffle(seed)`.
//!
//! A dataset on disk is permuted as a whole
//! ([`NumpyGenerator::permutation`]). One that is streamed has the order of its
//! files shuffled ([`shuffled_files`]) and its rows drawn through a buffer
//! ([`ShuffleBuffer`]). Rules of `datasets` 5: earlier ones replaced single rows
//! of the buffer.

use std::collections::VecDeque;

use crate::Result;
use crate::generators::NumpyGenerator;

/// Rows that the buffer holds at most: `buffer_size` of `shuffle`.
pub const BUFFER_ROWS: usize = 1000;

/// The files of a streamed dataset, by their places, in the order in which a
/// shuffle with this seed reads them.
pub fn shuffled_files(count: usize, seed: u64) -> Vec<usize> {
    NumpyGenerator::new(seed).permutation(count)
}

/// Shuffles what streams by: a full buffer is permuted, its first half given
/// out and its second half kept in the new order.
#[derive(Debug, Clone)]
pub struct ShuffleBuffer<T> {
    random: NumpyGenerator,
    buffer: Vec<T>,
    ready: VecDeque<T>,
}

impl<T> ShuffleBuffer<T> {
    /// An empty buffer that draws with this seed.
    pub fn new(seed: u64) -> Self {
        Self { random: NumpyGenerator::new(seed), buffer: Vec::new(), ready: VecDeque::new() }
    }

    /// The next row, taking as many from `more` as that needs; none at the end.
    /// Fails as `more` does.
    pub fn next(&mut self, mut more: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        if let Some(row) = self.ready.pop_front() {
            return Ok(Some(row));
        }
        let mut ended = false;
        while !ended && self.buffer.len() < BUFFER_ROWS {
            match more()? {
                Some(row) => self.buffer.push(row),
                None => ended = true,
            }
        }
        // A permutation of indices applied to a list is a shuffle of the list.
        self.random.shuffle(&mut self.buffer);
        let given = if ended { self.buffer.len() } else { BUFFER_ROWS / 2 };
        self.ready.extend(self.buffer.drain(..given));
        Ok(self.ready.pop_front())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn streamed(count: usize, seed: u64) -> Vec<usize> {
        let mut source = 0..count;
        let mut buffer = ShuffleBuffer::new(seed);
        std::iter::from_fn(|| buffer.next(|| Ok(source.next())).unwrap()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_stream_that_fits_the_buffer_is_permuted_as_a_whole(seed: u64, count in 0..BUFFER_ROWS) {
            prop_assert_eq!(streamed(count, seed), NumpyGenerator::new(seed).permutation(count));
        }

        #[test]
        fn every_row_comes_once_and_none_before_it_was_read(seed: u64, count in 0_usize..3500) {
            let order = streamed(count, seed);
            for (place, row) in order.iter().enumerate() {
                prop_assert!(*row < BUFFER_ROWS + place / (BUFFER_ROWS / 2) * (BUFFER_ROWS / 2));
            }
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..count));
        }
    }

    #[test]
    fn a_full_buffer_gives_out_its_first_half() {
        let mut random = NumpyGenerator::new(6);
        let first = random.permutation(BUFFER_ROWS);
        let second = random.permutation(BUFFER_ROWS);
        let order = streamed(1600, 6);
        assert_eq!(order[..500], first[..500]);
        let held: Vec<usize> = first[500..].iter().copied().chain(1000..1500).collect();
        let expected: Vec<usize> = second[..500].iter().map(|&place| held[place]).collect();
        assert_eq!(order[500..1000], expected);
    }

    #[test]
    fn a_failing_source_fails_the_buffer() {
        let mut buffer: ShuffleBuffer<u8> = ShuffleBuffer::new(0);
        assert!(buffer.next(|| Err(crate::Error::input("bad row"))).is_err());
    }
}

//! MT19937, the Mersenne Twister under CPython's `random` and numpy's legacy
//! `RandomState`.
//!
//! After M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally
//! equidistributed uniform pseudorandom number generator" (1998), with the
//! initialisation of their `mt19937ar.c` (2002).

use crate::bounded::BitSource;
use crate::error::StateError;

/// Words in the state of a Mersenne Twister.
pub const STATE_WORDS: usize = 624;

/// Distance of the word that is mixed in.
const SHIFT: usize = 397;
const MATRIX: u32 = 0x9908_b0df;
const UPPER: u32 = 0x8000_0000;
const LOWER: u32 = 0x7fff_ffff;

/// The words are made a block at a time and tempered one by one when drawn, so
/// that the state can be taken out between any two draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Twister {
    words: [u32; STATE_WORDS],
    /// Of the next word; `STATE_WORDS` when the block is used up.
    position: usize,
}

impl Twister {
    /// `init_genrand`: one word of seed, as numpy's `mt19937_seed` does it.
    pub(crate) fn from_word(seed: u32) -> Self {
        let mut words = [0; STATE_WORDS];
        let mut word = seed;
        for (slot, index) in words.iter_mut().zip(1_u32..) {
            *slot = word;
            word = 1_812_433_253_u32.wrapping_mul(word ^ (word >> 30)).wrapping_add(index);
        }
        Self { words, position: STATE_WORDS }
    }

    /// `init_by_array`: a key of any number of words, as CPython seeds it. An
    /// empty key counts as one word of 0.
    pub(crate) fn from_key(key: &[u32]) -> Self {
        let key = if key.is_empty() { &[0] } else { key };
        let mut state = Self::from_word(19_650_218);
        let words = &mut state.words;
        let mixed = |previous: u32| previous ^ (previous >> 30);

        let mut at = 1;
        for (entry, index) in key.iter().zip(0_u32..).cycle().take(key.len().max(STATE_WORDS)) {
            words[at] = (words[at] ^ mixed(words[at - 1]).wrapping_mul(1_664_525))
                .wrapping_add(*entry)
                .wrapping_add(index);
            at = following(words, at);
        }
        for _ in 1..STATE_WORDS {
            words[at] =
                (words[at] ^ mixed(words[at - 1]).wrapping_mul(1_566_083_941)).wrapping_sub(at as u32);
            at = following(words, at);
        }
        words[0] = UPPER;
        state
    }

    /// The state as [`Twister::state`] gave it.
    pub(crate) fn from_state(words: &[u32], position: u32) -> Result<Self, StateError> {
        let words: [u32; STATE_WORDS] = words.try_into().map_err(|_| StateError::WordCount(words.len()))?;
        if position as usize > STATE_WORDS {
            return Err(StateError::Position(position));
        }
        // Of the first word only the top bit belongs to the state.
        if words[0] & UPPER == 0 && words[1..].iter().all(|word| *word == 0) {
            return Err(StateError::Zero);
        }
        Ok(Self { words, position: position as usize })
    }

    /// The words, and the position of the next one to be drawn.
    pub(crate) fn state(&self) -> (&[u32; STATE_WORDS], u32) {
        (&self.words, self.position as u32)
    }

    /// A double in [0, 1) with 53 random bits, from two words: `genrand_res53`.
    #[inline]
    pub(crate) fn double(&mut self) -> f64 {
        let high = f64::from(self.next_u32() >> 5);
        let low = f64::from(self.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    #[cold]
    #[inline(never)]
    fn next_block(&mut self) {
        let words = &mut self.words;
        let twist = |word: u32, next: u32| {
            let joined = (word & UPPER) | (next & LOWER);
            (joined >> 1) ^ (joined & 1).wrapping_neg() & MATRIX
        };
        for at in 0..STATE_WORDS - SHIFT {
            words[at] = words[at + SHIFT] ^ twist(words[at], words[at + 1]);
        }
        for at in STATE_WORDS - SHIFT..STATE_WORDS - 1 {
            words[at] = words[at + SHIFT - STATE_WORDS] ^ twist(words[at], words[at + 1]);
        }
        words[STATE_WORDS - 1] = words[SHIFT - 1] ^ twist(words[STATE_WORDS - 1], words[0]);
        self.position = 0;
    }
}

impl BitSource for Twister {
    #[inline]
    fn next_u32(&mut self) -> u32 {
        if self.position >= STATE_WORDS {
            self.next_block();
        }
        let mut word = self.words[self.position];
        self.position += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    /// numpy's `mt19937_next64`: the first word is the high half.
    #[inline]
    fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        high << 32 | u64::from(self.next_u32())
    }
}

/// The position after `at` in the initialisation, which leaves out word 0 but
/// for keeping it a copy of the last word.
fn following(words: &mut [u32; STATE_WORDS], at: usize) -> usize {
    if at + 1 < STATE_WORDS {
        at + 1
    } else {
        words[0] = words[STATE_WORDS - 1];
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the thousandth output of `mt19937ar.out`, which the
    /// authors publish for this key.
    #[test]
    fn agrees_with_the_output_published_by_the_authors() {
        let mut twister = Twister::from_key(&[0x123, 0x234, 0x345, 0x456]);
        let drawn: Vec<u32> = (0..1000).map(|_| twister.next_u32()).collect();
        assert_eq!(drawn[..5], [1_067_595_299, 955_945_823, 477_289_528, 4_107_218_783, 4_228_976_476]);
        assert_eq!(drawn[999], 3_460_025_646);
    }

    /// The C++ standard requires this of `std::mt19937` with its default seed.
    #[test]
    fn agrees_with_the_ten_thousandth_value_of_the_cpp_standard() {
        let mut twister = Twister::from_word(5489);
        assert_eq!((0..10_000).map(|_| twister.next_u32()).last(), Some(4_123_659_995));
    }

    #[test]
    fn a_key_longer_than_the_state_is_used_to_its_end() {
        let key = vec![1; STATE_WORDS + 10];
        let mut other = key.clone();
        other[STATE_WORDS + 9] = 2;
        assert_ne!(Twister::from_key(&key), Twister::from_key(&other));
    }

    #[test]
    fn refuses_states_that_cannot_be() {
        let good = Twister::from_word(1);
        let (words, _) = good.state();
        assert_eq!(Twister::from_state(&words[1..], 0), Err(StateError::WordCount(623)));
        assert_eq!(Twister::from_state(words, 625), Err(StateError::Position(625)));
        let mut zero = [0; STATE_WORDS];
        zero[0] = LOWER;
        assert_eq!(Twister::from_state(&zero, 3), Err(StateError::Zero));
        assert_eq!(Twister::from_state(words, 624), Ok(good));
    }
}

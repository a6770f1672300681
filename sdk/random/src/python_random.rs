//! CPython's `random` module.

use std::collections::HashSet;

use crate::STATE_WORDS;
use crate::bounded::BitSource;
use crate::error::{DrawError, StateError};
use crate::twister::Twister;

/// `random.Random(seed)`; the functions of the module `random` are the methods
/// of one such object. The rules are those of `Lib/random.py` and
/// `Modules/_randommodule.c`, the same from CPython 3.2 (shuffle, choice,
/// randint) to 3.13.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRandom {
    bits: Twister,
}

impl PythonRandom {
    /// `Random(seed)`. CPython seeds with the absolute value, so `-1` is `1`.
    pub fn new(seed: u64) -> Self {
        Self::from_seed_words(&[seed as u32, (seed >> 32) as u32])
    }

    /// `Random(seed)` for a whole number of any size, given as its 32-bit words
    /// from the lowest to the highest.
    pub fn from_seed_words(words: &[u32]) -> Self {
        let used = words.iter().rposition(|word| *word != 0).map_or(0, |highest| highest + 1);
        Self { bits: Twister::from_key(&words[..used]) }
    }

    /// A generator in the state that [`PythonRandom::state`] gave.
    ///
    /// # Errors
    ///
    /// Not [`STATE_WORDS`] words, a position after their end, or nothing but
    /// zeros.
    pub fn from_state(words: &[u32], position: u32) -> Result<Self, StateError> {
        Ok(Self { bits: Twister::from_state(words, position)? })
    }

    /// The words of the Mersenne Twister and the position of the next:
    /// `getstate()[1]`.
    pub fn state(&self) -> (&[u32; STATE_WORDS], u32) {
        self.bits.state()
    }

    /// `random()`: a double in [0, 1).
    #[inline]
    pub fn random(&mut self) -> f64 {
        self.bits.double()
    }

    /// `getrandbits(count)` for up to 64 bits; a higher `count` counts as 64.
    /// Up to 32 bits are the high bits of one word; of more, the first word is
    /// the low one.
    #[inline]
    pub fn getrandbits(&mut self, count: u32) -> u64 {
        match count {
            0 => 0,
            1..=32 => u64::from(self.bits.next_u32() >> (32 - count)),
            _ => {
                let low = u64::from(self.bits.next_u32());
                low | u64::from(self.bits.next_u32() >> 64_u32.saturating_sub(count)) << 32
            }
        }
    }

    /// `_randbelow(bound)`: a number below `bound`, drawn with the bit length
    /// of `bound` until it is one.
    ///
    /// # Errors
    ///
    /// `bound` is 0.
    #[inline]
    pub fn randbelow(&mut self, bound: u64) -> Result<u64, DrawError> {
        if bound == 0 {
            return Err(DrawError::NothingToChooseFrom);
        }
        Ok(self.below(bound))
    }

    /// `randint(low, high)`: a number from `low` to `high`, both included.
    ///
    /// # Errors
    ///
    /// `high` is below `low`.
    pub fn randint(&mut self, low: i64, high: i64) -> Result<i64, DrawError> {
        if high < low {
            return Err(DrawError::EmptyRange { low, high });
        }
        let drawn = match low.abs_diff(high).checked_add(1) {
            Some(count) => self.below(count),
            // The count is 2^64, of 65 bits: a third word gives the highest.
            None => loop {
                let drawn = self.getrandbits(64);
                if self.getrandbits(1) == 0 {
                    break drawn;
                }
            },
        };
        Ok(low.wrapping_add_unsigned(drawn))
    }

    /// `uniform(low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.random()
    }

    /// `choice(range(count))`: the index of one of `count`.
    ///
    /// # Errors
    ///
    /// `count` is 0.
    #[inline]
    pub fn choice(&mut self, count: usize) -> Result<usize, DrawError> {
        Ok(self.randbelow(count as u64)? as usize)
    }

    /// `choices(range(count), k=wanted)`: `wanted` indices, each of any of
    /// `count`; each is the floor of a double times `count`.
    ///
    /// # Errors
    ///
    /// `count` is 0 and something is wanted.
    pub fn choices(&mut self, count: usize, wanted: usize) -> Result<Vec<usize>, DrawError> {
        if count == 0 && wanted > 0 {
            return Err(DrawError::NothingToChooseFrom);
        }
        Ok((0..wanted).map(|_| (self.random() * count as f64) as usize).collect())
    }

    /// `sample(range(count), k=wanted)`: `wanted` different indices below
    /// `count`. As in CPython, a list of all is kept where it is smaller than
    /// a set of the chosen would be; the two draw differently.
    ///
    /// # Errors
    ///
    /// More are wanted than there are.
    pub fn sample(&mut self, count: usize, wanted: usize) -> Result<Vec<usize>, DrawError> {
        if wanted > count {
            return Err(DrawError::SampleTooLarge { wanted, available: count });
        }
        // CPython: 21, and from 6 wanted on also 4 ** ceil(log(3 * wanted, 4)).
        let mut set_size = 21_u64;
        if wanted > 5 {
            let mut table = 4_u64;
            while table < (wanted as u64).saturating_mul(3) {
                table = table.saturating_mul(4);
            }
            set_size = set_size.saturating_add(table);
        }
        if count as u64 <= set_size {
            let mut pool: Vec<usize> = (0..count).collect();
            return Ok((0..wanted)
                .map(|_| {
                    let drawn = self.below(pool.len() as u64) as usize;
                    pool.swap_remove(drawn)
                })
                .collect());
        }
        let mut chosen = HashSet::with_capacity(wanted);
        let mut sampled = Vec::with_capacity(wanted);
        while sampled.len() < wanted {
            let drawn = self.below(count as u64) as usize;
            if chosen.insert(drawn) {
                sampled.push(drawn);
            }
        }
        Ok(sampled)
    }

    /// `shuffle(items)`: Fisher–Yates from the last element down.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }

    /// `_randbelow` for a `bound` of at least 1.
    #[inline]
    fn below(&mut self, bound: u64) -> u64 {
        let bits = 64 - bound.leading_zeros();
        loop {
            let drawn = self.getrandbits(bits);
            if drawn < bound {
                return drawn;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of CPython 3.11.
    #[test]
    fn wide_draws_agree_with_python() {
        let mut python = PythonRandom::new((1 << 40) + 17);
        let bits: Vec<u64> = [1, 32, 33, 48, 64, 0, 5].map(|count| python.getrandbits(count)).to_vec();
        assert_eq!(
            bits,
            [1, 3_282_848_423, 1_037_313_734, 212_247_366_648_332, 8_206_366_387_715_650_573, 0, 26]
        );
        let below: Vec<u64> = (0..3).map(|_| python.randbelow((1 << 33) + 1).unwrap()).collect();
        assert_eq!(below, [6_073_125_512, 4_891_867_915, 8_230_985_847]);
        assert_eq!(
            python.sample(1000, 30).unwrap(),
            [
                558, 477, 620, 825, 744, 961, 458, 185, 653, 601, 727, 191, 981, 557, 457, 639, 870, 956, 6,
                29, 361, 652, 735, 897, 921, 748, 395, 608, 289, 565
            ]
        );
        assert_eq!(python.sample(1000, 8).unwrap(), [988, 31, 552, 231, 722, 990, 100, 663]);
        assert_eq!(python.sample(20, 6).unwrap(), [8, 3, 4, 12, 18, 7]);
        assert_eq!(python.random(), 0.855_815_281_942_054_8);
    }

    /// Values of CPython 3.11, on both sides of the size at which `sample`
    /// changes from a list to a set (85 for 6 to 21 wanted, 277 for 22).
    #[test]
    fn sample_changes_its_method_where_python_does() {
        let mut python = PythonRandom::new(5);
        assert_eq!(python.sample(22, 6).unwrap(), [19, 8, 11, 16, 0, 14]);
        assert_eq!(
            python.sample(86, 22).unwrap(),
            [31, 83, 6, 20, 14, 47, 60, 85, 48, 69, 13, 73, 78, 1, 27, 52, 35, 23, 49, 82, 9, 17]
        );
        assert_eq!(
            python.sample(84, 22).unwrap(),
            [79, 83, 56, 16, 80, 0, 78, 26, 27, 21, 74, 37, 40, 25, 69, 76, 23, 70, 49, 38, 2, 67]
        );
        assert_eq!(python.uniform(-3.0, 8.0), 1.563_973_827_850_197_1);
    }

    #[test]
    fn seeds_are_whole_numbers_of_any_length() {
        assert_eq!(PythonRandom::new(7), PythonRandom::from_seed_words(&[7, 0, 0]));
        assert_eq!(PythonRandom::new(0), PythonRandom::from_seed_words(&[]));
        assert_ne!(PythonRandom::new(7), PythonRandom::from_seed_words(&[7, 0, 1]));
    }

    #[test]
    fn refuses_to_choose_from_nothing() {
        let mut python = PythonRandom::new(1);
        assert_eq!(python.choice(0), Err(DrawError::NothingToChooseFrom));
        assert_eq!(python.choices(0, 1), Err(DrawError::NothingToChooseFrom));
        assert_eq!(python.choices(0, 0), Ok(vec![]));
        assert_eq!(python.sample(2, 3), Err(DrawError::SampleTooLarge { wanted: 3, available: 2 }));
        assert_eq!(python.randint(2, 1), Err(DrawError::EmptyRange { low: 2, high: 1 }));
        assert_eq!(python, PythonRandom::new(1));
        python.shuffle::<u8>(&mut []);
    }

    proptest! {
        #[test]
        fn continues_from_a_saved_state(seed: u64, draws in 0_usize..1300) {
            let mut python = PythonRandom::new(seed);
            for _ in 0..draws {
                python.getrandbits(32);
            }
            let (words, position) = python.state();
            let mut restored = PythonRandom::from_state(words, position).unwrap();
            prop_assert_eq!(&restored, &python);
            prop_assert_eq!(restored.random(), python.random());
        }

        #[test]
        fn randint_includes_both_ends_and_nothing_else(seed: u64, low: i64, high: i64) {
            let (low, high) = (low.min(high), low.max(high));
            let drawn = PythonRandom::new(seed).randint(low, high).unwrap();
            prop_assert!((low..=high).contains(&drawn));
            PythonRandom::new(seed).randint(i64::MIN, i64::MAX).unwrap();
        }

        #[test]
        fn a_sample_repeats_nothing(seed: u64, count in 0_usize..400, wanted in 0_usize..400) {
            let wanted = wanted.min(count);
            let mut sampled = PythonRandom::new(seed).sample(count, wanted).unwrap();
            prop_assert_eq!(sampled.len(), wanted);
            sampled.sort_unstable();
            sampled.dedup();
            prop_assert_eq!(sampled.len(), wanted);
            prop_assert!(sampled.iter().all(|index| *index < count));
        }
    }
}

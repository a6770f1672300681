//! `numpy.random.default_rng(seed)`.

use crate::bounded::{self, BitSource};
use crate::error::DrawError;
use crate::pcg64::Pcg64;

/// How far the sum of probabilities may be from 1: numpy takes the square root
/// of the machine epsilon.
const SUM_TOLERANCE: f64 = 1.490_116_119_384_765_6e-8;

/// `numpy.random.Generator` over PCG64, as `default_rng(seed)` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumpyGenerator {
    bits: Pcg64,
}

impl NumpyGenerator {
    /// `default_rng(seed)`.
    pub fn new(seed: u64) -> Self {
        Self { bits: Pcg64::new(seed) }
    }

    /// The next 32 bits; two such draws use up one 64-bit output, the low half
    /// first.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.bits.next_u32()
    }

    /// The next 64 bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.bits.next_u64()
    }

    /// `random()`: a double in [0, 1).
    #[inline]
    pub fn random(&mut self) -> f64 {
        self.bits.double()
    }

    /// `integers(low, high)`: a number from `low` up to but without `high`, by
    /// Lemire's rejection on 32 bits where the range allows, else on 64.
    ///
    /// # Errors
    ///
    /// The range is empty.
    #[inline]
    pub fn integers(&mut self, low: i64, high: i64) -> Result<i64, DrawError> {
        let max = span(low, high)?;
        Ok(low.wrapping_add_unsigned(bounded::multiplied(&mut self.bits, max)))
    }

    /// `integers(low, high, size=count)`: the same as `count` single draws.
    ///
    /// # Errors
    ///
    /// The range is empty.
    pub fn integers_vec(&mut self, low: i64, high: i64, count: usize) -> Result<Vec<i64>, DrawError> {
        let max = span(low, high)?;
        // A copy of its own stays in registers.
        let mut bits = self.bits.clone();
        let drawn =
            (0..count).map(|_| low.wrapping_add_unsigned(bounded::multiplied(&mut bits, max))).collect();
        self.bits = bits;
        Ok(drawn)
    }

    /// `integers(0, 256, dtype=uint8)` into `bytes`, in C order: the bytes of
    /// successive 32-bit draws, the low byte first. What is left of the last
    /// draw is thrown away (`random_bounded_uint8_fill`).
    pub fn fill_bytes(&mut self, bytes: &mut [u8]) {
        let aligned = if self.bits.has_buffered_half() { bytes.len().min(4) } else { 0 };
        let (head, rest) = bytes.split_at_mut(aligned);
        let (whole, tail) = rest.as_chunks_mut::<8>();
        let halves = |bits: &mut Pcg64, bytes: &mut [u8]| {
            for chunk in bytes.chunks_mut(4) {
                let word = bits.next_u32().to_le_bytes();
                chunk.copy_from_slice(&word[..chunk.len()]);
            }
        };
        halves(&mut self.bits, head);
        // With no half kept, two 32-bit draws are one of 64 bits.
        for chunk in whole {
            *chunk = self.bits.next_u64().to_le_bytes();
        }
        halves(&mut self.bits, tail);
    }

    /// `choice(keys, p=probabilities)`: the index of the key, the first whose
    /// cumulated probability, divided by the sum of all, is above a uniform
    /// double.
    ///
    /// # Errors
    ///
    /// `probabilities` is empty, has a negative or NaN member, or its sum is
    /// further from 1 than the square root of the machine epsilon.
    pub fn choice_weighted(&mut self, probabilities: &[f64]) -> Result<usize, DrawError> {
        // Left to right, as `cumsum` adds.
        let sum = probabilities.iter().fold(0.0, |sum, p| sum + p);
        if !((sum - 1.0).abs() <= SUM_TOLERANCE && probabilities.iter().all(|p| *p >= 0.0)) {
            return Err(DrawError::NotProbabilities { sum });
        }
        let drawn = self.bits.double();
        let mut cumulated = 0.0;
        let index = probabilities.iter().position(|p| {
            cumulated += p;
            cumulated / sum > drawn
        });
        // The last quotient is 1 and the draw below it.
        Ok(index.unwrap_or(probabilities.len() - 1))
    }

    /// `permutation(count)`: the numbers below `count`, shuffled.
    pub fn permutation(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        self.shuffle(&mut order);
        order
    }

    /// `shuffle(items)`: Fisher–Yates from the last element down, each index by
    /// masked rejection (`random_interval`).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        bounded::shuffle(&mut self.bits, items);
    }
}

/// What is to be added to `low` at most, to stay below `high`.
#[inline]
pub(crate) fn span(low: i64, high: i64) -> Result<u64, DrawError> {
    if low < high { Ok(low.abs_diff(high) - 1) } else { Err(DrawError::EmptyRange { low, high }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEED: u64 = (1 << 40) + 17;

    /// Values of numpy 2.4.
    #[test]
    fn wide_ranges_agree_with_numpy() {
        let mut numpy = NumpyGenerator::new(SEED);
        for _ in 0..3 {
            numpy.next_u64();
        }
        assert_eq!(
            numpy.integers_vec(0, i64::MAX, 3).unwrap(),
            [1_692_939_440_175_454_407, 4_517_710_413_775_570_041, 3_803_545_540_846_285_092]
        );
        assert_eq!(numpy.random(), 0.199_122_257_930_928_97);
        assert_eq!(
            numpy.integers_vec(0, 3 << 61, 4).unwrap(),
            [
                4_814_178_589_687_445_694,
                5_908_063_347_282_468_682,
                681_676_103_913_827_768,
                2_416_200_322_251_469_315
            ]
        );
        let mut bytes = [0; 5];
        numpy.fill_bytes(&mut bytes);
        assert_eq!(bytes, [103, 162, 241, 182, 143]);
        assert_eq!(numpy.permutation(9), [7, 6, 8, 4, 3, 1, 2, 5, 0]);
    }

    #[test]
    fn a_refused_draw_draws_nothing() {
        let mut numpy = NumpyGenerator::new(1);
        let before = numpy.clone();
        assert_eq!(numpy.integers(4, 4), Err(DrawError::EmptyRange { low: 4, high: 4 }));
        assert!(numpy.integers_vec(4, 3, 9).is_err());
        for weights in [&[][..], &[0.5, 0.4], &[1.5, -0.5], &[f64::NAN, 1.0], &[f64::INFINITY], &[0.0]] {
            assert!(
                matches!(numpy.choice_weighted(weights), Err(DrawError::NotProbabilities { .. })),
                "{weights:?}"
            );
        }
        assert_eq!(numpy, before);
    }

    #[test]
    fn never_chooses_what_has_no_weight() {
        let mut numpy = NumpyGenerator::new(1);
        for _ in 0..1000 {
            assert_eq!(numpy.choice_weighted(&[0.0, 1.0, 0.0]), Ok(1));
        }
    }

    proptest! {
        #[test]
        fn integers_stay_in_their_range(seed: u64, low: i64, high: i64) {
            let mut numpy = NumpyGenerator::new(seed);
            match numpy.integers(low, high) {
                Ok(drawn) => prop_assert!((low..high).contains(&drawn)),
                Err(error) => {
                    prop_assert!(low >= high);
                    prop_assert_eq!(error, DrawError::EmptyRange { low, high });
                }
            }
        }

        #[test]
        fn many_draws_are_single_draws(seed: u64, low in -1000_i64..1000, span in 1_i64..i64::MAX / 2, count in 0_usize..50) {
            let mut one = NumpyGenerator::new(seed);
            let mut many = one.clone();
            let singly: Vec<i64> = (0..count).map(|_| one.integers(low, low + span).unwrap()).collect();
            prop_assert_eq!(many.integers_vec(low, low + span, count).unwrap(), singly);
            prop_assert_eq!(one, many);
        }

        #[test]
        fn bytes_are_those_of_32_bit_draws(seed: u64, before in 0_usize..3, count in 0_usize..40) {
            let mut numpy = NumpyGenerator::new(seed);
            for _ in 0..before {
                numpy.next_u32();
            }
            let mut words = numpy.clone();
            let mut bytes = vec![0; count];
            numpy.fill_bytes(&mut bytes);
            let drawn: Vec<u8> = (0..count.div_ceil(4)).flat_map(|_| words.next_u32().to_le_bytes()).collect();
            prop_assert_eq!(&drawn[..count], bytes);
            prop_assert_eq!(words, numpy);
        }

        #[test]
        fn a_permutation_has_every_number_once(seed: u64, count in 0_usize..300) {
            let mut order = NumpyGenerator::new(seed).permutation(count);
            order.sort_unstable();
            prop_assert!(order.into_iter().eq(0..count));
        }
    }
}

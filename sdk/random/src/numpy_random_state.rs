//! The legacy generator of `numpy.random`.

use crate::STATE_WORDS;
use crate::bounded::{self, BitSource};
use crate::error::{DrawError, StateError};
use crate::numpy_generator::span;
use crate::twister::Twister;

/// `numpy.random.RandomState(seed)`; `numpy.random.seed(seed)` puts the one
/// behind the functions of the module `numpy.random` into the same state. The
/// rules are those of numpy's `legacy-distributions.c`, frozen since 1.17.
#[derive(Debug, Clone, PartialEq)]
pub struct NumpyRandomState {
    bits: Twister,
    /// The second of a pair of normal draws, for the next one.
    cached_normal: Option<f64>,
}

impl NumpyRandomState {
    /// `RandomState(seed)`. numpy accepts no seed above 32 bits.
    pub fn new(seed: u32) -> Self {
        Self { bits: Twister::from_word(seed), cached_normal: None }
    }

    /// A generator in the state that [`NumpyRandomState::state`] gave. The
    /// second of a pair of normal draws is not part of it: after an odd number
    /// of normal draws the restored generator starts a new pair.
    ///
    /// # Errors
    ///
    /// Not [`STATE_WORDS`] words, a position after their end, or nothing but
    /// zeros.
    pub fn from_state(words: &[u32], position: u32) -> Result<Self, StateError> {
        Ok(Self { bits: Twister::from_state(words, position)?, cached_normal: None })
    }

    /// The words of the Mersenne Twister and the position of the next:
    /// `get_state()[1:3]`.
    pub fn state(&self) -> (&[u32; STATE_WORDS], u32) {
        self.bits.state()
    }

    /// The next 32 bits.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        self.bits.next_u32()
    }

    /// `random_sample()`: a double in [0, 1).
    #[inline]
    pub fn random_sample(&mut self) -> f64 {
        self.bits.double()
    }

    /// `randint(low, high)` of the default type (64 bits): a number from `low`
    /// up to but without `high`, by masked rejection.
    ///
    /// # Errors
    ///
    /// The range is empty.
    #[inline]
    pub fn randint(&mut self, low: i64, high: i64) -> Result<i64, DrawError> {
        let max = span(low, high)?;
        Ok(low.wrapping_add_unsigned(bounded::masked(&mut self.bits, max)))
    }

    /// `randint(low, high, size=count)`: the same as `count` single draws.
    ///
    /// # Errors
    ///
    /// The range is empty.
    pub fn randint_vec(&mut self, low: i64, high: i64, count: usize) -> Result<Vec<i64>, DrawError> {
        let max = span(low, high)?;
        Ok((0..count).map(|_| low.wrapping_add_unsigned(bounded::masked(&mut self.bits, max))).collect())
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

    /// `standard_exponential()`: the negative logarithm of 1 minus a double
    /// (`legacy_standard_exponential`).
    #[inline]
    pub fn standard_exponential(&mut self) -> f64 {
        -(1.0 - self.bits.double()).ln()
    }

    /// `standard_normal()`, by Marsaglia's polar method (`legacy_gauss`): two at
    /// a time, of which the second is kept for the next call.
    pub fn standard_normal(&mut self) -> f64 {
        if let Some(cached) = self.cached_normal.take() {
            return cached;
        }
        let (x, y, square) = loop {
            let x = 2.0 * self.bits.double() - 1.0;
            let y = 2.0 * self.bits.double() - 1.0;
            let square = x * x + y * y;
            if square < 1.0 && square != 0.0 {
                break (x, y, square);
            }
        };
        let factor = (-2.0 * square.ln() / square).sqrt();
        self.cached_normal = Some(factor * x);
        factor * y
    }

    /// `standard_gamma(shape)`, by the rule that numpy has for the shape
    /// (`legacy_standard_gamma`): an exponential draw at 1; below, rejection
    /// after J. Ahrens and U. Dieter (1974); above, G. Marsaglia and W. W. Tsang,
    /// "A simple method for generating gamma variables" (2000).
    ///
    /// # Errors
    ///
    /// `shape` is negative or NaN.
    pub fn standard_gamma(&mut self, shape: f64) -> Result<f64, DrawError> {
        if shape.is_nan() || shape.is_sign_negative() {
            return Err(DrawError::BadParameter { name: "shape", value: shape });
        }
        Ok(if shape == 1.0 {
            self.standard_exponential()
        } else if shape == 0.0 {
            0.0
        } else if shape < 1.0 {
            self.gamma_below_one(shape)
        } else {
            self.gamma_above_one(shape)
        })
    }

    /// `gamma(shape, scale)`.
    ///
    /// # Errors
    ///
    /// `shape` or `scale` is negative or NaN.
    pub fn gamma(&mut self, shape: f64, scale: f64) -> Result<f64, DrawError> {
        if scale.is_nan() || scale.is_sign_negative() {
            return Err(DrawError::BadParameter { name: "scale", value: scale });
        }
        Ok(scale * self.standard_gamma(shape)?)
    }

    fn gamma_below_one(&mut self, shape: f64) -> f64 {
        let power = 1.0 / shape;
        loop {
            let uniform = self.bits.double();
            let exponential = self.standard_exponential();
            if uniform <= 1.0 - shape {
                let drawn = uniform.powf(power);
                if drawn <= exponential {
                    return drawn;
                }
            } else {
                let excess = -((1.0 - uniform) / shape).ln();
                let drawn = (1.0 - shape + shape * excess).powf(power);
                if drawn <= exponential + excess {
                    return drawn;
                }
            }
        }
    }

    fn gamma_above_one(&mut self, shape: f64) -> f64 {
        let b = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * b).sqrt();
        loop {
            let (normal, root) = loop {
                let normal = self.standard_normal();
                let root = 1.0 + c * normal;
                if root > 0.0 {
                    break (normal, root);
                }
            };
            let cube = root * root * root;
            let uniform = self.bits.double();
            if uniform < 1.0 - 0.0331 * (normal * normal) * (normal * normal)
                || uniform.ln() < 0.5 * normal * normal + b * (1.0 - cube + cube.ln())
            {
                return b * cube;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Values of numpy 2.4.
    #[test]
    fn wide_ranges_agree_with_numpy() {
        let mut numpy = NumpyRandomState::new(7);
        assert_eq!(
            [0; 4].map(|_| numpy.next_u32()),
            [327_741_615, 976_413_892, 3_349_725_721, 1_369_975_286]
        );
        let mut numpy = NumpyRandomState::new(7);
        assert_eq!(
            numpy.randint_vec(0, 1 << 40, 4).unwrap(),
            [752_595_690_692, 108_744_157_686, 291_964_244_179, 650_496_783_975]
        );
        assert_eq!(
            numpy.randint_vec(-(1 << 62), (1 << 62) + 5, 3).unwrap(),
            [-3_282_577_196_826_494_422, 340_139_256_470_221_704, 4_609_518_501_023_684_582]
        );
        assert_eq!(numpy.randint_vec(0, 1 << 32, 2).unwrap(), [2_917_270_596, 3_731_473_840]);
        assert_eq!(
            numpy.randint_vec(i64::MIN, i64::MAX, 2).unwrap(),
            [5_602_996_353_307_369_863, -2_196_248_447_293_071_872]
        );
    }

    /// Values of numpy 2.4.
    #[test]
    fn normal_draws_and_orders_agree_with_numpy() {
        let mut numpy = NumpyRandomState::new(7);
        assert_eq!(
            [0; 5].map(|_| numpy.standard_normal()),
            [
                1.690_525_703_800_356,
                -0.465_937_370_540_832_8,
                0.032_820_163_678_584_4,
                0.407_516_282_996_507_83,
                -0.788_923_028_625_738_6
            ]
        );
        assert_eq!(
            [0; 3].map(|_| 2.0 * numpy.standard_exponential()),
            [0.625_149_289_010_541_3, 1.385_824_419_637_704_3, 2.274_061_822_958_41]
        );
        let mut numpy = NumpyRandomState::new(7);
        assert_eq!(numpy.permutation(12), [7, 10, 2, 5, 0, 1, 11, 8, 3, 6, 9, 4]);
        let mut letters = *b"abcdefg";
        numpy.shuffle(&mut letters);
        assert_eq!(&letters, b"bgdfeac");
    }

    #[test]
    fn refuses_parameters_of_no_distribution() {
        let mut numpy = NumpyRandomState::new(0);
        for bad in [f64::NAN, -1.0, f64::NEG_INFINITY, -0.0] {
            assert!(matches!(numpy.gamma(bad, 1.0), Err(DrawError::BadParameter { name: "shape", .. })));
            assert!(matches!(numpy.gamma(1.0, bad), Err(DrawError::BadParameter { name: "scale", .. })));
        }
        assert_eq!(numpy.randint(3, 3), Err(DrawError::EmptyRange { low: 3, high: 3 }));
        assert_eq!(numpy, NumpyRandomState::new(0));
        assert_eq!(numpy.standard_gamma(0.0), Ok(0.0));
    }

    proptest! {
        #[test]
        fn continues_from_a_saved_state(seed: u32, draws in 0_usize..1300) {
            let mut numpy = NumpyRandomState::new(seed);
            for _ in 0..draws {
                numpy.next_u32();
            }
            let (words, position) = numpy.state();
            let mut restored = NumpyRandomState::from_state(words, position).unwrap();
            prop_assert_eq!(&restored, &numpy);
            prop_assert_eq!(restored.gamma(2.0, 1.0), numpy.gamma(2.0, 1.0));
        }

        #[test]
        fn gamma_ends_for_every_shape(seed: u32, bits in 0_u64..=f64::INFINITY.to_bits()) {
            let drawn = NumpyRandomState::new(seed).standard_gamma(f64::from_bits(bits)).unwrap();
            prop_assert!(drawn >= 0.0);
        }
    }
}

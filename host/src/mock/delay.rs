//! Distributions of delays, seeded so that the same seed gives the same delays.

use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// Longest delay that can be configured or drawn: one hour.
const MAX_MS: f64 = 3_600_000.0;

/// A delay in milliseconds, fixed or drawn anew each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always the same.
    Constant {
        /// The delay.
        ms: f64,
    },
    /// Any time of an interval, all equally likely.
    Uniform {
        /// The shortest.
        low_ms: f64,
        /// The longest.
        high_ms: f64,
    },
    /// Normal, with negative draws raised to 0.
    Normal {
        /// The mean before clamping.
        mean_ms: f64,
        /// The standard deviation before clamping.
        deviation_ms: f64,
    },
    /// Lognormal: the logarithm is normal.
    Lognormal {
        /// The median.
        median_ms: f64,
        /// The standard deviation of the natural logarithm.
        sigma: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        mean_ms: f64,
    },
}

impl Delay {
    /// A constant delay.
    pub const fn constant(ms: f64) -> Self {
        Self::Constant { ms }
    }

    /// Draws a delay in nanoseconds, between 0 and one hour.
    pub(super) fn sample_ns(&self, random: &mut SplitMix64) -> u64 {
        let ms = match *self {
            Self::Constant { ms } => ms,
            Self::Uniform { low_ms, high_ms } => low_ms + (high_ms - low_ms) * random.unit(),
            Self::Normal { mean_ms, deviation_ms } => mean_ms + deviation_ms * random.normal(),
            Self::Lognormal { median_ms, sigma } => median_ms * (sigma * random.normal()).exp(),
            Self::Exponential { mean_ms } => -mean_ms * (1.0 - random.unit()).ln(),
        };
        (ms.clamp(0.0, MAX_MS) * 1e6).round() as u64
    }
}

/// A text that does not name a delay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DelayError {
    /// No such distribution.
    #[error(
        "unknown distribution {0:?}: use a number of milliseconds, constant:MS, uniform:LOW,HIGH, \
         normal:MEAN,DEVIATION, lognormal:MEDIAN,SIGMA or exponential:MEAN"
    )]
    Distribution(String),
    /// Too many or too few numbers.
    #[error("{name} takes {expected} number(s), got {found}")]
    Count {
        /// The distribution.
        name: String,
        /// How many it takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// Not a number, negative, or beyond an hour.
    #[error("{0:?} is not a number from 0 to 3600000")]
    Number(String),
    /// An interval the wrong way round.
    #[error("uniform needs its low end first")]
    Order,
}

impl FromStr for Delay {
    type Err = DelayError;

    fn from_str(text: &str) -> Result<Self, DelayError> {
        let (name, list) = match text.split_once(':') {
            Some((name, list)) => (name.trim(), list),
            None if text.trim().starts_with(|c: char| c.is_ascii_digit() || ".+-".contains(c)) => {
                ("constant", text)
            }
            None => return Err(DelayError::Distribution(text.to_owned())),
        };
        let expected = match name {
            "constant" | "exponential" => 1,
            "uniform" | "normal" | "lognormal" => 2,
            _ => return Err(DelayError::Distribution(name.to_owned())),
        };
        let numbers = list.split(',').map(number).collect::<Result<Vec<_>, _>>()?;
        match (name, numbers.as_slice()) {
            ("constant", &[ms]) => Ok(Self::Constant { ms }),
            ("exponential", &[mean_ms]) => Ok(Self::Exponential { mean_ms }),
            ("uniform", &[low_ms, high_ms]) if low_ms > high_ms => Err(DelayError::Order),
            ("uniform", &[low_ms, high_ms]) => Ok(Self::Uniform { low_ms, high_ms }),
            ("normal", &[mean_ms, deviation_ms]) => Ok(Self::Normal { mean_ms, deviation_ms }),
            ("lognormal", &[median_ms, sigma]) => Ok(Self::Lognormal { median_ms, sigma }),
            _ => Err(DelayError::Count { name: name.to_owned(), expected, found: numbers.len() }),
        }
    }
}

fn number(text: &str) -> Result<f64, DelayError> {
    match text.trim().parse::<f64>() {
        Ok(value) if (0.0..=MAX_MS).contains(&value) => Ok(value),
        _ => Err(DelayError::Number(text.trim().to_owned())),
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { ms } => write!(f, "constant:{ms}"),
            Self::Uniform { low_ms, high_ms } => write!(f, "uniform:{low_ms},{high_ms}"),
            Self::Normal { mean_ms, deviation_ms } => write!(f, "normal:{mean_ms},{deviation_ms}"),
            Self::Lognormal { median_ms, sigma } => write!(f, "lognormal:{median_ms},{sigma}"),
            Self::Exponential { mean_ms } => write!(f, "exponential:{mean_ms}"),
        }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): one word of state, so that each
/// request can have a generator of its own and its delays do not depend on what
/// other requests do meanwhile.
#[derive(Debug, Clone)]
pub(super) struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The generator of request number `ordinal` under `seed`.
    pub(super) fn for_request(seed: u64, ordinal: u64) -> Self {
        let mut outer = Self { state: seed };
        let mut inner = Self { state: outer.next() ^ ordinal };
        Self { state: inner.next() }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform on `[0, 1)`.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by the Box-Muller transform.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean_ms(text: &str) -> f64 {
        let delay: Delay = text.parse().unwrap();
        let mut random = SplitMix64::for_request(7, 0);
        (0..100_000).map(|_| delay.sample_ns(&mut random) as f64 / 1e6).sum::<f64>() / 100_000.0
    }

    #[test]
    fn distributions_have_the_mean_they_promise() {
        assert_eq!(mean_ms("50"), 50.0);
        assert!((mean_ms("uniform:40,60") - 50.0).abs() < 0.1);
        assert!((mean_ms("normal:50,5") - 50.0).abs() < 0.1);
        assert!((mean_ms("exponential:50") - 50.0).abs() < 1.0);
        // The mean of a lognormal is its median times exp(sigma^2 / 2).
        assert!((mean_ms("lognormal:50,0.3") - 50.0 * 0.045f64.exp()).abs() < 0.3);
        // A standard normal clamped at 0 has the mean 1 / sqrt(2 pi).
        assert!((mean_ms("normal:0,1") - 0.398_942).abs() < 0.01);
    }

    #[test]
    fn the_same_seed_and_request_draw_the_same_delays() {
        let delay: Delay = "exponential:50".parse().unwrap();
        let draw = |seed, ordinal| {
            let mut random = SplitMix64::for_request(seed, ordinal);
            [delay.sample_ns(&mut random), delay.sample_ns(&mut random)]
        };
        assert_eq!(draw(1, 5), draw(1, 5));
        assert_ne!(draw(1, 5), draw(1, 6));
        assert_ne!(draw(1, 5), draw(2, 5));
    }

    #[test]
    fn texts_that_name_no_delay_are_refused() {
        for text in ["", "fast", "-1", "uniform:1", "uniform:2,1", "normal:1,2,3", "constant:", "nan", "inf"]
        {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
        assert!(matches!("constant:4e9".parse::<Delay>(), Err(DelayError::Number(_))));
    }

    proptest! {
        #[test]
        fn text_and_delay_agree(low in 0.0..1e6f64, width in 0.0..1e6f64) {
            for delay in [
                Delay::Constant { ms: low },
                Delay::Uniform { low_ms: low, high_ms: low + width },
                Delay::Normal { mean_ms: low, deviation_ms: width },
                Delay::Lognormal { median_ms: low, sigma: width },
                Delay::Exponential { mean_ms: low },
            ] {
                prop_assert_eq!(delay.to_string().parse::<Delay>(), Ok(delay));
            }
        }

        #[test]
        fn any_text_parses_or_fails_cleanly(text in ".{0,40}") {
            let _ = text.parse::<Delay>();
        }
    }
}

//! How long prompts and answers are, and which tokens a prompt begins with.

use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::MOST_PROMPT_TOKENS;

use crate::range_ratio::Ratios;

/// Limits of a draw, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Bounds {
    /// `length` give or take the share `ratio`, but no less than `least`.
    fn around(length: i64, ratio: f64, least: i64) -> Self {
        let length = length as f64;
        Self {
            low: ((length * (1.0 - ratio)).floor() as i64).max(least),
            high: ((length * (1.0 + ratio)).ceil() as i64).max(least),
        }
    }
}

/// Limits of all lengths of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LengthBounds {
    /// Tokens of a prompt after the prefix.
    pub(crate) input: Bounds,
    /// Tokens of an answer.
    pub(crate) output: Bounds,
}

impl LengthBounds {
    /// From the options. `specials` is how many tokens the tokenizer will add
    /// to each prompt; the input length counts them in. Fails when a prompt
    /// could be empty, then when a ratio is out of range, in this order, as the
    /// reference client does.
    pub(crate) fn new(
        input_len: i64,
        output_len: i64,
        prefix_len: i64,
        specials: u32,
        ratios: Ratios,
    ) -> Result<Self> {
        let least_input = (real_len(input_len, specials) as f64 * (1.0 - ratios.input)).floor() as i64;
        let least_total = prefix_len.saturating_add(least_input);
        if least_total < 1 {
            return Err(Error::config(format!(
                "too small: with {specials} special tokens and a range ratio of {}, a prompt could have {least_total} tokens besides them; raise --random-input-len or --random-prefix-len, or lower --random-range-ratio",
                ratios.input
            ))
            .key("input_len"));
        }
        Self::with_empty(input_len, output_len, prefix_len, specials, ratios)
    }

    /// As [`Self::new`], but a prompt may be empty.
    pub(crate) fn with_empty(
        input_len: i64,
        output_len: i64,
        prefix_len: i64,
        specials: u32,
        ratios: Ratios,
    ) -> Result<Self> {
        let real_input_len = real_len(input_len, specials);
        for (what, ratio) in [("input", ratios.input), ("output", ratios.output)] {
            if !(0.0..1.0).contains(&ratio) {
                return Err(Error::config(format!(
                    "the {what} range ratio is {ratio}, but has to be at least 0 and below 1: a length L varies from L*(1-ratio) to L*(1+ratio)"
                ))
                .key("range_ratio"));
            }
        }
        let bounds = Self {
            input: Bounds::around(real_input_len, ratios.input, 0),
            output: Bounds::around(output_len, ratios.output, 1),
        };
        if prefix_len.saturating_add(bounds.input.high) > MOST_PROMPT_TOKENS {
            return Err(Error::config(format!("a prompt could have more than {MOST_PROMPT_TOKENS} tokens"))
                .key("input_len"));
        }
        Ok(bounds)
    }
}

/// What is left of a prompt's length for tokens that are drawn.
fn real_len(input_len: i64, specials: u32) -> i64 {
    input_len.saturating_sub(specials.into()).max(0)
}

/// A vector of draws within bounds, of which one element after the other is
/// made when it is asked for.
///
/// The reference client draws three vectors of one element a request before
/// all else. Copies of the generator, each set to where a vector begins, give
/// the same numbers in memory that does not grow with the number of requests.
#[derive(Debug, Clone)]
pub(crate) struct DrawnVector {
    generator: NumpyGenerator,
    bounds: Bounds,
}

impl DrawnVector {
    /// The vector of `count` elements that `generator` draws next; the
    /// generator is left behind its end.
    pub(crate) fn draw(generator: &mut NumpyGenerator, bounds: Bounds, count: u64) -> Result<Self> {
        let mut vector = Self { generator: generator.clone(), bounds };
        let begin = vector.clone();
        // A single possible value is not drawn.
        if bounds.low != bounds.high {
            for _ in 0..count {
                vector.next()?;
            }
        }
        *generator = vector.generator;
        Ok(begin)
    }

    /// The largest element that there can be.
    pub(crate) fn most(&self) -> usize {
        usize::try_from(self.bounds.high).unwrap_or(0)
    }

    /// The next element.
    pub(crate) fn next(&mut self) -> Result<i64> {
        let end = self.bounds.high.saturating_add(1);
        self.generator.integers(self.bounds.low, end).map_err(|error| Error::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(input: i64, output: i64, prefix: i64, specials: u32, ratio: f64) -> Result<LengthBounds> {
        LengthBounds::new(input, output, prefix, specials, Ratios { input: ratio, output: ratio })
    }

    /// `default_rng(0)`, five draws of `integers(716, 1333)`, `integers(89, 168)`
    /// and `integers(0, 50257)`, by numpy.
    #[test]
    fn vectors_are_drawn_one_after_the_other() {
        let found = bounds(1024, 128, 0, 0, 0.3).unwrap();
        assert_eq!(found.input, Bounds { low: 716, high: 1332 });
        assert_eq!(found.output, Bounds { low: 89, high: 167 });
        let mut generator = NumpyGenerator::new(0);
        let vectors = [found.input, found.output, Bounds { low: 0, high: 50256 }];
        let vectors = vectors.map(|bounds| DrawnVector::draw(&mut generator, bounds, 5).unwrap());
        let drawn = vectors.map(|mut vector| [(); 5].map(|()| vector.next().unwrap()));
        assert_eq!(drawn[0], [1240, 1109, 1031, 882, 905]);
        assert_eq!(drawn[1], [92, 94, 90, 102, 153]);
        assert_eq!(drawn[2], [32637, 45872, 25310, 30487, 48786]);
    }

    #[test]
    fn a_single_value_is_not_drawn() {
        let mut generator = NumpyGenerator::new(0);
        let mut vector = DrawnVector::draw(&mut generator, Bounds { low: 7, high: 7 }, u64::MAX).unwrap();
        assert_eq!((vector.next().unwrap(), vector.next().unwrap()), (7, 7));
        assert_eq!(generator, NumpyGenerator::new(0));
    }

    #[test]
    fn specials_are_counted_in_and_answers_have_a_token() {
        let found = bounds(10, 0, 0, 2, 0.0).unwrap();
        assert_eq!(found.input, Bounds { low: 8, high: 8 });
        assert_eq!(found.output, Bounds { low: 1, high: 1 });
        assert_eq!(bounds(0, 4, 17, 2, 0.0).unwrap().input, Bounds { low: 0, high: 0 });
    }

    #[test]
    fn a_prompt_that_could_be_empty_is_reported_before_the_ratio() {
        let key = |result: Result<LengthBounds>| result.unwrap_err().config_key.unwrap();
        assert_eq!(key(bounds(20, 4, 0, 0, 1.0)), "input_len");
        assert_eq!(key(bounds(20, 4, 5, 0, 1.0)), "range_ratio");
        assert_eq!(key(bounds(20, 4, 5, 0, -0.1)), "range_ratio");
        assert_eq!(key(bounds(2, 4, 0, 2, 0.0)), "input_len");
        assert_eq!(key(bounds(i64::MAX, 4, i64::MAX, 0, 0.0)), "input_len");
        assert!(bounds(20, i64::MAX, 5, 0, 0.5).is_ok());
    }
}

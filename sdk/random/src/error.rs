//! What can be wrong with the arguments of a draw or with a restored state.

use std::error::Error;
use std::fmt;

use crate::STATE_WORDS;

/// The arguments of a draw describe no distribution. Nothing was drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum DrawError {
    /// A range without a number in it.
    EmptyRange {
        /// The lowest number of the range.
        low: i64,
        /// The bound of the range.
        high: i64,
    },
    /// A choice from nothing.
    NothingToChooseFrom,
    /// More wanted, without replacement, than there are.
    SampleTooLarge {
        /// How many were wanted.
        wanted: usize,
        /// How many there are.
        available: usize,
    },
    /// Weights that are not probabilities: none, one that is negative or not a
    /// number, or a sum other than 1.
    NotProbabilities {
        /// The sum of the weights.
        sum: f64,
    },
    /// A parameter of a distribution that is negative or not a number.
    BadParameter {
        /// Its name.
        name: &'static str,
        /// Its value.
        value: f64,
    },
}

impl fmt::Display for DrawError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyRange { low, high } => {
                write!(
                    f,
                    "no number to draw between {low} and {high}: the bound must be above the lowest number"
                )
            }
            Self::NothingToChooseFrom => f.write_str("cannot choose from an empty sequence"),
            Self::SampleTooLarge { wanted, available } => {
                write!(f, "cannot draw {wanted} of {available} without replacement")
            }
            Self::NotProbabilities { sum } => {
                write!(f, "the weights must be non-negative probabilities with sum 1, theirs is {sum}")
            }
            Self::BadParameter { name, value } => {
                write!(f, "the {name} of a distribution must not be negative or NaN, it is {value}")
            }
        }
    }
}

impl Error for DrawError {}

/// A state that no Mersenne Twister can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateError {
    /// Not [`STATE_WORDS`] words.
    WordCount(usize),
    /// A position after the last word.
    Position(u32),
    /// All of the words that count are zero: such a generator gives zeros for
    /// ever, and a draw by rejection would never end.
    Zero,
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WordCount(count) => {
                write!(f, "the state of a Mersenne Twister has {STATE_WORDS} words, this one has {count}")
            }
            Self::Position(position) => {
                write!(f, "the position in a Mersenne Twister is 0 to {STATE_WORDS}, this one is {position}")
            }
            Self::Zero => f.write_str("the state of a Mersenne Twister must not be all zero"),
        }
    }
}

impl Error for StateError {}

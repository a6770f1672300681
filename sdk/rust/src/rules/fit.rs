//! Texts of an exact number of tokens.
//!
//! Decoding random tokens and encoding the text again rarely gives the same
//! tokens. The reference client repeats the two until the number is right,
//! cutting off what is too much and drawing what is missing. The draws of all
//! requests come from one generator, in the order of the requests, so they
//! decide the result; everything else is independent. [`Fitter`] therefore has
//! many requests on their way at once, sends all that can go on through the
//! tokenizer in one call, and lets a request draw only when all before it are
//! done.

use std::collections::VecDeque;

use crate::generators::{NumpyGenerator, NumpyRandomState};
use crate::tokenizer::{self, TokenLists};
use crate::{Error, Result};

/// How often a sequence is mended before it is taken as it is.
const RETRIES: u32 = 10;

/// Which draw is made: the sequence it is for, counted in the order in which
/// sequences were begun, and how many draws this sequence has had before at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Number of the sequence, from 0.
    pub sequence: u64,
    /// Differs between the draws of a sequence.
    pub round: u32,
}

/// A generator that missing tokens are drawn from.
pub trait TokenDraws {
    /// All draws come from one stream, so a sequence draws only when all before
    /// it are done.
    const IN_ORDER: bool = true;

    /// Appends `count` ids below `vocab_size`.
    fn draw(&mut self, draw: Draw, vocab_size: u32, count: usize, ids: &mut Vec<u32>) -> Result<()>;
}

/// A stream of its own for every draw of every sequence, so that sequences do
/// not wait for each other. The same seed gives the same tokens, but they are
/// not those of the reference client.
#[derive(Debug, Clone, Copy)]
pub struct Substreams {
    seed: u64,
}

impl Substreams {
    /// The streams of a run's seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The stream of a draw.
    fn stream(self, draw: Draw) -> NumpyGenerator {
        // SplitMix64's finaliser (Steele, Lea and Flood 2014), once for each number that goes in.
        let mixed =
            [self.seed, draw.sequence, u64::from(draw.round)].into_iter().fold(0, |state: u64, number| {
                let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                z ^ (z >> 31)
            });
        NumpyGenerator::new(mixed)
    }
}

impl TokenDraws for Substreams {
    const IN_ORDER: bool = false;

    fn draw(&mut self, draw: Draw, vocab_size: u32, count: usize, ids: &mut Vec<u32>) -> Result<()> {
        self.stream(draw).draw(draw, vocab_size, count, ids)
    }
}

impl TokenDraws for NumpyGenerator {
    fn draw(&mut self, _: Draw, vocab_size: u32, count: usize, ids: &mut Vec<u32>) -> Result<()> {
        let drawn = self.integers_vec(0, vocab_size.into(), count).map_err(no_vocabulary)?;
        ids.extend(drawn.into_iter().map(|id| id as u32));
        Ok(())
    }
}

impl TokenDraws for NumpyRandomState {
    fn draw(&mut self, _: Draw, vocab_size: u32, count: usize, ids: &mut Vec<u32>) -> Result<()> {
        let drawn = self.randint_vec(0, vocab_size.into(), count).map_err(no_vocabulary)?;
        ids.extend(drawn.into_iter().map(|id| id as u32));
        Ok(())
    }
}

fn no_vocabulary(_: impl std::error::Error) -> Error {
    Error::config("the tokenizer's vocabulary is empty, so no tokens can be drawn from it")
}

/// How much is on its way at once. It changes speed and memory, never the result.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Most sequences that are not done.
    pub unfinished: usize,
    /// Most sequences, those included that are done but wait for an earlier one.
    pub sequences: usize,
    /// Most tokens of all; a single sequence may be longer.
    pub tokens: usize,
}

impl Default for Window {
    fn default() -> Self {
        Self { unfinished: 128, sequences: 1024, tokens: 1 << 20 }
    }
}

/// A text, and the tokens it encodes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// Its tokens, special tokens not added.
    pub ids: Vec<u32>,
    /// How many were wanted.
    pub target: usize,
}

impl Fitted {
    /// How many tokens there are more than wanted; negative for fewer.
    pub fn mismatch(&self) -> i64 {
        self.ids.len() as i64 - self.target as i64
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Has to be decoded and encoded.
    RoundTrip,
    /// Has to draw what is missing first.
    Draw,
    Done,
}

struct Sequence {
    number: u64,
    fitted: Fitted,
    retries: u32,
    step: Step,
}

/// Sequences on their way, in the order of their requests.
pub struct Fitter {
    vocab_size: u32,
    window: Window,
    sequences: VecDeque<Sequence>,
    unfinished: usize,
    tokens: usize,
    /// Sequences begun so far.
    begun: u64,
    /// The sequences of a wave end to end, and where they stand.
    wave: TokenLists,
    members: Vec<usize>,
    /// Memory of sequences that are done with.
    spare: Vec<Vec<u32>>,
}

impl Fitter {
    /// Draws missing tokens from `0..vocab_size`.
    pub fn new(vocab_size: u32, window: Window) -> Self {
        Self {
            vocab_size,
            window,
            sequences: VecDeque::new(),
            unfinished: 0,
            tokens: 0,
            begun: 0,
            wave: TokenLists { ids: Vec::new(), ends: Vec::new() },
            members: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Whether the window has room for a further sequence of this length.
    pub fn has_room(&self, target: usize) -> bool {
        self.sequences.is_empty()
            || (self.unfinished < self.window.unfinished
                && self.sequences.len() < self.window.sequences
                && self.tokens.saturating_add(target) <= self.window.tokens)
    }

    /// Takes a further sequence, which `fill` writes, to become `target` tokens
    /// long.
    pub fn push(&mut self, target: usize, fill: impl FnOnce(&mut Vec<u32>)) {
        let mut ids = self.spare.pop().unwrap_or_default();
        ids.clear();
        fill(&mut ids);
        let fitted = Fitted { text: String::new(), ids, target };
        let number = self.begun;
        self.begun += 1;
        self.sequences.push_back(Sequence { number, fitted, retries: RETRIES, step: Step::RoundTrip });
        self.unfinished += 1;
        self.tokens = self.tokens.saturating_add(target);
    }

    /// How many sequences are on their way or wait to be taken.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are no sequences.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// The first sequence, if it is done.
    pub fn pop(&mut self) -> Option<Fitted> {
        let first = self.sequences.pop_front_if(|first| first.step == Step::Done)?;
        self.tokens = self.tokens.saturating_sub(first.fitted.target);
        Some(first.fitted)
    }

    /// Gives back memory for sequences to come.
    pub fn recycle(&mut self, ids: Vec<u32>) {
        if self.spare.len() < self.window.sequences {
            self.spare.push(ids);
        }
    }

    /// Sends everything that can go on through the tokenizer once. At least the
    /// first sequence that is not done can.
    pub fn advance<D: TokenDraws>(&mut self, draws: &mut D) -> Result<()> {
        self.wave.ids.clear();
        self.wave.ends.clear();
        self.members.clear();
        let mut all_before_done = true;
        for (place, sequence) in self.sequences.iter_mut().enumerate() {
            match sequence.step {
                Step::Done => continue,
                Step::Draw if all_before_done || !D::IN_ORDER => {
                    let fitted = &mut sequence.fitted;
                    let missing = fitted.target.saturating_sub(fitted.ids.len());
                    let draw = Draw { sequence: sequence.number, round: sequence.retries };
                    draws.draw(draw, self.vocab_size, missing, &mut fitted.ids)?;
                }
                Step::Draw => continue,
                Step::RoundTrip => {}
            }
            all_before_done = false;
            self.wave.push(&sequence.fitted.ids);
            self.members.push(place);
        }
        if self.members.is_empty() {
            return Ok(());
        }
        let round = tokenizer::round_trip(&self.wave)?;
        if round.texts.len() != self.members.len() || round.tokens.len() != self.members.len() {
            return Err(Error::internal("the host gave another number of texts than there were sequences"));
        }
        for ((&place, text), ids) in self.members.iter().zip(round.texts).zip(round.tokens.iter()) {
            let sequence = &mut self.sequences[place];
            sequence.take(text, ids);
            if sequence.step == Step::Done {
                self.unfinished -= 1;
            }
        }
        Ok(())
    }

    /// Brings one sequence to its length, alone.
    pub fn fit_one(&mut self, ids: Vec<u32>, target: usize, draws: &mut impl TokenDraws) -> Result<Fitted> {
        if !self.is_empty() {
            return Err(Error::internal("other sequences are on their way"));
        }
        self.push(target, |own| *own = ids);
        loop {
            self.advance(draws)?;
            if let Some(fitted) = self.pop() {
                return Ok(fitted);
            }
        }
    }
}

impl Sequence {
    /// Takes what a round gave, and says what has to happen next.
    fn take(&mut self, text: String, ids: &[u32]) {
        let fitted = &mut self.fitted;
        fitted.ids.clear();
        fitted.ids.extend_from_slice(ids);
        if self.retries == 0 || ids.len() == fitted.target {
            fitted.text = text;
            self.step = Step::Done;
            return;
        }
        self.retries -= 1;
        self.step = if ids.len() < fitted.target { Step::Draw } else { Step::RoundTrip };
        fitted.ids.truncate(fitted.target);
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;

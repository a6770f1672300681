//! The dataset `prefix_repetition`: random prompts of which many begin with the
//! same tokens, to see what a prefix cache is worth.
//!
//! All draws come from the reference client's process-wide generators, which
//! vLLM 0.33 seeds anew for this dataset: tokens from legacy numpy's, the order
//! from CPython's. Each sequence begins where the one before has stopped
//! drawing, so they are made one after the other, up to the last that a page of
//! samples needs. A shuffle permutes the finished prompts, so that the first page
//! needs nearly all of them; then they are made when the dataset is opened, which
//! may take longer than a page. Neither can they go through the tokenizer many at
//! once: where a sequence begins to draw is known when the one before is done. With
//! `--sampling parallel` each has draws of its own, so they are made when they
//! are asked for, many at once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use vbench_plugin::generators::{NumpyRandomState, PythonRandom};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Draw, Fitter, MOST_PROMPT_TOKENS, Substreams, TokenDraws, Window};
use vbench_plugin::tokenizer::TokenLists;
use vbench_plugin::{log, tokenizer};

use crate::prompts::{tokenizer_for, warn_of_mismatch};
use crate::sampling::Sampling;

/// Tokens of prompts that are decoded in one call.
const DECODED_AT_ONCE: usize = 1 << 20;

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-align-prompts" = true))]
pub struct PrefixRepetitionConfig {
    /// Tokens that prompts have in common.
    #[serde(default = "part_len")]
    #[schemars(range(min = 0))]
    prefix_len: i64,
    /// Tokens that follow, different in every prompt.
    #[serde(default = "part_len")]
    #[schemars(range(min = 0))]
    suffix_len: i64,
    /// Number of different beginnings.
    #[serde(default = "num_prefixes")]
    #[schemars(range(min = 1))]
    num_prefixes: i64,
    /// Tokens of an answer.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    /// Send all prompts also where their number does not divide by that of the beginnings: the first ones get one more each. vLLM 0.33 leaves out the remainder.
    #[serde(default)]
    keep_remainder: bool,
    /// Send the prompts of one beginning after the other.
    #[serde(default)]
    #[schemars(extend("x-flag" = "disable-shuffle"))]
    disable_shuffle: bool,
    /// How prompts are made: serial, those of vLLM 0.33; or parallel, others, sooner, on all cores.
    #[serde(default)]
    #[schemars(extend("x-flag" = "sampling"))]
    sampling: Sampling,
}

fn part_len() -> i64 {
    256
}

fn num_prefixes() -> i64 {
    10
}

fn output_len() -> i64 {
    128
}

/// Prompts with common beginnings.
pub struct PrefixRepetition {
    output_len: i64,
    prefix_len: usize,
    suffix_len: usize,
    vocab_size: u32,
    groups: Groups,
    fitter: Fitter,
    source: Source,
    random: PythonRandom,
    /// The beginnings that have been made.
    prefixes: BTreeMap<usize, Vec<u32>>,
    /// Numbers of the prompts that are still to be given out, the next one last.
    left: Vec<usize>,
    mismatch: i64,
    dropped: u64,
}

/// Which prompts have a beginning in common: those of consecutive numbers, the
/// first groups with one more than the others.
#[derive(Debug, Clone, Copy)]
struct Groups {
    /// Prompts of a group.
    each: usize,
    /// Groups with one more.
    larger: usize,
}

impl Groups {
    /// The group of a prompt.
    fn of(self, number: usize) -> usize {
        let in_larger = self.larger * (self.each + 1);
        match number.checked_sub(in_larger) {
            None => number / (self.each + 1),
            Some(after) => self.larger + after / self.each,
        }
    }
}

/// Where tokens come from.
enum Source {
    /// One stream.
    Serial(Box<Serial>),
    /// A stream for each prompt.
    Parallel(Substreams),
}

struct Serial {
    numpy: NumpyRandomState,
    /// What it gave for each prompt, as far as it has been asked.
    suffixes: Vec<Vec<u32>>,
}

/// Number of the draw that begins a sequence; later ones are those of the fitter.
const FIRST_DRAW: u32 = u32::MAX;

impl Dataset for PrefixRepetition {
    type Config = PrefixRepetitionConfig;
    const NAME: &'static str = "prefix_repetition";
    const SUMMARY: &'static str = "Random prompts of which many begin with the same tokens.";

    fn open(cx: &DatasetContext, config: PrefixRepetitionConfig) -> Result<Self> {
        let info = tokenizer_for(Self::NAME)?;
        if config.prefix_len.saturating_add(config.suffix_len) > MOST_PROMPT_TOKENS {
            return Err(Error::config(format!("a prompt would have more than {MOST_PROMPT_TOKENS} tokens"))
                .key("suffix_len"));
        }
        let each = cx.count / config.num_prefixes;
        if each < 1 {
            return Err(Error::config(format!(
                "num_requests ({}) must be greater than or equal to num_prefixes ({})",
                cx.count, config.num_prefixes
            ))
            .key("num_prefixes"));
        }
        let remainder = cx.count % config.num_prefixes;
        // None of these is negative.
        let groups = Groups {
            each: each as usize,
            larger: if config.keep_remainder { remainder as usize } else { 0 },
        };
        let count = if config.keep_remainder { cx.count } else { each * config.num_prefixes } as usize;
        let source = match config.sampling {
            Sampling::Serial => {
                let numpy = NumpyRandomState::new(rules::numpy_seed(cx.seed)?);
                Source::Serial(Box::new(Serial { numpy, suffixes: Vec::new() }))
            }
            Sampling::Parallel => Source::Parallel(Substreams::new(cx.seed)),
        };
        let mut random = PythonRandom::new(cx.seed);
        let mut left: Vec<usize> = (0..count).collect();
        if !config.disable_shuffle {
            random.shuffle(&mut left);
        }
        left.reverse();
        let mut this = Self {
            output_len: config.output_len,
            prefix_len: config.prefix_len as usize,
            suffix_len: config.suffix_len as usize,
            vocab_size: info.vocab_size,
            groups,
            fitter: Fitter::new(info.vocab_size, Window::default()),
            source,
            random,
            prefixes: BTreeMap::new(),
            left,
            mismatch: 0,
            dropped: if config.keep_remainder { 0 } else { remainder.unsigned_abs() },
        };
        if !config.disable_shuffle {
            this.make_in_turn(count)?;
        }
        Ok(this)
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let most = self.prefix_len + self.suffix_len;
        let count = max.min((DECODED_AT_ONCE / most.max(1)).max(1)).min(self.left.len());
        let page: Vec<usize> = self.left.drain(self.left.len() - count..).rev().collect();
        let suffixes = self.suffixes(&page)?;
        let mut prompts = TokenLists { ids: Vec::new(), ends: Vec::new() };
        let mut lengths = Vec::new();
        for (number, suffix) in page.into_iter().zip(suffixes) {
            let prefix = self.prefixes.get(&self.groups.of(number)).map_or(&[][..], Vec::as_slice);
            let prompt = [prefix, &suffix].concat();
            lengths.push(prompt.len() as u64);
            prompts.push(&prompt);
        }
        if lengths.is_empty() {
            return Ok(Vec::new());
        }
        // Nobody counts again, so the text may have another number of tokens.
        let texts = tokenizer::decode(&prompts, false)?;
        let sample = |(text, length)| Sample::new(Turn::text(text, length, self.output_len));
        Ok(texts.into_iter().zip(lengths).map(sample).collect())
    }

    fn finish(&mut self) -> Result<Summary> {
        warn_of_mismatch("the tokens of beginnings and continuations", self.mismatch);
        if self.dropped > 0 {
            log::warn(format!(
                "{} prompts are left out, since every beginning gets the same number; --prefix-repetition-keep-remainder sends all",
                self.dropped
            ));
        }
        Ok(Summary {
            python_random: Some(rules::python_state(&self.random)),
            numpy_random: match &self.source {
                Source::Serial(serial) => Some(rules::numpy_state(&serial.numpy)),
                Source::Parallel(_) => None,
            },
            ..Summary::default()
        })
    }
}

impl PrefixRepetition {
    /// Makes the first `count` prompts as far as they are not made yet, one after
    /// the other, each group's beginning before its first; nothing where every
    /// prompt has draws of its own.
    fn make_in_turn(&mut self, count: usize) -> Result<()> {
        let Self { source, fitter, groups, prefixes, mismatch, .. } = self;
        let Source::Serial(serial) = source else { return Ok(()) };
        let mut sequence = |length: usize| {
            let ids = drawn(&mut serial.numpy, 0, self.vocab_size, length)?;
            let fitted = fitter.fit_one(ids, length, &mut serial.numpy)?;
            *mismatch = mismatch.saturating_add(fitted.mismatch());
            let mut ids = fitted.ids;
            // It may have been longer on the way, and is kept until the prompt's turn comes.
            ids.shrink_to_fit();
            Ok(ids)
        };
        for number in serial.suffixes.len()..count {
            if let Entry::Vacant(group) = prefixes.entry(groups.of(number)) {
                group.insert(sequence(self.prefix_len)?);
            }
            serial.suffixes.push(sequence(self.suffix_len)?);
        }
        Ok(())
    }

    /// Makes the beginnings that a page needs, where they have draws of their own.
    fn make_prefixes(&mut self, page: &[usize]) -> Result<()> {
        let Source::Parallel(streams) = &mut self.source else { return Ok(()) };
        for group in page.iter().map(|&number| self.groups.of(number)) {
            if let Entry::Vacant(prefix) = self.prefixes.entry(group) {
                // Counted from the end, where no prompt is.
                let ids = drawn(streams, u64::MAX - group as u64, self.vocab_size, self.prefix_len)?;
                let fitted = self.fitter.fit_one(ids, self.prefix_len, streams)?;
                self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
                prefix.insert(fitted.ids);
            }
        }
        Ok(())
    }

    /// What follows the beginnings in the prompts of a page, by their numbers.
    fn suffixes(&mut self, page: &[usize]) -> Result<Vec<Vec<u32>>> {
        self.make_in_turn(page.iter().max().map_or(0, |last| last + 1))?;
        self.make_prefixes(page)?;
        match &mut self.source {
            Source::Serial(serial) => {
                Ok(page.iter().map(|&number| std::mem::take(&mut serial.suffixes[number])).collect())
            }
            Source::Parallel(streams) => {
                let mut made = Vec::with_capacity(page.len());
                let mut waiting = page.iter();
                loop {
                    while self.fitter.has_room(self.suffix_len) {
                        let Some(&number) = waiting.next() else { break };
                        let ids = drawn(streams, number as u64, self.vocab_size, self.suffix_len)?;
                        self.fitter.push(self.suffix_len, |own| *own = ids);
                    }
                    if self.fitter.is_empty() {
                        return Ok(made);
                    }
                    self.fitter.advance(streams)?;
                    while let Some(fitted) = self.fitter.pop() {
                        self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
                        made.push(fitted.ids);
                    }
                }
            }
        }
    }
}

/// The tokens that a sequence begins with.
fn drawn(draws: &mut impl TokenDraws, sequence: u64, vocab_size: u32, length: usize) -> Result<Vec<u32>> {
    let mut ids = Vec::with_capacity(length);
    draws.draw(Draw { sequence, round: FIRST_DRAW }, vocab_size, length, &mut ids)?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_groups_have_one_more() {
        let groups = Groups { each: 2, larger: 1 };
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|number| groups.of(number)), [0, 0, 0, 1, 1, 2, 2]);
        let even = Groups { each: 3, larger: 0 };
        assert_eq!([0, 2, 3, 5, 6].map(|number| even.of(number)), [0, 0, 1, 1, 2]);
    }
}

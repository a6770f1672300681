//! The dataset `prefix_repetition`: random prompts of which many begin with the
//! same tokens, to see what a prefix cache is worth.
//!
//! All draws come from the reference client's process-wide generators, which
//! vLLM 0.33 seeds anew for this dataset: tokens from legacy numpy's, the order
//! from CPython's. Each sequence begins where the one before has stopped
//! drawing, so they are made one after the other, all before the first is sent
//! since they are shuffled. With `--sampling parallel` each has draws of its
//! own, so they are made when they are asked for, many at once.

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
    suffix_len: usize,
    vocab_size: u32,
    fitter: Fitter,
    source: Source,
    random: PythonRandom,
    prefixes: Vec<Vec<u32>>,
    /// Beginning and number of each prompt, the next one last.
    left: Vec<(usize, usize)>,
    mismatch: i64,
    dropped: u64,
}

/// Where tokens come from.
enum Source {
    /// One stream, and what it gave for each prompt.
    Serial(Box<NumpyRandomState>, Vec<Vec<u32>>),
    /// A stream for each prompt.
    Parallel(Substreams),
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
        let remainder = (cx.count % config.num_prefixes).unsigned_abs();
        // Neither length is negative.
        let (prefix_len, suffix_len) = (config.prefix_len as usize, config.suffix_len as usize);
        let source = match config.sampling {
            Sampling::Serial => {
                Source::Serial(Box::new(NumpyRandomState::new(rules::numpy_seed(cx.seed)?)), Vec::new())
            }
            Sampling::Parallel => Source::Parallel(Substreams::new(cx.seed)),
        };
        let mut this = Self {
            output_len: config.output_len,
            suffix_len,
            vocab_size: info.vocab_size,
            fitter: Fitter::new(info.vocab_size, Window::default()),
            source,
            random: PythonRandom::new(cx.seed),
            prefixes: Vec::new(),
            left: Vec::new(),
            mismatch: 0,
            dropped: if config.keep_remainder { 0 } else { remainder },
        };
        for number in 0..config.num_prefixes as usize {
            let prefix = this.make_prefix(number, prefix_len)?;
            this.prefixes.push(prefix);
            let more = config.keep_remainder && (number as u64) < remainder;
            for _ in 0..each + i64::from(more) {
                this.make_suffix()?;
                this.left.push((number, this.left.len()));
            }
        }
        if !config.disable_shuffle {
            this.random.shuffle(&mut this.left);
        }
        this.left.reverse();
        Ok(this)
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let most = self.prefixes.first().map_or(0, Vec::len) + self.suffix_len;
        let count = max.min((DECODED_AT_ONCE / most.max(1)).max(1)).min(self.left.len());
        let page: Vec<(usize, usize)> = self.left.drain(self.left.len() - count..).rev().collect();
        let suffixes = self.suffixes(&page)?;
        let mut prompts = TokenLists { ids: Vec::new(), ends: Vec::new() };
        let mut lengths = Vec::new();
        for ((prefix, _), suffix) in page.into_iter().zip(suffixes) {
            let prompt = [self.prefixes[prefix].as_slice(), &suffix].concat();
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
                Source::Serial(numpy, _) => Some(rules::numpy_state(numpy)),
                Source::Parallel(_) => None,
            },
            ..Summary::default()
        })
    }
}

impl PrefixRepetition {
    /// A beginning.
    fn make_prefix(&mut self, number: usize, length: usize) -> Result<Vec<u32>> {
        match &mut self.source {
            Source::Serial(numpy, _) => {
                let ids = drawn(numpy.as_mut(), 0, self.vocab_size, length)?;
                let fitted = self.fitter.fit_one(ids, length, numpy.as_mut())?;
                self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
                Ok(fitted.ids)
            }
            Source::Parallel(streams) => {
                // Counted from the end, where no prompt is.
                let ids = drawn(streams, u64::MAX - number as u64, self.vocab_size, length)?;
                let fitted = self.fitter.fit_one(ids, length, streams)?;
                self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
                Ok(fitted.ids)
            }
        }
    }

    /// Makes what follows the beginning in the next prompt, where it has to be
    /// made in its turn.
    fn make_suffix(&mut self) -> Result<()> {
        let Source::Serial(numpy, suffixes) = &mut self.source else { return Ok(()) };
        let ids = drawn(numpy.as_mut(), 0, self.vocab_size, self.suffix_len)?;
        let fitted = self.fitter.fit_one(ids, self.suffix_len, numpy.as_mut())?;
        self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
        suffixes.push(fitted.ids);
        Ok(())
    }

    /// What follows the beginnings in the prompts of a page, by their numbers.
    fn suffixes(&mut self, page: &[(usize, usize)]) -> Result<Vec<Vec<u32>>> {
        match &mut self.source {
            Source::Serial(_, suffixes) => {
                Ok(page.iter().map(|&(_, number)| std::mem::take(&mut suffixes[number])).collect())
            }
            Source::Parallel(streams) => {
                let mut made = Vec::with_capacity(page.len());
                let mut waiting = page.iter();
                loop {
                    while self.fitter.has_room(self.suffix_len) {
                        let Some(&(_, number)) = waiting.next() else { break };
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

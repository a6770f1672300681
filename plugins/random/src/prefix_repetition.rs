//! The dataset `prefix_repetition`: random prompts of which many begin with the
//! same tokens, to see what a prefix cache is worth.
//!
//! All draws come from the reference client's process-wide generators, which
//! vLLM 0.33 seeds anew for this dataset: tokens from legacy numpy's, the order
//! from CPython's. Each sequence begins where the one before has stopped
//! drawing, so they are made one after the other.

use vbench_plugin::generators::{NumpyRandomState, PythonRandom};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Fitter, TokenDraws, Window};
use vbench_plugin::tokenizer::TokenLists;
use vbench_plugin::{log, tokenizer};

use crate::lengths::MOST_TOKENS;
use crate::prompts::{tokenizer_for, warn_of_mismatch};

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
    numpy: NumpyRandomState,
    random: PythonRandom,
    prefixes: Vec<Vec<u32>>,
    /// Which beginning each prompt has, and what follows; the next one last.
    left: Vec<(usize, Vec<u32>)>,
    mismatch: i64,
    dropped: u64,
}

impl Dataset for PrefixRepetition {
    type Config = PrefixRepetitionConfig;
    const NAME: &'static str = "prefix_repetition";
    const SUMMARY: &'static str = "Random prompts of which many begin with the same tokens.";

    fn open(cx: &DatasetContext, config: PrefixRepetitionConfig) -> Result<Self> {
        let info = tokenizer_for(Self::NAME)?;
        if config.prefix_len.saturating_add(config.suffix_len) > MOST_TOKENS {
            return Err(Error::config(format!("a prompt would have more than {MOST_TOKENS} tokens"))
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
        let mut this = Self {
            output_len: config.output_len,
            numpy: NumpyRandomState::new(rules::numpy_seed(cx.seed)?),
            random: PythonRandom::new(cx.seed),
            prefixes: Vec::new(),
            left: Vec::new(),
            mismatch: 0,
            dropped: if config.keep_remainder { 0 } else { remainder },
        };
        let mut fitter = Fitter::new(info.vocab_size, Window::default());
        // Neither length is negative.
        let (prefix_len, suffix_len) = (config.prefix_len as usize, config.suffix_len as usize);
        for number in 0..config.num_prefixes as usize {
            let prefix = this.fit(&mut fitter, info.vocab_size, prefix_len)?;
            this.prefixes.push(prefix);
            let more = config.keep_remainder && (number as u64) < remainder;
            for _ in 0..each + i64::from(more) {
                let suffix = this.fit(&mut fitter, info.vocab_size, suffix_len)?;
                this.left.push((number, suffix));
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
        let mut prompts = TokenLists { ids: Vec::new(), ends: Vec::new() };
        let mut lengths = Vec::new();
        while lengths.len() < max && prompts.ids.len() < DECODED_AT_ONCE {
            let Some((number, suffix)) = self.left.pop() else { break };
            let prompt = [self.prefixes[number].as_slice(), &suffix].concat();
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
            numpy_random: Some(rules::numpy_state(&self.numpy)),
            ..Summary::default()
        })
    }
}

impl PrefixRepetition {
    /// Draws a sequence and brings it to its length.
    fn fit(&mut self, fitter: &mut Fitter, vocab_size: u32, length: usize) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(length);
        self.numpy.draw(vocab_size, length, &mut ids)?;
        let fitted = fitter.fit_one(ids, length, &mut self.numpy)?;
        self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
        Ok(fitted.ids)
    }
}

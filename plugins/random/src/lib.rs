//! The dataset `random`: prompts of random tokens, whose number is exact as
//! far as the tokenizer allows.
//!
//! Lengths, tokens, and every draw behind them are those of the reference
//! client, vLLM 0.33, so the same seed gives the same prompts. It makes one
//! prompt after the other; here many are on their way at once (see
//! [`Fitter`]), with the same result.

mod lengths;
mod range_ratio;

use std::collections::{BTreeSet, VecDeque};

use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{Fitted, Fitter, Window};
use vbench_plugin::{log, tokenizer};

use crate::lengths::{Bounds, DrawnVector, LengthBounds};
pub use crate::range_ratio::RangeRatio;

vbench_plugin::export! { datasets: [Random] }

/// Options of the dataset. The answers to random prompts end anywhere, so the
/// schema asks for `ignore_eos` where the backend knows it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-ignore-eos" = true, "x-align-prompts" = true))]
pub struct Config {
    /// Tokens of a prompt, those included that the tokenizer adds; the prefix comes on top.
    #[serde(default = "input_len")]
    #[schemars(range(min = 0), extend("x-general-flag" = "input-len"))]
    input_len: i64,
    /// Tokens of an answer.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    /// Share by which lengths vary: a length L becomes L*(1-r) to L*(1+r), with r at least 0 and below 1. For different shares write {"input":r,"output":r}.
    #[serde(default)]
    range_ratio: RangeRatio,
    /// Tokens that all prompts begin with, on top of the input length.
    #[serde(default)]
    #[schemars(range(min = 0))]
    prefix_len: i64,
    /// Prompts in a request, for embeddings.
    #[serde(default = "batch_size")]
    #[schemars(range(min = 1))]
    batch_size: i64,
    /// Older name of the prefix length.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-flag" = "common-prefix-len"))]
    common_prefix_len: Option<i64>,
}

fn input_len() -> i64 {
    1024
}

fn output_len() -> i64 {
    128
}

fn batch_size() -> i64 {
    1
}

impl Config {
    fn prefix_len(&self) -> Result<i64> {
        match (self.prefix_len, self.common_prefix_len) {
            (length, None) | (0, Some(length)) => Ok(length),
            (length, Some(other)) if length == other => Ok(length),
            _ => Err(Error::config("means the same as --random-prefix-len; give one of the two")
                .key("common_prefix_len")),
        }
    }
}

/// Random prompts.
pub struct Random {
    cx: DatasetContext,
    batch_size: usize,
    generator: NumpyGenerator,
    input_lens: DrawnVector,
    output_lens: DrawnVector,
    offsets: DrawnVector,
    /// Ids that prompts are made of, ascending.
    allowed: Vec<u32>,
    prefix: Vec<u32>,
    /// Tokens that the prefix was to have, and every prompt has on top.
    prefix_len: usize,
    fitter: Fitter,
    /// Prompts wanted, and how many of them were begun.
    wanted: u64,
    begun: u64,
    samples: u64,
    /// The length of the answer to each prompt that was begun but not given out.
    answers: VecDeque<i64>,
    mismatch: i64,
}

impl Dataset for Random {
    type Config = Config;
    const NAME: &'static str = "random";
    const SUMMARY: &'static str = "Random prompts of an exact number of tokens.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        let Some(info) = tokenizer::describe() else {
            return Err(Error::config("dataset random makes prompts of tokens, which needs a tokenizer"));
        };
        let prefix_len = config.prefix_len()?;
        let bounds = LengthBounds::new(
            config.input_len,
            config.output_len,
            prefix_len,
            info.specials_per_sequence,
            config.range_ratio.ratios()?,
        )?;
        let wanted = u64::try_from(cx.count)
            .map_err(|_| Error::config(format!("dataset random cannot make {} prompts", cx.count)))?;
        let specials: BTreeSet<u32> = info.special_ids.iter().copied().collect();
        let allowed: Vec<u32> = (0..info.vocab_size).filter(|id| !specials.contains(id)).collect();
        if allowed.is_empty() {
            return Err(Error::config(format!(
                "tokenizer {} has no tokens but special ones, so no prompts can be made of it",
                info.name
            )));
        }

        let mut generator = NumpyGenerator::new(cx.seed);
        let offsets = Bounds { low: 0, high: i64::from(info.vocab_size) - 1 };
        let input_lens = DrawnVector::draw(&mut generator, bounds.input, wanted)?;
        let output_lens = DrawnVector::draw(&mut generator, bounds.output, wanted)?;
        let offsets = DrawnVector::draw(&mut generator, offsets, wanted)?;
        let mut fitter = Fitter::new(info.vocab_size, Window::default());
        let prefix_len = prefix_len as usize;
        let prefix = fit_prefix(&mut fitter, &mut generator, &allowed, prefix_len)?;
        Ok(Self {
            cx: cx.clone(),
            batch_size: usize::try_from(config.batch_size).unwrap_or(usize::MAX),
            generator,
            input_lens,
            output_lens,
            offsets,
            allowed,
            prefix,
            prefix_len,
            fitter,
            wanted,
            begun: 0,
            samples: 0,
            answers: VecDeque::new(),
            mismatch: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        let Some((text, prompt_tokens, output_tokens)) = self.next_prompt()? else { return Ok(None) };
        let turn = if self.batch_size == 1 {
            Turn::text(text, prompt_tokens, output_tokens)
        } else {
            self.batch(text, prompt_tokens)?
        };
        let id = self.cx.request_id(self.samples);
        self.samples += 1;
        Ok(Some(Sample::new(turn).with_id(id)))
    }

    fn finish(&mut self) -> Result<Summary> {
        warn_of_mismatch("the tokens of all prompts", self.mismatch);
        // Nothing is drawn from the reference client's process-wide generators.
        Ok(Summary::default())
    }
}

impl Random {
    /// The next prompt in order, its length and the length of its answer.
    fn next_prompt(&mut self) -> Result<Option<(String, u64, i64)>> {
        let fitted = loop {
            if let Some(fitted) = self.fitter.pop() {
                break fitted;
            }
            self.begin_prompts()?;
            if self.fitter.is_empty() {
                return Ok(None);
            }
            self.fitter.advance(&mut self.generator)?;
        };
        self.mismatch = self.mismatch.saturating_add(fitted.mismatch());
        let Fitted { text, ids, .. } = fitted;
        let prompt_tokens = ids.len() as u64;
        self.fitter.recycle(ids);
        let output_tokens = self.answers.pop_front().unwrap_or_default();
        Ok(Some((text, prompt_tokens, output_tokens)))
    }

    /// Puts prompts on their way as long as there is room.
    fn begin_prompts(&mut self) -> Result<()> {
        // What a prompt adds is known only when it is drawn; the bounds are not
        // much above it.
        let most = self.prefix_len.saturating_add(self.input_lens.most());
        while self.begun < self.wanted && self.fitter.has_room(most) {
            let input_len = self.input_lens.next()? as usize;
            let offset = self.offsets.next()? as u64;
            self.answers.push_back(self.output_lens.next()?);
            let first = offset.wrapping_add(self.begun) % self.allowed.len() as u64;
            let (prefix, allowed) = (&self.prefix, &self.allowed);
            self.fitter.push(self.prefix_len + input_len, |ids| {
                ids.extend_from_slice(prefix);
                extend_round(ids, allowed, first as usize, input_len);
            });
            self.begun += 1;
        }
        Ok(())
    }

    /// A request of several prompts, the first of which is given; the last
    /// request may have fewer than the others.
    fn batch(&mut self, text: String, mut prompt_tokens: u64) -> Result<Turn> {
        let mut texts = vec![text];
        while texts.len() < self.batch_size {
            let Some((text, tokens, _)) = self.next_prompt()? else { break };
            texts.push(text);
            prompt_tokens += tokens;
        }
        Ok(Turn::new(Prompt::Texts(texts), prompt_tokens, 0))
    }
}

/// Draws the tokens that all prompts begin with.
fn fit_prefix(
    fitter: &mut Fitter,
    generator: &mut NumpyGenerator,
    allowed: &[u32],
    length: usize,
) -> Result<Vec<u32>> {
    if length == 0 {
        return Ok(Vec::new());
    }
    let drawn = generator
        .integers_vec(0, allowed.len() as i64, length)
        .map_err(|error| Error::internal(error.to_string()))?;
    let ids = drawn.into_iter().map(|place| allowed[place as usize]).collect();
    let fitted = fitter.fit_one(ids, length, generator)?;
    warn_of_mismatch("the tokens of the prefix", fitted.mismatch());
    Ok(fitted.ids)
}

/// Appends `count` of `allowed` from place `first` on, starting over at its end.
fn extend_round(ids: &mut Vec<u32>, allowed: &[u32], first: usize, count: usize) {
    ids.reserve(count);
    let (mut first, mut left) = (first, count);
    while left > 0 {
        let run = left.min(allowed.len() - first);
        ids.extend_from_slice(&allowed[first..first + run]);
        left -= run;
        first = 0;
    }
}

fn warn_of_mismatch(what: &str, mismatch: i64) {
    if mismatch != 0 {
        let sign = if mismatch > 0 { "more" } else { "fewer" };
        log::warn(format!(
            "{what} are {} {sign} than asked for: decoding and encoding random tokens does not always give the number wanted",
            mismatch.unsigned_abs()
        ));
    }
}

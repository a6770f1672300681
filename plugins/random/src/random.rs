//! The dataset `random`: prompts, alone or several a request.

use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::prelude::*;

use crate::lengths::{DrawnVector, LengthBounds};
use crate::prompts::{Prompts, Tokens, tokenizer_for};
use crate::range_ratio::RangeRatio;
use crate::sampling::Sampling;

/// Options of the dataset. The answers to random prompts end anywhere, so the
/// schema asks for `ignore_eos` where the backend knows it; no prompt repeats
/// another, so a prefix cache should find nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-ignore-eos" = true, "x-align-prompts" = true, "x-fresh-prompts" = true))]
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
    #[schemars(range(min = 0), extend("x-shared-prefix" = true))]
    prefix_len: i64,
    /// Prompts in a request, for embeddings.
    #[serde(default = "batch_size")]
    #[schemars(range(min = 1))]
    batch_size: i64,
    /// Older name of the prefix length.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-flag" = "common-prefix-len", "x-shared-prefix" = true))]
    common_prefix_len: Option<i64>,
    /// How prompts are made: serial, those of vLLM 0.33; or parallel, others, sooner, on all cores.
    #[serde(default)]
    #[schemars(extend("x-flag" = "sampling"))]
    sampling: Sampling,
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
    prompts: Prompts,
    output_lens: DrawnVector,
    samples: u64,
}

impl Dataset for Random {
    type Config = Config;
    const NAME: &'static str = "random";
    const SUMMARY: &'static str = "Random prompts of an exact number of tokens.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        let info = tokenizer_for(Self::NAME)?;
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
        let tokens = Tokens::of(&info)?;
        let mut generator = NumpyGenerator::new(cx.seed);
        let input_lens = DrawnVector::draw(&mut generator, bounds.input, wanted)?;
        let output_lens = DrawnVector::draw(&mut generator, bounds.output, wanted)?;
        let offsets = DrawnVector::draw(&mut generator, tokens.offsets(), wanted)?;
        let mut prompts = Prompts::new(generator, tokens, input_lens, offsets, wanted);
        prompts.draw_prefix(prefix_len as usize)?;
        if config.sampling == Sampling::Parallel {
            prompts.draw_apart(cx.seed);
        }
        Ok(Self {
            cx: cx.clone(),
            batch_size: usize::try_from(config.batch_size).unwrap_or(usize::MAX),
            prompts,
            output_lens,
            samples: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        let Some(first) = self.prompts.next()? else { return Ok(None) };
        let turn = if self.batch_size == 1 {
            Turn::text(first.text, first.tokens, self.output_lens.next()?)
        } else {
            let (mut texts, mut tokens) = (vec![first.text], first.tokens);
            // The last request may have fewer prompts than the others.
            while texts.len() < self.batch_size {
                let Some(more) = self.prompts.next()? else { break };
                texts.push(more.text);
                tokens += more.tokens;
            }
            Turn::new(Prompt::Texts(texts), tokens, 0)
        };
        let id = self.cx.request_id(self.samples);
        self.samples += 1;
        Ok(Some(Sample::new(turn).with_id(id)))
    }

    fn finish(&mut self) -> Result<Summary> {
        self.prompts.warn_of_mismatch();
        // Nothing is drawn from the reference client's process-wide generators.
        Ok(Summary::default())
    }
}

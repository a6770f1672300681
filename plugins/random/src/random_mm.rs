//! The dataset `random-mm`: random prompts with images and videos of noise.

use serde_json::{Map, Value, json};
use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::options::MediaChat;
use vbench_plugin::prelude::*;
use vbench_plugin::rules;

use crate::buckets::BucketConfig;
use crate::items::Items;
use crate::lengths::{DrawnVector, LengthBounds};
use crate::prompts::{Prompts, Tokens, tokenizer_for};
use crate::range_ratio::RangeRatio;

/// Backends that the reference client sends media to.
const BACKENDS: [&str; 2] = ["openai-audio", "openai-chat"];

/// Options of the dataset, of which those that `random` has too go by its flags.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-ignore-eos" = true))]
pub struct MmConfig {
    /// Tokens of a prompt, those included that the tokenizer adds; the prefix comes on top.
    #[serde(default = "input_len")]
    #[schemars(range(min = 0), extend("x-flag" = "random-input-len", "x-general-flag" = "input-len"))]
    input_len: i64,
    /// Tokens of an answer.
    #[serde(default = "output_len")]
    #[schemars(range(min = 0), extend("x-flag" = "random-output-len", "x-general-flag" = "output-len"))]
    output_len: i64,
    /// Share by which lengths vary: a length L becomes L*(1-r) to L*(1+r), with r at least 0 and below 1. For different shares write {"input":r,"output":r}.
    #[serde(default)]
    #[schemars(extend("x-flag" = "random-range-ratio"))]
    range_ratio: RangeRatio,
    /// Tokens that all prompts begin with, on top of the input length.
    #[serde(default)]
    #[schemars(range(min = 0), extend("x-flag" = "random-prefix-len"))]
    prefix_len: i64,
    /// Images and videos of a request.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100_000))]
    base_items_per_request: i64,
    /// Share by which their number varies: n becomes n*(1-r) to n*(1+r).
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    num_mm_items_range_ratio: f64,
    /// Most images and videos of a request, as {"image":255,"video":1}.
    #[serde(default = "limits")]
    limit_mm_per_prompt: Map<String, Value>,
    /// Height, width and frames of items, with their probabilities; one frame is an image.
    #[serde(default)]
    bucket_config: BucketConfig,
    #[serde(flatten)]
    media: MediaChat,
}

fn input_len() -> i64 {
    1024
}

fn output_len() -> i64 {
    128
}

fn one() -> i64 {
    1
}

fn limits() -> Map<String, Value> {
    [("image".to_owned(), json!(255)), ("video".to_owned(), json!(1))].into_iter().collect()
}

/// Random prompts with media.
pub struct RandomMm {
    cx: DatasetContext,
    prompts: Prompts,
    items: Items,
    output_lens: DrawnVector,
    enable_multimodal_chat: bool,
    samples: u64,
}

impl Dataset for RandomMm {
    type Config = MmConfig;
    const NAME: &'static str = "random-mm";
    const SUMMARY: &'static str = "Random prompts with images and videos of noise.";

    fn open(cx: &DatasetContext, config: MmConfig) -> Result<Self> {
        if cx.compat.is_reference() && !BACKENDS.contains(&cx.backend.as_str()) {
            return Err(Error::unsupported(format!(
                "Multi-modal content (images) is not supported on backend '{}'; use one of ['openai-audio', \
                 'openai-chat'].",
                cx.backend
            )));
        }
        let info = tokenizer_for(Self::NAME)?;
        let items = Items::new(
            config.bucket_config.buckets()?,
            &config.limit_mm_per_prompt,
            config.base_items_per_request,
            config.num_mm_items_range_ratio,
        )?;
        let bounds = LengthBounds::with_empty(
            config.input_len,
            config.output_len,
            config.prefix_len,
            info.specials_per_sequence,
            config.range_ratio.ratios()?,
        )?;
        let wanted = u64::try_from(cx.count)
            .map_err(|_| Error::config(format!("dataset random-mm cannot make {} prompts", cx.count)))?;
        let tokens = Tokens::without(&info, &info.added_special_ids)?;
        let mut generator = NumpyGenerator::new(cx.seed);
        let input_lens = DrawnVector::draw(&mut generator, bounds.input, wanted)?;
        let output_lens = DrawnVector::draw(&mut generator, bounds.output, wanted)?;
        let offsets = DrawnVector::draw(&mut generator, tokens.offsets(), wanted)?;
        let mut prompts = Prompts::new(generator, tokens, input_lens, offsets, wanted);
        prompts.draw_prefix(config.prefix_len as usize)?;
        let enable_multimodal_chat = config.media.enable_multimodal_chat;
        Ok(Self { cx: cx.clone(), prompts, items, output_lens, enable_multimodal_chat, samples: 0 })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        let Some((made, generator)) = self.prompts.next_alone()? else { return Ok(None) };
        let attachments = Attachments::Many(self.items.draw(generator)?);
        let output_tokens = self.output_lens.next()?;
        let turn = if self.enable_multimodal_chat {
            let messages = rules::chat_messages(&made.text, &attachments)?;
            Turn::new(Prompt::Messages(messages), made.tokens, output_tokens)
        } else {
            Turn::text(made.text, made.tokens, output_tokens).with_attachments(attachments)
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

//! The dataset `custom_audio`: rows with `prompt` and `audio`, a path or
//! samples with their rate.

use serde_json::{Map, Value};
use vbench_plugin::media::{self, Form, Samples, Source};
use vbench_plugin::options::{ChatTemplate, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, RowPages};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer;

use crate::lengths::{OutputLength, refuse_numeric_prompts};

/// Options of the dataset, of which those that `custom` has too go by its flags.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AudioConfig {
    /// The rows, a JSON Lines file with the columns `prompt` and `audio`.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Longest answer in tokens; -1 takes the row's `output_tokens`.
    #[serde(default = "output_len")]
    #[schemars(range(min = -1), extend("x-flag" = "custom-output-len", "x-general-flag" = "output-len"))]
    output_len: i64,
    #[serde(flatten)]
    rows: RowChoice,
    /// Send prompts as they are, with the sound beside them, for chat completions.
    #[serde(default)]
    #[schemars(extend("x-flag" = "enable-multimodal-chat"))]
    enable_multimodal_chat: bool,
}

fn output_len() -> i64 {
    256
}

/// The option that names the file.
const PATH: &str = "path";
/// Rows read at once.
const CHUNK: usize = 256;

/// Samples from a file of prompts with sounds.
pub struct CustomAudio {
    cx: DatasetContext,
    config: AudioConfig,
    rows: Rows,
    output: OutputLength,
    has_tokenizer: bool,
    /// Whether prompts go through the tokenizer's chat template.
    templated: bool,
    pages: RowPages,
    /// Whether anything has been given out yet.
    begun: bool,
}

impl Dataset for CustomAudio {
    type Config = AudioConfig;
    const NAME: &'static str = "custom_audio";
    const SUMMARY: &'static str = "Prompts with sounds of a file of your own, one a row.";

    fn open(cx: &DatasetContext, config: AudioConfig) -> Result<Self> {
        let format = if cx.compat.is_reference() {
            if !config.path.ends_with(".jsonl") {
                return Err(Error::config("Only JSONL format is supported for CustomDataset.").key(PATH));
            }
            Format::Jsonl
        } else {
            Format::Auto
        };
        let tokenizer = tokenizer::describe();
        let rows = Rows::open(PATH, format)?;
        let all = (0..rows.count()).collect();
        Ok(Self {
            cx: cx.clone(),
            rows,
            output: OutputLength::new(config.output_len, tokenizer.is_some()),
            has_tokenizer: tokenizer.is_some(),
            templated: !config.enable_multimodal_chat && tokenizer.is_some_and(|info| info.has_chat_template),
            pages: RowPages::new(cx, cx.seed, config.rows, all),
            begun: false,
            config,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        if !std::mem::replace(&mut self.begun, true) && self.cx.compat.is_reference() {
            refuse_numeric_prompts(&self.rows)?;
        }
        let Some(page) = self.pages.next(max.min(CHUNK))? else { return Ok(Vec::new()) };
        let rows: Vec<Map<String, Value>> =
            self.rows.read(&page.rows, &["prompt", "audio", "output_tokens"])?;
        let mut prompts = Vec::with_capacity(rows.len());
        for (row, &index) in rows.iter().zip(&page.rows) {
            prompts.push(self.prompt(row, index)?);
        }
        let mut lengths = vec![1; prompts.len()];
        if self.has_tokenizer {
            if self.templated {
                prompts = ChatTemplate::default().render(&prompts)?;
            }
            lengths = tokenizer::count(&prompts, true)?;
        }
        let mut samples = Vec::with_capacity(rows.len());
        for (((row, &index), prompt), length) in rows.iter().zip(&page.rows).zip(prompts).zip(lengths) {
            // Without a tokenizer the reference client takes the option as it is.
            let output_tokens = match self.has_tokenizer {
                true => self.output.of(row.get("output_tokens"), &self.rows, index)?,
                false => self.config.output_len,
            };
            let mut turn = Turn::text(prompt, u64::from(length), output_tokens);
            // There the reference client also leaves the sound out, and then fails for want of it.
            if self.has_tokenizer || !self.cx.compat.is_reference() {
                turn = turn.with_attachments(Attachments::One(self.sound(row, index)?));
            }
            samples.push(Sample::new(turn).with_id(self.cx.request_id(page.first + samples.len())));
        }
        Ok(samples)
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(self.pages.random())), ..Summary::default() })
    }
}

impl CustomAudio {
    fn prompt(&self, row: &Map<String, Value>, index: u64) -> Result<String> {
        match row.get("prompt") {
            Some(Value::String(text)) => Ok(text.clone()),
            None | Some(Value::Null) if !self.cx.compat.is_reference() => Ok(String::new()),
            Some(Value::Null) | None => Err(self.bad(index, "prompt", "the row has no `prompt`")),
            Some(_) => Err(self.bad(index, "prompt", "`prompt` is not text")),
        }
    }

    /// The sound of a row, as WAV.
    fn sound(&self, row: &Map<String, Value>, index: u64) -> Result<Media> {
        let source = match row.get("audio") {
            Some(Value::String(path)) => Source::file(PATH, path),
            Some(Value::Object(sound)) => {
                self.samples(sound.get("array"), sound.get("sampling_rate"), index)?
            }
            Some(Value::Array(pair)) if pair.len() == 2 => self.samples(pair.first(), pair.get(1), index)?,
            None => return Err(self.bad(index, "audio", "the row has no `audio`")),
            Some(_) => {
                let what = "`audio` is neither a path, nor samples with their rate";
                return Err(self.bad(index, "audio", what));
            }
        };
        let held = media::hold(source, Form::Wav);
        Ok(held.map_err(|error| error.at(self.rows.locate(index).column("audio")))?.media())
    }

    fn samples(&self, values: Option<&Value>, rate: Option<&Value>, index: u64) -> Result<Source> {
        let rate = rate.and_then(Value::as_u64).and_then(|rate| u32::try_from(rate).ok());
        let rate_hz = rate.filter(|&rate| rate > 0);
        let rate_hz =
            rate_hz.ok_or_else(|| self.bad(index, "audio", "the rate is no whole number above 0"))?;
        let values: Option<Vec<f64>> =
            values.and_then(Value::as_array).and_then(|values| values.iter().map(Value::as_f64).collect());
        let values = values.ok_or_else(|| self.bad(index, "audio", "the samples are no list of numbers"))?;
        Ok(Source::Samples(Samples { rate_hz, channels: 1, values }))
    }

    fn bad(&self, index: u64, column: &str, message: &str) -> Error {
        Error::input(message).at(self.rows.locate(index).column(column))
    }
}

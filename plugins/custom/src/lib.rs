//! Datasets of files of your own: `custom`, prompts of text, a row each, with
//! the columns `prompt` and, if wanted, `output_tokens`; `custom_image`, prompts
//! with images; `custom_audio`, prompts with sounds.
//!
//! Order, lengths and templating follow the reference client, vLLM 0.33. It
//! reads JSON Lines only, and through a data frame, which takes a column in
//! which everything looks like a number for numbers; both hold under its rules
//! only. Otherwise any table does, and text stays text.

mod audio;
mod image;
mod lengths;

use serde_json::Value;
use vbench_plugin::options::{ChatTemplate, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, PromptPages, PromptRow, PromptRows};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer;

pub use audio::{AudioConfig, CustomAudio};
pub use image::{CustomImage, ImageConfig};
use lengths::{OutputLength, refuse_numeric_prompts};

vbench_plugin::export! { datasets: [Custom, CustomImage, CustomAudio] }

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Config {
    /// The prompts, a JSON Lines file with a column `prompt`.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Longest answer in tokens; -1 takes the row's `output_tokens`.
    #[serde(default = "output_len")]
    #[schemars(range(min = -1), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    #[serde(flatten)]
    rows: RowChoice,
    #[serde(flatten)]
    template: ChatTemplate,
}

fn output_len() -> i64 {
    256
}

/// The option that names the file.
const PATH: &str = "path";

/// Samples from a file of prompts.
pub struct Custom {
    cx: DatasetContext,
    rows: Rows,
    output: OutputLength,
    pages: PromptPages,
    /// Whether anything has been given out yet.
    begun: bool,
}

impl Dataset for Custom {
    type Config = Config;
    const NAME: &'static str = "custom";
    const SUMMARY: &'static str = "Prompts of a file of your own, one a row.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        let format = if cx.compat.is_reference() {
            if !config.path.ends_with(".jsonl") {
                return Err(Error::config("Only JSONL format is supported for CustomDataset.").key(PATH));
            }
            Format::Jsonl
        } else {
            Format::Auto
        };
        let rule = PromptRows { seed: cx.seed, rows: config.rows, template: config.template };
        let tokenizer = tokenizer::describe();
        rule.check_template(cx, tokenizer.as_ref())?;
        let rows = Rows::open(PATH, format)?;
        let all = (0..rows.count()).collect();
        Ok(Self {
            cx: cx.clone(),
            rows,
            output: OutputLength::new(config.output_len, tokenizer.is_some()),
            pages: rule.begin(cx, all),
            begun: false,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        if !std::mem::replace(&mut self.begun, true) && self.cx.compat.is_reference() {
            refuse_numeric_prompts(&self.rows)?;
        }
        let Self { rows, output, pages, .. } = self;
        let reader = Reader { rows, output };
        pages.next_page(max, |rows| reader.read(rows))
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(self.pages.random())), ..Summary::default() })
    }
}

/// A row as far as it is looked at. A field that is missing differs from one
/// that is null only in the words of an error.
#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    prompt: Option<Value>,
    #[serde(default)]
    output_tokens: Option<Value>,
}

/// What rows ask.
struct Reader<'a> {
    rows: &'a Rows,
    output: &'a OutputLength,
}

impl Reader<'_> {
    /// What these rows ask.
    fn read(&self, rows: &[u64]) -> Result<Vec<PromptRow>> {
        let read = self.rows.read::<Row>(rows, &["prompt", "output_tokens"])?;
        let asked = |(row, &index): (Row, &u64)| {
            let output_tokens = self.output.of(row.output_tokens.as_ref(), self.rows, index)?;
            match row.prompt {
                Some(Value::String(prompt)) => Ok(PromptRow { prompt, output_tokens }),
                Some(_) => Err(self.bad(index, "prompt", "`prompt` is not text")),
                None => Err(self.bad(index, "prompt", "the row has no `prompt`")),
            }
        };
        read.into_iter().zip(rows).map(asked).collect()
    }

    fn bad(&self, index: u64, column: &str, message: impl Into<String>) -> Error {
        Error::input(message).at(self.rows.locate(index).column(column))
    }
}

//! The dataset `custom`: prompts of a file of your own, a row each, with the
//! columns `prompt` and, if wanted, `output_tokens`.
//!
//! Order, lengths and templating follow the reference client, vLLM 0.33. It
//! reads JSON Lines only, and through a data frame, which takes a column in
//! which everything looks like a number for numbers; both hold under its rules
//! only. Otherwise any table does, and text stays text.

use serde_json::Value;
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Column, ColumnKind};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer::Chat;
use vbench_plugin::{log, tokenizer};

vbench_plugin::export! { datasets: [Custom] }

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The prompts, a JSON Lines file with a column `prompt`.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    path: String,
    /// Longest answer in tokens; -1 takes the row's `output_tokens`.
    #[serde(default = "output_len")]
    #[schemars(range(min = -1), extend("x-general-flag" = "output-len"))]
    output_len: i64,
    /// Take the rows in the order of the file.
    #[serde(default)]
    #[schemars(extend("x-flag" = "disable-shuffle"))]
    disable_shuffle: bool,
    /// Do not repeat rows when there are too few.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-oversample"))]
    no_oversample: bool,
    /// Send prompts as they are, without the tokenizer's chat template.
    #[serde(default)]
    #[schemars(extend("x-flag" = "skip-chat-template"))]
    skip_chat_template: bool,
    /// Variables for the chat template, a JSON object.
    #[serde(default)]
    #[schemars(extend("x-flag" = "chat-template-kwargs"))]
    chat_template_kwargs: Option<serde_json::Map<String, Value>>,
}

fn output_len() -> i64 {
    256
}

/// The option that names the file.
const PATH: &str = "path";

/// Rows read at once.
const CHUNK: usize = 1024;

/// Samples from a file of prompts.
pub struct Custom {
    cx: DatasetContext,
    config: Config,
    rows: Rows,
    has_tokenizer: bool,
    /// The column of lengths, of which texts are numbers where all are.
    output_tokens: Column,
    random: PythonRandom,
    /// What is still to be given out, last first; none before the first call.
    left: Option<Vec<Sample>>,
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
        let tokenizer = tokenizer::describe();
        let templated = !config.skip_chat_template && tokenizer.is_some();
        if templated && tokenizer.as_ref().is_some_and(|tokenizer| !tokenizer.has_chat_template) {
            return Err(Error::config(
                "the tokenizer has no chat template; send prompts as they are with --skip-chat-template",
            ));
        }
        if templated && cx.backend == "openai-chat" {
            log::warn(
                "prompts are written with the chat template and the server will apply it again; \
                 --skip-chat-template avoids that",
            );
        }
        Ok(Self {
            cx: cx.clone(),
            rows: Rows::open(PATH, format)?,
            config,
            has_tokenizer: tokenizer.is_some(),
            output_tokens: Column::new("output_tokens"),
            random: PythonRandom::new(cx.seed),
            left: None,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        if self.left.is_none() {
            let mut samples = self.sample()?;
            samples.reverse();
            self.left = Some(samples);
        }
        Ok(self.left.as_mut().and_then(Vec::pop))
    }

    fn finish(&mut self) -> Result<Summary> {
        Ok(Summary { python_random: Some(rules::python_state(&self.random)), ..Summary::default() })
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

impl Custom {
    fn sample(&mut self) -> Result<Vec<Sample>> {
        if self.cx.compat.is_reference() {
            self.refuse_numeric_prompts()?;
        }
        let mut order: Vec<u64> = (0..self.rows.count()).collect();
        if !self.config.disable_shuffle {
            self.random.shuffle(&mut order);
        }
        // 0 and less mean all rows.
        let wanted = usize::try_from(self.cx.count).ok().filter(|&count| count > 0).unwrap_or(order.len());
        let mut samples: Vec<Sample> = Vec::new();
        for rows in order[..order.len().min(wanted)].chunks(CHUNK) {
            self.add(rows, &mut samples)?;
        }
        if !self.config.no_oversample && samples.len() < wanted {
            self.random = PythonRandom::new(self.cx.seed);
            rules::oversample(&mut samples, self.cx.count, &self.cx.request_id_prefix, &mut self.random)?;
        }
        Ok(samples)
    }

    /// Adds a sample for each of these rows.
    fn add(&self, rows: &[u64], samples: &mut Vec<Sample>) -> Result<()> {
        let mut prompts = Vec::with_capacity(rows.len());
        let mut output_lens = Vec::with_capacity(rows.len());
        for (row, &index) in self.rows.read::<Row>(rows, &["prompt", "output_tokens"])?.into_iter().zip(rows)
        {
            output_lens.push(self.output_tokens(&row, index)?);
            prompts.push(match row.prompt {
                Some(Value::String(prompt)) => prompt,
                Some(_) => return Err(self.bad(index, "prompt", "`prompt` is not text")),
                None => return Err(self.bad(index, "prompt", "the row has no `prompt`")),
            });
        }
        let mut lengths = vec![1; prompts.len()];
        if self.has_tokenizer {
            if !self.config.skip_chat_template {
                prompts = self.render(&prompts)?;
            }
            // With special tokens, also where the template has written them.
            lengths = tokenizer::count(&prompts, true)?;
        }
        for ((prompt, prompt_tokens), output_tokens) in prompts.into_iter().zip(lengths).zip(output_lens) {
            let turn = Turn::text(prompt, u64::from(prompt_tokens), output_tokens);
            samples.push(Sample::new(turn).with_id(self.cx.request_id(samples.len())));
        }
        Ok(())
    }

    fn render(&self, prompts: &[String]) -> Result<Vec<String>> {
        let chat = |prompt: &String| Chat {
            messages: serde_json::json!([{"role": "user", "content": prompt}]).to_string(),
            tools: None,
        };
        let chats: Vec<Chat> = prompts.iter().map(chat).collect();
        let options = self
            .config
            .chat_template_kwargs
            .as_ref()
            .map(|options| Value::Object(options.clone()).to_string());
        tokenizer::render_chat(&chats, true, options.as_deref())
    }

    /// How long the answer to a row may be.
    fn output_tokens(&self, row: &Row, index: u64) -> Result<i64> {
        if !self.has_tokenizer {
            return Ok(1);
        }
        if self.config.output_len != -1 {
            return Ok(self.config.output_len);
        }
        let found = self.output_tokens.whole_number(row.output_tokens.as_ref(), &self.rows)?;
        found.ok_or_else(|| {
            let value = row.output_tokens.as_ref().map_or("nan".into(), |value| match value {
                Value::Null => "nan".into(),
                Value::String(text) => text.clone(),
                value => value.to_string(),
            });
            let message = format!(
                "Invalid value for 'output_tokens' in custom dataset: '{value}'. Must be an integer."
            );
            self.bad(index, "output_tokens", message)
        })
    }

    /// Fails as the reference client does when every prompt looks like a
    /// number: its data frame makes numbers of them, which are no text.
    fn refuse_numeric_prompts(&self) -> Result<()> {
        if Column::new("prompt").kind(&self.rows)? == ColumnKind::AsTheyAre {
            return Ok(());
        }
        Err(Error::input(
            "every prompt is a number, which vLLM 0.33 takes for no text; --compat vbench takes it for text",
        )
        .at(self.rows.locate(0).column("prompt")))
    }

    fn bad(&self, index: u64, column: &str, message: impl Into<String>) -> Error {
        Error::input(message).at(self.rows.locate(index).column(column))
    }
}

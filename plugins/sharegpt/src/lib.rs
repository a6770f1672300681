//! The dataset `sharegpt`: the first question and answer of each conversation
//! of a ShareGPT file, a JSON array of objects with `conversations`.
//!
//! Which rows are taken, in which order and with which lengths follows the
//! reference client, vLLM 0.33.

use serde_json::value::RawValue;
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Validity};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::{log, tokenizer};

vbench_plugin::export! { datasets: [ShareGpt] }

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The conversations, a JSON file.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Longest answer in tokens, in place of the length of the answer in the file.
    #[serde(default)]
    #[schemars(extend("x-general-flag" = "output-len"))]
    output_len: Option<i64>,
    /// Take the conversations in the order of the file.
    #[serde(default)]
    #[schemars(extend("x-flag" = "disable-shuffle"))]
    disable_shuffle: bool,
    /// Do not repeat conversations when there are too few.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-oversample"))]
    no_oversample: bool,
    /// Write prompts with their media as chat messages.
    #[serde(default)]
    #[schemars(extend("x-flag" = "enable-multimodal-chat"))]
    enable_multimodal_chat: bool,
}

/// The option that names the file.
const PATH: &str = "path";

/// The columns of a row that are looked at.
const COLUMNS: [&str; 3] = ["conversations", "image", "video"];

/// Samples from a ShareGPT file.
pub struct ShareGpt {
    cx: DatasetContext,
    config: Config,
    rows: Rows,
    random: PythonRandom,
    /// What is still to be given out, last first; none before the first call.
    left: Option<Vec<Sample>>,
    skipped: u64,
}

impl Dataset for ShareGpt {
    type Config = Config;
    const NAME: &'static str = "sharegpt";
    const SUMMARY: &'static str = "First question and answer of the conversations of a ShareGPT file.";

    fn open(cx: &DatasetContext, config: Config) -> Result<Self> {
        if tokenizer::describe().is_none() {
            return Err(Error::config("dataset sharegpt counts tokens, which needs a tokenizer"));
        }
        Ok(Self {
            cx: cx.clone(),
            config,
            rows: Rows::open(PATH, Format::Json)?,
            random: PythonRandom::new(cx.seed),
            left: None,
            skipped: 0,
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
        let mut summary =
            Summary { python_random: Some(rules::python_state(&self.random)), ..Summary::default() };
        if self.skipped > 0 {
            let reason = "too short or too long to be asked".into();
            summary.skipped.push(vbench_plugin::dataset::Skip { reason, count: self.skipped });
        }
        Ok(summary)
    }
}

#[derive(Deserialize)]
struct Row {
    conversations: Vec<Box<RawValue>>,
    #[serde(default)]
    image: Option<serde_json::Value>,
    #[serde(default)]
    video: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Message {
    value: String,
}

/// A question with its answer, and where it stands.
struct Pair {
    index: u64,
    prompt: String,
    attachments: Attachments,
}

impl ShareGpt {
    fn sample(&mut self) -> Result<Vec<Sample>> {
        let wanted = usize::try_from(self.cx.count).unwrap_or(0);
        let turns = self.rows.lengths("conversations")?;
        let mut order: Vec<u64> =
            (0u64..).zip(turns).filter(|&(_, turns)| turns >= 2).map(|(row, _)| row).collect();
        if !self.config.disable_shuffle {
            self.random.shuffle(&mut order);
        }
        let mut samples: Vec<Sample> = Vec::new();
        let mut rest = order.as_slice();
        while samples.len() < wanted && !rest.is_empty() {
            // A few more than are missing, as some will be too short or too long.
            let (rows, later) =
                rest.split_at(rest.len().min((wanted - samples.len()).saturating_mul(2).clamp(32, 1024)));
            rest = later;
            self.add(rows, wanted, &mut samples)?;
        }
        let found = samples.len();
        if !self.config.no_oversample && found < wanted {
            self.random = PythonRandom::new(self.cx.seed);
            rules::oversample(&mut samples, self.cx.count, &self.cx.request_id_prefix, &mut self.random)?;
            log::info(format!("{found} conversations can be asked; {} are asked again", wanted - found));
        }
        Ok(samples)
    }

    /// Adds the samples of these rows, up to `wanted` in all.
    fn add(&mut self, rows: &[u64], wanted: usize, samples: &mut Vec<Sample>) -> Result<()> {
        let mut pairs = Vec::with_capacity(rows.len());
        let mut texts = Vec::with_capacity(rows.len() * 2);
        for (row, &index) in self.rows.read::<Row>(rows, &COLUMNS)?.into_iter().zip(rows) {
            let (prompt, answer) = self.first_two(&row, index)?;
            texts.extend([prompt.clone(), answer]);
            pairs.push(Pair { index, prompt, attachments: self.attachments(row, index)? });
        }
        let counts = tokenizer::count(&texts, true)?;
        let rule = Validity { any_output: self.config.output_len.is_some(), ..Validity::CONVERSATION };
        for (pair, counts) in pairs.into_iter().zip(counts.chunks_exact(2)) {
            if samples.len() == wanted {
                break;
            }
            let prompt_tokens = u64::from(counts[0]);
            let output_tokens = self.config.output_len.unwrap_or(i64::from(counts[1]));
            if !rule.accepts(prompt_tokens, output_tokens) {
                self.skipped += 1;
                continue;
            }
            let prompt = if self.config.enable_multimodal_chat {
                let messages = rules::chat_messages(&pair.prompt, &pair.attachments);
                Prompt::Messages(messages.map_err(|error| error.at(self.rows.locate(pair.index)))?)
            } else {
                Prompt::Text(pair.prompt)
            };
            let turn = Turn::new(prompt, prompt_tokens, output_tokens).with_attachments(pair.attachments);
            samples.push(Sample::new(turn).with_id(self.cx.request_id(samples.len())));
        }
        Ok(())
    }

    /// The texts of the first two messages, whoever wrote them.
    fn first_two(&self, row: &Row, index: u64) -> Result<(String, String)> {
        let text = |number: usize| {
            let message =
                row.conversations.get(number).map(|message| serde_json::from_str::<Message>(message.get()));
            match message {
                Some(Ok(message)) => Ok(message.value),
                _ => Err(Error::input("a message has no text in `value`")
                    .at(self.rows.locate(index).column(format!("/conversations/{number}")))),
            }
        };
        Ok((text(0)?, text(1)?))
    }

    /// The image of a row, else its video.
    fn attachments(&self, row: Row, index: u64) -> Result<Attachments> {
        let is_there = |value: &serde_json::Value| !value.is_null() && value.as_str() != Some("");
        let image = row.image.filter(is_there).map(|value| (MediaKind::Image, "image", value));
        let found =
            image.or_else(|| row.video.filter(is_there).map(|value| (MediaKind::Video, "video", value)));
        match found {
            None => Ok(Attachments::None),
            Some((kind, _, serde_json::Value::String(text))) => {
                Ok(Attachments::One(rules::media(kind, &text)))
            }
            Some((_, column, _)) => Err(Error::input(format!("`{column}` is neither an address nor a path"))
                .at(self.rows.locate(index).column(column))),
        }
    }
}

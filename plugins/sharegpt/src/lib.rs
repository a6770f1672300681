//! The dataset `sharegpt`: the first question and answer of each conversation
//! of a ShareGPT file, a JSON array of objects with `conversations`.
//!
//! Which rows are taken, in which order and with which lengths follows the
//! reference client, vLLM 0.33.

use std::collections::VecDeque;

use serde_json::value::RawValue;
use vbench_plugin::dataset::Skip;
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::options::{MediaChat, RowChoice};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, Repeats, Validity};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::{log, tokenizer};

vbench_plugin::export! { datasets: [ShareGpt] }

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Config {
    /// The conversations, a JSON file.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Longest answer in tokens, in place of the length of the answer in the file.
    #[serde(default)]
    #[schemars(extend("x-general-flag" = "output-len"))]
    output_len: Option<i64>,
    #[serde(flatten)]
    rows: RowChoice,
    #[serde(flatten)]
    media: MediaChat,
}

/// The option that names the file.
const PATH: &str = "path";

/// The columns of a row that are looked at.
const COLUMNS: [&str; 3] = ["conversations", "image", "video"];

/// Rows read at once, at least and at most.
const CHUNK: (usize, usize) = (32, 256);

/// Samples from a ShareGPT file, made page by page, so that what is held does
/// not grow with the file.
pub struct ShareGpt {
    cx: DatasetContext,
    config: Config,
    rows: Rows,
    /// Behind the order of the rows.
    random: PythonRandom,
    /// None as long as there are rows that were not asked.
    repeats: Option<Repeats>,
    /// Numbers of the rows with a question and an answer, in the order in which
    /// they are tried; none before the first call.
    order: Option<Vec<u64>>,
    /// How many of them have been tried.
    tried: usize,
    /// Those that were kept, to be repeated if there are too few.
    kept: Vec<Kept>,
    /// Samples of these that have been made, and those not yet given out.
    made: usize,
    ready: VecDeque<Sample>,
    /// Rows that were passed over: without a question and an answer, and of a
    /// length that is not asked.
    without_pair: u64,
    skipped: u64,
}

/// A row that is asked.
#[derive(Debug, Clone, Copy)]
struct Kept {
    row: u64,
    prompt_tokens: u64,
    output_tokens: i64,
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
            repeats: None,
            order: None,
            tried: 0,
            kept: Vec::new(),
            made: 0,
            ready: VecDeque::new(),
            without_pair: 0,
            skipped: 0,
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        Ok(self.next_batch(1)?.pop())
    }

    fn next_batch(&mut self, max: usize) -> Result<Vec<Sample>> {
        let wanted = usize::try_from(self.cx.count).unwrap_or(0);
        let order = match self.order.take() {
            Some(order) => order,
            None => self.draw_order()?,
        };
        while self.ready.is_empty() && self.kept.len() < wanted && self.tried < order.len() {
            // A few more than are missing, as some will be too short or too long.
            let missing = (wanted - self.kept.len()).saturating_mul(2).clamp(CHUNK.0, CHUNK.1);
            let end = order.len().min(self.tried + missing);
            let rows = &order[self.tried..end];
            self.tried = end;
            self.add(rows, wanted)?;
        }
        self.order = Some(order);
        if self.ready.is_empty() && !self.config.rows.no_oversample && self.made < wanted {
            self.repeat(wanted, max)?;
        }
        let given = self.ready.len().min(max);
        Ok(self.ready.drain(..given).collect())
    }

    fn finish(&mut self) -> Result<Summary> {
        let random = self.repeats.as_ref().map_or(&self.random, Repeats::random);
        let mut summary = Summary { python_random: Some(rules::python_state(random)), ..Summary::default() };
        for (reason, count) in [
            ("without a question and an answer", self.without_pair),
            ("too short or too long to be asked", self.skipped),
        ] {
            if count > 0 {
                summary.skipped.push(Skip { reason: reason.into(), count });
            }
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

/// A question, and where it stands.
struct Question {
    row: u64,
    prompt: String,
    attachments: Attachments,
}

impl ShareGpt {
    fn draw_order(&mut self) -> Result<Vec<u64>> {
        let turns = self.rows.lengths("conversations")?;
        let mut order: Vec<u64> =
            (0u64..).zip(turns).filter(|&(_, turns)| turns >= 2).map(|(row, _)| row).collect();
        self.without_pair = self.rows.count() - order.len() as u64;
        if !self.config.rows.disable_shuffle {
            self.random.shuffle(&mut order);
        }
        Ok(order)
    }

    /// Makes samples of these rows, up to `wanted` in all.
    fn add(&mut self, rows: &[u64], wanted: usize) -> Result<()> {
        let mut questions = Vec::with_capacity(rows.len());
        let mut texts = Vec::with_capacity(rows.len() * 2);
        for (row, &index) in self.rows.read::<Row>(rows, &COLUMNS)?.into_iter().zip(rows) {
            let (prompt, answer) = self.first_two(&row, index)?;
            texts.extend([prompt.clone(), answer]);
            questions.push(Question { row: index, prompt, attachments: self.attachments(row, index)? });
        }
        let counts = tokenizer::count(&texts, true)?;
        let rule = Validity { any_output: self.config.output_len.is_some(), ..Validity::CONVERSATION };
        for (question, counts) in questions.into_iter().zip(counts.chunks_exact(2)) {
            if self.kept.len() == wanted {
                break;
            }
            let prompt_tokens = u64::from(counts[0]);
            let output_tokens = self.config.output_len.unwrap_or(i64::from(counts[1]));
            if !rule.accepts(prompt_tokens, output_tokens) {
                self.skipped += 1;
                continue;
            }
            let kept = Kept { row: question.row, prompt_tokens, output_tokens };
            self.make(question, kept)?;
            self.kept.push(kept);
        }
        Ok(())
    }

    /// Asks at most `max` of the kept rows again, up to `wanted` samples in all.
    fn repeat(&mut self, wanted: usize, max: usize) -> Result<()> {
        let found = self.kept.len();
        if found == 0 {
            return Err(Error::input(format!(
                "no conversation can be asked: {} of {} rows have a question and an answer, and {} of these are too short or too long",
                self.tried,
                self.rows.count(),
                self.skipped
            )));
        }
        let repeats = match &mut self.repeats {
            Some(repeats) => repeats,
            none => {
                log::info(format!("{found} conversations can be asked; {} are asked again", wanted - found));
                none.insert(Repeats::new(self.cx.seed, found, wanted)?)
            }
        };
        let drawn = repeats.draw(max.min(CHUNK.1).min(wanted - self.made))?;
        let again: Vec<Kept> = drawn.into_iter().map(|place| self.kept[place]).collect();
        let rows: Vec<u64> = again.iter().map(|kept| kept.row).collect();
        for (row, kept) in self.rows.read::<Row>(&rows, &COLUMNS)?.into_iter().zip(again) {
            let (prompt, _) = self.first_two(&row, kept.row)?;
            let attachments = self.attachments(row, kept.row)?;
            self.make(Question { row: kept.row, prompt, attachments }, kept)?;
        }
        Ok(())
    }

    /// Makes the next sample.
    fn make(&mut self, question: Question, kept: Kept) -> Result<()> {
        let Question { row, prompt, attachments } = question;
        let prompt = if self.config.media.enable_multimodal_chat {
            let messages = rules::chat_messages(&prompt, &attachments);
            Prompt::Messages(messages.map_err(|error| error.at(self.rows.locate(row)))?)
        } else {
            Prompt::Text(prompt)
        };
        let turn = Turn::new(prompt, kept.prompt_tokens, kept.output_tokens).with_attachments(attachments);
        self.ready.push_back(Sample::new(turn).with_id(self.cx.request_id(self.made)));
        self.made += 1;
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

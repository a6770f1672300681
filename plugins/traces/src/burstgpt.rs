//! The dataset `burstgpt`: lengths of requests to GPT-4, by the CSV files of
//! BurstGPT. Only the lengths are used, not the times.

use std::collections::VecDeque;

use serde_json::{Map, Value};
use vbench_plugin::generators::data_frame_sample;
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, MOST_PROMPT_TOKENS, python_number};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::tokenizer::{self, TokenLists};

use crate::TOKENS_AT_ONCE;

/// Options of the dataset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurstGptConfig {
    /// The traffic, a CSV file of BurstGPT.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
}

const MODEL: &str = "Model";
const ANSWER: &str = "Response tokens";

/// Places of the columns that lengths are taken from, whatever their names.
const PROMPT_COLUMN: usize = 2;
const ANSWER_COLUMN: usize = 3;

/// Rows read at once.
const CHUNK: u64 = 4096;

/// Samples that are made at once.
const BATCH: usize = 256;

/// Prompts with the lengths of BurstGPT.
pub struct BurstGpt {
    cx: DatasetContext,
    rows: Rows,
    /// Names of the columns with the lengths of prompts and answers.
    columns: [String; 2],
    vocab_size: u32,
    /// Numbers of the rows in the order of dispatch.
    drawn: Vec<u64>,
    /// How many of them are made.
    made: usize,
    ready: VecDeque<Sample>,
}

impl Dataset for BurstGpt {
    type Config = BurstGptConfig;
    const NAME: &'static str = "burstgpt";
    const SUMMARY: &'static str = "Prompts with the lengths of BurstGPT's requests to GPT-4.";

    fn open(cx: &DatasetContext, _config: BurstGptConfig) -> Result<Self> {
        let Some(info) = tokenizer::describe() else {
            return Err(Error::config("dataset burstgpt makes prompts of tokens, which needs a tokenizer"));
        };
        if info.vocab_size == 0 {
            return Err(Error::config(
                "the tokenizer's vocabulary is empty, so no prompts can be made of it",
            ));
        }
        let wanted = usize::try_from(cx.count)
            .map_err(|_| Error::config(format!("dataset burstgpt cannot make {} prompts", cx.count)))?;
        let rows = Rows::open("path", Format::Csv)?;
        let columns = rows.columns()?;
        let (Some(prompt), Some(answer)) = (columns.get(PROMPT_COLUMN), columns.get(ANSWER_COLUMN)) else {
            return Err(Error::input(
                "the file has fewer than four columns, of which the third has the tokens of a prompt and the fourth those of an answer",
            )
            .at(whole_file(&rows)));
        };
        let columns_of_lengths = [prompt.clone(), answer.clone()];
        for needed in [MODEL, ANSWER] {
            if !columns.iter().any(|column| column == needed) {
                return Err(Error::input(format!("the file has no column `{needed}`")).at(whole_file(&rows)));
            }
        }
        let usable = answered(&rows)?;
        let drawn =
            data_frame_sample(rules::numpy_seed(cx.seed)?, usable.len(), wanted, wanted > usable.len())
                .map_err(|_| {
                    Error::input("no row is of the model GPT-4 and has an answer").at(whole_file(&rows))
                })?;
        Ok(Self {
            cx: cx.clone(),
            rows,
            columns: columns_of_lengths,
            vocab_size: info.vocab_size,
            drawn: drawn.into_iter().map(|place| usable[place]).collect(),
            made: 0,
            ready: VecDeque::new(),
        })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        if self.ready.is_empty() {
            self.make()?;
        }
        Ok(self.ready.pop_front())
    }
}

impl BurstGpt {
    /// Makes the next samples, if there are any to come.
    fn make(&mut self) -> Result<()> {
        let end = self.drawn.len().min(self.made + BATCH);
        let indices = &self.drawn[self.made..end];
        let [prompt_column, answer_column] = &self.columns;
        let rows = self.rows.read::<Map<String, Value>>(indices, &[prompt_column, answer_column])?;
        let mut prompts = TokenLists { ids: Vec::new(), ends: Vec::new() };
        let mut lengths = Vec::new();
        for (row, &index) in rows.iter().zip(indices) {
            if prompts.ids.len() >= TOKENS_AT_ONCE {
                break;
            }
            let prompt_tokens = self.whole(row, prompt_column, index)?;
            let answer_tokens = self.whole(row, answer_column, index)?;
            if !(0..=MOST_PROMPT_TOKENS).contains(&prompt_tokens) {
                return Err(Error::input(format!(
                    "a prompt of {prompt_tokens} tokens cannot be made; from 0 to {MOST_PROMPT_TOKENS} can"
                ))
                .at(self.rows.locate(index).column(prompt_column)));
            }
            let first = (self.made + lengths.len()) as u64;
            let vocab_size = u64::from(self.vocab_size);
            prompts.ids.extend((0..prompt_tokens.unsigned_abs()).map(|k| ((first + k) % vocab_size) as u32));
            prompts.ends.push(prompts.ids.len() as u32);
            lengths.push((prompt_tokens.unsigned_abs(), answer_tokens));
        }
        if lengths.is_empty() {
            return Ok(());
        }
        for (text, (prompt_tokens, answer_tokens)) in
            tokenizer::decode(&prompts, false)?.into_iter().zip(lengths)
        {
            // The length wanted: the text may have another under any tokenizer.
            let turn = Turn::text(text, prompt_tokens, answer_tokens);
            self.ready.push_back(Sample::new(turn).with_id(self.cx.request_id(self.made)));
            self.made += 1;
        }
        Ok(())
    }

    /// `int(cell)` of a column of numbers.
    fn whole(&self, row: &Map<String, Value>, column: &str, index: u64) -> Result<i64> {
        let text = row.get(column).and_then(Value::as_str).unwrap_or_default();
        python_number::parse_int(text)
            .or_else(|| python_number::truncate(python_number::parse_float(text)?))
            .ok_or_else(|| {
                Error::input(format!("`{text}` is not a number of tokens"))
                    .at(self.rows.locate(index).column(column))
            })
    }
}

/// The rows of the model GPT-4 with an answer of more than no tokens.
fn answered(rows: &Rows) -> Result<Vec<u64>> {
    let count = rows.count();
    let mut usable = Vec::new();
    let mut start = 0;
    while start < count {
        let chunk: Vec<u64> = (start..count.min(start + CHUNK)).collect();
        for (row, &index) in rows.read::<Map<String, Value>>(&chunk, &[MODEL, ANSWER])?.iter().zip(&chunk) {
            let cell = |column| row.get(column).and_then(Value::as_str).unwrap_or_default();
            if cell(MODEL) != "GPT-4" {
                continue;
            }
            let tokens = cell(ANSWER);
            // As in a data frame, nothing is no number, and no number is above 0.
            if tokens.is_empty() {
                continue;
            }
            let Some(tokens) = python_number::parse_float(tokens) else {
                return Err(Error::input(format!("`{tokens}` is not a number of tokens"))
                    .at(rows.locate(index).column(ANSWER)));
            };
            if tokens > 0.0 {
                usable.push(index);
            }
        }
        start += CHUNK;
    }
    Ok(usable)
}

fn whole_file(rows: &Rows) -> Location {
    Location { row: None, ..rows.locate(0) }
}

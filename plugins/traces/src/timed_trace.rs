//! The dataset `timed_trace`: a trace with a time, two lengths and the ids of
//! its blocks for each request, as those of Mooncake.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;
use serde_json::value::RawValue;
use vbench_plugin::generators::{NumpyRandomState, PythonRandom};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, MOST_PROMPT_TOKENS, python_number};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::{log, tokenizer};

use crate::TOKENS_AT_ONCE;
use crate::expansion::Expansion;

/// Options of the dataset. The answers end where the trace says, so the schema
/// asks for `ignore_eos`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-ignore-eos" = true))]
pub struct TimedTraceConfig {
    /// The trace, a JSON Lines file with a request a line.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Tokens that a hash id stands for.
    #[serde(default = "chunk_hash_size")]
    #[schemars(range(min = 1))]
    chunk_hash_size: i64,
    /// Seconds of one unit of the timestamps: 0.001 for milliseconds.
    #[serde(default = "sec_multiplier")]
    sec_multiplier: f64,
    /// Key of the time at which a request is due.
    #[serde(default = "label_timestamp")]
    label_timestamp: String,
    /// Key of the tokens of a prompt.
    #[serde(default = "label_input_length")]
    label_input_length: String,
    /// Key of the tokens of an answer.
    #[serde(default = "label_output_length")]
    label_output_length: String,
    /// Key of the hash ids of a prompt's blocks. Prompts with the same ids share their tokens.
    #[serde(default = "label_hash_ids")]
    label_hash_ids: String,
    /// Key of the session that a request belongs to, a text or a number; `--session-header` sends it.
    #[serde(default)]
    label_session: Option<String>,
    /// How a hash id becomes tokens: `stable`, the same everywhere, or `python:N`, as in vLLM under PYTHONHASHSEED=N.
    #[serde(default = "hash")]
    hash: String,
}

fn chunk_hash_size() -> i64 {
    16
}

fn sec_multiplier() -> f64 {
    1.0
}

fn label_timestamp() -> String {
    "timestamp".into()
}

fn label_input_length() -> String {
    "input_length".into()
}

fn label_output_length() -> String {
    "output_length".into()
}

fn label_hash_ids() -> String {
    "hash_ids".into()
}

fn hash() -> String {
    "stable".into()
}

/// Rows read at once.
const CHUNK: u64 = 256;

/// Backends that take token ids for prompts.
const BACKENDS: [&str; 2] = ["vllm", "openai"];

/// The requests of a trace in its order, each with its time.
pub struct TimedTrace {
    cx: DatasetContext,
    config: TimedTraceConfig,
    rows: Rows,
    expansion: Expansion,
    /// The next row, and the first that is not wanted.
    at: u64,
    end: u64,
    ready: VecDeque<Sample>,
}

impl Dataset for TimedTrace {
    type Config = TimedTraceConfig;
    const NAME: &'static str = "timed_trace";
    const SUMMARY: &'static str = "A recorded trace, replayed with its times, lengths and shared prefixes.";

    fn open(cx: &DatasetContext, config: TimedTraceConfig) -> Result<Self> {
        if !BACKENDS.contains(&cx.backend.as_str()) {
            return Err(Error::unsupported(
                "timed_trace dataset passes pre-tokenized prompts (list[int]) and requires a completions backend ('vllm' or 'openai').",
            ));
        }
        let Some(info) = tokenizer::describe() else {
            return Err(Error::config(
                "dataset timed_trace makes prompts of tokens, which needs a tokenizer",
            ));
        };
        let specials: BTreeSet<u32> = info.special_ids.iter().copied().collect();
        let mut vocabulary = tokenizer::vocabulary_ids()?;
        vocabulary.retain(|id| !specials.contains(id));
        if vocabulary.is_empty() {
            return Err(Error::config(format!(
                "tokenizer {} has no tokens but special ones, so no prompts can be made of it",
                info.name
            )));
        }
        let block_tokens = usize::try_from(config.chunk_hash_size)
            .ok()
            .filter(|&tokens| tokens <= MOST_PROMPT_TOKENS as usize)
            .ok_or_else(|| {
                Error::config(format!("has to be at most {MOST_PROMPT_TOKENS}")).key("chunk_hash_size")
            })?;
        let expansion = Expansion::new(config.hash.parse()?, vocabulary, block_tokens);
        let rows = Rows::open("path", Format::Jsonl)?;
        let end = rows.count().min(u64::try_from(cx.count).unwrap_or(0));
        log::info(format!(
            "timed-trace: chunk_size: {}, sec_multiplier: {:?}, label_ts: {:?}, label_input_length: {:?}, label_output_length: {:?}, label_hash_ids: {:?}",
            config.chunk_hash_size,
            config.sec_multiplier,
            config.label_timestamp,
            config.label_input_length,
            config.label_output_length,
            config.label_hash_ids
        ));
        Ok(Self { cx: cx.clone(), config, rows, expansion, at: 0, end, ready: VecDeque::new() })
    }

    fn next(&mut self) -> Result<Option<Sample>> {
        if self.ready.is_empty() {
            self.make()?;
        }
        Ok(self.ready.pop_front())
    }

    fn finish(&mut self) -> Result<Summary> {
        // Both are seeded anew with 0, whatever the run's seed, and not drawn from.
        Ok(Summary {
            python_random: Some(rules::python_state(&PythonRandom::new(0))),
            numpy_random: Some(rules::numpy_state(&NumpyRandomState::new(0))),
            ..Summary::default()
        })
    }
}

impl TimedTrace {
    /// Makes the next samples, if there are any to come.
    fn make(&mut self) -> Result<()> {
        let indices: Vec<u64> = (self.at..self.end.min(self.at + CHUNK)).collect();
        // Whole rows, since a field that is missing is told with those there are.
        let rows = self.rows.read::<Row>(&indices, &[])?;
        let mut tokens = 0;
        for (row, index) in rows.iter().zip(indices) {
            if tokens >= TOKENS_AT_ONCE {
                break;
            }
            let sample = self.sample(row, index)?;
            tokens += sample.turns.iter().map(|turn| turn.prompt_tokens as usize).sum::<usize>();
            self.ready.push_back(sample);
            self.at += 1;
        }
        Ok(())
    }

    fn sample(&mut self, row: &Row, index: u64) -> Result<Sample> {
        let config = &self.config;
        let length = self.whole(row, &config.label_input_length, "input-length", index)?;
        let output_tokens = self.whole(row, &config.label_output_length, "output-length", index)?;
        let timestamp = self.number(row, &config.label_timestamp, "timestamp", index)?;
        let arrival_s = timestamp * config.sec_multiplier;
        if !(arrival_s.is_finite() && arrival_s >= 0.0) {
            return Err(Error::input(format!("a request cannot be due {arrival_s} s after the start"))
                .at(self.rows.locate(index).column(&config.label_timestamp)));
        }
        if length > MOST_PROMPT_TOKENS {
            return Err(Error::input(format!("a prompt has more than {MOST_PROMPT_TOKENS} tokens"))
                .at(self.rows.locate(index).column(&config.label_input_length)));
        }
        let ids = match row.get(&config.label_hash_ids) {
            Some(ids) => hash_ids(ids).map_err(|reason| {
                Error::input(reason).at(self.rows.locate(index).column(&config.label_hash_ids))
            })?,
            None => Vec::new(),
        };
        // A negative length leaves nothing to fill, as no length does.
        let prompt = self.expansion.prompt(&ids, usize::try_from(length).unwrap_or(0))?;
        let prompt_tokens = prompt.len() as u64;
        let turn = Turn::new(Prompt::TokenIds(prompt), prompt_tokens, output_tokens);
        let mut sample = Sample::new(turn).with_id(self.cx.request_id(index)).due_at(arrival_s);
        sample.session = self.session(row, index)?;
        Ok(sample)
    }

    /// The session of a row, if the trace has sessions.
    fn session(&self, row: &Row, index: u64) -> Result<Option<String>> {
        let Some(label) = &self.config.label_session else { return Ok(None) };
        match self.field(row, label, "session", index)?.1 {
            Value::String(session) => Ok(Some(session)),
            Value::Number(session) => Ok(Some(session.to_string())),
            other => Err(Error::input(format!("`{other}` is neither a text nor a number"))
                .at(self.rows.locate(index).column(label))),
        }
    }

    /// `float(value)` of what a row has at `label`, which the flag
    /// `--timed-trace-label-WHAT` names.
    fn number(&self, row: &Row, label: &str, what: &str, index: u64) -> Result<f64> {
        let (raw, value) = self.field(row, label, what, index)?;
        let number = match &value {
            Value::String(text) => python_number::parse_float(text),
            value => value.as_f64(),
        };
        number.ok_or_else(|| self.no_number(raw, label, index))
    }

    /// `int(value)` of what a row has at `label`.
    fn whole(&self, row: &Row, label: &str, what: &str, index: u64) -> Result<i64> {
        let (raw, value) = self.field(row, label, what, index)?;
        let whole = match &value {
            Value::String(text) => python_number::parse_int(text),
            value => value.as_i64().or_else(|| python_number::truncate(value.as_f64()?)),
        };
        whole.ok_or_else(|| self.no_number(raw, label, index))
    }

    fn field<'a>(&self, row: &'a Row, label: &str, what: &str, index: u64) -> Result<(&'a RawValue, Value)> {
        let Some(raw) = row.get(label) else {
            let fields: Vec<&str> = row.keys().map(String::as_str).collect();
            let fields = if fields.is_empty() { "no fields at all".to_owned() } else { fields.join(", ") };
            return Err(Error::input(format!(
                "the row has no `{label}`, but {fields}; name the right one with --timed-trace-label-{what}"
            ))
            .at(self.rows.locate(index)));
        };
        let value = serde_json::from_str(raw.get()).map_err(|_| self.no_number(raw, label, index))?;
        Ok((raw, value))
    }

    fn no_number(&self, found: &RawValue, label: &str, index: u64) -> Error {
        Error::input(format!("`{found}` is not a number")).at(self.rows.locate(index).column(label))
    }
}

/// A row, its values as they are written: hash ids may need more than 64 bits.
type Row = BTreeMap<String, Box<RawValue>>;

/// Hash ids as Python writes them.
fn hash_ids(raw: &RawValue) -> Result<Vec<String>, String> {
    let ids: Option<Vec<&RawValue>> =
        serde_json::from_str(raw.get()).map_err(|_| "hash ids have to be a list".to_owned())?;
    let id = |id: &RawValue| match id.get() {
        "-0" => Ok("0".to_owned()),
        number if number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) => Ok(number.to_owned()),
        other => serde_json::from_str::<String>(other)
            .map_err(|_| format!("hash id {other} is neither a whole number nor a text")),
    };
    ids.unwrap_or_default().into_iter().map(id).collect()
}

//! The dataset `timed_trace`: a trace with a time and two lengths for each
//! request, and where the trace has them the ids of its blocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;
use serde_json::value::RawValue;
use vbench_plugin::dataset::Skip;
use vbench_plugin::generators::{NumpyRandomState, PythonRandom};
use vbench_plugin::prelude::*;
use vbench_plugin::rules::{self, MOST_PROMPT_TOKENS, python_number};
use vbench_plugin::table::Rows;
use vbench_plugin::{log, tokenizer};

use crate::TOKENS_AT_ONCE;
use crate::expansion::Expansion;
use crate::form::{Form, Moment, Usual};

/// Options of the dataset. The answers end where the trace says, so the schema
/// asks for `ignore_eos`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-ignore-eos" = true))]
pub struct TimedTraceConfig {
    /// The trace, a request a row: JSON Lines, or CSV for the forms azure and burstgpt.
    #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
    #[allow(dead_code, reason = "the host opens it by the option's name")]
    path: String,
    /// Whose form the trace has; it settles the defaults of the options below. azure and burstgpt count times from the first request, pass over requests without an answer, and give every prompt tokens of its own.
    #[serde(default)]
    form: Form,
    /// Tokens that a hash id stands for: 16, for mooncake 512.
    #[serde(default)]
    #[schemars(range(min = 1))]
    chunk_hash_size: Option<i64>,
    /// Seconds of one unit of the timestamps, such as 0.001 for milliseconds: 1, for mooncake 0.001. Less replays the trace faster.
    #[serde(default)]
    sec_multiplier: Option<f64>,
    /// Key or column of the time at which a request is due: timestamp, for azure TIMESTAMP, for burstgpt Timestamp.
    #[serde(default)]
    label_timestamp: Option<String>,
    /// Key or column of the tokens of a prompt: input_length, for azure ContextTokens, for burstgpt "Request tokens".
    #[serde(default)]
    label_input_length: Option<String>,
    /// Key or column of the tokens of an answer: output_length, for azure GeneratedTokens, for burstgpt "Response tokens".
    #[serde(default)]
    label_output_length: Option<String>,
    /// Key of the hash ids of a prompt's blocks: hash_ids, for azure and burstgpt none. Prompts with the same ids share their tokens.
    #[serde(default)]
    label_hash_ids: Option<String>,
    /// Key of the session that a request belongs to, a text or a number; `--session-header` sends it.
    #[serde(default)]
    label_session: Option<String>,
    /// How a hash id becomes tokens: `stable`, the same everywhere, or `python:N`, as in vLLM under PYTHONHASHSEED=N.
    #[serde(default = "hash")]
    hash: String,
}

fn hash() -> String {
    "stable".into()
}

impl TimedTraceConfig {
    fn layout(&self) -> Layout {
        let usual = self.form.usual();
        let label = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| usual.to_owned());
        Layout {
            timestamp: label(&self.label_timestamp, usual.timestamp),
            input_length: label(&self.label_input_length, usual.input_length),
            output_length: label(&self.label_output_length, usual.output_length),
            hash_ids: self.label_hash_ids.clone().or_else(|| usual.hash_ids.map(str::to_owned)),
            session: self.label_session.clone(),
            block_tokens: self.chunk_hash_size.unwrap_or(usual.block_tokens),
            sec_multiplier: self.sec_multiplier.unwrap_or(usual.sec_multiplier),
            usual,
        }
    }
}

/// Where a row has what, and what it means.
struct Layout {
    timestamp: String,
    input_length: String,
    output_length: String,
    hash_ids: Option<String>,
    session: Option<String>,
    block_tokens: i64,
    sec_multiplier: f64,
    usual: Usual,
}

/// Rows read at once.
const CHUNK: u64 = 256;

/// Backends that take token ids for prompts.
const BACKENDS: [&str; 2] = ["vllm", "openai"];

/// The requests of a trace in its order, each with its time.
pub struct TimedTrace {
    cx: DatasetContext,
    layout: Layout,
    rows: Rows,
    expansion: Expansion,
    /// The next row.
    at: u64,
    /// Samples made, and how many are wanted.
    made: u64,
    wanted: u64,
    /// What times count from, once it is known.
    first: Option<Moment>,
    /// Requests without an answer that were passed over.
    unanswered: u64,
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
        let layout = config.layout();
        if layout.hash_ids.is_none() && config.chunk_hash_size.is_some() {
            return Err(Error::config("has no effect on a trace without hash ids").key("chunk_hash_size"));
        }
        let block_tokens = usize::try_from(layout.block_tokens)
            .ok()
            .filter(|&tokens| tokens <= MOST_PROMPT_TOKENS as usize)
            .ok_or_else(|| {
                Error::config(format!("has to be at most {MOST_PROMPT_TOKENS}")).key("chunk_hash_size")
            })?;
        let expansion = Expansion::new(config.hash.parse()?, vocabulary, block_tokens);
        let rows = Rows::open("path", layout.usual.format)?;
        log::info(format!(
            "timed-trace: chunk_size: {}, sec_multiplier: {:?}, label_ts: {:?}, label_input_length: {:?}, label_output_length: {:?}, label_hash_ids: {:?}",
            layout.block_tokens,
            layout.sec_multiplier,
            layout.timestamp,
            layout.input_length,
            layout.output_length,
            layout.hash_ids.as_deref().unwrap_or("none")
        ));
        Ok(Self {
            cx: cx.clone(),
            layout,
            rows,
            expansion,
            at: 0,
            made: 0,
            wanted: u64::try_from(cx.count).unwrap_or(0),
            first: None,
            unanswered: 0,
            ready: VecDeque::new(),
        })
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
            skipped: match self.unanswered {
                0 => Vec::new(),
                count => {
                    vec![Skip { reason: "no answer in the trace, so a request that failed".into(), count }]
                }
            },
        })
    }
}

impl TimedTrace {
    /// Makes the next samples, if there are any to come.
    fn make(&mut self) -> Result<()> {
        let mut tokens = 0;
        while tokens == 0 && self.made < self.wanted && self.at < self.rows.count() {
            let end = self.rows.count().min(self.at + CHUNK.min(self.wanted - self.made));
            let indices: Vec<u64> = (self.at..end).collect();
            // Whole rows, since a field that is missing is told with those there are.
            let rows = self.rows.read::<Row>(&indices, &[])?;
            for (row, index) in rows.iter().zip(indices) {
                if tokens >= TOKENS_AT_ONCE {
                    break;
                }
                self.at += 1;
                let Some(sample) = self.sample(row, index)? else {
                    self.unanswered += 1;
                    continue;
                };
                // A prompt without tokens is a sample, too.
                tokens += sample.turns.iter().map(|turn| turn.prompt_tokens as usize).sum::<usize>().max(1);
                self.ready.push_back(sample);
                self.made += 1;
            }
        }
        Ok(())
    }

    /// The sample of a row; none for a request of a log that has no answer.
    fn sample(&mut self, row: &Row, index: u64) -> Result<Option<Sample>> {
        let layout = &self.layout;
        let length = self.whole(row, &layout.input_length, "input-length", index)?;
        let output_tokens = self.whole(row, &layout.output_length, "output-length", index)?;
        if layout.usual.is_log && output_tokens <= 0 {
            return Ok(None);
        }
        let moment = self.moment(row, index)?;
        let first = self.first.or(layout.usual.is_log.then_some(moment));
        let arrival_s = moment.since(first) * layout.sec_multiplier;
        if !(arrival_s.is_finite() && arrival_s >= 0.0) {
            return Err(Error::input(format!("a request cannot be due {arrival_s} s after the start"))
                .at(self.rows.locate(index).column(&layout.timestamp)));
        }
        if length > MOST_PROMPT_TOKENS {
            return Err(Error::input(format!("a prompt has more than {MOST_PROMPT_TOKENS} tokens"))
                .at(self.rows.locate(index).column(&layout.input_length)));
        }
        // A negative length leaves nothing to fill, as no length does.
        let prompt_tokens = usize::try_from(length).unwrap_or(0);
        let prompt = match &layout.hash_ids {
            None => self.expansion.alone(index, prompt_tokens)?,
            Some(label) => {
                let ids = row.get(label).map(|ids| hash_ids(ids)).transpose();
                let ids = ids
                    .map_err(|reason| Error::input(reason).at(self.rows.locate(index).column(label)))?
                    .unwrap_or_default();
                self.expansion.prompt(&ids, prompt_tokens)?
            }
        };
        let session = self.session(row, index)?;
        self.first = first;
        let prompt_tokens = prompt.len() as u64;
        let turn = Turn::new(Prompt::TokenIds(prompt), prompt_tokens, output_tokens);
        let mut sample = Sample::new(turn).with_id(self.cx.request_id(self.made)).due_at(arrival_s);
        sample.session = session;
        Ok(Some(sample))
    }

    /// When a row's request came.
    fn moment(&self, row: &Row, index: u64) -> Result<Moment> {
        let label = &self.layout.timestamp;
        if !self.layout.usual.has_dates {
            return Ok(Moment::Number(self.number(row, label, "timestamp", index)?));
        }
        let (raw, value) = self.field(row, label, "timestamp", index)?;
        value.as_str().and_then(Moment::date).ok_or_else(|| {
            Error::input(format!("`{raw}` is not a date such as `2023-11-16 18:17:03.979`"))
                .at(self.rows.locate(index).column(label))
        })
    }

    /// The session of a row, if the trace has sessions.
    fn session(&self, row: &Row, index: u64) -> Result<Option<String>> {
        let Some(label) = &self.layout.session else { return Ok(None) };
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

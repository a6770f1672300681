//! The Berkeley Function-Calling Leaderboard: questions with the functions that
//! may be called.
//!
//! Its files are no dataset of the library: one a category, a row a line. Rows
//! of the categories take turns, then all are shuffled.

use std::path::Path;

use serde_json::{Map, Value, json};
use vbench_plugin::dataset::Skip;
use vbench_plugin::generators::PythonRandom;
use vbench_plugin::prelude::*;
use vbench_plugin::tokenizer::{self, Chat};

use crate::folder::{self, DataFile};
use crate::rows::{Place, Tables};
use crate::{Config, Drawing};

/// The datasets that belong to it.
pub const IDS: &[&str] = &["gorilla-llm/Berkeley-Function-Calling-Leaderboard"];

/// Categories, unless the user names some.
const CATEGORIES: &str = "simple,live_simple,multiple";
/// Longest answer, unless the user says.
const OUTPUT_TOKENS: i64 = 512;
/// Rows read at once.
const CHUNK: usize = 256;
/// The columns of a row that are looked at.
const COLUMNS: [&str; 2] = ["question", "function"];

/// Draws samples of function calls.
pub struct Calls {
    cx: DatasetContext,
    output_tokens: i64,
    tables: Tables,
    /// The rows in the order in which they are tried.
    order: std::vec::IntoIter<Place>,
    /// Rows that are asked, with the lengths of their prompts, to be asked again
    /// if there are too few.
    kept: Vec<(Place, u64)>,
    passed: u64,
}

impl Calls {
    /// Opens the files in `root`, and draws the order of their rows.
    pub fn new(cx: &DatasetContext, config: &Config, key: &'static str, root: &Path) -> Result<Self> {
        if cx.backend != "openai-chat" {
            return Err(Error::unsupported(format!(
                "function calls need --backend openai-chat, not {}",
                cx.backend
            )));
        }
        if tokenizer::describe().is_some_and(|tokenizer| !tokenizer.has_chat_template) {
            return Err(Error::config(
                "function calls are counted by the chat template, which the tokenizer has not",
            ));
        }
        if config.subset.is_some() || config.split.is_some() {
            let key = if config.subset.is_some() { "subset" } else { "split" };
            return Err(Error::config("the files of BFCL are chosen by --bfcl-categories").key(key));
        }
        let files = files(config, root)?;
        let places = 0..files.len();
        let mut tables = Tables::of_folder(key, files);
        let counts = places.map(|file| tables.count(file)).collect::<Result<Vec<u64>>>()?;
        let mut order: Vec<Place> = in_turns(&counts);
        if !config.rows.disable_shuffle {
            PythonRandom::new(cx.seed).shuffle(&mut order);
        }
        Ok(Self {
            cx: cx.clone(),
            output_tokens: config.output_len.unwrap_or(OUTPUT_TOKENS),
            tables,
            order: order.into_iter(),
            kept: Vec::new(),
            passed: 0,
        })
    }
}

impl Drawing for Calls {
    fn next_page(&mut self, max: usize) -> Result<Vec<Sample>> {
        let wanted = usize::try_from(self.cx.count).unwrap_or(0);
        let max = max.min(CHUNK).min(wanted - self.kept.len());
        let (mut places, mut calls) = (Vec::new(), Vec::new());
        while calls.is_empty() && max > 0 {
            let tried: Vec<Place> = self.order.by_ref().take(max).collect();
            if tried.is_empty() {
                break;
            }
            for (row, place) in self.tables.read(&tried, &COLUMNS)?.iter().zip(tried) {
                match Call::of(row) {
                    Some(call) => {
                        places.push(place);
                        calls.push(call);
                    }
                    None => self.passed += 1,
                }
            }
        }
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let chats: Vec<Chat> = calls
            .iter()
            .map(|call| Chat { messages: call.messages.to_string(), tools: Some(call.tools.to_string()) })
            .collect();
        let lengths = tokenizer::count(&tokenizer::render_chat(&chats, true, None)?, true)?;
        let mut samples = Vec::with_capacity(calls.len());
        for ((call, place), length) in calls.into_iter().zip(places).zip(lengths) {
            let id = self.cx.request_id(self.kept.len());
            samples.push(self.sample(call, u64::from(length)).with_id(id));
            self.kept.push((place, u64::from(length)));
        }
        Ok(samples)
    }

    fn again(&mut self, places: &[usize]) -> Result<Vec<Sample>> {
        let kept: Vec<(Place, u64)> = places.iter().map(|&place| self.kept[place]).collect();
        let rows: Vec<Place> = kept.iter().map(|&(place, _)| place).collect();
        let mut samples = Vec::with_capacity(rows.len());
        for (row, (_, length)) in self.tables.read(&rows, &COLUMNS)?.iter().zip(kept) {
            let call =
                Call::of(row).ok_or_else(|| Error::internal("a row that was asked cannot be asked again"))?;
            samples.push(self.sample(call, length));
        }
        Ok(samples)
    }

    fn found(&self) -> usize {
        self.kept.len()
    }

    fn skips(&self) -> Vec<Skip> {
        let reason = "without messages or functions".to_owned();
        if self.passed > 0 { vec![Skip { reason, count: self.passed }] } else { Vec::new() }
    }
}

impl Calls {
    fn sample(&self, call: Call, prompt_tokens: u64) -> Sample {
        let turn = Turn::new(Prompt::Messages(call.messages.to_string()), prompt_tokens, self.output_tokens);
        let overrides = json!({"tools": call.tools, "tool_choice": "auto"});
        Sample::new(turn).with_overrides(overrides.to_string())
    }
}

/// The files of the categories, in the order in which they were named.
fn files(config: &Config, root: &Path) -> Result<Vec<DataFile>> {
    let prefix = folder::snapshot(root, config.id());
    let categories = config.bfcl_categories.as_deref().unwrap_or(CATEGORIES);
    let categories: Vec<&str> =
        categories.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if categories.is_empty() {
        return Err(Error::config("no category is named").key("bfcl_categories"));
    }
    let file = |category: &&str| {
        let member = format!("{prefix}BFCL_v3_{category}.json");
        if !root.join(&member).exists() {
            return Err(Error::config(format!("the folder has no file `{member}` of category `{category}`"))
                .key("bfcl_categories"));
        }
        let format = folder::json_kind(root, &member)?;
        Ok(DataFile { member, format })
    };
    categories.iter().map(file).collect()
}

/// The rows of several files, the first of each, then the second, and so on.
fn in_turns(counts: &[u64]) -> Vec<Place> {
    let longest = counts.iter().copied().max().unwrap_or(0);
    (0..longest)
        .flat_map(|row| {
            (0..counts.len()).filter(move |&table| row < counts[table]).map(move |table| (table, row))
        })
        .collect()
}

struct Call {
    messages: Value,
    tools: Value,
}

impl Call {
    /// The messages of the first turn, and the functions as tools.
    fn of(row: &Map<String, Value>) -> Option<Self> {
        let messages = row.get("question")?.get(0)?;
        let functions = row.get("function")?.as_array()?;
        if messages.as_array().is_none_or(Vec::is_empty) || functions.is_empty() {
            return None;
        }
        let tool = |function: &Value| json!({"type": "function", "function": standard(function.clone(), 0)});
        Some(Self { messages: messages.clone(), tools: functions.iter().map(tool).collect() })
    }
}

/// A schema with the names of types that JSON Schema has, in place of Python's.
fn standard(schema: Value, depth: usize) -> Value {
    // Deeper than any schema; a parsed row is not deeper than this either.
    const MAX_DEPTH: usize = 128;
    if depth > MAX_DEPTH {
        return schema;
    }
    match schema {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(key, value)| {
                    let named = if key == "type" { value.as_str().and_then(type_name) } else { None };
                    let value = named.map_or_else(|| standard(value, depth + 1), Value::from);
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(items) => items.into_iter().map(|item| standard(item, depth + 1)).collect(),
        other => other,
    }
}

fn type_name(python: &str) -> Option<&'static str> {
    match python {
        "dict" => Some("object"),
        "float" => Some("number"),
        "tuple" => Some("array"),
        "any" => Some("string"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_take_turns_until_they_end() {
        assert_eq!(in_turns(&[3, 1, 2]), [(0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (0, 2)]);
        assert_eq!(in_turns(&[]), []);
    }

    #[test]
    fn types_are_renamed_where_they_are_types() {
        let schema = json!({"type": "dict", "properties": {
            "type": {"type": "string", "enum": ["dict", "any"]},
            "x": {"type": "tuple", "items": {"type": "float"}, "default": "any"},
        }});
        let expected = json!({"type": "object", "properties": {
            "type": {"type": "string", "enum": ["dict", "any"]},
            "x": {"type": "array", "items": {"type": "number"}, "default": "any"},
        }});
        assert_eq!(standard(schema, 0).to_string(), expected.to_string());
    }
}

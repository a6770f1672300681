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

use crate::Config;
use crate::folder::{self, DataFile};
use crate::rows::{Place, Tables};

/// The datasets that belong to it.
pub const IDS: &[&str] = &["gorilla-llm/Berkeley-Function-Calling-Leaderboard"];

/// Categories, unless the user names some.
const CATEGORIES: &str = "simple,live_simple,multiple";
/// Longest answer, unless the user says.
const OUTPUT_TOKENS: i64 = 512;
/// Rows read at once.
const CHUNK: usize = 256;

/// Draws samples from the files in `root`.
pub fn draw(
    cx: &DatasetContext,
    config: &Config,
    key: &'static str,
    root: &Path,
) -> Result<(Vec<Sample>, Vec<Skip>)> {
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
    if !config.disable_shuffle {
        PythonRandom::new(cx.seed).shuffle(&mut order);
    }
    let wanted = usize::try_from(cx.count).unwrap_or(0);
    let mut samples = Vec::new();
    let mut passed = 0;
    for places in order.chunks(CHUNK) {
        if samples.len() >= wanted {
            break;
        }
        let mut calls = Vec::with_capacity(places.len());
        for row in tables.read(places, &["question", "function"])? {
            match Call::of(&row) {
                Some(call) => calls.push(call),
                None => passed += 1,
            }
        }
        calls.truncate(wanted - samples.len());
        let chats: Vec<Chat> = calls
            .iter()
            .map(|call| Chat { messages: call.messages.to_string(), tools: Some(call.tools.to_string()) })
            .collect();
        let lengths = tokenizer::count(&tokenizer::render_chat(&chats, true, None)?, true)?;
        for (call, prompt_tokens) in calls.into_iter().zip(lengths) {
            let output_tokens = config.output_len.unwrap_or(OUTPUT_TOKENS);
            let turn = Turn::new(
                Prompt::Messages(call.messages.to_string()),
                u64::from(prompt_tokens),
                output_tokens,
            );
            let overrides = json!({"tools": call.tools, "tool_choice": "auto"});
            let id = cx.request_id(samples.len());
            samples.push(Sample::new(turn).with_id(id).with_overrides(overrides.to_string()));
        }
    }
    let reason = "without messages or functions".to_owned();
    Ok((samples, if passed > 0 { vec![Skip { reason, count: passed }] } else { Vec::new() }))
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

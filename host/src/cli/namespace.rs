//! All arguments in the order of the reference client's `Namespace`: printed
//! at the start under `--compat v0.33`, and exported in the PyTorch format.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::argv::{Normalised, Piece};
use super::known::{self, Kind, Literal};
use crate::report::python_float;
use crate::report::python_repr::{python_bool, python_repr, python_text, python_words};

/// A value as Python's argument parser would hold it.
#[derive(Debug, Clone, PartialEq)]
pub enum ArgValue {
    /// Unset.
    None,
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number; may be infinite.
    Float(f64),
    /// A text.
    Text(String),
    /// Several words.
    Words(Vec<String>),
    /// Parsed JSON.
    Json(Value),
    /// An object with keys that are no texts in Python.
    Object {
        /// As Python writes it.
        python: &'static str,
        /// As the export writes it.
        json: &'static str,
    },
}

impl ArgValue {
    /// The value in the PyTorch export: infinity is `"inf"`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Bool(value) => Value::from(*value),
            Self::Int(value) => Value::from(*value),
            Self::Float(value) if value.is_infinite() => Value::from("inf"),
            Self::Float(value) => Value::from(*value),
            Self::Text(value) => Value::from(value.as_str()),
            Self::Words(words) => words.iter().map(String::as_str).collect(),
            Self::Json(value) => value.clone(),
            // Written in this crate; if it ever were no JSON, the text is the next best.
            Self::Object { json, .. } => serde_json::from_str(json).unwrap_or_else(|_| Value::from(*json)),
        }
    }

    /// The value as Python's `repr` writes it.
    pub fn to_python(&self) -> String {
        match self {
            Self::None => "None".to_owned(),
            Self::Bool(value) => python_bool(*value).to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => python_float(*value),
            Self::Text(text) => python_text(text),
            Self::Words(words) => python_words(words),
            Self::Json(value) => python_repr(value),
            Self::Object { python, .. } => (*python).to_owned(),
        }
    }
}

impl From<Literal> for ArgValue {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::None => Self::None,
            Literal::False => Self::Bool(false),
            Literal::Int(value) => Self::Int(value),
            Literal::Float(value) => Self::Float(value),
            Literal::Text(value) => Self::Text(value.to_owned()),
            Literal::Object { python, json } => Self::Object { python, json },
        }
    }
}

/// All arguments, as parsed, in the reference client's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Namespace {
    entries: Vec<(String, ArgValue)>,
}

/// Options that `--output-len` overwrites in the reference client.
const OUTPUT_LENGTHS: &[&str] = &[
    "random_output_len",
    "sharegpt_output_len",
    "custom_output_len",
    "hf_output_len",
    "spec_bench_output_len",
    "prefix_repetition_output_len",
];

impl Namespace {
    /// From the words given. `extra` are flags of plugins that the reference
    /// client does not know; those given are added at the end.
    pub(super) fn new<'a>(given: &Normalised, extra: impl Iterator<Item = &'a str>) -> Self {
        let is_given = |flag: &str| {
            given.pieces.iter().any(|piece| matches!(piece, Piece::Flag { name, .. } if name == flag))
        };
        let mut entries: Vec<(String, ArgValue)> = known::SERVE
            .iter()
            .map(|known| {
                let flag = known.flag();
                let value = match given.values(&flag) {
                    Some([]) => known.default.into(),
                    Some(words) => read(known.kind, words),
                    None if known.kind == Kind::Switch => {
                        switched(given, &flag).map_or(known.default.into(), ArgValue::Bool)
                    }
                    None => known.default.into(),
                };
                let hidden = known.dest == "header" && value != ArgValue::None;
                (known.dest.to_owned(), if hidden { ArgValue::Text("***".to_owned()) } else { value })
            })
            .collect();
        for flag in extra.filter(|flag| known::find(flag).is_none() && is_given(flag)) {
            let value = match given.values(flag) {
                None => ArgValue::Bool(true),
                Some([word]) => ArgValue::Text(word.clone()),
                Some(words) => ArgValue::Words(words.to_vec()),
            };
            entries.push((flag.replace('-', "_"), value));
        }
        Self { entries }
    }

    /// Name and value of each argument, in order.
    pub fn entries(&self) -> &[(String, ArgValue)] {
        &self.entries
    }

    /// The value of an argument, none if there is no such argument.
    pub fn get(&self, dest: &str) -> Option<&ArgValue> {
        self.entries.iter().find(|(name, _)| name == dest).map(|(_, value)| value)
    }

    /// Replaces the value of an argument, or adds it at the end.
    pub fn set(&mut self, dest: &str, value: ArgValue) {
        match self.entries.iter_mut().find(|(name, _)| name == dest) {
            Some((_, old)) => *old = value,
            None => self.entries.push((dest.to_owned(), value)),
        }
    }

    /// The line that the reference client prints first.
    pub fn to_python(&self) -> String {
        let mut line = "Namespace(subparser='bench', bench_type='serve', \
                        dispatch_function=<function BenchmarkServingSubcommand.cmd at 0x0>"
            .to_owned();
        for (name, value) in &self.entries {
            let _ = write!(line, ", {name}={}", value.to_python());
        }
        line.push(')');
        line
    }

    /// `args` of the PyTorch export. The reference client writes it after the
    /// run, when it has changed some arguments: the general lengths have
    /// overwritten the datasets' own, the range ratio is a number, and
    /// `ignore_eos` and `self_timed` are resolved.
    pub fn export(&self, ignore_eos: bool) -> Map<String, Value> {
        let mut args = Map::new();
        args.insert("subparser".to_owned(), Value::from("bench"));
        args.insert("bench_type".to_owned(), Value::from("serve"));
        args.insert("dispatch_function".to_owned(), Value::from("<function is not JSON serializable>"));
        for (name, value) in &self.entries {
            let overwritten = match name.as_str() {
                "random_input_len" => self.get("input_len"),
                name if OUTPUT_LENGTHS.contains(&name) => self.get("output_len"),
                _ => None,
            };
            let exported = match (name.as_str(), overwritten) {
                (_, Some(general)) if *general != ArgValue::None => general.to_json(),
                ("ignore_eos", _) => Value::from(ignore_eos),
                ("self_timed", _) if *value == ArgValue::None => Value::from(false),
                ("random_range_ratio", _) => match value {
                    ArgValue::Text(text) => serde_json::from_str(text).unwrap_or_else(|_| value.to_json()),
                    other => other.to_json(),
                },
                _ => value.to_json(),
            };
            args.insert(name.clone(), exported);
        }
        args
    }
}

/// The state of a switch by the last word on it, `--flag` or `--no-flag`; none
/// if there is no word on it.
fn switched(given: &Normalised, flag: &str) -> Option<bool> {
    given.pieces.iter().rev().find_map(|piece| match piece {
        Piece::Flag { name, .. } if name == flag => Some(true),
        Piece::Flag { name, .. } if name.strip_prefix("no-") == Some(flag) => Some(false),
        _ => None,
    })
}

fn read(kind: Kind, words: &[String]) -> ArgValue {
    let Some(word) = words.last() else { return ArgValue::None };
    let parsed = match kind {
        Kind::Switch => Some(ArgValue::Bool(true)),
        Kind::Int => word.trim().parse().ok().map(ArgValue::Int),
        Kind::Float => word.trim().parse().ok().map(ArgValue::Float),
        Kind::Json => serde_json::from_str(word).ok().map(ArgValue::Json),
        Kind::Words => Some(ArgValue::Words(words.to_vec())),
        Kind::Text => None,
    };
    // A plugin may give a flag of the reference client another type.
    parsed.unwrap_or_else(|| ArgValue::Text(word.clone()))
}

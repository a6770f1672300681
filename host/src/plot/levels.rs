//! The values by which runs are told apart, and their order.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use super::results::{Run, number};
use crate::report::python_repr::python_repr;

/// A combination of values: keys with their texts.
pub type Group = Vec<(String, String)>;

/// A part of the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The key; several are joined by line breaks.
    pub key: String,
    /// Its values, in order.
    pub levels: Vec<String>,
    /// Whether the values are numbers.
    pub ordered: bool,
}

/// A value as Python's `str` writes it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => python_repr(value),
    }
}

/// The combinations of values that some keys have, in order.
pub(super) struct Levels(Vec<Vec<Value>>);

impl Levels {
    /// Those that the runs have.
    pub(super) fn of(runs: &[&Run], keys: &[String]) -> Self {
        let mut levels: Vec<Vec<Value>> = Vec::new();
        let mut seen = HashSet::new();
        for run in runs {
            let level = combination(run, keys);
            if seen.insert(level.iter().map(Value::to_string).collect::<Vec<_>>()) {
                levels.push(level);
            }
        }
        // Stable, so that values without an order stay as they come.
        levels.sort_by(|a, b| {
            a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
        });
        Self(levels)
    }

    /// The combinations' values, in order.
    pub(super) fn values(&self) -> &[Vec<Value>] {
        &self.0
    }

    /// The place of a run's combination.
    pub(super) fn place(&self, run: &Run, keys: &[String]) -> usize {
        let wanted = combination(run, keys);
        self.0.iter().position(|level| *level == wanted).unwrap_or(0)
    }

    /// The combinations with their keys, as texts.
    pub(super) fn groups(&self, keys: &[String]) -> Vec<Group> {
        let pairs = |level: &Vec<Value>| keys.iter().cloned().zip(level.iter().map(text_of)).collect();
        self.0.iter().map(pairs).collect()
    }

    /// The part of a legend that tells them apart.
    pub(super) fn section(&self, keys: &[String]) -> Section {
        let single = keys.len() == 1;
        // What is the same on all curves tells none from another.
        let differs = |at: &usize| self.0.iter().any(|level| level[*at] != self.0[0][*at]);
        let differing: Vec<usize> = (0..keys.len()).filter(differs).collect();
        let text = |level: &Vec<Value>| {
            let pairs = keys
                .iter()
                .zip(level)
                .enumerate()
                .filter(|(at, _)| differing.is_empty() || differing.contains(at));
            match level.as_slice() {
                [value] if single => text_of(value),
                _ => pairs
                    .map(|(_, (key, value))| format!("{key}={}", text_of(value)))
                    .collect::<Vec<_>>()
                    .join(", "),
            }
        };
        Section {
            key: if single { keys[0].clone() } else { String::new() },
            levels: self.0.iter().map(text).collect(),
            ordered: single && self.0.iter().all(|level| level.iter().all(|value| number(value).is_some())),
        }
    }
}

fn combination(run: &Run, keys: &[String]) -> Vec<Value> {
    keys.iter().map(|key| run.fields.get(key).cloned().unwrap_or(Value::Null)).collect()
}

/// Missing values first, then truth values, numbers, texts.
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        value if number(value).is_some() => 2,
        Value::String(_) => 3,
        _ => 4,
    };
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => natural_order(&text_of(a), &text_of(b)),
        },
    })
}

/// Texts with the numbers in them by their size: `q8` before `q16`.
fn natural_order(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(bool, String)> {
        let chars: Vec<char> = text.chars().collect();
        let runs = chars.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
        runs.map(|run| (run[0].is_ascii_digit(), run.iter().collect())).collect()
    };
    let order = |((a_number, a), (b_number, b)): (&(bool, String), &(bool, String))| {
        if !a_number || !b_number {
            return a.cmp(b);
        }
        let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
        a.len().cmp(&b.len()).then_with(|| a.cmp(b))
    };
    let (left, right) = (parts(a), parts(b));
    let differing = left.iter().zip(&right).map(order).find(|order| order.is_ne());
    differing.unwrap_or_else(|| left.len().cmp(&right.len())).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_names_are_in_order() {
        let mut names = ["q16 fp8", "q8", "q016 a", "q16", "a", "q8 fp8", "10", "9b"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["9b", "10", "a", "q8", "q8 fp8", "q16", "q016 a", "q16 fp8"]);
    }
}

//! Rules for what plugins return. A plugin is not trusted: what breaks a rule
//! here is refused, with the rule in words, before anything else sees it.
//!
//! One file a role, one for what a plugin says of itself, and one for extraction
//! plans; here stands what they share. It depends on the contract's types only.

mod backend;
mod criterion;
mod dataset;
mod description;
mod plan;

use serde::de::IgnoredAny;

use super::text;

pub(crate) use backend::{endpoint, parsed, requests, response};
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use backend::{headers, path};
pub(crate) use criterion::{good, verdict};
pub(crate) use dataset::{samples, summary};
pub(crate) use description::{description, schema_text};

/// Longest header value, path, id or label.
const MAX_LINE_BYTES: usize = 8 * 1024;
/// Most offers of a plugin, aliases of an offer, headers, tags, rules of a plan, or findings.
const MAX_ITEMS: usize = 1_000;

/// Most tokens of a prompt, a response or an event that can be meant: a thousand
/// billion. Sums over a run stay far from the end of 64 bits.
const MAX_TOKENS: u64 = 1_000_000_000_000;
/// Deepest nesting of JSON, below what readers of it give up at.
const MAX_JSON_DEPTH: usize = 120;

/// A rule that was broken, in words.
pub(crate) type Broken = String;

pub(crate) fn finite(what: &str, value: f64) -> Result<(), Broken> {
    if value.is_finite() { Ok(()) } else { Err(format!("{what} is {value}, not a finite number")) }
}

fn tokens(what: &str, count: u64) -> Result<(), Broken> {
    if count <= MAX_TOKENS { Ok(()) } else { Err(format!("{what} is {count}, more than {MAX_TOKENS}")) }
}

fn not_negative(what: &str, value: f64) -> Result<(), Broken> {
    finite(what, value)?;
    if value >= 0.0 { Ok(()) } else { Err(format!("{what} is {value}, below 0")) }
}

/// Text for people: bounded, one line, nothing that a terminal would act on.
fn sentence(what: &str, sentence: &str) -> Result<(), Broken> {
    if sentence.len() > text::MAX_MESSAGE_BYTES {
        return Err(format!("{what} is longer than {} bytes", text::MAX_MESSAGE_BYTES));
    }
    if sentence.chars().any(char::is_control) {
        return Err(format!("{what} holds control characters: `{}`", shown(sentence)));
    }
    Ok(())
}

fn line(what: &str, text: &str) -> Result<(), Broken> {
    if text.len() > MAX_LINE_BYTES {
        return Err(format!("{what} is longer than {MAX_LINE_BYTES} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{what} holds control characters: `{}`", shown(text)));
    }
    Ok(())
}

/// Visible ASCII, spaces and tabs inside, and obsolete text above ASCII (RFC 9110, 5.5).
fn header_value(what: &str, value: &str) -> Result<(), Broken> {
    if value.len() > MAX_LINE_BYTES {
        return Err(format!("{what} is longer than {MAX_LINE_BYTES} bytes"));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(format!("{what} holds control characters: `{}`", shown(value)));
    }
    Ok(())
}

/// That `json` is one JSON text that begins with `opening`, `{` or `[`.
pub(super) fn json_of(what: &str, json: &str, opening: char) -> Result<(), Broken> {
    let kind = if opening == '{' { "object" } else { "array" };
    if !json.trim_ascii_start().starts_with(opening) {
        return Err(format!("{what} has to be a JSON {kind}"));
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        return Err(format!("{what} is no JSON {kind}: {error}"));
    }
    if depth(json) > MAX_JSON_DEPTH {
        return Err(format!("{what} is nested deeper than {MAX_JSON_DEPTH}"));
    }
    Ok(())
}

/// How deep a JSON text is nested, which is known to be one.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_text) = (0_usize, 0, false);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if in_text => {
                bytes.next();
            }
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Broken> {
    if count <= max { Ok(()) } else { Err(format!("{count} {what}, more than {max}")) }
}

fn optional<T>(value: &Option<T>, check: impl FnOnce(&T) -> Result<(), Broken>) -> Result<(), Broken> {
    value.as_ref().map_or(Ok(()), check)
}

fn shown(text: &str) -> String {
    text::one_line(text, 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_what_is_outside_of_texts() {
        for (json, deep) in [("{}", 1), (r#"[{"a":"[[[\\"}]"#, 2), (r#"["\"[["]"#, 1), ("[[],[[]]]", 3)] {
            assert_eq!(depth(json), deep, "{json}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(json_of("x", &nested(MAX_JSON_DEPTH), '['), Ok(()));
        assert!(json_of("x", &nested(MAX_JSON_DEPTH + 1), '[').is_err());
    }
}

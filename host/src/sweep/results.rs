//! Files of results: read with suspicion, written whole.

use std::path::Path;

use serde_json::{Map, Value};

use super::error::SweepError;
use super::failure::{Failure, Halt};
use super::table::Row;
use crate::report::{ReportError, python_json, write_atomically};

/// Reads a run's result.
///
/// # Errors
/// It is not there, or holds something else than one JSON object.
pub fn read_row(path: &Path) -> Result<Row, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new("FileNotFoundError", format!("the result {} cannot be read: {error}", path.display()))
    })?;
    match parse(&text) {
        Ok(Value::Object(row)) => Ok(row),
        Ok(_) => Err(Failure::new("TypeError", format!("the result {} is no JSON object", path.display()))),
        Err(error) => {
            Err(Failure::new("JSONDecodeError", format!("the result {} is no JSON: {error}", path.display())))
        }
    }
}

/// Reads JSON in which Python may have written numbers that JSON lacks; they
/// become null.
fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let strict = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mut mended = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["-Infinity", "Infinity", "NaN"].iter().find(|word| !quoted && rest.starts_with(**word));
        let length = match word {
            Some(word) => {
                mended.push_str("null");
                word.len()
            }
            None if quoted && c == '\\' => {
                let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                mended.push_str(&rest[..length]);
                length
            }
            None => {
                quoted ^= c == '"';
                mended.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    serde_json::from_str(&mended).map_err(|_| strict)
}

/// Writes all runs of a pair.
///
/// # Errors
/// The file cannot be written.
pub fn write_rows(path: &Path, rows: &[Row]) -> Result<(), Halt> {
    let rows: Value = rows.iter().cloned().map(Value::Object).collect();
    write_text(path, &python_json::to_pretty(&rows, 4).map_err(ReportError::from)?)
}

/// Writes a file in one step, folders included.
///
/// # Errors
/// The file cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<(), Halt> {
    write_atomically(path, text.as_bytes()).map_err(|error| match error {
        ReportError::Io { action, path, source } => SweepError::Write { action, path, source }.into(),
        other => other.into(),
    })
}

/// The number under a key, if it is one; `"inf"` is infinity.
pub fn number(row: &Map<String, Value>, key: &str) -> Option<f64> {
    match row.get(key)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) if text == "inf" => Some(f64::INFINITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_that_json_lacks_are_null() {
        let text = r#"{"a": NaN, "b": [Infinity, -Infinity, 1], "NaN \"NaN": "Infinity"}"#;
        assert_eq!(parse(text).unwrap(), json!({"a": null, "b": [null, null, 1], "NaN \"NaN": "Infinity"}));
        assert!(parse("{\"a\": 1").is_err());
        assert!(parse("{\"a\\").is_err());
    }

    #[test]
    fn broken_results_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run=0.json");
        assert!(read_row(&path).unwrap_err().message.contains("run=0.json cannot be read"));
        std::fs::write(&path, "{\"a\": ").unwrap();
        assert_eq!(read_row(&path).unwrap_err().kind, "JSONDecodeError");
        std::fs::write(&path, "[]").unwrap();
        assert_eq!(read_row(&path).unwrap_err().kind, "TypeError");
    }
}

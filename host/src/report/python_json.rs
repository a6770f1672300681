//! JSON as Python's `json.dumps` writes it: `, ` and `: ` as separators, ASCII
//! only, floats in Python's form. What JSON has no number for is null.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};

use super::python_float::{is_plain, python_float};

/// Serialises a value into one line of JSON.
///
/// # Errors
/// If the value has maps with keys that are neither text nor numbers.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, PythonFormatter))?;
    Ok(out)
}

/// A value over several lines, as `json.dumps(value, indent=indent)` writes it.
///
/// # Errors
/// Never, for a JSON value.
pub fn to_pretty(value: &Value, indent: usize) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    pretty(value, indent, 0, &mut out)?;
    Ok(out)
}

fn pretty(value: &Value, indent: usize, depth: usize, out: &mut String) -> Result<(), serde_json::Error> {
    let line = |out: &mut String, first: bool, depth: usize| {
        out.push_str(if first { "\n" } else { ",\n" });
        out.extend(std::iter::repeat_n(' ', indent * depth));
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                line(out, at == 0, depth + 1);
                pretty(item, indent, depth + 1, out)?;
            }
            line(out, true, depth);
            out.push(']');
        }
        Value::Object(items) if !items.is_empty() => {
            out.push('{');
            for (at, (key, item)) in items.iter().enumerate() {
                line(out, at == 0, depth + 1);
                out.push_str(&String::from_utf8_lossy(&to_vec(key)?));
                out.push_str(": ");
                pretty(item, indent, depth + 1, out)?;
            }
            line(out, true, depth);
            out.push('}');
        }
        scalar => out.push_str(&String::from_utf8_lossy(&to_vec(scalar)?)),
    }
    Ok(())
}

/// A float as a JSON value: infinity, which JSON lacks, as the text that
/// readers of the reference client's results know; null for no number.
pub fn float(value: f64) -> Value {
    if value.is_infinite() { Value::from(python_float(value)) } else { Value::from(value) }
}

#[derive(Debug, Clone, Copy)]
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, out: &mut W, value: f64) -> io::Result<()> {
        // serde_json's own writer is several times faster and agrees here.
        if is_plain(value) {
            CompactFormatter.write_f64(out, value)
        } else {
            out.write_all(python_float(value).as_bytes())
        }
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        // serde_json has already taken out quotes, backslashes and controls.
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| c >= '\u{7f}') {
            let (plain, tail) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut characters = tail.chars();
            if let Some(character) = characters.next() {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(to_vec(value).unwrap()).unwrap()
    }

    #[test]
    fn looks_like_json_dumps() {
        let value = json!({"a": [1, 2.0, 1e-5, null, true], "b\u{e9}": "\u{1F600}\n\"\\\u{1}\u{7f}/", "c": {}, "d": []});
        assert_eq!(
            text(&value),
            "{\"a\": [1, 2.0, 1e-05, null, true], \
             \"b\\u00e9\": \"\\ud83d\\ude00\\n\\\"\\\\\\u0001\\u007f/\", \"c\": {}, \"d\": []}"
        );
    }

    #[test]
    fn looks_like_json_dumps_with_an_indent() {
        let value = json!({"a": [1, {"\u{e9}": 1e-5}], "c": {}, "d": []});
        assert_eq!(
            to_pretty(&value, 2).unwrap(),
            "{\n  \"a\": [\n    1,\n    {\n      \"\\u00e9\": 1e-05\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}"
        );
    }

    #[test]
    fn numbers_that_json_lacks() {
        assert_eq!(float(f64::INFINITY), json!("inf"));
        assert_eq!(float(f64::NAN), Value::Null);
        assert_eq!(to_vec(&[f64::NAN, f64::INFINITY]).unwrap(), b"[null, null]");
    }

    proptest! {
        #[test]
        fn floats_are_pythons(value in prop::num::f64::NORMAL | prop::num::f64::ZERO) {
            prop_assert_eq!(text(&json!(value)), python_float(value));
        }

        #[test]
        fn plain_floats_are_pythons(value in -1e6..1e6f64, shift in 0..12i32) {
            let value = value / 10f64.powi(shift);
            prop_assert_eq!(text(&json!(value)), python_float(value));
        }

        #[test]
        fn strings_read_back(string: String) {
            let written = text(&json!(string));
            prop_assert!(written.is_ascii());
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), string);
        }
    }
}

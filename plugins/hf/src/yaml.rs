//! A YAML text as a JSON value, by one pass over its events.

use serde_json::{Map, Value};
use yaml_rust2::Yaml;
use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::TScalarStyle;

/// Depth to which lists and mappings may be nested.
const MAX_DEPTH: usize = 64;
/// What YAML's own tags begin with.
const CORE: &str = "tag:yaml.org,2002:";

/// A list or a mapping that has begun.
enum Open {
    List(Vec<Value>),
    Fields { fields: Map<String, Value>, key: Key },
}

/// The key that the next node of a mapping belongs to.
enum Key {
    /// The next node is the key itself.
    Next,
    Text(String),
    /// One that is no text, which JSON has not: its value is left out.
    Other,
}

/// The first document of a text; null for one without nodes, and for scalars
/// that are neither texts, whole numbers nor truth values.
///
/// The text may be anyone's: nesting is bounded, and aliases, which can make
/// much of little, are refused. An error is in words.
pub fn first_document(text: &str) -> Result<Value, String> {
    let mut parser = Parser::new_from_str(text);
    let mut open = Vec::new();
    loop {
        let (event, _) = parser.next_token().map_err(|error| error.to_string())?;
        let node = match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart => continue,
            Event::DocumentEnd | Event::StreamEnd => return Ok(Value::Null),
            Event::Alias(_) => return Err("its YAML has aliases, which are not read".into()),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() > MAX_DEPTH => {
                return Err(format!("its YAML is nested deeper than {MAX_DEPTH}"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Fields { fields: Map::new(), key: Key::Next });
                continue;
            }
            Event::Scalar(text, style, _, tag) => scalar(text, style, tag.as_ref()),
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Value::Array(items),
                Some(Open::Fields { fields, .. }) => Value::Object(fields),
                None => Value::Null,
            },
        };
        match open.last_mut() {
            Some(parent) => parent.add(node)?,
            None => return Ok(node),
        }
    }
}

impl Open {
    fn add(&mut self, node: Value) -> Result<(), String> {
        match self {
            Self::List(items) => items.push(node),
            Self::Fields { fields, key } => match (std::mem::replace(key, Key::Next), node) {
                (Key::Next, Value::String(text)) => *key = Key::Text(text),
                (Key::Next, _) => *key = Key::Other,
                (Key::Other, _) => {}
                (Key::Text(name), _) if fields.contains_key(&name) => {
                    return Err(format!("its YAML has `{name}` twice in one mapping"));
                }
                (Key::Text(name), node) => {
                    fields.insert(name, node);
                }
            },
        }
        Ok(())
    }
}

/// What a scalar means by YAML's core schema.
fn scalar(text: String, style: TScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text =
        style != TScalarStyle::Plain || tag.is_some_and(|tag| tag.handle != CORE || tag.suffix == "str");
    if is_text {
        return Value::String(text);
    }
    match Yaml::from_str(&text) {
        Yaml::String(_) => Value::String(text),
        Yaml::Integer(number) => number.into(),
        Yaml::Boolean(flag) => flag.into(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_read_as_json() {
        for (text, value) in [
            ("", json!(null)),
            ("# nothing", json!(null)),
            (
                "a: [1, 'two', {b: true, c: ~}]\nd:\n- e\n- '3'\n",
                json!({"a": [1, "two", {"b": true, "c": null}], "d": ["e", "3"]}),
            ),
            ("1: x\n[y]: z\na: 1.5\n", json!({"a": null})),
            ("a: !!str 7\nb: !!int 7\nc: !other 7\n", json!({"a": "7", "b": 7, "c": "7"})),
            ("a: |\n  b\n  c\nd: >\n  e\n  f\n", json!({"a": "b\nc\n", "d": "e f\n"})),
            ("a: 1\n---\nb: [", json!({"a": 1})),
            ("plain", json!("plain")),
        ] {
            assert_eq!(first_document(text), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_yaml_or_too_much_of_it_is_refused() {
        for text in ["a: [", "a: &a [1]\nb: *a", "a: 1\na: 2", "'open"] {
            assert!(first_document(text).is_err(), "{text:?}");
        }
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(first_document(&nested(MAX_DEPTH)).is_ok());
        assert!(first_document(&nested(MAX_DEPTH + 2)).unwrap_err().contains("nested"));
        // Deeper still the scanner itself gives up.
        assert!(first_document(&nested(100_000)).is_err());
    }
}

//! JSON values as Python's `repr` and `str` write them.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::python_float::python_float;

/// `repr(value)`.
pub fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(value) => python_bool(*value).to_owned(),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, python_float),
        Value::Number(number) => number.to_string(),
        Value::String(text) => python_text(text),
        Value::Array(items) => python_list(items.iter().map(python_repr)),
        Value::Object(object) => python_dict(object),
    }
}

/// `str(value)`, which differs for texts alone.
pub fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// `repr` of a list of words.
pub fn python_words<S: AsRef<str>>(words: &[S]) -> String {
    python_list(words.iter().map(|word| python_text(word.as_ref())))
}

/// `repr` of an object.
pub fn python_dict(object: &Map<String, Value>) -> String {
    let items: Vec<String> =
        object.iter().map(|(key, value)| format!("{}: {}", python_text(key), python_repr(value))).collect();
    format!("{{{}}}", items.join(", "))
}

/// `repr` of a boolean.
pub fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// `repr` of a text, but for unprintable characters beyond ASCII, which stay.
pub fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

fn python_list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn python_writes_its_own_way() {
        assert_eq!(python_text("it's"), r#""it's""#);
        assert_eq!(python_text("it's \"so\"\n\u{1}é"), r#"'it\'s "so"\n\x01é'"#);
        let value = json!({"a": [1, 2.5, 1e-7, null, true, "x"], "b": {"c": "'"}});
        assert_eq!(python_repr(&value), r#"{'a': [1, 2.5, 1e-07, None, True, 'x'], 'b': {'c': "'"}}"#);
        assert_eq!(python_str(&json!("x")), "x");
        assert_eq!(python_str(&json!(["x"])), "['x']");
        assert_eq!(python_words(&["a", "b c"]), "['a', 'b c']");
    }
}

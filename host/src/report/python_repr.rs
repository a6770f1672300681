//! Values as Python's `repr` writes them.

use std::fmt::Write;

use serde_json::Value;

use super::python_float::python_float;

/// Python's `repr(str)`, but for unprintable characters beyond ASCII, which stay.
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

/// Python's `repr` of a value read from JSON.
pub fn python_value(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(value) => if *value { "True" } else { "False" }.to_owned(),
        Value::Number(number) if number.is_f64() => number.as_f64().map_or_else(String::new, python_float),
        Value::Number(number) => number.to_string(),
        Value::String(text) => python_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(python_value).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => {
            let items: Vec<String> = object
                .iter()
                .map(|(key, value)| format!("{}: {}", python_text(key), python_value(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_python_writes_them() {
        assert_eq!(python_text("it's"), r#""it's""#);
        assert_eq!(python_text("it's \"so\"\n\u{1}é"), r#"'it\'s "so"\n\x01é'"#);
        assert_eq!(
            python_value(&json!({"a": [1, 2.5, null, true, "x", 1e-7]})),
            "{'a': [1, 2.5, None, True, 'x', 1e-07]}"
        );
    }
}

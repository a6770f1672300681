//! `json.dumps` of Python, which chat templates know as the filter `tojson`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

/// The `tojson` of the transformers library, which differs from Jinja's own: it
/// escapes nothing for HTML. Arguments as for `json.dumps`: `ensure_ascii`
/// (false), `indent`, `separators`, `sort_keys`.
pub(super) fn tojson(value: &Value, ensure_ascii: Option<bool>, options: Kwargs) -> Result<String, Error> {
    let option = |name: &str| options.get::<Option<Value>>(name).map(|v| v.filter(|v| !v.is_none()));
    let ensure_ascii = match ensure_ascii {
        Some(flag) => flag,
        None => option("ensure_ascii")?.is_some_and(|flag| flag.is_true()),
    };
    let sort_keys = option("sort_keys")?.is_some_and(|flag| flag.is_true());
    let indent = match option("indent")? {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(text) => text.to_owned(),
            None => " ".repeat(usize::from(u8::try_from(indent)?)),
        }),
    };
    let separators = match option("separators")? {
        None => None,
        Some(pair) => {
            let parts: Vec<Value> = pair.try_iter()?.collect();
            match parts.as_slice() {
                [item, key] => Some((item.to_string(), key.to_string())),
                _ => return Err(invalid("separators should be a pair of texts")),
            }
        }
    };
    options.assert_all_used()?;
    let (item, key) =
        separators.unwrap_or_else(|| (if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()));
    let mut writer = Writer { out: String::new(), ensure_ascii, sort_keys, indent, item, key };
    writer.value(value, 0)?;
    Ok(writer.out)
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

struct Writer {
    out: String,
    ensure_ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    item: String,
    key: String,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.out.push_str(&number(value)?),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.list('[', ']', &items, depth, |writer, item| writer.value(item, depth + 1))?;
            }
            ValueKind::Map => {
                let mut pairs = Vec::new();
                for key in value.try_iter()? {
                    pairs.push((key_text(&key)?, value.get_item(&key)?));
                }
                if self.sort_keys {
                    pairs.sort_by(|a, b| a.0.cmp(&b.0));
                }
                self.list('{', '}', &pairs, depth, |writer, (key, item)| {
                    writer.text(key);
                    let separator = writer.key.clone();
                    writer.out.push_str(&separator);
                    writer.value(item, depth + 1)
                })?;
            }
            kind => return Err(invalid(format!("a value of type {kind} cannot be written as JSON"))),
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        open: char,
        close: char,
        items: &[T],
        depth: usize,
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                let separator = self.item.clone();
                self.out.push_str(&separator);
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            for _ in 0..depth {
                self.out.push_str(indent);
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && !c.is_ascii()) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.to_string()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => number(key),
        kind => Err(invalid(format!("a value of type {kind} cannot be a key of JSON"))),
    }
}

fn number(value: &Value) -> Result<String, Error> {
    if value.is_integer() { Ok(value.to_string()) } else { Ok(float(f64::try_from(value.clone())?)) }
}

/// A float as Python writes it in JSON: `repr`, but `Infinity` and `NaN`.
fn float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // The shortest digits that read back as `x`, in plain form from 1e-4 up to
    // 1e16 and else with an exponent of at least two digits.
    let scientific = format!("{x:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if x != 0.0 && !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{x:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumps(template: &str) -> String {
        let mut env = minijinja::Environment::new();
        env.add_filter("tojson", tojson);
        env.render_str(template, ()).unwrap()
    }

    // What json.dumps of CPython gives.
    #[test]
    fn as_python_writes_json() {
        assert_eq!(
            dumps(r#"{{ {"a": [1, 2.0, none, true], "b": {}, "é<'": "\"\\\n\u001f"}|tojson }}"#),
            r#"{"a": [1, 2.0, null, true], "b": {}, "é<'": "\"\\\n\u001f"}"#
        );
        assert_eq!(
            dumps(r#"{{ {"a": [1, []], "b": {"c": 2}}|tojson(indent=2) }}"#),
            "{\n  \"a\": [\n    1,\n    []\n  ],\n  \"b\": {\n    \"c\": 2\n  }\n}"
        );
        assert_eq!(dumps(r#"{{ "é😀"|tojson(ensure_ascii=true) }}"#), r#""\u00e9\ud83d\ude00""#);
        assert_eq!(
            dumps(r#"{{ {"b": 1, "a": 2}|tojson(sort_keys=true, separators=(",", ":")) }}"#),
            r#"{"a":2,"b":1}"#
        );
        assert_eq!(dumps("{{ [1]|tojson(indent=none) }}"), "[1]");
    }

    #[test]
    fn floats_as_python_repr() {
        for (x, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1.5e-5, "1.5e-05"),
            (0.0001, "0.0001"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(float(x), text);
        }
    }

    #[test]
    fn refuses_what_python_refuses() {
        let mut env = minijinja::Environment::new();
        env.add_filter("tojson", tojson);
        assert!(env.render_str("{{ nothing|tojson }}", ()).is_err());
        assert!(env.render_str("{{ 1|tojson(colour=1) }}", ()).is_err());
        assert!(env.render_str("{{ 1|tojson(indent=-1) }}", ()).is_err());
    }
}

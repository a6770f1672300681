//! One row of JSON text: checked, cut down to columns, measured. Nothing here
//! builds a document in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::Problem;

/// Brackets within brackets that a row may have: what readers of JSON commonly
/// take (`serde_json` stops at 128), so that a row that passes here can be
/// parsed by a plugin.
pub(super) const MAX_DEPTH: usize = 127;

/// What is wrong with a row, and at which byte of it.
#[derive(Debug)]
pub(super) struct RowFault {
    pub(super) offset: usize,
    pub(super) problem: Problem,
}

/// The row as text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, RowFault> {
    std::str::from_utf8(bytes)
        .map_err(|error| RowFault { offset: error.valid_up_to(), problem: Problem::NotUtf8 })
}

/// Makes sure that a row is one JSON value within the nesting limit.
pub(super) fn check(row: &str) -> Result<(), RowFault> {
    serde_json::from_str::<IgnoredAny>(row).map_err(|error| json_fault(row, &error))?;
    match too_deep_at(row.as_bytes()) {
        Some(offset) => Err(RowFault { offset, problem: Problem::TooDeep { limit: MAX_DEPTH } }),
        None => Ok(()),
    }
}

/// A checked row with nothing but these columns, each once, in this order and
/// with the text of its value unchanged; the last of duplicate keys wins.
/// Columns that the row does not have are left out.
pub(super) fn select(row: &str, columns: &[String]) -> Result<String, RowFault> {
    let mut kept: Vec<Option<&str>> = vec![None; columns.len()];
    fields(row, |key, value| {
        if let Some(at) = columns.iter().position(|column| *column == key) {
            kept[at] = Some(value);
        }
    })?;
    let length: usize = kept.iter().zip(columns).map(|(v, c)| v.map_or(0, |v| v.len() + c.len() + 4)).sum();
    let mut out = String::with_capacity(length + 2);
    out.push('{');
    for (column, value) in columns.iter().zip(kept) {
        if let Some(value) = value {
            push_field(&mut out, &quoted(column), value);
        }
    }
    out.push('}');
    Ok(out)
}

/// The columns without repetitions, which would make an object with duplicate keys.
pub(super) fn distinct(columns: &[String]) -> Vec<String> {
    columns.iter().collect::<indexmap::IndexSet<_>>().into_iter().cloned().collect()
}

/// Appends `"key":value` to an object that was begun.
pub(super) fn push_field(object: &mut String, quoted_key: &str, value: &str) {
    if !object.ends_with('{') {
        object.push(',');
    }
    object.push_str(quoted_key);
    object.push(':');
    object.push_str(value);
}

/// A JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The distinct keys of a checked row, in order; `None` if it is no object.
pub(super) fn keys(row: &str) -> Option<Vec<String>> {
    let mut keys: indexmap::IndexSet<String> = indexmap::IndexSet::new();
    fields(row, |key, _| {
        keys.insert(key.into_owned());
    })
    .ok()?;
    Some(keys.into_iter().collect())
}

/// Items of the array, or characters of the string, under a key; -1 where the
/// row is no object, has no such key, or holds something else there.
pub(super) fn length(row: &str, column: &str) -> Result<i64, RowFault> {
    if !row.starts_with('{') {
        serde_json::from_str::<IgnoredAny>(row).map_err(|error| json_fault(row, &error))?;
        return Ok(-1);
    }
    let mut reader = serde_json::Deserializer::from_str(row);
    let length = reader
        .deserialize_map(ColumnLength { column })
        .and_then(|length| reader.end().map(|()| length))
        .map_err(|error| json_fault(row, &error))?;
    Ok(length)
}

/// What a JSON value is, by its first byte, for messages.
pub(super) fn kind(first: u8) -> &'static str {
    match first {
        b'{' => "an object",
        b'[' => "an array",
        b'"' => "a string",
        b't' | b'f' => "a boolean",
        b'n' => "null",
        b'-' | b'0'..=b'9' => "a number",
        _ => "no JSON value",
    }
}

/// Visits the fields of an object whose grammar was checked: key and the text
/// of its value. A key that is no Unicode text (a lone surrogate) is no column
/// that can be asked for, so it is left out.
fn fields<'a>(row: &'a str, mut visit: impl FnMut(Cow<'a, str>, &'a str)) -> Result<(), RowFault> {
    let bytes = row.as_bytes();
    if bytes.first() != Some(&b'{') {
        let found = bytes.first().map_or("empty", |first| kind(*first));
        return Err(RowFault { offset: 0, problem: Problem::NotAnObject(found) });
    }
    let mut at = 1;
    loop {
        at = skip(bytes, at, b",");
        if bytes.get(at) == Some(&b'}') {
            return Ok(());
        }
        let key_end = value_end(row, at)?;
        let key = &row[at..key_end];
        let value_start = skip(bytes, key_end, b":");
        at = value_end(row, value_start)?;
        let plain = key.get(1..key.len().saturating_sub(1)).filter(|text| !text.contains('\\'));
        match plain {
            Some(plain) => visit(Cow::Borrowed(plain), &row[value_start..at]),
            None => {
                if let Ok(key) = serde_json::from_str::<String>(key) {
                    visit(Cow::Owned(key), &row[value_start..at]);
                }
            }
        }
    }
}

fn skip(bytes: &[u8], from: usize, separators: &[u8]) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let blanks =
        rest.iter().take_while(|byte| byte.is_ascii_whitespace() || separators.contains(byte)).count();
    from + blanks
}

/// Where the value that begins at `start` ends.
fn value_end(row: &str, start: usize) -> Result<usize, RowFault> {
    let rest = row.get(start..).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(IgnoredAny)) => Ok(start + values.byte_offset()),
        Some(Err(error)) => {
            let fault = json_fault(rest, &error);
            Err(RowFault { offset: start + fault.offset, ..fault })
        }
        None => Err(RowFault { offset: start, problem: Problem::Json("the object is not closed".into()) }),
    }
}

fn json_fault(row: &str, error: &serde_json::Error) -> RowFault {
    // Binary data and stray UTF-16 show themselves by NUL bytes, which no JSON has.
    if let Some(offset) = memchr::memchr(0, row.as_bytes()) {
        return RowFault { offset, problem: Problem::NulByte };
    }
    let mut message = error.to_string();
    // Line and column within the row mean nothing to the user; the caller adds
    // those within the file.
    if let Some(at) = message.rfind(" at line ") {
        message.truncate(at);
    }
    let line = error.line().saturating_sub(1);
    let line_start = if line == 0 {
        0
    } else {
        memchr::memchr_iter(b'\n', row.as_bytes()).nth(line - 1).map_or(0, |at| at + 1)
    };
    let offset = (line_start + error.column().saturating_sub(1)).min(row.len());
    RowFault { offset, problem: Problem::Json(message) }
}

/// The byte that opens one level too many.
fn too_deep_at(row: &[u8]) -> Option<usize> {
    // Most rows have fewer brackets than there may be levels.
    memchr::memchr2_iter(b'{', b'[', row).nth(MAX_DEPTH)?;
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(byte) = row.get(at) {
        match byte {
            b'"' => at = string_end(row, at + 1),
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The closing quote of a string whose text begins at `at`.
fn string_end(row: &[u8], mut at: usize) -> usize {
    while let Some(found) = row.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if row[at] == b'"' {
            return at;
        }
        at += 2;
    }
    row.len()
}

struct ColumnLength<'c> {
    column: &'c str,
}

impl<'de> Visitor<'de> for ColumnLength<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<i64, A::Error> {
        let mut length = -1;
        while let Some(found) = map.next_key_seed(IsColumn(self.column))? {
            if found {
                length = map.next_value_seed(ValueLength)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(length)
    }
}

/// Whether a key is the column. As bytes, so that a lone surrogate in some
/// other key is no error.
struct IsColumn<'c>(&'c str);

impl<'de> DeserializeSeed<'de> for IsColumn<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl Visitor<'_> for IsColumn<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_bytes<E>(self, key: &[u8]) -> Result<bool, E> {
        Ok(key == self.0.as_bytes())
    }
}

struct ValueLength;

impl<'de> DeserializeSeed<'de> for ValueLength {
    type Value = i64;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<i64, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueLength {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<i64, E> {
        Ok(text.chars().count() as i64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<i64, A::Error> {
        let mut count = 0;
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<i64, A::Error> {
        IgnoredAny.visit_map(map)?;
        Ok(-1)
    }

    fn visit_bool<E>(self, _: bool) -> Result<i64, E> {
        Ok(-1)
    }

    fn visit_i64<E>(self, _: i64) -> Result<i64, E> {
        Ok(-1)
    }

    fn visit_u64<E>(self, _: u64) -> Result<i64, E> {
        Ok(-1)
    }

    fn visit_f64<E>(self, _: f64) -> Result<i64, E> {
        Ok(-1)
    }

    fn visit_unit<E>(self) -> Result<i64, E> {
        Ok(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn select_keeps_the_text_of_values() {
        let row = "{ \"a\" : 1.50e+02 , \"b\":[ 1, {\"c\":\"}\"} ],\"\\u0061\": 1e999,\"d\":\"x\\\"y\" }";
        assert_eq!(
            select(row, &columns(&["d", "b", "a", "none"])).unwrap(),
            r#"{"d":"x\"y","b":[ 1, {"c":"}"} ],"a":1e999}"#
        );
        assert_eq!(select("{}", &columns(&["a"])).unwrap(), "{}");
    }

    #[test]
    fn columns_of_what_is_no_object() {
        let fault = select("[1]", &columns(&["a"])).unwrap_err();
        assert!(matches!(fault.problem, Problem::NotAnObject("an array")));
        assert!(keys("3").is_none());
        assert_eq!(keys(r#"{"b":1,"a":2,"b":3}"#).unwrap(), ["b", "a"]);
    }

    #[test]
    fn lengths_of_every_kind() {
        for (row, expected) in [
            (r#"{"a":[1,[2],{"x":3}]}"#, 3),
            (r#"{"a":[]}"#, 0),
            (r#"{"a":"aé😀\n\ud83d\ude00"}"#, 5),
            (r#"{"a":"long","a":[1]}"#, 1),
            (r#"{"a":[1],"a":null}"#, -1),
            (r#"{"b":[1],"\ud800":"x"}"#, -1),
            (r#"{"a":true}"#, -1),
            (r#"{"a":-1.5}"#, -1),
            (r#"{"a":{"b":[1]}}"#, -1),
            (r#"[1,2]"#, -1),
        ] {
            assert_eq!(length(row, "a").unwrap(), expected, "{row}");
        }
        assert_eq!(length(r#"{"a":[1,}"#, "a").unwrap_err().offset, 8);
    }

    #[test]
    fn nesting_has_a_limit() {
        let nest = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(&nest(MAX_DEPTH)).is_ok());
        let fault = check(&nest(MAX_DEPTH + 1)).unwrap_err();
        assert!(matches!(fault.problem, Problem::TooDeep { .. }));
        assert_eq!(fault.offset, MAX_DEPTH);
        assert!(check(&nest(1_000_000)).is_err());
        assert!(
            check(&format!("{{\"a\":\"{}\\\"\",\"b\":[{}]}}", "[".repeat(500), "[],".repeat(300) + "[]"))
                .is_ok()
        );
        serde_json::from_str::<Value>(&nest(MAX_DEPTH)).expect("a plugin can parse what passes");
    }

    #[test]
    fn faults_point_at_the_byte() {
        assert_eq!(check("{\"a\":\n  nul}").unwrap_err().offset, 11);
        assert!(matches!(text(b"\"a\xff\"").unwrap_err(), RowFault { offset: 2, problem: Problem::NotUtf8 }));
        assert!(check("{\"a\":\"\0\"}").is_err());
        assert!(check("{} {}").is_err());
    }

    fn objects() -> impl Strategy<Value = serde_json::Map<String, Value>> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4).prop_map(|map| json!(map)),
            ]
        });
        prop::collection::hash_map("[a-d\"\\\\é]{0,2}", value, 0..6).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn select_is_a_filter(object in objects(), pretty: bool, wanted in prop::collection::btree_set("[a-d\"\\\\é]{0,2}", 0..5)) {
            let row = if pretty { serde_json::to_string_pretty(&object) } else { serde_json::to_string(&object) }.unwrap();
            let wanted: Vec<String> = wanted.into_iter().collect();
            check(&row).unwrap();
            let selected: serde_json::Map<String, Value> = serde_json::from_str(&select(&row, &wanted).unwrap()).unwrap();
            let expected: serde_json::Map<String, Value> = object.clone().into_iter().filter(|(key, _)| wanted.contains(key)).collect();
            prop_assert_eq!(selected, expected);
            for (key, value) in &object {
                let expected = match value {
                    Value::Array(items) => items.len() as i64,
                    Value::String(text) => text.chars().count() as i64,
                    _ => -1,
                };
                prop_assert_eq!(length(&row, key).unwrap(), expected);
            }
        }
    }
}

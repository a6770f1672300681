//! The dotted form of JSON flags: `--extra-body.a.b 1`, `--extra-body.list+ x`.

use serde_json::{Map, Value};

/// Deepest nesting of a dotted flag. The reference client has no limit.
const MAX_DEPTH: usize = 64;

/// Reads a dotted value: JSON, else a whole number as people write it, else text.
///
/// # Errors
/// `1.5K`: a binary suffix takes whole numbers only.
pub(super) fn value(text: &str) -> Result<Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    Ok(match human_integer(text)? {
        Some(number) => Value::from(number),
        None => Value::from(text),
    })
}

/// `25.6k` = 25600, `1K` = 1024, `1_000` = 1000; none if `text` is no such number.
///
/// # Errors
/// Decimals before an upper-case (binary) suffix, and numbers beyond 63 bits.
pub(super) fn human_integer(text: &str) -> Result<Option<i64>, String> {
    let text = text.trim();
    let too_large = || format!("`{text}` is too large a number");
    let Some(suffix) = text.chars().last() else { return Ok(None) };
    let exponent = match suffix.to_ascii_lowercase() {
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        _ => return plain_integer(text).map_or(Ok(None), |number| number.map(Some).ok_or_else(too_large)),
    };
    let number = &text[..text.len() - 1];
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return Ok(None);
    }
    if suffix.is_ascii_lowercase() {
        // Through a float and cut, as the reference client does.
        let product = number.parse::<f64>().map_err(|_| too_large())? * 1000_f64.powi(exponent);
        return if product < 9.2e18 { Ok(Some(product as i64)) } else { Err(too_large()) };
    }
    if number.contains('.') {
        return Err(format!(
            "decimals are not allowed with binary suffixes like `{suffix}`: did you mean `{number}{}`?",
            suffix.to_ascii_lowercase()
        ));
    }
    let number: i64 = whole.parse().map_err(|_| too_large())?;
    number.checked_mul(1024_i64.pow(exponent.unsigned_abs())).map(Some).ok_or_else(too_large)
}

/// A whole number as Python's `int()` reads it: sign, leading zeros, single
/// underscores between digits. Outer none: not one; inner none: too large.
fn plain_integer(text: &str) -> Option<Option<i64>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shaped = !digits.is_empty()
        && !digits.starts_with('_')
        && !digits.ends_with('_')
        && !digits.contains("__")
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    shaped.then(|| text.replace('_', "").parse().ok())
}

/// Merges `value` into `object` at `path` (`a.b`); with `append`, `value` is a
/// list that is added to the list there. Adds to `duplicates` what it overwrote.
///
/// # Errors
/// An empty name in the path, or one that is too deep.
pub(super) fn merge(
    object: &mut Map<String, Value>,
    path: &str,
    value: Value,
    duplicates: &mut Vec<String>,
) -> Result<(), String> {
    let keys: Vec<&str> = path.split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err("a name between the dots is empty".to_owned());
    }
    if keys.len() > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    }
    let nested = keys[1..].iter().rev().fold(value, |inner, key| {
        let mut object = Map::new();
        object.insert((*key).to_owned(), inner);
        Value::Object(object)
    });
    insert(object, keys[0], nested, "", duplicates);
    Ok(())
}

fn insert(
    object: &mut Map<String, Value>,
    key: &str,
    value: Value,
    prefix: &str,
    duplicates: &mut Vec<String>,
) {
    match (object.get_mut(key), value) {
        (Some(Value::Object(old)), Value::Object(new)) => {
            let prefix = format!("{prefix}{key}.");
            for (key, value) in new {
                insert(old, &key, value, &prefix, duplicates);
            }
        }
        (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
        (Some(old), value) => {
            duplicates.push(format!("{prefix}{key}"));
            *old = value;
        }
        (None, value) => {
            object.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_json_then_numbers_then_text() {
        assert_eq!(value("1"), Ok(json!(1)));
        assert_eq!(value("[1, null]"), Ok(json!([1, null])));
        assert_eq!(value("2k"), Ok(json!(2000)));
        assert_eq!(value("25.6k"), Ok(json!(25600)));
        assert_eq!(value("1K"), Ok(json!(1024)));
        assert_eq!(value("2T"), Ok(json!(2_i64 << 40)));
        assert_eq!(value("1_000"), Ok(json!(1000)));
        assert_eq!(value("007"), Ok(json!(7)));
        assert_eq!(value("txt"), Ok(json!("txt")));
        assert_eq!(value(""), Ok(json!("")));
        assert_eq!(value("ük"), Ok(json!("ük")));
        assert_eq!(value(".5k"), Ok(json!(".5k")));
        assert!(value("1.5K").unwrap_err().contains("did you mean `1.5k`"));
        assert!(value("99999999999999999999t").is_err());
    }

    #[test]
    fn merging_nests_appends_and_overwrites() {
        let mut object = Map::new();
        let mut duplicates = Vec::new();
        for (path, value) in [
            ("a.b", json!(1)),
            ("l", json!(["x"])),
            ("l", json!(["y", "z"])),
            ("a.c", json!(2)),
            ("a.b", json!(3)),
        ] {
            merge(&mut object, path, value, &mut duplicates).unwrap();
        }
        assert_eq!(Value::Object(object.clone()), json!({"a": {"b": 3, "c": 2}, "l": ["x", "y", "z"]}));
        assert_eq!(duplicates, ["a.b"]);
        assert!(merge(&mut object, "a..b", json!(1), &mut duplicates).is_err());
        assert!(merge(&mut object, &"a.".repeat(100), json!(1), &mut duplicates).is_err());
    }
}

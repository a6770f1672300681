//! Which pairs of combinations belong together.

use serde_json::Value;

use super::error::SweepError;
use super::params::Combination;

/// Pairs of keys whose values have to be equal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links(Vec<(String, String)>);

impl Links {
    /// Reads `a=b,c=d`.
    ///
    /// # Errors
    /// An item is no pair.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(',')
            .map(|item| match item.split('=').collect::<Vec<_>>()[..] {
                [serve, bench] => Ok((serve.trim().to_owned(), bench.trim().to_owned())),
                _ => Err(SweepError::Link { item: item.to_owned() }),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a pair is to be run: both keys of every link are there as they
    /// are written, with equal values.
    pub fn hold(&self, serve: &Combination, bench: &Combination) -> bool {
        self.0.iter().all(|(a, b)| match (serve.get(a), bench.get(b)) {
            (Some(a), Some(b)) => python_equal(a, b),
            _ => false,
        })
    }

    /// Makes sure that some combination has each key.
    ///
    /// # Errors
    /// With the keys that there are.
    pub fn check(&self, serve: &[Combination], bench: &[Combination]) -> Result<(), SweepError> {
        for (a, b) in &self.0 {
            for (key, flag, combinations) in [(a, "serve-params", serve), (b, "bench-params", bench)] {
                if combinations.iter().all(|one| one.get(key).is_none()) {
                    let mut keys: Vec<&str> = combinations
                        .iter()
                        .flat_map(|one| one.parameters().keys())
                        .map(String::as_str)
                        .collect();
                    keys.sort_unstable();
                    keys.dedup();
                    let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
                    return Err(SweepError::UnknownLink { key: key.clone(), flag, keys });
                }
            }
        }
        Ok(())
    }
}

/// Python's `==`: numbers by value, truth values as 0 and 1.
fn python_equal(a: &Value, b: &Value) -> bool {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        value => value.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(value: Value) -> Combination {
        Combination::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn links_compare_as_python_does() {
        let links = Links::parse(" a = b ,c=d").unwrap();
        assert!(links.hold(&one(json!({"a": 1, "c": "x"})), &one(json!({"b": 1.0, "d": "x"}))));
        assert!(!links.hold(&one(json!({"a": 1, "c": "x"})), &one(json!({"b": "1", "d": "x"}))));
        assert!(!links.hold(&one(json!({"a": 1})), &one(json!({"b": 1, "d": "x"}))));
        assert!(Links::parse("").unwrap().hold(&one(json!({})), &one(json!({}))));
        for text in ["a", "a=b=c", "a=b,"] {
            assert!(Links::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_named() {
        let links = Links::parse("a=z").unwrap();
        let error = links.check(&[one(json!({"a": 1}))], &[one(json!({"b": 1, "c": 2}))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--link-vars: no combination of --bench-params has `z`; there are: b, c"
        );
    }
}

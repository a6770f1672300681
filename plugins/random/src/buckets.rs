//! The option `--random-mm-bucket-config`: how large items are, and how often.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use vbench_plugin::prelude::*;

/// What an item is, by its number of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modality {
    Image,
    Video,
}

impl Modality {
    /// The name in the limits.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
        }
    }
}

/// Measures of items, with a probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bucket {
    pub(crate) height: u32,
    pub(crate) width: u32,
    pub(crate) frames: u32,
    pub(crate) probability: f64,
}

impl Bucket {
    pub(crate) fn modality(&self) -> Modality {
        if self.frames > 1 { Modality::Video } else { Modality::Image }
    }
}

/// The option as it is written: an object whose keys are `(height, width,
/// frames)`, as text or as Python writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct BucketConfig(Value);

impl Default for BucketConfig {
    fn default() -> Self {
        let buckets = [("(256, 256, 1)", 0.5), ("(720, 1280, 1)", 0.5), ("(720, 1280, 16)", 0.0)];
        Self(
            buckets
                .into_iter()
                .map(|(key, probability)| (key.to_owned(), Value::from(probability)))
                .collect(),
        )
    }
}

impl JsonSchema for BucketConfig {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BucketConfig".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "string"] })
    }
}

impl serde::Serialize for BucketConfig {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// The property of the option.
const KEY: &str = "bucket_config";

impl BucketConfig {
    /// The buckets in the order in which they are written.
    pub(crate) fn buckets(&self) -> Result<Vec<Bucket>> {
        let object: Map<String, Value> = match &self.0 {
            Value::Object(object) => object.clone(),
            Value::String(text) => from_python(text)?,
            _ => return Err(wrong("is no object")),
        };
        if object.is_empty() {
            return Err(wrong("has no bucket in it"));
        }
        object.iter().map(|(key, probability)| bucket(key, probability)).collect()
    }
}

fn wrong(what: &str) -> Error {
    Error::config(format!(
        "{what}; write buckets of height, width and frames with their probabilities, as '{{(256, 256, 1): 0.5, (720, 1280, 16): 0.5}}'"
    ))
    .key(KEY)
}

fn bucket(key: &str, probability: &Value) -> Result<Bucket> {
    let inner = key.trim().strip_prefix('(').and_then(|key| key.strip_suffix(')'));
    let numbers: Option<Vec<i64>> =
        inner.and_then(|inner| inner.split(',').map(|number| number.trim().parse().ok()).collect());
    let Some([height, width, frames]) = numbers.as_deref() else {
        return Err(wrong(&format!("the key `{key}` is no (height, width, frames)")));
    };
    let measure = |name: &str, value: i64| {
        u32::try_from(value)
            .ok()
            .filter(|&value| value > 0)
            .ok_or_else(|| wrong(&format!("the {name} of `{key}` is {value}, but has to be 1 or more")))
    };
    let (height, width, frames) =
        (measure("height", *height)?, measure("width", *width)?, measure("number of frames", *frames)?);
    let probability = probability.as_f64().filter(|probability| probability.is_finite());
    let Some(probability) = probability else {
        return Err(wrong(&format!("the probability of `{key}` is no number")));
    };
    Ok(Bucket { height, width, frames, probability })
}

/// Reads what Python takes for a dictionary: keys may be tuples, quoted or not.
fn from_python(text: &str) -> Result<Map<String, Value>> {
    if let Ok(object) = serde_json::from_str(text) {
        return Ok(object);
    }
    let unreadable = || wrong("cannot be read");
    let inner =
        text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).ok_or_else(unreadable)?;
    let mut object = Map::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let start = quote.map_or(0, char::len_utf8);
        let end = rest.find(')').ok_or_else(unreadable)? + 1;
        let key = rest.get(start..end).ok_or_else(unreadable)?;
        let after = &rest[end..];
        let after = match quote {
            Some(quote) => after.strip_prefix(quote).ok_or_else(unreadable)?,
            None => after,
        };
        let after = after.trim_start().strip_prefix(':').ok_or_else(unreadable)?;
        let (value, later) = after.split_once(',').unwrap_or((after, ""));
        let number: f64 = value.trim().parse().map_err(|_| unreadable())?;
        object.insert(key.to_owned(), serde_json::Number::from_f64(number).ok_or_else(unreadable)?.into());
        rest = later.trim_start();
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn buckets(value: Value) -> Result<Vec<(u32, u32, u32, f64)>> {
        let buckets = BucketConfig(value).buckets()?;
        Ok(buckets.iter().map(|b| (b.height, b.width, b.frames, b.probability)).collect())
    }

    #[test]
    fn buckets_are_written_in_several_ways() {
        let two = [(32, 24, 1, 0.5), (8, 16, 3, 1.0)];
        for text in [
            "{(32, 24, 1): 0.5, (8, 16, 3): 1}",
            "{'(32, 24, 1)': 0.5, '(8, 16, 3)': 1.0,}",
            r#"{"(32, 24, 1)": 0.5, "(8,16,3)": 1}"#,
            "{(32,24,1):0.5,(8,16,3):1}",
        ] {
            assert_eq!(buckets(text.into()).unwrap(), two, "{text}");
        }
        assert_eq!(buckets(json!({"(32, 24, 1)": 0.5, "(8, 16, 3)": 1})).unwrap(), two);
        assert_eq!(BucketConfig::default().buckets().unwrap().len(), 3);
    }

    #[test]
    fn what_is_no_bucket_is_refused() {
        for text in [
            "",
            "{}",
            "{(1, 2): 1}",
            "{(1, 2, 0): 1}",
            "{(1, 2, 3)}",
            "{(1, 2, 3): x}",
            "{é)",
            "{'(1,2,3): 1}",
        ] {
            assert_eq!(buckets(text.into()).unwrap_err().config_key.as_deref(), Some(KEY), "{text}");
        }
        assert!(buckets(json!([1])).is_err());
        assert!(buckets(json!({"(1, 2, 3)": null})).is_err());
    }
}

//! The option `--random-range-ratio`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use vbench_plugin::prelude::*;

/// By which share lengths vary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratios {
    pub(crate) input: f64,
    pub(crate) output: f64,
}

/// The option as it is written: a number, an object with one number for input
/// and one for output, or either as text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct RangeRatio(Value);

impl Default for RangeRatio {
    fn default() -> Self {
        Self(0.0.into())
    }
}

impl JsonSchema for RangeRatio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RangeRatio".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "object", "string"] })
    }
}

impl serde::Serialize for RangeRatio {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl RangeRatio {
    /// The two ratios. Whether they are in range is not looked at.
    pub(crate) fn ratios(&self) -> Result<Ratios> {
        match &self.0 {
            Value::String(text) => match text.trim().parse::<f64>() {
                Ok(ratio) => both(ratio),
                Err(_) => {
                    let value = serde_json::from_str(text).map_err(|_| wrong(&self.0))?;
                    from_json(&value)
                }
            },
            value => from_json(value),
        }
    }
}

fn from_json(value: &Value) -> Result<Ratios> {
    match value {
        Value::Object(object) => {
            let of = |key: &str| object.get(key).and_then(Value::as_f64);
            match (of("input"), of("output")) {
                (Some(input), Some(output)) => Ok(Ratios { input, output }),
                _ => Err(wrong(value)),
            }
        }
        Value::Number(number) => number.as_f64().map_or_else(|| Err(wrong(value)), both),
        _ => Err(wrong(value)),
    }
}

fn both(ratio: f64) -> Result<Ratios> {
    // Infinite ones and NaN would give no bounds to speak of.
    if !ratio.is_finite() {
        return Err(wrong(&Value::String(ratio.to_string())));
    }
    Ok(Ratios { input: ratio, output: ratio })
}

fn wrong(value: &Value) -> Error {
    Error::config(format!(
        "the range ratio has to be a number, or an object with the numbers `input` and `output`, but is {value}"
    ))
    .key("range_ratio")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_ratio_is_a_number_an_object_or_either_as_text() {
        for (value, ratios) in [
            (json!(0.25), Some((0.25, 0.25))),
            (json!(1), Some((1.0, 1.0))),
            (json!(" .5"), Some((0.5, 0.5))),
            (json!({"input": 0.5, "output": 0.2}), Some((0.5, 0.2))),
            (json!("{\"input\": 0.5, \"output\": 0, \"more\": 1}"), Some((0.5, 0.0))),
            (json!({"input": 0.1}), None),
            (json!({"input": 0.1, "output": "x"}), None),
            (json!("nan"), None),
            (json!("inf"), None),
            (json!("much"), None),
            (json!("[0.1]"), None),
            (json!("true"), None),
        ] {
            let found = RangeRatio(value.clone()).ratios().ok().map(|ratios| (ratios.input, ratios.output));
            assert_eq!(found, ratios, "{value}");
        }
    }
}

//! What is wrong with a value, by the rule of a schema that it breaks, in words
//! that say what would be right.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 80;

/// Says what is wrong. Where only some values or keys are possible, these are
/// listed. `schema` is the one that was broken; it holds no references.
pub(super) fn words(error: &ValidationError<'_>, schema: &Value) -> String {
    let rule = schema.pointer(error.schema_path().as_str());
    let value = shown(error.instance());
    match error.kind() {
        Kind::AdditionalProperties { unexpected } => {
            let names = listed(unexpected.iter().map(String::as_str));
            match keys_beside(error, schema) {
                Some(known) if !known.is_empty() => format!("there is no {names}; there are {known}"),
                _ => format!("there is no {names}"),
            }
        }
        Kind::Required { property } => {
            format!("{} is missing", listed([property.as_str().unwrap_or_default()]))
        }
        Kind::Enum { options } => match closed_set(options) {
            Some(allowed) => format!("{value} is none of {allowed}"),
            None => error.to_string(),
        },
        Kind::Constant { expected_value } => format!("{value} is not {}", shown(expected_value)),
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            if let Some(allowed) = rule.and_then(closed_set) {
                return format!("{value} is none of {allowed}");
            }
            if let Some(keys) = rule.and_then(alternative_keys) {
                return format!("one of {keys} is missing");
            }
            let reasons: Vec<String> =
                context.iter().filter_map(|errors| Some(errors.first()?.to_string())).collect();
            reasons.join("; ")
        }
        Kind::OneOfMultipleValid { .. } => match rule.and_then(alternative_keys) {
            Some(keys) => format!("only one of {keys} can be given"),
            None => error.to_string(),
        },
        Kind::Pattern { pattern } => format!("{value} does not fit the pattern {pattern}"),
        _ => error.to_string(),
    }
}

/// The values of a list, an `enum`, or branches that are nothing but `const`,
/// `enum`, such branches again, or `null`, which nobody writes.
fn closed_set(rule: &Value) -> Option<String> {
    let mut values = Vec::new();
    collect(rule, &mut values)?;
    (!values.is_empty()).then(|| values.join(", "))
}

fn collect(rule: &Value, values: &mut Vec<String>) -> Option<()> {
    match rule {
        Value::Array(branches) => branches.iter().try_for_each(|branch| collect(branch, values)),
        Value::Object(branch) => {
            if let Some(value) = branch.get("const") {
                values.push(shown(value));
            } else if let Some(Value::Array(listed)) = branch.get("enum") {
                values.extend(listed.iter().map(shown));
            } else if let Some(branches) = branch.get("oneOf").or_else(|| branch.get("anyOf")) {
                collect(branches, values)?;
            } else if branch.get("type")? != "null" {
                return None;
            }
            Some(())
        }
        // The values of an `enum` themselves.
        value => {
            values.push(shown(value));
            Some(())
        }
    }
}

/// The keys of which branches that say nothing else require one.
fn alternative_keys(branches: &Value) -> Option<String> {
    let key = |branch: &Value| match branch.as_object() {
        Some(branch) if branch.len() == 1 => match branch.get("required")?.as_array()?.as_slice() {
            [Value::String(key)] => Some(key.clone()),
            _ => None,
        },
        _ => None,
    };
    let keys = branches.as_array()?.iter().map(key).collect::<Option<Vec<_>>>()?;
    Some(listed(keys.iter().map(String::as_str)))
}

/// The keys that an object may have that has one too many.
fn keys_beside(error: &ValidationError<'_>, schema: &Value) -> Option<String> {
    let (object, _) = error.schema_path().as_str().rsplit_once('/')?;
    let properties = schema.pointer(object)?.get("properties")?.as_object()?;
    Some(listed(properties.keys().map(String::as_str)))
}

fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(schema: Value, value: Value) -> String {
        let validator = jsonschema::validator_for(&schema).unwrap();
        let error = validator.iter_errors(&value).next().expect("the value is wrong");
        words(&error, &schema)
    }

    #[test]
    fn what_would_be_right_is_listed() {
        let framing = json!({"oneOf": [{"const": "sse"}, {"const": "ndjson", "description": "lines"}]});
        let optional = json!({"anyOf": [framing.clone(), {"type": "null"}]});
        let object = |property: Value| json!({"properties": {"f": property}, "additionalProperties": false});
        for (schema, value, words) in [
            (framing.clone(), json!("ssl"), r#""ssl" is none of "sse", "ndjson""#),
            (object(optional), json!({"f": 1}), r#"1 is none of "sse", "ndjson""#),
            (object(json!({"enum": ["a", 2, null]})), json!({"f": "b"}), r#""b" is none of "a", 2, null"#),
            (object(json!({"const": true})), json!({"f": false}), "false is not true"),
            (object(json!(true)), json!({"f": 1, "g": 2}), "there is no `g`; there are `f`"),
            (json!({"required": ["f"]}), json!({}), "`f` is missing"),
            (json!({"pattern": "^/"}), json!("x"), r#""x" does not fit the pattern ^/"#),
            (json!({"minimum": 3}), json!(2), "2 is less than the minimum of 3"),
        ] {
            assert_eq!(said(schema, value), words);
        }
    }

    #[test]
    fn one_of_several_keys_is_wanted() {
        let schema = json!({"oneOf": [{"required": ["is"]}, {"required": ["equals"]}]});
        assert_eq!(said(schema.clone(), json!({})), "one of `is`, `equals` is missing");
        assert_eq!(said(schema, json!({"is": 1, "equals": 1})), "only one of `is`, `equals` can be given");
    }

    #[test]
    fn branches_of_other_kinds_say_each_why_not() {
        let ratio = json!({"anyOf": [{"type": "number", "maximum": 1}, {"type": "object"}]});
        let said = said(ratio, json!(3));
        assert!(said.contains("maximum of 1") && said.contains("; ") && said.contains("object"), "{said}");
    }

    #[test]
    fn long_values_are_cut() {
        assert!(said(json!({"enum": ["a"]}), json!("x".repeat(500))).len() < 120);
    }
}

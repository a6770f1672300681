//! The text of the pages.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use serde_json::Value;

use super::endpoints;

type Offer = (String, Value);

const GENERATED: &str =
    "<!-- Written by `cargo xtask docs` from the plugins' own descriptions. Do not edit. -->\n\n";

/// `datasets.md`.
pub fn datasets(offers: &[&Offer]) -> String {
    let mut text = format!(
        "{GENERATED}# Datasets\n\n\
         `--dataset-name NAME` chooses one. Each option is a flag; a general flag, where there is one, wins over it.\n\
         How prompts are made, and how long that takes, is told in [How prompts are made](../concepts/sampling.md).\n\n"
    );
    overview(&mut text, offers);
    for (plugin, offer) in offers {
        heading(&mut text, plugin, offer);
        for (keyword, meaning) in [
            (
                "x-ignore-eos",
                "Requests ask the server to ignore the end of a text, as far as the backend can.",
            ),
            (
                "x-align-prompts",
                "Prompts are made as long under the server's tokenizer as under the benchmark's.",
            ),
            (
                "x-fresh-prompts",
                "No prompt repeats another: hits of the server's prefix cache are warned of.",
            ),
        ] {
            if offer["config_schema"][keyword] == true {
                let _ = writeln!(text, "{meaning}\n");
            }
        }
        options(&mut text, offer);
    }
    finish(text)
}

/// `backends.md`.
///
/// # Errors
/// A backend has no endpoint that is known here.
pub fn backends(offers: &[&Offer]) -> Result<String> {
    let mut text = format!(
        "{GENERATED}# Backends\n\n\
         `--backend NAME` chooses one. `--endpoint` names another path.\n\n"
    );
    overview(&mut text, offers);
    for (plugin, offer) in offers {
        heading(&mut text, plugin, offer);
        let name = offer["name"].as_str().unwrap_or_default();
        // Its endpoint stands in the user's file.
        if name == "template" {
            text.push_str("See [the guide](../guides/unknown-api.md) and [the schema of the file](template.schema.json).\n\n");
        } else {
            let facts = endpoints::facts(name)
                .with_context(|| format!("backend `{name}` is missing in xtask/src/docs/endpoints.rs"))?;
            let whole =
                if facts.whole { "; in one piece with `--extra-body '{\"stream\": false}'`" } else { "" };
            let _ = writeln!(text, "- path: `{}`", facts.path);
            let _ = writeln!(text, "- answers: {}, as {}{whole}", facts.task, facts.framing);
            let _ = writeln!(text, "- read by: {}\n", facts.reader);
        }
        options(&mut text, offer);
    }
    Ok(finish(text))
}

fn overview(text: &mut String, offers: &[&Offer]) {
    text.push_str("| name | what it is |\n|---|---|\n");
    for (_, offer) in offers {
        let name = offer["name"].as_str().unwrap_or_default();
        let _ = writeln!(
            text,
            "| [`{name}`](#{name}) | {} |",
            cell(offer["summary"].as_str().unwrap_or_default())
        );
    }
    text.push('\n');
}

fn heading(text: &mut String, plugin: &str, offer: &Value) {
    let _ = writeln!(text, "## {}\n", offer["name"].as_str().unwrap_or_default());
    let _ = writeln!(text, "{}\n", offer["summary"].as_str().unwrap_or_default());
    let aliases: Vec<String> = offer["aliases"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|alias| format!("`{alias}`"))
        .collect();
    let also =
        if aliases.is_empty() { String::new() } else { format!("Also called {}. ", aliases.join(", ")) };
    let _ = writeln!(text, "{also}Plugin `{plugin}`.\n");
}

fn options(text: &mut String, offer: &Value) {
    let name = offer["name"].as_str().unwrap_or_default();
    let schema = &offer["config_schema"];
    let properties = schema["properties"].as_object();
    let Some(properties) = properties.filter(|properties| !properties.is_empty()) else {
        text.push_str("It has no options.\n\n");
        return;
    };
    text.push_str("| option | type | default | meaning |\n|---|---|---|---|\n");
    for (key, property) in properties {
        let flag = match property["x-flag"].as_str() {
            Some(flag) => flag.to_owned(),
            None => format!("{name}-{key}").replace('_', "-"),
        };
        let mut flags = format!("`--{flag}`");
        if let Some(general) = property["x-general-flag"].as_str() {
            let _ = write!(flags, ", `--{general}`");
        }
        let required =
            schema["required"].as_array().is_some_and(|keys| keys.contains(&Value::from(key.as_str())));
        let default = match &property["default"] {
            _ if required => "required".to_owned(),
            Value::Null => String::new(),
            Value::Bool(false) if type_of(property) == "switch" => "off".to_owned(),
            value => format!("`{}`", plain(value)),
        };
        let mut meaning = property["description"].as_str().unwrap_or_default().to_owned();
        let limits = limits(property);
        if !limits.is_empty() {
            let _ = write!(meaning, " ({})", limits.join(", "));
        }
        let _ = writeln!(
            text,
            "| {flags} | {} | {} | {} |",
            cell(&type_of(property)),
            cell(&default),
            cell(&meaning)
        );
    }
    text.push('\n');
}

/// What a user writes.
fn type_of(schema: &Value) -> String {
    match schema["format"].as_str() {
        Some("path") => return "path".to_owned(),
        Some("json-file") => return "JSON file".to_owned(),
        _ => {}
    }
    let values = choices(schema);
    if !values.is_empty() {
        return values.join(" or ");
    }
    let mut types: Vec<String> = match &schema["type"] {
        Value::String(one) => vec![one.clone()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => ["anyOf", "oneOf"]
            .iter()
            .flat_map(|key| schema[key].as_array().into_iter().flatten())
            .map(type_of)
            .collect(),
    };
    // A branch that is null leaves nothing.
    types.retain(|kind| kind != "null" && !kind.is_empty());
    types.dedup();
    let words = types.iter().map(|kind| match kind.as_str() {
        "boolean" => "switch".to_owned(),
        "integer" => "whole number".to_owned(),
        "string" => "text".to_owned(),
        "object" => "JSON object".to_owned(),
        "array" => format!("list of {}", type_of(&schema["items"])),
        other => other.to_owned(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// The values that are allowed, if they are listed.
fn choices(schema: &Value) -> Vec<String> {
    let listed = schema["enum"].as_array().into_iter().flatten().cloned();
    let branches =
        ["oneOf", "anyOf"].into_iter().flat_map(|key| schema[key].as_array().into_iter().flatten());
    let constants = branches.flat_map(|branch| {
        let own = branch["enum"].as_array().into_iter().flatten().cloned();
        own.chain(branch.get("const").cloned())
    });
    let values = listed.chain(constants).filter(|value| !value.is_null());
    values.map(|value| format!("`{}`", plain(&value))).collect()
}

fn limits(schema: &Value) -> Vec<String> {
    [
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
    ]
    .iter()
    .filter_map(|(key, words)| Some(format!("{words} {}", schema.get(*key)?)))
    .collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Text that fits into a cell.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn finish(text: String) -> String {
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_what_a_user_writes() {
        for (schema, words) in [
            (json!({"type": ["integer", "null"]}), "whole number"),
            (json!({"type": ["number", "object"]}), "number or JSON object"),
            (json!({"type": "array", "items": {"type": "string"}}), "list of text"),
            (json!({"enum": ["a", "b", null]}), "`a` or `b`"),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), "`a` or `b`"),
            (json!({"type": "string", "format": "path"}), "path"),
            (json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}), "switch"),
        ] {
            assert_eq!(type_of(&schema), words, "{schema}");
        }
    }

    #[test]
    fn an_option_is_a_row() {
        let offer = json!({"name": "x_y", "config_schema": {"required": ["a"], "properties": {
            "a": {"type": "integer", "minimum": 1, "description": "One | two."},
            "b": {"type": "string", "default": "z", "x-flag": "bee", "x-general-flag": "b"},
        }}});
        let mut text = String::new();
        options(&mut text, &offer);
        assert!(
            text.contains("| `--x-y-a` | whole number | required | One \\| two. (at least 1) |"),
            "{text}"
        );
        assert!(text.contains("| `--bee`, `--b` | text | `z` |  |"), "{text}");
    }
}

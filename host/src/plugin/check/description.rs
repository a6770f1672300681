//! What a plugin says of itself.

use serde_json::{Map, Value};

use super::{Broken, MAX_ITEMS, at_most, sentence, shown};
use crate::plugin::contract::{Description, Offer, Role};

/// Longest name of a plugin or offer.
const MAX_NAME_BYTES: usize = 64;
/// Largest JSON Schema of an offer.
const MAX_SCHEMA_BYTES: usize = 256 * 1024;

pub(crate) fn description(description: &Description, roles: &[Role]) -> Result<(), Broken> {
    name("the plugin's name", &description.name)?;
    semver::Version::parse(&description.version)
        .map_err(|_| format!("version `{}` is not MAJOR.MINOR.PATCH", shown(&description.version)))?;
    sentence("the plugin's summary", &description.summary)?;
    if description.offers.is_empty() {
        return Err("a plugin has to offer something".into());
    }
    at_most("offers", description.offers.len(), MAX_ITEMS)?;
    let mut seen = std::collections::HashSet::new();
    for offer in &description.offers {
        name("an offer's name", &offer.name)?;
        at_most("aliases", offer.aliases.len(), MAX_ITEMS)?;
        for alias in &offer.aliases {
            name("an alias", alias)?;
        }
        for known_as in std::iter::once(&offer.name).chain(&offer.aliases) {
            if !seen.insert((offer.role, known_as)) {
                return Err(format!("two {} offers are called `{known_as}`", offer.role.name()));
            }
        }
        sentence("an offer's summary", &offer.summary)?;
        if !roles.contains(&offer.role) {
            return Err(format!(
                "it offers {} `{}` but does not export that interface",
                offer.role.name(),
                offer.name
            ));
        }
        schema(offer)?;
    }
    Ok(())
}

fn schema(offer: &Offer) -> Result<(), Broken> {
    let schema = &offer.config_schema;
    match schema.get("type") {
        None => {}
        Some(Value::String(kind)) if kind == "object" => {}
        Some(_) => return Err(format!("the schema of `{}` has to describe an object", offer.name)),
    }
    if schema.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Err(format!("`properties` in the schema of `{}` has to be an object", offer.name));
    }
    let mut pending: Vec<&Value> = schema.values().collect();
    if schema.get("$ref").is_some_and(|reference| !is_local(reference)) {
        return Err(format!("the schema of `{}` refers to another document", offer.name));
    }
    while let Some(value) = pending.pop() {
        match value {
            Value::Object(object) => {
                if object.get("$ref").is_some_and(|reference| !is_local(reference)) {
                    return Err(format!("the schema of `{}` refers to another document", offer.name));
                }
                pending.extend(object.values());
            }
            Value::Array(items) => pending.extend(items),
            _ => {}
        }
    }
    Ok(())
}

fn is_local(reference: &Value) -> bool {
    // A property may be called `$ref`; its schema is no string.
    reference.as_str().is_none_or(|reference| reference.starts_with('#'))
}

/// Reads an offer's schema from the text that a plugin gave.
pub(crate) fn schema_text(offer: &str, json: &str) -> Result<Map<String, Value>, Broken> {
    if json.len() > MAX_SCHEMA_BYTES {
        return Err(format!("the schema of `{}` is longer than {MAX_SCHEMA_BYTES} bytes", shown(offer)));
    }
    serde_json::from_str(json)
        .map_err(|error| format!("the schema of `{}` is no JSON object: {error}", shown(offer)))
}

fn name(what: &str, name: &str) -> Result<(), Broken> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!(
        "{what} `{}` is not made of lower-case letters, digits, `-` and `_`, at most {MAX_NAME_BYTES}",
        shown(name)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_stay_in_their_document() {
        let offer = |schema: &str| Offer {
            role: Role::Dataset,
            name: "x".into(),
            aliases: vec![],
            summary: String::new(),
            config_schema: serde_json::from_str(schema).unwrap(),
        };
        assert_eq!(schema(&offer(r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}"##)), Ok(()));
        assert!(schema(&offer(r#"{"properties":{"a":{"$ref":"https://x/y"}}}"#)).is_err());
        assert!(schema(&offer(r#"{"$ref":"other.json"}"#)).is_err());
        assert!(schema(&offer(r#"{"type":"string"}"#)).is_err());
    }

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(name("n", "share-gpt_4"), Ok(()));
        for bad in ["", "Share", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(name("n", bad).is_err(), "{bad}");
        }
    }
}

//! What a plugin says of itself: offers and the schemas of their options.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use crate::bindings::meta::{Description, Offer, Role};
use crate::{Error, Result};

/// Puts a description together; [`export!`](crate::export) calls it with the
/// names of the plugin's own package. The prefix `vbench-plugin-`, which says
/// only that the package is a plugin, is not part of the plugin's name.
pub fn description(package: &str, version: &str, summary: &str, offers: Vec<Offer>) -> Description {
    let name = package.strip_prefix("vbench-plugin-").unwrap_or(package);
    // A pre-release suffix is Cargo's; the contract has MAJOR.MINOR.PATCH only.
    let version = version.split(['-', '+']).next().unwrap_or(version);
    Description { name: name.into(), version: version.into(), summary: summary.into(), offers }
}

/// An offer whose options are the properties of `C`.
pub fn offer<C: JsonSchema>(role: Role, name: &str, aliases: &[&str], summary: &str) -> Offer {
    Offer {
        role,
        name: name.into(),
        aliases: aliases.iter().map(|&alias| alias.into()).collect(),
        summary: summary.into(),
        config_schema: config_schema::<C>(),
    }
}

/// The JSON Schema (draft 2020-12) of `C` as text, with every type in its
/// place rather than by reference. Doc comments become descriptions. It refuses
/// options that `C` has not.
pub fn config_schema<C: JsonSchema>() -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<C>();
    // The name of a Rust type, and the comment on it, mean nothing to a user.
    schema.remove("title");
    schema.remove("description");
    if schema.get("properties").is_none() {
        schema.insert("properties".into(), Map::new().into());
    }
    // An option that is accepted and has no effect would mislead.
    schema.remove("unevaluatedProperties");
    schema.insert("additionalProperties".into(), false.into());
    schema.to_value().to_string()
}

/// Reads an offer's options. The host has checked them against the schema, so
/// an error here is about what a schema cannot say. Options that `C` has not
/// are refused all the same.
pub fn read_config<C: DeserializeOwned + JsonSchema>(json: &str) -> Result<C> {
    let unreadable = |error: serde_json::Error| Error::config(format!("the options cannot be read: {error}"));
    let given: Map<String, Value> = serde_json::from_str(json).map_err(unreadable)?;
    let schema: Value = serde_json::from_str(&config_schema::<C>()).map_err(unreadable)?;
    match given.keys().find(|key| schema["properties"].get(key.as_str()).is_none()) {
        Some(key) => Err(Error::config(format!("there is no option `{key}`")).key(key)),
        None => serde_json::from_str(json).map_err(unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    /// Not for users.
    #[derive(Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Config {
        /// The trace to replay.
        #[schemars(extend("format" = "path"))]
        path: String,
        /// How many tokens a block has.
        #[serde(default = "sixteen")]
        #[schemars(range(min = 1))]
        block: u32,
        #[serde(default)]
        inner: Option<Inner>,
    }

    fn sixteen() -> u32 {
        16
    }

    #[derive(Deserialize, serde::Serialize, JsonSchema, Default)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        ratio: f64,
    }

    #[test]
    fn a_schema_holds_what_help_needs() {
        let schema: serde_json::Value = serde_json::from_str(&config_schema::<Config>()).unwrap();
        assert_eq!(schema["type"], "object");
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["path"]));
        assert_eq!(schema["properties"]["path"]["format"], "path");
        assert_eq!(schema["properties"]["path"]["description"], "The trace to replay.");
        assert_eq!(schema["properties"]["block"]["default"], 16);
        assert_eq!(schema["properties"]["block"]["minimum"], 1);
        assert!(schema.get("$defs").is_none() && schema.get("title").is_none());
        assert!(!schema.to_string().contains("$ref"));
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only its schema is looked at")]
    struct Grouped {
        /// First.
        first: u32,
        #[serde(flatten)]
        rows: crate::options::RowChoice,
        /// Last.
        #[serde(default)]
        last: bool,
    }

    #[test]
    fn options_of_a_group_stand_where_the_group_does() {
        let schema: serde_json::Value = serde_json::from_str(&config_schema::<Grouped>()).unwrap();
        let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(keys, ["first", "disable_shuffle", "no_oversample", "last"]);
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], serde_json::json!(["first"]));
        assert!(!schema.to_string().contains("unevaluated"));
    }

    #[test]
    fn unknown_options_are_refused_also_beside_a_group() {
        let read = read_config::<Grouped>;
        assert!(read(r#"{"first": 1, "no_oversample": true}"#).unwrap().rows.no_oversample);
        let error = read(r#"{"first": 1, "no_sample": true}"#).err().unwrap();
        assert_eq!(error.config_key.as_deref(), Some("no_sample"));
        assert!(read(r#"{"first": "x"}"#).is_err() && read("[]").is_err());
    }

    #[test]
    fn the_package_prefix_and_a_prerelease_are_left_out() {
        let description = description("vbench-plugin-traces", "1.2.3-rc.1", "s", Vec::new());
        assert_eq!((description.name.as_str(), description.version.as_str()), ("traces", "1.2.3"));
    }
}

//! From the JSON Schema of an offer to its options.
//!
//! Schemas come from plugins and are not trusted: their size, depth and number
//! of options are capped, references are replaced by what they point to within
//! the same document (so that no validator ever follows one), and everything
//! that cannot become a flag is an error that names the plugin.

use serde_json::{Map, Value};

use super::error::CliError;
use super::json_file;
use super::offers::{OfferSpec, Role};

/// Most options of an offer.
const MAX_OPTIONS: usize = 128;
/// Largest schema, as JSON text, in bytes.
const MAX_SCHEMA_BYTES: usize = 64 * 1024;
/// Deepest nesting of a schema, with references replaced.
const MAX_DEPTH: usize = 24;
/// Most JSON values in a schema, with references replaced.
const MAX_NODES: usize = 20_000;
/// Longest flag, without its dashes.
const MAX_FLAG_BYTES: usize = 64;

/// How the words of an option are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Present or not.
    Switch,
    /// A whole number.
    Integer,
    /// A finite number.
    Number,
    /// One word as it is.
    Text,
    /// JSON of one of these types; text as it is if `string` is among them.
    Json(Vec<String>),
    /// The content of a JSON file that is named (`"format": "json-file"`).
    JsonFile,
    /// Several words, each of them text or a number.
    Words(Box<Shape>),
}

impl Shape {
    /// What stands for the value in help.
    pub(super) fn placeholder(&self) -> &'static str {
        match self {
            Self::Switch => "",
            Self::Integer => "INT",
            Self::Number => "NUMBER",
            Self::Text => "TEXT",
            Self::Json(_) => "JSON",
            Self::JsonFile => "FILE",
            Self::Words(_) => "WORD",
        }
    }

    /// Reads an option's words.
    ///
    /// # Errors
    /// In words, when they are not of this shape.
    pub(super) fn read(&self, words: &[String]) -> Result<Value, String> {
        if let Self::Words(item) = self {
            return words.iter().map(|word| item.read_one(word)).collect();
        }
        words.last().ok_or_else(|| "a value is missing".to_owned()).and_then(|word| self.read_one(word))
    }

    fn read_one(&self, word: &str) -> Result<Value, String> {
        match self {
            Self::Switch => Ok(Value::Bool(true)),
            Self::Text | Self::Words(_) => Ok(Value::from(word)),
            Self::JsonFile => json_file::read(word),
            Self::Integer => {
                let word = word.trim();
                word.parse::<i64>()
                    .map(Value::from)
                    .or_else(|_| word.parse::<u64>().map(Value::from))
                    .map_err(|_| format!("`{word}` is not a whole number"))
            }
            Self::Number => {
                let number = word.trim().parse::<f64>().map_err(|_| format!("`{word}` is not a number"))?;
                if number.is_finite() {
                    Ok(Value::from(number))
                } else {
                    Err(format!("`{word}` is not a finite number"))
                }
            }
            Self::Json(types) => {
                let text = || types.iter().any(|kind| kind == "string").then(|| Value::from(word));
                match serde_json::from_str::<Value>(word) {
                    Ok(value) if types.iter().any(|kind| is_of_type(&value, kind)) => Ok(value),
                    Ok(value) => text().ok_or_else(|| {
                        format!("`{word}` is {}, wanted is {}", type_name(&value), types.join(" or "))
                    }),
                    Err(error) => match word.trim().parse::<f64>() {
                        // JSON knows no `.5`, and no `inf` either.
                        Ok(number) if number.is_finite() && types.iter().any(|kind| kind == "number") => {
                            Ok(Value::from(number))
                        }
                        _ => text().ok_or_else(|| format!("`{word}` is not JSON: {error}")),
                    },
                }
            }
        }
    }
}

/// An option of an offer.
#[derive(Debug, Clone)]
pub(super) struct PluginOption {
    /// Key in the offer's config.
    pub(super) property: String,
    /// Its flag without dashes.
    pub(super) flag: String,
    /// Whether the schema chose the flag's name (`x-flag`).
    pub(super) named_by_schema: bool,
    /// The general flag that wins over it (`x-general-flag`).
    pub(super) general: Option<String>,
    /// How its words are read.
    pub(super) shape: Shape,
    /// What it is when not given.
    pub(super) default: Option<Value>,
    /// Whether it names files that the plugin may read.
    pub(super) path: bool,
    /// What it means, with its limits, for help.
    pub(super) help: String,
}

/// An offer's schema, made safe, and its options.
#[derive(Debug, Clone)]
pub(super) struct OfferOptions {
    /// Without references; refuses unknown keys.
    pub(super) schema: Value,
    /// In the order of the schema.
    pub(super) options: Vec<PluginOption>,
}

/// Reads the schema of an offer.
///
/// # Errors
/// [`CliError::Plugin`] when it cannot become flags.
pub(super) fn read(offer: &OfferSpec) -> Result<OfferOptions, CliError> {
    let fail = |reason: String| CliError::Plugin {
        plugin: offer.plugin.clone(),
        reason: printable(&format!("the options of {} `{}` are no good: {reason}", offer.role, offer.name)),
    };
    if !is_offer_name(&offer.name) {
        return Err(fail("the name has to be lower-case letters, digits, `-` and `_`".to_owned()));
    }
    // An empty schema is the shortest way to say "no options".
    let source = match &offer.config_schema {
        Value::Null | Value::Bool(true) => Value::Object(Map::new()),
        other => other.clone(),
    };
    if source.to_string().len() > MAX_SCHEMA_BYTES {
        return Err(fail(format!("the schema is larger than {MAX_SCHEMA_BYTES} bytes")));
    }
    let mut nodes = 0;
    let mut schema = inline(&source, &source, 0, &mut nodes).map_err(&fail)?;
    let Some(object) = schema.as_object_mut() else {
        return Err(fail("the schema is not an object".to_owned()));
    };
    if object.get("type").is_some_and(|kind| kind != "object") {
        return Err(fail("the schema has to describe an object".to_owned()));
    }
    for key in ["$id", "$schema", "$defs", "definitions"] {
        object.shift_remove(key);
    }
    object.insert("additionalProperties".to_owned(), Value::Bool(false));
    let empty = Map::new();
    let properties = match object.get("properties") {
        None => &empty,
        Some(Value::Object(properties)) => properties,
        Some(_) => return Err(fail("`properties` is not an object".to_owned())),
    };
    if properties.len() > MAX_OPTIONS {
        return Err(fail(format!("more than {MAX_OPTIONS} options")));
    }
    let options = properties
        .iter()
        .map(|(name, schema)| {
            option(offer, name, schema).map_err(|reason| fail(format!("property `{name}`: {reason}")))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(OfferOptions { schema, options })
}

fn option(offer: &OfferSpec, property: &str, schema: &Value) -> Result<PluginOption, String> {
    let Some(object) = schema.as_object() else { return Err("the schema is not an object".to_owned()) };
    if !is_property_name(property) {
        return Err("the name has to be letters, digits, `-` and `_`".to_owned());
    }
    let text = |key: &str| match object.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("`{key}` is not a text")),
    };
    let named = text("x-flag")?;
    let flag = match named {
        Some(flag) => flag.to_owned(),
        None => format!("{}-{property}", offer.name).replace('_', "-"),
    };
    let general = text("x-general-flag")?.map(str::to_owned);
    for flag in std::iter::once(&flag).chain(&general) {
        if !is_flag_name(flag) {
            return Err(format!("`--{flag}` is no name for a flag"));
        }
    }
    let default = object.get("default").filter(|value| !value.is_null()).cloned();
    let shape = match object.get("format").and_then(Value::as_str) {
        Some("json-file") => Shape::JsonFile,
        _ => shape(object)?,
    };
    if shape == Shape::Switch && default == Some(Value::Bool(true)) {
        return Err("a switch cannot be on by default: turn its meaning round".to_owned());
    }
    let path = match object.get("format").and_then(Value::as_str) {
        Some("path") => true,
        _ => match &shape {
            Shape::Words(_) => {
                object.get("items").and_then(|items| items.get("format")).is_some_and(|f| f == "path")
            }
            _ => false,
        },
    };
    if path && offer.role != Role::Dataset {
        return Err("only datasets read files".to_owned());
    }
    let help = help(object, default.as_ref());
    Ok(PluginOption {
        property: property.to_owned(),
        flag,
        named_by_schema: named.is_some(),
        general,
        shape,
        default,
        path,
        help,
    })
}

/// Replaces references by what they point to.
fn inline(node: &Value, root: &Value, depth: usize, nodes: &mut usize) -> Result<Value, String> {
    *nodes += 1;
    if depth > MAX_DEPTH {
        return Err(format!("the schema is nested deeper than {MAX_DEPTH}, or refers to itself"));
    }
    if *nodes > MAX_NODES {
        return Err(format!("the schema has more than {MAX_NODES} parts"));
    }
    match node {
        Value::Object(object) => {
            for key in ["$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"] {
                if object.contains_key(key) {
                    return Err(format!("`{key}` is not supported"));
                }
            }
            let mut out = Map::new();
            if let Some(reference) = object.get("$ref") {
                let pointer = reference
                    .as_str()
                    .and_then(|text| text.strip_prefix('#'))
                    .ok_or_else(|| format!("the reference {reference} leads out of the schema"))?;
                let target = root
                    .pointer(pointer)
                    .ok_or_else(|| format!("the reference {reference} leads nowhere"))?;
                match inline(target, root, depth + 1, nodes)? {
                    Value::Object(target) => out = target,
                    other => return Ok(other),
                }
            }
            for (key, value) in object {
                // Definitions are only there to be referred to.
                let definitions = depth == 0 && (key == "$defs" || key == "definitions");
                if key != "$ref" && !definitions {
                    out.insert(key.clone(), inline(value, root, depth + 1, nodes)?);
                }
            }
            Ok(Value::Object(out))
        }
        Value::Array(items) => items
            .iter()
            .map(|item| inline(item, root, depth + 1, nodes))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        other => Ok(other.clone()),
    }
}

fn shape(schema: &Map<String, Value>) -> Result<Shape, String> {
    let mut types = Vec::new();
    collect_types(schema, &mut types)?;
    types.retain(|kind| kind != "null");
    if types.iter().any(|kind| kind == "number") {
        types.retain(|kind| kind != "integer");
    }
    Ok(match types.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => return Err("no type".to_owned()),
        ["boolean"] => Shape::Switch,
        ["integer"] => Shape::Integer,
        ["number"] => Shape::Number,
        ["string"] => Shape::Text,
        ["array"] => match schema.get("items").and_then(Value::as_object).map(shape) {
            Some(Ok(item @ (Shape::Text | Shape::Integer | Shape::Number))) => Shape::Words(Box::new(item)),
            _ => Shape::Json(types),
        },
        _ => Shape::Json(types),
    })
}

/// Types that a value of the schema may have, in order, each once.
fn collect_types(schema: &Map<String, Value>, types: &mut Vec<String>) -> Result<(), String> {
    let mut add = |kind: &str| {
        if !types.iter().any(|have| have == kind) {
            types.push(kind.to_owned());
        }
    };
    match schema.get("type") {
        Some(Value::String(kind)) => add(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).for_each(add),
        Some(_) => return Err("`type` is neither a text nor a list".to_owned()),
        None => {
            let listed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            listed.iter().chain(schema.get("const")).for_each(|value| add(type_name(value)));
            for key in ["anyOf", "oneOf", "allOf"] {
                for branch in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                    let Some(branch) = branch.as_object() else { continue };
                    collect_types(branch, types)?;
                }
            }
        }
    }
    let known = ["null", "boolean", "integer", "number", "string", "array", "object"];
    match types.iter().find(|kind| !known.contains(&kind.as_str())) {
        Some(kind) => Err(format!("`{kind}` is no type")),
        None => Ok(()),
    }
}

/// Name of the JSON type of a value; `integer` for whole numbers.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn is_of_type(value: &Value, kind: &str) -> bool {
    let name = type_name(value);
    name == kind || (kind == "number" && name == "integer")
}

fn help(schema: &Map<String, Value>, default: Option<&Value>) -> String {
    let mut text = schema.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    let mut notes = Vec::new();
    let allowed = schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_else(|| {
        schema
            .get("oneOf")
            .or_else(|| schema.get("anyOf"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|branch| branch.get("const").cloned())
            .collect()
    });
    if !allowed.is_empty() {
        notes.push(format!("one of {}", allowed.iter().map(plain).collect::<Vec<_>>().join(", ")));
    }
    for (key, word) in [
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
        ("multipleOf", "a multiple of"),
    ] {
        if let Some(limit) = schema.get(key) {
            notes.push(format!("{word} {limit}"));
        }
    }
    if let Some(default) =
        default.filter(|value| **value != Value::Bool(false) && **value != Value::Array(Vec::new()))
    {
        notes.push(format!("default: {}", plain(default)));
    }
    if !notes.is_empty() {
        text = format!("{text} [{}]", notes.join("; ")).trim_start().to_owned();
    }
    printable(&text)
}

/// What a plugin says, without what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    // Marks that turn the writing direction (Unicode Standard Annex 9) and invisible ones.
    let hides = |c: &char| matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().filter(|c| !hides(c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_flag_name(name: &str) -> bool {
    name.len() <= MAX_FLAG_BYTES
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_property_name(name: &str) -> bool {
    (1..=MAX_FLAG_BYTES).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_offer_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn offer(schema: Value) -> OfferSpec {
        OfferSpec {
            role: Role::Dataset,
            plugin: "acme".to_owned(),
            builtin: false,
            name: "my_data".to_owned(),
            aliases: Vec::new(),
            summary: String::new(),
            config_schema: schema,
        }
    }

    fn one(schema: Value) -> PluginOption {
        read(&offer(json!({"properties": {"p": schema}}))).unwrap().options.remove(0)
    }

    #[test]
    fn shapes_follow_types() {
        for (schema, shape) in [
            (json!({"type": "integer"}), Shape::Integer),
            (json!({"type": ["number", "null"]}), Shape::Number),
            (json!({"type": ["integer", "number"]}), Shape::Number),
            (json!({"enum": ["a", "b"]}), Shape::Text),
            (json!({"oneOf": [{"const": "a"}, {"const": "b"}]}), Shape::Text),
            (json!({"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": false}), Shape::Switch),
            (json!({"type": "array", "items": {"type": "string"}}), Shape::Words(Box::new(Shape::Text))),
            (json!({"type": "array"}), Shape::Json(vec!["array".to_owned()])),
            (
                json!({"type": ["number", "object"]}),
                Shape::Json(vec!["number".to_owned(), "object".to_owned()]),
            ),
        ] {
            assert_eq!(one(schema.clone()).shape, shape, "{schema}");
        }
        assert_eq!(one(json!({"type": "object", "format": "json-file"})).shape, Shape::JsonFile);
        assert_eq!(one(json!({"type": "string"})).flag, "my-data-p");
        assert_eq!(one(json!({"type": "string", "x-flag": "out"})).flag, "out");
    }

    #[test]
    fn local_references_are_replaced_and_others_refused() {
        let schema = json!({
            "$defs": {"mode": {"enum": ["a"], "description": "far"}},
            "properties": {"p": {"$ref": "#/$defs/mode", "description": "near"}}
        });
        let read_back = read(&offer(schema)).unwrap();
        assert_eq!(read_back.options[0].help, "near [one of a]");
        assert!(!read_back.schema.to_string().contains("$ref"));
        for (schema, reason) in [
            (json!({"properties": {"p": {"$ref": "https://example.com/x"}}}), "leads out of the schema"),
            (json!({"properties": {"p": {"$ref": "#/nowhere"}}}), "leads nowhere"),
            (json!({"properties": {"p": {"$ref": "#"}}}), "refers to itself"),
            (json!({"properties": {"p": {"$dynamicRef": "#x"}}}), "not supported"),
            (json!({"properties": {"p": {}}}), "no type"),
            (
                json!({"properties": {"p\u{1b}[2J": {"type": "string", "x-flag": "p"}}}),
                "property `p [2J`: the name",
            ),
            (json!({"properties": {"p": {"type": "colour"}}}), "`colour` is no type"),
            (json!({"properties": {"p": {"type": "string", "x-flag": "--A"}}}), "no name for a flag"),
            (json!({"properties": {"p": {"type": "boolean", "default": true}}}), "cannot be on by default"),
            (json!({"type": "array"}), "has to describe an object"),
            (json!({"description": "x".repeat(MAX_SCHEMA_BYTES)}), "larger than"),
            (json!([]), "not an object"),
        ] {
            let error = read(&offer(schema)).unwrap_err().to_string();
            assert!(error.starts_with("plugin `acme`: ") && error.contains(reason), "{error}");
        }
    }

    #[test]
    fn a_schema_that_doubles_with_each_reference_is_refused() {
        let mut defs = Map::new();
        for level in 0..20 {
            let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
            defs.insert(format!("d{level}"), json!({"anyOf": [next, next]}));
        }
        defs.insert("d20".to_owned(), json!({"type": "string"}));
        let schema = json!({"$defs": defs, "properties": {"p": {"$ref": "#/$defs/d0"}}});
        assert!(read(&offer(schema)).is_err());
    }

    #[test]
    fn words_are_read_by_shape() {
        let read = |shape: &Shape, word: &str| shape.read(&[word.to_owned()]);
        assert_eq!(read(&Shape::Integer, "-1"), Ok(json!(-1)));
        assert_eq!(read(&Shape::Integer, "1.5").unwrap_err(), "`1.5` is not a whole number");
        assert_eq!(read(&Shape::Number, "1e3"), Ok(json!(1000.0)));
        assert!(read(&Shape::Number, "inf").unwrap_err().contains("finite"));
        let mixed = Shape::Json(vec!["number".to_owned(), "object".to_owned()]);
        assert_eq!(read(&mixed, "0.5"), Ok(json!(0.5)));
        assert_eq!(read(&mixed, r#"{"input":1}"#), Ok(json!({"input": 1})));
        assert!(read(&mixed, "[1]").unwrap_err().contains("wanted is number or object"));
        assert!(read(&mixed, "x").unwrap_err().contains("not JSON"));
        let text = Shape::Json(vec!["object".to_owned(), "string".to_owned()]);
        assert_eq!(read(&text, "x"), Ok(json!("x")));
        assert_eq!(read(&text, "1"), Ok(json!("1")));
    }

    fn anything() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            Just("type".to_owned()),
            Just("anyOf".to_owned()),
            Just("$ref".to_owned()),
            Just("default".to_owned()),
            Just("enum".to_owned()),
            Just("items".to_owned()),
            Just("x-flag".to_owned()),
            ".{0,4}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "(string|integer|array|object|boolean|#/properties/a|#|.{0,3})".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Whatever a plugin says, it is read or refused, and what was read is
        /// free of references.
        #[test]
        fn hostile_schemas_are_read_or_refused(a in anything(), b in anything()) {
            match read(&offer(json!({"properties": {"a": a, "b": b}}))) {
                Ok(options) => prop_assert!(options.options.len() <= 2),
                Err(CliError::Plugin { reason, .. }) => prop_assert!(!reason.chars().any(char::is_control)),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
    }
}

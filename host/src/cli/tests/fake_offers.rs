//! Offers modelled on the built-in plugins, and one of a third party.

use serde_json::{Value, json};

use crate::cli::known;
use crate::cli::offers::{OfferSpec, Role};

pub(super) fn offer(role: Role, plugin: &str, name: &str, properties: Value) -> OfferSpec {
    OfferSpec {
        role,
        plugin: plugin.to_owned(),
        builtin: plugin != "acme",
        name: name.to_owned(),
        aliases: Vec::new(),
        summary: format!("The {name} {role}."),
        config_schema: json!({"type": "object", "properties": properties}),
    }
}

fn random() -> OfferSpec {
    offer(
        Role::Dataset,
        "random",
        "random",
        json!({
            "input_len": {
                "type": "integer", "minimum": 0, "default": 1024, "x-general-flag": "input-len",
                "description": "Tokens of a prompt, besides the prefix"
            },
            "output_len": {
                "type": "integer", "minimum": 1, "default": 128, "x-general-flag": "output-len",
                "description": "Tokens asked for"
            },
            "range_ratio": {
                "type": ["number", "object", "string"], "default": 0.0,
                "description": "How far lengths vary, as a share, or {\"input\":…,\"output\":…}"
            },
            "prefix_len": {"type": "integer", "minimum": 0, "default": 0, "description": "Tokens that all prompts begin with"},
            "batch_size": {"type": "integer", "minimum": 1, "default": 1, "description": "Prompts in a request"}
        }),
    )
}

fn shared() -> Value {
    json!({
        "no_oversample": {"type": "boolean", "default": false, "x-flag": "no-oversample",
            "description": "Do not repeat rows when there are too few"},
        "disable_shuffle": {"type": "boolean", "default": false, "x-flag": "disable-shuffle",
            "description": "Keep the order of the file"},
        "enable_multimodal_chat": {"type": "boolean", "default": false, "x-flag": "enable-multimodal-chat",
            "description": "Make chat messages"}
    })
}

fn merged(mut own: Value, other: Value) -> Value {
    if let (Some(own), Value::Object(other)) = (own.as_object_mut(), other) {
        own.extend(other);
    }
    own
}

fn file_dataset(name: &str, own: Value) -> OfferSpec {
    let path = json!({"path": {"type": "string", "format": "path", "x-flag": "dataset-path", "description": "The file"}});
    let mut offer = offer(Role::Dataset, name, name, merged(path, merged(own, shared())));
    offer.config_schema["required"] = json!(["path"]);
    offer
}

/// The usual offers.
pub(super) fn usual() -> Vec<OfferSpec> {
    let mut openai = offer(Role::Backend, "openai", "openai", json!({}));
    openai.aliases = vec!["vllm".to_owned()];
    let mut offers = vec![
        random(),
        file_dataset(
            "sharegpt",
            json!({"output_len": {
                "type": ["integer", "null"], "default": null, "minimum": 1, "x-general-flag": "output-len",
                "description": "Tokens asked for, in place of the answer's length"
            }}),
        ),
        file_dataset(
            "custom",
            json!({
                "output_len": {"type": "integer", "default": 256, "minimum": -1, "x-general-flag": "output-len",
                    "description": "Tokens asked for; -1 takes the row's"},
                "skip_chat_template": {"type": "boolean", "default": false, "x-flag": "skip-chat-template",
                    "description": "Send the prompt as it is"},
                "chat_template_kwargs": {"type": ["object", "null"], "default": null, "x-flag": "chat-template-kwargs",
                    "description": "Passed to the chat template"}
            }),
        ),
        openai,
        offer(
            Role::Backend,
            "openai-chat",
            "openai-chat",
            json!({"system": {"type": ["string", "null"], "default": null, "description": "A system message in front"}}),
        ),
        offer(
            Role::Sla,
            "goodput",
            "goodput",
            json!({"limits": {"type": "array", "items": {"type": "string"}, "default": [], "x-flag": "goodput",
                "description": "Limits as KEY:MILLISECONDS"}}),
        ),
        offer(
            Role::Sla,
            "threshold",
            "threshold",
            json!({"require": {"type": "array", "items": {"type": "string"}, "minItems": 1, "x-flag": "require",
                "description": "Limits as METRIC<=NUMBER"}}),
        ),
    ];
    offers[4].summary = "Chat completions.".to_owned();
    offers
}

/// The usual offers and all other backends of the reference client.
pub(super) fn all_backends() -> Vec<OfferSpec> {
    let mut offers = usual();
    let missing: Vec<&str> = known::BACKENDS
        .iter()
        .copied()
        .filter(|name| !offers.iter().any(|offer| offer.role == Role::Backend && offer.answers_to(name)))
        .collect();
    offers.extend(missing.into_iter().map(|name| offer(Role::Backend, name, name, json!({}))));
    offers
}

/// A plugin of a third party.
pub(super) fn acme() -> OfferSpec {
    offer(
        Role::Dataset,
        "acme",
        "acme_logs",
        json!({
            "size": {"type": "integer", "minimum": 8, "exclusiveMaximum": 64, "default": 16, "description": "Bits"},
            "mode": {"enum": ["fast", "slow"], "default": "fast", "description": "How"},
            "ratio": {"type": "number", "exclusiveMinimum": 0, "default": 0.5},
            "files": {"type": "array", "items": {"type": "string", "format": "path"}},
            "word": {"type": "string", "pattern": "^(a+)+$"}
        }),
    )
}

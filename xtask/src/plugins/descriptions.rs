//! The list of built-in plugins, for what they say of themselves.

use serde_json::Value;

/// Folder of the plugin => its crate.
macro_rules! plugins {
    ($($folder:literal => $plugin:ident),* $(,)?) => {
        /// The description of a plugin: the fields of the contract's
        /// `description` with underscores, the schema of options as an object.
        pub fn describe(folder: &str) -> Option<Value> {
            $(
                if folder == $folder {
                    return Some(description!($plugin::describe()));
                }
            )*
            None
        }
    };
}

macro_rules! description {
    ($description:expr) => {{
        use vbench_plugin::description::Role;
        let description = $description;
        let offers: Vec<Value> = description
            .offers
            .into_iter()
            .map(|offer| {
                let role = match offer.role {
                    Role::Dataset => "dataset",
                    Role::Backend => "backend",
                    Role::Sla => "sla",
                };
                serde_json::json!({
                    "role": role,
                    "name": offer.name,
                    "aliases": offer.aliases,
                    "summary": offer.summary,
                    "config_schema": serde_json::from_str::<Value>(&offer.config_schema).expect("the SDK writes JSON"),
                })
            })
            .collect();
        serde_json::json!({
            "name": description.name,
            "version": description.version,
            "summary": description.summary,
            "offers": offers,
        })
    }};
}

plugins! {
    "anthropic-messages" => vbench_plugin_anthropic_messages,
    "composite" => vbench_plugin_composite,
    "custom" => vbench_plugin_custom,
    "embeddings" => vbench_plugin_embeddings,
    "generate" => vbench_plugin_generate,
    "goodput" => vbench_plugin_goodput,
    "hf" => vbench_plugin_hf,
    "ollama" => vbench_plugin_ollama,
    "mlperf-server" => vbench_plugin_mlperf_server,
    "openai" => vbench_plugin_openai,
    "openai-chat" => vbench_plugin_openai_chat,
    "openai-responses" => vbench_plugin_openai_responses,
    "pooling" => vbench_plugin_pooling,
    "random" => vbench_plugin_random,
    "sharegpt" => vbench_plugin_sharegpt,
    "sonnet" => vbench_plugin_sonnet,
    "spec-bench" => vbench_plugin_spec_bench,
    "template" => vbench_plugin_template,
    "threshold" => vbench_plugin_threshold,
    "traces" => vbench_plugin_traces,
}

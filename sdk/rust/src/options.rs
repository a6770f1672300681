//! Options that several datasets have, so that they mean the same, and are
//! called the same, in all of them.
//!
//! A group of options is a field of a dataset's own options:
//!
//! ```
//! use vbench_plugin::options::RowChoice;
//! use vbench_plugin::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Config {
//!     /// The rows, a JSON Lines file.
//!     #[schemars(extend("format" = "path", "x-flag" = "dataset-path"))]
//!     path: String,
//!     #[serde(flatten)]
//!     rows: RowChoice,
//! }
//! ```
//!
//! `serde`'s `deny_unknown_fields` does not go with `flatten`. It is not needed:
//! the schema of every offer refuses unknown options, and so does
//! [`read_config`](crate::description::read_config).

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Result;
use crate::tokenizer::{self, Chat};

/// The options of what has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct NoOptions {}

/// Which rows of a file are asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct RowChoice {
    /// Take the rows in the order of the file.
    #[serde(default)]
    #[schemars(extend("x-flag" = "disable-shuffle"))]
    pub disable_shuffle: bool,
    /// Do not repeat rows when there are too few.
    #[serde(default)]
    #[schemars(extend("x-flag" = "no-oversample"))]
    pub no_oversample: bool,
}

/// How the tokenizer's chat template is used.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
pub struct ChatTemplate {
    /// Send prompts as they are, without the tokenizer's chat template.
    #[serde(default)]
    #[schemars(extend("x-flag" = "skip-chat-template"))]
    pub skip_chat_template: bool,
    /// Variables for the chat template, a JSON object.
    #[serde(default)]
    #[schemars(extend("x-flag" = "chat-template-kwargs"))]
    pub chat_template_kwargs: Option<Map<String, Value>>,
}

impl ChatTemplate {
    /// Each prompt as the only message of a chat, written by the template.
    pub fn render(&self, prompts: &[String]) -> Result<Vec<String>> {
        let chat = |prompt: &String| Chat {
            messages: json!([{"role": "user", "content": prompt}]).to_string(),
            tools: None,
        };
        let chats: Vec<Chat> = prompts.iter().map(chat).collect();
        let options =
            self.chat_template_kwargs.as_ref().map(|options| Value::Object(options.clone()).to_string());
        tokenizer::render_chat(&chats, true, options.as_deref())
    }
}

/// Whether prompts with media become the messages of a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct MediaChat {
    /// Write prompts with their media as chat messages.
    #[serde(default)]
    #[schemars(extend("x-flag" = "enable-multimodal-chat"))]
    pub enable_multimodal_chat: bool,
}

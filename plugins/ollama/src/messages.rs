//! Messages as Ollama reads them: `content` is a text.

use serde_json::Value;
use vbench_plugin::openai::write_json;
use vbench_plugin::prelude::*;

/// Writes the messages of a request: earlier turns with their replies, then
/// this turn.
pub(crate) fn write(out: &mut Vec<u8>, request: &RequestIn) -> Result<()> {
    let mut messages = Vec::new();
    for past in &request.history {
        add_turn(&mut messages, &past.turn)?;
        messages.push(serde_json::json!({"role": "assistant", "content": past.reply}));
    }
    add_turn(&mut messages, &request.turn)?;
    write_json(out, &messages)
}

fn add_turn(messages: &mut Vec<Value>, turn: &Turn) -> Result<()> {
    if !turn.attachments.as_slice().is_empty() {
        return Err(no_media());
    }
    let array = |json: &str, what: &str| {
        serde_json::from_str::<Vec<Value>>(json)
            .map_err(|error| Error::input(format!("the sample's {what} are not a JSON array: {error}")))
    };
    match &turn.prompt {
        Prompt::Text(text) => messages.push(serde_json::json!({"role": "user", "content": text})),
        Prompt::Parts(json) => {
            let parts = array(json, "content parts")?;
            messages.push(serde_json::json!({"role": "user", "content": joined(&parts)?}));
        }
        Prompt::Messages(json) => {
            for mut message in array(json, "messages")? {
                if let Some(Value::Array(parts)) = message.get("content") {
                    message["content"] = joined(parts)?.into();
                }
                messages.push(message);
            }
        }
        _ => {
            return Err(Error::unsupported(
                "the sample is a list of texts or tokens, which a chat message cannot hold; use a dataset of texts or chats",
            ));
        }
    }
    Ok(())
}

/// The texts of content parts, one after another.
fn joined(parts: &[Value]) -> Result<String> {
    parts.iter().map(|part| part["text"].as_str().ok_or_else(no_media)).collect()
}

fn no_media() -> Error {
    Error::unsupported(
        "the sample has media, which ollama does not send; use openai-chat, which Ollama serves under /v1 too",
    )
}

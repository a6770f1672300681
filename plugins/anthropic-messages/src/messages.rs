//! Chats as the Messages API reads them: the system prompt stands apart, and
//! media are blocks with a source.

use serde_json::{Value, json};
use vbench_plugin::backend::PastTurn;
use vbench_plugin::media;
use vbench_plugin::prelude::*;

/// A chat in Anthropic's form.
pub(crate) struct Chat {
    /// The text of all system messages.
    pub(crate) system: Option<String>,
    /// The messages, oldest first.
    pub(crate) messages: Vec<Value>,
}

impl Chat {
    /// Earlier turns with their replies, then the turn to be answered.
    pub(crate) fn of(request: &RequestIn) -> Result<Self> {
        let mut chat = Self { system: None, messages: Vec::new() };
        for PastTurn { turn, reply } in &request.history {
            chat.add(turn)?;
            chat.messages.push(json!({"role": "assistant", "content": reply}));
        }
        chat.add(&request.turn)?;
        Ok(chat)
    }

    fn add(&mut self, turn: &Turn) -> Result<()> {
        let mut blocks = match &turn.prompt {
            // What the dataset wrote as messages has its media in it.
            Prompt::Messages(messages) => return self.add_messages(messages),
            Prompt::Text(text) => vec![json!({"type": "text", "text": text})],
            Prompt::Parts(parts) => {
                array(parts, "content parts")?.iter().map(block).collect::<Result<_>>()?
            }
            _ => {
                return Err(Error::unsupported(
                    "the sample is a list of texts or tokens, which a message cannot hold; use a dataset of texts or chats",
                ));
            }
        };
        for media in turn.attachments.as_slice() {
            if media.kind != MediaKind::Image {
                return Err(Error::unsupported(
                    "the sample has video or audio, which the Messages API does not take",
                ));
            }
            blocks.push(image(&media.url)?);
        }
        self.messages.push(json!({"role": "user", "content": blocks}));
        Ok(())
    }

    fn add_messages(&mut self, messages: &str) -> Result<()> {
        for mut message in array(messages, "messages")? {
            if let Some(Value::Array(parts)) = message.get("content") {
                message["content"] = parts.iter().map(block).collect::<Result<_>>()?;
            }
            if message["role"] != "system" {
                self.messages.push(message);
                continue;
            }
            let text = match &message["content"] {
                Value::String(text) => text.clone(),
                Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
                _ => return Err(Error::input("a system message of the sample has no text")),
            };
            match &mut self.system {
                Some(system) => *system = format!("{system}\n{text}"),
                system => *system = Some(text),
            }
        }
        Ok(())
    }
}

fn array(json: &str, what: &str) -> Result<Vec<Value>> {
    serde_json::from_str(json)
        .map_err(|error| Error::input(format!("the sample's {what} are not a JSON array: {error}")))
}

/// A content part of a chat completion as a content block.
fn block(part: &Value) -> Result<Value> {
    match part["type"].as_str() {
        Some("image_url") => {
            let url = part["image_url"]["url"].as_str().or(part["image_url"].as_str());
            image(url.ok_or_else(|| Error::input("an image of the sample has no address"))?)
        }
        Some("video_url" | "audio_url" | "input_audio") => {
            Err(Error::unsupported("the sample has video or audio, which the Messages API does not take"))
        }
        _ => Ok(part.clone()),
    }
}

/// An image by its address, or the image itself.
fn image(url: &str) -> Result<Value> {
    let source = if url.starts_with("http://") || url.starts_with("https://") {
        json!({"type": "url", "url": url})
    } else if let Some(mime_type) = media::mime_type_of(url) {
        json!({"type": "base64", "media_type": mime_type, "data": media::base64_of(url)})
    } else {
        return Err(Error::unsupported(
            "the sample has an image that is neither at a web address nor there as data, which \
             anthropic-messages cannot send; custom_image sends the data of files with \
             --custom-ensure-client-side-data",
        ));
    };
    Ok(json!({"type": "image", "source": source}))
}

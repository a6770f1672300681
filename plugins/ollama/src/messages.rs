//! Messages as Ollama reads them: `content` is a text, and images are the Base64
//! of their bytes beside it.

use serde_json::{Value, json};
use vbench_plugin::media;
use vbench_plugin::openai::write_json;
use vbench_plugin::prelude::*;

/// Writes the messages of a request: earlier turns with their replies, then
/// this turn.
pub(crate) fn write(out: &mut Vec<u8>, request: &RequestIn) -> Result<()> {
    let mut messages = Vec::new();
    for past in &request.history {
        add_turn(&mut messages, &past.turn)?;
        messages.push(json!({"role": "assistant", "content": past.reply}));
    }
    add_turn(&mut messages, &request.turn)?;
    write_json(out, &messages)
}

fn add_turn(messages: &mut Vec<Value>, turn: &Turn) -> Result<()> {
    let array = |json: &str, what: &str| {
        serde_json::from_str::<Vec<Value>>(json)
            .map_err(|error| Error::input(format!("the sample's {what} are not a JSON array: {error}")))
    };
    let mut content = match &turn.prompt {
        Prompt::Text(text) => Content { text: text.clone(), images: Vec::new() },
        Prompt::Parts(json) => Content::of(&array(json, "content parts")?)?,
        Prompt::Messages(json) => {
            // What the dataset wrote as messages has its media in it.
            for mut message in array(json, "messages")? {
                if let Some(Value::Array(parts)) = message.get("content") {
                    Content::of(parts)?.put_into(&mut message);
                }
                messages.push(message);
            }
            return Ok(());
        }
        _ => {
            return Err(Error::unsupported(
                "the sample is a list of texts or tokens, which a chat message cannot hold; use a dataset of texts or chats",
            ));
        }
    };
    for media in turn.attachments.as_slice() {
        if media.kind != MediaKind::Image {
            return Err(no_such_media());
        }
        content.images.push(image(&media.url)?);
    }
    let mut message = json!({"role": "user"});
    content.put_into(&mut message);
    messages.push(message);
    Ok(())
}

/// What a message says.
struct Content {
    text: String,
    /// Base64, or the references in its place.
    images: Vec<String>,
}

impl Content {
    /// The texts of content parts, one after another, and their images.
    fn of(parts: &[Value]) -> Result<Self> {
        let mut content = Self { text: String::new(), images: Vec::new() };
        for part in parts {
            match part["type"].as_str() {
                Some("image_url") => {
                    let url = part["image_url"]["url"].as_str().or(part["image_url"].as_str());
                    let url = url.ok_or_else(|| Error::input("an image of the sample has no address"))?;
                    content.images.push(image(url)?);
                }
                _ => content.text += part["text"].as_str().ok_or_else(no_such_media)?,
            }
        }
        Ok(content)
    }

    fn put_into(self, message: &mut Value) {
        message["content"] = self.text.into();
        if !self.images.is_empty() {
            message["images"] = self.images.into();
        }
    }
}

/// The Base64 of an image that is there as data.
fn image(url: &str) -> Result<String> {
    if media::mime_type_of(url).is_none() {
        return Err(Error::unsupported(
            "the sample has an image at an address, which Ollama does not fetch; custom_image sends the data \
             of files with --custom-ensure-client-side-data",
        ));
    }
    Ok(media::base64_of(url))
}

fn no_such_media() -> Error {
    Error::unsupported("the sample has video or audio, of which Ollama's chat knows nothing")
}

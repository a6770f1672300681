//! Texts with images as the Responses API writes them. The reference client
//! leaves images out, and sends content parts in the form of chat completions.

use serde_json::{Value, json};
use vbench_plugin::openai;
use vbench_plugin::prelude::*;

/// The content parts of a turn with images, or of one that is a list of parts;
/// none for a turn of text alone, or of messages, which have their own parts.
pub(crate) fn parts(turn: &Turn) -> Result<Option<Vec<Value>>> {
    let media = turn.attachments.as_slice();
    let mut parts = match &turn.prompt {
        Prompt::Text(text) if !media.is_empty() => vec![json!({"type": "input_text", "text": text})],
        Prompt::Parts(json) => {
            let parts: Vec<Value> = serde_json::from_str(json)
                .map_err(|error| Error::input(format!("the sample's content parts are no JSON: {error}")))?;
            parts.iter().map(part).collect::<Result<_>>()?
        }
        Prompt::Messages(_) => return Ok(None),
        _ if media.is_empty() => return Ok(None),
        _ => return Err(Error::unsupported("the sample has media, but its prompt is no text")),
    };
    for medium in media {
        if medium.kind != MediaKind::Image {
            return Err(Error::unsupported(
                "the sample has a video or a sound, which openai-responses does not send; use openai-chat",
            ));
        }
        parts.push(json!({"type": "input_image", "image_url": medium.url}));
    }
    Ok(Some(parts))
}

/// A part of chat completions as one of responses.
fn part(part: &Value) -> Result<Value> {
    let of = |key: &str| part.get(key).cloned();
    let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
    match (kind, of("text"), of("image_url")) {
        ("text", Some(text), _) => Ok(json!({"type": "input_text", "text": text})),
        ("image_url", _, Some(Value::Object(mut image))) => {
            let url = image.shift_remove("url").unwrap_or_default();
            let mut written = json!({"type": "input_image", "image_url": url});
            if let Value::Object(written) = &mut written {
                written.extend(image);
            }
            Ok(written)
        }
        _ => Err(Error::unsupported(format!(
            "a content part is of type `{kind}`, which openai-responses does not send; use openai-chat"
        ))),
    }
}

/// One user message of these parts.
pub(crate) fn write(out: &mut Vec<u8>, parts: &[Value]) -> Result<()> {
    openai::write_json(out, &json!([{"role": "user", "content": parts}]))
}

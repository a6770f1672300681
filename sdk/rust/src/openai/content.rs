//! Prompts and media in the forms that OpenAI-compatible servers read.

use serde_json::value::RawValue;

use super::write_json;
use crate::backend::{RawObject, RequestIn, raw_object};
use crate::media::base64_of;
use crate::sample::{Media, MediaKind, Prompt, Turn};
use crate::{Compat, Error, Result};

/// Writes a prompt for a field that takes a string, a list of strings, or
/// tokens. The reference client also sends messages there, which no server
/// takes; that is done under its own rules only.
pub fn write_prompt(out: &mut Vec<u8>, prompt: &Prompt, compat: Compat) -> Result<()> {
    match prompt {
        Prompt::Text(text) => write_json(out, text.as_str()),
        Prompt::Texts(texts) => write_json(out, texts),
        Prompt::TokenIds(ids) => write_json(out, ids),
        Prompt::TokenIdLists(lists) => write_json(out, lists),
        Prompt::Messages(json) | Prompt::Parts(json) | Prompt::Object(json) if compat.is_reference() => {
            write_raw(out, json, "the prompt")
        }
        Prompt::Messages(_) | Prompt::Parts(_) => {
            Err(Error::unsupported("the sample is a chat, which this backend cannot send; use openai-chat"))
        }
        Prompt::Object(_) => Err(Error::unsupported("the sample is an object for a pooling task")),
    }
}

/// About how long a prompt is as JSON, in bytes.
pub fn prompt_bytes(prompt: &Prompt) -> usize {
    match prompt {
        Prompt::Text(text) | Prompt::Messages(text) | Prompt::Parts(text) | Prompt::Object(text) => {
            text.len()
        }
        Prompt::Texts(texts) => texts.iter().map(|text| text.len() + 3).sum(),
        Prompt::TokenIds(ids) => ids.len() * 6,
        Prompt::TokenIdLists(lists) => lists.iter().map(|ids| ids.len() * 6 + 3).sum(),
    }
}

/// Writes the messages of a chat: earlier turns with their replies, then this turn.
pub fn messages(out: &mut Vec<u8>, request: &RequestIn, compat: Compat) -> Result<()> {
    out.push(b'[');
    for past in &request.history {
        append_user_turn(out, &past.turn, compat)?;
        separate(out);
        out.extend_from_slice(br#"{"role":"assistant","content":"#);
        write_json(out, past.reply.as_str())?;
        out.push(b'}');
    }
    append_user_turn(out, &request.turn, compat)?;
    out.push(b']');
    Ok(())
}

/// Where the media of a message stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaPlace {
    /// Before the text.
    First,
    /// After the text.
    Last,
}

/// Appends the messages of one turn to an array that has been begun: messages
/// as they are, else one user message with a list of parts, media after text.
pub fn append_user_turn(out: &mut Vec<u8>, turn: &Turn, compat: Compat) -> Result<()> {
    append_prompt(out, &turn.prompt, turn.attachments.as_slice(), MediaPlace::Last, compat)
}

/// Appends a prompt and its media to an array of messages that has been begun.
/// Messages are appended as they are, without the media, which they have.
pub fn append_prompt(
    out: &mut Vec<u8>,
    prompt: &Prompt,
    media: &[Media],
    place: MediaPlace,
    compat: Compat,
) -> Result<()> {
    if let Prompt::Messages(json) = prompt {
        let messages: Vec<&RawValue> = array(json, "the sample's messages")?;
        for message in messages {
            separate(out);
            out.extend_from_slice(message.get().as_bytes());
        }
        return Ok(());
    }
    separate(out);
    out.extend_from_slice(br#"{"role":"user","content":["#);
    if place == MediaPlace::First {
        append_media(out, media)?;
    }
    match prompt {
        Prompt::Parts(json) => {
            let parts: Vec<&RawValue> = array(json, "the sample's content parts")?;
            for part in parts {
                separate(out);
                out.extend_from_slice(part.get().as_bytes());
            }
        }
        Prompt::Text(text) => {
            separate(out);
            out.extend_from_slice(br#"{"type":"text","text":"#);
            write_json(out, text.as_str())?;
            out.push(b'}');
        }
        // The reference client puts whatever it has there.
        prompt if compat.is_reference() => {
            separate(out);
            out.extend_from_slice(br#"{"type":"text","text":"#);
            write_prompt(out, prompt, compat)?;
            out.push(b'}');
        }
        _ => {
            return Err(Error::unsupported(
                "the sample is a list of texts or tokens, which a chat message cannot hold; use a completions backend",
            ));
        }
    }
    if place == MediaPlace::Last {
        append_media(out, media)?;
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn append_media(out: &mut Vec<u8>, media: &[Media]) -> Result<()> {
    for media in media {
        separate(out);
        write_media(out, media)?;
    }
    Ok(())
}

/// Writes a comma unless the array has just been begun.
fn separate(out: &mut Vec<u8>) {
    if out.last() != Some(&b'[') {
        out.push(b',');
    }
}

/// Writes a piece of media as a content part.
pub fn write_media(out: &mut Vec<u8>, media: &Media) -> Result<()> {
    let extra = match &media.extra {
        Some(json) => {
            raw_object(json, "a medium's further keys").map_err(|error| Error::input(error.message))?
        }
        None => RawObject::new(),
    };
    let kind = match media.kind {
        MediaKind::Image => "image_url",
        MediaKind::Video => "video_url",
        MediaKind::Audio if media.format.is_some() => "input_audio",
        MediaKind::Audio => "audio_url",
    };
    out.extend_from_slice(format!(r#"{{"type":"{kind}","{kind}":{{"#).as_bytes());
    if let (MediaKind::Audio, Some(format)) = (media.kind, &media.format) {
        out.extend_from_slice(br#""data":"#);
        write_json(out, &base64_of(&media.url))?;
        out.extend_from_slice(br#","format":"#);
        write_json(out, format.as_str())?;
    } else {
        out.extend_from_slice(br#""url":"#);
        write_json(out, media.url.as_str())?;
    }
    for (key, value) in &extra {
        out.push(b',');
        write_json(out, key.as_str())?;
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.extend_from_slice(b"}}");
    Ok(())
}

fn array<'a>(json: &'a str, what: &str) -> Result<Vec<&'a RawValue>> {
    serde_json::from_str(json).map_err(|error| Error::input(format!("{what} are not a JSON array: {error}")))
}

fn write_raw(out: &mut Vec<u8>, json: &str, what: &str) -> Result<()> {
    let value: &RawValue =
        serde_json::from_str(json).map_err(|error| Error::input(format!("{what} is not JSON: {error}")))?;
    out.extend_from_slice(value.get().as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::PastTurn;
    use crate::sample::Attachments;
    use crate::testing;

    fn written(turn: Turn, compat: Compat) -> Result<String> {
        let mut out = Vec::new();
        messages(&mut out, &testing::request(turn), compat)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_text_is_a_list_of_one_part_and_media_follow() {
        let mut image = Media::new(MediaKind::Image, "https://a/b.png");
        image.extra = Some(r#"{"detail":"low"}"#.into());
        let mut audio = Media::new(MediaKind::Audio, "data:audio/wav;base64,AAAA");
        audio.format = Some("wav".into());
        let turn = Turn::text("a \"b\"", 1, 1).with_attachments(Attachments::Many(vec![image, audio]));
        assert_eq!(
            written(turn, Compat::Vbench).unwrap(),
            r#"[{"role":"user","content":[{"type":"text","text":"a \"b\""},{"type":"image_url","image_url":{"url":"https://a/b.png","detail":"low"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]}]"#
        );
    }

    #[test]
    fn messages_are_sent_as_they_are() {
        let json = r#"[{"role":"system","content":"s"}, {"role":"user","content":"u"}]"#;
        let turn = Turn::new(Prompt::Messages(json.into()), 1, 1)
            .with_attachments(Attachments::One(Media::new(MediaKind::Image, "file:///x")));
        assert_eq!(
            written(turn, Compat::Vbench).unwrap(),
            r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#
        );
    }

    #[test]
    fn earlier_turns_come_first() {
        let mut request = testing::request(Turn::text("b", 1, 1));
        request.history.push(PastTurn { turn: Turn::text("a", 1, 1), reply: "r".into() });
        let mut out = Vec::new();
        messages(&mut out, &request, Compat::Vbench).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value[1], serde_json::json!({"role": "assistant", "content": "r"}));
        assert_eq!(value[2]["content"][0]["text"], "b");
    }

    #[test]
    fn media_may_stand_first() {
        let image = Media::new(MediaKind::Image, "a");
        let mut out = b"[".to_vec();
        append_prompt(&mut out, &Prompt::Text("t".into()), &[image], MediaPlace::First, Compat::Vbench)
            .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"a"}},{"type":"text","text":"t"}]}"#
        );
    }

    #[test]
    fn tokens_in_a_chat_are_refused_but_by_the_reference_client() {
        let turn = Turn::new(Prompt::TokenIds(vec![1, 2]), 2, 1);
        assert!(written(turn.clone(), Compat::Vbench).is_err());
        assert_eq!(
            written(turn, Compat::V0_33).unwrap(),
            r#"[{"role":"user","content":[{"type":"text","text":[1,2]}]}]"#
        );
    }
}

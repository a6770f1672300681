//! Bodies of `multipart/form-data` (RFC 7578), with media as file parts.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::media::{Kind, MediaError, Store};
use crate::plugin::contract::{Part, PartValue};
use crate::wire::Payload;

/// A form that is ready to be sent.
#[derive(Debug)]
pub struct Form {
    /// The body; media in it are shared, not copied.
    pub payload: Payload,
    /// The content type with the boundary.
    pub content_type: String,
    /// Length of all sounds in it, in seconds.
    pub audio_s: f64,
}

/// Writes a form.
///
/// # Errors
/// When a part refers to a medium that is not held.
pub fn write(parts: &[Part], media: &Store) -> Result<Form, MediaError> {
    let boundary = boundary(parts);
    let mut pieces = Vec::new();
    let (mut text, mut own_len, mut audio_s) = (Vec::new(), 0, 0.0);
    for part in parts {
        text.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        text.extend_from_slice(head(part).as_bytes());
        match &part.value {
            PartValue::Text(value) => text.extend_from_slice(value.as_bytes()),
            PartValue::Media(reference) => {
                let (bytes, facts) = media.bytes(reference)?;
                if facts.kind == Kind::Audio {
                    audio_s += facts.duration_s.unwrap_or(0.0);
                }
                own_len += text.len();
                pieces.extend([Bytes::from(std::mem::take(&mut text)), bytes]);
            }
        }
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    own_len += text.len();
    pieces.push(text.into());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    Ok(Form { payload: Payload::new(pieces, own_len), content_type, audio_s })
}

fn head(part: &Part) -> String {
    let mut head = format!("Content-Disposition: form-data; name=\"{}\"", quoted(&part.name));
    if let Some(name) = &part.filename {
        head.push_str(&format!("; filename=\"{}\"", quoted(name)));
    }
    head.push_str("\r\n");
    if let Some(content_type) = &part.content_type {
        head.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// A name as browsers write it in a header (HTML, "multipart/form-data encoding").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

/// A line that no part holds, as far as a digest of the parts can tell.
fn boundary(parts: &[Part]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(&part.name);
        let (PartValue::Text(value) | PartValue::Media(value)) = &part.value;
        digest.update([0]);
        digest.update(value);
    }
    let digest: [u8; 32] = digest.finalize().into();
    digest[..16].iter().fold("vbench-".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Form as MediaForm, Source};

    fn text(name: &str, value: &str) -> Part {
        Part {
            name: name.into(),
            filename: None,
            content_type: Some("text/plain; charset=utf-8".into()),
            value: PartValue::Text(value.into()),
        }
    }

    #[test]
    fn a_file_and_a_field() {
        let store = Store::new();
        let source = Source::Samples { rate_hz: 8000, channels: 1, values: &[0.0; 800] };
        let medium = store.hold(source, MediaForm::Wav).unwrap();
        let file = Part {
            name: "file".into(),
            filename: Some("a\"b.wav".into()),
            content_type: Some("audio/wav".into()),
            value: PartValue::Media(medium.reference),
        };
        let form = write(&[file.clone(), text("model", "m")], &store).unwrap();
        assert_eq!(form.audio_s, 0.1);
        let boundary = form.content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        let bytes = form.payload.to_bytes();
        let start = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a%22b.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF"
        );
        let end = format!(
            "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nm\r\n--{boundary}--\r\n"
        );
        assert!(bytes.starts_with(start.as_bytes()) && bytes.ends_with(end.as_bytes()));
        assert_eq!(bytes.len(), start.len() - 4 + end.len() + 44 + 1600);
        assert_eq!(form.payload.own_len(), bytes.len() - 44 - 1600);
        let other = write(&[file, text("model", "n")], &store).unwrap();
        assert_ne!(other.content_type, form.content_type);
    }

    #[test]
    fn a_medium_that_is_not_held_is_an_error() {
        let part = Part { value: PartValue::Media("vbench-media:1".into()), ..text("file", "") };
        assert!(write(&[part], &Store::new()).is_err());
    }
}

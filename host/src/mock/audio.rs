//! Transcriptions and translations: forms (RFC 7578) with a sound in them, which
//! are answered as chats are, in events with `choices`.
//!
//! Stand-in rules: the boundary is the line that the body begins with; a prompt
//! costs as many tokens as the sound has kilobytes, begun ones counted.

use std::hash::{DefaultHasher, Hash, Hasher};

use memchr::memmem;

use super::api::Api;
use super::body::{DEFAULT_TOKENS, GenerationRequest};
use super::http::Refusal;
use super::prompt::Prompt;

/// The paths of this API.
pub(super) const PATHS: [&str; 2] = ["/v1/audio/transcriptions", "/v1/audio/translations"];

/// Reads the form of a request.
pub(super) fn parse(body: &[u8]) -> Result<GenerationRequest, Refusal> {
    let parts = parts(body).ok_or_else(|| Refusal::bad("the body is no multipart/form-data"))?;
    let field = |name: &str| {
        let part = parts.iter().find(|part| part.name == name)?;
        std::str::from_utf8(part.content).ok()
    };
    let is_true = |name: &str| field(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let file = parts.iter().find(|part| part.name == "file" && part.is_file);
    let file = file.ok_or_else(|| Refusal::bad("field required: file"))?;
    if file.content.is_empty() {
        return Err(Refusal::bad("the file is empty"));
    }
    let tokens =
        match field("max_completion_tokens") {
            None => DEFAULT_TOKENS,
            Some(text) => text.parse().ok().filter(|&tokens| tokens > 0).ok_or_else(|| {
                Refusal::bad(format!("max_completion_tokens must be at least 1, got `{text}`"))
            })?,
        };
    let mut hasher = DefaultHasher::new();
    file.content.hash(&mut hasher);
    Ok(GenerationRequest {
        api: Api::Chat,
        stream: is_true("stream"),
        include_usage: is_true("stream_include_usage"),
        tokens,
        prompt: Prompt { tokens: file.content.len().div_ceil(1024) as u64, digest: hasher.finish() },
        inputs: 1,
    })
}

struct Part<'a> {
    name: &'a str,
    is_file: bool,
    content: &'a [u8],
}

/// The parts of a form; none if the body is not one.
fn parts(body: &[u8]) -> Option<Vec<Part<'_>>> {
    let boundary = &body[..memmem::find(body, b"\r\n")?];
    if !boundary.starts_with(b"--") || boundary.len() < 3 {
        return None;
    }
    let delimiter = [b"\r\n", boundary].concat();
    let mut rest = &body[boundary.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        rest = rest.strip_prefix(b"\r\n")?;
        let head_end = memmem::find(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..head_end]).ok()?;
        let content = &rest[head_end + 4..];
        let content_end = memmem::find(content, &delimiter)?;
        let is_disposition = |line: &&str| {
            line.get(..20).is_some_and(|name| name.eq_ignore_ascii_case("content-disposition:"))
        };
        let disposition = head.split("\r\n").find(is_disposition)?;
        let parameter = |name: &str| {
            let value = disposition.split_once(&format!("; {name}=\""))?.1;
            value.split_once('"').map(|(value, _)| value)
        };
        let is_file = parameter("filename").is_some();
        parts.push(Part { name: parameter("name")?, is_file, content: &content[..content_end] });
        rest = &content[content_end + delimiter.len()..];
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--b\r\ncontent-disposition: form-data; name=\"max_completion_tokens\"\r\n\r\n7\r\n--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\nTrue\r\n--b--\r\n";

    #[test]
    fn a_form_with_a_sound_is_read() {
        let request = parse(FORM.as_bytes()).unwrap();
        assert_eq!((request.tokens, request.stream, request.include_usage), (7, true, false));
        assert_eq!(request.prompt.tokens, 1);
        let other = parse(FORM.replace("RIFF", "RIFX").as_bytes()).unwrap();
        assert_ne!(other.prompt.digest, request.prompt.digest);
    }

    #[test]
    fn what_is_no_such_form_is_refused() {
        for body in [
            "",
            "--\r\n",
            "{}",
            &FORM[..FORM.len() - 8],
            &FORM.replace("filename", "nickname"),
            &FORM.replace("\r\n7\r\n", "\r\n0\r\n"),
            &FORM.replace("RIFF", ""),
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().status, 400, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_form_or_refused(cut in 0..FORM.len(), at in 0..FORM.len(), byte: u8) {
            let mut bytes = FORM.as_bytes().to_vec();
            bytes[at] = byte;
            let _ = parse(&bytes[..cut]);
            let _ = parse(&bytes);
        }
    }
}

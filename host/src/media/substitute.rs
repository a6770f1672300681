//! Data in the place of references, when a body is written.

use bytes::Bytes;
use memchr::memmem;

use super::error::MediaError;
use super::store::{BASE64_ALONE, MIME_TYPE_ALONE, PREFIX, REFERENCE_LEN, Store};

/// A JSON body in pieces: its own text, and between that the media whose
/// references stand as strings of their own. Media are shared, not copied.
/// Text that is no whole reference stays as it is.
///
/// The second value is the number of bytes that are the body's own.
///
/// # Errors
/// When a reference is to nothing that the store holds.
pub fn resolve(body: Bytes, store: &Store) -> Result<(Vec<Bytes>, usize), MediaError> {
    let mut pieces = Vec::new();
    let (mut done, mut own, mut search) = (0, 0, 0);
    let finder = memmem::Finder::new(PREFIX);
    while let Some(found) = finder.find(&body[search..]) {
        let start = search + found;
        search = start + PREFIX.len();
        let Some(reference) = whole_reference(&body, start) else { continue };
        search = start + reference.len();
        let text = store.text(reference)?;
        own += start - done;
        pieces.push(body.slice(done..start));
        pieces.push(text);
        done = search;
    }
    own += body.len() - done;
    pieces.push(body.slice(done..));
    Ok((pieces, own))
}

/// The reference at `start`, if it is the whole of a JSON string.
fn whole_reference(body: &[u8], start: usize) -> Option<&str> {
    let before = start.checked_sub(1).map(|at| body[at]);
    let end = start + REFERENCE_LEN;
    let digits = body.get(start + PREFIX.len()..end)?;
    if before != Some(b'"') || !digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let rest = &body[end..];
    let ending =
        [BASE64_ALONE, MIME_TYPE_ALONE].into_iter().find(|ending| rest.starts_with(ending.as_bytes()));
    let end = end + ending.map_or(0, str::len);
    (body.get(end) == Some(&b'"')).then(|| std::str::from_utf8(&body[start..end]).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Form, Source};
    use proptest::prelude::*;

    fn joined(body: &str, store: &Store) -> Result<String, MediaError> {
        let (pieces, own) = resolve(Bytes::from(body.to_owned()), store)?;
        assert!(own <= body.len());
        Ok(String::from_utf8(pieces.concat()).unwrap())
    }

    #[test]
    fn strings_that_are_references_become_data() {
        let store = Store::new();
        let source = Source::Samples { rate_hz: 8000, channels: 1, values: &[0.0; 4] };
        let name = store.hold(source, Form::Wav).unwrap().reference;
        let body = format!(
            r#"{{"a":"{name}","b":["{name};base64","{name};mime-type"],"c":"see {name}","d":"{name};base65","e":"vbench-media:"}}"#
        );
        let text = joined(&body, &store).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let data = value["a"].as_str().unwrap().strip_prefix("data:audio/wav;base64,").unwrap();
        assert!(data.starts_with("UklGR"));
        assert_eq!(value["b"], serde_json::json!([data, "audio/wav"]));
        assert_eq!(value["c"], format!("see {name}"));
        assert_eq!(value["d"], format!("{name};base65"));
        let unknown = format!(r#"["{PREFIX}{}"]"#, "0".repeat(32));
        assert!(joined(&unknown, &store).unwrap_err().to_string().contains("refers to no medium"));
    }

    proptest! {
        #[test]
        fn other_text_stays_as_it_is(body in "(\"|vbench-media:|[0-9a-g]{0,33}|;base64|;mime-type|é){0,12}") {
            // References of 32 digits are to nothing here, and thus errors.
            if let Ok(text) = joined(&body, &Store::new()) {
                prop_assert_eq!(text, body);
            }
        }
    }
}

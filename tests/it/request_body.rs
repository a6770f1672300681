//! Bodies of requests in the form in which they are recorded: with the parts
//! of forms taken apart, and with hashes in place of long payloads.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Base64 text longer than this is recorded as its hash, in characters.
const LONGEST_PAYLOAD: usize = 1500;

/// The boundary of a multipart content type.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (_, rest) = content_type.strip_prefix("multipart/")?.split_once("boundary=")?;
    Some(rest.trim_start_matches('"').split(['"', ';']).next().unwrap_or_default())
}

/// The parts of a form, files by hash and size.
pub fn parts(body: &[u8], boundary: &str) -> Vec<Value> {
    let delimiter = format!("--{boundary}");
    let segments = split(body, delimiter.as_bytes());
    let inner = segments.get(1..segments.len().saturating_sub(1)).unwrap_or_default();
    inner.iter().map(|segment| part(segment)).collect()
}

fn part(segment: &[u8]) -> Value {
    let (head, content) = match split(segment, b"\r\n\r\n").first() {
        Some(head) if head.len() + 4 <= segment.len() => (*head, &segment[head.len() + 4..]),
        _ => (segment, &[][..]),
    };
    let content = content.strip_suffix(b"\r\n").unwrap_or(content);
    let head = String::from_utf8_lossy(head);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let disposition = header("content-disposition").unwrap_or_default();
    let parameter = |name: &str| {
        let (_, rest) = disposition.split_once(&format!("; {name}=\""))?;
        rest.split('"').next().map(str::to_owned)
    };
    let name = parameter("name");
    let filename = parameter("filename");
    let mut part = json!({"name": name});
    if let Some(content_type) = header("content-type") {
        part["content_type"] = content_type.into();
    }
    if filename.is_some() || name.as_deref() == Some("file") {
        part["filename"] = json!(filename);
        part["sha256"] = hash(content).into();
        part["size"] = content.len().into();
    } else {
        part["value"] = String::from_utf8_lossy(content).into();
    }
    part
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Vec<&'a [u8]> {
    let mut segments = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].windows(at.len()).position(|window| window == at) {
        segments.push(&text[from..from + found]);
        from += found + at.len();
    }
    segments.push(&text[from..]);
    segments
}

/// A JSON body with hashes in place of long base64 texts.
pub fn without_payloads(body: &Value) -> Value {
    match body {
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.clone(), without_payloads(value))).collect()
        }
        Value::Array(list) => list.iter().map(without_payloads).collect(),
        Value::String(text) => shortened(text).unwrap_or_else(|| text.clone()).into(),
        other => other.clone(),
    }
}

fn shortened(text: &str) -> Option<String> {
    if text.chars().count() <= LONGEST_PAYLOAD {
        return None;
    }
    let (prefix, payload) = match text.find(";base64,").filter(|_| text.starts_with("data:")) {
        Some(at) => text.split_at(at + ";base64,".len()),
        None => ("", text),
    };
    let bytes = decode_base64(payload)?;
    Some(format!("{prefix}<sha256:{} size:{}>", hash(&bytes), bytes.len()))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of base64 text, none if it is something else.
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let digit = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[test]
fn base64_is_read() {
    for (text, bytes) in
        [("", &b""[..]), ("Zg==", b"f"), ("Zm8=", b"fo"), ("Zm9vYmFy", b"foobar"), ("/+8=", &[0xff, 0xef])]
    {
        assert_eq!(decode_base64(text).as_deref(), Some(bytes), "{text}");
    }
    assert_eq!(decode_base64("a b"), None);
}

#[test]
fn long_payloads_become_hashes_and_long_prose_stays() {
    let payload = "A".repeat(1600);
    let body = json!({"url": format!("data:image/png;base64,{payload}"), "prose": "word ".repeat(400)});
    let short = without_payloads(&body);
    let url = short["url"].as_str().unwrap_or_default();
    assert!(url.starts_with("data:image/png;base64,<sha256:") && url.ends_with(" size:1200>"), "{url}");
    assert_eq!(short["prose"], body["prose"]);
}

#[test]
fn forms_are_taken_apart() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nfoo\r\n--b--\r\n";
    let parts = parts(body.as_bytes(), boundary("multipart/form-data; boundary=b").unwrap_or_default());
    assert_eq!(parts[0], json!({"name": "model", "value": "m"}));
    assert_eq!((parts.len(), &parts[1]["filename"], &parts[1]["size"]), (2, &json!("a.wav"), &json!(3)));
}

//! What fuzz targets need of the inside: the rules for what plugins return, and a small plugin.

use super::check;
use super::contract::Header;
use super::text;

/// A component that can be described: the body of its `describe`, and the schema of its one option.
#[cfg(test)]
pub(crate) fn describable(describe: &'static str, schema: &'static str) -> Vec<u8> {
    super::tests::describable(describe, schema)
}

/// What is taken for a path and a header must reach a server as one path and one header, and nothing else.
pub(crate) fn check_request_line(path: &str, name: &str, value: &str) {
    let header = Header { name: name.to_owned(), value: value.to_owned() };
    let good_header = check::headers(std::slice::from_ref(&header)).is_ok();
    if check::path(path).is_err() && !good_header {
        return;
    }
    let path = if check::path(path).is_ok() { path } else { "/" };
    let line = if good_header { format!("{name}: {value}\r\n") } else { String::new() };
    let request = format!("POST {path} HTTP/1.1\r\nHost: here\r\n{line}\r\n");
    let mut headers = [httparse::EMPTY_HEADER; 4];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(request.as_bytes()).unwrap_or_else(|error| panic!("{error}: {request:?}"));
    assert_eq!(status, httparse::Status::Complete(request.len()), "{request:?}");
    assert_eq!(parsed.path, Some(path));
    assert!(path.split(['/', '?']).all(|segment| path.contains('?') || segment != ".."), "{path}");
    assert_eq!(parsed.headers.len(), 1 + usize::from(good_header), "{request:?}");
    if let Some(header) = parsed.headers.get(1) {
        assert_eq!(header.name, name);
        assert_eq!(header.value, value.trim_matches([' ', '\t']).as_bytes());
        assert!(!header.name.eq_ignore_ascii_case("host"));
    }
}

/// What is shown holds nothing that a terminal acts on and is no longer than allowed; JSON that is taken can be read.
pub(crate) fn check_texts(json: &str, message: &str) {
    for max in [16, text::MAX_MESSAGE_BYTES] {
        let line = text::one_line(message, max);
        assert!(line.len() <= max && !line.chars().any(char::is_control), "{line:?}");
        let lines = text::lines(message, max);
        assert!(lines.len() <= max && !lines.chars().any(|c| c.is_control() && c != '\n'), "{lines:?}");
    }
    if check::json_of("x", json, '{').is_ok() {
        let read: Result<serde_json::Value, _> = serde_json::from_str(json);
        // Numbers and escapes can still be beyond what a value holds.
        assert!(read.as_ref().err().is_none_or(|error| !error.to_string().contains("recursion")), "{json:?}");
    }
}

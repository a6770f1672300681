//! What backends return: endpoints, requests, and what they read of responses.

use super::{
    Broken, MAX_ITEMS, MAX_LINE_BYTES, at_most, header_value, json_of, line, not_negative, optional, plan,
    shown, tokens,
};
use crate::plugin::contract::{Body, Endpoint, Header, Parsed, Part, PartValue, RequestOut, Response};

/// Largest JSON object that a backend may keep with a request.
const MAX_EXTRA_BYTES: usize = 64 * 1024;
/// Text of an answer that is allowed whatever the size of its response.
const FREE_TEXT_BYTES: usize = 64 * 1024;

/// Headers that belong to the connection, the host or the credentials.
const HOST_HEADERS: [&str; 12] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) fn endpoint(endpoint: &Endpoint) -> Result<(), Broken> {
    if !is_token(&endpoint.method) || endpoint.method.eq_ignore_ascii_case("CONNECT") {
        return Err(format!("method `{}` cannot be sent", shown(&endpoint.method)));
    }
    path(&endpoint.path)?;
    headers(&endpoint.headers)?;
    optional(&endpoint.plan, plan::plan)
}

/// A path with an optional query. It can lead nowhere but under the user's base URL.
pub(in crate::plugin) fn path(path: &str) -> Result<(), Broken> {
    let bad = |rule: &str| Err(format!("path `{}` {rule}", shown(path)));
    if !path.starts_with('/') {
        return bad("has to begin with `/`; the user gives scheme and host");
    }
    if path.starts_with("//") {
        return bad("names a host, which only the user may");
    }
    if path.len() > MAX_LINE_BYTES {
        return Err(format!("the path is longer than {MAX_LINE_BYTES} bytes"));
    }
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains(['#', '\\']) {
        return bad("holds a character that a path cannot hold");
    }
    let before_query = path.split('?').next().unwrap_or(path);
    // `%2e` is another way to write a dot.
    let plain = before_query.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    if plain.split('/').any(|segment| segment == "..") {
        return bad("holds a `..` segment");
    }
    Ok(())
}

pub(in crate::plugin) fn headers(headers: &[Header]) -> Result<(), Broken> {
    at_most("headers", headers.len(), MAX_ITEMS)?;
    for header in headers {
        if !is_token(&header.name) {
            return Err(format!(
                "header name `{}` holds a character that names cannot hold",
                shown(&header.name)
            ));
        }
        if HOST_HEADERS.iter().any(|name| header.name.eq_ignore_ascii_case(name)) {
            return Err(format!("header `{}` is the host's own", header.name));
        }
        header_value(&format!("the value of header `{}`", header.name), &header.value)?;
    }
    Ok(())
}

/// A token by RFC 9110, 5.6.2.
fn is_token(name: &str) -> bool {
    (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// `max_bytes` is the largest body that a request may have.
pub(crate) fn requests(requests: &[RequestOut], asked: usize, max_bytes: u64) -> Result<(), Broken> {
    if requests.len() != asked {
        return Err(format!("{} requests came back for {asked} given", requests.len()));
    }
    requests.iter().enumerate().try_for_each(|(index, request)| {
        let checked =
            headers(&request.headers).and_then(|()| body(&request.body, max_bytes)).and_then(|()| {
                if request.input_sequences == 0 {
                    Err("a request holds at least one input".into())
                } else {
                    Ok(())
                }
            });
        checked.map_err(|rule| format!("request {index} of the batch: {rule}"))
    })
}

fn body(body: &Body, max_bytes: u64) -> Result<(), Broken> {
    let bytes = match body {
        Body::Bytes(bytes) => bytes.len(),
        Body::Multipart(parts) => parts.iter().map(part_bytes).sum(),
    };
    if bytes as u64 > max_bytes {
        return Err(format!(
            "a body of {bytes} bytes, more than {max_bytes} (--plugin-request-mib raises the limit)"
        ));
    }
    let Body::Multipart(parts) = body else {
        return Ok(());
    };
    at_most("parts", parts.len(), MAX_ITEMS)?;
    for part in parts {
        line("a part's name", &part.name)?;
        optional(&part.filename, |name| line("a part's file name", name))?;
        optional(&part.content_type, |kind| header_value("a part's content type", kind))?;
    }
    Ok(())
}

/// Text that a part holds; media are the host's.
fn part_bytes(part: &Part) -> usize {
    let (PartValue::Text(value) | PartValue::Media(value)) = &part.value;
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    part.name.len() + optional(&part.filename) + optional(&part.content_type) + value.len()
}

pub(crate) fn response(response: &Response) -> Result<(), Broken> {
    if !response.ends.is_sorted()
        || response.ends.last().copied().unwrap_or(0) as usize != response.body.len()
    {
        return Err("the ends of a response's events have to ascend to the body's length".into());
    }
    Ok(())
}

/// `events` and `body_bytes` are those of the response that was read.
pub(crate) fn parsed(parsed: &Parsed, events: usize, body_bytes: usize) -> Result<(), Broken> {
    if !parsed.tokens.is_sorted_by(|one, next| one.event < next.event) {
        return Err("token events have to ascend, each event at most once".into());
    }
    if let Some(last) = parsed.tokens.last()
        && last.event as usize >= events
    {
        return Err(format!("token event {} of a response of {events} events", last.event));
    }
    // Texts of all answers are kept, so what a response cannot hold is not taken.
    let longest = body_bytes.saturating_mul(4).max(FREE_TEXT_BYTES);
    if parsed.text.len() > longest {
        return Err(format!(
            "a text of {} bytes is longer than a response of {body_bytes} bytes can hold",
            parsed.text.len()
        ));
    }
    let in_events = parsed.tokens.iter().map(|event| u64::from(event.tokens)).max().unwrap_or(0);
    if in_events > body_bytes as u64 {
        return Err(format!("{in_events} tokens in one event of a response of {body_bytes} bytes"));
    }
    if let Some(usage) = &parsed.usage {
        for (what, count) in [
            ("output-tokens", usage.output_tokens),
            ("prompt-tokens", usage.prompt_tokens),
            ("cached-tokens", usage.cached_tokens),
            ("reasoning-tokens", usage.reasoning_tokens),
        ] {
            optional(&count, |&count| tokens(what, count))?;
        }
    }
    if let Some(ms) = parsed.server_queue_ms {
        not_negative("server-queue-ms", ms)?;
    }
    if let Some(ms) = parsed.server_ttft_ms {
        not_negative("server-ttft-ms", ms)?;
    }
    optional(&parsed.finish_reason, |reason| line("the finish reason", reason))?;
    if let Some(extra) = &parsed.extra
        && extra.len() > MAX_EXTRA_BYTES
    {
        return Err(format!("extra is longer than {MAX_EXTRA_BYTES} bytes"));
    }
    optional(&parsed.extra, |json| json_of("extra", json, '{'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::check::MAX_TOKENS;
    use crate::plugin::contract::{TokenEvent, TokenKind, Usage};

    fn header(name: &str, value: &str) -> Vec<Header> {
        vec![Header { name: name.into(), value: value.into() }]
    }

    #[test]
    fn paths_stay_under_the_base_url() {
        for good in ["/v1/completions", "/", "/a?next=https://x/../y", "/a/..b/c.", "/v1/models/m:generate"] {
            assert_eq!(path(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "v1",
            "http://evil/",
            "//evil/v1",
            "/a/../b",
            "/a/%2e%2E/b",
            "/..",
            "/a\r\nHost: x",
            "/a b",
            "/a#b",
            "/a\\..\\b",
            "/ä",
            "/x%2f..%2fy",
        ] {
            assert!(path(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_of_the_host_and_bad_ones_are_refused() {
        assert_eq!(headers(&header("Content-Type", "application/json")), Ok(()));
        assert_eq!(headers(&header("x-title", "käse")), Ok(()));
        for (name, value) in [
            ("Host", "x"),
            ("content-LENGTH", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Authorization", "Bearer x"),
            ("a b", "x"),
            ("", "x"),
            ("x\r\ny", "x"),
            ("x", "a\r\nHost: evil"),
            ("x", "a\0"),
        ] {
            assert!(headers(&header(name, value)).is_err(), "{name}: {value}");
        }
    }

    #[test]
    fn authors_are_told_of_the_same_headers() {
        // Read as text: with a dependency on the SDK, wasmtime's macros would be
        // built with other features, and wasmtime once more for the tests.
        let sdk = include_str!("../../../../sdk/rust/src/header.rs");
        let list = sdk.split_once("HOSTS_OWN").and_then(|(_, rest)| rest.split_once("];")).unwrap().0;
        let names: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(names, HOST_HEADERS);
    }

    #[test]
    fn bodies_have_a_limit_whatever_they_are_made_of() {
        let request = |body| [RequestOut { body, headers: Vec::new(), input_sequences: 1 }];
        let part = |text: &str| Part {
            name: "n".into(),
            filename: None,
            content_type: None,
            value: PartValue::Text(text.into()),
        };
        let check = |body, max_bytes| super::requests(&request(body), 1, max_bytes);
        assert_eq!(check(Body::Bytes(vec![0; 4]), 4), Ok(()));
        assert!(check(Body::Bytes(vec![0; 5]), 4).unwrap_err().contains("a body of 5 bytes, more than 4"));
        assert_eq!(check(Body::Multipart(vec![part("a"), part("b")]), 4), Ok(()));
        assert!(check(Body::Multipart(vec![part("a"), part("bc")]), 4).is_err());
    }

    #[test]
    fn token_events_ascend_within_the_response() {
        let event = |event| TokenEvent { event, kind: TokenKind::Content, tokens: 1 };
        let parsed = |events: &[u32]| Parsed {
            tokens: events.iter().map(|&e| event(e)).collect(),
            ..Parsed::default()
        };
        let check = |parsed: Parsed, events| super::parsed(&parsed, events, 100);
        assert_eq!(check(parsed(&[0, 2]), 3), Ok(()));
        assert!(check(parsed(&[0, 2]), 2).is_err());
        assert!(check(parsed(&[1, 1]), 3).is_err());
        assert!(check(parsed(&[2, 1]), 3).is_err());
        assert!(check(Parsed { server_ttft_ms: Some(f64::NAN), ..Parsed::default() }, 0).is_err());
        assert!(check(Parsed { extra: Some("[]".into()), ..Parsed::default() }, 0).is_err());
    }

    #[test]
    fn what_a_response_cannot_hold_is_refused() {
        let text = |bytes: usize| Parsed { text: "x".repeat(bytes), ..Parsed::default() };
        assert_eq!(super::parsed(&text(FREE_TEXT_BYTES), 0, 0), Ok(()));
        assert!(super::parsed(&text(FREE_TEXT_BYTES + 1), 0, 0).is_err());
        assert_eq!(super::parsed(&text(FREE_TEXT_BYTES + 1), 0, FREE_TEXT_BYTES), Ok(()));
        let usage = |output_tokens| {
            let usage = Usage { output_tokens: Some(output_tokens), ..Usage::default() };
            Parsed { usage: Some(usage), ..Parsed::default() }
        };
        assert_eq!(super::parsed(&usage(MAX_TOKENS), 0, 0), Ok(()));
        assert!(super::parsed(&usage(u64::MAX), 0, 0).is_err());
    }
}

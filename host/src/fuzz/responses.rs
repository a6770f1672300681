//! Targets: HTTP/1.1, framing, extraction plans.

use std::sync::LazyLock;

use crate::extract::plan::{EventKind, Gathered, ReadyPlan};
use crate::plugin::contract::{
    Condition, ErrorRule, FailureText, Plan, TerminalRule, Test, TokenKind, TokenRule, UsageRule,
};
use crate::wire::http1::{Progress, ResponseReader};
use crate::wire::{Capture, Framer, Framing};

/// Pieces of the input by its own bytes, so that an input always splits the same.
fn pieces(input: &[u8]) -> Vec<&[u8]> {
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let length = 1 + usize::from(rest[0]) % rest.len().min(13);
        let (piece, after) = rest.split_at(length);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// What reading a response in these pieces gives: whether it was whole, its body, and whether the connection stays.
fn read(pieces: &[&[u8]]) -> (Result<bool, String>, Vec<u8>, usize) {
    let mut reader = ResponseReader::new();
    let (mut body, mut used) = (Vec::new(), 0);
    for piece in pieces {
        match reader.feed(piece, &mut body) {
            Ok(Progress::More) => used += piece.len(),
            Ok(Progress::Done(some)) => {
                assert!(some <= piece.len(), "more was used than given");
                return (Ok(reader.keep_alive()), body, used + some);
            }
            Err(error) => return (Err(error.to_string()), Vec::new(), 0),
        }
    }
    match reader.closed() {
        Ok(()) => (Ok(reader.keep_alive()), body, used),
        Err(error) => (Err(error.to_string()), Vec::new(), 0),
    }
}

/// A response over HTTP/1.1: however it comes in pieces it is the same response.
///
/// # Panics
/// When it is not.
pub fn http1(input: &[u8]) {
    assert_eq!(read(&[input]), read(&pieces(input)), "however it comes it is the same response");
}

/// Payloads and names of the events, each piece of the input being a read.
fn events(framing: Framing, pieces: &[&[u8]]) -> Vec<(Vec<u8>, Option<String>)> {
    let mut framer = Framer::new(framing);
    let mut events = Vec::new();
    let mut emit = |event: crate::wire::Event<'_>| {
        events.push((event.payload.to_vec(), event.name.map(str::to_owned)));
    };
    for (at_ns, piece) in (1..).zip(pieces) {
        let mut capture = Capture { bytes: piece.to_vec(), reads: Vec::new() };
        capture.mark(at_ns);
        framer.push(&capture, &mut emit);
    }
    framer.finish(&mut emit);
    events
}

/// A body, cut into events: however it comes in pieces they are the same events.
///
/// # Panics
/// When they are not.
pub fn framing(input: &[u8]) {
    for framing in [Framing::Sse, Framing::Ndjson, Framing::WholeBody] {
        let whole = events(framing, &[input]);
        assert_eq!(whole, events(framing, &pieces(input)), "however it comes they are the same events");
        let payload_bytes: usize = whole.iter().map(|(payload, _)| payload.len()).sum();
        assert!(payload_bytes <= input.len(), "nothing is made up");
    }
}

static PLAN: LazyLock<ReadyPlan> = LazyLock::new(|| ReadyPlan::new(&plan()));

fn plan() -> Plan {
    let when = |pointer: &str, test| vec![Condition { pointer: pointer.into(), test }];
    let at = |pointer: &str| Some(pointer.to_owned());
    Plan {
        ignore: vec!["[DONE]".into()],
        errors: vec![ErrorRule {
            when: when("/error", Test::Truthy),
            message: FailureText::Pointer("/error/message".into()),
        }],
        tokens: vec![
            TokenRule {
                when: when("/choices/0/delta/content", Test::Truthy),
                kind: TokenKind::Content,
                text: at("/choices/0/delta/content"),
            },
            TokenRule {
                when: when("/a~1b", Test::Equals(serde_json::json!([1, {"x": null}]))),
                kind: TokenKind::Reasoning,
                text: at(""),
            },
        ],
        usage: vec![UsageRule {
            when: when("/usage", Test::Present),
            on_token_events: true,
            output_tokens: at("/usage/completion_tokens"),
            prompt_tokens: at("/usage/prompt_tokens"),
            cached_tokens: at("/usage/details/0"),
            reasoning_tokens: None,
        }],
        terminal: Some(TerminalRule {
            any: vec![when("/choices/0/finish_reason", Test::Truthy)],
            missing: "no end".into(),
        }),
        no_token: Some("no token".into()),
        finish_reason: at("/choices/0/finish_reason"),
        server_queue_ms: at("/timing/queue"),
        server_ttft_ms: at("/timing/ttft"),
    }
}

/// Events of a response, one a line: read by what earlier ones were like, they say what each says on its own.
///
/// # Panics
/// When they do not.
pub fn extraction_plan(input: &[u8]) {
    // Events of one response, which are read by what earlier ones were like, and each on its own.
    let (mut together, mut alone) = (Gathered::default(), Gathered::default());
    let mut likeness = Default::default();
    for event in input.split(|&byte| byte == b'\n') {
        let kind = PLAN.read(event, &mut together, &mut likeness);
        assert_eq!(kind, PLAN.read(event, &mut alone, &mut Default::default()), "an event is what it is");
        if matches!(kind, EventKind::Malformed(_)) {
            let value: Result<serde_json::Value, _> = serde_json::from_slice(event);
            assert!(value.is_err(), "JSON can be read");
        }
    }
    assert_eq!(format!("{together:?}"), format!("{alone:?}"));
    assert!(together.text.len() <= 4 * input.len(), "no text is made up");
    for ms in [together.server_queue_ms, together.server_ttft_ms].into_iter().flatten() {
        assert!(ms.is_finite());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::drive::run;

    fn examples(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    #[test]
    fn responses() {
        let corpus = examples(&[
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n",
            "HTTP/1.0 503 No\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Nothing\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
        ]);
        run("http1", &corpus, 4_000, http1);
    }

    #[test]
    fn bodies() {
        let corpus = examples(&[
            "data: {\"a\":1}\n\ndata: [DONE]\n\n",
            "event: message\r\nid: 7\r\ndata: one\r\ndata: two\r\n\r\n: comment\r\n\r\n",
            "\u{feff}data\ndata:\n\nretry: 5\rdata: x\r\r",
            "{\"a\":1}\n{\"a\":2}\r\n\n{\"a\":3}",
        ]);
        run("framing", &corpus, 4_000, framing);
    }

    #[test]
    fn events_by_a_plan() {
        let corpus = examples(&[
            r#"{"choices":[{"delta":{"content":"hé\u00e9\n"},"finish_reason":null}],"usage":{"completion_tokens":3}}"#,
            r#"{"a/b":[1,{"x":null}],"timing":{"queue":1.5,"ttft":-0.0}}"#,
            r#"{"error":{"message":"no"},"error":null}"#,
            r#"{"usage":{"completion_tokens":1e2,"prompt_tokens":18446744073709551616,"details":[true]}}"#,
            r#"[{"choices":0},"\ud83d\ude00","\ud83d"]"#,
            "[DONE]",
            "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n{\"choices\":[{\"delta\":{\"content\":\"bc\"}}]}\n{\"choices\":[{\"delta\":{\"content\":\"\"}}]}",
        ]);
        run("extraction-plan", &corpus, 6_000, extraction_plan);
    }
}

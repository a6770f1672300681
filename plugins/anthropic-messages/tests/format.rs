//! What the backend writes, and what it makes of answers.

use serde_json::{Value, json};
use vbench_plugin::backend::{Body, PastTurn};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, TestBackend, request};
use vbench_plugin_anthropic_messages::Messages;

fn backend(args: BackendArgs) -> TestBackend<Messages> {
    TestBackend::open("{}", args).unwrap()
}

fn body(request: &RequestIn) -> Result<Value> {
    let Body::Bytes(body) = backend(BackendArgs::default()).build(request)?.body else { panic!("not bytes") };
    Ok(serde_json::from_slice(&body).unwrap())
}

#[test]
fn a_text_is_a_message_of_one_block() {
    assert_eq!(
        body(&request(Turn::text("hi", 1, 7))).unwrap().to_string(),
        r#"{"model":"mock-model","max_tokens":7,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}],"stream":true}"#
    );
    let endpoint = backend(BackendArgs::default()).endpoint().unwrap();
    assert_eq!(endpoint.path, "/v1/messages");
    assert!(endpoint.headers.iter().any(|h| h.name == "anthropic-version" && h.value == "2023-06-01"));
    let other = TestBackend::<Messages>::open(r#"{"version":"2030-01-01"}"#, BackendArgs::default()).unwrap();
    assert!(other.endpoint().unwrap().headers.iter().any(|h| h.value == "2030-01-01"));
}

#[test]
fn system_messages_stand_apart_and_images_have_a_source() {
    let messages = json!([
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [
            {"type": "text", "text": "what?"},
            {"type": "image_url", "image_url": {"url": "https://a/b.png"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
    ]);
    let mut asked = request(Turn::new(Prompt::Messages(messages.to_string()), 1, 7));
    asked.history.push(PastTurn { turn: Turn::text("q", 1, 1), reply: "r".into() });
    let body = body(&asked).unwrap();
    let keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["model", "max_tokens", "system", "messages", "stream"]);
    assert_eq!(body["system"], "be brief");
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "r"}));
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"type": "text", "text": "what?"},
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ])
    );
}

/// The host puts data and type in the place of references.
#[test]
fn images_that_the_host_holds_are_sent_as_data() {
    let reference = "vbench-media:00000000000000000000000000000000";
    let source = json!({"type": "base64", "media_type": format!("{reference};mime-type"), "data": format!("{reference};base64")});
    let image = Attachments::One(Media::new(MediaKind::Image, reference));
    let body = body(&request(Turn::text("what?", 1, 7).with_attachments(image))).unwrap();
    assert_eq!(body["messages"][0]["content"][1], json!({"type": "image", "source": source}));
    let chat = json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": reference}}]}]);
    let body = self::body(&request(Turn::new(Prompt::Messages(chat.to_string()), 1, 7))).unwrap();
    assert_eq!(body["messages"][0]["content"][0]["source"], source);
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let with = |kind, url| Turn::text("a", 1, 1).with_attachments(Attachments::One(Media::new(kind, url)));
    assert!(body(&request(with(MediaKind::Image, "https://a"))).is_ok());
    for turn in [
        with(MediaKind::Video, "https://a"),
        with(MediaKind::Image, "file:///a"),
        Turn::new(Prompt::TokenIds(vec![1]), 1, 1),
        Turn::new(Prompt::Messages("{".into()), 1, 1),
        Turn::new(Prompt::Messages(r#"[{"role":"system"}]"#.into()), 1, 1),
        Turn::new(Prompt::Parts(r#"[{"type":"input_audio"}]"#.into()), 1, 1),
    ] {
        assert!(body(&request(turn.clone())).is_err(), "{turn:?}");
    }
    let ignore_eos = BackendArgs { ignore_eos: true, ..BackendArgs::default() };
    assert!(TestBackend::<Messages>::open("{}", ignore_eos).is_err());
}

fn read(events: &[&str]) -> Parsed {
    backend(BackendArgs::default()).read(&Response::from_events(events)).unwrap()
}

const START: &str = r#"{"type":"message_start","message":{"id":"m","usage":{"input_tokens":5,"cache_creation_input_tokens":7,
    "cache_read_input_tokens":11,"output_tokens":1}}}"#;
const TEXT: &str = r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" a\n"}}"#;
const END: &str =
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

#[test]
fn thinking_text_and_tools_are_kinds_of_their_own() {
    let parsed = read(&[
        START,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"xyz"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        TEXT,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}"#,
        END,
        STOP,
    ]);
    let kinds: Vec<_> = parsed.tokens.iter().map(|token| (token.event, token.kind)).collect();
    use TokenKind::{Content, Reasoning, ToolCall};
    assert_eq!(kinds, [(3, Reasoning), (6, Content), (7, ToolCall), (8, ToolCall)]);
    assert_eq!((parsed.text.as_str(), parsed.finish_reason.as_deref()), (" a\n", Some("end_turn")));
    assert_eq!(parsed.error, None);
    let usage = parsed.usage.unwrap();
    // What was in the cache and what was written to it are part of the prompt.
    assert_eq!(
        (usage.prompt_tokens, usage.cached_tokens, usage.output_tokens),
        (Some(23), Some(11), Some(9))
    );
}

#[test]
fn what_is_no_answer_fails() {
    for (events, said) in [
        (
            vec![START, TEXT, r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#],
            "busy",
        ),
        (vec![START, TEXT, END], "the stream ended without the event message_stop"),
        (vec![START, END, STOP], "the stream had no content"),
        (vec![START, "[DONE]"], "event 2 of the response is not one of a message"),
        (vec![r#"{"choices":[]}"#], "event 1 of the response is not one of a message"),
        (vec![], "the stream had no content"),
    ] {
        assert!(read(&events).error.unwrap().starts_with(said), "{said}");
    }
}

#[test]
fn an_answer_in_one_piece_is_one_token_event() {
    let args = BackendArgs { extra_body: r#"{"stream":false}"#.into(), ..BackendArgs::default() };
    let backend = backend(args);
    assert_eq!(backend.endpoint().unwrap().framing, Framing::WholeBody);
    let read = |body: &str| backend.read(&Response::from_events([body])).unwrap();
    let parsed = read(
        r#"{"type":"message","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"a"},{"type":"text","text":"b"}],
            "stop_reason":"max_tokens","usage":{"input_tokens":3,"output_tokens":4}}"#,
    );
    assert_eq!(
        (parsed.text.as_str(), parsed.tokens[0].kind, parsed.tokens.len()),
        ("ab", TokenKind::Content, 1)
    );
    assert_eq!(parsed.usage.unwrap().prompt_tokens, Some(3));
    let tool = read(r#"{"content":[{"type":"tool_use","id":"t","name":"f","input":{}}]}"#);
    assert_eq!(tool.tokens[0].kind, TokenKind::ToolCall);
    assert_eq!(read(r#"{"type":"error","error":{"message":"no"}}"#).error.as_deref(), Some("no"));
    assert!(read("[]").error.is_some() && read(r#"{"content":[]}"#).error.is_some());
}

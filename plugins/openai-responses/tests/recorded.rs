//! The backend against what the reference client sent and read.

use serde_json::Value;
use vbench_plugin::backend::Body;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, RecordedRequest, RecordedStream, TestBackend, request};
use vbench_plugin_openai_responses::Responses;

fn backend(compat: Compat) -> TestBackend<Responses> {
    TestBackend::open("{}", BackendArgs { compat, ..BackendArgs::default() }).unwrap()
}

fn read(compat: Compat, events: &[&str]) -> Parsed {
    backend(compat).read(&Response::from_events(events)).unwrap()
}

#[test]
fn requests_are_those_of_the_reference_client() {
    let recorded: Vec<RecordedRequest> =
        serde_json::from_str(include_str!("fixtures/requests.json")).unwrap();
    assert!(recorded.len() > 5);
    for request in recorded {
        request.assert_written_by::<Responses>();
    }
}

#[test]
fn streams_are_read_as_by_the_reference_client() {
    let streams: Vec<RecordedStream> = serde_json::from_str(include_str!("fixtures/streams.json")).unwrap();
    assert!(streams.len() > 15);
    for stream in streams {
        stream.assert_read_by::<Responses>();
    }
}

#[test]
fn an_error_wins_over_what_else_is_missing() {
    let delta = r#"{"type":"response.output_text.delta","delta":"a"}"#;
    let late = r#"{"type":"response.output_text.delta","delta":"b"}"#;
    for (event, reference, ours) in [
        (r#"{"type":"error","message":"bad"}"#, r#"{"type":"error","message":"bad"}"#, Some("bad")),
        (r#"{"type":"x","error":"no"}"#, r#""no""#, Some("no")),
        (r#"{"type":"x","error":null}"#, r#"{"type":"x","error":null}"#, None),
        (
            r#"{"type":"response.failed","response":{"error":{"message":"x"}}}"#,
            r#"{"type":"response.failed","response":{"error":{"message":"x"}}}"#,
            Some("x"),
        ),
    ] {
        let parsed = read(Compat::V0_33, &[delta, event, late]);
        assert_eq!(parsed.error.as_deref(), Some(reference));
        assert_eq!(parsed.text, "ab");
        let parsed = read(Compat::Vbench, &[delta, event]);
        let ended = "Stream ended without a terminal event.This response will be marked as failed!";
        assert_eq!(parsed.error.as_deref(), Some(ours.unwrap_or(ended)));
    }
}

#[test]
fn an_event_that_cannot_be_read_ends_the_reading() {
    let parsed = read(
        Compat::V0_33,
        &[r#"{"type":"response.output_text.delta","delta":"a"}"#, "{", r#"{"type":"error"}"#],
    );
    assert!(parsed.error.unwrap().contains("is not JSON"));
    assert_eq!((parsed.tokens.len(), parsed.text.as_str()), (1, ""));
}

#[test]
fn answers_without_text_are_answers_outside_of_the_reference_clients_rules() {
    let events = [
        r#"{"type":"response.reasoning_summary_text.delta","delta":"hm"}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{"}"#,
        r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"},
            "usage":{"output_tokens":2,"input_tokens":7,"input_tokens_details":{"cached_tokens":4}}}}"#,
        "[DONE]",
    ];
    let parsed = read(Compat::Vbench, &events);
    let kinds: Vec<_> = parsed.tokens.iter().map(|token| token.kind).collect();
    assert_eq!(kinds, [TokenKind::Reasoning, TokenKind::ToolCall]);
    assert_eq!((parsed.error, parsed.finish_reason.as_deref()), (None, Some("max_output_tokens")));
    assert_eq!(parsed.usage.unwrap().cached_tokens, Some(4));
    assert!(read(Compat::V0_33, &events).error.unwrap().starts_with("Never received a token delta"));
}

#[test]
fn inputs_are_texts_or_messages() {
    let build = |prompt, compat| backend(compat).build(&request(Turn::new(prompt, 1, 1)));
    let messages = || Prompt::Messages(r#"[{"role":"user","content":"u"}]"#.into());
    for compat in [Compat::Vbench, Compat::V0_33] {
        let Body::Bytes(body) = build(messages(), compat).unwrap().body else { panic!("not bytes") };
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["input"][0]["content"], "u");
    }
    assert!(build(Prompt::TokenIds(vec![1]), Compat::V0_33).is_ok());
    assert!(build(Prompt::TokenIds(vec![1]), Compat::Vbench).is_err());
    assert!(build(Prompt::Messages("[".into()), Compat::Vbench).is_err());
    let image = Attachments::One(Media::new(MediaKind::Image, "https://a/b.png"));
    let turn = Turn::text("a", 1, 1).with_attachments(image);
    assert!(backend(Compat::Vbench).build(&request(turn.clone())).is_err());
    assert!(backend(Compat::V0_33).build(&request(turn)).is_ok());
}

#[test]
fn the_endpoint_is_checked() {
    let args = BackendArgs { endpoint: Some("/v1/completions".into()), ..BackendArgs::default() };
    let Err(error) = TestBackend::<Responses>::open("{}", args) else { panic!("accepted") };
    assert!(error.message.starts_with("OpenAI Responses API URL must end with one of: {'responses'}."));
    assert_eq!(backend(Compat::Vbench).endpoint().unwrap().path, "/v1/responses");
}

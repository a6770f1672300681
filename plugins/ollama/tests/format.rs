//! What the backend writes, and what it makes of answers.

use serde_json::{Value, json};
use vbench_plugin::backend::{Body, PastTurn};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, TestBackend, request};
use vbench_plugin_ollama::Ollama;

fn backend(args: BackendArgs) -> TestBackend<Ollama> {
    TestBackend::open("{}", args).unwrap()
}

fn body(args: BackendArgs, request: &RequestIn) -> Result<Value> {
    let Body::Bytes(body) = backend(args).build(request)?.body else { panic!("not bytes") };
    Ok(serde_json::from_slice(&body).unwrap())
}

#[test]
fn lengths_and_sampling_are_options() {
    let args = BackendArgs {
        sampling: r#"{"temperature":0.5,"repetition_penalty":1.1}"#.into(),
        extra_body: r#"{"options":{"num_ctx":4096},"think":true}"#.into(),
        ..BackendArgs::default()
    };
    assert_eq!(
        body(args, &request(Turn::text("hi", 1, 7))).unwrap().to_string(),
        r#"{"model":"mock-model","messages":[{"role":"user","content":"hi"}],"stream":true,"options":{"num_predict":7,"temperature":0.5,"repeat_penalty":1.1,"num_ctx":4096},"think":true}"#
    );
}

#[test]
fn contents_are_texts() {
    let messages = r#"[{"role":"system","content":[{"type":"text","text":"be "},{"type":"text","text":"brief"}]},
        {"role":"user","content":"u"}]"#;
    let mut asked = request(Turn::new(Prompt::Messages(messages.into()), 1, 7));
    asked.history.push(PastTurn { turn: Turn::text("q", 1, 1), reply: "r".into() });
    let body = body(BackendArgs::default(), &asked).unwrap();
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "q"}, {"role": "assistant", "content": "r"},
            {"role": "system", "content": "be brief"}, {"role": "user", "content": "u"}])
    );
    let ids = Turn::new(Prompt::TokenIds(vec![1]), 1, 1);
    assert!(backend(BackendArgs::default()).build(&request(ids)).is_err());
}

/// The host puts Base64 in the place of references.
#[test]
fn images_stand_beside_the_text() {
    let reference = "vbench-media:00000000000000000000000000000000";
    let data = "data:image/png;base64,AAAA";
    let images = json!([format!("{reference};base64"), "AAAA"]);
    let part = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let parts = json!([{"type": "text", "text": "what "}, part(reference), {"type": "text", "text": "is it?"}, part(data)]);
    let media = [reference, data].map(|url| Media::new(MediaKind::Image, url)).to_vec();
    for turn in [
        Turn::text("what is it?", 1, 7).with_attachments(Attachments::Many(media)),
        Turn::new(Prompt::Parts(parts.to_string()), 1, 7),
        Turn::new(Prompt::Messages(json!([{"role": "user", "content": parts}]).to_string()), 1, 7),
    ] {
        assert_eq!(
            body(BackendArgs::default(), &request(turn)).unwrap()["messages"],
            json!([{"role": "user", "content": "what is it?", "images": images}])
        );
    }
}

#[test]
fn what_ollama_cannot_take_is_refused() {
    let with = |kind, url| Turn::text("a", 1, 1).with_attachments(Attachments::One(Media::new(kind, url)));
    for (turn, said) in [
        (with(MediaKind::Image, "https://a/b.png"), "does not fetch"),
        (with(MediaKind::Image, "file://b.png"), "--custom-ensure-client-side-data"),
        (with(MediaKind::Video, "vbench-media:0"), "video or audio"),
        (
            Turn::new(Prompt::Parts(r#"[{"type":"input_audio","input_audio":{}}]"#.into()), 1, 1),
            "video or audio",
        ),
        (Turn::new(Prompt::Parts(r#"[{"type":"image_url"}]"#.into()), 1, 1), "no address"),
    ] {
        let error = body(BackendArgs::default(), &request(turn)).unwrap_err();
        assert!(error.message.contains(said), "{}", error.message);
    }
}

fn read(args: BackendArgs, lines: &[&str]) -> Parsed {
    backend(args).read(&Response::from_events(lines)).unwrap()
}

const LAST: &str = r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","total_duration":9000000,
    "load_duration":1000000,"prompt_eval_count":11,"prompt_eval_duration":2500000,"eval_count":3,"eval_duration":5000000}"#;

#[test]
fn lines_are_read_with_kinds_counts_and_durations() {
    let parsed = read(
        BackendArgs::default(),
        &[
            r#"{"message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#,
            r#"{"message":{"role":"assistant","content":" a\n"},"done":false}"#,
            r#"{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}}]},"done":false}"#,
            LAST,
        ],
    );
    let kinds: Vec<_> = parsed.tokens.iter().map(|token| (token.event, token.kind)).collect();
    assert_eq!(kinds, [(0, TokenKind::Reasoning), (1, TokenKind::Content), (2, TokenKind::ToolCall)]);
    assert_eq!((parsed.text.as_str(), parsed.error), (" a\n", None));
    assert_eq!((parsed.finish_reason.as_deref(), parsed.server_ttft_ms), (Some("stop"), Some(3.5)));
    let usage = parsed.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.prompt_tokens), (Some(3), Some(11)));
    let durations: Value = serde_json::from_str(&parsed.extra.unwrap()).unwrap();
    assert_eq!(durations, json!({"total_ms": 9.0, "load_ms": 1.0, "prompt_eval_ms": 2.5, "eval_ms": 5.0}));
}

#[test]
fn what_is_no_answer_fails() {
    let token = r#"{"message":{"role":"assistant","content":"a"},"done":false}"#;
    for (lines, said) in [
        (vec![token, r#"{"error":"out of memory"}"#], "out of memory"),
        (vec![token], "the response ended without the line that says `done`"),
        (vec![LAST], "the response had no token"),
        (vec![token, "<html>"], "line 2 of the response is not one of Ollama's"),
        (vec![], "the response had no token"),
    ] {
        assert!(read(BackendArgs::default(), &lines).error.unwrap().starts_with(said), "{said}");
    }
}

#[test]
fn an_answer_in_one_piece_is_one_token_event() {
    let args = BackendArgs { extra_body: r#"{"stream":false}"#.into(), ..BackendArgs::default() };
    assert_eq!(backend(args.clone()).endpoint().unwrap().framing, Framing::WholeBody);
    assert_eq!(backend(BackendArgs::default()).endpoint().unwrap().framing, Framing::Ndjson);
    let whole = LAST.replace(r#""content":"""#, r#""content":"a b""#);
    let parsed = read(args, &[&whole]);
    assert_eq!((parsed.tokens.len(), parsed.text.as_str(), parsed.error), (1, "a b", None));
}

#[test]
fn flags_without_a_word_at_ollama_are_refused() {
    for args in [
        BackendArgs { ignore_eos: true, ..BackendArgs::default() },
        BackendArgs { logprobs: Some(1), ..BackendArgs::default() },
        BackendArgs { endpoint: Some("/api/generate".into()), ..BackendArgs::default() },
    ] {
        assert!(TestBackend::<Ollama>::open("{}", args).is_err());
    }
}

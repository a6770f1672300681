//! The backend against what the reference client sent and read.

use proptest::prelude::*;
use serde_json::{Value, json};
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, RecordedRequest, RecordedStream, TestBackend};
use vbench_plugin_openai_chat::Chat;

#[test]
fn requests_are_those_of_the_reference_client() {
    let recorded: Vec<RecordedRequest> =
        serde_json::from_str(include_str!("fixtures/requests.json")).unwrap();
    assert!(recorded.len() > 6);
    for request in recorded {
        request.assert_written_by::<Chat>();
    }
}

fn streams() -> Vec<RecordedStream> {
    serde_json::from_str(include_str!("fixtures/streams.json")).unwrap()
}

fn backend(compat: Compat) -> TestBackend<Chat> {
    TestBackend::open("{}", BackendArgs { compat, ..BackendArgs::default() }).unwrap()
}

#[test]
fn streams_are_read_as_by_the_reference_client() {
    for stream in streams() {
        stream.assert_read_by::<Chat>();
    }
}

#[test]
fn kinds_follow_the_delta() {
    let events = [
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#,
        r#"{"choices":[{"delta":{"reasoning_content":"r"}}]}"#,
        r#"{"choices":[{"delta":{"reasoning":"r"}}]}"#,
        r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]},"finish_reason":"tool_calls"}]}"#,
    ];
    let kinds = |compat| {
        let parsed = backend(compat).read(&Response::from_events(events)).unwrap();
        parsed.tokens.iter().map(|token| (token.event, token.kind)).collect::<Vec<_>>()
    };
    use TokenKind::{Content, Reasoning, ToolCall};
    assert_eq!(kinds(Compat::Vbench), [(1, Reasoning), (2, Reasoning), (3, Content), (4, ToolCall)]);
    assert_eq!(kinds(Compat::V0_33), [(2, Reasoning), (3, Content), (4, ToolCall)]);
    assert_eq!(
        kinds(Compat::V0_12),
        [(0, Content), (1, Reasoning), (2, Reasoning), (3, Content), (4, ToolCall)]
    );
}

/// A value as servers send it, or do not.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!("")),
        Just(json!(" a\n\u{e9}")),
        Just(json!(0)),
        Just(json!(3)),
        Just(json!(-2)),
        Just(json!(2.5)),
        Just(json!(true)),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"index": 0, "function": {"name": "f"}}])),
        Just(json!({"message": "boom"})),
        Just(json!({"cached_tokens": 2, "reasoning_tokens": 1})),
        Just(json!("error")),
    ]
}

fn object(keys: &'static [&'static str]) -> impl Strategy<Value = Value> {
    proptest::collection::vec((proptest::sample::select(keys), value()), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

fn event() -> impl Strategy<Value = String> {
    let delta = object(&[
        "role",
        "content",
        "content",
        "reasoning",
        "reasoning_content",
        "tool_calls",
        "function_call",
    ]);
    let usage =
        object(&["completion_tokens", "prompt_tokens", "prompt_tokens_details", "completion_tokens_details"]);
    let metrics = object(&["queue_time_ms", "time_to_first_token_ms"]);
    (
        delta,
        usage,
        metrics,
        object(&["choices", "usage", "error", "object", "metrics", "message"]),
        0u32..64,
        value(),
    )
        .prop_map(|(delta, usage, metrics, odd, has, finish_reason)| {
            let mut event = json!({});
            if has & 1 == 0 {
                event["choices"] = json!([{"delta": delta, "finish_reason": finish_reason}, {"delta": 5}]);
            }
            if has & 6 == 0 {
                event["usage"] = usage;
            }
            if has & 24 == 0 {
                event["metrics"] = metrics;
            }
            if has & 32 == 0
                && let (Some(event), Some(odd)) = (event.as_object_mut(), odd.as_object())
            {
                event.extend(odd.clone());
            }
            event.to_string()
        })
}

proptest! {
    #[test]
    fn parsing_gives_what_the_plan_gives(
        mut events in proptest::collection::vec(event(), 0..6),
        bad in proptest::option::weighted(0.1, 0usize..6),
        compat in proptest::sample::select(&[Compat::Vbench, Compat::V0_33, Compat::V0_12][..]),
    ) {
        if let Some(at) = bad.filter(|&at| at <= events.len()) {
            events.insert(at, "{bad".into());
        }
        events.push("[DONE]".into());
        let response = Response::from_events(&events);
        let backend = backend(compat);
        prop_assert_eq!(backend.parse(&response).unwrap(), backend.read(&response).unwrap());
    }
}

#[test]
fn parsing_gives_what_the_plan_gives_for_recorded_streams() {
    for stream in streams() {
        let response = stream.response();
        let backend = backend(Compat::V0_33);
        assert_eq!(backend.parse(&response).unwrap(), backend.read(&response).unwrap(), "{}", stream.name);
    }
}

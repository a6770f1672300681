//! The backend against what the reference client sent and read.

use serde_json::Value;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, RecordedRequest, RecordedStream, TestBackend, request};
use vbench_plugin_openai::Completions;

#[test]
fn requests_are_those_of_the_reference_client() {
    let recorded: Vec<RecordedRequest> =
        serde_json::from_str(include_str!("fixtures/requests.json")).unwrap();
    assert!(recorded.len() > 10);
    for request in recorded {
        request.assert_written_by::<Completions>();
    }
}

fn streams() -> Vec<RecordedStream> {
    serde_json::from_str(include_str!("fixtures/streams.json")).unwrap()
}

fn backend(compat: Compat) -> TestBackend<Completions> {
    TestBackend::open("{}", BackendArgs { compat, ..BackendArgs::default() }).unwrap()
}

#[test]
fn streams_are_read_as_by_the_reference_client() {
    for stream in streams() {
        stream.assert_read_by::<Completions>();
    }
}

#[test]
fn parsing_gives_what_the_plan_gives() {
    for compat in [Compat::Vbench, Compat::V0_33, Compat::V0_12] {
        for stream in streams() {
            let response = stream.response();
            let backend = backend(compat);
            assert_eq!(
                backend.parse(&response).unwrap(),
                backend.read(&response).unwrap(),
                "{}",
                stream.name
            );
        }
    }
}

#[test]
fn an_error_inside_a_stream_fails_the_request_outside_of_the_reference_clients_rules() {
    let events = [
        r#"{"choices":[{"text":"a"}],"usage":{"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}}"#,
        r#"{"error":{"message":"boom"}}"#,
    ];
    let response = Response::from_events(events);
    let parsed = backend(Compat::Vbench).read(&response).unwrap();
    assert_eq!(parsed.error.as_deref(), Some("boom"));
    let usage = parsed.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.cached_tokens), (Some(1), Some(4)));
    let parsed = backend(Compat::V0_33).read(&response).unwrap();
    assert_eq!((parsed.error, parsed.usage), (None, None));
}

#[test]
fn what_completions_cannot_carry_is_refused() {
    let backend = backend(Compat::Vbench);
    let image = Attachments::One(Media::new(MediaKind::Image, "https://a/b.png"));
    assert!(backend.build(&request(Turn::text("a", 1, 1).with_attachments(image))).is_err());
    assert!(backend.build(&request(Turn::new(Prompt::Messages("[]".into()), 1, 1))).is_err());
}

#[test]
fn the_endpoint_is_checked_and_the_plan_can_be_turned_off() {
    let open = |config: &str, endpoint: &str| {
        let args = BackendArgs { endpoint: Some(endpoint.into()), ..BackendArgs::default() };
        TestBackend::<Completions>::open(config, args)
    };
    let Err(error) = open("{}", "/v1/generate") else { panic!("accepted") };
    assert!(error.message.contains("OpenAI Completions API URL must end with one of: {'completions'}."));
    // As the reference client has it.
    assert!(open("{}", "/v1/chat/completions").is_ok());
    assert!(open("{}", "/x/completions").unwrap().endpoint().unwrap().plan.is_some());
    assert!(open(r#"{"parse":true}"#, "/x/completions").unwrap().endpoint().unwrap().plan.is_none());
    assert!(open(r#"{"pars":true}"#, "/x/completions").is_err());
}

#[test]
fn the_description_names_the_offer() {
    let description = vbench_plugin_openai::describe();
    assert_eq!((description.name.as_str(), description.offers.len()), ("openai", 1));
    assert_eq!(description.offers[0].aliases, ["vllm"]);
    let schema: Value = serde_json::from_str(&description.offers[0].config_schema).unwrap();
    assert_eq!(schema["properties"]["parse"]["type"], "boolean");
}

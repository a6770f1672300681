//! The backends against what the reference client sent, and what they refuse.

use vbench_plugin::backend::Body;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, RecordedRequest, TestBackend, request};
use vbench_plugin_pooling::{AnyPooling, Rerank};

fn args(extra_body: &str, compat: Compat) -> BackendArgs {
    BackendArgs { extra_body: extra_body.into(), compat, ..BackendArgs::default() }
}

fn build<B: Backend>(request: &RequestIn, extra_body: &str, compat: Compat) -> Result<(String, u32)> {
    let out = TestBackend::<B>::open("{}", args(extra_body, compat))?.build(request)?;
    let Body::Bytes(body) = out.body else { panic!("not bytes") };
    Ok((String::from_utf8(body).unwrap(), out.input_sequences))
}

#[test]
fn requests_are_those_of_the_reference_client() {
    let recorded: Vec<RecordedRequest> =
        serde_json::from_str(include_str!("fixtures/requests.json")).unwrap();
    assert!(recorded.len() > 5);
    for request in recorded {
        match request.backend.as_str() {
            "vllm-pooling" => request.assert_written_by::<AnyPooling>(),
            _ => request.assert_written_by::<Rerank>(),
        }
    }
}

#[test]
fn an_object_takes_the_place_of_the_input_below_the_users_fields() {
    let object = r#"{"truncate_prompt_tokens":3,"data":{"a":[1]},"task":"x"}"#;
    let mut request = request(Turn::new(Prompt::Object(object.into()), 1, 1));
    request.overrides = Some(r#"{"last":true,"data":0}"#.into());
    let (body, sequences) =
        build::<AnyPooling>(&request, r#"{"task":"embed","more":1.50}"#, Compat::Vbench).unwrap();
    assert_eq!(
        (body.as_str(), sequences),
        (
            r#"{"model":"mock-model","truncate_prompt_tokens":3,"data":0,"task":"embed","more":1.50,"last":true}"#,
            1
        )
    );
    let bytes = Turn::new(Prompt::Object(r#"{"encoding_format":"bytes"}"#.into()), 1, 1);
    assert!(build::<AnyPooling>(&testing::request(bytes), "{}", Compat::Vbench).is_err());
    let broken = Turn::new(Prompt::Object("[".into()), 1, 1);
    assert!(build::<AnyPooling>(&testing::request(broken), "{}", Compat::Vbench).is_err());
}

#[test]
fn reranking_needs_a_query_and_documents() {
    let texts = |texts: &[&str]| {
        let texts = texts.iter().map(|&text| text.into()).collect();
        request(Turn::new(Prompt::Texts(texts), 1, 1))
    };
    for compat in [Compat::Vbench, Compat::V0_33] {
        assert!(build::<Rerank>(&texts(&["q", "d"]), "{}", compat).is_ok());
        assert!(build::<Rerank>(&texts(&["q"]), "{}", compat).is_err());
        assert!(build::<Rerank>(&texts(&[]), "{}", compat).is_err());
        assert!(build::<Rerank>(&request(Turn::text("q", 1, 1)), "{}", compat).is_err());
    }
    // What has no effect in the reference client is an error with us.
    assert!(build::<Rerank>(&texts(&["q", "d"]), r#"{"top_n":1}"#, Compat::Vbench).is_err());
    let mut own_fields = texts(&["q", "d"]);
    own_fields.overrides = Some("{}".into());
    assert!(build::<Rerank>(&own_fields, "{}", Compat::Vbench).is_err());
    assert!(build::<Rerank>(&own_fields, "{}", Compat::V0_33).is_ok());
}

#[test]
fn endpoints_are_checked() {
    fn open<B: Backend>(endpoint: Option<&str>) -> Result<Endpoint> {
        let args = BackendArgs { endpoint: endpoint.map(Into::into), ..BackendArgs::default() };
        TestBackend::<B>::open("{}", args)?.endpoint()
    }
    assert_eq!(open::<AnyPooling>(None).unwrap().path, "/pooling");
    assert_eq!(open::<Rerank>(None).unwrap().path, "/v1/rerank");
    assert!(open::<Rerank>(Some("/rerank")).is_ok());
    assert!(open::<Rerank>(Some("/score")).is_err());
    assert!(open::<AnyPooling>(Some("/v1/completions")).is_err());
}

#[test]
fn answers_of_rerank_are_json_whatever_the_extra_body_says() {
    let args = args(r#"{"encoding_format":"bytes"}"#, Compat::V0_33);
    let backend = TestBackend::<Rerank>::open("{}", args).unwrap();
    let mut response = Response::from_events([r#"{"results":[],"usage":{"prompt_tokens":4}}"#]);
    response.headers.push(Header::new("content-type", "application/json"));
    assert_eq!(backend.read(&response).unwrap().usage.unwrap().prompt_tokens, Some(4));
}

//! What the backends write, and what they make of answers.

use serde_json::{Value, json};
use vbench_plugin::backend::Body;
use vbench_plugin::prelude::*;
use vbench_plugin::testing::{BackendArgs, TestBackend, request};
use vbench_plugin_generate::{LlamaCpp, Sglang, TensorRtLlm, Tgi};

fn written<B: Backend>(args: BackendArgs, turn: Turn) -> Result<Value> {
    let Body::Bytes(body) = TestBackend::<B>::open("{}", args)?.build(&request(turn))?.body else {
        panic!("not bytes")
    };
    Ok(serde_json::from_slice(&body).expect("a body is JSON"))
}

fn sampling(sampling: &str) -> BackendArgs {
    BackendArgs { sampling: sampling.into(), ..BackendArgs::default() }
}

fn read<B: Backend>(args: BackendArgs, events: &[&str]) -> Parsed {
    TestBackend::<B>::open("{}", args).unwrap().read(&Response::from_events(events)).unwrap()
}

fn endpoint<B: Backend>(args: BackendArgs) -> Result<Endpoint> {
    TestBackend::<B>::open("{}", args)?.endpoint()
}

fn at(path: &str) -> BackendArgs {
    BackendArgs { endpoint: Some(path.into()), ..BackendArgs::default() }
}

#[test]
fn tgi_draws_only_if_it_is_told_how() {
    let body = |flags: &str| written::<Tgi>(sampling(flags), Turn::text("a", 1, 7)).unwrap();
    assert_eq!(body("{}"), json!({"inputs": "a", "parameters": {"max_new_tokens": 7, "details": true}}));
    assert_eq!(body(r#"{"temperature":0.0}"#)["parameters"]["do_sample"], false);
    assert_eq!(body(r#"{"temperature":0.0}"#)["parameters"].get("temperature"), None);
    let drawn = body(r#"{"top_p":0.9,"temperature":0.5}"#);
    assert_eq!(
        (&drawn["parameters"]["do_sample"], &drawn["parameters"]["top_p"]),
        (&json!(true), &json!(0.9))
    );
    let error = written::<Tgi>(sampling(r#"{"min_p":0.1}"#), Turn::text("a", 1, 7)).unwrap_err();
    assert!(error.message.contains("TGI knows no --min-p"), "{}", error.message);
}

#[test]
fn the_extra_body_reaches_into_the_parameters() {
    let extra = BackendArgs {
        extra_body: r#"{"parameters":{"seed":1,"max_new_tokens":2},"x":3}"#.into(),
        ..sampling(r#"{"top_k":4}"#)
    };
    assert_eq!(
        written::<Tgi>(extra, Turn::text("a", 1, 7)).unwrap().to_string(),
        r#"{"inputs":"a","parameters":{"max_new_tokens":2,"details":true,"do_sample":true,"top_k":4,"seed":1},"x":3}"#
    );
    let extra = BackendArgs { extra_body: r#"{"parameters":5}"#.into(), ..BackendArgs::default() };
    assert!(written::<Tgi>(extra, Turn::text("a", 1, 7)).is_err());
}

#[test]
fn tgi_reads_a_token_an_event() {
    let token = r#"{"index":1,"token":{"id":5,"text":" a","logprob":-1.0,"special":false},"generated_text":null,"details":null}"#;
    let last = r#"{"index":2,"token":{"id":2,"text":"</s>","logprob":-1.0,"special":true},"generated_text":" a",
        "details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"input_length":9}}"#;
    let parsed = read::<Tgi>(BackendArgs::default(), &[token, last]);
    assert_eq!((parsed.tokens.len(), parsed.text.as_str(), parsed.error), (2, " a", None));
    assert_eq!(parsed.finish_reason.as_deref(), Some("eos_token"));
    let usage = parsed.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.prompt_tokens), (Some(2), Some(9)));
    assert!(read::<Tgi>(BackendArgs::default(), &[token]).error.unwrap().contains("without its last event"));
    let failed = r#"{"error":"overloaded","error_type":"overloaded"}"#;
    assert_eq!(read::<Tgi>(BackendArgs::default(), &[token, failed]).error.as_deref(), Some("overloaded"));
    let whole = r#"{"generated_text":" a","details":{"finish_reason":"length","generated_tokens":1}}"#;
    let parsed = read::<Tgi>(at("/generate"), &[whole]);
    assert_eq!((parsed.tokens.len(), parsed.text.as_str(), parsed.error), (1, " a", None));
}

#[test]
fn paths_decide_where_the_body_does_not() {
    assert_eq!(endpoint::<Tgi>(at("/x/generate")).unwrap().framing, Framing::WholeBody);
    assert_eq!(endpoint::<TensorRtLlm>(at("/v2/models/a/generate")).unwrap().framing, Framing::WholeBody);
    assert!(endpoint::<Tgi>(at("/v1/completions")).is_err());
    let stream = || BackendArgs { extra_body: r#"{"stream":false}"#.into(), ..BackendArgs::default() };
    assert!(endpoint::<Tgi>(stream()).unwrap_err().message.contains("use --endpoint /generate_stream"));
    for framing in [endpoint::<Sglang>(stream()), endpoint::<LlamaCpp>(stream())] {
        assert_eq!(framing.unwrap().framing, Framing::WholeBody);
    }
    let named = TestBackend::<TensorRtLlm>::open(r#"{"model":"tensorrt_llm_bls"}"#, BackendArgs::default());
    assert_eq!(named.unwrap().endpoint().unwrap().path, "/v2/models/tensorrt_llm_bls/generate_stream");
}

#[test]
fn sglang_takes_texts_and_token_ids() {
    let args = || BackendArgs { ignore_eos: true, logprobs: Some(2), ..sampling(r#"{"temperature":0.5}"#) };
    let body = written::<Sglang>(args(), Turn::text("a", 1, 7)).unwrap();
    let wanted = json!({"text": "a",
        "sampling_params": {"max_new_tokens": 7, "ignore_eos": true, "temperature": 0.5},
        "stream": true, "return_logprob": true, "top_logprobs_num": 2});
    assert_eq!(body.to_string(), wanted.to_string());
    let ids =
        written::<Sglang>(BackendArgs::default(), Turn::new(Prompt::TokenIds(vec![3, 4]), 2, 7)).unwrap();
    assert_eq!((&ids["input_ids"], ids.get("text")), (&json!([3, 4]), None));
    let chat = Turn::new(Prompt::Messages("[]".into()), 1, 7);
    assert!(written::<Sglang>(BackendArgs::default(), chat).unwrap_err().message.contains("use openai-chat"));
}

fn sglang_event(text: &str, tokens: u64, reason: &str) -> String {
    format!(
        r#"{{"text":{},"meta_info":{{"id":"x","finish_reason":{reason},"prompt_tokens":4,"completion_tokens":{tokens},"cached_tokens":3}}}}"#,
        json!(text)
    )
}

#[test]
fn sglang_repeats_the_text_and_counts_its_tokens() {
    let events = [
        sglang_event(" a", 1, "null"),
        sglang_event(" a b c", 3, "null"),
        sglang_event(" a b c", 3, r#"{"type":"length","length":3}"#),
        "[DONE]".into(),
    ];
    let backend = TestBackend::<Sglang>::open("{}", BackendArgs::default()).unwrap();
    let parsed = backend.read(&Response::from_events(&events)).unwrap();
    let tokens: Vec<_> = parsed.tokens.iter().map(|token| (token.event, token.tokens)).collect();
    assert_eq!((tokens, parsed.text.as_str()), (vec![(0, 1), (1, 2)], " a b c"));
    assert_eq!(parsed.finish_reason.as_deref(), Some("length"));
    let usage = parsed.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.prompt_tokens, usage.cached_tokens), (Some(3), Some(4), Some(3)));

    let events = [sglang_event(" a", 1, "null"), sglang_event(" a", 2, "null")];
    let parsed = |config: &str| {
        let backend = TestBackend::<Sglang>::open(config, BackendArgs::default()).unwrap();
        backend.read(&Response::from_events(&events)).unwrap()
    };
    assert_eq!(parsed(r#"{"incremental":true}"#).text, " a a");
    assert_eq!((parsed("{}").text.as_str(), parsed("{}").tokens.len()), (" a", 2));
}

#[test]
fn sglang_errors_and_odd_events_fail_the_request() {
    let good = sglang_event(" a", 1, "null");
    for (event, said) in [
        (r#"{"error":{"message":"boom","code":500}}"#, "boom"),
        (r#"{"error":"no"}"#, "no"),
        ("{", "event 2 of the response is not one of SGLang's"),
        (r#"{"text":5}"#, "event 2 of the response is not one of SGLang's"),
    ] {
        let parsed = read::<Sglang>(BackendArgs::default(), &[&good, event]);
        assert!(parsed.error.unwrap().starts_with(said), "{event}");
        assert_eq!(parsed.tokens.len(), 1);
    }
    assert_eq!(
        read::<Sglang>(BackendArgs::default(), &["[DONE]"]).error.as_deref(),
        Some("the stream had no token")
    );
}

#[test]
fn triton_has_the_length_for_the_end_that_is_ignored() {
    let args = BackendArgs { ignore_eos: true, ..sampling(r#"{"top_p":0.5}"#) };
    let body = written::<TensorRtLlm>(args, Turn::text("a", 1, 7)).unwrap();
    assert_eq!(
        body.to_string(),
        r#"{"text_input":"a","max_tokens":7,"min_length":7,"stream":true,"top_p":0.5}"#
    );
    let event = r#"{"model_name":"ensemble","model_version":"1","text_output":" a"}"#;
    let parsed = read::<TensorRtLlm>(BackendArgs::default(), &[event, event]);
    assert_eq!(
        (parsed.tokens.len(), parsed.text.as_str(), parsed.usage, parsed.error),
        (2, " a a", None, None)
    );
    let failed = read::<TensorRtLlm>(BackendArgs::default(), &[r#"{"error":"no such model"}"#]);
    assert_eq!(failed.error.as_deref(), Some("no such model"));
}

#[test]
fn llama_cpp_ends_with_an_event_of_counts() {
    let args =
        BackendArgs { ignore_eos: true, logprobs: Some(1), ..sampling(r#"{"repetition_penalty":1.5}"#) };
    let body = written::<LlamaCpp>(args, Turn::text("a", 1, 7)).unwrap();
    assert_eq!(
        body.to_string(),
        r#"{"prompt":"a","n_predict":7,"stream":true,"ignore_eos":true,"n_probs":1,"repeat_penalty":1.5}"#
    );
    let events = [
        r#"{"index":0,"content":" a","tokens":[1],"stop":false,"id_slot":0}"#,
        r#"{"index":0,"content":"","stop":true,"stop_type":"eos","tokens_predicted":1,"tokens_evaluated":6,
            "timings":{"cache_n":5,"prompt_ms":12.5}}"#,
    ];
    let parsed = read::<LlamaCpp>(BackendArgs::default(), &events);
    assert_eq!((parsed.tokens.len(), parsed.text.as_str(), parsed.error), (1, " a", None));
    assert_eq!((parsed.finish_reason.as_deref(), parsed.server_ttft_ms), (Some("eos"), Some(12.5)));
    let usage = parsed.usage.unwrap();
    assert_eq!((usage.output_tokens, usage.prompt_tokens, usage.cached_tokens), (Some(1), Some(6), Some(5)));
    assert!(read::<LlamaCpp>(BackendArgs::default(), &events[..1]).error.unwrap().contains("why it stops"));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let image = || Attachments::One(Media::new(MediaKind::Image, "https://a/b.png"));
    let with_image = || Turn::text("a", 1, 1).with_attachments(image());
    assert!(written::<Tgi>(BackendArgs::default(), with_image()).is_err());
    assert!(written::<LlamaCpp>(BackendArgs::default(), with_image()).is_err());
    let ids = Turn::new(Prompt::TokenIds(vec![1]), 1, 1);
    assert!(written::<Tgi>(BackendArgs::default(), ids).unwrap_err().message.contains("token ids"));
    let ignore_eos = BackendArgs { ignore_eos: true, ..BackendArgs::default() };
    assert!(endpoint::<Tgi>(ignore_eos).unwrap_err().message.contains("--ignore-eos"));
    let logprobs = BackendArgs { logprobs: Some(1), ..BackendArgs::default() };
    assert!(endpoint::<TensorRtLlm>(logprobs).unwrap_err().message.contains("--logprobs"));
}

//! Answers in the forms of the APIs.

use serde_json::json;

use super::*;
use crate::mock::config::{FailureKind, Failures};

/// The data of each server-sent event, and its name.
fn events(response: &Response) -> Vec<(String, Value)> {
    assert!(response.whole, "{response:?}");
    response
        .chunks
        .iter()
        .map(|chunk| {
            let name = chunk.lines().find_map(|line| line.strip_prefix("event: ")).unwrap_or_default();
            let data = chunk.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(chunk).trim();
            (name.to_owned(), serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)))
        })
        .collect()
}

fn with_parts() -> MockConfig {
    MockConfig { reasoning_tokens: 1, tool_call_tokens: 1, ..instant() }
}

#[test]
fn a_message_has_a_block_for_each_part() {
    let server = start(with_parts());
    let mut client = Client::connect(&server);
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a b"}],"max_tokens":3,"stream":true}"#;
    let events = events(&client.post("/v1/messages", body));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let wanted =
        [&["message_start", "ping"][..], &block, &block, &block, &["message_delta", "message_stop"]].concat();
    assert_eq!(names, wanted);
    assert!(events.iter().all(|(name, data)| data["type"] == name.as_str()));
    assert_eq!(events[0].1["message"]["usage"]["input_tokens"], 2);
    let deltas: Vec<&Value> =
        events.iter().map(|(_, data)| &data["delta"]).filter(|d| d["type"].is_string()).collect();
    assert_eq!(
        deltas,
        [
            &json!({"type": "thinking_delta", "thinking": " w0"}),
            &json!({"type": "text_delta", "text": " w1"}),
            &json!({"type": "input_json_delta", "partial_json": " w2"}),
        ]
    );
    assert_eq!(events[11].1["usage"]["output_tokens"], 3);
    assert_eq!(events[11].1["delta"]["stop_reason"], "tool_use");
    let whole = client.post("/v1/messages", &body.replace(r#","stream":true"#, "")).json();
    let kinds: Vec<&Value> =
        whole["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(kinds, ["thinking", "text", "tool_use"]);
    // The prompt has been asked before.
    assert_eq!(
        (&whole["usage"]["cache_read_input_tokens"], &whole["usage"]["input_tokens"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(client.post("/v1/messages", r#"{"messages":[]}"#).status, 400);
}

#[test]
fn a_response_ends_in_all_that_it_said() {
    let server = start(with_parts());
    let mut client = Client::connect(&server);
    let body = r#"{"input":"a b","max_output_tokens":4,"stream":true}"#;
    let events = events(&client.post("/v1/responses", body));
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "response.created",
            "response.reasoning_text.delta",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.function_call_arguments.delta",
            "response.incomplete"
        ]
    );
    let response = &events[5].1["response"];
    assert_eq!(response["output"][1]["content"][0]["text"], " w1 w2");
    assert_eq!(
        (&response["usage"]["input_tokens"], &response["usage"]["output_tokens"]),
        (&json!(2), &json!(4))
    );
    let mut whole = client.post("/v1/responses", r#"{"input":"a b","max_output_tokens":4}"#).json();
    whole["usage"]["input_tokens_details"] = response["usage"]["input_tokens_details"].clone();
    assert_eq!((&whole["output"], &whole["usage"]), (&response["output"], &response["usage"]));
}

#[test]
fn generate_is_told_apart_by_its_body() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let tgi = events(&client.post("/generate_stream", r#"{"inputs":"a","parameters":{"max_new_tokens":2}}"#));
    assert_eq!(tgi[0].1["token"]["text"], " w0");
    assert_eq!(tgi[0].1["generated_text"], Value::Null);
    assert_eq!(
        (&tgi[1].1["generated_text"], &tgi[1].1["details"]["generated_tokens"]),
        (&json!(" w0 w1"), &json!(2))
    );
    let whole = client.post("/generate", r#"{"inputs":"a","parameters":{"max_new_tokens":2}}"#).json();
    assert_eq!(whole["generated_text"], " w0 w1");
    let body = r#"{"text":"a","sampling_params":{"max_new_tokens":2},"stream":true}"#;
    let sglang = events(&client.post("/generate", body));
    let texts: Vec<&Value> = sglang.iter().map(|(_, data)| &data["text"]).collect();
    assert_eq!(texts, [&json!(" w0"), &json!(" w0 w1"), &Value::Null]);
    assert_eq!(sglang[1].1["meta_info"]["finish_reason"]["type"], "length");
    assert_eq!(sglang[2].1, "[DONE]");
    let whole = client.post("/generate", r#"{"text":"a","sampling_params":{"max_new_tokens":2}}"#).json();
    assert_eq!((&whole["text"], &whole["meta_info"]["completion_tokens"]), (&json!(" w0 w1"), &json!(2)));
    assert_eq!(client.post("/generate", "{}").json()["error"]["message"], "field required: inputs");
}

#[test]
fn triton_and_llama_cpp_have_their_fields() {
    let server = start(MockConfig { model: "a \"b\"".to_owned(), ..instant() });
    let mut client = Client::connect(&server);
    let body = r#"{"text_input":"a","max_tokens":2}"#;
    let triton = events(&client.post("/v2/models/ensemble/generate_stream", body));
    let texts: Vec<&Value> = triton.iter().map(|(_, data)| &data["text_output"]).collect();
    assert_eq!(texts, [" w0", " w1"]);
    assert_eq!(client.post("/v2/models/ensemble/generate", body).json()["text_output"], " w0 w1");
    let llama = events(&client.post("/completion", r#"{"prompt":"a b","n_predict":2,"stream":true}"#));
    let stops: Vec<&Value> = llama.iter().map(|(_, data)| &data["stop"]).collect();
    assert_eq!(stops, [false, false, true]);
    assert_eq!((&llama[2].1["tokens_predicted"], &llama[2].1["tokens_evaluated"]), (&json!(2), &json!(2)));
    assert_eq!(client.post("/completion", r#"{"prompt":"a","n_predict":2}"#).json()["content"], " w0 w1");
}

#[test]
fn ollama_writes_a_line_a_token() {
    let server = start(MockConfig { ttft: Delay::constant(2.0), ..with_parts() });
    let mut client = Client::connect(&server);
    let body = r#"{"messages":[{"role":"user","content":"a b"}],"options":{"num_predict":3}}"#;
    let response = client.post("/api/chat", body);
    assert!(response.head.contains("application/x-ndjson"), "{}", response.head);
    assert!(response.chunks.iter().all(|chunk| chunk.ends_with("}\n") && chunk.lines().count() == 1));
    let lines: Vec<Value> = response.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[0]["message"]["thinking"], &lines[1]["message"]["content"]),
        (&json!(" w0"), &json!(" w1"))
    );
    assert!(lines[2]["message"]["tool_calls"].is_array());
    assert_eq!((&lines[3]["eval_count"], &lines[3]["prompt_eval_duration"]), (&json!(3), &json!(2_000_000)));
    let whole = body.replace("\"options\"", "\"stream\":false,\"options\"");
    assert_eq!(client.post("/api/chat", &whole).json()["message"]["content"], " w1");
}

#[test]
fn pooling_gives_an_item_for_each_input() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    for (path, body, list, key) in [
        ("/v1/embeddings", r#"{"input":["a b","c"]}"#, "data", "embedding"),
        ("/embeddings", r#"{"input":[[1,2],[3]]}"#, "data", "embedding"),
        ("/pooling", r#"{"input":["a b","c"]}"#, "data", "data"),
        ("/v1/rerank", r#"{"query":"a","documents":["b","c"]}"#, "results", "relevance_score"),
        ("/score", r#"{"text_1":"a","text_2":["b","c"]}"#, "data", "score"),
    ] {
        let answer = client.post(path, body).json();
        let items = answer[list].as_array().unwrap();
        assert_eq!(items.len(), 2, "{path}");
        assert!(items.iter().all(|item| !item[key].is_null()), "{path}: {answer}");
        assert_eq!(answer["usage"]["prompt_tokens"], 3, "{path}");
    }
    let log = server.shutdown().unwrap().log;
    assert!(log.iter().all(|request| request.due_ns.len() == 1 && request.output_tokens == 0));
}

#[test]
fn errors_have_the_form_of_the_api() {
    let failing = |kind| {
        start(MockConfig { failures: Some(Failures { every: 1.try_into().unwrap(), kind }), ..instant() })
    };
    let (refusing, breaking) = (failing(FailureKind::Status500), failing(FailureKind::StreamError));
    for (path, body, pointer) in [
        ("/v1/messages", r#"{"messages":[],"max_tokens":4,"stream":true}"#, "/error/message"),
        ("/v1/responses", r#"{"input":"a","stream":true}"#, "/message"),
        ("/generate_stream", r#"{"inputs":"a"}"#, "/error"),
        ("/generate", r#"{"text":"a","stream":true}"#, "/error/message"),
        ("/v2/models/m/generate_stream", r#"{"text_input":"a"}"#, "/error"),
        ("/completion", r#"{"prompt":"a","stream":true}"#, "/error/message"),
        ("/api/chat", r#"{"messages":[]}"#, "/error"),
    ] {
        let refused = Client::connect(&refusing).post(path, body);
        assert_eq!(refused.status, 500, "{path}");
        let status_pointer = if path == "/v1/responses" { "/error/message" } else { pointer };
        assert!(refused.json().pointer(status_pointer).is_some_and(Value::is_string), "{path}: {refused:?}");
        let broken = Client::connect(&breaking).post(path, body);
        let told =
            events(&broken).into_iter().any(|(_, data)| data.pointer(pointer).is_some_and(Value::is_string));
        assert!(told, "{path}: {broken:?}");
    }
}

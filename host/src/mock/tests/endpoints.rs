//! What each endpoint answers.

use serde_json::json;

use super::*;

#[test]
fn health_models_and_switches_answer() {
    let server = start(MockConfig { model: "a \"b\"".to_owned(), ..instant() });
    let mut client = Client::connect(&server);
    assert_eq!(client.get("/health").status, 200);
    let models = client.get("/v1/models?x=1").json();
    assert_eq!(
        (&models["data"][0]["id"], &models["data"][0]["root"]),
        (&json!("a \"b\""), &json!("a \"b\""))
    );
    for path in
        ["/reset_prefix_cache", "/reset_mm_cache", "/reset_encoder_cache", "/start_profile", "/stop_profile"]
    {
        let response = client.post(path, "");
        assert_eq!((response.status, response.body.len()), (200, 0), "{path}");
    }
    let metrics = client.get("/metrics").text();
    assert!(metrics.contains("vllm:num_requests_running{engine=\"0\",model_name=\"a \\\"b\\\"\"} 0.0\n"));
}

#[test]
fn what_does_not_exist_is_a_json_error() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let missing = client.get("/nowhere");
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (404, &json!(404)));
    assert_eq!(client.get("/v1/completions").status, 405);
    for (path, body) in [
        ("/v1/completions", "{"),
        ("/v1/chat/completions", "{}"),
        ("/tokenize", "[]"),
        ("/detokenize", r#"{"tokens":[55296]}"#),
    ] {
        let response = client.post(path, body);
        let error = &response.json()["error"];
        assert_eq!((response.status, &error["type"]), (400, &json!("BadRequestError")), "{path}");
        assert!(error["message"].is_string());
    }
    // The connection is none the worse for it.
    assert_eq!(client.get("/health").status, 200);
    let log = server.shutdown().unwrap().log;
    let seen: Vec<u16> = log.iter().map(|request| request.status).collect();
    assert_eq!(seen, [404, 405, 400, 400, 400, 400, 200]);
}

#[test]
fn tokenize_and_detokenize_are_inverse() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let text = "a\u{e9}\u{1f600} \"\n";
    let body = json!({"model": "m", "prompt": text, "add_special_tokens": false}).to_string();
    let tokens = client.post("/tokenize", &body).json();
    assert_eq!(tokens["count"], json!(6));
    assert_eq!(tokens["tokens"][2], json!(0x1f600));
    let body = json!({"model": "m", "tokens": tokens["tokens"]}).to_string();
    assert_eq!(client.post("/detokenize", &body).json()["prompt"], json!(text));
}

#[test]
fn whole_answers_have_text_and_usage() {
    let server = start(MockConfig { max_output_tokens: 3.try_into().unwrap(), ..instant() });
    let mut client = Client::connect(&server);
    let completion = client.post("/v1/completions", r#"{"prompt":[4,5],"max_tokens":2}"#).json();
    assert_eq!(completion["id"], json!("cmpl-r"));
    assert_eq!(completion["choices"][0]["text"], json!(" w0 w1"));
    assert_eq!(completion["usage"], json!({"prompt_tokens": 2, "total_tokens": 4, "completion_tokens": 2}));
    let body = r#"{"messages":[{"role":"user","content":"x y z"}],"max_completion_tokens":99}"#;
    let chat = client.post("/v1/chat/completions", body).json();
    assert_eq!(chat["object"], json!("chat.completion"));
    assert_eq!(chat["choices"][0]["message"], json!({"role": "assistant", "content": " w0 w1 w2"}));
    assert_eq!(chat["choices"][0]["finish_reason"], json!("length"));
    assert_eq!(chat["usage"], json!({"prompt_tokens": 3, "total_tokens": 6, "completion_tokens": 3}));
}

#[test]
fn metrics_count_tokens_and_exact_repeats_until_a_reset() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let body = r#"{"prompt":"one two three","max_tokens":5}"#;
    let cache = |client: &mut Client| {
        [metric(client, "prefix_cache_queries_total"), metric(client, "prefix_cache_hits_total")]
    };
    client.post("/v1/completions", body);
    assert_eq!(cache(&mut client), [3, 0]);
    client.post("/v1/completions", body);
    assert_eq!(cache(&mut client), [6, 3]);
    client.post("/v1/completions", r#"{"prompt":"one two","max_tokens":5}"#);
    assert_eq!(cache(&mut client), [8, 3]);
    client.post("/reset_mm_cache", "");
    client.post("/v1/completions", body);
    assert_eq!(cache(&mut client), [11, 6]);
    client.post("/reset_prefix_cache", "");
    client.post("/v1/completions", body);
    assert_eq!(cache(&mut client), [14, 6]);
    assert_eq!(metric(&mut client, "prompt_tokens_total"), 14);
    assert_eq!(metric(&mut client, "generation_tokens_total"), 25);
    assert_eq!(metric(&mut client, "num_requests_running"), 0);
}

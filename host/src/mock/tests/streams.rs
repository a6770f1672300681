//! Streams: their bytes and their schedule.

use super::*;
use crate::mock::log::{Outcome, RequestLog};

#[test]
fn the_bytes_of_a_chat_are_these() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let created = client.get("/v1/models").json()["data"][0]["created"].to_string();
    let body = r#"{"messages":[{"role":"user","content":"a b"}],"max_completion_tokens":2,"stream":true,
        "stream_options":{"include_usage":true}}"#;
    client.send(post("/v1/chat/completions", "7\"", body));
    let (status, head) = client.head();
    assert_eq!(
        head,
        "HTTP/1.1 200 OK\ncontent-type: text/event-stream; charset=utf-8\ntransfer-encoding: chunked\n"
    );
    let response = client.rest(status, head);
    let envelope = format!(
        r#"data: {{"id":"chatcmpl-7\"","object":"chat.completion.chunk","created":{created},"model":"mock","choices":"#
    );
    let expected = [
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"content":" w0"},"logprobs":null,"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"content":" w1"},"logprobs":null,"finish_reason":"length","stop_reason":null}]}"#,
        r#"[],"usage":{"prompt_tokens":2,"total_tokens":4,"completion_tokens":2}}"#,
    ];
    let mut expected: Vec<String> = expected.iter().map(|rest| format!("{envelope}{rest}\n\n")).collect();
    expected.push("data: [DONE]\n\n".to_owned());
    assert_eq!(response.chunks, expected);
    assert!(response.whole);
}

#[test]
fn a_completion_stream_has_no_role_and_no_unwanted_usage() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    client.send(stream_of("r", 3));
    let response = client.response();
    assert_eq!(response.chunks.len(), 4);
    for (i, chunk) in response.chunks[..3].iter().enumerate() {
        let event: Value = serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(event["choices"][0]["text"], format!(" w{i}"));
        assert_eq!(event["choices"][0]["finish_reason"].as_str(), (i == 2).then_some("length"));
        assert!(event.get("usage").is_none());
    }
}

#[test]
fn chunk_tokens_puts_several_tokens_into_an_event() {
    let server = start(MockConfig { chunk_tokens: 4.try_into().unwrap(), ..instant() });
    let mut client = Client::connect(&server);
    client.send(stream_of("r", 10));
    let texts: Vec<String> = client.response().chunks[..3]
        .iter()
        .map(|chunk| {
            let event: Value = serde_json::from_str(&chunk[6..]).unwrap();
            event["choices"][0]["text"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(texts, [" w0 w1 w2 w3", " w4 w5 w6 w7", " w8 w9"]);
    assert_eq!(metric(&mut client, "generation_tokens_total"), 10);
    assert_eq!(server.shutdown().unwrap().events, 3);
}

fn log_of(config: MockConfig, requests: &[String]) -> Vec<RequestLog> {
    let server = start(config);
    let mut client = Client::connect(&server);
    for request in requests {
        client.send(request);
        assert!(client.response().whole);
    }
    server.shutdown().unwrap().log
}

#[test]
fn due_times_follow_the_configuration_exactly() {
    let config = MockConfig { ttft: Delay::constant(3.0), itl: Delay::constant(1.25), ..instant() };
    let whole = post("/v1/completions", "whole", r#"{"prompt":"a","max_tokens":5}"#);
    let log = log_of(config, &[stream_of("first", 5), whole]);
    let [first, whole] = log.as_slice() else { panic!("{log:?}") };
    assert_eq!(first.id.as_deref(), Some("first"));
    assert_eq!(first.admitted_ns, first.t_received_ns);
    let offsets: Vec<u64> = first.due_ns.iter().map(|due| due - first.admitted_ns).collect();
    assert_eq!(offsets, [3_000_000, 4_250_000, 5_500_000, 6_750_000, 8_000_000]);
    assert_eq!(first.sent_ns.len(), 5);
    assert!(first.due_ns.iter().zip(&first.sent_ns).all(|(due, sent)| sent >= due));
    assert_eq!(first.first_sent_ns, first.sent_ns[0]);
    assert_eq!(first.end_ns, first.sent_ns[4]);
    // An answer that is not streamed is due with its last token.
    assert_eq!(whole.due_ns, [whole.admitted_ns + 8_000_000]);
    assert!(whole.t_received_ns >= first.end_ns);
}

#[test]
fn the_same_seed_gives_the_same_schedule() {
    let schedule = |seed| {
        let config = MockConfig {
            ttft: "uniform:0,2".parse().unwrap(),
            itl: "exponential:0.5".parse().unwrap(),
            seed,
            ..instant()
        };
        let log = log_of(config, &[stream_of("a", 6), stream_of("b", 6)]);
        let offsets = |r: &RequestLog| r.due_ns.iter().map(|d| d - r.admitted_ns).collect::<Vec<_>>();
        log.iter().map(offsets).collect::<Vec<_>>()
    };
    let first = schedule(1);
    assert_eq!(first, schedule(1));
    assert_ne!(first, schedule(2));
    assert_ne!(first[0], first[1]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = start(MockConfig { ttft: Delay::constant(2.0), ..instant() });
    let mut client = Client::connect(&server);
    let wire = [stream_of("one", 3), stream_of("two", 3), "GET /health HTTP/1.1\r\n\r\n".to_owned()].concat();
    client.send(&wire);
    for id in ["one", "two"] {
        let response = client.response();
        assert!(response.whole && response.text().contains(&format!("cmpl-{id}\"")));
    }
    assert_eq!(client.response().status, 200);
    let log = server.shutdown().unwrap().log;
    let paths: Vec<&str> = log.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/completions", "/v1/completions", "/health"]);
    // The clock of the second starts when the first is over.
    assert_eq!(log[1].admitted_ns, log[0].end_ns.max(log[1].t_received_ns));
    assert_eq!(log[1].due_ns[0], log[1].admitted_ns + 2_000_000);
}

#[test]
fn old_clients_get_a_stream_that_ends_with_the_connection() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    client.send(stream_of("r", 2).replace("HTTP/1.1", "HTTP/1.0"));
    let response = client.response();
    assert!(response.head.contains("connection: close") && !response.head.contains("chunked"));
    assert!(response.text().ends_with("data: [DONE]\n\n"));
    let mut client = Client::connect(&server);
    client.send("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(client.response().head.contains("connection: close"));
    assert!(client.is_closed());
}

#[test]
fn bodies_may_be_chunked_or_announced() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    client.send("POST /tokenize HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n");
    for piece in [r#"{"prom"#, r#"pt":"ab"}"#] {
        client.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().json()["count"], 2);
    client.send("POST /tokenize HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 14\r\n\r\n");
    assert_eq!(client.head().0, 100);
    client.send(r#"{"prompt":"a"}"#);
    assert_eq!(client.response().json()["count"], 1);
}

#[test]
fn the_log_file_holds_what_the_log_holds() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = MockConfig { log_file: Some(file.path().to_owned()), ..instant() };
    let log = log_of(config, &[stream_of("a", 2), "GET /health HTTP/1.1\r\n\r\n".to_owned()]);
    let text = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], "a");
    assert_eq!(lines[0]["outcome"], "completed");
    assert_eq!(log[0].outcome, Outcome::Completed);
    assert_eq!(lines[0]["t_received_ns"], log[0].t_received_ns);
    assert_eq!(lines[0]["due_ns"], serde_json::json!(log[0].due_ns));
    assert_eq!(lines[0]["sent_ns"], serde_json::json!(log[0].sent_ns));
    assert_eq!((&lines[1]["path"], &lines[1]["id"]), (&Value::from("/health"), &Value::Null));
}

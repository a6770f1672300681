//! Failures that were asked for.

use super::*;
use crate::mock::config::{FailureKind, Failures};
use crate::mock::log::Outcome;

fn failing(kind: FailureKind, every: u64) -> MockServer {
    start(MockConfig { failures: Some(Failures { every: every.try_into().unwrap(), kind }), ..instant() })
}

/// The second of two streams of 6 tokens, and what it leaves behind.
fn second_stream(kind: FailureKind) -> (Response, Client, MockServer) {
    let server = failing(kind, 2);
    let mut client = Client::connect(&server);
    client.send(stream_of("good", 6));
    assert_eq!(client.response().chunks.len(), 7);
    client.send(stream_of("bad", 6));
    let response = client.response();
    (response, client, server)
}

fn whole(kind: FailureKind) -> Response {
    let server = failing(kind, 1);
    Client::connect(&server).post("/v1/completions", r#"{"prompt":"a","max_tokens":6}"#)
}

#[test]
fn statuses_come_at_once_and_keep_the_connection() {
    for (kind, status) in [(FailureKind::Status500, 500), (FailureKind::Status429, 429)] {
        let (response, mut client, server) = second_stream(kind);
        assert_eq!((response.status, &response.json()["error"]["code"]), (status, &Value::from(status)));
        client.send(stream_of("good", 1));
        assert_eq!(client.response().status, 200);
        let report = server.shutdown().unwrap();
        assert_eq!(report.failed, 1);
        let bad = &report.log[1];
        assert_eq!((bad.status, bad.outcome, bad.failure), (status, Outcome::Failed, Some(kind)));
        assert_eq!(bad.admitted_ns, 0);
    }
}

#[test]
fn a_truncated_answer_ends_half_way() {
    let (response, mut client, server) = second_stream(FailureKind::Truncate);
    assert_eq!((response.chunks.len(), response.whole), (3, false));
    assert!(client.is_closed());
    let log = server.shutdown().unwrap().log;
    assert_eq!((log[1].outcome, log[1].sent_ns.len()), (Outcome::Failed, 3));
    let response = whole(FailureKind::Truncate);
    assert!(!response.whole && !response.body.is_empty());
}

#[test]
fn a_reset_is_a_reset() {
    let server = failing(FailureKind::Reset, 1);
    let mut client = Client::connect(&server);
    client.send(stream_of("bad", 6));
    let error = loop {
        match client.stream.read(&mut [0; 4096]) {
            Ok(0) => panic!("closed in order"),
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let report = server.shutdown().unwrap();
    assert_eq!((report.log[0].outcome, report.events), (Outcome::Failed, 3));
}

#[test]
fn an_error_event_ends_the_stream_in_order() {
    let (response, mut client, _server) = second_stream(FailureKind::StreamError);
    assert_eq!((response.status, response.chunks.len(), response.whole), (200, 5, true));
    assert!(response.chunks[3].starts_with(r#"data: {"error":{"message":"#));
    assert_eq!(response.chunks[4], "data: [DONE]\n\n");
    assert_eq!(client.get("/health").status, 200);
    assert_eq!(whole(FailureKind::StreamError).status, 500);
}

#[test]
fn garbage_is_neither_json_nor_utf_8() {
    let (response, _client, _server) = second_stream(FailureKind::Garbage);
    assert_eq!((response.chunks.len(), response.whole), (5, true));
    assert!(std::str::from_utf8(&response.body).is_err());
    let response = whole(FailureKind::Garbage);
    assert!(response.whole && serde_json::from_slice::<Value>(&response.body).is_err());
}

#[test]
fn a_stalled_answer_says_no_more_and_keeps_its_place() {
    let server = failing(FailureKind::Stall, 1);
    let mut client = Client::connect(&server);
    client.send(stream_of("bad", 6));
    client.head();
    while !String::from_utf8_lossy(&client.buffer).contains(" w2") {
        assert!(client.fill());
    }
    let mut observer = Client::connect(&server);
    assert_eq!(metric(&mut observer, "num_requests_running"), 1);
    assert_eq!(metric(&mut observer, "generation_tokens_total"), 3);
    client.stream.set_nonblocking(true).unwrap();
    let silence = client.stream.read(&mut [0; 100]).unwrap_err();
    assert_eq!(silence.kind(), std::io::ErrorKind::WouldBlock);
    drop(client);
    while metric(&mut observer, "num_requests_running") != 0 {}
    let log = server.shutdown().unwrap().log;
    let bad = log.iter().find(|request| request.stream).unwrap();
    assert_eq!((bad.outcome, bad.sent_ns.len()), (Outcome::Failed, 3));
}

#[test]
fn a_failing_stream_fails_when_its_event_was_due() {
    let config = MockConfig {
        ttft: Delay::constant(1.0),
        itl: Delay::constant(2.0),
        failures: Some(Failures { every: 1.try_into().unwrap(), kind: FailureKind::Truncate }),
        ..MockConfig::default()
    };
    let server = start(config);
    let mut client = Client::connect(&server);
    client.send(stream_of("bad", 5));
    assert!(!client.response().whole);
    let log = server.shutdown().unwrap().log;
    let offsets: Vec<u64> = log[0].due_ns.iter().map(|due| due - log[0].admitted_ns).collect();
    assert_eq!(offsets, [1_000_000, 3_000_000]);
    assert!(log[0].end_ns >= log[0].admitted_ns + 5_000_000);
}

//! Clients that break the rules.

use std::net::Shutdown;

use super::*;
use crate::mock::http::MAX_HEAD_BYTES;
use crate::mock::log::Outcome;

#[test]
fn broken_requests_get_an_error_and_a_close() {
    let server = start(instant());
    for (wire, status) in [
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n".to_owned(), 400),
        ("POST /tokenize HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(), 400),
        ("POST /tokenize HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n".to_owned(), 413),
        (format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(2 * MAX_HEAD_BYTES)), 431),
    ] {
        let mut client = Client::connect(&server);
        client.send(wire);
        let response = client.response();
        assert_eq!(response.status, status, "{response:?}");
        assert!(client.is_closed());
    }
    let report = server.shutdown().unwrap();
    assert!(report.log.iter().all(|request| request.outcome == Outcome::Refused));
}

#[test]
fn half_requests_and_idle_connections_stop_nobody() {
    let server = start(instant());
    let mut half = Client::connect(&server);
    half.send("POST /v1/completions HTTP/1.1\r\ncontent-le");
    let _idle = Client::connect(&server);
    let mut gone = Client::connect(&server);
    gone.send("GET /hea");
    drop(gone);
    let mut other = Client::connect(&server);
    assert_eq!(other.get("/health").status, 200);
    half.send("ngth: 0\r\n\r\n");
    assert_eq!(half.response().status, 400);
    // One that has said all still gets its answer.
    half.send("GET /health HTTP/1.1\r\n\r\n");
    half.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(half.response().status, 200);
    assert!(half.is_closed());
}

#[test]
fn byte_by_byte_is_fine() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    client.stream.set_nodelay(true).unwrap();
    for byte in stream_of("slow", 2).as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.response().chunks.len(), 3);
}

#[test]
fn a_client_that_leaves_in_mid_stream_is_noticed() {
    let server = start(MockConfig { itl: "3600000".parse().unwrap(), ..instant() });
    let mut client = Client::connect(&server);
    client.send(stream_of("gone", 5));
    client.head();
    while !String::from_utf8_lossy(&client.buffer).contains(" w0") {
        assert!(client.fill());
    }
    drop(client);
    let mut observer = Client::connect(&server);
    while metric(&mut observer, "num_requests_running") != 0 {}
    let report = server.shutdown().unwrap();
    let gone = report.log.iter().find(|request| request.stream).unwrap();
    assert_eq!((gone.outcome, gone.sent_ns.len()), (Outcome::Disconnected, 1));
    assert_eq!((report.disconnected, report.events), (1, 1));
}

#[test]
fn a_client_that_does_not_read_blocks_only_itself() {
    let tokens = 200_000;
    let server = start(MockConfig { max_output_tokens: tokens.try_into().unwrap(), ..instant() });
    let mut lazy = Client::connect(&server);
    lazy.send(stream_of("lazy", tokens));
    let mut other = Client::connect(&server);
    // All tokens are generated although they find no room in the sockets.
    while metric(&mut other, "generation_tokens_total") != u64::from(tokens) {}
    assert_eq!(metric(&mut other, "num_requests_running"), 0);
    other.send(stream_of("other", 10));
    assert!(other.response().whole);
    let response = lazy.response();
    assert_eq!((response.chunks.len(), response.whole), (tokens as usize + 1, true));
    let report = server.shutdown().unwrap();
    let lazy = report.log.iter().find(|request| request.id.as_deref() == Some("lazy")).unwrap();
    assert_eq!((lazy.outcome, lazy.sent_ns.len()), (Outcome::Completed, tokens as usize));
    assert!(lazy.held_events > 0);
    assert_eq!(report.held_events, lazy.held_events);
    assert_eq!(report.lateness.count, report.events - report.held_events);
}

#[test]
fn a_flood_of_pipelined_requests_is_answered_in_full() {
    let server = start(instant());
    let mut client = Client::connect(&server);
    let mut writer = client.stream.try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        for _ in 0..200 {
            writer.write_all("GET /metrics HTTP/1.1\r\n\r\n".repeat(50).as_bytes()).unwrap();
        }
    });
    for _ in 0..10_000 {
        assert_eq!(client.response().status, 200);
    }
    flood.join().unwrap();
    assert_eq!(server.shutdown().unwrap().requests, 10_000);
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let server = start(instant());
    let port = server.address().port();
    let error = MockServer::start(MockConfig { port, ..instant() }).unwrap_err();
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert_eq!(server.url(), format!("http://127.0.0.1:{port}"));
}

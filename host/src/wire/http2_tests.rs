//! Against an HTTP/2 server that is not ours.

use std::net::TcpListener as StdListener;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::exchange::{Arrival, Dispatch, Outgoing, Slots};
use super::general::GeneralOptions;
use super::target::Target;
use super::{Ending, Wire, WireOptions};
use crate::record::FailureClass;

const EVENTS: [&str; 3] = ["data: one\n\n", "data: two\n\n", "data: [DONE]\n\n"];

/// What a server saw: path, `x-request-id`, body.
type Seen = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

/// A server on a thread of its own; gives its port. Connections are counted in `seen`
/// only by what they asked for.
fn server(tls: bool, seen: &Seen) -> u16 {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let seen = Arc::clone(seen);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            let acceptor = tls.then(|| TlsAcceptor::from(Arc::new(tls_config())));
            while let Ok((socket, _)) = listener.accept().await {
                let (seen, acceptor) = (Arc::clone(&seen), acceptor.clone());
                tokio::spawn(async move {
                    match acceptor {
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(socket).await {
                                answer(stream, seen).await;
                            }
                        }
                        None => answer(socket, seen).await,
                    }
                });
            }
        });
    });
    port
}

fn tls_config() -> rustls::ServerConfig {
    let cert =
        CertificateDer::from_pem_slice(include_bytes!("../../../tests/fixtures/tls/cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/fixtures/tls/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Three events a request, each in a frame of its own; a path `/reset` gets a reset after the first.
async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, seen: Seen) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        let seen = Arc::clone(&seen);
        tokio::spawn(async move {
            let (head, mut body) = request.into_parts();
            let mut bytes = Vec::new();
            while let Some(Ok(chunk)) = body.data().await {
                bytes.extend_from_slice(&chunk);
                let _ = body.flow_control().release_capacity(chunk.len());
            }
            let id = head.headers.get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
            let path = head.uri.path().to_owned();
            let reset = path == "/reset";
            seen.lock().unwrap().push((path, id.unwrap_or_default(), bytes));
            let mut send = respond.send_response(http::Response::new(()), false).unwrap();
            for (at, event) in EVENTS.iter().enumerate() {
                let last = at + 1 == EVENTS.len();
                send.send_data(Bytes::from_static(event.as_bytes()), last).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
                if reset {
                    send.send_reset(h2::Reason::INTERNAL_ERROR);
                    return;
                }
            }
        });
    }
}

/// Sends that many requests to a path and gives their ends with bodies put together.
fn exchange(url: &str, path: &str, count: u32) -> Vec<(Ending, Vec<u8>)> {
    let general = Some(GeneralOptions { base_url: url.to_owned(), http2: true, insecure: true });
    let options = WireOptions { threads: 1, request_timeout: Duration::from_secs(20), general };
    let (out, arrivals) = channel();
    let target = Arc::new(Target::resolve(url, true).unwrap());
    let wire = Wire::start(target, &options, out).unwrap();
    let slots = Arc::new(Slots::new(None));
    for index in 0..count {
        let request = Outgoing {
            method: "POST".into(),
            path: path.into(),
            headers: vec![("x-request-id".into(), format!("r-{index}"))],
            body: Bytes::from(format!("body {index}")).into(),
        };
        let dispatch =
            Dispatch { index, scheduled_ns: 1, released_ns: 1, request, slots: Arc::clone(&slots) };
        wire.submit(slots.enter(dispatch).expect("there is no cap"));
    }
    let mut ended = Vec::new();
    while ended.len() < count as usize {
        for arrival in arrivals.recv_timeout(Duration::from_secs(20)).expect("all requests end") {
            if let Arrival::End(ending) = arrival {
                let body = ending.capture.bytes.to_vec();
                ended.push((*ending, body));
            }
        }
    }
    wire.stop();
    ended.sort_by_key(|(ending, _)| ending.index);
    ended
}

fn requests_and_answers(tls: bool) {
    let seen = Seen::default();
    let port = server(tls, &seen);
    let scheme = if tls { "https" } else { "http" };
    let ended = exchange(&format!("{scheme}://localhost:{port}"), "/v1/completions", 20);
    for (ending, body) in ended {
        assert_eq!(ending.failure, None);
        assert_eq!(body, EVENTS.concat().as_bytes());
        assert!(ending.stamps.started_ns <= ending.stamps.headers_ns);
        assert!(ending.stamps.headers_ns <= ending.stamps.end_ns);
        assert!(!ending.capture.reads.is_empty());
        assert_eq!(ending.head.unwrap().status, 200);
    }
    let mut seen = seen.lock().unwrap().clone();
    seen.sort_by_key(|(_, id, _)| id[2..].parse::<u32>().unwrap());
    for (index, request) in seen.iter().enumerate() {
        let expected =
            ("/v1/completions".to_owned(), format!("r-{index}"), format!("body {index}").into_bytes());
        assert_eq!(*request, expected);
    }
}

#[test]
fn with_prior_knowledge() {
    requests_and_answers(false);
}

#[test]
fn over_tls() {
    requests_and_answers(true);
}

#[test]
fn a_reset_stream_fails_its_request_and_keeps_what_came() {
    let seen = Seen::default();
    let port = server(false, &seen);
    let ended = exchange(&format!("http://127.0.0.1:{port}"), "/reset", 2);
    for (ending, body) in ended {
        let failure = ending.failure.unwrap();
        assert_eq!(failure.class, FailureClass::Protocol);
        assert_eq!(body, EVENTS[0].as_bytes(), "{}", failure.message);
    }
}

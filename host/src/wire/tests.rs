//! The wire over real sockets, against servers that do what they are told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::record::FailureClass;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that hands every connection, with its number, to `serve`.
fn server(serve: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(number, stream.unwrap()));
        }
    });
    format!("http://{address}")
}

/// Reads one request off a connection; none if the peer has closed it.
fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |value| value.parse::<usize>().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

struct Client {
    wire: Wire,
    arrivals: Receiver<Vec<Arrival>>,
    slots: Arc<Slots>,
}

impl Client {
    fn new(url: &str, cap: Option<usize>, timeout: Duration) -> Self {
        Self::with(url, cap, WireOptions { threads: 1, request_timeout: timeout, general: None })
    }

    fn with(url: &str, cap: Option<usize>, options: WireOptions) -> Self {
        let (out, arrivals) = channel();
        let target = Arc::new(Target::resolve(url, false).unwrap());
        let wire = Wire::start(target, &options, out).unwrap();
        Self { wire, arrivals, slots: Arc::new(Slots::new(cap)) }
    }

    fn send(&self, index: u32, body: impl Into<Bytes>) {
        let request = Outgoing {
            method: "POST".into(),
            path: "/v1/x".into(),
            headers: vec![("x-request-id".into(), format!("r-{index}"))],
            body: body.into().into(),
        };
        let slots = Arc::clone(&self.slots);
        let dispatch = Dispatch { index, scheduled_ns: 1, released_ns: 1, request, slots };
        if let Some(dispatch) = self.slots.enter(dispatch) {
            self.wire.submit(dispatch);
        }
    }

    /// The endings of `count` requests by index, bodies put together.
    fn endings(&self, count: usize) -> Vec<(Ending, Vec<u8>)> {
        let mut parts: std::collections::BTreeMap<u32, Vec<u8>> = std::collections::BTreeMap::new();
        let mut ended = Vec::new();
        while ended.len() < count {
            for arrival in self.arrivals.recv_timeout(Duration::from_secs(20)).expect("all requests end") {
                match arrival {
                    Arrival::Body { index, status, capture } => {
                        assert_eq!(status, 200);
                        assert_eq!(capture.reads.last().unwrap().end as usize, capture.bytes.len());
                        parts.entry(index).or_default().extend(capture.bytes);
                    }
                    Arrival::End(ending) => ended.push(*ending),
                }
            }
        }
        ended.sort_by_key(|ending| ending.index);
        ended
            .into_iter()
            .map(|ending| {
                let mut body = parts.remove(&ending.index).unwrap_or_default();
                body.extend(&ending.capture.bytes);
                (ending, body)
            })
            .collect()
    }
}

fn failure_of(ending: &Ending) -> (FailureClass, &str) {
    let failure = ending.failure.as_ref().expect("the request fails");
    (failure.class, &failure.message)
}

#[test]
fn a_kept_connection_carries_the_next_request() {
    let url = server(|number, mut stream| {
        while let Some(request) = read_request(&mut stream) {
            assert!(request.starts_with("POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
            assert!(request.contains("\r\nx-request-id: r-"), "{request}");
            let body = format!("{number}");
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{body}").unwrap();
        }
    });
    let client = Client::new(&url, Some(1), Duration::from_secs(10));
    for index in 0..5 {
        client.send(index, "{}");
    }
    let endings = client.endings(5);
    assert!(endings.iter().all(|(ending, body)| ending.failure.is_none() && body == b"0"));
    for pair in endings.windows(2) {
        assert!(pair[0].0.stamps.end_ns <= pair[1].0.stamps.started_ns, "a cap of one is one at a time");
    }
    let stamps = endings[0].0.stamps;
    assert!(stamps.started_ns <= stamps.sent_ns && stamps.sent_ns <= stamps.headers_ns);
    assert!(stamps.headers_ns <= stamps.end_ns);
    assert_eq!(client.wire.stop().len(), 1);
}

#[test]
fn long_bodies_both_ways_arrive_whole() {
    let url = server(|_, mut stream| {
        let request = read_request(&mut stream).unwrap();
        let sent = request.len();
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        for piece in 0..200 {
            let data = vec![b'a' + (piece % 26) as u8; 1000 + piece];
            write!(stream, "{:x}\r\n", data.len()).unwrap();
            stream.write_all(&data).unwrap();
            stream.write_all(b"\r\n").unwrap();
        }
        write!(stream, "5\r\n{sent:>5}\r\n0\r\n\r\n").unwrap();
        read_request(&mut stream);
    });
    let client = Client::new(&url, None, Duration::from_secs(10));
    client.send(0, vec![b'x'; 90_000]);
    let (ending, body) = client.endings(1).remove(0);
    assert_eq!(ending.failure, None);
    let expected: usize = (0..200).map(|piece| 1000 + piece).sum::<usize>() + 5;
    assert_eq!(body.len(), expected);
    assert_eq!(String::from_utf8_lossy(&body[body.len() - 5..]).trim(), ending.bytes_out.to_string());
    assert!(ending.bytes_out > 90_000 && ending.bytes_in > expected as u64);
}

#[test]
fn a_connection_that_dies_while_idle_does_not_fail_the_next_request() {
    let url = server(|number, mut stream| {
        read_request(&mut stream).unwrap();
        stream.write_all(OK).unwrap();
        if number == 0 {
            // Says nothing of closing, takes the next request, and closes.
            read_request(&mut stream);
        } else {
            while read_request(&mut stream).is_some() {
                stream.write_all(OK).unwrap();
            }
        }
    });
    let client = Client::new(&url, Some(1), Duration::from_secs(10));
    client.send(0, "1");
    client.send(1, "2");
    assert!(client.endings(2).iter().all(|(ending, body)| ending.failure.is_none() && body == b"ok"));
}

#[test]
fn failures_have_their_class() {
    let url = server(|_, mut stream| {
        let request = read_request(&mut stream).unwrap();
        match request.rsplit("\r\n\r\n").next().unwrap() {
            "garbage" => stream.write_all(b"\x16\x03\x01 not http at all\r\n\r\n").unwrap(),
            "cut" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").unwrap(),
            "brotli" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\n\r\n").unwrap(),
            "stall" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").unwrap();
                read_request(&mut stream);
            }
            "close" => {}
            other => panic!("{other}"),
        }
    });
    let client = Client::new(&url, None, Duration::from_millis(700));
    for (index, body) in ["garbage", "cut", "brotli", "stall", "close"].into_iter().enumerate() {
        client.send(index as u32, body);
    }
    let endings = client.endings(5);
    let (class, message) = failure_of(&endings[0].0);
    assert!(class == FailureClass::Protocol && message.contains("not HTTP/1.1"), "{message}");
    let (class, message) = failure_of(&endings[1].0);
    assert!(
        class == FailureClass::Protocol && message.contains("before the response was complete"),
        "{message}"
    );
    assert_eq!(endings[1].1, b"half", "what came is kept");
    assert!(failure_of(&endings[2].0).1.contains("compressed"));
    let (class, message) = failure_of(&endings[3].0);
    assert!(class == FailureClass::Timeout && message.contains("--request-timeout-sec"), "{message}");
    assert!(failure_of(&endings[4].0).1.contains("before a response came"));
}

#[test]
fn nobody_listening_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(&url, Some(1), Duration::from_secs(10));
    client.send(0, "");
    client.send(1, "");
    for (ending, _) in client.endings(2) {
        let (class, message) = failure_of(&ending);
        assert_eq!(class, FailureClass::Connect);
        assert!(message.contains("cannot connect to 127.0.0.1:") && message.contains("refused"), "{message}");
    }
}

#[test]
fn an_abort_ends_what_runs_and_what_waits() {
    let url = server(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n").unwrap();
        read_request(&mut stream);
    });
    let client = Client::new(&url, Some(2), Duration::from_secs(10));
    for index in 0..6 {
        client.send(index, "");
    }
    // Whether or not the first two have been sent by now, all six have to end.
    client.wire.abort();
    let endings = client.endings(6);
    assert!(endings.iter().all(|(ending, _)| failure_of(ending).0 == FailureClass::Interrupted));
    assert!(endings[2..].iter().all(|(ending, _)| ending.stamps.started_ns == 0));
}

#[test]
fn http_2_and_proxies_keep_the_same_promises() {
    let url = server(|_, mut stream| {
        while read_request(&mut stream).is_some() {
            stream.write_all(OK).unwrap();
        }
    });
    let general = Some(general::GeneralOptions { base_url: url.clone(), http2: false, insecure: false });
    let options = WireOptions { threads: 1, request_timeout: Duration::from_secs(10), general };
    let client = Client::with(&url, Some(1), options);
    for index in 0..3 {
        client.send(index, "{}");
    }
    for (ending, body) in client.endings(3) {
        assert_eq!((ending.failure, body.as_slice()), (None, b"ok".as_slice()));
        assert!(ending.stamps.started_ns <= ending.stamps.headers_ns);
    }
    client.wire.stop();
}

/// What a connection does under TLS with a certificate that nobody has signed.
fn tls_server() -> String {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let cert =
        CertificateDer::from_pem_slice(include_bytes!("../../../tests/fixtures/tls/cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/fixtures/tls/key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    let config = Arc::new(config);
    let url = server(move |_, mut stream| {
        let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = rustls::Stream::new(&mut session, &mut stream);
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = tls.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
            if bytes.ends_with(b"the body") {
                bytes.clear();
                tls.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
                for _ in 0..50 {
                    tls.write_all(format!("3e8\r\n{}\r\n", "x".repeat(1000)).as_bytes()).unwrap();
                }
                tls.write_all(b"0\r\n\r\n").unwrap();
            }
        }
    });
    url.replace("http:", "https:")
}

#[test]
fn tls_carries_exchanges_and_certificates_count() {
    let url = tls_server();
    let send = |insecure: bool| {
        let (out, arrivals) = channel();
        let target = Arc::new(Target::resolve(&url, insecure).unwrap());
        let options = WireOptions { threads: 1, request_timeout: Duration::from_secs(10), general: None };
        let wire = Wire::start(target, &options, out).unwrap();
        let client = Client { wire, arrivals, slots: Arc::new(Slots::new(Some(1))) };
        client.send(0, "the body");
        client.send(1, "the body");
        client.endings(2)
    };
    for (ending, body) in send(true) {
        assert_eq!((ending.failure, body.len()), (None, 50_000));
        assert!(ending.stamps.sent_ns >= ending.stamps.started_ns);
    }
    for (ending, _) in send(false) {
        let (class, message) = failure_of(&ending);
        assert_eq!(class, FailureClass::Tls, "{message}");
        assert!(message.contains("certificate"), "{message}");
    }
}

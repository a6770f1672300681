//! The server through real sockets.

mod apis;
mod batching;
mod endpoints;
mod failures;
mod robustness;
mod streams;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::config::MockConfig;
use super::delay::Delay;
use super::server::MockServer;

/// A server without delays.
fn instant() -> MockConfig {
    MockConfig { ttft: Delay::constant(0.0), itl: Delay::constant(0.0), ..MockConfig::default() }
}

fn start(config: MockConfig) -> MockServer {
    MockServer::start(config).unwrap()
}

/// A client that shows every byte.
struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    /// Decoded.
    body: Vec<u8>,
    /// Data of each chunk, if chunked.
    chunks: Vec<String>,
    /// Whether the body ended as its framing says.
    whole: bool,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    fn connect(server: &MockServer) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        // Turns a defect into a failed test instead of a test that hangs.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        self.response()
    }

    fn post(&mut self, path: &str, body: &str) -> Response {
        self.send(post(path, "r", body));
        self.response()
    }

    /// Reads more. False at the end of the stream or on a reset.
    fn fill(&mut self) -> bool {
        let mut scratch = [0; 65536];
        match self.stream.read(&mut scratch) {
            Ok(count) => {
                self.buffer.extend_from_slice(&scratch[..count]);
                count > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// Cuts off the first `count` bytes, as many as there are until the end.
    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill() {}
        let count = count.min(self.buffer.len());
        self.buffer.drain(..count).collect()
    }

    fn take_line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                return String::from_utf8(self.take(end + 1)).unwrap().trim_end().to_owned();
            }
            if !self.fill() {
                return String::new();
            }
        }
    }

    fn head(&mut self) -> (u16, String) {
        let mut head = String::new();
        loop {
            let line = self.take_line();
            if line.is_empty() {
                break;
            }
            head += &line;
            head.push('\n');
        }
        (head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), head)
    }

    fn response(&mut self) -> Response {
        let (status, head) = self.head();
        self.rest(status, head)
    }

    /// The body behind a head that was read.
    fn rest(&mut self, status: u16, head: String) -> Response {
        let (mut body, mut chunks, mut whole) = (Vec::new(), Vec::new(), true);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if head.contains("transfer-encoding: chunked") {
            loop {
                let size = self.take_line();
                let Ok(size) = usize::from_str_radix(&size, 16) else {
                    whole = false;
                    break;
                };
                let chunk = self.take(size);
                let end = self.take(2);
                whole = chunk.len() == size && end == b"\r\n";
                if size == 0 || !whole {
                    break;
                }
                body.extend_from_slice(&chunk);
                chunks.push(String::from_utf8_lossy(&chunk).into_owned());
            }
        } else if let Some(length) = length {
            let length = length.parse().unwrap();
            body = self.take(length);
            whole = body.len() == length;
        } else {
            while self.fill() {}
            body = std::mem::take(&mut self.buffer);
        }
        Response { status, head, body, chunks, whole }
    }

    /// Whether the server closes the connection without another byte.
    fn is_closed(&mut self) -> bool {
        self.take(1).is_empty()
    }
}

fn post(path: &str, id: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nx-request-id: {id}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// A streamed completion of `tokens` tokens.
fn stream_of(id: &str, tokens: u32) -> String {
    post(
        "/v1/completions",
        id,
        &format!(r#"{{"model":"mock","prompt":"a b c","max_tokens":{tokens},"stream":true}}"#),
    )
}

/// The value of a metric.
fn metric(client: &mut Client, name: &str) -> u64 {
    let text = client.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(&format!("vllm:{name}{{"))).unwrap().to_owned();
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}

//! A server that plays a scenario and records what it was sent.
//!
//! The scenario is a JSON object; absent keys have defaults:
//!
//! - `gen`: how streams of tokens look: `max_chunks`, `chunks_per_request`,
//!   `ttft_ms` and `itl_ms` (lists, taken in turn), `usage`
//!   (`{on: own|last|none, fields}`), `fail_idx`, `server_metrics`,
//!   `completion_tokens` (`chunks` or as wanted), `role_chunk`, `done`.
//! - `scripts`: instead of that, request k gets script k modulo their number:
//!   `status`, `reason`, `ctype`, `headers`, and `steps` of `["w", text]`,
//!   `["b64", bytes]`, `["s", milliseconds]` and `["abort"]`.
//! - `pool`: `delay_ms`, `usage` of pooling endpoints.
//! - `metrics`: successive texts of `/metrics`; `models`: the answer of
//!   `/v1/models`; `tokenize`: `chars_per_token`, `fail_every`.
//! - `status`: status by path, answered without a body.
//!
//! The number of a request is what its `x-request-id` ends in, else its number
//! in order of arrival.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::request_body;

/// Headers that say nothing about the client's rules.
const NOT_RECORDED: [&str; 8] = [
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "content-length",
    "transfer-encoding",
];

/// The server. Its threads end with their connections.
pub struct RecordingServer {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    scenario: Value,
    log: Mutex<Vec<Value>>,
    counts: Mutex<HashMap<&'static str, usize>>,
}

impl RecordingServer {
    /// Starts a server on a free port.
    pub fn start(scenario: Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its port").port();
        let state = Arc::new(State { scenario, log: Mutex::default(), counts: Mutex::default() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that went away is no failure of the server.
                thread::spawn(move || serve(&state, stream).ok());
            }
        });
        Self { port, state }
    }

    /// Base URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Requests so far to this path.
    pub fn seen(&self, path: &str) -> usize {
        let log = self.state.log.lock().expect("no thread panics with it");
        log.iter().filter(|request| request["path"] == path).count()
    }

    /// Takes what was recorded, in order of arrival, and starts anew.
    pub fn take_log(&self) -> Vec<Value> {
        self.state.counts.lock().expect("no thread panics with it").clear();
        std::mem::take(&mut *self.state.log.lock().expect("no thread panics with it"))
    }
}

/// A request as it came.
struct Request {
    method: String,
    /// With query.
    path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn serve(state: &State, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut wire = Wire { stream };
    while let Some(request) = read_request(&mut reader)? {
        if !answer(state, &request, &mut wire)? {
            return Ok(());
        }
    }
    Ok(())
}

fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Request>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = words.next().zip(words.next()).ok_or_else(|| bad("request line"))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    if request.header("transfer-encoding").is_some() {
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let size = usize::from_str_radix(line.trim(), 16).map_err(|_| bad("chunk size"))?;
            let from = request.body.len();
            request.body.resize(from + size, 0);
            reader.read_exact(&mut request.body[from..])?;
            line.clear();
            reader.read_line(&mut line)?;
            if size == 0 {
                break;
            }
        }
    } else if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().map_err(|_| bad("content-length"))?];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

/// Records a request. Returns the fields of its body.
fn record(state: &State, request: &Request) -> Value {
    let mut headers: Map<String, Value> = request
        .headers
        .iter()
        .filter(|(name, _)| !NOT_RECORDED.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    let content_type = request.header("content-type").unwrap_or_default();
    let mut entry = json!({"method": request.method, "path": request.path});
    let mut fields = Value::Null;
    if let Some(boundary) = request_body::boundary(content_type) {
        let parts = request_body::parts(&request.body, boundary);
        headers.insert("content-type".to_owned(), Value::from("multipart/form-data; boundary=*"));
        let named = |part: &Value| Some((part["name"].as_str()?.to_owned(), part["value"].clone()));
        fields = parts.iter().filter_map(named).collect::<Map<_, _>>().into();
        entry["multipart"] = parts.into();
    } else if !request.body.is_empty() {
        match serde_json::from_slice::<Value>(&request.body) {
            Ok(body) => {
                entry["json"] = request_body::without_payloads(&body);
                fields = body;
            }
            Err(_) => entry["raw"] = String::from_utf8_lossy(&request.body).into(),
        }
    }
    entry["headers"] = headers.into();
    state.log.lock().expect("no thread panics with it").push(entry);
    fields
}

impl State {
    /// How often this was counted before.
    fn count(&self, what: &'static str) -> usize {
        let mut counts = self.counts.lock().expect("no thread panics with it");
        let count = counts.entry(what).or_default();
        *count += 1;
        *count - 1
    }

    fn script(&self, index: usize) -> Option<&Value> {
        let scripts = self.scenario["scripts"].as_array().filter(|scripts| !scripts.is_empty())?;
        scripts.get(index % scripts.len())
    }

    /// The number of a request; `what` counts those without an id.
    fn index(&self, what: &'static str, request: &Request) -> usize {
        let seen = self.count(what);
        let id = request.header("x-request-id").unwrap_or_default();
        id[id.trim_end_matches(|c: char| c.is_ascii_digit()).len()..].parse().unwrap_or(seen)
    }
}

/// Answers; false if the connection is to be closed.
fn answer(state: &State, request: &Request, wire: &mut Wire) -> io::Result<bool> {
    let fields = record(state, request);
    let scenario = &state.scenario;
    let path = request.path.split('?').next().unwrap_or_default();
    if let Some(status) = scenario["status"][path].as_u64() {
        return wire.empty(status);
    }
    match path {
        "/metrics" => match scenario["metrics"].as_array().filter(|texts| !texts.is_empty()) {
            None => wire.empty(404),
            Some(texts) => {
                let text = &texts[state.count("metrics").min(texts.len() - 1)];
                wire.whole(200, "text/plain", &[], text.as_str().unwrap_or_default().as_bytes())
            }
        },
        "/v1/models" if scenario["models"].is_null() => wire.json(&json!({"object": "list", "data": [
            {"id": "served-model", "root": "tokenizers/bpe"}, {"id": "other", "root": "x"}]})),
        "/v1/models" => wire.json(&scenario["models"]),
        "/tokenize" | "/detokenize" if scenario["tokenize"].is_null() => wire.empty(404),
        "/tokenize" => {
            if let Some(every) = scenario["tokenize"]["fail_every"].as_u64().filter(|every| *every > 0)
                && state.count("tokenize") as u64 % every == every - 1
            {
                return wire.empty(500);
            }
            let size = scenario["tokenize"]["chars_per_token"].as_u64().unwrap_or(2) as usize;
            let tokens = tokenize(fields["prompt"].as_str().unwrap_or_default(), size);
            wire.json(&json!({"count": tokens.len(), "tokens": tokens}))
        }
        "/detokenize" => {
            let tokens = fields["tokens"].as_array().into_iter().flatten().filter_map(Value::as_u64);
            wire.json(&json!({"prompt": tokens.flat_map(detokenize).collect::<String>()}))
        }
        _ if path.ends_with("/chat/completions") => generate(state, request, &fields, Format::Chat, wire),
        _ if path.ends_with("/completions") => generate(state, request, &fields, Format::Completions, wire),
        _ if path.ends_with("/responses") => generate(state, request, &fields, Format::Responses, wire),
        _ if path.ends_with("/transcriptions") || path.ends_with("/translations") => {
            generate(state, request, &fields, Format::Chat, wire)
        }
        _ if path.ends_with("/embeddings") || path.ends_with("/pooling") || path.ends_with("/rerank") => {
            pool(state, request, &fields, wire)
        }
        _ => match state.script(0) {
            Some(script) => wire.script(script),
            None => wire.json(&json!({})),
        },
    }
}

/// One more than the last code point.
const CODE_POINTS: u64 = 0x11_0000;

/// One token for `size` (1 or 2) characters: their number in base 0x110000.
fn tokenize(text: &str, size: usize) -> Vec<u64> {
    let characters: Vec<u64> = text.chars().map(u64::from).collect();
    characters
        .chunks(size.clamp(1, 2))
        .map(|chunk| match *chunk {
            [first, second] => (first + 1) * CODE_POINTS + second,
            _ => chunk[0],
        })
        .collect()
}

fn detokenize(token: u64) -> impl Iterator<Item = char> {
    let first = (token / CODE_POINTS).checked_sub(1);
    let characters = [first, Some(token % CODE_POINTS)];
    characters.into_iter().flatten().filter_map(|point| char::from_u32(point as u32))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Chat,
    Completions,
    Responses,
}

/// The item of a list whose turn it is, 0 if there is no list.
fn in_turn(list: &Value, index: usize) -> u64 {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() { 0 } else { list[index % list.len()].as_u64().unwrap_or(0) }
}

fn sleep_ms(milliseconds: u64) {
    if milliseconds > 0 {
        thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// What a request of that number cost to read.
fn prompt_tokens(index: usize) -> usize {
    11 + (index * 7) % 13
}

fn generate(
    state: &State,
    request: &Request,
    fields: &Value,
    format: Format,
    wire: &mut Wire,
) -> io::Result<bool> {
    let index = state.index("generation", request);
    if let Some(script) = state.script(index) {
        return wire.script(script);
    }
    let plan = &state.scenario["gen"];
    let wanted = ["max_tokens", "max_completion_tokens", "max_output_tokens"]
        .iter()
        .find_map(|key| {
            fields[*key].as_u64().or_else(|| fields[*key].as_str()?.parse().ok()).filter(|n| *n > 0)
        })
        .unwrap_or(1);
    let mut chunks = wanted.min(plan["max_chunks"].as_u64().unwrap_or(8)).max(1);
    if plan["chunks_per_request"].is_array() {
        chunks = in_turn(&plan["chunks_per_request"], index);
    }
    let chunks = chunks as usize;
    if plan["fail_idx"].as_array().is_some_and(|failing| failing.contains(&json!(index))) {
        let body = json!({"error": {"message": "mock failure", "code": 500}}).to_string();
        return wire.whole(500, "application/json", &[], body.as_bytes());
    }
    let told = match &plan["usage"] {
        Value::Null => json!({"on": "own", "fields": ["completion_tokens"]}),
        told => told.clone(),
    };
    let completion = if plan["completion_tokens"].as_str().unwrap_or("chunks") == "chunks" {
        chunks
    } else {
        wanted as usize
    };
    let has = |field: &str| told["fields"].as_array().is_some_and(|fields| fields.contains(&json!(field)));
    let mut usage = Map::new();
    if has("prompt_tokens") {
        usage.insert("prompt_tokens".to_owned(), json!(prompt_tokens(index)));
    }
    if has("completion_tokens") {
        usage.insert("completion_tokens".to_owned(), json!(completion));
    }
    if has("total_tokens") {
        let prompt = if has("prompt_tokens") { prompt_tokens(index) } else { 0 };
        usage.insert("total_tokens".to_owned(), json!(completion + prompt));
    }

    wire.start(200, "OK", "text/event-stream; charset=utf-8", &[])?;
    sleep_ms(in_turn(&plan["ttft_ms"], index));
    let pause = |at: usize| {
        if at > 0 {
            sleep_ms(in_turn(&plan["itl_ms"], index + at))
        }
    };
    if format == Format::Responses {
        wire.event(Some("response.created"), &json!({"type": "response.created", "response": {"id": "r"}}))?;
        for at in 0..chunks {
            pause(at);
            let delta = json!({"type": "response.output_text.delta", "delta": format!(" w{at}")});
            wire.event(Some("response.output_text.delta"), &delta)?;
        }
        let mut renamed = Map::new();
        for (from, to) in [("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")] {
            if let Some(tokens) = usage.get(from) {
                renamed.insert(to.to_owned(), tokens.clone());
            }
        }
        let usage = if renamed.is_empty() { Value::Null } else { renamed.into() };
        let completed =
            json!({"type": "response.completed", "response": {"status": "completed", "usage": usage}});
        wire.event(Some("response.completed"), &completed)?;
        return wire.finish();
    }
    let choice = |text: String, reason: Option<&str>| match format {
        Format::Completions => json!({"index": 0, "text": text, "finish_reason": reason}),
        _ => json!({"index": 0, "delta": {"content": text}, "finish_reason": reason}),
    };
    if format == Format::Chat && plan["role_chunk"].as_bool().unwrap_or(true) {
        let delta = json!({"role": "assistant", "content": ""});
        wire.event(None, &json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))?;
    }
    let when = told["on"].as_str().unwrap_or("none");
    for at in 0..chunks {
        pause(at);
        let last = at == chunks - 1;
        let mut event = json!({"id": "x", "choices": [choice(format!(" w{at}"), last.then_some("length"))]});
        if last && when == "last" {
            event["usage"] = usage.clone().into();
        }
        wire.event(None, &event)?;
    }
    if when == "own" {
        let mut event = json!({"id": "x", "choices": [], "usage": usage});
        if plan["server_metrics"].as_bool().unwrap_or(false) {
            event["metrics"] =
                json!({"queue_time_ms": 1.5 + index as f64, "time_to_first_token_ms": 20 + index});
        }
        wire.event(None, &event)?;
    }
    if plan["done"].as_bool().unwrap_or(true) {
        wire.chunk(b"data: [DONE]\n\n")?;
    }
    wire.finish()
}

fn pool(state: &State, request: &Request, fields: &Value, wire: &mut Wire) -> io::Result<bool> {
    let index = state.index("pooling", request);
    if let Some(script) = state.script(index) {
        return wire.script(script);
    }
    let plan = &state.scenario["pool"];
    sleep_ms(in_turn(&plan["delay_ms"], index));
    let usage = json!({"prompt_tokens": prompt_tokens(index), "total_tokens": prompt_tokens(index)});
    if let Some(encoding @ ("bytes" | "bytes_only")) = fields["encoding_format"].as_str() {
        let metadata = ("metadata".to_owned(), json!({"usage": usage}).to_string());
        let headers: &[_] = if encoding == "bytes" { &[metadata] } else { &[] };
        return wire.whole(200, "application/octet-stream", headers, &[0; 64]);
    }
    let mut body = if request.path.ends_with("/rerank") {
        json!({"results": [{"index": 0, "relevance_score": 0.5}]})
    } else {
        json!({"object": "list", "data": [{"index": 0, "embedding": [0.0, 1.0]}]})
    };
    if plan["usage"].as_bool().unwrap_or(true) {
        body["usage"] = usage;
    }
    wire.json(&body)
}

/// The server's side of a connection. What answers returns false if the
/// connection is closed.
struct Wire {
    stream: TcpStream,
}

impl Wire {
    fn head(
        &mut self,
        status: u64,
        reason: &str,
        content_type: &str,
        headers: &[(String, String)],
        length: &str,
    ) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("{length}\r\n\r\n");
        self.stream.write_all(head.as_bytes())
    }

    fn whole(
        &mut self,
        status: u64,
        content_type: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> io::Result<bool> {
        let reason = match status {
            200 => "OK",
            404 => "Not Found",
            500 => "Internal Server Error",
            _ => "Status",
        };
        self.head(status, reason, content_type, headers, &format!("content-length: {}", body.len()))?;
        self.stream.write_all(body)?;
        Ok(true)
    }

    fn empty(&mut self, status: u64) -> io::Result<bool> {
        self.whole(status, "text/plain", &[], b"")
    }

    fn json(&mut self, body: &Value) -> io::Result<bool> {
        self.whole(200, "application/json", &[], body.to_string().as_bytes())
    }

    fn start(
        &mut self,
        status: u64,
        reason: &str,
        content_type: &str,
        headers: &[(String, String)],
    ) -> io::Result<()> {
        self.head(status, reason, content_type, headers, "transfer-encoding: chunked")
    }

    fn chunk(&mut self, data: &[u8]) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend(data);
        chunk.extend(b"\r\n");
        self.stream.write_all(&chunk)
    }

    fn event(&mut self, name: Option<&str>, data: &Value) -> io::Result<()> {
        let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
        self.chunk(format!("{name}data: {data}\n\n").as_bytes())
    }

    fn finish(&mut self) -> io::Result<bool> {
        self.stream.write_all(b"0\r\n\r\n")?;
        Ok(true)
    }

    fn script(&mut self, script: &Value) -> io::Result<bool> {
        let headers: Vec<(String, String)> = script["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        self.start(
            script["status"].as_u64().unwrap_or(200),
            script["reason"].as_str().unwrap_or("OK"),
            script["ctype"].as_str().unwrap_or("text/event-stream"),
            &headers,
        )?;
        for step in script["steps"].as_array().into_iter().flatten() {
            let text = step[1].as_str().unwrap_or_default();
            match step[0].as_str() {
                Some("w") => self.chunk(text.as_bytes())?,
                Some("b64") => self.chunk(&request_body::decode_base64(text).unwrap_or_default())?,
                Some("s") => sleep_ms(step[1].as_u64().unwrap_or(0)),
                Some("abort") => {
                    self.stream.shutdown(Shutdown::Both)?;
                    return Ok(false);
                }
                _ => panic!("no such step: {step}"),
            }
        }
        self.finish()
    }
}

//! The bytes of answers: events, whole bodies, errors and heads.

use std::io::Write;

use serde_json::json;

/// Which of the two APIs an answer is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Completion,
    Chat,
}

impl Kind {
    /// The field of a request that holds the prompt.
    pub(super) fn prompt_field(self) -> &'static str {
        match self {
            Self::Completion => "prompt",
            Self::Chat => "messages",
        }
    }
}

const DONE: &[u8] = b"data: [DONE]\n\n";
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Everything about an answer that is the same for all its events, rendered
/// once, so that an event costs three copies and one number.
#[derive(Debug)]
pub(super) struct Answer {
    kind: Kind,
    /// Whether the body is chunked (HTTP/1.1) or ends with the connection (HTTP/1.0).
    chunked: bool,
    keep_alive: bool,
    /// `data: {"id":…,"model":…,"choices":[`
    prefix: Vec<u8>,
    /// Text of the event that is being written.
    text: Vec<u8>,
}

impl Answer {
    /// `number` stands in for an id if the client gave none.
    pub(super) fn new(
        kind: Kind,
        request_id: Option<&str>,
        number: u64,
        created: i64,
        model: &str,
        framing: Framing,
        streamed: bool,
    ) -> Self {
        let (prefix, object) = match (kind, streamed) {
            (Kind::Completion, _) => ("cmpl", "text_completion"),
            (Kind::Chat, true) => ("chatcmpl", "chat.completion.chunk"),
            (Kind::Chat, false) => ("chatcmpl", "chat.completion"),
        };
        let id = match request_id {
            Some(id) => format!("{prefix}-{id}"),
            None => format!("{prefix}-mock-{number}"),
        };
        let lead = if streamed { "data: " } else { "" };
        let (id, model) = (json!(id), json!(model));
        let prefix = format!(
            r#"{lead}{{"id":{id},"object":"{object}","created":{created},"model":{model},"choices":["#
        );
        Self {
            kind,
            chunked: framing.chunked,
            keep_alive: framing.keep_alive && (framing.chunked || !streamed),
            prefix: prefix.into_bytes(),
            text: Vec::new(),
        }
    }

    /// Whether the connection may carry another request afterwards.
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Head of a stream.
    pub(super) fn stream_head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n");
        if self.chunked {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The event with which a chat begins.
    pub(super) fn role_event(&self, out: &mut Vec<u8>) {
        if self.kind == Kind::Chat {
            let choice: &[u8] = br#"{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}"#;
            self.event(out, &[&self.prefix, choice, b"\n\n"]);
        }
    }

    /// An event with `count` tokens from number `first`.
    pub(super) fn token_event(&mut self, out: &mut Vec<u8>, first: u64, count: u64, last: bool) {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        tokens(&mut text, first, count);
        let (open, close): (&[u8], &[u8]) = match (self.kind, last) {
            (Kind::Completion, false) => (
                br#"{"index":0,"text":""#,
                b"\",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}]}\n\n",
            ),
            (Kind::Completion, true) => (
                br#"{"index":0,"text":""#,
                b"\",\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}]}\n\n",
            ),
            (Kind::Chat, false) => (
                br#"{"index":0,"delta":{"content":""#,
                b"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n",
            ),
            (Kind::Chat, true) => (
                br#"{"index":0,"delta":{"content":""#,
                b"\"},\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}]}\n\n",
            ),
        };
        self.event(out, &[&self.prefix, open, &text, close]);
        self.text = text;
    }

    /// The event with empty `choices` that `include_usage` asks for.
    pub(super) fn usage_event(&self, out: &mut Vec<u8>, prompt_tokens: u64, completion_tokens: u64) {
        let usage = usage(prompt_tokens, completion_tokens);
        self.event(out, &[&self.prefix, format!("],\"usage\":{usage}}}\n\n").as_bytes()]);
    }

    /// An error inside a stream.
    pub(super) fn error_event(&self, out: &mut Vec<u8>, message: &str) {
        self.event(out, &[format!("data: {}\n\n", error_json(500, message)).as_bytes()]);
    }

    /// An event that nothing can read.
    pub(super) fn garbage_event(&self, out: &mut Vec<u8>) {
        self.event(out, &[b"data: {\"choices\": [\xff\xfe garbage\n\n"]);
    }

    /// `[DONE]` and the end of the body.
    pub(super) fn stream_end(&self, out: &mut Vec<u8>) {
        self.event(out, &[DONE]);
        if self.chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
    }

    fn event(&self, out: &mut Vec<u8>, parts: &[&[u8]]) {
        if self.chunked {
            let length: usize = parts.iter().map(|part| part.len()).sum();
            // Writing to a Vec cannot fail, here and below.
            let _ = write!(out, "{length:x}\r\n");
        }
        for part in parts {
            out.extend_from_slice(part);
        }
        if self.chunked {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// JSON of an answer that is not streamed.
    pub(super) fn whole_body(&self, prompt_tokens: u64, completion_tokens: u64) -> Vec<u8> {
        let mut body = self.prefix.clone();
        let (open, close): (&[u8], &[u8]) = match self.kind {
            Kind::Completion => (
                br#"{"index":0,"text":""#,
                br#"","logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":"#,
            ),
            Kind::Chat => (
                br#"{"index":0,"message":{"role":"assistant","content":""#,
                br#""},"logprobs":null,"finish_reason":"length","stop_reason":null}],"usage":"#,
            ),
        };
        body.extend_from_slice(open);
        tokens(&mut body, 0, completion_tokens);
        body.extend_from_slice(close);
        body.extend_from_slice(usage(prompt_tokens, completion_tokens).as_bytes());
        body.push(b'}');
        body
    }
}

/// How a response may be framed, as the request's head allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    pub(super) chunked: bool,
    pub(super) keep_alive: bool,
}

fn tokens(out: &mut Vec<u8>, first: u64, count: u64) {
    for token in first..first + count {
        let _ = write!(out, " w{token}");
    }
}

fn usage(prompt_tokens: u64, completion_tokens: u64) -> String {
    let total = prompt_tokens + completion_tokens;
    format!(
        r#"{{"prompt_tokens":{prompt_tokens},"total_tokens":{total},"completion_tokens":{completion_tokens}}}"#
    )
}

/// A response that is ready when its request has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// Status 200 without a body.
    pub(super) fn empty() -> Self {
        Self { status: 200, content_type: "application/json", body: Vec::new() }
    }

    /// A JSON body.
    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type: "application/json", body: body.into() }
    }

    /// An error in OpenAI's form.
    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, error_json(status, message))
    }

    /// Head and body. `promised` is the content length that the head names.
    pub(super) fn render(&self, out: &mut Vec<u8>, keep_alive: bool, promised: usize) {
        let (status, reason) = (self.status, reason(self.status));
        let _ = write!(
            out,
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {}\r\ncontent-length: {promised}\r\n",
            self.content_type
        );
        if !keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

fn error_json(status: u16, message: &str) -> String {
    let kind = match status {
        404 => "NotFoundError",
        429 => "RateLimitError",
        500.. => "InternalServerError",
        _ => "BadRequestError",
    };
    json!({"error": {"message": message, "type": kind, "param": null, "code": status}}).to_string()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        _ => "Unknown",
    }
}

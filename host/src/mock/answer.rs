//! Answers as bytes on a connection: heads, chunks, and replies that are ready at once.

use std::io::Write;

use super::api::{About, Api, Counts, Sink, Tokens, Writer, error_json, write_tokens};

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// An answer being written.
pub(super) struct Answer {
    writer: Box<dyn Writer>,
    /// Whether the body is chunked (HTTP/1.1) or ends with the connection (HTTP/1.0).
    chunked: bool,
    keep_alive: bool,
    /// Text of the event that is being written.
    text: Vec<u8>,
}

impl Answer {
    /// An answer in the form of an API.
    pub(super) fn new(api: Api, about: &About<'_>, framing: Framing) -> Self {
        Self {
            writer: api.writer(about),
            chunked: framing.chunked,
            keep_alive: framing.keep_alive && (framing.chunked || !about.streamed),
            text: Vec::new(),
        }
    }

    /// Whether the connection may carry another request afterwards.
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Head of a stream.
    pub(super) fn stream_head(&self, out: &mut Vec<u8>) {
        // Writing to a Vec cannot fail.
        let _ = write!(out, "HTTP/1.1 200 OK\r\ncontent-type: {}\r\n", self.writer.stream_type());
        if self.chunked {
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        if !self.keep_alive {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The events with which an answer begins.
    pub(super) fn opening(&mut self, out: &mut Vec<u8>) {
        self.writer.opening(&mut Sink { out, chunked: self.chunked });
    }

    /// An event with tokens, whose text is written here.
    pub(super) fn tokens(&mut self, out: &mut Vec<u8>, tokens: Tokens<'_>, counts: &Counts) {
        self.text.clear();
        write_tokens(&mut self.text, tokens.first, tokens.count);
        let tokens = Tokens { text: &self.text, ..tokens };
        self.writer.tokens(&mut Sink { out, chunked: self.chunked }, &tokens, counts);
    }

    /// The events after the last token, and the end of the body.
    pub(super) fn closing(&mut self, out: &mut Vec<u8>, counts: &Counts) {
        self.writer.closing(&mut Sink { out, chunked: self.chunked }, counts);
        self.end(out);
    }

    /// An error inside a stream, and the end of the body.
    pub(super) fn error(&mut self, out: &mut Vec<u8>, message: &str) {
        self.writer.error(&mut Sink { out, chunked: self.chunked }, message);
        self.end(out);
    }

    /// An event that nothing can read, and the end of the body.
    pub(super) fn garbage(&mut self, out: &mut Vec<u8>) {
        self.writer.garbage(&mut Sink { out, chunked: self.chunked });
        self.end(out);
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.chunked {
            out.extend_from_slice(LAST_CHUNK);
        }
    }

    /// An answer that is not streamed.
    pub(super) fn whole(&self, counts: &Counts) -> Reply {
        Reply { status: 200, content_type: self.writer.whole_type(), body: self.writer.whole(counts) }
    }
}

/// How a response may be framed, as the request's head allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Framing {
    pub(super) chunked: bool,
    pub(super) keep_alive: bool,
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

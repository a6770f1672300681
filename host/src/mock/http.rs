//! Reading HTTP/1.1 requests from a byte stream that arrives as it likes.

use std::collections::VecDeque;

use super::chunked::ChunkedDecoder;
use crate::clock::MonotonicNs;

/// Longest head of a request.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Longest body of a request.
pub(super) const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
const MAX_HEADERS: usize = 128;

/// What a request line and its headers say, as far as the mock server cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Value of `x-request-id`.
    pub(super) request_id: Option<String>,
    /// Whether the connection may carry another request.
    pub(super) keep_alive: bool,
    /// Whether the response may be chunked (HTTP/1.1 and later).
    pub(super) chunked_response: bool,
    expects_continue: bool,
    framing: Framing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// A request that is not answered by its endpoint, and the status it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(super) fn body_too_large() -> Self {
        Self::new(413, format!("request body longer than {MAX_BODY_BYTES} bytes"))
    }
}

/// Cuts the bytes of a connection into requests.
#[derive(Debug, Default)]
pub(super) struct RequestReader {
    input: Vec<u8>,
    /// Where the unread part of `input` starts.
    start: usize,
    /// How far behind `start` the end of a head was looked for.
    scanned: usize,
    head: Option<Head>,
    chunks: ChunkedDecoder,
    /// Decoded chunked body.
    decoded: Vec<u8>,
    /// Where each read ended, in bytes since the connection began, and when.
    reads: VecDeque<(u64, MonotonicNs)>,
    /// Bytes of the connection before `start`.
    consumed: u64,
    complete: bool,
}

impl RequestReader {
    /// Takes bytes that a read returned at `at`.
    pub(super) fn push(&mut self, bytes: &[u8], at: MonotonicNs) {
        if self.start > 0 && self.start >= self.input.len() / 2 {
            self.input.drain(..self.start);
            self.start = 0;
        }
        self.input.extend_from_slice(bytes);
        self.reads.push_back((self.consumed + self.buffered() as u64, at));
    }

    /// Bytes that wait to be read.
    pub(super) fn buffered(&self) -> usize {
        self.input.len() - self.start
    }

    /// The next request if all of it has arrived. Its body is at
    /// [`Self::body`] until [`Self::finish`] is called.
    pub(super) fn poll(&mut self) -> Result<Option<&Head>, Refusal> {
        if !self.complete && !self.advance()? {
            // The end of this request will come with a later read.
            self.reads.clear();
            return Ok(None);
        }
        self.complete = true;
        Ok(self.head.as_ref())
    }

    fn advance(&mut self) -> Result<bool, Refusal> {
        if self.head.is_none() {
            self.skip_blank_lines();
            let Some(end) = self.head_end()? else { return Ok(false) };
            self.head = Some(parse_head(&self.input[self.start..self.start + end])?);
            self.consume(end);
        }
        let Some(head) = &self.head else { return Ok(false) };
        match head.framing {
            Framing::Length(length) => Ok(self.buffered() >= length),
            Framing::Chunked => {
                let (used, complete) = self.chunks.decode(&self.input[self.start..], &mut self.decoded)?;
                self.consume(used);
                Ok(complete)
            }
        }
    }

    /// Body of the complete request.
    pub(super) fn body(&self) -> &[u8] {
        match self.head.as_ref().map(|head| head.framing) {
            Some(Framing::Length(length)) => &self.input[self.start..self.start + length],
            Some(Framing::Chunked) => &self.decoded,
            None => &[],
        }
    }

    /// When the read that brought the last byte of the complete request returned.
    pub(super) fn received_ns(&self) -> Option<MonotonicNs> {
        let body = match self.head.as_ref().map(|head| head.framing) {
            Some(Framing::Length(length)) => length,
            _ => 0,
        };
        let end = self.consumed + body as u64;
        self.reads.iter().find(|(upto, _)| *upto >= end).map(|&(_, at)| at)
    }

    /// Drops the complete request.
    pub(super) fn finish(&mut self) {
        if let Some(Head { framing: Framing::Length(length), .. }) = self.head.take() {
            self.consume(length);
        }
        self.decoded = Vec::new();
        self.complete = false;
        let consumed = self.consumed;
        while self.reads.front().is_some_and(|&(upto, _)| upto <= consumed) {
            self.reads.pop_front();
        }
        if self.buffered() == 0 {
            self.input.clear();
            self.start = 0;
            // What a long prompt took is not kept for the life of the connection.
            self.input.shrink_to(MAX_HEAD_BYTES);
        }
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    /// True once a request.
    pub(super) fn take_expectation(&mut self) -> bool {
        !self.complete && self.head.as_mut().is_some_and(|head| std::mem::take(&mut head.expects_continue))
    }

    /// Throws away all that waits.
    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.consumed += bytes as u64;
        self.scanned = 0;
    }

    fn skip_blank_lines(&mut self) {
        let blank = self.input[self.start..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        if blank > 0 {
            self.consume(blank);
        }
    }

    /// Length of the head with its blank line, if that has arrived.
    fn head_end(&mut self) -> Result<Option<usize>, Refusal> {
        let unread = &self.input[self.start..];
        let searched = &unread[..unread.len().min(MAX_HEAD_BYTES)];
        for newline in memchr::memchr_iter(b'\n', &searched[self.scanned..]) {
            let next = self.scanned + newline + 1;
            match searched[next..] {
                [b'\n', ..] => return Ok(Some(next + 1)),
                [b'\r', b'\n', ..] => return Ok(Some(next + 2)),
                _ => {}
            }
        }
        if unread.len() >= MAX_HEAD_BYTES {
            return Err(Refusal::new(431, format!("request head longer than {MAX_HEAD_BYTES} bytes")));
        }
        // A line end at the very end may turn out to be the last one.
        self.scanned = searched.len().saturating_sub(2);
        Ok(None)
    }
}

fn parse_head(bytes: &[u8]) -> Result<Head, Refusal> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(Refusal::bad("malformed request head")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Refusal::new(431, format!("more than {MAX_HEADERS} headers")));
        }
        Err(error) => return Err(Refusal::bad(format!("malformed request head: {error}"))),
    }
    let modern = request.version == Some(1);
    let target = request.path.unwrap_or("/");
    let path = target.split('?').next().unwrap_or(target).to_owned();
    let mut head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path,
        request_id: None,
        keep_alive: modern,
        chunked_response: modern,
        expects_continue: false,
        framing: Framing::Length(0),
    };
    let (mut length, mut chunked) = (None, false);
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let value = parse_length(header.value)?;
            if length.replace(value).is_some_and(|earlier| earlier != value) {
                return Err(Refusal::bad("two content-length headers that differ"));
            }
        } else if is("transfer-encoding") {
            if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::new(501, "transfer-encoding other than chunked"));
            }
            chunked = true;
        } else if is("connection") {
            for option in header.value.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
                if option.eq_ignore_ascii_case(b"close") {
                    head.keep_alive = false;
                } else if option.eq_ignore_ascii_case(b"keep-alive") && !modern {
                    head.keep_alive = true;
                }
            }
        } else if is("expect") {
            head.expects_continue = modern && header.value.trim_ascii().eq_ignore_ascii_case(b"100-continue");
        } else if is("x-request-id") {
            head.request_id = Some(String::from_utf8_lossy(header.value).into_owned());
        }
    }
    head.framing = match (length, chunked) {
        // The two together are how requests are smuggled (RFC 9112, section 6.3).
        (Some(_), true) => return Err(Refusal::bad("both content-length and transfer-encoding")),
        (None, true) => Framing::Chunked,
        (length, false) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(head)
}

fn parse_length(value: &[u8]) -> Result<usize, Refusal> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Refusal::bad("malformed content-length"));
    }
    match std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()) {
        Some(length) if length <= MAX_BODY_BYTES => Ok(length),
        _ => Err(Refusal::body_too_large()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TWO: &[u8] = b"\r\nPOST /a?x=1 HTTP/1.1\r\nContent-Length: 3\r\nX-Request-Id: r1\r\n\r\nabc\
        POST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\nGET /c HTTP/1.0\n\n";

    #[test]
    fn requests_are_found_however_they_arrive() {
        for piece in 1..=TWO.len() {
            let mut reader = RequestReader::default();
            let mut found = Vec::new();
            for (i, bytes) in TWO.chunks(piece).enumerate() {
                reader.push(bytes, i as u64 + 1);
                while let Some(head) = reader.poll().unwrap().cloned() {
                    // The read that held the request's last byte.
                    let end = TWO.len() - TWO[reader_end(&reader, i, piece)..].len();
                    assert_eq!(reader.received_ns(), Some(end.div_ceil(piece) as u64), "piece {piece}");
                    found.push((head.path, reader.body().to_vec(), head.request_id, head.keep_alive));
                    reader.finish();
                }
            }
            assert_eq!(
                found,
                [
                    ("/a".to_owned(), b"abc".to_vec(), Some("r1".to_owned()), true),
                    ("/b".to_owned(), b"de".to_vec(), None, true),
                    ("/c".to_owned(), Vec::new(), None, false),
                ]
            );
        }
    }

    /// Offset in `TWO` behind the complete request.
    fn reader_end(reader: &RequestReader, read: usize, piece: usize) -> usize {
        let arrived = ((read + 1) * piece).min(TWO.len());
        let body = match reader.head.as_ref().unwrap().framing {
            Framing::Length(length) => length,
            Framing::Chunked => 0,
        };
        arrived - reader.buffered() + body
    }

    #[test]
    fn ambiguous_or_endless_requests_are_refused() {
        let status = |bytes: &[u8]| {
            let mut reader = RequestReader::default();
            reader.push(bytes, 1);
            reader.poll().unwrap_err().status
        };
        assert_eq!(status(b"GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n"), 400);
        assert_eq!(status(b"GET / HTTP/1.1\r\ncontent-length: 99999999999999999999999\r\n\r\n"), 413);
        assert_eq!(status(b"GET / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n"), 501);
        assert_eq!(status(b"\x16\x03\x01 hello\r\n\r\n"), 400);
        assert_eq!(status(&[b'a'; MAX_HEAD_BYTES]), 431);
        let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(200), b"\r\n".to_vec()].concat();
        assert_eq!(status(&many), 431);
    }

    proptest! {
        #[test]
        fn any_bytes_end_cleanly(bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..60) {
            let mut reader = RequestReader::default();
            'all: for piece in bytes.chunks(piece) {
                reader.push(piece, 1);
                loop {
                    match reader.poll() {
                        Ok(Some(_)) => reader.finish(),
                        Ok(None) => break,
                        Err(_) => break 'all,
                    }
                }
            }
        }
    }
}

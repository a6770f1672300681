//! Reading an HTTP/1.1 response, byte by byte if it must be.
//!
//! The reader is pure: bytes go in as they come from the socket, body bytes
//! come out, and it says when the response has ended. Chunked framing is taken
//! off; what the body means is not its business. It meets hostile servers, so
//! everything it stores is bounded.

use thiserror::Error;

use super::inflate::ContentCoding;

/// Longest head, and longest set of trailers, that is accepted.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Most headers that are accepted.
const MAX_HEADERS: usize = 128;
/// Longest line that announces a chunk, extensions included.
const MAX_CHUNK_LINE_BYTES: u32 = 4096;
/// Largest body, all chunks together, that is accepted.
const MAX_BODY_BYTES: u64 = 1 << 30;

/// Why bytes are not an HTTP/1.1 response.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum Http1Error {
    /// The first bytes are no response head.
    #[error("the response is not HTTP/1.1: {0}")]
    Head(String),
    /// The head does not end.
    #[error("the response head is longer than {MAX_HEAD_BYTES} bytes")]
    HeadTooLong,
    /// `Content-Length` is no number, or two of them differ.
    #[error("the response has a wrong `content-length`: {0}")]
    ContentLength(String),
    /// A transfer coding other than `chunked`.
    #[error("the response has an unknown `transfer-encoding`: {0}")]
    TransferEncoding(String),
    /// Compressed in a way that cannot be undone here, and was not asked for.
    #[error("the response is compressed (`content-encoding: {0}`), which was not asked for")]
    ContentEncoding(String),
    /// A chunk does not begin or end as it should.
    #[error("the response's chunked framing is broken: {0}")]
    Chunk(&'static str),
    /// Larger than [`MAX_BODY_BYTES`].
    #[error("the response body is longer than {MAX_BODY_BYTES} bytes")]
    BodyTooLong,
    /// The connection ended before the response did.
    #[error("the connection ended {0}")]
    Truncated(&'static str),
}

/// Status and headers of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// Reason phrase as sent.
    pub reason: String,
    /// Headers in the order sent, names in lower case.
    pub headers: Vec<(String, String)>,
}

impl ResponseHead {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What a call of [`ResponseReader::feed`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The response goes on.
    More,
    /// The response is complete; so many of the given bytes belonged to it.
    Done(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    UntilClose,
    /// In the line that announces a chunk: value so far, digits seen, bytes seen.
    ChunkSize {
        value: u64,
        digits: u32,
        seen: u32,
        extension: bool,
    },
    ChunkSizeLf(u64),
    ChunkData(u64),
    ChunkDataCr,
    ChunkDataLf,
    /// In the trailers: bytes seen, bytes in the current line.
    Trailer {
        seen: usize,
        line: usize,
    },
    Done,
}

const CHUNK_START: State = State::ChunkSize { value: 0, digits: 0, seen: 0, extension: false };

/// Reads one response at a time.
#[derive(Debug)]
pub struct ResponseReader {
    state: State,
    head_bytes: Vec<u8>,
    head: ResponseHead,
    body_bytes: u64,
    keep_alive: bool,
    coding: Option<ContentCoding>,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// A reader that expects the first byte of a response.
    pub fn new() -> Self {
        Self {
            state: State::Head,
            head_bytes: Vec::new(),
            head: ResponseHead::default(),
            body_bytes: 0,
            keep_alive: false,
            coding: None,
        }
    }

    /// Takes bytes from the socket; body bytes are appended to `body`.
    ///
    /// # Errors
    /// When the bytes are no HTTP/1.1 response; the reader is of no use after that.
    pub fn feed(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Progress, Http1Error> {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            match self.state {
                State::Head => at += self.feed_head(rest)?,
                State::Length(left) => {
                    let n = take(rest, left);
                    self.append(&rest[..n], body)?;
                    at += n;
                    let left = left - n as u64;
                    self.state = if left == 0 { State::Done } else { State::Length(left) };
                }
                State::UntilClose => {
                    self.append(rest, body)?;
                    at = input.len();
                }
                State::ChunkData(left) => {
                    let n = take(rest, left);
                    self.append(&rest[..n], body)?;
                    at += n;
                    let left = left - n as u64;
                    self.state = if left == 0 { State::ChunkDataCr } else { State::ChunkData(left) };
                }
                State::Done => return Ok(Progress::Done(at)),
                _ => {
                    self.state = framing_byte(self.state, rest[0])?;
                    at += 1;
                }
            }
        }
        Ok(if self.state == State::Done { Progress::Done(at) } else { Progress::More })
    }

    /// The peer closed the connection.
    ///
    /// # Errors
    /// When the response was not complete at that point.
    pub fn closed(&mut self) -> Result<(), Http1Error> {
        match self.state {
            State::UntilClose | State::Done => {
                self.state = State::Done;
                Ok(())
            }
            State::Head if self.head_bytes.is_empty() => Err(Http1Error::Truncated("before a response came")),
            State::Head => Err(Http1Error::Truncated("inside the response's head")),
            _ => Err(Http1Error::Truncated("before the response was complete")),
        }
    }

    /// The head, once it is complete.
    pub fn head(&self) -> Option<&ResponseHead> {
        (self.state != State::Head).then_some(&self.head)
    }

    /// Whether a byte of the response has come.
    pub fn has_begun(&self) -> bool {
        self.state != State::Head || !self.head_bytes.is_empty()
    }

    /// Whether the connection can carry another request after this response.
    pub fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    /// How the body is compressed, if it is, once the head is complete.
    pub fn coding(&self) -> Option<ContentCoding> {
        self.coding
    }

    /// Takes the head out and makes the reader ready for the next response.
    pub fn finish(&mut self) -> ResponseHead {
        self.state = State::Head;
        self.head_bytes.clear();
        self.body_bytes = 0;
        std::mem::take(&mut self.head)
    }

    fn append(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> Result<(), Http1Error> {
        self.body_bytes += bytes.len() as u64;
        if self.body_bytes > MAX_BODY_BYTES {
            return Err(Http1Error::BodyTooLong);
        }
        body.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes what belongs to the head; returns how many of the bytes that were.
    fn feed_head(&mut self, input: &[u8]) -> Result<usize, Http1Error> {
        let before = self.head_bytes.len();
        self.head_bytes.extend_from_slice(&input[..input.len().min(MAX_HEAD_BYTES)]);
        // The end may straddle two reads, so the search begins three bytes back.
        let from = before.saturating_sub(3);
        let Some(found) = memchr::memmem::find(&self.head_bytes[from..], b"\r\n\r\n") else {
            if self.head_bytes.len() >= MAX_HEAD_BYTES {
                return Err(Http1Error::HeadTooLong);
            }
            // What cannot become a head is refused now, not when the peer gives up.
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            httparse::Response::new(&mut headers)
                .parse(&self.head_bytes)
                .map_err(|e| Http1Error::Head(e.to_string()))?;
            return Ok(input.len());
        };
        let end = from + found + 4;
        let used = end - before;
        self.head_bytes.truncate(end);
        let head = parse_head(&self.head_bytes)?;
        self.head_bytes.clear();
        if (100..200).contains(&head.status) && head.status != 101 {
            return Ok(used); // an interim response: the real one follows
        }
        self.keep_alive = head.keep_alive;
        self.coding = head.coding;
        self.state = head.body;
        self.head = head.head;
        Ok(used)
    }
}

fn take(rest: &[u8], left: u64) -> usize {
    usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()))
}

/// One byte of chunked framing that is not chunk data.
fn framing_byte(state: State, byte: u8) -> Result<State, Http1Error> {
    Ok(match state {
        State::ChunkSize { value, digits, seen, extension } => {
            if seen >= MAX_CHUNK_LINE_BYTES {
                return Err(Http1Error::Chunk("a chunk's size line is too long"));
            }
            let seen = seen + 1;
            match byte {
                b'\r' if digits > 0 => State::ChunkSizeLf(value),
                // Some servers end the line with LF alone.
                b'\n' if digits > 0 => after_size(value),
                _ if extension => State::ChunkSize { value, digits, seen, extension },
                b';' | b' ' | b'\t' if digits > 0 => {
                    State::ChunkSize { value, digits, seen, extension: true }
                }
                _ => {
                    let digit =
                        (byte as char).to_digit(16).ok_or(Http1Error::Chunk("a chunk has no size"))?;
                    if digits == 15 {
                        return Err(Http1Error::Chunk("a chunk's size is absurd"));
                    }
                    State::ChunkSize {
                        value: value << 4 | u64::from(digit),
                        digits: digits + 1,
                        seen,
                        extension,
                    }
                }
            }
        }
        State::ChunkSizeLf(value) if byte == b'\n' => after_size(value),
        State::ChunkSizeLf(_) => return Err(Http1Error::Chunk("a chunk's size line does not end")),
        State::ChunkDataCr if byte == b'\r' => State::ChunkDataLf,
        State::ChunkDataCr if byte == b'\n' => CHUNK_START,
        State::ChunkDataLf if byte == b'\n' => CHUNK_START,
        State::ChunkDataCr | State::ChunkDataLf => {
            return Err(Http1Error::Chunk("a chunk is longer than its size"));
        }
        State::Trailer { seen, .. } if seen >= MAX_HEAD_BYTES => return Err(Http1Error::HeadTooLong),
        State::Trailer { line: 0, .. } if byte == b'\n' => State::Done,
        State::Trailer { seen, .. } if byte == b'\n' => State::Trailer { seen: seen + 1, line: 0 },
        State::Trailer { seen, line } if byte == b'\r' => State::Trailer { seen: seen + 1, line },
        State::Trailer { seen, line } => State::Trailer { seen: seen + 1, line: line + 1 },
        State::Head | State::Length(_) | State::UntilClose | State::ChunkData(_) | State::Done => state,
    })
}

fn after_size(value: u64) -> State {
    if value == 0 { State::Trailer { seen: 0, line: 0 } } else { State::ChunkData(value) }
}

struct ParsedHead {
    head: ResponseHead,
    body: State,
    keep_alive: bool,
    coding: Option<ContentCoding>,
    status: u16,
}

fn parse_head(bytes: &[u8]) -> Result<ParsedHead, Http1Error> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(bytes).map_err(|e| Http1Error::Head(e.to_string()))?;
    let status = response.code.unwrap_or_default();
    let mut keep_alive = response.version == Some(1);
    let mut length: Option<u64> = None;
    let mut chunked = false;
    let mut coding = None;
    let mut kept = Vec::with_capacity(response.headers.len());
    for header in response.headers.iter() {
        let name = header.name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(header.value).into_owned();
        match name.as_str() {
            "content-length" => {
                let n = value.trim().parse().map_err(|_| Http1Error::ContentLength(value.clone()))?;
                if length.is_some_and(|before| before != n) {
                    return Err(Http1Error::ContentLength(value));
                }
                length = Some(n);
            }
            "transfer-encoding" => match value.trim() {
                v if v.eq_ignore_ascii_case("chunked") => chunked = true,
                v if v.eq_ignore_ascii_case("identity") => {}
                _ => return Err(Http1Error::TransferEncoding(value)),
            },
            "content-encoding" if !value.trim().eq_ignore_ascii_case("identity") => {
                coding =
                    Some(ContentCoding::named(&value).ok_or(Http1Error::ContentEncoding(value.clone()))?);
            }
            "connection" => {
                for token in value.split(',').map(str::trim) {
                    if token.eq_ignore_ascii_case("close") {
                        keep_alive = false;
                    } else if token.eq_ignore_ascii_case("keep-alive") {
                        keep_alive = true;
                    }
                }
            }
            _ => {}
        }
        kept.push((name, value));
    }
    let body = match (status, chunked, length) {
        (204 | 304, ..) => State::Done,
        (_, true, _) => CHUNK_START,
        (_, false, Some(0)) => State::Done,
        (_, false, Some(n)) => State::Length(n),
        (_, false, None) => State::UntilClose,
    };
    let keep_alive = keep_alive && body != State::UntilClose;
    let reason = response.reason.unwrap_or_default().to_owned();
    Ok(ParsedHead { head: ResponseHead { status, reason, headers: kept }, body, keep_alive, coding, status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(pieces: &[&[u8]]) -> Result<(ResponseHead, Vec<u8>, bool), Http1Error> {
        let mut reader = ResponseReader::new();
        let mut body = Vec::new();
        let mut done = false;
        for piece in pieces {
            if let Progress::Done(used) = reader.feed(piece, &mut body)? {
                assert_eq!(used, piece.len(), "bytes beyond the response");
                done = true;
            }
        }
        if !done {
            reader.closed()?;
        }
        let keep = reader.keep_alive();
        Ok((reader.finish(), body, keep))
    }

    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
        7\r\ndata: 1\r\n1;name=\"a;b\"\r\n\n\r\n0A\r\n\ndata: 2\n\n\r\n0\r\nX-Trailer: yes\r\n\r\n";
    const CHUNKED_BODY: &[u8] = b"data: 1\n\ndata: 2\n\n";

    #[test]
    fn every_split_of_a_chunked_response_reads_the_same() {
        for a in 0..CHUNKED.len() {
            for b in a..CHUNKED.len() {
                let (head, body, keep) = read_all(&[&CHUNKED[..a], &CHUNKED[a..b], &CHUNKED[b..]]).unwrap();
                assert_eq!(head.status, 200);
                assert_eq!(head.header("content-type"), Some("text/event-stream"));
                assert_eq!(body, CHUNKED_BODY);
                assert!(keep);
            }
        }
    }

    #[test]
    fn a_length_ends_the_response_and_leaves_the_rest() {
        let mut reader = ResponseReader::new();
        let mut body = Vec::new();
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 404";
        assert_eq!(reader.feed(bytes, &mut body), Ok(Progress::Done(bytes.len() - 12)));
        assert_eq!(body, b"ok");
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let (head, body, _) =
            read_all(&[b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"])
                .unwrap();
        assert_eq!((head.status, body.as_slice()), (200, b"x".as_slice()));
    }

    #[test]
    fn without_a_length_the_end_of_the_connection_is_the_end() {
        let (_, body, keep) = read_all(&[b"HTTP/1.1 200 OK\r\n\r\nabc", b"def"]).unwrap();
        assert_eq!(body, b"abcdef");
        assert!(!keep);
    }

    #[test]
    fn http_1_0_does_not_stay_open_unless_it_says_so() {
        assert!(!read_all(&[b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"]).unwrap().2);
        let kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n";
        assert!(read_all(&[kept]).unwrap().2);
    }

    #[test]
    fn broken_responses_are_refused() {
        let cases: [(&[u8], Http1Error); 7] = [
            (b"", Http1Error::Truncated("before a response came")),
            (b"HTTP/1.1 200", Http1Error::Truncated("inside the response's head")),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                Http1Error::Truncated("before the response was complete"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
                Http1Error::ContentLength("6".into()),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                Http1Error::TransferEncoding("gzip, chunked".into()),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc",
                Http1Error::Chunk("a chunk is longer than its size"),
            ),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                Http1Error::Chunk("a chunk's size is absurd"),
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read_all(&[bytes]).unwrap_err(), expected);
        }
        assert!(matches!(read_all(&[b"SSH-2.0-OpenSSH_9.6\r\n"]), Err(Http1Error::Head(_))));
        let endless = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(20_000)].concat();
        assert_eq!(read_all(&[&endless]).unwrap_err(), Http1Error::HeadTooLong);
    }

    proptest! {
        #[test]
        fn chunks_of_any_size_read_in_pieces_of_any_size(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..12),
            cuts in prop::collection::vec(1usize..80, 1..40),
        ) {
            let mut wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for chunk in &chunks {
                wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
            let mut pieces = Vec::new();
            let mut rest = wire.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            let (_, body, _) = read_all(&pieces).unwrap();
            prop_assert_eq!(body, chunks.concat());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), cut in 0usize..2000) {
            let cut = cut.min(bytes.len());
            let _ = read_all(&[&bytes[..cut], &bytes[cut..]]);
            let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".as_slice();
            let mut reader = ResponseReader::new();
            let mut body = Vec::new();
            let _ = reader.feed(head, &mut body).and_then(|_| reader.feed(&bytes, &mut body));
        }
    }
}

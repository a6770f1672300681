//! Decoding of chunked request bodies (RFC 9112, section 7.1).

use super::http::{MAX_BODY_BYTES, Refusal};

/// Longest line of a chunk's size with its extensions, and longest trailer line.
const MAX_LINE_BYTES: usize = 4096;
/// Most trailer lines.
const MAX_TRAILERS: usize = 100;

/// A decoder that takes whatever has arrived.
#[derive(Debug, Default)]
pub(super) struct ChunkedDecoder {
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Size,
    Data {
        left: usize,
    },
    DataEnd,
    Trailer {
        seen: usize,
    },
    End,
}

impl ChunkedDecoder {
    /// Decodes from `input` into `body`. Returns how much of `input` was used
    /// and whether the body is complete.
    pub(super) fn decode(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), Refusal> {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            match self.state {
                State::Size => {
                    let (line, size) = match httparse::parse_chunk_size(rest) {
                        Ok(httparse::Status::Complete(parsed)) => parsed,
                        Ok(httparse::Status::Partial) if rest.len() <= MAX_LINE_BYTES => {
                            return Ok((used, false));
                        }
                        _ => return Err(Refusal::bad("malformed chunk size")),
                    };
                    let size = usize::try_from(size).unwrap_or(usize::MAX);
                    if size > MAX_BODY_BYTES - body.len() {
                        return Err(Refusal::body_too_large());
                    }
                    used += line;
                    self.state =
                        if size == 0 { State::Trailer { seen: 0 } } else { State::Data { left: size } };
                }
                State::Data { left } => {
                    let n = left.min(rest.len());
                    body.extend_from_slice(&rest[..n]);
                    used += n;
                    if n < left {
                        self.state = State::Data { left: left - n };
                        return Ok((used, false));
                    }
                    self.state = State::DataEnd;
                }
                State::DataEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        used += 2;
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok((used, false)),
                    _ => return Err(Refusal::bad("chunk longer than its size")),
                },
                State::Trailer { seen } => {
                    let Some(end) = memchr::memchr(b'\n', &rest[..rest.len().min(MAX_LINE_BYTES)]) else {
                        if rest.len() >= MAX_LINE_BYTES || seen >= MAX_TRAILERS {
                            return Err(Refusal::bad("trailer too long"));
                        }
                        return Ok((used, false));
                    };
                    used += end + 1;
                    self.state = match &rest[..end] {
                        [] | [b'\r'] => State::End,
                        _ if seen >= MAX_TRAILERS => return Err(Refusal::bad("too many trailers")),
                        _ => State::Trailer { seen: seen + 1 },
                    };
                }
                State::End => {
                    self.state = State::Size;
                    return Ok((used, true));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decodes `input` that arrives in pieces; what is left over comes last.
    fn decode(input: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), Refusal> {
        let (mut decoder, mut body, mut buffer) = (ChunkedDecoder::default(), Vec::new(), Vec::new());
        let mut pieces = input.chunks(piece.max(1));
        while let Some(piece) = pieces.next() {
            buffer.extend_from_slice(piece);
            let (used, complete) = decoder.decode(&buffer, &mut body)?;
            buffer.drain(..used);
            if complete {
                buffer.extend(pieces.flatten());
                return Ok((body, true, buffer));
            }
        }
        Ok((body, false, buffer))
    }

    #[test]
    fn chunks_extensions_and_trailers_are_read() {
        let wire = b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\nGET";
        for piece in 1..wire.len() {
            let (body, complete, rest) = decode(wire, piece).unwrap();
            assert_eq!(
                (body.as_slice(), complete, rest.as_slice()),
                (&b"hello world"[..], true, &b"GET"[..])
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for wire in ["x\r\n", "5\r\nhello!\r\n", "ffffffffffffffffff\r\n", "7fffffffffffffff\r\n"] {
            assert!(decode(wire.as_bytes(), 1).is_err(), "{wire:?}");
        }
        let endless = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(MAX_TRAILERS + 1)].concat();
        assert!(decode(&endless, 64).is_err());
        assert!(decode(&[b'1'; MAX_LINE_BYTES * 2], 1000).is_err());
    }

    proptest! {
        #[test]
        fn any_body_survives(body in prop::collection::vec(any::<u8>(), 0..2000), chunk in 1usize..300, piece in 1usize..300) {
            let mut wire = Vec::new();
            for data in body.chunks(chunk) {
                wire.extend(format!("{:X}\r\n", data.len()).bytes());
                wire.extend(data);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
            let (decoded, complete, rest) = decode(&wire, piece).unwrap();
            prop_assert_eq!(decoded, body);
            prop_assert!(complete && rest.is_empty());
        }

        #[test]
        fn any_bytes_end_cleanly(wire in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
            let _ = decode(&wire, piece);
        }
    }
}

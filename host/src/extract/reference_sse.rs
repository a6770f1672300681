//! Event streams as the reference client reads them, for `--compat v0.33`.
//!
//! It looks for two line feeds in a row, and in between tries whether what it
//! has is a whole event already. Streams that a reader by the standard
//! understands can fail here: events with an `event` line, events with CRLF
//! that come together, `data:` without a blank. Who compares with its numbers
//! needs the same failures.

use crate::wire::{Capture, Event};

/// How the reference client's request functions differ in reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Completions and chat: comments are skipped.
    Completions,
    /// Audio: comments are not.
    Audio,
    /// Responses: `data` lines are looked for within a message.
    Responses,
}

impl Dialect {
    /// The dialect of a backend's request function.
    pub fn of_backend(name: &str) -> Self {
        match name {
            "openai-responses" => Self::Responses,
            "openai-audio" => Self::Audio,
            _ => Self::Completions,
        }
    }
}

/// Cuts the captures of one response into messages, read by read.
#[derive(Debug)]
pub struct ReferenceSse {
    dialect: Dialect,
    buffer: Vec<u8>,
}

impl ReferenceSse {
    /// A reader for one response.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, buffer: Vec::new() }
    }

    /// Takes the next stretch of the body. What is left at the end of the body
    /// is no event.
    pub fn push(&mut self, capture: &Capture, emit: &mut impl FnMut(Event<'_>)) {
        let mut from = 0;
        for read in &capture.reads {
            let end = (read.end as usize).min(capture.bytes.len());
            self.buffer.extend_from_slice(&capture.bytes[from..end]);
            from = end;
            let mut start = 0;
            while let Some(length) = memchr::memmem::find(&self.buffer[start..], b"\n\n") {
                self.message(&self.buffer[start..start + length], read.at_ns, emit);
                start += length + 2;
            }
            self.buffer.drain(..start);
            if let Some(rest) = self.buffer.strip_prefix(b"data: ") {
                let rest = rest.trim_ascii();
                if rest == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(rest).is_ok() {
                    self.message(&self.buffer, read.at_ns, emit);
                    self.buffer.clear();
                }
            }
        }
    }

    fn message(&self, message: &[u8], at_ns: u64, emit: &mut impl FnMut(Event<'_>)) {
        let message = message.trim_ascii();
        if message.is_empty() {
            return;
        }
        if self.dialect == Dialect::Responses {
            let lines = message.split(|&byte| byte == b'\n').filter_map(|line| line.strip_prefix(b"data:"));
            let lines: Vec<&[u8]> = lines.map(|data| data.strip_prefix(b" ").unwrap_or(data)).collect();
            if !lines.is_empty() {
                emit(Event { payload: &lines.join(&b'\n'), name: None, at_ns });
            }
            return;
        }
        if self.dialect == Dialect::Completions && message.starts_with(b":") {
            return;
        }
        let payload = message.strip_prefix(b"data: ").unwrap_or(message);
        emit(Event { payload, name: None, at_ns });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(dialect: Dialect, reads: &[&str]) -> Vec<(String, u64)> {
        let mut reader = ReferenceSse::new(dialect);
        let mut capture = Capture::default();
        for (number, read) in reads.iter().enumerate() {
            capture.bytes.extend_from_slice(read.as_bytes());
            capture.mark(number as u64 + 1);
        }
        let mut events = Vec::new();
        reader
            .push(&capture, &mut |e| events.push((String::from_utf8_lossy(e.payload).into_owned(), e.at_ns)));
        events
    }

    #[test]
    fn an_event_is_out_as_soon_as_it_is_whole() {
        let events = read(Dialect::Completions, &["data: {\"a\"", ": 1}", "\n\n", "data: [DONE]\r\n"]);
        assert_eq!(events, [("{\"a\": 1}".into(), 2), ("[DONE]".into(), 4)]);
    }

    #[test]
    fn what_the_reference_client_trips_over_is_tripped_over() {
        let joined = read(Dialect::Completions, &["data: {}\r\n\r\ndata: {}\r\n\r\n"]);
        assert!(joined.is_empty());
        let named = read(Dialect::Completions, &[": hi\n\nevent: x\ndata: {}\n\n"]);
        assert_eq!(named[0].0, "event: x\ndata: {}");
        assert_eq!(read(Dialect::Completions, &["data:{}\n\n"])[0].0, "data:{}");
        assert_eq!(read(Dialect::Audio, &[": hi\n\n"])[0].0, ": hi");
        let responses = read(Dialect::Responses, &["event: x\ndata: {\ndata:}\n\n", "id: 1\n\n"]);
        assert_eq!(responses, [("{\n}".into(), 1)]);
    }
}

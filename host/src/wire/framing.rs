//! Cutting a body into events: server-sent events, lines of JSON, or the whole.
//!
//! Runs after the bytes have been stamped, off the I/O threads. An event's time
//! is that of the read which brought the last byte of its content: the line end
//! or the empty line behind it may come with the next event and says nothing
//! about when this one was there.

use super::capture::Capture;
use crate::clock::MonotonicNs;
use memchr::{memchr, memchr2};

/// How a response body is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events; an event is its `data` lines, joined by line feeds.
    Sse,
    /// One JSON text a line.
    Ndjson,
    /// The whole body is one event.
    WholeBody,
}

/// One event of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The payload.
    pub payload: &'a [u8],
    /// The name, where an `event` line gave one.
    pub name: Option<&'a str>,
    /// When its content was complete.
    pub at_ns: MonotonicNs,
}

/// Cuts the captures of one response into events.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    /// A line, or for [`Framing::WholeBody`] the body, whose end has not come.
    partial: Vec<u8>,
    /// When the last byte of `partial` came.
    partial_at_ns: MonotonicNs,
    /// The last byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    /// Nothing has come yet, so a byte order mark may.
    at_start: bool,
    /// `data` lines of an event that has not been closed.
    data: Vec<u8>,
    data_lines: usize,
    data_at_ns: MonotonicNs,
    name: String,
}

impl Framer {
    /// A framer for one response.
    pub fn new(framing: Framing) -> Self {
        Self {
            framing,
            partial: Vec::new(),
            partial_at_ns: 0,
            after_cr: false,
            at_start: true,
            data: Vec::new(),
            data_lines: 0,
            data_at_ns: 0,
            name: String::new(),
        }
    }

    /// Takes the next stretch of the body and gives the events that it completes.
    pub fn push(&mut self, capture: &Capture, emit: &mut impl FnMut(Event<'_>)) {
        if self.framing == Framing::WholeBody {
            self.partial.extend_from_slice(&capture.bytes);
            if let Some(last) = capture.reads.last() {
                self.partial_at_ns = last.at_ns;
            }
            return;
        }
        let bytes = capture.bytes.as_slice();
        let mut reads = capture.reads.iter();
        let mut read = reads.next().copied();
        // When the byte before `end` came. Ends only ascend, so one walk serves all.
        let mut at = |end: usize| loop {
            match read {
                Some(mark) if (mark.end as usize) < end => read = reads.next().copied(),
                Some(mark) => return mark.at_ns,
                None => return 0,
            }
        };
        let mut from = 0;
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            from = usize::from(bytes[0] == b'\n');
        }
        while from < bytes.len() {
            let rest = &bytes[from..];
            let found =
                if self.framing == Framing::Sse { memchr2(b'\n', b'\r', rest) } else { memchr(b'\n', rest) };
            let Some(length) = found else {
                self.partial.extend_from_slice(rest);
                self.partial_at_ns = at(bytes.len());
                return;
            };
            let end = from + length;
            if self.partial.is_empty() {
                let at_ns = if length == 0 { 0 } else { at(end) };
                self.line(&bytes[from..end], at_ns, emit);
            } else {
                self.partial.extend_from_slice(&rest[..length]);
                let at_ns = if length == 0 { self.partial_at_ns } else { at(end) };
                let line = std::mem::take(&mut self.partial);
                self.line(&line, at_ns, emit);
                self.partial = line;
                self.partial.clear();
            }
            from = end + 1;
            if rest[length] == b'\r' && self.framing == Framing::Sse {
                match bytes.get(from) {
                    Some(b'\n') => from += 1,
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
        }
    }

    /// The body has ended: gives what was complete but for its end.
    pub fn finish(&mut self, emit: &mut impl FnMut(Event<'_>)) {
        let rest = std::mem::take(&mut self.partial);
        match self.framing {
            Framing::WholeBody => emit(Event { payload: &rest, name: None, at_ns: self.partial_at_ns }),
            _ => {
                if !rest.is_empty() {
                    self.line(&rest, self.partial_at_ns, emit);
                }
                if self.framing == Framing::Sse {
                    self.dispatch(emit);
                }
            }
        }
    }

    /// One line, its end taken off. `at_ns` is when its last byte came.
    fn line(&mut self, line: &[u8], at_ns: MonotonicNs, emit: &mut impl FnMut(Event<'_>)) {
        let mut line = line;
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if self.framing == Framing::Ndjson {
            let payload = line.trim_ascii();
            if !payload.is_empty() {
                emit(Event { payload, name: None, at_ns });
            }
            return;
        }
        if line.is_empty() {
            self.dispatch(emit);
            return;
        }
        let (field, value) = match memchr(b':', line) {
            Some(0) => return, // a comment
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.data_lines > 0 {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.data_lines += 1;
                self.data_at_ns = at_ns;
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            _ => {} // `id`, `retry` and unknown fields mean nothing here
        }
    }

    fn dispatch(&mut self, emit: &mut impl FnMut(Event<'_>)) {
        if self.data_lines > 0 && !self.data.is_empty() {
            let name = Some(self.name.as_str()).filter(|n| !n.is_empty());
            emit(Event { payload: &self.data, name, at_ns: self.data_at_ns });
        }
        self.data.clear();
        self.data_lines = 0;
        self.name.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Cut = (String, Option<String>, u64);

    /// Events of a body of which byte i came at time i + 1, read in pieces that
    /// end at `ends` and handed on in captures of `reads_each` reads.
    fn cut(framing: Framing, body: &[u8], ends: &[usize], reads_each: usize) -> Vec<Cut> {
        let mut framer = Framer::new(framing);
        let mut out = Vec::new();
        let mut emit = |e: Event<'_>| {
            let text = String::from_utf8_lossy(e.payload).into_owned();
            out.push((text, e.name.map(str::to_owned), e.at_ns));
        };
        let mut capture = Capture::default();
        let mut from = 0;
        for &end in ends.iter().chain([&body.len()]) {
            capture.bytes.extend_from_slice(&body[from..end]);
            capture.mark(end as u64);
            from = end;
            if capture.reads.len() == reads_each {
                framer.push(&std::mem::take(&mut capture), &mut emit);
            }
        }
        framer.push(&capture, &mut emit);
        framer.finish(&mut emit);
        out
    }

    fn texts(cuts: &[Cut]) -> Vec<&str> {
        cuts.iter().map(|c| c.0.as_str()).collect()
    }

    #[test]
    fn every_split_gives_the_same_events_at_the_time_of_their_last_byte() {
        let body = b"\xef\xbb\xbf: hello\ndata: one\n\nevent: delta\r\ndata:two\r\ndata:  three\r\n\r\n\
            id: 7\rdata: four\r\rdata\n\nretry: 1\ndata: five";
        let expected = ["one", "two\n three", "four", "five"];
        for a in 0..body.len() {
            for b in a..body.len() {
                for reads_each in [1, 2] {
                    let events = cut(Framing::Sse, body, &[a, b], reads_each);
                    assert_eq!(texts(&events), expected, "split at {a} and {b}");
                    assert_eq!(events[1].1.as_deref(), Some("delta"));
                    assert_eq!(events[2].1, None);
                    let last_byte = body.windows(3).position(|w| w == b"one").unwrap() + 3;
                    let came = [a, b, body.len()].into_iter().find(|&end| end >= last_byte).unwrap();
                    assert_eq!(events[0].2, came as u64, "split at {a} and {b}");
                }
            }
        }
    }

    #[test]
    fn a_separator_that_comes_late_does_not_make_the_event_late() {
        let body = b"data: a\n\ndata: b\n\n";
        let events = cut(Framing::Sse, body, &[7, 16], 1);
        assert_eq!(events, [("a".into(), None, 7), ("b".into(), None, 16)]);
    }

    #[test]
    fn lines_of_json_and_whole_bodies() {
        let lines = cut(Framing::Ndjson, b"{\"a\":1}\n\r\n {\"b\":\"\\r\"} \r\n[3]", &[4, 9], 1);
        assert_eq!(texts(&lines), ["{\"a\":1}", "{\"b\":\"\\r\"}", "[3]"]);
        assert_eq!(texts(&cut(Framing::WholeBody, b"{\n\n}", &[1], 1)), ["{\n\n}"]);
        assert_eq!(texts(&cut(Framing::WholeBody, b"", &[], 1)), [""]);
    }

    #[test]
    fn events_without_data_are_none() {
        assert!(cut(Framing::Sse, b"event: ping\n\n: keep-alive\n\ndata:\n\n\n\n", &[], 1).is_empty());
    }

    proptest! {
        #[test]
        fn any_payload_survives_any_split(
            payloads in prop::collection::vec("[^\r\n]{1,40}", 0..20),
            ends in prop::collection::vec(0usize..2000, 0..30),
            separator in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            reads_each in 1usize..4,
        ) {
            let body: String = payloads.iter().map(|p| format!("data: {p}{separator}{separator}")).collect();
            let mut ends: Vec<usize> = ends.into_iter().map(|e| e.min(body.len())).collect();
            ends.sort_unstable();
            let events = cut(Framing::Sse, body.as_bytes(), &ends, reads_each);
            prop_assert_eq!(texts(&events), payloads.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert!(events.windows(2).all(|w| w[0].2 <= w[1].2));
        }
    }
}

//! Reading one response, stretch by stretch, until there is a record of it.

use super::likeness::Likeness;
use super::origin::{Origin, Seen};
use super::plan::{EventKind, Gathered, ReadyPlan, excerpt};
use crate::plugin::contract::{Header, Parsed, Response};
use crate::record::{Failure, FailureClass, RequestRecord, TokenEvent};
use crate::wire::{Capture, Ending, Event, Framer, Framing, ResponseHead};

use super::reference_sse::{Dialect, ReferenceSse};

/// How the body of a response is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cutting {
    /// By the standard.
    Standard(Framing),
    /// Server-sent events with the reference client's quirks.
    Reference(Dialect),
}

#[derive(Debug)]
enum Cutter {
    Standard(Framer),
    Reference(ReferenceSse),
}

impl Cutter {
    fn push(&mut self, capture: &Capture, emit: &mut impl FnMut(Event<'_>)) {
        match self {
            Self::Standard(framer) => framer.push(capture, emit),
            Self::Reference(reader) => reader.push(capture, emit),
        }
    }

    fn finish(&mut self, emit: &mut impl FnMut(Event<'_>)) {
        match self {
            Self::Standard(framer) => framer.finish(emit),
            // It makes nothing of a rest.
            Self::Reference(_) => {}
        }
    }
}

/// How the events of a response are read.
#[derive(Debug)]
pub enum Method {
    /// Natively, event by event.
    Plan(Box<ReadyPlan>),
    /// By the backend plugin, all events of a response in one call at its end.
    Plugin,
}

/// What is known of a request before it is sent.
#[derive(Debug, Clone, Default)]
pub struct RequestMeta {
    /// The id sent as `x-request-id`.
    pub id: Option<String>,
    /// The session that the dataset put it in.
    pub session: Option<String>,
    /// Labels of the dataset, name and value.
    pub tags: Vec<(String, String)>,
    /// The dataset's count of the prompt's tokens.
    pub prompt_tokens: u64,
    /// Length of the answer asked for.
    pub output_tokens: i64,
    /// Inputs that it holds.
    pub input_sequences: u32,
    /// Length of the audio sent, in seconds.
    pub audio_s: f64,
}

/// Payloads kept for the plugin.
#[derive(Debug, Default)]
struct Kept {
    /// How many events are expected.
    expected: usize,
    body: Vec<u8>,
    ends: Vec<u32>,
    at_ns: Vec<u64>,
    names: Vec<(u32, String)>,
}

impl Kept {
    fn expecting(events: usize) -> Self {
        Self {
            expected: events,
            ends: Vec::with_capacity(events),
            at_ns: Vec::with_capacity(events),
            ..Self::default()
        }
    }

    fn push(&mut self, event: Event<'_>) {
        if self.body.is_empty() {
            // Nearly all events are about as long as the first.
            self.body.reserve((self.expected * event.payload.len()).min(MOST_EXPECTED_BYTES));
        }
        if let Some(name) = event.name {
            self.names.push((self.ends.len() as u32, name.to_owned()));
        }
        self.body.extend_from_slice(event.payload);
        self.ends.push(self.body.len() as u32);
        self.at_ns.push(event.at_ns);
    }
}

/// No room is made ahead for more bytes than this.
const MOST_EXPECTED_BYTES: usize = 256 << 10;
/// No room is made ahead for more token events than this.
const MOST_EXPECTED: usize = 4096;

/// What the events of a response have said.
#[derive(Debug, Default)]
struct Taken {
    gathered: Gathered,
    likeness: Likeness,
    token_events: Vec<TokenEvent>,
    kept: Kept,
    first_event_ns: u64,
    failure: Option<Failure>,
}

impl Taken {
    fn take(&mut self, event: Event<'_>, method: &Method) {
        if self.first_event_ns == 0 {
            self.first_event_ns = event.at_ns;
        }
        match method {
            Method::Plugin => self.kept.push(event),
            // What comes after a failure is not part of an answer.
            Method::Plan(_) if self.failure.is_some() => {}
            Method::Plan(plan) => match plan.read(event.payload, &mut self.gathered, &mut self.likeness) {
                EventKind::Token(kind) => {
                    self.token_events.push(TokenEvent { at_ns: event.at_ns, kind, tokens: 0 });
                }
                EventKind::Other => {}
                EventKind::Error(message) => {
                    self.failure = Some(Failure { class: FailureClass::Stream, message })
                }
                EventKind::Malformed(message) => {
                    self.failure = Some(Failure { class: FailureClass::Protocol, message });
                }
            },
        }
    }
}

/// A response that is being read.
#[derive(Debug)]
pub struct Reading {
    meta: RequestMeta,
    cutter: Cutter,
    taken: Taken,
    /// The beginning of the body, for messages.
    beginning: Vec<u8>,
}

impl Reading {
    /// A response of which nothing has been read yet.
    pub fn new(cutting: Cutting, method: &Method, meta: RequestMeta) -> Self {
        let cutter = match cutting {
            Cutting::Standard(framing) => Cutter::Standard(Framer::new(framing)),
            Cutting::Reference(dialect) => Cutter::Reference(ReferenceSse::new(dialect)),
        };
        let mut taken = Taken::default();
        // One event a token, and the one that ends it, is what most servers
        // send. Room found bit by bit would leave as much behind in holes.
        let expected = usize::try_from(meta.output_tokens).unwrap_or(0).min(MOST_EXPECTED) + 1;
        match method {
            Method::Plan(_) => taken.token_events.reserve_exact(expected),
            Method::Plugin => taken.kept = Kept::expecting(expected),
        }
        Self { meta, cutter, taken, beginning: Vec::new() }
    }

    /// Reads the next stretch of the body.
    pub fn push(&mut self, status: u16, capture: &Capture, method: &Method) {
        const ENOUGH: usize = 2048;
        // Of an answer that is none, the first words say enough.
        let enough = if status == 200 { ENOUGH / 4 } else { ENOUGH };
        let room = enough.saturating_sub(self.beginning.len()).min(capture.bytes.len());
        self.beginning.extend_from_slice(&capture.bytes[..room]);
        if status != 200 {
            return;
        }
        let Self { cutter, taken, .. } = self;
        cutter.push(capture, &mut |event| taken.take(event, method));
    }

    /// The response has ended: reads the rest and makes the record. `parse`
    /// calls the plugin, for [`Method::Plugin`]. With an origin, what cannot be
    /// an answer to the backend is told from an answer that is broken.
    pub fn finish(
        mut self,
        ending: Ending,
        method: &Method,
        origin: Option<&Origin>,
        parse: impl FnOnce(Response) -> Result<Parsed, String>,
    ) -> RequestRecord {
        let status = ending.head.as_ref().map_or(0, |head| head.status);
        self.push(status, &ending.capture, method);
        let meta = std::mem::take(&mut self.meta);
        let mut record = RequestRecord {
            index: ending.index,
            id: meta.id,
            session: meta.session,
            tags: meta.tags,
            prompt_tokens: meta.prompt_tokens,
            dataset_prompt_tokens: meta.prompt_tokens,
            requested_output_tokens: meta.output_tokens,
            input_sequences: meta.input_sequences,
            audio_s: meta.audio_s,
            stamps: ending.stamps,
            status,
            bytes_out: ending.bytes_out,
            bytes_in: ending.bytes_in,
            ..RequestRecord::default()
        };
        if status != 0 && status != 200 {
            record.failure = Some(refusal(ending.head.as_ref(), &self.beginning));
            return record;
        }
        if ending.failure.is_none() {
            let Self { cutter, taken, .. } = &mut self;
            cutter.finish(&mut |event| taken.take(event, method));
        }
        record.stamps.first_event_ns = self.taken.first_event_ns;
        let content_type =
            ending.head.as_ref().and_then(|head| head.header("content-type")).map(str::to_owned);
        let ended_well = ending.failure.is_none();
        match method {
            Method::Plan(plan) => {
                if self.taken.failure.is_none() && ending.failure.is_none() {
                    self.taken.failure =
                        plan.incomplete(&self.taken.gathered, self.taken.token_events.len()).map(|message| {
                            Failure { class: FailureClass::Incomplete, message: message.to_owned() }
                        });
                }
            }
            Method::Plugin => record.extra = self.parse(ending.head, ending.failure.is_some(), parse),
        }
        if let (Some(origin), Some(failure)) = (origin.filter(|_| ended_well), &mut self.taken.failure)
            && self.taken.token_events.is_empty()
        {
            let seen = Seen {
                content_type: content_type.as_deref(),
                strange: self.taken.first_event_ns != 0 && self.taken.gathered.is_empty(),
                beginning: &self.beginning,
            };
            origin.explain(failure, &seen);
        }
        record.token_events = self.taken.token_events;
        record.text = self.taken.gathered.text;
        // They are kept to the end of the run, the room to grow is not.
        record.token_events.shrink_to_fit();
        record.text.shrink_to_fit();
        record.usage = self.taken.gathered.usage;
        record.prompt_tokens = record.usage.prompt_tokens.unwrap_or(record.prompt_tokens);
        record.finish_reason = self.taken.gathered.finish_reason;
        record.server_queue_s = self.taken.gathered.server_queue_ms.map(|ms| ms / 1000.0);
        record.server_ttft_s = self.taken.gathered.server_ttft_ms.map(|ms| ms / 1000.0);
        record.failure = ending.failure.or(self.taken.failure);
        record
    }

    /// Has the plugin read what was kept. Also after a failure below, for the
    /// tokens that had come by then.
    fn parse(
        &mut self,
        head: Option<ResponseHead>,
        failed_below: bool,
        parse: impl FnOnce(Response) -> Result<Parsed, String>,
    ) -> Option<String> {
        let head = head?;
        let kept = std::mem::take(&mut self.taken.kept);
        let response = Response {
            status: head.status,
            headers: head.headers.into_iter().map(|(name, value)| Header { name, value }).collect(),
            body: kept.body,
            ends: kept.ends,
            names: kept.names,
        };
        let parsed = match parse(response) {
            Ok(parsed) => parsed,
            Err(message) => {
                self.taken.failure = Some(Failure { class: FailureClass::Plugin, message });
                return None;
            }
        };
        self.taken.token_events = parsed
            .tokens
            .iter()
            .filter_map(|token| {
                let at_ns = *kept.at_ns.get(token.event as usize)?;
                Some(TokenEvent { at_ns, kind: token.kind, tokens: token.tokens })
            })
            .collect();
        self.taken.gathered = Gathered {
            text: parsed.text,
            usage: parsed.usage.unwrap_or_default(),
            finish_reason: parsed.finish_reason,
            server_queue_ms: parsed.server_queue_ms,
            server_ttft_ms: parsed.server_ttft_ms,
            terminal: true,
        };
        if !failed_below {
            self.taken.failure = parsed.error.map(|message| Failure { class: FailureClass::Stream, message });
        }
        parsed.extra
    }
}

fn refusal(head: Option<&ResponseHead>, body: &[u8]) -> Failure {
    let (status, reason) = head.map_or((0, ""), |head| (head.status, head.reason.as_str()));
    let mut message = format!("{status} {reason}").trim_end().to_owned();
    if let (300..=399, Some(to)) = (status, head.and_then(|head| head.header("location"))) {
        message = format!("{message}: the server redirects to {to}; use that address");
    }
    let said = excerpt(body);
    if !said.is_empty() {
        message = format!("{message}: {said}");
    }
    Failure { class: FailureClass::Status, message }
}

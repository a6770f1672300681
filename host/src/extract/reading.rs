//! Reading one response, stretch by stretch, until there is a record of it.

use super::likeness::Likeness;
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
    body: Vec<u8>,
    ends: Vec<u32>,
    at_ns: Vec<u64>,
    names: Vec<(u32, String)>,
}

/// A response that is being read.
#[derive(Debug)]
pub struct Reading {
    cutter: Cutter,
    gathered: Gathered,
    likeness: Likeness,
    token_events: Vec<TokenEvent>,
    kept: Kept,
    first_event_ns: u64,
    failure: Option<Failure>,
    /// The beginning of a body that came with a status other than 200.
    refusal: Vec<u8>,
}

impl Reading {
    /// A response of which nothing has been read yet.
    pub fn new(cutting: Cutting) -> Self {
        let cutter = match cutting {
            Cutting::Standard(framing) => Cutter::Standard(Framer::new(framing)),
            Cutting::Reference(dialect) => Cutter::Reference(ReferenceSse::new(dialect)),
        };
        Self {
            cutter,
            gathered: Gathered::default(),
            likeness: Likeness::default(),
            token_events: Vec::new(),
            kept: Kept::default(),
            first_event_ns: 0,
            failure: None,
            refusal: Vec::new(),
        }
    }

    /// Reads the next stretch of the body.
    pub fn push(&mut self, status: u16, capture: &Capture, method: &Method) {
        if status != 200 {
            const ENOUGH: usize = 2048;
            let room = ENOUGH.saturating_sub(self.refusal.len()).min(capture.bytes.len());
            self.refusal.extend_from_slice(&capture.bytes[..room]);
            return;
        }
        let Self { cutter, gathered, likeness, token_events, kept, first_event_ns, failure, .. } = self;
        let mut emit = |event: Event<'_>| {
            take_event(event, method, gathered, likeness, token_events, kept, first_event_ns, failure);
        };
        cutter.push(capture, &mut emit);
    }

    /// The response has ended: reads the rest and makes the record. `parse`
    /// calls the plugin, for [`Method::Plugin`].
    pub fn finish(
        mut self,
        ending: Ending,
        meta: RequestMeta,
        method: &Method,
        parse: impl FnOnce(Response) -> Result<Parsed, String>,
    ) -> RequestRecord {
        let status = ending.head.as_ref().map_or(0, |head| head.status);
        self.push(status, &ending.capture, method);
        let mut record = RequestRecord {
            index: ending.index,
            id: meta.id,
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
            record.failure = Some(refusal(ending.head.as_ref(), &self.refusal));
            return record;
        }
        if ending.failure.is_none() {
            let Self { cutter, gathered, likeness, token_events, kept, first_event_ns, failure, .. } =
                &mut self;
            let mut emit = |event: Event<'_>| {
                take_event(event, method, gathered, likeness, token_events, kept, first_event_ns, failure);
            };
            cutter.finish(&mut emit);
        }
        record.stamps.first_event_ns = self.first_event_ns;
        match method {
            Method::Plan(plan) => {
                if self.failure.is_none() && ending.failure.is_none() {
                    self.failure = plan.incomplete(&self.gathered, self.token_events.len()).map(|message| {
                        Failure { class: FailureClass::Incomplete, message: message.to_owned() }
                    });
                }
            }
            Method::Plugin => self.parse(ending.head, ending.failure.is_some(), parse),
        }
        record.token_events = self.token_events;
        record.text = self.gathered.text;
        record.usage = self.gathered.usage;
        record.prompt_tokens = record.usage.prompt_tokens.unwrap_or(record.prompt_tokens);
        record.finish_reason = self.gathered.finish_reason;
        record.server_queue_s = self.gathered.server_queue_ms.map(|ms| ms / 1000.0);
        record.server_ttft_s = self.gathered.server_ttft_ms.map(|ms| ms / 1000.0);
        record.failure = ending.failure.or(self.failure);
        record
    }

    /// Has the plugin read what was kept. Also after a failure below, for the
    /// tokens that had come by then.
    fn parse(
        &mut self,
        head: Option<ResponseHead>,
        failed_below: bool,
        parse: impl FnOnce(Response) -> Result<Parsed, String>,
    ) {
        let Some(head) = head else { return };
        let kept = std::mem::take(&mut self.kept);
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
                self.failure = Some(Failure { class: FailureClass::Plugin, message });
                return;
            }
        };
        self.token_events = parsed
            .tokens
            .iter()
            .filter_map(|token| {
                let at_ns = *kept.at_ns.get(token.event as usize)?;
                Some(TokenEvent { at_ns, kind: token.kind, tokens: token.tokens })
            })
            .collect();
        self.gathered = Gathered {
            text: parsed.text,
            usage: parsed.usage.unwrap_or_default(),
            finish_reason: parsed.finish_reason,
            server_queue_ms: parsed.server_queue_ms,
            server_ttft_ms: parsed.server_ttft_ms,
            terminal: true,
        };
        if !failed_below {
            self.failure = parsed.error.map(|message| Failure { class: FailureClass::Stream, message });
        }
    }
}

fn take_event(
    event: Event<'_>,
    method: &Method,
    gathered: &mut Gathered,
    likeness: &mut Likeness,
    token_events: &mut Vec<TokenEvent>,
    kept: &mut Kept,
    first_event_ns: &mut u64,
    failure: &mut Option<Failure>,
) {
    if *first_event_ns == 0 {
        *first_event_ns = event.at_ns;
    }
    match method {
        Method::Plugin => {
            if let Some(name) = event.name {
                kept.names.push((kept.ends.len() as u32, name.to_owned()));
            }
            kept.body.extend_from_slice(event.payload);
            kept.ends.push(kept.body.len() as u32);
            kept.at_ns.push(event.at_ns);
        }
        // What comes after a failure is not part of an answer.
        Method::Plan(_) if failure.is_some() => {}
        Method::Plan(plan) => match plan.read(event.payload, gathered, likeness) {
            EventKind::Token(kind) => {
                token_events.push(TokenEvent { at_ns: event.at_ns, kind, tokens: 0 });
            }
            EventKind::Other => {}
            EventKind::Error(message) => *failure = Some(Failure { class: FailureClass::Stream, message }),
            EventKind::Malformed(message) => {
                *failure = Some(Failure { class: FailureClass::Protocol, message });
            }
        },
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

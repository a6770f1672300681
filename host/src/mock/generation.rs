//! The schedule of one answer, and how far it has got.
//!
//! Three counters run after each other: steps *generated* (due, whether or not
//! the client reads), *rendered* into the connection's buffer, and *sent*. So a
//! client that does not read costs a few numbers a token and no buffer, and
//! does not move the schedule of anybody.

use super::answer::{Answer, Reply};
use super::api::{Counts, Parts, Tokens};
use super::batch::Waiting;
use super::body::GenerationRequest;
use super::config::FailureKind;
use super::connection::Outgoing;
use super::delay::{Delay, SplitMix64};
use super::lateness::Durations;
use super::log::RequestLog;
use crate::clock::MonotonicNs;

/// Where an answer stands in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waits for a place.
    Waiting,
    /// Holds a place.
    Running,
    /// All of its schedule is past and its place is free.
    Released,
}

/// What becomes of the connection once all is rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The answer is complete.
    Complete,
    /// The answer ends here, in order.
    Truncate,
    /// The answer ends here, by a reset.
    Reset,
    /// The answer never ends.
    Stall,
}

/// One answer.
pub(super) struct Generation {
    /// Place in the order of arrival, from 1, and connection.
    pub(super) place: Waiting,
    pub(super) phase: Phase,
    pub(super) log: RequestLog,
    request: GenerationRequest,
    answer: Answer,
    chunk_tokens: u64,
    parts: Parts,
    /// Tokens of the prompt that were in the prefix cache.
    cached_tokens: u64,
    /// When the first token was due.
    first_due_ns: MonotonicNs,
    random: SplitMix64,
    failure: Option<FailureKind>,
    /// Points of time at which something is due: token events, the last one
    /// being replaced by the failure if there is to be one; or one whole body.
    steps: u64,
    next_due_ns: MonotonicNs,
    generated: u64,
    rendered: u64,
    sent: usize,
    ending: Option<Ending>,
}

/// How an answer is to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    /// Tokens an event.
    pub(super) chunk_tokens: u64,
    /// What its tokens are part of.
    pub(super) parts: Parts,
    /// How it is to fail, if it is.
    pub(super) failure: Option<FailureKind>,
}

impl Generation {
    /// An answer of `log.output_tokens` tokens that waits for its place.
    pub(super) fn new(
        place: Waiting,
        request: GenerationRequest,
        answer: Answer,
        course: Course,
        random: SplitMix64,
        log: RequestLog,
    ) -> Self {
        let Course { chunk_tokens, parts, failure } = course;
        let events = log.output_tokens.div_ceil(chunk_tokens);
        let steps = match failure {
            _ if !request.stream => 1,
            Some(_) => events / 2 + 1,
            None => events,
        };
        Self {
            place,
            phase: Phase::Waiting,
            log,
            request,
            answer,
            chunk_tokens,
            parts,
            cached_tokens: 0,
            first_due_ns: 0,
            random,
            failure,
            steps,
            next_due_ns: 0,
            generated: 0,
            rendered: 0,
            sent: 0,
            ending: None,
        }
    }

    /// Head of the response, if it goes ahead of the first token.
    pub(super) fn early_head(&self, out: &mut Vec<u8>) {
        if self.request.stream {
            self.answer.stream_head(out);
        }
    }

    /// What the prefix cache is asked.
    pub(super) fn request(&self) -> &GenerationRequest {
        &self.request
    }

    /// Enters the batch at `at`, with so many tokens of the prompt in the prefix
    /// cache. Returns when the first step is due.
    pub(super) fn admit(
        &mut self,
        at: MonotonicNs,
        cached_tokens: u64,
        ttft: &Delay,
        itl: &Delay,
    ) -> MonotonicNs {
        self.phase = Phase::Running;
        self.cached_tokens = cached_tokens;
        self.log.admitted_ns = at;
        self.next_due_ns = at + ttft.sample_ns(&mut self.random);
        self.first_due_ns = self.next_due_ns;
        if !self.request.stream {
            for _ in 1..self.log.output_tokens.div_ceil(self.chunk_tokens) {
                self.next_due_ns += itl.sample_ns(&mut self.random);
            }
        }
        self.next_due_ns
    }

    /// Generates what is due. Returns the number of tokens.
    pub(super) fn advance(&mut self, now: MonotonicNs, itl: &Delay) -> u64 {
        let mut tokens = 0;
        while self.next_due().is_some_and(|due| due <= now) {
            if !self.fails_at(self.generated) {
                self.log.due_ns.push(self.next_due_ns);
                tokens += self.tokens_of(self.generated);
            }
            self.generated += 1;
            if self.generated < self.steps {
                self.next_due_ns += itl.sample_ns(&mut self.random);
            }
        }
        tokens
    }

    /// When the next step is due, if there is one.
    pub(super) fn next_due(&self) -> Option<MonotonicNs> {
        (self.generated < self.steps).then_some(self.next_due_ns)
    }

    /// When the last step was due.
    pub(super) fn schedule_end_ns(&self) -> MonotonicNs {
        self.next_due_ns
    }

    /// Whether it keeps its place in the batch after its schedule has ended.
    pub(super) fn stalls(&self) -> bool {
        self.failure == Some(FailureKind::Stall)
    }

    fn fails_at(&self, step: u64) -> bool {
        self.failure.is_some() && step + 1 == self.steps
    }

    fn tokens_of(&self, step: u64) -> u64 {
        if self.request.stream {
            self.chunk_tokens.min(self.log.output_tokens - step * self.chunk_tokens)
        } else {
            self.log.output_tokens
        }
    }

    /// Whether something is due that is not in the buffer yet.
    pub(super) fn has_unrendered(&self) -> bool {
        self.rendered < self.generated
    }

    /// Writes what is due into the buffer, as long as that has room.
    pub(super) fn render(&mut self, out: &mut Outgoing) {
        while self.rendered < self.generated && out.has_room() {
            let step = self.rendered;
            self.rendered += 1;
            if self.request.stream {
                self.render_event(step, out);
            } else {
                self.render_whole(out);
            }
        }
    }

    /// What an answer says of itself; the times as far as they are known.
    fn counts(&self) -> Counts {
        let since = |at: MonotonicNs| at.saturating_sub(self.log.admitted_ns);
        Counts {
            prompt: self.log.prompt_tokens,
            cached: self.cached_tokens,
            output: self.log.output_tokens,
            parts: self.parts,
            include_usage: self.request.include_usage,
            ttft_ns: since(self.first_due_ns),
            total_ns: since(self.next_due_ns.max(self.first_due_ns)),
        }
    }

    fn render_event(&mut self, step: u64, out: &mut Outgoing) {
        if step == 0 {
            self.answer.opening(&mut out.bytes);
        }
        if self.fails_at(step) {
            self.render_failure(out);
            return;
        }
        let last = step + 1 == self.steps;
        let counts = self.counts();
        let first = step * self.chunk_tokens;
        let part = self.parts.of(first, counts.output);
        let tokens = Tokens { first, count: self.tokens_of(step), last, part, text: &[] };
        self.answer.tokens(&mut out.bytes, tokens, &counts);
        out.end_of_event();
        if last {
            self.answer.closing(&mut out.bytes, &counts);
            self.ending = Some(Ending::Complete);
        }
    }

    fn render_failure(&mut self, out: &mut Outgoing) {
        let bytes = &mut out.bytes;
        self.ending = match self.failure {
            Some(FailureKind::Reset) => Some(Ending::Reset),
            Some(FailureKind::Truncate) => Some(Ending::Truncate),
            Some(FailureKind::Stall) => Some(Ending::Stall),
            Some(FailureKind::Garbage) => {
                self.answer.garbage(bytes);
                Some(Ending::Complete)
            }
            Some(FailureKind::StreamError | FailureKind::Status500 | FailureKind::Status429) | None => {
                self.answer.error(bytes, INJECTED);
                Some(Ending::Complete)
            }
        };
    }

    fn render_whole(&mut self, out: &mut Outgoing) {
        let mut reply = self.answer.whole(&self.counts());
        let whole = reply.body.len();
        let half = whole / 2;
        let (length, promised, ending) = match self.failure {
            None => (whole, whole, Ending::Complete),
            Some(FailureKind::Truncate) => (half, whole, Ending::Truncate),
            Some(FailureKind::Reset) => (half, whole, Ending::Reset),
            Some(FailureKind::Stall) => (half, whole, Ending::Stall),
            Some(FailureKind::Garbage) => (half, half, Ending::Complete),
            Some(FailureKind::StreamError | FailureKind::Status500 | FailureKind::Status429) => {
                reply = Reply::json(500, self.request.api.error_body(500, INJECTED));
                (reply.body.len(), reply.body.len(), Ending::Complete)
            }
        };
        reply.body.truncate(length);
        self.log.status = reply.status;
        reply.render(&mut out.bytes, self.answer.keeps_alive(), promised);
        if self.failure.is_none() {
            out.end_of_event();
        }
        self.ending = Some(ending);
    }

    /// What becomes of the connection, once all is rendered.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether the connection may carry another request afterwards.
    pub(super) fn keeps_alive(&self) -> bool {
        self.answer.keeps_alive()
    }

    /// The failure that was to be.
    pub(super) fn failure(&self) -> Option<FailureKind> {
        self.failure
    }

    /// A write that returned at `at` carried the ends of `events` token events.
    /// Those that waited for the client (`held`) do not count as the server's
    /// lateness.
    pub(super) fn mark_sent(&mut self, events: usize, at: MonotonicNs, held: bool, lateness: &mut Durations) {
        for _ in 0..events {
            let due = self.log.due_ns.get(self.sent).copied().unwrap_or(at);
            if held {
                self.log.held_events += 1;
            } else {
                lateness.record(at.saturating_sub(due));
            }
            self.log.sent_ns.push(at);
            self.sent += 1;
        }
        if events > 0 && self.log.first_sent_ns == 0 {
            self.log.first_sent_ns = at;
        }
    }
}

/// Message of failures that were asked for.
pub(super) const INJECTED: &str = "the mock server was told to fail this request";

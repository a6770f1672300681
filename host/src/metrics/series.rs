//! One value a request, by the rules of the reference client.
//!
//! Times are differences of nanosecond stamps turned into seconds once, so
//! they carry no rounding noise of absolute times.

use crate::clock::{seconds, seconds_between};
use crate::record::{FailureClass, RequestRecord, RunRecord, Task};

/// The columns behind every aggregate, in dispatch order; all of the same
/// length except the pooled gaps.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Which numbers make sense.
    pub task: Task,
    /// Length of the run in seconds, arrival gaps included.
    pub duration_s: f64,
    /// Whether the request counts as a success.
    pub succeeded: Vec<bool>,
    /// Input length in tokens.
    pub input_tokens: Vec<u64>,
    /// Output length in tokens, 0 for failed requests.
    pub output_tokens: Vec<u64>,
    /// Inputs that the request holds (pooling).
    pub input_sequences: Vec<u64>,
    /// Length of the audio sent.
    pub audio_s: Vec<f64>,
    /// When the client began, on the monotonic clock.
    pub start_s: Vec<f64>,
    /// From the beginning to the first token event; 0 if none came.
    pub ttft_s: Vec<f64>,
    /// From the beginning to the last token event (generation) or to the end
    /// of the body (pooling); 0 where the reference client leaves it unset.
    pub latency_s: Vec<f64>,
    /// Wait for a concurrency slot.
    pub queue_s: Vec<f64>,
    itl_s: Vec<f64>,
    itl_ends: Vec<usize>,
}

impl Series {
    /// Columns for no request yet.
    pub fn empty(task: Task, duration_s: f64) -> Self {
        Self {
            task,
            duration_s,
            succeeded: Vec::new(),
            input_tokens: Vec::new(),
            output_tokens: Vec::new(),
            input_sequences: Vec::new(),
            audio_s: Vec::new(),
            start_s: Vec::new(),
            ttft_s: Vec::new(),
            latency_s: Vec::new(),
            queue_s: Vec::new(),
            itl_s: Vec::new(),
            itl_ends: Vec::new(),
        }
    }

    /// The columns of a run.
    pub fn from_run(run: &RunRecord) -> Self {
        let mut series = Self::empty(run.task, seconds_between(run.start_ns, run.end_ns));
        let events: usize = run.requests.iter().map(|r| r.token_events.len()).sum();
        series.itl_s.reserve(events);
        for request in &run.requests {
            series.push(request);
        }
        series
    }

    /// Requests in the run.
    pub fn len(&self) -> usize {
        self.succeeded.len()
    }

    /// Whether there is no request at all.
    pub fn is_empty(&self) -> bool {
        self.succeeded.is_empty()
    }

    /// Gaps between the token events of one request, in seconds.
    pub fn itl_s(&self, request: usize) -> &[f64] {
        let from = if request == 0 { 0 } else { self.itl_ends[request - 1] };
        &self.itl_s[from..self.itl_ends[request]]
    }

    /// Time per output token after the first: `(latency - ttft) / (tokens - 1)`.
    /// None for a failed request and for fewer than two tokens.
    pub fn tpot_s(&self, request: usize) -> Option<f64> {
        let tokens = self.output_tokens[request];
        (self.succeeded[request] && tokens > 1)
            .then(|| (self.latency_s[request] - self.ttft_s[request]) / (tokens - 1) as f64)
    }

    /// TPOT of every request with 0 where there is none: the column that
    /// goodput rules look at, as the reference client fills it.
    pub fn tpot_or_zero_s(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.tpot_s(i).unwrap_or(0.0)).collect()
    }

    /// The places of the successful requests.
    pub fn successes(&self) -> impl Iterator<Item = usize> + '_ {
        self.succeeded.iter().enumerate().filter_map(|(i, &ok)| ok.then_some(i))
    }

    /// Adds a request's gaps. Called once for each request, in order.
    pub(crate) fn push_itl(&mut self, gaps: impl IntoIterator<Item = f64>) {
        self.itl_s.extend(gaps);
        self.itl_ends.push(self.itl_s.len());
    }

    fn push(&mut self, request: &RequestRecord) {
        let stamps = &request.stamps;
        let started = stamps.started_ns;
        // Bodies of other statuses are never read for tokens.
        let read = request.succeeded() || request.status == 200;
        let events: &[_] = if read && self.task == Task::Generation { &request.token_events } else { &[] };

        self.succeeded.push(request.succeeded());
        // The reference client takes the count of a pooling request from its answer alone.
        let counted = self.task == Task::Generation || request.succeeded();
        self.input_tokens.push(if counted { request.prompt_tokens } else { 0 });
        self.output_tokens.push(if request.succeeded() { request.output_tokens } else { 0 });
        self.input_sequences.push(u64::from(request.input_sequences));
        self.audio_s.push(request.audio_s);
        self.start_s.push(seconds(started));
        self.queue_s.push(if started == 0 { 0.0 } else { seconds_between(stamps.released_ns, started) });
        self.push_itl(events.windows(2).map(|pair| seconds_between(pair[0].at_ns, pair[1].at_ns)));

        let latency = match self.task {
            Task::Generation => generation_latency_s(request, events.last().map(|e| e.at_ns)),
            Task::Pooling => pooling_latency_s(request, read),
        };
        let ttft = match self.task {
            Task::Generation => events.first().map_or(0.0, |e| seconds_between(started, e.at_ns)),
            Task::Pooling => latency,
        };
        self.ttft_s.push(ttft);
        self.latency_s.push(latency);
    }
}

/// Whether the body of an answer was read to its end, also if the answer was
/// then called failed. The reference client sets text and latency only then;
/// an exception on the way leaves them unset.
pub(crate) fn read_to_the_end(request: &RequestRecord) -> bool {
    match &request.failure {
        None => true,
        Some(failure) => matches!(failure.class, FailureClass::Stream | FailureClass::Incomplete),
    }
}

fn generation_latency_s(request: &RequestRecord, last_token_ns: Option<u64>) -> f64 {
    match last_token_ns {
        Some(at) if read_to_the_end(request) => seconds_between(request.stamps.started_ns, at),
        None if request.succeeded() => seconds_between(request.stamps.started_ns, request.stamps.end_ns),
        _ => 0.0,
    }
}

/// A pooling answer has its latency once the whole body is there, which is
/// when its only event is complete, even if the body then cannot be read.
fn pooling_latency_s(request: &RequestRecord, read: bool) -> f64 {
    let stamps = &request.stamps;
    let whole_body = request.succeeded() || (read && stamps.first_event_ns != 0);
    if whole_body { seconds_between(stamps.started_ns, stamps.end_ns) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, Stamps, TokenEvent, TokenKind};

    fn request(tokens_at_ms: &[u64], failure: Option<FailureClass>, status: u16) -> RequestRecord {
        RequestRecord {
            stamps: Stamps {
                released_ns: 1_000_000_000,
                started_ns: 1_002_000_000,
                first_event_ns: 1_005_000_000,
                end_ns: 1_100_000_000,
                ..Stamps::default()
            },
            token_events: tokens_at_ms
                .iter()
                .map(|ms| TokenEvent {
                    at_ns: 1_002_000_000 + ms * 1_000_000,
                    kind: TokenKind::Content,
                    tokens: 0,
                })
                .collect(),
            output_tokens: 3,
            prompt_tokens: 7,
            status,
            failure: failure.map(|class| Failure { class, message: String::new() }),
            ..RequestRecord::default()
        }
    }

    fn series(task: Task, requests: Vec<RequestRecord>) -> Series {
        Series::from_run(&RunRecord { task, start_ns: 0, end_ns: 2_000_000_000, requests })
    }

    #[test]
    fn a_success_ends_with_its_last_token() {
        let s = series(Task::Generation, vec![request(&[4, 6, 9], None, 200)]);
        assert_eq!((s.ttft_s[0], s.latency_s[0], s.queue_s[0]), (0.004, 0.009, 0.002));
        assert_eq!(s.itl_s(0), [0.002, 0.003]);
        assert_eq!(s.tpot_s(0), Some((0.009 - 0.004) / 2.0));
        assert_eq!((s.start_s[0], s.duration_s), (1.002, 2.0));
    }

    #[test]
    fn a_failure_keeps_what_came_before_it() {
        use FailureClass::{Incomplete, Protocol, Status, Stream};
        let requests = vec![
            request(&[4, 6], Some(Protocol), 200),
            request(&[4, 6], Some(Stream), 200),
            request(&[4, 6], Some(Incomplete), 200),
            request(&[4, 6], Some(Status), 500),
        ];
        let s = series(Task::Generation, requests);
        assert_eq!(s.ttft_s, [0.004, 0.004, 0.004, 0.0]);
        assert_eq!(s.latency_s, [0.0, 0.006, 0.006, 0.0]);
        assert_eq!((s.itl_s(0), s.itl_s(3)), (&[0.002][..], &[][..]));
        assert_eq!((s.output_tokens[1], s.input_tokens[1]), (0, 7));
        assert_eq!(s.tpot_or_zero_s(), [0.0; 4]);
    }

    #[test]
    fn pooling_counts_to_the_end_of_the_body() {
        let mut cut_short = request(&[], Some(FailureClass::Protocol), 200);
        cut_short.stamps.first_event_ns = 0;
        let unreadable = request(&[], Some(FailureClass::Protocol), 200);
        let refused = request(&[], Some(FailureClass::Status), 413);
        let s = series(Task::Pooling, vec![request(&[], None, 200), cut_short, unreadable, refused]);
        assert_eq!(s.latency_s, [0.098, 0.0, 0.098, 0.0]);
        assert_eq!(s.ttft_s, s.latency_s);
    }

    #[test]
    fn a_request_that_never_began_has_no_times() {
        let mut never = request(&[], Some(FailureClass::Interrupted), 0);
        never.stamps = Stamps { released_ns: 5, ..Stamps::default() };
        let s = series(Task::Generation, vec![never]);
        assert_eq!((s.start_s[0], s.queue_s[0], s.latency_s[0]), (0.0, 0.0, 0.0));
    }
}

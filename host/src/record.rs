//! What happened, per request.

use crate::clock::{self, MonotonicNs};

/// Which numbers make sense for a backend's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Tokens one after another.
    Generation,
    /// One result at the end: embeddings, scores, labels.
    Pooling,
}

/// What a token of an answer is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The answer itself.
    Content,
    /// Thinking aloud before the answer.
    Reasoning,
    /// The name or the arguments of a tool call.
    ToolCall,
}

/// The life of one request on the monotonic clock, in nanoseconds. 0 means
/// that it never came to that. `docs/concepts/timing.md` defines each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    /// When the schedule wanted it to go.
    pub scheduled_ns: MonotonicNs,
    /// When the pacer released it, before any wait for a concurrency slot.
    pub released_ns: MonotonicNs,
    /// When the client began, concurrency slot held.
    pub started_ns: MonotonicNs,
    /// When the last byte of the request was written.
    pub sent_ns: MonotonicNs,
    /// When the response's head was complete.
    pub headers_ns: MonotonicNs,
    /// When the first event was complete.
    pub first_event_ns: MonotonicNs,
    /// When the response ended, or failed.
    pub end_ns: MonotonicNs,
}

/// An event that carries a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenEvent {
    /// When the read that completed the event returned.
    pub at_ns: MonotonicNs,
    /// What it is part of.
    pub kind: TokenKind,
    /// Tokens in the event where the format says so, else 0.
    pub tokens: u32,
}

/// Token counts as the server reports them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Prompt tokens found in the prefix cache.
    pub cached_tokens: Option<u64>,
    /// Tokens of the answer spent on reasoning.
    pub reasoning_tokens: Option<u64>,
}

/// Why a request failed, as a class by which failures are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureClass {
    /// No connection: refused, reset while connecting, no such host.
    Connect,
    /// The TLS handshake or a certificate.
    Tls,
    /// Longer than `--request-timeout-sec`.
    Timeout,
    /// A status other than 200.
    Status,
    /// Not HTTP, a body cut short, or events that cannot be read.
    Protocol,
    /// The server reported an error inside a response with status 200.
    Stream,
    /// The response ended without what makes it an answer.
    Incomplete,
    /// The backend plugin failed on it.
    Plugin,
    /// The user stopped the run.
    Interrupted,
}

impl FailureClass {
    /// The name in result files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Protocol => "protocol",
            Self::Stream => "stream-error",
            Self::Incomplete => "incomplete",
            Self::Plugin => "plugin-error",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class it is counted under.
    pub class: FailureClass,
    /// What happened, in words, with an excerpt of the body where the server sent one.
    pub message: String,
}

/// One request from schedule to end.
#[derive(Debug, Clone, Default)]
pub struct RequestRecord {
    /// Place in dispatch order, from 0.
    pub index: u32,
    /// The id sent as `x-request-id`.
    pub id: Option<String>,
    /// Input length: the server's count if it reports one, else the dataset's.
    pub prompt_tokens: u64,
    /// The dataset's own count, kept beside it.
    pub dataset_prompt_tokens: u64,
    /// Length of the answer that was asked for.
    pub requested_output_tokens: i64,
    /// Inputs that the request holds (pooling).
    pub input_sequences: u32,
    /// Length of the audio sent, in seconds.
    pub audio_s: f64,
    /// Its life.
    pub stamps: Stamps,
    /// Token events, ascending in time.
    pub token_events: Vec<TokenEvent>,
    /// Text of the answer.
    pub text: String,
    /// Token counts as reported.
    pub usage: Usage,
    /// Length of the answer by the rule of the metrics: reported, else counted
    /// by the tokenizer, else 1. Filled in after the run; 0 for failed requests.
    pub output_tokens: u64,
    /// Why the model stopped, where the format says so.
    pub finish_reason: Option<String>,
    /// Time in the server's queue, as the server reports it, in seconds.
    pub server_queue_s: Option<f64>,
    /// Time to first token, as the server reports it, in seconds.
    pub server_ttft_s: Option<f64>,
    /// Status of the response, 0 if none came.
    pub status: u16,
    /// Bytes of the request, head included.
    pub bytes_out: u64,
    /// Bytes of the response, head included.
    pub bytes_in: u64,
    /// None if it succeeded.
    pub failure: Option<Failure>,
}

impl RequestRecord {
    /// Whether it counts as a success.
    pub fn succeeded(&self) -> bool {
        self.failure.is_none()
    }

    /// From the beginning until the request was written, in seconds; none if it never was.
    pub fn send_delay_s(&self) -> Option<f64> {
        let Stamps { started_ns, sent_ns, .. } = self.stamps;
        (sent_ns != 0).then(|| clock::seconds_between(started_ns, sent_ns))
    }
}

/// A whole measured run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Which numbers make sense.
    pub task: Task,
    /// When the clock of the run started.
    pub start_ns: MonotonicNs,
    /// When the last request had ended.
    pub end_ns: MonotonicNs,
    /// All requests in dispatch order.
    pub requests: Vec<RequestRecord>,
}

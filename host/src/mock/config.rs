//! What the mock server is told to be.

use std::io;
use std::num::{NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use super::delay::Delay;

/// Everything that decides how the mock server behaves.
#[derive(Debug, Clone)]
pub struct MockConfig {
    /// Name or address to listen on.
    pub host: String,
    /// Port to listen on; 0 takes any free one.
    pub port: u16,
    /// Name of the model in `/v1/models` and in answers.
    pub model: String,
    /// From a request's entry into the batch to its first token.
    pub ttft: Delay,
    /// From one token event of an answer to the next.
    pub itl: Delay,
    /// Seed of the delays.
    pub seed: u64,
    /// Most requests that generate at once; others wait in order of arrival.
    /// None: no limit.
    pub max_batch: Option<NonZeroUsize>,
    /// Most tokens of an answer, whatever the request asks for.
    pub max_output_tokens: NonZeroU32,
    /// Tokens in one event.
    pub chunk_tokens: NonZeroU32,
    /// So many tokens at the beginning of each answer are reasoning, where the
    /// API knows such tokens.
    pub reasoning_tokens: u32,
    /// So many tokens at the end of each answer are a tool call, where the API
    /// knows such tokens.
    pub tool_call_tokens: u32,
    /// Requests that fail on purpose.
    pub failures: Option<Failures>,
    /// Keep a [`super::RequestLog`] of every request in memory, for
    /// [`super::MockServer::log`] and [`super::MockReport::log`].
    pub keep_log: bool,
    /// Write every [`super::RequestLog`] to this file as JSON Lines.
    pub log_file: Option<PathBuf>,
}

impl Default for MockConfig {
    /// Any free port of the loopback interface, 50 ms to the first token, 10 ms
    /// between tokens, no limits beyond 32768 tokens an answer, log in memory.
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            model: "mock".to_owned(),
            ttft: Delay::constant(50.0),
            itl: Delay::constant(10.0),
            seed: 0,
            max_batch: None,
            max_output_tokens: DEFAULT_MAX_OUTPUT_TOKENS,
            chunk_tokens: NonZeroU32::MIN,
            reasoning_tokens: 0,
            tool_call_tokens: 0,
            failures: None,
            keep_log: true,
            log_file: None,
        }
    }
}

/// The default of [`MockConfig::max_output_tokens`].
pub(super) const DEFAULT_MAX_OUTPUT_TOKENS: NonZeroU32 = NonZeroU32::new(32_768).unwrap();

/// Which generation requests fail, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// Requests number `every`, 2 × `every`, … fail, counted from 1 in order of arrival.
    pub every: NonZeroU64,
    /// How they fail.
    pub kind: FailureKind,
}

/// A way to fail. Those inside an answer strike in place of event number
/// `events / 2` (from 0) of a stream, at the time that event was due; an answer
/// that is not streamed fails when it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FailureKind {
    /// Status 500 with a JSON error, at once.
    #[value(name = "status-500")]
    Status500,
    /// Status 429 with a JSON error, at once.
    #[value(name = "status-429")]
    Status429,
    /// The connection is reset (RST) inside the answer.
    Reset,
    /// The connection is closed in order (FIN) inside the answer.
    Truncate,
    /// An error event inside a stream with status 200, then `[DONE]`; status 500 without a stream.
    StreamError,
    /// Nothing more is sent and the connection stays open; the request keeps
    /// its place in the batch until the client gives up.
    Stall,
    /// An event that is neither JSON nor UTF-8, then `[DONE]`; half a JSON
    /// document without a stream.
    Garbage,
}

impl FailureKind {
    /// The name in flags and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status500 => "status-500",
            Self::Status429 => "status-429",
            Self::Reset => "reset",
            Self::Truncate => "truncate",
            Self::StreamError => "stream-error",
            Self::Stall => "stall",
            Self::Garbage => "garbage",
        }
    }
}

/// Why the mock server could not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum MockError {
    /// The address cannot be listened on.
    #[error("mock server cannot listen on {host}:{port}: choose another --host or --port")]
    Listen {
        /// The host asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// Polling, timers or threads are not to be had.
    #[error("mock server: the system refused {what}")]
    System {
        /// What was asked of the system.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The log file cannot be written.
    #[error("mock server cannot write its log to {}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The address or the report cannot be printed.
    #[error("mock server cannot print")]
    Print(#[source] io::Error),
    /// The server thread panicked: a defect of vbench.
    #[error("mock server thread ended by a panic")]
    Panicked,
}

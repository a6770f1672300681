//! What happened, per request, as the server saw it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::config::{FailureKind, MockError};
use crate::clock::MonotonicNs;

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered in full.
    #[default]
    Completed,
    /// Answered with an error because of what it asked for, or unreadable.
    Refused,
    /// Failed on purpose ([`super::Failures`]).
    Failed,
    /// The client went away.
    Disconnected,
    /// The server was shut down.
    Stopped,
}

/// One request. Times are of [`crate::clock::now_ns`]; 0 means that it never
/// came to that.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RequestLog {
    /// Value of `x-request-id`.
    pub id: Option<String>,
    /// Path without the query; empty if the request could not be read.
    pub path: String,
    /// Status of the response.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// The failure it was chosen for.
    #[serde(serialize_with = "kind_name")]
    pub failure: Option<FailureKind>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens of the answer that was agreed on.
    pub output_tokens: u64,
    /// When the read that brought the request's last byte returned.
    pub t_received_ns: MonotonicNs,
    /// When it entered the batch: on arrival, or when the schedule of a request
    /// before it ended. Its first token is due one TTFT later.
    pub admitted_ns: MonotonicNs,
    /// Right after the write that carried the first token event.
    pub first_sent_ns: MonotonicNs,
    /// Right after the last write, or when it failed.
    pub end_ns: MonotonicNs,
    /// When each token event was due; one entry if not streamed.
    pub due_ns: Vec<MonotonicNs>,
    /// Right after the write that carried the last byte of each token event.
    pub sent_ns: Vec<MonotonicNs>,
    /// How many of these had to wait for the client to read.
    pub held_events: u64,
}

fn kind_name<S: serde::Serializer>(kind: &Option<FailureKind>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(FailureKind::name).serialize(serializer)
}

/// Requests in the order in which they ended, shared with the handle.
pub(super) type SharedLog = Arc<Mutex<Vec<RequestLog>>>;

/// Backlog at which the file is written even while tokens are due: 64 MiB of times.
const MAX_BACKLOG_TIMES: usize = 8 << 20;

/// Where finished requests go.
pub(super) struct LogSink {
    memory: Option<SharedLog>,
    file: Option<LogFile>,
}

struct LogFile {
    path: PathBuf,
    writer: BufWriter<File>,
    backlog: Vec<RequestLog>,
    backlog_times: usize,
}

impl LogSink {
    /// Creates the file, replacing one that is there.
    pub(super) fn open(memory: Option<SharedLog>, path: Option<PathBuf>) -> Result<Self, MockError> {
        let open = |path: PathBuf| match File::create(&path) {
            Ok(file) => {
                let writer = BufWriter::with_capacity(1 << 16, file);
                Ok(LogFile { path, writer, backlog: Vec::new(), backlog_times: 0 })
            }
            Err(source) => Err(MockError::Log { path, source }),
        };
        Ok(Self { memory, file: path.map(open).transpose()? })
    }

    /// Whether anybody wants to know.
    pub(super) fn is_on(&self) -> bool {
        self.memory.is_some() || self.file.is_some()
    }

    /// Takes a request that ended.
    pub(super) fn push(&mut self, request: RequestLog) -> Result<(), MockError> {
        let mut full = false;
        if let Some(file) = &mut self.file {
            file.backlog_times += 64 + request.due_ns.len() + request.sent_ns.len();
            file.backlog.push(request.clone());
            full = file.backlog_times > MAX_BACKLOG_TIMES;
        }
        if let Some(memory) = &self.memory {
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        }
        if full { self.write_backlog() } else { Ok(()) }
    }

    /// Whether something waits to be written.
    pub(super) fn has_backlog(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !file.backlog.is_empty())
    }

    /// Writes what waits.
    pub(super) fn write_backlog(&mut self) -> Result<(), MockError> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let result = file.backlog.iter().try_for_each(|request| {
            serde_json::to_writer(&mut file.writer, request)?;
            file.writer.write_all(b"\n")
        });
        file.backlog.clear();
        file.backlog_times = 0;
        result
            .and_then(|()| file.writer.flush())
            .map_err(|source| MockError::Log { path: file.path.clone(), source })
    }
}

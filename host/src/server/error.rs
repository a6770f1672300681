//! Why a server could not be started, reached, reset or stopped.

use std::path::PathBuf;

use super::supervised::Exit;

/// What went wrong around a server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The command has no words.
    #[error("the command is empty")]
    NoCommand,
    /// The command's `--port` is none.
    #[error("`{word}` is no port; write --port and a number from 1 to 65535")]
    Port {
        /// What stands there.
        word: String,
    },
    /// The command could not be started.
    #[error("cannot start `{program}`: {reason}")]
    Start {
        /// First word of the command.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// Something else listens where the server is to listen.
    #[error(
        "{url} is in use: another process listens there, and would be measured instead; end it, or choose another --port"
    )]
    PortInUse {
        /// Where.
        url: String,
    },
    /// The server ended, and its log says that its port was taken.
    #[error("the server could not listen at {url}: the port is in use, and the process ended with {exit}{}", log_end(.log, .tail))]
    PortTaken {
        /// Where.
        url: String,
        /// How it ended.
        exit: Exit,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server ended before it was ready, or while it was needed.
    #[error("the server process ended with {exit}{}", log_end(.log, .tail))]
    Crashed {
        /// How it ended.
        exit: Exit,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The server runs but did not get ready.
    #[error("the server was not ready within {timeout_s} seconds: {state}{}", log_end(.log, .tail))]
    NotReady {
        /// How long it was waited for.
        timeout_s: u64,
        /// What it answered last.
        state: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The user asked for an end while the server was waited for.
    #[error("stopped while waiting for the server")]
    Interrupted,
    /// The port is still taken after the server was stopped.
    #[error("{url} is still in use {seconds} s after its server was ended: something else listens there")]
    PortHeld {
        /// Where.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// A cache could not be reset.
    #[error("{status} {reason} for url: {url}")]
    ResetRefused {
        /// The status that the server answered.
        status: u16,
        /// Its usual words.
        reason: String,
        /// What was asked.
        url: String,
    },
    /// The server could not be asked to reset a cache.
    #[error("cannot reset a cache at {url}: {reason}")]
    ResetFailed {
        /// What was asked.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server keeps a cache that nothing resets.
    #[error("Infinity server uses caching but does not expose a method to reset the cache")]
    CacheStays,
    /// Nothing is known of this server's caches.
    #[error(
        "No implementation of `reset_caches` for `{program}` server. Please specify a custom command via `--after-bench-cmd`."
    )]
    UnknownServer {
        /// First word of the command.
        program: String,
    },
    /// A log file cannot be written.
    #[error("cannot write the log {}: {source}", path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An HTTP client could not be set up.
    #[error("cannot set up an HTTP client: {0}")]
    Http(String),
}

fn log_end(log: &std::path::Path, tail: &str) -> String {
    if tail.is_empty() {
        return format!("; it printed nothing ({})", log.display());
    }
    let lines: String = tail.lines().map(|line| format!("\n    {line}")).collect();
    format!("; the end of {}:{lines}", log.display())
}

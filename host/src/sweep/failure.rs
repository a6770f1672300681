//! What goes wrong while a sweep runs.

use anyhow::anyhow;

use super::error::SweepError;
use crate::fault::Fault;
use crate::report::python_repr::python_words;
use crate::server::{Exit, ServerError};

/// What a sweep ends with when it stops early.
pub const TERMINATED: &str =
    "The script was terminated early. Use `--resume` to continue the script from its last checkpoint.";

/// Why a sweep does not go on.
#[derive(Debug)]
pub enum Halt {
    /// A run or a server failed. With `--continue-on-error` the sweep goes on.
    Failure(Failure),
    /// The user asked for an end.
    Interrupted,
    /// Nothing that another run could do better, such as a full disk.
    Fatal(Fault),
}

/// A failed run or server, in the words of the reference client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the reference client's exception.
    pub kind: &'static str,
    /// Its text.
    pub message: String,
    /// What vbench adds: the end of a log.
    pub detail: String,
}

impl Failure {
    /// A failure without detail.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: String::new() }
    }

    /// A command that ended with something else than 0; `detail` is the end of its log.
    pub fn of_command(words: &[String], exit: Exit, detail: String) -> Self {
        let how = match exit {
            Exit::Code(code) => format!("returned non-zero exit status {code}."),
            Exit::Signal(signal) => format!("died with {}.", python_signal(signal)),
        };
        Self {
            kind: "CalledProcessError",
            message: format!("Command '{}' {how}", python_words(words)),
            detail,
        }
    }

    /// All there is to say.
    pub fn text(&self) -> String {
        if self.detail.is_empty() {
            self.message.clone()
        } else {
            format!("{}\n{}", self.message, self.detail)
        }
    }
}

/// A signal in Python's words.
fn python_signal(signal: i32) -> String {
    let names = [(1, "HUP"), (2, "INT"), (3, "QUIT"), (6, "ABRT"), (9, "KILL"), (11, "SEGV"), (15, "TERM")];
    match names.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("<Signals.SIG{name}: {signal}>"),
        None => format!("unknown signal {signal}"),
    }
}

impl From<ServerError> for Halt {
    fn from(error: ServerError) -> Self {
        let (kind, message) = match &error {
            ServerError::Interrupted => return Self::Interrupted,
            ServerError::Log { .. } | ServerError::Http(_) => return Self::Fatal(Fault::user(error)),
            ServerError::Crashed { exit, .. } => {
                ("RuntimeError", format!("Server process crashed with return code {}", exit.return_code()))
            }
            ServerError::NotReady { timeout_s, .. } => {
                ("TimeoutError", format!("Server failed to become ready within {timeout_s} seconds."))
            }
            ServerError::UnknownServer { .. } | ServerError::CacheStays => {
                return Self::Failure(Failure::new("NotImplementedError", error.to_string()));
            }
            ServerError::ResetRefused { status, reason, url } => {
                let side = if *status < 500 { "Client" } else { "Server" };
                return Self::Failure(Failure::new(
                    "HTTPError",
                    format!("{status} {side} Error: {reason} for url: {url}"),
                ));
            }
            ServerError::ResetFailed { .. } => {
                return Self::Failure(Failure::new("ConnectionError", error.to_string()));
            }
            ServerError::Start { .. } => {
                return Self::Failure(Failure::new("FileNotFoundError", error.to_string()));
            }
            _ => return Self::Failure(Failure::new("RuntimeError", error.to_string())),
        };
        Self::Failure(Failure { kind, message, detail: error.to_string() })
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fatal(fault)
    }
}

impl From<SweepError> for Halt {
    fn from(error: SweepError) -> Self {
        Self::Fatal(error.into())
    }
}

impl From<crate::report::ReportError> for Halt {
    fn from(error: crate::report::ReportError) -> Self {
        Self::Fatal(Fault::user(error))
    }
}

impl Halt {
    /// The fault with which the command ends; none if the user ended it.
    pub fn into_fault(self) -> Option<Fault> {
        match self {
            Self::Interrupted => None,
            Self::Failure(failure) => Some(Fault::target(anyhow!("{}", failure.text())).context(TERMINATED)),
            Self::Fatal(fault) => match fault.error.downcast_ref::<SweepError>() {
                // There are runs to go on from.
                None | Some(SweepError::Write { .. }) => Some(fault.context(TERMINATED)),
                Some(_) => Some(fault),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_reference_clients() {
        let words = ["vllm".to_owned(), "it's".to_owned()];
        let failure = Failure::of_command(&words, Exit::Code(2), String::new());
        assert_eq!(failure.message, r#"Command '['vllm', "it's"]' returned non-zero exit status 2."#);
        let failure = Failure::of_command(&words, Exit::Signal(9), "end".into());
        assert!(failure.message.ends_with("died with <Signals.SIGKILL: 9>."));
        assert!(failure.text().ends_with("\nend"));
        let refused =
            ServerError::ResetRefused { status: 404, reason: "Not Found".into(), url: "http://x/y".into() };
        let Halt::Failure(failure) = Halt::from(refused) else { panic!("no failure") };
        assert_eq!(failure.message, "404 Client Error: Not Found for url: http://x/y");
    }
}

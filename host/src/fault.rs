//! Whose fault a failure of the whole command is, and the exit code it gets.

use std::fmt;

/// Everything went as asked.
pub const EXIT_OK: u8 = 0;
/// The run worked, but a criterion (`--sla`) was not met.
pub const EXIT_THRESHOLD: u8 = 1;
/// Under `--compat v0.33`, a target that could not be used, as that client has it.
pub const EXIT_REFERENCE_ERROR: u8 = 1;
/// Wrong flags, files or settings, or a result that could not be written.
pub const EXIT_USAGE: u8 = 2;
/// A plugin failed.
pub const EXIT_PLUGIN: u8 = 3;
/// The target could not be reached, or not one request succeeded.
pub const EXIT_TARGET: u8 = 4;
/// A policy, a lock, a digest or a signature refuses a plugin.
pub const EXIT_REFUSED: u8 = 5;
/// A plugin could not be fetched from where it comes from.
pub const EXIT_SOURCE: u8 = 6;
/// Stopped by the user (SIGINT, SIGTERM); what was measured is kept.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The user: a flag, a file, a combination.
    User,
    /// The author of a plugin.
    Plugin,
    /// Whoever runs the server under test, or the network to it.
    Target,
    /// Whoever decides which plugins may run: a policy, a lock, a signature.
    Policy,
    /// Whoever runs the registry or web server that a plugin comes from.
    Source,
}

/// Whose fault an error of a plugin or of the user's data is, in the words of
/// the plugin contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// An option has a wrong value, or names a wrong file.
    Config,
    /// The user's data are not as they should be.
    Input,
    /// A combination that a plugin does not do, or data that this version does not hand out.
    Unsupported,
    /// A defect of the plugin.
    Internal,
}

/// A failure that ends the command: what failed, where, and who has to act.
#[derive(Debug)]
pub struct Fault {
    /// Who has to act.
    pub blame: Blame,
    /// What happened, outermost context first.
    pub error: anyhow::Error,
}

impl Fault {
    /// The user has to act.
    pub fn user(error: impl Into<anyhow::Error>) -> Self {
        Self { blame: Blame::User, error: error.into() }
    }

    /// The plugin's author has to act.
    pub fn plugin(error: impl Into<anyhow::Error>) -> Self {
        Self { blame: Blame::Plugin, error: error.into() }
    }

    /// The server's owner has to act.
    pub fn target(error: impl Into<anyhow::Error>) -> Self {
        Self { blame: Blame::Target, error: error.into() }
    }

    /// The process exit code for this fault.
    pub fn exit_code(&self) -> u8 {
        match self.blame {
            Blame::User => EXIT_USAGE,
            Blame::Plugin => EXIT_PLUGIN,
            Blame::Target => EXIT_TARGET,
            Blame::Policy => EXIT_REFUSED,
            Blame::Source => EXIT_SOURCE,
        }
    }

    /// Adds what was being done when it happened.
    pub fn context(self, context: impl fmt::Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.context(context), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

impl std::error::Error for Fault {}

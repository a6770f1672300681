//! Why a plugin could not be had from where it was to come from.

use std::path::PathBuf;

use crate::digest::Sha256Hex;
use crate::fault::{Blame, Fault};
use crate::lock::LockError;
use crate::plugin::LoadError;

/// Why a plugin could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The text names no source.
    #[error("`{text}` names no plugin: {reason}")]
    Spec {
        /// What was written, cut.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No file and no lock entry has this name.
    #[error(
        "no plugin is called `{name}`: there is no such entry in {lock}, and no {name}.wasm in {dirs}; write ./{name} \
         for a file, or add the plugin with `vbench plugin add`"
    )]
    NoSuchName {
        /// The name.
        name: String,
        /// The lock that was looked at.
        lock: String,
        /// Directories that were looked at.
        dirs: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {reason}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The network is needed and may not be used.
    #[error("{what} is not on this machine, and --offline forbids to fetch it")]
    Offline {
        /// What would be fetched.
        what: String,
    },
    /// What came from somewhere is not what was asked for.
    #[error("{what} has SHA-256 {found}, but {expected} was asked for: it was changed or damaged on the way")]
    Digest {
        /// What came.
        what: String,
        /// What it should have.
        expected: Sha256Hex,
        /// What it has.
        found: Sha256Hex,
    },
    /// The server cannot be reached, or does not answer as it should.
    #[error("cannot fetch {what}: {reason}")]
    Fetch {
        /// What was to be fetched.
        what: String,
        /// What went wrong.
        reason: String,
    },
    /// The server wants to know who is asking.
    #[error(
        "{registry} refuses to hand out {what} ({reason}): log in with `docker login {registry}` or \
         `podman login {registry}`"
    )]
    Denied {
        /// The registry.
        registry: String,
        /// What was to be fetched.
        what: String,
        /// What the registry says.
        reason: String,
    },
    /// There is no such thing in the registry or on the server.
    #[error("there is no {what}")]
    Missing {
        /// What was to be fetched.
        what: String,
    },
    /// The answer is larger than a plugin may be.
    #[error("{what} is larger than the {limit_bytes} bytes that a plugin may have")]
    TooLarge {
        /// What was to be fetched.
        what: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// The artifact holds something else than one component.
    #[error("{what} is no plugin: {reason}")]
    Artifact {
        /// What was fetched.
        what: String,
        /// What it holds.
        reason: String,
    },
    /// The credentials cannot be read.
    #[error("cannot read the credentials for {registry}: {reason}")]
    Credentials {
        /// The registry.
        registry: String,
        /// What went wrong.
        reason: String,
    },
    /// The lock does not name the plugin, and nothing else counts.
    #[error("{what} is not in {}: --locked lets in only what the lock names ({reason})", lock.display())]
    NotLocked {
        /// What was asked for.
        what: String,
        /// The lock.
        lock: PathBuf,
        /// What differs.
        reason: String,
    },
    /// `--locked` without a lock.
    #[error("--locked needs a lock, and there is none at {}; `vbench plugin add` makes one", lock.display())]
    NoLock {
        /// Where it was looked for.
        lock: PathBuf,
    },
    /// The lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A plugin's file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The HTTP client cannot be set up.
    #[error("cannot set up an HTTP client: {0}")]
    Setup(String),
}

impl SourceError {
    /// Who has to act.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Digest { .. } | Self::NotLocked { .. } | Self::NoLock { .. } => Blame::Policy,
            Self::Load(error) => error.blame(),
            Self::Fetch { .. } | Self::Denied { .. } | Self::Missing { .. } => Blame::Source,
            _ => Blame::User,
        }
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        Self { blame: error.blame(), error: error.into() }
    }
}

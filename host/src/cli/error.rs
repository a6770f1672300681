//! Why a command line is refused.

use std::path::PathBuf;

use crate::fault::{Blame, Fault};

use super::offers::Role;

/// Why a command line is refused. All but [`CliError::Plugin`] are the user's
/// to mend (exit code 2). The reference client exits with 1 where a check
/// comes after its argument parser; vbench makes no difference there.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A flag, a value or a combination that is refused, in words.
    #[error("{0}")]
    Usage(String),
    /// A flag of the reference client that belongs to plugins, none of which is loaded.
    #[error("`--{flag}` is an option of plugins, and none that is loaded has it: name one with --plugin")]
    NoOwner {
        /// The flag without its dashes.
        flag: String,
    },
    /// A dataset or backend of the reference client that vbench does not have yet.
    #[error("{role} `{name}` is not available yet; there are: {available}")]
    OfferNotYet {
        /// What was asked for.
        role: Role,
        /// By which name.
        name: String,
        /// Names that there are, joined by commas.
        available: String,
    },
    /// A dataset, backend or criterion that no plugin offers.
    #[error("no plugin offers {role} `{name}`: there are {available}; --plugin FILE loads more")]
    NoOffer {
        /// What was asked for.
        role: Role,
        /// By which name.
        name: String,
        /// Names that there are, joined by commas.
        available: String,
    },
    /// An abbreviation that several flags begin with.
    #[error("ambiguous option: --{given} could match {candidates}")]
    Ambiguous {
        /// What was written.
        given: String,
        /// Flags that begin with it.
        candidates: String,
    },
    /// A value that the plugin's schema does not allow.
    #[error("invalid value for `--{flag}` ({role} `{offer}`): {reason}")]
    Option {
        /// The flag without its dashes.
        flag: String,
        /// Role of the offer whose option it is.
        role: Role,
        /// Name of that offer.
        offer: String,
        /// The value and the limit that it breaks.
        reason: String,
    },
    /// The file of `--config`.
    #[error("--config {}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What a plugin says of itself makes no flags.
    #[error("plugin `{plugin}`: {reason}")]
    Plugin {
        /// The plugin, by its name.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
    /// What the parser says, usage and hints included.
    #[error("{0}")]
    Parser(String),
}

impl CliError {
    /// Keeps the parser's own words, without its `error: ` in front.
    pub(super) fn parser(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        Self::Parser(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned())
    }
}

impl From<CliError> for Fault {
    fn from(error: CliError) -> Self {
        let blame = if matches!(error, CliError::Plugin { .. }) { Blame::Plugin } else { Blame::User };
        Self { blame, error: error.into() }
    }
}

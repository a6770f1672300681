//! Why there is no picture.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why there is no picture. All of them are the user's to mend.
#[derive(Debug, Error)]
pub enum PlotError {
    /// The folder is not there, or is none.
    #[error("no parameter sweep results under {}: there is no such folder", dir.display())]
    NoFolder {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder holds nothing that can be plotted.
    #[error(
        "did not find any parameter sweep results under {}: looked for summary.json files, summary.csv, and \
         result files of single runs",
        dir.display()
    )]
    NoResults {
        /// The folder.
        dir: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of results cannot be read.
    #[error("{}: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the place where there is one.
        reason: String,
    },
    /// A filter, binner, scale or size that makes no sense.
    #[error("{option}: {reason}")]
    Option {
        /// The flag, with its dashes.
        option: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// A key that is in none of the results.
    #[error("{option}: cannot find `{key}` in the results; there are: {available}")]
    UnknownKey {
        /// The flag, with its dashes.
        option: &'static str,
        /// The key.
        key: String,
        /// All keys that there are, joined by commas.
        available: String,
    },
    /// A run lacks a key by which runs are told apart.
    #[error("{option}: cannot find metric `{key}` in a run of {}", path.display())]
    MissingInRun {
        /// The flag, with its dashes.
        option: &'static str,
        /// The key.
        key: String,
        /// The file that holds the run.
        path: PathBuf,
    },
    /// A value that has to be a number is none.
    #[error("{option}: `{key}` has to be a number, and a run of {} has {value}", path.display())]
    NotANumber {
        /// The flag, with its dashes.
        option: &'static str,
        /// The key.
        key: String,
        /// The value that is none.
        value: String,
        /// The file that holds the run.
        path: PathBuf,
    },
    /// Filters, or values that are no numbers, left no run.
    #[error("no data to plot: {0}")]
    NothingLeft(String),
    /// The drawing could not be made into pixels.
    #[error("cannot draw the figure: {0}")]
    Drawing(String),
}

impl PlotError {
    /// For use with `map_err`.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

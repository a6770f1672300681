//! Why a sweep is refused before anything runs.

use std::path::PathBuf;

use super::words::WordsError;
use crate::fault::Fault;

/// What is wrong with what the user asked for.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A command cannot be cut into words.
    #[error("--{flag}: {source}: `{text}`")]
    Words {
        /// The flag without its dashes.
        flag: &'static str,
        /// What was given.
        text: String,
        /// Why not.
        source: WordsError,
    },
    /// A command without words.
    #[error("--{flag} is empty: name a program")]
    NoCommand {
        /// The flag without its dashes.
        flag: &'static str,
    },
    /// A parameter file cannot be read.
    #[error("cannot read {} (--{flag}): {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The flag without its dashes.
        flag: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A parameter file is no JSON.
    #[error("{} (--{flag}): no JSON: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The flag without its dashes.
        flag: &'static str,
        /// Where, line and column, and why.
        source: serde_json::Error,
    },
    /// A parameter file holds something else than combinations.
    #[error("{} (--{flag}): {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The flag without its dashes.
        flag: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Two combinations would be kept in one folder.
    #[error("{first} and {second} would both be kept in `{dir}`: give one of them a `_benchmark_name`")]
    SameFolder {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// The folder, in the experiment's.
        dir: String,
    },
    /// A parameter takes the place of a value at the end of a command.
    #[error(
        "the command ends with `{word}`, whose value is missing, and so `{key}` cannot be set: {command}"
    )]
    NoValue {
        /// The last word.
        word: String,
        /// The parameter.
        key: String,
        /// The command.
        command: String,
    },
    /// A link is no pair.
    #[error("--link-vars: `{item}` is no pair; write SERVE_KEY=BENCH_KEY, several separated by commas")]
    Link {
        /// What stands there.
        item: String,
    },
    /// A linked key that no combination has.
    #[error("--link-vars: no combination of --{flag} has `{key}`; there are: {keys}")]
    UnknownLink {
        /// The key.
        key: String,
        /// Where it was looked for.
        flag: &'static str,
        /// Keys that there are.
        keys: String,
    },
    /// A number that has to be larger.
    #[error("`{name}` should be at least {least}")]
    TooSmall {
        /// The option, in the reference client's words.
        name: &'static str,
        /// Its smallest value.
        least: i64,
    },
    /// A variable that the sweep sets is in the parameters.
    #[error("You should not override `{variable}` in `bench_params` since it is supposed to be {purpose}.")]
    Overridden {
        /// `request_rate` or `max_concurrency`.
        variable: &'static str,
        /// What the sweep does with it.
        purpose: &'static str,
    },
    /// There is nothing to resume.
    #[error(
        "Cannot resume from non-existent experiment_dir={}; name the experiment with --resume NAME or -e NAME",
        dir.display()
    )]
    NothingToResume {
        /// The folder.
        dir: PathBuf,
    },
    /// The folder of the experiment is there already.
    #[error(
        "Cannot overwrite existing experiment_dir={}; add --resume to go on with it, or name another with -e",
        dir.display()
    )]
    Exists {
        /// The folder.
        dir: PathBuf,
    },
    /// Another sweep works in the folder.
    #[error("{} is in use by another sweep{holder}: wait for it, or name another experiment with -e", dir.display())]
    Locked {
        /// The folder.
        dir: PathBuf,
        /// The other's process, if it left its number.
        holder: String,
    },
    /// The experiment's folder cannot be made or locked.
    #[error("cannot use {}: {source}", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the experiment cannot be written, so nothing else could be kept either.
    #[error("cannot {action} {}: {source}; make room, or name another place with -o", path.display())]
    Write {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bench command cannot run here.
    #[error("--bench-cmd: {0}")]
    Bench(String),
    /// Anything else, in words.
    #[error("{0}")]
    Usage(String),
}

impl From<SweepError> for Fault {
    fn from(error: SweepError) -> Self {
        Self::user(error)
    }
}

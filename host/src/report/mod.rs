//! From numbers to what the user reads and keeps; one format a file.
//!
//! [`console`] is the table, [`result_json`] the result file's content,
//! [`pytorch`] the same for PyTorch's benchmark database, [`histogram_log`] an
//! HdrHistogram log. [`files`] has the names and writes. [`python_json`],
//! [`python_float`] and [`python_repr`] are the text forms of the reference
//! client's language, which all of them use.
//!
//! Depends on `metrics`, `record` and `clock`; knows nothing of flags.

pub mod console;
pub mod files;
pub mod histogram_log;
pub mod python_float;
pub mod python_json;
pub mod python_repr;
pub mod pytorch;
pub mod requests;
pub mod result_json;
pub mod settings;

use std::path::PathBuf;

use thiserror::Error;

pub use files::{ResultFile, append_result, default_name, sanitise, write_atomically};
pub use histogram_log::write_histogram_log;
pub use python_float::python_float;
pub use result_json::{ReportInput, ResultJson};
pub use settings::{RampUp, RpsChange, RunSettings};

/// A report that could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}; name another place with --result-dir or --result-filename")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A value has no JSON form.
    #[error("cannot write the result as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A histogram has no serialised form.
    #[error("cannot serialise the histogram `{tag}`: {reason}")]
    Histogram {
        /// Its tag in the log.
        tag: &'static str,
        /// Why not.
        reason: String,
    },
}

#[cfg(test)]
mod recorded_case;
#[cfg(test)]
mod reference_tests;

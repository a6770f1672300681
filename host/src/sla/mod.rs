//! Finished runs as criteria see them: [`MeasuredRun`] from memory,
//! [`ResultRun`] from a result file.
//!
//! Depends on `metrics` and on the service traits of `plugin`.

mod measured_run;
mod result_run;

pub use measured_run::MeasuredRun;
pub use result_run::ResultRun;

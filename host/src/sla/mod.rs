//! Finished runs as criteria see them.
//!
//! Depends on `metrics` and on the service traits of `plugin`.

mod measured_run;

pub use measured_run::MeasuredRun;

//! Carrying out a resolved plan: sample, write, check readiness, warm up,
//! measure, report.
//!
//! [`serve`] tells the story; the other modules are its parts. This folder
//! brings the others together and nothing depends on it but the binary.

mod align;
mod batch;
mod bench;
mod control;
mod dry_run;
mod finish;
mod honesty;
mod hub_dataset;
mod latency;
mod limits;
mod multipart;
mod pacer;
mod phase;
mod plots;
mod prepare;
mod probes;
mod sampling;
pub mod screen;
mod serve;
mod services;
mod throughput;
mod workload;

pub use latency::latency;
pub use plots::{plot, plot_pareto};
pub(crate) use prepare::{Envelope, Labels, request_of};
pub(crate) use sampling::sample;
pub use screen::Screen;
pub(crate) use serve::backend_args;
pub use serve::serve;
pub use throughput::throughput;

//! What plugin authors work with: `vbench plugin new`, `check`, `bench` and `preview`.
//!
//! - `project`: the files of a new plugin;
//! - `trial`: a small run of what a plugin offers, by the flags of `vbench serve`;
//! - `made_up_run`: what criteria judge in a trial;
//! - `check`, `bench`: what a trial shows of correctness and of cost;
//! - `preview`: the first samples or requests of a command line.
//!
//! Depends on `run` for sampling and writing requests, as a run does both; on
//! `cli` for the flags, on `metrics` and `sla` for the made-up run; only the binary
//! depends on it.

mod bench;
mod check;
mod made_up_run;
mod preview;
mod project;
mod trial;

pub use bench::{BenchArgs, bench};
pub use check::{CheckArgs, check};
pub use preview::{PreviewArgs, preview};
pub use project::{ProjectError, new_project};

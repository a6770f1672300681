//! The library behind the `vbench` binary.
//!
//! One noun a folder; data flows one way, from flags to report:
//!
//! ```text
//! cli ─▶ run ─▶ plugin (dataset) ─▶ plugin (backend: build) ─▶ schedule ─▶ wire
//!                                                                           │
//! report ◀─ metrics ◀─ record ◀─ extract (plan, or backend: parse) ◀────────┘
//! ```
//!
//! `docs/architecture.md` has the reasons.

pub mod author;
pub mod cli;
pub mod clock;
pub mod data;
pub mod digest;
pub mod extract;
pub mod fault;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
pub mod lock;
pub mod media;
pub mod metrics;
pub mod mock;
pub mod plot;
pub mod plugin;
pub mod plugins;
pub mod policy;
pub mod record;
pub mod report;
pub mod run;
pub mod schedule;
pub mod server;
pub mod sla;
pub mod source;
pub mod sweep;
pub mod tokenizer;
pub mod wire;

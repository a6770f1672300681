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

pub mod cli;
pub mod clock;
pub mod data;
pub mod extract;
pub mod fault;
#[cfg(test)]
mod fuzz;
pub mod metrics;
pub mod mock;
pub mod plugin;
pub mod plugins;
pub mod record;
pub mod report;
pub mod run;
pub mod schedule;
pub mod sla;
pub mod tokenizer;
pub mod wire;

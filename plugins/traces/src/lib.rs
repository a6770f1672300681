//! Datasets of recorded traffic, of which only lengths and times are known:
//! `burstgpt`, the lengths of BurstGPT, and `timed_trace`, a trace that is
//! replayed with its own timing and its shared prefixes.
//!
//! Which rows are taken, and the tokens that stand in for the prompts, are
//! those of the reference client, vLLM 0.33.

mod burstgpt;
mod expansion;
mod form;
mod timed_trace;

pub use burstgpt::{BurstGpt, BurstGptConfig};
pub use form::Form;
pub use timed_trace::{TimedTrace, TimedTraceConfig};

vbench_plugin::export! { datasets: [BurstGpt, TimedTrace] }

/// Tokens that are made at once, over several requests.
const TOKENS_AT_ONCE: usize = 1 << 20;

//! The embedded mock server: a server whose every token has
//! a due time that is known to the nanosecond, and that says how late it was.
//!
//! It is the ground truth against which the client's own error is measured, so
//! it is one thread around one epoll loop, and it stamps each token event right
//! after the write that carried it.
//!
//! - `args`: flags of `vbench mock`; `config`: what they mean;
//! - `delay`: distributions of TTFT and ITL;
//! - `server`: the handle ([`MockServer`]); `event_loop`: sockets and timers;
//!   `accept`, `alarm`: two pieces of it;
//! - `connection`: buffers of one connection; `http`, `chunked`: reading requests;
//! - `service`: endpoints; `body`, `prompt`: what a request asks for;
//!   `prefix_cache`, `counters`: what `/metrics` shows;
//! - `api`: how each API writes its answers;
//! - `batch`: who generates and who waits; `generation`: the schedule of one
//!   answer; `answer`: its bytes on a connection;
//! - `log`: what happened, per request; `lateness`: how late it was.
//!
//! May depend on [`crate::clock`] and on nothing else of this crate.
//!
//! Stand-in rules, stated once:
//! - prompt tokens are the whitespace-separated words of the prompt (all text
//!   parts of all messages in a chat, all inputs of a pooling request), or the
//!   token ids if the prompt is a list of ids;
//! - `/tokenize` makes one token of each Unicode scalar value, its id being the
//!   code point, with no special tokens; `/detokenize` is the exact inverse;
//! - every answer is as long as asked for (16 tokens if nothing is asked for),
//!   up to `--max-output-tokens`, and its text is ` w0`, ` w1`, …;
//! - sampling parameters and the model's name in a request change nothing.

mod accept;
mod alarm;
mod answer;
mod api;
mod args;
mod batch;
mod body;
mod chunked;
mod config;
mod connection;
mod counters;
mod delay;
mod event_loop;
mod generation;
mod http;
mod lateness;
mod log;
mod prefix_cache;
mod prompt;
mod server;
mod service;
#[cfg(test)]
mod tests;

pub use args::{MockArgs, run};
pub use config::{FailureKind, Failures, MockConfig, MockError};
pub use delay::{Delay, DelayError};
pub use lateness::Spread;
pub use log::{Outcome, RequestLog};
pub use server::{MockReport, MockServer};

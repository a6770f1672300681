//! Inputs that nobody would write, for everything that reads what others made: plugin files, what plugins return,
//! responses, events.
//!
//! A target is a function of bytes that checks what has to hold for all bytes, and panics where it does not. There are two
//! ways to run one. The tests run each on a corpus of good and bad examples and a fixed number of mutations of them, the
//! same ones every time; `cargo xtask fuzz` goes on with that for as long as it is told, from a new seed each time, on the
//! stable compiler. `tests/fuzz` hands the same targets to cargo-fuzz, which is guided by coverage and takes builds of its
//! own of all dependencies.
//!
//! - `plugins`, `responses`: targets; `drive`, `mutate`: running them in tests.
//!
//! May depend on everything; nothing depends on it. Not part of a build without the feature `fuzzing`.

#[cfg(test)]
mod drive;
#[cfg(test)]
mod mutate;
mod plugins;
mod responses;

pub use plugins::{loader, returned_data};
pub use responses::{extraction_plan, framing, http1};

//! When each request is due, and for which adapter: pure arithmetic on the
//! options of a run and the random generators its dataset left behind.
//!
//! Nothing here waits, reads a clock or knows what a request is; times are
//! offsets from the start of the run. Everything is computed before the run.
//! Depends on `vbench-random` alone.

mod arrivals;
mod lora;
mod ramp;

pub use arrivals::{Arrivals, Pace, ScheduleError, arrivals};
pub use lora::{LoraAssignment, assign_lora};
pub use ramp::{RampUp, RampUpStrategy, RpsChange};

//! Commands that run beside vbench, the server under test first of all: start,
//! readiness, caches, end.
//!
//! - `guard`: the process between vbench and a command, which ends the command
//!   and all its descendants when vbench says so, or is gone;
//! - `supervised`: a command behind a guard, as vbench sees it;
//! - `address`, `http`: where the server listens, and asking it;
//! - `process`: a server from its start to its end; `gpu`: its memory on the GPU;
//! - `caches`: what is reset between runs; `log`: what a command printed.
//!
//! A guard is a process of its own because nothing less survives vbench's
//! death. `PR_SET_PDEATHSIG` would have to be set in the child between fork and
//! exec, which takes unsafe code; it fires when the *thread* that started the
//! child ends; and it ends the child alone, not what the child started. The
//! guard waits for the end of a pipe, which the kernel closes however vbench
//! dies, and as a subreaper it knows every descendant, daemons included.
//!
//! Depends on `clock`, `wire` (TLS set-up) and `report` (nothing but files).

mod address;
mod caches;
mod error;
mod gpu;
pub mod guard;
mod http;
mod log;
mod process;
mod supervised;

pub use address::Address;
pub use caches::{CacheReset, reset_caches};
pub use error::ServerError;
pub use gpu::GpuMemory;
pub use http::Http;
pub use log::{Follow, LogFile};
pub use process::{Readiness, Server, ServerOptions};
pub use supervised::{Exit, Supervised, SupervisedOptions};

//! The host of plugins: WebAssembly components behind the contract in `wit/`.
//!
//! A plugin is not trusted. It is read and checked before any of its code
//! runs, it gets nothing that the user did not name, every call has limits of
//! time and space, and what it returns is checked before anything sees it.
//! Whatever goes wrong becomes a [`PluginError`] that names the plugin, the
//! call and whose fault it is; the instance is then thrown away.
//!
//! From file to call: [`registry`](Plugins) finds and loads, `component` reads
//! what the bytes say, `cache` keeps compiled code, `v0_1` (one folder for each
//! contract version) links and converts to the version-free types in
//! [`contract`], `instance` makes the calls inside a `sandbox`, `check` refuses
//! what breaks a rule.
//!
//! Calls block, so they belong on threads of their own, never on a thread that
//! does I/O or keeps time. This folder depends on `clock`, `fault` and `record`
//! only; what plugins may ask of the host comes in through the traits in
//! [`services`].

mod cache;
mod check;
mod component;
pub mod contract;
mod cost;
mod engine;
mod error;
mod gate;
mod instance;
mod limits;
mod network;
mod opened;
mod registry;
mod sandbox;
pub mod services;
mod text;
mod v0_1;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
#[cfg(test)]
mod tests;

pub use cache::CacheMode;
pub use component::{Access, Import, Inspection};
pub use cost::{CallCost, Costs};
pub use error::{ErrorKind, LoadError, PluginError};
pub use gate::{Candidate, CompileWatch, Gate};
pub use limits::{CallTimes, Limits, RoleLimits};
pub use opened::{BackendClient, Criterion, DatasetSource, Identity, Source};
pub use registry::{BuiltIn, LoadOptions, Offered, PluginInfo, Plugins, read_file};

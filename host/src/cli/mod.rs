//! The command line: words in, resolved plan out, nothing else.
//!
//! It works in two stages, because plugins add flags. [`early`] finds the
//! options that say which plugins to load; the caller loads them and describes
//! what they offer as [`OfferSpec`]s; [`parse`] then reads everything.
//!
//! | file | what |
//! |---|---|
//! | `early` | global options before plugins are loaded, `--config` |
//! | `argv`, `dotted` | the pre-pass: words as argparse and the reference client read them |
//! | `config_file` | flags from a YAML, JSON or TOML file |
//! | `known` | every flag of the reference client, in its order |
//! | `offers`, `schema`, `plugin_flags` | from a plugin's JSON Schema to flags, and back to its config |
//! | `json_file` | options whose value is the content of a file |
//! | `violation` | what is wrong with a value that breaks its schema |
//! | `serve_args`, `serve`, `resolve` | the host's own flags, and the way to the plan |
//! | `offline` | `latency` and `throughput`, which take part of these flags |
//! | `plots` | flags of `sweep plot` and `sweep plot-pareto` |
//! | `sweep` | `vbench sweep …` and `vbench startup`, whose flags are in `crate::sweep` |
//! | `plan`, `namespace` | the result |
//! | `plugin_args` | the words after `vbench plugin` |
//! | `help`, `root`, `error`, `compat` | what their names say |
//!
//! Depends on `crate::fault`, on `crate::schedule` and `crate::plot` for the types of a load and of pictures, and on
//! `crate::report` for Python's way of writing values. No module of the crate but the binary's
//! entry depends on the parsing; those that run something depend on the plan.

mod argv;
mod compat;
mod config_file;
mod dotted;
mod early;
mod error;
mod help;
mod json_file;
pub mod known;
mod namespace;
mod offers;
mod offline;
pub mod plan;
mod plots;
mod plugin_args;
mod plugin_flags;
mod resolve;
mod root;
mod schema;
mod serve;
mod serve_args;
mod sweep;
#[cfg(test)]
mod tests;
mod violation;

pub use compat::Compat;
pub use early::{Early, GlobalArgs, PluginCache, early};
pub use error::CliError;
pub use namespace::{ArgValue, Namespace};
pub use offers::{OfferSpec, Role};
pub use offline::{LatencyOptions, LatencyPlan, ThroughputOptions, ThroughputPlan};
pub use plan::ServePlan;
pub use plugin_args::{Kind, Language, PluginCommand, take_count, take_switch};
pub use resolve::TEMPERATURE_NOTICE;
pub use root::{Invocation, parse, serve_plan};

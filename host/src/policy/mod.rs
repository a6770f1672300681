//! Which plugins may run, and what they may be given: a file that the owner of
//! a machine writes once (`--policy`).
//!
//! `file` reads it, `verdict` applies it. A verdict depends on the policy, the
//! plugin's bytes, the evidence that came with it, and the paths that the user
//! names; not on the network, the time, or the order in which plugins come.
//! Nothing is allowed that the policy does not name, but for the built-in
//! plugins, which are part of the binary.
//!
//! `docs/reference/policy.md` describes the format. Depends on `plugin`, whose
//! door it guards, and on `source` for digests, keys and evidence.

mod file;
mod verdict;

pub use file::{Builtins, Grants, NetworkImports, PluginRule, Policy, PolicyError, PolicyLimits, Publisher};
pub use verdict::{Evidence, PolicyGate};

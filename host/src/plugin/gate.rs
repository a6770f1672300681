//! Whom the host asks before it lets a plugin in, and whom it tells that a
//! compilation begins. Rules live elsewhere; here is only the door.

use std::any::Any;

use super::component::Inspection;
use super::contract::PathGrant;
use super::limits::Limits;
use super::opened::Source;

/// A plugin at the door: read and checked, but none of its code compiled or run.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What it is called in messages: its file, or its name if it is built in.
    pub shown: &'a str,
    /// Name of the plugin if it is built in; what others say of their name proves nothing.
    pub builtin: Option<&'a str>,
    /// Where it comes from.
    pub source: &'a Source,
    /// What its bytes say.
    pub inspection: &'a Inspection,
}

/// Decides which plugins may run, and what they may be given.
pub trait Gate: Send + Sync {
    /// Whether the plugin may be compiled and run, and how much it may use:
    /// at most `limits`.
    ///
    /// # Errors
    /// Why not, to be read after "is refused: ".
    fn admit(&self, candidate: &Candidate<'_>, limits: &Limits) -> Result<Limits, String>;

    /// Whether the plugin may read the paths that the user named for it.
    ///
    /// # Errors
    /// Why not, to be read after "is refused: ".
    fn grant(&self, candidate: &Candidate<'_>, paths: &[PathGrant]) -> Result<(), String>;
}

/// Told about compilations, which take seconds for plugins of many megabytes.
pub trait CompileWatch: Send + Sync {
    /// A compilation begins; it ends when the answer is dropped.
    fn compiling(&self, shown: &str, size_bytes: u64) -> Box<dyn Any>;
}

//! What goes wrong with a plugin, in words that name the plugin, the call and
//! whose fault it is.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::contract::{Cause, ContractError, Role};
use crate::fault::{Blame, Fault};

/// A failure of a plugin, or of loading or choosing one.
#[derive(Debug, Clone)]
pub struct PluginError {
    /// The plugin, by its own name where it is known, else by its file.
    pub plugin: String,
    /// The call that failed, as `dataset.next`; none outside of calls.
    pub call: Option<&'static str>,
    /// What happened.
    pub kind: ErrorKind,
    /// The flag that sets the option which the plugin blames, dashes included.
    pub flag: Option<String>,
    /// The end of what the plugin wrote to stdout and stderr, cleaned.
    pub output: Option<String>,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    /// The code trapped.
    Trapped {
        /// What kind of trap.
        code: String,
        /// Names of the functions on the stack, innermost first.
        frames: Vec<String>,
    },
    /// A call took longer than it may.
    TimedOut {
        /// How long it may take.
        budget: Duration,
    },
    /// It asked for more memory than it may have.
    OutOfMemory {
        /// What it may have.
        limit_bytes: u64,
        /// What it wanted in all.
        wanted_bytes: u64,
    },
    /// It asked for more table elements than it may have.
    OutOfTable {
        /// What it may have.
        limit_elements: u64,
        /// What it wanted in all.
        wanted_elements: u64,
    },
    /// It held more handles than it may.
    TooManyHandles {
        /// How many it may hold.
        limit: usize,
    },
    /// One call moved more data across the boundary than it may.
    TooMuchData {
        /// What it may move.
        limit_bytes: u64,
    },
    /// It handed more to the tokenizer in one call than it may.
    BatchTooLarge {
        /// What it may hand over.
        limit_bytes: u64,
        /// What it handed over.
        wanted_bytes: u64,
    },
    /// It called something that plugins never get.
    Denied {
        /// The import it called.
        import: String,
    },
    /// It ended itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// What it returned breaks a rule of the contract.
    OutputRejected {
        /// The rule, and how it was broken.
        rule: String,
    },
    /// It returned an error of its own.
    Returned(ContractError),
    /// It was used again after it had failed.
    Dead,
    /// It could not be loaded, or nothing fits what was asked for.
    Load(LoadError),
}

impl PluginError {
    /// A load error of the plugin or file `plugin`.
    pub(crate) fn load(plugin: impl Into<String>, error: LoadError) -> Self {
        Self { plugin: plugin.into(), call: None, kind: ErrorKind::Load(error), flag: None, output: None }
    }

    /// Who has to act.
    pub fn blame(&self) -> Blame {
        match &self.kind {
            ErrorKind::Returned(error) => match error.cause {
                Cause::Config | Cause::Input | Cause::Unsupported => Blame::User,
                Cause::Internal => Blame::Plugin,
            },
            ErrorKind::Load(error) => error.blame(),
            _ => Blame::Plugin,
        }
    }

    /// The option that the plugin blames, by its property in the schema, so
    /// that the caller can name the flag.
    pub fn config_key(&self) -> Option<&str> {
        match &self.kind {
            ErrorKind::Returned(error) => error.config_key.as_deref(),
            _ => None,
        }
    }

    /// Names the flag of the option that the plugin blames, if it blames one;
    /// `flag_of` gives it, without dashes, for the option's property.
    pub fn naming_flag<'a>(mut self, flag_of: impl Fn(&str) -> Option<&'a String>) -> Self {
        self.flag = self.config_key().and_then(flag_of).map(|flag| format!("--{flag}"));
        self
    }
}

impl From<PluginError> for Fault {
    fn from(error: PluginError) -> Self {
        Self { blame: error.blame(), error: error.into() }
    }
}

impl std::error::Error for PluginError {}

impl fmt::Display for PluginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ErrorKind::Load(error) = &self.kind {
            write!(f, "{error}")?;
        } else {
            write!(f, "plugin `{}`", self.plugin)?;
            if !matches!(self.kind, ErrorKind::Returned(_))
                && let Some(call) = self.call
            {
                write!(f, ", `{call}`")?;
            }
            if let Some(flag) = &self.flag {
                write!(f, ": {flag}")?;
            }
            write!(f, ": {}", self.kind)?;
        }
        if self.blame() == Blame::Plugin
            && let Some(output) = &self.output
        {
            write!(f, "\n  it wrote: {}", output.replace('\n', "\n  | "))?;
        }
        Ok(())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trapped { code, frames } => {
                write!(f, "trapped: {code}")?;
                if !frames.is_empty() {
                    write!(f, " (in {})", frames.join(" < "))?;
                }
                Ok(())
            }
            Self::TimedOut { budget } => {
                write!(f, "stopped after {} s, the time limit of this call", budget.as_secs_f64())
            }
            Self::OutOfMemory { limit_bytes, wanted_bytes } => {
                write!(
                    f,
                    "wants {} of memory and may have {}",
                    mebibytes(*wanted_bytes),
                    mebibytes(*limit_bytes)
                )
            }
            Self::OutOfTable { limit_elements, wanted_elements } => {
                write!(f, "wants a table of {wanted_elements} elements and may have {limit_elements}")
            }
            Self::TooManyHandles { limit } => {
                write!(f, "holds more than {limit} handles (open files, rows, streams)")
            }
            Self::TooMuchData { limit_bytes } => {
                write!(f, "moved more than {} in or out in one call", mebibytes(*limit_bytes))
            }
            Self::BatchTooLarge { limit_bytes, wanted_bytes } => {
                write!(
                    f,
                    "handed {} to the tokenizer in one call and may hand it {}: give it fewer texts at a time, or \
                     raise --plugin-batch-mib",
                    mebibytes(*wanted_bytes),
                    mebibytes(*limit_bytes)
                )
            }
            Self::Denied { import } => {
                write!(f, "called `{import}`, but plugins never get the network")
            }
            Self::Exited { code } => write!(f, "ended itself with exit code {code}"),
            Self::OutputRejected { rule } => write!(f, "output rejected: {rule}"),
            Self::Returned(error) => {
                if let Some(location) = &error.location {
                    let mut written = false;
                    if let Some(file) = &location.file {
                        write!(f, "{file}")?;
                        written = true;
                    }
                    if let Some(row) = location.row {
                        write!(f, "{}row {row}", if written { ", " } else { "" })?;
                        written = true;
                    }
                    if let Some(column) = &location.column {
                        write!(f, "{}`{column}`", if written { ", " } else { "" })?;
                        written = true;
                    }
                    if written {
                        write!(f, ": ")?;
                    }
                }
                write!(f, "{}", error.message)
            }
            Self::Dead => write!(f, "failed before and cannot go on"),
            Self::Load(error) => write!(f, "{error}"),
        }
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

/// Why a plugin could not be loaded, or none was found for a name.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read plugin {}: {reason}", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is empty.
    #[error("plugin {source_name} is empty")]
    Empty {
        /// The file or built-in.
        source_name: String,
    },
    /// The file is larger than allowed.
    #[error("plugin {} has {size_bytes} bytes, more than the {limit_bytes} allowed", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// The file is something else.
    #[error("plugin {source_name} is not WebAssembly: {hint}")]
    NotWasm {
        /// The file or built-in.
        source_name: String,
        /// What it looks like.
        hint: String,
    },
    /// The file is a core module.
    #[error(
        "plugin {source_name} is a core WebAssembly module, not a component; build it for `wasm32-wasip2`, \
         or wrap it with `wasm-tools component new`"
    )]
    CoreModule {
        /// The file or built-in.
        source_name: String,
    },
    /// The file is cut short or damaged.
    #[error("plugin {source_name} is damaged or cut short: {reason}")]
    Corrupt {
        /// The file or built-in.
        source_name: String,
        /// What the validator says.
        reason: String,
    },
    /// A component that exports nothing of the contract.
    #[error(
        "{source_name} is a WebAssembly component but not a vbench plugin: it exports {exports}, and nothing of \
         `vbench:plugin`"
    )]
    NotAPlugin {
        /// The file or built-in.
        source_name: String,
        /// What it exports.
        exports: String,
    },
    /// It was built for another version of the contract.
    #[error(
        "plugin {source_name} was built for plugin API {built_for} (it has `{interface}`); this vbench supports \
         {supported}: {advice}"
    )]
    Version {
        /// The file or built-in.
        source_name: String,
        /// The version in the name of the interface.
        built_for: String,
        /// The interface's full name.
        interface: String,
        /// What this host supports.
        supported: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// It has a role but no `meta`.
    #[error("plugin {source_name} does not export `vbench:plugin/meta`, which every plugin has to")]
    NoMeta {
        /// The file or built-in.
        source_name: String,
    },
    /// It has `meta` but no role.
    #[error("plugin {source_name} exports none of `dataset`, `backend` and `sla` of `vbench:plugin`")]
    NoRole {
        /// The file or built-in.
        source_name: String,
    },
    /// It imports something that plugins do not get.
    #[error("plugin {source_name} needs `{import}`, which {reason}")]
    UnknownImport {
        /// The file or built-in.
        source_name: String,
        /// The import.
        import: String,
        /// Why not, to be read after "which".
        reason: String,
    },
    /// It imports more than anything useful could.
    #[error("plugin {source_name} imports {count} things, more than {limit}")]
    TooManyImports {
        /// The file or built-in.
        source_name: String,
        /// How many.
        count: usize,
        /// How many it may.
        limit: usize,
    },
    /// Its exports or imports have other types than the contract's.
    #[error("plugin {source_name} does not fit plugin API {api}: {reason}")]
    Link {
        /// The file or built-in.
        source_name: String,
        /// The version of the contract it was checked against.
        api: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// The description of a built-in is not right: a defect of this build.
    #[error("the description of built-in plugin `{name}` cannot be used: {reason}")]
    BuiltIn {
        /// The built-in.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Two given files offer the same name.
    #[error("plugins {first} and {second} both offer {} `{name}`; give only one of them", role.name())]
    SameName {
        /// What both offer.
        role: Role,
        /// Its name.
        name: String,
        /// Where the first comes from.
        first: String,
        /// Where the second comes from.
        second: String,
    },
    /// Nothing is offered under this name.
    #[error("no {} is called `{name}`; there are: {known}", role.name())]
    NoSuchOffer {
        /// What was asked for.
        role: Role,
        /// The name.
        name: String,
        /// All names of that role.
        known: String,
    },
    /// A path that the user granted cannot be given.
    #[error("cannot give {} to plugin `{plugin}` for option `{config_key}`: {reason}", path.display())]
    Grant {
        /// The plugin.
        plugin: String,
        /// The option.
        config_key: String,
        /// The path.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The policy in force does not let it in, or does not let it have something.
    #[error("plugin {source_name} is refused: {reason}")]
    Refused {
        /// The file, address or built-in.
        source_name: String,
        /// Which rule, and what it wants.
        reason: String,
    },
    /// The WebAssembly engine itself could not be set up.
    #[error("the WebAssembly engine cannot start: {reason}")]
    Engine {
        /// What it says.
        reason: String,
    },
}

impl LoadError {
    /// Who has to act.
    pub fn blame(&self) -> Blame {
        match self {
            Self::CoreModule { .. }
            | Self::Corrupt { .. }
            | Self::Version { .. }
            | Self::NoMeta { .. }
            | Self::NoRole { .. }
            | Self::UnknownImport { .. }
            | Self::TooManyImports { .. }
            | Self::BuiltIn { .. }
            | Self::Link { .. } => Blame::Plugin,
            Self::Refused { .. } => Blame::Policy,
            _ => Blame::User,
        }
    }
}

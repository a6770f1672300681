//! The words after `vbench plugin`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::error::CliError;

/// What to do with plugins.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum PluginCommand {
    /// Say what a plugin is, offers and imports, without running a benchmark
    Inspect {
        /// File, name, https://…#sha256=… or oci://… of the plugin
        plugin: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List all datasets, backends and criteria that there are
    List,
    /// Fetch a plugin, check and compile it, and write it into the lock
    Add {
        /// File, https://…#sha256=… or oci://… of the plugin
        plugin: String,
        /// What --plugin is to call it [default: the plugin's own name]
        #[arg(long)]
        name: Option<String>,
    },
    /// Take plugins out of the lock
    Remove {
        /// Their names in the lock
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Look for newer versions of what the lock names, and lock those
    Update {
        /// Names in the lock [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Check that plugins are what the lock says, and who signed them
    Verify {
        /// Names in the lock, files or addresses [default: all of the lock]
        #[arg(value_name = "PLUGIN")]
        plugins: Vec<String>,
        /// Public key (PEM) that has to have signed them
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Compile plugins ahead of time into a folder for --plugin-cache
    Compile {
        /// Plugins beside the built-in ones
        #[arg(value_name = "PLUGIN")]
        plugins: Vec<String>,
        /// The folder
        #[arg(long, short, value_name = "DIR")]
        output: PathBuf,
    },
    /// Make the project of a new plugin
    New {
        /// Name of the plugin and of its folder: a-z, 0-9 and -
        name: String,
        /// What it is to be
        #[arg(long, value_enum)]
        kind: Kind,
        /// What it is to be written in
        #[arg(long, value_enum, default_value_t = Language::Rust)]
        lang: Language,
        /// Folder `sdk` of a checkout of vbench [default: that of the checkout this vbench was built from]
        #[arg(long, value_name = "DIR")]
        sdk: Option<PathBuf>,
    },
    /// Try a plugin out: load, limits, options, a small run of all it offers
    #[command(
        after_help = "--deterministic runs everything twice and compares. All other flags are those of \
                            `vbench serve`, by which the plugin gets its options."
    )]
    Check {
        /// File, name or address of the plugin
        plugin: String,
        /// Flags: --deterministic, --count N, and those of serve
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
    /// Measure what the calls of plugins cost
    #[command(after_help = "--markdown prints a table for documentation. All other flags are those of \
                            `vbench serve`, by which the plugins get their options; those after --for OFFER \
                            are for that one only.")]
    Bench {
        /// File, name or address of the plugin; `built-in` for all that are part of vbench
        plugin: String,
        /// Flags: --markdown, --count N, and those of serve
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
    /// Print the first requests that `vbench serve` would send with these flags
    #[command(
        after_help = "--samples prints what the dataset says instead of what the backend writes of it."
    )]
    Preview {
        /// Flags: --count N, --samples, and those of serve
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
        flags: Vec<String>,
    },
}

/// What a plugin is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// What to ask.
    Dataset,
    /// How it is written and read on the wire.
    Backend,
    /// Whether it was good enough.
    Sla,
}

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with the crate `vbench-plugin`.
    Rust,
    /// Python, with componentize-py.
    Python,
    /// JavaScript, with componentize-js.
    Javascript,
}

/// Takes a switch out of words, wherever it stands.
pub fn take_switch(words: &mut Vec<String>, switch: &str) -> bool {
    let before = words.len();
    words.retain(|word| word != switch);
    words.len() < before
}

/// Takes `--count N` out of words.
///
/// # Errors
/// When N is missing or is no number from 1 to 100 000.
pub fn take_count(words: &mut Vec<String>, default: u32) -> Result<u32, CliError> {
    let Some(at) = words.iter().position(|word| word == "--count" || word.starts_with("--count=")) else {
        return Ok(default);
    };
    let word = words.remove(at);
    let value = match word.strip_prefix("--count=") {
        Some(value) => value.to_owned(),
        None if at < words.len() => words.remove(at),
        None => String::new(),
    };
    match value.parse() {
        Ok(count @ 1..=100_000) => Ok(count),
        _ => Err(CliError::Usage(format!("--count wants a number from 1 to 100000, not `{value}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_flags_stand_anywhere_among_those_of_serve() {
        let mut words: Vec<String> =
            ["--a", "--count", "3", "--deterministic", "--b=1"].map(str::to_owned).into();
        assert!(take_switch(&mut words, "--deterministic"));
        assert!(!take_switch(&mut words, "--markdown"));
        assert_eq!(take_count(&mut words, 9).unwrap(), 3);
        assert_eq!(words, ["--a", "--b=1"]);
        assert_eq!(take_count(&mut words, 9).unwrap(), 9);
        for wrong in [&["--count"][..], &["--count=0"], &["--count", "many"]] {
            let mut words: Vec<String> = wrong.iter().map(|&word| word.to_owned()).collect();
            assert!(take_count(&mut words, 1).is_err(), "{wrong:?}");
        }
    }
}

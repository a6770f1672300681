//! The plugins of this binary: the built-in ones, how the command line hears of
//! all of them, and the commands that look after them.
//!
//! - `loader`: from the options of a command to its plugins;
//! - `inspect`: what a plugin is;
//! - `manage`: the lock, what it names, and code compiled ahead.
//!
//! Depends on `cli` for options, on `source`, `lock` and `policy`, and on
//! `plugin`; nothing but the binary and `author` depends on it.

mod inspect;
mod loader;
pub mod manage;

use std::fmt::Write as _;

use crate::cli::{self, OfferSpec};
use crate::plugin::contract::Role;
use crate::plugin::{LoadOptions, PluginError, Plugins, Source};

pub use inspect::inspect;
pub use loader::Loader;

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The built-in plugins, none of them compiled or looked at yet.
///
/// # Errors
/// When an embedded description is broken, which a test of this crate excludes.
pub fn with_builtins(options: LoadOptions) -> Result<Plugins, PluginError> {
    let mut plugins = Plugins::new(options);
    for &builtin in BUILTIN {
        plugins.add_builtin(builtin)?;
    }
    Ok(plugins)
}

/// One built-in plugin alone.
///
/// # Errors
/// When there is none of this name.
pub fn with_builtin(options: LoadOptions, wanted: &str) -> Result<Plugins, PluginError> {
    let mut plugins = Plugins::new(options);
    for &builtin in BUILTIN.iter().filter(|builtin| builtin.name == wanted) {
        plugins.add_builtin(builtin)?;
    }
    Ok(plugins)
}

/// What the command line needs to know of every offer.
pub fn offer_specs(plugins: &Plugins) -> Vec<OfferSpec> {
    plugins
        .offers()
        .map(|offered| OfferSpec {
            role: match offered.offer.role {
                Role::Dataset => cli::Role::Dataset,
                Role::Backend => cli::Role::Backend,
                Role::Sla => cli::Role::Sla,
            },
            plugin: offered.plugin.to_owned(),
            builtin: *offered.source == Source::BuiltIn,
            name: offered.offer.name.clone(),
            aliases: offered.offer.aliases.clone(),
            summary: offered.offer.summary.clone(),
            config_schema: serde_json::Value::Object(offered.offer.config_schema.clone()),
        })
        .collect()
}

/// All offers, one a line, for `vbench plugin list`.
pub fn list(plugins: &Plugins) -> String {
    let mut rows: Vec<(Role, String, String, String)> = plugins
        .offers()
        .map(|offered| {
            let names = std::iter::once(&offered.offer.name).chain(&offered.offer.aliases);
            let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
            let from = offered.source.to_string();
            (offered.offer.role, names, offered.offer.summary.clone(), from)
        })
        .collect();
    rows.sort();
    let width = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (role, names, summary, from) in rows {
        let _ = writeln!(text, "{:<8} {names:<width$}  {summary} ({from})", role.name());
    }
    text.truncate(text.trim_end().len());
    text
}

//! The plugins of this binary: the built-in ones, and how the command line
//! hears of all of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::cli::{self, GlobalArgs, OfferSpec, PluginCache};
use crate::fault::Fault;
use crate::plugin::contract::Role;
use crate::plugin::services::LogSink;
use crate::plugin::{BuiltIn, CacheMode, Limits, LoadOptions, PluginError, Plugins, Source};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// How plugins are loaded by these options.
pub fn load_options(globals: &GlobalArgs, log: Arc<dyn LogSink>) -> LoadOptions {
    let cache = match globals.cache() {
        PluginCache::Auto => CacheMode::Auto,
        PluginCache::Off => CacheMode::Off,
        PluginCache::Dir(dir) => CacheMode::Dir(dir),
    };
    let mut limits = Limits::default();
    if let Some(mib) = globals.plugin_memory_mib {
        limits.set_memory_bytes(u64::from(mib) << 20);
    }
    if let Some(seconds) = globals.plugin_timeout_s {
        limits.set_call_time(std::time::Duration::from_secs_f64(seconds));
    }
    LoadOptions { cache, limits, log }
}

/// The built-in plugins, none of them compiled or looked at yet.
///
/// # Errors
/// When an embedded description is broken, which a test of this crate excludes.
pub fn with_builtins(options: LoadOptions) -> Result<Plugins, PluginError> {
    let mut plugins = Plugins::new(options);
    for &(name, wasm, description_json) in BUILTIN {
        plugins.add_builtin(BuiltIn { name, wasm, description_json })?;
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
            let from = match offered.source {
                Source::BuiltIn => "built in".to_owned(),
                Source::File(path) => path.display().to_string(),
            };
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

/// What a file is, offers and imports, for `vbench plugin inspect`.
///
/// # Errors
/// When it is no plugin for this host.
pub fn inspect(file: &Path) -> Result<String, Fault> {
    let mut plugins = Plugins::new(LoadOptions::default());
    plugins.add_file(file)?;
    let mut text = String::new();
    for info in plugins.inspect()? {
        let (about, seen) = (&info.description, &info.inspection);
        let _ = writeln!(text, "{} {}: {}", about.name, about.version, about.summary);
        let _ = writeln!(text, "plugin API  {}", seen.api_version);
        let _ = writeln!(text, "sha256      {}", seen.sha256);
        let _ = writeln!(text, "size        {} bytes", seen.size_bytes);
        for offer in &about.offers {
            let names = std::iter::once(&offer.name).chain(&offer.aliases);
            let names = names.map(String::as_str).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "{:<11} {names}: {}", offer.role.name(), offer.summary);
            for (key, schema) in
                offer.config_schema.get("properties").and_then(|p| p.as_object()).into_iter().flatten()
            {
                let help = schema.get("description").and_then(|d| d.as_str()).unwrap_or_default();
                let _ = writeln!(text, "  option {key}: {}", help.lines().next().unwrap_or_default());
            }
        }
        for import in &seen.imports {
            let _ = writeln!(text, "import      {} ({})", import.name, import.access.words());
        }
    }
    text.truncate(text.trim_end().len());
    Ok(text)
}

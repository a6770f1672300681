//! How the plugins of a command are found, let in and loaded, by its options.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{GlobalArgs, PluginCache};
use crate::fault::Fault;
use crate::lock::LOCK_FILE;
use crate::plugin::services::LogSink;
use crate::plugin::{CacheMode, CompileWatch, Gate, Limits, LoadOptions, PluginError, Plugins};
use crate::policy::{Policy, PolicyGate, PolicyLimits};
use crate::source::{Resolved, Resolver, ResolverOptions, Spec, user_plugin_dir};

/// Finds and loads the plugins of a command.
pub struct Loader {
    options: LoadOptions,
    resolver: Arc<Resolver>,
}

impl Loader {
    /// Reads the policy and the lock that the options name. `terminal` hears
    /// what plugins log and which are being compiled.
    ///
    /// # Errors
    /// When either cannot be read, or the options ask for more than the policy allows.
    pub fn new<T: LogSink + CompileWatch + 'static>(
        globals: &GlobalArgs,
        terminal: &Arc<T>,
    ) -> Result<Self, Fault> {
        let mut limits = Limits::default();
        if let Some(mib) = globals.plugin_memory_mib {
            limits.set_memory_bytes(u64::from(mib) << 20);
        }
        if let Some(mib) = globals.plugin_request_mib {
            limits.request_bytes = u64::from(mib) << 20;
        }
        if let Some(mib) = globals.plugin_batch_mib {
            limits.set_batch_bytes(u64::from(mib) << 20);
        }
        if let Some(seconds) = globals.plugin_timeout_s {
            limits.set_call_time(std::time::Duration::from_secs_f64(seconds));
        }
        let policy = globals.policy.as_deref().map(Policy::read).transpose()?;
        if let Some(policy) = &policy {
            let Policy { path, limits: bounds, .. } = policy;
            let asked = PolicyLimits {
                file_mib: None,
                memory_mib: globals.plugin_memory_mib,
                request_mib: globals.plugin_request_mib,
                batch_mib: globals.plugin_batch_mib,
                call_time_s: globals.plugin_timeout_s,
            };
            bounds.check_options(path, &asked)?;
            bounds.lower(&mut limits);
        }
        let user_dir = user_plugin_dir();
        let resolver = Arc::new(Resolver::new(ResolverOptions {
            lock: lock_path(globals.lock.as_deref(), user_dir.as_deref()),
            locked: globals.locked,
            offline: globals.offline,
            search: globals.plugin_path.iter().filter(|dir| !dir.as_os_str().is_empty()).cloned().collect(),
            user_dir,
            limit_bytes: limits.file_bytes,
        })?);
        let gate =
            policy.map(|policy| Arc::new(PolicyGate::new(policy, Arc::clone(&resolver))) as Arc<dyn Gate>);
        let cache = match globals.cache() {
            PluginCache::Auto => CacheMode::Auto,
            PluginCache::Off => CacheMode::Off,
            PluginCache::Dir(dir) => CacheMode::Dir(dir),
        };
        let options = LoadOptions {
            cache,
            limits,
            log: Arc::clone(terminal) as _,
            gate,
            watch: Some(Arc::clone(terminal) as _),
        };
        Ok(Self { options, resolver })
    }

    /// Looks for plugins.
    pub fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// How plugins are loaded.
    pub fn options(&self) -> &LoadOptions {
        &self.options
    }

    /// The built-in plugins.
    ///
    /// # Errors
    /// When an embedded description is broken, which a test of this crate excludes.
    pub fn builtins(&self) -> Result<Plugins, PluginError> {
        super::with_builtins(self.options.clone())
    }

    /// No plugins.
    pub fn none(&self) -> Plugins {
        Plugins::new(self.options.clone())
    }

    /// Adds the plugin that the user named, and gives a note for the user.
    ///
    /// # Errors
    /// When it cannot be had, is refused, or is no plugin.
    pub fn add(&self, plugins: &mut Plugins, text: &str) -> Result<Option<String>, Fault> {
        let Resolved { source, wasm, note, .. } = self.resolver.resolve(&Spec::parse(text)?)?;
        plugins.add_bytes(source, wasm)?;
        Ok(note)
    }
}

/// The lock in effect: the one that was named, else that of the folder if there
/// is one, else the user's own.
fn lock_path(named: Option<&Path>, user_dir: Option<&Path>) -> PathBuf {
    let here = PathBuf::from(LOCK_FILE);
    match (named, user_dir) {
        (Some(named), _) => named.to_owned(),
        (None, Some(user_dir)) if !here.exists() => user_dir.join(LOCK_FILE),
        (None, _) => here,
    }
}

//! All plugins of a command: built in and given as files, and the way from a
//! name that the user wrote to something opened.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::component::Component;

use super::cache::{Cache, CacheMode};
use super::check;
use super::component::{self, Inspection};
use super::contract::{BackendArgs, CriterionArgs, DatasetArgs, Description, Offer, Role};
use super::cost::{Costs, Ledger};
use super::engine::engine;
use super::error::{LoadError, PluginError};
use super::gate::{Candidate, CompileWatch, Gate};
use super::limits::Limits;
use super::opened::{BackendClient, Criterion, DatasetSource, Identity, Prepared, Source, Surroundings};
use super::services::{LogLevel, LogSink, Services};
use super::{text, v0_1};

/// How plugins are loaded and limited.
#[derive(Clone)]
pub struct LoadOptions {
    /// Where compiled code is kept.
    pub cache: CacheMode,
    /// How much plugins may use.
    pub limits: Limits,
    /// Takes what plugins log.
    pub log: Arc<dyn LogSink>,
    /// Who decides which plugins may run; none means that all may.
    pub gate: Option<Arc<dyn Gate>>,
    /// Told about compilations.
    pub watch: Option<Arc<dyn CompileWatch>>,
}

impl Default for LoadOptions {
    /// The default cache and limits; what plugins log is dropped.
    fn default() -> Self {
        struct Nowhere;
        impl LogSink for Nowhere {
            fn log(&self, _plugin: &str, _level: LogLevel, _message: &str) {}
        }
        Self {
            cache: CacheMode::default(),
            limits: Limits::default(),
            log: Arc::new(Nowhere),
            gate: None,
            watch: None,
        }
    }
}

/// A plugin that is part of the binary. Its description is embedded beside it,
/// so that it costs nothing until it is used.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Name of the plugin.
    pub name: &'static str,
    /// The component.
    pub wasm: &'static [u8],
    /// SHA-256 of the component, in hexadecimal.
    pub sha256: &'static str,
    /// Its [`Description`] as JSON.
    pub description_json: &'static str,
}

/// The plugins of a command.
pub struct Plugins {
    options: LoadOptions,
    plugins: Vec<Loaded>,
    cache: OnceLock<Option<Cache>>,
    warnings: Mutex<Vec<String>>,
}

/// One plugin, described but not necessarily compiled.
struct Loaded {
    source: Source,
    wasm: Cow<'static, [u8]>,
    description: Description,
    /// Of a built-in, whose digest is known before its bytes are looked at.
    known_sha256: Option<&'static str>,
    /// Read on first use for built-ins: looking at them all would cost a start.
    inspection: OnceLock<Inspection>,
    prepared: Mutex<Option<Arc<dyn Prepared>>>,
    around: Surroundings,
}

/// What is known of a plugin, for lists and `plugin inspect`.
#[derive(Debug, Clone)]
pub struct PluginInfo {
    /// Where it comes from.
    pub source: Source,
    /// What it says of itself.
    pub description: Description,
    /// What its bytes say.
    pub inspection: Inspection,
}

/// An offer, and the plugin it comes from.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// The offer.
    pub offer: &'a Offer,
    /// Name of the plugin.
    pub plugin: &'a str,
    /// Where the plugin comes from.
    pub source: &'a Source,
}

impl Plugins {
    /// No plugins yet.
    pub fn new(options: LoadOptions) -> Self {
        Self { options, plugins: Vec::new(), cache: OnceLock::new(), warnings: Mutex::new(Vec::new()) }
    }

    /// Adds a built-in plugin. No code of it is run, compiled or looked at.
    ///
    /// # Errors
    ///
    /// When the embedded description breaks the contract's rules.
    pub fn add_builtin(&mut self, builtin: BuiltIn) -> Result<(), PluginError> {
        let fail = |reason: String| {
            PluginError::load(builtin.name, LoadError::BuiltIn { name: builtin.name.to_owned(), reason })
        };
        let description: Description =
            serde_json::from_str(builtin.description_json).map_err(|error| fail(error.to_string()))?;
        check::description(&description, &[Role::Dataset, Role::Backend, Role::Sla]).map_err(fail)?;
        self.plugins.push(Loaded {
            source: Source::BuiltIn,
            wasm: Cow::Borrowed(builtin.wasm),
            known_sha256: Some(builtin.sha256),
            around: self.surroundings(builtin.name),
            description,
            inspection: OnceLock::new(),
            prepared: Mutex::new(None),
        });
        Ok(())
    }

    /// Adds a plugin file. It is read and checked; its description comes from
    /// the cache, or from the plugin, which is compiled and run for it.
    ///
    /// A file's offer wins over a built-in's of the same name, with a warning.
    ///
    /// # Errors
    ///
    /// When the file is no plugin for this host, when it is refused, when its
    /// `describe` fails, or when another file offers the same name.
    pub fn add_file(&mut self, path: &Path) -> Result<&Description, PluginError> {
        let wasm = read_file(path, self.options.limits.file_bytes)
            .map_err(|error| PluginError::load(path.display().to_string(), error))?;
        self.add_bytes(Source::File(path.to_owned()), wasm)
    }

    /// Adds a plugin whose bytes are here already, as [`Plugins::add_file`] does.
    ///
    /// # Errors
    ///
    /// As of [`Plugins::add_file`].
    pub fn add_bytes(&mut self, source: Source, wasm: Vec<u8>) -> Result<&Description, PluginError> {
        let shown = source.to_string();
        let fail = |error| PluginError::load(&*shown, error);
        let inspection = component::inspect(&shown, &wasm, None).map_err(fail)?;
        let limits = self
            .admit(&Candidate { shown: &shown, builtin: None, source: &source, inspection: &inspection })
            .map_err(fail)?;
        if inspection.api_version > own_version() {
            self.warn(format!(
                "plugin {shown} was built for plugin API {}, newer than {} of this vbench; it is used as far as it fits",
                inspection.api_version,
                v0_1::VERSION
            ));
        }
        let label = match &source {
            Source::File(path) => path.file_stem().map(|stem| stem.to_string_lossy().into_owned()),
            Source::BuiltIn | Source::Remote(_) => None,
        };
        let mut around = self.surroundings(&text::one_line(label.as_ref().unwrap_or(&shown), 64));
        around.limits = limits;
        let (description, prepared) = self.describe(&shown, &wasm, &inspection, &around)?;
        around.label = description.name.as_str().into();
        self.settle_names(&shown, &description)?;
        self.plugins.push(Loaded {
            source,
            wasm: Cow::Owned(wasm),
            known_sha256: None,
            around,
            description,
            inspection: OnceLock::from(inspection),
            prepared: Mutex::new(prepared),
        });
        Ok(&self.plugins[self.plugins.len() - 1].description)
    }

    /// All offers that can be chosen, files first.
    pub fn offers(&self) -> impl Iterator<Item = Offered<'_>> {
        self.by_precedence()
            .flat_map(|plugin| plugin.description.offers.iter().map(move |offer| (plugin, offer)))
            .filter(|(plugin, offer)| {
                // Not hidden by another plugin of higher precedence.
                self.find(offer.role, &offer.name).is_ok_and(|(first, _)| std::ptr::eq(first, *plugin))
            })
            .map(|(plugin, offer)| Offered {
                offer,
                plugin: &plugin.description.name,
                source: &plugin.source,
            })
    }

    /// The offer that a name or alias stands for.
    ///
    /// # Errors
    ///
    /// When there is none; the error lists all names.
    pub fn offer(&self, role: Role, name: &str) -> Result<Offered<'_>, PluginError> {
        let (plugin, offer) = self.find(role, name)?;
        Ok(Offered { offer, plugin: &plugin.description.name, source: &plugin.source })
    }

    /// What is known of every plugin, in the order in which they were added.
    pub fn inspect(&self) -> Result<Vec<PluginInfo>, PluginError> {
        self.plugins
            .iter()
            .map(|plugin| {
                Ok(PluginInfo {
                    source: plugin.source.clone(),
                    description: plugin.description.clone(),
                    inspection: plugin.inspection()?.clone(),
                })
            })
            .collect()
    }

    /// Opens a dataset by the name or alias that the user wrote.
    pub fn open_dataset(
        &self,
        name: &str,
        args: DatasetArgs,
        services: Services,
    ) -> Result<Box<dyn DatasetSource>, PluginError> {
        let (plugin, offer) = self.find(Role::Dataset, name)?;
        let mut identity = plugin.identity(offer, &args.config)?;
        identity.grants = args.grants.iter().map(|grant| grant.path.clone()).collect();
        if let Some(gate) = &self.options.gate {
            let refused = |reason| plugin.refused(reason);
            gate.grant(&plugin.candidate(&plugin.shown())?, &args.grants).map_err(refused)?;
        }
        self.prepared(plugin)?.open_dataset(&plugin.around, identity, name, args, services)
    }

    /// Opens a backend. To be called once a thread that is to use it.
    pub fn open_backend(&self, name: &str, args: BackendArgs) -> Result<Box<dyn BackendClient>, PluginError> {
        let (plugin, offer) = self.find(Role::Backend, name)?;
        let identity = plugin.identity(offer, &args.config)?;
        self.prepared(plugin)?.open_backend(&plugin.around, identity, name, args)
    }

    /// Opens a criterion.
    pub fn open_criterion(&self, name: &str, args: CriterionArgs) -> Result<Box<dyn Criterion>, PluginError> {
        let (plugin, offer) = self.find(Role::Sla, name)?;
        let identity = plugin.identity(offer, &args.config)?;
        self.prepared(plugin)?.open_criterion(&plugin.around, identity, name, args)
    }

    /// Compiles every plugin, or finds it compiled in the cache, so that a
    /// later command finds it there. Gives name and SHA-256 of each.
    ///
    /// # Errors
    ///
    /// When one is refused or cannot be compiled.
    pub fn compile_all(&self) -> Result<Vec<(String, String)>, PluginError> {
        self.plugins
            .iter()
            .map(|plugin| {
                self.prepared(plugin)?;
                Ok((plugin.description.name.clone(), plugin.inspection()?.sha256.clone()))
            })
            .collect()
    }

    /// What each plugin has cost so far, by its name; those never called are left out.
    pub fn costs(&self) -> Vec<(String, Costs)> {
        let costs = self
            .plugins
            .iter()
            .map(|plugin| (plugin.description.name.clone(), plugin.around.ledger.snapshot()));
        costs.filter(|(_, costs)| !costs.calls.is_empty()).collect()
    }

    /// Warnings since this was last called, for the console and the result.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn warn(&self, warning: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    fn surroundings(&self, label: &str) -> Surroundings {
        Surroundings {
            label: label.into(),
            limits: self.options.limits.clone(),
            log: self.options.log.clone(),
            ledger: Arc::new(Ledger::default()),
        }
    }

    /// Files before built-ins, so that a user's choice of a file has an effect.
    fn by_precedence(&self) -> impl Iterator<Item = &Loaded> {
        let files = self.plugins.iter().filter(|plugin| plugin.source != Source::BuiltIn);
        files.chain(self.plugins.iter().filter(|plugin| plugin.source == Source::BuiltIn))
    }

    fn find(&self, role: Role, name: &str) -> Result<(&Loaded, &Offer), PluginError> {
        let all = || {
            self.by_precedence()
                .flat_map(|plugin| plugin.description.offers.iter().map(move |offer| (plugin, offer)))
                .filter(|(_, offer)| offer.role == role)
        };
        // A name wins over an alias of another plugin.
        all()
            .find(|(_, offer)| offer.name == name)
            .or_else(|| all().find(|(_, offer)| offer.aliases.iter().any(|alias| alias == name)))
            .ok_or_else(|| {
                let mut known: Vec<&str> = all().map(|(_, offer)| offer.name.as_str()).collect();
                known.sort_unstable();
                known.dedup();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                PluginError::load(
                    name,
                    LoadError::NoSuchOffer { role, name: text::one_line(name, 100), known },
                )
            })
    }

    /// Warns of a built-in that the new file hides, and refuses two files with
    /// one name, of which neither could claim to be meant.
    fn settle_names(&self, shown: &str, new: &Description) -> Result<(), PluginError> {
        for offer in &new.offers {
            for plugin in &self.plugins {
                let Some(other) = plugin.description.offers.iter().find(|other| {
                    other.role == offer.role
                        && (other.name == offer.name || other.aliases.contains(&offer.name))
                }) else {
                    continue;
                };
                match &plugin.source {
                    Source::BuiltIn => self.warn(format!(
                        "{} `{}` of plugin {} is used instead of the built-in `{}`",
                        offer.role.name(),
                        offer.name,
                        shown,
                        other.name
                    )),
                    first @ (Source::File(_) | Source::Remote(_)) => {
                        let error = LoadError::SameName {
                            role: offer.role,
                            name: offer.name.clone(),
                            first: first.to_string(),
                            second: shown.to_owned(),
                        };
                        return Err(PluginError::load(&*new.name, error));
                    }
                }
            }
        }
        Ok(())
    }

    /// A file's description, from the cache if it is there. A plugin that had
    /// to be compiled for it comes along.
    fn describe(
        &self,
        shown: &str,
        wasm: &[u8],
        inspection: &Inspection,
        around: &Surroundings,
    ) -> Result<(Description, Option<Arc<dyn Prepared>>), PluginError> {
        if let Some(cache) = self.cache() {
            match cache.description(&inspection.sha256) {
                Ok(Some(description)) if check::description(&description, &inspection.roles).is_ok() => {
                    return Ok((description, None));
                }
                Ok(_) => {}
                Err(reason) => self.warn_of_cache(&reason),
            }
        }
        let prepared = self
            .compile(shown, wasm, inspection)
            .map_err(|error| PluginError::load(&*around.label, error))?;
        let description = prepared.describe(around)?;
        if let Some(Err(reason)) =
            self.cache().map(|cache| cache.keep_description(&inspection.sha256, &description))
        {
            self.warn_of_cache(&reason);
        }
        Ok((description, Some(prepared)))
    }

    /// The plugin compiled and linked; it is so on its first use only.
    fn prepared(&self, plugin: &Loaded) -> Result<Arc<dyn Prepared>, PluginError> {
        let mut slot = plugin.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = &*slot {
            return Ok(prepared.clone());
        }
        if plugin.source == Source::BuiltIn {
            // The others were asked for when they were added.
            self.admit(&plugin.candidate(&plugin.shown())?)
                .map_err(|error| PluginError::load(&*plugin.description.name, error))?;
        }
        let prepared = self
            .compile(&plugin.shown(), &plugin.wasm, plugin.inspection()?)
            .map_err(|error| PluginError::load(&*plugin.description.name, error))?;
        *slot = Some(prepared.clone());
        Ok(prepared)
    }

    /// What the gate says of a plugin, and its limits.
    fn admit(&self, candidate: &Candidate<'_>) -> Result<Limits, LoadError> {
        let limits = &self.options.limits;
        match &self.options.gate {
            None => Ok(limits.clone()),
            Some(gate) => gate
                .admit(candidate, limits)
                .map_err(|reason| LoadError::Refused { source_name: candidate.shown.to_owned(), reason }),
        }
    }

    fn compile(
        &self,
        shown: &str,
        wasm: &[u8],
        inspection: &Inspection,
    ) -> Result<Arc<dyn Prepared>, LoadError> {
        let engine = engine()?;
        let cached = match self.cache().map(|cache| cache.component(engine, &inspection.sha256)) {
            Some(Ok(component)) => component,
            Some(Err(reason)) => {
                self.warn_of_cache(&reason);
                None
            }
            None => None,
        };
        let component = match cached {
            Some(component) => component,
            None => {
                let _watched =
                    self.options.watch.as_ref().map(|watch| watch.compiling(shown, wasm.len() as u64));
                component::validate(shown, wasm)?;
                let component = Component::from_binary(engine, wasm).map_err(|error| LoadError::Corrupt {
                    source_name: shown.to_owned(),
                    reason: text::one_line(&format!("{error:#}"), 1024),
                })?;
                if let Some(Err(reason)) =
                    self.cache().map(|cache| cache.keep_component(&inspection.sha256, &component))
                {
                    self.warn_of_cache(&reason);
                }
                component
            }
        };
        // The only place that chooses a contract version.
        Ok(Arc::from(v0_1::prepare(shown, &component, inspection)?))
    }

    fn cache(&self) -> Option<&Cache> {
        self.cache
            .get_or_init(|| {
                Cache::open(&self.options.cache).unwrap_or_else(|reason| {
                    self.warn_of_cache(&reason);
                    None
                })
            })
            .as_ref()
    }

    fn warn_of_cache(&self, reason: &str) {
        self.warn(format!(
            "plugin cache: {reason}; compiling in memory (`--plugin-cache off` silences this)"
        ));
    }
}

impl Loaded {
    fn shown(&self) -> String {
        match &self.source {
            Source::BuiltIn => format!("`{}` (built in)", self.description.name),
            source => source.to_string(),
        }
    }

    fn candidate<'a>(&'a self, shown: &'a str) -> Result<Candidate<'a>, PluginError> {
        Ok(Candidate {
            shown,
            builtin: (self.source == Source::BuiltIn).then_some(&*self.description.name),
            source: &self.source,
            inspection: self.inspection()?,
        })
    }

    fn refused(&self, reason: String) -> PluginError {
        PluginError::load(&*self.description.name, LoadError::Refused { source_name: self.shown(), reason })
    }

    fn inspection(&self) -> Result<&Inspection, PluginError> {
        if let Some(inspection) = self.inspection.get() {
            return Ok(inspection);
        }
        let inspection = component::inspect(&self.shown(), &self.wasm, self.known_sha256)
            .map_err(|error| PluginError::load(&*self.description.name, error))?;
        Ok(self.inspection.get_or_init(|| inspection))
    }

    fn identity(&self, offer: &Offer, config: &str) -> Result<Identity, PluginError> {
        let inspection = self.inspection()?;
        Ok(Identity {
            plugin: self.description.name.clone(),
            version: self.description.version.clone(),
            api_version: inspection.api_version.to_string(),
            sha256: inspection.sha256.clone(),
            source: self.source.clone(),
            role: offer.role,
            offer: offer.name.clone(),
            config: config.to_owned(),
            grants: Vec::new(),
        })
    }
}

fn own_version() -> semver::Version {
    semver::Version::new(0, 1, 0)
}

/// Reads a plugin file of at most `limit_bytes`.
///
/// # Errors
///
/// When it cannot be read, is no file, or is too large.
pub fn read_file(path: &Path, limit_bytes: u64) -> Result<Vec<u8>, LoadError> {
    let unreadable = |reason: String| LoadError::NotReadable { path: path.to_owned(), reason };
    let io = |error: std::io::Error| unreadable(error.to_string());
    // A named pipe would block in `open` otherwise.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file: File = File::options().read(true).custom_flags(nonblock).open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let too_large = |size_bytes| LoadError::TooLarge { path: PathBuf::from(path), size_bytes, limit_bytes };
    if metadata.len() > limit_bytes {
        return Err(too_large(metadata.len()));
    }
    let mut wasm = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    // It may grow meanwhile.
    file.take(limit_bytes.saturating_add(1)).read_to_end(&mut wasm).map_err(io)?;
    if wasm.len() as u64 > limit_bytes {
        return Err(too_large(wasm.len() as u64));
    }
    Ok(wasm)
}

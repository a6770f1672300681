//! From what the user wrote to a plugin's bytes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use oci_client::Reference;

use super::error::SourceError;
use super::fetch::{Fetched, Fetcher};
use super::provenance::Provenance;
use super::spec::{Spec, is_name};
use super::store::Store;
use crate::digest::Sha256Hex;
use crate::lock::{Entry, Lock};
use crate::plugin::{Source, read_file};

/// How plugins are looked for.
#[derive(Debug, Clone, Default)]
pub struct ResolverOptions {
    /// The lock in effect, which need not be there.
    pub lock: PathBuf,
    /// Let in only what the lock names.
    pub locked: bool,
    /// Never use the network.
    pub offline: bool,
    /// Directories to look for names in, first to last.
    pub search: Vec<PathBuf>,
    /// The user's plugin directory, where what was fetched is kept; none if
    /// there is no home.
    pub user_dir: Option<PathBuf>,
    /// Largest plugin.
    pub limit_bytes: u64,
}

/// A plugin's bytes.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// Where they come from, as results are to name it.
    pub source: Source,
    /// What a lock is to name as the source.
    pub lock_source: String,
    /// The plugin.
    pub wasm: Vec<u8>,
    /// Its SHA-256.
    pub sha256: Sha256Hex,
    /// What is known of where it comes from, if it comes from a registry.
    pub provenance: Option<Provenance>,
    /// Something that the user should know.
    pub note: Option<String>,
}

/// Looks for plugins.
pub struct Resolver {
    options: ResolverOptions,
    lock: Option<Lock>,
    fetcher: Fetcher,
    /// Evidence of what was fetched or found, by the plugin's SHA-256.
    evidence: Mutex<HashMap<Sha256Hex, Provenance>>,
}

impl Resolver {
    /// Reads the lock.
    ///
    /// # Errors
    /// When the lock cannot be read, or there is none and `locked` is set.
    pub fn new(options: ResolverOptions) -> Result<Self, SourceError> {
        let lock = Lock::read(&options.lock)?;
        if options.locked && lock.is_none() {
            return Err(SourceError::NoLock { lock: options.lock });
        }
        let fetcher = Fetcher { limit_bytes: options.limit_bytes };
        Ok(Self { options, lock, fetcher, evidence: Mutex::default() })
    }

    /// The lock's path, and what is in it.
    pub fn lock(&self) -> (&Path, Option<&Lock>) {
        (&self.options.lock, self.lock.as_ref())
    }

    /// Whether only what the lock names is let in.
    pub fn locked(&self) -> bool {
        self.options.locked
    }

    /// What to fetch with, if the network may be used.
    ///
    /// # Errors
    /// When it may not; `what` is what would be fetched.
    pub fn fetcher(&self, what: &dyn std::fmt::Display) -> Result<Fetcher, SourceError> {
        if self.options.offline {
            return Err(SourceError::Offline { what: what.to_string() });
        }
        Ok(self.fetcher)
    }

    /// The store in the user's plugin directory.
    pub fn store(&self) -> Option<Store> {
        self.options.user_dir.as_ref().map(Store::new)
    }

    /// Evidence of where the plugin with this SHA-256 comes from: what came
    /// with it, else what a store has.
    ///
    /// # Errors
    /// When a store cannot be read.
    pub fn provenance(&self, sha256: &Sha256Hex) -> Result<Option<Provenance>, SourceError> {
        let known = self.evidence.lock().unwrap_or_else(PoisonError::into_inner).get(sha256).cloned();
        if known.is_some() {
            return Ok(known);
        }
        for store in self.stores() {
            if let Some(found) = store.provenance(sha256)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The plugin that `spec` names now.
    ///
    /// # Errors
    /// When there is none, it cannot be fetched, or it is not what it should be.
    pub fn resolve(&self, spec: &Spec) -> Result<Resolved, SourceError> {
        let resolved = match self.entry_of(spec) {
            Some(entry) => self.resolve_entry(entry)?,
            None if self.options.locked => self.resolve_locked_file(spec)?,
            None => self.resolve_fresh(spec)?,
        };
        self.remember(&resolved);
        Ok(resolved)
    }

    fn remember(&self, resolved: &Resolved) {
        if let Some(provenance) = &resolved.provenance {
            let mut evidence = self.evidence.lock().unwrap_or_else(PoisonError::into_inner);
            evidence.insert(resolved.sha256.clone(), provenance.clone());
        }
    }

    /// The plugin of a lock's entry: from a store, from its file, or fetched.
    ///
    /// # Errors
    /// When it is nowhere to be had, or is not what the lock says.
    pub fn resolve_entry(&self, entry: &Entry) -> Result<Resolved, SourceError> {
        let source = match Spec::parse(&entry.source)? {
            Spec::Path(path) => Source::File(self.lock_dir().join(path)),
            Spec::Oci(reference) => Source::Remote(match &entry.digest {
                Some(digest) => super::oci::pinned(&reference, digest),
                None => entry.source.clone(),
            }),
            Spec::Https { .. } | Spec::Name(_) => Source::Remote(entry.source.clone()),
        };
        let resolved = |wasm, provenance, note| Resolved {
            source: source.clone(),
            lock_source: entry.source.clone(),
            wasm,
            sha256: entry.sha256.clone(),
            provenance,
            note,
        };
        if let Some(wasm) = self.stored(&entry.sha256)? {
            return Ok(resolved(wasm, self.provenance(&entry.sha256)?, None));
        }
        let fetched = match (&source, Spec::parse(&entry.source)?) {
            (Source::File(path), _) => {
                let wasm = read_file(path, self.options.limit_bytes)?;
                let found = Sha256Hex::of(&wasm);
                if found != entry.sha256 {
                    let what = format!("{}, `{}` of the lock,", path.display(), entry.name);
                    return Err(SourceError::Digest { what, expected: entry.sha256.clone(), found });
                }
                return Ok(resolved(wasm, None, None));
            }
            (_, Spec::Https { url, sha256 }) => self.fetcher(&entry.source)?.https(&url, &sha256)?,
            (_, Spec::Oci(reference)) => {
                let reference = match &entry.digest {
                    Some(digest) => with_digest(&reference, digest),
                    None => reference,
                };
                self.fetcher(&entry.source)?.oci(&reference)?
            }
            (_, Spec::Path(_) | Spec::Name(_)) => {
                return Err(SourceError::Missing {
                    what: format!("file {} that the lock names", entry.source),
                });
            }
        };
        if fetched.sha256 != entry.sha256 {
            let what = format!("{}, `{}` of the lock,", fetched.address, entry.name);
            return Err(SourceError::Digest { what, expected: entry.sha256.clone(), found: fetched.sha256 });
        }
        let note = self.keep(&fetched);
        Ok(resolved(fetched.wasm, fetched.provenance, note))
    }

    /// The plugin that `spec` names, whatever the lock says.
    ///
    /// # Errors
    /// As of [`Self::resolve`].
    pub fn resolve_fresh(&self, spec: &Spec) -> Result<Resolved, SourceError> {
        let resolved = self.look_for(spec)?;
        self.remember(&resolved);
        Ok(resolved)
    }

    fn look_for(&self, spec: &Spec) -> Result<Resolved, SourceError> {
        match spec {
            Spec::Path(path) => self.file(path),
            Spec::Name(name) => self.named(name),
            Spec::Https { url, sha256 } => {
                if let Some(wasm) = self.stored(sha256)? {
                    return Ok(Resolved {
                        source: Source::Remote(spec.to_string()),
                        lock_source: spec.to_string(),
                        wasm,
                        sha256: sha256.clone(),
                        provenance: None,
                        note: None,
                    });
                }
                let fetched = self.fetcher(spec)?.https(url, sha256)?;
                Ok(self.remote(spec, fetched))
            }
            Spec::Oci(reference) => {
                if let Some(digest) = reference.digest().and_then(Sha256Hex::parse)
                    && let Some(found) = self.stored_artifact(spec, &digest)?
                {
                    return Ok(found);
                }
                let fetched = self.fetcher(spec)?.oci(reference)?;
                let mut resolved = self.remote(spec, fetched);
                if reference.digest().is_none() {
                    let unpinned = format!(
                        "{spec} is a tag that may move; today it is {} (`vbench plugin add` keeps that in a lock)",
                        resolved.source
                    );
                    resolved.note = Some(match resolved.note {
                        Some(note) => format!("{unpinned}; {note}"),
                        None => unpinned,
                    });
                }
                Ok(resolved)
            }
        }
    }

    /// The entry of the lock that a spec means.
    fn entry_of(&self, spec: &Spec) -> Option<&Entry> {
        let entries = self.lock.as_ref()?.entries();
        match spec {
            Spec::Name(name) => entries.iter().find(|entry| entry.name == *name),
            Spec::Path(_) => None,
            Spec::Https { sha256, .. } => entries.iter().find(|entry| entry.sha256 == *sha256),
            Spec::Oci(reference) => entries.iter().find(|entry| {
                let Ok(Spec::Oci(locked)) = Spec::parse(&entry.source) else { return false };
                let same_repository = locked.registry() == reference.registry()
                    && locked.repository() == reference.repository();
                let same_version = match reference.digest().and_then(Sha256Hex::parse) {
                    Some(digest) => entry.digest.as_ref() == Some(&digest),
                    None => locked.tag() == reference.tag(),
                };
                same_repository && same_version
            }),
        }
    }

    /// A file whose SHA-256 is in the lock, under `--locked`.
    fn resolve_locked_file(&self, spec: &Spec) -> Result<Resolved, SourceError> {
        let refused = |reason: &str| SourceError::NotLocked {
            what: spec.to_string(),
            lock: self.options.lock.clone(),
            reason: reason.to_owned(),
        };
        let Spec::Path(path) = spec else { return Err(refused("it has no such entry")) };
        let resolved = self.file(path)?;
        let entries = self.lock.as_ref().map_or(&[][..], Lock::entries);
        if entries.iter().any(|entry| entry.sha256 == resolved.sha256) {
            return Ok(resolved);
        }
        Err(refused(&format!("no entry has SHA-256 {}", resolved.sha256)))
    }

    fn file(&self, path: &Path) -> Result<Resolved, SourceError> {
        let wasm = read_file(path, self.options.limit_bytes)?;
        let sha256 = Sha256Hex::of(&wasm);
        let provenance = self.provenance(&sha256)?;
        Ok(Resolved {
            source: Source::File(path.to_owned()),
            lock_source: path.display().to_string(),
            wasm,
            sha256,
            provenance,
            note: None,
        })
    }

    fn named(&self, name: &str) -> Result<Resolved, SourceError> {
        debug_assert!(is_name(name), "`Spec::parse` lets no other through");
        let dirs = self.dirs();
        for dir in &dirs {
            let path = dir.join(format!("{name}.wasm"));
            if path.is_file() {
                return self.file(&path);
            }
        }
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        Err(SourceError::NoSuchName {
            name: name.to_owned(),
            lock: match &self.lock {
                Some(_) => self.options.lock.display().to_string(),
                None => format!("{} (which is not there)", self.options.lock.display()),
            },
            dirs: if dirs.is_empty() { "any plugin directory".to_owned() } else { dirs.join(", ") },
        })
    }

    fn remote(&self, spec: &Spec, fetched: Fetched) -> Resolved {
        let note = self.keep(&fetched);
        Resolved {
            source: Source::Remote(fetched.address),
            lock_source: spec.to_string(),
            wasm: fetched.wasm,
            sha256: fetched.sha256,
            provenance: fetched.provenance,
            note,
        }
    }

    /// Keeps what was fetched. That it cannot be kept is told and harms nothing.
    fn keep(&self, fetched: &Fetched) -> Option<String> {
        let store = self.store()?;
        let kept = store.put(&fetched.sha256, &fetched.wasm, fetched.provenance.as_ref());
        kept.err().map(|error| format!("{error}; it will be fetched again next time"))
    }

    fn stored(&self, sha256: &Sha256Hex) -> Result<Option<Vec<u8>>, SourceError> {
        for store in self.stores() {
            if let Some(wasm) = store.plugin(sha256, self.options.limit_bytes)? {
                return Ok(Some(wasm));
            }
        }
        Ok(None)
    }

    fn stored_artifact(&self, spec: &Spec, digest: &Sha256Hex) -> Result<Option<Resolved>, SourceError> {
        for store in self.stores() {
            let Some(provenance) = store.artifact(digest)? else { continue };
            let Ok(sha256) = provenance.plugin_sha256() else { continue };
            if let Some(wasm) = self.stored(&sha256)? {
                return Ok(Some(Resolved {
                    source: Source::Remote(spec.to_string()),
                    lock_source: spec.to_string(),
                    wasm,
                    sha256,
                    provenance: Some(provenance),
                    note: None,
                }));
            }
        }
        Ok(None)
    }

    fn dirs(&self) -> Vec<PathBuf> {
        self.options.search.iter().chain(&self.options.user_dir).cloned().collect()
    }

    fn stores(&self) -> impl Iterator<Item = Store> {
        self.dirs().into_iter().map(Store::new)
    }

    fn lock_dir(&self) -> &Path {
        self.options.lock.parent().unwrap_or(Path::new(""))
    }
}

/// The same artifact, but exactly this one.
fn with_digest(reference: &Reference, digest: &Sha256Hex) -> Reference {
    Reference::with_digest(
        reference.registry().to_owned(),
        reference.repository().to_owned(),
        digest.prefixed(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::LOCK_FILE;

    const LIMIT: u64 = 1000;

    struct Place {
        dir: tempfile::TempDir,
        options: ResolverOptions,
    }

    impl Place {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let options = ResolverOptions {
                lock: dir.path().join(LOCK_FILE),
                offline: true,
                search: vec![dir.path().join("path")],
                user_dir: Some(dir.path().join("user")),
                limit_bytes: LIMIT,
                ..ResolverOptions::default()
            };
            std::fs::create_dir(dir.path().join("path")).unwrap();
            std::fs::create_dir(dir.path().join("user")).unwrap();
            Self { dir, options }
        }

        fn write(&self, name: &str, content: &[u8]) -> PathBuf {
            let path = self.dir.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        }

        fn lock(&self, name: &str, source: &str, content: &[u8], digest: Option<&[u8]>) {
            let mut lock = Lock::read(&self.options.lock).unwrap().unwrap_or_default();
            lock.put(Entry {
                name: name.to_owned(),
                source: source.to_owned(),
                digest: digest.map(Sha256Hex::of),
                sha256: Sha256Hex::of(content),
                plugin_version: "1.0.0".to_owned(),
                api_version: "0.1.0".to_owned(),
            });
            lock.write(&self.options.lock).unwrap();
        }

        fn resolve(&self, text: &str) -> Result<Resolved, SourceError> {
            Resolver::new(self.options.clone())?.resolve(&Spec::parse(text).unwrap())
        }
    }

    #[test]
    fn names_are_looked_up_in_the_lock_then_on_the_path_then_with_the_user() {
        let place = Place::new();
        let error = place.resolve("acme").unwrap_err().to_string();
        assert!(
            error.contains("no plugin is called `acme`") && error.contains("which is not there"),
            "{error}"
        );
        place.write("user/acme.wasm", b"user");
        assert_eq!(place.resolve("acme").unwrap().wasm, b"user");
        place.write("path/acme.wasm", b"path");
        assert_eq!(place.resolve("acme").unwrap().wasm, b"path");
        place.write("locked.wasm", b"locked");
        place.lock("acme", "locked.wasm", b"locked", None);
        assert_eq!(place.resolve("acme").unwrap().wasm, b"locked");
        place.write("locked.wasm", b"changed");
        assert!(matches!(place.resolve("acme"), Err(SourceError::Digest { .. })));
    }

    #[test]
    fn a_lock_pins_a_tag_and_a_store_answers_for_the_network() {
        let place = Place::new();
        let spec = "oci://registry.example/acme/traces:1";
        assert!(matches!(place.resolve(spec), Err(SourceError::Offline { .. })));
        place.lock("traces", spec, b"plugin", Some(b"manifest"));
        assert!(matches!(place.resolve(spec), Err(SourceError::Offline { .. })));
        let sha256 = Sha256Hex::of(b"plugin");
        Store::new(place.dir.path().join("user")).put(&sha256, b"plugin", None).unwrap();
        for text in ["traces", spec, &format!("{spec}@{}", Sha256Hex::of(b"manifest").prefixed())] {
            let resolved = place.resolve(text).unwrap();
            assert_eq!(resolved.wasm, b"plugin");
            let address = format!("{spec}@{}", Sha256Hex::of(b"manifest").prefixed());
            assert_eq!(resolved.source, Source::Remote(address));
        }
        // Another version of the same is another thing.
        assert!(matches!(
            place.resolve("oci://registry.example/acme/traces:2"),
            Err(SourceError::Offline { .. })
        ));
    }

    #[test]
    fn locked_lets_in_nothing_else() {
        let mut place = Place::new();
        place.options.locked = true;
        assert!(matches!(place.resolve("acme"), Err(SourceError::NoLock { .. })));
        let file = place.write("a.wasm", b"a");
        place.lock("a", "a.wasm", b"a", None);
        assert_eq!(place.resolve("a").unwrap().wasm, b"a");
        // The same bytes by another way in.
        assert_eq!(place.resolve(file.to_str().unwrap()).unwrap().wasm, b"a");
        let other = place.write("path/b.wasm", b"b");
        for text in ["b", other.to_str().unwrap(), "oci://registry.example/b:1"] {
            let error = place.resolve(text).unwrap_err();
            assert!(matches!(error, SourceError::NotLocked { .. }), "{error}");
            assert_eq!(error.blame(), crate::fault::Blame::Policy);
        }
    }
}

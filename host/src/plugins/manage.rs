//! `vbench plugin add`, `remove`, `update`, `verify` and `compile`: what a lock
//! names, and whether it is what it says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::loader::Loader;
use crate::fault::{Blame, Fault};
use crate::lock::{Entry, Lock};
use crate::plugin::contract::Description;
use crate::plugin::{CacheMode, LoadOptions, Plugins, Source};
use crate::source::{PublicKey, Resolved, Spec, UnreadSignature};

/// Fetches, checks and compiles a plugin, keeps it, and writes it into the lock.
/// Gives what to tell the user.
///
/// # Errors
/// When it cannot be had, is refused, does not work, or cannot be kept.
pub fn add(loader: &Loader, text: &str, name: Option<&str>) -> Result<String, Fault> {
    refuse_locked(loader, "add")?;
    let resolved = loader.resolver().resolve_fresh(&Spec::parse(text)?)?;
    let (path, lock) = loader.resolver().lock();
    let entry = admit(loader, &resolved, name, path)?;
    let mut lock = lock.cloned().unwrap_or_default();
    let before = lock.get(&entry.name).cloned();
    let (name, version) = (entry.name.clone(), entry.plugin_version.clone());
    lock.put(entry);
    lock.write(path).map_err(Fault::user)?;
    let done = match before {
        Some(before) if before.sha256 == resolved.sha256 => "is the same as before",
        Some(_) => "takes the place of another version",
        None => "was added",
    };
    Ok(format!("{name} {version} (sha256 {}) {done}: {}", resolved.sha256, path.display()))
}

/// Takes plugins out of the lock; their files too, if the lock is the user's own.
///
/// # Errors
/// When one is not in it, or it cannot be written.
pub fn remove(loader: &Loader, names: &[String]) -> Result<String, Fault> {
    refuse_locked(loader, "remove")?;
    let (path, mut lock) = existing(loader)?;
    let mut text = String::new();
    for name in names {
        let entry = lock.remove(name).ok_or_else(|| not_in(name, &path))?;
        let own = loader.resolver().store().filter(|store| path.parent() == Some(store.dir()));
        let others_need_it = lock.entries().iter().any(|other| other.sha256 == entry.sha256);
        if let Some(store) = own.filter(|_| !others_need_it) {
            store.remove(&entry.sha256)?;
        }
        let _ = writeln!(text, "{name} was removed: {}", path.display());
    }
    lock.write(&path).map_err(Fault::user)?;
    Ok(text)
}

/// Looks for newer versions of entries, all if none is named, and locks them.
///
/// # Errors
/// When one is not in the lock, cannot be had, is refused, or does not work.
pub fn update(loader: &Loader, names: &[String]) -> Result<String, Fault> {
    refuse_locked(loader, "update")?;
    let (path, mut lock) = existing(loader)?;
    let mut text = String::new();
    for entry in chosen(&lock, names, &path)? {
        let spec = match Spec::parse(&entry.source)? {
            Spec::Path(file) => Spec::Path(path.parent().unwrap_or(Path::new("")).join(file)),
            spec => spec,
        };
        let pinned = match &spec {
            Spec::Https { .. } => true,
            Spec::Oci(reference) => reference.digest().is_some(),
            Spec::Path(_) | Spec::Name(_) => false,
        };
        if pinned {
            let _ = writeln!(text, "{} is pinned by its source: {}", entry.name, entry.source);
            continue;
        }
        let resolved = loader.resolver().resolve_fresh(&spec)?;
        let digest = resolved.provenance.as_ref().map(|provenance| provenance.manifest_digest());
        if resolved.sha256 == entry.sha256 && digest == entry.digest {
            let _ = writeln!(text, "{} {} is up to date", entry.name, entry.plugin_version);
            continue;
        }
        let new = admit(loader, &resolved, Some(&entry.name), &path)?;
        let _ = writeln!(
            text,
            "{} {} (sha256 {}) becomes {} (sha256 {})",
            entry.name, entry.plugin_version, entry.sha256, new.plugin_version, new.sha256
        );
        lock.put(Entry { source: entry.source.clone(), ..new });
    }
    lock.write(&path).map_err(Fault::user)?;
    Ok(text)
}

/// Checks that plugins are what the lock says, that the policy lets them in,
/// and that `key` signed them. Everything is checked; `tell` hears of each.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify(
    loader: &Loader,
    names: &[String],
    key: Option<&Path>,
    mut tell: impl FnMut(String),
) -> Result<(), Fault> {
    let key = key.map(PublicKey::from_file).transpose().map_err(Fault::user)?;
    let all: Vec<String> = if names.is_empty() {
        existing(loader)?.1.entries().iter().map(|entry| entry.name.clone()).collect()
    } else {
        names.to_vec()
    };
    let mut first = None;
    for name in all {
        match verify_one(loader, &name, key.as_ref()) {
            Ok(text) => tell(format!("ok      {name}: {text}")),
            Err(fault) => {
                tell(format!("refused {name}: {fault}"));
                first.get_or_insert(fault);
            }
        }
    }
    first.map_or(Ok(()), Err)
}

fn verify_one(loader: &Loader, text: &str, key: Option<&PublicKey>) -> Result<String, Fault> {
    let spec = Spec::parse(text)?;
    let resolver = loader.resolver();
    let mut resolved = resolver.resolve(&spec)?;
    let mut said = format!("sha256 {}", resolved.sha256);
    if let (Some(known), Some(store)) = (&resolved.provenance, resolver.store())
        && let Ok(fetcher) = resolver.fetcher(&text)
        && let Ok(Spec::Oci(reference)) = Spec::parse(&known.address)
    {
        // It may have been signed since.
        let fresh = fetcher.provenance(&reference)?;
        if (&fresh.signatures, &fresh.unread) != (&known.signatures, &known.unread) {
            store.put(&resolved.sha256, &resolved.wasm, Some(&fresh))?;
            resolved.provenance = Some(fresh);
        }
    }
    if let Some(key) = key {
        let refused = |reason: String| Fault { blame: Blame::Policy, error: anyhow!("{text} {reason}") };
        let provenance = resolved.provenance.as_ref().ok_or_else(|| {
            refused("does not come from a registry, so there is no signature of it".to_owned())
        })?;
        let signed = provenance
            .signed_by(key, &resolved.sha256)
            .map_err(|reason| refused(format!("is not verified: {reason}")))?;
        let _ = write!(said, ", signed with this key for {}", signed.repository);
    } else if let Some(found) =
        resolved.provenance.as_ref().and_then(|provenance| UnreadSignature::in_words(&provenance.unread))
    {
        let _ = write!(said, ", signatures that vbench does not check: {found}");
    }
    let mut plugins = loader.none();
    let description = plugins.add_bytes(resolved.source, resolved.wasm)?;
    let _ = write!(said, ", {} {}", description.name, description.version);
    Ok(said)
}

/// Compiles plugins, the built-in ones among them, into a folder that
/// `--plugin-cache` can name elsewhere.
///
/// # Errors
/// When one cannot be had, is refused or cannot be compiled, or the folder is
/// not one that would be trusted.
pub fn compile(loader: &Loader, plugins: &[String], output: PathBuf) -> Result<String, Fault> {
    let options = LoadOptions { cache: CacheMode::Dir(output.clone()), ..loader.options().clone() };
    let mut all = super::with_builtins(options)?;
    for text in plugins {
        loader.add(&mut all, text)?;
    }
    let compiled = all.compile_all()?;
    // Elsewhere a cache that does not work harms nothing; here it is the purpose.
    if let Some(reason) = all.take_warnings().into_iter().find(|warning| warning.starts_with("plugin cache"))
    {
        return Err(Fault::user(anyhow!("{reason}")));
    }
    Ok(format!(
        "{} plugins are compiled in {}: use them with --plugin-cache {}",
        compiled.len(),
        output.display(),
        output.display()
    ))
}

/// Lets a plugin in, compiles and keeps it, and makes its entry of a lock.
fn admit(loader: &Loader, resolved: &Resolved, name: Option<&str>, lock: &Path) -> Result<Entry, Fault> {
    let mut plugins = loader.none();
    let description = plugins.add_bytes(resolved.source.clone(), resolved.wasm.clone())?.clone();
    plugins.compile_all()?;
    let api_version = api_version(&plugins)?;
    if let Some(store) = loader.resolver().store() {
        store.put(&resolved.sha256, &resolved.wasm, resolved.provenance.as_ref())?;
    }
    let Description { name: own, version, .. } = description;
    let name = name.unwrap_or(&own).to_owned();
    if !matches!(Spec::parse(&name), Ok(Spec::Name(_))) {
        return Err(Fault::user(anyhow!("`{name}` cannot be a name in a lock; choose another with --name")));
    }
    Ok(Entry {
        name,
        source: match &resolved.source {
            Source::File(path) => from_lock(path, lock),
            Source::Remote(_) | Source::BuiltIn => resolved.lock_source.clone(),
        },
        digest: resolved.provenance.as_ref().map(|provenance| provenance.manifest_digest()),
        sha256: resolved.sha256.clone(),
        plugin_version: version,
        api_version,
    })
}

fn api_version(plugins: &Plugins) -> Result<String, Fault> {
    let infos = plugins.inspect()?;
    Ok(infos.first().map(|info| info.inspection.api_version.to_string()).unwrap_or_default())
}

/// A path as a lock writes it: relative if the file is below the lock's folder.
fn from_lock(path: &Path, lock: &Path) -> String {
    let dir = lock.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(path) = path.canonicalize() else { return path.display().to_string() };
    match dir.canonicalize().ok().as_deref().and_then(|dir| path.strip_prefix(dir).ok()) {
        Some(below) => format!("./{}", below.display()),
        None => path.display().to_string(),
    }
}

fn existing(loader: &Loader) -> Result<(PathBuf, Lock), Fault> {
    let (path, lock) = loader.resolver().lock();
    let lock = lock.cloned().ok_or_else(|| {
        Fault::user(anyhow!("there is no lock at {}; `vbench plugin add` makes one", path.display()))
    })?;
    Ok((path.to_owned(), lock))
}

fn chosen(lock: &Lock, names: &[String], path: &Path) -> Result<Vec<Entry>, Fault> {
    if names.is_empty() {
        return Ok(lock.entries().to_vec());
    }
    names.iter().map(|name| lock.get(name).cloned().ok_or_else(|| not_in(name, path))).collect()
}

fn not_in(name: &str, path: &Path) -> Fault {
    Fault::user(anyhow!("`{name}` is not in the lock {}", path.display()))
}

fn refuse_locked(loader: &Loader, what: &str) -> Result<(), Fault> {
    if loader.resolver().locked() {
        return Err(Fault::user(anyhow!("`plugin {what}` changes the lock, which --locked forbids")));
    }
    Ok(())
}

//! Compiled code on disk, so that a plugin is compiled once on a machine.
//!
//! A file is named after the SHA-256 of the component and of everything that
//! the engine says its code depends on (version, settings, processor), so
//! that a stale file is never found, only left behind. Whoever can write such
//! a file can run code as the user; the directory and each file have to belong
//! to the user or to root and be writable by nobody else, or they are not used.
//! A directory of root's is how code that was compiled ahead reaches users who
//! cannot write it.
//!
//! A cache that does not work never fails a run: the plugin is compiled in
//! memory, and the reason is a warning.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, OFlags};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::component::hex;
use super::contract::Description;

/// Where compiled code is kept (`--plugin-cache`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// `$XDG_CACHE_HOME/vbench/plugins`, or `~/.cache/vbench/plugins`.
    #[default]
    Auto,
    /// Nowhere; the right choice on machines shared with people one does not trust.
    Off,
    /// This directory.
    Dir(PathBuf),
}

/// Largest description that is read back.
const MAX_DESCRIPTION_BYTES: u64 = 1024 * 1024;

/// An open cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    /// Whether new code can be kept; where it cannot, what is there is used.
    writable: bool,
}

impl Cache {
    /// Opens the directory, and makes it if needed. `Ok(None)` when there is to
    /// be no cache, `Err` with the reason when it cannot be used.
    pub(crate) fn open(mode: &CacheMode) -> Result<Option<Self>, String> {
        let dir = match mode {
            CacheMode::Off => return Ok(None),
            CacheMode::Dir(dir) => dir.clone(),
            CacheMode::Auto => match default_dir() {
                Some(dir) => dir,
                None => return Err("neither XDG_CACHE_HOME nor HOME is an absolute path".to_owned()),
            },
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
        let metadata = std::fs::symlink_metadata(&dir)
            .map_err(|error| format!("cannot look at {}: {error}", dir.display()))?;
        if !metadata.is_dir() {
            return Err(format!("{} is not a directory", dir.display()));
        }
        check_owner(&metadata).map_err(|reason| format!("{} {reason}", dir.display()))?;
        let writable = rustix::fs::access(&dir, Access::WRITE_OK).is_ok();
        Ok(Some(Self { dir, writable }))
    }

    /// Compiled code of the component with this SHA-256, if it is there.
    ///
    /// # Errors
    ///
    /// In words, when a file is there but cannot be used.
    pub(crate) fn component(&self, engine: &Engine, sha256: &str) -> Result<Option<Component>, String> {
        let path = self.code_path(engine, sha256);
        let Some(code) = open_own_file(&path, u64::MAX)? else {
            return Ok(None);
        };
        deserialize(engine, &code)
            .map(Some)
            .map_err(|reason| format!("cannot use {}: {reason}", path.display()))
    }

    /// Keeps compiled code.
    pub(crate) fn keep_component(&self, sha256: &str, component: &Component) -> Result<(), String> {
        if !self.writable {
            return Ok(());
        }
        let code =
            component.serialize().map_err(|error| format!("cannot serialise compiled code: {error:#}"))?;
        self.write(&self.code_path(component.engine(), sha256), &code)
    }

    /// The description kept for the component with this SHA-256.
    pub(crate) fn description(&self, sha256: &str) -> Result<Option<Description>, String> {
        let path = self.description_path(sha256);
        let Some(mut file) = open_own_file(&path, MAX_DESCRIPTION_BYTES)? else {
            return Ok(None);
        };
        let mut json = Vec::new();
        file.read_to_end(&mut json).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        serde_json::from_slice(&json)
            .map(Some)
            .map_err(|error| format!("cannot use {}: {error}", path.display()))
    }

    /// Keeps a description.
    pub(crate) fn keep_description(&self, sha256: &str, description: &Description) -> Result<(), String> {
        if !self.writable {
            return Ok(());
        }
        let json = serde_json::to_vec(description).map_err(|error| error.to_string())?;
        self.write(&self.description_path(sha256), &json)
    }

    fn code_path(&self, engine: &Engine, sha256: &str) -> PathBuf {
        let mut hasher = ShaHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.dir.join(format!("{sha256}-{}.cwasm", &hex(&hasher.0.finalize())[..16]))
    }

    fn description_path(&self, sha256: &str) -> PathBuf {
        // The format of the file is that of this version of vbench.
        self.dir.join(format!("{sha256}-{}.json", env!("CARGO_PKG_VERSION")))
    }

    /// Writes under another name first, so that nobody ever sees half a file.
    fn write(&self, path: &Path, content: &[u8]) -> Result<(), String> {
        let write = || {
            // Made with mode 0600 and O_EXCL.
            let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.dir)?;
            file.write_all(content)?;
            file.persist(path).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        write().map_err(|error| format!("cannot write {}: {error}", path.display()))
    }
}

/// Feeds what the engine hashes to SHA-256: the standard hasher may change with
/// the compiler, and is too short for a name that decides which code runs.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

fn default_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("vbench").join("plugins"))
}

/// That nobody but the user can have written it.
fn check_owner(metadata: &std::fs::Metadata) -> Result<(), String> {
    // Whoever is root needs no file to run code as anybody.
    if ![0, rustix::process::geteuid().as_raw()].contains(&metadata.uid()) {
        return Err("belongs to another user".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(format!(
            "can be written by others (mode {:03o}; `chmod go-w` mends it)",
            metadata.mode() & 0o777
        ));
    }
    Ok(())
}

/// A file of the user's own; `None` if there is none. The checks are made on
/// the open file, so nothing can be swapped in between.
fn open_own_file(path: &Path, max_bytes: u64) -> Result<Option<File>, String> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file: File = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot open {}: {error}", path.display())),
    };
    let metadata = file.metadata().map_err(|error| format!("cannot look at {}: {error}", path.display()))?;
    if !metadata.is_file() {
        return Err(format!("{} is not a file", path.display()));
    }
    check_owner(&metadata).map_err(|reason| format!("{} {reason}", path.display()))?;
    if metadata.len() > max_bytes {
        return Err(format!("{} is too large", path.display()));
    }
    Ok(Some(file))
}

/// Maps compiled code from an open file rather than reading it: of a megabyte
/// a run touches a fraction, and two copies of it were most of a warm load.
#[allow(
    unsafe_code,
    reason = "the engine cannot check native code; who may have written it is checked instead"
)]
fn deserialize(engine: &Engine, code: &File) -> Result<Component, String> {
    // The very file that was checked, whatever its path leads to by now.
    let path = format!("/dev/fd/{}", code.as_raw_fd());
    // SAFETY: `deserialize_file` requires that the file holds what
    // `Component::serialize` returned, unaltered for as long as the component
    // lives. The file belongs to the effective user or root and nobody else may
    // write it, in a directory for which the same holds; it was opened without
    // following a link and checked after opening (`open_own_file`), and it is
    // that open file which is mapped. Only `keep_component` writes files of
    // such names there, whole ones, and puts new ones in their place by a
    // rename, which leaves a mapped one as it is. Someone who can still write
    // there already acts as the user and gains nothing by it. The name holds
    // the hash of version, settings and target, and the engine compares those
    // again.
    unsafe { Component::deserialize_file(engine, path) }
        // Without the path above, which says nothing to anybody.
        .map_err(|error| error.root_cause().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::plugin::engine::engine;

    fn component() -> Component {
        Component::new(engine().unwrap(), wat::parse_str("(component)").unwrap()).unwrap()
    }

    #[test]
    fn code_is_kept_and_found_again() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("cache");
        let cache = Cache::open(&CacheMode::Dir(dir.clone())).unwrap().unwrap();
        assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
        assert!(cache.component(engine().unwrap(), "ab").unwrap().is_none());
        cache.keep_component("ab", &component()).unwrap();
        assert!(cache.component(engine().unwrap(), "ab").unwrap().is_some());
        let file = cache.code_path(engine().unwrap(), "ab");
        assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn what_others_can_write_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("cache");
        let cache = Cache::open(&CacheMode::Dir(dir.clone())).unwrap().unwrap();
        cache.keep_component("ab", &component()).unwrap();
        let file = cache.code_path(engine().unwrap(), "ab");

        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o620)).unwrap();
        assert!(cache.component(engine().unwrap(), "ab").unwrap_err().contains("can be written by others"));

        std::fs::remove_file(&file).unwrap();
        std::os::unix::fs::symlink("/dev/null", &file).unwrap();
        assert!(cache.component(engine().unwrap(), "ab").unwrap_err().contains("cannot open"));

        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::open(&CacheMode::Dir(dir.clone())).unwrap_err().contains("can be written by others"));

        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(Cache::open(&CacheMode::Dir(link)).unwrap_err().contains("not a directory"));
    }

    #[test]
    fn damaged_code_is_an_error_not_a_crash() {
        let parent = tempfile::tempdir().unwrap();
        let cache = Cache::open(&CacheMode::Dir(parent.path().join("cache"))).unwrap().unwrap();
        let file = cache.code_path(engine().unwrap(), "ab");
        cache.write(&file, b"\x7fELF and nothing else").unwrap();
        assert!(cache.component(engine().unwrap(), "ab").unwrap_err().contains("cannot use"));
    }

    #[test]
    fn off_is_off() {
        assert!(Cache::open(&CacheMode::Off).unwrap().is_none());
    }
}

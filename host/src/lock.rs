//! `vbench.lock`: which plugins a project uses, where each comes from, and what
//! exactly it is.
//!
//! It is TOML, one `[[plugin]]` an entry, sorted by name, so that a change of it
//! reads well in a review:
//!
//! ```toml
//! version = 1
//!
//! [[plugin]]
//! name = "acme-traces"
//! source = "oci://ghcr.io/acme/traces:1.2.0"
//! digest = "sha256:…"
//! sha256 = "…"
//! plugin-version = "1.2.0"
//! api-version = "0.1.0"
//! ```
//!
//! Depends on `digest` only.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Hex;

/// Name of the file in a project's folder.
pub const LOCK_FILE: &str = "vbench.lock";
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Why a lock cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read.
    #[error("cannot read lock {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is no lock.
    #[error("lock {}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// The file cannot be written.
    #[error("cannot write lock {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// One plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// What `--plugin` calls it.
    pub name: String,
    /// Where it comes from, as `vbench plugin add` was told. A path is relative
    /// to the lock's folder.
    pub source: String,
    /// Digest of the manifest, if it comes from an OCI registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Sha256Hex>,
    /// SHA-256 of the plugin.
    pub sha256: Sha256Hex,
    /// The version that the plugin says it has.
    pub plugin_version: String,
    /// The version of the contract it was built for.
    pub api_version: String,
}

/// A lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default, rename = "plugin")]
    plugins: Vec<Entry>,
}

impl Lock {
    /// Reads a lock; none if there is no such file.
    ///
    /// # Errors
    /// When the file cannot be read or is no lock of this version.
    pub fn read(path: &Path) -> Result<Option<Self>, LockError> {
        let read = |reason: String| LockError::Read { path: path.to_owned(), reason };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.len() > MAX_BYTES => {
                return Err(read(format!("it has more than {MAX_BYTES} bytes")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error.to_string())),
        }
        let text = std::fs::read_to_string(path).map_err(|error| read(error.to_string()))?;
        Self::parse(&text).map(Some).map_err(|reason| LockError::Parse { path: path.to_owned(), reason })
    }

    /// Reads a lock's text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        if file.version != VERSION {
            return Err(format!(
                "version {} is not known; this vbench reads version {VERSION}",
                file.version
            ));
        }
        let mut lock = Self::default();
        for entry in file.plugins {
            if lock.get(&entry.name).is_some() {
                return Err(format!("plugin `{}` is in it twice", entry.name));
            }
            lock.put(entry);
        }
        Ok(lock)
    }

    /// The lock's text.
    ///
    /// # Errors
    /// When an entry cannot be written as TOML.
    pub fn to_text(&self) -> Result<String, String> {
        let file = File { version: VERSION, plugins: self.entries.clone() };
        let body = toml::to_string(&file).map_err(|error| error.to_string())?;
        Ok(format!("# Written by `vbench plugin add`; meant to be kept under version control.\n{body}"))
    }

    /// Writes the lock, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let fail = |reason: String| LockError::Write { path: path.to_owned(), reason };
        let text = self.to_text().map_err(fail)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || {
            std::fs::create_dir_all(dir)?;
            let mut builder = tempfile::Builder::new();
            // It is to be read by others as far as the user's umask lets them.
            let mode = std::fs::Permissions::from_mode(0o666);
            let mut file = builder.prefix(".vbench-lock-").permissions(mode).tempfile_in(dir)?;
            file.write_all(text.as_bytes())?;
            file.persist(path).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        write().map_err(|error| fail(error.to_string()))
    }

    /// All entries by name.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry with this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Adds an entry, in place of one of the same name.
    pub fn put(&mut self, entry: Entry) {
        self.remove(&entry.name);
        let at = self.entries.partition_point(|other| other.name < entry.name);
        self.entries.insert(at, entry);
    }

    /// Takes the entry with this name out.
    pub fn remove(&mut self, name: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            source: format!("oci://ghcr.io/acme/{name}:1.0.0"),
            digest: Some(Sha256Hex::of(b"manifest")),
            sha256: Sha256Hex::of(name.as_bytes()),
            plugin_version: "1.0.0".to_owned(),
            api_version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        assert_eq!(Lock::read(&path).unwrap(), None);
        let mut lock = Lock::default();
        for name in ["zeta", "acme", "mid"] {
            lock.put(entry(name));
        }
        lock.put(Entry { digest: None, source: "plugins/mid.wasm".to_owned(), ..entry("mid") });
        lock.write(&path).unwrap();
        let read = Lock::read(&path).unwrap().unwrap();
        assert_eq!(read, lock);
        let names: Vec<_> = read.entries().iter().map(|entry| &*entry.name).collect();
        assert_eq!(names, ["acme", "mid", "zeta"]);
        assert_eq!(read.get("mid").unwrap().digest, None);
    }

    #[test]
    fn what_is_no_lock_is_refused() {
        let digest = Sha256Hex::of(b"");
        let plugin = format!(
            "[[plugin]]\nname = \"a\"\nsource = \"a.wasm\"\nsha256 = \"{digest}\"\nplugin-version = \"1\"\napi-version = \"0.1.0\"\n"
        );
        assert!(Lock::parse(&format!("version = 1\n{plugin}")).is_ok());
        for (text, reason) in [
            (String::new(), "missing field `version`"),
            ("version = 2\n".to_owned(), "version 2 is not known"),
            ("version = 1\nplugins = []\n".to_owned(), "unknown field"),
            (format!("version = 1\n{plugin}{plugin}"), "in it twice"),
            (format!("version = 1\n{}", plugin.replace(digest.as_str(), "12")), "no SHA-256"),
        ] {
            let error = Lock::parse(&text).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }
}

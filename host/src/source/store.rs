//! Plugins that were fetched or added, by what they hold.
//!
//! In a plugin directory, beside `NAME.wasm` files that a user may put there:
//!
//! - `sha256/HEX.wasm`: a plugin;
//! - `sha256/HEX.json`: where it was found, with its signatures ([`Provenance`]);
//! - `oci/HEX.json`: the same, by the digest of the manifest.
//!
//! Nothing in it is trusted: a file counts only if it has the SHA-256 that its
//! name says, and evidence only if its signature holds.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::SourceError;
use super::provenance::Provenance;
use crate::digest::Sha256Hex;
use crate::plugin::read_file;

/// Largest evidence that is read: a manifest and its signatures.
const MAX_EVIDENCE_BYTES: u64 = 8 << 20;

/// One plugin directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    dir: PathBuf,
}

impl Store {
    /// The store in a plugin directory, which need not be there yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The plugin with this SHA-256, if it is there.
    ///
    /// # Errors
    /// When a file of that name holds something else, or cannot be read.
    pub fn plugin(&self, sha256: &Sha256Hex, limit_bytes: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let path = self.plugin_path(sha256);
        if !path.is_file() {
            return Ok(None);
        }
        let wasm = read_file(&path, limit_bytes)?;
        let found = Sha256Hex::of(&wasm);
        if found != *sha256 {
            let what = format!("{} of the store", path.display());
            return Err(SourceError::Digest { what, expected: sha256.clone(), found });
        }
        Ok(Some(wasm))
    }

    /// What is known of where the plugin with this SHA-256 comes from.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn provenance(&self, sha256: &Sha256Hex) -> Result<Option<Provenance>, SourceError> {
        read_evidence(&self.dir.join("sha256").join(format!("{sha256}.json")))
    }

    /// The same by the digest of the manifest.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn artifact(&self, manifest: &Sha256Hex) -> Result<Option<Provenance>, SourceError> {
        let found = read_evidence(&self.dir.join("oci").join(format!("{manifest}.json")))?;
        // A name is no proof.
        Ok(found.filter(|provenance| provenance.manifest_digest() == *manifest))
    }

    /// Keeps a plugin and what is known of it.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn put(
        &self,
        sha256: &Sha256Hex,
        wasm: &[u8],
        provenance: Option<&Provenance>,
    ) -> Result<(), SourceError> {
        write(&self.plugin_path(sha256), wasm)?;
        if let Some(provenance) = provenance {
            let json = serde_json::to_vec(provenance).map_err(|error| SourceError::File {
                action: "write",
                path: self.dir.clone(),
                reason: error.to_string(),
            })?;
            write(&self.dir.join("sha256").join(format!("{sha256}.json")), &json)?;
            write(&self.dir.join("oci").join(format!("{}.json", provenance.manifest_digest())), &json)?;
        }
        Ok(())
    }

    /// Forgets a plugin and what is known of it. Whether there was any.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(&self, sha256: &Sha256Hex) -> Result<bool, SourceError> {
        let evidence = self.dir.join("sha256").join(format!("{sha256}.json"));
        if let Ok(Some(provenance)) = self.provenance(sha256) {
            remove(&self.dir.join("oci").join(format!("{}.json", provenance.manifest_digest())))?;
        }
        remove(&evidence)?;
        remove(&self.plugin_path(sha256))
    }

    fn plugin_path(&self, sha256: &Sha256Hex) -> PathBuf {
        self.dir.join("sha256").join(format!("{sha256}.wasm"))
    }
}

/// `$XDG_DATA_HOME/vbench/plugins`, or `~/.local/share/vbench/plugins`.
pub fn user_plugin_dir() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base =
        absolute("XDG_DATA_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/share")))?;
    Some(base.join("vbench").join("plugins"))
}

fn read_evidence(path: &Path) -> Result<Option<Provenance>, SourceError> {
    if !path.is_file() {
        return Ok(None);
    }
    let json = read_file(path, MAX_EVIDENCE_BYTES)?;
    let file = |reason| SourceError::File { action: "use", path: path.to_owned(), reason };
    serde_json::from_slice(&json).map(Some).map_err(|error| file(error.to_string()))
}

/// Writes under another name first, so that nobody ever sees half a file.
fn write(path: &Path, content: &[u8]) -> Result<(), SourceError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let write = || {
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(dir)?;
        file.write_all(content)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|error| SourceError::File {
        action: "write",
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn remove(path: &Path) -> Result<bool, SourceError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            Err(SourceError::File { action: "remove", path: path.to_owned(), reason: error.to_string() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::unread::UnreadSignature;
    use super::*;

    #[test]
    fn what_is_kept_is_found_and_what_was_changed_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().join("plugins"));
        let wasm = b"\0asm and so on".to_vec();
        let sha256 = Sha256Hex::of(&wasm);
        assert_eq!(store.plugin(&sha256, 100).unwrap(), None);
        let provenance = Provenance {
            address: "oci://x".into(),
            manifest: "{}".into(),
            signatures: Vec::new(),
            unread: vec![UnreadSignature::Keyless],
        };
        store.put(&sha256, &wasm, Some(&provenance)).unwrap();
        assert_eq!(store.plugin(&sha256, 100).unwrap(), Some(wasm.clone()));
        assert!(store.plugin(&sha256, 3).unwrap_err().to_string().contains("more than the 3"));
        assert_eq!(store.provenance(&sha256).unwrap(), Some(provenance.clone()));
        assert_eq!(store.artifact(&Sha256Hex::of(b"{}")).unwrap(), Some(provenance));

        let path = store.plugin_path(&sha256);
        std::fs::write(&path, b"\0asm and so om").unwrap();
        assert!(matches!(store.plugin(&sha256, 100), Err(SourceError::Digest { .. })));
        assert!(store.remove(&sha256).unwrap());
        assert!(!store.remove(&sha256).unwrap());
        assert_eq!(store.artifact(&Sha256Hex::of(b"{}")).unwrap(), None);
    }
}

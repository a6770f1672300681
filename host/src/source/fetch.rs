//! The network, for callers that have no runtime of their own. Every call
//! blocks until it is done or has failed.

use oci_client::Reference;
use tokio::runtime::Runtime;

use super::error::SourceError;
use super::https;
use super::oci::{Repository, pinned};
use super::provenance::Provenance;
use crate::digest::Sha256Hex;
use crate::wire::tls;

/// Something that was fetched.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The plugin.
    pub wasm: Vec<u8>,
    /// Its SHA-256.
    pub sha256: Sha256Hex,
    /// Where it came from, pinned by a digest.
    pub address: String,
    /// Digest of its manifest, and what else is known of it, if it came from a registry.
    pub provenance: Option<Provenance>,
}

/// Fetches plugins of at most `limit_bytes`.
#[derive(Debug, Clone, Copy)]
pub struct Fetcher {
    /// Largest plugin.
    pub limit_bytes: u64,
}

impl Fetcher {
    /// Fetches a file from a web server.
    ///
    /// # Errors
    /// When it cannot be fetched, or has another SHA-256.
    pub fn https(&self, url: &str, expected: &Sha256Hex) -> Result<Fetched, SourceError> {
        let wasm = runtime()?.block_on(https::get(url, self.limit_bytes))?;
        let sha256 = Sha256Hex::of(&wasm);
        if sha256 != *expected {
            return Err(SourceError::Digest {
                what: url.to_owned(),
                expected: expected.clone(),
                found: sha256,
            });
        }
        Ok(Fetched { wasm, sha256, address: format!("{url}#sha256={expected}"), provenance: None })
    }

    /// Fetches an artifact with its signatures from a registry.
    ///
    /// # Errors
    /// When it cannot be fetched, is no plugin, or is not what its digest says.
    pub fn oci(&self, reference: &Reference) -> Result<Fetched, SourceError> {
        runtime()?.block_on(async {
            let repository = Repository::open(reference).await?;
            let manifest = repository.manifest().await?;
            let wasm = repository.plugin(&manifest, self.limit_bytes).await?;
            let provenance = repository.provenance(&manifest).await?;
            Ok(Fetched {
                sha256: Sha256Hex::of(&wasm),
                wasm,
                address: pinned(reference, &manifest.digest),
                provenance: Some(provenance),
            })
        })
    }

    /// Fetches an artifact's manifest and signatures only.
    ///
    /// # Errors
    /// As of [`Self::oci`].
    pub fn provenance(&self, reference: &Reference) -> Result<Provenance, SourceError> {
        runtime()?.block_on(async {
            let repository = Repository::open(reference).await?;
            let manifest = repository.manifest().await?;
            repository.provenance(&manifest).await
        })
    }
}

fn runtime() -> Result<Runtime, SourceError> {
    tls::install_crypto_provider();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SourceError::Setup(error.to_string()))
}

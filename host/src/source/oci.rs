//! Artifacts in OCI registries, as `wkg` and others push them.

use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};

use super::credentials;
use super::error::SourceError;
use super::https::reason;
use super::provenance::{Provenance, SignedPayload, wasm_layer};
use super::unread::{BUNDLE_TYPE, CERTIFICATE_ANNOTATION, UnreadSignature};
use crate::digest::Sha256Hex;

/// Media type of what cosign signs.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// Annotation under which cosign keeps the signature.
const SIGNATURE_ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// Most signatures of one artifact that are fetched.
const MAX_SIGNATURES: usize = 64;
/// Largest signed text.
const MAX_PAYLOAD_BYTES: u64 = 64 << 10;
/// Largest bundle that is looked at.
const MAX_BUNDLE_BYTES: u64 = 1 << 20;
/// Longest time to a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time without a byte.
const IDLE: Duration = Duration::from_secs(30);

/// One repository of a registry, and who is asking.
pub(super) struct Repository {
    client: Client,
    auth: RegistryAuth,
    reference: Reference,
}

/// A manifest as it came.
pub(super) struct Manifest {
    pub(super) text: String,
    pub(super) digest: Sha256Hex,
}

impl Repository {
    /// Makes ready to ask for an artifact. Registries on this machine may
    /// speak plain HTTP, as they may with Docker: nobody is in between.
    pub(super) async fn open(reference: &Reference) -> Result<Self, SourceError> {
        let registry = reference.resolve_registry().trim_end_matches('/');
        let plain = is_loopback(registry) && !speaks_tls(registry).await;
        let config = ClientConfig {
            protocol: if plain { ClientProtocol::Http } else { ClientProtocol::Https },
            connect_timeout: Some(CONNECT),
            read_timeout: Some(IDLE),
            user_agent: concat!("vbench/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let client = Client::try_from(config).map_err(|error| SourceError::Setup(reason(&error)))?;
        Ok(Self { client, auth: credentials::for_registry(registry)?, reference: reference.clone() })
    }

    /// The manifest that the reference names now.
    pub(super) async fn manifest(&self) -> Result<Manifest, SourceError> {
        let manifest = self.manifest_of(&self.reference).await?;
        if let Some(expected) = self.reference.digest().and_then(Sha256Hex::parse)
            && manifest.digest != expected
        {
            return Err(SourceError::Digest { what: self.what(), expected, found: manifest.digest });
        }
        Ok(manifest)
    }

    async fn manifest_of(&self, reference: &Reference) -> Result<Manifest, SourceError> {
        let (bytes, _) = self
            .client
            .pull_manifest_raw(reference, &self.auth, &[OCI_IMAGE_MEDIA_TYPE])
            .await
            .map_err(|error| self.error(error))?;
        let digest = Sha256Hex::of(&bytes);
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| SourceError::Artifact {
            what: self.what(),
            reason: "its manifest is not UTF-8".to_owned(),
        })?;
        Ok(Manifest { text, digest })
    }

    /// The component that a manifest holds.
    pub(super) async fn plugin(&self, manifest: &Manifest, limit_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let (expected, layer) = wasm_layer(&manifest.text)
            .map_err(|reason| SourceError::Artifact { what: self.what(), reason })?;
        let wasm = self.blob(&layer, limit_bytes).await?;
        let found = Sha256Hex::of(&wasm);
        if found != expected {
            return Err(SourceError::Digest { what: self.what(), expected, found });
        }
        Ok(wasm)
    }

    /// The manifest with the signatures that the registry has for it.
    pub(super) async fn provenance(&self, manifest: &Manifest) -> Result<Provenance, SourceError> {
        let mut provenance = Provenance {
            address: pinned(&self.reference, &manifest.digest),
            manifest: manifest.text.clone(),
            signatures: Vec::new(),
            unread: self.bundles(&manifest.digest).await,
        };
        self.find_signatures(&manifest.digest, &mut provenance).await?;
        Ok(provenance)
    }

    /// Adds the signatures that stand under the tag of the manifest.
    async fn find_signatures(
        &self,
        manifest: &Sha256Hex,
        provenance: &mut Provenance,
    ) -> Result<(), SourceError> {
        let reference = Reference::with_tag(
            self.reference.registry().to_owned(),
            self.reference.repository().to_owned(),
            format!("sha256-{manifest}.sig"),
        );
        let signed = match self.manifest_of(&reference).await {
            Ok(signed) => signed,
            // Nobody has signed it.
            Err(SourceError::Missing { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        // A signature that makes no sense is none.
        let Ok(list) = serde_json::from_str::<OciImageManifest>(&signed.text) else { return Ok(()) };
        for layer in
            list.layers.iter().filter(|layer| layer.media_type == SIMPLE_SIGNING).take(MAX_SIGNATURES)
        {
            let annotation = |name: &str| layer.annotations.as_ref().and_then(|all| all.get(name));
            if annotation(CERTIFICATE_ANNOTATION).is_some() {
                provenance.unread.push(UnreadSignature::Keyless);
                continue;
            }
            let Some(signature) = annotation(SIGNATURE_ANNOTATION) else { continue };
            if let Ok(payload) = String::from_utf8(self.blob(layer, MAX_PAYLOAD_BYTES).await?) {
                provenance.signatures.push(SignedPayload { payload, signature: signature.clone() });
            }
        }
        Ok(())
    }

    /// Signatures in bundles. They let nobody in, so what cannot be had of them is left out.
    async fn bundles(&self, manifest: &Sha256Hex) -> Vec<UnreadSignature> {
        let Ok(index) = self.client.pull_referrers(&self.at_digest(&manifest.prefixed()), None).await else {
            return Vec::new();
        };
        let is_bundle = |kind: &str| kind.starts_with(BUNDLE_TYPE);
        let mut found = Vec::new();
        let bundles = index
            .manifests
            .iter()
            .filter(|entry| entry.artifact_type.as_deref().is_none_or(is_bundle))
            .take(MAX_SIGNATURES);
        for entry in bundles {
            let Ok(manifest) = self.manifest_of(&self.at_digest(&entry.digest)).await else { continue };
            let Ok(list) = serde_json::from_str::<OciImageManifest>(&manifest.text) else { continue };
            let Some(layer) = list.layers.iter().find(|layer| is_bundle(&layer.media_type)) else { continue };
            if let Ok(json) = self.blob(layer, MAX_BUNDLE_BYTES).await {
                found.extend(UnreadSignature::of_bundle(&json));
            }
        }
        found
    }

    /// Something in this repository by its digest.
    fn at_digest(&self, digest: &str) -> Reference {
        Reference::with_digest(
            self.reference.registry().to_owned(),
            self.reference.repository().to_owned(),
            digest.to_owned(),
        )
    }

    async fn blob(&self, layer: &OciDescriptor, limit_bytes: u64) -> Result<Vec<u8>, SourceError> {
        let mut stream = self
            .client
            .pull_blob_stream(&self.reference, &*layer.digest)
            .await
            .map_err(|error| self.error(error))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk =
                chunk.map_err(|error| SourceError::Fetch { what: self.what(), reason: reason(&error) })?;
            if bytes.len() as u64 + chunk.len() as u64 > limit_bytes {
                return Err(SourceError::TooLarge { what: self.what(), limit_bytes });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn what(&self) -> String {
        format!("oci://{}", self.reference)
    }

    fn error(&self, error: OciDistributionError) -> SourceError {
        use OciDistributionError as E;
        let what = self.what();
        let denied = |reason: String| SourceError::Denied {
            registry: self.reference.resolve_registry().to_owned(),
            what: what.clone(),
            reason,
        };
        match &error {
            E::UnauthorizedError { .. } => denied("not authorized".to_owned()),
            E::AuthenticationFailure(reason) => denied(reason.clone()),
            E::ImageManifestNotFoundError(_) => SourceError::Missing { what },
            E::ServerError { code: 404, .. } => SourceError::Missing { what },
            E::ServerError { code: code @ (401 | 403), .. } => denied(format!("status {code}")),
            E::RegistryError { envelope, .. } => {
                let codes: Vec<&OciErrorCode> = envelope.errors.iter().map(|error| &error.code).collect();
                let any = |wanted: &[OciErrorCode]| codes.iter().any(|code| wanted.contains(code));
                if any(&[OciErrorCode::Unauthorized, OciErrorCode::Denied]) {
                    denied("not authorized".to_owned())
                } else if any(&[
                    OciErrorCode::ManifestUnknown,
                    OciErrorCode::NameUnknown,
                    OciErrorCode::NotFound,
                    OciErrorCode::BlobUnknown,
                ]) {
                    SourceError::Missing { what }
                } else {
                    SourceError::Fetch { what, reason: reason(&error) }
                }
            }
            _ => SourceError::Fetch { what, reason: reason(&error) },
        }
    }
}

/// The address of an artifact, pinned by its digest.
pub(super) fn pinned(reference: &Reference, digest: &Sha256Hex) -> String {
    let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    format!("oci://{}/{}{tag}@{}", reference.registry(), reference.repository(), digest.prefixed())
}

fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => registry,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a server answers a TLS handshake with TLS. A certificate that is not
/// trusted, or no answer at all, is no reason to go on without TLS.
async fn speaks_tls(registry: &str) -> bool {
    let Ok(client) = reqwest::Client::builder().connect_timeout(CONNECT).timeout(IDLE).build() else {
        return true;
    };
    match client.get(format!("https://{registry}/v2/")).send().await {
        Ok(_) => true,
        // What rustls says of an answer that is no TLS record.
        Err(error) => !reason(&error).contains("InvalidContentType"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_loopback() {
        for registry in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in ["ghcr.io", "localhost.example.org:5000", "10.0.0.1:5000", "127.0.0.1.nip.io"] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }
}

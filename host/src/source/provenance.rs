//! Evidence of where an artifact comes from, kept beside it, so that it can be
//! checked again on any machine, at any time, without the network.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use serde::{Deserialize, Serialize};

use super::signature::{PublicKey, SignatureError, Signed};
use super::unread::UnreadSignature;
use crate::digest::Sha256Hex;

/// Media types of a layer that is a component: what `wkg` pushes (CNCF TAG
/// Runtime's Wasm OCI Artifact), and what older tools did.
const WASM_LAYERS: [&str; 2] = ["application/wasm", "application/vnd.wasm.content.layer.v1+wasm"];

/// A manifest and the signatures that were found for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The artifact's address, pinned by the manifest's digest.
    pub address: String,
    /// The manifest, as the registry gave it.
    pub manifest: String,
    /// Signatures, good or bad.
    pub signatures: Vec<SignedPayload>,
    /// Signatures that cannot be checked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadSignature>,
}

/// A text and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedPayload {
    /// What was signed: JSON.
    pub payload: String,
    /// The signature in Base64.
    pub signature: String,
}

impl Provenance {
    /// Digest of the manifest, which is what is signed.
    pub fn manifest_digest(&self) -> Sha256Hex {
        Sha256Hex::of(self.manifest.as_bytes())
    }

    /// SHA-256 of the plugin that the manifest holds.
    ///
    /// # Errors
    /// When the manifest is none of an artifact with one component.
    pub fn plugin_sha256(&self) -> Result<Sha256Hex, SignatureError> {
        wasm_layer(&self.manifest).map(|(sha256, _)| sha256).map_err(SignatureError::Manifest)
    }

    /// Whether `key` signed the artifact that holds the plugin with this SHA-256.
    ///
    /// # Errors
    /// Why not.
    pub fn signed_by(&self, key: &PublicKey, plugin: &Sha256Hex) -> Result<Signed, SignatureError> {
        if self.plugin_sha256()? != *plugin {
            return Err(SignatureError::OtherFile { found: plugin.clone() });
        }
        let manifest = self.manifest_digest();
        let mut reason = None;
        for SignedPayload { payload, signature } in &self.signatures {
            let checked = STANDARD
                .decode(signature)
                .map_err(|_| "its text is no Base64".to_owned())
                .and_then(|signature| key.check(payload.as_bytes(), &signature, &manifest));
            match checked {
                Ok(signed) => return Ok(signed),
                Err(why) => reason = Some(why),
            }
        }
        Err(match reason {
            None => match UnreadSignature::in_words(&self.unread) {
                None => SignatureError::None,
                Some(found) => {
                    let artifact = self.address.strip_prefix("oci://").unwrap_or(&self.address).to_owned();
                    SignatureError::Unread { found, artifact }
                }
            },
            Some(reason) => SignatureError::NoMatch { count: self.signatures.len(), reason },
        })
    }
}

/// SHA-256 and descriptor of the one component that a manifest holds.
pub(super) fn wasm_layer(manifest: &str) -> Result<(Sha256Hex, OciDescriptor), String> {
    let manifest: OciImageManifest = serde_json::from_str(manifest)
        .map_err(|error| format!("its manifest is none of an artifact: {error}"))?;
    let mut found = None;
    for layer in manifest.layers {
        if !WASM_LAYERS.contains(&&*layer.media_type) {
            continue;
        }
        let sha256 = Sha256Hex::parse(&layer.digest)
            .filter(|_| layer.digest.starts_with("sha256:"))
            .ok_or("its component is not named by a SHA-256")?;
        if found.replace((sha256, layer)).is_some() {
            return Err("it holds more than one component".to_owned());
        }
    }
    found.ok_or_else(|| format!("it holds no layer of type {}", WASM_LAYERS[0]))
}

#[cfg(test)]
mod tests {
    use super::super::signature::tests::{Signer, payload};
    use super::*;

    fn manifest(layers: &[(&str, &str)]) -> String {
        let layers: Vec<_> = layers
            .iter()
            .map(|(kind, digest)| serde_json::json!({"mediaType": kind, "digest": digest, "size": 1}))
            .collect();
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": Sha256Hex::of(b"{}").prefixed(), "size": 2},
            "layers": layers,
        })
        .to_string()
    }

    #[test]
    fn a_signature_binds_the_file_by_way_of_the_manifest() {
        let signer = Signer::new();
        let plugin = Sha256Hex::of(b"plugin");
        let mut provenance = Provenance {
            address: String::new(),
            manifest: manifest(&[("application/wasm", &plugin.prefixed())]),
            signatures: Vec::new(),
            unread: Vec::new(),
        };
        let key = signer.public();
        assert_eq!(provenance.signed_by(&key, &plugin), Err(SignatureError::None));
        provenance.unread = vec![UnreadSignature::Keyless];
        let error = provenance.signed_by(&key, &plugin).unwrap_err().to_string();
        assert!(error.contains("1 keyless") && error.contains("cosign sign --key"), "{error}");

        let text = payload(&provenance.manifest_digest());
        let signature = STANDARD.encode(signer.sign(text.as_bytes()));
        let other = Signer::new();
        let foreign = STANDARD.encode(other.sign(text.as_bytes()));
        provenance.signatures = vec![
            SignedPayload { payload: text.clone(), signature: "!".to_owned() },
            SignedPayload { payload: text.clone(), signature: foreign },
            SignedPayload { payload: text, signature },
        ];
        assert!(provenance.signed_by(&key, &plugin).is_ok());
        assert!(provenance.signed_by(&other.public(), &plugin).is_ok());
        assert!(matches!(
            provenance.signed_by(&Signer::new().public(), &plugin),
            Err(SignatureError::NoMatch { count: 3, .. })
        ));
        let changed = Sha256Hex::of(b"plugim");
        assert!(matches!(provenance.signed_by(&key, &changed), Err(SignatureError::OtherFile { .. })));

        // A manifest that holds another file is not what was signed.
        provenance.manifest = manifest(&[("application/wasm", &changed.prefixed())]);
        assert!(matches!(provenance.signed_by(&key, &changed), Err(SignatureError::NoMatch { .. })));
    }

    #[test]
    fn an_artifact_holds_one_component() {
        let digest = Sha256Hex::of(b"plugin").prefixed();
        let text = "text/markdown";
        assert!(wasm_layer(&manifest(&[(text, &digest), (WASM_LAYERS[1], &digest)])).is_ok());
        assert!(wasm_layer(&manifest(&[(text, &digest)])).unwrap_err().contains("no layer"));
        let two = manifest(&[(WASM_LAYERS[0], &digest), (WASM_LAYERS[0], &digest)]);
        assert!(wasm_layer(&two).unwrap_err().contains("more than one"));
        let sha512 = format!("sha512:{}", "0".repeat(128));
        assert!(wasm_layer(&manifest(&[(WASM_LAYERS[0], &sha512)])).unwrap_err().contains("SHA-256"));
        assert!(wasm_layer("[]").unwrap_err().contains("none of an artifact"));
    }
}

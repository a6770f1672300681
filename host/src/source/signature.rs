//! Signatures of OCI artifacts as `cosign sign --key` makes them: ECDSA over
//! P-256 with SHA-256, of a JSON text that names the artifact's manifest.
//!
//! The format is `SIGNATURE_SPEC.md` of sigstore/cosign ("simple signing"). The
//! arithmetic is ring's, the same that TLS uses here. Certificates and the
//! transparency log are not looked at: a key that the user names is trusted,
//! and nothing else.

use std::path::{Path, PathBuf};

use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use crate::digest::Sha256Hex;

/// What a signed text says it is.
const PAYLOAD_TYPE: &str = "cosign container image signature";
/// What a P-256 key begins with in DER: `SEQUENCE { SEQUENCE { id-ecPublicKey,
/// prime256v1 } BIT STRING (66 bytes, none unused)` (RFC 5480), before the
/// uncompressed point of 65 bytes.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Length of an uncompressed point of P-256.
const POINT_BYTES: usize = 65;

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read public key {}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// It is no PEM with a public key.
    #[error("it is no PEM with a PUBLIC KEY, such as `cosign generate-key-pair` writes to cosign.pub")]
    Pem,
    /// It is a key of another kind.
    #[error("it is no ECDSA key on the curve P-256, the kind that cosign makes")]
    Kind,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The file is not what the manifest holds.
    #[error("the manifest it came with does not hold this file (SHA-256 {found})")]
    OtherFile {
        /// The file's.
        found: Sha256Hex,
    },
    /// The manifest cannot be read.
    #[error("the manifest it came with cannot be read: {0}")]
    Manifest(String),
    /// There is none at all.
    #[error("it is not signed")]
    None,
    /// There are only some that vbench does not check.
    #[error(
        "it is signed in a way that vbench does not check ({found}); have its publisher sign it with a key: \
         `cosign sign --key cosign.key --new-bundle-format=false --tlog-upload=false {artifact}`"
    )]
    Unread {
        /// What there is, in words.
        found: String,
        /// The artifact, as cosign names it.
        artifact: String,
    },
    /// There are some, but none by this key.
    #[error("none of its {count} signatures was made with this key for this artifact ({reason})")]
    NoMatch {
        /// How many there are.
        count: usize,
        /// Why the last one does not count.
        reason: String,
    },
}

/// A key whose signatures are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: Vec<u8>,
}

/// What a signature that counts says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The repository that the artifact was signed for, as `ghcr.io/acme/traces`.
    pub repository: String,
}

#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: String,
}

impl PublicKey {
    /// Reads a key in PEM.
    ///
    /// # Errors
    /// When it is no ECDSA key on P-256.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).map_err(|_| KeyError::Pem)?;
        let point = der.strip_prefix(&P256_PREFIX).ok_or(KeyError::Kind)?;
        if point.len() != POINT_BYTES || point.first() != Some(&4) {
            return Err(KeyError::Kind);
        }
        Ok(Self { point: point.to_vec() })
    }

    /// Reads a key from a file in PEM.
    ///
    /// # Errors
    /// When the file cannot be read, or holds no ECDSA key on P-256.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let pem = std::fs::read_to_string(path)
            .map_err(|error| KeyError::File { path: path.to_owned(), reason: error.to_string() })?;
        Self::from_pem(&pem)
    }

    /// Checks one signature of a payload for the manifest with this digest.
    ///
    /// # Errors
    /// Why it does not count.
    pub(super) fn check(
        &self,
        payload: &[u8],
        signature: &[u8],
        manifest: &Sha256Hex,
    ) -> Result<Signed, String> {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point)
            .verify(payload, signature)
            .map_err(|_| "it was made with another key, or the signed text was changed".to_owned())?;
        // Only what was signed is looked at.
        let Payload { critical } = serde_json::from_slice(payload)
            .map_err(|error| format!("the signed text makes no sense: {error}"))?;
        if critical.kind != PAYLOAD_TYPE {
            return Err("the signed text is no signature of an artifact".to_owned());
        }
        if Sha256Hex::parse(&critical.image.docker_manifest_digest).as_ref() != Some(manifest) {
            return Err("it is for another artifact".to_owned());
        }
        Ok(Signed { repository: critical.identity.docker_reference })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    /// A key pair as cosign has it.
    pub(crate) struct Signer(EcdsaKeyPair);

    impl Signer {
        pub(crate) fn new() -> Self {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
            Self(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, document.as_ref(), &random)
                    .unwrap(),
            )
        }

        pub(crate) fn public(&self) -> PublicKey {
            PublicKey { point: self.0.public_key().as_ref().to_vec() }
        }

        pub(crate) fn sign(&self, payload: &[u8]) -> Vec<u8> {
            self.0.sign(&SystemRandom::new(), payload).unwrap().as_ref().to_vec()
        }
    }

    pub(crate) fn payload(manifest: &Sha256Hex) -> String {
        format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"ghcr.io/acme/traces"}},"image":{{"docker-manifest-digest":"{}"}},"type":"{PAYLOAD_TYPE}"}},"optional":null}}"#,
            manifest.prefixed()
        )
    }

    /// Made by `openssl ecparam -name prime256v1 -genkey`, and a text signed by
    /// `openssl dgst -sha256 -sign`, so that both sides are not ours.
    const OPENSSL_KEY: &str = include_str!("../../../tests/fixtures/signatures/key.pub");
    const OPENSSL_PAYLOAD: &[u8] = include_bytes!("../../../tests/fixtures/signatures/payload.json");
    const OPENSSL_SIGNATURE: &[u8] = include_bytes!("../../../tests/fixtures/signatures/payload.sig");

    #[test]
    fn a_signature_made_elsewhere_counts() {
        let key = PublicKey::from_pem(OPENSSL_KEY).unwrap();
        let manifest = Sha256Hex::of(b"");
        let signed = key.check(OPENSSL_PAYLOAD, OPENSSL_SIGNATURE, &manifest).unwrap();
        assert_eq!(signed.repository, "ghcr.io/acme/traces");
    }

    #[test]
    fn any_change_and_any_other_key_or_artifact_is_refused() {
        let signer = Signer::new();
        let key = signer.public();
        let manifest = Sha256Hex::of(b"manifest");
        let text = payload(&manifest);
        let signature = signer.sign(text.as_bytes());
        key.check(text.as_bytes(), &signature, &manifest).unwrap();

        let other = Signer::new().public();
        assert!(other.check(text.as_bytes(), &signature, &manifest).unwrap_err().contains("another key"));
        let elsewhere = Sha256Hex::of(b"other");
        assert!(key.check(text.as_bytes(), &signature, &elsewhere).unwrap_err().contains("another artifact"));
        let changed = text.replace("acme", "evil");
        assert!(key.check(changed.as_bytes(), &signature, &manifest).unwrap_err().contains("changed"));
        for at in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[at] ^= 1;
            key.check(text.as_bytes(), &flipped, &manifest).unwrap_err();
        }
        let kind = text.replace(PAYLOAD_TYPE, "something else");
        let signature = signer.sign(kind.as_bytes());
        assert!(key.check(kind.as_bytes(), &signature, &manifest).unwrap_err().contains("no signature"));
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        assert_eq!(PublicKey::from_pem("hello").unwrap_err(), KeyError::Pem);
        let p384 = include_str!("../../../tests/fixtures/signatures/p384.pub");
        assert_eq!(PublicKey::from_pem(p384).unwrap_err(), KeyError::Kind);
    }
}

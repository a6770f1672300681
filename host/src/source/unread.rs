//! Signatures that vbench recognises and does not check.
//!
//! cosign signs with a key that somebody keeps, which vbench checks, or
//! "keyless": with a key of the moment, for which a certificate of an identity
//! provider vouches. And it keeps either as text and annotation under a tag, or
//! as a bundle (`application/vnd.dev.sigstore.bundle.v0.3+json`, version 3's
//! own way) that refers to the artifact. Keyless signatures and bundles are
//! told apart from no signature, so that a refusal says what is in the way.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// What the media types of bundles, whatever their version, begin with.
pub(super) const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle";
/// Annotation under which cosign keeps the certificate of a keyless signature.
pub(super) const CERTIFICATE_ANNOTATION: &str = "dev.sigstore.cosign/certificate";
/// What a bundle states that is a signature and no attestation of something else.
const SIGN_PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// A signature that is not checked, by how it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnreadSignature {
    /// With a key of the moment and a certificate of an identity provider.
    Keyless,
    /// With a key that somebody keeps, in a bundle.
    Bundle,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<IgnoredAny>,
    x509_certificate_chain: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Envelope {
    payload: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
}

impl UnreadSignature {
    /// The signature that a bundle is; none if it is no bundle, or says
    /// something else of the artifact.
    pub(super) fn of_bundle(json: &[u8]) -> Option<Self> {
        let bundle: Bundle = serde_json::from_slice(json).ok()?;
        if let Some(Envelope { payload }) = &bundle.dsse_envelope {
            let statement: Statement = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
            if statement.predicate_type != SIGN_PREDICATE {
                return None;
            }
        }
        let Material { certificate, x509_certificate_chain } = bundle.verification_material;
        let keyless = certificate.is_some() || x509_certificate_chain.is_some();
        Some(if keyless { Self::Keyless } else { Self::Bundle })
    }

    /// How many there are of each kind, in words; nothing if there are none.
    pub fn in_words(all: &[Self]) -> Option<String> {
        let mut text = String::new();
        for (kind, words) in [
            (Self::Keyless, "keyless, by a certificate of an identity provider"),
            (Self::Bundle, "in sigstore's bundle format"),
        ] {
            let count = all.iter().filter(|signature| **signature == kind).count();
            if count > 0 {
                let separator = if text.is_empty() { "" } else { ", " };
                // Writing to a String cannot fail.
                let _ = write!(text, "{separator}{count} {words}");
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(material: &str, predicate: Option<&str>) -> String {
        let envelope = predicate.map_or(String::new(), |predicate| {
            let statement =
                format!(r#"{{"_type":"https://in-toto.io/Statement/v1","predicateType":"{predicate}"}}"#);
            format!(r#","dsseEnvelope":{{"payload":"{}","signatures":[]}}"#, STANDARD.encode(statement))
        });
        format!(
            r#"{{"mediaType":"{BUNDLE_TYPE}.v0.3+json","verificationMaterial":{{{material}}}{envelope}}}"#
        )
    }

    #[test]
    fn bundles_are_told_apart_by_what_vouches_for_them() {
        let of =
            |material: &str, predicate| UnreadSignature::of_bundle(bundle(material, predicate).as_bytes());
        let certificate = r#""certificate":{"rawBytes":"AA=="}"#;
        assert_eq!(of(certificate, Some(SIGN_PREDICATE)), Some(UnreadSignature::Keyless));
        assert_eq!(of(certificate, None), Some(UnreadSignature::Keyless));
        let chain = r#""x509CertificateChain":{"certificates":[]}"#;
        assert_eq!(of(chain, Some(SIGN_PREDICATE)), Some(UnreadSignature::Keyless));
        let key = r#""publicKey":{"hint":"x"}"#;
        assert_eq!(of(key, Some(SIGN_PREDICATE)), Some(UnreadSignature::Bundle));
        assert_eq!(of(certificate, Some("https://slsa.dev/provenance/v1")), None);
        for other in ["", "{}", "[]", r#"{"verificationMaterial":{},"dsseEnvelope":{"payload":"!"}}"#] {
            assert_eq!(UnreadSignature::of_bundle(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn words_count_each_kind() {
        use UnreadSignature::{Bundle, Keyless};
        assert_eq!(UnreadSignature::in_words(&[]), None);
        let words = UnreadSignature::in_words(&[Bundle, Keyless, Bundle]).unwrap();
        assert_eq!(
            words,
            "1 keyless, by a certificate of an identity provider, 2 in sigstore's bundle format"
        );
    }
}

//! A real OCI registry, as Debian's package `docker-registry` has it, and what
//! `wkg` and `cosign` would put into it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tempfile::TempDir;
use vbench::digest::Sha256Hex;

use super::command::fixtures;

/// Who may read, by `tests/fixtures/registry/htpasswd`.
const USER: &str = "bench";
const PASSWORD: &str = "s3cret";
/// Set where a missing registry is a failure and no reason to skip.
const REQUIRED: &str = "VBENCH_REQUIRE_REGISTRY";

static SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// What a registry asks of its users.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Plain HTTP, nothing.
    Plain,
    /// TLS by a certificate authority of the tests' own.
    Tls,
    /// That, and a password.
    Password,
}

/// A registry that runs.
pub struct Registry {
    child: Child,
    _dir: TempDir,
    access: Access,
    /// Host and port.
    pub address: String,
}

/// An artifact as it was pushed.
pub struct Pushed {
    /// `oci://…:tag`.
    pub tagged: String,
    /// `oci://…@sha256:…`.
    pub pinned: String,
    /// Digest of its manifest.
    pub digest: Sha256Hex,
    size_bytes: usize,
    reference: Reference,
}

impl Registry {
    /// Starts one; none, loudly, where there is none.
    pub fn start(test: &str, access: Access) -> Option<Self> {
        let installed =
            Command::new("docker-registry").arg("--version").stdout(Stdio::null()).status().is_ok();
        if !installed {
            assert!(
                std::env::var_os(REQUIRED).is_none(),
                "{REQUIRED} is set, and there is no docker-registry"
            );
            let count = SKIPPED.fetch_add(1, Ordering::SeqCst) + 1;
            // Past the capture of the test harness.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: no docker-registry here, see Debian's package of that name ({count} skipped)"
            );
            return None;
        }
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port();
        let address = format!("127.0.0.1:{port}");
        let files = fixtures().join("registry");
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\n\
             http:\n  addr: {address}\n",
            dir.path().join("data").display()
        );
        if access != Access::Plain {
            config += &format!(
                "  tls: {{certificate: {}, key: {}}}\n",
                files.join("cert.pem").display(),
                files.join("key.pem").display()
            );
        }
        if access == Access::Password {
            config +=
                &format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", files.join("htpasswd").display());
        }
        let path = dir.path().join("config.yml");
        fs::write(&path, config).expect("the folder can be written");
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        // Whoever drops it ends the process.
        let registry = Self { child, _dir: dir, access, address };
        for _ in 0..500 {
            if TcpStream::connect(&registry.address).is_ok() {
                return Some(registry);
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the registry does not come up");
    }

    /// A `config.json` as `docker login` writes it, in this folder.
    pub fn log_in(&self, dir: &Path) {
        let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let config = serde_json::json!({"auths": {&self.address: {"auth": auth}}});
        fs::write(dir.join("config.json"), config.to_string()).expect("the folder can be written");
    }

    /// Pushes a component as `wkg oci push` does.
    pub fn push(&self, repository: &str, tag: &str, wasm: &[u8]) -> Pushed {
        self.push_as(repository, tag, wasm, "application/wasm")
    }

    /// Pushes a layer of any media type, with the config that wkg makes of a component (`WasmConfig` of the crate
    /// `oci-wasm`, the CNCF's Wasm OCI Artifact) and the file's name in the layer's annotation.
    pub fn push_as(&self, repository: &str, tag: &str, content: &[u8], media_type: &str) -> Pushed {
        let title = ("org.opencontainers.image.title".to_owned(), "plugin.wasm".to_owned());
        let layer = ImageLayer::new(content.to_vec(), media_type.to_owned(), Some([title].into()));
        let config = serde_json::json!({
            "created": "2026-01-01T00:00:00.123456789Z",
            "author": null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.sha256_digest()],
            "component": {
                "exports": ["vbench:plugin/meta@0.1.0", "vbench:plugin/dataset@0.1.0"],
                "imports": ["vbench:plugin/log@0.1.0", "wasi:io/poll@0.2.6"],
                "target": null,
            },
        });
        let config = Config::new(
            config.to_string().into_bytes(),
            "application/vnd.wasm.config.v0+json".to_owned(),
            None,
        );
        self.push_layers(repository, tag, &[layer], config, |manifest| {
            // What `wkg publish` makes of `[metadata]`.
            let version = ("org.opencontainers.image.version".to_owned(), tag.to_owned());
            manifest.annotations = Some([version].into());
        })
    }

    fn push_layers(
        &self,
        repository: &str,
        tag: &str,
        layers: &[ImageLayer],
        config: Config,
        finish: impl FnOnce(&mut OciImageManifest),
    ) -> Pushed {
        vbench::wire::tls::install_crypto_provider();
        let reference = Reference::with_tag(self.address.clone(), repository.to_owned(), tag.to_owned());
        let mut manifest = OciImageManifest::build(layers, &config, None);
        manifest.media_type = Some(OCI_IMAGE_MEDIA_TYPE.to_owned());
        finish(&mut manifest);
        let (digest, size_bytes) = block_on(async {
            let client = self.client();
            client
                .push(&reference, layers, config, &self.auth(), Some(manifest))
                .await
                .expect("it can be pushed");
            let (bytes, _) = client
                .pull_manifest_raw(&reference, &self.auth(), &[OCI_IMAGE_MEDIA_TYPE])
                .await
                .expect("it can be pulled");
            let _: OciManifest = serde_json::from_slice(&bytes).expect("it is a manifest");
            (Sha256Hex::of(&bytes), bytes.len())
        });
        Pushed {
            tagged: format!("oci://{reference}"),
            pinned: format!("oci://{}/{repository}@{}", self.address, digest.prefixed()),
            digest,
            size_bytes,
            reference,
        }
    }

    /// Pushes a component with other layers beside it, as `oras` does for who asks, and with the empty config that
    /// stands for none.
    pub fn push_beside_others(&self, repository: &str, tag: &str, wasm: &[u8]) -> Pushed {
        let layer = |content: &[u8], kind: &str| ImageLayer::new(content.to_vec(), kind.to_owned(), None);
        let layers = [
            layer(b"# Read me", "text/markdown"),
            layer(wasm, "application/wasm"),
            layer(b"{}", "application/spdx+json"),
        ];
        let config = Config::new(b"{}".to_vec(), "application/vnd.oci.empty.v1+json".to_owned(), None);
        self.push_layers(repository, tag, &layers, config, |manifest| {
            manifest.artifact_type = Some("application/vnd.acme.plugin".to_owned());
        })
    }

    /// Signs an artifact as `cosign sign --key` does.
    pub fn sign(&self, pushed: &Pushed, signer: &Signer) {
        self.sign_with(pushed, signer, &[]);
    }

    /// Signs an artifact as `cosign sign --new-bundle-format=false` does without a key: the signature of a key of the
    /// moment, with a certificate.
    pub fn sign_keyless(&self, pushed: &Pushed) {
        // Without the ends of lines that it has: the client for the tests does not escape them.
        let certificate = "-----BEGIN CERTIFICATE----- MIIB -----END CERTIFICATE-----";
        self.sign_with(
            pushed,
            &Signer::new(),
            &[("dev.sigstore.cosign/certificate", certificate), ("dev.sigstore.cosign/bundle", "{}")],
        );
    }

    /// Signs an artifact as version 3 of `cosign sign` does: a bundle that refers to it, by a tag where the registry
    /// knows nothing of referrers.
    pub fn sign_with_bundle(&self, pushed: &Pushed) {
        let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let statement = serde_json::json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"digest": {"sha256": pushed.digest.as_str()}}],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
        });
        let bundle = serde_json::json!({
            "mediaType": kind,
            "verificationMaterial": {"certificate": {"rawBytes": "MIIB"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": STANDARD.encode(statement.to_string()),
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [{"sig": "MEUC"}],
            },
        });
        let layer = ImageLayer::new(bundle.to_string().into_bytes(), kind.to_owned(), None);
        let config = Config::new(b"{}".to_vec(), "application/vnd.oci.empty.v1+json".to_owned(), None);
        let repository = pushed.reference.repository();
        let signed = self.push_layers(repository, "bundle", &[layer], config, |manifest| {
            manifest.artifact_type = Some(kind.to_owned());
        });
        let tag = format!("sha256-{}", pushed.digest);
        let reference = Reference::with_tag(self.address.clone(), repository.to_owned(), tag);
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": OCI_IMAGE_MEDIA_TYPE,
                "digest": signed.digest.prefixed(),
                "size": signed.size_bytes,
                "artifactType": kind,
            }],
        });
        let index = serde_json::from_value(index).expect("an index");
        block_on(async {
            let pushed = self.client().push_manifest_list(&reference, &self.auth(), index).await;
            pushed.expect("it can be pushed");
        });
    }

    fn sign_with(&self, pushed: &Pushed, signer: &Signer, more: &[(&str, &str)]) {
        let repository = format!("{}/{}", pushed.reference.registry(), pushed.reference.repository());
        let payload = serde_json::json!({
            "critical": {
                "identity": {"docker-reference": repository},
                "image": {"docker-manifest-digest": pushed.digest.prefixed()},
                "type": "cosign container image signature",
            },
            "optional": null,
        })
        .to_string();
        let signature = signer.sign(payload.as_bytes());
        let mut annotations: BTreeMap<String, String> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        annotations.insert("dev.cosignproject.cosign/signature".to_owned(), STANDARD.encode(signature));
        let layer = ImageLayer::new(
            payload.into_bytes(),
            "application/vnd.dev.cosign.simplesigning.v1+json".to_owned(),
            Some(annotations),
        );
        let config = Config::oci_v1(b"{}".to_vec(), None);
        let tag = format!("sha256-{}.sig", pushed.digest);
        self.push_layers(pushed.reference.repository(), &tag, &[layer], config, |_| {});
    }

    /// Changes one byte of the stored plugin with this SHA-256, behind the registry's back.
    pub fn damage(&self, sha256: &Sha256Hex) {
        let digits = sha256.as_str();
        let path = self
            ._dir
            .path()
            .join(format!("data/docker/registry/v2/blobs/sha256/{}/{digits}/data", &digits[..2]));
        let mut content = fs::read(&path).expect("the blob is there");
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(&path, content).expect("it can be written");
    }

    fn client(&self) -> Client {
        let certificate = Certificate {
            encoding: CertificateEncoding::Pem,
            data: fs::read(fixtures().join("registry/ca.pem")).expect("the fixture is there"),
        };
        let config = ClientConfig {
            protocol: if self.access == Access::Plain {
                oci_client::client::ClientProtocol::Http
            } else {
                oci_client::client::ClientProtocol::Https
            },
            extra_root_certificates: vec![certificate],
            ..ClientConfig::default()
        };
        Client::try_from(config).expect("a client")
    }

    fn auth(&self) -> RegistryAuth {
        match self.access {
            Access::Password => RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned()),
            _ => RegistryAuth::Anonymous,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A key pair as cosign makes it.
pub struct Signer(EcdsaKeyPair);

impl Signer {
    pub fn new() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(kind, &random).expect("a key");
        Self(EcdsaKeyPair::from_pkcs8(kind, document.as_ref(), &random).expect("a key"))
    }

    fn sign(&self, text: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), text).expect("a signature").as_ref().to_vec()
    }

    /// The public key as `cosign.pub` has it.
    pub fn public_pem(&self) -> String {
        // SubjectPublicKeyInfo of P-256 (RFC 5480).
        let mut der = vec![0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
        der.extend([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00]);
        der.extend(self.0.public_key().as_ref());
        let text = STANDARD.encode(der);
        let lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}

//! A policy as it is written.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::digest::Sha256Hex;
use crate::fault::Fault;
use crate::plugin::contract::Role;
use crate::source::{KeyError, PublicKey};

/// The version of the format that is read.
const VERSION: u32 = 1;
/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// Why a policy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file cannot be read.
    #[error("cannot read policy {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The file is no policy.
    #[error("policy {}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column where known.
        reason: String,
    },
    /// A publisher's key cannot be used.
    #[error("policy {}: key of publisher `{publisher}`: {reason}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The publisher.
        publisher: String,
        /// What is wrong with the key.
        reason: KeyError,
    },
    /// The user's own options ask for more than the policy allows.
    #[error("{option} asks for more than policy {} allows: at most {most}", path.display())]
    Limit {
        /// The file.
        path: PathBuf,
        /// The user's option.
        option: &'static str,
        /// What the policy allows.
        most: String,
    },
}

impl From<PolicyError> for Fault {
    fn from(error: PolicyError) -> Self {
        let blame = match error {
            PolicyError::Limit { .. } => crate::fault::Blame::Policy,
            _ => crate::fault::Blame::User,
        };
        Self { blame, error: error.into() }
    }
}

/// What may run.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The file, for messages.
    pub path: PathBuf,
    /// Which built-in plugins may be used.
    pub builtins: Builtins,
    /// What becomes of plugins that import the network.
    pub network_imports: NetworkImports,
    /// Bounds for all plugins.
    pub limits: PolicyLimits,
    /// What all dataset plugins may read.
    pub grants: Grants,
    /// Plugins that may run, by what they are.
    pub plugins: Vec<PluginRule>,
    /// Publishers whose plugins may run.
    pub publishers: Vec<Publisher>,
    /// Plugins that may not run, whoever else says so.
    pub denied: Vec<Sha256Hex>,
}

/// Which built-in plugins may be used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Builtins {
    /// All, or none.
    All(bool),
    /// These.
    Named(Vec<String>),
}

/// What becomes of plugins that import `wasi:sockets` or `wasi:http`. A call of
/// either ends the plugin in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkImports {
    /// They may run, since toolchains import it without using it.
    #[default]
    Stub,
    /// They may not run.
    Refuse,
}

/// Bounds, each below or equal to the default to have an effect.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PolicyLimits {
    /// Largest plugin file, in MiB.
    pub file_mib: Option<u32>,
    /// Most memory of a plugin, in MiB.
    pub memory_mib: Option<u32>,
    /// Largest body of a request that a backend may write, in MiB.
    pub request_mib: Option<u32>,
    /// Most texts and tokens handed to the tokenizer in one call, in MiB.
    pub batch_mib: Option<u32>,
    /// Longest call of a plugin, in seconds.
    pub call_time_s: Option<f64>,
}

/// What dataset plugins may be given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Files, and folders with all that is in them. Relative ones are relative
    /// to the folder in which the command runs.
    #[serde(default)]
    pub read: Vec<PathBuf>,
}

/// A plugin that may run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginRule {
    /// What it is.
    pub sha256: Sha256Hex,
    /// A word for people; it decides nothing.
    pub name: Option<String>,
    /// Roles it may have; none means all.
    pub roles: Option<Vec<Role>>,
    /// Its own bounds, within those of all plugins.
    #[serde(default)]
    pub limits: PolicyLimits,
    /// What it may read beside what all may.
    #[serde(default)]
    pub grants: Grants,
}

/// A publisher whose signed plugins may run.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// Its name in messages.
    pub name: String,
    /// The key that it signs with.
    pub key: PublicKey,
    /// Repositories for which a signature counts; none means all. An entry
    /// that ends with `/*` stands for all below it.
    pub repositories: Option<Vec<String>>,
    /// Roles its plugins may have; none means all.
    pub roles: Option<Vec<Role>>,
    /// Bounds of its plugins, within those of all.
    pub limits: PolicyLimits,
    /// What its plugins may read beside what all may.
    pub grants: Grants,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    version: u32,
    #[serde(default = "all")]
    builtins: Builtins,
    #[serde(default)]
    network_imports: NetworkImports,
    #[serde(default)]
    limits: PolicyLimits,
    #[serde(default)]
    grants: Grants,
    #[serde(default, rename = "plugin")]
    plugins: Vec<PluginRule>,
    #[serde(default, rename = "publisher")]
    publishers: Vec<FilePublisher>,
    #[serde(default, rename = "deny")]
    denied: Vec<Denied>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FilePublisher {
    name: String,
    key: Option<String>,
    key_file: Option<PathBuf>,
    repositories: Option<Vec<String>>,
    roles: Option<Vec<Role>>,
    #[serde(default)]
    limits: PolicyLimits,
    #[serde(default)]
    grants: Grants,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Denied {
    sha256: Sha256Hex,
    #[allow(dead_code, reason = "for people; it decides nothing")]
    reason: Option<String>,
}

fn all() -> Builtins {
    Builtins::All(true)
}

impl Policy {
    /// Reads a policy and the keys that it names.
    ///
    /// # Errors
    /// When a file cannot be read, or is no policy of this version.
    pub fn read(path: &Path) -> Result<Self, PolicyError> {
        let read = |reason: String| PolicyError::Read { path: path.to_owned(), reason };
        let size_bytes = std::fs::metadata(path).map_err(|error| read(error.to_string()))?.len();
        if size_bytes > MAX_BYTES {
            return Err(read(format!("it has more than {MAX_BYTES} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| read(error.to_string()))?;
        Self::parse(path, &text)
    }

    /// Reads a policy's text. `path` is for messages and for the keys' files,
    /// which are relative to its folder.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, PolicyError> {
        let wrong = |reason: String| PolicyError::Parse { path: path.to_owned(), reason };
        let file: File =
            toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        if file.version != VERSION {
            return Err(wrong(format!(
                "version {} is not known; this vbench reads version {VERSION}",
                file.version
            )));
        }
        let all_limits = std::iter::once(&file.limits)
            .chain(file.plugins.iter().map(|plugin| &plugin.limits))
            .chain(file.publishers.iter().map(|publisher| &publisher.limits));
        for limits in all_limits {
            if limits.call_time_s.is_some_and(|seconds| !(seconds > 0.0 && seconds.is_finite())) {
                return Err(wrong("call-time-s has to be a number above 0".to_owned()));
            }
            for (key, mib) in [
                ("file-mib", limits.file_mib),
                ("memory-mib", limits.memory_mib),
                ("request-mib", limits.request_mib),
                ("batch-mib", limits.batch_mib),
            ] {
                if mib == Some(0) {
                    return Err(wrong(format!("{key} has to be above 0")));
                }
            }
        }
        let dir = path.parent().unwrap_or(Path::new(""));
        let publishers = file
            .publishers
            .into_iter()
            .map(|publisher| publisher.resolve(path, dir))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            path: path.to_owned(),
            builtins: file.builtins,
            network_imports: file.network_imports,
            limits: file.limits,
            grants: file.grants,
            plugins: file.plugins,
            publishers,
            denied: file.denied.into_iter().map(|denied| denied.sha256).collect(),
        })
    }
}

impl FilePublisher {
    fn resolve(self, path: &Path, dir: &Path) -> Result<Publisher, PolicyError> {
        let key = match (&self.key, &self.key_file) {
            (Some(pem), None) => PublicKey::from_pem(pem),
            (None, Some(file)) => PublicKey::from_file(&dir.join(file)),
            _ => {
                return Err(PolicyError::Parse {
                    path: path.to_owned(),
                    reason: format!("publisher `{}` needs either key or key-file", self.name),
                });
            }
        };
        let key = key.map_err(|reason| PolicyError::Key {
            path: path.to_owned(),
            publisher: self.name.clone(),
            reason,
        })?;
        Ok(Publisher {
            name: self.name,
            key,
            repositories: self.repositories,
            roles: self.roles,
            limits: self.limits,
            grants: self.grants,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../../tests/fixtures/signatures/key.pub");

    fn parse(text: &str) -> Result<Policy, String> {
        Policy::parse(Path::new("policy.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_there_is_can_be_written() {
        let sha256 = Sha256Hex::of(b"");
        let policy = parse(&format!(
            r#"
            version = 1
            builtins = ["random", "openai"]
            network-imports = "refuse"
            [limits]
            file-mib = 32
            memory-mib = 256
            request-mib = 8
            batch-mib = 16
            call-time-s = 2.5
            [grants]
            read = ["data"]
            [[plugin]]
            sha256 = "{sha256}"
            name = "acme"
            roles = ["dataset"]
            grants = {{ read = ["/srv/acme"] }}
            [[publisher]]
            name = "acme"
            key = """{KEY}"""
            repositories = ["ghcr.io/acme/*"]
            [[deny]]
            sha256 = "{sha256}"
            reason = "broken"
            "#
        ))
        .unwrap();
        assert_eq!(policy.builtins, Builtins::Named(vec!["random".to_owned(), "openai".to_owned()]));
        assert_eq!(policy.network_imports, NetworkImports::Refuse);
        assert_eq!(policy.plugins[0].roles.as_deref(), Some(&[Role::Dataset][..]));
        assert_eq!(policy.publishers.len(), 1);
        assert_eq!(policy.denied, [sha256]);
    }

    #[test]
    fn the_shortest_allows_the_built_ins_only() {
        let policy = parse("version = 1").unwrap();
        assert_eq!(policy.builtins, Builtins::All(true));
        assert!(policy.plugins.is_empty() && policy.publishers.is_empty() && policy.grants.read.is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (text, reason) in [
            ("", "missing field `version`"),
            ("version = 9", "version 9 is not known"),
            ("version = 1\nplugins = []", "unknown field `plugins`"),
            ("version = 1\n[[plugin]]\nname = \"x\"", "missing field `sha256`"),
            ("version = 1\n[[plugin]]\nsha256 = \"12\"", "no SHA-256"),
            ("version = 1\n[limits]\ncall-time-s = nan", "above 0"),
            ("version = 1\n[limits]\nmemory-mib = 0", "memory-mib has to be above 0"),
            ("version = 1\n[limits]\nbatch-mib = 0", "batch-mib has to be above 0"),
            ("version = 1\n[[publisher]]\nname = \"x\"", "either key or key-file"),
            ("version = 1\n[[publisher]]\nname = \"x\"\nkey = \"y\"", "no PEM"),
            ("version = 1\n[[publisher]]\nname = \"x\"\nkey-file = \"/nonexistent/k\"", "/nonexistent/k"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains("policy.toml") && error.contains(reason), "{text}: {error}");
        }
    }
}

//! What a component's bytes say about it, before any of its code runs or is
//! even compiled: role, contract version, what it wants from the host.

use semver::{Version, VersionReq};
use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload, Validator};

use super::contract::Role;
use super::error::LoadError;

/// The contract versions that this host has a module for, for messages.
pub(crate) const SUPPORTED: &str = "0.1";

/// Most things that a plugin may import. Those of the contract and of WASI are
/// some thirty.
const MAX_IMPORTS: usize = 1_000;

/// What is known of a component without running it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Roles whose interface it exports.
    pub roles: Vec<Role>,
    /// Version of the contract it was built for.
    pub api_version: Version,
    /// Everything it imports.
    pub imports: Vec<Import>,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub size_bytes: u64,
}

/// Something a component imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Full name, as `wasi:cli/environment@0.2.6`.
    pub name: String,
    /// What it gets.
    pub access: Access,
}

/// What an import resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A service of the contract.
    Contract,
    /// Sandboxed WASI: empty, virtual or limited to what the user named.
    Wasi,
    /// The network: traps when it is used.
    Denied,
}

impl Access {
    /// For lists.
    pub fn words(self) -> &'static str {
        match self {
            Self::Contract => "plugin API",
            Self::Wasi => "sandboxed",
            Self::Denied => "network: a call ends the plugin",
        }
    }
}

/// An interface name taken apart: `namespace:package/interface@version`.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    version: Option<Version>,
}

impl<'a> Name<'a> {
    fn parse(name: &'a str) -> Option<Self> {
        let (path, version) = match name.split_once('@') {
            Some((path, version)) => (path, Some(Version::parse(version).ok()?)),
            None => (name, None),
        };
        let (package, interface) = path.split_once('/')?;
        Some(Self { package, interface, version })
    }
}

/// Reads roles, version and imports from a component.
///
/// `source_name` stands in messages; `known_sha256` saves making the digest.
pub(crate) fn inspect(
    source_name: &str,
    wasm: &[u8],
    known_sha256: Option<&str>,
) -> Result<Inspection, LoadError> {
    check_magic(source_name, wasm)?;
    let (imports, exports) = outer_names(source_name, wasm)?;
    let (roles, api_version) = roles_and_version(source_name, &exports)?;
    // What nobody gets is named before it is counted, since that says more.
    let count = imports.len();
    let imports = imports
        .into_iter()
        .map(|name| {
            let access = access(&name, &roles).map_err(|reason| LoadError::UnknownImport {
                source_name: source_name.to_owned(),
                import: super::text::one_line(&name, 200),
                reason,
            })?;
            Ok(Import { name, access })
        })
        .collect::<Result<_, LoadError>>()?;
    if count > MAX_IMPORTS {
        let source_name = source_name.to_owned();
        return Err(LoadError::TooManyImports { source_name, count, limit: MAX_IMPORTS });
    }
    let sha256 = known_sha256.map_or_else(|| hex(&Sha256::digest(wasm)), str::to_owned);
    Ok(Inspection { roles, api_version, imports, sha256, size_bytes: wasm.len() as u64 })
}

/// Validates the whole component. Compilation would find the same faults, but
/// it is written for valid input; this one is written for any input.
pub(crate) fn validate(source_name: &str, wasm: &[u8]) -> Result<(), LoadError> {
    match Validator::new().validate_all(wasm) {
        Ok(_) => Ok(()),
        Err(error) => Err(corrupt(source_name, &error)),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn check_magic(source_name: &str, wasm: &[u8]) -> Result<(), LoadError> {
    if wasm.is_empty() {
        return Err(LoadError::Empty { source_name: source_name.to_owned() });
    }
    if wasm.starts_with(b"\0asm") {
        return Ok(());
    }
    let start = wasm.trim_ascii_start();
    let hint = if start.starts_with(b"(component") || start.starts_with(b"(module") {
        "it is the text format; convert it with `wasm-tools parse`"
    } else if start.starts_with(b"<") {
        "it looks like a web page; the download may have failed"
    } else if start.starts_with(b"version https://git-lfs") {
        "it is a Git LFS pointer; fetch the file with `git lfs pull`"
    } else {
        "it does not begin with the WebAssembly magic number"
    };
    Err(LoadError::NotWasm { source_name: source_name.to_owned(), hint: hint.to_owned() })
}

fn corrupt(source_name: &str, error: &wasmparser::BinaryReaderError) -> LoadError {
    LoadError::Corrupt {
        source_name: source_name.to_owned(),
        reason: format!("{} at offset {:#x}", super::text::one_line(error.message(), 500), error.offset()),
    }
}

/// Names that the outermost component imports and exports.
fn outer_names(source_name: &str, wasm: &[u8]) -> Result<(Vec<String>, Vec<String>), LoadError> {
    let mut imports = Vec::new();
    let mut exports = Vec::new();
    let mut depth = 0_usize;
    let fail = |error: wasmparser::BinaryReaderError| corrupt(source_name, &error);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(fail)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(LoadError::CoreModule { source_name: source_name.to_owned() });
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(reader) if depth == 0 => {
                for import in reader {
                    imports.push(import.map_err(fail)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(reader) if depth == 0 => {
                for export in reader {
                    exports.push(export.map_err(fail)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

fn roles_and_version(source_name: &str, exports: &[String]) -> Result<(Vec<Role>, Version), LoadError> {
    let ours: Vec<(&String, Name<'_>)> = exports
        .iter()
        .filter_map(|full| Name::parse(full).map(|name| (full, name)))
        .filter(|(_, name)| name.package == "vbench:plugin")
        .collect();
    if ours.is_empty() {
        return Err(LoadError::NotAPlugin {
            source_name: source_name.to_owned(),
            exports: match exports {
                [] => "nothing".to_owned(),
                some => {
                    let shown: Vec<_> =
                        some.iter().take(5).map(|n| format!("`{}`", super::text::one_line(n, 100))).collect();
                    let rest = if some.len() > 5 { ", …" } else { "" };
                    format!("{}{rest}", shown.join(", "))
                }
            },
        });
    }
    // A host for 0.1 takes any 0.1.x, also a later one; pre-releases match nothing.
    let supported = VersionReq::parse("~0.1.0").map_err(|e| LoadError::Engine { reason: e.to_string() })?;
    let mut version = Version::new(0, 1, 0);
    for (full, name) in &ours {
        let built_for = name.version.clone().unwrap_or_else(|| Version::new(0, 0, 0));
        if !supported.matches(&built_for) {
            return Err(LoadError::Version {
                source_name: source_name.to_owned(),
                built_for: built_for.to_string(),
                interface: super::text::one_line(full, 200),
                supported: SUPPORTED,
                advice: if built_for > Version::new(0, 1, 0) {
                    "upgrade vbench, or rebuild the plugin with a `vbench-plugin` of API 0.1"
                } else {
                    "rebuild the plugin with a `vbench-plugin` of API 0.1"
                },
            });
        }
        version = version.max(built_for);
    }
    let exports = |interface: &str| ours.iter().any(|(_, name)| name.interface == interface);
    let roles: Vec<Role> =
        [Role::Dataset, Role::Backend, Role::Sla].into_iter().filter(|role| exports(role.name())).collect();
    if roles.is_empty() {
        return Err(LoadError::NoRole { source_name: source_name.to_owned() });
    }
    if !exports("meta") {
        return Err(LoadError::NoMeta { source_name: source_name.to_owned() });
    }
    Ok((roles, version))
}

/// What an import gets, or why it gets nothing, to be read after "which".
fn access(name: &str, roles: &[Role]) -> Result<Access, String> {
    let Some(parsed) = Name::parse(name) else {
        return Err(
            "is nothing that a plugin can get; a plugin imports `vbench:plugin` and WASI 0.2 only".into()
        );
    };
    let for_role = |role: Role| {
        if roles.contains(&role) {
            Ok(Access::Contract)
        } else {
            Err(format!("is for {} plugins only, and it is none", role.name()))
        }
    };
    match (parsed.package, parsed.interface) {
        ("vbench:plugin", "log" | "types") => Ok(Access::Contract),
        ("vbench:plugin", "tokenizer" | "table" | "media") => for_role(Role::Dataset),
        ("vbench:plugin", "results") => for_role(Role::Sla),
        ("vbench:plugin", _) => Err(format!("this vbench does not have (it has plugin API {SUPPORTED})")),
        // WASI 0.3 is another thing under the same names.
        (package, _)
            if package.starts_with("wasi:")
                && !parsed.version.as_ref().is_some_and(|v| v.major == 0 && v.minor == 2) =>
        {
            Err("is not of WASI 0.2, the only WASI that plugins get".into())
        }
        ("wasi:sockets" | "wasi:http", _) => Ok(Access::Denied),
        ("wasi:cli", "environment" | "exit" | "stdin" | "stdout" | "stderr")
        | ("wasi:cli", "terminal-input" | "terminal-output")
        | ("wasi:cli", "terminal-stdin" | "terminal-stdout" | "terminal-stderr")
        | ("wasi:clocks", "wall-clock" | "monotonic-clock")
        | ("wasi:filesystem", "types" | "preopens")
        | ("wasi:io", "error" | "poll" | "streams")
        | ("wasi:random", "random" | "insecure" | "insecure-seed") => Ok(Access::Wasi),
        _ => Err("no plugin gets; a plugin imports `vbench:plugin` and parts of WASI 0.2 only".into()),
    }
}

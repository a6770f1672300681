//! Debian's Rust for web browsers.
//!
//! `rustc-web` and its companions are newer than a release's own `rustc`, for
//! the browsers need them, and updates come with the security archive. Debian
//! has no standard library for `wasm32-wasip2`, but the source of one and a C
//! library for it, so Cargo builds it (`-Z build-std`, hence
//! `RUSTC_BOOTSTRAP`). The linker that makes components comes with rustup's
//! toolchains.

use std::env;
use std::fmt;
use std::io::{IsTerminal, stdin};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Rust;
use crate::workspace::{Workspace, major_minor, output, run};

const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "wasi-libc"];
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const WASI_LIBC: &str = "/usr/lib/wasm32-wasi";

/// Debian's toolchain, complete.
#[derive(Debug)]
pub struct DebianToolchain {
    version: String,
    component_linker: PathBuf,
    wasm_linker: PathBuf,
}

impl fmt::Display for DebianToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Debian's rustc {} ({RUSTC})", self.version)
    }
}

impl DebianToolchain {
    /// What is installed, if it is enough.
    pub(super) fn installed(rust: &Rust, needed: (u32, u32)) -> Result<Self> {
        let component_linker = rust.tools().join("wasm-component-ld");
        let wasm_linker = rust.tools().join("gcc-ld/wasm-ld");
        for linker in [&component_linker, &wasm_linker] {
            if !linker.is_file() {
                bail!("{} is missing; toolchains of rustup for Linux have it", linker.display());
            }
        }
        for package in PACKAGES {
            let query = &mut Command::new("dpkg-query");
            match output(query.args(["--show", "--showformat=${db:Status-Status}", package])).as_deref() {
                Ok("installed") => {}
                _ => bail!("the package {package} is not installed"),
            }
        }
        let version = output(Command::new(RUSTC).arg("--version").env_remove("LD_LIBRARY_PATH"))?;
        let version = version.split(' ').nth(1).unwrap_or_default().to_owned();
        check_version(&version, needed)?;
        if !Path::new(WASI_LIBC).join("libc.a").is_file() {
            bail!("{WASI_LIBC}/libc.a is missing; reinstall the package wasi-libc");
        }
        Ok(Self { version, component_linker, wasm_linker })
    }

    /// Installs what is missing.
    pub(super) fn install(rust: &Rust, needed: (u32, u32)) -> Result<Self> {
        match Self::installed(rust, needed) {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => eprintln!("{reason:#}; installing {}", PACKAGES.join(" ")),
        }
        run(apt_get()?.arg("update")).context("the lists of packages cannot be updated")?;
        run(apt_get()?.args(["install", "--yes", "--no-install-recommends"]).args(PACKAGES))
            .context("the packages cannot be installed")?;
        Self::installed(rust, needed)
    }

    /// `cargo build`, the folder it builds in, and flags of the compiler.
    pub(super) fn build_command(&self, workspace: &Workspace) -> (Command, PathBuf, Vec<String>) {
        let mut command = Command::new(CARGO);
        command
            .current_dir(workspace.root())
            .args(["build", "-Z", "build-std=std,panic_abort"])
            .env("RUSTC", RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_WASM32_WASIP2_LINKER", &self.component_linker)
            // Cargo sets these for what it runs, and they belong to the other toolchain.
            .env_remove("CARGO")
            .env_remove("LD_LIBRARY_PATH");
        let flags = [
            "-Clink-self-contained=no".to_owned(),
            format!("-L{WASI_LIBC}"),
            format!("-Clink-arg=--wasm-ld-path={}", self.wasm_linker.display()),
        ];
        // Apart from the builds of the other compiler, which would be thrown away in turns.
        (command, workspace.build_dir().join("debian"), flags.into())
    }
}

fn check_version(version: &str, (major, minor): (u32, u32)) -> Result<()> {
    match major_minor(version) {
        Some(found) if found >= (major, minor) => Ok(()),
        Some(_) => bail!(
            "rustc-web is {version}, but the workspace needs {major}.{minor}; newer ones come with Debian's \
             security archive (`SUITE-security`), so see that /etc/apt names it"
        ),
        None => bail!("`{RUSTC} --version` gives no version that can be read: {version:?}"),
    }
}

fn apt_get() -> Result<Command> {
    if !on_path("apt-get") {
        bail!("there is no apt-get, so this is no Debian system");
    }
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else if on_path("sudo") {
        let mut command = Command::new("sudo");
        if !stdin().is_terminal() {
            command.arg("--non-interactive");
        }
        command.arg("env");
        command
    } else {
        bail!("installing packages needs root or sudo; as root: apt-get install {}", PACKAGES.join(" "));
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_compilers_are_refused_with_the_way_to_a_newer_one() {
        assert!(check_version("1.96.0", (1, 95)).is_ok());
        assert!(check_version("2.0.0", (1, 95)).is_ok());
        let error = check_version("1.85.0", (1, 95)).unwrap_err().to_string();
        assert!(error.contains("1.85.0") && error.contains("1.95") && error.contains("security"), "{error}");
        assert!(check_version("", (1, 95)).is_err());
    }
}

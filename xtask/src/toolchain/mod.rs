//! What compiles the target `wasm32-wasip2`.
//!
//! A toolchain of rustup that has the target is best. Where rustup cannot
//! fetch it, Debian's Rust for web browsers can build the target's standard
//! library from source. Knows Cargo and the system, nothing of plugins.

mod debian;
mod rustup;

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};

use crate::workspace::{Workspace, output};
use debian::DebianToolchain;

/// The target of plugins.
pub const TARGET: &str = "wasm32-wasip2";

/// How to get a toolchain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// What works first, in this order: the target is there; rustup adds it; Debian's packages.
    Auto,
    /// The toolchain in use, the target added by rustup.
    Rustup,
    /// Debian's packages.
    Debian,
}

/// A toolchain that is ready.
#[derive(Debug)]
pub enum Toolchain {
    /// The one in use has the target.
    Rustup,
    /// Debian's, with the linkers of the one in use.
    Debian(DebianToolchain),
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup => write!(f, "the Rust toolchain in use"),
            Self::Debian(toolchain) => toolchain.fmt(f),
        }
    }
}

impl Toolchain {
    /// `cargo build` for the target, and the folder in which it puts the
    /// builds of all profiles.
    pub fn build_command(&self, workspace: &Workspace) -> (Command, PathBuf) {
        let (mut command, build_dir, mut flags) = match self {
            Self::Rustup => {
                let mut command = workspace.cargo();
                command.arg("build");
                (command, workspace.build_dir().to_owned(), Vec::new())
            }
            Self::Debian(toolchain) => toolchain.build_command(workspace),
        };
        flags.extend(path_flags(workspace.root()));
        command
            .args(["--target", TARGET])
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("CARGO_TARGET_DIR", &build_dir);
        (command, build_dir.join(TARGET))
    }
}

/// Paths in panic messages do not depend on where somebody builds, so that the
/// same source gives the same component, with nobody's home directory in it.
fn path_flags(root: &Path) -> Vec<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = vec![format!("--remap-path-prefix={}=.", root.display())];
    flags.extend(home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    flags
}

/// A toolchain that is there already, else what [`set_up`] gives.
///
/// # Errors
/// As [`set_up`].
pub fn ready_or_set_up(workspace: &Workspace, way: Way) -> Result<Toolchain> {
    let rust = Rust::in_use()?;
    if way != Way::Debian && rust.has_target() {
        return Ok(Toolchain::Rustup);
    }
    if way != Way::Rustup
        && let Ok(toolchain) = DebianToolchain::installed(&rust, workspace.rust_version())
    {
        return Ok(Toolchain::Debian(toolchain));
    }
    set_up(workspace, way)
}

/// Makes builds for the target possible, and says what it tries and why.
///
/// # Errors
/// No way works; the error says why each does not.
pub fn set_up(workspace: &Workspace, way: Way) -> Result<Toolchain> {
    let rust = Rust::in_use()?;
    let mut failures = Vec::new();
    if way != Way::Debian {
        match rustup::add_target(&rust) {
            Ok(()) => return Ok(Toolchain::Rustup),
            Err(error) => failures.push(format!("rustup: {error:#}")),
        }
    }
    if way != Way::Rustup {
        if let Some(failure) = failures.last() {
            eprintln!("{failure}");
            eprintln!("trying Debian's Rust packages, which bring the source of the standard library");
        }
        match DebianToolchain::install(&rust, workspace.rust_version()) {
            Ok(toolchain) => return Ok(Toolchain::Debian(toolchain)),
            Err(error) => failures.push(format!("Debian: {error:#}")),
        }
    }
    Err(anyhow!(
        "{TARGET} cannot be built on this machine:\n  {}\nInstall a Rust toolchain that has the target, or run \
         `rustup target add {TARGET}` where rustup reaches its server.",
        failures.join("\n  ")
    ))
}

/// The compiler that Cargo uses here.
#[derive(Debug)]
struct Rust {
    sysroot: PathBuf,
    host: String,
}

impl Rust {
    fn in_use() -> Result<Self> {
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
        let sysroot = output(Command::new(&rustc).args(["--print", "sysroot"]))?.into();
        let about = output(Command::new(&rustc).arg("-vV"))?;
        let host = about.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(Self { sysroot, host: host.context("`rustc -vV` names no host")?.to_owned() })
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }

    fn has_target(&self) -> bool {
        self.rustlib().join(TARGET).join("lib").is_dir()
    }

    /// Linkers and the like that come with the compiler.
    fn tools(&self) -> PathBuf {
        self.rustlib().join(&self.host).join("bin")
    }
}

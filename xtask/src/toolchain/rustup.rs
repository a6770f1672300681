//! The target from rustup.

use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Rust, TARGET};
use crate::workspace::run;

/// Adds the target to the toolchain in use unless it is there.
pub(super) fn add_target(rust: &Rust) -> Result<()> {
    if rust.has_target() {
        return Ok(());
    }
    eprintln!("{} has no {TARGET}; running `rustup target add {TARGET}`", rust.sysroot.display());
    run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("{TARGET} cannot be added to {}", rust.sysroot.display()))?;
    if !rust.has_target() {
        bail!("rustup added {TARGET} to another toolchain than {}, which Cargo uses", rust.sysroot.display());
    }
    Ok(())
}

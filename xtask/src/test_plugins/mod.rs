//! Plugins that only the tests use, in `target/test-plugins`: the one that misbehaves, those that `vbench plugin new`
//! makes, and the examples of the SDKs for Python and JavaScript.
//!
//! The examples need packages of PyPI and npm. Where these cannot be had, a file `NAME.skipped` with the reason stands in
//! place of the plugin, the tests of it do nothing, and the number of skips is printed.

mod examples;
mod generated;

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::toolchain::{self, Way};
use crate::workspace::{Workspace, run};

/// Builds all of them. Gives a line about each.
///
/// # Errors
/// There is no toolchain for Rust, `tests/evil/guest` or a new project does not compile, an example does not build although its tools are
/// there, or `target/test-plugins` cannot be written.
pub fn build(workspace: &Workspace, way: Way) -> Result<Vec<String>> {
    let dir = workspace.target().join("test-plugins");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    evil(workspace, way, &dir.join("evil.wasm"))?;
    let mut lines = vec![line(&dir.join("evil.wasm"))?];
    for file in generated::build(workspace, way, &dir)? {
        lines.push(line(&file)?);
    }
    let (mut built, mut skipped) = (0, 0);
    for example in examples::python(workspace).into_iter().chain([examples::javascript(workspace)]) {
        let name = example.name;
        match example.build(&dir)? {
            examples::Built::Plugin(file) => {
                built += 1;
                lines.push(line(&file)?);
            }
            examples::Built::Skipped(reason) => {
                skipped += 1;
                lines.push(format!("SKIPPED {name}: {reason}"));
            }
        }
    }
    lines.push(format!("examples of SDKs: {built} built, {skipped} skipped"));
    Ok(lines)
}

/// As a third party builds: a crate of its own, with Cargo's release profile.
fn evil(workspace: &Workspace, way: Way, file: &Path) -> Result<()> {
    let toolchain = toolchain::ready_or_set_up(workspace, way)?;
    let (mut command, built) = toolchain.build_command(workspace);
    run(command.args(["--release", "--locked", "--manifest-path", "tests/evil/guest/Cargo.toml"]))?;
    let from = built.join("release/vbench_evil.wasm");
    fs::copy(&from, file).with_context(|| format!("cannot copy {} to {}", from.display(), file.display()))?;
    Ok(())
}

/// When anything in a folder was changed last; `node_modules` does not count.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let times = entries.filter_map(|entry| {
        let path = entry.ok()?.path();
        match path.is_dir() {
            true if path.ends_with("node_modules") || path.ends_with("__pycache__") => None,
            true => newest(&path),
            false => fs::metadata(&path).and_then(|about| about.modified()).ok(),
        }
    });
    times.max()
}

fn line(file: &Path) -> Result<String> {
    let size = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    Ok(format!("{} ({} KiB)", file.display(), size.div_ceil(1024)))
}

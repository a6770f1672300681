//! Projects as `vbench plugin new` makes them, built as its users build them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::newest;
use crate::toolchain::{self, Way};
use crate::workspace::{Workspace, output, run};

/// The kinds of plugins that there are templates for.
const KINDS: [&str; 3] = ["dataset", "backend", "sla"];

/// Makes a project of each kind in Rust, runs its tests natively, and builds `generated-KIND.wasm` into `dir`. Gives the
/// files. Nothing is done for those that are newer than the templates and the SDK.
///
/// # Errors
/// `vbench` does not build or makes no project, or a project's tests fail, or it does not build.
pub fn build(workspace: &Workspace, way: Way, dir: &Path) -> Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = KINDS.iter().map(|kind| dir.join(format!("generated-{kind}.wasm"))).collect();
    let sources = ["host/templates", "sdk/rust/src", "sdk/random/src", "wit"];
    let changed = sources.iter().filter_map(|folder| newest(&workspace.root().join(folder))).max();
    let built = files.iter().map(|file| fs::metadata(file).and_then(|about| about.modified()).ok()).min();
    if built.flatten() > changed {
        return Ok(files);
    }
    let projects = workspace.build_dir().join("generated");
    if projects.exists() {
        fs::remove_dir_all(&projects).with_context(|| format!("cannot remove {}", projects.display()))?;
    }
    fs::create_dir_all(&projects).with_context(|| format!("cannot create {}", projects.display()))?;
    let toolchain = toolchain::ready_or_set_up(workspace, way)?;
    let manifest = workspace.root().join("Cargo.toml");
    for (kind, file) in KINDS.iter().zip(&files) {
        let name = format!("generated-{kind}");
        let mut new = workspace.cargo();
        new.args(["run", "--quiet", "--package", "vbench", "--bin", "vbench", "--manifest-path"]);
        new.arg(&manifest).args(["--", "plugin", "new", &name, "--kind", kind]).current_dir(&projects);
        output(&mut new)?;
        let project = projects.join(&name);
        // The versions of the workspace, so that nothing has to be fetched that is not here already.
        let lock = project.join("Cargo.lock");
        fs::copy(workspace.root().join("Cargo.lock"), &lock)
            .with_context(|| format!("cannot write {}", lock.display()))?;
        let mut test = workspace.cargo();
        // One folder for all of them, since they have the same dependencies.
        test.env("CARGO_TARGET_DIR", workspace.build_dir());
        run(test.args(["test", "--quiet"]).current_dir(&project))?;
        let (mut command, built) = toolchain.build_command(workspace);
        run(command.args(["--release", "--manifest-path"]).arg(project.join("Cargo.toml")))?;
        let from = built.join(format!("release/generated_{kind}.wasm"));
        // By another name first: a file that is there may be a link to one that others use.
        let unfinished = file.with_extension("unfinished");
        fs::copy(&from, &unfinished)
            .and_then(|_| fs::rename(&unfinished, file))
            .with_context(|| format!("cannot copy {} to {}", from.display(), file.display()))?;
    }
    Ok(files)
}

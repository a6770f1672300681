//! Components and descriptions of the built-in plugins.
//!
//! `target/plugins` gets `NAME.wasm` and `NAME.json` of each folder of
//! `plugins/`, wherever Cargo itself builds: the host's build script embeds
//! them, and users load them as files. The description is what the plugin's
//! `describe` gives in native code, so that no plugin code runs to make help.

mod descriptions;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::toolchain::{self, Way};
use crate::workspace::{Workspace, run};

pub use descriptions::describe;

/// The profile of the root `Cargo.toml`.
const PROFILE: &str = "plugin";

/// Builds all plugins. Gives a line about each.
///
/// # Errors
/// There is no toolchain, a plugin does not compile or has no description, or
/// `target/plugins` cannot be written.
pub fn build(workspace: &Workspace, way: Way) -> Result<Vec<String>> {
    let plugins = workspace.plugins();
    let dir = workspace.target().join("plugins");
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    if !plugins.is_empty() {
        let toolchain = toolchain::ready_or_set_up(workspace, way)?;
        let (mut command, built) = toolchain.build_command(workspace);
        command.args(["--profile", PROFILE, "--lib"]);
        for plugin in plugins {
            command.args(["--package", &format!("vbench-plugin-{plugin}")]);
        }
        run(&mut command)?;
        collect(plugins, &built.join(PROFILE), &dir)?;
    }
    remove_others(plugins, &dir)?;
    plugins
        .iter()
        .map(|plugin| {
            let path = dir.join(format!("{plugin}.wasm"));
            let size = fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
            Ok(format!("{} ({} KiB)", path.display(), size.div_ceil(1024)))
        })
        .collect()
}

fn collect(plugins: &[String], built: &Path, dir: &Path) -> Result<()> {
    for plugin in plugins {
        let component = built.join(format!("vbench_plugin_{}.wasm", plugin.replace('-', "_")));
        let bytes = fs::read(&component).with_context(|| {
            format!(
                "cannot read {}; the crate-type of plugins/{plugin} has to include cdylib",
                component.display()
            )
        })?;
        write_if_changed(&dir.join(format!("{plugin}.wasm")), &bytes)?;
        let Some(description) = descriptions::describe(plugin) else {
            bail!(
                "plugins/{plugin} has no description; add it to xtask/Cargo.toml and to the list in \
                 xtask/src/plugins/descriptions.rs"
            );
        };
        write_if_changed(&dir.join(format!("{plugin}.json")), format!("{description:#}\n").as_bytes())?;
    }
    Ok(())
}

/// Leaves a file alone that has these bytes, for its time of change makes
/// Cargo build the host again.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    match fs::read(path) {
        Ok(old) if old == bytes => return Ok(()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    // By a rename, so that nobody reads half a file.
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, bytes)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// Removes what plugins left that are no longer there.
fn remove_others(plugins: &[String], dir: &Path) -> Result<()> {
    let wanted: BTreeSet<String> =
        plugins.iter().flat_map(|plugin| [format!("{plugin}.wasm"), format!("{plugin}.json")]).collect();
    let read = || format!("cannot read {}", dir.display());
    for entry in fs::read_dir(dir).with_context(read)? {
        let path = entry.with_context(read)?.path();
        let ours = path.extension().is_some_and(|e| e == "wasm" || e == "json" || e == "unfinished");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if ours && !wanted.contains(name.as_ref()) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_change_only_with_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.wasm");
        write_if_changed(&path, b"one").unwrap();
        let before = fs::metadata(&path).unwrap();
        write_if_changed(&path, b"one").unwrap();
        let after = fs::metadata(&path).unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
        write_if_changed(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_what_belongs_to_a_plugin_stays() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.wasm", "a.json", "gone.wasm", "gone.json", "a.unfinished", "notes.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_others(&["a".to_owned()], dir.path()).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["a.json", "a.wasm", "notes.txt"]);
    }
}

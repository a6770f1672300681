//! The examples of SDKs whose tools come from package registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use super::newest;
use crate::workspace::{Workspace, output};

/// An example and how it is built.
pub struct Example {
    /// Name of the plugin file.
    pub name: &'static str,
    /// Folders whose files it is made of.
    sources: Vec<PathBuf>,
    /// What installs the tools, each in turn.
    install: Vec<Command>,
    /// What builds it; the output file is appended.
    build: Command,
}

/// What came of it.
pub enum Built {
    /// The plugin.
    Plugin(PathBuf),
    /// The tools cannot be had, and why.
    Skipped(String),
}

/// The dataset of `sdk/python/examples/questions`, with and without what WASI has, and a dataset with a mistake.
pub fn python(workspace: &Workspace) -> [Example; 3] {
    let example = workspace.root().join("sdk/python/examples/questions/questions.py");
    let mistake = workspace.root().join("tests/evil/python/mistake.py");
    [
        of_python(workspace, "python-example", &example, &[]),
        of_python(workspace, "python-stubbed", &example, &["--stub-wasi"]),
        of_python(workspace, "python-mistake", &mistake, &[]),
    ]
}

fn of_python(workspace: &Workspace, name: &'static str, module: &Path, flags: &[&str]) -> Example {
    let sdk = workspace.root().join("sdk/python");
    let venv = workspace.build_dir().join("sdk-tools/python");
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(&venv);
    let mut install = Command::new(venv.join("bin/pip"));
    // What `vbench-plugin[build]` asks for.
    install.args(["install", "--quiet", "--disable-pip-version-check", "componentize-py==0.25.1"]);
    let mut build = Command::new(venv.join("bin/python"));
    build.env("PYTHONPATH", &sdk).args(["-m", "vbench_plugin", "build"]).args(flags).arg(module).arg("-o");
    let folder = module.parent().map(Path::to_owned);
    Example {
        name,
        sources: folder.into_iter().chain([sdk.join("vbench_plugin")]).collect(),
        install: vec![make, install],
        build,
    }
}

/// The dataset of `sdk/javascript/examples/questions`.
pub fn javascript(workspace: &Workspace) -> Example {
    let sdk = workspace.root().join("sdk/javascript");
    let example = sdk.join("examples/questions");
    // A copy, so that nothing is installed into the checkout.
    let project = workspace.build_dir().join("sdk-tools/javascript");
    // From nothing: npm loses packages when it puts the SDK in place of itself.
    let mut clear = Command::new("rm");
    clear.arg("-rf").arg(&project);
    let mut make = Command::new("mkdir");
    make.arg("-p").arg(&project);
    let mut copy = Command::new("cp");
    copy.args(["-r", "-T"]).arg(&example).arg(project.join("questions"));
    let mut install = Command::new("npm");
    install
        .current_dir(&project)
        .args(["install", "--install-links", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"])
        .arg("--prefix")
        .arg(&project)
        .arg(&sdk);
    let mut build = Command::new("npx");
    build.current_dir(&project).args([
        "--no-install",
        "vbench-plugin",
        "build",
        "questions/questions.js",
        "-o",
    ]);
    Example {
        name: "javascript-example",
        sources: vec![sdk.join("src"), sdk.join("wit"), example],
        install: vec![clear, make, copy, install],
        build,
    }
}

impl Example {
    /// Builds it into `dir`, unless that was done since its sources changed.
    ///
    /// # Errors
    /// The tools are there, but it does not build.
    pub fn build(mut self, dir: &Path) -> Result<Built> {
        let file = dir.join(self.name).with_extension("wasm");
        let skipped = dir.join(self.name).with_extension("skipped");
        if changed(&file).is_some_and(|built| self.sources.iter().all(|source| newest(source) <= Some(built)))
        {
            return Ok(Built::Plugin(file));
        }
        for path in [&file, &skipped] {
            let _ = fs::remove_file(path);
        }
        for command in &mut self.install {
            if let Err(reason) = output(command) {
                let reason = format!("{reason:#}");
                fs::write(&skipped, &reason)
                    .with_context(|| format!("cannot write {}", skipped.display()))?;
                return Ok(Built::Skipped(reason));
            }
        }
        output(self.build.arg(&file))?;
        Ok(Built::Plugin(file))
    }
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|about| about.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(dir: &Path, install: Command, build: Command) -> Example {
        Example { name: "x", sources: vec![dir.join("src")], install: vec![install], build }
    }

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line, "sh"]);
        command
    }

    #[test]
    fn tools_that_cannot_be_had_are_a_skip_and_a_broken_build_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("src")).unwrap();
        fs::write(dir.path().join("src/a"), "").unwrap();
        let none =
            example(dir.path(), shell("echo no network >&2; exit 1"), shell("exit 0")).build(dir.path());
        assert!(matches!(none.unwrap(), Built::Skipped(reason) if reason.contains("no network")));
        assert!(dir.path().join("x.skipped").is_file());
        let broken = example(dir.path(), shell("exit 0"), shell("echo line 3 >&2; exit 1")).build(dir.path());
        assert!(broken.err().unwrap().to_string().contains("line 3"));
        let works = || example(dir.path(), shell("exit 0"), shell("echo x >> $1")).build(dir.path()).unwrap();
        works();
        assert!(!dir.path().join("x.skipped").exists());
        works();
        assert_eq!(fs::read_to_string(dir.path().join("x.wasm")).unwrap(), "x\n", "built once");
    }
}

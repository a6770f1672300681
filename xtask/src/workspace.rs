//! The checkout, where its builds go, and running programs in it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The checkout.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    build_dir: PathBuf,
    plugins: Vec<String>,
    rust_version: (u32, u32),
}

impl Workspace {
    /// Asks Cargo.
    ///
    /// # Errors
    /// Cargo cannot read the workspace, or a plugin's package is not named after its folder.
    pub fn find() -> Result<Self> {
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
        let root = Path::new(&manifest_dir).parent().context("xtask/ has no parent folder")?.to_owned();
        let metadata = output(
            Command::new(cargo_program())
                .args(["metadata", "--no-deps", "--format-version", "1"])
                .current_dir(&root),
        )?;
        let metadata: Value = serde_json::from_str(&metadata).context("`cargo metadata` gave no JSON")?;
        let build_dir = metadata["target_directory"].as_str().context("`cargo metadata` names no target")?;
        let packages = metadata["packages"].as_array().context("`cargo metadata` names no packages")?;
        Ok(Self {
            build_dir: build_dir.into(),
            plugins: plugin_folders(packages, &root.join("plugins"))?,
            rust_version: packages
                .iter()
                .filter_map(|package| package["rust_version"].as_str().and_then(major_minor))
                .max()
                .context("no package of the workspace has a `rust-version`")?,
            root,
        })
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where Cargo builds: `target`, unless `CARGO_TARGET_DIR` or a configuration file says else.
    pub fn build_dir(&self) -> &Path {
        &self.build_dir
    }

    /// The folder `target` of the checkout itself, for what has a fixed place.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Folders of `plugins/` that are members of the workspace, sorted.
    pub fn plugins(&self) -> &[String] {
        &self.plugins
    }

    /// The oldest Rust that compiles the workspace.
    pub fn rust_version(&self) -> (u32, u32) {
        self.rust_version
    }

    /// The Cargo that runs this.
    pub fn cargo(&self) -> Command {
        let mut command = Command::new(cargo_program());
        command.current_dir(&self.root);
        // What Cargo tells a program that it runs. Build scripts watch some of it, and
        // would run again, with all that depends on them, each time that a build is
        // started here and not by hand.
        let told = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
        };
        for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
            command.env_remove(name);
        }
        command
    }

    /// Builds `vbench` in the release profile; gives the path of the binary.
    ///
    /// # Errors
    /// It does not compile.
    pub fn build_release(&self) -> Result<PathBuf> {
        run(self.cargo().args(["build", "--release", "--package", "vbench", "--bin", "vbench"]))?;
        Ok(self.build_dir.join("release/vbench"))
    }

    /// A small byte-level BPE tokenizer that ships with the tests.
    pub fn tokenizer(&self) -> PathBuf {
        self.root.join("tests/fixtures/tokenizers/bpe")
    }
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn plugin_folders(packages: &[Value], plugins_dir: &Path) -> Result<Vec<String>> {
    let mut folders = Vec::new();
    for package in packages {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let Some(folder) = manifest.parent().filter(|folder| folder.parent() == Some(plugins_dir)) else {
            continue;
        };
        let folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = package["name"].as_str().unwrap_or_default();
        if name != format!("vbench-plugin-{folder}") {
            bail!("the package in plugins/{folder} is named {name}; name it vbench-plugin-{folder}");
        }
        folders.push(folder);
    }
    folders.sort_unstable();
    Ok(folders)
}

/// `1.95` and `1.95.0` as `(1, 95)`.
pub fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Runs a program that has to succeed, with its output shown.
///
/// # Errors
/// It cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a program with its output shown and passes its exit code on.
///
/// # Errors
/// It cannot be started.
pub fn exit_code(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| cannot_start(command))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Standard output of a program that has to succeed, without the last line end.
///
/// # Errors
/// It cannot be started, fails, or prints something else than UTF-8.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}: {}", line(command), output.status, said.trim());
    }
    let text = String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something else than UTF-8", line(command)))?;
    Ok(text.trim_end().to_owned())
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", line(command))
}

/// A command as somebody would type it, roughly.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plugins_are_the_members_in_their_folder() {
        let package = |name: &str, path: &str| json!({ "name": name, "manifest_path": path });
        let packages = [
            package("vbench-plugin-random", "/w/plugins/random/Cargo.toml"),
            package("vbench-plugin-custom", "/w/plugins/custom/Cargo.toml"),
            package("vbench-plugin-deep", "/w/plugins/deep/er/Cargo.toml"),
            package("vbench", "/w/host/Cargo.toml"),
        ];
        assert_eq!(plugin_folders(&packages, Path::new("/w/plugins")).unwrap(), ["custom", "random"]);
        let misnamed = [package("random", "/w/plugins/random/Cargo.toml")];
        let error = plugin_folders(&misnamed, Path::new("/w/plugins")).unwrap_err().to_string();
        assert!(error.contains("name it vbench-plugin-random"), "{error}");
    }

    #[test]
    fn versions_compare_by_number() {
        assert_eq!(major_minor("1.95"), Some((1, 95)));
        assert_eq!(major_minor("1.100.0"), Some((1, 100)));
        assert!(major_minor("1.100.0") > major_minor("1.95"));
        assert_eq!(major_minor("stable"), None);
    }

    #[test]
    fn failures_name_the_command_and_what_it_said() {
        let error = output(Command::new("ls").arg("/no/such/folder")).unwrap_err().to_string();
        assert!(error.contains("`ls /no/such/folder` failed") && error.contains("No such file"), "{error}");
        let error = run(&mut Command::new("/no/such/program")).unwrap_err().to_string();
        assert!(error.contains("cannot start `/no/such/program`"), "{error}");
    }
}

//! Embeds the built-in plugins, which `cargo xtask plugins` builds, and the
//! templates of new plugins.
//!
//! Writes `builtin.rs` to `OUT_DIR`: `BUILTIN`, a slice with the name,
//! component, its SHA-256 and description of each folder of `plugins/`. They
//! are read from `target/plugins` of the checkout, or from `VBENCH_PLUGINS_DIR`
//! (relative to the checkout). The digest is made here because it would be the
//! largest part of a start: some 2 ms a plugin. Writes `templates.rs` likewise: `TEMPLATES`, path and text of
//! each file below `templates`.

use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=VBENCH_PLUGINS_DIR");
    if let Err(message) = embed().and_then(|()| embed_templates()) {
        println!("cargo::error={message}");
    }
}

fn embed() -> Result<(), String> {
    let variable = |name: &str| env::var_os(name).ok_or_else(|| format!("Cargo did not set {name}"));
    let host = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = host.parent().ok_or("the crate has to be in the workspace's folder `host`")?;
    let built = root.join(env::var_os("VBENCH_PLUGINS_DIR").unwrap_or_else(|| "target/plugins".into()));
    // The folder's own time of change says that a plugin was added or written
    // anew. The sources are not watched: what counts is what was built of them.
    println!("cargo::rerun-if-changed={}", built.display());

    let mut code = String::from(
        "/// Every built-in plugin.\n\
         static BUILTIN: &[crate::plugin::BuiltIn] = &[\n",
    );
    for name in plugin_folders(&root.join("plugins"))? {
        let component = built_file(&built, &name, "wasm")?;
        let description = built_file(&built, &name, "json")?;
        let bytes =
            fs::read(&component).map_err(|error| format!("cannot read {}: {error}", component.display()))?;
        let sha256 = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        writeln!(
            code,
            "    crate::plugin::BuiltIn {{ name: {name:?}, wasm: include_bytes!({component:?}), sha256: {sha256:?}, \
             description_json: include_str!({description:?}) }},"
        )
        .map_err(|error| error.to_string())?;
    }
    code.push_str("];\n");
    let out = Path::new(&variable("OUT_DIR")?).join("builtin.rs");
    fs::write(&out, code).map_err(|error| format!("cannot write {}: {error}", out.display()))
}

/// Folders with a `Cargo.toml`, sorted.
fn plugin_folders(plugins: &Path) -> Result<Vec<String>, String> {
    let cannot_read = |error: io::Error| format!("cannot read {}: {error}", plugins.display());
    let entries = match fs::read_dir(plugins) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot_read(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry.map_err(cannot_read)?.path();
        if path.join("Cargo.toml").is_file() {
            let name = path.file_name().map(OsString::from).unwrap_or_default();
            names.push(name.into_string().map_err(|_| format!("{} is not named in UTF-8", path.display()))?);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn built_file(built: &Path, name: &str, extension: &str) -> Result<PathBuf, String> {
    let path = built.join(format!("{name}.{extension}"));
    if !path.is_file() {
        return Err(format!("{} is missing: run `cargo xtask plugins`", path.display()));
    }
    println!("cargo::rerun-if-changed={}", path.display());
    Ok(path)
}

fn embed_templates() -> Result<(), String> {
    let variable = |name: &str| env::var_os(name).ok_or_else(|| format!("Cargo did not set {name}"));
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?).join("templates");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files).map_err(|error| format!("cannot read {}: {error}", root.display()))?;
    files.sort_unstable();
    let mut code = String::from(
        "/// Path, as `LANGUAGE/KIND/FILE`, and text of each file of the templates.\n\
         static TEMPLATES: &[(&str, &str)] = &[\n",
    );
    for file in files {
        let path = file.strip_prefix(&root).map_err(|error| error.to_string())?;
        writeln!(
            code,
            "    ({:?}, include_str!({:?})),",
            path.display().to_string(),
            file.display().to_string()
        )
        .map_err(|error| error.to_string())?;
    }
    code.push_str("];\n");
    let out = Path::new(&variable("OUT_DIR")?).join("templates.rs");
    fs::write(&out, code).map_err(|error| format!("cannot write {}: {error}", out.display()))
}

/// All files below a folder.
fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

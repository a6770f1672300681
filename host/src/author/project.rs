//! `vbench plugin new`: the files of a plugin that builds, with a test.
//!
//! Templates are the files of `templates/LANGUAGE/KIND` beside this crate's
//! sources, put into the binary by the build script. In their text and in their
//! paths `{{name}}`, `{{name_snake}}`, `{{type}}` and `{{LANGUAGE_sdk}}` are
//! replaced; an ending `.tmpl` is dropped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{Kind, Language};
use crate::fault::Fault;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The SDKs of the checkout that this binary was built from.
const CHECKOUT_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk");

/// Why no project was made.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The name cannot be one of a plugin.
    #[error(
        "`{name}` cannot be a plugin's name: it wants a-z, 0-9 and single - in between, and begins with a letter"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There is something already.
    #[error("{} is there already; choose another name", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// No template.
    #[error("this vbench has no template for {kind} plugins in {language}")]
    NoTemplate {
        /// What was to be made.
        kind: &'static str,
        /// In which language.
        language: &'static str,
    },
    /// `--sdk` names no SDK.
    #[error("there is no SDK for {language} in {}: --sdk wants the folder `sdk` of a vbench checkout", path.display())]
    NoSdk {
        /// The language.
        language: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No SDK, and none was named.
    #[error(
        "the SDK for {language} is in no registry yet, and the checkout that this vbench was built from is gone: \
         name the folder `sdk` of another with --sdk"
    )]
    NoCheckout {
        /// The language.
        language: &'static str,
    },
    /// A file that cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl From<ProjectError> for Fault {
    fn from(error: ProjectError) -> Self {
        Self::user(error)
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Dataset => "dataset",
        Kind::Backend => "backend",
        Kind::Sla => "sla",
    }
}

fn language_word(language: Language) -> &'static str {
    match language {
        Language::Rust => "rust",
        Language::Python => "python",
        Language::Javascript => "javascript",
    }
}

/// Makes the folder `name` in `parent`, and gives what to tell the user.
///
/// # Errors
/// When the name is none, the folder is there, or cannot be written.
pub fn new_project(
    parent: &Path,
    name: &str,
    kind: Kind,
    language: Language,
    sdk: Option<&Path>,
) -> Result<String, ProjectError> {
    if !is_plugin_name(name) {
        return Err(ProjectError::Name { name: name.chars().take(100).collect() });
    }
    let (kind, language) = (kind_word(kind), language_word(language));
    let prefix = format!("{language}/{kind}/");
    let files: Vec<(&str, &str)> =
        TEMPLATES.iter().filter_map(|(path, text)| Some((path.strip_prefix(&prefix)?, *text))).collect();
    if files.is_empty() {
        return Err(ProjectError::NoTemplate { kind, language });
    }
    let dir = parent.join(name);
    if dir.exists() {
        return Err(ProjectError::Exists { path: dir });
    }
    let words = words(name, language, sdk)?;
    for (path, text) in &files {
        let path = dir.join(fill(path, &words).trim_end_matches(".tmpl"));
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(&dir))?;
            fs::write(&path, fill(text, &words))
        };
        write().map_err(|error| ProjectError::Write { path: path.clone(), reason: error.to_string() })?;
    }
    Ok(format!("{} has {} files; {}/README.md says how to go on", dir.display(), files.len(), dir.display()))
}

fn is_plugin_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// What stands for what in a template.
fn words(
    name: &str,
    language: &'static str,
    sdk: Option<&Path>,
) -> Result<Vec<(&'static str, String)>, ProjectError> {
    let type_name: String = name
        .split('-')
        .map(|part| {
            let (first, rest) = part.split_at(part.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect();
    let folder = sdk.unwrap_or(Path::new(CHECKOUT_SDK)).join(language).canonicalize();
    let folder = folder.map_err(|_| match sdk {
        Some(sdk) => ProjectError::NoSdk { language, path: sdk.to_owned() },
        None => ProjectError::NoCheckout { language },
    })?;
    let folder = folder.display();
    Ok(vec![
        ("{{name}}", name.to_owned()),
        ("{{name_snake}}", name.replace('-', "_")),
        ("{{type}}", type_name),
        ("{{rust_sdk}}", format!("{{ path = {:?} }}", folder.to_string())),
        ("{{python_sdk}}", format!("vbench-plugin @ file://{folder}")),
        ("{{javascript_sdk}}", format!("file:{folder}")),
    ])
}

fn fill(text: &str, words: &[(&str, String)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_filled_whole() {
        for kind in [Kind::Dataset, Kind::Backend, Kind::Sla] {
            let parent = tempfile::tempdir().unwrap();
            let said = new_project(parent.path(), "acme-traces", kind, Language::Rust, None).unwrap();
            assert!(said.contains("README.md"), "{said}");
            let dir = parent.path().join("acme-traces");
            for file in ["Cargo.toml", "README.md", "src/lib.rs", ".gitignore"] {
                let text = fs::read_to_string(dir.join(file)).unwrap();
                assert!(!text.contains("{{"), "{file}: {text}");
            }
            let source = fs::read_to_string(dir.join("src/lib.rs")).unwrap();
            assert!(source.contains("struct AcmeTraces") && source.contains("\"acme-traces\""));
            let again = new_project(parent.path(), "acme-traces", kind, Language::Rust, None);
            assert!(matches!(again, Err(ProjectError::Exists { .. })));
        }
    }

    #[test]
    fn names_and_folders_that_cannot_be_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["", "Acme", "-a", "a-", "a--b", "../a", "a b", "1a", &"a".repeat(65)] {
            let made = new_project(parent.path(), name, Kind::Dataset, Language::Rust, None);
            assert!(matches!(made, Err(ProjectError::Name { .. })), "{name}");
        }
        let nowhere = parent.path().join("nowhere");
        let made = new_project(parent.path(), "a", Kind::Dataset, Language::Rust, Some(&nowhere));
        assert!(matches!(made, Err(ProjectError::NoSdk { .. })));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

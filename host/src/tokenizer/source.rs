//! What the user's `--tokenizer` means, and the files it stands for.

use std::path::{Path, PathBuf};

use super::Error;
use super::hub::{Hub, is_repository_name};

pub(super) const TOKENIZER_JSON: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const SPECIAL_TOKENS_MAP: &str = "special_tokens_map.json";
pub(super) const ADDED_TOKENS: &str = "added_tokens.json";
pub(super) const CHAT_TEMPLATE_JINJA: &str = "chat_template.jinja";
pub(super) const CHAT_TEMPLATE_JSON: &str = "chat_template.json";
/// Folder of further templates, one `<name>.jinja` each.
pub(super) const ADDITIONAL_TEMPLATES: &str = "additional_chat_templates";

/// The files beside `tokenizer.json` that are read.
pub(super) const TEXT_FILES: [&str; 5] =
    [TOKENIZER_CONFIG, SPECIAL_TOKENS_MAP, ADDED_TOKENS, CHAT_TEMPLATE_JINJA, CHAT_TEMPLATE_JSON];

/// Tokenizer formats that are not read, to name them when they are all there is.
const OTHER_FORMATS: [&str; 5] =
    ["tokenizer.model", "tekken.json", "spiece.model", "vocab.json", "vocab.txt"];

/// Where a tokenizer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A folder with `tokenizer.json` and its companions.
    Folder(PathBuf),
    /// A `tokenizer.json`. Files beside it are not read, as the user named this
    /// one; such a tokenizer has no named special tokens and no chat template.
    File(PathBuf),
    /// The name of a hub repository.
    Hub(String),
}

impl Source {
    /// What `name` stands for: a path if there is one, else a hub name.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchPath`] if it can be neither.
    pub fn of(name: &str) -> Result<Self, Error> {
        let path = Path::new(name);
        if path.is_dir() {
            Ok(Self::Folder(path.to_owned()))
        } else if path.is_file() {
            Ok(Self::File(path.to_owned()))
        } else if is_repository_name(name) {
            Ok(Self::Hub(name.to_owned()))
        } else {
            Err(Error::NoSuchPath { name: name.to_owned() })
        }
    }

    /// The files, found in the cache or downloaded where need be.
    pub(super) fn files(&self, hub: &Hub) -> Result<Files, Error> {
        let folder = match self {
            Self::File(path) => {
                return Ok(Files { tokenizer: path.clone(), folder: None });
            }
            Self::Folder(folder) => folder.clone(),
            Self::Hub(name) => hub.folder(name)?,
        };
        let tokenizer = folder.join(TOKENIZER_JSON);
        if !tokenizer.is_file() {
            let present: Vec<&str> =
                OTHER_FORMATS.into_iter().filter(|file| folder.join(file).exists()).collect();
            let hint = if present.is_empty() {
                String::new()
            } else {
                format!(" (there is {}, a format that is not read yet)", present.join(", "))
            };
            return Err(Error::NoTokenizerJson { folder, hint });
        }
        Ok(Files { tokenizer, folder: Some(folder) })
    }
}

/// The files of one tokenizer.
#[derive(Debug)]
pub(super) struct Files {
    /// The `tokenizer.json`.
    pub(super) tokenizer: PathBuf,
    folder: Option<PathBuf>,
}

impl Files {
    /// The path of the companion file `name`, if it is there.
    pub(super) fn companion(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists())
    }
}

/// The text of a file.
pub(super) fn read_text(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The JSON value in a file.
pub(super) fn read_json(path: &Path) -> Result<serde_json::Value, Error> {
    serde_json::from_str(&read_text(path)?).map_err(|source| Error::Json { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Hub {
        Hub::from_lookup(|_| None)
    }

    #[test]
    fn paths_come_before_hub_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(Source::of(folder.path().to_str().unwrap()), Ok(Source::Folder(_))));
        assert!(matches!(Source::of(path.to_str().unwrap()), Ok(Source::File(_))));
        assert_eq!(
            Source::of("no-such-org/no-such-name").unwrap(),
            Source::Hub("no-such-org/no-such-name".into())
        );
        assert!(matches!(Source::of("./no-such-folder"), Err(Error::NoSuchPath { .. })));
    }

    #[test]
    fn folder_without_tokenizer_json_says_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Folder(folder.path().to_owned());
        let text = source.files(&hub()).unwrap_err().to_string();
        assert!(text.contains("no tokenizer.json in") && !text.contains("there is"), "{text}");
        std::fs::write(folder.path().join("tekken.json"), "{}").unwrap();
        let text = source.files(&hub()).unwrap_err().to_string();
        assert!(text.contains("there is tekken.json"), "{text}");
    }
}

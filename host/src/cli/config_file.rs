//! `--config FILE`: flags from a YAML, JSON or TOML file.
//!
//! Keys are flags without dashes. `true` gives a switch, `false` leaves it out,
//! a list gives several words (or several times the flag), an object its JSON
//! text, `null` nothing. The command line wins.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::argv::{self, Arity, FlagTable, Normalised, Piece};
use super::compat::Compat;
use super::error::CliError;

/// Largest file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A file that has been read.
#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    path: PathBuf,
    /// Flags without dashes, `-` for `_`, in the order of the file.
    entries: Map<String, Value>,
}

impl ConfigFile {
    /// Reads a file; its extension says the format.
    ///
    /// # Errors
    /// [`CliError::Config`] if it cannot be read, is too large, of an unknown
    /// format, or no object.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let fail = |reason: String| CliError::Config { path: path.to_owned(), reason };
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
            .map_err(|error| fail(error.to_string()))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(fail(format!("the file is larger than {MAX_FILE_BYTES} bytes")));
        }
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        Self::parse(path, &extension, &text)
    }

    fn parse(path: &Path, extension: &str, text: &str) -> Result<Self, CliError> {
        let fail = |reason: String| CliError::Config { path: path.to_owned(), reason };
        let value: Value = match extension {
            "yaml" | "yml" => serde_saphyr::from_str(text).map_err(|error| fail(error.to_string()))?,
            "json" => serde_json::from_str(text).map_err(|error| fail(error.to_string()))?,
            "toml" => toml::from_str(text).map_err(|error| fail(error.to_string()))?,
            _ => return Err(fail("the name has to end in .yaml, .yml, .json or .toml".to_owned())),
        };
        let object = match value {
            Value::Object(object) => object,
            Value::Null => Map::new(),
            _ => return Err(fail("the file has to hold flags and their values".to_owned())),
        };
        let mut entries = Map::new();
        for (key, value) in object {
            let flag = argv::dashes(key.trim_start_matches("--"));
            if entries.insert(flag.clone(), value).is_some() {
                return Err(fail(format!("`{flag}` is there twice")));
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }

    /// Removes and returns a key.
    pub(super) fn take(&mut self, flag: &str) -> Option<Value> {
        self.entries.shift_remove(flag)
    }

    /// The text under a key, if it is one.
    pub(super) fn text(&self, flag: &str) -> Option<&str> {
        self.entries.get(flag).and_then(Value::as_str)
    }

    /// An error about a key of this file.
    pub(super) fn error(&self, flag: &str, reason: &str) -> CliError {
        CliError::Config { path: self.path.clone(), reason: format!("`{flag}`: {reason}") }
    }

    /// The flags as pieces of a command line.
    ///
    /// # Errors
    /// Flags that there are not, and values that do not suit the flag.
    pub(super) fn pieces(&self, table: &FlagTable, compat: Compat) -> Result<Normalised, CliError> {
        let mut all = Normalised::default();
        for (key, value) in &self.entries {
            if key.contains('.') {
                // The dotted form, read as on the command line.
                let word =
                    format!("--{key}={}", word(value).ok_or_else(|| self.error(key, "wants one value"))?);
                all = all.overridden_by(argv::normalise(&[word], table, compat)?, table);
                continue;
            }
            let name = table
                .resolve(key)
                .map_err(|error| self.error(key, &error.to_string()))?
                .ok_or_else(|| self.error(key, "there is no such flag"))?;
            let arity = table.arity(&name).ok_or_else(|| self.error(key, "there is no such flag"))?;
            let values = match (value, arity) {
                (Value::Null | Value::Bool(false), _) => continue,
                (Value::Bool(true), Arity::Switch) => None,
                (_, Arity::Switch) => return Err(self.error(key, "wants true or false")),
                (Value::Bool(true), _) => return Err(self.error(key, "wants a value")),
                (Value::Array(items), Arity::Many { .. } | Arity::Repeat) => Some(
                    items
                        .iter()
                        .map(word)
                        .collect::<Option<Vec<_>>>()
                        .ok_or_else(|| self.error(key, "a word of the list is null"))?,
                ),
                (value, _) => word(value).map(|word| vec![word]),
            };
            match (arity, values) {
                (Arity::Repeat, Some(values)) => all.pieces.extend(
                    values
                        .into_iter()
                        .map(|value| Piece::Flag { name: name.clone(), values: Some(vec![value]) }),
                ),
                (_, values) => all.pieces.push(Piece::Flag { name, values }),
            }
        }
        Ok(all)
    }
}

/// A value as a word: text as it is, all else as JSON.
pub(super) fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> FlagTable {
        let mut table = FlagTable::default();
        table.insert("save-result", Arity::Switch, false);
        table.insert("temperature", Arity::One, false);
        table.insert("extra-body", Arity::One, true);
        table.insert("metadata", Arity::Many { or_none: true }, false);
        table.insert("sla", Arity::Repeat, false);
        table
    }

    fn words(extension: &str, text: &str) -> Result<Vec<String>, String> {
        ConfigFile::parse(Path::new("c"), extension, text)
            .and_then(|file| file.pieces(&table(), Compat::Vbench))
            .map(|pieces| pieces.words())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn three_formats_say_the_same() {
        let expected = [
            "--temperature=0.5",
            "--save-result",
            r#"--extra-body={"a":1}"#,
            "--metadata=k=v",
            "--metadata=2",
            "--sla=x",
        ];
        let yaml = "temperature: 0.5\nsave_result: true\nextra-body:\n  a: 1\nmetadata: [k=v, 2]\nsla: x\n";
        let json =
            r#"{"temperature":0.5,"save-result":true,"extra_body":{"a":1},"metadata":["k=v",2],"sla":["x"]}"#;
        let toml = "temperature = 0.5\nsave-result = true\nextra-body = {a = 1}\nmetadata = [\"k=v\", 2]\nsla = \"x\"\n";
        assert_eq!(words("yaml", yaml).unwrap(), expected);
        assert_eq!(words("json", json).unwrap(), expected);
        assert_eq!(words("toml", toml).unwrap(), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, reason) in [
            ("save-result: 1", "wants true or false"),
            ("temperature: true", "wants a value"),
            ("nonsense: 1", "there is no such flag"),
            ("asr-min-audio-len-sec: 1", "`--asr-min-audio-len-sec` is an option of plugins"),
            ("[1]", "has to hold flags"),
            ("a: [", "--config c:"),
            ("save-result: true\nsave_result: true", "is there twice"),
        ] {
            let error = words("yaml", text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(words("ini", "").unwrap_err().contains(".toml"));
        assert_eq!(words("yaml", "").unwrap(), Vec::<String>::new());
        assert_eq!(words("yaml", "save-result: false\ntemperature: null").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_word_of_the_file_never_becomes_a_flag() {
        assert_eq!(words("yaml", "metadata: [--save-result]").unwrap(), ["--metadata=--save-result"]);
    }
}

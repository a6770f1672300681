//! What a dataset's README declares: subsets, with the files of their splits,
//! in the YAML between `---` lines at its start.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};
use vbench_plugin::{Error, Result};

use crate::yaml;

/// Bytes of a README that are looked at.
const MAX_BYTES: u64 = 1 << 20;

/// A subset, which Hugging Face also calls a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    name: String,
    is_default: bool,
    data_dir: Option<String>,
    /// Patterns of the files of each split; none where their names tell.
    pub files: Option<Vec<(String, FilePattern)>>,
}

impl Subset {
    /// The folder that its patterns start from: empty, or ending in `/`.
    pub fn folder(&self) -> String {
        let dir = self.data_dir.as_deref().unwrap_or_default();
        let dir = dir.strip_prefix("./").unwrap_or(dir).trim_matches('/');
        if dir.is_empty() || dir == "." { String::new() } else { format!("{dir}/") }
    }
}

/// One pattern or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePattern {
    /// One.
    One(String),
    /// Several, whose files follow one another.
    Several(Vec<String>),
}

impl FilePattern {
    /// The patterns.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts.as_slice(),
        }
        .iter()
        .map(String::as_str)
    }
}

/// The subsets that `README.md` in this folder declares; none without one.
pub fn subsets(folder: &Path) -> Result<Vec<Subset>> {
    let Ok(file) = fs::File::open(folder.join("README.md")) else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let cannot =
        |what: String| Error::input(format!("cannot read the dataset's README.md: {what}")).key(crate::PATH);
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| cannot(error.to_string()))?;
    parse(&String::from_utf8_lossy(&bytes)).map_err(cannot)
}

fn parse(text: &str) -> Result<Vec<Subset>, String> {
    let Some(header) = front_matter(text) else { return Ok(Vec::new()) };
    match yaml::first_document(&header)? {
        Value::Object(mut header) => {
            let configs = header.remove("configs").unwrap_or_default();
            optional_list("configs", configs)?.into_iter().map(subset).collect()
        }
        Value::Null => Ok(Vec::new()),
        _ => Err("what its YAML says are no fields".into()),
    }
}

/// A subset as it is declared: fields, of which unknown ones mean nothing here.
fn subset(declared: Value) -> Result<Subset, String> {
    let mut fields = fields("configs", declared)?;
    Ok(Subset {
        name: optional_text(&mut fields, "config_name")?.unwrap_or_else(|| "default".into()),
        is_default: match fields.remove("default") {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => return Err(not("default", "true or false")),
        },
        data_dir: optional_text(&mut fields, "data_dir")?,
        files: match fields.remove("data_files").unwrap_or_default() {
            Value::Null => None,
            declared => Some(split_files(declared)?),
        },
    })
}

/// The files of each split: fields `split` and `path` in a list, a pattern a
/// split, or patterns alone, which are those of `train`.
fn split_files(declared: Value) -> Result<Vec<(String, FilePattern)>, String> {
    match declared {
        Value::Object(splits) => {
            splits.into_iter().map(|(split, files)| Ok((split, pattern(files)?))).collect()
        }
        Value::Array(splits) if !splits.iter().all(Value::is_string) => splits
            .into_iter()
            .map(|files| {
                let mut files = fields("data_files", files)?;
                let split = optional_text(&mut files, "split")?.ok_or_else(|| not("split", "a text"))?;
                Ok((split, pattern(files.remove("path").unwrap_or_default())?))
            })
            .collect(),
        patterns => Ok(vec![("train".into(), pattern(patterns)?)]),
    }
}

fn pattern(declared: Value) -> Result<FilePattern, String> {
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err("the files of a split are no path and no list of paths".to_owned()),
    };
    match declared {
        Value::Array(texts) => {
            Ok(FilePattern::Several(texts.into_iter().map(text).collect::<Result<_, _>>()?))
        }
        one => Ok(FilePattern::One(text(one)?)),
    }
}

fn optional_list(name: &str, value: Value) -> Result<Vec<Value>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) => Ok(items),
        _ => Err(not(name, "a list")),
    }
}

fn optional_text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name).unwrap_or_default() {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(not(name, "a text")),
    }
}

/// The fields of an item of the list `name`.
fn fields(name: &str, item: Value) -> Result<Map<String, Value>, String> {
    match item {
        Value::Object(fields) => Ok(fields),
        _ => Err(format!("an item of `{name}` has no fields")),
    }
}

fn not(name: &str, wanted: &str) -> String {
    format!("`{name}` is not {wanted}")
}

/// What stands between the `---` of the first line and the next.
fn front_matter(text: &str) -> Option<String> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    lines.next().filter(|line| line.trim_end() == "---")?;
    let mut yaml = String::new();
    for line in lines {
        if line.trim_end() == "---" {
            return (!yaml.trim().is_empty()).then_some(yaml);
        }
        yaml.push_str(line);
        yaml.push('\n');
    }
    None
}

/// The subset of this name; without a name the only one or the default one.
/// None where none are declared.
pub fn choose<'a>(subsets: &'a [Subset], wanted: Option<&str>) -> Result<Option<&'a Subset>> {
    if subsets.is_empty() {
        return Ok(None);
    }
    let found = match wanted {
        Some(name) => subsets.iter().find(|subset| subset.name == name),
        None if subsets.len() == 1 => subsets.first(),
        None => subsets.iter().find(|subset| subset.is_default || subset.name == "default"),
    };
    found.map(Some).ok_or_else(|| {
        let names: Vec<&str> = subsets.iter().map(|subset| subset.name.as_str()).collect();
        let names = names.join(", ");
        Error::config(match wanted {
            Some(name) => format!("the dataset has no subset `{name}`; there is {names}"),
            None => format!("the dataset has several subsets, name one of {names}"),
        })
        .key("subset")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_read_in_every_form_of_the_hub() {
        let text = "---\nlicense: mit\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n  \
                    - split: test\n    path: [a.jsonl, b.jsonl]\n- config_name: flat\n  default: true\n  data_dir: ./x/\n  \
                    data_files: '*.csv'\n- config_name: dir\n  data_dir: y\n---\n# Title\n";
        let subsets = parse(text).unwrap();
        let one = |text: &str| FilePattern::One(text.into());
        let files = subsets[0].files.as_ref().unwrap();
        assert_eq!(files[0], ("train".into(), one("main/train-*")));
        assert_eq!(files[1].1.texts().collect::<Vec<_>>(), ["a.jsonl", "b.jsonl"]);
        assert_eq!(subsets[1].files, Some(vec![("train".into(), one("*.csv"))]));
        assert_eq!((subsets[1].folder(), subsets[2].folder()), ("x/".into(), "y/".into()));
        assert_eq!(subsets[2].files, None);
        assert_eq!(choose(&subsets, None).unwrap().unwrap().name, "flat");
        assert_eq!(choose(&subsets, Some("dir")).unwrap().unwrap().name, "dir");
        assert!(choose(&subsets, Some("x")).unwrap_err().message.ends_with("main, flat, dir"));
        assert!(choose(&subsets[..1], None).unwrap().is_some());
        assert!(choose(&[subsets[0].clone(), subsets[2].clone()], None).is_err());
    }

    #[test]
    fn a_readme_need_not_declare_anything() {
        for text in [
            "",
            "# Title\n---\nconfigs: 3\n---\n",
            "---\n---\n",
            "---\nlicense: mit\nconfigs:\n---\n",
            "---\n# licence\n---\n",
            "---\nopen",
        ] {
            assert_eq!(parse(text), Ok(Vec::new()), "{text:?}");
        }
        for (text, message) in [
            ("configs: 3", "`configs` is not a list"),
            ("configs: [3]", "an item of `configs` has no fields"),
            ("configs: [{config_name: 3}]", "`config_name` is not a text"),
            ("configs: [{default: 3}]", "`default` is not true or false"),
            ("configs: [{data_files: [{path: a}]}]", "`split` is not a text"),
            ("configs: [{data_files: [{split: a, path: [3]}]}]", "the files of a split are no path"),
            ("configs: [{data_files: {a: {}}}]", "the files of a split are no path"),
            ("- configs", "what its YAML says are no fields"),
            ("a: &a [1]\nb: *a", "its YAML has aliases"),
        ] {
            let error = parse(&format!("---\n{text}\n---\n")).unwrap_err();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }
}

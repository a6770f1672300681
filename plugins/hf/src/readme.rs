//! What a dataset's README declares: subsets, with the files of their splits,
//! in the YAML between `---` lines at its start.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use vbench_plugin::{Error, Result};
use yaml_rust2::parser::{Event, EventReceiver, Parser};
use yaml_rust2::{Yaml, YamlLoader};

/// Bytes of a README that are looked at.
const MAX_BYTES: u64 = 1 << 20;
/// Depth to which its YAML may be nested.
const MAX_DEPTH: usize = 64;

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
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
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

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    configs: Option<Vec<Declared>>,
}

#[derive(Deserialize)]
struct Declared {
    #[serde(default)]
    config_name: Option<String>,
    #[serde(default)]
    default: bool,
    #[serde(default)]
    data_dir: Option<String>,
    #[serde(default)]
    data_files: Option<DeclaredFiles>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum DeclaredFiles {
    Splits(Vec<SplitFiles>),
    Train(FilePattern),
    Named(BTreeMap<String, FilePattern>),
}

#[derive(Deserialize)]
struct SplitFiles {
    split: String,
    path: FilePattern,
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
    let Some(yaml) = front_matter(text) else { return Ok(Vec::new()) };
    let header: Header = serde_json::from_value(value(&yaml)?).map_err(|error| error.to_string())?;
    let subset = |declared: Declared| Subset {
        name: declared.config_name.unwrap_or_else(|| "default".into()),
        is_default: declared.default,
        data_dir: declared.data_dir,
        files: declared.data_files.map(|files| match files {
            DeclaredFiles::Splits(splits) => {
                splits.into_iter().map(|files| (files.split, files.path)).collect()
            }
            DeclaredFiles::Train(pattern) => vec![("train".into(), pattern)],
            DeclaredFiles::Named(splits) => splits.into_iter().collect(),
        }),
    };
    Ok(header.configs.into_iter().flatten().map(subset).collect())
}

/// The first document of a YAML text, scalars that JSON has not as null.
fn value(text: &str) -> Result<Value, String> {
    // Aliases can make much of a short text, and no README has them.
    let mut aliases = Aliases(false);
    Parser::new_from_str(text).load(&mut aliases, false).map_err(|error| error.to_string())?;
    if aliases.0 {
        return Err("its YAML has aliases, which are not read".into());
    }
    let documents = YamlLoader::load_from_str(text).map_err(|error| error.to_string())?;
    documents.first().map_or(Ok(Value::Null), |document| json(document, 0))
}

/// Whether there are aliases.
struct Aliases(bool);

impl EventReceiver for Aliases {
    fn on_event(&mut self, event: Event) {
        self.0 |= matches!(event, Event::Alias(_));
    }
}

fn json(yaml: &Yaml, depth: usize) -> Result<Value, String> {
    if depth > MAX_DEPTH {
        return Err(format!("its YAML is nested deeper than {MAX_DEPTH}"));
    }
    Ok(match yaml {
        Yaml::String(text) => Value::from(text.as_str()),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Boolean(flag) => Value::from(*flag),
        Yaml::Array(items) => items.iter().map(|item| json(item, depth + 1)).collect::<Result<_, _>>()?,
        Yaml::Hash(fields) => {
            let texts = fields.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)));
            let fields = texts.map(|(key, value)| Ok::<_, String>((key, json(value, depth + 1)?)));
            Value::Object(fields.collect::<Result<_, _>>()?)
        }
        _ => Value::Null,
    })
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
            "---\nopen",
        ] {
            assert_eq!(parse(text), Ok(Vec::new()), "{text:?}");
        }
        for text in ["configs: 3", "a: [", "a: &a [1]\nb: *a"] {
            assert!(parse(&format!("---\n{text}\n---\n")).is_err(), "{text:?}");
        }
        let deep = format!("---\na: {}{}\n---\n", "[".repeat(99), "]".repeat(99));
        assert!(parse(&deep).unwrap_err().contains("nested"));
    }
}

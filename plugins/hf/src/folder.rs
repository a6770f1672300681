//! Which files of a folder are the rows of a split.
//!
//! Follows Hugging Face `datasets` (`data_files.py`): a README may declare
//! configurations with their files ([`crate::readme`]); otherwise the names of
//! files and folders tell their split. Files of other kinds are passed over.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use vbench_plugin::table::Format;
use vbench_plugin::{Error, Result};

use crate::readme::{self, FilePattern};

/// Entries of a folder that are looked at; more is hardly a dataset.
const MAX_ENTRIES: usize = 100_000;
/// Folders within folders that are looked at.
const MAX_DEPTH: usize = 12;

/// Words in names that tell a split, in the order in which splits are listed.
const KEYWORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// Endings of files that hold rows, but in a way that is not read.
const OTHER_ENDINGS: [&str; 7] = ["arrow", "gz", "zst", "zip", "tar", "tsv", "xz"];

/// A split by its name, with its files in reading order.
pub type Splits = Vec<(String, Vec<String>)>;

/// The subset and the split that are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'a> {
    /// The configuration that the user named.
    pub subset: Option<&'a str>,
    /// The one that the class names; of no account where none are declared.
    pub usual_subset: Option<&'a str>,
    /// The split.
    pub split: &'a str,
}

/// A file of the dataset: its path within the folder, and how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// With `/`, relative to what the user named.
    pub member: String,
    /// How it holds its rows.
    pub format: Format,
}

/// The files of a split. `root` is the folder for the plugin, `id` the
/// dataset's, which finds its copy in a folder of the Hugging Face cache.
///
/// Fails when the folder cannot be read, or has no such subset or split.
pub fn find(root: &Path, id: &str, selection: Selection<'_>) -> Result<Vec<DataFile>> {
    let prefix = snapshot(root, id);
    let base = root.join(&prefix);
    let files = list(&base)?;
    let splits = splits(&base, &files, selection)?;
    let names: Vec<&str> = splits.iter().map(|(name, _)| name.as_str()).collect();
    let known = names.join(", ");
    let found = splits.iter().find(|(name, files)| name == selection.split && !files.is_empty());
    let Some((_, files)) = found else {
        return Err(Error::config(format!(
            "the dataset has no split `{}`; there is {}",
            selection.split,
            if known.is_empty() { "none" } else { &known }
        ))
        .key("split"));
    };
    one_kind(files).into_iter().map(|file| data_file(root, &prefix, file)).collect()
}

/// Where the files are within the folder that the user named: in it, or, if it
/// is (or has) a folder of the Hugging Face cache, in the snapshot of `main`.
pub fn snapshot(root: &Path, id: &str) -> String {
    let cached = format!("datasets--{}", id.replace('/', "--"));
    for folder in [String::new(), format!("{cached}/"), format!("hub/{cached}/")] {
        let snapshots = root.join(&folder).join("snapshots");
        let revision = fs::read_to_string(root.join(&folder).join("refs/main"));
        if let Ok(revision) = revision
            && !revision.trim().contains(['/', '\\'])
            && snapshots.join(revision.trim()).is_dir()
        {
            return format!("{folder}snapshots/{}/", revision.trim());
        }
    }
    String::new()
}

/// All files below a folder, as sorted paths relative to it. Hidden ones and
/// those that begin with `__` are left out, as the library does.
fn list(base: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut seen = 0;
    let mut folders = vec![(String::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let cannot = |error: std::io::Error| {
            Error::input(format!("cannot list the folder `{folder}` of the dataset: {error}"))
                .key(crate::PATH)
        };
        for entry in fs::read_dir(base.join(&folder)).map_err(cannot)? {
            let entry = entry.map_err(cannot)?;
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(Error::input(format!(
                    "the folder holds more than {MAX_ENTRIES} entries; name one that holds the dataset alone"
                ))
                .key(crate::PATH));
            }
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with(['.']) && !name.starts_with("__"))
            else {
                continue;
            };
            let path = format!("{folder}{name}");
            // Through symbolic links; what cannot be followed fails when opened.
            let is_folder = fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir());
            if !is_folder {
                files.push(path);
            } else if depth < MAX_DEPTH {
                folders.push((format!("{path}/"), depth + 1));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

/// The splits of the subset that is wanted.
fn splits(base: &Path, files: &[String], selection: Selection<'_>) -> Result<Splits> {
    let data: Vec<&str> = files.iter().map(String::as_str).filter(|file| is_data(file)).collect();
    let declared = readme::subsets(base)?;
    let usual = selection.usual_subset.filter(|_| !declared.is_empty());
    if let Some(subset) = readme::choose(&declared, selection.subset.or(usual))? {
        let folder = subset.folder();
        return match &subset.files {
            Some(patterns) => patterns
                .iter()
                .map(|(split, pattern)| Ok((split.clone(), matching(&data, &folder, pattern)?)))
                .collect(),
            None => Ok(by_name(&below(&data, &folder))),
        };
    }
    if let Some(name) = selection.subset.filter(|&name| name != "default") {
        let inside = below(&data, &format!("{name}/"));
        if inside.is_empty() {
            return Err(Error::config(format!(
                "the folder has no subset `{name}`: neither does its README declare one, nor is there a \
                 folder of this name"
            ))
            .key("subset"));
        }
        return Ok(by_name(&inside));
    }
    let splits = by_name(&data.iter().map(|&file| (file, file)).collect::<Vec<_>>());
    match files.iter().find(|file| has_ending(file, &OTHER_ENDINGS)) {
        Some(other) if splits.is_empty() => Err(Error::unsupported(format!(
            "`{other}` is of a kind that is not read yet; the dataset has to be JSON, JSON Lines, CSV or Parquet"
        ))
        .key(crate::PATH)),
        _ => Ok(splits),
    }
}

/// The data files in a folder, each with its path from there on.
fn below<'a>(data: &[&'a str], folder: &str) -> Vec<(&'a str, &'a str)> {
    data.iter().filter_map(|file| Some((*file, file.strip_prefix(folder)?))).collect()
}

fn matching(data: &[&str], folder: &str, pattern: &FilePattern) -> Result<Vec<String>> {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: false,
    };
    let mut found: Vec<String> = Vec::new();
    for text in pattern.texts() {
        let text = text.strip_prefix("./").unwrap_or(text);
        let pattern = glob::Pattern::new(text).map_err(|error| {
            Error::input(format!("the README declares files `{text}`, which is no pattern: {error}"))
                .key(crate::PATH)
        })?;
        let fits = below(data, folder).into_iter().filter(|(_, inner)| pattern.matches_with(inner, options));
        for (file, _) in fits {
            if !found.iter().any(|known| known == file) {
                found.push(file.to_owned());
            }
        }
    }
    Ok(found)
}

/// Splits by the names of files (whole path, path in the dataset): shards in
/// `data/`, else words in folders, else words in file names, else one split.
fn by_name(files: &[(&str, &str)]) -> Splits {
    let mut sharded: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (file, inner) in files {
        if let Some(split) = shard_of(inner) {
            sharded.entry(split).or_default().push((*file).to_owned());
        }
    }
    if !sharded.is_empty() {
        return sharded.into_iter().map(|(split, files)| (split.to_owned(), files)).collect();
    }
    let with_word = |fits: fn(&str, &str) -> bool| -> Splits {
        let of_split = |words: &[&str]| {
            let fits = |inner: &str| words.iter().any(|word| fits(inner, word));
            files.iter().filter(|(_, inner)| fits(inner)).map(|(file, _)| (*file).to_owned()).collect()
        };
        let splits = KEYWORDS.iter().map(|(split, words)| ((*split).to_owned(), of_split(words)));
        splits.filter(|(_, files): &(String, Vec<String>)| !files.is_empty()).collect()
    };
    let in_folder = with_word(|inner, word| {
        inner
            .rsplit_once('/')
            .is_some_and(|(folders, _)| folders.split('/').any(|name| has_word(name, word, true)))
    });
    if !in_folder.is_empty() {
        return in_folder;
    }
    let in_file = with_word(|inner, word| {
        has_word(inner.rsplit_once('/').map_or(inner, |(_, name)| name), word, false)
    });
    if !in_file.is_empty() {
        return in_file;
    }
    let all: Vec<String> = files.iter().map(|(file, _)| (*file).to_owned()).collect();
    if all.is_empty() { Vec::new() } else { vec![("train".to_owned(), all)] }
}

/// The split of a file `data/<split>-00000-of-00001*.*`.
fn shard_of(inner: &str) -> Option<&str> {
    let name = inner.strip_prefix("data/").filter(|name| !name.contains('/'))?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let at = name.rmatch_indices("-of-").map(|(at, _)| at).find(|&at| {
        let before = at.checked_sub(6).and_then(|start| name.get(start..at));
        before.and_then(|text| text.strip_prefix('-')).is_some_and(digits)
            && name.get(at + 4..at + 9).is_some_and(digits)
            && name[at + 9..].contains('.')
    })?;
    name.get(..at - 6).filter(|split| !split.is_empty())
}

/// Whether a word stands in a name, set apart by one of `-._ ` or a digit.
fn has_word(name: &str, word: &str, may_end: bool) -> bool {
    let apart = |c: char| "-._ ".contains(c) || c.is_ascii_digit();
    name.match_indices(word).any(|(at, _)| {
        let after = name[at + word.len()..].chars().next();
        name[..at].chars().next_back().is_none_or(apart) && after.map_or(may_end, apart)
    })
}

/// The kind of rows by a file's ending.
fn kind(file: &str) -> Option<Format> {
    [
        ("json", Format::Json),
        ("jsonl", Format::Jsonl),
        ("ndjson", Format::Jsonl),
        ("csv", Format::Csv),
        ("parquet", Format::Parquet),
    ]
    .into_iter()
    .find_map(|(ending, format)| has_ending(file, &[ending]).then_some(format))
}

fn has_ending(file: &str, endings: &[&str]) -> bool {
    let ending = Path::new(file).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// Whether a file holds rows, by its name.
pub fn is_data(file: &str) -> bool {
    let name = file.rsplit_once('/').map_or(file, |(_, name)| name);
    // What describes a dataset is not part of it.
    let describes =
        ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"];
    kind(file).is_some() && !describes.contains(&name)
}

/// The files of the kind that most have: JSON and JSON Lines are one kind.
fn one_kind(files: &[String]) -> Vec<&str> {
    let group = |file: &str| match kind(file) {
        Some(Format::Parquet) => 1,
        Some(Format::Csv) => 2,
        _ => 0,
    };
    let count = |wanted: usize| files.iter().filter(|file| group(file) == wanted).count();
    let most = (0..3).rev().max_by_key(|&wanted| count(wanted)).unwrap_or(0);
    files.iter().map(String::as_str).filter(|file| group(file) == most).collect()
}

fn data_file(root: &Path, prefix: &str, file: &str) -> Result<DataFile> {
    let member = format!("{prefix}{file}");
    let format = match kind(file) {
        Some(Format::Json) => json_kind(root, &member)?,
        other => other.unwrap_or(Format::Auto),
    };
    Ok(DataFile { member, format })
}

/// A `.json` file holds an array, or, as many on the hub do, a row a line.
pub fn json_kind(root: &Path, member: &str) -> Result<Format> {
    let cannot =
        |error| Error::input(format!("cannot read `{member}` of the dataset: {error}")).key(crate::PATH);
    let mut start = Vec::new();
    fs::File::open(root.join(member)).map_err(cannot)?.take(4096).read_to_end(&mut start).map_err(cannot)?;
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start).trim_ascii_start();
    Ok(if text.first() == Some(&b'{') { Format::Jsonl } else { Format::Json })
}

#[cfg(test)]
mod tests;

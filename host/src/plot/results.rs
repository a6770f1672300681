//! Results of runs, as they lie in an experiment's folder.
//!
//! A sweep leaves a `summary.json` for each point, with all runs of that point.
//! Where there is none, `summary.csv` is read, and where there is not even
//! that, the result files of single runs.

use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexSet;
use serde_json::{Map, Number, Value};

use super::error::PlotError;

/// Lists longer than this are what happened to each request, which nobody plots by.
const LONGEST_LIST: usize = 64;
/// Folders deeper than this are no experiment's.
const DEEPEST: usize = 32;

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The file it is from, an index into [`Results::files`]. Runs of one
    /// `summary.json` are repetitions of one point.
    pub source: usize,
    /// Settings and metrics.
    pub fields: Map<String, Value>,
}

/// All runs of an experiment.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// The files they are from, in sorted order.
    pub files: Vec<PathBuf>,
    /// The runs, file by file.
    pub runs: Vec<Run>,
    /// Whether a file holds the repetitions of one point.
    pub file_is_point: bool,
}

impl Results {
    /// Reads all results below a folder, in the order of their sorted paths.
    ///
    /// # Errors
    /// No folder, nothing in it, or a file that cannot be read.
    pub fn read(dir: &Path) -> Result<Self, PlotError> {
        if !dir.is_dir() {
            return Err(PlotError::NoFolder { dir: dir.to_owned() });
        }
        let mut files = Vec::new();
        walk(dir, 0, &mut files)?;
        let mut results = Self { file_is_point: true, ..Self::default() };
        for path in files.iter().filter(|path| named(path, "summary.json")) {
            results.add(path, summary(path)?);
        }
        if results.runs.is_empty() {
            results.file_is_point = false;
            for path in files.iter().filter(|path| named(path, "summary.csv")) {
                results.add(path, table(path)?);
            }
        }
        if results.runs.is_empty() {
            for path in
                files.iter().filter(|path| path.extension().is_some_and(|e| e == "json" || e == "jsonl"))
            {
                results.add(path, single_runs(path)?);
            }
        }
        if results.runs.is_empty() {
            return Err(PlotError::NoResults { dir: dir.to_owned() });
        }
        Ok(results)
    }

    /// The file a run is from.
    pub fn file(&self, run: &Run) -> &Path {
        self.files.get(run.source).map_or(Path::new(""), PathBuf::as_path)
    }

    fn add(&mut self, path: &Path, runs: Vec<Map<String, Value>>) {
        let source = self.files.len();
        self.files.push(path.to_owned());
        self.runs.extend(runs.into_iter().map(|mut fields| {
            fields.retain(|_, value| value.as_array().is_none_or(|list| list.len() <= LONGEST_LIST));
            Run { source, fields }
        }));
    }
}

/// The keys of runs, in the order in which they first appear.
pub fn columns<'a>(runs: impl IntoIterator<Item = &'a Run>) -> IndexSet<&'a str> {
    runs.into_iter().flat_map(|run| run.fields.keys().map(String::as_str)).collect()
}

/// A value as a number. `"inf"`, `"-inf"` and `"nan"` are how result files
/// write what JSON has no number for.
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            "nan" => Some(f64::NAN),
            _ => None,
        },
        _ => None,
    }
}

fn named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|file| file == name)
}

/// All files below a folder in sorted order; links to folders are not followed,
/// so that there are no circles.
fn walk(dir: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), PlotError> {
    let list = || fs::read_dir(dir)?.collect::<Result<Vec<_>, _>>();
    let mut entries = list().map_err(PlotError::io("list the folder", dir))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(PlotError::io("look at", entry.path()))?;
        if kind.is_dir() && depth < DEEPEST {
            walk(&entry.path(), depth + 1, files)?;
        } else if !kind.is_dir() {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn read_text(path: &Path) -> Result<String, PlotError> {
    let bytes = fs::read(path).map_err(PlotError::io("read", path))?;
    String::from_utf8(bytes)
        .map_err(|e| content(path, format!("is not UTF-8 at byte {}", e.utf8_error().valid_up_to())))
}

fn content(path: &Path, reason: impl Into<String>) -> PlotError {
    PlotError::Content { path: path.to_owned(), reason: reason.into() }
}

fn summary(path: &Path) -> Result<Vec<Map<String, Value>>, PlotError> {
    let text = read_text(path)?;
    let Value::Array(items) = json(&text).map_err(|e| content(path, format!("is not JSON: {e}")))? else {
        return Err(content(path, "has to be a list of runs"));
    };
    let runs = items.into_iter().enumerate().map(|(index, item)| match item {
        Value::Object(fields) => Ok(fields),
        other => Err(content(path, format!("item {index} is no object but {}", kind_of(&other)))),
    });
    runs.collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The results in a file of one, or of one a line. Other JSON files that lie
/// about give none.
fn single_runs(path: &Path) -> Result<Vec<Map<String, Value>>, PlotError> {
    let text = read_text(path)?;
    let is_result = |fields: &Map<String, Value>| {
        ["duration", "completed", "request_throughput"].iter().all(|key| fields.contains_key(*key))
    };
    let runs = match json(&text) {
        Ok(Value::Object(fields)) => vec![fields],
        Ok(_) => Vec::new(),
        Err(_) => text
            .lines()
            .map_while(|line| match json(line) {
                Ok(Value::Object(fields)) => Some(fields),
                _ => None,
            })
            .collect(),
    };
    Ok(runs.into_iter().filter(is_result).collect())
}

fn table(path: &Path) -> Result<Vec<Map<String, Value>>, PlotError> {
    let bad = |e: csv::Error| content(path, format!("is not CSV: {e}"));
    let mut reader = csv::Reader::from_path(path).map_err(bad)?;
    let names = reader.headers().map_err(bad)?.clone();
    let mut runs = Vec::new();
    for row in reader.records() {
        let row = row.map_err(bad)?;
        // The first column of a sweep's table has no name and holds the row's number.
        let cells = names.iter().zip(row.iter()).filter(|(name, _)| !name.is_empty());
        runs.push(cells.map(|(name, cell)| (name.to_owned(), typed(cell))).collect());
    }
    Ok(runs)
}

/// What a cell of a table was before it was text.
fn typed(cell: &str) -> Value {
    match cell {
        "" => Value::Null,
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        _ => match cell.parse::<i64>() {
            Ok(whole) => Value::from(whole),
            Err(_) => match cell.parse::<f64>().ok().and_then(Number::from_f64) {
                Some(number) => Value::Number(number),
                None => Value::from(cell),
            },
        },
    }
}

/// Reads JSON, and also what Python takes for it: bare `NaN`, `Infinity` and
/// `-Infinity`, which the reference client writes for an infinite burstiness.
fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| match quote_bare_floats(text) {
        Some(quoted) => serde_json::from_str(&quoted),
        None => Err(error),
    })
}

/// The text with bare floats as texts; none if there are none.
fn quote_bare_floats(text: &str) -> Option<String> {
    const BARE: [(&str, &str); 3] = [("-Infinity", "\"-inf\""), ("Infinity", "\"inf\""), ("NaN", "\"nan\"")];
    let mut out = String::with_capacity(text.len());
    let mut found = false;
    let mut rest = text;
    while let Some(at) = rest.find(['"', '-', 'I', 'N']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let taken = if from.starts_with('"') {
            let end = end_of_string(from);
            out.push_str(&from[..end]);
            end
        } else if let Some((bare, quoted)) = BARE.iter().find(|(bare, _)| from.starts_with(bare)) {
            found = true;
            out.push_str(quoted);
            bare.len()
        } else {
            out.push_str(&from[..1]);
            1
        };
        rest = &from[taken..];
    }
    out.push_str(rest);
    found.then_some(out)
}

/// Where the text that begins with a quote ends, quote included.
fn end_of_string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    const RESULT: &str =
        r#"{"duration": 1.5, "completed": 2, "request_throughput": 1.3, "burstiness": Infinity}"#;

    #[test]
    fn points_come_in_the_order_of_their_paths() {
        let dir = folder(&[
            ("b/summary.json", r#"[{"x": 3}]"#),
            ("a/summary.json", r#"[{"x": 1, "long": [0,0]}, {"x": 2, "y": NaN}]"#),
            ("summary.csv", ",x\n0,9\n"),
            ("a/run=0.json", RESULT),
        ]);
        let results = Results::read(dir.path()).unwrap();
        let seen: Vec<_> = results.runs.iter().map(|run| (run.source, run.fields["x"].clone())).collect();
        assert_eq!(seen, [(0, json!(1)), (0, json!(2)), (1, json!(3))]);
        assert_eq!(columns(&results.runs).into_iter().collect::<Vec<_>>(), ["x", "long", "y"]);
        assert!(number(&results.runs[1].fields["y"]).unwrap().is_nan());
        assert!(results.file(&results.runs[2]).ends_with("b/summary.json"));
    }

    #[test]
    fn a_table_is_read_where_there_are_no_summaries() {
        let dir = folder(&[(
            "summary.csv",
            ",rate,concurrency,cache,level,note\n0,inf,4,True,3.0,\"a, b\"\n1,10.0,8,False,,\n",
        )]);
        let results = Results::read(dir.path()).unwrap();
        assert_eq!(
            Value::Object(results.runs[0].fields.clone()),
            json!({"rate": "inf", "concurrency": 4, "cache": true, "level": 3.0, "note": "a, b"})
        );
        assert_eq!(results.runs[1].fields["level"], Value::Null);
        assert!(!results.file_is_point);
    }

    #[test]
    fn single_results_are_read_where_there_is_nothing_else() {
        let long: Vec<u8> = vec![0; LONGEST_LIST + 1];
        let detailed = format!(
            r#"{{"duration": 1, "completed": 1, "request_throughput": 1, "ttfts": {long:?}, "note": "Infinity, \" NaN"}}"#
        );
        let dir = folder(&[
            ("one.json", RESULT),
            ("lines.json", &format!("{RESULT}\n{RESULT}")),
            ("detailed.json", &detailed),
            ("other.json", r#"{"a": 1}"#),
            ("broken.json", "{"),
        ]);
        let results = Results::read(dir.path()).unwrap();
        assert_eq!(results.runs.len(), 4);
        assert_eq!(results.runs[0].fields.get("ttfts"), None);
        assert_eq!(results.runs[0].fields["note"], json!("Infinity, \" NaN"));
        assert_eq!(number(&results.runs[3].fields["burstiness"]), Some(f64::INFINITY));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_file() {
        let fails = |files: &[(&str, &str)], words: &[&str]| {
            let error = Results::read(folder(files).path()).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        };
        fails(&[("a/summary.json", "[{\n\"x\": }]")], &["a/summary.json", "line 2 column"]);
        fails(&[("summary.json", "{}")], &["summary.json", "list of runs"]);
        fails(&[("summary.json", "[1]")], &["item 0", "a number"]);
        fails(&[("summary.csv", "a,b\n1\n")], &["summary.csv", "CSV"]);
        fails(&[("readme.txt", "")], &["did not find any parameter sweep results"]);
        let error = Results::read(Path::new("/does/not/exist")).unwrap_err().to_string();
        assert!(error.contains("/does/not/exist"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn quoting_never_panics_and_keeps_strings(text in "[\"\\\\NaInfity:,{}\\[\\]é 0-]{0,60}") {
            let value = json!({"k": text});
            let written = value.to_string();
            proptest::prop_assert_eq!(quote_bare_floats(&written), None);
            let _ = quote_bare_floats(&text);
        }
    }
}

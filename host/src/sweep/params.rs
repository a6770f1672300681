//! Combinations of parameters: files of them, their names, and what they do to
//! a command.

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use super::error::SweepError;
use crate::report::python_json;
use crate::report::python_repr::{python_dict, python_repr, python_str, python_words};

/// The key that names a combination and is no parameter.
pub const NAME_KEY: &str = "_benchmark_name";

/// Parameters of a command, in the order of their file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Combination(Map<String, Value>);

impl Combination {
    /// From an object.
    pub fn new(parameters: Map<String, Value>) -> Self {
        Self(parameters)
    }

    /// The parameters, the name included.
    pub fn parameters(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key as it is written.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The combination with one more parameter, in its old place if it is there.
    pub fn with(&self, key: &str, value: impl Into<Value>) -> Self {
        let mut parameters = self.0.clone();
        parameters.insert(key.to_owned(), value.into());
        Self(parameters)
    }

    /// Its name: `_benchmark_name`, else all parameters joined by `-`.
    pub fn name(&self) -> String {
        self.0.get(NAME_KEY).map_or_else(|| self.as_text("-"), python_str)
    }

    /// All parameters as `key=value`.
    pub fn as_text(&self, separator: &str) -> String {
        let parameters = self.0.iter().filter(|(key, _)| *key != NAME_KEY);
        parameters
            .map(|(key, value)| format!("{key}={}", python_str(value)))
            .collect::<Vec<_>>()
            .join(separator)
    }

    /// Whether a parameter is set, by any of its spellings.
    pub fn has(&self, key: &str) -> bool {
        spellings(key).iter().any(|key| self.0.contains_key(key))
    }

    /// Puts the parameters into a command, by the reference client's rules: a
    /// flag that stands there as a word of its own gets the new value, others
    /// are appended.
    ///
    /// # Errors
    /// A flag to change stands at the very end, without a value.
    pub fn apply(&self, command: &[String], lists: ListStyle) -> Result<Vec<String>, SweepError> {
        let mut command = command.to_vec();
        for (key, value) in self.0.iter().filter(|(key, _)| *key != NAME_KEY) {
            let words = words_of(key, value, lists);
            let found = spellings(key)
                .iter()
                .find_map(|spelling| command.iter().position(|word| *word == format!("--{spelling}")));
            match (found, &words[..]) {
                (None, words) => command.extend_from_slice(words),
                (Some(at), [flag]) => command[at].clone_from(flag),
                (Some(at), [flag, value]) => {
                    if at + 1 >= command.len() {
                        return Err(SweepError::NoValue {
                            word: command[at].clone(),
                            key: key.clone(),
                            command: python_words(&command),
                        });
                    }
                    command[at].clone_from(flag);
                    command[at + 1].clone_from(value);
                }
                // A flag that is repeated for each item takes the old one's place.
                (Some(at), words) => {
                    let end = (at + 2).min(command.len());
                    command.splice(at..end, words.iter().cloned());
                }
            }
        }
        Ok(command)
    }
}

impl fmt::Display for Combination {
    /// As Python prints a dictionary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&python_dict(&self.0))
    }
}

/// How a list becomes words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ListStyle {
    /// One word in Python's form, as the reference client does: `['a', 'b']`.
    #[default]
    Python,
    /// One word of JSON: `["a", "b"]`.
    Json,
    /// The flag again for every item.
    Repeat,
}

/// Spellings of a parameter in the order in which a command is searched: with
/// dashes, with underscores, as written; only what comes before the first `.`.
fn spellings(key: &str) -> [String; 3] {
    let (head, tail) = match key.split_once('.') {
        Some((head, tail)) => (head, format!(".{tail}")),
        None => (key, String::new()),
    };
    [format!("{}{tail}", head.replace('_', "-")), format!("{}{tail}", head.replace('-', "_")), key.to_owned()]
}

/// The words that set a parameter.
fn words_of(key: &str, value: &Value, lists: ListStyle) -> Vec<String> {
    let [flag, ..] = spellings(key);
    let json = |value: &Value| {
        python_json::to_vec(value)
            .map_or_else(|_| value.to_string(), |text| String::from_utf8_lossy(&text).into_owned())
    };
    match value {
        Value::Bool(value) if key.contains('.') => vec![format!("--{flag}={value}")],
        Value::Bool(true) => vec![format!("--{flag}")],
        Value::Bool(false) => vec![format!("--no-{flag}")],
        Value::Object(_) => vec![format!("--{flag}"), json(value)],
        Value::Array(_) if lists == ListStyle::Json => vec![format!("--{flag}"), json(value)],
        Value::Array(items) if lists == ListStyle::Repeat => {
            items.iter().flat_map(|item| [format!("--{flag}"), python_str(item)]).collect()
        }
        value => vec![format!("--{flag}"), python_str(value)],
    }
}

/// Reads a file of combinations: a list of objects, or an object of objects
/// whose keys are names. No file means one empty combination.
///
/// # Errors
/// The file cannot be read, or holds something else, or names one twice.
pub fn read_combinations(path: Option<&Path>, flag: &'static str) -> Result<Vec<Combination>, SweepError> {
    let Some(path) = path else { return Ok(vec![Combination::default()]) };
    let value = read_json(path, flag)?;
    let content = |reason: String| SweepError::Content { path: path.to_owned(), flag, reason };
    let combinations = combinations(value).map_err(content)?;
    let named: Vec<&Value> = combinations.iter().filter_map(|one| one.get(NAME_KEY)).collect();
    let mut twice: Vec<String> = Vec::new();
    for (at, name) in named.iter().enumerate() {
        let text = python_repr(name);
        if named[..at].contains(name) && !twice.contains(&text) {
            twice.push(text);
        }
    }
    if !twice.is_empty() {
        return Err(content(format!(
            "Duplicate {NAME_KEY} values found: {{{}}}. All {NAME_KEY} values must be unique.",
            twice.join(", ")
        )));
    }
    Ok(combinations)
}

/// Reads a file of JSON.
///
/// # Errors
/// It cannot be read, or is no JSON; with line and column.
pub fn read_json(path: &Path, flag: &'static str) -> Result<Value, SweepError> {
    let text =
        std::fs::read(path).map_err(|source| SweepError::Read { path: path.to_owned(), flag, source })?;
    serde_json::from_slice(&text).map_err(|source| SweepError::Json { path: path.to_owned(), flag, source })
}

fn combinations(value: Value) -> Result<Vec<Combination>, String> {
    match value {
        Value::Array(items) => items.into_iter().map(|item| object(item).map(Combination)).collect(),
        Value::Object(items) => items
            .into_iter()
            .map(|(name, item)| {
                let mut named = Map::from_iter([(NAME_KEY.to_owned(), Value::from(name))]);
                named.extend(object(item)?);
                Ok(Combination(named))
            })
            .collect(),
        other => Err(format!(
            "The parameter sweep should be a list of dictionaries, but found type: {}",
            python_type(&other)
        )),
    }
}

fn object(value: Value) -> Result<Map<String, Value>, String> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(format!(
            "Each item in the parameter sweep should be a dictionary, but found type: {}",
            python_type(&other)
        )),
    }
}

/// A value's type in Python's words.
pub fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<class 'NoneType'>",
        Value::Bool(_) => "<class 'bool'>",
        Value::Number(number) if number.is_f64() => "<class 'float'>",
        Value::Number(_) => "<class 'int'>",
        Value::String(_) => "<class 'str'>",
        Value::Array(_) => "<class 'list'>",
        Value::Object(_) => "<class 'dict'>",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn combination(value: Value) -> Combination {
        Combination(object(value).unwrap())
    }

    fn apply(line: &str, value: Value) -> String {
        let command: Vec<String> = line.split(' ').map(str::to_owned).collect();
        combination(value).apply(&command, ListStyle::Python).unwrap().join(" ")
    }

    #[test]
    fn names_are_pythons() {
        let one = combination(json!({"a": true, "b": null, "c": [1, "x"], "d": {"e": 1.0}, "f": "g"}));
        assert_eq!(one.name(), "a=True-b=None-c=[1, 'x']-d={'e': 1.0}-f=g");
        assert_eq!(one.as_text(", "), "a=True, b=None, c=[1, 'x'], d={'e': 1.0}, f=g");
        let named = combination(json!({"_benchmark_name": "n", "a": 1}));
        assert_eq!((named.name(), named.as_text("-")), ("n".to_owned(), "a=1".to_owned()));
        assert_eq!(named.to_string(), "{'_benchmark_name': 'n', 'a': 1}");
    }

    #[test]
    fn parameters_replace_words_or_are_appended() {
        for (line, value, expected) in [
            ("c", json!({"max_num_seqs": 4}), "c --max-num-seqs 4"),
            ("c --max-num-seqs 1 x", json!({"max_num_seqs": 4}), "c --max-num-seqs 4 x"),
            ("c --max_num_seqs 1 x", json!({"max-num-seqs": 4}), "c --max-num-seqs 4 x"),
            ("c --max-num-seqs=1", json!({"max_num_seqs": 4}), "c --max-num-seqs=1 --max-num-seqs 4"),
            ("c --a x", json!({"a": true}), "c --a x"),
            ("c --a x", json!({"a": false}), "c --no-a x"),
            ("c --no-a", json!({"a": true}), "c --no-a --a"),
            ("c", json!({"a_b.c_d": false}), "c --a-b.c_d=false"),
            ("c --a-b.c_d 1", json!({"a_b.c_d": 2}), "c --a-b.c_d 2"),
            ("c", json!({"o": {"k": [1, null]}, "l": ["x"]}), "c --o {\"k\": [1, null]} --l ['x']"),
            ("c", json!({"n": null, "f": 1e-7, "_benchmark_name": "n"}), "c --n None --f 1e-07"),
        ] {
            assert_eq!(apply(line, value), expected, "{line}");
        }
    }

    #[test]
    fn lists_have_other_styles() {
        let command = ["c".to_owned(), "--l".to_owned(), "old".to_owned(), "end".to_owned()];
        let one = combination(json!({"l": ["a b", 2]}));
        assert_eq!(one.apply(&command, ListStyle::Json).unwrap(), ["c", "--l", "[\"a b\", 2]", "end"]);
        assert_eq!(one.apply(&command, ListStyle::Repeat).unwrap(), ["c", "--l", "a b", "--l", "2", "end"]);
    }

    #[test]
    fn a_flag_without_its_value_is_refused() {
        let command = ["c".to_owned(), "--port".to_owned()];
        let error = combination(json!({"port": 1})).apply(&command, ListStyle::Python).unwrap_err();
        assert!(error.to_string().contains("`--port`, whose value is missing"), "{error}");
    }

    #[test]
    fn spellings_are_one_parameter() {
        let one = combination(json!({"request-rate": 1}));
        assert!(one.has("request_rate") && one.has("request-rate") && !one.has("rate"));
        assert_eq!(one.with("x", 2).name(), "request-rate=1-x=2");
        assert_eq!(one.with("request-rate", 2).with("x", 2).name(), "request-rate=2-x=2");
    }

    fn read(text: &str) -> Result<Vec<Combination>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.json");
        std::fs::write(&path, text).unwrap();
        read_combinations(Some(&path), "serve-params").map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_lists_or_objects() {
        assert_eq!(read_combinations(None, "serve-params").unwrap(), [Combination::default()]);
        assert_eq!(read(r#"{"x": {"a": 1}, "y/z": {}}"#).unwrap()[1].name(), "y/z");
        assert_eq!(read(r#"[{"a": 1}, {}]"#).unwrap().len(), 2);
    }

    #[test]
    fn bad_files_are_named_with_the_place() {
        for (text, reason) in [
            ("\"s\"", "list of dictionaries, but found type: <class 'str'>"),
            ("[1, 2]", "should be a dictionary, but found type: <class 'int'>"),
            ("{\"a\": 1}", "should be a dictionary, but found type: <class 'int'>"),
            ("[{\"a\": 1},\n {\"a\" 2}]", "line 2 column 7"),
            ("", "line 1 column 0"),
            (
                r#"[{"_benchmark_name": "x"}, {"_benchmark_name": "x"}, {"_benchmark_name": "x"}]"#,
                "Duplicate _benchmark_name values found: {'x'}.",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(reason) && error.contains("p.json (--serve-params)"), "{error}");
        }
        let missing = read_combinations(Some(Path::new("/no/such.json")), "bench-params").unwrap_err();
        assert!(missing.to_string().contains("cannot read /no/such.json (--bench-params)"), "{missing}");
    }
}

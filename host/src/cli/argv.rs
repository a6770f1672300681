//! The words of a command line, read the way Python's argparse and the
//! reference client's layer above it read them.
//!
//! The result is a list of pieces in which nothing is left to guess: every flag
//! has its full name and exactly its own words. The parser proper then only has
//! to check names, types and limits. Pure: no files, no environment.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::compat::Compat;
use super::error::CliError;
use super::{dotted, known};

/// How many words a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// None.
    Switch,
    /// One; given again, the last one counts.
    One,
    /// One; given again, all count.
    Repeat,
    /// Several; given again, the last list counts.
    Many {
        /// None at all is fine too, and means the same as not giving the flag.
        or_none: bool,
    },
}

/// The flags that a command has, by name without dashes.
#[derive(Debug, Clone, Default)]
pub(super) struct FlagTable {
    flags: BTreeMap<String, Flag>,
    /// The command is another one than `serve`, whose names mean nothing here.
    other_command: bool,
}

#[derive(Debug, Clone, Copy)]
struct Flag {
    arity: Arity,
    /// Takes JSON, so that the dotted form makes sense.
    json: bool,
}

impl FlagTable {
    /// Adds a flag.
    pub(super) fn insert(&mut self, name: &str, arity: Arity, json: bool) {
        self.flags.insert(name.to_owned(), Flag { arity, json });
    }

    /// The table of another command than `serve`.
    pub(super) fn of_other_command(self) -> Self {
        Self { other_command: true, ..self }
    }

    /// Adds the flags of another table.
    pub(super) fn extend(&mut self, other: Self) {
        self.flags.extend(other.flags);
    }

    /// Whether there is such a flag.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.flags.contains_key(name)
    }

    /// How many words a flag takes, none if there is no such flag.
    pub(super) fn arity(&self, name: &str) -> Option<Arity> {
        self.flags.get(name).map(|flag| flag.arity)
    }

    /// The full name of a flag that was perhaps abbreviated, none if there is no such flag.
    ///
    /// Flags of the reference client go first, also those that vbench does not
    /// have yet: an abbreviation means here what it means there, and no flag
    /// that vbench or a plugin adds makes it ambiguous.
    pub(super) fn resolve(&self, given: &str) -> Result<Option<String>, CliError> {
        if self.contains(given) {
            return Ok(Some(given.to_owned()));
        }
        if known::find(given).is_some() && !self.other_command {
            return Err(CliError::NoOwner { flag: given.to_owned() });
        }
        if given.is_empty() {
            return Ok(None);
        }
        let reference: &[known::Known] = if self.other_command { &[] } else { known::SERVE };
        let reference: Vec<String> =
            reference.iter().map(known::Known::flag).filter(|flag| flag.starts_with(given)).collect();
        let candidates = if reference.is_empty() {
            self.flags.keys().filter(|flag| flag.starts_with(given)).cloned().collect()
        } else {
            reference
        };
        match candidates.as_slice() {
            [] => Ok(None),
            [only] if self.contains(only) => Ok(Some(only.clone())),
            [only] => Err(CliError::NoOwner { flag: only.clone() }),
            several => Err(CliError::Ambiguous {
                given: given.to_owned(),
                candidates: several.iter().map(|flag| format!("--{flag}")).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

/// A part of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A flag with its words; none if a word is missing, or not wanted.
    Flag {
        /// Full name without dashes.
        name: String,
        /// Its words.
        values: Option<Vec<String>>,
    },
    /// Anything else, for the parser to refuse with a hint.
    Word(String),
}

/// A command line in pieces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Normalised {
    /// Flags that may not repeat are in here once: their last occurrence.
    pub(super) pieces: Vec<Piece>,
    /// Flags and dotted keys that were given more than once, sorted.
    pub(super) duplicates: Vec<String>,
}

impl Normalised {
    /// The pieces as unambiguous words: `--flag=value`.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Word(word) => words.push(word.clone()),
                Piece::Flag { name, values: None } => words.push(format!("--{name}")),
                Piece::Flag { name, values: Some(values) } => {
                    words.extend(values.iter().map(|value| format!("--{name}={value}")));
                }
            }
        }
        words
    }

    /// The words of a flag, if it was given with words.
    pub(super) fn values(&self, flag: &str) -> Option<&[String]> {
        self.pieces.iter().find_map(|piece| match piece {
            Piece::Flag { name, values: Some(values) } if name == flag => Some(values.as_slice()),
            _ => None,
        })
    }

    /// Puts `self` before `later`, which wins.
    pub(super) fn overridden_by(self, later: Self, table: &FlagTable) -> Self {
        let mut pieces = self.pieces;
        pieces.retain(|piece| match piece {
            Piece::Flag { name, .. } => {
                table.flags.get(name).is_some_and(|flag| flag.arity == Arity::Repeat)
                    || !later
                        .pieces
                        .iter()
                        .any(|p| matches!(p, Piece::Flag { name: other, .. } if other == name))
            }
            Piece::Word(_) => true,
        });
        pieces.extend(later.pieces);
        let mut duplicates = self.duplicates;
        duplicates.extend(later.duplicates);
        Self { pieces, duplicates }
    }
}

/// Writes `_` as `-` in the part of a flag's name before the first `.`.
pub(super) fn dashes(name: &str) -> String {
    match name.split_once('.') {
        Some((head, tail)) => format!("{}.{tail}", head.replace('_', "-")),
        None => name.replace('_', "-"),
    }
}

/// Splits a word `--flag` or `--flag=value` into name, with `-` for `_`, and value.
pub(super) fn split_flag(word: &str) -> Option<(String, Option<&str>)> {
    let body = word.strip_prefix("--")?;
    let (name, value) = match body.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (body, None),
    };
    Some((dashes(name), value))
}

/// The value of a flag that has to be known before the flags are: looks for
/// its exact name and takes the last.
pub(super) fn scan<'a>(words: &'a [String], flag: &str) -> Option<&'a str> {
    let mut found = None;
    for (index, word) in words.iter().enumerate() {
        if word == "--" {
            break;
        }
        match split_flag(word) {
            Some((name, Some(value))) if name == flag => found = Some(value),
            Some((name, None)) if name == flag => {
                found = words.get(index + 1).map(String::as_str).or(found);
            }
            _ => {}
        }
    }
    found
}

/// Whether a word can be a flag's value: it does not look like a flag, or is a
/// negative number, or has a blank in it.
fn is_value(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else { return true };
    if rest.is_empty() {
        return true;
    }
    let number = rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') && rest.parse::<f64>().is_ok();
    number || rest.eq_ignore_ascii_case("inf") || (!rest.starts_with('-') && word.contains(' '))
}

/// Whether vLLM 0.33 takes the word for a dotted flag although it is none:
/// a single `-`, and a `.` before any `=`.
fn falsely_dotted(word: &str) -> bool {
    word.starts_with('-')
        && !word.starts_with("--")
        && word.split_once('=').map_or(word, |(key, _)| key).contains('.')
}

/// Cuts `words`, what comes after the subcommand, into pieces.
///
/// # Errors
/// Ambiguous abbreviations, flags that vbench does not have yet, and dotted
/// forms that are no good. Unknown flags are kept as words.
pub(super) fn normalise(words: &[String], table: &FlagTable, compat: Compat) -> Result<Normalised, CliError> {
    let mut reader = Reader { words, at: 0, compat };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut dotted_flags: IndexMap<String, Map<String, Value>> = IndexMap::new();
    let mut duplicates: Vec<String> = Vec::new();

    while let Some(word) = reader.next() {
        if word == "--" {
            pieces.extend(reader.rest().iter().cloned().map(Piece::Word));
            break;
        }
        reader.refuse_falsely_dotted(word)?;
        let Some((given, inline)) = split_flag(word) else {
            pieces.push(Piece::Word(word.clone()));
            continue;
        };
        let (head, path) = match given.split_once('.') {
            Some((head, path)) => (head, Some(path)),
            None => (given.as_str(), None),
        };
        let Some(name) = resolve(table, head, compat)? else {
            pieces.push(Piece::Word(word.clone()));
            continue;
        };
        let Some(flag) = table.flags.get(&name).copied() else {
            pieces.push(Piece::Word(word.clone()));
            continue;
        };
        if let Some(path) = path {
            let refuse = |reason: String| CliError::Usage(format!("--{name}.{path}: {reason}"));
            if !flag.json {
                return Err(refuse(format!("`--{name}` takes no JSON, so it has no dotted form")));
            }
            let text = match inline {
                Some(value) => value.to_owned(),
                None => reader.value()?.ok_or_else(|| refuse("a value is missing".to_owned()))?,
            };
            let (path, value) = match path.strip_suffix('+') {
                Some(path) => (path, text.split(',').map(Value::from).collect()),
                None => (path, dotted::value(&text).map_err(&refuse)?),
            };
            let mut overwritten = Vec::new();
            dotted::merge(dotted_flags.entry(name.clone()).or_default(), path, value, &mut overwritten)
                .map_err(&refuse)?;
            duplicates.extend(overwritten.into_iter().map(|key| format!("--{name}.{key}")));
            continue;
        }
        let values = match (inline, flag.arity) {
            (Some(value), _) => Some(vec![value.to_owned()]),
            (None, Arity::Switch) => None,
            (None, Arity::One | Arity::Repeat) => reader.value()?.map(|value| vec![value]),
            (None, Arity::Many { or_none }) => {
                let mut values = Vec::new();
                while let Some(value) = reader.value()? {
                    values.push(value);
                }
                (or_none || !values.is_empty()).then_some(values)
            }
        };
        place(&mut pieces, &mut places, &mut duplicates, flag.arity, name, values);
    }

    for (name, object) in dotted_flags {
        let text = Value::Object(object).to_string();
        place(&mut pieces, &mut places, &mut duplicates, Arity::One, name, Some(vec![text]));
    }
    duplicates.sort();
    duplicates.dedup();
    Ok(Normalised { pieces, duplicates })
}

/// Adds a flag, or puts it in the place of its earlier occurrence.
fn place(
    pieces: &mut Vec<Piece>,
    places: &mut BTreeMap<String, usize>,
    duplicates: &mut Vec<String>,
    arity: Arity,
    name: String,
    values: Option<Vec<String>>,
) {
    let piece = Piece::Flag { name: name.clone(), values };
    if arity == Arity::Repeat {
        pieces.push(piece);
        return;
    }
    match places.get(&name) {
        Some(&index) => {
            duplicates.push(format!("--{name}"));
            pieces[index] = piece;
        }
        None => {
            places.insert(name, pieces.len());
            pieces.push(piece);
        }
    }
}

/// Resolves a flag's name, with the renamed flags of older releases.
fn resolve(table: &FlagTable, name: &str, compat: Compat) -> Result<Option<String>, CliError> {
    if name == "common-prefix-len" && !table.contains(name) {
        if compat == Compat::V012 {
            return table.resolve("random-prefix-len");
        }
        return Err(CliError::Usage(
            "`--common-prefix-len` is a flag of --compat v0.12: write --random-prefix-len".to_owned(),
        ));
    }
    table.resolve(name)
}

struct Reader<'a> {
    words: &'a [String],
    at: usize,
    compat: Compat,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a String> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    fn rest(&self) -> &'a [String] {
        &self.words[self.at..]
    }

    /// The next word if it is a value.
    fn value(&mut self) -> Result<Option<String>, CliError> {
        match self.words.get(self.at) {
            Some(word) => {
                self.refuse_falsely_dotted(word)?;
                if !is_value(word) {
                    return Ok(None);
                }
                self.at += 1;
                Ok(Some(word.clone()))
            }
            None => Ok(None),
        }
    }

    fn refuse_falsely_dotted(&self, word: &str) -> Result<(), CliError> {
        if self.compat != Compat::V033 || !falsely_dotted(word) {
            return Ok(());
        }
        Err(CliError::Usage(format!(
            "unrecognized arguments: {word} (like vLLM 0.33, --compat v0.33 takes a word that begins with `-` \
             and has a `.` in it for a dotted flag: write --flag={word})"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table() -> FlagTable {
        let mut table = FlagTable::default();
        for (name, arity) in [
            ("save-result", Arity::Switch),
            ("save-detailed", Arity::Switch),
            ("save-requests", Arity::One),
            ("top-k", Arity::One),
            ("presence-penalty", Arity::One),
            ("label", Arity::One),
            ("header", Arity::Many { or_none: true }),
            ("goodput", Arity::Many { or_none: false }),
            ("sla", Arity::Repeat),
        ] {
            table.insert(name, arity, false);
        }
        table.insert("extra-body", Arity::One, true);
        table
    }

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn read(words: &[&str]) -> Result<Vec<String>, String> {
        normalise(&strings(words), &table(), Compat::Vbench).map(|n| n.words()).map_err(|e| e.to_string())
    }

    #[test]
    fn underscores_abbreviations_and_equals() {
        assert_eq!(read(&["--save_res", "--top_k=5"]).unwrap(), ["--save-result", "--top-k=5"]);
        assert_eq!(read(&["--label", "a_b"]).unwrap(), ["--label=a_b"]);
        assert_eq!(
            read(&["--save"]).unwrap_err(),
            "ambiguous option: --save could match --save-result, --save-detailed"
        );
        assert_eq!(read(&["--save-req", "f"]).unwrap(), ["--save-requests=f"]);
        assert_eq!(read(&["--nonsense", "--x.y"]).unwrap(), ["--nonsense", "--x.y"]);
    }

    #[test]
    fn a_flag_of_a_plugin_that_is_not_loaded_is_named() {
        for flag in ["--asr-max", "--asr-min-audio-len-sec", "--random-input-len"] {
            assert!(read(&[flag, "1"]).unwrap_err().contains("option of plugins"), "{flag}");
        }
    }

    #[test]
    fn lists_end_at_the_next_flag() {
        let words = ["--header", "a=1", "b=-2", "-1", "--save-result", "stray"];
        assert_eq!(
            read(&words).unwrap(),
            ["--header=a=1", "--header=b=-2", "--header=-1", "--save-result", "stray"]
        );
        assert_eq!(read(&["--header", "a=1", "--header", "b=2"]).unwrap(), ["--header=b=2"]);
        assert_eq!(read(&["--header=a=1", "b=2"]).unwrap(), ["--header=a=1", "b=2"]);
        assert_eq!(read(&["--header", "--goodput"]).unwrap(), ["--goodput"]);
    }

    #[test]
    fn the_last_of_repeated_flags_counts() {
        let words = strings(&["--top-k", "1", "--label", "x", "--top-k", "2", "--sla", "a", "--sla", "b"]);
        let normalised = normalise(&words, &table(), Compat::Vbench).unwrap();
        assert_eq!(normalised.words(), ["--top-k=2", "--label=x", "--sla=a", "--sla=b"]);
        assert_eq!(normalised.duplicates, ["--top-k"]);
    }

    #[test]
    fn negative_numbers_are_values_except_for_decimals_in_the_reference() {
        assert_eq!(read(&["--presence-penalty", "-0.2"]).unwrap(), ["--presence-penalty=-0.2"]);
        assert_eq!(read(&["--top-k", "-1"]).unwrap(), ["--top-k=-1"]);
        assert_eq!(read(&["--label", "-x"]).unwrap(), ["--label", "-x"]);
        for words in [&["--presence-penalty", "-0.2"][..], &["--presence-penalty", "-.5", "--save-result"]] {
            let error = normalise(&strings(words), &table(), Compat::V033).unwrap_err().to_string();
            assert!(error.starts_with("unrecognized arguments: -"), "{error}");
        }
        let words = strings(&["--presence-penalty=-0.2", "--top-k", "-1"]);
        assert!(normalise(&words, &table(), Compat::V033).is_ok());
    }

    #[test]
    fn dotted_flags_become_one_object_at_the_end() {
        let words = [
            "--extra-body.a.b",
            "1",
            "--extra-body.list+",
            "x",
            "--extra-body.list+=y,z",
            "--extra-body.size",
            "2k",
            "--extra_body.s",
            "txt",
            "--extra-body.under_score=-1.5",
            "--label",
            "l",
        ];
        assert_eq!(
            read(&words).unwrap(),
            [
                "--label=l",
                r#"--extra-body={"a":{"b":1},"list":["x","y","z"],"size":2000,"s":"txt","under_score":-1.5}"#,
            ]
        );
        assert_eq!(
            read(&["--label.a", "1"]).unwrap_err(),
            "--label.a: `--label` takes no JSON, so it has no dotted form"
        );
        assert_eq!(read(&["--extra-body.a"]).unwrap_err(), "--extra-body.a: a value is missing");
        let words = strings(&["--extra-body.a", "1", "--extra-body", "{}", "--extra-body.a", "2"]);
        let normalised = normalise(&words, &table(), Compat::Vbench).unwrap();
        assert_eq!(normalised.words(), [r#"--extra-body={"a":2}"#]);
        assert_eq!(normalised.duplicates, ["--extra-body", "--extra-body.a"]);
    }

    #[test]
    fn renamed_flags_of_older_releases() {
        let mut table = table();
        table.insert("random-prefix-len", Arity::One, false);
        let words = strings(&["--common-prefix-len", "5"]);
        assert_eq!(normalise(&words, &table, Compat::V012).unwrap().words(), ["--random-prefix-len=5"]);
        assert!(
            normalise(&words, &table, Compat::Vbench)
                .unwrap_err()
                .to_string()
                .contains("--random-prefix-len")
        );
    }

    proptest! {
        /// Whatever the words are: no panic, and what came out reads as itself.
        #[test]
        fn reading_again_changes_nothing(words in prop::collection::vec(
            prop_oneof![
                "--(save_result|top-k|label|header|sla|extra-body)(=-?[a-z0-9.]{0,4})?",
                "--extra[_-]body\\.[a-c]\\+?(=[a-z0-9,]{0,3})?",
                "-?[0-9]{1,2}(\\.[0-9])?",
                ".{0,6}",
            ], 0..12)) {
            if let Ok(first) = normalise(&words, &table(), Compat::Vbench) {
                // A value missing before a stray word would pick it up the second time.
                prop_assume!(first.pieces.iter().all(|piece| match piece {
                    Piece::Word(_) => false,
                    Piece::Flag { values, name } => values.as_ref().is_some_and(|v| name != "header" || v.len() == 1)
                        || name.starts_with("save"),
                }));
                let second = normalise(&first.words(), &table(), Compat::Vbench).unwrap();
                prop_assert_eq!(&second.pieces, &first.pieces);
                prop_assert!(second.duplicates.is_empty());
            }
        }

        /// `--flag value` and `--flag=value` are the same.
        #[test]
        fn equals_sign_or_blank(value in "[^-].{0,8}|-[0-9]{1,3}") {
            prop_assert_eq!(read(&["--label", &value]).unwrap(), read(&[&format!("--label={value}")]).unwrap());
        }
    }
}

//! What can be wrong with a user's file, and where.

use std::fmt;
use std::io;

use crate::fault::Cause;

/// A file that cannot be used, or a request for rows that cannot be met.
///
/// The text names the file as the user wrote it, the place in it as far as it
/// is known, and what is wrong.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`{at}: {problem}")]
pub struct DataError {
    /// The path as the user wrote it, with the member of a directory appended.
    pub file: String,
    /// Where in the file.
    pub at: At,
    /// What is wrong.
    pub problem: Problem,
}

impl DataError {
    pub(super) fn new(file: &str, at: At, problem: Problem) -> Self {
        Self { file: file.to_owned(), at, problem }
    }

    /// Who has to act, in the words of the plugin contract.
    pub fn cause(&self) -> Cause {
        match self.problem {
            Problem::Open(_)
            | Problem::Directory
            | Problem::NotADirectory
            | Problem::Outside
            | Problem::Special(_)
            | Problem::UnknownEnding => Cause::Config,
            Problem::Member | Problem::NoSuchRow { .. } | Problem::AnswerTooLong { .. } => Cause::Internal,
            Problem::BinaryColumn(_) => Cause::Unsupported,
            _ => Cause::Input,
        }
    }
}

/// A place in a file; every number counts from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// The row, for files in which rows are not lines.
    pub row: Option<u64>,
    /// The line.
    pub line: Option<u64>,
    /// The byte within the line.
    pub column: Option<u64>,
}

impl At {
    /// No particular place: the file as a whole.
    pub const NOWHERE: Self = Self { row: None, line: None, column: None };

    /// A row.
    pub fn row(row: u64) -> Self {
        Self { row: Some(row), ..Self::NOWHERE }
    }

    /// A line.
    pub fn line(line: u64) -> Self {
        Self { line: Some(line), ..Self::NOWHERE }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in [("row", self.row), ("line", self.line), ("column", self.column)] {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        Ok(())
    }
}

/// What is wrong with a file or with a request for its rows.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The operating system refused to open it.
    #[error("cannot be opened: {0}")]
    Open(#[source] io::Error),
    /// The operating system failed to read it.
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    /// A directory where a file is needed.
    #[error("is a directory, where a file is needed")]
    Directory,
    /// A member was asked for, but the path is no directory.
    #[error("is not a directory, so there is no file inside it")]
    NotADirectory,
    /// The name of a member is absolute, empty, or has `..` in it.
    #[error("the name of a file inside a directory must be relative and without `..`")]
    Member,
    /// A symbolic link leads out of the directory that the user named.
    #[error("leads outside of the directory that was named; name the directory that holds the file itself")]
    Outside,
    /// A FIFO, a device, a socket.
    #[error("is {0}, not a file that can be read by row")]
    Special(&'static str),
    /// The ending does not tell the format.
    #[error("the ending does not tell the format: use .json, .jsonl, .ndjson, .csv, .parquet or .txt")]
    UnknownEnding,
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// The file begins with the byte order mark of UTF-16.
    #[error("is UTF-16; save it as UTF-8")]
    Utf16,
    /// A row is not UTF-8.
    #[error("not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// A row of a text file holds a NUL byte.
    #[error("a NUL byte, so this is not a text file in UTF-8")]
    NulByte,
    /// A JSON file whose value is no array.
    #[error(
        "holds {0} where an array of rows is needed; a file with one value a line is JSON Lines (.jsonl)"
    )]
    NotAnArray(&'static str),
    /// The file ends before the array does.
    #[error("the file ends before the array of rows does; it may be cut off")]
    Unfinished,
    /// Text after the end of the array.
    #[error("text after the end of the array of rows")]
    TrailingData,
    /// A byte that cannot stand where it stands.
    #[error("found {found}, expected {expected}")]
    Unexpected {
        /// The byte, as readable text.
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A row is no JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// Brackets within brackets beyond what JSON readers take.
    #[error("nested more than {limit} levels deep")]
    TooDeep {
        /// The levels that are taken.
        limit: usize,
    },
    /// A row beyond the size limit.
    #[error("a row of more than {} MiB", limit_bytes >> 20)]
    RowTooLong {
        /// The size that is taken.
        limit_bytes: u64,
    },
    /// More rows than the index takes.
    #[error("more than {limit} rows; split the file")]
    TooManyRows {
        /// The number that is taken.
        limit: usize,
    },
    /// Columns were asked for, but the row has none.
    #[error("the row is {0}, not an object with columns")]
    NotAnObject(&'static str),
    /// A CSV row with more or fewer cells than the header.
    #[error("the row has {found} cells, the header has {expected}")]
    UnevenRow {
        /// Cells of the row.
        found: u64,
        /// Cells of the header.
        expected: u64,
    },
    /// A CSV file that cannot be split into rows.
    #[error("not valid CSV: {0}")]
    Csv(String),
    /// A Parquet file that cannot be decoded.
    #[error("not a valid Parquet file: {0}")]
    Parquet(String),
    /// The Parquet decoder gave up without an error.
    #[error("the Parquet decoder failed; the file is damaged or uses a type that is not supported ({0})")]
    ParquetPanic(String),
    /// A column of bytes was asked for, and nothing takes them.
    #[error("binary column `{0}` has no place to go to")]
    BinaryColumn(String),
    /// The file is not what it was when it was opened.
    #[error("the file was changed while it was in use")]
    Changed,
    /// A row beyond the last.
    #[error("there is no row with index {index}: the file has {count} rows")]
    NoSuchRow {
        /// The index asked for; the first is 0.
        index: u64,
        /// Rows of the file.
        count: u64,
    },
    /// The rows asked for in one call are too much.
    #[error("the rows asked for at once exceed {} MiB; ask for fewer", limit_bytes >> 20)]
    AnswerTooLong {
        /// The size that is taken.
        limit_bytes: usize,
    },
}

/// A byte as a message shows it.
pub(super) fn readable(byte: u8) -> String {
    match byte {
        b' '..=b'~' => format!("`{}`", char::from(byte)),
        0 => "a NUL byte".to_owned(),
        _ => format!("byte 0x{byte:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_names_file_place_and_problem() {
        let at = At { row: Some(2), line: Some(7), column: Some(4) };
        let error = DataError::new("a/b.json", at, Problem::TrailingData);
        assert_eq!(
            error.to_string(),
            "`a/b.json`, row 2, line 7, column 4: text after the end of the array of rows"
        );
        let error = DataError::new("a", At::NOWHERE, Problem::RowTooLong { limit_bytes: 64 << 20 });
        assert_eq!(error.to_string(), "`a`: a row of more than 64 MiB");
    }

    #[test]
    fn causes_tell_user_from_plugin() {
        let cause = |problem| DataError::new("f", At::NOWHERE, problem).cause();
        assert_eq!(cause(Problem::Directory), Cause::Config);
        assert_eq!(cause(Problem::NotUtf8), Cause::Input);
        assert_eq!(cause(Problem::NoSuchRow { index: 1, count: 0 }), Cause::Internal);
        assert_eq!(cause(Problem::BinaryColumn("b".into())), Cause::Unsupported);
    }
}

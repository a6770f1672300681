//! Rows of the user's files, read by index: the native side of the contract's
//! `table`.
//!
//! A file is opened within what the user named ([`open()`]), streamed once to
//! note where its rows begin, and then read by position, so that neither its
//! size nor the order of reading decides how much memory it takes. Each format
//! has a file of its own; `row` knows JSON text, `source` reads by position,
//! `offsets` holds the places.
//!
//! Nothing here knows about plugins, options or sampling, and of the crate only
//! `fault` is used, for whose an error is.

mod csv;
mod error;
mod json_array;
mod json_lines;
mod json_rows;
mod lines;
mod offsets;
mod open;
mod parquet;
mod parquet_footer;
mod row;
mod rows;
mod source;

use std::fmt;

pub use error::{At, DataError, Problem};
pub use open::{Format, open, open_file, open_member};

use rows::Rows;

/// Takes the bytes of a cell and gives a text that stands for them in its row.
pub trait Cells: Send + Sync {
    /// Called for cells of rows that were asked for only.
    fn put(&self, bytes: bytes::Bytes) -> String;
}

/// The rows of one file.
///
/// A row is JSON text. Text files give it as it stands in the file: numbers
/// keep their digits, objects their spaces and duplicate keys.
pub struct Table {
    rows: Box<dyn Rows>,
}

/// Where a row stands in the user's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The path as the user wrote it, with the member of a directory appended.
    pub file: String,
    /// The line for JSON Lines, CSV and text, else the row; the first is 1.
    /// None for a row that does not exist.
    pub row: Option<u64>,
}

impl Table {
    fn new(rows: Box<dyn Rows>) -> Self {
        Self { rows }
    }

    /// Number of rows.
    pub fn count(&self) -> u64 {
        self.rows.count()
    }

    /// Names of the columns: a CSV's header, a Parquet file's top-level fields,
    /// the keys of the first object of a JSON file. Empty for lines of text and
    /// where no row is an object.
    ///
    /// # Errors
    /// A row up to the first object is not valid, or the file cannot be read.
    pub fn columns(&self) -> Result<Vec<String>, DataError> {
        self.rows.columns()
    }

    /// The rows with these indices (the first is 0), in this order; one may be
    /// asked for more than once.
    ///
    /// With `columns` a row has these keys only, in the order asked for, and
    /// without those that it does not have; the last of duplicate keys wins.
    /// Without, it has all, save the binary columns of a Parquet file that was
    /// opened without [`Cells`] to put them in.
    ///
    /// # Errors
    /// An index beyond the last row; a row that is not valid, or no object
    /// while columns are asked for; a binary column asked for by
    /// name without a place for its cells; more
    /// than 128 MiB in one call; a file that changed or cannot be read.
    pub fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError> {
        self.rows.read(indices, columns)
    }

    /// For every row the number of items of the array, or of Unicode scalar
    /// values of the string, that the column holds; -1 where there is none.
    ///
    /// # Errors
    /// A row that is not valid, or a file that changed or cannot be read.
    pub fn lengths(&self, column: &str) -> Result<Vec<i64>, DataError> {
        self.rows.lengths(column)
    }

    /// Where a row stands in the user's file, for messages.
    pub fn locate(&self, index: u64) -> Location {
        let row = (index < self.count()).then(|| self.rows.position(index));
        Location { file: self.rows.source().name().to_owned(), row }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("file", &self.rows.source().name())
            .field("count", &self.count())
            .finish()
    }
}

#[cfg(test)]
mod testing {
    use std::io::Write as _;
    use std::path::Path;

    use super::source::Source;

    /// A file with this content, called `file`.
    pub(super) fn source(content: &[u8]) -> Source {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        Source::new(file, "file".to_owned(), content.len() as u64)
    }

    /// A file of `tests/fixtures/data`.
    pub(super) fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/data");
        std::fs::read(folder.join(name)).unwrap()
    }
}

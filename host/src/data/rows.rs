//! What every format offers, and what keeps an answer within bounds.

use super::error::{At, DataError, Problem};
use super::source::Source;

/// The most text that one call hands out.
const MAX_ANSWER_BYTES: usize = 128 << 20;

/// Rows of one file; see [`Table`](super::Table) for what each function means.
pub(super) trait Rows: Send {
    fn count(&self) -> u64;
    fn columns(&self) -> Result<Vec<String>, DataError>;
    fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError>;
    fn lengths(&self, column: &str) -> Result<Vec<i64>, DataError>;
    /// Line of a line-based file, else row; the first is 1.
    fn position(&self, index: u64) -> u64;
    fn source(&self) -> &Source;
}

/// Rows as they are found, put into the order in which they were asked for.
pub(super) struct Answer {
    rows: Vec<String>,
    bytes: usize,
}

impl Answer {
    pub(super) fn new(count: usize) -> Self {
        Self { rows: vec![String::new(); count], bytes: 0 }
    }

    /// Takes the row for one place of the answer.
    pub(super) fn put(&mut self, source: &Source, slot: usize, row: String) -> Result<(), DataError> {
        self.bytes += row.len();
        if self.bytes > MAX_ANSWER_BYTES {
            let problem = Problem::AnswerTooLong { limit_bytes: MAX_ANSWER_BYTES };
            return Err(source.error(At::NOWHERE, problem));
        }
        self.rows[slot] = row;
        Ok(())
    }

    pub(super) fn into_rows(self) -> Vec<String> {
        self.rows
    }
}

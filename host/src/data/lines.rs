//! Plain text: every line is a row, its end included.

use super::error::{At, DataError, Problem};
use super::json_lines::{Blank, index_lines};
use super::offsets::Offsets;
use super::row;
use super::rows::{Answer, Rows};
use super::source::Source;

/// An indexed text file. Blank lines are rows, so row and line go in step.
///
/// A line end of carriage return and line feed is handed out as a line feed,
/// as readers of text files do.
#[derive(Debug)]
pub(super) struct TextLines {
    source: Source,
    offsets: Offsets,
}

/// Opens a text file, reading `chunk_bytes` at once.
pub(super) fn open(source: Source, chunk_bytes: usize) -> Result<TextLines, DataError> {
    let (offsets, _) = index_lines(&source, chunk_bytes, Blank::Keep)?;
    Ok(TextLines { source, offsets })
}

impl TextLines {
    fn line(&self, index: u64, bytes: &[u8]) -> Result<String, DataError> {
        let fault = |offset: usize, problem| {
            let at = At { column: Some(offset as u64 + 1), ..At::line(index + 1) };
            self.source.error(at, problem)
        };
        if let Some(nul) = memchr::memchr(0, bytes) {
            return Err(fault(nul, Problem::NulByte));
        }
        let text = row::text(bytes).map_err(|error| fault(error.offset, error.problem))?;
        Ok(match text.strip_suffix("\r\n") {
            Some(text) => row::quoted(&format!("{text}\n")),
            None => row::quoted(text),
        })
    }
}

impl Rows for TextLines {
    fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    fn columns(&self) -> Result<Vec<String>, DataError> {
        Ok(Vec::new())
    }

    fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError> {
        let mut answer = Answer::new(indices.len());
        self.source.visit_rows(&self.offsets, indices, |slot, index, _, bytes| {
            if !columns.is_empty() {
                return Err(self.source.error(At::line(index + 1), Problem::NotAnObject("a line of text")));
            }
            answer.put(&self.source, slot, self.line(index, bytes)?)
        })?;
        Ok(answer.into_rows())
    }

    /// A line has no columns.
    fn lengths(&self, _column: &str) -> Result<Vec<i64>, DataError> {
        Ok(vec![-1; self.offsets.len()])
    }

    fn position(&self, index: u64) -> u64 {
        index + 1
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::source;
    use super::*;

    #[test]
    fn line_ends_are_part_of_the_row() {
        let mut table = open(source("\u{feff}one\n\ntwo \"é\"\r\nthree\r".as_bytes()), 4).unwrap();
        assert_eq!(table.count(), 4);
        assert_eq!(
            table.read(&[0, 1, 2, 3], &[]).unwrap(),
            [r#""one\n""#, r#""\n""#, r#""two \"é\"\n""#, r#""three\r""#]
        );
        assert_eq!(table.position(2), 3);
        assert_eq!(table.lengths("a").unwrap(), [-1; 4]);
    }

    #[test]
    fn bad_lines_say_where() {
        for (text, columns, message) in [
            (
                &b"a\nb\0c\n"[..],
                vec![],
                "`file`, line 2, column 2: a NUL byte, so this is not a text file in UTF-8",
            ),
            (b"a\n\xff\n", vec![], "`file`, line 2, column 1: not UTF-8; save the file as UTF-8"),
            (
                b"a\n",
                vec!["x".to_owned()],
                "`file`, line 1: the row is a line of text, not an object with columns",
            ),
        ] {
            let mut table = open(source(text), 16).unwrap();
            let all: Vec<u64> = (0..table.count()).collect();
            assert_eq!(table.read(&all, &columns).unwrap_err().to_string(), message);
        }
        assert!(matches!(open(source(b""), 16).unwrap_err().problem, Problem::Empty));
    }
}

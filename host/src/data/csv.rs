//! CSV with a header: every row an object of strings.
//!
//! The `csv` crate splits records to find where they begin; quotes may hold line
//! ends. Rows that are read are split again by `csv-core`, which is inside of it:
//! a splitter's tables take longer to build than a row takes to split.

use std::cell::Cell;
use std::io::{self, Read};

use csv::{ByteRecord, Error, ErrorKind, ReaderBuilder};
use csv_core::ReadRecordResult;

use super::error::{At, DataError, Problem};
use super::offsets::{LineNumbers, MAX_ROW_BYTES, Offsets, too_long};
use super::row;
use super::rows::{Answer, Rows};
use super::source::{CHUNK_BYTES, Source};

/// An indexed CSV file.
#[derive(Debug)]
pub(super) struct CsvRows {
    source: Source,
    header: Vec<String>,
    offsets: Offsets,
    /// As the splitter counts: before the line feed of a CRLF and before blank
    /// lines, which [`line_after_blanks`] adds.
    numbers: LineNumbers,
}

/// Opens a CSV file, reading `chunk_bytes` at once. A row with more or fewer
/// cells than the header is an error.
pub(super) fn open(source: Source, chunk_bytes: usize) -> Result<CsvRows, DataError> {
    source.text_start()?;
    let mut header = Vec::new();
    let mut offsets = Offsets::default();
    let mut numbers = LineNumbers::default();
    stream(&source, chunk_bytes, |place, record| {
        let fault = |problem| source.error(At::line(place.line_of(&source)), problem);
        match place.row {
            None => header = cells(record).map_err(fault)?,
            Some(row) => {
                numbers.push(row, place.line);
                offsets.push(place.offset).map_err(fault)?;
            }
        }
        Ok(())
    })?;
    let last = At::row(offsets.len() as u64);
    offsets.finish(source.size()).map_err(|problem| source.error(last, problem))?;
    if header.is_empty() {
        return Err(source.error(At::NOWHERE, Problem::Empty));
    }
    Ok(CsvRows { source, header, offsets, numbers })
}

/// Where the splitter found a record.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// From 0; the header has none.
    row: Option<u64>,
    offset: u64,
    line: u64,
}

impl Place {
    fn line_of(self, source: &Source) -> u64 {
        line_after_blanks(source, self.offset, self.line)
    }
}

/// Streams the records, the header first.
fn stream(
    source: &Source,
    chunk_bytes: usize,
    mut visit: impl FnMut(Place, &ByteRecord) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let unsplit = Cell::new(0);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        // At least the byte order mark must come in one piece.
        .buffer_capacity(chunk_bytes.max(16))
        .from_reader(Metered { source, offset: 0, unsplit: &unsplit });
    let mut record = ByteRecord::new();
    let mut row = None;
    let mut line = 1;
    loop {
        unsplit.set(0);
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => return Err(split_error(source, line, error)),
        }
        let position = record.position();
        let place = Place {
            row,
            offset: position.map_or(0, csv::Position::byte),
            line: position.map_or(1, csv::Position::line),
        };
        line = place.line;
        visit(place, &record)?;
        row = Some(row.map_or(0, |row| row + 1));
    }
}

/// The file as the splitter reads it. It gives up when one record swallows more
/// than a row may have, as an unclosed quote does with the rest of the file.
struct Metered<'a> {
    source: &'a Source,
    offset: u64,
    /// Bytes handed out since the last record was complete.
    unsplit: &'a Cell<u64>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unsplit.get() > MAX_ROW_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let read = self.source.read_some(self.offset, buffer)?;
        self.offset += read as u64;
        self.unsplit.set(self.unsplit.get() + read as u64);
        Ok(read)
    }
}

fn split_error(source: &Source, last_line: u64, error: Error) -> DataError {
    let text = error.to_string();
    match error.into_kind() {
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let at =
                pos.map_or(At::NOWHERE, |pos| At::line(line_after_blanks(source, pos.byte(), pos.line())));
            source.error(at, Problem::UnevenRow { found: len, expected: expected_len })
        }
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            // The record after the one on `last_line`.
            source.error(At::line(last_line + 1), too_long())
        }
        ErrorKind::Io(error) => source.io_error(error),
        _ => source.error(At::NOWHERE, Problem::Csv(text)),
    }
}

/// The line on which the record at `offset` really begins: the splitter gives
/// the end of the record before it, ahead of blank lines and of the line feed
/// of a CRLF.
fn line_after_blanks(source: &Source, offset: u64, line: u64) -> u64 {
    let mut line = line;
    let mut offset = offset;
    let mut buffer = [0; 256];
    while let Ok(read @ 1..) = source.read_some(offset, &mut buffer) {
        for byte in &buffer[..read] {
            match byte {
                b'\n' => line += 1,
                b'\r' => {}
                _ => return line,
            }
        }
        offset += read as u64;
    }
    line
}

fn cells(record: &ByteRecord) -> Result<Vec<String>, Problem> {
    record.iter().map(|cell| cell_text(cell).map(str::to_owned)).collect()
}

fn cell_text(cell: &[u8]) -> Result<&str, Problem> {
    if cell.contains(&0) {
        return Err(Problem::NulByte);
    }
    std::str::from_utf8(cell).map_err(|_| Problem::NotUtf8)
}

impl CsvRows {
    /// One row as a JSON object of the cells in `kept`: quoted name, cell.
    fn object(
        &self,
        splitter: &mut csv_core::Reader,
        bytes: &[u8],
        kept: &[(String, usize)],
    ) -> Result<String, Problem> {
        let (text, ends) = self.split(splitter, bytes).ok_or(Problem::Changed)?;
        let mut object = String::with_capacity(bytes.len() + 2);
        object.push('{');
        for (name, column) in kept {
            let start = column.checked_sub(1).map_or(0, |before| ends[before]);
            row::push_field(&mut object, name, &row::quoted(cell_text(&text[start..ends[*column]])?));
        }
        object.push('}');
        Ok(object)
    }

    /// The cells of a row end to end, and where each ends; none if they are not as
    /// many as those of the header.
    fn split(&self, splitter: &mut csv_core::Reader, bytes: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
        splitter.reset();
        // A byte order mark is one at the start of the file alone, and part of a cell further down.
        splitter.read_record(b"\n", &mut [0], &mut [0]);
        // One more of each than there can be, since the splitter stops where it has no room.
        let (mut text, mut ends) = (vec![0; bytes.len() + 1], vec![0; self.header.len() + 1]);
        let (mut input, mut written, mut ended) = (bytes, 0, 0);
        loop {
            // Nothing in is the end of the file, where a row ends without a line end.
            let (result, read, wrote, found) =
                splitter.read_record(input, &mut text[written..], &mut ends[ended..]);
            input = &input[read..];
            written += wrote;
            ended += found;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record if ended == self.header.len() => {
                    ends.truncate(ended);
                    return Some((text, ends));
                }
                _ => return None,
            }
        }
    }

    /// The last column of that name, as the last of duplicate keys wins.
    fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().rposition(|column| column == name)
    }
}

impl Rows for CsvRows {
    fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    fn columns(&self) -> Result<Vec<String>, DataError> {
        Ok(self.header.clone())
    }

    fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError> {
        let names = row::distinct(if columns.is_empty() { &self.header } else { columns });
        let kept: Vec<(String, usize)> =
            names.iter().filter_map(|name| Some((row::quoted(name), self.column(name)?))).collect();
        let mut answer = Answer::new(indices.len());
        // One for all rows.
        let mut splitter = csv_core::Reader::new();
        self.source.visit_rows(&self.offsets, indices, |slot, index, _, bytes| {
            let object = self
                .object(&mut splitter, bytes, &kept)
                .map_err(|problem| self.source.error(At::line(self.position(index)), problem))?;
            answer.put(&self.source, slot, object)
        })?;
        Ok(answer.into_rows())
    }

    fn lengths(&self, column: &str) -> Result<Vec<i64>, DataError> {
        let Some(column) = self.column(column) else {
            return Ok(vec![-1; self.offsets.len()]);
        };
        let mut lengths = Vec::with_capacity(self.offsets.len());
        stream(&self.source, CHUNK_BYTES, |place, record| {
            if place.row.is_some() {
                let text = cell_text(record.get(column).unwrap_or_default())
                    .map_err(|problem| self.source.error(At::line(place.line_of(&self.source)), problem))?;
                lengths.push(text.chars().count() as i64);
            }
            Ok(())
        })?;
        if lengths.len() != self.offsets.len() {
            return Err(self.source.error(At::NOWHERE, Problem::Changed));
        }
        Ok(lengths)
    }

    fn position(&self, index: u64) -> u64 {
        let (offset, _) = self.offsets.span(index as usize);
        line_after_blanks(&self.source, offset, self.numbers.line(index))
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixture, source};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cells_are_strings_and_lines_are_right() {
        for end in ["\n", "\r\n"] {
            let text = "\u{feff}a,b\n1,\"x\ny\"\n\n\n\u{feff}2,\"\"\"q\"\"\"\n3,é\n".replace('\n', end);
            for chunk in [1, 17, 4096] {
                let mut table = open(source(text.as_bytes()), chunk).unwrap();
                assert_eq!(table.columns().unwrap(), ["a", "b"]);
                let inner = end.replace('\r', "\\r").replace('\n', "\\n");
                assert_eq!(
                    table.read(&[2, 0, 1], &[]).unwrap(),
                    [
                        "{\"a\":\"3\",\"b\":\"é\"}".to_owned(),
                        format!("{{\"a\":\"1\",\"b\":\"x{inner}y\"}}"),
                        "{\"a\":\"\u{feff}2\",\"b\":\"\\\"q\\\"\"}".to_owned(),
                    ]
                );
                assert_eq!(table.read(&[0], &["b".into(), "none".into()]).unwrap().len(), 1);
                assert_eq!((0..3).map(|row| table.position(row)).collect::<Vec<_>>(), [2, 6, 7]);
                assert_eq!(table.lengths("b").unwrap(), [2 + end.len() as i64, 3, 1]);
                assert_eq!(table.lengths("none").unwrap(), [-1; 3]);
            }
        }
    }

    #[test]
    fn bad_files_say_where() {
        for (text, message) in [
            (&b""[..], "`file`: is empty"),
            (b"\n\n", "`file`: is empty"),
            (b"a,b\r\n1,2\r\n\r\n3\r\n", "`file`, line 4: the row has 1 cells, the header has 2"),
            (b"a\nx\n\xff\n", "`file`, line 3: not UTF-8; save the file as UTF-8"),
            (b"a\nx\0\n", "`file`, line 2: a NUL byte, so this is not a text file in UTF-8"),
            (b"a\xff\nx\n", "`file`, line 1: not UTF-8; save the file as UTF-8"),
        ] {
            let error = open(source(text), 32).and_then(|mut table| {
                let all: Vec<u64> = (0..table.count()).collect();
                table.read(&all, &[])
            });
            assert_eq!(error.unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn a_reference_file() {
        let mut table = open(source(&fixture("burstgpt.csv")), 64).unwrap();
        assert_eq!(table.columns().unwrap()[2..4], ["Request tokens", "Response tokens"]);
        assert_eq!(
            table.read(&[1], &["Model".into(), "Request tokens".into()]).unwrap(),
            [r#"{"Model":"ChatGPT","Request tokens":"53"}"#]
        );
        assert_eq!(table.position(1), 3);
        assert_eq!(table.count() as usize, fixture("burstgpt.csv").split(|byte| *byte == b'\n').count() - 2);
    }

    proptest! {
        #[test]
        fn rows_are_those_of_the_writer(
            rows in prop::collection::vec(("[a\",\r\n ]{0,6}", "\\PC{0,4}"), 0..12),
            chunk_bytes in 1..64usize,
        ) {
            let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(["x", "y"]).unwrap();
            for (x, y) in &rows {
                writer.write_record([x, y]).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let mut table = open(source(&text), chunk_bytes).unwrap();
            let all: Vec<u64> = (0..table.count()).collect();
            let found: Vec<(String, String)> = table
                .read(&all, &[])
                .unwrap()
                .iter()
                .map(|row| {
                    let row: serde_json::Value = serde_json::from_str(row).unwrap();
                    (row["x"].as_str().unwrap().to_owned(), row["y"].as_str().unwrap().to_owned())
                })
                .collect();
            prop_assert_eq!(found, rows);
        }
    }
}

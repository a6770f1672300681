//! JSON Lines: a JSON value on every line. Blank lines are no rows, but count
//! as lines.

use super::error::{At, DataError, Problem};
use super::json_rows::{JsonRows, Layout};
use super::offsets::{LineNumbers, Offsets};
use super::source::Source;

/// Opens a JSON Lines file, reading `chunk_bytes` at once.
pub(super) fn open(source: Source, chunk_bytes: usize) -> Result<JsonRows, DataError> {
    let (offsets, numbers) = index_lines(&source, chunk_bytes, Blank::Skip)?;
    if offsets.len() == 0 {
        return Err(source.error(At::NOWHERE, Problem::Empty));
    }
    Ok(JsonRows { source, offsets, layout: Layout::Lines(numbers) })
}

/// What becomes of lines with nothing but white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blank {
    Keep,
    Skip,
}

/// Finds the lines of a file. Only the line feed ends a line; a carriage
/// return before it belongs to the line.
pub(super) fn index_lines(
    source: &Source,
    chunk_bytes: usize,
    blank: Blank,
) -> Result<(Offsets, LineNumbers), DataError> {
    let mut offsets = Offsets::default();
    let mut numbers = LineNumbers::default();
    let mut line = 1;
    let mut line_start = source.text_start()?;
    // Whether the line holds a row, as far as it was seen.
    let mut filled = blank == Blank::Keep;
    let mut add = |line, line_start| {
        numbers.push(offsets.len() as u64, line);
        offsets.push(line_start)
    };
    let fault = |line: u64, problem| source.error(At::line(line), problem);
    let mut last_line = 1;
    source.stream(line_start, chunk_bytes, |base, chunk| {
        let mut from = 0;
        for newline in memchr::memchr_iter(b'\n', chunk) {
            if filled || !chunk[from..newline].trim_ascii().is_empty() {
                add(line, line_start).map_err(|problem| fault(last_line, problem))?;
                last_line = line;
            }
            filled = blank == Blank::Keep;
            from = newline + 1;
            line += 1;
            line_start = base + from as u64;
        }
        filled |= !chunk[from..].trim_ascii().is_empty();
        Ok(())
    })?;
    if filled && line_start < source.size() {
        add(line, line_start).map_err(|problem| fault(last_line, problem))?;
        last_line = line;
    }
    offsets.finish(source.size()).map_err(|problem| fault(last_line, problem))?;
    Ok((offsets, numbers))
}

#[cfg(test)]
mod tests {
    use super::super::rows::Rows;
    use super::super::testing::{fixture, source};
    use super::*;
    use proptest::prelude::*;

    fn all(table: &mut JsonRows, columns: &[String]) -> Result<Vec<String>, DataError> {
        let all: Vec<u64> = (0..table.count()).collect();
        table.read(&all, columns)
    }

    #[test]
    fn blank_lines_are_counted_but_no_rows() {
        let text = b"\xef\xbb\xbf\n{\"a\":1}\r\n  \t\r\n\n[2] \n\"last\"";
        for chunk in 1..12 {
            let mut table = open(source(text), chunk).unwrap();
            assert_eq!(all(&mut table, &[]).unwrap(), ["{\"a\":1}", "[2]", "\"last\""], "chunk {chunk}");
            assert_eq!((0..3).map(|row| table.position(row)).collect::<Vec<_>>(), [2, 5, 6]);
            assert_eq!(table.columns().unwrap(), ["a"]);
        }
    }

    #[test]
    fn rows_come_in_the_order_asked_for() {
        let mut table = open(source(b"0\n1\n2\n3\n"), 4).unwrap();
        assert_eq!(table.read(&[3, 0, 3, 1], &[]).unwrap(), ["3", "0", "3", "1"]);
        let error = table.read(&[0, 4], &[]).unwrap_err().to_string();
        assert_eq!(error, "`file`: there is no row with index 4: the file has 4 rows");
    }

    #[test]
    fn bad_rows_say_where() {
        for (text, message) in [
            (&b"\n \n"[..], "`file`: is empty"),
            (b"{}\n\n{\"a\":}\n", "`file`, line 3, column 6: not valid JSON: expected value"),
            (b"{}\n{\"a\":1},\n", "`file`, line 2, column 8: not valid JSON: trailing characters"),
            (b"{}\n{\"a\":\"\xc3\"}\n", "`file`, line 2, column 7: not UTF-8; save the file as UTF-8"),
            (
                b"{\"a\":\"\0\"}\n",
                "`file`, line 1, column 7: a NUL byte, so this is not a text file in UTF-8",
            ),
        ] {
            let error = open(source(text), 16).and_then(|mut table| all(&mut table, &[])).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let error =
            open(source(b"{}\n7\n"), 16).and_then(|mut table| all(&mut table, &["a".into()])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`file`, line 2, column 1: the row is a number, not an object with columns"
        );
    }

    #[test]
    fn lengths_of_a_reference_file() {
        let table = open(source(&fixture("conversations.jsonl")), 100).unwrap();
        let expected: Vec<i64> = String::from_utf8(fixture("conversations.jsonl"))
            .unwrap()
            .lines()
            .map(|line| {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                row["conversations"].as_array().map_or(-1, |turns| turns.len() as i64)
            })
            .collect();
        assert!(expected.len() > 3);
        assert_eq!(table.lengths("conversations").unwrap(), expected);
        assert_eq!(table.lengths("none").unwrap(), vec![-1; expected.len()]);
    }

    proptest! {
        #[test]
        fn lines_are_those_of_str_lines(text in "[a \n\r]{1,60}", chunk_bytes in 1..20usize) {
            let source = source(text.as_bytes());
            let expected: Vec<(u64, &str)> = text
                .split_inclusive('\n')
                .enumerate()
                .filter(|(_, line)| !line.trim_ascii().is_empty())
                .map(|(at, line)| (at as u64 + 1, line.trim_ascii()))
                .collect();
            let (offsets, numbers) = index_lines(&source, chunk_bytes, Blank::Skip).unwrap();
            let found: Vec<(u64, &str)> = (0..offsets.len())
                .map(|row| {
                    let (start, end) = offsets.span(row);
                    (numbers.line(row as u64), text[start as usize..end as usize].trim_ascii())
                })
                .collect();
            prop_assert_eq!(found, expected);
            let (kept, _) = index_lines(&source, chunk_bytes, Blank::Keep).unwrap();
            prop_assert_eq!(kept.len(), text.split_inclusive('\n').count());
        }
    }
}

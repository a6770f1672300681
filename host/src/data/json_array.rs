//! A JSON file that holds one array: found by a single streaming pass that
//! notes where its elements begin.
//!
//! The pass follows strings, escapes and brackets only. Whether an element is
//! valid JSON is found out when it is read, so that opening a large file costs
//! little more than reading it.

use super::error::{At, DataError, Problem, readable};
use super::json_rows::{JsonRows, Layout};
use super::offsets::{MAX_ROW_BYTES, Offsets, too_long};
use super::row::{self, MAX_DEPTH};
use super::source::Source;

/// Opens a JSON file, reading `chunk_bytes` at once.
pub(super) fn open(source: Source, chunk_bytes: usize) -> Result<JsonRows, DataError> {
    let mut scanner = Scanner::default();
    let start = source.text_start()?;
    let at = |scanner: &Scanner, offset: u64| {
        let row = (scanner.offsets.len() > 0).then_some(scanner.offsets.len() as u64);
        At { row, ..source.place_of(offset) }
    };
    source.stream(start, chunk_bytes, |offset, chunk| {
        scanner.feed(offset, chunk).map_err(|fault| source.error(at(&scanner, fault.offset), fault.problem))
    })?;
    let end = source.size();
    match scanner.state {
        State::AfterArray => {}
        State::BeforeArray => return Err(source.error(At::NOWHERE, Problem::Empty)),
        _ => return Err(source.error(at(&scanner, end), Problem::Unfinished)),
    }
    Ok(JsonRows { source, offsets: scanner.offsets, layout: Layout::Array })
}

#[derive(Debug)]
struct ScanFault {
    offset: u64,
    problem: Problem,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    BeforeArray,
    /// After the opening bracket: an element or the end.
    BeforeFirst,
    /// After a comma: an element.
    BeforeNext,
    /// Inside a number, a boolean or null.
    Scalar,
    /// Inside an object or array, outside of strings.
    Container,
    /// Inside a string, of any depth.
    String,
    /// After a backslash inside a string.
    Escape,
    /// After an element: a comma or the end.
    AfterElement,
    AfterArray,
}

/// Finds the elements of the array in pieces of text of any length.
#[derive(Debug, Default)]
struct Scanner {
    state: State,
    /// Open brackets of the element.
    depth: usize,
    /// Which of them are braces, the innermost in the lowest bit.
    braces: u128,
    element_start: u64,
    offsets: Offsets,
}

impl Scanner {
    fn feed(&mut self, base: u64, chunk: &[u8]) -> Result<(), ScanFault> {
        let mut at = 0;
        while at < chunk.len() {
            at = match self.state {
                State::String => match memchr::memchr2(b'"', b'\\', &chunk[at..]) {
                    None => chunk.len(),
                    Some(found) => {
                        let escape = chunk[at + found] == b'\\';
                        self.state = if escape { State::Escape } else { self.after_value() };
                        at + found + 1
                    }
                },
                State::Escape => {
                    self.state = State::String;
                    at + 1
                }
                State::Container => {
                    let structural = |byte: &u8| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']');
                    match chunk[at..].iter().position(structural) {
                        None => chunk.len(),
                        Some(found) => {
                            at += found;
                            self.bracket(chunk[at]).map_err(|problem| fault(base, at, problem))?;
                            at + 1
                        }
                    }
                }
                State::Scalar => {
                    let ends = |byte: &u8| matches!(byte, b',' | b']') || byte.is_ascii_whitespace();
                    match chunk[at..].iter().position(ends) {
                        None => chunk.len(),
                        Some(found) => {
                            self.state = State::AfterElement;
                            at + found
                        }
                    }
                }
                _ => {
                    let byte = chunk[at];
                    if !byte.is_ascii_whitespace() {
                        self.between(base + at as u64, byte).map_err(|problem| fault(base, at, problem))?;
                    }
                    at + 1
                }
            };
        }
        let inside = matches!(self.state, State::Scalar | State::Container | State::String | State::Escape);
        if inside && base + at as u64 - self.element_start > MAX_ROW_BYTES {
            return Err(ScanFault { offset: self.element_start, problem: too_long() });
        }
        Ok(())
    }

    /// A byte outside of elements.
    fn between(&mut self, offset: u64, byte: u8) -> Result<(), Problem> {
        self.state = match (self.state, byte) {
            (State::BeforeArray, b'[') => State::BeforeFirst,
            (State::BeforeArray, b'{' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
                return Err(Problem::NotAnArray(row::kind(byte)));
            }
            (State::BeforeFirst | State::AfterElement, b']') => {
                self.offsets.finish(offset)?;
                State::AfterArray
            }
            (State::AfterElement, b',') => State::BeforeNext,
            (State::BeforeFirst | State::BeforeNext, b'{' | b'[' | b'"') => {
                self.begin(offset)?;
                self.state = State::Container;
                return self.bracket(byte);
            }
            (State::BeforeFirst | State::BeforeNext, b't' | b'f' | b'n' | b'-' | b'0'..=b'9') => {
                self.begin(offset)?;
                State::Scalar
            }
            (State::AfterArray, _) => return Err(Problem::TrailingData),
            (state, _) => {
                let expected = match state {
                    State::BeforeArray => "`[`, the start of an array of rows",
                    State::BeforeFirst => "a JSON value or `]`",
                    State::BeforeNext => "a JSON value",
                    _ => "`,` or `]`",
                };
                return Err(Problem::Unexpected { found: readable(byte), expected });
            }
        };
        Ok(())
    }

    fn begin(&mut self, offset: u64) -> Result<(), Problem> {
        self.element_start = offset;
        self.offsets.push(offset)
    }

    /// A quote or bracket of an element, outside of its strings.
    fn bracket(&mut self, byte: u8) -> Result<(), Problem> {
        match byte {
            b'"' => self.state = State::String,
            b'{' | b'[' => {
                if self.depth == MAX_DEPTH {
                    return Err(Problem::TooDeep { limit: MAX_DEPTH });
                }
                self.depth += 1;
                self.braces = self.braces << 1 | u128::from(byte == b'{');
            }
            _ => {
                let brace = self.braces & 1 == 1;
                if brace != (byte == b'}') {
                    let expected = if brace { "`}`" } else { "`]`" };
                    return Err(Problem::Unexpected { found: readable(byte), expected });
                }
                self.depth -= 1;
                self.braces >>= 1;
                self.state = self.after_value();
            }
        }
        Ok(())
    }

    /// The state after a string or a bracket that was closed.
    fn after_value(&self) -> State {
        if self.depth == 0 { State::AfterElement } else { State::Container }
    }
}

fn fault(base: u64, at: usize, problem: Problem) -> ScanFault {
    ScanFault { offset: base + at as u64, problem }
}

#[cfg(test)]
mod tests {
    use super::super::rows::Rows;
    use super::super::testing::{fixture, source};
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn rows(text: &[u8], chunk_bytes: usize) -> Result<Vec<String>, DataError> {
        let mut table = open(source(text), chunk_bytes)?;
        let all: Vec<u64> = (0..table.count()).collect();
        table.read(&all, &[])
    }

    fn problem(text: &[u8]) -> String {
        let messages: Vec<String> =
            [1, 7, 4096].iter().map(|chunk| rows(text, *chunk).unwrap_err().to_string()).collect();
        assert!(messages.iter().all(|message| *message == messages[0]), "{messages:?}");
        messages[0].clone()
    }

    #[test]
    fn elements_keep_their_text() {
        let text = b"\xef\xbb\xbf [ 1.0e2 ,\n {\"a\" : \"]},\\\"\"}, \"x,\" ,[ ] ,null]\n\n";
        for chunk in 1..20 {
            let rows = rows(text, chunk).unwrap();
            assert_eq!(rows, ["1.0e2", "{\"a\" : \"]},\\\"\"}", "\"x,\"", "[ ]", "null"], "chunk {chunk}");
        }
        assert!(rows(b"[]", 9).unwrap().is_empty());
    }

    #[test]
    fn bad_files_say_where() {
        for (text, message) in [
            (&b""[..], "`file`: is empty"),
            (b" \n\t", "`file`: is empty"),
            (b"\xef\xbb\xbf", "`file`: is empty"),
            (b"\xff\xfe[\0]\0", "`file`: is UTF-16; save it as UTF-8"),
            (
                b"\n{\"a\":1}",
                "`file`, line 2, column 1: holds an object where an array of rows is needed; a file with one value a line is JSON Lines (.jsonl)",
            ),
            (b"hello", "`file`, line 1, column 1: found `h`, expected `[`, the start of an array of rows"),
            (b"[\0]", "`file`, line 1, column 2: found a NUL byte, expected a JSON value or `]`"),
            (b"[1,]", "`file`, row 1, line 1, column 4: found `]`, expected a JSON value"),
            (b"[1 2]", "`file`, row 1, line 1, column 4: found `2`, expected `,` or `]`"),
            (b"[{\"a\":1]]", "`file`, row 1, line 1, column 8: found `]`, expected `}`"),
            (b"[1,\n2] x", "`file`, row 2, line 2, column 4: text after the end of the array of rows"),
            (
                b"[{},\n{\"a\":\"b",
                "`file`, row 2, line 2, column 8: the file ends before the array of rows does; it may be cut off",
            ),
            (b"[{},\n{\"a\":nul}]", "`file`, row 2, line 2, column 9: not valid JSON: expected ident"),
            (b"[\"a\xff\"]", "`file`, row 1, line 1, column 4: not UTF-8; save the file as UTF-8"),
        ] {
            assert_eq!(problem(text), message);
        }
    }

    #[test]
    fn reference_files() {
        for name in ["sharegpt_small.json", "sharegpt_mm.json"] {
            let mut table = open(source(&fixture(name)), 1000).unwrap();
            let parsed: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(&fixture(name)).unwrap();
            assert_eq!(table.count(), parsed.len() as u64);
            assert_eq!(table.columns().unwrap(), parsed[0].keys().cloned().collect::<Vec<_>>());
            let lengths: Vec<i64> = parsed
                .iter()
                .map(|row| {
                    row.get("conversations").and_then(Value::as_array).map_or(-1, |turns| turns.len() as i64)
                })
                .collect();
            assert_eq!(table.lengths("conversations").unwrap(), lengths);
            let backwards: Vec<u64> = (0..table.count()).rev().collect();
            let rows = table.read(&backwards, &["conversations".into()]).unwrap();
            for (row, parsed) in rows.iter().zip(parsed.iter().rev()) {
                let row: serde_json::Map<String, Value> = serde_json::from_str(row).unwrap();
                assert_eq!(row.get("conversations"), parsed.get("conversations"));
                assert_eq!(row.len(), usize::from(parsed.contains_key("conversations")));
            }
        }
    }

    #[test]
    fn nesting_is_limited_while_scanning() {
        let deep = format!("[{}", "[".repeat(1 << 20));
        assert!(problem(deep.as_bytes()).ends_with("nested more than 127 levels deep"));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\[\\]{}\",:\\\\ \n]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..5).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn rows_are_those_of_a_parser(
            values in prop::collection::vec(values(), 0..8),
            pretty: bool,
            chunk_bytes in 1..200usize,
        ) {
            let text = if pretty { serde_json::to_vec_pretty(&values) } else { serde_json::to_vec(&values) }.unwrap();
            let found: Vec<Value> =
                rows(&text, chunk_bytes).unwrap().iter().map(|row| serde_json::from_str(row).unwrap()).collect();
            let parsed: Vec<Value> = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(found, parsed);
        }

        #[test]
        fn any_bytes_give_rows_or_an_error(
            text in "[\\[\\]{}\",:\\\\ 1n\n\u{e9}]{0,40}",
            chunk_bytes in 1..50usize,
        ) {
            let strict = serde_json::from_str::<Vec<Value>>(&text).map(|rows| rows.len()).ok();
            let found = rows(text.as_bytes(), chunk_bytes).map(|rows| rows.len()).ok();
            prop_assert_eq!(found, strict);
        }
    }
}

//! Options whose value is the content of a JSON file that the user names.
//!
//! The plugin gets the content and never the file. What is wrong with it is
//! named by file, line and column.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

use serde_json::Value;
use serde_json::value::RawValue;

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the file of an option.
///
/// # Errors
/// In words, when it cannot be read, or is no JSON.
pub(super) fn read(path: &str) -> Result<Value, String> {
    let text = text(path)?;
    // The message ends in line and column.
    serde_json::from_str(&text).map_err(|error| format!("{path} is not JSON: {error}"))
}

/// Where in the file the value at a JSON pointer stands: `FILE:LINE:COLUMN`, or
/// the file alone if it is not there any more.
pub(super) fn place(path: &str, pointer: &str) -> String {
    let found = text(path).ok().and_then(|text| {
        let (line, column) = locate(&text, pointer)?;
        Some(format!("{path}:{line}:{column}"))
    });
    found.unwrap_or_else(|| path.to_owned())
}

fn text(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text));
    match read {
        Ok(bytes) if bytes as u64 > MAX_BYTES => Err(format!("{path} is larger than {MAX_BYTES} bytes")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{path} cannot be read: {error}")),
    }
}

/// Line and column, from 1, of the value at a JSON pointer (RFC 6901).
fn locate(text: &str, pointer: &str) -> Option<(usize, usize)> {
    let mut value: &RawValue = serde_json::from_str(text).ok()?;
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        value = match token.parse::<usize>() {
            Ok(index) if value.get().starts_with('[') => {
                *serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()?.get(index)?
            }
            _ => serde_json::from_str::<HashMap<String, &RawValue>>(value.get()).ok()?.remove(&token)?,
        };
    }
    // A raw value borrows from the text that it was read from.
    let offset = (value.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Some((before.matches('\n').count() + 1, before[line_start..].chars().count() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_line_and_column() {
        let text = "{\n  \"a\": [1,\n    {\"b/c\": \"\u{e9}\", \"d\": 2}]\n}";
        for (pointer, place) in [
            ("", Some((1, 1))),
            ("/a", Some((2, 8))),
            ("/a/0", Some((2, 9))),
            ("/a/1/b~1c", Some((3, 13))),
            ("/a/1/d", Some((3, 23))),
            ("/a/2", None),
            ("/x", None),
            ("/a/0/y", None),
        ] {
            assert_eq!(locate(text, pointer), place, "{pointer}");
        }
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.json").display().to_string();
        assert!(read(&path).unwrap_err().contains("cannot be read"));
        std::fs::write(&path, "{\n \"a\": }").unwrap();
        assert!(read(&path).unwrap_err().ends_with("line 2 column 7"), "{:?}", read(&path));
        std::fs::write(&path, "{\"a\": [1.50]}").unwrap();
        assert_eq!(read(&path).unwrap().to_string(), "{\"a\":[1.5]}");
        assert_eq!(place(&path, "/a/0"), format!("{path}:1:8"));
        std::fs::write(&path, " ".repeat(MAX_BYTES as usize + 1)).unwrap();
        assert!(read(&path).unwrap_err().contains("larger than"));
    }
}

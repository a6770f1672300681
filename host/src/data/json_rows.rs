//! Rows of JSON text whose places in the file are known: what an array and
//! JSON Lines have in common.

use super::error::{At, DataError};
use super::offsets::{LineNumbers, Offsets};
use super::row::{self, RowFault};
use super::rows::{Answer, Rows};
use super::source::Source;

/// How rows lie in the file.
#[derive(Debug)]
pub(super) enum Layout {
    /// Elements of one array.
    Array,
    /// A line each, with the number of the line.
    Lines(LineNumbers),
}

/// An indexed file of JSON rows.
#[derive(Debug)]
pub(super) struct JsonRows {
    pub(super) source: Source,
    pub(super) offsets: Offsets,
    pub(super) layout: Layout,
}

impl JsonRows {
    /// The row without what separates it from the next.
    fn trim<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let bytes = bytes.trim_ascii();
        match self.layout {
            Layout::Array => bytes.strip_suffix(b",").map_or(bytes, <[u8]>::trim_ascii_end),
            Layout::Lines(_) => bytes,
        }
    }

    fn fault(&self, index: u64, start: u64, fault: RowFault) -> DataError {
        let at = match &self.layout {
            Layout::Array => At { row: Some(index + 1), ..self.source.place_of(start + fault.offset as u64) },
            Layout::Lines(numbers) => {
                At { column: Some(fault.offset as u64 + 1), ..At::line(numbers.line(index)) }
            }
        };
        self.source.error(at, fault.problem)
    }
}

impl Rows for JsonRows {
    fn count(&self) -> u64 {
        self.offsets.len() as u64
    }

    fn columns(&self) -> Result<Vec<String>, DataError> {
        let mut keys = None;
        self.source.visit_all(&self.offsets, |index, start, bytes| {
            let text = row::text(self.trim(bytes)).map_err(|fault| self.fault(index, start, fault))?;
            row::check(text).map_err(|fault| self.fault(index, start, fault))?;
            keys = row::keys(text);
            Ok(keys.is_none())
        })?;
        Ok(keys.unwrap_or_default())
    }

    fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError> {
        let columns = row::distinct(columns);
        let mut answer = Answer::new(indices.len());
        self.source.visit_rows(&self.offsets, indices, |slot, index, start, bytes| {
            let json = row::text(self.trim(bytes))
                .and_then(|text| {
                    row::check(text)?;
                    if columns.is_empty() { Ok(text.to_owned()) } else { row::select(text, &columns) }
                })
                .map_err(|fault| self.fault(index, start, fault))?;
            answer.put(&self.source, slot, json)
        })?;
        Ok(answer.into_rows())
    }

    fn lengths(&self, column: &str) -> Result<Vec<i64>, DataError> {
        let mut lengths = Vec::with_capacity(self.offsets.len());
        self.source.visit_all(&self.offsets, |index, start, bytes| {
            let length = row::text(self.trim(bytes))
                .and_then(|text| row::length(text, column))
                .map_err(|fault| self.fault(index, start, fault))?;
            lengths.push(length);
            Ok(true)
        })?;
        Ok(lengths)
    }

    fn position(&self, index: u64) -> u64 {
        match &self.layout {
            Layout::Array => index + 1,
            Layout::Lines(numbers) => numbers.line(index),
        }
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

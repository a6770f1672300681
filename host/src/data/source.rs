//! An open file that is read by position, never as a whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::{At, DataError, Problem};
use super::offsets::Offsets;

/// How much a streaming pass reads at once.
pub(super) const CHUNK_BYTES: usize = 1 << 20;

/// Neighbouring rows are read together up to this much, unless one row alone is longer.
const GROUP_BYTES: u64 = 1 << 20;

/// Rows this far apart are still read together: fewer calls for a little more reading.
const GAP_BYTES: u64 = 16 << 10;

/// A regular file, its size when it was opened, and its name for messages.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    name: String,
    size: u64,
}

impl Source {
    /// Takes over a file that was found to be regular.
    pub(super) fn new(file: File, name: String, size: u64) -> Self {
        Self { file, name, size }
    }

    /// The file as the user wrote it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the file when it was opened. What is appended later is not read.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// An error about this file.
    pub(super) fn error(&self, at: At, problem: Problem) -> DataError {
        DataError::new(&self.name, at, problem)
    }

    /// Reads at most `buffer.len()` bytes; 0 only at the end of the file as it was opened.
    pub(super) fn read_some(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        loop {
            match self.file.read_at(&mut buffer[..wanted], offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Fills `buffer` from `offset`.
    pub(super) fn read_exact(&self, offset: u64, buffer: &mut [u8]) -> Result<(), DataError> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_some(offset + done as u64, &mut buffer[done..]) {
                Ok(0) => return Err(self.error(At::NOWHERE, Problem::Changed)),
                Ok(read) => done += read,
                Err(error) => return Err(self.io_error(error)),
            }
        }
        Ok(())
    }

    /// The error for a failed read; an early end means that the file was cut.
    pub(super) fn io_error(&self, error: io::Error) -> DataError {
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => Problem::Changed,
            _ => Problem::Read(error),
        };
        self.error(At::NOWHERE, problem)
    }

    /// Streams the file from `start`, in pieces of at most `chunk_bytes`.
    pub(super) fn stream(
        &self,
        start: u64,
        chunk_bytes: usize,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let mut buffer = vec![0; chunk_bytes.max(1)];
        let mut offset = start;
        loop {
            let read = self.read_some(offset, &mut buffer).map_err(|error| self.io_error(error))?;
            if read == 0 {
                return Ok(());
            }
            visit(offset, &buffer[..read])?;
            offset += read as u64;
        }
    }

    /// Where the text begins: after a byte order mark, if there is one. An
    /// empty file and UTF-16 are errors.
    pub(super) fn text_start(&self) -> Result<u64, DataError> {
        let mut head = [0; 3];
        let length = usize::try_from(self.size).unwrap_or(head.len()).min(head.len());
        let head = &mut head[..length];
        self.read_exact(0, head)?;
        match head {
            [] => Err(self.error(At::NOWHERE, Problem::Empty)),
            [0xef, 0xbb, 0xbf] if self.size == 3 => Err(self.error(At::NOWHERE, Problem::Empty)),
            [0xef, 0xbb, 0xbf] => Ok(3),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(self.error(At::NOWHERE, Problem::Utf16)),
            _ => Ok(0),
        }
    }

    /// Line and column of a byte, counted from the start of the file. Only for
    /// messages: it reads all that is before the byte.
    pub(super) fn place_of(&self, offset: u64) -> At {
        let mut line = 1;
        let mut line_start = 0;
        let counted = self.stream(0, CHUNK_BYTES, |at, chunk| {
            let wanted = usize::try_from(offset.saturating_sub(at)).unwrap_or(usize::MAX);
            let chunk = &chunk[..wanted.min(chunk.len())];
            for newline in memchr::memchr_iter(b'\n', chunk) {
                line += 1;
                line_start = at + newline as u64 + 1;
            }
            Ok(())
        });
        match counted {
            Ok(()) => At { row: None, line: Some(line), column: Some(offset - line_start + 1) },
            Err(_) => At::NOWHERE,
        }
    }

    /// Reads the rows with the given indices and hands them out in the order
    /// of the file: position in `indices`, index, offset, bytes.
    pub(super) fn visit_rows(
        &self,
        offsets: &Offsets,
        indices: &[u64],
        mut visit: impl FnMut(usize, u64, u64, &[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let slots = sorted_slots(self, offsets.len() as u64, indices)?;
        let span = |slot: usize| offsets.span(indices[slot] as usize);
        let mut buffer = Vec::new();
        let mut rest = slots.as_slice();
        while let Some(&first) = rest.first() {
            let (start, mut end) = span(first);
            let mut joined = 1;
            while let Some(&slot) = rest.get(joined) {
                let next = span(slot);
                if next.0 > end + GAP_BYTES || next.1 - start > GROUP_BYTES {
                    break;
                }
                end = end.max(next.1);
                joined += 1;
            }
            buffer.resize((end - start) as usize, 0);
            self.read_exact(start, &mut buffer)?;
            for &slot in &rest[..joined] {
                let (from, to) = span(slot);
                visit(slot, indices[slot], from, &buffer[(from - start) as usize..(to - start) as usize])?;
            }
            rest = &rest[joined..];
        }
        Ok(())
    }

    /// Streams every row in order: index, offset, bytes. Stops early when
    /// `visit` says `false`.
    pub(super) fn visit_all(
        &self,
        offsets: &Offsets,
        mut visit: impl FnMut(u64, u64, &[u8]) -> Result<bool, DataError>,
    ) -> Result<(), DataError> {
        let mut buffer = Vec::new();
        let mut row = 0;
        while row < offsets.len() {
            let (start, mut end) = offsets.span(row);
            let first = row;
            row += 1;
            while row < offsets.len() && offsets.span(row).1 - start <= GROUP_BYTES {
                end = offsets.span(row).1;
                row += 1;
            }
            buffer.resize((end - start) as usize, 0);
            self.read_exact(start, &mut buffer)?;
            for row in first..row {
                let (from, to) = offsets.span(row);
                let bytes = &buffer[(from - start) as usize..(to - start) as usize];
                if !visit(row as u64, from, bytes)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Positions in `indices`, sorted by the row they ask for, so that a file is
/// read forwards.
pub(super) fn sorted_slots(source: &Source, count: u64, indices: &[u64]) -> Result<Vec<usize>, DataError> {
    if let Some(&index) = indices.iter().find(|index| **index >= count) {
        return Err(source.error(At::NOWHERE, Problem::NoSuchRow { index, count }));
    }
    let mut slots: Vec<usize> = (0..indices.len()).collect();
    slots.sort_unstable_by_key(|slot| indices[*slot]);
    Ok(slots)
}

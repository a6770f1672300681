//! Where the rows of a file begin, held compactly.

use super::error::Problem;

/// The longest row that is read, separators around it included.
pub(super) const MAX_ROW_BYTES: u64 = 64 << 20;

/// The most rows a file may have; their index then takes 272 MiB.
pub(super) const MAX_ROWS: usize = 1 << 26;

/// Rows that share one full offset. With rows of at most [`MAX_ROW_BYTES`] the
/// distance within a block stays below 2 GiB, so that 32 bits hold it.
const BLOCK: usize = 32;

/// Byte offsets of consecutive rows, four bytes and a quarter a row.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    bases: Vec<u64>,
    deltas: Vec<u32>,
    last: u64,
    end: u64,
}

impl Offsets {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.deltas.len()
    }

    /// Adds the row that begins at `start`, which ends the one before it. The
    /// error is about the row before it or about the number of rows.
    pub(super) fn push(&mut self, start: u64) -> Result<(), Problem> {
        if self.len() == MAX_ROWS {
            return Err(Problem::TooManyRows { limit: MAX_ROWS });
        }
        self.check_last(start)?;
        if self.len().is_multiple_of(BLOCK) {
            self.bases.push(start);
        }
        let base = self.bases.last().copied().unwrap_or(start);
        // Cannot be out of range while rows keep to their limit.
        let delta = u32::try_from(start - base).map_err(|_| too_long())?;
        self.deltas.push(delta);
        self.last = start;
        self.end = start;
        Ok(())
    }

    /// Ends the last row.
    pub(super) fn finish(&mut self, end: u64) -> Result<(), Problem> {
        self.check_last(end)?;
        self.end = end;
        Ok(())
    }

    /// The bytes of a row, with what separates it from the next.
    pub(super) fn span(&self, row: usize) -> (u64, u64) {
        let end = if row + 1 < self.len() { self.start(row + 1) } else { self.end };
        (self.start(row), end)
    }

    fn start(&self, row: usize) -> u64 {
        self.bases[row / BLOCK] + u64::from(self.deltas[row])
    }

    fn check_last(&self, end: u64) -> Result<(), Problem> {
        if self.len() > 0 && end.saturating_sub(self.last) > MAX_ROW_BYTES {
            return Err(too_long());
        }
        Ok(())
    }
}

/// The error for a row beyond [`MAX_ROW_BYTES`].
pub(super) fn too_long() -> Problem {
    Problem::RowTooLong { limit_bytes: MAX_ROW_BYTES }
}

/// The line on which each row begins. Where rows and lines go in step nothing
/// is stored; an entry marks every row at which the distance changes.
#[derive(Debug, Default)]
pub(super) struct LineNumbers {
    shifts: Vec<(u64, u64)>,
}

impl LineNumbers {
    /// Notes that row `row` (from 0) begins on line `line` (from 1). Rows come
    /// in order, and `line` is above `row`.
    pub(super) fn push(&mut self, row: u64, line: u64) {
        let shift = line.saturating_sub(row);
        if self.shifts.last().is_none_or(|last| last.1 != shift) {
            self.shifts.push((row, shift));
        }
    }

    /// The line (from 1) on which a row begins.
    pub(super) fn line(&self, row: u64) -> u64 {
        let next = self.shifts.partition_point(|entry| entry.0 <= row);
        row + next.checked_sub(1).map_or(1, |at| self.shifts[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_a_row_beyond_the_limit() {
        let mut offsets = Offsets::default();
        offsets.push(10).unwrap();
        assert!(matches!(offsets.push(11 + MAX_ROW_BYTES), Err(Problem::RowTooLong { .. })));
        assert!(matches!(offsets.finish(11 + MAX_ROW_BYTES), Err(Problem::RowTooLong { .. })));
        offsets.finish(10 + MAX_ROW_BYTES).unwrap();
        assert_eq!(offsets.span(0), (10, 10 + MAX_ROW_BYTES));
    }

    proptest! {
        #[test]
        fn spans_are_what_was_pushed(gaps in prop::collection::vec(0..=MAX_ROW_BYTES, 1..200)) {
            let mut offsets = Offsets::default();
            let mut starts = vec![7];
            for gap in &gaps {
                offsets.push(*starts.last().unwrap()).unwrap();
                starts.push(starts.last().unwrap() + gap);
            }
            offsets.finish(*starts.last().unwrap()).unwrap();
            for row in 0..gaps.len() {
                prop_assert_eq!(offsets.span(row), (starts[row], starts[row + 1]));
            }
        }

        #[test]
        fn lines_are_what_was_pushed(steps in prop::collection::vec(1..4u64, 1..100)) {
            let mut numbers = LineNumbers::default();
            let mut line = 0;
            let lines: Vec<u64> = steps.iter().map(|step| { line += step; line }).collect();
            for (row, line) in lines.iter().enumerate() {
                numbers.push(row as u64, *line);
            }
            for (row, line) in lines.iter().enumerate() {
                prop_assert_eq!(numbers.line(row as u64), *line);
            }
        }
    }
}

//! The records of one transaction as bytes, as they lie in the catalogue until their round is sealed: a row
//! of SQLite for each record, with the indexes that this takes, would cost ten times as much.
//!
//! A batch begins with one byte, how many cells a row has: those of [`COLUMNS`](super::COLUMNS), in that order. A batch
//! of before begins with its first cell, a text, and its rows have [`COLUMNS_ONCE`]. Each cell is one byte that says what follows;
//! numbers are little-endian:
//!
//! ```text
//! 0  nothing: the cell is the one above      4  a whole number: 8 bytes, two's complement
//! 1  nothing: the cell is empty              5  a floating-point number: 8 bytes, IEEE 754
//! 2  nothing: false                          6  a text: its length in 4 bytes, then UTF-8
//! 3  nothing: true
//! ```
//!
//! Above the first row all cells are empty, so that a batch stands for itself. Nothing read here may panic.

use super::columns::{self, BadCell, COLUMNS, COLUMNS_ONCE, Cell};
use super::{DatasetError, ProbeRecord};

const SAME: u8 = 0;
const EMPTY: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const INT: u8 = 4;
const REAL: u8 = 5;
const TEXT: u8 = 6;

/// How many cells a row has; no kind of a cell, so that a batch of before is told from one of now.
const WIDTH: u8 = 27;

/// What a record takes about.
const USUAL_LENGTH: usize = 96;

/// The cells of one record.
pub(super) type Row<'a> = [Cell<'a>; COLUMNS.len()];

fn empty_row<'a>() -> Row<'a> {
    std::array::from_fn(|_| Cell::Empty)
}

/// Rows as bytes.
pub(super) fn encode<'a>(rows: impl ExactSizeIterator<Item = Row<'a>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(rows.len().saturating_mul(USUAL_LENGTH));
    bytes.push(WIDTH);
    let mut above = empty_row();
    for row in rows {
        for (cell, above) in row.iter().zip(&above) {
            put(&mut bytes, cell, above);
        }
        above = row;
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, cell: &Cell<'_>, above: &Cell<'_>) {
    match cell {
        same if same == above => bytes.push(SAME),
        Cell::Empty => bytes.push(EMPTY),
        Cell::Bool(truth) => bytes.push(if *truth { TRUE } else { FALSE }),
        Cell::Int(number) => put_value(bytes, INT, &number.to_le_bytes()),
        Cell::Real(number) => put_value(bytes, REAL, &number.to_le_bytes()),
        Cell::Text(text) => {
            let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
            put_value(bytes, TEXT, &length.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

fn put_value(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    bytes.push(kind);
    bytes.extend_from_slice(value);
}

/// The checksum that stands beside a batch: CRC-32 (ISO 3309).
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A batch that was read.
pub(super) struct Batch {
    /// Its place among all of them.
    pub(super) seq: i64,
    /// Its rows.
    pub(super) bytes: Vec<u8>,
}

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBatch {
    /// It ends within a row, or holds what cannot stand there.
    #[error("row {row}: nothing that was ever written, at byte {at}")]
    Torn {
        /// Which row, from 1.
        row: usize,
        /// Where in the batch.
        at: usize,
    },
    /// A cell breaks the rule of its column.
    #[error("row {row}: {bad}")]
    Rule {
        /// Which row, from 1.
        row: usize,
        /// Which rule.
        bad: BadCell,
    },
}

impl Batch {
    /// Its rows, one after the other.
    pub(super) fn rows(&self) -> Rows<'_> {
        let (cells, rest) = match self.bytes.split_first() {
            Some((&WIDTH, rest)) => (COLUMNS.len(), rest),
            _ => (COLUMNS_ONCE, &self.bytes[..]),
        };
        Rows { whole: self.bytes.len(), cells, rest, row: empty_row(), number: 0 }
    }

    /// Its records.
    pub(super) fn records(&self) -> Result<Vec<ProbeRecord>, BadBatch> {
        let (mut rows, mut records) = (self.rows(), Vec::new());
        while let Some(row) = rows.next()? {
            let number = records.len().saturating_add(1);
            let record = columns::record(row).map_err(|bad| BadBatch::Rule { row: number, bad })?;
            records.push(record);
        }
        Ok(records)
    }

    /// The error for the catalogue in which it lies.
    pub(super) fn damaged(&self, path: &std::path::Path, bad: &BadBatch) -> DatasetError {
        DatasetError::damaged(path, format_args!("in_flight {}, {bad}", self.seq))
    }
}

/// Reads rows, each into the place of the one before it.
pub(super) struct Rows<'b> {
    whole: usize,
    /// How many a row has here; those behind them stay empty.
    cells: usize,
    rest: &'b [u8],
    row: Row<'b>,
    number: usize,
}

impl<'b> Rows<'b> {
    /// The next row; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<&Row<'b>>, BadBatch> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.number = self.number.saturating_add(1);
        let Self { rest, row, cells, .. } = self;
        match row.iter_mut().take(*cells).try_for_each(|cell| take_cell(rest, cell)) {
            Some(()) => Ok(Some(&self.row)),
            None => {
                Err(BadBatch::Torn { row: self.number, at: self.whole.saturating_sub(self.rest.len()) })
            }
        }
    }
}

fn take_cell<'b>(rest: &mut &'b [u8], cell: &mut Cell<'b>) -> Option<()> {
    let [kind] = take(rest)?;
    *cell = match kind {
        SAME => return Some(()),
        EMPTY => Cell::Empty,
        FALSE => Cell::Bool(false),
        TRUE => Cell::Bool(true),
        INT => Cell::Int(i64::from_le_bytes(take(rest)?)),
        REAL => Cell::Real(f64::from_le_bytes(take(rest)?)),
        TEXT => {
            let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
            let (text, behind) = rest.split_at_checked(length)?;
            *rest = behind;
            Cell::Text(std::str::from_utf8(text).ok()?.into())
        }
        _ => return None,
    };
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dataset::arbitrary;
    use crate::model::{Outcome, RoundId};

    fn without_identification(mut records: Vec<ProbeRecord>) -> Vec<ProbeRecord> {
        for record in &mut records {
            if let Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } = &mut record.outcome {
                reply.ip_id = None;
            }
        }
        records
    }

    #[test]
    fn a_batch_says_how_wide_its_rows_are() {
        assert_eq!(usize::from(WIDTH), COLUMNS.len());
        const { assert!(WIDTH > TEXT) }
    }

    fn batch(bytes: Vec<u8>) -> Batch {
        Batch { seq: 1, bytes }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            given in proptest::collection::vec(arbitrary::record(RoundId(7)), 0..40)
        ) {
            let bytes = encode(given.iter().map(columns::cells));
            prop_assert_eq!(batch(bytes).records().unwrap(), given);
        }

        #[test]
        fn a_batch_of_before_answers_were_kept_with_their_identification_is_read(
            given in proptest::collection::vec(arbitrary::record(RoundId(7)), 0..40)
        ) {
            let (mut bytes, mut above) = (Vec::new(), empty_row());
            for row in given.iter().map(columns::cells) {
                row.iter().zip(&above).take(26).for_each(|(cell, above)| put(&mut bytes, cell, above));
                above = row;
            }
            prop_assert_eq!(batch(bytes).records().unwrap(), without_identification(given));
        }

        #[test]
        fn whatever_bytes_lie_there_reading_ends_without_a_panic(
            given in proptest::collection::vec(arbitrary::record(RoundId(7)), 1..4),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encode(given.iter().map(columns::cells));
            for (at, value) in changes {
                *at.get_mut(&mut bytes) = value;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = batch(bytes).records();
        }
    }

    #[test]
    fn a_batch_that_breaks_off_says_where() {
        let torn = batch(vec![TEXT, 9, 0, 0, 0, b'v']).records().unwrap_err();
        assert_eq!(torn.to_string(), "row 1: nothing that was ever written, at byte 5");
    }
}

//! Records as CSV: the columns of `docs/formats.md`, by RFC 4180, with a header line.
//!
//! Every cell is a number, an address, a prefix, a name of ours or a word of a closed set, so that none
//! needs quoting and no spreadsheet can take one for a formula. An empty cell means *not applicable*.

use std::io::{Read, Write};

use csv::{ErrorKind, ReaderBuilder, StringRecord, StringRecordsIntoIter, Terminator, WriterBuilder};

use crate::dataset::{
    self, BadCell, COLUMNS, COLUMNS_ONCE, Cell, Column, ColumnType, DatasetError, ProbeRecord,
};
use crate::model::FileError;

use super::lines::LineLimit;

/// The longest line that is read, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// Why records could not be written as CSV.
#[derive(Debug, thiserror::Error)]
pub enum CsvWriteError {
    /// The records could not be read.
    #[error(transparent)]
    Records(#[from] DatasetError),
    /// They could not be written.
    #[error("cannot write CSV")]
    Write(#[source] std::io::Error),
}

impl From<csv::Error> for CsvWriteError {
    /// Keeps the system's kind of error, by which a closed pipe is told.
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            ErrorKind::Io(error) => Self::Write(error),
            other => Self::Write(std::io::Error::other(format!("{other:?}"))),
        }
    }
}

/// Writes records, the header line first. Gives back how many.
///
/// # Errors
/// The first record that cannot be read, or the system's reason for not taking what is written.
pub fn write_records(
    writer: impl Write,
    records: impl IntoIterator<Item = Result<ProbeRecord, DatasetError>>,
) -> Result<u64, CsvWriteError> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(writer);
    csv.write_record(COLUMNS.iter().map(|column| column.name))?;
    let mut written: u64 = 0;
    for record in records {
        csv.write_record(dataset::cells(&record?).iter().map(Cell::to_string))?;
        written = written.saturating_add(1);
    }
    csv.flush().map_err(CsvWriteError::Write)?;
    Ok(written)
}

/// Reads what [`write_records`] writes; the name is for messages. After an error nothing more comes.
pub fn read_records<R: Read>(reader: R, name: &str) -> CsvRecords<R> {
    let limited = LineLimit::new(reader, LONGEST_LINE);
    let rows = ReaderBuilder::new().has_headers(false).from_reader(limited).into_records();
    CsvRecords { rows, file: name.to_owned(), state: State::Start }
}

/// The records of a CSV file.
pub struct CsvRecords<R> {
    rows: StringRecordsIntoIter<LineLimit<R>>,
    file: String,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Rows,
    Ended,
}

impl<R: Read> CsvRecords<R> {
    fn advance(&mut self) -> Result<Option<ProbeRecord>, FileError> {
        if self.state == State::Start {
            self.read_header()?;
        }
        let Some((line, row)) = self.read_row()? else { return Ok(None) };
        let cells: Result<Vec<Cell<'_>>, BadCell> =
            COLUMNS.iter().zip(&row).map(|(column, text)| cell(column, text)).collect();
        let record = cells.and_then(|cells| dataset::record(&cells));
        record.map(Some).map_err(|bad| {
            let found = format!("{} = {}", bad.column, bad.found);
            FileError { file: self.file.clone(), line, found, rule: bad.rule.to_owned() }
        })
    }

    fn read_header(&mut self) -> Result<(), FileError> {
        let row = self.read_row()?;
        self.state = State::Rows;
        let names = |count: usize| COLUMNS.iter().take(count).map(|column| column.name);
        let is_known = |row: &StringRecord| {
            [COLUMNS.len(), COLUMNS_ONCE].into_iter().any(|count| row.iter().eq(names(count)))
        };
        if row.is_some_and(|(_, row)| is_known(&row)) {
            return Ok(());
        }
        let rule =
            "must begin with a line of the columns in docs/formats.md, all of them and in that order";
        Err(self.error(Some(1), rule))
    }

    fn read_row(&mut self) -> Result<Option<(Option<usize>, StringRecord)>, FileError> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let row = row.map_err(|error| {
            let line = error.position().and_then(|position| usize::try_from(position.line()).ok());
            self.error(line, &format!("cannot be read: {error}"))
        })?;
        let line = row.position().and_then(|position| usize::try_from(position.line()).ok());
        Ok(Some((line, row)))
    }

    fn error(&self, line: Option<usize>, rule: &str) -> FileError {
        FileError { file: self.file.clone(), line, found: String::new(), rule: rule.to_owned() }
    }
}

impl<R: Read> Iterator for CsvRecords<R> {
    type Item = Result<ProbeRecord, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Ended {
            return None;
        }
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Ended;
        }
        next
    }
}

impl<R> std::fmt::Debug for CsvRecords<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CsvRecords").field("file", &self.file).finish_non_exhaustive()
    }
}

fn cell<'a>(column: &Column, text: &'a str) -> Result<Cell<'a>, BadCell> {
    let cell = match column.holds {
        _ if text.is_empty() => Some(Cell::Empty),
        ColumnType::Text => Some(Cell::Text(text.into())),
        ColumnType::Bool => text.parse().ok().map(Cell::Bool),
        ColumnType::Int32 | ColumnType::Int64 => text.parse().ok().map(Cell::Int),
        ColumnType::Real => text.parse().ok().map(Cell::Real),
    };
    let found = || text.chars().take(80).collect();
    cell.ok_or_else(|| BadCell { column: column.name, found: found(), rule: rule_of(column.holds) })
}

const fn rule_of(holds: ColumnType) -> &'static str {
    match holds {
        ColumnType::Text => "must be a text",
        ColumnType::Bool => "must be true or false",
        ColumnType::Int32 | ColumnType::Int64 => "must be a whole number",
        ColumnType::Real => "must be a number",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::dataset::arbitrary;
    use crate::model::RoundId;

    use super::*;

    fn written(records: &[ProbeRecord]) -> String {
        let mut bytes = Vec::new();
        let count = write_records(&mut bytes, records.iter().cloned().map(Ok)).unwrap();
        assert_eq!(usize::try_from(count).unwrap(), records.len());
        String::from_utf8(bytes).unwrap()
    }

    fn read(text: &str) -> Result<Vec<ProbeRecord>, FileError> {
        read_records(text.as_bytes(), "r.csv").collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_record_comes_back_as_it_was(
            records in proptest::collection::vec(arbitrary::record(RoundId(3)), 0..20)
        ) {
            prop_assert_eq!(read(&written(&records)).unwrap(), records);
        }

        #[test]
        fn no_cell_needs_quoting_or_can_be_taken_for_a_formula(record in arbitrary::record(RoundId(3))) {
            let text = written(&[record]);
            prop_assert!(text.ends_with("\r\n"));
            for cell in text.split(['\r', '\n', ',']) {
                let allowed = |c: char| c.is_ascii_alphanumeric() || ":./_- ".contains(c);
                prop_assert!(cell.chars().all(allowed), "{cell:?}");
                prop_assert!(!cell.starts_with('-') || cell.parse::<i64>().is_ok(), "{cell:?}");
            }
        }

        #[test]
        fn no_text_whatever_makes_reading_panic(text in any::<String>(), cell in ".{0,9}", at in 0..COLUMNS.len()) {
            drop(read(&text));
            let mut cells: Vec<&str> = "vp,1,p,echo,icmp,10.0.0.0/8,10.0.0.1,true,0,1,0,,,silent,,,,,,,,,,,,,"
                .split(',')
                .collect();
            cells[at] = &cell;
            drop(read(&format!("{}{}\n", written(&[]), cells.join(","))));
        }
    }

    const GOOD: &str = "vp,1,p,echo,icmp,10.0.0.0/8,10.0.0.1,true,0,1,0,,,silent,,,,,,,,,,,,,";

    #[test]
    fn a_file_from_before_answers_were_kept_with_their_identification_is_read() {
        let once = |line: &str| line.trim_end().rsplit_once(',').unwrap().0.to_owned();
        let text = format!("{}\n{}\n", once(&written(&[])), once(GOOD));
        assert_eq!(read(&text).unwrap(), read(&format!("{}{GOOD}\n", written(&[]))).unwrap());
    }

    #[test]
    fn a_bad_cell_is_named_with_its_line_and_column() {
        let header = written(&[]);
        assert_eq!(read(&format!("{header}{GOOD}\n")).unwrap().len(), 1);
        let cases = [
            (GOOD.replace(",true,", ",maybe,"), "r.csv:3: control = maybe: must be true or false"),
            (GOOD.replace(",0,1,0,", ",0,0,0,"), "r.csv:3: ttl = 0: must be 1 to 255"),
            (GOOD.replace("silent", "asleep"), "r.csv:3: outcome = asleep: must be one of the words"),
            (GOOD.replace("silent,,", "silent,,echo_reply"), "r.csv:3: reply = echo_reply: must be empty"),
            (GOOD.replace("vp,", "=cmd,"), "r.csv:3: vantage = =cmd: must be a name"),
            (GOOD.replace("vp,", ""), "r.csv:3: cannot be read: CSV error"),
        ];
        for (bad, expected) in cases {
            let shown = read(&format!("{header}{GOOD}\n{bad}\n{GOOD}\n")).unwrap_err().to_string();
            assert!(shown.starts_with(expected), "{shown}");
        }
    }

    #[test]
    fn a_file_with_other_columns_is_refused() {
        for text in ["", "a,b\n1,2\n", GOOD] {
            let shown = read(text).unwrap_err().to_string();
            assert!(shown.starts_with("r.csv:1: must begin with a line of the columns"), "{shown}");
        }
    }

    #[test]
    fn a_line_without_end_is_an_error_and_costs_no_memory() {
        let mut records = read_records(std::io::repeat(b'x'), "r.csv");
        assert!(records.next().unwrap().unwrap_err().to_string().contains("longer than 65536 bytes"));
        assert!(records.next().is_none());
    }
}

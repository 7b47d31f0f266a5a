//! Writing to standard output, where the data goes. A reader that goes away (`| head`) is no error.

use std::io::{self, BufWriter, ErrorKind, Write};

use super::exit::{Code, Failure, OrFail};
use crate::dataset::{DatasetError, ProbeRecord};
use crate::formats::csv::{self, CsvWriteError};

/// Gives a buffered standard output to `write`.
///
/// # Errors
/// If writing failed for any other reason than a closed pipe.
pub(super) fn data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = write(&mut out).and_then(|()| out.flush());
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            // What is still buffered has no reader.
            drop(out.into_parts());
            Ok(())
        }
        other => other.or_fail(Code::Failed),
    }
}

/// Prints one text.
///
/// # Errors
/// As [`data`].
pub(super) fn text(text: &str) -> Result<(), Failure> {
    data(|out| out.write_all(text.as_bytes()))
}

/// Prints records as CSV.
///
/// # Errors
/// If a record cannot be read, or as [`data`].
pub(super) fn records(
    records: impl IntoIterator<Item = Result<ProbeRecord, DatasetError>>,
) -> Result<(), Failure> {
    let mut unreadable = None;
    data(|out| match csv::write_records(out, records) {
        Ok(_) => Ok(()),
        Err(CsvWriteError::Write(error)) => Err(error),
        Err(CsvWriteError::Records(error)) => {
            unreadable = Some(error);
            Ok(())
        }
    })?;
    unreadable.map_or(Ok(()), Err).or_fail(Code::Storage)
}

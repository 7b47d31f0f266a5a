//! Writing to standard output, where the data goes, and to standard error, where the talk goes. A reader
//! that goes away (`| head`) is no error.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

use super::exit::{Code, Failure, OrFail};
use crate::dataset::{DatasetError, ProbeRecord};
use crate::formats::csv;

/// Says something on standard error. That nobody listens must not stop a measurement.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Gives a buffered standard output to `write`.
///
/// # Errors
/// If writing failed for any other reason than a closed pipe.
pub(super) fn data(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let result = write(&mut out).and_then(|()| out.flush());
    match result {
        Err(error) if is_closed_pipe(&error) => {
            // What is still buffered has no reader.
            drop(out.into_parts());
            Ok(())
        }
        Err(error) if causes(&error).any(|cause| cause.downcast_ref::<DatasetError>().is_some()) => {
            Err(error).or_fail(Code::Storage)
        }
        other => other.or_fail(Code::Failed),
    }
}

/// Whether the reader went away, however deep the writers in between have wrapped it.
fn is_closed_pipe(error: &io::Error) -> bool {
    let of_pipe = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    of_pipe(error) || causes(error).filter_map(|cause| cause.downcast_ref()).any(of_pipe)
}

/// What an error wraps, outermost first.
fn causes(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    fn next<'a>(cause: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
        (*cause).source()
    }
    let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    std::iter::successors(inner, next)
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
    data(|out| csv::write_records(out, records).map(drop).map_err(io::Error::other))
}

//! `export`: the records of a dataset in another format, on standard output.

use super::exit::{Code, Failure, OrFail};
use super::{ExportArgs, ExportFormat, out};
use crate::dataset::Dataset;

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let records = dataset.records().or_fail(Code::Storage)?;
    match args.format {
        ExportFormat::Csv => out::records(records),
    }
}

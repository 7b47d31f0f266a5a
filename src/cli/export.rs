//! `export`: the records of a dataset in another format, on standard output.

use std::io::{self, IsTerminal, Write};

use super::exit::{Code, Failure, OrFail};
use super::{ExportArgs, ExportFormat, out};
use crate::dataset::{Dataset, Records, write_parquet};
use crate::formats::export::{ExportTo, LeftOut, Vantages, export};

pub(super) fn run(args: &ExportArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let records = dataset.records().or_fail(Code::Storage)?;
    match args.format {
        ExportFormat::Csv => out::records(records),
        ExportFormat::Parquet => {
            refuse_a_terminal()?;
            out::data(|out| write_parquet(out, records).map(drop).map_err(io::Error::other))
        }
        ExportFormat::Warts => {
            refuse_a_terminal()?;
            others(ExportTo::Warts, &dataset, records)
        }
        ExportFormat::ScamperJson => others(ExportTo::ScamperJson, &dataset, records),
        ExportFormat::AtlasJson => others(ExportTo::AtlasJson, &dataset, records),
    }
}

fn others(to: ExportTo, dataset: &Dataset, records: Records) -> Result<(), Failure> {
    let vantages: Vantages = dataset.vantages().or_fail(Code::Storage)?.into_iter().collect();
    let mut left_out = LeftOut::new();
    out::data(|out: &mut dyn Write| {
        left_out = export(to, out, vantages, records).map_err(io::Error::other)?;
        Ok(())
    })?;
    for (what, number) in left_out {
        out::say(format_args!("no place in this format: {number} {what}"));
    }
    Ok(())
}

/// A terminal can show none of it, and may be led astray by it.
fn refuse_a_terminal() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        let text = "this format is binary: send it to a file, as in `export DATASET --format warts > FILE`";
        return Err(Failure::new(Code::Usage, text));
    }
    Ok(())
}

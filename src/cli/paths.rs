//! `paths`: the AS path of every trace in a dataset, hop by hop, with the reason for every assignment.

use super::exit::{Code, Failure, OrFail};
use super::report::failure;
use super::{PathsArgs, out};
use crate::dataset::Dataset;
use crate::report;

pub(super) fn run(args: &PathsArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let paths = report::paths(&dataset, &args.origins).map_err(failure)?;
    if args.summary {
        return out::text(&paths.summary());
    }
    out::data(|out| paths.write_csv(out))
}

//! `paths`: the AS path of every trace in a dataset, hop by hop, with the reason for every assignment; or the links
//! and hops of all ways, and the routers that limit their answers.

use super::exit::{Code, Failure, OrFail};
use super::report::failure;
use super::{Instead, PathsArgs, out};
use crate::dataset::Dataset;
use crate::report;

pub(super) fn run(args: &PathsArgs) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(&args.dataset).or_fail(Code::Storage)?;
    let Instead { links, hops, limits } = args.instead;
    if links || hops || limits {
        let ways = report::all_ways(&dataset, &args.origins).map_err(failure)?;
        return out::data(|out| {
            if links {
                ways.write_links(out)
            } else if hops {
                ways.write_hops(out)
            } else {
                ways.write_limits(out)
            }
        });
    }
    let paths = report::paths(&dataset, &args.origins).map_err(failure)?;
    if args.summary {
        return out::text(&paths.summary());
    }
    out::data(|out| paths.write_csv(out))
}

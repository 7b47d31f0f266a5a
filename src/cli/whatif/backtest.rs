//! `whatif --backtest`: predictions held against what came.

use super::{Loaded, WhatifArgs, announcement, into_file, load, ties};
use crate::analyse::topology::{Change, backtest};
use crate::cli::exit::{Code, Failure, OrFail};
use crate::cli::out;
use crate::report::whatif::{SnapshotBacktest, backtest_text, write_backtest_csv};

/// Between snapshots: each file of `--as-rel` is held against the one of `--after` that stands in the same place.
pub(super) fn run(args: &WhatifArgs, before: &[Loaded], change: &Change) -> Result<(), Failure> {
    let after = load(&args.after)?;
    if after.len() != before.len() {
        let told = format!(
            "--after has {} files and --as-rel {}: each table needs one to be held against",
            after.len(),
            before.len()
        );
        return Err(Failure::new(Code::Usage, told));
    }
    let stated = (*change != Change::default()).then_some(change);
    let mut tests = Vec::with_capacity(before.len());
    for (before, after) in before.iter().zip(&after) {
        let topologies = (&before.topology, &after.topology);
        let backtest =
            backtest(topologies, &announcement(args), stated, &ties(args.seeds)).or_fail(Code::Usage)?;
        tests.push(SnapshotBacktest { before: before.name.clone(), after: after.name.clone(), backtest });
    }
    if let Some(path) = &args.csv {
        into_file(path, |out| write_backtest_csv(&tests, out))?;
    }
    out::text(&backtest_text(args.origin, &tests))
}

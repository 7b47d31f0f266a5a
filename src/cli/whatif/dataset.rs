//! What-if with a measurement: its links are added to the tables, and its events tell how good predictions were.

use std::path::Path;

use super::{Loaded, WhatifArgs, announcement, into_file, ties};
use crate::analyse::compare::campaign_backtest;
use crate::analyse::topology::{Because, MeasuredWay, Topology};
use crate::cli::exit::{Code, Failure, OrFail};
use crate::cli::out;
use crate::cli::report::failure;
use crate::dataset::Dataset;
use crate::report::whatif::{campaign_text, measured_walks, write_campaign_csv};

/// Adds what was measured to each table, and says what was assumed.
pub(super) fn merge(args: &WhatifArgs, folder: &Path, loaded: Vec<Loaded>) -> Result<Vec<Loaded>, Failure> {
    let dataset = Dataset::open_read_only(folder).or_fail(Code::Storage)?;
    let walks = measured_walks(&dataset, &args.origins).map_err(failure)?;
    let ways: Vec<MeasuredWay> = walks.into_iter().map(|walk| walk.way).collect();
    let merged = loaded.into_iter().map(|Loaded { name, topology }| {
        let merged = topology.merged(&ways);
        out::say(format_args!(
            "{name}: of the links measured in {}, it has {}; the relation of {} is assumed{}",
            folder.display(),
            merged.known,
            merged.assumed.len(),
            reasons(&merged.assumed.iter().map(|assumed| assumed.because).collect::<Vec<_>>())
        ));
        for assumed in merged.assumed.iter().take(SHOWN) {
            let (one, other) = assumed.relation.ends();
            out::say(format_args!("  {one} is taken for a provider of {other}: {}", assumed.because));
        }
        if merged.assumed.len() > SHOWN {
            out::say(format_args!("  and {} more", merged.assumed.len().saturating_sub(SHOWN)));
        }
        Loaded { name, topology: merged.topology }
    });
    Ok(merged.collect())
}

/// So many assumptions are listed one by one.
const SHOWN: usize = 12;

fn reasons(because: &[Because]) -> String {
    let all = [
        Because::LastBeforeOrigin,
        Because::SilentBeforeOrigin,
        Because::BehindDownhill,
        Because::BeforeUphill,
        Because::MoreNeighbours,
    ];
    let counted = all.iter().filter_map(|reason| {
        let count = because.iter().filter(|because| *because == reason).count();
        (count > 0).then(|| format!("{count} because {reason}"))
    });
    let counted: Vec<String> = counted.collect();
    if counted.is_empty() { String::new() } else { format!(" ({})", counted.join("; ")) }
}

/// Holds predictions of the campaign's events against what was measured after them.
pub(super) fn backtest(args: &WhatifArgs, folder: &Path, loaded: &[Loaded]) -> Result<(), Failure> {
    let dataset = Dataset::open_read_only(folder).or_fail(Code::Storage)?;
    let findings = crate::report::findings(&dataset, &args.origins).map_err(failure)?;
    let walks = measured_walks(&dataset, &args.origins).map_err(failure)?;
    let nothing = Loaded { name: String::new(), topology: Topology::default() };
    let topology = match loaded {
        [] => &nothing.topology,
        [one] => &one.topology,
        _ => return Err(Failure::new(Code::Usage, "--backtest of a dataset takes at most one --as-rel")),
    };
    let found = campaign_backtest(
        (&findings.epochs, &findings.units),
        &walks,
        topology,
        &announcement(args),
        &ties(args.seeds),
    );
    if let Some(path) = &args.csv {
        into_file(path, |out| write_campaign_csv(&found, out))?;
    }
    out::text(&campaign_text(&found))
}

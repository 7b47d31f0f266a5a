//! `whatif --rank`: whose loss hurts a target most, with the progress of what takes long.

use indicatif::{ProgressBar, ProgressStyle};

use super::{Loaded, WhatifArgs, announcement, happens, into_file, ties};
use crate::analyse::topology::{Change, Lost, Routes, Ties};
use crate::cli::exit::{Code, Failure, OrFail};
use crate::cli::out;
use crate::formats::as_names::load_as_names;
use crate::report::whatif::{Loss, RankRow, Ranking, ranking_text, write_ranking_csv, write_ranking_json};

pub(super) fn run(args: &WhatifArgs, topologies: &[Loaded], change: &Change) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for loaded in topologies {
        rows.extend(in_snapshot(args, loaded, change));
    }
    let ranking = Ranking {
        origin: args.origin,
        after: (*change != Change::default()).then(|| happens(args)),
        candidates: args.candidates,
        rows,
        top: args.rank.unwrap_or_default(),
        names: load_as_names(&args.as_names).or_fail(Code::Usage)?,
    };
    if let Some(path) = &args.csv {
        into_file(path, |out| write_ranking_csv(&ranking, out))?;
    }
    if args.json {
        return out::data(|out| write_ranking_json(&ranking, out));
    }
    out::text(&ranking_text(&ranking))
}

fn in_snapshot(args: &WhatifArgs, Loaded { name, topology }: &Loaded, change: &Change) -> Vec<RankRow> {
    let topology = topology.with(&change.add);
    let mut rows = Vec::new();
    let row = |ties, loss| RankRow { snapshot: name.clone(), ties, loss };
    let mut candidates: Option<[Vec<Lost>; 2]> = None;
    for ties in ties(args.seeds) {
        let Some(mut routes) = Routes::to(&topology, &announcement(args), ties) else { return rows };
        // What is lost already stays so.
        drop(routes.lose_all(&change.lose));
        let [links, ases] = candidates.get_or_insert_with(|| {
            [routes.busiest_links(args.candidates), routes.busiest_ases(args.candidates)]
        });
        for harm in routes.rank(links).into_iter().chain(routes.rank(ases)) {
            rows.push(row(ties, Loss::One(harm)));
        }
        if args.pairs && ties == Ties::LowestAsn {
            for (kind, candidates) in [("links", links), ("ASes", ases)] {
                let bar = bar(&format!("{name}: pairs of {kind}"), candidates.len());
                let mut go_on = |done: usize| {
                    bar.set_position(done as u64);
                    true
                };
                let pairs = routes.rank_pairs(candidates, PAIRS, &mut go_on);
                bar.finish_and_clear();
                rows.extend(pairs.into_iter().map(|pair| row(ties, Loss::Two(pair))));
            }
        }
    }
    rows
}

/// So many of the worst pairs of each kind are kept of a snapshot.
const PAIRS: usize = 1000;

/// Hidden where nobody looks.
fn bar(what: &str, all: usize) -> ProgressBar {
    let bar = ProgressBar::new(all as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}

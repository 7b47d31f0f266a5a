//! `whatif`: what would happen if links or ASes were lost or added. Sends nothing, and needs no measurement.

mod args;
mod backtest;
mod dataset;
mod rank;
mod sets;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::exit::{Code, Failure, OrFail};
use super::out;
pub(super) use args::{SYNTAX, WhatifArgs};

use crate::analyse::topology::{Absent, Announcement, Change, Lost, Ties, Topology, added, predict};
use crate::formats::as_names::load_as_names;
use crate::formats::as_rel::load_as_rel;
use crate::model::AsRelation;
use crate::report::whatif::{self as shown, Snapshot, WhatIf};
use sets::Sets;

pub(super) fn run(args: &WhatifArgs) -> Result<(), Failure> {
    let change = change(args)?;
    let topologies = load(&args.as_rel)?;
    if let (true, Some(folder)) = (args.backtest, &args.dataset) {
        return dataset::backtest(args, folder, &topologies);
    }
    let topologies = match &args.dataset {
        Some(folder) => dataset::merge(args, folder, or_nothing(topologies))?,
        None => topologies,
    };
    known_somewhere(&topologies, args, &change)?;
    if args.backtest {
        return backtest::run(args, &topologies, &change);
    }
    if args.rank.is_some() {
        return rank::run(args, &topologies, &change);
    }
    let what_if = answer(args, &topologies, &change)?;
    if let Some(path) = &args.csv {
        into_file(path, |out| shown::write_csv(&what_if, out))?;
    }
    if args.json {
        return out::data(|out| shown::write_json(&what_if, out));
    }
    out::text(&shown::text(&what_if))
}

fn answer(args: &WhatifArgs, topologies: &[Loaded], change: &Change) -> Result<WhatIf, Failure> {
    let announcement = announcement(args);
    let ties = ties(args.seeds);
    let mut snapshots = Vec::with_capacity(topologies.len());
    for Loaded { name, topology } in topologies {
        match predict(topology, &announcement, change, &ties) {
            Ok(prediction) => snapshots.push(Snapshot { name: name.clone(), prediction }),
            Err(absent) => out::say(format_args!("{name}: left out: {absent}")),
        }
    }
    let names = load_as_names(&args.as_names).or_fail(Code::Usage)?;
    Ok(WhatIf { origin: args.origin, happens: happens(args), snapshots, names })
}

fn announcement(args: &WhatifArgs) -> Announcement {
    let only_to: BTreeSet<_> = args.only_to.iter().copied().collect();
    Announcement { origin: args.origin, only_to: (!only_to.is_empty()).then_some(only_to) }
}

/// The lowest number first, then so many seeds.
fn ties(seeds: u32) -> Vec<Ties> {
    std::iter::once(Ties::LowestAsn).chain((1..=u64::from(seeds)).map(Ties::Seeded)).collect()
}

fn change(args: &WhatifArgs) -> Result<Change, Failure> {
    let sets = Sets::load(args.sets.as_deref()).or_fail(Code::Usage)?;
    let mut lose = BTreeSet::new();
    for text in &args.lose {
        lose.extend(lost(text, &sets)?);
    }
    let add: Result<Vec<AsRelation>, _> = args.add.iter().map(|text| added(text)).collect();
    Ok(Change { lose: lose.into_iter().collect(), add: add.or_fail(Code::Usage)? })
}

/// What a text names: a set, an AS or a link.
fn lost(text: &str, sets: &Sets) -> Result<Vec<Lost>, Failure> {
    if let Some(set) = sets.named(text) {
        return Ok(set.to_vec());
    }
    let lost = text.parse().map_err(|error| {
        Failure::new(Code::Usage, format!("{error}, or the name of a set in --sets{}", sets.listed()))
    })?;
    Ok(vec![lost])
}

struct Loaded {
    name: String,
    topology: Topology,
}

fn load(paths: &[PathBuf]) -> Result<Vec<Loaded>, Failure> {
    let mut loaded = Vec::with_capacity(paths.len());
    for path in paths {
        let table = load_as_rel(path).or_fail(Code::Usage)?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        if table.counts.contradicting > 0 {
            let lines = table.counts.contradicting;
            out::say(format_args!("{name}: left out {lines} lines that contradict earlier ones"));
        }
        loaded.push(Loaded { name, topology: Topology::of(&table.relations) });
    }
    Ok(loaded)
}

/// Without a table, all relations are assumed.
fn or_nothing(topologies: Vec<Loaded>) -> Vec<Loaded> {
    if topologies.is_empty() {
        return vec![Loaded { name: "no table".to_owned(), topology: Topology::default() }];
    }
    topologies
}

/// What no snapshot knows is a mistake; what only some know is told beside their predictions.
fn known_somewhere(topologies: &[Loaded], args: &WhatifArgs, change: &Change) -> Result<(), Failure> {
    known(topologies, |topology| topology.check_as(args.origin))?;
    for asn in args.only_to.iter().copied().chain(change.add.iter().flat_map(ends)) {
        known(topologies, |topology| topology.check_as(asn))?;
    }
    for lost in &change.lose {
        known(topologies, |topology| match lost {
            // It may be one of those that are added.
            Lost::Link(link) if change.add.iter().any(|added| added.link() == Some(*link)) => Ok(()),
            _ => topology.check(*lost),
        })?;
    }
    Ok(())
}

fn ends(relation: &AsRelation) -> [crate::model::Asn; 2] {
    let (one, other) = relation.ends();
    [one, other]
}

fn known(topologies: &[Loaded], check: impl Fn(&Topology) -> Result<(), Absent>) -> Result<(), Failure> {
    let mut unknown: BTreeMap<usize, String> = BTreeMap::new();
    for (index, Loaded { name, topology }) in topologies.iter().enumerate() {
        match check(topology) {
            Ok(()) => return Ok(()),
            Err(absent) => unknown.insert(index, format!("{name}: {absent}")),
        };
    }
    let all: Vec<String> = unknown.into_values().collect();
    Err(Failure::new(Code::Usage, all.join("; ")))
}

fn happens(args: &WhatifArgs) -> String {
    let lost = args.lose.iter().map(|text| format!("{text} is lost"));
    let added = args.add.iter().map(|text| format!("{text} is added"));
    let all: Vec<String> = lost.chain(added).collect();
    if all.is_empty() { "nothing changes".to_owned() } else { all.join(" and ") }
}

/// Beside the other files of a folder, whole or not at all.
fn into_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let written = || {
        let mut file = BufWriter::new(File::create(path)?);
        write(&mut file)?;
        file.flush()
    };
    written().map_err(|error: io::Error| {
        Failure::new(Code::Failed, format!("{}: cannot be written: {error}", path.display()))
    })
}

//! What was found over time, as tables for people: changes of links into the networks that were measured, and outages.

use crate::analyse::compare::{Findings, FoundChange, Outage, OutageState, PathThen};

use super::number;

/// Rows shown; the files have all.
const MOST: usize = 40;

/// Changes of links into the origin of each unit, controls left out: unit, link, change, bracket, flows, probability. And
/// how many others there are.
pub(super) fn changes(findings: &Findings) -> (Vec<[String; 6]>, usize) {
    let at_border = |found: &&FoundChange| {
        let unit = findings.units.iter().find(|unit| unit.unit == found.unit);
        unit.is_some_and(|unit| !unit.control && unit.origin == Some(found.link.1))
    };
    let rows: Vec<_> = findings.found.iter().filter(at_border).take(MOST).map(change).collect();
    let more = findings.found.len().saturating_sub(rows.len());
    (rows, more)
}

fn change(found: &FoundChange) -> [String; 6] {
    let of = format!("{} of {}", number::count(found.used), number::count(found.flows));
    [
        found.unit.to_string(),
        format!("{}-{}", found.link.0, found.link.1),
        found.change.as_str().to_owned(),
        number::bracket((found.from, found.to)).trim_end_matches(" UTC").to_owned(),
        if found.whole_vantage { format!("{of}, towards all units") } else { of },
        number::probability(found.p).unwrap_or_default(),
    ]
}

/// Outages of units other than controls: unit, state, from, to, probes, traces. And how many others there are.
pub(super) fn outages(findings: &Findings) -> (Vec<[String; 6]>, usize) {
    let units = findings.units.iter().filter(|unit| !unit.control);
    let all: Vec<_> = units
        .flat_map(|unit| {
            unit.watches.iter().flat_map(move |watch| watch.outages.iter().map(move |of| (unit, of)))
        })
        .collect();
    let rows = all.iter().take(MOST).map(|(unit, of)| outage(unit.unit.to_string(), of)).collect();
    (rows, all.len().saturating_sub(MOST))
}

fn outage(unit: String, outage: &Outage) -> [String; 6] {
    let (first, last) = ("the first probe".to_owned(), "the end".to_owned());
    [
        unit,
        match outage.state {
            OutageState::Down if outage.seen_up_from.is_empty() => "down",
            OutageState::Down => "unreachable from some",
            OutageState::HostsUnsure => "silent; hosts not ruled out",
            OutageState::VantageUnsure => "silent; vantage not ruled out",
        }
        .to_owned(),
        outage.last_up.map_or(first, |up| number::give_or_take((up, outage.begun_by))),
        outage.first_up.map_or(last, |up| number::give_or_take((outage.ended_after, up))),
        number::count(outage.probes),
        match outage.path {
            PathThen::Cut => "ended before any upstream",
            PathThen::AsBefore => "still entered the network",
            PathThen::NotTold => "tell nothing",
        }
        .to_owned(),
    ]
}

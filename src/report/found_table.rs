//! What was found over time, as tables for people: changes of links into the networks that were measured, and outages.

use crate::analyse::compare::{Findings, FoundChange, Outage, OutageState, PathThen};

use super::number;
use crate::model::{Asn, Unit};

/// Rows shown; the files have all.
const MOST: usize = 40;

/// Changes of links into the origin of each unit, controls left out, and of links between addresses where those between ASes
/// stayed: unit, link, change, bracket, flows, probability. And how many others there are.
pub(super) fn changes(findings: &Findings) -> (Vec<[String; 6]>, usize) {
    let into_origin = |unit: Unit, asn: Asn| {
        let unit = findings.units.iter().find(|found| found.unit == unit);
        unit.is_some_and(|unit| !unit.control && unit.origin == Some(asn))
    };
    let between_ases = findings.found.iter().filter(|found| into_origin(found.unit, found.link.1));
    let named = between_ases.map(|found| change(found, format!("{}-{}", found.link.0, found.link.1)));
    let lines = findings.found_links.iter().filter(|link| link.with.is_none());
    let lines = lines.filter_map(|link| {
        let (from, to) = link.border().filter(|(_, to)| into_origin(link.found.unit, *to))?;
        let (near, far) = link.found.link;
        Some(change(&link.found, format!("{near}-{far} of {from}-{to}")))
    });
    let rows: Vec<_> = named.chain(lines).take(MOST).collect();
    let all = findings.found.len().saturating_add(findings.found_links.len());
    let more = all.saturating_sub(rows.len());
    (rows, more)
}

fn change<N>(found: &FoundChange<N>, link: String) -> [String; 6] {
    let of = format!("{} of {}", number::count(found.used), number::count(found.flows));
    [
        found.unit.to_string(),
        link,
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

//! What was found over time as rows: changes of links with the flows that prove them, outages, and the vantage's own
//! trouble.

use super::{Row, numbered, time};
use crate::analyse::compare::{
    DelayChange, DelaySubject, Estimate, Findings, FoundChange, FoundLink, Outage, Proof, Trouble,
    UnitFindings, Watch,
};
use crate::model::{AsLink, Asn, WallTime};
use crate::report::number;

pub(super) fn changes(findings: &Findings) -> Vec<Row> {
    findings.found.iter().enumerate().map(|(index, found)| change(index, found)).collect()
}

fn change(index: usize, found: &FoundChange) -> Row {
    let link = AsLink::new(found.link.0, found.link.1).map(|link| link.to_string());
    let mut row = head(index, found);
    row.push(link.unwrap_or_default());
    row.extend(figures(found));
    row
}

fn head<N>(index: usize, found: &FoundChange<N>) -> Row {
    vec![
        numbered(index),
        found.unit.to_string(),
        found.vantage.to_string(),
        found.change.as_str().to_owned(),
    ]
}

/// When, how many flows, and how sure.
fn figures<N>(found: &FoundChange<N>) -> Row {
    let mut row = Row::new();
    row.extend(time(found.from));
    row.extend(time(found.to));
    row.push(found.at_once.to_string());
    row.extend([found.used, found.flows, found.others].map(|count| count.to_string()));
    row.push(found.whole_vantage.to_string());
    row.extend([found.p, found.rate].map(|value| number::probability(value).unwrap_or_default()));
    row
}

pub(super) fn links(findings: &Findings) -> Vec<Row> {
    findings.found_links.iter().enumerate().map(|(index, link)| found_link(index, link)).collect()
}

fn found_link(index: usize, link: &FoundLink) -> Row {
    let holder = |asn: Option<Asn>| asn.map(|asn| asn.to_string()).unwrap_or_default();
    let mut row = head(index, &link.found);
    row.extend([link.found.link.0, link.found.link.1].map(|address| address.to_string()));
    row.extend([link.holders.0, link.holders.1].map(holder));
    row.push(link.with.map(numbered).unwrap_or_default());
    row.extend(figures(&link.found));
    row
}

pub(super) fn flows(findings: &Findings) -> Vec<Row> {
    proofs(findings.found.iter().map(|found| &found.proofs))
}

pub(super) fn link_flows(findings: &Findings) -> Vec<Row> {
    proofs(findings.found_links.iter().map(|link| &link.found.proofs))
}

fn proofs<'a>(of_each: impl Iterator<Item = &'a Vec<Proof>>) -> Vec<Row> {
    of_each
        .enumerate()
        .flat_map(|(index, proofs)| proofs.iter().map(move |proof| flow(index, proof)))
        .collect()
}

fn flow(index: usize, proof: &Proof) -> Row {
    vec![
        numbered(index),
        proof.flow.target.to_string(),
        proof.flow.protocol.as_str().to_owned(),
        proof.flow.port.map(|port| port.get().to_string()).unwrap_or_default(),
        proof.flow.flow.0.to_string(),
        proof.before.0.to_string(),
        proof.after.0.to_string(),
    ]
}

/// Every unit with every vantage that asked it.
fn each(findings: &Findings) -> impl Iterator<Item = (&UnitFindings, &Watch)> {
    findings.units.iter().flat_map(|unit| unit.watches.iter().map(move |watch| (unit, watch)))
}

fn key((unit, watch): (&UnitFindings, &Watch)) -> [String; 3] {
    [unit.unit.to_string(), unit.control.to_string(), watch.vantage.to_string()]
}

pub(super) fn watches(findings: &Findings) -> Vec<Row> {
    let rows = each(findings).map(|(unit, watch)| {
        let cells = [
            watch.watched.as_str().to_owned(),
            watch.addresses.to_string(),
            watch.availability.and_then(number::fraction).unwrap_or_default(),
            watch.outages.len().to_string(),
        ];
        key((unit, watch)).into_iter().chain(cells).collect()
    });
    rows.collect()
}

pub(super) fn outages(findings: &Findings) -> Vec<Row> {
    let rows = each(findings).flat_map(|(unit, watch)| {
        watch.outages.iter().map(move |found| key((unit, watch)).into_iter().chain(outage(found)).collect())
    });
    rows.collect()
}

fn outage(outage: &Outage) -> Row {
    let mut row = vec![outage.state.as_str().to_owned()];
    row.extend(maybe(outage.last_up));
    row.extend(time(outage.begun_by));
    row.extend(time(outage.ended_after));
    row.extend(maybe(outage.first_up));
    let (first, last) = outage.rounds;
    row.extend([first.0, last.0, outage.probes, outage.addresses].map(|count| count.to_string()));
    row.push(outage.path.as_str().to_owned());
    row.push(outage.controlled.to_string());
    row.push(outage.seen_up_from.len().to_string());
    row
}

pub(super) fn troubles(findings: &Findings) -> Vec<Row> {
    let row = |trouble: &Trouble| {
        let mut row = vec![trouble.vantage.to_string()];
        row.extend(maybe(trouble.last_well));
        row.extend(time(trouble.first_silent));
        row.extend(time(trouble.last_silent));
        row.extend(maybe(trouble.first_well));
        row.push(trouble.probes.to_string());
        row
    };
    findings.troubles.iter().map(row).collect()
}

/// Round-trip times to units, a point a round.
pub(super) fn delays(findings: &Findings) -> Vec<Row> {
    let rows = findings.delays.series.iter().flat_map(|series| {
        series.points.iter().map(move |point| {
            let [unit, method, ..] = subject(&series.subject);
            let mut row = vec![series.vantage.to_string(), unit, method, point.round.0.to_string()];
            row.extend(time(point.at));
            row.push(number::milliseconds(point.median).unwrap_or_default());
            row.push(point.samples.to_string());
            row
        })
    });
    rows.collect()
}

pub(super) fn delay_changes(findings: &Findings) -> Vec<Row> {
    findings.delays.changes.iter().map(delay_change).collect()
}

fn delay_change(change: &DelayChange) -> Row {
    let mut row = vec![change.vantage.to_string()];
    row.extend(subject(&change.subject));
    row.extend(time(change.from));
    row.extend(time(change.to));
    row.extend([change.rounds.0, change.rounds.1].map(|round| round.0.to_string()));
    for level in [change.before, change.after, change.difference] {
        let Estimate { value, low, high } = level;
        row.extend([value, low, high].map(|value| number::milliseconds(value).unwrap_or_default()));
    }
    row.extend([change.of_rounds.0, change.of_rounds.1].map(|rounds| rounds.to_string()));
    row.extend([change.p, change.rate].map(|value| number::probability(value).unwrap_or_default()));
    row
}

/// Unit and method, or the ends of a link.
fn subject(subject: &DelaySubject) -> [String; 4] {
    let none = String::new;
    match subject {
        DelaySubject::Unit(unit, method) => [unit.to_string(), method.as_str().to_owned(), none(), none()],
        DelaySubject::Link(near, far) => [none(), none(), near.to_string(), far.to_string()],
    }
}

fn maybe(at: Option<WallTime>) -> [String; 2] {
    at.map(time).unwrap_or_default()
}

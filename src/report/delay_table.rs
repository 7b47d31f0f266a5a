//! Changes of round-trip times, as a table for people.

use crate::analyse::compare::{DelayChange, DelaySubject, Findings};
use crate::model::Unit;

use super::number;

/// Rows shown; the file has all.
const MOST: usize = 40;

/// Those of units before those of links, controls left out: of what, from where, before, after, difference, bracket, probability.
/// And how many others there are.
pub(super) fn changes(findings: &Findings) -> (Vec<[String; 6]>, usize) {
    let is_control = |unit: Unit| findings.units.iter().any(|of| of.unit == unit && of.control);
    let shown = |change: &&DelayChange| match change.subject {
        DelaySubject::Unit(unit, _) => !is_control(unit),
        DelaySubject::Link(..) => true,
    };
    let mut all: Vec<&DelayChange> = findings.delays.changes.iter().filter(shown).collect();
    all.sort_by_key(|change| matches!(change.subject, DelaySubject::Link(..)));
    let rows: Vec<_> = all.iter().take(MOST).map(|change| row(change)).collect();
    (rows, findings.delays.changes.len().saturating_sub(all.len().min(MOST)))
}

fn row(change: &DelayChange) -> [String; 6] {
    let milliseconds = |value| format!("{} ms", number::milliseconds(value).unwrap_or_default());
    let of = match &change.subject {
        DelaySubject::Unit(unit, method) => format!("{unit}, {}", method.as_str()),
        DelaySubject::Link(near, far) => format!("link {near} to {far}"),
    };
    [
        of,
        change.vantage.to_string(),
        format!("{} to {}", milliseconds(change.before.value), milliseconds(change.after.value)),
        number::milliseconds_more(&change.difference).unwrap_or_default(),
        number::bracket((change.from, change.to)).trim_end_matches(" UTC").to_owned(),
        number::probability(change.p).unwrap_or_default(),
    ]
}

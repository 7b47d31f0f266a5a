//! How well the events of a campaign could be foretold, for people and as rows. Says nothing where nothing was foretold.

use crate::analyse::compare::{CampaignBacktest, Estimate, Findings, ForetoldShare, Grounds, UnitBacktest};
use crate::model::{Asn, Event};

use super::number;

/// How it is meant.
pub(super) const KEY: &str = "Foretold from the table of relations and what was measured before the event: of all \
    orders in which ASes may break ties, in how many the vantage's AS comes through an upstream. A model of one way an AS: what \
    balancers split over several it cannot foretell. Wrong: the share of flows that went elsewhere than foretold; beside \
    it the same for the guess that nothing changes.";

/// One row a unit and event: when and what, unit, foretold, measured, wrong, wrong if nothing changed.
pub(super) fn rows(findings: &Findings) -> Vec<[String; 6]> {
    let foretold = &findings.foretold;
    let row = |unit: &UnitBacktest| {
        let (wrong, unchanged) = unit.wrong?;
        Some([
            events(&grounds(foretold, unit)?.events),
            unit.unit.to_string(),
            shares(unit, |share| Some(share.foretold)),
            shares(unit, |share| share.after.map(|after| after.value)),
            number::percent(wrong)?,
            number::percent(unchanged)?,
        ])
    };
    foretold.units.iter().filter_map(row).collect()
}

/// The same as sentences, each with its unit.
pub(super) fn sentences(findings: &Findings) -> Vec<(String, String)> {
    let sentence = |[event, unit, foretold, measured, wrong, unchanged]: [String; 6]| {
        let text = format!(
            "{event}: foretold {foretold}; measured {measured}; wrong {wrong} (had nothing changed: {unchanged})"
        );
        (unit, text)
    };
    rows(findings).into_iter().map(sentence).collect()
}

/// One row a unit, event and upstream.
pub(super) fn share_rows(findings: &Findings) -> Vec<Vec<String>> {
    let of_unit = |unit: &UnitBacktest| -> Vec<Vec<String>> {
        unit.shares.iter().map(|(asn, share)| share_row(unit, *asn, share)).collect()
    };
    findings.foretold.units.iter().flat_map(of_unit).collect()
}

fn share_row(unit: &UnitBacktest, asn: Asn, share: &ForetoldShare) -> Vec<String> {
    let mut row = key(unit);
    row.push(asn.to_string());
    row.extend([share.foretold, share.before].map(cell));
    let after = share.after.map(|Estimate { value, low, high }| [value, low, high].map(cell));
    row.extend(after.unwrap_or_default());
    row
}

/// One row a unit and event of which something was measured.
pub(super) fn score_rows(findings: &Findings) -> Vec<Vec<String>> {
    let foretold = &findings.foretold;
    let row = |unit: &UnitBacktest| {
        let (wrong, unchanged) = unit.wrong?;
        let Grounds { known, assumed, unseen, .. } = grounds(foretold, unit)?;
        let mut row = key(unit);
        row.extend([wrong, unchanged].map(cell));
        row.extend([known, assumed, unseen].map(ToString::to_string));
        Some(row)
    };
    foretold.units.iter().filter_map(row).collect()
}

fn key(unit: &UnitBacktest) -> Vec<String> {
    vec![unit.epoch.saturating_add(1).to_string(), unit.unit.to_string()]
}

fn cell(value: f64) -> String {
    number::fraction(value).unwrap_or_default()
}

fn grounds<'a>(foretold: &'a CampaignBacktest, unit: &UnitBacktest) -> Option<&'a Grounds> {
    let of_unit = |grounds: &&Grounds| grounds.epoch == unit.epoch && grounds.origin == unit.origin;
    foretold.grounds.iter().find(of_unit)
}

fn events(events: &[Event]) -> String {
    let events: Vec<String> =
        events.iter().map(|event| format!("{} UTC, {event}", number::moment(event.at))).collect();
    events.join(", ")
}

/// `AS4837 36.4 %, AS20485 63.6 %`; ASes without a share are left out.
fn shares(unit: &UnitBacktest, share: impl Fn(&ForetoldShare) -> Option<f64>) -> String {
    let shown = unit.shares.iter().filter_map(|(asn, of)| {
        let value = share(of).filter(|value| *value > 0.0)?;
        Some(format!("{asn} {}", number::percent(value)?))
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "no route".to_owned() } else { shown.join(", ") }
}

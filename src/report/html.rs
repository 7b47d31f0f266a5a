//! The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere. It
//! opens offline, prints, follows the reader's light or dark, and says nothing by colour alone.
//!
//! The template escapes all text. Only the two figures go in as they are; they escape their own.

use askama::Template;

use crate::analyse::compare::{Findings, Reach, UnitFindings};

use super::compact::{self, Compact};
use super::wording::{self, ChangeRow, Row};
use super::{
    delay_table, dictionary, diversity, figure, foretold, found_table, methods, number, path_figure,
    timeline_figure,
};

/// This many upstreams have a column of their own in the short table.
const MOST_UPSTREAMS: usize = 5;

/// The whole page.
///
/// # Errors
/// If the template cannot be filled in, which would be a mistake in it.
pub fn html(findings: &Findings) -> Result<String, askama::Error> {
    page(findings).render()
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    figure_style: &'static str,
    campaign: String,
    vantages: String,
    period: String,
    rehearsal: Option<String>,
    confidence: String,
    nothing_to_compare: Option<&'static str>,
    compact: Compact,
    key: &'static str,
    diversity: Vec<diversity::Table>,
    epochs: Vec<EpochView>,
    units: Vec<UnitView>,
    controls: Vec<UnitView>,
    has_timeline: bool,
    timeline: String,
    found: Vec<[String; 6]>,
    found_more: usize,
    delays: Vec<[String; 6]>,
    delays_more: usize,
    outages: Vec<[String; 6]>,
    outages_more: usize,
    foretold: Vec<[String; 6]>,
    foretold_key: &'static str,
    has_paths: bool,
    paths: String,
    names: Vec<(String, String)>,
    notes: Vec<String>,
    ledger: Vec<String>,
    rounds: String,
    opt_outs: Option<String>,
    files: Vec<&'static str>,
    version: &'static str,
}

struct EpochView {
    number: usize,
    start: String,
    end: String,
    lasted: String,
    opening: String,
}

struct UnitView {
    unit: String,
    /// What the page links to.
    anchor: String,
    origin: String,
    verdicts: Vec<String>,
    /// All in a line, for controls.
    line: String,
    /// The state in the last epoch.
    state: &'static str,
    state_class: &'static str,
    epochs: Vec<usize>,
    rows: Vec<Row>,
    changes: Vec<ChangeRow>,
}

fn page(findings: &Findings) -> Page {
    let views = |control: bool| {
        let units = findings.units.iter().enumerate().filter(|(_, unit)| unit.control == control);
        units.map(|(index, unit)| unit_view(index, unit)).collect()
    };
    let names = findings.names.keys();
    let names = names.filter_map(|asn| Some((asn.to_string(), wording::as_name(findings, *asn, 80)?)));
    let (found, found_more) = found_table::changes(findings);
    let (outages, outages_more) = found_table::outages(findings);
    let (delays, delays_more) = delay_table::changes(findings);
    Page {
        figure_style: figure::LIGHT_STYLE,
        campaign: findings.campaign.to_string(),
        vantages: wording::vantages(findings),
        period: wording::period(findings),
        rehearsal: wording::rehearsal(findings),
        confidence: wording::confidence(findings),
        nothing_to_compare: wording::nothing_to_compare(findings),
        compact: Compact::new(findings, MOST_UPSTREAMS),
        key: compact::KEY,
        diversity: diversity::tables(findings),
        epochs: epoch_views(findings),
        units: views(false),
        controls: views(true),
        has_timeline: !findings.timeline.is_empty(),
        timeline: timeline_figure::draw(findings).inline(),
        found,
        found_more,
        delays,
        delays_more,
        outages,
        outages_more,
        foretold: foretold::rows(findings),
        foretold_key: foretold::KEY,
        has_paths: !findings.edges.is_empty(),
        paths: path_figure::draw(findings).inline(),
        names: names.collect(),
        notes: methods::notes(findings),
        ledger: findings.ledger.to_string().lines().map(str::to_owned).collect(),
        rounds: wording::rounds(findings),
        opt_outs: wording::opt_outs(findings),
        files: dictionary::SHEETS.iter().map(|sheet| sheet.file).collect(),
        version: env!("CARGO_PKG_VERSION"),
    }
}

fn epoch_views(findings: &Findings) -> Vec<EpochView> {
    let views = findings.epochs.iter().enumerate().map(|(index, epoch)| EpochView {
        number: index.saturating_add(1),
        start: number::moment(epoch.start),
        end: number::moment(epoch.end),
        lasted: number::span(epoch.end.since(epoch.start)),
        opening: wording::opening(findings, index),
    });
    views.collect()
}

fn unit_view(index: usize, unit: &UnitFindings) -> UnitView {
    let state = unit.by_epoch.last().map_or(Reach::NotMeasured, |epoch| epoch.reach);
    UnitView {
        unit: unit.unit.to_string(),
        anchor: format!("unit-{}", index.saturating_add(1)),
        origin: unit.origin.map_or_else(|| "origin AS not known".to_owned(), |origin| origin.to_string()),
        verdicts: wording::verdicts(unit),
        line: wording::control(unit),
        state: wording::reach(state),
        state_class: match state {
            Reach::Reachable => "good",
            Reach::Unreachable => "bad",
            Reach::NotObservable | Reach::NotMeasured => "unsure",
        },
        epochs: (1..=unit.by_epoch.len()).collect(),
        rows: wording::unit_rows(unit),
        changes: wording::change_rows(unit),
    }
}

//! The findings as tidy CSV (RFC 4180): one row an observation, under the columns of the dictionary.

mod found;

use crate::analyse::compare::{Change, Estimate, Findings, Metric, TimelinePoint, UnitEpoch, UnitFindings};
use crate::dataset::Ledger;
use crate::model::{Untrusted, WallTime};

use super::dictionary::{self, Sheet};
use super::{diversity, foretold, number, wording};

/// A row, cell by cell.
type Row = Vec<String>;

/// All CSV files: name and content, the data first, then `columns.csv`, which explains every column.
///
/// # Errors
/// If a row does not fit its header, which would be a mistake in this module.
pub fn csv_files(findings: &Findings) -> Result<Vec<(&'static str, Vec<u8>)>, csv::Error> {
    let tables = [
        (dictionary::CAMPAIGN, vec![campaign(findings)]),
        (dictionary::VANTAGES, findings.vantages.iter().map(|name| vec![name.to_string()]).collect()),
        (dictionary::EPOCHS, epochs(findings)),
        (dictionary::EVENTS, events(findings)),
        (dictionary::REACHABILITY, by_epoch(findings, reachability)),
        (dictionary::UPSTREAMS, by_epoch(findings, upstreams)),
        (dictionary::PATHS, by_epoch(findings, paths)),
        (dictionary::SINGLE_POINTS, by_epoch(findings, single_points)),
        (dictionary::CHANGES, changes(findings)),
        (dictionary::DIVERSITY, diversity::csv::readings(findings)),
        (dictionary::DIVERSITY_CHANGES, diversity::csv::contrasts(findings)),
        (dictionary::CUTS, diversity::csv::cuts(findings)),
        (dictionary::TOTAL_DIVERSITY, diversity::csv::total(findings)),
        (dictionary::FOUND_CHANGES, found::changes(findings)),
        (dictionary::FOUND_FLOWS, found::flows(findings)),
        (dictionary::FOUND_LINKS, found::links(findings)),
        (dictionary::FOUND_LINK_FLOWS, found::link_flows(findings)),
        (dictionary::WATCHES, found::watches(findings)),
        (dictionary::OUTAGES, found::outages(findings)),
        (dictionary::TROUBLES, found::troubles(findings)),
        (dictionary::DELAYS, found::delays(findings)),
        (dictionary::DELAY_CHANGES, found::delay_changes(findings)),
        (dictionary::FORETOLD, foretold::share_rows(findings)),
        (dictionary::FORETOLD_SCORES, foretold::score_rows(findings)),
        (dictionary::TIMELINE, findings.timeline.iter().map(round).collect()),
        (dictionary::TIMELINE_UPSTREAMS, findings.timeline.iter().flat_map(round_upstreams).collect()),
        (dictionary::EDGES, edges(findings)),
        (dictionary::NAMES, names(findings)),
        (dictionary::OPT_OUTS, opt_outs(findings)),
        (dictionary::LEDGER, ledger(&findings.ledger)),
        (dictionary::COLUMNS, columns()),
    ];
    tables.into_iter().map(|(sheet, rows)| Ok((sheet.file, file(&sheet, rows)?))).collect()
}

fn file(sheet: &Sheet, rows: Vec<Row>) -> Result<Vec<u8>, csv::Error> {
    let terminator = csv::Terminator::CRLF;
    let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
    writer.write_record(sheet.columns.iter().map(|column| column.name))?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn campaign(findings: &Findings) -> Row {
    vec![
        findings.campaign.to_string(),
        findings.rehearsal.to_string(),
        number::quantity(findings.speed).unwrap_or_default(),
        number::fraction(findings.confidence).unwrap_or_default(),
        findings.rounds.0.to_string(),
        findings.rounds.1.to_string(),
        findings.straddling.to_string(),
    ]
}

fn epochs(findings: &Findings) -> Vec<Row> {
    let rows = findings.epochs.iter().enumerate().map(|(index, epoch)| {
        let mut row = vec![numbered(index)];
        row.extend(time(epoch.start));
        row.extend(time(epoch.end));
        row.push(epoch.opened_by.len().to_string());
        row
    });
    rows.collect()
}

fn events(findings: &Findings) -> Vec<Row> {
    let each = findings.epochs.iter().enumerate();
    let each = each.flat_map(|(index, epoch)| epoch.opened_by.iter().map(move |event| (index, event)));
    let rows = each.map(|(index, event)| {
        let mut row = vec![numbered(index)];
        row.extend(time(event.at));
        row.extend([event.change.as_str().to_owned(), event.link.to_string()]);
        row
    });
    rows.collect()
}

/// The rows of every unit and epoch, each behind the unit, whether it is a control, and the epoch.
fn by_epoch(findings: &Findings, rows: fn(&UnitFindings, &UnitEpoch) -> Vec<Row>) -> Vec<Row> {
    let mut all = Vec::new();
    for unit in &findings.units {
        for (index, epoch) in unit.by_epoch.iter().enumerate() {
            let key = [unit.unit.to_string(), unit.control.to_string(), numbered(index)];
            all.extend(rows(unit, epoch).into_iter().map(|row| key.iter().cloned().chain(row).collect()));
        }
    }
    all
}

fn reachability(_: &UnitFindings, epoch: &UnitEpoch) -> Vec<Row> {
    let rows = epoch.reachability.iter().map(|entry| {
        let counts =
            [entry.method.as_str().to_owned(), entry.probes.to_string(), entry.answered.to_string()];
        counts.into_iter().chain(estimate(entry.share.as_ref())).collect()
    });
    rows.collect()
}

fn upstreams(_: &UnitFindings, epoch: &UnitEpoch) -> Vec<Row> {
    let rows = epoch.upstreams.iter().map(|entry| {
        let mut row = vec![entry.upstream.to_string(), entry.flows.to_string()];
        row.extend(estimate(Some(&entry.share)));
        row.push(entry.seen_entering.to_string());
        row
    });
    rows.collect()
}

fn paths(unit: &UnitFindings, epoch: &UnitEpoch) -> Vec<Row> {
    let if_traced = |count: u64| if epoch.traced == 0 { String::new() } else { count.to_string() };
    let or_empty = |count: Option<String>| count.unwrap_or_default();
    vec![vec![
        unit.origin.map_or_else(|| "unknown".to_owned(), |origin| origin.to_string()),
        epoch.reach.as_str().to_owned(),
        epoch.traced.to_string(),
        epoch.unattributed.to_string(),
        or_empty(epoch.longest_gap.map(|hops| hops.to_string())),
        if_traced(epoch.paths.address),
        if_traced(epoch.paths.autonomous_system),
        or_empty(epoch.as_disjoint.map(|paths| paths.to_string())),
        or_empty(epoch.as_disjoint.map(|_| epoch.single_points.len().to_string())),
    ]]
}

fn single_points(_: &UnitFindings, epoch: &UnitEpoch) -> Vec<Row> {
    epoch.single_points.iter().map(|asn| vec![asn.to_string()]).collect()
}

fn changes(findings: &Findings) -> Vec<Row> {
    let each = findings.units.iter().flat_map(|unit| unit.changes.iter().map(move |change| (unit, change)));
    let rows = each.map(|(unit, change)| {
        let key = [unit.unit.to_string(), unit.control.to_string()];
        key.into_iter().chain(change_cells(change)).collect()
    });
    rows.collect()
}

fn change_cells(change: &Change) -> Row {
    let share = wording::is_share(change.metric);
    let value = |value: f64| {
        let text = if share { number::fraction(value) } else { number::quantity(value) };
        text.unwrap_or_default()
    };
    let (metric, method, upstream) = match change.metric {
        Metric::Answered(method) => ("answered_share", method.as_str().to_owned(), String::new()),
        Metric::Upstream(upstream) => ("upstream_share", String::new(), upstream.to_string()),
        Metric::AsPaths => ("as_paths", String::new(), String::new()),
        Metric::AsDisjoint => ("as_disjoint", String::new(), String::new()),
    };
    vec![
        change.epoch.to_string(),
        numbered(change.epoch),
        metric.to_owned(),
        method,
        upstream,
        value(change.before),
        value(change.after),
        value(change.difference),
        change.interval.map(|(low, _)| value(low)).unwrap_or_default(),
        change.interval.map(|(_, high)| value(high)).unwrap_or_default(),
    ]
}

fn round(point: &TimelinePoint) -> Row {
    let mut row = vec![point.unit.to_string()];
    row.extend(time(point.at));
    row.push(point.probes.to_string());
    row.push(point.answered.to_string());
    row.push(point.upstreams.values().copied().fold(0, u64::saturating_add).to_string());
    row
}

fn round_upstreams(point: &TimelinePoint) -> Vec<Row> {
    let rows = point.upstreams.iter().map(|(upstream, flows)| {
        let mut row = vec![point.unit.to_string()];
        row.extend(time(point.at));
        row.push(upstream.map_or_else(|| "unknown".to_owned(), |asn| asn.to_string()));
        row.push(flows.to_string());
        row
    });
    rows.collect()
}

fn edges(findings: &Findings) -> Vec<Row> {
    let rows = findings.edges.iter().map(|edge| {
        vec![
            numbered(edge.epoch),
            edge.from.to_string(),
            edge.to.to_string(),
            edge.flows.to_string(),
            edge.across_gap.to_string(),
        ]
    });
    rows.collect()
}

fn names(findings: &Findings) -> Vec<Row> {
    let named = findings.names.iter().filter(|(_, name)| !name.is_empty());
    named.map(|(asn, name)| vec![asn.to_string(), escaped_name(name)]).collect()
}

fn opt_outs(findings: &Findings) -> Vec<Row> {
    let rows = findings.opt_outs.iter();
    rows.map(|(prefix, at)| std::iter::once(prefix.to_string()).chain(time(*at)).collect()).collect()
}

fn ledger(ledger: &Ledger) -> Vec<Row> {
    let entries = [
        ("planned", ledger.planned),
        ("sent", ledger.sent),
        ("blocked", ledger.blocked),
        ("send_failed", ledger.send_failed),
        ("skipped", ledger.skipped),
        ("answered", ledger.answered),
        ("late", ledger.late),
        ("silent", ledger.silent),
        ("in_flight", ledger.in_flight),
        ("duplicates", ledger.duplicates),
        ("unmatched", ledger.unmatched),
        ("malformed", ledger.malformed),
        ("kernel_dropped", ledger.kernel_dropped),
    ];
    entries.into_iter().map(|(entry, packets)| vec![entry.to_owned(), packets.to_string()]).collect()
}

fn columns() -> Vec<Row> {
    let sheets = dictionary::SHEETS.iter().chain(std::iter::once(&dictionary::COLUMNS));
    let each = sheets.flat_map(|sheet| sheet.columns.iter().map(move |column| (sheet.file, column)));
    let rows = each.map(|(file, column)| {
        let words = [file, column.name, &column.kind.describe(), column.unit, column.meaning];
        words.map(str::to_owned).to_vec()
    });
    rows.collect()
}

/// The number of an epoch as people count: from 1.
fn numbered(index: usize) -> String {
    index.saturating_add(1).to_string()
}

fn time(at: WallTime) -> [String; 2] {
    [at.to_string(), at.as_nanos().to_string()]
}

fn estimate(estimate: Option<&Estimate>) -> [String; 3] {
    let cell = |end: fn(&Estimate) -> f64| estimate.map(end).and_then(number::fraction).unwrap_or_default();
    [cell(|share| share.value), cell(|share| share.low), cell(|share| share.high)]
}

/// Letters, digits, `.`, `_` and `-` as they are, every other byte as `%XX`, as is a `-` at the beginning.
pub(super) fn escaped_name(name: &Untrusted) -> String {
    let text = name.to_string();
    let bytes = text.bytes().enumerate().map(|(index, byte)| {
        let plain =
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_') || (byte == b'-' && index > 0);
        if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    });
    bytes.collect()
}

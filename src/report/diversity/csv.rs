//! Diversity as tidy CSV: one row a number, with its interval, or with the reason in its place.

use std::net::IpAddr;

use crate::analyse::compare::Findings;
use crate::analyse::diversity::{
    Contrast, CutMember, Difference, EpochDiversity, Figure, LAMBDA, Level, Measure, NamedCut, Reading,
    Spot, UnitDiversity, Why,
};
use crate::report::number;

/// A row, cell by cell.
type Row = Vec<String>;

/// `diversity.csv`.
pub(in crate::report) fn readings(findings: &Findings) -> Vec<Row> {
    by_epoch(findings, |epoch| epoch.readings.iter().map(reading).collect())
}

/// `diversity_changes.csv`.
pub(in crate::report) fn contrasts(findings: &Findings) -> Vec<Row> {
    let each = findings.diversity.units.iter();
    let each = each.flat_map(|unit| unit.contrasts.iter().map(move |contrast| (unit, contrast)));
    each.map(|(unit, contrast)| key(unit).into_iter().chain(contrast_cells(contrast)).collect()).collect()
}

/// `cuts.csv`.
pub(in crate::report) fn cuts(findings: &Findings) -> Vec<Row> {
    by_epoch(findings, |epoch| {
        let smallest = epoch.cuts.iter().flat_map(cut);
        let points = epoch.single_addresses.iter().map(|address| {
            let words = [Level::Address.as_str(), "single_point", "1"].map(str::to_owned);
            words.into_iter().chain([address.to_string(), String::new()]).collect()
        });
        smallest.chain(points).collect()
    })
}

/// `total_diversity.csv`.
pub(in crate::report) fn total(findings: &Findings) -> Vec<Row> {
    let rows = findings.diversity.total.iter().map(|total| {
        vec![
            total.epoch.saturating_add(1).to_string(),
            total.level.as_str().to_owned(),
            cell(total.value),
            total.pairs.to_string(),
            cell(Some(LAMBDA)),
            total.value.map_or_else(|| Why::NoWay.as_str().to_owned(), |_| String::new()),
        ]
    });
    rows.collect()
}

fn by_epoch(findings: &Findings, rows: impl Fn(&EpochDiversity) -> Vec<Row>) -> Vec<Row> {
    let mut all = Vec::new();
    for unit in &findings.diversity.units {
        for (index, epoch) in unit.by_epoch.iter().enumerate() {
            let number = index.saturating_add(1).to_string();
            let behind = |row: Row| key(unit).into_iter().chain([number.clone()]).chain(row).collect();
            all.extend(rows(epoch).into_iter().map(behind));
        }
    }
    all
}

fn key(unit: &UnitDiversity) -> [String; 2] {
    [unit.unit.to_string(), unit.control.to_string()]
}

fn reading(reading: &Reading) -> Row {
    let mut row = named(reading.level, reading.measure).to_vec();
    match &reading.judged {
        Ok(figure) => {
            row.push(cell(Some(figure.value)));
            row.extend(interval(figure));
        }
        Err(why) => row.extend(nothing(5, *why)),
    }
    row
}

fn contrast_cells(contrast: &Contrast) -> Row {
    let mut row = vec![contrast.epoch.to_string(), contrast.epoch.saturating_add(1).to_string()];
    row.extend(named(contrast.level, contrast.measure));
    match &contrast.judged {
        Ok(Difference { before, after, change }) => {
            row.extend([*before, *after, change.value].map(|value| cell(Some(value))));
            row.extend(interval(change));
        }
        Err(why) => row.extend(nothing(7, *why)),
    }
    row
}

fn named(level: Level, measure: Measure) -> [String; 3] {
    let of = measure.of().map_or_else(String::new, |asn| asn.to_string());
    [level.as_str().to_owned(), measure.as_str().to_owned(), of]
}

/// Both ends, how they were come by, the effort, and why there are none.
fn interval(figure: &Figure) -> [String; 5] {
    let effort = figure.effort.to_string();
    match &figure.interval {
        Ok(found) => [
            cell(Some(found.low)),
            cell(Some(found.high)),
            found.by.as_str().to_owned(),
            effort,
            String::new(),
        ],
        Err(why) => [String::new(), String::new(), String::new(), effort, why.as_str().to_owned()],
    }
}

/// So many empty cells, and then the reason.
fn nothing(cells: usize, why: Why) -> impl Iterator<Item = String> {
    std::iter::repeat_n(String::new(), cells).chain([why.as_str().to_owned()])
}

fn cell(value: Option<f64>) -> String {
    value.and_then(number::fraction).unwrap_or_default()
}

fn cut(cut: &NamedCut) -> Vec<Row> {
    let row = |member: &CutMember| {
        let mut row =
            vec![cut.level.as_str().to_owned(), "smallest_cut".to_owned(), cut.members.len().to_string()];
        row.extend(member_cells(member));
        row
    };
    cut.members.iter().map(row).collect()
}

fn member_cells(member: &CutMember) -> [String; 2] {
    match member {
        CutMember::Address(address) => [address.to_string(), String::new()],
        CutMember::Link((from, to)) => [spot(*from), spot(*to)],
        CutMember::As(asn) => [asn.to_string(), String::new()],
        CutMember::AsLink(from, to) => [from.to_string(), to.to_string()],
    }
}

/// An address, `vantage` or `unit`.
pub(super) fn spot(spot: Spot) -> String {
    let address = |address: IpAddr| address.to_string();
    match spot {
        Spot::Vantage(_) => "vantage".to_owned(),
        Spot::Address(of) => address(of),
        Spot::Unit => "unit".to_owned(),
    }
}

//! The table that tells most in least room: one row a unit and epoch. The terminal and the page show the same
//! cells; their intervals stand in the longer tables.

use std::collections::BTreeMap;

use crate::analyse::compare::{Findings, UnitEpoch, UnitFindings};
use crate::model::{Asn, Method};

use super::columns::side_by_side;
use super::{number, wording};

/// What stands where there is nothing to count.
const NOTHING: &str = "\u{2013}";
/// What stands where something was counted, but the answer cannot be told.
const UNTOLD: &str = "?";
/// How to read the cells.
pub(super) const KEY: &str = "Echo, TCP, \u{2026}: answered of asked, at addresses that ever answered. Via: share of traces \
     whose upstream is known. Disjoint: AS-disjoint paths seen, a lower bound. \u{2013}: nothing to count. ?: not \
     known.";

/// A table of all units that are no controls.
#[derive(Clone, Debug)]
pub(super) struct Compact {
    /// Names of the columns, after those of the unit and the epoch.
    pub(super) heads: Vec<String>,
    pub(super) units: Vec<CompactUnit>,
}

/// The rows of one unit.
#[derive(Clone, Debug)]
pub(super) struct CompactUnit {
    pub(super) unit: String,
    /// By epoch, one cell a column.
    pub(super) rows: Vec<Vec<String>>,
}

/// The columns of a table.
struct Columns {
    methods: Vec<Method>,
    upstreams: Vec<Asn>,
    /// Whether there are upstreams beside those that have a column.
    others: bool,
}

impl Compact {
    /// The table, with a column each for the upstreams with the most flows and one for the others.
    pub(super) fn new(findings: &Findings, most_upstreams: usize) -> Self {
        let units: Vec<&UnitFindings> = findings.units.iter().filter(|unit| !unit.control).collect();
        let columns = Columns::of(&units, most_upstreams);
        let unit = |unit: &&UnitFindings| CompactUnit {
            unit: unit.unit.to_string(),
            rows: unit.by_epoch.iter().map(|epoch| columns.cells(epoch)).collect(),
        };
        Self { heads: columns.heads(), units: units.iter().map(unit).collect() }
    }
}

impl Columns {
    fn of(units: &[&UnitFindings], most_upstreams: usize) -> Self {
        let mut methods: Vec<Method> = units.iter().flat_map(|unit| wording::methods(unit)).collect();
        methods.sort_unstable();
        methods.dedup();
        let mut flows: BTreeMap<Asn, u64> = BTreeMap::new();
        for share in units.iter().flat_map(|unit| &unit.by_epoch).flat_map(|epoch| &epoch.upstreams) {
            let sum = flows.entry(share.upstream).or_default();
            *sum = sum.saturating_add(share.flows);
        }
        let others = flows.len() > most_upstreams;
        let mut upstreams: Vec<(Asn, u64)> = flows.into_iter().collect();
        upstreams.sort_by_key(|(asn, flows)| (std::cmp::Reverse(*flows), *asn));
        let mut upstreams: Vec<Asn> =
            upstreams.into_iter().take(most_upstreams).map(|(asn, _)| asn).collect();
        upstreams.sort_unstable();
        Self { methods, upstreams, others }
    }

    fn heads(&self) -> Vec<String> {
        let mut heads = vec!["state".to_owned()];
        heads.extend(self.methods.iter().map(|method| wording::method_name(*method).to_owned()));
        heads.extend(self.upstreams.iter().map(|asn| format!("via {asn}")));
        heads.extend(self.others.then(|| "via others".to_owned()));
        heads.extend(["disjoint".to_owned(), "on every path".to_owned()]);
        heads
    }

    fn cells(&self, epoch: &UnitEpoch) -> Vec<String> {
        let mut cells = vec![wording::reach(epoch.reach).to_owned()];
        cells.extend(self.methods.iter().map(|method| answered(epoch, *method)));
        cells.extend(self.upstreams.iter().map(|asn| via(epoch, |other| other == *asn)));
        cells.extend(self.others.then(|| via(epoch, |other| !self.upstreams.contains(&other))));
        cells.push(path(epoch, |epoch| {
            epoch.as_disjoint.map_or_else(|| UNTOLD.to_owned(), |paths| format!("\u{2265}{paths}"))
        }));
        cells.push(path(epoch, single_points));
        cells
    }
}

fn answered(epoch: &UnitEpoch, method: Method) -> String {
    let of = epoch.reachability.iter().find(|of| of.method == method).filter(|of| of.probes > 0);
    of.map_or_else(
        || NOTHING.to_owned(),
        |of| format!("{}/{}", number::count(of.answered), number::count(of.probes)),
    )
}

/// The share of traces through some upstreams.
fn via(epoch: &UnitEpoch, counts: impl Fn(Asn) -> bool) -> String {
    let known = wording::known_flows(epoch);
    if known == 0 {
        return path(epoch, |_| UNTOLD.to_owned());
    }
    let mut counted = epoch.upstreams.iter().filter(|share| counts(share.upstream));
    let share = match (counted.next(), counted.next()) {
        (None, _) => Some(0.0),
        (Some(only), None) => Some(only.share.value),
        _ => {
            let flows =
                epoch.upstreams.iter().filter(|share| counts(share.upstream)).map(|share| share.flows);
            Some(number::real(flows.fold(0, u64::saturating_add)) / number::real(known))
        }
    };
    share.and_then(number::percent).unwrap_or_else(|| UNTOLD.to_owned())
}

/// What is said of paths, where any was traced.
fn path(epoch: &UnitEpoch, said: impl Fn(&UnitEpoch) -> String) -> String {
    if epoch.traced == 0 { NOTHING.to_owned() } else { said(epoch) }
}

fn single_points(epoch: &UnitEpoch) -> String {
    let names: Vec<String> = epoch.single_points.iter().map(ToString::to_string).collect();
    match (epoch.as_disjoint, names.is_empty()) {
        (None, _) => UNTOLD.to_owned(),
        (_, true) => "none".to_owned(),
        _ => names.join(", "),
    }
}

/// The table as text, at most `width` characters wide. Where the line holds no column for the unit, its name
/// stands above its rows.
pub(super) fn set(findings: &Findings, width: usize) -> String {
    const INDENT: usize = 2;
    const MOST_UPSTREAMS: usize = 3;
    let room = width.saturating_sub(INDENT);
    let table = Compact::new(findings, MOST_UPSTREAMS);
    let beside = total(&widths(&table, true)) <= room;
    let fits = |table: &Compact| total(&widths(table, false)) <= room;
    let fewer = (0..MOST_UPSTREAMS).rev().map(|most| Compact::new(findings, most));
    let table = std::iter::once(table).chain(fewer).find(fits).unwrap_or_else(|| Compact::new(findings, 0));
    let mut widths = widths(&table, beside);
    narrow(&mut widths, room);
    let spare = room.saturating_sub(total(&widths));
    if let Some(last) = widths.last_mut() {
        *last = last.saturating_add(spare);
    }
    let line = |cells: &[&str]| {
        let cells: Vec<(&str, usize)> = cells.iter().copied().zip(widths.iter().copied()).collect();
        side_by_side(INDENT, &cells)
    };
    let mut text = line(&cells("unit", "epoch", &table.heads, beside));
    for unit in &table.units {
        if !beside {
            text.extend(["  ", &unit.unit, "\n"]);
        }
        for (index, row) in unit.rows.iter().enumerate() {
            let epoch = index.saturating_add(1).to_string();
            let name = if index == 0 { unit.unit.as_str() } else { "" };
            text += &line(&cells(name, &epoch, row, beside));
        }
    }
    text
}

fn cells<'a>(unit: &'a str, epoch: &'a str, row: &'a [String], beside: bool) -> Vec<&'a str> {
    let first = beside.then_some(unit).into_iter().chain([epoch]);
    first.chain(row.iter().map(String::as_str)).collect()
}

/// The least width of each column: as its widest cell, and as its head in as few lines as it takes. Words may
/// stand below each other in the last column, and in that of the states where the unit has no column.
fn widths(table: &Compact, beside: bool) -> Vec<usize> {
    const HEAD: usize = 8;
    let length = |text: &str| text.chars().count();
    let word = |text: &str| text.split(' ').map(length).max().unwrap_or(0);
    let of_head = |text: &str| word(text).max(length(text).min(HEAD));
    let heads = cells("unit", "epoch", &table.heads, beside);
    let last = heads.len().saturating_sub(1);
    let mut widths: Vec<usize> = heads.into_iter().map(of_head).collect();
    for unit in &table.units {
        for row in &unit.rows {
            for (column, (width, cell)) in
                widths.iter_mut().zip(cells(&unit.unit, "", row, beside)).enumerate()
            {
                let wraps = column == last || (!beside && column == 1);
                *width = if wraps { word(cell) } else { length(cell) }.max(*width);
            }
        }
    }
    widths
}

/// With two spaces between the columns.
fn total(widths: &[usize]) -> usize {
    let gaps = widths.len().saturating_sub(1).saturating_mul(2);
    widths.iter().copied().fold(gaps, usize::saturating_add)
}

/// Takes from the widest column until all fit; what is longer than its column wraps.
fn narrow(widths: &mut [usize], room: usize) {
    const NARROWEST: usize = 2;
    while total(widths) > room {
        match widths.iter_mut().max().filter(|width| **width > NARROWEST) {
            Some(widest) => *widest = widest.saturating_sub(1),
            None => return,
        }
    }
}

//! Diversity for people: a table a unit, one row a number and one cell an epoch with what changed since the one
//! before; and one sentence a unit for the terminal. What cannot be judged is said where the number would stand.

pub(super) mod csv;

use std::collections::BTreeMap;

use crate::analyse::compare::Findings;
use crate::analyse::diversity::{
    Contrast, CutMember, Difference, EpochDiversity, Figure, LAMBDA, Level, Measure, REPLICATES, Reading,
    UnitDiversity, Why,
};
use crate::model::Asn;

use super::{number, wording};

/// So many ASes have their hegemony shown.
const MOST_ASES: usize = 4;

/// A table of one unit.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) unit: String,
    pub(super) epochs: Vec<usize>,
    pub(super) rows: Vec<Row>,
    /// What the letters in the cells stand for.
    pub(super) reasons: Vec<String>,
}

/// One number through the epochs.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) cells: Vec<Cell>,
}

/// A number, its interval, and what changed since the epoch before; each may be empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) value: String,
    pub(super) interval: String,
    pub(super) change: String,
    pub(super) change_interval: String,
}

/// The tables of all units that are no controls.
pub(super) fn tables(findings: &Findings) -> Vec<Table> {
    findings.diversity.units.iter().filter(|unit| !unit.control).map(table).collect()
}

/// What is shown, in this order: a label, of what, and what.
fn shown(unit: &UnitDiversity) -> Vec<(String, Level, Measure)> {
    let plain = |label: &str, level, measure| (label.to_owned(), level, measure);
    let mut rows = vec![plain("effective upstreams", Level::As, Measure::EffectiveUpstreams)];
    rows.extend(
        leading(unit)
            .into_iter()
            .map(|asn| (format!("hegemony of {asn}"), Level::As, Measure::Hegemony(asn))),
    );
    rows.extend([
        plain("AS-disjoint paths", Level::As, Measure::Disjoint),
        plain("smallest cut: ASes", Level::As, Measure::SmallestCut),
        plain("address-disjoint paths", Level::Address, Measure::Disjoint),
        plain("smallest cut: addresses", Level::Address, Measure::SmallestCut),
        plain("effective AS paths", Level::As, Measure::EffectivePaths),
        plain("effective address paths", Level::Address, Measure::EffectivePaths),
        plain("effective path diversity, ASes", Level::As, Measure::PathDiversity),
        plain("effective path diversity, addresses", Level::Address, Measure::PathDiversity),
        plain("prevalence of the commonest AS path", Level::As, Measure::Prevalence),
        plain("persistence of AS paths", Level::As, Measure::Persistence),
        plain("persistence of address paths", Level::Address, Measure::Persistence),
        plain("hops", Level::Address, Measure::Hops),
        plain("hops / fewest", Level::Address, Measure::HopInflation),
        plain("round trip / shortest", Level::Address, Measure::RttInflation),
        plain("address paths, seen and unseen", Level::Address, Measure::EstimatedKinds),
        plain("links, seen and unseen", Level::Link, Measure::EstimatedKinds),
        plain("links at equal effort", Level::Link, Measure::RarefiedKinds),
        plain("chance that a search missed a router", Level::Address, Measure::ChanceMissed),
    ]);
    rows
}

/// The ASes that matter most: by the largest hegemony in any epoch.
fn leading(unit: &UnitDiversity) -> Vec<Asn> {
    let mut largest: BTreeMap<Asn, f64> = BTreeMap::new();
    for reading in unit.by_epoch.iter().flat_map(|epoch| &epoch.readings) {
        if let (Measure::Hegemony(asn), Ok(figure)) = (reading.measure, &reading.judged) {
            let most = largest.entry(asn).or_default();
            *most = most.max(figure.value);
        }
    }
    let mut ases: Vec<(Asn, f64)> = largest.into_iter().collect();
    ases.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    ases.into_iter().take(MOST_ASES).map(|(asn, _)| asn).collect()
}

fn table(unit: &UnitDiversity) -> Table {
    let mut reasons = Reasons::default();
    let rows = shown(unit).into_iter().map(|(label, level, measure)| {
        let cells = (0..unit.by_epoch.len()).map(|epoch| cell(unit, epoch, (level, measure), &mut reasons));
        Row { label, cells: cells.collect() }
    });
    let rows: Vec<Row> = rows.collect();
    Table {
        unit: unit.unit.to_string(),
        epochs: (1..=unit.by_epoch.len()).collect(),
        rows: rows.into_iter().filter(|row| row.cells.iter().any(|cell| !cell.is_empty())).collect(),
        reasons: reasons.told(),
    }
}

impl Cell {
    fn is_empty(&self) -> bool {
        self.value.is_empty() && self.change.is_empty()
    }
}

/// The reasons that a table gives, each with a letter.
#[derive(Default)]
struct Reasons {
    met: Vec<Why>,
}

impl Reasons {
    fn letter(&mut self, why: Why) -> char {
        let place = self.met.iter().position(|met| *met == why).unwrap_or_else(|| {
            self.met.push(why);
            self.met.len().saturating_sub(1)
        });
        ('a'..='z').nth(place).unwrap_or('z')
    }

    fn told(self) -> Vec<String> {
        let letters = 'a'..='z';
        letters
            .zip(self.met)
            .map(|(letter, why)| format!("({letter}) cannot be judged, because {why}."))
            .collect()
    }
}

fn cell(unit: &UnitDiversity, epoch: usize, of: (Level, Measure), reasons: &mut Reasons) -> Cell {
    let mut cell = Cell::default();
    let known = unit.by_epoch.get(epoch);
    if of.1 == Measure::SmallestCut && of.0 == Level::As {
        cell.value = known.map(|known| members(known, Level::As)).unwrap_or_default();
        return cell;
    }
    match known.and_then(|known| find(&known.readings, of)).map(|reading| reading.judged) {
        Some(Ok(figure)) => {
            let at_least = if of.1 == Measure::Disjoint { "\u{2265}" } else { "" };
            cell.value = format!("{at_least}{}", plain(figure.value));
            if let (Measure::SmallestCut, Some(known)) = (of.1, known) {
                cell.value = format!("{}: {}", cell.value, members(known, of.0));
            }
            cell.interval = interval(&figure, reasons, number::quantity);
        }
        Some(Err(why)) => cell.value = format!("({})", reasons.letter(why)),
        None => {}
    }
    add_change(&mut cell, unit, epoch, of, reasons);
    cell
}

fn add_change(
    cell: &mut Cell,
    unit: &UnitDiversity,
    epoch: usize,
    of: (Level, Measure),
    reasons: &mut Reasons,
) {
    let is_it = |contrast: &&Contrast| contrast.epoch == epoch && (contrast.level, contrast.measure) == of;
    match unit.contrasts.iter().find(is_it).map(|contrast| contrast.judged) {
        Some(Ok(Difference { before, after, change })) => {
            if cell.value.is_empty() {
                cell.value = format!("{} \u{2192} {}", plain(before), plain(after));
            }
            cell.change = number::signed_quantity(change.value).unwrap_or_default();
            cell.change_interval = interval(&change, reasons, number::signed_quantity);
        }
        Some(Err(why)) if cell.value.is_empty() => cell.value = format!("({})", reasons.letter(why)),
        Some(Err(_)) | None => {}
    }
}

/// `[1.81, 2.00]`; where there is none, the letter of the reason, but for counts.
fn interval(figure: &Figure, reasons: &mut Reasons, shown: fn(f64) -> Option<String>) -> String {
    match &figure.interval {
        Ok(found) => match (shown(found.low), shown(found.high)) {
            (Some(low), Some(high)) => format!("[{low}, {high}]"),
            _ => String::new(),
        },
        Err(Why::CountOfSeen) => String::new(),
        Err(why) => format!("({})", reasons.letter(*why)),
    }
}

fn plain(value: f64) -> String {
    number::quantity(value).unwrap_or_else(|| wording::NOT_KNOWN.to_owned())
}

fn find(readings: &[Reading], (level, measure): (Level, Measure)) -> Option<&Reading> {
    readings.iter().find(|reading| reading.level == level && reading.measure == measure)
}

/// The members of a smallest cut, a few of them.
fn members(epoch: &EpochDiversity, level: Level) -> String {
    const MOST: usize = 3;
    let Some(cut) = epoch.cuts.iter().find(|cut| cut.level == level) else { return String::new() };
    let mut names: Vec<String> = cut.members.iter().take(MOST).map(member).collect();
    let more = cut.members.len().saturating_sub(MOST);
    names.extend((more > 0).then(|| format!("{more} more")));
    names.join(", ")
}

fn member(member: &CutMember) -> String {
    let link = |from: String, to: String| format!("{from} \u{2192} {to}");
    match member {
        CutMember::Address(address) => address.to_string(),
        CutMember::Link((from, to)) => link(csv::spot(*from), csv::spot(*to)),
        CutMember::As(asn) => asn.to_string(),
        CutMember::AsLink(from, to) => link(from.to_string(), to.to_string()),
    }
}

/// One sentence a unit, of its last epoch or of its last change that can be judged.
pub(super) fn sentences(findings: &Findings) -> Vec<(String, String)> {
    let units = findings.diversity.units.iter().filter(|unit| !unit.control);
    units.map(|unit| (unit.unit.to_string(), sentence(unit))).collect()
}

fn sentence(unit: &UnitDiversity) -> String {
    let judged =
        |contrast: &&Contrast| contrast.measure == Measure::EffectiveUpstreams && contrast.judged.is_ok();
    if let Some(last) = unit.contrasts.iter().rfind(judged) {
        return changed(unit, last.epoch);
    }
    let known = unit.by_epoch.iter().enumerate().rev().find_map(|(epoch, known)| {
        let reading = find(&known.readings, (Level::As, Measure::EffectiveUpstreams))?;
        Some((epoch, reading.judged.ok()?))
    });
    if let Some((epoch, figure)) = known {
        let value = plain(figure.value);
        let number = epoch.saturating_add(1);
        return format!(
            "effective upstreams {value}{} in epoch {number}",
            behind(&figure, number::quantity)
        );
    }
    let last = unit.by_epoch.last();
    let reading = last.and_then(|last| find(&last.readings, (Level::As, Measure::EffectiveUpstreams)));
    let why = reading.and_then(|reading| reading.judged.err()).unwrap_or(Why::NotTraced);
    format!("cannot be judged, because {why}")
}

/// The interval behind a blank, or nothing.
fn behind(figure: &Figure, shown: fn(f64) -> Option<String>) -> String {
    let interval = interval(figure, &mut Reasons::default(), shown);
    if interval.starts_with('[') { format!(" {interval}") } else { String::new() }
}

/// `epoch 1 → 2: effective upstreams 1 → 1.98, +0.98 [+0.91, +1]; hegemony of AS4837 …`.
fn changed(unit: &UnitDiversity, epoch: usize) -> String {
    let of_epoch = || unit.contrasts.iter().filter(|contrast| contrast.epoch == epoch);
    let upstreams = of_epoch().filter(|contrast| contrast.measure == Measure::EffectiveUpstreams);
    let mut ases: Vec<&Contrast> =
        of_epoch().filter(|contrast| matches!(contrast.measure, Measure::Hegemony(_))).collect();
    let size = |contrast: &Contrast| contrast.judged.map_or(0.0, |found| found.change.value.abs());
    ases.sort_by(|one, other| size(other).total_cmp(&size(one)).then(one.measure.cmp(&other.measure)));
    let parts: Vec<String> = upstreams.chain(ases.into_iter().take(2)).filter_map(part).collect();
    format!("epoch {epoch} \u{2192} {}: {}", epoch.saturating_add(1), parts.join("; "))
}

fn part(contrast: &Contrast) -> Option<String> {
    let found = contrast.judged.ok()?;
    let what = match contrast.measure {
        Measure::Hegemony(asn) => format!("hegemony of {asn}"),
        _ => "effective upstreams".to_owned(),
    };
    let change = number::signed_quantity(found.change.value)?;
    let interval = behind(&found.change, number::signed_quantity);
    Some(format!("{what} {} \u{2192} {}, {change}{interval}", plain(found.before), plain(found.after)))
}

/// The lines of a table for a paper: unit, epochs, measure, before and after, difference.
pub(super) fn lines(findings: &Findings) -> Vec<[String; 5]> {
    let units = findings.diversity.units.iter().filter(|unit| !unit.control);
    units.flat_map(unit_lines).collect()
}

fn unit_lines(unit: &UnitDiversity) -> Vec<[String; 5]> {
    let rows = shown(unit);
    let epochs = (1..unit.by_epoch.len()).flat_map(|epoch| rows.iter().map(move |row| (epoch, row)));
    let line = |(epoch, (label, level, measure)): (usize, &(String, Level, Measure))| {
        let is_it = |contrast: &&Contrast| {
            contrast.epoch == epoch && (contrast.level, contrast.measure) == (*level, *measure)
        };
        let found = unit.contrasts.iter().find(is_it)?.judged.ok()?;
        let interval = behind(&found.change, number::signed_quantity);
        let difference = format!("{}{interval}", number::signed_quantity(found.change.value)?);
        let epochs = format!("{epoch}, {}", epoch.saturating_add(1));
        let values = format!("{}, {}", plain(found.before), plain(found.after));
        let ascii = |text: String| text.replace('\u{2212}', "-");
        Some([unit.unit.to_string(), epochs, label.clone(), values, ascii(difference)])
    };
    epochs.filter_map(line).collect()
}

/// How these numbers are meant; empty if there are none.
pub(super) fn notes(findings: &Findings) -> Vec<String> {
    if findings.diversity.units.is_empty() {
        return Vec::new();
    }
    vec![
        format!(
            "The intervals of diversity are those of a cluster bootstrap ({REPLICATES} draws, seeded from the \
             campaign): whole targets, or flows where there are fewer than 8 targets, are drawn again within each \
             vantage, with all their rounds, and a flow that was traced before and after an event is drawn for \
             both. They speak of these vantages."
        ),
        "Effective numbers are 2^H, H being Shannon's entropy in bits: so many equally used ones would be as \
         diverse. Hegemony is the mean over the vantages that have a path of the share of traces that cross an \
         AS, a tenth of the vantages cut off at either end (with fewer than ten, none)."
            .to_owned(),
        format!(
            "Effective path diversity is that of Rohrer, Jabbar and Sterbenz with \u{3bb} = {}: 0 for one path, \
             towards 1 for many that share nothing.",
            plain(LAMBDA)
        ),
        "Disjoint paths are a lower bound: silent hops may be one router, so over them only one way is counted. The \
         smallest cut is that of all that was measured and is at least as large. Addresses are sides of links: ways \
         without a common address share no link, but may share a router. ASes that answer from no address are \
         unseen at every level."
            .to_owned(),
        "Kinds seen and unseen are estimated by Chao's lower bound, with flows as samples; each flow counts once, \
         however often it was traced. At equal effort means as many flows as the epoch with the fewer has \
         (rarefaction)."
            .to_owned(),
    ]
}

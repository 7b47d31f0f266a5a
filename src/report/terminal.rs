//! The report as text, for a terminal, a pipe or a mail.
//!
//! Verdicts come first, then one table of a row a unit and epoch; the full form adds every table with its
//! intervals, and how to read them. Colour is only added where it is asked for and never says
//! anything that the words do not say.

use std::collections::BTreeSet;

use crate::analyse::compare::{Findings, Reach, UnitFindings};
use crate::model::Asn;

use super::columns::{paragraph, side_by_side};
use super::wording::{self, ChangeRow, Row};
use super::{compact, diversity, foretold, methods, number};

/// How the text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether the reader understands ANSI colours.
    pub colour: bool,
    /// Characters in a line; less than 72 is set as 72, more than 120 as 120.
    pub width: usize,
    /// Whether every table is printed, or what fits a screen or two.
    pub full: bool,
}

impl Style {
    /// For files: everything, no colour, 100 characters.
    pub const PLAIN: Self = Self { colour: false, width: 100, full: true };
}

/// Width of the questions at the left of a unit's table.
const LABEL: usize = 19;
/// The narrowest column that holds an estimate with its interval: `100.0 % [99.1, 100.0]`.
const NARROWEST: usize = 22;
/// The widest that is still pleasant to read.
const WIDEST: usize = 30;

const BOLD: &str = "1";
const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";

/// The whole report as text. It ends with a newline and holds no control characters other than newlines,
/// and colours where the style asks for them.
#[must_use]
pub fn terminal(findings: &Findings, style: Style) -> String {
    let page = Page { findings, style: Style { width: style.width.clamp(72, 120), ..style } };
    let (controls, units): (Vec<_>, Vec<_>) = findings.units.iter().partition(|unit| unit.control);
    let mut text = page.header();
    text += &page.verdicts(&units);
    text += &page.compact(&units);
    text += &page.diversity();
    text += &page.epochs();
    text += &page.foretold();
    if style.full {
        text += &page.tables(&format!("UNITS, with {} intervals", wording::confidence(findings)), &units);
        text += &page.tables("CONTROL UNITS, to tell the vantage's own trouble apart", &controls);
        text += &page.names();
        text += &page.reading();
        text += &page.ledger();
    } else {
        text += &page.controls(&controls);
        text += &page.ledger();
        text += &paragraph("", POINTER, page.style.width);
    }
    text
}

/// What the short form says at its end.
const POINTER: &str =
    "Every table with its intervals, every change and how to read them: tetherline report --full.";

struct Page<'a> {
    findings: &'a Findings,
    style: Style,
}

impl Page<'_> {
    fn header(&self) -> String {
        let title = format!("{} \u{b7} {}", self.findings.campaign, wording::vantages(self.findings));
        let mut text = self.painted(BOLD, &title) + "\n" + &wording::period(self.findings) + "\n";
        if let Some(note) = wording::rehearsal(self.findings) {
            text += &paragraph("", &note, self.style.width);
        }
        text
    }

    fn verdicts(&self, units: &[&UnitFindings]) -> String {
        let mut text =
            self.heading(&format!("VERDICTS, with {} intervals", wording::confidence(self.findings)));
        if let Some(reason) = wording::nothing_to_compare(self.findings) {
            text += &paragraph("  ", reason, self.style.width);
        }
        for unit in units {
            text += &self.title(unit);
            for sentence in wording::verdicts(unit) {
                text += &paragraph("    - ", &sentence, self.style.width);
            }
        }
        text
    }

    fn title(&self, unit: &UnitFindings) -> String {
        format!("  {}\n", self.painted(BOLD, &wording::unit_title(unit)))
    }

    fn compact(&self, units: &[&UnitFindings]) -> String {
        if units.is_empty() {
            return String::new();
        }
        let table = compact::set(self.findings, self.style.width);
        let key = paragraph("  ", compact::KEY, self.style.width);
        self.heading("BY UNIT AND EPOCH") + &self.coloured(&table) + &key + &self.who(units)
    }

    /// One sentence a unit; the tables stand on the page and in the files.
    fn diversity(&self) -> String {
        let sentences = diversity::sentences(self.findings);
        if sentences.is_empty() {
            return String::new();
        }
        let line =
            |(unit, text): (String, String)| paragraph("  ", &format!("{unit}: {text}."), self.style.width);
        let title = format!("DIVERSITY, with {} intervals over flows", wording::confidence(self.findings));
        self.heading(&title) + &sentences.into_iter().map(line).collect::<String>()
    }

    fn foretold(&self) -> String {
        let sentences = foretold::sentences(self.findings);
        if sentences.is_empty() {
            return String::new();
        }
        let line =
            |(unit, text): (String, String)| paragraph("  ", &format!("{unit}, {text}."), self.style.width);
        let lines: String = sentences.into_iter().map(line).collect();
        self.heading("PREDICTIONS of these events, and how good they were")
            + &lines
            + &paragraph("  ", foretold::KEY, self.style.width)
    }

    /// The names of the upstreams and origins, in one paragraph; the full form names all ASes in a list.
    fn who(&self, units: &[&UnitFindings]) -> String {
        let asns = units.iter().flat_map(|unit| wording::upstreams(unit).into_iter().chain(unit.origin));
        let asns: BTreeSet<Asn> = asns.collect();
        let named = |asn: &Asn| Some(format!("{asn} {}", wording::as_name(self.findings, *asn, 28)?));
        let named: Vec<String> = asns.iter().filter_map(named).collect();
        if named.is_empty() || self.style.full {
            return String::new();
        }
        paragraph("  ", &format!("{}.", named.join("; ")), self.style.width)
    }

    fn controls(&self, controls: &[&UnitFindings]) -> String {
        if controls.is_empty() {
            return String::new();
        }
        let line = |unit: &&UnitFindings| {
            let text = format!("{}: {}", wording::unit_title(unit), wording::control(unit));
            paragraph("  ", &text, self.style.width)
        };
        self.heading("CONTROL UNITS, to tell the vantage's own trouble apart")
            + &controls.iter().map(line).collect::<String>()
    }

    fn epochs(&self) -> String {
        let mut text = self.heading("EPOCHS, UTC");
        for (index, epoch) in self.findings.epochs.iter().enumerate() {
            let mark = format!("  {}  {}  ", index.saturating_add(1), number::moment(epoch.start));
            let lasted = number::span(epoch.end.since(epoch.start));
            let text_of = format!("{}, lasted {lasted}", wording::opening(self.findings, index));
            text += &paragraph(&mark, &text_of, self.style.width);
        }
        text
    }

    fn tables(&self, title: &str, units: &[&UnitFindings]) -> String {
        if units.is_empty() {
            return String::new();
        }
        let mut text = self.heading(title);
        for (index, unit) in units.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            text += &self.title(unit);
            text += &self.table(unit);
            text += &self.changes(unit);
        }
        text
    }

    /// The unit's table, in banks of as many epochs as the line holds.
    fn table(&self, unit: &UnitFindings) -> String {
        let room = self.style.width.saturating_sub(LABEL).saturating_sub(4);
        let side = room.div_euclid(NARROWEST.saturating_add(2)).max(1);
        let shown = side.min(unit.by_epoch.len()).max(1);
        let width = room.div_euclid(shown).saturating_sub(2).clamp(NARROWEST, WIDEST);
        let rows = wording::unit_rows(unit);
        let banks = (0..unit.by_epoch.len()).step_by(side);
        let banks = banks.map(|first| self.bank(&rows, first..first.saturating_add(side), width));
        banks.collect::<Vec<_>>().join("\n")
    }

    fn bank(&self, rows: &[Row], epochs: std::ops::Range<usize>, width: usize) -> String {
        let count = rows.first().map_or(0, |row| row.cells.len());
        let heads: Vec<String> = epochs
            .clone()
            .take_while(|epoch| *epoch < count)
            .map(|epoch| format!("epoch {}", epoch.saturating_add(1)))
            .collect();
        let mut text = set(4, "", &heads, width);
        for row in rows {
            let cells = row.cells.iter().skip(epochs.start).take(epochs.len());
            let cells: Vec<String> = cells.map(wording::Cell::joined).collect();
            text += &self.marked(&set(4, &row.label, &cells, width), &row.label);
        }
        text
    }

    fn marked(&self, line: &str, label: &str) -> String {
        if label == "state" { self.coloured(line) } else { line.to_owned() }
    }

    /// Colours the words for states, which say the same without it.
    fn coloured(&self, text: &str) -> String {
        if !self.style.colour {
            return text.to_owned();
        }
        let paint = |reach: Reach, colour: &str| {
            let word = wording::reach(reach);
            (format!("  {word}"), format!("  {}", self.painted(colour, word)))
        };
        let paints = [
            paint(Reach::Reachable, GREEN),
            paint(Reach::Unreachable, RED),
            paint(Reach::NotObservable, YELLOW),
            paint(Reach::NotMeasured, YELLOW),
        ];
        paints.iter().fold(text.to_owned(), |text, (plain, painted)| text.replace(plain, painted))
    }

    fn changes(&self, unit: &UnitFindings) -> String {
        let rows = wording::change_rows(unit);
        if rows.is_empty() {
            return String::new();
        }
        let mut text = "    changes from epoch to epoch, largest first\n".to_owned();
        text.extend(rows.iter().map(|row| set_change(row, self.style.width)));
        text
    }

    fn names(&self) -> String {
        if self.findings.names.is_empty() {
            return String::new();
        }
        let mut text = self.heading("NAMES");
        let room = self.style.width.saturating_sub(16);
        for asn in self.findings.names.keys() {
            if let Some(name) = wording::as_name(self.findings, *asn, room) {
                text += &paragraph(&format!("  {:<12}  ", asn.to_string()), &name, self.style.width);
            }
        }
        text
    }

    fn reading(&self) -> String {
        let notes = methods::notes(self.findings);
        let body = notes.iter().map(|note| paragraph("  - ", note, self.style.width));
        self.heading("HOW TO READ THIS") + &body.collect::<String>()
    }

    fn ledger(&self) -> String {
        let mut text = self.heading("LEDGER, in packets");
        for line in self.findings.ledger.to_string().lines() {
            text += &paragraph("  ", line, self.style.width);
        }
        text += &paragraph("  ", &wording::rounds(self.findings), self.style.width);
        if let Some(sentence) = wording::opt_outs(self.findings) {
            text += &paragraph("  ", &sentence, self.style.width);
        }
        text
    }

    fn heading(&self, title: &str) -> String {
        format!("\n{}\n", self.painted(BOLD, title))
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.style.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

fn set(indent: usize, label: &str, cells: &[String], width: usize) -> String {
    let mut columns = vec![(label, LABEL)];
    columns.extend(cells.iter().map(|cell| (cell.as_str(), width)));
    side_by_side(indent, &columns)
}

fn set_change(change: &ChangeRow, width: usize) -> String {
    let value = format!("{} \u{2192} {}", change.before, change.after);
    let difference = format!("{} {}", change.difference, change.interval);
    let rest = width.saturating_sub(53);
    side_by_side(6, &[(&change.epochs, 8), (&change.what, 16), (&value, 17), (&difference, rest)])
}

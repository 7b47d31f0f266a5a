//! Tables of AS relationships, as CAIDA's as-rel files and their relatives write them; plain, gzip or bzip2.
//!
//! ```text
//! serial-1    a|b|-1      a is a provider of b        a|b|0         peers
//! serial-2    a|b|-1|bgp  the same, with its source   a|b|0|mlp
//! TopoScope   like serial-1, and                      a|b|1         siblings
//! legacy      a|b|-1      a is a customer of b        a|b|1         a is a provider of b
//! (to 2013)   a|b|0       peers                       a|b|2         siblings
//! ```
//!
//! A legacy file lists each link from both sides. So it is told by a `2`, or by a link that is `-1` from one
//! side and `1` from the other; a `1` in any other file means siblings. Lines that begin with `#` are comments;
//! those that list the clique and the ASes of exchange points are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::model::{AsRelation, Asn, FileError};

use super::compressed::plain;
use super::faults::Faults;
use super::lines::LineLimit;

/// The longest line that is read, in bytes; the longest comments list some hundred ASes.
const LONGEST_LINE: usize = 64 * 1024;

/// The most lines that are read; a table of 2026 has some 700,000.
const MOST_LINES: usize = 10_000_000;

/// What a table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsRelTable {
    /// Each pair of ASes once, in the order of the file. Where a file says two things of a pair, the first.
    pub relations: Vec<AsRelation>,
    /// The ASes at the top, which peer with each other, as far as the file names them.
    pub clique: Vec<Asn>,
    /// The ASes of exchange points that the file names.
    pub exchange_points: Vec<Asn>,
    /// What was in it.
    pub counts: AsRelCounts,
}

/// What was in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsRelCounts {
    /// Lines with a relation.
    pub rows: u64,
    /// Lines that say again what an earlier one said of the same pair, from either side.
    pub repeated: u64,
    /// Lines that say something else than an earlier one of the same pair. They are left out.
    pub contradicting: u64,
    /// Pairs of provider and customer.
    pub transit: u64,
    /// Pairs of peers.
    pub peering: u64,
    /// Pairs of siblings.
    pub siblings: u64,
    /// Whether the file is a legacy one.
    pub is_legacy: bool,
}

/// Reads a whole table.
///
/// # Errors
/// The first line that is none of such a table, or the system's reason.
pub fn load_as_rel(path: &Path) -> Result<AsRelTable, FileError> {
    let name = path.display().to_string();
    let failed = |error: io::Error| file_error(&name, None, b"", &format!("cannot be read: {error}"));
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(file_error(&name, None, b"", "is a folder: must be a table of AS relationships"));
    }
    read_as_rel(BufReader::new(file), &name)
}

/// The same from anywhere; the name is for messages.
///
/// # Errors
/// The first line that is none of such a table, or the system's reason.
pub fn read_as_rel(input: impl BufRead + 'static, name: &str) -> Result<AsRelTable, FileError> {
    let mut faults = Faults::new(name);
    let table = read_what_is_whole(input, &mut faults);
    match faults.first.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(table),
    }
}

/// Reads what is whole of a table, and tells the rest.
pub(super) fn read_what_is_whole(input: impl BufRead + 'static, faults: &mut Faults) -> AsRelTable {
    let mut lines = Lines::default();
    let text = match plain(input) {
        Ok(text) => text,
        Err(error) => {
            faults.whole(format_args!("cannot be read: {error}"));
            return lines.table();
        }
    };
    let mut input = BufReader::with_capacity(BUFFER, LineLimit::new(text, LONGEST_LINE));
    let mut text = Vec::new();
    for number in 1..=MOST_LINES {
        text.clear();
        match input.read_until(b'\n', &mut text) {
            Ok(0) => return lines.table(),
            Ok(_) => {}
            Err(error) => {
                // What stands before the tear is no whole line.
                faults.line(number, "", format_args!("cannot be read from here on: {error}"));
                return lines.table();
            }
        }
        let line = text.trim_ascii();
        if let Err(rule) = lines.take(line) {
            faults.line(number, &String::from_utf8_lossy(line), rule);
        }
    }
    faults.line(MOST_LINES, "", "more lines than any table of AS relationships has: the rest is left out");
    lines.table()
}

const BUFFER: usize = 64 * 1024;

/// A line with a relation. What the kind means depends on the whole file.
#[derive(Clone, Copy)]
struct Row {
    one: Asn,
    other: Asn,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    MinusOne,
    Zero,
    One,
    Two,
}

impl Row {
    /// The same for both sides of a link.
    fn pair(&self) -> (Asn, Asn) {
        (self.one.min(self.other), self.one.max(self.other))
    }

    /// Siblings and peers are written with the lower number first, so that both sides read alike.
    fn relation(&self, is_legacy: bool) -> AsRelation {
        let (low, high) = self.pair();
        match (self.kind, is_legacy) {
            (Kind::Zero, _) => AsRelation::Peering(low, high),
            (Kind::One, false) | (Kind::Two, _) => AsRelation::Siblings(low, high),
            (Kind::MinusOne, false) | (Kind::One, true) => {
                AsRelation::Transit { provider: self.one, customer: self.other }
            }
            (Kind::MinusOne, true) => AsRelation::Transit { provider: self.other, customer: self.one },
        }
    }
}

/// All that was read so far.
#[derive(Default)]
struct Lines {
    rows: Vec<Row>,
    clique: Vec<Asn>,
    exchange_points: Vec<Asn>,
}

impl Lines {
    fn take(&mut self, line: &[u8]) -> Result<(), &'static str> {
        match line.first() {
            None => {}
            Some(b'#') => self.comment(line),
            Some(_) => self.rows.push(row(line)?),
        }
        Ok(())
    }

    fn comment(&mut self, line: &[u8]) {
        let list = |title: &str| {
            let numbers = std::str::from_utf8(line).ok()?.strip_prefix(title)?;
            Some(numbers.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect())
        };
        if let Some(clique) = list("# input clique:").or_else(|| list("# inferred clique:")) {
            self.clique = clique;
        } else if let Some(exchange_points) = list("# IXP ASes:") {
            self.exchange_points = exchange_points;
        }
    }

    fn table(self) -> AsRelTable {
        let mut by_pair: Vec<(Asn, Asn, usize)> = Vec::with_capacity(self.rows.len());
        by_pair.extend(self.rows.iter().enumerate().map(|(index, row)| {
            let (low, high) = row.pair();
            (low, high, index)
        }));
        by_pair.sort_unstable();
        let pairs = || by_pair.chunk_by(|one, next| (one.0, one.1) == (next.0, next.1));
        let is_legacy = pairs().any(|pair| is_legacy(&self.rows, pair));
        let mut counts = AsRelCounts { is_legacy, ..AsRelCounts::default() };
        let mut first = vec![false; self.rows.len()];
        for pair in pairs() {
            judge(&self.rows, pair, &mut first, &mut counts);
        }
        let kept = self.rows.iter().zip(first).filter(|(_, first)| *first);
        AsRelTable {
            relations: kept.map(|(row, _)| row.relation(is_legacy)).collect(),
            clique: self.clique,
            exchange_points: self.exchange_points,
            counts,
        }
    }
}

/// Whether what is said of a pair is said only in a legacy file.
fn is_legacy(rows: &[Row], pair: &[(Asn, Asn, usize)]) -> bool {
    let said = || pair.iter().filter_map(|(.., index)| rows.get(*index));
    let mirrored = |row: &Row| {
        row.kind == Kind::One && said().any(|other| other.kind == Kind::MinusOne && other.one == row.other)
    };
    said().any(|row| row.kind == Kind::Two || mirrored(row))
}

/// Keeps the first row of a pair and counts all.
fn judge(rows: &[Row], pair: &[(Asn, Asn, usize)], keep: &mut [bool], counts: &mut AsRelCounts) {
    let mut said = pair.iter().filter_map(|(.., index)| Some((*index, rows.get(*index)?)));
    let Some((index, row)) = said.next() else { return };
    let relation = row.relation(counts.is_legacy);
    if let Some(keep) = keep.get_mut(index) {
        *keep = true;
    }
    let kind = match relation {
        AsRelation::Transit { .. } => &mut counts.transit,
        AsRelation::Peering(..) => &mut counts.peering,
        AsRelation::Siblings(..) => &mut counts.siblings,
    };
    *kind = kind.saturating_add(1);
    counts.rows = counts.rows.saturating_add(1);
    for (_, again) in said {
        counts.rows = counts.rows.saturating_add(1);
        let same = again.relation(counts.is_legacy) == relation;
        let count = if same { &mut counts.repeated } else { &mut counts.contradicting };
        *count = count.saturating_add(1);
    }
}

/// Reads a line; the error is the rule that it breaks.
fn row(line: &[u8]) -> Result<Row, &'static str> {
    const FORM: &str = "must be two AS numbers and a relation, as in 4837|131279|-1";
    let mut fields = line.split(|byte| *byte == b'|');
    let (Some(one), Some(other), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(FORM);
    };
    if fields.nth(1).is_some() {
        return Err("must have at most four fields");
    }
    let kind = match kind {
        b"-1" => Kind::MinusOne,
        b"0" => Kind::Zero,
        b"1" => Kind::One,
        b"2" => Kind::Two,
        _ => return Err("must name a relation: -1, 0, 1 or 2"),
    };
    let (one, other) = asn(one).zip(asn(other)).ok_or(FORM)?;
    if one == other { Err("must name two different ASes") } else { Ok(Row { one, other, kind }) }
}

fn asn(digits: &[u8]) -> Option<Asn> {
    let digit = |number: u32, byte: &u8| {
        let value = byte.is_ascii_digit().then(|| u32::from(byte.saturating_sub(b'0')))?;
        number.checked_mul(10)?.checked_add(value)
    };
    let number = digits.iter().try_fold(0, digit)?;
    Asn::try_from(number).ok()
}

fn file_error(file: &str, line: Option<usize>, found: &[u8], rule: &str) -> FileError {
    let found = String::from_utf8_lossy(found.get(..80).unwrap_or(found)).into_owned();
    FileError { file: file.to_owned(), line, found, rule: rule.to_owned() }
}

#[cfg(test)]
mod tests;

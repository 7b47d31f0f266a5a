//! Reads the outputs back, as a person or another program would.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::model::{AsLink, Asn, Prefix, WallTime};
use crate::report::dictionary::Kind;

/// A CSV file, as any reader of RFC 4180 sees it.
pub(in crate::report) struct CsvFile {
    pub(in crate::report) name: String,
    pub(in crate::report) header: Vec<String>,
    pub(in crate::report) rows: Vec<BTreeMap<String, String>>,
}

impl CsvFile {
    pub(in crate::report) fn read(name: &str, bytes: &[u8]) -> Self {
        let mut reader = csv::Reader::from_reader(bytes);
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|record| {
            let record = record.unwrap();
            assert_eq!(record.len(), header.len(), "{name}");
            header.iter().cloned().zip(record.iter().map(str::to_owned)).collect()
        });
        Self { name: name.to_owned(), rows: rows.collect(), header }
    }
}

/// Whether a cell is of the kind that the dictionary promises.
pub(in crate::report) fn fits(kind: Kind, cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if cell.is_empty() {
        return true;
    }
    match kind {
        Kind::Count => digits(cell),
        Kind::Number => cell.strip_prefix('-').unwrap_or(cell).split('.').all(digits),
        Kind::Time => cell.ends_with('Z') && WallTime::parse_rfc3339(cell).is_ok(),
        Kind::Nanoseconds => cell.parse::<i64>().is_ok() && !cell.starts_with('+'),
        Kind::Prefix => cell.parse::<Prefix>().is_ok(),
        Kind::Asn => cell.starts_with("AS") && cell.parse::<Asn>().is_ok(),
        Kind::AsnOrUnknown => cell == "unknown" || fits(Kind::Asn, cell),
        Kind::Link => cell.parse::<AsLink>().is_ok_and(|link| link.to_string() == cell),
        Kind::Element => {
            matches!(cell, "vantage" | "unit") || cell.parse::<IpAddr>().is_ok() || fits(Kind::Asn, cell)
        }
        Kind::Name => {
            let mut allowed = cell.bytes().map(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b));
            !cell.starts_with('-') && allowed.all(|allowed| allowed)
        }
        Kind::Address => cell.parse::<std::net::IpAddr>().is_ok(),
        Kind::Probability => {
            let (digits, power) = cell.split_once('e').unwrap();
            fits(Kind::Number, digits) && power.parse::<i32>().is_ok() && !cell.starts_with('-')
        }
        Kind::Word(words) => words.contains(&cell),
    }
}

/// The table of a unit in the text: label to cells. Columns are at least two spaces apart.
pub(in crate::report) fn terminal_rows(text: &str, unit: &str) -> BTreeMap<String, Vec<String>> {
    let tables = text.split("\nUNITS,").nth(1).unwrap();
    let after = tables.split(&format!("\n  {unit} (")).nth(1).unwrap();
    let lines =
        after.lines().skip(2).take_while(|line| line.starts_with("    ") && !line.contains("changes"));
    let rows = lines.map(|line| {
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned);
        (cells.next().unwrap(), cells.collect())
    });
    rows.collect()
}

/// The row of a unit and epoch in the short table.
pub(super) fn brief_row(text: &str, unit: &str, epoch: &str) -> String {
    let table = text.split("\nBY UNIT AND EPOCH\n").nth(1).unwrap();
    let rows = table.lines().skip_while(|line| !line.trim_start().starts_with(unit));
    let row = rows
        .map(|line| line.replacen(unit, "", 1))
        .find(|line| line.trim_start().starts_with(&format!("{epoch}  ")));
    row.unwrap()
}

/// The same row on the page.
pub(super) fn page_brief_row(page: &str, unit: &str, epoch: &str) -> String {
    let mut rows = page.split("<tr data-row=\"").skip(1);
    let row = rows.find(|row| row.starts_with(&format!("{unit} {epoch}\"")));
    without_tags(row.unwrap().split("</tr>").next().unwrap())
}

/// The same table on the page.
pub(in crate::report) fn page_rows(page: &str, unit: &str) -> BTreeMap<String, Vec<String>> {
    let article = page.split("<article class=\"unit\"").find(|part| part.contains(&format!("<h3>{unit} ")));
    let table = article.unwrap().split("</table>").next().unwrap();
    let rows = table.split("<tr>").skip(2).map(|row| {
        let mut cells = row.split("</t").map(without_tags).filter(|cell| !cell.is_empty());
        (cells.next().unwrap(), cells.collect())
    });
    rows.collect()
}

fn without_tags(markup: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for character in markup.trim_start_matches(['h', 'd', 'r', 'b', 'o', 'y']).chars() {
        match character {
            '<' => inside = true,
            '>' if !inside => {}
            '>' => inside = false,
            other if !inside => text.push(other),
            _ => {}
        }
    }
    text.trim().to_owned()
}

/// The text without its ANSI colours.
pub(in crate::report) fn without_colour(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').unwrap().1)
}

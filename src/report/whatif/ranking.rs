//! Whose loss hurts most, for people and as CSV.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use super::files::tie;
use super::text::shortened_to;
use crate::analyse::topology::{Harm, Lost, PairHarm, Ties};
use crate::model::{Asn, Untrusted};
use crate::report::number;

/// A ranking over snapshots and ways to break ties.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// The origin.
    pub origin: Asn,
    /// What has happened before, in plain words; `None` if nothing.
    pub after: Option<String>,
    /// How many candidates of each kind were tried in a snapshot.
    pub candidates: usize,
    /// What was found.
    pub rows: Vec<RankRow>,
    /// How many are shown to a person.
    pub top: usize,
    /// Names of ASes, where known.
    pub names: BTreeMap<Asn, Untrusted>,
}

/// What one loss does in one snapshot.
#[derive(Clone, Debug)]
pub struct RankRow {
    /// The file that the snapshot is from.
    pub snapshot: String,
    /// How ties were broken.
    pub ties: Ties,
    /// What is lost.
    pub loss: Loss,
}

/// One loss, or two.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// One.
    One(Harm),
    /// Two.
    Two(PairHarm),
}

impl Loss {
    fn lost(&self) -> Vec<Lost> {
        match self {
            Self::One(harm) => vec![harm.lost],
            Self::Two(pair) => pair.lost.to_vec(),
        }
    }

    fn cut_off(&self) -> u64 {
        match self {
            Self::One(harm) => harm.cut_off,
            Self::Two(pair) => pair.cut_off,
        }
    }

    fn longer(&self) -> i64 {
        match self {
            Self::One(harm) => harm.longer,
            Self::Two(pair) => pair.longer,
        }
    }

    /// Ways that cross one, or who is cut off only by both.
    fn third(&self) -> u64 {
        match self {
            Self::One(harm) => harm.crossed,
            Self::Two(pair) => pair.only_together,
        }
    }
}

const COLUMNS: [&str; 8] =
    ["snapshot", "ties", "lost", "lost_too", "cut_off", "only_together", "longer", "crossed"];

/// Writes a ranking as CSV: one row a snapshot, way to break ties and loss.
///
/// # Errors
/// If it cannot be written.
pub fn write_ranking_csv(ranking: &Ranking, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS)?;
    for RankRow { snapshot, ties, loss } in &ranking.rows {
        let (first, second, together, crossed) = match loss {
            Loss::One(harm) => (harm.lost, String::new(), String::new(), harm.crossed.to_string()),
            Loss::Two(PairHarm { lost: [one, other], only_together, .. }) => {
                (*one, other.to_string(), only_together.to_string(), String::new())
            }
        };
        let (cut_off, longer) = (loss.cut_off().to_string(), loss.longer().to_string());
        let cells =
            [snapshot, &tie(*ties), &first.to_string(), &second, &cut_off, &together, &longer, &crossed];
        writer.write_record(cells)?;
    }
    writer.flush()
}

/// Writes a ranking as one JSON object with the same rows.
///
/// # Errors
/// If it cannot be written.
pub fn write_ranking_json(ranking: &Ranking, out: &mut dyn Write) -> io::Result<()> {
    let row = |RankRow { snapshot, ties, loss }: &RankRow| {
        let lost: Vec<String> = loss.lost().iter().map(ToString::to_string).collect();
        let mut object = serde_json::json!({
            "snapshot": snapshot,
            "ties": tie(*ties),
            "lost": lost,
            "cut_off": loss.cut_off(),
            "longer": loss.longer(),
        });
        let third = if matches!(loss, Loss::One(_)) { "crossed" } else { "only_together" };
        if let Some(object) = object.as_object_mut() {
            object.insert(third.to_owned(), loss.third().into());
        }
        object
    };
    let rows: Vec<serde_json::Value> = ranking.rows.iter().map(row).collect();
    let object = serde_json::json!({"origin": ranking.origin.get(), "after": ranking.after, "rows": rows});
    serde_json::to_writer_pretty(&mut *out, &object)?;
    writeln!(out)
}

/// The smallest and the largest of each figure of a loss.
struct Span {
    lost: Vec<Lost>,
    cut_off: (u64, u64),
    longer: (i64, i64),
    third: (u64, u64),
}

/// Whose loss hurts most, as text.
#[must_use]
pub fn ranking_text(ranking: &Ranking) -> String {
    let mut text = format!("Whose loss hurts {} most", ranking.origin);
    if let Some(after) = &ranking.after {
        let _ = write!(text, ", after {after}");
    }
    let _ = writeln!(text, "; of the {} most used of each kind\n", ranking.candidates);
    let one_link = |lost: &[Lost]| matches!(lost, [Lost::Link(_)]);
    let one_as = |lost: &[Lost]| matches!(lost, [Lost::As(_)]);
    let two = |lost: &[Lost]| lost.len() > 1;
    table(&mut text, ranking, "links", "ways across it", &one_link);
    table(&mut text, ranking, "ASes", "ways across it", &one_as);
    table(&mut text, ranking, "pairs", "only by both", &two);
    text.push_str(ABOUT);
    text
}

const ABOUT: &str = "\
Cut off: ASes that have no route any more. Longer: links that the ways of all others have more, all together. A range is one over
snapshots and ties. Predicted by a model from inferred relations; nothing of it was measured.
";

fn table(
    text: &mut String,
    ranking: &Ranking,
    title: &str,
    third: &str,
    is_shown: &dyn Fn(&[Lost]) -> bool,
) {
    let mut spans = spans(ranking, is_shown);
    if spans.is_empty() {
        return;
    }
    spans.sort_by_key(|span| {
        (std::cmp::Reverse((span.cut_off.1, span.third_if_pair(), span.longer.1)), span.lost.clone())
    });
    line(text, [title, "cut off", "longer", third]);
    for span in spans.iter().take(ranking.top) {
        let lost: Vec<String> = span.lost.iter().map(|lost| label(ranking, *lost)).collect();
        let longer = between(span.longer, signed);
        let cells = [
            &lost.join(" and "),
            &between(span.cut_off, number::count),
            &longer,
            &between(span.third, number::count),
        ];
        line(text, cells.map(String::as_str));
    }
    text.push('\n');
}

impl Span {
    fn third_if_pair(&self) -> u64 {
        if self.lost.len() > 1 { self.third.1 } else { 0 }
    }
}

fn spans(ranking: &Ranking, is_shown: &dyn Fn(&[Lost]) -> bool) -> Vec<Span> {
    let mut by_loss: BTreeMap<Vec<Lost>, Span> = BTreeMap::new();
    for row in &ranking.rows {
        let lost = row.loss.lost();
        if !is_shown(&lost) {
            continue;
        }
        let (cut_off, longer, third) = (row.loss.cut_off(), row.loss.longer(), row.loss.third());
        let span = by_loss.entry(lost.clone()).or_insert_with(|| Span {
            lost,
            cut_off: (cut_off, cut_off),
            longer: (longer, longer),
            third: (third, third),
        });
        span.cut_off = (span.cut_off.0.min(cut_off), span.cut_off.1.max(cut_off));
        span.longer = (span.longer.0.min(longer), span.longer.1.max(longer));
        span.third = (span.third.0.min(third), span.third.1.max(third));
    }
    by_loss.into_values().collect()
}

fn label(ranking: &Ranking, lost: Lost) -> String {
    match lost {
        Lost::As(asn) => match ranking.names.get(&asn).filter(|name| !name.is_empty()) {
            Some(name) => shortened_to(&format!("{asn} {name}"), 36),
            None => asn.to_string(),
        },
        Lost::Link(link) => link.to_string(),
    }
}

fn between<T: PartialEq + Copy>((low, high): (T, T), shown: fn(T) -> String) -> String {
    if low == high { shown(low) } else { format!("{} to {}", shown(low), shown(high)) }
}

fn signed(value: i64) -> String {
    let size = number::count(value.unsigned_abs());
    if value < 0 { format!("−{size}") } else { size }
}

fn line(text: &mut String, [lost, cut_off, longer, third]: [&str; 4]) {
    let line = format!("  {lost:<40}{cut_off:<20}{longer:<20}{third}");
    let _ = writeln!(text, "{}", line.trim_end());
}

//! How good predictions have been, for people and as CSV.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use super::figures::{Range, float};
use super::files::tie;
use crate::analyse::topology::{Backtest, Lost, Outlook, Score, Ties, Trial};
use crate::model::{AsRelation, Asn};
use crate::report::number;

/// A back-test between two snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotBacktest {
    /// The file from before.
    pub before: String,
    /// The file from after.
    pub after: String,
    /// What was found.
    pub backtest: Backtest,
}

/// One figure: foretold, by the guess that nothing changes, and actual; the last is `None` where the figure is a comparison.
struct Row {
    metric: &'static str,
    asn: Option<Asn>,
    values: Vec<(Ties, [Option<f64>; 3])>,
}

fn rows(backtest: &Backtest) -> Vec<Row> {
    let of_outlook = |metric, asn, make: &dyn Fn(&Outlook) -> Option<f64>| Row {
        metric,
        asn,
        values: values(backtest, &|trial| {
            [&trial.foretold.outlook, &trial.unchanged.outlook, &trial.actual].map(make)
        }),
    };
    let of_score = |metric, make: &dyn Fn(&Score) -> Option<f64>| Row {
        metric,
        asn: None,
        values: values(backtest, &|trial| [make(&trial.foretold), make(&trial.unchanged), None]),
    };
    let mut rows = vec![
        of_outlook("reach", None, &|outlook| Some(float(outlook.reach))),
        of_outlook("mean_length", None, &Outlook::mean_length),
    ];
    for asn in upstreams(backtest) {
        rows.push(of_outlook("share", Some(asn), &|outlook| outlook.share(asn)));
    }
    rows.push(of_score("reach_right", &|score| score.reach_right));
    rows.push(of_score("upstream_right", &|score| score.upstream_right));
    rows.push(of_score("next_right", &|score| score.next_right));
    rows.push(of_score("overlap", &|score| score.overlap));
    rows
}

type Values = Vec<(Ties, [Option<f64>; 3])>;

fn values(backtest: &Backtest, make: &dyn Fn(&Trial) -> [Option<f64>; 3]) -> Values {
    backtest.trials.iter().map(|(ties, trial)| (*ties, make(trial))).collect()
}

fn upstreams(backtest: &Backtest) -> BTreeSet<Asn> {
    let outlooks = backtest.trials.iter().flat_map(|(_, Trial { foretold, unchanged, actual })| {
        [&foretold.outlook, &unchanged.outlook, actual]
    });
    outlooks.flat_map(|outlook| outlook.catchment.keys().copied()).collect()
}

/// Writes back-tests as CSV: one row a pair of snapshots, way to break ties, metric and AS.
///
/// # Errors
/// If it cannot be written.
pub fn write_backtest_csv(tests: &[SnapshotBacktest], out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(["before", "after", "ties", "metric", "asn", "foretold", "unchanged", "actual"])?;
    for test in tests {
        for Row { metric, asn, values } in rows(&test.backtest) {
            for (ties, values) in values {
                let asn = asn.map(|asn| asn.get().to_string()).unwrap_or_default();
                let cell =
                    |value: Option<f64>| value.map(|value| format!("{value:.6}")).unwrap_or_default();
                let [foretold, unchanged, actual] = values.map(cell);
                let ties = tie(ties);
                let cells =
                    [&test.before, &test.after, &ties, metric, &asn, &foretold, &unchanged, &actual];
                writer.write_record(cells)?;
            }
        }
    }
    writer.flush()
}

/// Back-tests as text.
#[must_use]
pub fn backtest_text(origin: Asn, tests: &[SnapshotBacktest]) -> String {
    let mut text = format!("Predictions of routes to {origin}, held against later snapshots\n\n");
    for SnapshotBacktest { before, after, backtest } in tests {
        let _ = writeln!(text, "{before}, then {after}: {}", happened(backtest));
        line(&mut text, ["", "foretold", "had nothing changed", "later snapshot"]);
        for row in rows(backtest) {
            let label = label(&row);
            let cells = [0, 1, 2].map(|which: usize| {
                let of = |(_, values): &(Ties, [Option<f64>; 3])| values.get(which).copied().flatten();
                cell(row.metric, Range::of(row.values.iter().filter_map(of)))
            });
            let [foretold, unchanged, actual] = &cells;
            line(&mut text, [&label, foretold, unchanged, actual]);
        }
        text.push('\n');
    }
    text.push_str(ABOUT);
    text
}

const ABOUT: &str = "\
Right: of the ASes that both snapshots have, for how many it was foretold whether they have a route, and for how many of those with
one, which AS comes last and which comes next. Overlap: of the catchments (weighted Jaccard). The later snapshot says what it says by
the same model; what its links were inferred from was measured, its routes were not. In brackets: the range over ties.
";

fn happened(backtest: &Backtest) -> String {
    let lost = backtest.change.lose.iter().map(|lost: &Lost| format!("{lost} lost"));
    let added = backtest.change.add.iter().map(|relation| format!("{} added", in_words(relation)));
    let all: Vec<String> = lost.chain(added).collect();
    if all.is_empty() { "nothing happened to the links of the origin".to_owned() } else { all.join(", ") }
}

fn in_words(relation: &AsRelation) -> String {
    let (one, other) = relation.ends();
    let word = match relation {
        AsRelation::Transit { .. } => "transit",
        AsRelation::Peering(..) => "peering",
        AsRelation::Siblings(..) => "siblings",
    };
    format!("{one}-{other}:{word}")
}

fn label(row: &Row) -> String {
    let asn = row.asn.map(|asn| asn.to_string()).unwrap_or_default();
    let words: BTreeMap<&str, &str> = BTreeMap::from([
        ("reach", "ASes with a route"),
        ("mean_length", "mean length, links"),
        ("share", "through "),
        ("reach_right", "right: whether there is a route"),
        ("upstream_right", "right: the last AS"),
        ("next_right", "right: the next AS"),
        ("overlap", "overlap of catchments"),
    ]);
    format!("{}{asn}", words.get(row.metric).copied().unwrap_or(row.metric))
}

fn cell(metric: &str, range: Option<Range>) -> String {
    let Some(Range { value, low, high }) = range else { return "–".to_owned() };
    let [value, low, high] = [value, low, high].map(|value| shown(metric, value));
    if low == value && high == value { value } else { format!("{value} [{low}, {high}]") }
}

fn shown(metric: &str, value: f64) -> String {
    match metric {
        "reach" => format!("{value:.0}").parse().map_or_else(|_| "–".to_owned(), number::count),
        "mean_length" => format!("{value:.3}"),
        _ => number::percent(value).unwrap_or_else(|| "–".to_owned()),
    }
}

fn line(text: &mut String, [label, one, other, third]: [&str; 4]) {
    let line = format!("  {label:<34}{one:<27}{other:<27}{third}");
    let _ = writeln!(text, "{}", line.trim_end());
}

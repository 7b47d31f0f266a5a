//! A prediction for a person at a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::figures::{Metric, Range, Row, Value, rows};
use super::{Snapshot, WhatIf};
use crate::analyse::topology::{Both, Uphill};
use crate::model::Asn;
use crate::report::number;

/// What has no value.
const NOTHING: &str = "–";

/// The prediction as text.
#[must_use]
pub fn text(what_if: &WhatIf) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}, if {}", label(what_if, what_if.origin), what_if.happens);
    let _ = writeln!(text, "{}\n", about(what_if));
    for snapshot in &what_if.snapshots {
        one(&mut text, what_if, snapshot);
    }
    if what_if.snapshots.len() > 1 {
        together(&mut text, what_if);
    }
    text.push_str(LIMITS);
    text
}

const LIMITS: &str = "\
Predicted by a model from inferred relations; nothing of it was measured. Routes follow Gao and Rexford: customer before
peer before provider, then the shortest. What depends on ties or on the snapshot stands as a range.
";

fn about(what_if: &WhatIf) -> String {
    let prediction = what_if.snapshots.first().map(|snapshot| &snapshot.prediction);
    let outlooks = prediction.map_or(0, |prediction| prediction.outlooks.len());
    let seeds = outlooks.saturating_sub(1);
    let ties = if seeds == 0 {
        "ties go to the lowest AS number".to_owned()
    } else {
        format!("ties go to the lowest AS number; in brackets the range over {seeds} other orders, by seed")
    };
    match what_if.snapshots.len() {
        1 => format!("one snapshot; {ties}"),
        snapshots => format!("{snapshots} snapshots; {ties}"),
    }
}

const LABELS: usize = 34;
const CELLS: usize = 28;

fn one(text: &mut String, what_if: &WhatIf, snapshot: &Snapshot) {
    let prediction = &snapshot.prediction;
    let _ = writeln!(text, "{}: {} ASes", snapshot.name, number::count(prediction.ases));
    for absent in &prediction.absent {
        let _ = writeln!(text, "  {absent}");
    }
    line(text, "", "before", "after");
    for row in rows(prediction).iter().filter(|row| !is_uphill(row.metric)) {
        let Both { before, after } = row.range();
        line(text, &row_label(what_if, row), &cell(row.metric, before), &cell(row.metric, after));
    }
    let uphill = &prediction.uphill;
    line(
        text,
        "neighbours told",
        &uphill.before.upstreams.to_string(),
        &uphill.after.upstreams.to_string(),
    );
    line(text, "disjoint ways to the top", &ways(&uphill.before), &ways(&uphill.after));
    text.push('\n');
}

/// These have their own lines.
fn is_uphill(metric: Metric) -> bool {
    matches!(metric, Metric::Upstreams | Metric::DisjointUp | Metric::Cut | Metric::Catchment)
}

fn ways(uphill: &Uphill) -> String {
    if uphill.is_at_top {
        return "is at the top".to_owned();
    }
    let cut: Vec<String> = uphill.cut.iter().map(ToString::to_string).collect();
    match cut.as_slice() {
        [] => uphill.disjoint.to_string(),
        cut => format!("{} (cut: {})", uphill.disjoint, cut.join(", ")),
    }
}

fn line(text: &mut String, label: &str, before: &str, after: &str) {
    let line = format!("  {label:<LABELS$}{before:<CELLS$}{after}");
    let _ = writeln!(text, "{}", line.trim_end());
}

fn row_label(what_if: &WhatIf, row: &Row) -> String {
    let asn = row.asn.map(|asn| label(what_if, asn)).unwrap_or_default();
    let label = match row.metric {
        Metric::Reach => "ASes with a route".to_owned(),
        Metric::Without => "ASes without one".to_owned(),
        Metric::MeanLength => "mean length, links".to_owned(),
        Metric::Share => format!("through {asn}"),
        Metric::Hegemony => format!("hegemony of {asn}"),
        Metric::Catchment | Metric::Upstreams | Metric::DisjointUp | Metric::Cut => String::new(),
    };
    shortened(&label)
}

fn shortened(label: &str) -> String {
    shortened_to(label, LABELS - 2)
}

/// Names are other people's text, and may be long.
pub(super) fn shortened_to(label: &str, most: usize) -> String {
    if label.chars().count() <= most {
        return label.to_owned();
    }
    label.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn label(what_if: &WhatIf, asn: Asn) -> String {
    match what_if.names.get(&asn).filter(|name| !name.is_empty()) {
        Some(name) => format!("{asn} {name}"),
        None => asn.to_string(),
    }
}

fn cell(metric: Metric, range: Option<Range>) -> String {
    let Some(Range { value, low, high }) = range else { return NOTHING.to_owned() };
    let [value, low, high] = [value, low, high].map(|value| shown(metric, value));
    if low == value && high == value { value } else { format!("{value} [{low}, {high}]") }
}

fn shown(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Share => number::percent(value).unwrap_or_else(|| NOTHING.to_owned()),
        Metric::MeanLength | Metric::Hegemony => format!("{value:.3}"),
        _ => format!("{value:.0}").parse().map_or_else(|_| NOTHING.to_owned(), number::count),
    }
}

/// From the least to the most over all snapshots and ways to break ties.
fn together(text: &mut String, what_if: &WhatIf) {
    let _ = writeln!(text, "over all snapshots and ties, from the least to the most");
    line(text, "", "before", "after");
    let mut all: BTreeMap<(Metric, Option<Asn>), Vec<Value>> = BTreeMap::new();
    for row in what_if.snapshots.iter().flat_map(|snapshot| rows(&snapshot.prediction)) {
        all.entry((row.metric, row.asn)).or_default().extend(row.values);
    }
    for ((metric, asn), values) in all.into_iter().filter(|((metric, _), _)| {
        matches!(
            metric,
            Metric::Reach | Metric::MeanLength | Metric::Share | Metric::Hegemony | Metric::DisjointUp
        )
    }) {
        let row = Row { metric, asn, values };
        let Both { before, after } = row.range();
        let label = if metric == Metric::DisjointUp {
            "disjoint ways to the top".to_owned()
        } else {
            row_label(what_if, &row)
        };
        line(text, &label, &span(metric, before), &span(metric, after));
    }
    text.push('\n');
}

fn span(metric: Metric, range: Option<Range>) -> String {
    let Some(Range { low, high, .. }) = range else { return NOTHING.to_owned() };
    let (low, high) = (shown(metric, low), shown(metric, high));
    if low == high { low } else { format!("{low} to {high}") }
}

//! Predictions as CSV, one row a value, and as JSON. `docs/whatif.md` documents columns and keys.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};
use serde_json::{Map, Value, json};

use super::figures::{Range, Row, rows};
use super::{Snapshot, WhatIf};
use crate::analyse::topology::Ties;
use crate::model::Asn;

const COLUMNS: [&str; 6] = ["snapshot", "ties", "when", "metric", "asn", "value"];

/// Writes a prediction as CSV: one row a snapshot, way to break ties, moment, metric and AS.
///
/// # Errors
/// If it cannot be written.
pub fn write_csv(what_if: &WhatIf, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record(COLUMNS)?;
    for snapshot in &what_if.snapshots {
        for row in rows(&snapshot.prediction) {
            for (ties, both) in &row.values {
                for (when, value) in [("before", both.before), ("after", both.after)] {
                    let asn = row.asn.map(|asn| asn.get().to_string()).unwrap_or_default();
                    let value = value.map(number).unwrap_or_default();
                    let cells = [&snapshot.name, &tie(*ties), when, row.metric.as_str(), &asn, &value];
                    writer.write_record(cells)?;
                }
            }
        }
    }
    writer.flush()
}

/// `lowest_asn`, or the seed.
pub(super) fn tie(ties: Ties) -> String {
    match ties {
        Ties::LowestAsn => "lowest_asn".to_owned(),
        Ties::Seeded(seed) => format!("seed_{seed}"),
    }
}

/// Whole numbers without decimals, others with six.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.6}") }
}

/// Writes a prediction as one JSON object.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(what_if: &WhatIf, out: &mut dyn Write) -> io::Result<()> {
    let snapshots: Vec<Value> = what_if.snapshots.iter().map(snapshot_object).collect();
    let object = json!({
        "origin": what_if.origin.get(),
        "happens": what_if.happens,
        "snapshots": snapshots,
    });
    serde_json::to_writer_pretty(&mut *out, &object)?;
    writeln!(out)
}

fn snapshot_object(snapshot: &Snapshot) -> Value {
    let prediction = &snapshot.prediction;
    let ties: Vec<String> = prediction.outlooks.iter().map(|(ties, _)| tie(*ties)).collect();
    let absent: Vec<String> = prediction.absent.iter().map(ToString::to_string).collect();
    json!({
        "name": snapshot.name,
        "ases": prediction.ases,
        "ties": ties,
        "absent": absent,
        "figures": rows(prediction).iter().map(figure).collect::<Vec<Value>>(),
    })
}

fn figure(row: &Row) -> Value {
    let both = row.range();
    let mut object = Map::new();
    object.insert("metric".to_owned(), row.metric.as_str().into());
    object.insert("asn".to_owned(), row.asn.map(Asn::get).into());
    object.insert("before".to_owned(), range(both.before));
    object.insert("after".to_owned(), range(both.after));
    object.into()
}

fn range(range: Option<Range>) -> Value {
    range
        .map_or(Value::Null, |Range { value, low, high }| json!({"value": value, "low": low, "high": high}))
}

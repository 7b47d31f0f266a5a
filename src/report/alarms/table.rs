//! `alarms.csv` in a dataset: a row an alarm, in the order in which they were told.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::RecomputeError;
use crate::analyse::compare::{Alarm, AlarmKind};
use crate::model::{Name, Unit, WallTime};

/// A row; documented in `docs/formats.md`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    kind: String,
    vantage: Name,
    subject: String,
    units: String,
    from: String,
    to: String,
    over_from: Option<String>,
    over_to: Option<String>,
    before: Option<f64>,
    after: Option<f64>,
    p: Option<f64>,
}

impl From<&Alarm> for Row {
    fn from(alarm: &Alarm) -> Self {
        let units: Vec<String> = alarm.units.iter().map(ToString::to_string).collect();
        let over = alarm.over.map(|(from, to)| (from.to_string(), to.to_string()));
        let (over_from, over_to) = over.unzip();
        Self {
            kind: alarm.kind.as_str().to_owned(),
            vantage: alarm.vantage.clone(),
            subject: alarm.subject.clone(),
            units: units.join(" "),
            from: alarm.from.to_string(),
            to: alarm.to.to_string(),
            over_from,
            over_to,
            before: alarm.before,
            after: alarm.after,
            p: alarm.p,
        }
    }
}

impl Row {
    /// `None` if something in it is not as it is written.
    fn alarm(self) -> Option<Alarm> {
        let time = |text: &str| WallTime::parse_rfc3339(text).ok();
        let over = match (&self.over_from, &self.over_to) {
            (Some(from), Some(to)) => Some((time(from)?, time(to)?)),
            _ => None,
        };
        let units = self.units.split_whitespace().map(|unit| Some(Unit(unit.parse().ok()?)));
        Some(Alarm {
            kind: AlarmKind::parse(&self.kind)?,
            vantage: self.vantage,
            subject: self.subject,
            units: units.collect::<Option<Vec<Unit>>>()?,
            from: time(&self.from)?,
            to: time(&self.to)?,
            over,
            before: self.before,
            after: self.after,
            p: self.p,
        })
    }
}

/// The alarms of a file.
pub(super) fn read(bytes: &[u8], path: &Path) -> Result<Vec<Alarm>, RecomputeError> {
    let damaged = |line: usize, why: String| RecomputeError::Alarms { path: path.to_owned(), line, why };
    let mut reader = csv::Reader::from_reader(bytes);
    let rows = (2_usize..).zip(reader.deserialize::<Row>());
    let alarms = rows.map(|(line, row)| {
        let row = row.map_err(|error| damaged(line, error.to_string()))?;
        row.alarm().ok_or_else(|| damaged(line, "not an alarm".to_owned()))
    });
    alarms.collect()
}

/// A file of alarms.
pub(super) fn file(alarms: &[Alarm]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    alarms.iter().try_for_each(|alarm| writer.serialize(Row::from(alarm)))?;
    writer.into_inner().map_err(|error| error.into_error().into())
}

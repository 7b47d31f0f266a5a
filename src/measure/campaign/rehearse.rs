//! The same campaign in virtual time, in one thread: no tokio, no signals, no waiting.

use std::sync::Arc;
use std::time::Duration;

use super::config::Campaign;
use super::drive::drive;
use super::engine::{Engine, Report};
use super::recorder::Recorder;
use super::rounds::RoundMaker;
use super::run::{RunError, timetable};
use crate::dataset::{Dataset, RoundHeader};
use crate::measure::net::Link;
use crate::model::{ClockPair, MonoTime, WallTime};

/// How often, in virtual time, a rehearsal writes down what it has and says how far it is.
const STEP: Duration = Duration::from_millis(500);

/// Runs the whole campaign in virtual time; it must say how long it lasts. `watch` is told the wall time
/// now and then.
///
/// # Errors
/// If the dataset cannot be written, or the link is lost, which one in virtual time never is.
pub fn rehearse(
    campaign: &Arc<Campaign>,
    engine: Engine,
    link: &mut dyn Link,
    pair: ClockPair,
    dataset: Dataset,
    watch: &mut dyn FnMut(WallTime),
) -> Result<Dataset, RunError> {
    let start = dataset.manifest().started_at;
    let mut timetable = timetable(campaign, start);
    let maker = RoundMaker::new(Arc::clone(campaign));
    let mut rehearsal = Rehearsal { engine, link, pair, recorder: Recorder::new(dataset), watch };
    let end = campaign.duration.map_or(start, |duration| start.after(duration));
    while let Some(due) = timetable.next(start).filter(|due| due.at < end) {
        rehearsal.turn_until(pair.mono(due.at))?;
        let Some(spec) = campaign.probers.get(due.prober) else { continue };
        if rehearsal.engine.is_running(&spec.name) {
            continue;
        }
        let order = maker.fresh(due.round, spec);
        let header = RoundHeader {
            id: order.id,
            prober: spec.name.clone(),
            method: spec.kind.method(),
            due_at: due.at,
            started_at: pair.wall(rehearsal.link.now()),
        };
        rehearsal.recorder.begin(&header)?;
        rehearsal.engine.start(order);
    }
    rehearsal.finish()
}

struct Rehearsal<'a> {
    engine: Engine,
    link: &'a mut dyn Link,
    pair: ClockPair,
    recorder: Recorder,
    watch: &'a mut dyn FnMut(WallTime),
}

impl Rehearsal<'_> {
    fn turn_until(&mut self, until: MonoTime) -> Result<(), RunError> {
        while self.link.now() < until {
            self.step(self.link.now().after(STEP).min(until))?;
        }
        Ok(())
    }

    fn step(&mut self, until: MonoTime) -> Result<(), RunError> {
        let mut reports: Vec<Report> = Vec::new();
        let driven = drive(&mut self.engine, self.link, until, &|| true, &mut |more| reports.extend(more));
        self.recorder.take(reports)?;
        driven.map_err(|lost| RunError::Incomplete { cause: lost.into(), open: Vec::new() })?;
        (self.watch)(self.pair.wall(self.link.now()));
        Ok(())
    }

    /// Lets the last rounds come to their end.
    fn finish(mut self) -> Result<Dataset, RunError> {
        while !self.engine.is_idle() {
            self.step(self.link.now().after(STEP))?;
        }
        self.recorder.flush()?;
        Ok(self.recorder.into_dataset())
    }
}

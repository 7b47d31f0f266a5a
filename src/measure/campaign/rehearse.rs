//! The same campaign in virtual time, in one thread: no tokio, no signals, no waiting. It goes by the agenda of
//! the real one, so a rehearsal that was broken off goes on as a real campaign does.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::agenda::{Agenda, step_of};
use super::config::Campaign;
use super::drive::drive;
use super::engine::{Engine, Report};
use super::recorder::{FLUSH_EVERY, Recorder};
use super::run::{Cause, RunEnd, RunError};
use crate::dataset::{self, Dataset};
use crate::measure::guard::OptOut;
use crate::measure::net::{Link, LinkLost};
use crate::measure::schedule::Due;
use crate::model::{ClockPair, MonoTime, RoundId, WallTime};

/// A rehearsal that is about to begin, or to go on.
pub struct Rehearsal<'a> {
    /// What is asked for.
    pub campaign: &'a Arc<Campaign>,
    /// The engine, behind its guard.
    pub engine: Engine,
    /// The way into the simulated network; its clock is the monotonic one.
    pub link: &'a mut dyn Link,
    /// Virtual time and wall time.
    pub pair: ClockPair,
    /// One round of each prober, now, and no schedule.
    pub once: bool,
}

/// Who looks on at a rehearsal, and stands for what else happens at the vantage.
pub trait Onlooker {
    /// How often, in virtual time, it is asked, and everything is made durable that was recorded; as often as in a
    /// real campaign, if it does not say otherwise.
    fn rhythm(&self) -> Duration {
        FLUSH_EVERY
    }

    /// Hears what the campaign's wall clock shows; a break ends the rehearsal as SIGINT ends a campaign.
    fn watch(&mut self, wall: WallTime) -> ControlFlow<()>;

    /// The vantage's clocks as they are read now; `believed` is where the campaign takes them to be.
    fn clocks(&mut self, now: MonoTime, believed: ClockPair) -> ClockPair {
        let _ = now;
        believed
    }

    /// Opt-outs that came in since the last time.
    fn opt_outs(&mut self) -> Vec<OptOut> {
        Vec::new()
    }
}

/// Whoever only wants to know how far it is.
impl<F: FnMut(WallTime)> Onlooker for F {
    fn watch(&mut self, wall: WallTime) -> ControlFlow<()> {
        self(wall);
        ControlFlow::Continue(())
    }
}

/// Runs a campaign in virtual time, or goes on with it, to its end or until the onlooker breaks it off. A campaign that
/// does not say how long it lasts must be broken off.
///
/// # Errors
/// If the dataset cannot be written, or the link is lost.
pub fn rehearse(
    rehearsal: Rehearsal<'_>,
    dataset: Dataset,
    onlooker: &mut dyn Onlooker,
) -> Result<(Dataset, RunEnd), RunError> {
    let agenda = Agenda::new(rehearsal.campaign, rehearsal.once, &dataset)?;
    let Rehearsal { engine, link, pair, .. } = rehearsal;
    let mut stage = Stage { engine, link, pair, agenda, recorder: Recorder::new(dataset), onlooker };
    stage.start_unfinished();
    if rehearsal.once {
        stage.start_each_once(rehearsal.campaign.probers.len())?;
    }
    let end = stage.play()?;
    stage.recorder.flush()?;
    Ok((stage.recorder.into_dataset(), end))
}

struct Stage<'a> {
    engine: Engine,
    link: &'a mut dyn Link,
    pair: ClockPair,
    agenda: Agenda,
    recorder: Recorder,
    onlooker: &'a mut dyn Onlooker,
}

impl Stage<'_> {
    fn start_unfinished(&mut self) {
        for (order, ledger) in self.agenda.take_unfinished() {
            self.recorder.resume(order.id, ledger);
            self.engine.start(order);
        }
    }

    fn start_each_once(&mut self, probers: usize) -> Result<(), RunError> {
        let at = self.wall();
        let due = |prober| Due { at, prober, occurrence: 0, round: RoundId(0), missed: 0 };
        (0..probers).try_for_each(|prober| self.start(&due(prober)))
    }

    fn play(&mut self) -> Result<RunEnd, RunError> {
        let rhythm = self.onlooker.rhythm();
        let mut next = self.agenda.next_due(self.wall());
        while next.is_some() || !self.engine.is_idle() {
            let due_at = next.as_ref().map_or(MonoTime::NEVER, |due| self.pair.mono(due.at));
            if let Some(due) = next.take_if(|_| due_at <= self.link.now()) {
                self.start(&due)?;
                next = self.agenda.next_due(self.wall());
                continue;
            }
            self.step(due_at.min(self.link.now().after(rhythm)))?;
            self.look_at_clocks()?;
            self.look_at_opt_outs()?;
            if self.onlooker.watch(self.wall()).is_break() {
                return Ok(RunEnd::Interrupted);
            }
        }
        Ok(RunEnd::Finished)
    }

    fn wall(&self) -> WallTime {
        self.pair.wall(self.link.now())
    }

    /// Begins a round, unless the one before of the same prober is still running.
    fn start(&mut self, due: &Due) -> Result<(), RunError> {
        let running = self.agenda.prober_of(due).filter(|prober| self.engine.is_running(prober));
        if let Some(prober) = running {
            tracing::warn!("round of {prober} left out at {}: the one before is still running", due.at);
            return Ok(());
        }
        let Some((header, order)) = self.agenda.begin(due, self.wall()) else { return Ok(()) };
        self.recorder.begin(&header)?;
        self.engine.start(order);
        Ok(())
    }

    /// Turns the engine until then, and makes durable what it had to tell.
    fn step(&mut self, until: MonoTime) -> Result<(), RunError> {
        let mut reports: Vec<Report> = Vec::new();
        let driven = drive(&mut self.engine, self.link, until, &|| true, &mut |more| reports.extend(more));
        self.recorder.take(reports)?;
        self.recorder.flush()?;
        driven.map_err(|lost| self.incomplete(lost))
    }

    fn incomplete(&self, lost: LinkLost) -> RunError {
        let open = self.recorder.open_rounds().unwrap_or_default();
        RunError::Incomplete { cause: Cause::LinkLost(lost), open }
    }

    /// Dates by the vantage's clocks what comes from now on, where they were stepped.
    fn look_at_clocks(&mut self) -> Result<(), RunError> {
        let now = self.link.now();
        let read = self.onlooker.clocks(now, self.pair).squeezed(self.pair.speed());
        if let Some(step) = step_of(&self.pair, &read, now) {
            self.recorder.clock_step(step)?;
            self.pair = read;
            self.engine.set_clock(read);
        }
        Ok(())
    }

    /// Nothing leaves for these prefixes any more when this returns.
    fn look_at_opt_outs(&mut self) -> Result<(), RunError> {
        let fresh = self.onlooker.opt_outs();
        let at = self.wall();
        for opt_out in fresh {
            let (prefix, reference) = (opt_out.prefix, opt_out.reference.to_string());
            self.engine.guard_mut().opt_out(opt_out);
            self.recorder.opt_out(&[dataset::OptOut { prefix, reference, at }])?;
        }
        Ok(())
    }
}

//! The scheduler: begins rounds when they are due, lets the threads know, and ends when all is done, a
//! signal comes, or a thread has ended. It touches neither network nor dataset.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::Signal;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::threads::{FromRecorder, ToPackets, ToRecorder};
use super::{Cause, PACKET_THREAD, RECORDING_THREAD, RunEnd};
use crate::dataset::ClockStep;
use crate::measure::campaign::agenda::{Agenda, step_of};
use crate::measure::campaign::config::Campaign;
use crate::measure::campaign::engine::RoundOrder;
use crate::measure::guard::OptOut;
use crate::measure::net::LinkLost;
use crate::measure::schedule::Due;
use crate::model::{Clock, ClockPair, Name, RoundId, WallTime};

/// How soon an opt-out takes effect.
const LOOK_AT_OPT_OUTS: Duration = Duration::from_millis(500);

/// Listened to before anything is sent, so that none is lost.
pub(super) struct Signals {
    pub(super) interrupt: Signal,
    pub(super) terminate: Signal,
}

pub(super) struct Scheduler {
    pub(super) campaign: Arc<Campaign>,
    pub(super) agenda: Agenda,
    /// One round of each prober, now, and no timetable.
    pub(super) once: bool,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    pub(super) pair: ClockPair,
    pub(super) to_recorder: Sender<ToRecorder>,
    pub(super) to_packets: Sender<ToPackets>,
    /// Rounds begun and not sealed; the order waits until the dataset knows the round.
    pub(super) running: Vec<(RoundId, Name, Option<RoundOrder>)>,
    /// When the opt-out file that was read last had been changed.
    pub(super) opt_outs_read: Option<SystemTime>,
    /// What was in it.
    pub(super) opt_outs: HashSet<OptOut>,
}

impl Scheduler {
    pub(super) async fn run(
        mut self,
        mut signals: Signals,
        mut news: UnboundedReceiver<FromRecorder>,
        mut packets_ended: oneshot::Receiver<LinkLost>,
    ) -> Result<RunEnd, Cause> {
        self.start_unfinished();
        if self.once {
            self.start_each_once();
        }
        let mut next = self.next_due();
        let mut look = tokio::time::interval(LOOK_AT_OPT_OUTS);
        loop {
            let seen = self.look_at_clocks();
            if seen.1.is_some() {
                self.take_clocks(seen);
            }
            if next.is_none() && self.running.is_empty() {
                return Ok(RunEnd::Finished);
            }
            let due = next.as_ref().map(|due| self.until(due.at));
            tokio::select! {
                _ = signals.interrupt.recv() => return Ok(RunEnd::Interrupted),
                _ = signals.terminate.recv() => return Ok(RunEnd::Terminated),
                message = news.recv() => {
                    // The recording thread's own error says more: `run` returns it when it joins.
                    if !self.hear(message.as_ref()) {
                        return Err(Cause::ThreadLost(RECORDING_THREAD));
                    }
                }
                lost = &mut packets_ended => {
                    return Err(lost.map_or(Cause::ThreadLost(PACKET_THREAD), Cause::LinkLost));
                }
                _ = look.tick() => self.look_at_opt_outs(),
                () = sleep(due) => {
                    if let Some(due) = next.take() {
                        self.start(due);
                    }
                    next = self.next_due();
                }
            }
        }
    }

    /// Both clocks, and how far the wall clock was stepped since they were taken, if it was.
    fn look_at_clocks(&self) -> (ClockPair, Option<ClockStep>) {
        let pair = ClockPair::read(&*self.clock).squeezed(self.pair.speed());
        (pair, step_of(&self.pair, &pair, self.clock.mono()))
    }

    /// By these clocks rounds fall due and records are dated from now on. No interval is measured by them.
    fn take_clocks(&mut self, (pair, step): (ClockPair, Option<ClockStep>)) {
        if let Some(step) = step {
            tracing::warn!("the wall clock was set, or this machine slept: {step}");
            self.tell_recorder(ToRecorder::Step(step));
        }
        self.pair = pair;
        self.tell_packets(ToPackets::Clocks(pair));
    }

    /// Real time left until the campaign's wall clock shows `due`.
    fn until(&self, due: WallTime) -> Duration {
        self.pair.mono(due).since(self.clock.mono())
    }

    fn next_due(&mut self) -> Option<Due> {
        let now = self.now();
        self.agenda.next_due(now)
    }

    fn now(&self) -> WallTime {
        self.pair.wall(self.clock.mono())
    }

    fn start_unfinished(&mut self) {
        for (order, ledger) in self.agenda.take_unfinished() {
            self.running.push((order.id, order.prober_name.clone(), None));
            self.tell_recorder(ToRecorder::Resume(order.id, ledger));
            self.tell_packets(ToPackets::Start(order));
        }
    }

    fn start_each_once(&mut self) {
        let at = self.now();
        for prober in 0..self.campaign.probers.len() {
            self.start(Due { at, prober, occurrence: 0, round: RoundId(0), missed: 0 });
        }
    }

    /// Begins a round, unless the one before of the same prober is still running.
    fn start(&mut self, due: Due) {
        let Some(name) = self.agenda.prober_of(&due) else { return };
        if due.missed > 0 {
            tracing::warn!("{} rounds of {name} were missed before {}", due.missed, due.at);
        }
        if self.running.iter().any(|(_, running, _)| running == name) {
            tracing::warn!("round of {name} left out at {}: the one before is still running", due.at);
            return;
        }
        self.take_clocks(self.look_at_clocks());
        let started_at = self.pair.wall(self.clock.mono());
        let Some((header, order)) = self.agenda.begin(&due, started_at) else { return };
        self.running.push((header.id, header.prober.clone(), Some(order)));
        self.tell_recorder(ToRecorder::Begin(header));
    }

    /// False if the recording thread has ended.
    fn hear(&mut self, message: Option<&FromRecorder>) -> bool {
        match message {
            Some(FromRecorder::Begun(round)) => {
                let waiting = self.running.iter_mut().find(|(id, ..)| id == round);
                if let Some(order) = waiting.and_then(|(_, _, order)| order.take()) {
                    self.tell_packets(ToPackets::Start(order));
                }
                true
            }
            Some(FromRecorder::Sealed(round)) => {
                self.running.retain(|(id, ..)| id != round);
                true
            }
            Some(FromRecorder::Failed) | None => false,
        }
    }

    /// Takes in what was added to the opt-out file. What was taken out of it stays out until a restart.
    fn look_at_opt_outs(&mut self) {
        let Some(path) = &self.campaign.opt_outs else { return };
        let changed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
        if changed == self.opt_outs_read {
            return;
        }
        self.opt_outs_read = changed;
        match OptOut::load(path) {
            Ok(found) => {
                let known = &mut self.opt_outs;
                let fresh = found.into_iter().filter(|opt_out| known.insert(opt_out.clone()));
                let fresh: Vec<OptOut> = fresh.collect();
                if !fresh.is_empty() {
                    self.tell_packets(ToPackets::OptOuts(fresh));
                }
            }
            Err(errors) => tracing::error!("the opt-outs that were known stay in force: {errors}"),
        }
    }

    /// A lost receiver shows as the end of its thread, which `hear` and `run` report.
    fn tell_recorder(&self, message: ToRecorder) {
        let _lost = self.to_recorder.send(message);
    }

    fn tell_packets(&self, message: ToPackets) {
        let _lost = self.to_packets.send(message);
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

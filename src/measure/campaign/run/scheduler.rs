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
use super::{Cause, PACKET_THREAD, RECORDING_THREAD, RunEnd, Setup};
use crate::dataset::{ClockStep, Dataset, DatasetError, Ledger, RoundHeader};
use crate::measure::campaign::config::Campaign;
use crate::measure::campaign::engine::RoundOrder;
use crate::measure::campaign::rounds::RoundMaker;
use crate::measure::guard::OptOut;
use crate::measure::net::LinkLost;
use crate::measure::schedule::{Due, Timetable};
use crate::model::{Clock, ClockPair, Name, RoundId, WallTime};

/// How soon an opt-out takes effect.
const LOOK_AT_OPT_OUTS: Duration = Duration::from_millis(500);

/// What is to be run, and when.
pub(super) struct Plan {
    maker: RoundMaker,
    campaign: Arc<Campaign>,
    timetable: Option<Timetable>,
    /// The latest rounds that were begun before this run, all due at one time.
    begun: Vec<(Name, WallTime)>,
    /// Rounds that an earlier run left unfinished.
    unfinished: Vec<(RoundOrder, Ledger)>,
    /// The last round that was begun, in this run or before.
    last: RoundId,
    end: Option<WallTime>,
}

impl Plan {
    pub(super) fn new(setup: &Setup, dataset: &Dataset) -> Result<Self, DatasetError> {
        let campaign = Arc::clone(&setup.campaign);
        let maker = RoundMaker::new(Arc::clone(&campaign));
        let start = dataset.manifest().started_at;
        let headers: Vec<RoundHeader> = dataset.rounds()?.into_iter().map(|round| round.header).collect();
        let latest = headers.iter().map(|header| header.due_at).max();
        let mut timetable = timetable(&campaign, start);
        latest.map(|latest| timetable.skip_before(latest));
        let last = headers.iter().map(|header| header.id).max().unwrap_or(RoundId(0));
        let due_latest = headers.into_iter().filter(|header| Some(header.due_at) == latest);
        Ok(Self {
            unfinished: unfinished(&maker, &campaign, dataset)?,
            begun: due_latest.map(|header| (header.prober, header.due_at)).collect(),
            last,
            end: campaign.duration.map(|duration| start.after(duration)),
            timetable: (!setup.once).then_some(timetable),
            maker,
            campaign,
        })
    }

    /// The next round that is due within the campaign's time and was not begun before.
    fn next_due(&mut self, now: WallTime) -> Option<Due> {
        loop {
            let due = self.timetable.as_mut()?.next(now)?;
            if self.end.is_some_and(|end| due.at >= end) {
                return None;
            }
            let name = self.campaign.probers.get(due.prober).map(|spec| &spec.name);
            if !self.begun.iter().any(|(prober, at)| Some(prober) == name && *at == due.at) {
                return Some(due);
            }
        }
    }

    /// The number of the next round: that of the timetable, unless rounds beside it (`once`) used it up.
    fn number(&mut self, due: &Due) -> RoundId {
        self.last = due.round.max(RoundId(self.last.0.saturating_add(1)));
        self.last
    }
}

/// The campaign's timetable from its very start.
pub(in super::super) fn timetable(campaign: &Campaign, start: WallTime) -> Timetable {
    Timetable::new(&campaign.schedules(), campaign.seed, start)
}

/// The rounds that an earlier run began and did not seal, as far as the campaign still knows their prober.
fn unfinished(
    maker: &RoundMaker,
    campaign: &Campaign,
    dataset: &Dataset,
) -> Result<Vec<(RoundOrder, Ledger)>, DatasetError> {
    let mut orders = Vec::new();
    for open in dataset.open_rounds()? {
        let Some(spec) = campaign.probers.iter().find(|spec| spec.name == open.header.prober) else {
            continue;
        };
        let recorded = dataset.recorded(open.header.id)?;
        let mut order = maker.resumed(open.header.id, spec, &recorded);
        // The records tell everything else.
        order.ledger.duplicates = open.ledger.duplicates;
        let ledger = order.ledger;
        orders.push((order, ledger));
    }
    Ok(orders)
}

/// How far the wall clock may be from where it should be, in real time, before it counts as stepped.
const STEPPED: Duration = Duration::from_secs(1);

/// Listened to before anything is sent, so that none is lost.
pub(super) struct Signals {
    pub(super) interrupt: Signal,
    pub(super) terminate: Signal,
}

pub(super) struct Scheduler {
    pub(super) plan: Plan,
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
        if self.plan.timetable.is_none() {
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

    /// Both clocks, and how far the wall clock was stepped since they were taken, if it was. While a machine
    /// sleeps its monotonic clock stands still, which looks alike.
    fn look_at_clocks(&self) -> (ClockPair, Option<ClockStep>) {
        let pair = ClockPair::read(&*self.clock).squeezed(self.pair.speed());
        let now = self.clock.mono();
        let step = ClockStep { at: pair.wall(now), by_ns: pair.ahead_of(&self.pair, now) };
        let span = Duration::from_nanos(step.by_ns.unsigned_abs());
        (pair, (span > STEPPED.mul_f64(self.pair.speed())).then_some(step))
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
        self.plan.next_due(now)
    }

    fn now(&self) -> WallTime {
        self.pair.wall(self.clock.mono())
    }

    fn start_unfinished(&mut self) {
        for (order, ledger) in std::mem::take(&mut self.plan.unfinished) {
            self.running.push((order.id, order.prober_name.clone(), None));
            self.tell_recorder(ToRecorder::Resume(order.id, ledger));
            self.tell_packets(ToPackets::Start(order));
        }
    }

    fn start_each_once(&mut self) {
        let at = self.now();
        for prober in 0..self.plan.campaign.probers.len() {
            self.start(Due { at, prober, occurrence: 0, round: RoundId(0), missed: 0 });
        }
    }

    /// Begins a round, unless the one before of the same prober is still running.
    fn start(&mut self, due: Due) {
        let campaign = Arc::clone(&self.plan.campaign);
        let Some(spec) = campaign.probers.get(due.prober) else { return };
        if due.missed > 0 {
            tracing::warn!("{} rounds of {} were missed before {}", due.missed, spec.name, due.at);
        }
        if self.running.iter().any(|(_, name, _)| *name == spec.name) {
            tracing::warn!(
                "round of {} left out at {}: the one before is still running",
                spec.name,
                due.at
            );
            return;
        }
        self.take_clocks(self.look_at_clocks());
        let (id, due_at) = (self.plan.number(&due), due.at);
        let order = self.plan.maker.fresh(id, spec);
        self.running.push((id, spec.name.clone(), Some(order)));
        let started_at = self.pair.wall(self.clock.mono());
        let (prober, method) = (spec.name.clone(), spec.kind.method());
        self.tell_recorder(ToRecorder::Begin(RoundHeader { id, prober, method, due_at, started_at }));
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
        let Some(path) = &self.plan.campaign.opt_outs else { return };
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

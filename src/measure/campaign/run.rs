//! The running campaign: a scheduler on tokio, a packet thread and a recording thread.
//!
//! ```text
//!   scheduler ── begin ──▶ recording thread ──▶ dataset
//!       │                        ▲     │ begun, sealed, failed
//!       │ start, opt out         │     ▼
//!       └──────▶ packet thread ──┘  scheduler
//! ```
//!
//! The packet thread alone touches the network, the recording thread alone the dataset; the scheduler
//! touches neither, so nothing that it waits for can delay a packet. A stop flag ends the packet thread
//! within 50 ms; what was decided until then is made durable before the campaign returns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use super::config::Campaign;
use super::drive::drive;
use super::engine::{Engine, Report, RoundOrder};
use super::recorder::Recorder;
use super::rounds::RoundMaker;
use crate::dataset::{Dataset, DatasetError, Ledger, RoundHeader};
use crate::measure::guard::OptOut;
use crate::measure::net::{Link, LinkLost};
use crate::measure::schedule::{Due, Timetable};
use crate::model::{Clock, ClockPair, MonoTime, Name, RoundId, WallTime};

/// How long the packet thread turns the engine before it looks for orders.
const TURN: Duration = Duration::from_millis(20);
/// How long a decided outcome may wait for its transaction.
const FLUSH_EVERY: Duration = Duration::from_millis(200);
/// How soon an opt-out takes effect.
const LOOK_AT_OPT_OUTS: Duration = Duration::from_millis(500);

/// What a campaign needs to run.
pub struct Setup {
    /// What is asked for.
    pub campaign: Arc<Campaign>,
    /// The engine, behind its guard.
    pub engine: Engine,
    /// Monotonic time.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// Monotonic to wall time.
    pub pair: ClockPair,
    /// One round of each prober, now, and no schedule.
    pub once: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// All that was asked for is done.
    Finished,
    /// Stopped by SIGINT; the same command goes on from here.
    Interrupted,
    /// Stopped by SIGTERM; the same command goes on from here.
    Terminated,
}

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The dataset cannot be written. Sending has stopped.
    #[error("cannot record; sending has stopped")]
    Dataset(#[from] DatasetError),
    /// The system gave no thread or signal handler.
    #[error("cannot start the campaign")]
    System(#[from] std::io::Error),
    /// It ended before it should, with these rounds begun and not whole.
    #[error("{cause}; {}; the same command goes on from there", not_whole(open))]
    Incomplete {
        /// What ended it.
        cause: Cause,
        /// The rounds, with their probers.
        open: Vec<(RoundId, Name)>,
    },
}

/// What can end a run without anybody's wish, and with the dataset in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Nothing can be sent or heard any more.
    #[error(transparent)]
    LinkLost(#[from] LinkLost),
    /// A thread ended that must not.
    #[error("the {0} ended unexpectedly")]
    ThreadLost(&'static str),
}

/// `round 7 of echo and round 8 of trace are not whole`.
fn not_whole(open: &[(RoundId, Name)]) -> String {
    let rounds: Vec<String> =
        open.iter().map(|(round, prober)| format!("round {round} of {prober}")).collect();
    match rounds.split_last() {
        None => "no round had been begun that is not whole".to_owned(),
        Some((only, [])) => format!("{only} is not whole"),
        Some((last, others)) => format!("{} and {last} are not whole", others.join(", ")),
    }
}

/// How far a campaign is: for progress bars.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The campaign's wall clock.
    pub wall: Option<WallTime>,
    /// Rounds sealed in this run.
    pub sealed: u64,
    /// Decided so far in this run.
    pub ledger: Ledger,
    /// Running rounds: prober, and share asked or skipped so far, 0 to 1.
    pub running: Vec<(Name, f64)>,
}

/// A progress report that others may read at any time.
pub type SharedProgress = Arc<Mutex<Progress>>;

/// Runs the campaign to its end, or until a signal.
///
/// # Errors
/// If the dataset cannot be written, the system gives no thread, or the way to the network is lost.
pub async fn run(
    setup: Setup,
    link: Box<dyn Link + Send>,
    dataset: Dataset,
    progress: SharedProgress,
) -> Result<RunEnd, RunError> {
    let stop = Arc::new(AtomicBool::new(false));
    let signals = Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    let plan = Plan::new(&setup, &dataset)?;
    let (to_recorder, recorder_inbox) = mpsc::channel();
    let (to_packets, packet_inbox) = mpsc::channel();
    let (news, from_recorder) = unbounded_channel();
    // Dropped when the packet thread ends, also by a panic.
    let (last_word, packets_ended) = oneshot::channel();
    let recorder = spawn("recorder", {
        let (progress, clock) = (Arc::clone(&progress), Arc::clone(&setup.clock));
        let recorder = Recorder::new(dataset);
        let thread = RecordingThread { recorder, flushed: clock.mono(), clock, news, progress };
        move || thread.record(&recorder_inbox)
    })?;
    let packets = spawn("packets", {
        let (stop, to_recorder, clock) = (Arc::clone(&stop), to_recorder.clone(), Arc::clone(&setup.clock));
        let (engine, pair) = (setup.engine, setup.pair);
        let thread = PacketThread { engine, link, stop, to_recorder, clock, pair, progress };
        move || {
            if let Err(lost) = thread.turn(&packet_inbox) {
                let _stopped = last_word.send(lost);
            }
        }
    })?;
    let scheduler = Scheduler {
        plan,
        clock: setup.clock,
        pair: setup.pair,
        to_recorder,
        to_packets,
        running: Vec::new(),
        opt_outs_read: None,
    };
    let end = scheduler.run(signals, from_recorder, packets_ended).await;
    stop.store(true, Ordering::Relaxed);
    // Joining is short: the packet thread ends within 50 ms, the recorder after its last transaction. A
    // panic of either has shown as the end of the scheduler, or does now.
    let _ended = packets.join();
    let incomplete = |cause, open| RunError::Incomplete { cause, open };
    let open = match recorder.join() {
        Ok(open) => open?,
        Err(_) => return Err(incomplete(Cause::ThreadLost(RECORDING_THREAD), Vec::new())),
    };
    end.map_err(|cause| incomplete(cause, open))
}

const PACKET_THREAD: &str = "packet thread";
const RECORDING_THREAD: &str = "recording thread";

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, std::io::Error> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// What is to be run, and when.
struct Plan {
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
    fn new(setup: &Setup, dataset: &Dataset) -> Result<Self, DatasetError> {
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
pub(super) fn timetable(campaign: &Campaign, start: WallTime) -> Timetable {
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
        let order = maker.resumed(open.header.id, spec, &recorded);
        let ledger = order.ledger;
        orders.push((order, ledger));
    }
    Ok(orders)
}

/// What the recording thread is asked to do.
enum ToRecorder {
    Begin(RoundHeader),
    Resume(RoundId, Ledger),
    Reports(Vec<Report>),
}

/// What the recording thread says.
enum FromRecorder {
    Begun(RoundId),
    Sealed(RoundId),
    Failed,
}

/// What the packet thread is asked to do.
enum ToPackets {
    Start(RoundOrder),
    OptOut(OptOut),
}

/// Listened to before anything is sent, so that none is lost.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

struct Scheduler {
    plan: Plan,
    clock: Arc<dyn Clock + Send + Sync>,
    pair: ClockPair,
    to_recorder: Sender<ToRecorder>,
    to_packets: Sender<ToPackets>,
    /// Rounds begun and not sealed; the order waits until the dataset knows the round.
    running: Vec<(RoundId, Name, Option<RoundOrder>)>,
    /// When the opt-out file that was read last had been changed.
    opt_outs_read: Option<SystemTime>,
}

impl Scheduler {
    async fn run(
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
            Ok(opt_outs) => {
                for opt_out in opt_outs {
                    self.tell_packets(ToPackets::OptOut(opt_out));
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

struct PacketThread {
    engine: Engine,
    link: Box<dyn Link + Send>,
    stop: Arc<AtomicBool>,
    to_recorder: Sender<ToRecorder>,
    clock: Arc<dyn Clock + Send + Sync>,
    pair: ClockPair,
    progress: SharedProgress,
}

impl PacketThread {
    /// Turns the engine until it is stopped, or the link is lost.
    fn turn(mut self, inbox: &Receiver<ToPackets>) -> Result<(), LinkLost> {
        let stop = Arc::clone(&self.stop);
        let proceed = || !stop.load(Ordering::Relaxed);
        while proceed() {
            while let Ok(order) = inbox.try_recv() {
                match order {
                    ToPackets::Start(round) => self.engine.start(round),
                    ToPackets::OptOut(opt_out) => self.engine.guard_mut().opt_out(opt_out),
                }
            }
            let until = self.link.now().after(TURN);
            let to_recorder = &self.to_recorder;
            drive(&mut self.engine, self.link.as_mut(), until, &proceed, &mut |reports| {
                let _lost = to_recorder.send(ToRecorder::Reports(reports));
            })?;
            self.show();
        }
        Ok(())
    }

    fn show(&self) {
        let running = self.engine.progress().map(|(name, (total, asked))| {
            #[allow(clippy::cast_precision_loss, reason = "a progress bar needs no 53 bits")]
            let share = asked as f64 / total.max(1) as f64;
            (name.clone(), share)
        });
        let running = running.collect();
        if let Ok(mut progress) = self.progress.lock() {
            progress.wall = Some(self.pair.wall(self.clock.mono()));
            progress.running = running;
        }
    }
}

/// Batches what comes, until all senders are gone.
struct RecordingThread {
    recorder: Recorder,
    clock: Arc<dyn Clock + Send + Sync>,
    flushed: MonoTime,
    news: UnboundedSender<FromRecorder>,
    progress: SharedProgress,
}

impl RecordingThread {
    /// Returns the rounds that were begun and are not whole.
    fn record(mut self, inbox: &Receiver<ToRecorder>) -> Result<Vec<(RoundId, Name)>, DatasetError> {
        let result = self.record_all(inbox);
        if result.is_err() {
            let _lost = self.news.send(FromRecorder::Failed);
        }
        result?;
        let open = self.recorder.into_dataset().open_rounds()?;
        Ok(open.into_iter().map(|round| (round.header.id, round.header.prober)).collect())
    }

    fn record_all(&mut self, inbox: &Receiver<ToRecorder>) -> Result<(), DatasetError> {
        loop {
            match inbox.recv_timeout(FLUSH_EVERY) {
                Ok(message) => self.obey(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.recorder.flush(),
            }
            let now = self.clock.mono();
            if now.since(self.flushed) >= FLUSH_EVERY {
                self.recorder.flush()?;
                self.flushed = now;
            }
        }
    }

    fn obey(&mut self, message: ToRecorder) -> Result<(), DatasetError> {
        match message {
            ToRecorder::Begin(header) => {
                self.recorder.begin(&header)?;
                self.say(FromRecorder::Begun(header.id));
            }
            ToRecorder::Resume(round, ledger) => self.recorder.resume(round, ledger),
            ToRecorder::Reports(reports) => {
                count(&reports, &self.progress);
                for round in self.recorder.take(reports)? {
                    self.say(FromRecorder::Sealed(round));
                }
            }
        }
        Ok(())
    }

    /// The scheduler may be gone already, when the campaign is being stopped.
    fn say(&self, message: FromRecorder) {
        let _lost = self.news.send(message);
    }
}

fn count(reports: &[Report], progress: &SharedProgress) {
    let Ok(mut progress) = progress.lock() else { return };
    for report in reports {
        match report {
            Report::Record(record) => progress.ledger.count_record(&record.outcome),
            Report::RoundOver { .. } => progress.sealed = progress.sealed.saturating_add(1),
        }
    }
}

#[cfg(test)]
mod tests;

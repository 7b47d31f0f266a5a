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

mod scheduler;
#[cfg(test)]
mod tests;
mod threads;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::oneshot;

use self::scheduler::{Scheduler, Signals};
use self::threads::{PacketThread, RecordingThread};
use super::agenda::Agenda;
use super::config::Campaign;
use super::engine::Engine;
use super::recorder::Recorder;
use crate::dataset::{Dataset, DatasetError, Ledger};
use crate::measure::net::{Link, LinkLost};
use crate::model::{Clock, ClockPair, Name, RoundId, WallTime};

/// What a campaign needs to run.
pub struct Setup {
    /// What is asked for.
    pub campaign: Arc<Campaign>,
    /// The engine, behind its guard.
    pub engine: Engine,
    /// Monotonic time, and the campaign's wall time, which may be stepped.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// Both at the beginning.
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
    let agenda = Agenda::new(&setup.campaign, setup.once, &dataset)?;
    let (to_recorder, recorder_inbox) = mpsc::channel();
    let (to_packets, packet_inbox) = mpsc::channel();
    let (news, from_recorder) = unbounded_channel();
    // Dropped when the packet thread ends, also by a panic.
    let (last_word, packets_ended) = oneshot::channel();
    let recorder = spawn("recorder", {
        let (progress, clock) = (Arc::clone(&progress), Arc::clone(&setup.clock));
        let recorder = Recorder::new(dataset);
        let (flushed, least) = (clock.mono(), setup.campaign.min_free);
        let thread = RecordingThread { recorder, flushed, clock, least, short: None, news, progress };
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
        campaign: setup.campaign,
        agenda,
        once: setup.once,
        clock: setup.clock,
        pair: setup.pair,
        to_recorder,
        to_packets,
        running: Vec::new(),
        opt_outs_read: None,
        opt_outs: HashSet::new(),
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

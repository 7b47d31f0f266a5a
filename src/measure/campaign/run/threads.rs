//! The two threads beside the scheduler: one alone touches the network, the other alone the dataset.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::SharedProgress;
use crate::dataset::{self, ClockStep, DatasetError, Ledger, RoundHeader};
use crate::measure::campaign::drive::drive;
use crate::measure::campaign::engine::{Engine, Report, RoundOrder};
use crate::measure::campaign::recorder::{FLUSH_EVERY, Recorder};
use crate::measure::guard::OptOut;
use crate::measure::net::{Link, LinkLost};
use crate::model::{Bytes, Clock, ClockPair, MonoTime, Name, RoundId};

/// How long the packet thread turns the engine before it looks for orders.
const TURN: Duration = Duration::from_millis(20);

/// What the recording thread is asked to do.
pub(super) enum ToRecorder {
    Begin(RoundHeader),
    Resume(RoundId, Ledger),
    Reports(Vec<Report>),
    OptOuts(Vec<dataset::OptOut>),
    Step(ClockStep),
}

/// What the recording thread says.
pub(super) enum FromRecorder {
    Begun(RoundId),
    Sealed(RoundId),
    Failed,
}

/// What the packet thread is asked to do.
pub(super) enum ToPackets {
    Start(RoundOrder),
    OptOuts(Vec<OptOut>),
    Clocks(ClockPair),
}

pub(super) struct PacketThread {
    pub(super) engine: Engine,
    pub(super) link: Box<dyn Link + Send>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) to_recorder: Sender<ToRecorder>,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    pub(super) pair: ClockPair,
    pub(super) progress: SharedProgress,
}

impl PacketThread {
    /// Turns the engine until it is stopped, or the link is lost.
    pub(super) fn turn(mut self, inbox: &Receiver<ToPackets>) -> Result<(), LinkLost> {
        let stop = Arc::clone(&self.stop);
        let proceed = || !stop.load(Ordering::Relaxed);
        while proceed() {
            while let Ok(order) = inbox.try_recv() {
                match order {
                    ToPackets::Start(round) => self.engine.start(round),
                    ToPackets::OptOuts(opt_outs) => self.opt_out(opt_outs),
                    ToPackets::Clocks(pair) => {
                        self.pair = pair;
                        self.engine.set_clock(pair);
                    }
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

    /// Nothing leaves for these prefixes any more when this returns.
    fn opt_out(&mut self, opt_outs: Vec<OptOut>) {
        for opt_out in &opt_outs {
            self.engine.guard_mut().opt_out(opt_out.clone());
        }
        let at = self.pair.wall(self.clock.mono());
        let noted = |opt_out: OptOut| {
            let (prefix, reference) = (opt_out.prefix, opt_out.reference.to_string());
            dataset::OptOut { prefix, reference, at }
        };
        let _lost = self.to_recorder.send(ToRecorder::OptOuts(opt_outs.into_iter().map(noted).collect()));
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
pub(super) struct RecordingThread {
    pub(super) recorder: Recorder,
    pub(super) clock: Arc<dyn Clock + Send + Sync>,
    pub(super) flushed: MonoTime,
    /// Room that must be left on the disk.
    pub(super) least: Bytes,
    /// What was said when there was less.
    pub(super) short: Option<DatasetError>,
    pub(super) news: UnboundedSender<FromRecorder>,
    pub(super) progress: SharedProgress,
}

impl RecordingThread {
    /// Returns the rounds that were begun and are not whole.
    pub(super) fn record(
        mut self,
        inbox: &Receiver<ToRecorder>,
    ) -> Result<Vec<(RoundId, Name)>, DatasetError> {
        let result = self.record_all(inbox);
        if result.is_err() {
            let _lost = self.news.send(FromRecorder::Failed);
        }
        result?;
        self.recorder.open_rounds()
    }

    fn record_all(&mut self, inbox: &Receiver<ToRecorder>) -> Result<(), DatasetError> {
        loop {
            match inbox.recv_timeout(FLUSH_EVERY) {
                Ok(message) => self.obey(message)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.recorder.flush()?;
                    return self.short.take().map_or(Ok(()), Err);
                }
            }
            let now = self.clock.mono();
            if now.since(self.flushed) >= FLUSH_EVERY {
                self.recorder.flush()?;
                self.flushed = now;
                self.look_at_disk();
            }
        }
    }

    /// While there is room, what was sent can be recorded to its end: the others are told to stop first.
    fn look_at_disk(&mut self) {
        if self.short.is_none() {
            self.short = self.recorder.ensure_room(self.least).err();
            if self.short.is_some() {
                self.say(FromRecorder::Failed);
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
            ToRecorder::OptOuts(opt_outs) => self.recorder.opt_out(&opt_outs)?,
            ToRecorder::Step(step) => self.recorder.clock_step(step)?,
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
            Report::Beside { counts, .. } => progress.ledger.add(*counts),
            Report::Swept { silent, .. } => progress.ledger.count_silence(*silent),
            Report::Dropped { .. } | Report::Asked { .. } => {}
        }
    }
}

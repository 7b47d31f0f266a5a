//! Brings what the engine tells into the dataset. A record counts as acknowledged when `append` returned.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Report;
use crate::dataset::{
    AskedBlocks, ClockStep, Dataset, DatasetError, Ledger, OptOut, ProbeRecord, Progress, RoundHeader,
    ensure_room,
};
use crate::model::{Bytes, Name, RoundId};

/// How long a decided outcome may wait for its transaction.
pub(super) const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Writes records in batches, and seals the rounds that are over.
pub(super) struct Recorder {
    dataset: Dataset,
    rounds: BTreeMap<RoundId, Pending>,
    /// What belongs to no round, and is not durable yet.
    beside: Ledger,
}

#[derive(Default)]
struct Pending {
    records: Vec<ProbeRecord>,
    asked: AskedBlocks,
    /// The position in the order of a census up to which everything is decided.
    decided: u64,
    ledger: Ledger,
    /// Whether the ledger holds something that is not durable yet.
    counted: bool,
    /// Packets that the kernel dropped while the round ran, not durable yet.
    dropped: u64,
}

impl Recorder {
    /// Into this dataset.
    #[must_use]
    pub(super) fn new(dataset: Dataset) -> Self {
        Self { dataset, rounds: BTreeMap::new(), beside: Ledger::default() }
    }

    /// Notes that a round begins. Nothing of it may be sent before this returned.
    ///
    /// # Errors
    /// If the dataset cannot be written.
    pub(super) fn begin(&mut self, header: &RoundHeader) -> Result<(), DatasetError> {
        self.dataset.begin_round(header)?;
        self.rounds.insert(header.id, Pending::default());
        Ok(())
    }

    /// Goes on with a round that was interrupted, whose recorded part has this ledger.
    pub(super) fn resume(&mut self, round: RoundId, ledger: Ledger) {
        self.rounds.insert(round, Pending { ledger, ..Pending::default() });
    }

    /// Takes in reports, and returns the rounds that were sealed. Records are durable only after `flush`
    /// or when their round was sealed.
    ///
    /// # Errors
    /// If the dataset cannot be written; nothing that was acknowledged is lost.
    pub(super) fn take(&mut self, reports: Vec<Report>) -> Result<Vec<RoundId>, DatasetError> {
        let mut sealed = Vec::new();
        for report in reports {
            match report {
                Report::Record(record) => self.note(record),
                Report::Asked { round, blocks } => self.note_asked(round, blocks),
                Report::Swept { round, silent, decided } => self.note_swept(round, silent, decided),
                Report::Beside { round, counts } => self.note_beside(round, counts),
                Report::Dropped { round, packets } => self.note_dropped(round, packets),
                Report::RoundOver { round, ledger } => {
                    self.flush_round(round)?;
                    self.rounds.remove(&round);
                    self.dataset.seal(round, &ledger, true)?;
                    sealed.push(round);
                }
            }
        }
        Ok(sealed)
    }

    /// Makes everything durable that was taken in.
    ///
    /// # Errors
    /// If the dataset cannot be written.
    pub(super) fn flush(&mut self) -> Result<(), DatasetError> {
        let rounds: Vec<RoundId> = self.rounds.keys().copied().collect();
        rounds.into_iter().try_for_each(|round| self.flush_round(round))?;
        if self.beside != Ledger::default() {
            self.dataset.add_beside(&self.beside)?;
            self.beside = Ledger::default();
        }
        Ok(())
    }

    /// Notes who asked not to be probed; whoever is noted already is not noted again.
    ///
    /// # Errors
    /// If the dataset cannot be written.
    pub(super) fn opt_out(&mut self, opt_outs: &[OptOut]) -> Result<(), DatasetError> {
        self.dataset.add_opt_outs(opt_outs)
    }

    /// Notes that the wall clock was stepped.
    ///
    /// # Errors
    /// If the dataset cannot be written.
    pub(super) fn clock_step(&mut self, step: ClockStep) -> Result<(), DatasetError> {
        self.dataset.add_clock_step(step)
    }

    /// Makes sure that there is room to go on.
    ///
    /// # Errors
    /// If there is less than that.
    pub(super) fn ensure_room(&self, least: Bytes) -> Result<(), DatasetError> {
        ensure_room(self.dataset.path(), least)
    }

    /// The rounds that were begun and are not whole, with their probers.
    ///
    /// # Errors
    /// What is damaged.
    pub(super) fn open_rounds(&self) -> Result<Vec<(RoundId, Name)>, DatasetError> {
        let open = self.dataset.open_rounds()?;
        Ok(open.into_iter().map(|round| (round.header.id, round.header.prober)).collect())
    }

    /// Gives the dataset back; what was not flushed is dropped.
    #[must_use]
    pub(super) fn into_dataset(self) -> Dataset {
        self.dataset
    }

    fn note(&mut self, record: ProbeRecord) {
        if let Some(pending) = self.rounds.get_mut(&record.probe.round) {
            pending.ledger.count_record(&record.outcome);
            pending.records.push(record);
            pending.counted = true;
        }
    }

    fn note_asked(&mut self, round: RoundId, blocks: AskedBlocks) {
        if let Some(pending) = self.rounds.get_mut(&round) {
            pending.asked.extend(blocks);
            pending.counted = true;
        }
    }

    fn note_swept(&mut self, round: RoundId, silent: u64, decided: u64) {
        if let Some(pending) = self.rounds.get_mut(&round) {
            pending.ledger.count_silence(silent);
            pending.decided = decided;
            pending.counted = true;
        }
    }

    fn note_beside(&mut self, round: Option<RoundId>, counts: Ledger) {
        match round.and_then(|round| self.rounds.get_mut(&round)) {
            Some(pending) => {
                pending.ledger.add(counts);
                pending.counted = true;
            }
            None => self.beside.add(counts),
        }
    }

    fn note_dropped(&mut self, round: RoundId, packets: u64) {
        if let Some(pending) = self.rounds.get_mut(&round) {
            pending.dropped = pending.dropped.saturating_add(packets);
        }
    }

    fn flush_round(&mut self, round: RoundId) -> Result<(), DatasetError> {
        let Some(pending) = self.rounds.get_mut(&round) else { return Ok(()) };
        if pending.counted {
            let Pending { records, asked, ledger, decided, .. } = &*pending;
            self.dataset.advance(round, &Progress { records, ledger, asked, decided: *decided })?;
            pending.records.clear();
            pending.asked.clear();
            pending.counted = false;
        }
        if pending.dropped > 0 {
            self.dataset.add_drops(round, pending.dropped)?;
            pending.dropped = 0;
        }
        Ok(())
    }
}

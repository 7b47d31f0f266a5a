//! All records of a dataset, one after the other, without holding more than a batch of them.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::model::RoundId;

use super::catalogue::Catalogue;
use super::round::{RoundSummary, SealedFile};
use super::{DatasetError, ProbeRecord, sealed};

/// The records of a dataset in the order of rounds, and within a round in the order in which they were
/// recorded; rounds in flight included, as they stood when this was made. Records that were imported follow in
/// the order in which they were read.
///
/// A round or file that cannot be read gives one error, and the next follows.
pub struct Records {
    dataset: PathBuf,
    catalogue: Catalogue,
    rounds: VecDeque<RoundSummary>,
    imported: VecDeque<SealedFile>,
    /// Whether imported files are being read.
    imports: bool,
    source: Option<Source>,
    ready: std::vec::IntoIter<ProbeRecord>,
}

/// Some records, or that a round is over.
#[derive(Clone, Debug)]
pub enum Read {
    /// The next records.
    Records(Vec<ProbeRecord>),
    /// Of the rounds of which records were given so far, no other record will come.
    RoundOver,
}

impl Read {
    /// The records, if it is some.
    #[must_use]
    pub fn records(self) -> Vec<ProbeRecord> {
        match self {
            Self::Records(records) => records,
            Self::RoundOver => Vec::new(),
        }
    }
}

/// Where the records of a round come from.
enum Source {
    Sealed(Box<sealed::Reader>),
    InFlight { round: RoundId, after: i64 },
}

impl Records {
    /// The catalogue must be frozen, so that no round is sealed between two looks at it.
    pub(super) fn new(
        dataset: PathBuf,
        catalogue: Catalogue,
        rounds: Vec<RoundSummary>,
        imported: Vec<SealedFile>,
    ) -> Self {
        let ready = Vec::new().into_iter();
        let (rounds, imported) = (rounds.into(), imported.into());
        Self { dataset, catalogue, rounds, imported, imports: false, source: None, ready }
    }

    /// Whether none of the records still to come belongs to a round of which some were given already. Of what was imported
    /// that is not known.
    fn is_between_rounds(&self) -> bool {
        self.source.is_none() && !self.imports
    }

    /// Fills `ready` from the source at hand, or opens the next. `None` when everything was read.
    fn refill(&mut self) -> Option<Result<(), DatasetError>> {
        let filled = match self.source.take() {
            None => match self.rounds.pop_front() {
                Some(round) => self.open(&round),
                None => self.imported.pop_front().map(|file| self.open_imported(&file))?,
            },
            Some(Source::Sealed(reader)) => self.read_sealed(reader),
            Some(Source::InFlight { round, after }) => self.read_in_flight(round, after),
        };
        Some(filled)
    }

    fn open(&mut self, round: &RoundSummary) -> Result<(), DatasetError> {
        self.source = Some(match &round.file {
            Some(file) => self.open_sealed(file)?,
            None => Source::InFlight { round: round.header.id, after: i64::MIN },
        });
        Ok(())
    }

    fn open_imported(&mut self, file: &SealedFile) -> Result<(), DatasetError> {
        self.imports = true;
        self.source = Some(self.open_sealed(file)?);
        Ok(())
    }

    fn open_sealed(&self, file: &SealedFile) -> Result<Source, DatasetError> {
        sealed::Reader::open(&self.dataset, file).map(|reader| Source::Sealed(Box::new(reader)))
    }

    fn read_sealed(&mut self, mut reader: Box<sealed::Reader>) -> Result<(), DatasetError> {
        let Some(batch) = reader.next_batch() else { return Ok(()) };
        self.ready = batch?.into_iter();
        self.source = Some(Source::Sealed(reader));
        Ok(())
    }

    fn read_in_flight(&mut self, round: RoundId, after: i64) -> Result<(), DatasetError> {
        let Some(batch) = self.catalogue.batch(round, after)? else { return Ok(()) };
        let records = batch.records().map_err(|bad| batch.damaged(self.catalogue.path(), &bad))?;
        self.source = Some(Source::InFlight { round, after: batch.seq });
        self.ready = records.into_iter();
        Ok(())
    }
}

/// So many batches are read before they are asked for.
const AHEAD: usize = 32;

impl Records {
    /// The same records in the same order, read by a thread of its own while those before are worked on.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn read_ahead(self) -> Result<ReadAhead, DatasetError> {
        let dataset = self.dataset.clone();
        let (sender, batches) = sync_channel(AHEAD);
        let reading = thread::Builder::new().name("read".to_owned()).spawn(move || self.pass_on(&sender));
        reading.map_err(|error| DatasetError::from_io(&dataset, "read", error))?;
        Ok(ReadAhead { dataset, batches: Some(batches) })
    }

    /// Until nobody listens any more.
    fn pass_on(mut self, to: &SyncSender<Ahead>) {
        while let Some(filled) = self.refill() {
            let batch = filled.map(|()| std::mem::take(&mut self.ready).collect());
            let over = self.is_between_rounds().then_some(Ahead::RoundOver);
            let sent = std::iter::once(Ahead::Batch(batch)).chain(over).try_for_each(|news| to.send(news));
            if sent.is_err() {
                return;
            }
        }
        // Whoever has stopped listening needs no end.
        let _ = to.send(Ahead::End);
    }
}

/// What the reading thread has got.
enum Ahead {
    Batch(Result<Vec<ProbeRecord>, DatasetError>),
    RoundOver,
    End,
}

/// [`Records`], read ahead, with word of where a round is over.
pub struct ReadAhead {
    dataset: PathBuf,
    /// `None` after the end.
    batches: Option<Receiver<Ahead>>,
}

impl Iterator for ReadAhead {
    type Item = Result<Read, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.batches.as_ref()?.recv() {
            Ok(Ahead::Batch(batch)) => Some(batch.map(Read::Records)),
            Ok(Ahead::RoundOver) => Some(Ok(Read::RoundOver)),
            Ok(Ahead::End) => {
                self.batches = None;
                None
            }
            Err(_) => {
                self.batches = None;
                let gone = io::Error::other("the thread that reads it has gone");
                Some(Err(DatasetError::from_io(&self.dataset, "read", gone)))
            }
        }
    }
}

impl std::fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadAhead").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

impl Iterator for Records {
    type Item = Result<ProbeRecord, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(Ok(record));
            }
            if let Err(error) = self.refill()? {
                return Some(Err(error));
            }
        }
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

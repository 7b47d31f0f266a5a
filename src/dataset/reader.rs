//! All records of a dataset, one after the other, without holding more than a batch of them.

use std::collections::VecDeque;
use std::path::PathBuf;

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
    source: Option<Source>,
    ready: std::vec::IntoIter<ProbeRecord>,
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
        Self { dataset, catalogue, rounds: rounds.into(), imported: imported.into(), source: None, ready }
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

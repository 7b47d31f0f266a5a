//! Measurements as records in a dataset: each in its round and unit, written by as many threads as there are
//! processors, each into files of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use super::rounds::Rounds;
use super::{Batch, ImportError, ImportOptions, Measurement, Sent};
use crate::dataset::{
    DatasetError, ImportFolder, Imported, ImportedFile, Importing, ProbeRecord, SealedFile,
};
use crate::model::{Name, Outcome, Prefix, Probe, Unit};

/// Records that are handed to a writer at a time.
const CHUNK: usize = 16_384;

/// Records of one file.
const ROWS_OF_FILE: u64 = 4_000_000;

/// The most vantages of a dataset.
const MOST_VANTAGES: usize = 1_000_000;

/// The most units that a manifest names.
const MOST_UNITS: usize = 100_000;

/// What is known of a dataset while it is written.
pub(super) struct Store<'s> {
    options: &'s ImportOptions,
    rounds: Rounds,
    vantages: BTreeMap<Name, BTreeSet<IpAddr>>,
    units: BTreeSet<Unit>,
    units_left_out: u64,
    chunk: Vec<ProbeRecord>,
    writers: Vec<Writer<'s>>,
    turn: usize,
    records: u64,
}

struct Writer<'s> {
    chunks: SyncSender<Vec<ProbeRecord>>,
    thread: ScopedJoinHandle<'s, Result<Vec<SealedFile>, DatasetError>>,
}

/// A store that is written.
pub(super) struct Stored {
    pub(super) imported: Imported,
    pub(super) units: BTreeSet<Unit>,
    pub(super) units_left_out: u64,
    pub(super) records: u64,
}

impl<'s> Store<'s> {
    pub(super) fn new<'e>(
        scope: &'s Scope<'s, 'e>,
        folder: &ImportFolder,
        options: &'s ImportOptions,
        writers: u32,
    ) -> Self {
        let writer = |number: u32| {
            let (chunks, received) = sync_channel(2);
            let folder = folder.clone();
            let thread = scope.spawn(move || write(&folder, &received, number, writers));
            Writer { chunks, thread }
        };
        Self {
            options,
            rounds: Rounds::default(),
            vantages: BTreeMap::new(),
            units: BTreeSet::new(),
            units_left_out: 0,
            chunk: Vec::with_capacity(CHUNK),
            writers: (1..=writers).map(writer).collect(),
            turn: 0,
            records: 0,
        }
    }

    /// Takes in what a reader gives.
    pub(super) fn take(&mut self, batch: Batch) -> Result<(), ImportError> {
        batch.measurements.into_iter().try_for_each(|measurement| self.take_measurement(measurement))
    }

    fn take_measurement(&mut self, mut measurement: Measurement) -> Result<(), ImportError> {
        if measurement.probes.is_empty() {
            return Ok(());
        }
        if let Some(vantage) = &self.options.vantage {
            measurement.vantage.clone_from(vantage);
        }
        let Some(place) = self.rounds.place(&measurement)? else {
            let probes = measurement.probes.len() as u64;
            if let Some(place) = self.rounds.last_of(&measurement) {
                self.rounds.count_duplicates(place, probes);
            }
            return Ok(());
        };
        self.note_vantage(&measurement)?;
        let unit = self.unit(measurement.target);
        self.rounds.count_duplicates(place, measurement.duplicates);
        for sent in std::mem::take(&mut measurement.probes) {
            self.rounds.count(place, measurement.at, &sent);
            let record = self.record(&measurement, place, unit, sent);
            self.records = self.records.saturating_add(1);
            self.chunk.push(record);
        }
        // A measurement stays in one piece.
        if self.chunk.len() >= CHUNK { self.hand_over() } else { Ok(()) }
    }

    fn record(&self, of: &Measurement, place: usize, unit: Unit, sent: Sent) -> ProbeRecord {
        let Sent { flow, ttl, attempt, at, outcome } = sent;
        let &Measurement { target, protocol, port, method, .. } = of;
        let round = self.rounds.id(place);
        let was_sent = !matches!(outcome, Outcome::SendFailed(_));
        ProbeRecord {
            vantage: of.vantage.clone(),
            prober: of.series.clone(),
            method,
            probe: Probe { round, target, protocol, port, flow, ttl, attempt },
            unit,
            control: false,
            sent_at: was_sent.then_some(at.unwrap_or(of.at)),
            outcome,
        }
    }

    fn note_vantage(&mut self, measurement: &Measurement) -> Result<(), ImportError> {
        if !self.vantages.contains_key(&measurement.vantage) {
            if self.vantages.len() >= MOST_VANTAGES {
                return Err(ImportError::TooMany { what: "vantages", most: MOST_VANTAGES });
            }
            self.vantages.insert(measurement.vantage.clone(), BTreeSet::new());
        }
        let sources = self.vantages.get_mut(&measurement.vantage);
        let source = measurement.source.filter(|source| !source.is_unspecified());
        if let (Some(sources), Some(source)) = (sources, source)
            && sources.len() < MOST_SOURCES
        {
            sources.insert(source);
        }
        Ok(())
    }

    fn unit(&mut self, target: IpAddr) -> Unit {
        let given = self.options.units.iter().filter(|unit| unit.contains(target));
        let given = given.max_by_key(|unit| unit.length()).copied();
        let length = Unit::default_length(target.is_ipv4());
        let unit = given.or_else(|| Prefix::covering(target, length));
        let unit = Unit(unit.unwrap_or_else(|| Prefix::host(target)));
        if self.units.len() < MOST_UNITS {
            self.units.insert(unit);
        } else if !self.units.contains(&unit) {
            self.units_left_out = self.units_left_out.saturating_add(1);
        }
        unit
    }

    /// A writer that has gone has an error to tell, which `finish` asks for.
    fn hand_over(&mut self) -> Result<(), ImportError> {
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        let turn = self.turn;
        self.turn = turn.saturating_add(1).checked_rem(self.writers.len()).unwrap_or(0);
        let Some(writer) = self.writers.get(turn) else { return Ok(()) };
        if writer.chunks.send(chunk).is_err() {
            let writer = self.writers.swap_remove(turn);
            return Err(joined(writer).err().unwrap_or(ImportError::Nothing { files: Vec::new() }));
        }
        Ok(())
    }

    /// Waits until everything is written.
    pub(super) fn finish(mut self) -> Result<Stored, ImportError> {
        if !self.chunk.is_empty() {
            self.hand_over()?;
        }
        let mut files = Vec::new();
        for writer in self.writers {
            files.extend(joined(writer)?);
        }
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let vantages = self.vantages.into_iter();
        let imported = Imported {
            files,
            rounds: self.rounds.finish(),
            vantages: vantages.map(|(name, sources)| (name, sources.into_iter().collect())).collect(),
            sources: Vec::new(),
        };
        let (units, units_left_out, records) = (self.units, self.units_left_out, self.records);
        Ok(Stored { imported, units, units_left_out, records })
    }
}

/// The most addresses of a vantage that are noted.
const MOST_SOURCES: usize = 16;

fn joined(writer: Writer<'_>) -> Result<Vec<SealedFile>, ImportError> {
    drop(writer.chunks);
    match writer.thread.join() {
        Ok(files) => Ok(files?),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The files of one writer are every `step`-th.
fn write(
    folder: &ImportFolder,
    chunks: &Receiver<Vec<ProbeRecord>>,
    first: u32,
    step: u32,
) -> Result<Vec<SealedFile>, DatasetError> {
    let (mut number, mut files) = (first, Vec::new());
    let mut open: Option<ImportedFile> = None;
    for chunk in chunks {
        let mut file = match open.take() {
            Some(file) => file,
            None => folder.file(number)?,
        };
        file.write(&chunk)?;
        if file.rows() >= ROWS_OF_FILE {
            files.push(file.finish()?);
            number = number.saturating_add(step);
        } else {
            open = Some(file);
        }
    }
    if let Some(file) = open {
        files.push(file.finish()?);
    }
    Ok(files)
}

/// Makes a dataset in a new folder of what `read` hands to the store.
pub(super) fn within<T>(
    dir: &Path,
    options: &ImportOptions,
    read: impl FnOnce(&mut Store<'_>) -> Result<T, ImportError>,
) -> Result<(Importing, Stored, T), ImportError> {
    let importing = Importing::begin(dir)?;
    let writers = std::thread::available_parallelism().map_or(1, |number| number.get().min(8));
    let writers = u32::try_from(writers).unwrap_or(1);
    let done = std::thread::scope(|scope| {
        let mut store = Store::new(scope, &importing.folder(), options, writers);
        let read = read(&mut store)?;
        Ok::<_, ImportError>((store.finish()?, read))
    });
    match done {
        Ok((stored, read)) => Ok((importing, stored, read)),
        Err(error) => {
            importing.give_up();
            Err(error)
        }
    }
}

//! The dataset as its users see it.

use std::fs::{self, File, TryLockError};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use crate::model::{Event, Name, Prefix, RoundId, WallTime, placed};

use super::catalogue::Catalogue;
use super::manifest::Manifest;
use super::reader::Records;
use super::round::{OpenRound, RoundHeader, RoundState, RoundSummary, SealedFile};
use super::{AskedBlocks, DatasetError, Disk, ImportedFrom, Ledger, ProbeRecord, Progress, folder, sealed};

const MANIFEST: &str = "campaign.toml";
const CATALOGUE: &str = "catalog.sqlite";
const NAMES: (&str, &str) = ("names", "dns.json");
const ALARMS: &str = "alarms.csv";

/// A dataset. Any number of processes may read it; one may write rounds.
#[derive(Debug)]
pub struct Dataset {
    dir: PathBuf,
    manifest: Manifest,
    catalogue: Catalogue,
    disk: Disk,
    /// `campaign.toml`, locked; `None` if this was opened to be read.
    lock: Option<File>,
}

/// Somebody asked not to be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptOut {
    /// What must not be probed.
    pub prefix: Prefix,
    /// Who asked, and where that is written down; may be empty.
    pub reference: String,
    /// When it began to hold in this campaign: nothing was sent there later.
    pub at: WallTime,
}

/// The vantage's wall clock was not where it should have been by the monotonic one: it was set, or the
/// machine slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockStep {
    /// What it showed when that was noticed. What was sent before is dated by it as it was before.
    pub at: WallTime,
    /// How far it was ahead, in nanoseconds; negative if it was behind.
    pub by_ns: i64,
}

/// `8 h 3 min forward at 2026-11-24T10:51:00Z`, in whole seconds.
impl fmt::Display for ClockStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = Duration::from_secs(Duration::from_nanos(self.by_ns.unsigned_abs()).as_secs());
        let where_to = if self.by_ns < 0 { "back" } else { "forward" };
        write!(f, "{} {where_to} at {}", humantime::format_duration(by), self.at)
    }
}

/// How an event came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventSource {
    /// The campaign says so.
    Declared,
    /// It was seen in the measurements.
    Detected,
}

impl EventSource {
    /// As it stands in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Detected => "detected",
        }
    }
}

impl Dataset {
    /// Makes a dataset in a folder that is new, empty, or holds what an interrupted `create` left.
    ///
    /// # Errors
    /// [`DatasetError::AlreadyThere`], [`DatasetError::NotEmpty`], or the system's reason.
    pub fn create(dir: &Path, manifest: &Manifest) -> Result<Self, DatasetError> {
        Self::create_on(Disk::default(), dir, manifest)
    }

    /// The same on a disk that may have trouble.
    ///
    /// # Errors
    /// As [`Dataset::create`].
    pub fn create_on(disk: Disk, dir: &Path, manifest: &Manifest) -> Result<Self, DatasetError> {
        // A manifest that cannot be written must leave nothing behind.
        manifest.to_toml(&dir.join(MANIFEST))?;
        let (dir, catalogue) = Self::prepare(&disk, dir, &manifest.events)?;
        drop(catalogue);
        Self::declare(disk, &dir, manifest)
    }

    /// Makes a folder with an empty catalogue: not yet a dataset. Gives the folder without links in its path.
    pub(super) fn prepare(
        disk: &Disk,
        dir: &Path,
        events: &[Event],
    ) -> Result<(PathBuf, Catalogue), DatasetError> {
        disk.create_folders(dir)?;
        let dir = real_folder(dir)?;
        clear_unfinished(disk, &dir)?;
        let path = dir.join(CATALOGUE);
        drop(disk.create_new(&path)?);
        let catalogue = Catalogue::create(disk.clone(), &path, events)?;
        Ok((dir, catalogue))
    }

    /// Makes a prepared folder a dataset by its manifest, which therefore comes last.
    pub(super) fn declare(disk: Disk, dir: &Path, manifest: &Manifest) -> Result<Self, DatasetError> {
        let path = dir.join(MANIFEST);
        disk.write_whole(&path, manifest.to_toml(&path)?.as_bytes())?;
        dir.parent().map_or(Ok(()), |parent| disk.sync_folder(parent))?;
        Self::open_on(disk, dir)
    }

    /// Opens a dataset to read and write. What a crash left half done is put in order.
    ///
    /// # Errors
    /// [`DatasetError::Busy`] if another process writes to it, [`DatasetError::Newer`] before anything is
    /// touched, [`DatasetError::NotADataset`], or what is damaged.
    pub fn open(dir: &Path) -> Result<Self, DatasetError> {
        Self::open_on(Disk::default(), dir)
    }

    /// The same on a disk that may have trouble.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn open_on(disk: Disk, dir: &Path) -> Result<Self, DatasetError> {
        let dir = real_folder(dir)?;
        let (lock, manifest) = read_manifest(&dir, true)?;
        lock_for_writing(&lock, &dir)?;
        let catalogue = Catalogue::open(disk.clone(), &dir.join(CATALOGUE))?;
        let dataset = Self { dir, manifest, catalogue, disk, lock: Some(lock) };
        dataset.remove_unfinished_seals()?;
        Ok(dataset)
    }

    /// Opens a dataset to read it, also while another process writes to it and in a folder that may not
    /// be written.
    ///
    /// # Errors
    /// As [`Dataset::open`], except that it is never busy.
    pub fn open_read_only(dir: &Path) -> Result<Self, DatasetError> {
        let dir = real_folder(dir)?;
        let (_, manifest) = read_manifest(&dir, false)?;
        let catalogue = Catalogue::open_to_read(&dir.join(CATALOGUE))?;
        Ok(Self { dir, manifest, catalogue, disk: Disk::default(), lock: None })
    }

    /// Begins a round.
    ///
    /// # Errors
    /// [`DatasetError::RoundState`] if there is one of that number.
    pub fn begin_round(&mut self, header: &RoundHeader) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        if self.catalogue.insert_round(header)? {
            return Ok(());
        }
        Err(self.round_state(header.id, "begun"))
    }

    /// Records what became of probes of a round, with the round's ledger so far. When this returns, they
    /// are acknowledged: no crash loses them. A probe that is recorded already keeps its first record.
    ///
    /// # Errors
    /// If the round is not open, a record is of another round or vantage, or the system refuses; then
    /// none of them is recorded.
    pub fn append(
        &mut self,
        round: RoundId,
        records: &[ProbeRecord],
        ledger: &Ledger,
    ) -> Result<(), DatasetError> {
        self.advance(round, &Progress { records, ledger, asked: &[], decided: 0 })
    }

    /// The same as [`Dataset::append`], with what a census has to say besides.
    ///
    /// # Errors
    /// As for [`Dataset::append`].
    pub fn advance(&mut self, round: RoundId, done: &Progress<'_>) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        let vantage = &self.manifest.vantage;
        if done.records.iter().any(|record| record.probe.round != round || record.vantage != *vantage) {
            return Err(DatasetError::ForeignRecord { path: self.dir.clone(), round });
        }
        if self.catalogue.append(round, done)? {
            return Ok(());
        }
        Err(self.not_open(round)?)
    }

    /// Seals a round: writes its records into a Parquet file and lets them go from the catalogue. A crash
    /// at any point leaves the round either open with all its records, or sealed. A round that is sealed
    /// already stays as it is.
    ///
    /// # Errors
    /// If the round was never begun or the system refuses; then it stays open.
    pub fn seal(&mut self, round: RoundId, ledger: &Ledger, complete: bool) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        let found = self.catalogue.round(round)?;
        let found = found.ok_or_else(|| self.no_such_round(round))?;
        if found.state.is_sealed() {
            return Ok(());
        }
        let file = self.write_part(&found.header, found.rows)?;
        let path = self.dir.join(&file.name);
        self.disk.publish(&folder::part_path(&path), &path)?;
        let state = if complete { RoundState::Complete } else { RoundState::Interrupted };
        self.catalogue.seal(round, ledger, state, &file)
    }

    /// Adds opt-outs, all or none of them. One of the same prefix and reference that is there keeps its
    /// time. Also works on a dataset that was opened to be read.
    ///
    /// # Errors
    /// The system's reason.
    pub fn add_opt_outs(&mut self, opt_outs: &[OptOut]) -> Result<(), DatasetError> {
        self.with_writer(|catalogue| catalogue.insert_opt_outs(opt_outs))
    }

    /// Flags a round: the kernel dropped so many packets while it ran. A round that is flagged already has
    /// them added.
    ///
    /// # Errors
    /// The system's reason; then nothing was added.
    pub fn add_drops(&mut self, round: RoundId, packets: u64) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        self.catalogue.add_drops(round, packets)
    }

    /// Counts packets that belong to no round: the last four counts of a ledger.
    ///
    /// # Errors
    /// The system's reason; then nothing was counted.
    pub fn add_beside(&mut self, counts: &Ledger) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        self.catalogue.add_beside(counts)
    }

    /// Notes a step of the vantage's wall clock.
    ///
    /// # Errors
    /// The system's reason.
    pub fn add_clock_step(&mut self, step: ClockStep) -> Result<(), DatasetError> {
        self.must_be_writable()?;
        self.catalogue.insert_clock_step(step)
    }

    /// Adds an event. Also works on a dataset that was opened to be read.
    ///
    /// # Errors
    /// The system's reason.
    pub fn add_event(&mut self, event: &Event, source: EventSource) -> Result<(), DatasetError> {
        self.with_writer(|catalogue| catalogue.insert_event(event, source))
    }

    /// Puts a file into the dataset, as `origins/lab.pfx2as`; replaces one of that name.
    ///
    /// # Errors
    /// [`DatasetError::BadFileName`] if the name leaves the dataset or is one of its own.
    pub fn write_file(&mut self, name: &str, bytes: &[u8]) -> Result<PathBuf, DatasetError> {
        self.must_be_writable()?;
        let parts =
            file_name_parts(name).ok_or_else(|| DatasetError::BadFileName { name: name.to_owned() })?;
        let (file, folders) = parts.split_last().unwrap_or((&"", &[]));
        let parent = self.ensure_folders(folders)?;
        let path = parent.join(file);
        self.disk.write_whole(&path, bytes)?;
        Ok(path)
    }

    /// Puts what look-ups in the DNS gave into `names/dns.json`. Also works on a dataset that was opened to
    /// be read: look-ups go on beside the recording, and no record depends on them. Only one process may:
    /// the one that records.
    ///
    /// # Errors
    /// The system's reason; then the file is as it was.
    pub fn write_names(&self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.ensure_folders(&[NAMES.0])?;
        self.disk.write_whole(&self.names_path(), bytes)
    }

    /// What [`Dataset::write_names`] wrote; `None` if nothing was.
    ///
    /// # Errors
    /// If it is too long, or the system's reason.
    pub fn read_names(&self) -> Result<Option<Vec<u8>>, DatasetError> {
        folder::read_if_there(&self.names_path())
    }

    /// Where the names lie.
    #[must_use]
    pub fn names_path(&self) -> PathBuf {
        self.dir.join(NAMES.0).join(NAMES.1)
    }

    /// Puts the alarms that were told into `alarms.csv`; as [`Dataset::write_names`] in all else.
    ///
    /// # Errors
    /// The system's reason; then the file is as it was.
    pub fn write_alarms(&self, bytes: &[u8]) -> Result<(), DatasetError> {
        self.disk.write_whole(&self.alarms_path(), bytes)
    }

    /// What [`Dataset::write_alarms`] wrote; `None` if nothing was.
    ///
    /// # Errors
    /// If it is too long, or the system's reason.
    pub fn read_alarms(&self) -> Result<Option<Vec<u8>>, DatasetError> {
        folder::read_if_there(&self.alarms_path())
    }

    /// Where the alarms lie.
    #[must_use]
    pub fn alarms_path(&self) -> PathBuf {
        self.dir.join(ALARMS)
    }

    /// The campaign as it was run.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The folder, without links in its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Where the origin tables of the manifest lie; a kind before a path, as in `mrt:rib.bz2`, stays there.
    #[must_use]
    pub fn origin_paths(&self) -> Vec<PathBuf> {
        self.manifest.origins.iter().map(|origin| placed(&self.dir, origin)).collect()
    }

    /// Where the tables of AS names of the manifest lie.
    #[must_use]
    pub fn as_name_paths(&self) -> Vec<PathBuf> {
        self.manifest.as_names.iter().map(|names| self.dir.join(names)).collect()
    }

    /// Rounds that were begun and not sealed, for resuming.
    ///
    /// # Errors
    /// What is damaged.
    pub fn open_rounds(&self) -> Result<Vec<OpenRound>, DatasetError> {
        let open = |round: RoundSummary| {
            let is_open = !round.state.is_sealed();
            let RoundSummary { header, ledger, decided, .. } = round;
            is_open.then_some(OpenRound { header, ledger, decided })
        };
        Ok(self.catalogue.rounds()?.into_iter().filter_map(open).collect())
    }

    /// All records of a round, open or sealed, in the order in which they were recorded.
    ///
    /// # Errors
    /// If the round was never begun, or what is damaged.
    pub fn recorded(&self, round: RoundId) -> Result<Vec<ProbeRecord>, DatasetError> {
        let catalogue = self.snapshot()?;
        let found = catalogue.round(round)?;
        let found = found.ok_or_else(|| self.no_such_round(round))?;
        let files = catalogue.imported_files()?;
        let of_it = |record: &Result<ProbeRecord, _>| {
            record.as_ref().map_or(true, |record: &ProbeRecord| record.probe.round == round)
        };
        Records::new(self.dir.clone(), catalogue, vec![found], files).filter(of_it).collect()
    }

    /// The blocks of probes that a census asked, in the order in which it did, each with its wave; those without
    /// one were wanted, and not asked. None for rounds of other methods.
    ///
    /// # Errors
    /// What is damaged.
    pub fn asked(&self, round: RoundId) -> Result<AskedBlocks, DatasetError> {
        self.catalogue.asked(round)
    }

    /// The highest number of a round; `None` before the first.
    ///
    /// # Errors
    /// What is damaged.
    pub fn last_round_id(&self) -> Result<Option<RoundId>, DatasetError> {
        self.catalogue.last_round()
    }

    /// All rounds, in the order of their numbers.
    ///
    /// # Errors
    /// What is damaged.
    pub fn rounds(&self) -> Result<Vec<RoundSummary>, DatasetError> {
        self.catalogue.rounds()
    }

    /// The ledgers of all rounds together, and what belongs to none.
    ///
    /// # Errors
    /// What is damaged.
    pub fn total_ledger(&self) -> Result<Ledger, DatasetError> {
        let beside = self.catalogue.beside()?;
        Ok(self.catalogue.rounds()?.iter().map(|round| round.ledger).chain([beside]).sum())
    }

    /// All records, round after round, as the dataset is now.
    ///
    /// # Errors
    /// What is damaged in the catalogue; what is damaged in a round comes with its records.
    pub fn records(&self) -> Result<Records, DatasetError> {
        let catalogue = self.snapshot()?;
        let (rounds, files) = (catalogue.rounds()?, catalogue.imported_files()?);
        Ok(Records::new(self.dir.clone(), catalogue, rounds, files))
    }

    /// The records of these rounds alone.
    ///
    /// # Errors
    /// As [`Dataset::records`].
    pub fn records_of(&self, rounds: Vec<RoundSummary>) -> Result<Records, DatasetError> {
        Ok(Records::new(self.dir.clone(), self.snapshot()?, rounds, Vec::new()))
    }

    /// Who measured, each with the addresses from which it did, as far as they are known.
    ///
    /// # Errors
    /// What is damaged.
    pub fn vantages(&self) -> Result<Vec<(Name, Vec<IpAddr>)>, DatasetError> {
        let imported = self.catalogue.imported_vantages()?;
        let own = || vec![(self.manifest.vantage.clone(), self.manifest.sources.clone())];
        Ok(if imported.is_empty() { own() } else { imported })
    }

    /// What was counted in the files from which the dataset was imported; nothing if it was measured.
    ///
    /// # Errors
    /// What is damaged.
    pub fn imported_from(&self) -> Result<Vec<ImportedFrom>, DatasetError> {
        self.catalogue.imported_from()
    }

    /// Everybody who asked not to be probed, with what other processes have added.
    ///
    /// # Errors
    /// What is damaged.
    pub fn opt_outs(&self) -> Result<Vec<OptOut>, DatasetError> {
        self.catalogue.opt_outs()
    }

    /// Steps of the vantage's wall clock, in the order in which they were noticed.
    ///
    /// # Errors
    /// What is damaged.
    pub fn clock_steps(&self) -> Result<Vec<ClockStep>, DatasetError> {
        self.catalogue.clock_steps()
    }

    /// Declared and detected events, in the order of time.
    ///
    /// # Errors
    /// What is damaged.
    pub fn events(&self) -> Result<Vec<(Event, EventSource)>, DatasetError> {
        self.catalogue.events()
    }

    /// Writes the records of a round, about so many, into a durable file under a temporary name.
    pub(super) fn write_part(
        &self,
        header: &RoundHeader,
        records: u64,
    ) -> Result<SealedFile, DatasetError> {
        let (folders, file_name) = sealed::place(self.manifest.vantage.as_str(), header);
        let parent = self.ensure_folders(&folders.each_ref().map(String::as_str))?;
        let part = folder::part_path(&parent.join(&file_name));
        let name = format!("{}/{file_name}", folders.join("/"));
        let file = self.disk.create_part(&part)?;
        let writer = sealed::Writer::new(file, self.manifest.vantage.as_str(), records);
        let writer = writer.map_err(|error| sealed::write_error(&part, error));
        writer
            .and_then(|writer| self.fill_part(header.id, writer, &part, name))
            .inspect_err(|_| drop(self.disk.remove_if_there(&part)))
    }

    fn fill_part(
        &self,
        round: RoundId,
        mut writer: sealed::Writer,
        part: &Path,
        name: String,
    ) -> Result<SealedFile, DatasetError> {
        let failed = |error| sealed::write_error(part, error);
        let mut after = i64::MIN;
        while let Some(batch) = self.catalogue.batch(round, after)? {
            let mut rows = batch.rows();
            let bad = |bad| batch.damaged(self.catalogue.path(), &bad);
            while let Some(row) = rows.next().map_err(bad)? {
                writer.push(row).map_err(failed)?;
            }
            after = batch.seq;
        }
        writer.finish(name).map_err(failed)
    }

    /// A crash in the middle of sealing leaves files of rounds that are still open.
    fn remove_unfinished_seals(&self) -> Result<(), DatasetError> {
        for round in self.open_rounds()? {
            let (folders, file_name) = sealed::place(self.manifest.vantage.as_str(), &round.header);
            let path = self.dir.join(folders.join("/")).join(file_name);
            self.disk.remove_if_there(&folder::part_path(&path))?;
            self.disk.remove_if_there(&path)?;
        }
        Ok(())
    }

    fn ensure_folders(&self, names: &[&str]) -> Result<PathBuf, DatasetError> {
        names.iter().try_fold(self.dir.clone(), |parent, name| self.disk.ensure_folder(&parent, name))
    }

    /// The catalogue as it is now, and stays for whoever holds this.
    fn snapshot(&self) -> Result<Catalogue, DatasetError> {
        let catalogue = Catalogue::open_to_read(&self.dir.join(CATALOGUE))?;
        catalogue.freeze()?;
        Ok(catalogue)
    }

    fn with_writer(
        &mut self,
        work: impl FnOnce(&mut Catalogue) -> Result<(), DatasetError>,
    ) -> Result<(), DatasetError> {
        if self.lock.is_some() {
            return work(&mut self.catalogue);
        }
        work(&mut Catalogue::open(self.disk.clone(), &self.dir.join(CATALOGUE))?)
    }

    fn must_be_writable(&self) -> Result<(), DatasetError> {
        let read_only = || DatasetError::ReadOnly { path: self.dir.clone() };
        self.lock.as_ref().map(|_| ()).ok_or_else(read_only)
    }

    /// A disk that is full, for tests.
    #[cfg(test)]
    pub(super) fn keep_catalogue_from_growing(&self) {
        self.catalogue.keep_from_growing();
    }

    fn not_open(&self, round: RoundId) -> Result<DatasetError, DatasetError> {
        let found = self.catalogue.round(round)?;
        Ok(found.map_or_else(|| self.no_such_round(round), |_| self.round_state(round, "sealed")))
    }

    fn no_such_round(&self, round: RoundId) -> DatasetError {
        DatasetError::NoSuchRound { path: self.dir.clone(), round }
    }

    fn round_state(&self, round: RoundId, state: &'static str) -> DatasetError {
        DatasetError::RoundState { path: self.dir.clone(), round, state }
    }
}

/// The folder without links in its path: SQLite is told to follow none.
fn real_folder(dir: &Path) -> Result<PathBuf, DatasetError> {
    fs::canonicalize(dir).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => DatasetError::NotADataset { path: dir.to_owned() },
        _ => DatasetError::from_io(dir, "open the folder", error),
    })
}

/// Makes way for a new dataset where an earlier try was interrupted before anything was recorded.
fn clear_unfinished(disk: &Disk, dir: &Path) -> Result<(), DatasetError> {
    let names = folder::names_in(dir)?;
    if names.iter().any(|name| name == MANIFEST) {
        return Err(DatasetError::AlreadyThere { path: dir.to_owned() });
    }
    let part = folder::part_path(Path::new(MANIFEST));
    let ours = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.starts_with(CATALOGUE) || Path::new(&*name) == part
    };
    let is_ours = names.iter().all(ours) && !has_rounds(&dir.join(CATALOGUE));
    if !is_ours {
        return Err(DatasetError::NotEmpty { path: dir.to_owned() });
    }
    names.iter().try_for_each(|name| disk.remove_if_there(&dir.join(name)))
}

/// Whether a catalogue holds something worth keeping; one without tables does not.
fn has_rounds(path: &Path) -> bool {
    Catalogue::open_to_read(path)
        .and_then(|catalogue| catalogue.last_round())
        .is_ok_and(|round| round.is_some())
}

/// Reads the manifest; gives it open, for locking.
fn read_manifest(dir: &Path, write: bool) -> Result<(File, Manifest), DatasetError> {
    let path = dir.join(MANIFEST);
    if fs::symlink_metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(DatasetError::NotADataset { path: dir.to_owned() });
    }
    let file = folder::open_plain(&path, write)?;
    let text = folder::read_text(&file, &path)?;
    let manifest = Manifest::from_toml(&path, &text)?;
    Ok((file, manifest))
}

/// The system gives the lock back when the process ends, however it ends.
fn lock_for_writing(file: &File, dir: &Path) -> Result<(), DatasetError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => DatasetError::Busy { path: dir.to_owned() },
        TryLockError::Error(error) => DatasetError::from_io(dir, "lock", error),
    })
}

/// The parts of a path that stays inside the dataset and touches none of its own files.
fn file_name_parts(name: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = name.split('/').collect();
    let good = |part: &&str| part.parse::<crate::model::Name>().is_ok();
    let first = parts.first()?;
    let own = [MANIFEST, "rounds", NAMES.0, ALARMS].contains(first) || first.starts_with(CATALOGUE);
    (parts.iter().all(good) && !own).then_some(parts)
}

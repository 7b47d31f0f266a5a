//! `catalog.sqlite`: the rounds with their ledgers, opt-outs, events, and the records of rounds in flight.
//!
//! Write-ahead log, `synchronous = FULL`: what a function here has done when it returns survives a crash
//! and, unless the disk is unhurried, a loss of power. The catalogue is the truth about rounds: a Parquet file
//! that it does not name is not part of the dataset.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::model::{AsLink, Event, LinkChange, Method, Name, Prefix, RoundId, WallTime};

use super::asked::{self, AskedBlocks};
use super::batch::Batch;
use super::columns::FORMAT_VERSION;
use super::disk::DiskStep;
use super::imported::{self, Imported, ImportedFrom};
use super::journal::{self, Recorded};
use super::round::{RoundHeader, RoundState, RoundSummary, SealedFile};
use super::{ClockStep, DatasetError, Disk, EventSource, Ledger, OptOut, Progress};

/// How long a statement waits for another process, which holds the catalogue only for a moment.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE rounds (
        round INTEGER PRIMARY KEY,
        prober TEXT NOT NULL,
        method TEXT NOT NULL,
        due_at_ns INTEGER NOT NULL,
        started_at_ns INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('open', 'complete', 'interrupted')),
        ledger TEXT NOT NULL,
        file TEXT, rows INTEGER, bytes INTEGER, crc32 INTEGER,
        first_sent_at_ns INTEGER, last_sent_at_ns INTEGER,
        dropped INTEGER NOT NULL DEFAULT 0,
        decided INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE beside (
        duplicates INTEGER NOT NULL,
        unmatched INTEGER NOT NULL,
        malformed INTEGER NOT NULL,
        kernel_dropped INTEGER NOT NULL
    ) STRICT;
    INSERT INTO beside VALUES (0, 0, 0, 0);
    CREATE TABLE clock_steps (at_ns INTEGER NOT NULL, by_ns INTEGER NOT NULL) STRICT;
    CREATE TABLE opt_outs (
        prefix TEXT NOT NULL,
        reference TEXT NOT NULL,
        at_ns INTEGER NOT NULL,
        UNIQUE (prefix, reference)
    ) STRICT;
    CREATE TABLE events (
        at_ns INTEGER NOT NULL,
        change TEXT NOT NULL,
        link TEXT NOT NULL,
        source TEXT NOT NULL CHECK (source IN ('declared', 'detected')),
        UNIQUE (at_ns, change, link, source)
    ) STRICT;";

const ROUND_COLUMNS: &str = "round, prober, method, due_at_ns, started_at_ns, state, ledger, file,
     coalesce(rows, (SELECT ifnull(sum(f.rows), 0) FROM in_flight f WHERE f.round = rounds.round)), bytes, crc32,
     dropped, decided";

/// The open catalogue.
#[derive(Debug)]
pub(super) struct Catalogue {
    connection: Connection,
    path: PathBuf,
    disk: Disk,
    recorded: Recorded,
}

impl Catalogue {
    /// Makes the tables in an empty file that is there.
    pub(super) fn create(disk: Disk, path: &Path, events: &[Event]) -> Result<Self, DatasetError> {
        let mut catalogue = Self::open(disk, path)?;
        let tables = format!("{TABLES} {} {}", asked::TABLE, journal::TABLE);
        catalogue.change(|transaction| {
            transaction.execute_batch(&tables)?;
            transaction.pragma_update(None, "user_version", FORMAT_VERSION)?;
            events.iter().try_for_each(|event| insert_event(transaction, event, EventSource::Declared))
        })?;
        Ok(catalogue)
    }

    /// Opens it to read and write. What is written from now on is of the newest version.
    pub(super) fn open(disk: Disk, path: &Path) -> Result<Self, DatasetError> {
        let catalogue = Self { disk, ..Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)? };
        if (1..FORMAT_VERSION).contains(&catalogue.check_version()?) {
            catalogue.map(catalogue.connection.pragma_update(None, "user_version", FORMAT_VERSION))?;
        }
        let mode = catalogue.ask("PRAGMA journal_mode = WAL", |row| row.get::<_, String>(0))?;
        if mode.as_deref() != Some("wal") {
            return Err(DatasetError::damaged(path, "the file system allows no write-ahead log"));
        }
        let synchronous = if catalogue.disk.is_unhurried() { "OFF" } else { "FULL" };
        catalogue.map(catalogue.connection.pragma_update(None, "synchronous", synchronous))?;
        Ok(catalogue)
    }

    /// Opens it to read, while another process may be writing.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, DatasetError> {
        let catalogue = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let readable = catalogue.check_version();
        match readable {
            Err(DatasetError::Unwritable { .. }) if log_is_empty(path) => Self::open_as_it_is(path),
            Err(error) => Err(error),
            Ok(_) => Ok(catalogue),
        }
    }

    /// Opens it in a folder where not even SQLite's own index of the log can be made.
    fn open_as_it_is(path: &Path) -> Result<Self, DatasetError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let mut catalogue = Self::connect(&immutable_uri(path), flags)?;
        path.clone_into(&mut catalogue.path);
        catalogue.check_version()?;
        Ok(catalogue)
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, DatasetError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let failed = |error| DatasetError::from_sqlite(path, error);
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        Ok(Self { connection, path: path.to_owned(), disk: Disk::default(), recorded: Recorded::default() })
    }

    /// The version; 0 before its tables are made.
    fn check_version(&self) -> Result<u32, DatasetError> {
        let found = self.ask("PRAGMA user_version", |row| row.get::<_, u32>(0))?.unwrap_or(0);
        if found > FORMAT_VERSION {
            let path = self.path.clone();
            return Err(DatasetError::Newer { path, found: found.into(), known: FORMAT_VERSION });
        }
        Ok(found)
    }

    /// Sees the catalogue from now on as it is now, whatever a writer does.
    pub(super) fn freeze(&self) -> Result<(), DatasetError> {
        self.map(self.connection.execute_batch("BEGIN"))
    }

    /// Notes a new round. False if it is there already.
    pub(super) fn insert_round(&mut self, header: &RoundHeader) -> Result<bool, DatasetError> {
        let values = params![
            sql_int(header.id.0),
            header.prober.as_str(),
            header.method.as_str(),
            header.due_at.as_nanos(),
            header.started_at.as_nanos(),
            ledger_text(&Ledger::default()),
        ];
        let sql = "INSERT OR IGNORE INTO rounds
            (round, prober, method, due_at_ns, started_at_ns, state, ledger)
            VALUES (?, ?, ?, ?, ?, 'open', ?)";
        self.change(|transaction| transaction.execute(sql, values)).map(|inserted| inserted > 0)
    }

    /// Adds what became of probes, in one transaction. False, and nothing done, if the round is not open.
    pub(super) fn append(&mut self, round: RoundId, done: &Progress<'_>) -> Result<bool, DatasetError> {
        let fresh = self.recorded.fresh(&self.connection, round, done.records);
        let fresh = self.map(fresh)?;
        let update = "UPDATE rounds SET ledger = ?, decided = max(decided, ?)
            WHERE round = ? AND state = 'open'";
        let appended = self.change(|transaction| {
            let values = params![ledger_text(done.ledger), sql_int(done.decided), sql_int(round.0)];
            if transaction.prepare(update)?.execute(values)? == 0 {
                return Ok(false);
            }
            asked::insert(transaction, round, done.asked)?;
            journal::insert(transaction, round, &fresh)?;
            Ok(true)
        });
        match appended {
            Ok(true) => self.recorded.note(round, &fresh),
            Ok(false) | Err(_) => self.recorded.forget(round),
        }
        appended
    }

    /// The blocks that a census asked, in the order in which it did.
    pub(super) fn asked(&self, round: RoundId) -> Result<AskedBlocks, DatasetError> {
        self.map(asked::list(&self.connection, round))
    }

    /// Names a round's sealed file and lets its records go, in one transaction.
    pub(super) fn seal(
        &mut self,
        id: RoundId,
        ledger: &Ledger,
        state: RoundState,
        file: &SealedFile,
    ) -> Result<(), DatasetError> {
        let sql = "UPDATE rounds SET state = ?, ledger = ?, file = ?, rows = ?, bytes = ?, crc32 = ?,
                first_sent_at_ns = (SELECT min(f.first_sent_at_ns) FROM in_flight f WHERE f.round = rounds.round),
                last_sent_at_ns = (SELECT max(f.last_sent_at_ns) FROM in_flight f WHERE f.round = rounds.round)
            WHERE round = ? AND state = 'open'";
        let round = sql_int(id.0);
        self.change(|transaction| {
            let values = params![
                state.as_str(),
                ledger_text(ledger),
                file.name,
                sql_int(file.rows),
                sql_int(file.bytes),
                file.crc32,
                round
            ];
            transaction.execute(sql, values)?;
            transaction.execute("DELETE FROM in_flight WHERE round = ?", [round])
        })?;
        self.recorded.forget(id);
        Ok(())
    }

    /// Notes everything about a dataset that was imported but its records.
    pub(super) fn insert_imported(&mut self, imported: &Imported) -> Result<(), DatasetError> {
        self.change(|transaction| imported::insert(transaction, imported))
    }

    /// The files of records that were imported.
    pub(super) fn imported_files(&self) -> Result<Vec<SealedFile>, DatasetError> {
        self.map(imported::files(&self.connection))
    }

    /// Whose records were imported.
    pub(super) fn imported_vantages(&self) -> Result<Vec<(Name, Vec<IpAddr>)>, DatasetError> {
        self.map(imported::vantages(&self.connection))
    }

    /// What was read to import them.
    pub(super) fn imported_from(&self) -> Result<Vec<ImportedFrom>, DatasetError> {
        self.map(imported::sources(&self.connection))
    }

    /// Counts packets that the kernel dropped while a round ran.
    pub(super) fn add_drops(&mut self, round: RoundId, packets: u64) -> Result<(), DatasetError> {
        let sql = "UPDATE rounds SET dropped = dropped + ? WHERE round = ?";
        let values = [sql_int(packets), sql_int(round.0)];
        self.change(|transaction| transaction.execute(sql, values)).map(drop)
    }

    /// One round.
    pub(super) fn round(&self, round: RoundId) -> Result<Option<RoundSummary>, DatasetError> {
        let sql = format!("SELECT {ROUND_COLUMNS} FROM rounds WHERE round = ?");
        Ok(self.list(&sql, [sql_int(round.0)], read_round)?.pop())
    }

    /// All rounds, in the order of their numbers.
    pub(super) fn rounds(&self) -> Result<Vec<RoundSummary>, DatasetError> {
        self.list(&format!("SELECT {ROUND_COLUMNS} FROM rounds ORDER BY round"), [], read_round)
    }

    /// The highest number of a round.
    pub(super) fn last_round(&self) -> Result<Option<RoundId>, DatasetError> {
        let highest = self.ask("SELECT max(round) FROM rounds", |row| row.get::<_, Option<i64>>(0))?;
        Ok(highest.flatten().and_then(|round| u64::try_from(round).ok()).map(RoundId))
    }

    /// The first batch of records of a round in flight, in the order in which they were recorded, from behind
    /// the place `after`.
    pub(super) fn batch(&self, round: RoundId, after: i64) -> Result<Option<Batch>, DatasetError> {
        self.map(journal::next(&self.connection, round, after))
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Counts packets that belong to no round.
    pub(super) fn add_beside(&mut self, counts: &Ledger) -> Result<(), DatasetError> {
        let Ledger { duplicates, unmatched, malformed, kernel_dropped, .. } = *counts;
        let counts = [duplicates, unmatched, malformed, kernel_dropped].map(sql_int);
        let sql = "UPDATE beside SET duplicates = duplicates + ?, unmatched = unmatched + ?,
            malformed = malformed + ?, kernel_dropped = kernel_dropped + ?";
        self.change(|transaction| transaction.execute(sql, counts)).map(drop)
    }

    /// What belongs to no round.
    pub(super) fn beside(&self) -> Result<Ledger, DatasetError> {
        let sql = "SELECT duplicates, unmatched, malformed, kernel_dropped FROM beside";
        let counts = self.ask(sql, |row| {
            let (duplicates, unmatched) = (count(row, 0)?, count(row, 1)?);
            let (malformed, kernel_dropped) = (count(row, 2)?, count(row, 3)?);
            Ok(Ledger { duplicates, unmatched, malformed, kernel_dropped, ..Ledger::default() })
        })?;
        Ok(counts.unwrap_or_default())
    }

    /// Notes a step of the wall clock.
    pub(super) fn insert_clock_step(&mut self, step: ClockStep) -> Result<(), DatasetError> {
        let sql = "INSERT INTO clock_steps (at_ns, by_ns) VALUES (?, ?)";
        let values = [step.at.as_nanos(), step.by_ns];
        self.change(|transaction| transaction.execute(sql, values)).map(drop)
    }

    /// All of them, in the order in which they were noticed.
    pub(super) fn clock_steps(&self) -> Result<Vec<ClockStep>, DatasetError> {
        self.list("SELECT at_ns, by_ns FROM clock_steps ORDER BY rowid", [], |row| {
            Ok(ClockStep { at: WallTime::from_nanos(row.get(0)?), by_ns: row.get(1)? })
        })
    }

    /// Notes who asked not to be probed; what is there is left as it is.
    pub(super) fn insert_opt_outs(&mut self, opt_outs: &[OptOut]) -> Result<(), DatasetError> {
        let sql = "INSERT OR IGNORE INTO opt_outs (prefix, reference, at_ns) VALUES (?, ?, ?)";
        self.change(|transaction| {
            let mut insert = transaction.prepare(sql)?;
            opt_outs.iter().try_for_each(|opt_out| {
                let values = params![opt_out.prefix.to_string(), opt_out.reference, opt_out.at.as_nanos()];
                insert.execute(values).map(drop)
            })
        })
    }

    /// Everybody who asked not to be probed.
    pub(super) fn opt_outs(&self) -> Result<Vec<OptOut>, DatasetError> {
        self.list("SELECT prefix, reference, at_ns FROM opt_outs ORDER BY rowid", [], |row| {
            let prefix: Prefix = parse(row, 0)?;
            Ok(OptOut { prefix, reference: row.get(1)?, at: WallTime::from_nanos(row.get(2)?) })
        })
    }

    /// Notes an event; one that is there is left as it is.
    pub(super) fn insert_event(&mut self, event: &Event, source: EventSource) -> Result<(), DatasetError> {
        self.change(|transaction| insert_event(transaction, event, source))
    }

    /// All events, in the order of time.
    pub(super) fn events(&self) -> Result<Vec<(Event, EventSource)>, DatasetError> {
        let sql = "SELECT at_ns, change, link, source FROM events ORDER BY at_ns, link, change, source";
        self.list(sql, [], |row| {
            let change = word(row, 1, &[LinkChange::Added, LinkChange::Lost], LinkChange::as_str)?;
            let link: AsLink = parse(row, 2)?;
            let source =
                word(row, 3, &[EventSource::Declared, EventSource::Detected], EventSource::as_str)?;
            Ok((Event { at: WallTime::from_nanos(row.get(0)?), change, link }, source))
        })
    }

    #[cfg(test)]
    pub(super) fn keep_from_growing(&self) {
        self.connection.query_row("PRAGMA max_page_count = 1", [], |_| Ok(())).unwrap();
    }

    /// One transaction: all of it is durable when this returns, or none of it is there.
    fn change<T>(
        &mut self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, DatasetError> {
        let (path, disk) = (&self.path, &self.disk);
        let failed = |error| DatasetError::from_sqlite(path, error);
        let leave = |step| {
            disk.before(step).map_err(|error| DatasetError::from_io(path, "change the catalogue", error))
        };
        leave(DiskStep::Begin)?;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior).map_err(failed)?;
        let done = work(&transaction).map_err(failed)?;
        leave(DiskStep::Commit)?;
        transaction.commit().map_err(failed)?;
        leave(DiskStep::Committed)?;
        Ok(done)
    }

    fn ask<T>(
        &self,
        sql: &str,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, DatasetError> {
        self.map(self.connection.query_row(sql, [], read).optional())
    }

    fn list<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, DatasetError> {
        let run = || self.connection.prepare(sql)?.query_map(values, read)?.collect();
        self.map(run())
    }

    fn map<T>(&self, result: rusqlite::Result<T>) -> Result<T, DatasetError> {
        result.map_err(|error| DatasetError::from_sqlite(&self.path, error))
    }
}

/// Whether everything is in the catalogue's own file, with nothing left in a log beside it.
fn log_is_empty(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).map_or(true, |found| found.len() == 0)
}

/// The path as a URI (RFC 3986) that tells SQLite that nobody can change the file.
fn immutable_uri(path: &Path) -> PathBuf {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
        let _ = if plain { write!(uri, "{}", char::from(*byte)) } else { write!(uri, "%{byte:02X}") };
    }
    uri.push_str("?immutable=1");
    PathBuf::from(uri)
}

fn insert_event(
    transaction: &rusqlite::Transaction<'_>,
    event: &Event,
    source: EventSource,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO events (at_ns, change, link, source) VALUES (?, ?, ?, ?)";
    let values =
        params![event.at.as_nanos(), event.change.as_str(), event.link.to_string(), source.as_str()];
    transaction.execute(sql, values).map(|_| ())
}

fn read_round(row: &rusqlite::Row<'_>) -> rusqlite::Result<RoundSummary> {
    let header = RoundHeader {
        id: RoundId(count(row, 0)?),
        prober: parse(row, 1)?,
        method: word(row, 2, &Method::ALL, Method::as_str)?,
        due_at: WallTime::from_nanos(row.get(3)?),
        started_at: WallTime::from_nanos(row.get(4)?),
    };
    let states = [RoundState::Open, RoundState::Complete, RoundState::Interrupted];
    let state = word(row, 5, &states, RoundState::as_str)?;
    let ledger = serde_json::from_str(&row.get::<_, String>(6)?).map_err(|error| unreadable(6, error))?;
    let rows = count(row, 8)?;
    // A round that was imported has no file of its own.
    let file = match row.get::<_, Option<String>>(7)? {
        Some(name) if state.is_sealed() => {
            Some(SealedFile { name, rows, bytes: count(row, 9)?, crc32: row.get(10)? })
        }
        _ => None,
    };
    Ok(RoundSummary {
        header,
        state,
        ledger,
        rows,
        file,
        dropped: count(row, 11)?,
        decided: count(row, 12)?,
    })
}

pub(super) fn parse<T: std::str::FromStr>(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    text.parse().map_err(|_| unreadable(index, format!("{text:?} cannot be read")))
}

fn word<T: Copy>(
    row: &rusqlite::Row<'_>,
    index: usize,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> rusqlite::Result<T> {
    let text: String = row.get(index)?;
    let found = all.iter().copied().find(|one| as_str(*one) == text);
    found.ok_or_else(|| unreadable(index, format!("{text:?} is not a word of this column")))
}

pub(super) fn unreadable(
    index: usize,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, reason.into())
}

fn ledger_text(ledger: &Ledger) -> String {
    serde_json::to_string(ledger).unwrap_or_default()
}

pub(super) fn count(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(index)?;
    u64::try_from(number).map_err(|error| unreadable(index, error))
}

/// SQLite's whole numbers have a sign.
pub(super) fn sql_int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! Datasets of what others measured: made in one go, from files that are read once.
//!
//! Somebody else's file may hold a thousand vantages and as many rounds in any order. So the records of such a
//! dataset lie in files in the order in which they were read, whatever their round, each with its vantage in
//! a column; the catalogue names the files, and says who measured and what was read. The folder is a dataset
//! only when everything is in it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::catalogue::{Catalogue, count, parse, sql_int, unreadable};
use super::round::{RoundHeader, SealedFile};
use super::{Dataset, DatasetError, Disk, Ledger, Manifest, ProbeRecord, folder, sealed};
use crate::model::{Name, WallTime};

/// The folders in which the files lie, outermost first.
const FOLDERS: [&str; 2] = ["rounds", "imported"];

/// The catalogue and what SQLite puts beside it.
const CATALOGUE_FILES: [&str; 3] = ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"];

/// These are only in the catalogue of a dataset that was imported.
const TABLES: &str = "
    CREATE TABLE imported_files (
        file TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL, crc32 INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE vantages (vantage TEXT NOT NULL, source TEXT) STRICT;
    CREATE TABLE imported_from (
        file TEXT NOT NULL, format TEXT NOT NULL, what TEXT NOT NULL, number INTEGER NOT NULL
    ) STRICT;";

/// A dataset in the making.
#[derive(Debug)]
pub struct Importing {
    dir: PathBuf,
    disk: Disk,
    catalogue: Catalogue,
}

/// Everything about a dataset that was imported but its records.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The files of records, in their order.
    pub files: Vec<SealedFile>,
    /// The rounds, by rising number.
    pub rounds: Vec<ImportedRound>,
    /// Who measured, and from which addresses as far as that is known.
    pub vantages: Vec<(Name, Vec<IpAddr>)>,
    /// What was read.
    pub sources: Vec<ImportedFrom>,
}

/// A round of a dataset that was imported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedRound {
    /// Its number, its series and its method.
    pub header: RoundHeader,
    /// What became of its probes.
    pub ledger: Ledger,
    /// How many records it has.
    pub rows: u64,
    /// When the first and the last of its probes were sent.
    pub sent: Option<(WallTime, WallTime)>,
}

/// A number that was counted while a file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFrom {
    /// The file, as it was named.
    pub file: String,
    /// Its format.
    pub format: String,
    /// What was counted.
    pub what: String,
    /// How many.
    pub number: u64,
}

impl Importing {
    /// Begins a dataset in a folder that is new or empty.
    ///
    /// # Errors
    /// As [`Dataset::create`].
    pub fn begin(dir: &Path) -> Result<Self, DatasetError> {
        let disk = Disk::default();
        let (dir, catalogue) = Dataset::prepare(&disk, dir, &[])?;
        FOLDERS.iter().try_fold(dir.clone(), |parent, name| disk.ensure_folder(&parent, name))?;
        Ok(Self { dir, disk, catalogue })
    }

    /// Where its files are made: any number at once, by as many threads.
    #[must_use]
    pub fn folder(&self) -> ImportFolder {
        ImportFolder { dir: self.dir.clone(), disk: self.disk.clone() }
    }

    /// Takes away what was made.
    pub fn give_up(self) {
        drop(self.catalogue);
        for name in CATALOGUE_FILES {
            // What cannot be taken away is in nobody's way but the next import's, which says so.
            let _ = self.disk.remove_if_there(&self.dir.join(name));
        }
        for depth in (1..=FOLDERS.len()).rev() {
            let folder: PathBuf = FOLDERS.iter().take(depth).collect();
            remove_folder(&self.dir.join(folder));
        }
    }

    /// Makes it a dataset.
    ///
    /// # Errors
    /// The system's reason; then the folder is no dataset.
    pub fn finish(mut self, manifest: &Manifest, imported: &Imported) -> Result<Dataset, DatasetError> {
        self.catalogue.insert_imported(imported)?;
        drop(self.catalogue);
        Dataset::declare(self.disk, &self.dir, manifest)
    }
}

/// Where the files of a dataset in the making are made.
#[derive(Clone, Debug)]
pub struct ImportFolder {
    dir: PathBuf,
    disk: Disk,
}

impl ImportFolder {
    /// A file for records.
    ///
    /// # Errors
    /// The system's reason.
    pub fn file(&self, number: u32) -> Result<ImportedFile, DatasetError> {
        let name = format!("{}/{number:08}.parquet", FOLDERS.join("/"));
        let path = self.dir.join(&name);
        let part = folder::part_path(&path);
        let file = self.disk.create_part(&part)?;
        let writer = sealed::Writer::of_several(file).map_err(|error| sealed::write_error(&part, error))?;
        Ok(ImportedFile { writer, name, path, disk: self.disk.clone() })
    }
}

/// Removes a folder with the files in it.
fn remove_folder(folder: &Path) {
    for name in folder::names_in(folder).unwrap_or_default() {
        let _ = std::fs::remove_file(folder.join(name));
    }
    let _ = std::fs::remove_dir(folder);
}

/// A file of records in the making.
pub struct ImportedFile {
    writer: sealed::Writer,
    name: String,
    path: PathBuf,
    disk: Disk,
}

impl ImportedFile {
    /// Writes records.
    ///
    /// # Errors
    /// The system's reason.
    pub fn write(&mut self, records: &[ProbeRecord]) -> Result<(), DatasetError> {
        self.writer.write(records).map_err(|error| sealed::write_error(&self.path, error))
    }

    /// How many records are in it.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.writer.rows()
    }

    /// Makes it durable, under its name.
    ///
    /// # Errors
    /// The system's reason.
    pub fn finish(self) -> Result<SealedFile, DatasetError> {
        let Self { writer, name, path, disk } = self;
        let file = writer.finish(name).map_err(|error| sealed::write_error(&path, error))?;
        disk.publish(&folder::part_path(&path), &path)?;
        Ok(file)
    }
}

impl std::fmt::Debug for ImportedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImportedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

pub(super) fn insert(transaction: &Transaction<'_>, imported: &Imported) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    insert_files(transaction, &imported.files)?;
    insert_rounds(transaction, &imported.rounds)?;
    insert_vantages(transaction, &imported.vantages)?;
    let mut insert = transaction.prepare("INSERT INTO imported_from VALUES (?, ?, ?, ?)")?;
    imported.sources.iter().try_for_each(|from| {
        insert.execute(params![from.file, from.format, from.what, sql_int(from.number)]).map(drop)
    })
}

fn insert_files(transaction: &Transaction<'_>, files: &[SealedFile]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO imported_files VALUES (?, ?, ?, ?)")?;
    files.iter().try_for_each(|file| {
        insert.execute(params![file.name, sql_int(file.rows), sql_int(file.bytes), file.crc32]).map(drop)
    })
}

fn insert_rounds(transaction: &Transaction<'_>, rounds: &[ImportedRound]) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT INTO rounds (round, prober, method, due_at_ns, started_at_ns, state, ledger, rows,
            first_sent_at_ns, last_sent_at_ns) VALUES (?, ?, ?, ?, ?, 'complete', ?, ?, ?, ?)",
    )?;
    rounds.iter().try_for_each(|round| {
        let header = &round.header;
        let values = params![
            sql_int(header.id.0),
            header.prober.as_str(),
            header.method.as_str(),
            header.due_at.as_nanos(),
            header.started_at.as_nanos(),
            serde_json::to_string(&round.ledger).unwrap_or_default(),
            sql_int(round.rows),
            round.sent.map(|(first, _)| first.as_nanos()),
            round.sent.map(|(_, last)| last.as_nanos()),
        ];
        insert.execute(values).map(drop)
    })
}

fn insert_vantages(
    transaction: &Transaction<'_>,
    vantages: &[(Name, Vec<IpAddr>)],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare("INSERT INTO vantages VALUES (?, ?)")?;
    for (name, sources) in vantages {
        for source in sources {
            insert.execute(params![name.as_str(), source.to_string()])?;
        }
        if sources.is_empty() {
            insert.execute(params![name.as_str(), None::<String>])?;
        }
    }
    Ok(())
}

fn is_imported(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'imported_files'";
    connection.query_row(sql, [], |_| Ok(())).optional().map(|found| found.is_some())
}

/// The files of records; none in a dataset of our own.
pub(super) fn files(connection: &Connection) -> rusqlite::Result<Vec<SealedFile>> {
    let read = |row: &Row<'_>| {
        let (rows, bytes) = (count(row, 1)?, count(row, 2)?);
        Ok(SealedFile { name: row.get(0)?, rows, bytes, crc32: row.get(3)? })
    };
    let sql = "SELECT file, rows, bytes, crc32 FROM imported_files ORDER BY rowid";
    list(connection, sql, read)
}

/// Who measured, each with the addresses from which it did; nobody in a dataset of our own.
pub(super) fn vantages(connection: &Connection) -> rusqlite::Result<Vec<(Name, Vec<IpAddr>)>> {
    let read = |row: &Row<'_>| {
        let source: Option<String> = row.get(1)?;
        let source = source.map(|text| text.parse().map_err(|error| unreadable(1, error))).transpose()?;
        Ok((parse::<Name>(row, 0)?, source))
    };
    let rows: Vec<(Name, Option<IpAddr>)> =
        list(connection, "SELECT vantage, source FROM vantages ORDER BY rowid", read)?;
    let mut vantages: Vec<(Name, Vec<IpAddr>)> = Vec::new();
    for (name, source) in rows {
        if vantages.last().is_none_or(|(last, _)| *last != name) {
            vantages.push((name, Vec::new()));
        }
        vantages.last_mut().into_iter().for_each(|(_, sources)| sources.extend(source));
    }
    Ok(vantages)
}

/// What was read; nothing in a dataset of our own.
pub(super) fn sources(connection: &Connection) -> rusqlite::Result<Vec<ImportedFrom>> {
    let read = |row: &Row<'_>| {
        let number = count(row, 3)?;
        Ok(ImportedFrom { file: row.get(0)?, format: row.get(1)?, what: row.get(2)?, number })
    };
    list(connection, "SELECT file, format, what, number FROM imported_from ORDER BY rowid", read)
}

fn list<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    if !is_imported(connection)? {
        return Ok(Vec::new());
    }
    connection.prepare(sql)?.query_map([], read)?.collect()
}

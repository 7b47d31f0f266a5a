//! Datasets that others hand over: any of their files forged, checksums and all.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};
use tetherline::dataset::{Dataset, DatasetError, Ledger, ProbeRecord, RoundHeader};
use tetherline::formats::import::{ImportOptions, import};
use tetherline::model::{Method, RoundId};

use super::super::court::Said;

/// A dataset with a sealed round and an open one, whose files are replaced.
struct Original {
    folder: tempfile::TempDir,
    parquet: PathBuf,
    journal: Vec<u8>,
}

thread_local! {
    static ORIGINAL: Original = Original::new();
}

impl Original {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let atlas = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/formats/import/corpus/atlas.json");
        let (source, _) =
            import(&[atlas], &folder.path().join("imported"), &ImportOptions::default(), &|_| ()).unwrap();
        let records: Vec<ProbeRecord> = source.records().unwrap().map(Result::unwrap).collect();
        let mut dataset = Dataset::create(&folder.path().join("original"), source.manifest()).unwrap();
        for round in [1, 2] {
            let of_round = |record: &ProbeRecord| ProbeRecord {
                probe: tetherline::model::Probe { round: RoundId(round), ..record.probe },
                vantage: source.manifest().vantage.clone(),
                ..record.clone()
            };
            let records: Vec<ProbeRecord> = records.iter().map(of_round).collect();
            dataset.begin_round(&header(round, &records[0])).unwrap();
            dataset.append(RoundId(round), &records, &Ledger::default()).unwrap();
        }
        dataset.seal(RoundId(1), &Ledger::default(), true).unwrap();
        let sealed = dataset.rounds().unwrap().into_iter().find_map(|round| round.file).unwrap();
        let parquet = dataset.path().join(sealed.name);
        drop(dataset);
        let catalogue = Connection::open(folder.path().join("original/catalog.sqlite")).unwrap();
        // One file, and nothing beside it.
        catalogue.pragma_update(None, "journal_mode", "delete").unwrap();
        let journal = catalogue.query_row("SELECT records FROM in_flight", [], |row| row.get(0)).unwrap();
        Self { folder, parquet, journal }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("original").join(name)
    }

    /// Reads the dataset while a file has other bytes and the catalogue says what `forge` makes it say.
    fn with(&self, file: &Path, bytes: &[u8], forge: impl FnOnce(&Connection)) -> Said {
        let catalogue = self.path("catalog.sqlite");
        let kept = [file.to_owned(), catalogue.clone()].map(|path| (std::fs::read(&path).unwrap(), path));
        std::fs::write(file, bytes).unwrap();
        if file != catalogue {
            let connection = Connection::open(&catalogue).unwrap();
            connection.pragma_update(None, "synchronous", "off").unwrap();
            forge(&connection);
        }
        let mut said = Said::default();
        if let Err(error) = read_all(&self.path(""), &mut said) {
            said.note(error);
        }
        for beside in ["catalog.sqlite-wal", "catalog.sqlite-shm", "catalog.sqlite-journal"] {
            let _ = std::fs::remove_file(self.path(beside));
        }
        for (bytes, path) in kept {
            std::fs::write(path, bytes).unwrap();
        }
        said
    }
}

fn header(round: u64, record: &ProbeRecord) -> RoundHeader {
    let at = record.sent_at.unwrap();
    let prober = record.prober.clone();
    RoundHeader { id: RoundId(round), prober, method: Method::Trace, due_at: at, started_at: at }
}

/// Everything that a report would ask for.
fn read_all(path: &Path, said: &mut Said) -> Result<(), DatasetError> {
    let dataset = Dataset::open_read_only(path)?;
    said.count("rounds", dataset.rounds()?.len() as u64);
    said.count("vantages", dataset.vantages()?.len() as u64);
    said.count("open", dataset.open_rounds()?.len() as u64);
    let _ = (dataset.total_ledger()?.balances(), dataset.imported_from()?, dataset.opt_outs()?);
    let _ =
        (dataset.clock_steps()?, dataset.events()?, dataset.asked(RoundId(1))?, dataset.last_round_id()?);
    for record in dataset.records()? {
        said.note(record?.outcome.as_str());
    }
    said.note("whole");
    Ok(())
}

pub(crate) fn manifest_seed(_: &str) -> Vec<Vec<u8>> {
    ORIGINAL.with(|original| vec![std::fs::read(original.path("campaign.toml")).unwrap()])
}

pub(crate) fn manifest(bytes: &[u8]) -> Said {
    ORIGINAL.with(|original| original.with(&original.path("campaign.toml"), bytes, |_| ()))
}

pub(crate) fn catalogue_seed(_: &str) -> Vec<Vec<u8>> {
    ORIGINAL.with(|original| vec![std::fs::read(original.path("catalog.sqlite")).unwrap()])
}

pub(crate) fn catalogue(bytes: &[u8]) -> Said {
    ORIGINAL.with(|original| original.with(&original.path("catalog.sqlite"), bytes, |_| ()))
}

pub(crate) fn journal_seed(_: &str) -> Vec<Vec<u8>> {
    ORIGINAL.with(|original| vec![original.journal.clone()])
}

/// Records of a round that is open, with the checksum that they should have.
pub(crate) fn journal(bytes: &[u8]) -> Said {
    ORIGINAL.with(|original| {
        let manifest = original.path("campaign.toml");
        let same = std::fs::read(&manifest).unwrap();
        original.with(&manifest, &same, |catalogue| {
            let forged = params![bytes, checksum(bytes)];
            catalogue.execute("UPDATE in_flight SET records = ?, crc32 = ?", forged).unwrap();
        })
    })
}

pub(crate) fn parquet_seed(_: &str) -> Vec<Vec<u8>> {
    ORIGINAL.with(|original| vec![std::fs::read(&original.parquet).unwrap()])
}

/// A sealed round, of the length and with the checksum that the catalogue says.
pub(crate) fn parquet(bytes: &[u8]) -> Said {
    ORIGINAL.with(|original| {
        original.with(&original.parquet, bytes, |catalogue| {
            let forged = params![i64::try_from(bytes.len()).unwrap(), checksum(bytes)];
            catalogue
                .execute("UPDATE rounds SET bytes = ?, crc32 = ? WHERE file IS NOT NULL", forged)
                .unwrap();
        })
    })
}

/// CRC-32 (ISO 3309).
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

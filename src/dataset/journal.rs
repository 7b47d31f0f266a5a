//! The table `in_flight` of the catalogue: the records of rounds that are not sealed, in one row for each
//! transaction.
//!
//! A probe stands in it once, as it was first recorded, so that an append may be tried again when it is not
//! known whether it was done. For that the writer remembers eight bytes of each; where these are the same, it
//! looks.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::model::{Probe, RoundId, WallTime};

use super::ProbeRecord;
use super::batch::{self, Batch};
use super::catalogue::{sql_int, unreadable};
use super::columns;

pub(super) const TABLE: &str = "
    CREATE TABLE in_flight (
        seq INTEGER PRIMARY KEY,
        round INTEGER NOT NULL,
        rows INTEGER NOT NULL,
        first_sent_at_ns INTEGER, last_sent_at_ns INTEGER,
        crc32 INTEGER NOT NULL,
        records BLOB NOT NULL
    ) STRICT;
    CREATE INDEX in_flight_round ON in_flight (round, seq);";

/// What is in the journal, as far as its writer needs to know.
#[derive(Debug, Default)]
pub(super) struct Recorded(HashMap<RoundId, HashSet<u64>>);

impl Recorded {
    /// Those of the records whose probes are not in the journal yet, each once.
    pub(super) fn fresh<'r>(
        &mut self,
        connection: &Connection,
        round: RoundId,
        records: &'r [ProbeRecord],
    ) -> rusqlite::Result<Vec<&'r ProbeRecord>> {
        let known = self.known(connection, round)?;
        let mut within = HashSet::with_capacity(records.len());
        let print = |record: &ProbeRecord| fingerprint(&record.probe);
        if records.iter().map(print).all(|print| !known.contains(&print) && within.insert(print)) {
            return Ok(records.iter().collect());
        }
        let mut there: HashSet<Probe> = HashSet::new();
        each(connection, round, |record| {
            there.insert(record.probe);
        })?;
        Ok(records.iter().filter(|record| there.insert(record.probe)).collect())
    }

    /// Takes note of what was made durable.
    pub(super) fn note(&mut self, round: RoundId, records: &[&ProbeRecord]) {
        let known = self.0.entry(round).or_default();
        known.extend(records.iter().map(|record| fingerprint(&record.probe)));
    }

    /// Forgets a round: it is sealed, or nobody knows whether something was done.
    pub(super) fn forget(&mut self, round: RoundId) {
        self.0.remove(&round);
    }

    fn known(&mut self, connection: &Connection, round: RoundId) -> rusqlite::Result<&HashSet<u64>> {
        let known = self.0.entry(round);
        if let std::collections::hash_map::Entry::Occupied(known) = known {
            return Ok(known.into_mut());
        }
        let mut prints = HashSet::new();
        each(connection, round, |record| {
            prints.insert(fingerprint(&record.probe));
        })?;
        Ok(known.or_insert(prints))
    }
}

/// Of a probe within its round.
fn fingerprint(probe: &Probe) -> u64 {
    let mut hasher = DefaultHasher::new();
    probe.hash(&mut hasher);
    hasher.finish()
}

/// Adds records as one row.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    round: RoundId,
    records: &[&ProbeRecord],
) -> rusqlite::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let bytes = batch::encode(records.iter().map(|record| columns::cells(record)));
    let sent_at = || records.iter().filter_map(|record| record.sent_at).map(WallTime::as_nanos);
    let sql = "INSERT INTO in_flight (round, rows, first_sent_at_ns, last_sent_at_ns, crc32, records)
        VALUES (?, ?, ?, ?, ?, ?)";
    let (round, rows) = (sql_int(round.0), i64::try_from(records.len()).unwrap_or(i64::MAX));
    let crc32 = batch::checksum(&bytes);
    let values = params![round, rows, sent_at().min(), sent_at().max(), crc32, bytes];
    transaction.prepare(sql)?.execute(values).map(drop)
}

/// The first batch of a round from behind the place `after`.
pub(super) fn next(connection: &Connection, round: RoundId, after: i64) -> rusqlite::Result<Option<Batch>> {
    let sql = "SELECT seq, crc32, records FROM in_flight INDEXED BY in_flight_round
        WHERE round = ? AND seq > ? ORDER BY seq LIMIT 1";
    let read = |row: &rusqlite::Row<'_>| {
        let (batch, crc32) = (Batch { seq: row.get(0)?, bytes: row.get(2)? }, row.get::<_, u32>(1)?);
        if batch::checksum(&batch.bytes) == crc32 {
            return Ok(batch);
        }
        Err(unreadable(
            2,
            format!("in_flight {}: its CRC-32 is not the one it was written with", batch.seq),
        ))
    };
    connection.prepare(sql)?.query_row(params![sql_int(round.0), after], read).optional()
}

/// Every record of a round.
fn each(
    connection: &Connection,
    round: RoundId,
    mut visit: impl FnMut(ProbeRecord),
) -> rusqlite::Result<()> {
    let mut after = i64::MIN;
    while let Some(batch) = next(connection, round, after)? {
        let records = batch.records();
        let records = records.map_err(|bad| unreadable(2, format!("in_flight {}, {bad}", batch.seq)))?;
        records.into_iter().for_each(&mut visit);
        after = batch.seq;
    }
    Ok(())
}

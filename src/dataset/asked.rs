//! The table `asked` of the catalogue: the blocks of probes that censuses asked. Of a census only what was
//! answered or refused has rows; the others are the blocks less these.

use rusqlite::{Connection, Row, Transaction, params};

use crate::model::{Asked, RoundId, Ttl, Unit};

use super::catalogue::{count, parse, sql_int, unreadable};

/// Wave and block name a row, so that an append may be tried again.
pub(super) const TABLE: &str = "
    CREATE TABLE asked (
        round INTEGER NOT NULL,
        wave INTEGER,
        unit TEXT NOT NULL,
        ttl INTEGER NOT NULL,
        first_flow INTEGER NOT NULL,
        flows INTEGER NOT NULL,
        first_attempt INTEGER NOT NULL,
        attempts INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX asked_block
        ON asked (round, ifnull(wave, -1), unit, ttl, first_attempt, first_flow);";

/// Blocks of a round, each with its wave, or without one if it was wanted and not asked.
pub type AskedBlocks = Vec<(Option<u32>, Asked)>;

pub(super) fn insert(
    transaction: &Transaction<'_>,
    round: RoundId,
    blocks: &[(Option<u32>, Asked)],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare(
        "INSERT OR IGNORE INTO asked
         (round, wave, unit, ttl, first_flow, flows, first_attempt, attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for (wave, block) in blocks {
        insert.execute(params![
            sql_int(round.0),
            wave,
            block.unit.to_string(),
            block.ttl.get(),
            block.first_flow,
            block.flows,
            block.first_attempt,
            block.attempts,
        ])?;
    }
    Ok(())
}

pub(super) fn list(connection: &Connection, round: RoundId) -> rusqlite::Result<AskedBlocks> {
    let sql = "SELECT wave, unit, ttl, first_flow, flows, first_attempt, attempts FROM asked
         WHERE round = ? ORDER BY rowid";
    connection.prepare(sql)?.query_map([sql_int(round.0)], read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<(Option<u32>, Asked)> {
    let small = |index| u8::try_from(count(row, index)?).map_err(|error| unreadable(index, error));
    let flows = |index| u16::try_from(count(row, index)?).map_err(|error| unreadable(index, error));
    let ttl = Ttl::new(small(2)?).ok_or_else(|| unreadable(2, "must be 1 to 255"))?;
    let block = Asked {
        unit: Unit(parse(row, 1)?),
        ttl,
        first_flow: flows(3)?,
        flows: flows(4)?,
        first_attempt: small(5)?,
        attempts: small(6)?,
    };
    Ok((row.get(0)?, block))
}

//! What is durable: the campaign as it was run, its rounds, their records and the ledger.
//!
//! A dataset is a folder that can be copied, cited, and opened by other programs; `docs/formats.md`
//! documents every column. Records of rounds still in flight live in SQLite; a finished round is sealed
//! into an immutable Parquet file. A crash loses no acknowledged record and duplicates none.
//!
//! ```text
//! campaign.toml                                        the campaign as run: written once, last
//! catalog.sqlite                                       rounds, ledgers, opt-outs, events, records in flight
//! rounds/vantage=…/date=…/<round>.parquet              sealed rounds
//! rounds/imported/<number>.parquet                     what others measured
//! names/dns.json                                       what look-ups in the DNS gave, if any were made
//! alarms.csv                                           what was told while it ran, if anything was
//! ```
//!
//! This module does not measure and does not judge: both wings of the house stand on it.

#[cfg(test)]
pub(crate) mod arbitrary;
mod asked;
mod batch;
mod catalogue;
mod columns;
mod disk;
mod error;
mod folder;
mod imported;
mod journal;
mod ledger;
mod manifest;
mod quick;
mod reader;
mod record;
mod round;
mod sealed;
mod store;
#[cfg(test)]
mod tests;

pub use asked::AskedBlocks;
pub use columns::{
    BadCell, COLUMNS, COLUMNS_ONCE, Cell, Column, ColumnType, FORMAT_VERSION, cells, record,
};
pub use disk::{Disk, DiskStep, DiskTrouble};
pub use error::DatasetError;
pub use folder::ensure_room;
pub use imported::{ImportFolder, Imported, ImportedFile, ImportedFrom, ImportedRound, Importing};
pub use ledger::Ledger;
pub use manifest::{Manifest, UnitInfo};
pub use reader::{Read, ReadAhead, Records};
pub use record::{ProbeRecord, Progress};
pub use round::{OpenRound, RoundHeader, RoundState, RoundSummary, SealedFile};
pub use sealed::write_parquet;
pub use store::{ClockStep, Dataset, EventSource, OptOut};

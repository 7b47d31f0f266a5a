//! What is durable: the campaign as it was run, its rounds, their records and the ledger.
//!
//! A dataset is a folder that can be copied, cited, and opened by other programs; `docs/formats.md`
//! documents every column. Records of rounds still in flight live in SQLite; a finished round is sealed
//! into an immutable Parquet file. A crash loses no acknowledged record and duplicates none.
//!
//! This module does not measure and does not judge: both wings of the house stand on it.

mod ledger;
mod record;

pub use ledger::Ledger;
pub use record::ProbeRecord;

//! What the catalogue knows of a round.
//!
//! ```text
//!  begin_round ──▶ open ──▶ seal(complete) ──▶ complete
//!                   │  ▲
//!            append └──┘ ──▶ seal(not complete) ──▶ interrupted
//! ```

use crate::model::{Method, Name, RoundId, WallTime};

use super::Ledger;

/// What is known of a round when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundHeader {
    /// Its number.
    pub id: RoundId,
    /// Which prober of the campaign asks.
    pub prober: Name,
    /// What it asks.
    pub method: Method,
    /// When it was due.
    pub due_at: WallTime,
    /// When it began.
    pub started_at: WallTime,
}

/// A round that may still be written to: what a resumed campaign goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRound {
    /// What was known when it began.
    pub header: RoundHeader,
    /// Its ledger as it was last acknowledged.
    pub ledger: Ledger,
    /// Of a census: the position in its order up to which everything is decided.
    pub decided: u64,
}

/// A round, open or sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundSummary {
    /// What was known when it began.
    pub header: RoundHeader,
    /// Where it stands.
    pub state: RoundState,
    /// Its ledger, as far as the round got.
    pub ledger: Ledger,
    /// How many records it has.
    pub rows: u64,
    /// Packets that the kernel dropped while it ran; where there are any, silence in it may be no silence.
    pub dropped: u64,
    /// Of a census: the position in its order up to which everything is decided.
    pub decided: u64,
    /// Where a sealed round's records are; `None` for an open one.
    pub file: Option<SealedFile>,
}

/// Where a round stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoundState {
    /// Its records are in the catalogue, and more may come.
    Open,
    /// Sealed, and it asked everything that it was to ask.
    Complete,
    /// Sealed before it had asked everything.
    Interrupted,
}

impl RoundState {
    /// As it stands in the catalogue.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Complete => "complete",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing will be written to it any more.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        !matches!(self, Self::Open)
    }
}

/// A sealed round's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedFile {
    /// Its path within the dataset.
    pub name: String,
    /// Records in it.
    pub rows: u64,
    /// Its length, in bytes.
    pub bytes: u64,
    /// CRC-32 (ISO 3309) of all of it.
    pub crc32: u32,
}

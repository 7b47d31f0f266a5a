//! What can go wrong with a dataset.

use std::io;
use std::path::{Path, PathBuf};

use crate::model::{Bytes, RoundId};

/// Why an operation on a dataset failed. Each names the path, and says what to do where something can be
/// done.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The disk, or the user's share of it, is full.
    #[error("{path}: no space left on the disk; nothing recorded is lost: make room and start again")]
    Full {
        /// What was written.
        path: PathBuf,
    },
    /// The disk has less room left than was asked for.
    #[error(
        "{path}: {free} free on the disk, less than output.min_free = {least}; nothing recorded is lost: make room and \
         start again"
    )]
    Short {
        /// Where the dataset is, or is to be.
        path: PathBuf,
        /// What there is.
        free: Bytes,
        /// What must be there.
        least: Bytes,
    },
    /// The system forbids writing.
    #[error("{path}: may not be written; choose another folder or change its permissions")]
    Unwritable {
        /// What was written.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Written by a newer program.
    #[error("{path}: format {found}, newer than {known}, which this program knows; use a newer tetherline")]
    Newer {
        /// Which file says so.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The highest version that this program reads.
        known: u32,
    },
    /// Not what was written there.
    #[error("{path}: damaged: {reason}; restore it from a copy")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with the row where there is one.
        reason: String,
    },
    /// Another process writes to it.
    #[error("{path}: another tetherline is writing to this dataset; wait for it or stop it")]
    Busy {
        /// Which dataset, or which file in it.
        path: PathBuf,
    },
    /// Not there, or not a dataset.
    #[error("{path}: not a dataset: no campaign.toml in it")]
    NotADataset {
        /// Which folder.
        path: PathBuf,
    },
    /// A dataset is to be made where one is.
    #[error("{path}: already a dataset; open it, or choose another folder")]
    AlreadyThere {
        /// Which folder.
        path: PathBuf,
    },
    /// A dataset is to be made where other things are.
    #[error("{path}: not empty and not a dataset; choose an empty or new folder")]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
    },
    /// A path that leaves the dataset, or one of its own files.
    #[error("{name:?}: not a name for a file inside a dataset: must be like origins/table.pfx2as")]
    BadFileName {
        /// What was asked for.
        name: String,
    },
    /// A round that was never begun.
    #[error("{path}: round {round} was never begun")]
    NoSuchRound {
        /// Which dataset.
        path: PathBuf,
        /// Which round.
        round: RoundId,
    },
    /// A round that is begun twice, or written to after it was sealed.
    #[error("{path}: round {round} is {state} already")]
    RoundState {
        /// Which dataset.
        path: PathBuf,
        /// Which round.
        round: RoundId,
        /// `begun` or `sealed`.
        state: &'static str,
    },
    /// A record of another vantage or round than the one that it is recorded under.
    #[error("{path}: round {round}: a record of another round or vantage")]
    ForeignRecord {
        /// Which dataset.
        path: PathBuf,
        /// Under which round.
        round: RoundId,
    },
    /// It was opened only to be read.
    #[error("{path}: opened to be read only")]
    ReadOnly {
        /// Which dataset.
        path: PathBuf,
    },
    /// Any other error of the system.
    #[error("{path}: cannot {doing}")]
    System {
        /// Which file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Any other error of the catalogue.
    #[error("{path}: the catalogue failed")]
    Catalogue {
        /// The catalogue.
        path: PathBuf,
        /// SQLite's reason.
        #[source]
        source: rusqlite::Error,
    },
}

impl DatasetError {
    /// Puts an error of the system into the variant that tells the user what to do.
    pub(super) fn from_io(path: &Path, doing: &'static str, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { path }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::Unwritable { path, source }
            }
            _ => Self::System { path, doing, source },
        }
    }

    /// The same for an error of SQLite.
    pub(super) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full { path },
            Some(Code::ReadOnly | Code::CannotOpen | Code::PermissionDenied) => {
                Self::Unwritable { path, source: io::Error::other(source) }
            }
            Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Busy { path },
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                Self::Damaged { path, reason: source.to_string() }
            }
            _ => Self::catalogue(path, source),
        }
    }

    fn catalogue(path: PathBuf, source: rusqlite::Error) -> Self {
        use rusqlite::Error;
        match source {
            Error::FromSqlConversionFailure(_, _, reason) => {
                Self::Damaged { path, reason: reason.to_string() }
            }
            Error::InvalidColumnType(..) | Error::IntegralValueOutOfRange(..) => {
                Self::Damaged { path, reason: source.to_string() }
            }
            _ => Self::Catalogue { path, source },
        }
    }

    pub(super) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}

//! What other people's programs measured, read as records of ours.
//!
//! Every reader streams: it holds one object, record or line at a time, each below a limit. What is whole is
//! kept; what is not is told with its offset, and what has no place in our records is counted by name. No
//! input makes a reader panic or hold more than its limits. `docs/formats.md` says for every format what
//! becomes of each field.

mod atlas;
mod caracal;
mod detect;
mod fields;
mod input;
mod mended;
mod pieces;
mod pipeline;
mod reader;
mod reports;
mod rounds;
mod scamper;
mod scamper_json;
mod store;
#[cfg(test)]
pub(super) mod tests;
mod warts;
mod yarrp;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

pub use detect::Format;
pub use pipeline::import;
pub use reader::read_measurements;

use crate::dataset::DatasetError;
use crate::model::{FlowId, Method, Name, Outcome, Port, Prefix, Protocol, Ttl, WallTime};

/// What one vantage found out about one target at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// Who measured.
    pub vantage: Name,
    /// The address from which it did, as others see it.
    pub source: Option<IpAddr>,
    /// The list or measurement that it is a part of; the prober of its records.
    pub series: Name,
    /// What it asked.
    pub method: Method,
    /// Where the probes were addressed to.
    pub target: IpAddr,
    /// What they were carried in.
    pub protocol: Protocol,
    /// The destination port, where it is told.
    pub port: Option<Port>,
    /// When it began.
    pub at: WallTime,
    /// The probes.
    pub probes: Vec<Sent>,
    /// Further answers to probes that had one.
    pub duplicates: u64,
    /// The cycle of the series that it is of, where cycles are numbered.
    pub cycle: Option<u64>,
    /// Whether it is a part of a pass that asks everything once in any order, as yarrp does.
    pub is_part_of_sweep: bool,
}

/// One probe of a measurement and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Which flow it belongs to.
    pub flow: FlowId,
    /// How far it could go.
    pub ttl: Ttl,
    /// 0 for the first of its kind.
    pub attempt: u8,
    /// When it was sent, if that is told; otherwise it is dated by the begin of the measurement.
    pub at: Option<WallTime>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Numbers of what was found in a file, by name.
pub type Counts = BTreeMap<&'static str, u64>;

/// Something in a file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it begins, in bytes from the beginning of the file, decompressed.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// What a reader gives, a batch at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order of the file.
    pub measurements: Vec<Measurement>,
    /// What was read, and what of it has no place in our records.
    pub counts: Counts,
    /// What could not be read: the first of the batch.
    pub faults: Vec<Fault>,
}

/// The most faults of a batch that are kept word for word; all are counted.
const MOST_FAULTS: usize = 20;

/// The name under which faults are counted.
pub const FAULTS: &str = "damaged or unreadable";

impl Batch {
    /// Counts something.
    fn count(&mut self, what: &'static str) {
        self.count_many(what, 1);
    }

    fn count_many(&mut self, what: &'static str, number: u64) {
        if number == 0 {
            return;
        }
        let count = self.counts.entry(what).or_default();
        *count = count.saturating_add(number);
    }

    fn fault(&mut self, offset: u64, reason: impl std::fmt::Display) {
        self.count(FAULTS);
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault { offset, reason: reason.to_string() });
        }
    }

    fn measured(&mut self, measurement: Measurement) {
        self.measurements.push(measurement);
    }
}

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// The format of all files; told by their content where it is not given.
    pub format: Option<Format>,
    /// The campaign's name.
    pub campaign: Option<Name>,
    /// Who measured, whatever the files say.
    pub vantage: Option<Name>,
    /// Blocks about which targets inside them speak; the longest that covers a target. The others speak about
    /// their /24 or /48.
    pub units: Vec<Prefix>,
    /// Origin tables for the dataset to name.
    pub origins: Vec<PathBuf>,
    /// Tables of AS names for the dataset to name.
    pub as_names: Vec<PathBuf>,
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// The files, in the order in which they were given.
    pub files: Vec<FileSummary>,
    /// Records in the dataset.
    pub records: u64,
    /// Rounds in the dataset.
    pub rounds: u64,
    /// Vantages.
    pub vantages: u64,
    /// Units that the manifest does not name, because there are too many.
    pub units_left_out: u64,
}

/// What was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSummary {
    /// The file, as it was named.
    pub file: PathBuf,
    /// What it was read as.
    pub format: Format,
    /// What was in it.
    pub counts: Counts,
    /// The first things that could not be read.
    pub faults: Vec<Fault>,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be opened or its format cannot be told.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Not one record was found.
    #[error("nothing was imported: the files hold no probe that could be read")]
    Nothing {
        /// What they hold instead.
        files: Vec<FileSummary>,
    },
    /// There is more of something than a dataset can hold.
    #[error("more than {most} {what}: import fewer files into one dataset")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        most: usize,
    },
    /// The dataset cannot be written.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
}

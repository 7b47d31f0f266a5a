//! Sources of origins, as others write them: tables of text, MRT files of route collectors, databases, delegations,
//! and lists of exchange points. Plain, gzip or bzip2.
//!
//! What a file is, its content tells; or the user does, as in `mrt:FILE`. Files are read as streams, up to limits
//! that no honest file reaches. What is whole in a file counts, and what is not is counted and told with its place;
//! only a file of which nothing can be read is an error.

mod delegated;
mod detect;
mod exchange;
mod mmdb;
mod mrt;
mod organisations;
mod rows;
mod text;

#[cfg(test)]
mod real_data;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use self::detect::Opened;
use self::exchange::Exchanges;
use self::mrt::{MrtReader, MrtTable, TableReader};
use self::organisations::Organisations;
use super::as_rel::read_what_is_whole;
use super::compressed::{Capped, plain};
use super::faults::Faults;
use crate::analyse::origin::{OriginSource, OriginSourceBuilder, OriginTable, SourceClass};
use crate::model::{AsRelation, Asn, FileError, Untrusted, WallTime};

pub use mrt::{LinkEvidence, MrtCounts, TransitEvidence, Views};
pub use text::RowCounts;

/// The most bytes that a file may unpack to. A full RIB of the largest collectors has some 10 GB.
const LARGEST_UNPACKED: u64 = 64 << 30;

/// Of any other table; the largest have some 100 MB.
const LARGEST_TABLE: u64 = 4 << 30;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// Prefixes and ASes that the user wrote; believed before all else.
    Overrides,
    /// Exchange points: CAIDA's list or dumps of `PeeringDB`.
    ExchangePoints,
    /// CAIDA's pfx2as.
    Pfx2as,
    /// pyasn's table.
    Pyasn,
    /// A table or changes of a route collector.
    Mrt,
    /// `MaxMind`'s database of ASes.
    Mmdb,
    /// iptoasn's table.
    Iptoasn,
    /// `delegated-extended` of a regional Internet registry.
    Delegated,
    /// Relations between ASes: no origins, but what tells on whose router an address is.
    Relations,
    /// Which ASes are of one organisation: no origins, but what tells which of several origins an address is of.
    Organisations,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Overrides,
        Self::ExchangePoints,
        Self::Pfx2as,
        Self::Pyasn,
        Self::Mrt,
        Self::Mmdb,
        Self::Iptoasn,
        Self::Delegated,
        Self::Relations,
        Self::Organisations,
    ];

    /// The kind in one word, as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overrides => "overrides",
            Self::ExchangePoints => "ixp",
            Self::Pfx2as => "pfx2as",
            Self::Pyasn => "pyasn",
            Self::Mrt => "mrt",
            Self::Mmdb => "mmdb",
            Self::Iptoasn => "iptoasn",
            Self::Delegated => "delegated",
            Self::Relations => "asrel",
            Self::Organisations => "as2org",
        }
    }

    const fn class(self) -> SourceClass {
        match self {
            Self::Overrides => SourceClass::Override,
            Self::Delegated => SourceClass::Delegation,
            _ => SourceClass::Bgp,
        }
    }
}

/// A file with origins, as the user names it: a path, or a kind and a path as in `mrt:rib.bz2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginFile {
    /// What it is; `None`: its content tells.
    pub kind: Option<FileKind>,
    /// Where it lies.
    pub path: PathBuf,
}

impl OriginFile {
    /// Takes a name apart.
    #[must_use]
    pub fn new(name: &Path) -> Self {
        let kind_and_path = name.to_str().and_then(|text| {
            let (word, path) = text.split_once(':')?;
            Some((FileKind::ALL.into_iter().find(|kind| kind.as_str() == word)?, path))
        });
        match kind_and_path {
            Some((kind, path)) => Self { kind: Some(kind), path: path.into() },
            None => Self { kind: None, path: name.to_owned() },
        }
    }
}

impl FromStr for OriginFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(Path::new(text)))
    }
}

/// As it is read by [`OriginFile::new`].
impl fmt::Display for OriginFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}:{}", kind.as_str(), self.path.display()),
            None => write!(f, "{}", self.path.display()),
        }
    }
}

/// What was read of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// What it is.
    pub kind: FileKind,
    /// Rows, records, networks or objects that could be read.
    pub rows: u64,
    /// What was in it beside them; only of pfx2as.
    pub counts: RowCounts,
    /// What could not be read.
    pub faults: Faults,
}

/// What a set of files says together.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Who originates what.
    pub table: OriginTable,
    /// Names of ASes, where files of origins have them.
    pub names: BTreeMap<Asn, Untrusted>,
    /// What MRT tables show of ASes that hand on routes.
    pub transit: TransitEvidence,
    /// What was in MRT files.
    pub mrt: MrtCounts,
    /// Each file, in the order in which they were given.
    pub reports: Vec<FileReport>,
}

/// Reads files of origins; changes of route collectors count up to a time, if one is given.
///
/// # Errors
/// The first file of which nothing can be read, and why.
pub fn load_origins(files: &[OriginFile], until: Option<WallTime>) -> Result<Loaded, FileError> {
    let opened: Vec<Opened> = files.iter().map(Opened::new).collect::<Result<_, _>>()?;
    let mut loading = Loading::new(opened.iter().any(Opened::has_changes), until);
    for file in opened {
        loading.file(file)?;
    }
    Ok(loading.finish())
}

/// Reads how the peers of route collectors reach some origins, in one family, from their tables; what could not be read
/// is told beside it.
///
/// # Errors
/// The first file that is no MRT file, or has no table with routes of the family.
pub fn load_views(
    files: &[PathBuf],
    origins: &BTreeSet<Asn>,
    is_v6: bool,
) -> Result<(Views, Vec<Faults>), FileError> {
    let (mut tables, mut all_faults) = (Vec::new(), Vec::new());
    for path in files {
        let file = Opened::new(&OriginFile { kind: Some(FileKind::Mrt), path: path.clone() })?;
        let (mut faults, mut reader) = (Faults::new(&file.name), TableReader::new(origins, is_v6));
        if reader.read(Capped::new(file.input, LARGEST_UNPACKED), &mut faults) == 0 {
            let family = if is_v6 { "IPv6" } else { "IPv4" };
            let none =
                || whole(&file.name, format!("has no table of a route collector with routes of {family}"));
            return Err(faults.first.first().cloned().unwrap_or_else(none));
        }
        tables.push(reader.finish());
        all_faults.push(faults);
    }
    Ok((Views::new(&tables), all_faults))
}

/// Files that are read together.
struct Loading {
    loaded: Loaded,
    sources: Vec<OriginSource>,
    relations: Vec<AsRelation>,
    organisations: Organisations,
    exchanges: Exchanges,
    mrt: MrtReader,
    until: Option<WallTime>,
    /// Whether there are changes, so that all MRT files are one source.
    has_changes: bool,
    mrt_names: Vec<String>,
}

impl Loading {
    fn new(has_changes: bool, until: Option<WallTime>) -> Self {
        Self {
            loaded: Loaded::default(),
            sources: Vec::new(),
            relations: Vec::new(),
            organisations: Organisations::default(),
            exchanges: Exchanges::default(),
            mrt: MrtReader::new(has_changes, until),
            until,
            has_changes,
            mrt_names: Vec::new(),
        }
    }

    fn file(&mut self, file: Opened) -> Result<(), FileError> {
        let (kind, name) = (file.kind, file.name);
        let largest = if kind == FileKind::Mrt { LARGEST_UNPACKED } else { LARGEST_TABLE };
        let input = Capped::new(file.input, largest);
        let mut faults = Faults::new(&name);
        let mut counts = RowCounts::default();
        let mut source = OriginSourceBuilder::default();
        let rows = match kind {
            FileKind::Overrides => {
                rows::each_row(input, &mut faults, |row| text::overrides(row, &mut source))
            }
            FileKind::ExchangePoints => self.exchanges.read(input, &mut faults),
            FileKind::Pfx2as => {
                rows::each_row(input, &mut faults, |row| text::pfx2as(row, &mut source, &mut counts))
            }
            FileKind::Pyasn => rows::each_row(input, &mut faults, |row| text::pyasn(row, &mut source)),
            FileKind::Mrt => self.mrt(input, &name, &mut faults),
            FileKind::Mmdb => mmdb::read(input, &mut faults, &mut source, &mut self.loaded.names),
            FileKind::Iptoasn => self.iptoasn(input, &mut faults, &mut source),
            FileKind::Delegated => delegated::read(input, &mut faults, &mut source),
            FileKind::Relations => {
                let table = read_what_is_whole(BufReader::new(input), &mut faults);
                self.relations.extend(table.relations);
                table.counts.rows
            }
            FileKind::Organisations => self.organisations.read(input, &mut faults),
        };
        if let (0, Some(fault)) = (rows, faults.first.first()) {
            return Err(fault.clone());
        }
        if !source.is_empty() {
            self.sources.push(source.finish(name, kind.class()));
        }
        self.loaded.reports.push(FileReport { kind, rows, counts, faults });
        Ok(())
    }

    fn iptoasn(&mut self, input: impl Read, faults: &mut Faults, source: &mut OriginSourceBuilder) -> u64 {
        let names = &mut self.loaded.names;
        rows::each_row(input, faults, |row| {
            if let Some((asn, name)) = text::iptoasn(row, source)? {
                names.entry(asn).or_insert_with(|| Untrusted::new(name));
            }
            Ok(())
        })
    }

    /// Without changes every file is a source of its own.
    fn mrt(&mut self, input: impl Read, name: &str, faults: &mut Faults) -> u64 {
        let rows = self.mrt.read(input, faults);
        self.mrt_names.push(name.to_owned());
        if !self.has_changes {
            self.finish_mrt();
        }
        rows
    }

    fn finish_mrt(&mut self) {
        let name = std::mem::take(&mut self.mrt_names).join(" + ");
        let mrt = std::mem::replace(&mut self.mrt, MrtReader::new(self.has_changes, self.until));
        let MrtTable { source, transit, counts } = mrt.finish(&name);
        if !source.is_empty() {
            self.sources.push(source);
        }
        self.loaded.transit.add(transit);
        self.loaded.mrt.add(counts);
    }

    fn finish(mut self) -> Loaded {
        if !self.mrt_names.is_empty() {
            self.finish_mrt();
        }
        let table = OriginTable::default().with_exchange_points(self.exchanges.finish());
        let organisations = self.organisations.finish(&mut self.loaded.names);
        let table = table.with_relations(self.relations).with_organisations(organisations);
        let table = self.sources.into_iter().fold(table, OriginTable::with_source);
        Loaded { table, ..self.loaded }
    }
}

/// Whether a public network can have the number: not 0 (RFC 7607), not `AS_TRANS` (RFC 6793), not for private use
/// (RFC 6996), not reserved by IANA, not the last of either range (RFC 7300). The numbers for documentation below 64512
/// (RFC 5398) are let through: rehearsals have them.
pub(super) const fn is_public(number: u32) -> bool {
    !matches!(number, 0 | 23_456 | 64_512..=131_071 | 4_200_000_000..)
}

/// Opens a file as it is: packed, if it is.
fn open(path: &Path, name: &str) -> Result<File, FileError> {
    let failed = |error: std::io::Error| whole(name, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(whole(name, "is a folder: must be a file with origins".to_owned()));
    }
    Ok(file)
}

/// The unpacked bytes of a file.
fn unpacked(file: File, name: &str) -> Result<Box<dyn Read>, FileError> {
    let packed = BufReader::with_capacity(64 * 1024, file);
    plain(packed).map_err(|error| whole(name, format!("cannot be read: {error}")))
}

fn whole(name: &str, rule: String) -> FileError {
    FileError { file: name.to_owned(), line: None, found: String::new(), rule }
}

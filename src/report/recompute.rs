//! From a dataset to findings. Reports are computed from the dataset alone, never from memory, so that
//! anyone can recompute them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::analyse::compare::{AskedRound, Findings, Question, analyse_read};
use crate::analyse::origin::OriginTable;
use crate::dataset::{Dataset, DatasetError, Manifest, Read, Records, RoundState, RoundSummary};
use crate::formats::as_names::load_as_names;
use crate::formats::dns::DnsCache;
use crate::formats::origins::{self, OriginFile};
use crate::model::{Asn, FileError, Method, Name, Prefix, RoundId, Untrusted, WallTime};

/// The level of every interval in a report.
pub const CONFIDENCE: f64 = 0.95;

/// Why findings cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum RecomputeError {
    /// The dataset cannot be read.
    #[error("cannot read the dataset")]
    Dataset(#[from] DatasetError),
    /// An origin table cannot be read.
    #[error(transparent)]
    Origins(#[from] FileError),
    /// What was looked up in the DNS cannot be read.
    #[error("{}: damaged; remove it and report without it", path.display())]
    Names {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        #[source]
        source: serde_json::Error,
    },
    /// The alarms cannot be put into CSV.
    #[error("cannot put alarms into CSV")]
    Csv(#[from] csv::Error),
    /// The alarms that were told cannot be read.
    #[error("{}: line {line}: damaged ({why}); remove the file and go on without it", path.display())]
    Alarms {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong in it.
        why: String,
    },
}

/// The findings of a dataset, with these origin tables or, if there are none, with those that its
/// campaign names.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn findings(dataset: &Dataset, origins: &[PathBuf]) -> Result<Findings, RecomputeError> {
    from_records(dataset, origins, |question, table, read| analyse_read(question, table, read))
}

/// What an analysis makes of the records of a dataset.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub(super) fn from_records<T>(
    dataset: &Dataset,
    origins: &[PathBuf],
    analysis: impl FnOnce(&Question, &OriginTable, &mut dyn Iterator<Item = Read>) -> T,
) -> Result<T, RecomputeError> {
    let table = origin_table(dataset, origins)?;
    let question = question(dataset, &table)?;
    whole(dataset.records()?, |read| analysis(&question, &table, read))
}

/// What an analysis makes of records of which all can be read.
pub(super) fn whole<T>(
    records: Records,
    analysis: impl FnOnce(&mut dyn Iterator<Item = Read>) -> T,
) -> Result<T, RecomputeError> {
    let mut broken = None;
    let records = records.read_ahead()?;
    let mut sound = records.map_while(|record| record.map_err(|error| broken = Some(error)).ok());
    let made = analysis(&mut sound);
    broken.map_or(Ok(made), |error| Err(error.into()))
}

/// Loads the origin tables of a dataset, or those given instead, with what was looked up beside them.
///
/// # Errors
/// The table, its line and what is wrong there.
pub fn origin_table(dataset: &Dataset, origins: &[PathBuf]) -> Result<OriginTable, RecomputeError> {
    let paths = if origins.is_empty() { dataset.origin_paths() } else { origins.to_vec() };
    let looked_up = looked_up(dataset)?;
    Ok(load_origins(&paths)?.with_looked_up(looked_up.origins()))
}

/// What was looked up in the DNS while a campaign ran; empty if nothing was.
///
/// # Errors
/// If it cannot be read.
pub fn looked_up(dataset: &Dataset) -> Result<DnsCache, RecomputeError> {
    let Some(bytes) = dataset.read_names()? else { return Ok(DnsCache::default()) };
    let path = dataset.names_path();
    DnsCache::from_json(&bytes).map_err(|source| RecomputeError::Names { path, source })
}

/// Loads sources of origins; what in them cannot be read is left out, and told to whoever reads the log.
///
/// # Errors
/// A file of which nothing can be read, and why.
pub fn load_origins<P: AsRef<Path>>(paths: &[P]) -> Result<OriginTable, FileError> {
    let files: Vec<OriginFile> = paths.iter().map(|path| OriginFile::new(path.as_ref())).collect();
    let loaded = origins::load_origins(&files, None)?;
    for report in loaded.reports.iter().filter(|report| !report.faults.is_empty()) {
        tracing::warn!("{}", report.faults);
    }
    Ok(loaded.table.with_as_names(loaded.names))
}

/// What is asked of a dataset.
pub(super) fn question(dataset: &Dataset, table: &OriginTable) -> Result<Question, RecomputeError> {
    let Manifest { campaign, seed, started_at, vantage, rehearsal, speed, units, events, .. } =
        dataset.manifest().clone();
    let rounds = dataset.rounds()?;
    let whole = rounds.iter().filter(|round| round.state == RoundState::Complete).count() as u64;
    let asked = asked(dataset, &rounds, &vantage)?;
    let vantages = dataset.vantages()?;
    let own = vantages.iter().filter_map(|(name, sources)| Some((name.clone(), own_as(table, sources)?)));
    Ok(Question {
        started_at,
        campaign,
        vantage_as: own.collect(),
        vantages: vantages.into_iter().map(|(name, _)| name).collect(),
        rehearsal,
        speed,
        units: units.into_iter().map(|info| (info.unit, info.control)).collect(),
        events,
        opt_outs: opt_outs(dataset)?,
        clock_steps: dataset.clock_steps()?,
        dropped: dropped(&rounds),
        ledger: dataset.total_ledger()?,
        rounds: (whole, (rounds.len() as u64).saturating_sub(whole)),
        names: as_names(dataset, table)?,
        seed,
        asked,
        confidence: CONFIDENCE,
    })
}

/// What the censuses asked, round by round.
fn asked(
    dataset: &Dataset,
    rounds: &[RoundSummary],
    vantage: &Name,
) -> Result<Vec<AskedRound>, DatasetError> {
    let censuses = rounds.iter().filter(|round| round.header.method == Method::Census);
    let asked = censuses.map(|round| {
        let blocks = dataset.asked(round.header.id)?;
        Ok(AskedRound { vantage: vantage.clone(), round: round.header.id, blocks })
    });
    asked.collect()
}

/// The names of ASes: those of tables of names, then those that came with origins, then what Team Cymru said.
fn as_names(dataset: &Dataset, table: &OriginTable) -> Result<BTreeMap<Asn, Untrusted>, RecomputeError> {
    let mut names = load_as_names(&dataset.as_name_paths())?;
    let with_origins = table.as_names().iter().map(|(asn, name)| (*asn, name.clone()));
    for (asn, name) in with_origins.chain(looked_up(dataset)?.as_names()) {
        names.entry(asn).or_insert(name);
    }
    Ok(names)
}

/// The rounds that are flagged because the kernel dropped packets.
fn dropped(rounds: &[RoundSummary]) -> Vec<(RoundId, Name, u64)> {
    let flagged = rounds.iter().filter(|round| round.dropped > 0);
    flagged.map(|round| (round.header.id, round.header.prober.clone(), round.dropped)).collect()
}

/// Opt-outs that concern the campaign, in the order of time; who asked is nobody's business in a report.
fn opt_outs(dataset: &Dataset) -> Result<Vec<(Prefix, WallTime)>, DatasetError> {
    let units = &dataset.manifest().units;
    let concerns = |prefix: &Prefix| {
        units.iter().any(|info| prefix.covers(&info.unit.0) || info.unit.0.covers(prefix))
    };
    let mut first: BTreeMap<Prefix, WallTime> = BTreeMap::new();
    for opt_out in dataset.opt_outs()?.into_iter().filter(|opt_out| concerns(&opt_out.prefix)) {
        let at = first.entry(opt_out.prefix).or_insert(opt_out.at);
        *at = opt_out.at.min(*at);
    }
    let mut opt_outs: Vec<(Prefix, WallTime)> = first.into_iter().collect();
    opt_outs.sort_by_key(|(prefix, at)| (*at, *prefix));
    Ok(opt_outs)
}

/// The AS in which the vantage's addresses lie, if tables know one and it is the same for both families.
fn own_as(table: &OriginTable, sources: &[IpAddr]) -> Option<Asn> {
    let mut found = sources.iter().filter_map(|source| table.lookup(*source).asn());
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_come_with_origins_are_known_to_reports() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("ip2asn.tsv");
        std::fs::write(&table, "175.45.176.0\t175.45.179.255\t131279\tKP\tRyugyong-dong\n").unwrap();
        let loaded = load_origins(&[table]).unwrap();
        assert_eq!(loaded.as_names()[&"AS131279".parse().unwrap()].to_string(), "Ryugyong-dong");
    }
}

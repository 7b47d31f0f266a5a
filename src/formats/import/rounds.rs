//! Which round a measurement is of: the k-th from a vantage to a target in a cycle of a series is of the cycle's
//! k-th round.
//!
//! So nothing needs to be known of when and how often somebody else measured, and in no round is anything
//! asked twice. What was seen is remembered up to a limit; behind it all
//! series go on in rounds that nothing was in yet.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::{ImportError, Measurement, Sent};
use crate::dataset::{ImportedRound, Ledger, RoundHeader};
use crate::model::{Method, Name, Outcome, RoundId, WallTime};

/// How many pairs of vantage and target are remembered: some 50 MB.
const MOST_SEEN: usize = 2_000_000;

/// How many answers of a sweep are remembered, to tell duplicates: between one and two times this.
const RECENT: usize = 500_000;

/// The most rounds of a dataset.
const MOST_ROUNDS: usize = 1_000_000;

/// The rounds of a dataset in the making.
#[derive(Default)]
pub(super) struct Rounds {
    series: HashMap<Key, Series>,
    seen: HashMap<u64, u32>,
    recent: Recent,
    all: Vec<ImportedRound>,
}

/// A cycle of a series, by one method.
type Key = (Name, Method, Option<u64>);

/// One of them, and the round of each of its passes.
#[derive(Default)]
struct Series {
    number: usize,
    /// Where the rounds of its passes stand.
    places: Vec<usize>,
}

impl Rounds {
    /// Forgets what was seen.
    fn begin_pass(&mut self) {
        self.seen.clear();
        self.recent = Recent::default();
        for series in self.series.values_mut() {
            series.places.clear();
        }
    }

    /// The round of a measurement; `None` if it is a part of a sweep that is there already.
    pub(super) fn place(&mut self, measurement: &Measurement) -> Result<Option<usize>, ImportError> {
        if self.seen.len() >= MOST_SEEN {
            self.begin_pass();
        }
        let key = key(measurement);
        let number = self.series.len();
        let series = self.series.entry(key).or_insert_with(|| Series { number, ..Series::default() });
        let pass = if measurement.is_part_of_sweep {
            if !self.recent.insert(hash_of_sweep(series.number, measurement)) {
                return Ok(None);
            }
            0
        } else {
            let times = self.seen.entry(hash(series.number, measurement)).or_default();
            let pass = *times;
            *times = times.saturating_add(1);
            pass
        };
        // Passes are counted from 0 without leaving one out, so that at most one is new.
        let pass = usize::try_from(pass).unwrap_or(usize::MAX).min(series.places.len());
        if let Some(place) = series.places.get(pass) {
            return Ok(Some(*place));
        }
        let place = self.all.len();
        if place >= MOST_ROUNDS {
            return Err(ImportError::TooMany { what: "rounds", most: MOST_ROUNDS });
        }
        series.places.push(place);
        self.all.push(round(place, measurement));
        Ok(Some(place))
    }

    /// The number of a round.
    pub(super) fn id(&self, place: usize) -> RoundId {
        self.all.get(place).map_or(RoundId(0), |round| round.header.id)
    }

    /// Counts what is recorded of a measurement.
    pub(super) fn count(&mut self, place: usize, at: WallTime, sent: &Sent) {
        let Some(round) = self.all.get_mut(place) else { return };
        round.rows = round.rows.saturating_add(1);
        round.ledger.count_record(&sent.outcome);
        if !matches!(sent.outcome, Outcome::SendFailed(_)) {
            let at = sent.at.unwrap_or(at);
            let (first, last) = round.sent.unwrap_or((at, at));
            round.sent = Some((first.min(at), last.max(at)));
        }
    }

    /// Counts answers beside the first.
    pub(super) fn count_duplicates(&mut self, place: usize, duplicates: u64) {
        if let Some(round) = self.all.get_mut(place) {
            let ledger = &mut round.ledger;
            ledger.duplicates = ledger.duplicates.saturating_add(duplicates);
        }
    }

    /// The round in which a part of a sweep is there already.
    pub(super) fn last_of(&self, measurement: &Measurement) -> Option<usize> {
        self.series.get(&key(measurement)).and_then(|series| series.places.first()).copied()
    }

    /// All of them, each dated by its first probe.
    pub(super) fn finish(self) -> Vec<ImportedRound> {
        let dated = |mut round: ImportedRound| {
            if let Some((first, _)) = round.sent {
                round.header.due_at = first;
                round.header.started_at = first;
            }
            round
        };
        self.all.into_iter().map(dated).collect()
    }
}

fn key(of: &Measurement) -> Key {
    (of.series.clone(), of.method, of.cycle)
}

fn round(place: usize, measurement: &Measurement) -> ImportedRound {
    let id = RoundId((place as u64).saturating_add(1));
    let (prober, method, at) = (measurement.series.clone(), measurement.method, measurement.at);
    let header = RoundHeader { id, prober, method, due_at: at, started_at: at };
    ImportedRound { header, ledger: Ledger::default(), rows: 0, sent: None }
}

/// The same in every run, so that every run makes the same rounds.
fn hash(series: usize, measurement: &Measurement) -> u64 {
    let mut hasher = DefaultHasher::new();
    (series, &measurement.vantage, measurement.target).hash(&mut hasher);
    hasher.finish()
}

fn hash_of_sweep(series: usize, measurement: &Measurement) -> u64 {
    let mut hasher = DefaultHasher::new();
    (series, &measurement.vantage, measurement.target, measurement.protocol, measurement.port)
        .hash(&mut hasher);
    measurement.probes.iter().for_each(|sent| (sent.flow, sent.ttl).hash(&mut hasher));
    hasher.finish()
}

/// The last so many of what was inserted.
#[derive(Default)]
struct Recent {
    new: HashSet<u64>,
    old: HashSet<u64>,
}

impl Recent {
    /// False if it is there.
    fn insert(&mut self, key: u64) -> bool {
        if self.new.len() >= RECENT {
            self.old = std::mem::take(&mut self.new);
        }
        !self.old.contains(&key) && self.new.insert(key)
    }
}

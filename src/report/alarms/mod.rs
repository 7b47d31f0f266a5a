//! Alarms of a campaign that goes on: its last rounds, looked at again whenever some are over.
//!
//! Rounds are read from the dataset, as a report reads them, so that an alarm says nothing that is not recorded. What
//! was told is kept in the dataset, and a campaign that is gone on with does not tell it again.

mod table;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::RecomputeError;
use super::recompute::{origin_table, question, whole};
use crate::analyse::compare::{Alarm, Alarms, Look, Question};
use crate::analyse::origin::OriginTable;
use crate::dataset::{Dataset, RoundSummary};
use crate::model::{Name, RoundId, WallTime};

pub use words::alarm_line;

/// The most rounds of each prober that are looked at.
const MOST_ROUNDS: usize = 48;

/// The most records that are looked at, but for the last two rounds of each prober.
const MOST_RECORDS: u64 = 1_000_000;

/// The fewest rounds of each prober, so that one can be held against another.
const FEWEST_ROUNDS: usize = 2;

/// Who looks at a dataset while it grows.
pub struct Lookout {
    dataset: Dataset,
    table: OriginTable,
    question: Question,
    one_false_in: Duration,
    alarms: Alarms,
    /// The rounds that were looked at: one may end after others that began later.
    seen: BTreeSet<RoundId>,
}

impl Lookout {
    /// Looks at a dataset from its first round on. One false alarm is allowed in so much time, on average.
    ///
    /// # Errors
    /// If the dataset or one of its tables cannot be read.
    pub fn from_the_beginning(dataset: Dataset, one_false_in: Duration) -> Result<Self, RecomputeError> {
        let table = origin_table(&dataset, &[])?;
        let question = question(&dataset, &table)?;
        let alarms =
            Alarms::told(table::read(&dataset.read_alarms()?.unwrap_or_default(), &dataset.alarms_path())?);
        Ok(Self { dataset, table, question, one_false_in, alarms, seen: BTreeSet::new() })
    }

    /// The same from now on: what is recorded already is only there to be compared with.
    ///
    /// # Errors
    /// As [`Lookout::from_the_beginning`].
    pub fn from_now_on(dataset: Dataset, one_false_in: Duration) -> Result<Self, RecomputeError> {
        let seen = over(&dataset.rounds()?);
        Ok(Self { seen, ..Self::from_the_beginning(dataset, one_false_in)? })
    }

    /// What rounds that were sealed since the last look show, those after `last` left out. What is new is kept in the dataset.
    ///
    /// # Errors
    /// If the dataset cannot be read; what was not looked at is looked at the next time. That what is new cannot be kept is
    /// told to whoever reads the log.
    pub fn look(&mut self, last: Option<RoundId>) -> Result<Vec<Alarm>, RecomputeError> {
        let mut rounds = self.dataset.rounds()?;
        rounds.retain(|round| last.is_none_or(|last| round.header.id <= last));
        let seen = over(&rounds);
        let new: BTreeSet<RoundId> = seen.difference(&self.seen).copied().collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let look = Look {
            question: &self.question,
            origins: &self.table,
            news_of: time_of(&new, &rounds, self.question.started_at),
            one_false_in: self.one_false_in,
        };
        let records = self.dataset.records_of(window(rounds))?;
        // What only a part of the records shows is not taken for told.
        let mut alarms = self.alarms.clone();
        let news = whole(records, |read| alarms.look(&look, read))?;
        (self.alarms, self.seen) = (alarms, seen);
        if !news.is_empty()
            && let Err(error) = self.keep()
        {
            tracing::warn!("alarms cannot be kept, and will be told again by the next run: {error}");
        }
        Ok(news)
    }

    fn keep(&self) -> Result<(), RecomputeError> {
        Ok(self.dataset.write_alarms(&table::file(self.alarms.all())?)?)
    }
}

fn over(rounds: &[RoundSummary]) -> BTreeSet<RoundId> {
    rounds.iter().filter(|round| round.state.is_sealed()).map(|round| round.header.id).collect()
}

/// The time of which some of these rounds tell: of each what passed since the round of its prober before it. All of a
/// time goes to all probers alike, so that whatever the order in which their rounds end, together they have no more than passed.
fn time_of(new: &BTreeSet<RoundId>, rounds: &[RoundSummary], begun: WallTime) -> Duration {
    let mut last: BTreeMap<&Name, WallTime> = BTreeMap::new();
    let mut sum = Duration::ZERO;
    for RoundSummary { header, .. } in rounds {
        let before = last.insert(&header.prober, header.started_at).unwrap_or(begun);
        if new.contains(&header.id) {
            sum = sum.saturating_add(header.started_at.since(before));
        }
    }
    sum.checked_div(u32::try_from(last.len()).unwrap_or(u32::MAX)).unwrap_or_default()
}

/// The last rounds of each prober that are over, as many as can be looked at.
fn window(mut rounds: Vec<RoundSummary>) -> Vec<RoundSummary> {
    let mut of_prober: BTreeMap<Name, usize> = BTreeMap::new();
    let mut records = 0_u64;
    rounds.retain(|round| round.state.is_sealed());
    rounds.reverse();
    rounds.retain(|round| {
        let number = of_prober.entry(round.header.prober.clone()).or_default();
        let more = records.saturating_add(round.rows);
        let kept = *number < FEWEST_ROUNDS || (*number < MOST_ROUNDS && more <= MOST_RECORDS);
        if kept {
            (*number, records) = (number.saturating_add(1), more);
        }
        kept
    });
    rounds.reverse();
    rounds
}

#[cfg(test)]
mod tests;

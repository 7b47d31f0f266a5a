//! Alarms of a campaign that goes on: its last rounds, looked at again whenever some are over.
//!
//! Rounds are read from the dataset, as a report reads them, so that an alarm says nothing that is not recorded. What
//! was told is kept in the dataset, and a campaign that is gone on with does not tell it again.

mod table;
mod words;

use std::collections::BTreeMap;
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
    /// The last round that was looked at, and when the youngest of them began.
    seen: Option<RoundId>,
    up_to: WallTime,
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
        let up_to = question.started_at;
        Ok(Self { dataset, table, question, one_false_in, alarms, seen: None, up_to })
    }

    /// The same from now on: what is recorded already is only there to be compared with.
    ///
    /// # Errors
    /// As [`Lookout::from_the_beginning`].
    pub fn from_now_on(dataset: Dataset, one_false_in: Duration) -> Result<Self, RecomputeError> {
        let sealed = sealed(&dataset, None)?;
        let lookout = Self::from_the_beginning(dataset, one_false_in)?;
        let up_to = sealed.iter().map(|round| round.header.started_at).max().unwrap_or(lookout.up_to);
        Ok(Self { seen: sealed.last().map(|round| round.header.id), up_to, ..lookout })
    }

    /// What rounds that were sealed since the last look show, those after `last` left out. What is new is kept in the dataset.
    ///
    /// # Errors
    /// If the dataset cannot be read, or what is new not be kept.
    pub fn look(&mut self, last: Option<RoundId>) -> Result<Vec<Alarm>, RecomputeError> {
        let sealed = sealed(&self.dataset, last)?;
        let newest = sealed.last().map(|round| round.header.id);
        let up_to = sealed.iter().map(|round| round.header.started_at).max().unwrap_or(self.up_to);
        if newest == self.seen {
            return Ok(Vec::new());
        }
        let look = Look {
            question: &self.question,
            origins: &self.table,
            after: up_to.since(self.up_to),
            one_false_in: self.one_false_in,
        };
        let records = self.dataset.records_of(window(sealed))?;
        let news = whole(records, |read| self.alarms.look(&look, read))?;
        (self.seen, self.up_to) = (newest, up_to);
        if !news.is_empty() {
            self.dataset.write_alarms(&table::file(self.alarms.all())?)?;
        }
        Ok(news)
    }
}

/// The rounds that are over, up to one, in the order of their numbers.
fn sealed(dataset: &Dataset, last: Option<RoundId>) -> Result<Vec<RoundSummary>, RecomputeError> {
    let mut rounds = dataset.rounds()?;
    rounds.retain(|round| round.state.is_sealed() && last.is_none_or(|last| round.header.id <= last));
    Ok(rounds)
}

/// The last rounds of each prober, as many as can be looked at.
fn window(mut rounds: Vec<RoundSummary>) -> Vec<RoundSummary> {
    let mut of_prober: BTreeMap<Name, usize> = BTreeMap::new();
    let mut records = 0_u64;
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

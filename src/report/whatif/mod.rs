//! What-if predictions for people and for programs: text, CSV and JSON, all from one [`WhatIf`].
//!
//! A prediction is never one number: each is shown with its range over ways to break ties, and all together over
//! snapshots. What cannot be told, as the mean length of no ways, has no value and never becomes a number.

mod backtest;
mod figures;
mod files;
mod measured;
mod ranking;
mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::analyse::topology::Prediction;
use crate::model::{Asn, Untrusted};

pub use backtest::{SnapshotBacktest, backtest_text, write_backtest_csv};
pub use files::{write_csv, write_json};
pub use measured::{campaign_text, measured_walks, write_campaign_csv};
pub use ranking::{Loss, RankRow, Ranking, ranking_text, write_ranking_csv, write_ranking_json};
pub use text::text;

/// A question, and what each snapshot answers.
#[derive(Clone, Debug)]
pub struct WhatIf {
    /// The origin.
    pub origin: Asn,
    /// What happens, in plain words: `AS4837 is lost`.
    pub happens: String,
    /// The answers, in the order of the files.
    pub snapshots: Vec<Snapshot>,
    /// Names of ASes, where known.
    pub names: BTreeMap<Asn, Untrusted>,
}

/// What one topology answers.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The file that it is from.
    pub name: String,
    /// The answer.
    pub prediction: Prediction,
}

//! Round-trip times over time: when the way to a unit, or over a link, became longer or shorter, found without being told.
//!
//! ```text
//! answers ─▶ collect (by target and round) ─▶ points (a median a round) ─▶ segment (PELT) ─▶ levels (tests) ─▶ changes
//! ```
//!
//! A unit's series holds a point a round: the median over its targets. What each target is away from its own median is
//! compared, so that a round in which other targets answer is no change. A link's series holds the median of
//! what the answer of its far router took longer than that of its near one, in the same trace (Fontugne and others 2017).
//!
//! Time is cut where this explains the series better than the cuts cost (PELT), and a cut is kept if the
//! two levels differ beyond chance: a rank-sum test of the rounds on either side, for as many independent rounds as they
//! are worth, times the number of places where the cut could have been. All tests of a campaign are corrected together.

mod collect;
mod levels;
mod points;
mod rank;
mod segment;

use std::net::IpAddr;

use super::exact;
use super::findings::Estimate;
use crate::model::{Method, Name, RoundId, Unit, WallTime};

pub(super) use self::collect::Delays;

/// Changes of less are not told, in milliseconds: what is smaller is rather the routers' doing (Fontugne and others 2017).
const LEAST: f64 = 1.0;

/// Of what a series is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DelaySubject {
    /// Of the round-trip times to a unit, by method.
    Unit(Unit, Method),
    /// Of what the far end of a link took longer than the near one.
    Link(IpAddr, IpAddr),
}

/// What a vantage measured of a subject in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct DelayPoint {
    /// The round.
    pub round: RoundId,
    /// When the first of its answered probes was sent.
    pub at: WallTime,
    /// The median over the targets, or over the traces, in milliseconds.
    pub median: f64,
    /// How many there were.
    pub samples: u64,
}

/// A change of level.
#[derive(Clone, Debug, PartialEq)]
pub struct DelayChange {
    /// Who measured.
    pub vantage: Name,
    /// Of what.
    pub subject: DelaySubject,
    /// When the last round of the old level began.
    pub from: WallTime,
    /// When the first round of the new one began.
    pub to: WallTime,
    /// These two rounds.
    pub rounds: (RoundId, RoundId),
    /// The median of the rounds before, back to the change before it, in milliseconds, with its interval.
    pub before: Estimate,
    /// That of the rounds after, up to the next change.
    pub after: Estimate,
    /// After minus before, with its interval.
    pub difference: Estimate,
    /// How many rounds each of these is of.
    pub of_rounds: (u64, u64),
    /// The probability of ranks so far apart by chance, for as many places as there were.
    pub p: f64,
    /// The false discovery rate at which it is among the discoveries.
    pub rate: f64,
}

/// What is found of round-trip times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelayFindings {
    /// The series to units, in the order of vantages and units.
    pub series: Vec<DelaySeries>,
    /// In the order of time, then vantage and subject.
    pub changes: Vec<DelayChange>,
    /// How many tests were made.
    pub tests: u64,
}

/// What a vantage measured of a subject over time.
#[derive(Clone, Debug, PartialEq)]
pub struct DelaySeries {
    /// Who measured.
    pub vantage: Name,
    /// Of what.
    pub subject: DelaySubject,
    /// In the order of time.
    pub points: Vec<DelayPoint>,
}

/// The series that were collected, and where their levels changed, at this false discovery rate. `confidence` is that of
/// the intervals.
pub(super) fn found(delays: Delays, confidence: f64, accepted: f64) -> DelayFindings {
    let series = delays.finish();
    let mut changes: Vec<DelayChange> = Vec::new();
    let mut quiet = 0_usize;
    for one in &series {
        let of_series = levels::changes(one, confidence);
        quiet = quiet.saturating_add(usize::from(of_series.is_empty() && levels::is_long_enough(one)));
        changes.extend(of_series);
    }
    // A series without a cut was tested, too, and showed nothing.
    let p: Vec<f64> =
        changes.iter().map(|change| change.p).chain(std::iter::repeat_n(1.0, quiet)).collect();
    let rates = exact::false_discovery_rates(&p);
    for (change, rate) in changes.iter_mut().zip(rates) {
        change.rate = rate;
    }
    changes.retain(|change| change.rate <= accepted && is_told(change));
    changes.sort_by(|one, other| key(one).cmp(&key(other)));
    let of_unit = |one: &DelaySeries| matches!(one.subject, DelaySubject::Unit(..));
    let series = series.into_iter().filter(of_unit).collect();
    DelayFindings { series, changes, tests: super::unit::count(p.len()) }
}

/// Whether it is worth telling, and surely up or down.
fn is_told(change: &DelayChange) -> bool {
    let Estimate { value, low, high } = change.difference;
    value.abs() >= LEAST && (low > 0.0 || high < 0.0)
}

fn key(change: &DelayChange) -> (WallTime, &Name, &DelaySubject) {
    (change.from, &change.vantage, &change.subject)
}

#[cfg(test)]
mod tests;

//! A series of rounds as levels, and the changes between them that chance does not explain.

use super::super::findings::Estimate;
use super::super::interval::apart;
use super::super::number::length;
use super::points::median;
use super::{DelayChange, DelaySeries, DelaySubject, rank, segment};

/// Rounds that a level has at least: of fewer, no interval holds the median at 95 %.
const LEAST_ROUNDS: usize = 6;

/// What chance may give for a cut to be kept in its series; what is told is held to less.
const KEPT: f64 = 0.05;

/// Below this, a difference between rounds is taken as the clock's: of logarithms, and of milliseconds.
const FINEST: (f64, f64) = (0.002, 0.02);

/// Whether a series has room for two levels.
pub(super) fn is_long_enough(series: &DelaySeries) -> bool {
    series.points.len() >= LEAST_ROUNDS.saturating_mul(2)
}

/// The changes of level; their false discovery rates are still to be set.
pub(super) fn changes(series: &DelaySeries, confidence: f64) -> Vec<DelayChange> {
    if !is_long_enough(series) {
        return Vec::new();
    }
    let medians: Vec<f64> = series.points.iter().map(|point| point.median).collect();
    let values = compared(&series.subject, &medians);
    let penalty = 3.0 * length(values.len()).ln() * noise(&values, finest(&series.subject));
    let mut cuts = segment::cuts(&values, penalty, LEAST_ROUNDS);
    loop {
        let found: Vec<Cut> = tested(&medians, &cuts, confidence);
        let weakest = found.iter().enumerate().max_by(|(_, one), (_, other)| one.p.total_cmp(&other.p));
        match weakest {
            Some((index, cut)) if cut.p > KEPT => drop(cuts.remove(index)),
            _ => return found.iter().filter_map(|cut| told(series, cut)).collect(),
        }
    }
}

/// A cut, with the levels on either side.
struct Cut {
    at: usize,
    rounds: (usize, usize),
    /// `None` where the rounds are too much alike to be worth six.
    levels: Option<(Estimate, Estimate)>,
    p: f64,
}

/// Each cut by the runs on its two sides. How much rounds resemble each other is judged from all runs together: from two
/// short ones it would be told too badly.
fn tested(medians: &[f64], cuts: &[usize], confidence: f64) -> Vec<Cut> {
    let begins = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([medians.len()]);
    let runs: Vec<&[f64]> = begins.zip(ends).filter_map(|(begin, end)| medians.get(begin..end)).collect();
    let worth = rank::worth(&runs);
    let cut = |((before, after), at): ((&&[f64], &&[f64]), &usize)| {
        let levels = rank::level(before, worth, confidence).zip(rank::level(after, worth, confidence));
        let rounds = (before.len(), after.len());
        let room = rounds.0.saturating_add(rounds.1);
        let places = room.saturating_sub(LEAST_ROUNDS.saturating_mul(2)).saturating_add(1);
        let p = (rank::differ(before, after, worth) * length(places)).min(1.0);
        Cut { at: *at, rounds, levels, p: if levels.is_some() { p } else { 1.0 } }
    };
    runs.iter().zip(runs.iter().skip(1)).zip(cuts).map(cut).collect()
}

fn told(series: &DelaySeries, cut: &Cut) -> Option<DelayChange> {
    let (last, first) = (series.points.get(cut.at.checked_sub(1)?)?, series.points.get(cut.at)?);
    let (before, after) = cut.levels?;
    let count = super::super::unit::count;
    Some(DelayChange {
        vantage: series.vantage.clone(),
        subject: series.subject.clone(),
        from: last.at,
        to: first.at,
        rounds: (last.round, first.round),
        before,
        after,
        difference: apart(before, after, 0.0),
        of_rounds: (count(cut.rounds.0), count(cut.rounds.1)),
        p: cut.p,
        rate: 1.0,
    })
}

/// Round-trip times by their logarithms, since they spread the more the longer they are; what links add as it is, since it
/// may be negative.
fn compared(subject: &DelaySubject, medians: &[f64]) -> Vec<f64> {
    match subject {
        DelaySubject::Unit(..) => medians.iter().map(|median| median.max(1e-3).ln()).collect(),
        DelaySubject::Link(..) => medians.to_vec(),
    }
}

const fn finest(subject: &DelaySubject) -> f64 {
    match subject {
        DelaySubject::Unit(..) => FINEST.0,
        DelaySubject::Link(..) => FINEST.1,
    }
}

/// What rounds, as many as they are worth, vary by while the level stays. By medians of differences, which steps do not
/// enter: of a first-order autocorrelation r, the squares of those over one and over two rounds are as 1 to 1 + r.
fn noise(values: &[f64], finest: f64) -> f64 {
    let spread = |apart: usize| {
        let steps = values.iter().zip(values.iter().skip(apart)).map(|(one, other)| (other - one).abs());
        (median(&steps.collect::<Vec<_>>()).unwrap_or_default() * 1.4826).powi(2)
    };
    let (one, two) = (spread(1), spread(2));
    let likeness = if one > 0.0 { (two / one - 1.0).clamp(0.0, 0.95) } else { 0.0 };
    (one / (2.0 * (1.0 - likeness))).max(finest * finest) / rank::worth_at(likeness)
}

//! Time on the horizontal axis of a figure: where a moment lies, where the ticks stand, and rounds drawn
//! together into columns that are wide enough to be seen.

use std::time::Duration;

use crate::model::WallTime;

use super::number;

/// The narrowest column, in pixels; rounds that lie closer are drawn together.
const NARROWEST: f64 = 2.0;
/// The distances that ticks may have, in seconds.
const STEPS: [u32; 17] = [
    10, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
    2_592_000,
];
/// At most this many ticks.
const TICKS: f64 = 9.0;

/// A horizontal axis of time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    first: WallTime,
    length: Duration,
    left: f64,
    right: f64,
}

/// One round: when, and the counts of which its column is stacked.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) at: WallTime,
    pub(super) counts: Vec<u64>,
}

/// What is drawn from one horizontal position to the next.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Column {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) counts: Vec<u64>,
}

impl Axis {
    /// From the first moment to the last, between two horizontal positions.
    pub(super) fn new((first, last): (WallTime, WallTime), (left, right): (f64, f64)) -> Self {
        Self { first, length: last.since(first), left, right }
    }

    pub(super) const fn first(&self) -> WallTime {
        self.first
    }

    /// Where a moment lies; moments outside lie at the ends.
    pub(super) fn x(&self, at: WallTime) -> f64 {
        let share = at.since(self.first).as_secs_f64() / self.length.as_secs_f64().max(1e-9);
        self.left + share.min(1.0) * (self.right - self.left)
    }

    /// Ticks at round times of day, with their labels.
    pub(super) fn ticks(&self) -> Vec<(WallTime, String)> {
        let seconds = self.length.as_secs_f64();
        let fits = |step: &&u32| seconds / f64::from(**step) <= TICKS;
        let longest = Duration::from_secs_f64((seconds / TICKS).clamp(1.0, 1e10));
        let step = STEPS.iter().find(fits).map_or(longest, |step| Duration::from_secs(u64::from(*step)));
        let step_ns = i64::try_from(step.as_nanos()).unwrap_or(i64::MAX).max(1);
        let past = self.first.as_nanos().rem_euclid(step_ns);
        let to_next = if past == 0 { 0 } else { step_ns.saturating_sub(past) };
        let next = self.first.after(Duration::from_nanos(u64::try_from(to_next).unwrap_or(0)));
        let last = self.first.after(self.length);
        let moments =
            std::iter::successors(Some(next), |at| Some(at.after(step))).take_while(|at| *at <= last);
        moments.take(32).map(|at| (at, label(at, step))).collect()
    }
}

fn label(at: WallTime, step: Duration) -> String {
    let (date, time) = number::date_and_time(at);
    let kept = if step.as_secs() < 60 { 8 } else { 5 };
    if step.as_secs() >= 86_400 || (time == "00:00:00" && step.as_secs() >= 3_600) {
        return date;
    }
    time.chars().take(kept).collect()
}

impl Column {
    /// The share of each count; none if nothing was counted.
    pub(super) fn shares(&self) -> impl Iterator<Item = f64> {
        let whole = self.counts.iter().copied().fold(0, u64::saturating_add);
        self.counts
            .iter()
            .filter(move |_| whole > 0)
            .map(move |count| number::real(*count) / number::real(whole))
    }

    fn same_shares(&self, other: &Self) -> bool {
        let (mine, theirs): (Vec<f64>, Vec<f64>) = (self.shares().collect(), other.shares().collect());
        mine.len() == theirs.len() && mine.iter().zip(&theirs).all(|(one, two)| (one - two).abs() < 1e-9)
    }
}

/// Rounds as columns. Rounds that follow each other closely are drawn as one. A round lasts until the next, but
/// not much longer than rounds usually do, so that time in which nothing was measured stays blank, and never
/// past a cut: what was measured before an event says nothing about the time after it. Columns begin and end on
/// whole pixels.
pub(super) fn columns(axis: &Axis, mut samples: Vec<Sample>, cuts: &[WallTime]) -> Vec<Column> {
    samples.sort_by_key(|sample| sample.at);
    let usual = usual_distance(&samples);
    let samples = bursts(samples, usual.div_f64(8.0), cuts);
    let mut all: Vec<Column> = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let latest = sample.at.after(usual.mul_f64(1.6));
        let next = samples.get(index.saturating_add(1)).map(|next| next.at).filter(|next| *next < latest);
        let end = next.unwrap_or_else(|| sample.at.after(usual));
        let cut = cuts.iter().copied().find(|cut| *cut > sample.at);
        let end = cut.map_or(end, |cut| cut.min(end));
        let (from, to) = (axis.x(sample.at).round(), axis.x(end).round());
        let column = Column { from, to, counts: sample.counts.clone() };
        match all.last_mut() {
            Some(last) if column.from - last.from < NARROWEST => last.take_in(&column),
            Some(last) if column.from - last.to < 0.5 && last.same_shares(&column) => last.take_in(&column),
            _ => all.push(column),
        }
    }
    for column in &mut all {
        column.from = column.from.min(axis.right - NARROWEST);
        column.to = column.to.max(column.from + NARROWEST);
    }
    all
}

/// Takes rounds together that begin within a short time of each other, with no cut between them.
fn bursts(samples: Vec<Sample>, short: Duration, cuts: &[WallTime]) -> Vec<Sample> {
    let mut bursts: Vec<Sample> = Vec::new();
    for sample in samples {
        let cut = |from: WallTime| cuts.iter().any(|cut| from < *cut && *cut <= sample.at);
        match bursts.last_mut() {
            Some(burst) if sample.at.since(burst.at) <= short && !cut(burst.at) => {
                add(&mut burst.counts, &sample.counts);
            }
            _ => bursts.push(sample),
        }
    }
    bursts
}

fn add(counts: &mut [u64], others: &[u64]) {
    for (mine, theirs) in counts.iter_mut().zip(others) {
        *mine = mine.saturating_add(*theirs);
    }
}

impl Column {
    fn take_in(&mut self, other: &Self) {
        self.to = self.to.max(other.to);
        add(&mut self.counts, &other.counts);
    }
}

/// How far rounds usually lie apart: the distance that four of five do not exceed, since several rounds may
/// follow each other closely before a pause. A minute if there is only one.
fn usual_distance(samples: &[Sample]) -> Duration {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let mut distances: Vec<Duration> = pairs.map(|(one, next)| next.at.since(one.at)).collect();
    distances.retain(|distance| !distance.is_zero());
    distances.sort_unstable();
    distances
        .get(distances.len().saturating_mul(4).div_euclid(5))
        .copied()
        .unwrap_or(Duration::from_secs(60))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp)]

    use super::*;

    fn at(seconds: u64) -> WallTime {
        WallTime::parse_rfc3339("2017-10-01T07:30:00Z").unwrap().after(Duration::from_secs(seconds))
    }

    fn sample(seconds: u64, counts: [u64; 2]) -> Sample {
        Sample { at: at(seconds), counts: counts.to_vec() }
    }

    #[test]
    fn time_without_rounds_stays_blank() {
        let axis = Axis::new((at(0), at(3_000)), (0.0, 300.0));
        let rounds = [0, 300, 600, 900, 1_200, 2_400, 2_700].map(|second| sample(second, [1, 0])).to_vec();
        let drawn = columns(&axis, rounds, &[]);
        assert_eq!(drawn.len(), 2, "{drawn:?}");
        assert!((drawn[0].to - 150.0).abs() < 0.01, "{drawn:?}");
        assert!((drawn[1].from - 240.0).abs() < 0.01, "{drawn:?}");
    }

    #[test]
    fn rounds_in_pairs_fill_the_time_up_to_the_next_pair_but_never_cross_an_event() {
        let axis = Axis::new((at(0), at(18_000)), (0.0, 300.0));
        let pair = |hour: u64| [sample(hour * 3_600, [4, 0]), sample(hour * 3_600 + 60, [hour, 3])];
        let drawn = columns(&axis, (0..5).flat_map(pair).collect(), &[at(9_000)]);
        let ends: Vec<(f64, f64)> = drawn.iter().map(|column| (column.from, column.to)).collect();
        assert_eq!(ends, [(0.0, 60.0), (60.0, 120.0), (120.0, 150.0), (180.0, 240.0), (240.0, 299.0)]);
        assert_eq!(drawn[2].counts, [6, 3]);
    }

    #[test]
    fn a_million_rounds_make_no_more_columns_than_there_are_pixels() {
        let axis = Axis::new((at(0), at(20_000)), (0.0, 300.0));
        let rounds = (0..20_000).map(|second| sample(second, [second % 3, 1])).collect();
        let drawn = columns(&axis, rounds, &[]);
        assert!(drawn.len() <= 151, "{}", drawn.len());
        let rounds: u64 = drawn.iter().map(|column| column.counts[1]).sum();
        assert_eq!(rounds, 20_000);
    }

    #[test]
    fn ticks_stand_at_round_times() {
        let axis = Axis::new((at(51), at(6 * 3_600)), (0.0, 300.0));
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["08:00", "09:00", "10:00", "11:00", "12:00", "13:00"]);
        let years = Axis::new((at(0), at(10 * 365 * 86_400)), (0.0, 300.0));
        assert!((1..=10).contains(&years.ticks().len()));
    }
}

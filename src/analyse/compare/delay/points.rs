//! From what targets gave to a point a round.

use std::collections::BTreeMap;

use super::DelayPoint;
use super::collect::Reading;
use crate::model::RoundId;

/// The middle of some numbers, or of the two in the middle; `None` of none.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let upper = sorted.len().checked_div(2)?;
    let lower = if sorted.len().is_multiple_of(2) { upper.checked_sub(1)? } else { upper };
    Some(f64::midpoint(*sorted.get(lower)?, *sorted.get(upper)?))
}

/// What one target gave, round by round.
pub(super) type OfTarget = Vec<Reading>;

/// One point a round, in the order of time: the median of all targets' medians, and the median of what the targets of the
/// round are away from theirs.
pub(super) fn points(targets: &[OfTarget]) -> Vec<DelayPoint> {
    let usual: Vec<(f64, &OfTarget)> =
        targets.iter().filter_map(|readings| Some((usual(readings)?, readings))).collect();
    let each: Vec<f64> = usual.iter().map(|(usual, _)| *usual).collect();
    let Some(base) = median(&each) else { return Vec::new() };
    let mut rounds: BTreeMap<RoundId, Vec<(f64, &Reading)>> = BTreeMap::new();
    for (usual, readings) in usual {
        for reading in readings {
            rounds.entry(reading.round).or_default().push((reading.median - usual, reading));
        }
    }
    let point = |(round, of): (RoundId, Vec<(f64, &Reading)>)| {
        let away: Vec<f64> = of.iter().map(|(away, _)| *away).collect();
        let samples = of.iter().fold(0_u64, |sum, (_, reading)| sum.saturating_add(reading.samples));
        let at = of.iter().map(|(_, reading)| reading.at).min()?;
        Some(DelayPoint { round, at, median: base + median(&away)?, samples })
    };
    let mut points: Vec<DelayPoint> = rounds.into_iter().filter_map(point).collect();
    points.sort_by_key(|point| (point.at, point.round));
    points
}

/// The median of a target over all its rounds.
fn usual(readings: &OfTarget) -> Option<f64> {
    median(&readings.iter().map(|reading| reading.median).collect::<Vec<f64>>())
}

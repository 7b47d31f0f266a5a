//! From what targets gave to a point a round.

use std::collections::BTreeMap;
use std::net::IpAddr;

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

/// One point a round, in the order of time: the median of all targets' medians, and the median of what the targets of the
/// round are away from theirs.
pub(super) fn points(readings: &[Reading]) -> Vec<DelayPoint> {
    let usual = usual(readings);
    let each: Vec<f64> = usual.values().copied().collect();
    let Some(base) = median(&each) else { return Vec::new() };
    let mut rounds: BTreeMap<RoundId, Vec<&Reading>> = BTreeMap::new();
    for reading in readings {
        rounds.entry(reading.round).or_default().push(reading);
    }
    let point = |(round, of): (RoundId, Vec<&Reading>)| {
        let away = |reading: &&Reading| Some(reading.median - usual.get(&reading.target)?);
        let away: Vec<f64> = of.iter().filter_map(away).collect();
        let samples = of.iter().fold(0_u64, |sum, reading| sum.saturating_add(reading.samples));
        let at = of.iter().map(|reading| reading.at).min()?;
        Some(DelayPoint { round, at, median: base + median(&away)?, samples })
    };
    let mut points: Vec<DelayPoint> = rounds.into_iter().filter_map(point).collect();
    points.sort_by_key(|point| (point.at, point.round));
    points
}

/// The median of each target over all its rounds.
fn usual(readings: &[Reading]) -> BTreeMap<IpAddr, f64> {
    let mut by_target: BTreeMap<IpAddr, Vec<f64>> = BTreeMap::new();
    for reading in readings {
        by_target.entry(reading.target).or_default().push(reading.median);
    }
    by_target.into_iter().filter_map(|(target, values)| Some((target, median(&values)?))).collect()
}

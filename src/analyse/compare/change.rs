//! What differs between an epoch and the one before.
//!
//! Shares carry an interval made of theirs as Newcombe's is. Counts of what was seen carry none: resampling cannot show what was not
//! seen, so an interval by bootstrap would be too narrow by construction.

use std::collections::BTreeSet;

use super::findings::{Change, Estimate, Metric, UnitEpoch};
use super::interval::{Share, difference, float};
use crate::model::{Asn, Method};

/// All differences of epoch `epoch` from the one before, in no order.
pub(super) fn changes(epoch: usize, before: &UnitEpoch, after: &UnitEpoch) -> Vec<Change> {
    let answers = Method::LIVENESS.into_iter().filter_map(|method| {
        let (before, after) = (answered(before, method)?, answered(after, method)?);
        Some((Metric::Answered(method), before, after, difference(before, after, 0.0)))
    });
    let upstreams = all_upstreams(before, after).into_iter().filter_map(|asn| {
        let found = of_upstream(before, after, asn)?;
        Some((Metric::Upstream(asn), share(before, asn)?, share(after, asn)?, found))
    });
    let of_shares = answers.chain(upstreams).map(|(metric, before, after, found)| Change {
        epoch,
        metric,
        before: before.value,
        after: after.value,
        difference: found.value,
        interval: Some((found.low, found.high)),
    });
    let counts = [
        (Metric::AsPaths, as_paths(before), as_paths(after)),
        (Metric::AsDisjoint, before.as_disjoint.map(f64::from), after.as_disjoint.map(f64::from)),
    ];
    let of_counts = counts.into_iter().filter_map(|(metric, before, after)| {
        let (before, after) = (before?, after?);
        Some(Change { epoch, metric, before, after, difference: after - before, interval: None })
    });
    of_shares.chain(of_counts).collect()
}

/// Largest effect first: of shares the difference, of counts the difference in parts of the larger one.
pub(super) fn sort(changes: &mut [Change]) {
    changes.sort_by(|one, other| {
        let order = effect(other).total_cmp(&effect(one));
        order.then(one.epoch.cmp(&other.epoch)).then(one.metric.cmp(&other.metric))
    });
}

fn effect(change: &Change) -> f64 {
    match change.metric {
        Metric::Answered(_) | Metric::Upstream(_) => change.difference.abs(),
        Metric::AsPaths | Metric::AsDisjoint => {
            change.difference.abs() / change.before.max(change.after).max(1.0)
        }
    }
}

/// The flows through an upstream, of those whose upstream is told.
pub(super) fn through(epoch: &UnitEpoch, asn: Asn) -> Share {
    let of = epoch.upstreams.iter().find(|share| share.upstream == asn);
    Share { part: of.map_or(0, |share| share.flows), whole: told(epoch) }
}

/// Their share with its interval; `None` if no upstream is told.
pub(super) fn share(epoch: &UnitEpoch, asn: Asn) -> Option<Estimate> {
    let of = epoch.upstreams.iter().find(|share| share.upstream == asn);
    of.map(|of| of.share).or(epoch.unseen)
}

/// By how much the share of an upstream differs, with its interval; `None` if either is not told.
pub(super) fn of_upstream(before: &UnitEpoch, after: &UnitEpoch, asn: Asn) -> Option<Estimate> {
    let likeness =
        after.upstreams.iter().find(|share| share.upstream == asn).map_or(0.0, |share| share.likeness);
    Some(difference(share(before, asn)?, share(after, asn)?, likeness))
}

/// Traced flows whose upstream is told.
pub(super) fn told(epoch: &UnitEpoch) -> u64 {
    epoch.traced.saturating_sub(epoch.unattributed)
}

fn all_upstreams(before: &UnitEpoch, after: &UnitEpoch) -> BTreeSet<Asn> {
    before.upstreams.iter().chain(&after.upstreams).map(|share| share.upstream).collect()
}

fn answered(epoch: &UnitEpoch, method: Method) -> Option<Estimate> {
    epoch.reachability.iter().find(|of| of.method == method)?.share
}

/// `None` where no path was told: nothing seen is not a number of paths.
fn as_paths(epoch: &UnitEpoch) -> Option<f64> {
    (told(epoch) > 0).then(|| float(epoch.paths.autonomous_system))
}

//! One unit, epoch by epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::clusters::Clusters;
use super::epochs::Epochs;
use super::findings::{PathCount, Reach, Reachability, UnitEpoch, UpstreamShare, Watch};
use super::interval::{Level, Share, float};
use super::routes::Route;
use super::tally::Answers;
use crate::analyse::graph::AsGraph;
use crate::model::{Asn, Method, Unit};

/// All that is known of one unit.
pub(super) struct UnitView<'a> {
    pub(super) unit: Unit,
    pub(super) control: bool,
    pub(super) origin: Option<Asn>,
    pub(super) answers: Answers,
    pub(super) routes: Vec<&'a Route<'a>>,
    pub(super) watches: Vec<Watch>,
    /// Traces with probes on both sides of an event, left out.
    pub(super) straddling: u64,
}

/// How to judge, the same for all units.
pub(super) struct Scale<'a> {
    pub(super) epochs: &'a Epochs,
    pub(super) level: Level,
    pub(super) confidence: f64,
}

impl UnitView<'_> {
    /// What is found in each epoch; reachability as if the vantage were well.
    pub(super) fn by_epoch(&self, scale: &Scale<'_>) -> Vec<UnitEpoch> {
        let mut before = Clusters::default();
        (0..scale.epochs.count()).map(|epoch| self.in_epoch(epoch, scale, &mut before)).collect()
    }

    /// `before` are the clusters of the epoch before, and afterwards those of this one.
    fn in_epoch<'a>(&'a self, epoch: usize, scale: &Scale<'_>, before: &mut Clusters<'a>) -> UnitEpoch {
        let routes: Vec<&Route> =
            self.routes.iter().copied().filter(|route| route.epoch == epoch).collect();
        let told: Vec<&Route> = routes.iter().copied().filter(|route| route.upstream.is_ok()).collect();
        let graph = self.graph(&told);
        let clusters = Clusters::new(&told);
        let found = UnitEpoch {
            reach: self.reach(epoch, scale),
            reachability: self.reachability(epoch, scale.level),
            upstreams: upstreams(&told, (before, &clusters), scale.level),
            unseen: scale.level.clustered(&clusters.through_none()),
            unattributed: count(routes.len().saturating_sub(told.len())),
            traced: count(routes.len()),
            longest_gap: told.iter().filter_map(|route| route.upstream.ok()).map(|up| up.gap).max(),
            paths: distinct(&told),
            as_disjoint: graph.as_ref().and_then(AsGraph::disjoint),
            single_points: graph.as_ref().map(AsGraph::single_points).unwrap_or_default(),
        };
        *before = clusters;
        found
    }

    /// Silence is taken for being cut off only if there were enough probes: had the unit answered as it did
    /// in the other epochs (at the lower end of that share's interval), all of them being silent would have
    /// had a probability below one minus the confidence.
    fn reach(&self, epoch: usize, scale: &Scale<'_>) -> Reach {
        if self.answers.asked(epoch) == 0 {
            return Reach::NotMeasured;
        }
        if Method::REACHING.iter().any(|method| self.answers.share(epoch, *method).part > 0) {
            return Reach::Reachable;
        }
        let conclusive = |method: &Method| {
            let expected = scale.level.wilson(self.answers.elsewhere(epoch, *method));
            let probes = self.answers.share(epoch, *method).whole;
            expected.is_some_and(|share| {
                probes > 0 && (1.0 - share.low).powf(float(probes)) < 1.0 - scale.confidence
            })
        };
        if Method::REACHING.iter().any(conclusive) { Reach::Unreachable } else { Reach::NotObservable }
    }

    fn reachability(&self, epoch: usize, level: Level) -> Vec<Reachability> {
        let of = |method| {
            let share = self.answers.share(epoch, method);
            Reachability { method, probes: share.whole, answered: share.part, share: level.wilson(share) }
        };
        let used = |method: &Method| self.answers.uses(*method);
        Method::LIVENESS.into_iter().filter(used).map(of).collect()
    }

    /// The graph of ASes that these routes show; `None` if the origin is not known.
    pub(super) fn graph(&self, told: &[&Route]) -> Option<AsGraph> {
        let origin = self.origin?;
        let to_origin = || told.iter().filter(|route| route.origin == Some(origin));
        let own: BTreeSet<Asn> = to_origin().filter_map(|route| route.own).collect();
        Some(AsGraph::new(to_origin().map(|route| &*route.walk), &own, origin))
    }
}

fn upstreams(
    told: &[&Route],
    (before, clusters): (&Clusters<'_>, &Clusters<'_>),
    level: Level,
) -> Vec<UpstreamShare> {
    let mut flows: BTreeMap<Asn, Share> = BTreeMap::new();
    for upstream in told.iter().filter_map(|route| route.upstream.ok()) {
        let entering = Share { part: u64::from(upstream.seen_entering), whole: 1 };
        flows.entry(upstream.asn).or_default().add(entering);
    }
    let share = |(upstream, flows): (Asn, Share)| {
        let share = level.clustered(&clusters.through(upstream))?;
        let likeness = clusters.likeness(before, upstream);
        Some(UpstreamShare { upstream, flows: flows.whole, share, likeness, seen_entering: flows.part })
    };
    let mut shares: Vec<UpstreamShare> = flows.into_iter().filter_map(share).collect();
    shares.sort_by_key(|share| (std::cmp::Reverse(share.flows), share.upstream));
    shares
}

fn distinct(told: &[&Route]) -> PathCount {
    let address: BTreeSet<_> = told.iter().map(|route| &route.routers).collect();
    let autonomous_system: BTreeSet<Vec<Asn>> =
        told.iter().map(|route| route.walk.steps.iter().map(|step| step.asn).collect()).collect();
    PathCount { address: count(address.len()), autonomous_system: count(autonomous_system.len()) }
}

/// A length as a count.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

//! One unit, epoch by epoch.

use std::collections::{BTreeMap, BTreeSet};

use super::clusters::Clusters;
use super::epochs::Epochs;
use super::findings::{PathCount, Reach, Reachability, UnitEpoch, UpstreamShare, Watch};
use super::interval::{Level, Share, float};
use super::routes::{Route, Routes};
use super::tally::Answers;
use crate::analyse::graph::AsGraph;
use crate::model::{Asn, Keyed, Method, Unit};

/// All that is known of one unit.
pub(super) struct UnitView<'a> {
    pub(super) unit: Unit,
    pub(super) control: bool,
    pub(super) origin: Option<Asn>,
    pub(super) answers: Answers,
    /// Those of all units.
    pub(super) all: &'a Routes<'a>,
    pub(super) watches: Vec<Watch>,
    /// Traces with probes on both sides of an event, left out.
    pub(super) straddling: u64,
}

/// What traces have in common of which the same was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken<'a> {
    /// That of the first of them.
    pub(super) route: Route<'a>,
    /// How many they are.
    pub(super) traces: u64,
}

/// What was found of these routes, each once.
pub(super) fn taken<'a>(routes: impl Iterator<Item = Route<'a>>) -> Vec<Taken<'a>> {
    let mut numbers: Keyed<usize, usize> = Keyed::default();
    let mut all: Vec<Taken<'a>> = Vec::new();
    for route in routes {
        let number = *numbers.entry(route.way_key()).or_insert(all.len());
        match all.get_mut(number) {
            Some(taken) => taken.traces = taken.traces.saturating_add(1),
            None => all.push(Taken { route, traces: 1 }),
        }
    }
    all
}

/// How to judge, the same for all units.
pub(super) struct Scale<'a> {
    pub(super) epochs: &'a Epochs,
    pub(super) level: Level,
    pub(super) confidence: f64,
}

impl<'a> UnitView<'a> {
    /// Its routes, in the order of the keys of their traces.
    pub(super) fn routes(&self) -> impl Iterator<Item = Route<'a>> + Clone {
        self.all.of_unit(self.unit)
    }

    /// Those of which the upstream is told.
    pub(super) fn told(&self) -> impl Iterator<Item = Route<'a>> + Clone {
        self.routes().filter(|route| route.upstream().is_ok())
    }

    /// What is found in each epoch; reachability as if the vantage were well.
    pub(super) fn by_epoch(&self, scale: &Scale<'_>) -> Vec<UnitEpoch> {
        let mut before = Clusters::default();
        (0..scale.epochs.count()).map(|epoch| self.in_epoch(epoch, scale, &mut before)).collect()
    }

    /// `before` are the clusters of the epoch before, and afterwards those of this one.
    fn in_epoch(&self, epoch: usize, scale: &Scale<'_>, before: &mut Clusters<'a>) -> UnitEpoch {
        let traced = self.routes().filter(|route| route.epoch == epoch).count();
        let told = self.told().filter(|route| route.epoch == epoch);
        let clusters = Clusters::new(told.clone());
        let taken = taken(told);
        let told = taken.iter().fold(0_u64, |sum, taken| sum.saturating_add(taken.traces));
        let graph = self.graph(&taken);
        let found = UnitEpoch {
            reach: self.reach(epoch, scale),
            reachability: self.reachability(epoch, scale.level),
            upstreams: upstreams(&taken, (before, &clusters), scale.level),
            unseen: scale.level.clustered(&clusters.through_none()),
            unattributed: count(traced).saturating_sub(told),
            traced: count(traced),
            longest_gap: taken
                .iter()
                .filter_map(|taken| taken.route.upstream().ok())
                .map(|up| up.gap)
                .max(),
            paths: distinct(&taken),
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
    pub(super) fn graph(&self, taken: &[Taken<'_>]) -> Option<AsGraph> {
        let origin = self.origin?;
        let routes = || taken.iter().map(|taken| taken.route);
        let to_origin = || routes().filter(|route| route.origin() == Some(origin));
        let own: BTreeSet<Asn> = to_origin().filter_map(|route| route.own()).collect();
        Some(AsGraph::new(to_origin().map(|route| &**route.walk()), &own, origin))
    }
}

fn upstreams(
    taken: &[Taken<'_>],
    (before, clusters): (&Clusters<'_>, &Clusters<'_>),
    level: Level,
) -> Vec<UpstreamShare> {
    let mut flows: BTreeMap<Asn, Share> = BTreeMap::new();
    for Taken { route, traces } in taken {
        let Ok(upstream) = route.upstream() else { continue };
        let part = if upstream.seen_entering { *traces } else { 0 };
        flows.entry(upstream.asn).or_default().add(Share { part, whole: *traces });
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

fn distinct(taken: &[Taken<'_>]) -> PathCount {
    let routes = || taken.iter().map(|taken| taken.route);
    let address: BTreeSet<_> = routes().map(|route| route.routers()).collect();
    let autonomous_system: BTreeSet<Vec<Asn>> =
        routes().map(|route| route.walk().steps.iter().map(|step| step.asn).collect()).collect();
    PathCount { address: count(address.len()), autonomous_system: count(autonomous_system.len()) }
}

/// A length as a count.
pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

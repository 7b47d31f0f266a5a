//! Which traces stand together where a share of flows is reckoned with.
//!
//! The same flows are traced in every round, so the rounds of a flow are no samples of their own; nor are the flows of
//! a target where a balancer goes by destination. What counts as one is decided as for the bootstrap, by the upstreams of
//! flows as that does by their whole ways.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::found::PinnedFlow;
use super::interval::{Share, float};
use super::routes::Route;
use crate::analyse::diversity::{Drawn, FEWEST};
use crate::model::{Asn, Keyed, Name};

type Target<'a> = (&'a Name, IpAddr);

/// A target, and the flow to it where flows are what counts as one.
type Cluster<'a> = (Target<'a>, Option<PinnedFlow>);

/// Traces whose upstream is told, in clusters.
#[derive(Clone, Debug, Default)]
pub(super) struct Clusters<'a> {
    /// Of each cluster, its traces by upstream.
    upstreams: BTreeMap<Cluster<'a>, BTreeMap<Asn, u64>>,
}

impl<'a> Clusters<'a> {
    pub(super) fn new(told: impl Iterator<Item = Route<'a>>) -> Self {
        let by_flow = by_flow(told);
        let flows = gathered(&by_flow, |route| (target(route), Some(*route.flow())));
        let ways = |upstreams: &BTreeMap<Asn, u64>| vec![upstreams.keys().copied().collect()];
        let upstreams =
            match Drawn::of(flows.iter().map(|((target, _), upstreams)| (*target, ways(upstreams)))) {
                Drawn::Targets => gathered(&by_flow, |route| (target(route), None)),
                Drawn::Flows => flows,
            };
        Self { upstreams }
    }

    /// How much a cluster's use of an upstream resembles what it was before: the correlation over clusters, which are the
    /// same ones as far as the same flows were traced. 0 where none is shown, and where they are too few to show one.
    pub(super) fn likeness(&self, before: &Self, upstream: Asn) -> f64 {
        let (now, then) = (self.away(upstream), before.away(upstream));
        if now.len().min(then.len()) < FEWEST {
            return 0.0;
        }
        let both = now.iter().filter_map(|(cluster, away)| Some(away * then.get(cluster)?));
        let product: f64 = both.sum();
        let size = |away: &BTreeMap<_, f64>| away.values().map(|away| away * away).sum::<f64>().sqrt();
        let sizes = size(&now) * size(&then);
        if sizes > 0.0 { (product / sizes).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// Of each cluster, by how many its traces through an upstream are more than the share of all of them.
    fn away(&self, upstream: Asn) -> BTreeMap<Cluster<'a>, f64> {
        let shares = self.through(upstream);
        let mut all = Share::default();
        for share in &shares {
            all.add(*share);
        }
        let of_all = float(all.part) / float(all.whole).max(1.0);
        let away = shares.iter().map(|share| float(share.part) - of_all * float(share.whole));
        self.upstreams.keys().copied().zip(away).collect()
    }

    /// The traces through an upstream, cluster by cluster.
    pub(super) fn through(&self, upstream: Asn) -> Vec<Share> {
        let share = |by_upstream: &BTreeMap<Asn, u64>| Share {
            part: by_upstream.get(&upstream).copied().unwrap_or_default(),
            whole: by_upstream.values().sum(),
        };
        self.upstreams.values().map(share).collect()
    }

    /// The same for one that none went through.
    pub(super) fn through_none(&self) -> Vec<Share> {
        self.upstreams
            .values()
            .map(|by_upstream| Share { part: 0, whole: by_upstream.values().sum() })
            .collect()
    }
}

fn target<'a>(route: &Route<'a>) -> Target<'a> {
    (route.vantage(), route.flow().target)
}

/// A route of each flow, with its traces by upstream.
type ByFlow<'a> = Keyed<u32, (Route<'a>, BTreeMap<Asn, u64>)>;

fn by_flow<'a>(told: impl Iterator<Item = Route<'a>>) -> ByFlow<'a> {
    let mut flows = ByFlow::default();
    for route in told {
        let Ok(upstream) = route.upstream() else { continue };
        let (_, upstreams) = flows.entry(route.flow_number()).or_insert_with(|| (route, BTreeMap::new()));
        let traces = upstreams.entry(upstream.asn).or_default();
        *traces = traces.saturating_add(1);
    }
    flows
}

fn gathered<'a, K: Ord>(
    flows: &ByFlow<'a>,
    key: impl Fn(&Route<'a>) -> K,
) -> BTreeMap<K, BTreeMap<Asn, u64>> {
    let mut clusters: BTreeMap<K, BTreeMap<Asn, u64>> = BTreeMap::new();
    for (route, upstreams) in flows.values() {
        let cluster = clusters.entry(key(route)).or_default();
        for (upstream, more) in upstreams {
            let traces = cluster.entry(*upstream).or_default();
            *traces = traces.saturating_add(*more);
        }
    }
    clusters
}

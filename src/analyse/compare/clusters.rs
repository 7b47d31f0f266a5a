//! Which traces stand together where a share of flows is reckoned with.
//!
//! The same flows are traced in every round, so the rounds of a flow are no samples of their own; nor are the flows of
//! a target where a balancer goes by destination. So what counts as one are whole targets where there are
//! enough of them, or where all flows to each go one way while targets differ; elsewhere, flows.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::found::PinnedFlow;
use super::interval::Share;
use super::routes::Route;
use crate::analyse::diversity::FEWEST;
use crate::model::{Asn, Name};

type Target<'a> = (&'a Name, IpAddr);

/// Traces whose upstream is told, in clusters.
#[derive(Clone, Debug)]
pub(super) struct Clusters {
    /// Of each cluster, its traces by upstream.
    upstreams: Vec<BTreeMap<Asn, u64>>,
}

impl Clusters {
    pub(super) fn new(told: &[&Route]) -> Self {
        let targets = gathered(told, target);
        let flows = gathered(told, |route| (target(route), PinnedFlow::of(route)));
        let whole_targets = targets.len() >= FEWEST || speak_as_one(&targets, flows.len());
        let clusters =
            if whole_targets { targets.into_values().collect() } else { flows.into_values().collect() };
        Self { upstreams: clusters }
    }

    /// The traces through an upstream, cluster by cluster.
    pub(super) fn through(&self, upstream: Asn) -> Vec<Share> {
        let share = |by_upstream: &BTreeMap<Asn, u64>| Share {
            part: by_upstream.get(&upstream).copied().unwrap_or_default(),
            whole: by_upstream.values().sum(),
        };
        self.upstreams.iter().map(share).collect()
    }

    /// The same for one that none went through.
    pub(super) fn through_none(&self) -> Vec<Share> {
        self.upstreams
            .iter()
            .map(|by_upstream| Share { part: 0, whole: by_upstream.values().sum() })
            .collect()
    }
}

fn target(route: &Route) -> Target<'_> {
    (&route.key.vantage, route.key.target)
}

fn gathered<'a, K: Ord>(
    told: &[&'a Route],
    key: impl Fn(&'a Route) -> K,
) -> BTreeMap<K, BTreeMap<Asn, u64>> {
    let mut clusters: BTreeMap<K, BTreeMap<Asn, u64>> = BTreeMap::new();
    for route in told {
        if let Ok(upstream) = route.upstream {
            let traces = clusters.entry(key(route)).or_default().entry(upstream.asn).or_default();
            *traces = traces.saturating_add(1);
        }
    }
    clusters
}

fn speak_as_one(targets: &BTreeMap<Target<'_>, BTreeMap<Asn, u64>>, flows: usize) -> bool {
    let several = flows > targets.len();
    let ways: BTreeSet<Option<&Asn>> = targets.values().map(|upstreams| upstreams.keys().next()).collect();
    several && targets.values().all(|upstreams| upstreams.len() == 1) && ways.len() > 1
}

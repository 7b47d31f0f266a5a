//! The pinned flows of a vantage as series: what each of them showed, trace by trace.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::super::routes::Route;
use super::way::{Crossing, Followed, Way};
use crate::model::{Asn, FlowId, Keyed, Name, Port, Protocol, RoundId, Unit, WallTime};

/// A flow as it is asked in every round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinnedFlow {
    /// Towards which address.
    pub target: IpAddr,
    /// In what it is carried.
    pub protocol: Protocol,
    /// The destination port; `None` for ICMP.
    pub port: Option<Port>,
    /// The flow.
    pub flow: FlowId,
}

/// What one trace of a flow showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sighting {
    /// Index of the flow.
    pub(super) flow: usize,
    /// Index of the way.
    way: usize,
    /// When its first probe was sent.
    begun: WallTime,
    /// When its last answered probe was sent.
    heard: WallTime,
    round: RoundId,
}

/// What one trace of a flow says about one link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) flow: usize,
    pub(super) way: usize,
    pub(super) begun: WallTime,
    pub(super) heard: WallTime,
    pub(super) round: RoundId,
    pub(super) used: bool,
}

/// The traces of one vantage, towards one unit or towards all.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) flows: Vec<(Unit, PinnedFlow)>,
    pub(super) ways: Vec<Way>,
    /// In the order of time.
    sightings: Vec<Sighting>,
}

impl Series {
    pub(super) fn new<'a>(
        routes: impl Iterator<Item = &'a Route<'a>> + Clone,
        followed: &Followed,
    ) -> Self {
        let mut flows: Keyed<(Unit, PinnedFlow), usize> = Keyed::default();
        for route in routes.clone() {
            flows.insert((route.trace.unit, PinnedFlow::of(route)), 0);
        }
        let mut in_order: Vec<(Unit, PinnedFlow)> = flows.keys().copied().collect();
        in_order.sort_unstable();
        flows.extend(in_order.iter().copied().zip(0..));
        let mut ways = Numbered { followed, known: Keyed::default(), ways: Vec::new() };
        let sighting = |route: &Route| Sighting {
            flow: flows.get(&(route.trace.unit, PinnedFlow::of(route))).copied().unwrap_or_default(),
            way: ways.number(route),
            begun: route.sent.0,
            heard: route.heard(),
            round: route.key().round,
        };
        let mut sightings: Vec<Sighting> = routes.map(sighting).collect();
        // No flow is traced twice in a round.
        sightings.sort_unstable_by_key(|seen| (seen.begun, seen.round, seen.flow));
        Self { flows: in_order, ways: ways.ways, sightings }
    }

    /// All links that any trace crossed.
    pub(super) fn links(&self) -> BTreeSet<Crossing> {
        self.ways.iter().flat_map(|way| way.links.iter().copied()).collect()
    }

    /// What the traces say about a link, in the order of time; those that cannot tell are left out.
    pub(super) fn looks(&self, link: Crossing) -> Vec<Look> {
        let used: Vec<Option<bool>> = self.ways.iter().map(|way| way.used(link)).collect();
        let look = |seen: &Sighting| {
            let used = used.get(seen.way).copied().flatten()?;
            let Sighting { flow, way, begun, heard, round } = *seen;
            Some(Look { flow, way, begun, heard, round, used })
        };
        self.sightings.iter().filter_map(look).collect()
    }
}

/// Ways, each numbered once: traces that go the same way share their walk.
struct Numbered<'a> {
    followed: &'a Followed,
    /// By where the walk stands in memory, and what else decides.
    known: Keyed<(usize, Option<Asn>, Option<Asn>), usize>,
    ways: Vec<Way>,
}

impl Numbered<'_> {
    fn number(&mut self, route: &Route<'_>) -> usize {
        let upstream = route.upstream.ok().map(|upstream| upstream.asn);
        let key = (Arc::as_ptr(&route.walk).addr(), upstream, route.origin);
        let (ways, followed) = (&mut self.ways, self.followed);
        *self.known.entry(key).or_insert_with(|| {
            ways.push(Way::new(route, followed));
            ways.len().saturating_sub(1)
        })
    }
}

impl PinnedFlow {
    /// The flow that a trace follows.
    pub(in super::super) fn of(route: &Route) -> Self {
        let key = route.key();
        Self { target: key.target, protocol: key.protocol, port: key.port, flow: key.flow }
    }
}

/// The routes of each vantage.
pub(super) fn by_vantage<'a>(routes: &'a [Route<'a>]) -> BTreeMap<&'a Name, Vec<&'a Route<'a>>> {
    let mut by_vantage: BTreeMap<&Name, Vec<&Route>> = BTreeMap::new();
    for route in routes {
        by_vantage.entry(&route.key().vantage).or_default().push(route);
    }
    by_vantage
}

//! The pinned flows of a vantage as series: what each of them showed, trace by trace.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::routes::Route;
use super::node::Node;
use super::way::{Crossing, Followed, Way};
use crate::model::{Asn, FlowId, Keyed, Port, Protocol, RoundId, Unit, WallTime};

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
    flow: u32,
    /// Index of the way.
    way: u32,
    /// When its first probe was sent.
    begun: WallTime,
    /// When its last answered probe was sent.
    heard: WallTime,
    round: RoundId,
}

/// That one trace says something about one link: which, and what. Of a long campaign there are millions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    sighting: u32,
    flow: u32,
    pub(super) used: bool,
}

impl Glance {
    /// The index of the flow.
    pub(super) fn flow(self) -> usize {
        usize::try_from(self.flow).unwrap_or(usize::MAX)
    }
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
#[derive(Clone, Debug)]
pub(super) struct Series<N> {
    pub(super) flows: Vec<(Unit, PinnedFlow)>,
    pub(super) ways: Vec<Way<N>>,
    /// In the order of time.
    sightings: Vec<Sighting>,
}

impl<N: Node> Series<N> {
    pub(super) fn new<'a>(routes: impl Iterator<Item = Route<'a>> + Clone, followed: &Followed<N>) -> Self {
        let mut flows: Keyed<(Unit, u32), (PinnedFlow, u32)> = Keyed::default();
        for route in routes.clone() {
            flows.entry((route.unit(), route.flow_number())).or_insert((*route.flow(), 0));
        }
        let mut in_order: Vec<((Unit, PinnedFlow), &mut u32)> =
            flows.iter_mut().map(|((unit, _), (flow, place))| ((*unit, *flow), place)).collect();
        in_order.sort_unstable();
        for ((_, place), number) in in_order.iter_mut().zip(0..) {
            **place = number;
        }
        let in_order = in_order.into_iter().map(|(flow, _)| flow).collect();
        let mut ways = Numbered { followed, known: Keyed::default(), ways: Vec::new() };
        let sighting = |route: Route<'_>| Sighting {
            flow: flows
                .get(&(route.unit(), route.flow_number()))
                .map(|(_, place)| *place)
                .unwrap_or_default(),
            way: ways.number(route),
            begun: route.sent.0,
            heard: route.heard(),
            round: route.round(),
        };
        let mut sightings: Vec<Sighting> = routes.map(sighting).collect();
        // No flow is traced twice in a round.
        sightings.sort_unstable_by_key(|seen| (seen.begun, seen.round, seen.flow));
        Self { flows: in_order, ways: ways.ways, sightings }
    }

    /// All links that any trace crossed.
    pub(super) fn links(&self) -> BTreeSet<Crossing<N>> {
        self.ways.iter().flat_map(|way| way.links.iter().copied()).collect()
    }

    /// What the traces say about a link, in the order of time; those that cannot tell are left out. Nothing if all say the
    /// same.
    pub(super) fn glances(&self, link: Crossing<N>) -> Vec<Glance> {
        let used: Vec<Option<bool>> = self.ways.iter().map(|way| way.used(link)).collect();
        if ![true, false].iter().all(|one| used.contains(&Some(*one))) {
            return Vec::new();
        }
        let glance = |(sighting, seen): (u32, &Sighting)| {
            let used = used.get(usize::try_from(seen.way).ok()?).copied().flatten()?;
            Some(Glance { sighting, flow: seen.flow, used })
        };
        (0..).zip(&self.sightings).filter_map(glance).collect()
    }

    /// The same in full.
    pub(super) fn look(&self, glance: Glance) -> Option<Look> {
        let Sighting { flow, way, begun, heard, round } =
            *self.sightings.get(usize::try_from(glance.sighting).ok()?)?;
        let (flow, way) = (usize::try_from(flow).ok()?, usize::try_from(way).ok()?);
        Some(Look { flow, way, begun, heard, round, used: glance.used })
    }
}

/// Ways, each numbered once: traces that go the same way share their steps.
struct Numbered<'a, N> {
    followed: &'a Followed<N>,
    /// By where the steps stand in memory, and what else decides.
    known: Keyed<(usize, Option<Asn>, Option<Asn>), u32>,
    ways: Vec<Way<N>>,
}

impl<N: Node> Numbered<'_, N> {
    fn number(&mut self, route: Route<'_>) -> u32 {
        let upstream = route.upstream().ok().map(|upstream| upstream.asn);
        let key = (N::shared(&route), upstream, route.origin());
        let (ways, followed) = (&mut self.ways, self.followed);
        *self.known.entry(key).or_insert_with(|| {
            let number = u32::try_from(ways.len()).unwrap_or(u32::MAX);
            ways.push(Way::new(&route, followed));
            number
        })
    }
}

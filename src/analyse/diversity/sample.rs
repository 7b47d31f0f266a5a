//! The traced flows of a unit, as something that was drawn: each flow with the ways that it took, epoch by epoch.
//!
//! A flow is a sample of the network; that it is traced again in every round makes it no second one. So whatever
//! is resampled or counted as effort is flows, with all their rounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::complete::{Route, representatives};
use crate::model::{Asn, FlowId, Keyed, Name, Port, Protocol, WallTime};

/// A way that traces took of which the upstream is told.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    /// Who measured.
    pub vantage: &'a Name,
    /// The neighbour of the origin through which it came.
    pub upstream: Asn,
    /// The AS of the vantage, where known, and the origin: the ends of the way.
    pub ends: (Option<Asn>, Option<Asn>),
    /// The ASes on the way, both ends included.
    pub ases: Vec<Asn>,
    /// The routers, silent ones as `None`, without the target and without silence at the end.
    pub routers: &'a [Option<IpAddr>],
    /// At which TTL the target answered.
    pub arrival: Option<u8>,
}

/// A trace that took it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// The index of its way.
    pub way: usize,
    /// Towards which address.
    pub target: IpAddr,
    /// Along which flow.
    pub flow: (Protocol, Option<Port>, FlowId),
    /// The index of its epoch.
    pub epoch: usize,
    /// When it began.
    pub at: WallTime,
    /// The shortest round-trip time of the target's answers, if one counts.
    pub rtt: Option<Duration>,
}

/// What is kept of it: its epoch, when it began, the index of its way or of the kind of that, and the round-trip time.
type Seen = (usize, WallTime, usize, Option<Duration>);

/// All flows of a unit.
#[derive(Clone, Debug)]
pub struct Sample<'a> {
    pub(super) vantages: Vec<&'a Name>,
    pub(super) kinds: Vec<Kind>,
    pub(super) flows: Vec<Flow>,
    /// The ASes between the ends of any way.
    pub(super) crossed: Vec<Asn>,
    pub(super) upstreams: Vec<Asn>,
    pub(super) epochs: usize,
}

/// A way that traces of one vantage took: routers, ASes and upstream.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    pub(super) vantage: usize,
    pub(super) upstream: usize,
    /// Which sequence of addresses, and which of ASes.
    pub(super) address_path: usize,
    pub(super) as_path: usize,
    /// Which sequence of routers, addresses on one taken for one; `None` where of no address is known on which it is.
    pub(super) router_path: Option<usize>,
    pub(super) routers: Vec<Option<IpAddr>>,
    pub(super) arrived: bool,
    pub(super) ases: Vec<Asn>,
    pub(super) own: Option<Asn>,
    /// Indices of the ASes between its ends.
    pub(super) crossed: BTreeSet<usize>,
}

/// A flow.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) vantage: usize,
    pub(super) target: IpAddr,
    /// One entry an epoch.
    pub(super) cells: Vec<Cell>,
}

/// What a flow showed in an epoch.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    /// How many traces took each kind of way.
    pub(super) kinds: BTreeMap<usize, f64>,
    pub(super) sums: Sums,
}

/// What is added up over traces.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Traces behind another of the same flow and epoch, and those that went the same way as it.
    pub(super) followed: f64,
    pub(super) same_addresses: f64,
    pub(super) same_ases: f64,
    /// Traces that arrived, their hops, and these in parts of the fewest towards the same target.
    pub(super) arrived: f64,
    pub(super) hops: f64,
    pub(super) stretch: f64,
    /// Traces with a round-trip time, these in parts of the shortest towards the same target.
    pub(super) timed: f64,
    pub(super) slowness: f64,
}

/// What names a flow: vantage, target, and how it is carried.
type FlowKey<'a> = (&'a Name, IpAddr, (Protocol, Option<Port>, FlowId));

impl<'a> Sample<'a> {
    /// The sample of traces that took these ways, in whatever order they come.
    #[must_use]
    pub fn new(ways: &[Way<'a>], sightings: impl IntoIterator<Item = Sighting>, epochs: usize) -> Self {
        let vantages: Vec<&Name> = in_order(ways.iter().map(|way| way.vantage));
        let upstreams = in_order(ways.iter().map(|way| way.upstream));
        let crossed = in_order(ways.iter().flat_map(between));
        let mut sample =
            Self { vantages, kinds: Vec::new(), flows: Vec::new(), crossed, upstreams, epochs };
        let mut traces = vec![0_usize; ways.len()];
        let mut flows: Keyed<FlowKey<'a>, Vec<Seen>> = Keyed::default();
        for Sighting { way, target, flow, epoch, at, rtt } in sightings {
            let Some((taken, count)) = ways.get(way).zip(traces.get_mut(way)) else { continue };
            *count = count.saturating_add(1);
            flows.entry((taken.vantage, target, flow)).or_default().push((epoch, at, way, rtt));
        }
        let kinds = sample.intern(ways, &traces);
        sample.fill(flows, ways, &kinds);
        sample
    }

    /// The same sample, with what is known of routers: by which address that of an address is named.
    #[must_use]
    pub fn joined(mut self, router: impl Fn(IpAddr) -> IpAddr) -> Self {
        let joined = |kind: &Kind| {
            let routers: Vec<Option<IpAddr>> =
                kind.routers.iter().map(|address| address.map(&router)).collect();
            (routers, kind.arrived)
        };
        let paths = in_order(self.kinds.iter().map(joined));
        for kind in &mut self.kinds {
            kind.router_path = Some(place(&paths, &joined(kind)));
        }
        self
    }

    /// The index of each way's kind; so many traces took each.
    fn intern(&mut self, ways: &[Way<'a>], traces: &[usize]) -> Vec<usize> {
        let routes: Vec<(Route, usize)> =
            ways.iter().zip(traces).map(|(way, traces)| (Route::new(way), *traces)).collect();
        let taken_for = representatives(&routes);
        let shown: Vec<&Route> =
            routes.iter().map(|(route, _)| taken_for.get(route).unwrap_or(route)).collect();
        let address_paths: Vec<&Route> = in_order(shown.iter().copied());
        let as_paths = in_order(ways.iter().map(|way| &way.ases));
        let key = |(way, route): (&Way<'a>, &&Route)| {
            let (address_path, as_path) = (place(&address_paths, route), place(&as_paths, &&way.ases));
            (place(&self.vantages, &way.vantage), way.upstream, address_path, as_path)
        };
        let keys: Vec<_> = ways.iter().zip(&shown).map(key).collect();
        let known = in_order(keys.iter().copied());
        let indices: Vec<usize> = keys.iter().map(|key| place(&known, key)).collect();
        let mut kinds: BTreeMap<usize, Kind> = BTreeMap::new();
        for (((index, key), way), route) in indices.iter().zip(&keys).zip(ways).zip(&shown) {
            kinds.entry(*index).or_insert_with(|| self.kind(*key, way, route));
        }
        self.kinds = kinds.into_values().collect();
        indices
    }

    fn kind(
        &self,
        (vantage, upstream, address_path, as_path): (usize, Asn, usize, usize),
        way: &Way<'_>,
        route: &Route,
    ) -> Kind {
        Kind {
            vantage,
            upstream: place(&self.upstreams, &upstream),
            address_path,
            as_path,
            router_path: None,
            routers: route.routers.clone(),
            arrived: route.closed,
            ases: way.ases.clone(),
            own: way.ends.0,
            crossed: between(way).map(|asn| place(&self.crossed, &asn)).collect(),
        }
    }

    fn fill(&mut self, flows: Keyed<FlowKey<'a>, Vec<Seen>>, ways: &[Way<'a>], kinds: &[usize]) {
        let ttl = |way: usize| ways.get(way).and_then(|way| way.arrival);
        let mut least: BTreeMap<(&Name, IpAddr), (f64, f64)> = BTreeMap::new();
        for ((vantage, target, _), seen) in &flows {
            let least = least.entry((*vantage, *target)).or_insert((f64::MAX, f64::MAX));
            for (_, _, way, rtt) in seen {
                if let Some(ttl) = ttl(*way) {
                    least.0 = least.0.min(f64::from(ttl));
                    least.1 = least.1.min(rtt.map_or(f64::MAX, |rtt| rtt.as_secs_f64()));
                }
            }
        }
        let mut flows: Vec<(FlowKey<'a>, Vec<Seen>)> = flows.into_iter().collect();
        flows.sort_unstable_by_key(|(key, _)| *key);
        for ((vantage, target, _), mut seen) in flows {
            let kind = |way: usize| kinds.get(way).copied().unwrap_or_default();
            seen.sort_by_key(|(epoch, at, way, _)| (*epoch, *at, kind(*way)));
            let least = least.get(&(vantage, target)).copied().unwrap_or((f64::MAX, f64::MAX));
            let mut cells = vec![Cell::default(); self.epochs];
            let mut before: Option<(usize, usize)> = None;
            for (epoch, _, way, rtt) in seen {
                let (kind, arrival) = (kind(way), ttl(way).map(|ttl| (ttl, rtt)));
                let Some(cell) = cells.get_mut(epoch) else { continue };
                let earlier = before.filter(|(earlier, _)| *earlier == epoch).map(|(_, kind)| kind);
                cell.add((kind, earlier), arrival, (least, &self.kinds));
                before = Some((epoch, kind));
            }
            self.flows.push(Flow { vantage: place(&self.vantages, &vantage), target, cells });
        }
    }

    /// The flows that were traced in an epoch.
    pub(super) fn traced(&self, epoch: usize) -> impl Iterator<Item = &Cell> {
        let cells = self.flows.iter().filter_map(move |flow| flow.cells.get(epoch));
        cells.filter(|cell| !cell.kinds.is_empty())
    }
}

impl Cell {
    fn add(
        &mut self,
        (kind, earlier): (usize, Option<usize>),
        arrival: Option<(u8, Option<Duration>)>,
        ((fewest, shortest), kinds): ((f64, f64), &[Kind]),
    ) {
        *self.kinds.entry(kind).or_default() += 1.0;
        let sums = &mut self.sums;
        if let Some((before, now)) = earlier.and_then(|before| kinds.get(before)).zip(kinds.get(kind)) {
            sums.followed += 1.0;
            sums.same_addresses += f64::from(u8::from(before.address_path == now.address_path));
            sums.same_ases += f64::from(u8::from(before.as_path == now.as_path));
        }
        if let Some((ttl, rtt)) = arrival {
            sums.arrived += 1.0;
            sums.hops += f64::from(ttl);
            sums.stretch += f64::from(ttl) / fewest;
            if let Some(rtt) = rtt.filter(|_| shortest > 0.0) {
                sums.timed += 1.0;
                sums.slowness += rtt.as_secs_f64() / shortest;
            }
        }
    }

    /// Traces.
    pub(super) fn traces(&self) -> f64 {
        self.kinds.values().sum()
    }
}

impl Sums {
    pub(super) fn add(&mut self, other: &Self, weight: f64) {
        self.followed += weight * other.followed;
        self.same_addresses += weight * other.same_addresses;
        self.same_ases += weight * other.same_ases;
        self.arrived += weight * other.arrived;
        self.hops += weight * other.hops;
        self.stretch += weight * other.stretch;
        self.timed += weight * other.timed;
        self.slowness += weight * other.slowness;
    }
}

/// The ASes of a way but for its ends.
fn between<'s>(way: &'s Way<'_>) -> impl Iterator<Item = Asn> + 's {
    let (own, origin) = way.ends;
    way.ases.iter().copied().filter(move |asn| Some(*asn) != own && Some(*asn) != origin)
}

fn in_order<T: Ord>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<BTreeSet<T>>().into_iter().collect()
}

/// Where a thing stands in a list in ascending order that holds it.
fn place<T: Ord>(list: &[T], item: &T) -> usize {
    list.binary_search(item).unwrap_or_default()
}

/// The mean of a sum; `None` over nothing.
pub(super) fn mean(sum: f64, number: f64) -> Option<f64> {
    (number > 0.0).then(|| sum / number)
}

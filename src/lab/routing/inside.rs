//! Routes inside an AS: shortest paths by the links' costs, keeping all ties, and from each router the way
//! out to each neighbour AS by the nearest border router ("hot potato").

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use crate::lab::scenario::{AsIndex, LinkIndex, RouterIndex};
use crate::lab::topology::Topology;
use crate::model::MonoTime;

/// The routes of one AS.
#[derive(Debug, Default)]
pub(super) struct Inside {
    distances: BTreeMap<RouterIndex, Distances>,
    towards: HashMap<(RouterIndex, RouterIndex), Vec<LinkIndex>>,
    out_to: BTreeMap<AsIndex, Exits>,
}

/// The ways out to one neighbour AS.
#[derive(Debug)]
struct Exits {
    borders: Borders,
    /// From each router, once they are asked for: a large AS has many neighbours.
    ways: OnceCell<BTreeMap<RouterIndex, Vec<LinkIndex>>>,
}

/// The routers with links right into a neighbour AS, and these links.
type Borders = BTreeMap<RouterIndex, Vec<LinkIndex>>;

/// How far every router of an AS is from one of them.
type Distances = BTreeMap<RouterIndex, u64>;

impl Inside {
    pub(super) fn new(topology: &Topology, asys: AsIndex, at: MonoTime) -> Self {
        let members = topology.members(asys).iter().copied();
        let exits = |borders| Exits { borders, ways: OnceCell::new() };
        let borders = borders(topology, at, members.clone()).into_iter();
        let mut inside = Self {
            distances: members.map(|to| (to, distances(topology, at, to))).collect(),
            towards: HashMap::new(),
            out_to: borders.map(|(neighbour, borders)| (neighbour, exits(borders))).collect(),
        };
        let distances = std::mem::take(&mut inside.distances);
        for (to, from_to) in &distances {
            inside.ways_to(topology, at, *to, from_to);
        }
        inside.distances = distances;
        inside
    }

    pub(super) fn towards(&self, from: RouterIndex, to: RouterIndex) -> &[LinkIndex] {
        self.towards.get(&(from, to)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn out_to(&self, from: RouterIndex, neighbour: AsIndex) -> Option<&[LinkIndex]> {
        let Exits { borders, ways } = self.out_to.get(&neighbour)?;
        let way = |from: &RouterIndex| (*from, self.way_out(*from, borders));
        let ways = ways.get_or_init(|| self.distances.keys().map(way).collect());
        ways.get(&from).map(Vec::as_slice)
    }

    fn ways_to(&mut self, topology: &Topology, at: MonoTime, to: RouterIndex, distances: &Distances) {
        for (from, distance) in distances.iter().filter(|(from, _)| **from != to) {
            let shortest = inner_links(topology, at, *from).filter(|(_, cost, next)| {
                distances.get(next).is_some_and(|rest| rest.saturating_add(*cost) == *distance)
            });
            self.towards.insert((*from, to), shortest.map(|(link, _, _)| link).collect());
        }
    }

    /// Right out, if there is a link; else towards the nearest border routers.
    fn way_out(&self, from: RouterIndex, borders: &Borders) -> Vec<LinkIndex> {
        if let Some(links) = borders.get(&from) {
            return links.clone();
        }
        let reach = |border: &RouterIndex| self.distances.get(border)?.get(&from).copied();
        let Some(nearest) = borders.keys().filter_map(reach).min() else { return Vec::new() };
        let nearest = borders.keys().filter(|border| reach(border) == Some(nearest));
        let links: BTreeSet<LinkIndex> =
            nearest.flat_map(|border| self.towards(from, *border)).copied().collect();
        links.into_iter().collect()
    }
}

/// Dijkstra 1959, over the links inside the AS that are there.
fn distances(topology: &Topology, at: MonoTime, to: RouterIndex) -> Distances {
    let mut distances = Distances::new();
    let mut queue = BinaryHeap::from([Reverse((0_u64, to))]);
    while let Some(Reverse((distance, router))) = queue.pop() {
        if distances.contains_key(&router) {
            continue;
        }
        distances.insert(router, distance);
        for (_, cost, next) in inner_links(topology, at, router) {
            queue.push(Reverse((distance.saturating_add(cost), next)));
        }
    }
    distances
}

/// The links of a router that stay in its AS, with their costs and far ends.
fn inner_links(
    topology: &Topology,
    at: MonoTime,
    router: RouterIndex,
) -> impl Iterator<Item = (LinkIndex, u64, RouterIndex)> {
    let there = topology.ports(router).iter().filter(move |link| topology.is_up(**link, at));
    there.filter_map(move |index| {
        let link = topology.link(*index)?;
        let next = link.other_end(router)?;
        let inner = topology.home(next) == topology.home(router);
        inner.then_some((*index, u64::from(link.cost), next))
    })
}

/// For each neighbour AS, the routers with links right into it, and these links.
fn borders(
    topology: &Topology,
    at: MonoTime,
    routers: impl Iterator<Item = RouterIndex>,
) -> BTreeMap<AsIndex, BTreeMap<RouterIndex, Vec<LinkIndex>>> {
    let mut borders: BTreeMap<AsIndex, BTreeMap<RouterIndex, Vec<LinkIndex>>> = BTreeMap::new();
    for router in routers {
        for index in topology.ports(router).iter().filter(|index| topology.is_up(**index, at)) {
            let far = topology.link(*index).and_then(|link| link.other_end(router));
            let Some(neighbour) = far.and_then(|far| topology.home(far)) else { continue };
            if topology.home(router) != Some(neighbour) {
                borders.entry(neighbour).or_default().entry(router).or_default().push(*index);
            }
        }
    }
    borders
}

//! Routes of all ASes to one origin, worked out from the best to the worst.
//!
//! Whoever hears of a route has one that is less wanted or longer than the teller's. So when all better routes are
//! settled the next best is final: every AS is settled once, and each link looked at once from either side.

use std::collections::BTreeSet;

use super::graph::{Node, Side, Topology};
use super::key::{Key, Ties, Want};
use super::loss::Write;
use super::queue::Queue;
use crate::model::Asn;

/// Nobody comes next.
pub(super) const NOBODY: Node = Node::MAX;

/// Who announces, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The origin.
    pub origin: Asn,
    /// The only neighbours that it tells; `None` if all.
    pub only_to: Option<BTreeSet<Asn>>,
}

impl Announcement {
    /// An origin that tells all its neighbours.
    #[must_use]
    pub const fn of(origin: Asn) -> Self {
        Self { origin, only_to: None }
    }
}

/// A route of an AS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// From whom it was learnt; `None` at the origin.
    pub want: Option<Want>,
    /// Links up to the origin.
    pub length: u32,
    /// The neighbour that comes next; `None` at the origin.
    pub next: Option<Asn>,
}

/// The routes of all ASes to one origin.
#[derive(Clone, Debug)]
pub struct Routes<'t> {
    pub(super) topology: &'t Topology,
    pub(super) origin: Node,
    pub(super) ties: Ties,
    pub(super) keys: Vec<Key>,
    pub(super) next: Vec<Node>,
    pub(super) queue: Queue,
    /// Links that are lost, from both ends.
    pub(super) lost: BTreeSet<(Node, Node)>,
    /// ASes some of whose neighbours are not told.
    pub(super) restrained: Vec<bool>,
    only_to: Option<BTreeSet<Node>>,
    /// What was written since the last loss.
    pub(super) written: Vec<Write>,
    /// Which ASes were counted in the count that has the present stamp.
    pub(super) stamps: Vec<u32>,
    pub(super) stamp: u32,
}

impl<'t> Routes<'t> {
    /// The routes to an origin; `None` if the topology has no such AS.
    #[must_use]
    pub fn to(topology: &'t Topology, announcement: &Announcement, ties: Ties) -> Option<Self> {
        let origin = topology.node(announcement.origin)?;
        let only_to = announcement.only_to.as_ref();
        let only_to = only_to.map(|only| only.iter().filter_map(|asn| topology.node(*asn)).collect());
        let mut routes = Self {
            topology,
            origin,
            ties,
            keys: vec![Key::NONE; topology.len()],
            next: vec![NOBODY; topology.len()],
            queue: Queue::default(),
            lost: BTreeSet::new(),
            restrained: vec![false; topology.len()],
            only_to,
            written: Vec::new(),
            stamps: vec![0; topology.len()],
            stamp: 0,
        };
        routes.restrain(origin, routes.only_to.is_some());
        routes.set(origin, Key::ORIGIN, NOBODY);
        routes.tell(origin);
        routes.settle();
        routes.written.clear();
        Some(routes)
    }

    /// The route of an AS; `None` if it has none.
    #[must_use]
    pub fn route(&self, asn: Asn) -> Option<Route> {
        let node = self.topology.node(asn)?;
        let key = self.key(node);
        let next = self.topology.asn(self.next(node));
        key.is_route().then(|| Route { want: key.want(), length: key.length(), next })
    }

    /// The ASes of the way from an AS to the origin, both included; `None` if it has no route.
    #[must_use]
    pub fn path(&self, asn: Asn) -> Option<Vec<Asn>> {
        let start = self.topology.node(asn).filter(|node| self.key(*node).is_route())?;
        self.way(start).map(|node| self.topology.asn(node)).collect()
    }

    /// The topology that they are in.
    #[must_use]
    pub fn topology(&self) -> &'t Topology {
        self.topology
    }

    /// The origin.
    #[must_use]
    pub fn origin(&self) -> Option<Asn> {
        self.topology.asn(self.origin)
    }

    pub(super) fn way(&self, start: Node) -> impl Iterator<Item = Node> + '_ {
        std::iter::successors(Some(start), |node| Some(self.next(*node)).filter(|next| *next != NOBODY))
    }

    pub(super) fn key(&self, node: Node) -> Key {
        self.keys.get(node as usize).copied().unwrap_or(Key::NONE)
    }

    pub(super) fn next(&self, node: Node) -> Node {
        self.next.get(node as usize).copied().unwrap_or(NOBODY)
    }

    pub(super) fn restrain(&mut self, node: Node, restrained: bool) {
        if let Some(place) = self.restrained.get_mut(node as usize) {
            *place = restrained;
        }
    }

    /// Settles everybody who waits, the best first, and whoever hears of them.
    pub(super) fn settle(&mut self) {
        for want in Queue::wants() {
            let mut length = 0;
            while length < self.queue.lengths(want) && !self.queue.is_empty() {
                let nodes = self.queue.take(want, length);
                for node in &nodes {
                    let key = self.key(*node);
                    if key.want() == Some(want) && key.length() as usize == length {
                        self.tell(*node);
                    }
                }
                self.queue.give_back(want, length, nodes);
                length = length.saturating_add(1);
            }
        }
    }

    /// Tells the neighbours of an AS of its route, those who may know.
    pub(super) fn tell(&mut self, from: Node) {
        let (topology, key) = (self.topology, self.key(from));
        if key.goes_up() {
            self.tell_all(from, topology.side(from, Side::Providers), key.told(Want::Customer));
            self.tell_all(from, topology.side(from, Side::Peers), key.told(Want::Peer));
        }
        self.tell_all(from, topology.side(from, Side::Customers), key.told(Want::Provider));
        self.tell_all(from, topology.side(from, Side::Siblings), key.told_to_sibling());
    }

    fn tell_all(&mut self, from: Node, neighbours: &[Node], told: Key) {
        let restrained = self.restrained.get(from as usize).copied().unwrap_or(false);
        for to in neighbours {
            if !restrained || self.tells(from, *to) {
                self.hear(*to, from, told);
            }
        }
    }

    /// Whether an AS that does not tell everybody tells this neighbour.
    pub(super) fn tells(&self, from: Node, to: Node) -> bool {
        let announced =
            from != self.origin || self.only_to.as_ref().is_none_or(|only_to| only_to.contains(&to));
        announced && !self.lost.contains(&(from, to))
    }

    fn hear(&mut self, at: Node, from: Node, told: Key) {
        let current = self.key(at);
        if told > current && !told.ties_with(current) {
            return;
        }
        let offered = told.ranked(self.tie_rank(at, from));
        if (offered, from) < (current, self.next(at)) {
            self.set(at, offered, from);
            if !offered.ties_with(current) {
                self.queue.put(at, offered);
            }
        }
    }

    /// The rank that an AS gives a neighbour. Positions are in the order of numbers.
    pub(super) fn tie_rank(&self, at: Node, from: Node) -> u32 {
        match (self.ties, self.topology.asn(at), self.topology.asn(from)) {
            (Ties::Seeded(seed), Some(at), Some(from)) => Ties::drawn(seed, at, from),
            _ => from,
        }
    }

    pub(super) fn set(&mut self, node: Node, key: Key, next: Node) {
        let place = self.keys.get_mut(node as usize).zip(self.next.get_mut(node as usize));
        if let Some((known, known_next)) = place {
            self.written.push(Write { node, key: *known, next: *known_next });
            (*known, *known_next) = (key, next);
        }
    }
}

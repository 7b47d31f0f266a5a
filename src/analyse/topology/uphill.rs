//! How many ways lead up from an origin to the top that share no AS, and what must be lost to close them all
//! (as Wu and others did in 2007). Every route to or from far away goes over such a way, so it is an upper
//! bound of how many independent lines a network can have, where the relations are right.

use std::collections::BTreeMap;

use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::EdgeRef;

use super::graph::{Node, Side, Topology};
use super::key::Key;
use super::routes::Routes;
use crate::model::Asn;

/// Ways up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uphill {
    /// Neighbours that the origin tells of itself, of whatever kind.
    pub upstreams: u64,
    /// The largest number of ways to the top that share no AS, the one at the top included.
    pub disjoint: u64,
    /// As few ASes, the nearest to the origin, whose loss closes all of them. Other cuts may be as small.
    pub cut: Vec<Asn>,
    /// Whether the origin is at the top itself: then there is nothing to count.
    pub is_at_top: bool,
}

impl Topology {
    /// The ASes at the top: of those without providers the one with the most customers, then each next one that is linked
    /// with all so far.
    #[must_use]
    pub fn top(&self) -> Vec<Asn> {
        let mut top: Vec<Node> = Vec::new();
        for node in self.free_of_providers() {
            let linked = |other: &Node| self.all(node).contains(other);
            if top.iter().all(linked) {
                top.push(node);
            }
        }
        let mut named: Vec<Asn> = top.into_iter().filter_map(|node| self.asn(node)).collect();
        named.sort_unstable();
        named
    }

    fn free_of_providers(&self) -> Vec<Node> {
        let count = |node: &Node| self.side(*node, Side::Customers).len();
        let free = |node: &Node| self.side(*node, Side::Providers).is_empty() && count(node) > 0;
        let mut nodes: Vec<Node> = self.nodes().filter(free).collect();
        nodes.sort_by_key(|node| (std::cmp::Reverse(count(node)), *node));
        nodes
    }
}

impl Routes<'_> {
    /// The ways up from the origin, without what is lost. `top` is [`Topology::top`].
    #[must_use]
    pub fn uphill(&self, top: &[Asn]) -> Uphill {
        let is_top =
            |node: Node| self.topology.asn(node).is_some_and(|asn| top.binary_search(&asn).is_ok());
        let told = self.topology.all(self.origin).iter().filter(|to| self.may_pass(self.origin, **to));
        let upstreams = told.count() as u64;
        if !self.key(self.origin).is_route() || is_top(self.origin) {
            return Uphill { upstreams, is_at_top: is_top(self.origin), ..Uphill::default() };
        }
        let climb = Climb::new(self, &is_top);
        let (disjoint, cut) = climb.cut();
        let cut = cut.into_iter().filter_map(|node| self.topology.asn(node)).collect();
        Uphill { upstreams, disjoint, cut, is_at_top: false }
    }

    fn may_pass(&self, from: Node, to: Node) -> bool {
        self.key(to) != Key::LOST && self.tells(from, to)
    }

    /// Whom an AS passes everything on to: those it pays, and its siblings.
    fn above(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let above = [Side::Providers, Side::Siblings].map(|side| self.topology.side(node, side));
        above.into_iter().flatten().copied().filter(move |to| self.may_pass(node, *to))
    }
}

/// What is above the origin, each AS with an edge through it that one way may use.
struct Climb {
    graph: DiGraph<(), u32>,
    source: NodeIndex,
    sink: NodeIndex,
    through: BTreeMap<EdgeIndex, Node>,
}

const UNLIMITED: u32 = u32::MAX >> 2;

impl Climb {
    fn new(routes: &Routes<'_>, is_top: &impl Fn(Node) -> bool) -> Self {
        let mut graph = DiGraph::new();
        let (source, sink) = (graph.add_node(()), graph.add_node(()));
        let mut climb = Self { graph, source, sink, through: BTreeMap::new() };
        let mut known: BTreeMap<Node, (NodeIndex, NodeIndex)> =
            BTreeMap::from([(routes.origin, (source, source))]);
        let mut open = vec![routes.origin];
        while let Some(node) = open.pop() {
            let Some((_, leave)) = known.get(&node).copied() else { continue };
            if is_top(node) {
                climb.graph.add_edge(leave, sink, UNLIMITED);
                continue;
            }
            for above in routes.above(node) {
                let (enter, _) = *known.entry(above).or_insert_with(|| {
                    open.push(above);
                    climb.add(above)
                });
                climb.graph.add_edge(leave, enter, UNLIMITED);
            }
        }
        climb
    }

    fn add(&mut self, node: Node) -> (NodeIndex, NodeIndex) {
        let (enter, leave) = (self.graph.add_node(()), self.graph.add_node(()));
        let edge = self.graph.add_edge(enter, leave, 1);
        self.through.insert(edge, node);
        (enter, leave)
    }

    /// The largest flow, and the full edges out of what is still within reach of its source (Ford, Fulkerson 1956).
    fn cut(&self) -> (u64, Vec<Node>) {
        let (flow, flows) = dinics(&self.graph, self.source, self.sink);
        let flow_of = |edge: EdgeIndex| flows.get(edge.index()).copied().unwrap_or(0);
        let mut reached = vec![false; self.graph.node_count()];
        let mut open = vec![self.source];
        while let Some(node) = open.pop() {
            let Some(place @ false) = reached.get_mut(node.index()) else { continue };
            *place = true;
            let spare = self.graph.edges(node).filter(|edge| *edge.weight() > flow_of(edge.id()));
            open.extend(spare.map(|edge| edge.target()));
            let back = self.graph.edges_directed(node, petgraph::Direction::Incoming);
            open.extend(back.filter(|edge| flow_of(edge.id()) > 0).map(|edge| edge.source()));
        }
        let is_reached = |node: NodeIndex| reached.get(node.index()).copied().unwrap_or(false);
        let crossed = self.through.iter().filter(|(edge, _)| {
            let ends = self.graph.edge_endpoints(**edge);
            ends.is_some_and(|(enter, leave)| is_reached(enter) && !is_reached(leave))
        });
        (u64::from(flow), crossed.map(|(_, node)| *node).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{link, losses, n, peers, relations, transit, without};
    use super::super::{Announcement, Lost, Routes, Ties};
    use super::*;
    use crate::model::AsRelation;

    fn to(topology: &Topology) -> Routes<'_> {
        Routes::to(topology, &Announcement::of(n(9)), Ties::LowestAsn).unwrap()
    }

    #[test]
    fn two_providers_behind_one_carrier_are_one_line() {
        // 9 buys from 7 and 8, both of which buy from 5 alone; 5 from the top, 1 and 2.
        let all = [
            transit(7, 9),
            transit(8, 9),
            transit(5, 7),
            transit(5, 8),
            transit(1, 5),
            transit(2, 5),
            peers(1, 2),
        ];
        let topology = Topology::of(&all);
        assert_eq!(topology.top(), [1, 2].map(n));
        let mut routes = to(&topology);
        let expected = Uphill { upstreams: 2, disjoint: 1, cut: vec![n(5)], is_at_top: false };
        assert_eq!(routes.uphill(&topology.top()), expected);
        let second = topology.with(&[transit(2, 8)]);
        let uphill = to(&second).uphill(&second.top());
        assert_eq!((uphill.disjoint, uphill.cut), (2, vec![n(7), n(8)]));
        let journal = routes.lose(Lost::Link(link(5, 7)));
        assert_eq!(routes.uphill(&topology.top()).cut, [n(8)]);
        routes.undo(journal);
    }

    #[test]
    fn at_the_top_there_is_nothing_to_count() {
        let topology = Topology::of(&[transit(9, 7), peers(9, 1), transit(1, 3)]);
        let uphill = to(&topology).uphill(&topology.top());
        assert_eq!((uphill.upstreams, uphill.disjoint, uphill.is_at_top), (2, 0, true));
    }

    /// Whether a way leads up over what is left of relations.
    fn climbs(relations: &[AsRelation], origin: Asn, top: &[Asn]) -> bool {
        let mut seen = vec![origin];
        let mut at = 0;
        while let Some(here) = seen.get(at).copied() {
            at += 1;
            for relation in relations {
                let above = match *relation {
                    AsRelation::Transit { provider, customer } if customer == here => provider,
                    AsRelation::Siblings(one, other) if one == here => other,
                    AsRelation::Siblings(one, other) if other == here => one,
                    _ => continue,
                };
                if !seen.contains(&above) {
                    seen.push(above);
                }
            }
        }
        seen.iter().any(|asn| top.contains(asn))
    }

    proptest! {
        #[test]
        fn a_cut_closes_all_ways_up_and_no_smaller_one_does(relations in relations(), origin in 1_u32..=24, lost in losses()) {
            let topology = Topology::of(&relations);
            let (origin, top) = (n(origin), topology.top());
            let Some(mut routes) = Routes::to(&topology, &Announcement::of(origin), Ties::LowestAsn) else { return Ok(()) };
            let journal = routes.lose_all(&lost);
            let uphill = routes.uphill(&top);
            routes.undo(journal);
            if uphill.is_at_top || lost.contains(&Lost::As(origin)) { return Ok(()) }
            let left = without(&relations, &lost);
            let cut: Vec<Lost> = uphill.cut.iter().map(|asn| Lost::As(*asn)).collect();
            prop_assert_eq!(cut.len() as u64, uphill.disjoint);
            prop_assert!(!climbs(&without(&left, &cut), origin, &top));
            // All smaller sets of at most two.
            let ases: Vec<Lost> = topology.asns().iter().filter(|asn| **asn != origin).map(|asn| Lost::As(*asn)).collect();
            for one in ases.iter().filter(|_| cut.len() > 1) {
                prop_assert!(climbs(&without(&left, &[*one]), origin, &top));
                for other in ases.iter().filter(|_| cut.len() > 2) {
                    prop_assert!(climbs(&without(&left, &[*one, *other]), origin, &top));
                }
            }
        }
    }
}

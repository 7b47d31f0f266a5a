//! The measured graph of ASes: how many disjoint ways lead to the origin, and who cannot be spared.
//!
//! Built from walks that got to the origin, or whose upstream is told. A link that was seen only across a
//! silent gap is left out where other walks show who stands in that gap: a router that did not answer
//! once must not look like a second way. What remains is a lower bound: ways that nobody measured are not
//! in it.

mod web;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::dinics;
use petgraph::algo::dominators::simple_fast;
use petgraph::graph::{DiGraph, NodeIndex};

pub use web::{CutOf, Member, Web};

use super::path::Walk;
use crate::model::Asn;

/// A directed graph of ASes, from the vantages to one origin.
#[derive(Clone, Debug)]
pub struct AsGraph {
    origin: Asn,
    own: BTreeSet<Asn>,
    /// The first AS of each walk.
    starts: BTreeSet<Asn>,
    links: BTreeMap<Asn, BTreeSet<Asn>>,
}

/// A way out of the vantages that nothing limits.
const UNLIMITED: u32 = u32::MAX / 4;

impl AsGraph {
    /// The graph of these walks. `own` are the ASes in which the vantages stand: they count neither as
    /// something that ways may share nor as something that cannot be spared.
    pub fn new<'a>(walks: impl IntoIterator<Item = &'a Walk>, own: &BTreeSet<Asn>, origin: Asn) -> Self {
        let mut seen = Links::default();
        let mut starts = BTreeSet::new();
        for walk in walks {
            starts.extend(walk.steps.first().map(|step| step.asn));
            seen.add(walk);
        }
        Self { origin, own: own.clone(), starts, links: seen.resolved() }
    }

    /// The largest number of ways from the vantages to the origin that share no AS on the way (Menger):
    /// maximum flow with every AS split in two. `None` if no way is known, or if a vantage stands in the
    /// origin.
    #[must_use]
    pub fn disjoint(&self) -> Option<u32> {
        if self.own.contains(&self.origin) {
            return None;
        }
        let mut network = DiGraph::<(), u32>::new();
        let source = network.add_node(());
        let mut nodes = BTreeMap::new();
        for asn in self.ases() {
            let (enter, leave) = (network.add_node(()), network.add_node(()));
            let width = if self.own.contains(&asn) { UNLIMITED } else { 1 };
            network.add_edge(enter, leave, width);
            nodes.insert(asn, (enter, leave));
        }
        for start in &self.starts {
            let width = if self.own.contains(start) { UNLIMITED } else { 1 };
            nodes.get(start).map(|(enter, _)| network.add_edge(source, *enter, width));
        }
        for (from, to) in self.links() {
            let ends = nodes.get(&from).zip(nodes.get(&to));
            ends.map(|((_, leave), (enter, _))| network.add_edge(*leave, *enter, 1));
        }
        let (sink, _) = nodes.get(&self.origin)?;
        let (flow, _) = dinics(&network, source, *sink);
        (flow > 0).then_some(flow)
    }

    /// The ASes without which no way leads to the origin, from the vantage outward; the vantages' own and
    /// the origin left out. Every way crosses them: they dominate the origin.
    #[must_use]
    pub fn single_points(&self) -> Vec<Asn> {
        let mut network = DiGraph::<Option<Asn>, ()>::new();
        let source = network.add_node(None);
        let nodes: BTreeMap<Asn, NodeIndex> =
            self.ases().into_iter().map(|asn| (asn, network.add_node(Some(asn)))).collect();
        for start in &self.starts {
            nodes.get(start).map(|start| network.add_edge(source, *start, ()));
        }
        for (from, to) in self.links() {
            nodes.get(&from).zip(nodes.get(&to)).map(|(from, to)| network.add_edge(*from, *to, ()));
        }
        let Some(origin) = nodes.get(&self.origin) else { return Vec::new() };
        let dominators = simple_fast(&network, source);
        let mut points: Vec<Asn> = dominators
            .strict_dominators(*origin)
            .into_iter()
            .flatten()
            .filter_map(|node| network.node_weight(node).copied().flatten())
            .filter(|asn| !self.own.contains(asn))
            .collect();
        points.reverse();
        points
    }

    /// The same graph, for cuts with the names of what is in them.
    #[must_use]
    pub fn web(&self) -> Web<Asn> {
        let mut web = Web::new(self.starts.iter().copied(), self.origin, self.own.iter().copied());
        web.extend(self.links());
        web
    }

    /// The links of the graph, in ascending order.
    pub fn links(&self) -> impl Iterator<Item = (Asn, Asn)> {
        self.links.iter().flat_map(|(from, next)| next.iter().map(|to| (*from, *to)))
    }

    fn ases(&self) -> BTreeSet<Asn> {
        self.links().flat_map(|(from, to)| [from, to]).chain(self.starts.iter().copied()).collect()
    }
}

/// Links between ASes, those seen hop behind hop apart from those seen only across a gap.
#[derive(Clone, Debug, Default)]
pub struct Links {
    solid: BTreeMap<Asn, BTreeSet<Asn>>,
    across_gap: BTreeSet<(Asn, Asn)>,
}

impl Links {
    /// Takes the links of a walk in.
    pub fn add(&mut self, walk: &Walk) {
        for (from, to, gap) in walk.links() {
            if gap {
                self.across_gap.insert((from, to));
            } else {
                self.solid.entry(from).or_default().insert(to);
            }
        }
    }

    /// Whether a link across a gap is explained by others: by the same link seen without a gap, or by a way
    /// of such links through other ASes, which then stand in the gap.
    #[must_use]
    pub fn explains(&self, from: Asn, to: Asn) -> bool {
        let mut seen = BTreeSet::from([from]);
        let mut queue = VecDeque::from([from]);
        while let Some(asn) = queue.pop_front() {
            for next in self.solid.get(&asn).into_iter().flatten() {
                if *next == to {
                    return true;
                }
                if seen.insert(*next) {
                    queue.push_back(*next);
                }
            }
        }
        false
    }

    fn resolved(self) -> BTreeMap<Asn, BTreeSet<Asn>> {
        let mut links = self.solid.clone();
        for (from, to) in &self.across_gap {
            if !self.explains(*from, *to) {
                links.entry(*from).or_default().insert(*to);
            }
        }
        links
    }
}

#[cfg(test)]
mod tests;

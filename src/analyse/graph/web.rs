//! A graph of anything, from some starts to a goal: the smallest cuts with their members' names, and with them
//! (Menger) how many ways there are that share nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::dinics;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

/// A directed graph with starts and one goal.
#[derive(Clone, Debug)]
pub struct Web<N> {
    starts: BTreeSet<N>,
    goal: N,
    /// What no cut may take; the goal is never taken.
    spared: BTreeSet<N>,
    links: BTreeMap<N, BTreeSet<N>>,
}

/// What a cut is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CutOf {
    /// Vertices; where one that is spared is a neighbour of the goal, the link between them.
    Vertices,
    /// Links, but for those between two that are spared.
    Links,
}

/// A member of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member<N> {
    /// A vertex.
    Vertex(N),
    /// A link, in the direction of the ways.
    Link(N, N),
}

/// What nothing limits.
const UNLIMITED: u32 = u32::MAX / 4;

impl<N: Ord + Copy> Web<N> {
    /// A graph without links. A start is cut like any other vertex, unless it is spared.
    pub fn new(starts: impl IntoIterator<Item = N>, goal: N, spared: impl IntoIterator<Item = N>) -> Self {
        let (starts, mut spared): (_, BTreeSet<N>) =
            (starts.into_iter().collect(), spared.into_iter().collect());
        spared.insert(goal);
        Self { starts, goal, spared, links: BTreeMap::new() }
    }

    /// Adds links.
    pub fn extend(&mut self, links: impl IntoIterator<Item = (N, N)>) {
        for (from, to) in links.into_iter().filter(|(from, to)| from != to) {
            self.links.entry(from).or_default().insert(to);
        }
    }

    /// Whether a way of links leads from one to another.
    #[must_use]
    pub fn leads(&self, from: N, to: N) -> bool {
        self.spread([from], None).contains(&to)
    }

    /// A smallest cut between the starts and the goal, of all such the one nearest to the goal; as many ways share
    /// nothing. `None` if no way leads there, or if a start is the goal.
    #[must_use]
    pub fn cut(&self, of: CutOf) -> Option<Vec<Member<N>>> {
        if self.starts.contains(&self.goal) {
            return None;
        }
        let network = Network::new(self, of);
        let members = network.members_nearest_to_goal();
        (!members.is_empty()).then_some(members)
    }

    /// The vertices that every way crosses, in ascending order; those that are spared left out.
    #[must_use]
    pub fn single_points(&self) -> Vec<N> {
        let inner: BTreeSet<N> = self.vertices().difference(&self.spared).copied().collect();
        let reached = |gone| self.spread(self.starts.iter().copied(), gone).contains(&self.goal);
        if !reached(None) {
            return Vec::new();
        }
        inner.into_iter().filter(|vertex| !reached(Some(*vertex))).collect()
    }

    /// Where links lead from these, with one vertex gone.
    fn spread(&self, from: impl IntoIterator<Item = N>, gone: Option<N>) -> BTreeSet<N> {
        let mut seen: BTreeSet<N> = from.into_iter().filter(|start| Some(*start) != gone).collect();
        let mut queue: VecDeque<N> = seen.iter().copied().collect();
        while let Some(here) = queue.pop_front() {
            for next in self.links.get(&here).into_iter().flatten() {
                if Some(*next) != gone && seen.insert(*next) {
                    queue.push_back(*next);
                }
            }
        }
        seen
    }

    /// The links, in ascending order.
    pub fn links(&self) -> impl Iterator<Item = (N, N)> {
        self.links.iter().flat_map(|(from, next)| next.iter().map(|to| (*from, *to)))
    }

    fn vertices(&self) -> BTreeSet<N> {
        let ends = self.links().flat_map(|(from, to)| [from, to]);
        ends.chain(self.starts.iter().copied()).chain([self.goal]).collect()
    }
}

/// The graph as a network of flows: every vertex split in two, and of each edge who is lost when it is.
struct Network<N> {
    graph: DiGraph<(), u32>,
    members: Vec<Option<Member<N>>>,
    ends: (NodeIndex, NodeIndex),
}

impl<N: Ord + Copy> Network<N> {
    fn new(web: &Web<N>, of: CutOf) -> Self {
        let mut graph = DiGraph::new();
        let source = graph.add_node(());
        let mut halves = BTreeMap::new();
        for vertex in web.vertices() {
            halves.insert(vertex, (graph.add_node(()), graph.add_node(())));
        }
        let sink = halves.get(&web.goal).map_or(source, |(enter, _)| *enter);
        let mut network = Self { graph, members: Vec::new(), ends: (source, sink) };
        for (vertex, (enter, leave)) in &halves {
            let counts = of == CutOf::Vertices && !web.spared.contains(vertex);
            network.edge(*enter, *leave, counts.then_some(Member::Vertex(*vertex)));
        }
        for (enter, _) in web.starts.iter().filter_map(|start| halves.get(start)) {
            network.edge(source, *enter, None);
        }
        for (from, to) in web.links() {
            let spared = [&from, &to].iter().all(|end| web.spared.contains(end));
            let counts = if spared { to == web.goal } else { of == CutOf::Links };
            if let Some(((_, leave), (enter, _))) = halves.get(&from).zip(halves.get(&to)) {
                network.edge(*leave, *enter, counts.then_some(Member::Link(from, to)));
            }
        }
        network
    }

    fn edge(&mut self, from: NodeIndex, to: NodeIndex, member: Option<Member<N>>) {
        self.graph.add_edge(from, to, if member.is_some() { 1 } else { UNLIMITED });
        self.members.push(member);
    }

    /// The edges into what can still reach the goal when the largest flow is under way.
    fn members_nearest_to_goal(&self) -> Vec<Member<N>> {
        let (source, sink) = self.ends;
        let (_, flows) = dinics(&self.graph, source, sink);
        let near = self.still_reaching(&flows);
        let crossing = self
            .graph
            .edge_references()
            .filter(|edge| !near.contains(&edge.source()) && near.contains(&edge.target()));
        crossing.filter_map(|edge| self.members.get(edge.id().index()).copied().flatten()).collect()
    }

    /// The nodes from which one more unit could flow to the goal.
    fn still_reaching(&self, flows: &[u32]) -> BTreeSet<NodeIndex> {
        let mut before: BTreeMap<NodeIndex, Vec<NodeIndex>> = BTreeMap::new();
        for edge in self.graph.edge_references() {
            let flow = flows.get(edge.id().index()).copied().unwrap_or(0);
            if flow < *edge.weight() {
                before.entry(edge.target()).or_default().push(edge.source());
            }
            if flow > 0 {
                before.entry(edge.source()).or_default().push(edge.target());
            }
        }
        let mut near = BTreeSet::from([self.ends.1]);
        let mut queue = VecDeque::from([self.ends.1]);
        while let Some(here) = queue.pop_front() {
            for node in before.get(&here).into_iter().flatten() {
                if near.insert(*node) {
                    queue.push_back(*node);
                }
            }
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOAL: u8 = 9;

    fn web(links: &[(u8, u8)]) -> Web<u8> {
        let mut web = Web::new([0], GOAL, [0]);
        web.extend(links.iter().copied());
        web
    }

    #[test]
    fn of_several_smallest_cuts_the_one_nearest_to_the_goal_is_named() {
        let chain = web(&[(0, 1), (1, 2), (2, 9)]);
        assert_eq!(chain.cut(CutOf::Vertices), Some(vec![Member::Vertex(2)]));
        assert_eq!(chain.cut(CutOf::Links), Some(vec![Member::Link(2, 9)]));
        assert_eq!(chain.single_points(), vec![1, 2]);
        let fork = web(&[(0, 1), (1, 2), (1, 3), (2, 9), (3, 9)]);
        assert_eq!(fork.cut(CutOf::Vertices), Some(vec![Member::Vertex(1)]));
    }

    #[test]
    fn no_way_has_no_cut_and_neighbours_are_cut_by_their_link() {
        assert_eq!(web(&[(0, 1)]).cut(CutOf::Vertices), None);
        assert_eq!(web(&[(0, 9)]).cut(CutOf::Vertices), Some(vec![Member::Link(0, 9)]));
        assert_eq!(Web::new([GOAL], GOAL, []).cut(CutOf::Links), None);
    }

    fn reaches(links: &[(u8, u8)], gone: &dyn Fn((u8, u8)) -> bool) -> bool {
        let mut seen = BTreeSet::from([0]);
        loop {
            let next: BTreeSet<u8> = links
                .iter()
                .filter(|(from, to)| seen.contains(from) && !gone((*from, *to)))
                .map(|(_, to)| *to)
                .collect();
            if next.is_subset(&seen) {
                return seen.contains(&GOAL);
            }
            seen.extend(next);
        }
    }

    proptest! {
        /// Menger's theorem, against all sets one by one; and what is named does cut.
        #[test]
        fn cuts_agree_with_brute_force(
            links in prop::collection::btree_set((0_u8..6, 1_u8..7), 1..14),
        ) {
            let named = |n: u8| if n == 6 { GOAL } else { n };
            let links: Vec<(u8, u8)> = links
                .into_iter()
                .map(|(from, to)| (from, named(to)))
                .filter(|(from, to)| from != to && (*from, *to) != (0, GOAL))
                .collect();
            let found = web(&links);
            let vertices = (0_u32..32).filter(|set| {
                !reaches(&links, &|(from, to)| [from, to].iter().any(|v| (1..6).contains(v) && set & (1 << (v - 1)) != 0))
            });
            let smallest = vertices.map(u32::count_ones).min().filter(|size| *size > 0);
            let cut = found.cut(CutOf::Vertices);
            prop_assert_eq!(cut.as_ref().map(|cut| u32::try_from(cut.len()).unwrap()), smallest);
            for cut in cut.into_iter().chain(found.cut(CutOf::Links)) {
                let gone = |(from, to): (u8, u8)| {
                    cut.iter().any(|member| match member {
                        Member::Vertex(v) => *v == from || *v == to,
                        Member::Link(a, b) => (*a, *b) == (from, to),
                    })
                };
                prop_assert!(!reaches(&links, &gone), "{:?} does not cut {:?}", cut, links);
            }
            let edges = (0_u32..1 << links.len()).filter(|set| {
                !reaches(&links, &|link| links.iter().position(|l| *l == link).is_some_and(|i| set & (1 << i) != 0))
            });
            let smallest = edges.map(u32::count_ones).min().filter(|size| *size > 0);
            let cut = found.cut(CutOf::Links).map(|cut| u32::try_from(cut.len()).unwrap());
            prop_assert_eq!(cut, smallest);
        }
    }
}

//! The smallest sets that block all ways through a graph.
//!
//! A member of such a set may stand at several places at once: a router is passed on the way up and on the
//! way down, an AS has many routers. So this is no plain minimum cut, which a maximum flow would find; of ASes over
//! valley-free ways it is even hard in general (Erlebach et al. 2007). But what one is asked for is
//! small: a stub has few providers. The search takes a way and tries to remove each of its members; ways that
//! share no member tell how many must be removed at least, and end most attempts early.

use std::collections::{BTreeMap, VecDeque};

/// Position of something that can be removed.
pub(super) type Member = usize;

/// A directed graph from a start to a goal.
#[derive(Debug)]
pub(super) struct Maze<K> {
    members: BTreeMap<K, Member>,
    keys: Vec<K>,
    /// What stands at each node.
    nodes: Vec<Option<Member>>,
    /// To where one comes from each node, and over what.
    steps: Vec<Vec<(usize, Option<Member>)>>,
}

/// Where all ways begin and end.
pub(super) const START: usize = 0;
pub(super) const GOAL: usize = 1;

/// A set that blocks all ways.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Blockade<K> {
    pub(super) members: Vec<K>,
    pub(super) is_smallest: bool,
}

/// So many steps are looked at before the search is given up.
const PATIENCE: usize = 100_000_000;

impl<K: Ord + Copy> Maze<K> {
    pub(super) fn new() -> Self {
        Self {
            members: BTreeMap::new(),
            keys: Vec::new(),
            nodes: vec![None; 2],
            steps: vec![Vec::new(), Vec::new()],
        }
    }

    pub(super) fn node(&mut self, stands: Option<K>) -> usize {
        let member = stands.map(|key| self.member(key));
        self.nodes.push(member);
        self.steps.push(Vec::new());
        self.nodes.len().saturating_sub(1)
    }

    pub(super) fn step(&mut self, from: usize, to: usize, over: Option<K>) {
        let member = over.map(|key| self.member(key));
        if let Some(steps) = self.steps.get_mut(from) {
            steps.push((to, member));
        }
    }

    fn member(&mut self, key: K) -> Member {
        let keys = &mut self.keys;
        *self.members.entry(key).or_insert_with(|| {
            keys.push(key);
            keys.len().saturating_sub(1)
        })
    }

    /// A smallest set; `None` if some way has no member that could be removed.
    pub(super) fn blockade(&self) -> Option<Blockade<K>> {
        let mut search = Search { maze: self, gone: vec![false; self.keys.len()], left: PATIENCE };
        let mut size = search.disjoint(usize::MAX)?;
        let found = loop {
            match search.within(size) {
                Some(found) => break Some(found),
                None if search.left == 0 => break None,
                None => size = size.saturating_add(1),
            }
        };
        let is_smallest = found.is_some();
        let mut members = found.unwrap_or_else(|| search.some());
        members.sort_unstable();
        let keys = members.into_iter().filter_map(|member| self.keys.get(member).copied());
        Some(Blockade { members: keys.collect(), is_smallest })
    }
}

struct Search<'a, K> {
    maze: &'a Maze<K>,
    gone: Vec<bool>,
    left: usize,
}

impl<K: Ord + Copy> Search<'_, K> {
    /// Removes at most so many; `None` if that is not enough, or patience is over.
    fn within(&mut self, size: usize) -> Option<Vec<Member>> {
        let Some(way) = self.way() else { return Some(Vec::new()) };
        if size == 0 || self.left == 0 || self.disjoint(size).is_none_or(|least| least > size) {
            return None;
        }
        for member in way {
            self.set(member, true);
            let rest = self.within(size.saturating_sub(1));
            self.set(member, false);
            if let Some(mut rest) = rest {
                rest.push(member);
                return Some(rest);
            }
        }
        None
    }

    /// How many ways that share no member can be found one after the other, counted up to one more than a limit;
    /// `None` if one has no member at all.
    fn disjoint(&mut self, limit: usize) -> Option<usize> {
        let before = self.gone.clone();
        let mut count: usize = 0;
        let mut blocked = true;
        while let Some(way) = self.way() {
            blocked = !way.is_empty();
            if !blocked || count > limit {
                break;
            }
            for member in way {
                self.set(member, true);
            }
            count = count.saturating_add(1);
        }
        self.gone = before;
        blocked.then_some(count)
    }

    /// Any set: the members of ways, as long as there are some, without those that are not needed.
    fn some(&mut self) -> Vec<Member> {
        self.left = usize::MAX;
        let mut set = Vec::new();
        while let Some(member) = self.way().and_then(|way| way.last().copied()) {
            self.set(member, true);
            set.push(member);
        }
        let mut needed = Vec::new();
        for member in set {
            self.set(member, false);
            if self.way().is_some() {
                self.set(member, true);
                needed.push(member);
            }
        }
        needed
    }

    /// The members of a shortest way that is still open, each once; `None` if there is no way.
    fn way(&mut self) -> Option<Vec<Member>> {
        let mut from: Vec<Option<(usize, Option<Member>)>> = vec![None; self.maze.nodes.len()];
        let mut open = VecDeque::from([START]);
        while let Some(here) = open.pop_front() {
            if here == GOAL {
                return Some(self.back(&from));
            }
            for (to, over) in self.maze.steps.get(here).into_iter().flatten() {
                self.left = self.left.saturating_sub(1);
                let stands = self.maze.nodes.get(*to).copied().flatten();
                let closed = [*over, stands].into_iter().flatten().any(|member| self.is_gone(member));
                let Some(known) = from.get_mut(*to).filter(|known| known.is_none()) else { continue };
                if !closed && *to != START {
                    *known = Some((here, *over));
                    open.push_back(*to);
                }
            }
        }
        None
    }

    fn back(&self, from: &[Option<(usize, Option<Member>)>]) -> Vec<Member> {
        let mut members = Vec::new();
        let mut here = GOAL;
        while let Some((before, over)) = from.get(here).copied().flatten() {
            members.extend(over);
            members.extend(self.maze.nodes.get(before).copied().flatten());
            here = before;
        }
        members.sort_unstable();
        members.dedup();
        members
    }

    fn is_gone(&self, member: Member) -> bool {
        self.gone.get(member) == Some(&true)
    }

    fn set(&mut self, member: Member, gone: bool) {
        if let Some(known) = self.gone.get_mut(member) {
            *known = gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A graph with members at its nodes and steps, and the same as a list.
    type Listed = (Vec<Option<u8>>, Vec<(usize, usize, Option<u8>)>);

    fn maze((stands, steps): &Listed) -> Maze<u8> {
        let mut maze = Maze::new();
        let nodes: Vec<usize> = stands.iter().map(|stands| maze.node(*stands)).collect();
        for (from, to, over) in steps {
            maze.step(nodes[*from], nodes[*to], *over);
        }
        maze.step(START, nodes[0], None);
        maze.step(nodes[nodes.len() - 1], GOAL, None);
        maze
    }

    /// Whether a way is left, by trying to come everywhere until nothing is new.
    fn open((stands, steps): &Listed, gone: u32) -> bool {
        let there = |member: Option<u8>| member.is_none_or(|member| gone & (1 << member) == 0);
        let mut reached = vec![false; stands.len()];
        reached[0] = there(stands[0]);
        for _ in stands {
            for (from, to, over) in steps {
                reached[*to] |= reached[*from] && there(*over) && there(stands[*to]);
            }
        }
        reached[stands.len() - 1]
    }

    /// The size of a smallest set, by trying all.
    fn by_trying_all(listed: &Listed) -> Option<u32> {
        (0..1_u32 << 7).filter(|gone| !open(listed, *gone)).map(u32::count_ones).min()
    }

    proptest! {
        #[test]
        fn no_smaller_set_blocks_all_ways(
            stands in proptest::collection::vec(proptest::option::of(0_u8..7), 2..9),
            steps in proptest::collection::vec((0_usize..9, 0_usize..9, proptest::option::of(0_u8..7)), 0..24),
        ) {
            let steps = steps.into_iter().filter(|(from, to, _)| from.max(to) < &stands.len()).collect();
            let listed = (stands, steps);
            let found = maze(&listed).blockade();
            prop_assert_eq!(found.as_ref().map(|found| u32::try_from(found.members.len()).unwrap()), by_trying_all(&listed));
            if let Some(Blockade { members, is_smallest }) = found {
                prop_assert!(is_smallest);
                prop_assert!(!open(&listed, members.iter().fold(0, |gone, member| gone | 1 << member)));
            }
        }
    }

    #[test]
    fn without_patience_a_set_that_blocks_is_still_found() {
        let steps = (0..4).flat_map(|over| [(0, 1, Some(over)), (1, 2, Some(over + 4))]).collect();
        let listed: Listed = (vec![None; 3], steps);
        let maze = maze(&listed);
        let mut search = Search { maze: &maze, gone: vec![false; 8], left: 0 };
        assert_eq!(search.within(8), None);
        assert_eq!(search.some().len(), 4);
    }
}

//! What one trace says about links: over which it went, over which it did not, and of which it cannot tell.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::super::routes::Route;
use super::node::Node;

/// A link in the direction in which traces cross it.
pub(super) type Crossing<N> = (N, N);

/// What a trace says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way<N> {
    /// The links that it crossed.
    pub(super) links: BTreeSet<Crossing<N>>,
    /// The links that it may have crossed where somebody was silent, or behind its end.
    hidden: BTreeSet<Crossing<N>>,
    /// The places behind which it shows what comes next.
    left: BTreeSet<N>,
    /// The places before which it shows what came: no way enters an AS or a router twice.
    entered: BTreeSet<N>,
    /// Where it begins; `None` if it shows nothing.
    start: Option<N>,
}

/// What was seen behind what, also across silence.
#[derive(Clone, Debug)]
pub(super) struct Followed<N> {
    next: Neighbours<N>,
    last: Neighbours<N>,
}

type Neighbours<N> = BTreeMap<N, BTreeSet<N>>;

impl<N: Node> Followed<N> {
    pub(super) fn new<'a>(routes: impl Iterator<Item = Route<'a>>) -> Self {
        let (mut next, mut last) = (Neighbours::default(), Neighbours::default());
        let mut known = HashSet::new();
        for route in routes {
            if known.insert(N::shared(&route)) {
                for (from, to, _) in links(&N::steps(&route)) {
                    next.entry(from).or_default().insert(to);
                    last.entry(to).or_default().insert(from);
                }
            }
        }
        Self { next, last }
    }

    /// The links that were seen and lie on some way from one place to another.
    fn between(&self, (from, to): Crossing<N>) -> BTreeSet<Crossing<N>> {
        let before = reached(&self.last, to, Some(from));
        let mut links = self.behind(from, Some(to));
        links.retain(|link| link.1 != from && before.contains(&link.1));
        links
    }

    /// The links that were seen and lie behind a place, or on the way from there to another.
    fn behind(&self, from: N, to: Option<N>) -> BTreeSet<Crossing<N>> {
        let places = reached(&self.next, from, to).into_iter().filter(|place| Some(*place) != to);
        let out = |place: N| self.next.get(&place).into_iter().flatten().map(move |next| (place, *next));
        places.flat_map(out).collect()
    }
}

/// Where one comes to from a place, that included, without going on behind the other.
fn reached<N: Node>(neighbours: &Neighbours<N>, from: N, other: Option<N>) -> BTreeSet<N> {
    let mut reached = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(place) = open.pop() {
        for next in neighbours.get(&place).into_iter().flatten() {
            if reached.insert(*next) && Some(*next) != other {
                open.push(*next);
            }
        }
    }
    reached
}

/// From one step to the next, and whether something unknown lies between.
fn links<N: Node>(steps: &[(N, bool)]) -> impl Iterator<Item = (N, N, bool)> {
    steps.iter().zip(steps.iter().skip(1)).map(|(from, to)| (from.0, to.0, to.1))
}

impl<N: Node> Way<N> {
    /// What a trace says. Between ASes a link across silent hops counts if nothing was seen elsewhere that may stand there.
    pub(super) fn new(route: &Route<'_>, followed: &Followed<N>) -> Self {
        let steps = N::steps(route);
        let (mut crossed, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        for (from, to, gap) in links(&steps) {
            let between = if gap && !N::is_told(route, (from, to)) {
                followed.between((from, to))
            } else {
                BTreeSet::new()
            };
            if between.len() > 1 || (gap && N::STRICT) {
                hidden.extend(between);
            } else {
                crossed.insert((from, to));
            }
        }
        let end = steps.last().filter(|_| !N::is_whole(route));
        hidden.extend(end.into_iter().flat_map(|(last, _)| followed.behind(*last, None)));
        let left = crossed.iter().map(|link| link.0).collect();
        let entered = crossed.iter().map(|link| link.1).collect();
        Self { links: crossed, hidden, left, entered, start: steps.first().map(|(first, _)| *first) }
    }

    /// What comes next behind a place, where that is shown.
    pub(super) fn next(&self, place: N) -> Option<N> {
        self.links.iter().find(|(from, _)| *from == place).map(|(_, to)| *to)
    }

    /// What stands before a place, where that is shown.
    pub(super) fn last(&self, place: N) -> Option<N> {
        self.links.iter().find(|(_, to)| *to == place).map(|(from, _)| *from)
    }

    /// The place behind which two ways part; `None` if they begin in different ones, or are not seen to part.
    pub(super) fn parts_from(&self, other: &Self) -> Option<N> {
        let mut place = self.start.filter(|start| other.start == Some(*start))?;
        // A way is no longer than it has links, also if it should go round in a circle.
        for _ in 0..=self.links.len() {
            match (self.next(place)?, other.next(place)?) {
                (one, another) if one == another => place = one,
                _ => return Some(place),
            }
        }
        None
    }

    /// Whether it went over a link; `None` if it cannot tell.
    pub(super) fn used(&self, link: Crossing<N>) -> Option<bool> {
        if self.links.contains(&link) {
            Some(true)
        } else {
            let seen_elsewhere = self.left.contains(&link.0) || self.entered.contains(&link.1);
            let told = seen_elsewhere || (self.start.is_some() && !self.hidden.contains(&link));
            told.then_some(false)
        }
    }
}

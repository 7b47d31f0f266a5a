//! What one trace says about links: over which it went, over which it did not, and of which it cannot tell.

use std::collections::{BTreeMap, BTreeSet};

use super::super::routes::Route;
use crate::model::Asn;

/// A link in the direction in which traces cross it.
pub(crate) type Crossing = (Asn, Asn);

/// What a trace says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// The links that it crossed.
    pub(super) links: BTreeSet<Crossing>,
    /// The ASes behind which it shows who comes next.
    left: BTreeSet<Asn>,
    /// The ASes before which it shows who came: no way enters an AS twice.
    entered: BTreeSet<Asn>,
    /// Whether it shows the whole way, up to the upstream of its origin.
    whole: bool,
    /// Where it begins.
    start: Option<Asn>,
}

/// Who was seen behind whom, also across silence.
#[derive(Clone, Debug, Default)]
pub(super) struct Followed {
    next: BTreeMap<Asn, BTreeSet<Asn>>,
}

impl Followed {
    pub(super) fn add(&mut self, route: &Route<'_>) {
        for (from, to, _) in route.walk().links() {
            self.next.entry(from).or_default().insert(to);
        }
    }

    /// Whether some AS may stand unseen between the two: a longer way that was seen leads through it.
    fn may_hide(&self, (from, to): Crossing) -> bool {
        let mut seen = BTreeSet::from([from]);
        let first = self.next.get(&from).into_iter().flatten().filter(|next| **next != to);
        let mut open: Vec<Asn> = first.copied().collect();
        while let Some(asn) = open.pop() {
            if asn == to {
                return true;
            }
            if seen.insert(asn) {
                open.extend(self.next.get(&asn).into_iter().flatten());
            }
        }
        false
    }
}

impl Way {
    /// What a trace says. A link across silent hops counts if nobody is seen elsewhere who may stand there. The link
    /// from the upstream into the origin counts if the upstream is told.
    pub(super) fn new(route: &Route<'_>, followed: &Followed) -> Self {
        let (mut links, mut whole) = (BTreeSet::new(), route.upstream().is_ok());
        let (mut left, mut entered) = (BTreeSet::new(), BTreeSet::new());
        for (from, to, gap) in route.walk().links() {
            let into_origin = route.upstream().is_ok_and(|up| up.asn == from) && route.origin() == Some(to);
            if gap && !into_origin && followed.may_hide((from, to)) {
                whole = false;
            } else {
                links.insert((from, to));
                left.insert(from);
                entered.insert(to);
            }
        }
        let start = route.walk().steps.first().map(|step| step.asn);
        Self { links, left, entered, whole, start }
    }

    /// Who comes next behind an AS, where that is shown.
    pub(super) fn next(&self, asn: Asn) -> Option<Asn> {
        self.links.iter().find(|(from, _)| *from == asn).map(|(_, to)| *to)
    }

    /// The AS behind which two ways part; `None` if they begin in different ones, or are not seen to part.
    pub(super) fn parts_from(&self, other: &Self) -> Option<Asn> {
        let mut asn = self.start.filter(|start| other.start == Some(*start))?;
        // A way is no longer than it has links, also if it should go round in a circle.
        for _ in 0..=self.links.len() {
            match (self.next(asn)?, other.next(asn)?) {
                (one, another) if one == another => asn = one,
                _ => return Some(asn),
            }
        }
        None
    }

    /// Whether it went over a link; `None` if it cannot tell.
    pub(super) fn used(&self, link: Crossing) -> Option<bool> {
        if self.links.contains(&link) {
            Some(true)
        } else {
            let told = self.whole || self.left.contains(&link.0) || self.entered.contains(&link.1);
            told.then_some(false)
        }
    }
}

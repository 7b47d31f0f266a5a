//! What changes when links and ASes are lost, worked out from the routes before: only ASes whose way led over
//! what is lost, and those who hear of something better from them, are looked at.
//!
//! Why that is exact. An AS whose way does not lead over what is lost keeps its route, unless it hears of a better
//! one. It can: an AS that loses a long route from a customer may take a short one from a provider, and tells its customers
//! of that. But such news is only ever about routes from providers, and makes them shorter; so routes get better
//! in the same order in which all routes are settled.

use super::graph::{Node, Side};
use super::key::{Key, Want};
use super::routes::{NOBODY, Routes};
use crate::model::{AsLink, Asn};

/// Something that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lost {
    /// All links between two ASes.
    Link(AsLink),
    /// An AS with all its links.
    As(Asn),
}

/// `AS4837-AS131279` or `AS4837`.
impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Link(link) => link.fmt(f),
            Self::As(asn) => asn.fmt(f),
        }
    }
}

/// What an AS had before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) node: Node,
    pub(super) key: Key,
    pub(super) next: Node,
}

/// What is needed to undo a loss, and what it did. Journals are undone in the reverse order of their losses.
#[derive(Debug)]
#[must_use = "routes stay without what is lost until the journal is undone"]
pub struct Journal {
    pub(super) writes: Vec<Write>,
    links: Vec<(Node, Node)>,
    restrained: Vec<(Node, bool)>,
    /// ASes whose way led over what is lost, lost ones not counted.
    pub affected: u64,
    /// Those of them that have no route any more.
    pub(super) cut: Vec<Node>,
    /// Links that the others have more on their ways than before, all together; below zero where ways became shorter.
    pub longer: i64,
}

impl Journal {
    /// How many of the affected ASes have no route any more.
    #[must_use]
    pub fn cut_off(&self) -> u64 {
        self.cut.len() as u64
    }
}

impl Routes<'_> {
    /// Takes something away and works out what changes. What is not in the topology changes nothing.
    pub fn lose(&mut self, lost: Lost) -> Journal {
        self.lose_all(&[lost])
    }

    /// The same of several things at once.
    pub fn lose_all(&mut self, lost: &[Lost]) -> Journal {
        self.written.clear();
        let mut links = Vec::new();
        let mut restrained = Vec::new();
        let mut open = Vec::new();
        for lost in lost {
            match lost {
                Lost::As(asn) => open.extend(self.take_as(*asn)),
                Lost::Link(link) => open.extend(self.take_link(*link, &mut links, &mut restrained)),
            }
        }
        let affected = self.forget(open);
        self.ask_all(&affected);
        self.settle();
        self.journal(&affected, links, restrained)
    }

    /// Puts everything back as it was before.
    pub fn undo(&mut self, journal: Journal) {
        for Write { node, key, next } in journal.writes.into_iter().rev() {
            self.set(node, key, next);
        }
        self.written.clear();
        for link in journal.links {
            self.lost.remove(&link);
        }
        for (node, restrained) in journal.restrained.into_iter().rev() {
            self.restrain(node, restrained);
        }
    }

    fn take_as(&mut self, asn: Asn) -> Option<Node> {
        let node = self.topology.node(asn).filter(|node| self.key(*node) != Key::LOST)?;
        self.set(node, Key::LOST, NOBODY);
        Some(node)
    }

    /// Whoever has the other end for its next AS has no route any more.
    fn take_link(
        &mut self,
        link: AsLink,
        links: &mut Vec<(Node, Node)>,
        restrained: &mut Vec<(Node, bool)>,
    ) -> Option<Node> {
        let (low, high) = link.ends();
        let (one, other) = (self.topology.node(low)?, self.topology.node(high)?);
        for (near, far) in [(one, other), (other, one)] {
            if self.lost.insert((near, far)) {
                links.push((near, far));
            }
            restrained.push((near, self.restrained.get(near as usize).copied().unwrap_or(false)));
            self.restrain(near, true);
        }
        let dependent =
            [(one, other), (other, one)].into_iter().find(|(near, far)| self.next(*near) == *far);
        let (near, _) = dependent?;
        self.set(near, Key::NONE, NOBODY);
        Some(near)
    }

    /// Takes the routes of all whose ways lead over these, and gives them all but those that are lost.
    fn forget(&mut self, mut open: Vec<Node>) -> Vec<Node> {
        let mut forgotten = Vec::new();
        while let Some(node) = open.pop() {
            if self.key(node) != Key::LOST {
                forgotten.push(node);
            }
            let topology = self.topology;
            for neighbour in topology.all(node) {
                if self.next(*neighbour) == node {
                    self.set(*neighbour, Key::NONE, NOBODY);
                    open.push(*neighbour);
                }
            }
        }
        forgotten
    }

    /// What those who have kept their routes can tell the others. Nobody goes by what one of these others was told
    /// a moment before: it may yet hear of a route that it wants more, and that is longer.
    fn ask_all(&mut self, forgotten: &[Node]) {
        let told: Vec<(Key, Node)> = forgotten.iter().map(|node| self.ask(*node)).collect();
        for (at, (key, next)) in forgotten.iter().zip(told).filter(|(_, (key, _))| key.is_route()) {
            self.set(*at, key, next);
            self.queue.put(*at, key);
        }
    }

    /// The best that the neighbours of an AS can tell it now.
    fn ask(&self, at: Node) -> (Key, Node) {
        let mut best = (Key::NONE, NOBODY);
        for (side, want) in [
            (Side::Siblings, None),
            (Side::Customers, Some(Want::Customer)),
            (Side::Peers, Some(Want::Peer)),
            (Side::Providers, Some(Want::Provider)),
        ] {
            if want.is_some() && best.0.want() < want && best.0.want().is_some() {
                break;
            }
            for from in self.topology.side(at, side) {
                if let Some(offered) = self.offer(*from, at, want) {
                    best = best.min((offered, *from));
                }
            }
        }
        best
    }

    /// `want` is `None` between siblings.
    fn offer(&self, from: Node, at: Node, want: Option<Want>) -> Option<Key> {
        let key = self.key(from);
        let restrained = self.restrained.get(from as usize).copied().unwrap_or(false);
        let heard = match want {
            Some(Want::Customer | Want::Peer) => key.goes_up(),
            Some(Want::Provider) | None => key.is_route(),
        };
        let told = want.map_or_else(|| key.told_to_sibling(), |want| key.told(want));
        let is_told = heard && (!restrained || self.tells(from, at));
        is_told.then(|| told.ranked(self.tie_rank(at, from)))
    }

    fn journal(
        &mut self,
        affected: &[Node],
        links: Vec<(Node, Node)>,
        restrained: Vec<(Node, bool)>,
    ) -> Journal {
        let writes = std::mem::take(&mut self.written);
        let cut = affected.iter().copied().filter(|node| !self.key(*node).is_route()).collect();
        let longer = self.longer(writes.iter());
        Journal { writes, links, restrained, affected: affected.len() as u64, cut, longer }
    }

    /// Each AS is counted once: with what it had first and what it has now.
    pub(super) fn longer<'w>(&mut self, writes: impl Iterator<Item = &'w Write>) -> i64 {
        self.stamp = self.stamp.wrapping_add(1);
        let mut longer = 0_i64;
        for Write { node, key: before, .. } in writes {
            let Some(stamp) = self.stamps.get_mut(*node as usize) else { continue };
            if std::mem::replace(stamp, self.stamp) == self.stamp {
                continue;
            }
            let now = self.key(*node);
            if before.is_route() && now.is_route() {
                let more = i64::from(now.length()).saturating_sub(i64::from(before.length()));
                longer = longer.saturating_add(more);
            }
        }
        longer
    }
}

//! The forwarding tables of all routers (RFC 4098 §2.3): over which link a router sends what, once it has been
//! found out, and while all have adopted the same routes.
//!
//! Only what holds for every packet is kept: a link without an alternative. Where routes change, or packets are
//! spread, a router decides anew each time. An entry that finds its place taken takes it over, so the tables never
//! grow, and whether something is kept changes how long an answer takes, never the answer.

use std::cell::Cell;
use std::fmt;

use crate::lab::scenario::{LinkIndex, RouterIndex};

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) enum Whither {
    /// Out of the AS towards a prefix, by its position in the scenario.
    Prefix(usize),
    /// To a router of the same AS.
    Router(RouterIndex),
}

/// What has been found out.
pub(in crate::lab) enum Found {
    /// The only link.
    Only(LinkIndex),
    /// A link for this packet, if there is one.
    ForThis(Option<LinkIndex>),
}

impl Found {
    const fn link(&self) -> Option<LinkIndex> {
        match self {
            Self::Only(link) => Some(*link),
            Self::ForThis(link) => *link,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    router: RouterIndex,
    whither: Whither,
    /// Which routes all have adopted.
    epoch: usize,
}

type Entry = Option<(Key, LinkIndex)>;

/// The tables.
pub(super) struct Fib(Box<[Cell<Entry>]>);

/// A power of two: some hundred kilobytes.
const PLACES: usize = 1 << 13;

impl Fib {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| Cell::new(None)).collect())
    }

    /// The link by which a router sends a packet. `epoch` is the number of the routes that all have adopted; `None`
    /// while they have not.
    pub(super) fn link(
        &self,
        router: RouterIndex,
        whither: Whither,
        epoch: Option<usize>,
        find: impl FnOnce() -> Found,
    ) -> Option<LinkIndex> {
        let Some(epoch) = epoch else { return find().link() };
        let key = Key { router, whither, epoch };
        let place = self.0.get(key.place())?;
        if let Some((_, link)) = place.get().filter(|(kept, _)| *kept == key) {
            return Some(link);
        }
        let found = find();
        if let Found::Only(link) = found {
            place.set(Some((key, link)));
        }
        found.link()
    }
}

impl Key {
    /// Neighbours in a list get places far from each other (Knuth, TAOCP 6.4).
    const fn place(&self) -> usize {
        let whither = match self.whither {
            Whither::Prefix(prefix) => prefix.wrapping_mul(2),
            Whither::Router(router) => router.0.wrapping_mul(2).wrapping_add(1),
        };
        let mixed = self.router.0.wrapping_mul(0x9e37_79b1).wrapping_add(whither.wrapping_mul(0x85eb_ca77));
        (mixed ^ (mixed >> 15)) & (PLACES - 1)
    }
}

impl fmt::Debug for Fib {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fib")
    }
}

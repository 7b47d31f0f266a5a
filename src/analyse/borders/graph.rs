//! Interfaces, and which follows which on the traces of a dataset.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::analyse::aliases::Aliases;
use crate::analyse::origin::{OriginReason, OriginTable};
use crate::analyse::path::{Hop, Trace};
use crate::model::{Asn, Keyed, ReplyKind};

/// Position of an interface in the graph.
pub(super) type Place = usize;

/// What is known of an address that answered as a router.
#[derive(Debug, Default)]
pub(super) struct Interface {
    pub(super) space: Space,
    /// Its router, called by the place of one of its interfaces.
    pub(super) router: Place,
    /// The ASes whose addresses are on its router, its own first.
    pub(super) origins: Vec<Asn>,
    /// Interfaces that answered at the next TTL.
    pub(super) next: BTreeSet<Place>,
    /// Interfaces that answered behind silent hops.
    pub(super) later: BTreeSet<Place>,
    /// Interfaces that answered before it, directly or with silence between: before this one, not before its router.
    pub(super) before: BTreeSet<Place>,
    /// The origins of targets towards which it was seen, with how many traces.
    pub(super) destinations: BTreeMap<Asn, u32>,
    /// Of targets that answered one hop behind it.
    pub(super) serves: BTreeSet<Asn>,
}

/// Whose an address is by the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Space {
    /// Nobody's that is known.
    #[default]
    Unknown,
    /// An AS's; several where tables differ.
    Of(Vec<Asn>),
    /// An exchange point's: the AS whose port it is, if that is known, and all members.
    Exchange(Option<Asn>, BTreeSet<Asn>),
}

impl Space {
    pub(super) fn new(address: IpAddr, origins: &OriginTable) -> Option<Self> {
        let found = origins.lookup(address);
        match (found.reason(), found.asn()) {
            (OriginReason::SpecialPurpose { .. }, _) => None,
            (OriginReason::ExchangePoint { .. }, _) => {
                let members = origins.exchange_point(address).map(|lan| lan.point.members.clone());
                Some(Self::Exchange(found.alternatives().first().copied(), members.unwrap_or_default()))
            }
            (_, Some(asn)) => Some(Self::Of(std::iter::once(asn).chain(found.alternatives()).collect())),
            (_, None) => Some(Self::Unknown),
        }
    }

    /// The origins.
    pub(super) fn ases(&self) -> &[Asn] {
        match self {
            Self::Of(ases) => ases,
            Self::Exchange(port, _) => port.as_slice(),
            Self::Unknown => &[],
        }
    }
}

/// Interfaces and their order on traces.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) interfaces: Vec<Interface>,
    pub(super) addresses: Vec<IpAddr>,
    places: Keyed<IpAddr, Place>,
}

impl Graph {
    pub(super) fn of<'a>(
        traces: impl IntoIterator<Item = &'a Trace>,
        origins: &OriginTable,
        aliases: &Aliases,
    ) -> Self {
        let mut graph = Self::default();
        for trace in traces {
            graph.add(trace, origins);
        }
        for addresses in aliases.routers().values() {
            graph.join(addresses);
        }
        graph
    }

    /// What was seen of one of the interfaces of a router was seen of all.
    fn join(&mut self, addresses: &BTreeSet<IpAddr>) {
        let places: Vec<Place> =
            addresses.iter().filter_map(|address| self.places.get(address).copied()).collect();
        let name = places.iter().copied().min().unwrap_or_default();
        let mut router = Interface { router: name, ..Interface::default() };
        for interface in places.iter().filter_map(|place| self.interfaces.get(*place)) {
            router.next.extend(&interface.next);
            router.later.extend(&interface.later);
            router.serves.extend(&interface.serves);
            router.origins.extend(&interface.origins);
            for (asn, traces) in &interface.destinations {
                let count = router.destinations.entry(*asn).or_default();
                *count = count.saturating_add(*traces);
            }
        }
        for place in places {
            let Some(interface) = self.interfaces.get_mut(place) else { continue };
            let others = router.origins.iter().filter(|asn| !interface.space.ases().contains(asn));
            let mut origins: Vec<Asn> = interface.space.ases().iter().chain(others).copied().collect();
            let mut known = BTreeSet::new();
            origins.retain(|asn| known.insert(*asn));
            let Interface { router, next, later, destinations, serves, .. } = &router;
            *interface = Interface {
                space: std::mem::take(&mut interface.space),
                router: *router,
                origins,
                next: next.clone(),
                later: later.clone(),
                before: std::mem::take(&mut interface.before),
                destinations: destinations.clone(),
                serves: serves.clone(),
            };
        }
    }

    fn add(&mut self, trace: &Trace, origins: &OriginTable) {
        let target = origins.lookup(trace.key.target).asn();
        let mut before: Option<(Place, u8)> = None;
        for hop in trace.hops.iter() {
            let Some(address) = hop.address() else { continue };
            let ttl = hop.ttl.get();
            if is_end(hop) {
                if let (Some((place, at)), Some(asn), true) = (before, target, address == trace.key.target)
                    && at.saturating_add(1) == ttl
                    && let Some(interface) = self.interfaces.get_mut(place)
                {
                    interface.serves.insert(asn);
                }
                return;
            }
            let Some(place) = self.place(address, origins) else { continue };
            if let (Some(asn), Some(interface)) = (target, self.interfaces.get_mut(place)) {
                let count = interface.destinations.entry(asn).or_default();
                *count = count.saturating_add(1);
            }
            if let Some((earlier, at)) = before.filter(|(earlier, _)| *earlier != place) {
                // A router that saw TTL 0 stands one further than it answers for.
                let is_next = at.saturating_add(1) == ttl && !saw_ttl_0(hop);
                self.link(earlier, place, is_next);
            }
            before = Some((place, ttl));
        }
    }

    fn place(&mut self, address: IpAddr, origins: &OriginTable) -> Option<Place> {
        if let Some(place) = self.places.get(&address) {
            return Some(*place);
        }
        let space = Space::new(address, origins)?;
        let place = self.interfaces.len();
        let origins = space.ases().to_vec();
        self.interfaces.push(Interface { space, router: place, origins, ..Interface::default() });
        self.addresses.push(address);
        self.places.insert(address, place);
        Some(place)
    }

    fn link(&mut self, from: Place, to: Place, is_next: bool) {
        if let Some(interface) = self.interfaces.get_mut(from) {
            if is_next {
                interface.next.insert(to)
            } else {
                interface.later.insert(to)
            };
        }
        if let Some(interface) = self.interfaces.get_mut(to) {
            interface.before.insert(from);
        }
    }

    pub(super) fn at(&self, place: Place) -> Option<&Interface> {
        self.interfaces.get(place)
    }
}

/// Whether somebody says that the packet is, or cannot be, delivered. Who does need not stand on a way onward.
fn is_end(hop: &Hop) -> bool {
    hop.answers.iter().any(|answer| answer.kind != ReplyKind::TimeExceeded)
}

fn saw_ttl_0(hop: &Hop) -> bool {
    hop.answers.iter().any(|answer| answer.quoted_ttl == Some(0))
}

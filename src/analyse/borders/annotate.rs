//! Whose routers the interfaces are on, decided over and over until nothing changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::connected::routers_before;
use super::graph::{Graph, Interface, Place, Space};
use super::relations::{Kin, Relations};
use crate::analyse::path::{Confidence, RouterAs, RouterRule};
use crate::model::Asn;

/// So many rounds at most; most datasets need fewer than ten.
const MOST_ROUNDS: usize = 50;

/// The share of votes with which an AS wins whatever the relations.
const MAJORITY: f64 = 0.75;

/// In per cent, how many of the organisations behind a router must be peers of its own AS for it to be taken for one that
/// leads to peers.
const MOST_ARE_PEERS: usize = 85;

/// All that was decided: of routers, and of the other ends of links.
type State = (Vec<Option<Asn>>, Vec<Option<Asn>>);

/// A round of decisions over all interfaces.
pub(super) struct Annotation<'a> {
    pub(super) graph: &'a Graph,
    pub(super) relations: &'a Relations,
    decided: Vec<RouterAs>,
    /// Of each interface, the routers before it.
    pub(super) before: Vec<Vec<Place>>,
    /// Of each interface, the AS at the other end of its link.
    connected: Vec<Option<Asn>>,
    /// The steps at which each interface was last decided about, and at which that or its other end last changed: what
    /// rests on nothing new is not decided about anew.
    decided_at: Vec<u64>,
    changed_at: Vec<u64>,
    step: u64,
}

/// What one interface behind a router says of it.
#[derive(Clone, Copy)]
struct Vote {
    /// By whose address it is.
    by_address: Asn,
    /// By whose routers were seen before it.
    by_link: Option<Asn>,
}

impl Vote {
    fn asn(self) -> Asn {
        self.by_link.unwrap_or(self.by_address)
    }
}

/// The votes about one router.
#[derive(Debug, Default)]
struct Votes {
    by_as: BTreeMap<Asn, u32>,
    /// Of them, those of interfaces behind the router.
    behind: BTreeMap<Asn, u32>,
    /// For whom these would be if who is at the other end of their links told nothing.
    by_address: BTreeSet<Asn>,
}

impl Votes {
    fn add(&mut self, asn: Asn, is_behind: bool) {
        let count = self.by_as.entry(asn).or_default();
        *count = count.saturating_add(1);
        if is_behind {
            let count = self.behind.entry(asn).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn all(&self) -> u32 {
        self.by_as.values().sum()
    }

    fn of(&self, asn: Asn) -> u32 {
        self.by_as.get(&asn).copied().unwrap_or(0)
    }

    /// Those with most votes among these.
    fn most(&self, among: impl Fn(Asn) -> bool) -> Vec<Asn> {
        let candidates = || self.by_as.iter().filter(|(asn, _)| among(**asn));
        let most = candidates().map(|(_, votes)| *votes).max().unwrap_or(0);
        candidates().filter(|(_, votes)| **votes == most).map(|(asn, _)| *asn).collect()
    }
}

impl<'a> Annotation<'a> {
    pub(super) fn new(graph: &'a Graph, relations: &'a Relations) -> Self {
        let first = |interface: &Interface| RouterAs {
            asn: interface.origins.first().copied(),
            rule: RouterRule::Origin,
            alternatives: Vec::new(),
            confidence: Confidence::Low,
            connected: None,
        };
        let decided = graph.interfaces.iter().map(first).collect();
        let number = graph.interfaces.len();
        let before = (0..number).map(|place| routers_before(graph, place)).collect();
        let (connected, decided_at, changed_at) = (vec![None; number], vec![0; number], vec![0; number]);
        Self { graph, relations, decided, before, connected, decided_at, changed_at, step: 0 }
    }

    /// Decides about the last routers once, then about all others and all links until what is decided comes again.
    pub(super) fn run(mut self) -> Vec<RouterAs> {
        for place in 0..self.graph.interfaces.len() {
            let last = self.graph.at(place).filter(|interface| is_last(interface));
            if let Some(router) = last.map(|interface| self.last(interface)) {
                self.decide(place, router);
            }
        }
        let mut seen: BTreeSet<State> = BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            self.round();
            self.connect();
            let routers = self.decided.iter().map(|router| router.asn).collect();
            if !seen.insert((routers, self.connected.clone())) {
                break;
            }
        }
        for (router, connected) in self.decided.iter_mut().zip(self.connected) {
            router.connected = connected;
        }
        self.decided
    }

    /// What is decided about one router counts for those that are looked at behind it in the same round.
    fn round(&mut self) {
        for place in 0..self.graph.interfaces.len() {
            let inner = self.graph.at(place).filter(|interface| !is_last(interface));
            let inner = inner.filter(|interface| self.has_news(place, interface));
            if let Some(router) = inner.map(|interface| self.inner(interface)) {
                self.decide(place, router);
            }
        }
    }

    fn has_news(&self, place: Place, interface: &Interface) -> bool {
        let at = self.decided_at.get(place).copied().unwrap_or(0);
        let mut behind = interface.next.iter().chain(&interface.later);
        at == 0 || behind.any(|place| self.changed_at.get(*place).is_some_and(|changed| *changed > at))
    }

    fn decide(&mut self, place: Place, router: RouterAs) {
        self.step = self.step.saturating_add(1);
        if let Some(at) = self.decided_at.get_mut(place) {
            *at = self.step;
        }
        if self.at(place) != router.asn {
            self.mark(place);
        }
        if let Some(decided) = self.decided.get_mut(place) {
            *decided = router;
        }
    }

    fn connect(&mut self) {
        self.step = self.step.saturating_add(1);
        for place in 0..self.graph.interfaces.len() {
            let asn = self.connection(place);
            if let Some(connected) = self.connected.get_mut(place).filter(|connected| **connected != asn) {
                *connected = asn;
                self.mark(place);
            }
        }
    }

    fn mark(&mut self, place: Place) {
        if let Some(at) = self.changed_at.get_mut(place) {
            *at = self.step;
        }
    }

    pub(super) fn at(&self, place: Place) -> Option<Asn> {
        self.decided.get(place).and_then(|router| router.asn)
    }

    /// The AS at the other end of the link of an interface that has several routers before it. Of an only router the
    /// decision would be its own witness.
    fn connected_to(&self, place: Place) -> Option<Asn> {
        let has_several = self.before.get(place).is_some_and(|routers| routers.len() > 1);
        self.connected.get(place).copied().flatten().filter(|_| has_several)
    }
}

fn is_last(interface: &Interface) -> bool {
    interface.next.is_empty() && interface.later.is_empty()
}

/// Routers behind which no other was seen.
impl Annotation<'_> {
    fn last(&self, interface: &Interface) -> RouterAs {
        if let Space::Exchange(Some(port), _) = &interface.space {
            return router(Some(*port), RouterRule::ExchangePort, Confidence::High);
        }
        let origins = interface.origins.as_slice();
        let destinations = self.true_destinations(interface, origins);
        if destinations.is_empty() {
            return router(origins.first().copied(), RouterRule::LastOrigin, Confidence::Low);
        }
        let both = destinations.iter().copied().filter(|asn| origins.contains(asn));
        if let Some(asn) = both.min_by_key(|asn| self.relations.cone_size(*asn)) {
            return router(Some(asn), RouterRule::LastOrigin, Confidence::High);
        }
        // Who serves a target is the last router before it.
        if interface.serves.len() == 1 {
            let asn = interface.serves.first().copied();
            return router(asn, RouterRule::Serves, Confidence::Fair);
        }
        self.last_by_destinations(interface, &destinations)
    }

    /// The ASes behind a router, without the mark of a prefix that moved: of two, the router's own one if the
    /// other is a small customer.
    fn true_destinations(&self, interface: &Interface, origins: &[Asn]) -> Vec<Asn> {
        let destinations: Vec<Asn> = interface.destinations.keys().copied().collect();
        if let [one, other] = destinations.as_slice() {
            for (own, guest) in [(*one, *other), (*other, *one)] {
                let guest_size = self.relations.cone_size(guest);
                let is_own = origins.contains(&own) && !origins.contains(&guest);
                if is_own && guest_size < 5 && guest_size < self.relations.cone_size(own) {
                    return vec![guest];
                }
            }
        }
        destinations
    }

    fn last_by_destinations(&self, interface: &Interface, destinations: &[Asn]) -> RouterAs {
        let origins = interface.origins.as_slice();
        let related: Vec<Asn> = destinations
            .iter()
            .copied()
            .filter(|asn| origins.iter().any(|origin| self.relations.are_related(*origin, *asn)))
            .collect();
        let cones: Vec<_> = related.iter().map(|asn| self.relations.cone(*asn)).collect();
        let uncovered =
            destinations.iter().filter(|asn| !cones.iter().any(|cone| cone.contains(asn))).count();
        if !related.is_empty() {
            if related.len() >= 4 || uncovered > 4 {
                return router(origins.first().copied(), RouterRule::LastOrigin, Confidence::Fair);
            }
            let asn = related.iter().copied().max_by_key(|asn| self.relations.cone_size(*asn));
            return router(asn, RouterRule::LastDestination, Confidence::Low);
        }
        let between = self.between(destinations, origins);
        if let Some(asn) = between {
            return router(Some(asn), RouterRule::HiddenAs, Confidence::Low);
        }
        // With no relation to go by, several destinations make it a router of whoever has the address.
        if !origins.is_empty() && (self.relations.is_empty() || destinations.len() > 1) {
            return router(origins.first().copied(), RouterRule::LastOrigin, Confidence::Low);
        }
        let asn = destinations.iter().copied().max_by_key(|asn| self.relations.cone_size(*asn));
        router(asn, RouterRule::LastDestination, Confidence::Low)
    }

    /// The one AS that is a customer of an origin and a provider of a destination, or the other way round.
    fn between(&self, destinations: &[Asn], origins: &[Asn]) -> Option<Asn> {
        let all = |ases: &[Asn], customers: bool| -> BTreeSet<Asn> {
            let of = |asn: &Asn| -> Vec<Asn> {
                if customers {
                    self.relations.customers(*asn).collect()
                } else {
                    self.relations.providers(*asn).collect()
                }
            };
            ases.iter().flat_map(of).collect()
        };
        let one = |left: &BTreeSet<Asn>, right: &BTreeSet<Asn>| {
            let mut common = left.intersection(right).copied();
            common.next().filter(|_| common.next().is_none())
        };
        one(&all(destinations, false), &all(origins, true))
            .or_else(|| one(&all(destinations, true), &all(origins, false)))
    }
}

/// Routers behind which others were seen.
impl Annotation<'_> {
    fn inner(&self, interface: &Interface) -> RouterAs {
        if let Space::Exchange(Some(port), _) = &interface.space {
            return router(Some(*port), RouterRule::ExchangePort, Confidence::High);
        }
        let origins = interface.origins.as_slice();
        if let ([origin], true) = (origins, interface.next.is_empty()) {
            let mut later = interface.later.iter().filter_map(|place| self.vote(interface, *place));
            let sure = later.any(|vote| vote.by_address == *origin);
            let confidence = if sure { Confidence::Fair } else { Confidence::Low };
            return router(Some(*origin), RouterRule::BeforeSilence, confidence);
        }
        let behind = if interface.next.is_empty() { &interface.later } else { &interface.next };
        let is_near = !interface.next.is_empty();
        let votes = self.votes(interface, behind);
        if let Some(origin) = self.ways_in(interface, &votes) {
            return router(Some(origin), RouterRule::WaysIn, Confidence::Low);
        }
        if let Some(origin) = self.upward(interface, &votes) {
            return router(Some(origin), RouterRule::Upward, Confidence::Fair);
        }
        if let Some(customer) = self.customer(interface, &votes) {
            return router(Some(customer), RouterRule::Customer, Confidence::Fair);
        }
        if let Some(origin) = self.before_peers(interface, &votes) {
            return router(Some(origin), RouterRule::BeforePeers, Confidence::Fair);
        }
        let Some((winner, rule)) = self.winner(interface, &votes) else {
            return router(origins.first().copied(), RouterRule::Origin, Confidence::Low);
        };
        let (asn, rule) = match self.hidden(origins, winner, &votes) {
            Some(hidden) => (hidden, RouterRule::HiddenAs),
            None => (winner, rule),
        };
        let is_plain = votes.by_address.iter().all(|by_address| *by_address == asn);
        let agreed = votes.by_as.len() == 1 && is_plain && origins.contains(&asn) && is_near;
        let confidence = match rule {
            RouterRule::Votes if agreed => Confidence::High,
            RouterRule::Votes => Confidence::Fair,
            _ => Confidence::Low,
        };
        let alternatives = votes.by_as.keys().copied().filter(|other| *other != asn).collect();
        RouterAs { alternatives, ..router(Some(asn), rule, confidence) }
    }

    /// Every interface behind a router votes, and so does its own address.
    fn votes(&self, interface: &Interface, behind: &BTreeSet<Place>) -> Votes {
        let mut votes = Votes::default();
        for place in behind {
            if let Some(vote) = self.vote(interface, *place) {
                votes.add(vote.asn(), true);
                votes.by_address.insert(vote.by_address);
            }
        }
        for origin in &interface.origins {
            votes.add(*origin, false);
        }
        votes
    }

    fn vote(&self, interface: &Interface, place: Place) -> Option<Vote> {
        let origins = interface.origins.as_slice();
        let behind = self.graph.at(place)?;
        let plain = |asn: Asn| Vote { by_address: asn, by_link: None };
        match &behind.space {
            Space::Exchange(_, members) => {
                let mut member = origins.iter().filter(|origin| members.contains(origin));
                member.next().filter(|_| member.next().is_none()).copied().map(plain)
            }
            Space::Unknown => self.at(place).map(plain),
            Space::Of(ases) => {
                let asn = ases.iter().find(|asn| origins.contains(asn)).or(ases.first())?;
                if self.is_third_party(interface, *asn, place) {
                    let router = self.at(place)?;
                    let cone = self.relations.cone(router);
                    let covered = interface.destinations.keys().all(|asn| cone.contains(asn));
                    return covered.then(|| plain(router));
                }
                Some(Vote { by_address: *asn, by_link: self.link_vote(*asn, place) })
            }
        }
    }

    /// Where an address is of the AS of its router, who is at the other end of its link.
    fn link_vote(&self, asn: Asn, place: Place) -> Option<Asn> {
        let router = self.at(place)?;
        self.connected_to(place).filter(|_| self.relations.same_organisation(router, asn))
    }

    /// Whether an address behind a router is likely to be that of the interface by which the next router answers
    /// rather than the one by which the packet came.
    fn is_third_party(&self, interface: &Interface, asn: Asn, place: Place) -> bool {
        let origins = interface.origins.as_slice();
        let Some(router) = self.at(place) else { return false };
        let foreign = origins.iter().all(|origin| !self.relations.same_organisation(*origin, asn));
        let elsewhere = !self.relations.same_organisation(router, asn);
        let known =
            origins.iter().any(|origin| *origin == router || self.relations.are_related(*origin, router));
        if !(foreign && elsewhere && known) {
            return false;
        }
        let destinations: BTreeSet<Asn> = interface.destinations.keys().copied().collect();
        let inside = |asn: Asn| self.relations.cone(asn).intersection(&destinations).count();
        if destinations.contains(&asn) {
            let unrelated = origins.iter().all(|origin| !self.relations.are_related(*origin, asn));
            return unrelated && self.relations.are_related(router, asn);
        }
        inside(asn) <= inside(router)
    }

    /// The AS of an address from which, as from others of the same AS, one and the same address of another AS is seen
    /// next. Routers answer from the link by which a packet came, and a link has two ends: so all these are ways into
    /// one router, which has many inside its own AS and mostly one from another.
    fn ways_in(&self, interface: &Interface, votes: &Votes) -> Option<Asn> {
        let [origin] = interface.origins.as_slice() else { return None };
        let mut behind = votes.by_address.iter();
        let foreign = behind.next() != Some(origin) && behind.next().is_none();
        if !foreign || interface.next.len() != 1 {
            return None;
        }
        let next = interface.next.first().and_then(|place| self.graph.at(*place))?;
        let of_origin = |place: &&Place| {
            let before = self.graph.at(**place);
            before.is_some_and(|before| before.space.ases() == [*origin] && before.next == interface.next)
        };
        (next.before.iter().filter(of_origin).count() > 1).then_some(*origin)
    }

    /// The AS of an address behind which only a provider of it is seen: an address on the provider's side of their
    /// link would be the provider's.
    fn upward(&self, interface: &Interface, votes: &Votes) -> Option<Asn> {
        let [origin] = interface.origins.as_slice() else { return None };
        let mut behind = votes.by_address.iter();
        let only = behind.next().filter(|_| behind.next().is_none())?;
        (self.relations.kin(*origin, *only) == Some(Kin::Provider)).then_some(*origin)
    }

    /// The customer on whose router an address of the provider stands: the only AS behind it.
    fn customer(&self, interface: &Interface, votes: &Votes) -> Option<Asn> {
        let origins = interface.origins.as_slice();
        let mut behind = votes.behind.keys().copied();
        let only = behind.next().filter(|_| behind.next().is_none())?;
        let is_customer = |origin: &Asn| self.relations.kin(*origin, only) == Some(Kin::Customer);
        (!origins.contains(&only) && origins.iter().any(is_customer)).then_some(only)
    }

    /// The AS of an address behind which only others are, nearly all of them its peers, if not one of them is seen so
    /// often that it must be its router: a router of this AS towards its peers, with links that they number.
    fn before_peers(&self, interface: &Interface, votes: &Votes) -> Option<Asn> {
        let [origin] = interface.origins.as_slice() else { return None };
        if votes.behind.len() < 2 || votes.behind.contains_key(origin) {
            return None;
        }
        let is_peer = |asn: &&Asn| self.relations.kin(*origin, **asn) == Some(Kin::Peer);
        let peers: Vec<Asn> = votes.behind.keys().filter(is_peer).copied().collect();
        let all = self.organisations(votes.behind.keys());
        if self.organisations(&peers).saturating_mul(100) < all.saturating_mul(MOST_ARE_PEERS) {
            return None;
        }
        let most = votes.by_as.values().max().copied().unwrap_or(0);
        let own = votes.of(*origin);
        let is_enough = own.saturating_mul(2) > most || (own.saturating_mul(4) > most && peers.len() >= 2);
        is_enough.then_some(*origin)
    }

    /// How many organisations these ASes are.
    fn organisations<'a>(&self, ases: impl IntoIterator<Item = &'a Asn>) -> usize {
        ases.into_iter().map(|asn| self.relations.organisation(*asn)).collect::<BTreeSet<Asn>>().len()
    }

    fn winner(&self, interface: &Interface, votes: &Votes) -> Option<(Asn, RouterRule)> {
        let all = f64::from(votes.all());
        let top = votes.most(|_| true);
        if let [asn] = top.as_slice()
            && f64::from(votes.of(*asn)) >= MAJORITY * all
        {
            return Some((*asn, RouterRule::Votes));
        }
        let origins = interface.origins.as_slice();
        let related = |asn: Asn| {
            origins.iter().any(|origin| *origin == asn || self.relations.are_related(*origin, asn))
        };
        let mut best = votes.most(related);
        if best.is_empty() {
            best = top;
        }
        if let [asn] = best.as_slice() {
            return Some((*asn, RouterRule::Votes));
        }
        if let Some(asn) = self.by_next_link(interface, &best, votes) {
            return Some((asn, RouterRule::Tie));
        }
        self.tie(interface, &self.best_related(&best, votes)).map(|asn| (asn, RouterRule::Tie))
    }

    /// Of equals, the one at the other end of the only link behind, if that was entered from several interfaces.
    fn by_next_link(&self, interface: &Interface, best: &[Asn], votes: &Votes) -> Option<Asn> {
        let only = interface.next.first().filter(|_| interface.next.len() == 1)?;
        let asn = self.connected_to(*only)?;
        (best.contains(&asn) && votes.behind.contains_key(&asn)).then_some(asn)
    }

    /// Those of the equals that have relations to most of those that voted: the AS of a router has one to all whose
    /// interfaces are behind it, of which not all need be known.
    fn best_related(&self, best: &[Asn], votes: &Votes) -> Vec<Asn> {
        let related =
            |asn: Asn| votes.by_as.keys().filter(|voter| self.relations.are_related(asn, **voter)).count();
        let most = best.iter().map(|asn| related(*asn)).max();
        best.iter().copied().filter(|asn| Some(related(*asn)) == most).collect()
    }

    /// Of equals, the one towards which all packets go; else the smallest.
    fn tie(&self, interface: &Interface, best: &[Asn]) -> Option<Asn> {
        let destinations = &interface.destinations;
        let holds = |asn: &&Asn| {
            let cone = self.relations.cone(**asn);
            destinations.keys().all(|destination| cone.contains(destination))
        };
        let holding = best.iter().filter(holds);
        if let Some(asn) = holding.min_by_key(|asn| (self.relations.cone_size(**asn), **asn)) {
            return Some(*asn);
        }
        best.iter().copied().min_by_key(|asn| (self.relations.cone_size(*asn), Reverse(*asn)))
    }

    /// The AS that must stand between a router and a winner that is no neighbour of it.
    fn hidden(&self, origins: &[Asn], winner: Asn, votes: &Votes) -> Option<Asn> {
        let unrelated = origins.iter().all(|origin| !self.relations.are_related(*origin, winner));
        if origins.is_empty() || !unrelated || self.relations.is_empty() {
            return None;
        }
        let hidden = self.between(&[winner], origins)?;
        let is_kin = votes.by_as.keys().any(|voter| self.relations.same_organisation(*voter, hidden));
        (!is_kin).then_some(hidden)
    }
}

fn router(asn: Option<Asn>, rule: RouterRule, confidence: Confidence) -> RouterAs {
    RouterAs { asn, rule, alternatives: Vec::new(), confidence, connected: None }
}

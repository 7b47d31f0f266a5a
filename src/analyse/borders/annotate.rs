//! Whose routers the interfaces are on, decided over and over until nothing changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Interface, Place, Space};
use super::relations::{Kin, Relations};
use crate::analyse::path::{Confidence, RouterAs, RouterRule};
use crate::model::Asn;

/// So many rounds at most; most datasets need fewer than ten.
const MOST_ROUNDS: usize = 50;

/// The share of votes with which an AS wins whatever the relations.
const MAJORITY: f64 = 0.75;

/// A round of decisions over all interfaces.
pub(super) struct Annotation<'a> {
    graph: &'a Graph,
    relations: &'a Relations,
    decided: Vec<RouterAs>,
}

/// The votes about one router.
#[derive(Debug, Default)]
struct Votes {
    by_as: BTreeMap<Asn, u32>,
    /// Of them, those of interfaces behind the router.
    behind: BTreeMap<Asn, u32>,
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
        };
        Self { graph, relations, decided: graph.interfaces.iter().map(first).collect() }
    }

    /// Decides about the last routers once, then about all others until what is decided comes again.
    pub(super) fn run(mut self) -> Vec<RouterAs> {
        for place in 0..self.graph.interfaces.len() {
            let last = self.graph.at(place).filter(|interface| is_last(interface));
            if let Some(router) = last.map(|interface| self.last(interface)) {
                self.decide(place, router);
            }
        }
        let mut seen: BTreeSet<Vec<Option<Asn>>> = BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            self.round();
            if !seen.insert(self.decided.iter().map(|router| router.asn).collect()) {
                break;
            }
        }
        self.decided
    }

    /// What is decided about one router counts for those that are looked at behind it in the same round.
    fn round(&mut self) {
        for place in 0..self.graph.interfaces.len() {
            let inner = self.graph.at(place).filter(|interface| !is_last(interface));
            if let Some(router) = inner.map(|interface| self.inner(interface)) {
                self.decide(place, router);
            }
        }
    }

    fn decide(&mut self, place: Place, router: RouterAs) {
        if let Some(decided) = self.decided.get_mut(place) {
            *decided = router;
        }
    }

    fn at(&self, place: Place) -> Option<Asn> {
        self.decided.get(place).and_then(|router| router.asn)
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
            let sure = interface.later.iter().any(|place| self.vote(interface, *place) == Some(*origin));
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
        let Some((winner, rule)) = self.winner(interface, &votes) else {
            return router(origins.first().copied(), RouterRule::Origin, Confidence::Low);
        };
        let (asn, rule) = match self.hidden(origins, winner, &votes) {
            Some(hidden) => (hidden, RouterRule::HiddenAs),
            None => (winner, rule),
        };
        let agreed = votes.by_as.len() == 1 && origins.contains(&asn) && is_near;
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
            if let Some(asn) = self.vote(interface, *place) {
                votes.add(asn, true);
            }
        }
        for origin in &interface.origins {
            votes.add(*origin, false);
        }
        votes
    }

    fn vote(&self, interface: &Interface, place: Place) -> Option<Asn> {
        let origins = interface.origins.as_slice();
        let behind = self.graph.at(place)?;
        match &behind.space {
            Space::Exchange(_, members) => {
                let mut member = origins.iter().filter(|origin| members.contains(origin));
                member.next().filter(|_| member.next().is_none()).copied()
            }
            Space::Unknown => self.at(place),
            Space::Of(ases) => {
                let asn = ases.iter().find(|asn| origins.contains(asn)).or(ases.first())?;
                if self.is_third_party(interface, *asn, place) {
                    let router = self.at(place)?;
                    let cone = self.relations.cone(router);
                    let covered = interface.destinations.keys().all(|asn| cone.contains(asn));
                    return covered.then_some(router);
                }
                Some(*asn)
            }
        }
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
        let mut behind = votes.behind.keys();
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
        let mut behind = votes.behind.keys();
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
        self.tie(interface, &self.best_related(&best, votes)).map(|asn| (asn, RouterRule::Tie))
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
    RouterAs { asn, rule, alternatives: Vec::new(), confidence }
}

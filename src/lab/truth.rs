//! The truth: which way packets really go in a scenario, all ways that they may take, what must be
//! lost to cut them, and which AS paths there are. What every finding is held against.

mod cuts;
mod flows;
mod maze;
mod script;
#[cfg(test)]
mod tests;
mod true_ways;
mod ways;

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::answer::Complaint;
use super::balance::Balancers;
use super::chance::NoDice;
use super::habits::voice::Voice;
use super::packet::Packet;
use super::scenario::{AsIndex, Scenario};
use super::topology::{Target, Topology};
use super::walk::{End, Flow, Network, Position, Start};
use crate::model::{Asn, MonoTime, Prefix, WallTime};

pub use cuts::{Cut, CutMember, CutOf, Over};
pub use flows::Flows;
use script::Script;
pub use true_ways::{SeenLink, TrueInterface, TrueLink, TrueWays};
use ways::Search;

/// Answers questions about a scenario that no measurement could answer for certain.
#[derive(Debug)]
pub struct Truth {
    network: Network<Script>,
}

/// The way of one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruePath {
    /// The routers, the one first from or behind which it leaves.
    pub hops: Vec<TrueHop>,
    /// How it ended there.
    pub end: TrueEnd,
}

/// A router on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueHop {
    /// Its name in the scenario.
    pub router: String,
    /// The AS that it belongs to, whoever numbered its interface.
    pub asn: Asn,
    /// The address from which it would answer, as its sender sees it; `None` if it never answers.
    pub answers_from: Option<IpAddr>,
    /// Whether a packet's TTL counts it; not inside a tunnel that hides its routers.
    pub counts_ttl: bool,
}

/// Where the way of a packet that is neither lost nor short of TTL ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrueEnd {
    /// At whoever has the address.
    Arrived,
    /// The address belongs to nobody.
    Nobody,
    /// The last hop has no route.
    NoRoute,
    /// The last hop filters it.
    Filtered,
    /// The link behind the last hop takes no packet so long, and this one is not to be fragmented.
    TooBig,
    /// Behind the last hop, in a link that is gone while the routes still lead there.
    DeadLink,
    /// Nowhere: routers that have adopted new routes and others that have not send it to each other.
    Loop,
}

impl Truth {
    /// The truth about a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let script = Script::new(Balancers::new(scenario));
        Self { network: Network::with_choices(Topology::new(scenario), script) }
    }

    /// The way that this very packet takes if it leaves at a wall time and nothing of it is lost; its TTL is taken
    /// to be large enough. It leaves from the host or router that has its source address, and from the vantage if
    /// none has. Where a router draws for each packet, one of the ways that it may take. `None` if it is no IP
    /// packet.
    #[must_use]
    pub fn path(&self, packet: &[u8], at: WallTime) -> Option<TruePath> {
        let packet = Packet::of(packet)?;
        Some(self.path_of(&packet.flow, packet.rigid_length(), at))
    }

    fn path_of(&self, flow: &Flow, rigid_length: usize, at: WallTime) -> TruePath {
        let start = self.leaving(flow.source, self.network.topology.clock.mono(at), rigid_length);
        let mut hops = Vec::new();
        let from = Position::new(*flow, start);
        let walked = self.network.walk(from, &mut NoDice, |here| hops.extend(self.hop(here)));
        TruePath { hops, end: TrueEnd::from(walked.end) }
    }

    fn leaving(&self, source: IpAddr, at: MonoTime, rigid_length: usize) -> Start {
        let topology = &self.network.topology;
        let from_vantage = self.network.leaving_vantage(at, u8::MAX, rigid_length);
        if let Some(router) = topology.router_at(source) {
            return Start { router, at, made_here: true, ..from_vantage };
        }
        let announced = topology.announced(source).next();
        match announced.map(|(_, announced)| topology.target(source, announced)) {
            Some(Target::Host(router, _)) => Start { router, at, ..from_vantage },
            _ => from_vantage,
        }
    }

    fn hop(&self, here: &Position) -> Option<TrueHop> {
        let topology = &self.network.topology;
        let router = topology.router(here.router)?;
        let question = here.walked(End::Expired);
        let voice = self.network.voice(&question, Complaint::TimeExceeded);
        let counts_ttl = !self.network.is_hidden(here);
        let answers = counts_ttl && !router.silent;
        let seen_from = |voice: Voice| self.network.seen_from(&question, voice.address, true);
        Some(TrueHop {
            router: router.name.clone(),
            asn: topology.asn(router.home)?,
            answers_from: voice.filter(|_| answers).map(seen_from),
            counts_ttl,
        })
    }

    /// All ways that packets from the vantage may take at a wall time, over all flows. Routes are taken as they
    /// stand at that moment, as if packets took no time. Chance is left out.
    #[must_use]
    pub fn ways(&self, flows: &Flows, at: WallTime) -> TrueWays {
        self.ways_during(flows, (at, at))
    }

    /// All ways of packets that are under way from one wall time to another, both included. A packet may meet
    /// one router with old routes and the next with new ones: here every router may do what it does at any moment
    /// of that time. Where the ways are not [steady](TrueWays::steady), their shares say nothing but that they
    /// are above 0.
    #[must_use]
    pub fn ways_during(&self, flows: &Flows, (from, to): (WallTime, WallTime)) -> TrueWays {
        let clock = &self.network.topology.clock;
        let found = Search::new(&self.network, *flows, (clock.mono(from), clock.mono(to))).run();
        TrueWays::new(&self.network, flows, found)
    }

    /// The AS paths that packets from the vantage to an address follow at a wall time, over all flows: the
    /// vantage's AS first, the origin last. Empty if there is no route.
    #[must_use]
    pub fn as_paths(&self, destination: IpAddr, at: WallTime) -> BTreeSet<Vec<Asn>> {
        self.as_paths_of(self.vantage_as(), destination, at)
    }

    /// The same from any AS, that first; empty also if there is no such AS.
    #[must_use]
    pub fn as_paths_from(&self, asn: Asn, destination: IpAddr, at: WallTime) -> BTreeSet<Vec<Asn>> {
        let ases = &self.network.topology.scenario.ases;
        let start = ases.iter().position(|asys| asys.number == asn).map(AsIndex);
        self.as_paths_of(start, destination, at)
    }

    fn as_paths_of(&self, start: Option<AsIndex>, destination: IpAddr, at: WallTime) -> BTreeSet<Vec<Asn>> {
        let mut paths = BTreeSet::new();
        let mut open: Vec<Vec<AsIndex>> = start.into_iter().map(|home| vec![home]).collect();
        while let Some(path) = open.pop() {
            match self.next_ases(&path, destination, self.network.topology.clock.mono(at)) {
                Some([]) => {
                    paths.insert(path.iter().filter_map(|asys| self.network.topology.asn(*asys)).collect());
                }
                Some(next) => open.extend(next.iter().map(|next| [path.as_slice(), &[*next]].concat())),
                None => {}
            }
        }
        paths
    }

    /// The same for all of a prefix; it must be announced as a whole.
    #[must_use]
    pub fn as_paths_to(&self, prefix: Prefix, at: WallTime) -> BTreeSet<Vec<Asn>> {
        self.as_paths(prefix.network(), at)
    }

    /// The neighbour ASes over which packets from the vantage reach the AS that announces an address.
    #[must_use]
    pub fn upstreams(&self, destination: IpAddr, at: WallTime) -> BTreeSet<Asn> {
        let paths = self.as_paths(destination, at);
        paths.iter().filter_map(|path| path.iter().rev().nth(1).copied()).collect()
    }

    fn vantage_as(&self) -> Option<AsIndex> {
        let topology = &self.network.topology;
        topology.home(topology.scenario.vantage.gateway)
    }

    /// The ASes that may follow the last one of a path; empty at the origin, `None` without a route.
    fn next_ases(&self, path: &[AsIndex], destination: IpAddr, at: MonoTime) -> Option<&[AsIndex]> {
        let topology = &self.network.topology;
        let last = *path.last()?;
        let mut prefixes = topology.announced(destination).map(|(prefix, _)| prefix);
        let best = prefixes.find_map(|prefix| self.network.routing.best(topology, prefix, last, at))?;
        Some(best.next())
    }
}

impl From<End> for TrueEnd {
    fn from(end: End) -> Self {
        match end {
            End::AtRouter | End::AtHost(_) | End::AtVantage => Self::Arrived,
            // A TTL of 255 runs out only in a circle.
            End::Expired => Self::Loop,
            End::NoRoute => Self::NoRoute,
            End::Prohibited | End::Filtered => Self::Filtered,
            End::TooBig(_) => Self::TooBig,
            End::Lost => Self::DeadLink,
            End::Vanished => Self::Nobody,
        }
    }
}

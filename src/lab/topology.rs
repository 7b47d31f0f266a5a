//! The scenario as the simulator walks it: who owns an address, what lies behind a prefix, which links a
//! router has, and when each link is there.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use super::cover::Cover;
use super::history::History;
use super::scenario::{
    Announced, AnswersFrom, As, AsIndex, Happening, Host, HostIndex, IcmpRate, Link, LinkIndex, Nat,
    Relation, Router, RouterIndex, Scenario, Tunnel, TunnelIndex,
};
use super::timeline::Timeline;
use crate::model::{Asn, ClockPair, MonoTime, Prefix};

/// Everything about a scenario that routes do not decide. Times count from the start of the lab.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) scenario: Scenario,
    pub(super) clock: ClockPair,
    ports: Vec<Vec<LinkIndex>>,
    members: Vec<Vec<RouterIndex>>,
    neighbours: Vec<Vec<(AsIndex, Timeline<Role>)>>,
    owners: HashMap<IpAddr, Owner>,
    prefixes: Cover,
    history: History,
    /// The tunnels of each ingress, the longest first.
    tunnels: HashMap<RouterIndex, Vec<TunnelIndex>>,
}

/// What a neighbour is to an AS, the most wanted first (Gao and Rexford 2001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Customer,
    Peer,
    Provider,
}

/// Whose address it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Owner {
    /// A router's own, or that of its interface on a link.
    Router(RouterIndex, Option<LinkIndex>),
    Host(HostIndex, RouterIndex),
    Vantage,
}

impl Owner {
    /// The router, if it is one.
    pub(super) const fn router(self) -> Option<RouterIndex> {
        match self {
            Self::Router(router, _) => Some(router),
            Self::Host(..) | Self::Vantage => None,
        }
    }
}

/// What an address means once a packet is in the AS that announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A router's own address.
    Router(RouterIndex),
    /// The address of the far end of a link of this router, which leads into another AS.
    Across(RouterIndex, LinkIndex),
    /// A host behind this router.
    Host(RouterIndex, HostIndex),
    /// The vantage, behind its gateway.
    Vantage(RouterIndex),
    /// An address that nobody has, in a network behind this router.
    Nobody(RouterIndex),
    /// An address that nobody has, in no network.
    Unrouted,
}

impl Topology {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let clock = ClockPair::new(MonoTime::default(), scenario.start).squeezed(scenario.speed);
        Self {
            clock,
            ports: ports(scenario),
            members: members(scenario),
            neighbours: neighbours(scenario, &clock),
            owners: owners(scenario),
            prefixes: cover(&scenario.prefixes),
            history: History::new(scenario, &clock),
            tunnels: tunnels(scenario),
            scenario: scenario.clone(),
        }
    }

    pub(super) fn router(&self, index: RouterIndex) -> Option<&Router> {
        self.scenario.routers.get(index.0)
    }

    pub(super) fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.scenario.links.get(index.0)
    }

    pub(super) fn host(&self, index: HostIndex) -> Option<&Host> {
        self.scenario.hosts.get(index.0)
    }

    pub(super) fn asys(&self, index: AsIndex) -> Option<&As> {
        self.scenario.ases.get(index.0)
    }

    pub(super) fn asn(&self, index: AsIndex) -> Option<Asn> {
        self.asys(index).map(|asys| asys.number)
    }

    pub(super) fn tunnel(&self, index: TunnelIndex) -> Option<&Tunnel> {
        self.scenario.tunnels.get(index.0)
    }

    /// The tunnels that begin at a router, the longest first.
    pub(super) fn tunnels_from(&self, ingress: RouterIndex) -> &[TunnelIndex] {
        self.tunnels.get(&ingress).map_or(&[], Vec::as_slice)
    }

    /// How a router translates addresses; `None` if it does not.
    pub(super) fn nat(&self, router: RouterIndex) -> Option<&Nat> {
        self.router(router).map(|router| &router.nat).filter(|nat| !nat.inward.is_empty())
    }

    /// Whether any router translates addresses.
    pub(super) fn translates(&self) -> bool {
        self.scenario.routers.iter().any(|router| !router.nat.inward.is_empty())
    }

    /// The AS that a router belongs to.
    pub(super) fn home(&self, router: RouterIndex) -> Option<AsIndex> {
        self.router(router).map(|router| router.home)
    }

    /// The routers of an AS.
    pub(super) fn members(&self, asys: AsIndex) -> &[RouterIndex] {
        self.members.get(asys.0).map_or(&[], Vec::as_slice)
    }

    /// The links of a router, in the order of the file.
    pub(super) fn ports(&self, router: RouterIndex) -> &[LinkIndex] {
        self.ports.get(router.0).map_or(&[], Vec::as_slice)
    }

    /// The neighbours of an AS, and what they are to it at a time.
    pub(super) fn neighbours(
        &self,
        asys: AsIndex,
        at: MonoTime,
    ) -> impl Iterator<Item = (AsIndex, Role)> + '_ {
        let neighbours = self.neighbours.get(asys.0).into_iter().flatten();
        neighbours.map(move |(other, role)| (*other, *role.at(at)))
    }

    /// Whether a link and the routers at its ends are there at a time.
    pub(super) fn is_up(&self, link: LinkIndex, at: MonoTime) -> bool {
        self.history.links.get(link.0).is_some_and(|there| *there.at(at))
    }

    /// Whether a router is there at a time.
    pub(super) fn router_is_up(&self, router: RouterIndex, at: MonoTime) -> bool {
        self.history.routers.get(&router).is_none_or(|there| *there.at(at))
    }

    /// Whether the vantage's own line is there at a time.
    pub(super) fn has_uplink(&self, at: MonoTime) -> bool {
        *self.history.uplink.at(at)
    }

    /// Whether the host at an address is on at a time: what was last said of it, and at one time of the longest
    /// prefix, holds.
    pub(super) fn host_is_up(&self, address: IpAddr, at: MonoTime) -> bool {
        let about = self.history.hosts.iter().filter(|(prefix, _)| prefix.contains(address));
        let said =
            about.filter_map(|(prefix, there)| Some((there.since(at)?, prefix.length(), *there.at(at))));
        said.max().is_none_or(|(_, _, there)| there)
    }

    /// The share of a link among equally good ones, at a time.
    pub(super) fn weight(&self, link: LinkIndex, at: MonoTime) -> u16 {
        match self.history.weights.get(&link) {
            Some(weight) => *weight.at(at),
            None => self.link(link).map_or(1, |link| link.weight),
        }
    }

    /// How fast a router sends ICMP errors at a time; `None` without a limit.
    pub(super) fn icmp_rate(&self, router: RouterIndex, at: MonoTime) -> Option<IcmpRate> {
        match self.history.icmp_rates.get(&router) {
            Some(rate) => *rate.at(at),
            None => self.router(router)?.icmp_rate,
        }
    }

    /// To whom a prefix is announced at a time, by its position; `None` for all neighbours.
    pub(super) fn announced_to(&self, prefix: usize, at: MonoTime) -> Option<&BTreeSet<AsIndex>> {
        match self.history.announced_to.get(&prefix) {
            Some(only_to) => only_to.at(at).as_ref(),
            None => self.scenario.prefixes.get(prefix)?.only_to.as_ref(),
        }
    }

    /// The times at which routes may change, in order.
    pub(super) fn change_times(&self) -> Vec<MonoTime> {
        let links = self.history.links.iter().flat_map(Timeline::times);
        let policies = self.history.announced_to.values().flat_map(Timeline::times);
        let roles = self.neighbours.iter().flatten().flat_map(|(_, role)| role.times());
        let mut times: Vec<MonoTime> = links.chain(policies).chain(roles).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The times at which anything changes that a packet may meet, in order.
    pub(super) fn moments(&self) -> Vec<MonoTime> {
        let weights = self.history.weights.values().flat_map(Timeline::times);
        let hosts = self.history.hosts.values().flat_map(Timeline::times);
        let mut times: Vec<MonoTime> =
            self.change_times().into_iter().chain(weights).chain(hosts).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// Whose an address is.
    pub(super) fn owner(&self, address: IpAddr) -> Option<Owner> {
        self.owners.get(&address).copied()
    }

    /// The positions in the scenario and the facts of all prefixes that cover an address, the longest first.
    pub(super) fn announced(&self, address: IpAddr) -> impl Iterator<Item = (usize, &Announced)> {
        let covering = self.prefixes.covering(address);
        covering.filter_map(|index| self.scenario.prefixes.get(index).map(|announced| (index, announced)))
    }

    /// The router that holds an address.
    pub(super) fn router_at(&self, address: IpAddr) -> Option<RouterIndex> {
        self.owner(address).and_then(Owner::router)
    }

    /// What an address means inside the AS that announces it.
    pub(super) fn target(&self, address: IpAddr, announced: &Announced) -> Target {
        self.target_of(self.owner(address), announced)
    }

    /// The same, where it is known whose the address is.
    pub(super) fn target_of(&self, owner: Option<Owner>, announced: &Announced) -> Target {
        let here = |router: RouterIndex| self.home(router) == Some(announced.origin);
        match owner {
            Some(Owner::Router(router, _)) if here(router) => Target::Router(router),
            Some(Owner::Router(router, Some(link))) => {
                let near = self.link(link).and_then(|link| link.other_end(router));
                near.filter(|near| here(*near)).map_or(Target::Unrouted, |near| Target::Across(near, link))
            }
            Some(Owner::Router(_, None)) => Target::Unrouted,
            Some(Owner::Host(host, router)) => Target::Host(router, host),
            Some(Owner::Vantage) => Target::Vantage(self.scenario.vantage.gateway),
            None => announced.router.map_or(Target::Unrouted, Target::Nobody),
        }
    }
}

fn cover(prefixes: &[Announced]) -> Cover {
    let prefixes: Vec<Prefix> = prefixes.iter().map(|announced| announced.prefix).collect();
    Cover::of(&prefixes)
}

fn ports(scenario: &Scenario) -> Vec<Vec<LinkIndex>> {
    let mut ports = vec![Vec::new(); scenario.routers.len()];
    for (index, link) in scenario.links.iter().enumerate() {
        for end in link.ends {
            if let Some(ports) = ports.get_mut(end.0) {
                ports.push(LinkIndex(index));
            }
        }
    }
    ports
}

fn members(scenario: &Scenario) -> Vec<Vec<RouterIndex>> {
    let mut members = vec![Vec::new(); scenario.ases.len()];
    for (index, router) in scenario.routers.iter().enumerate() {
        if let Some(list) = members.get_mut(router.home.0) {
            list.push(RouterIndex(index));
        }
    }
    members
}

fn neighbours(scenario: &Scenario, clock: &ClockPair) -> Vec<Vec<(AsIndex, Timeline<Role>)>> {
    let mut neighbours: Vec<Vec<(AsIndex, Timeline<Role>)>> = vec![Vec::new(); scenario.ases.len()];
    for relation in &scenario.relations {
        for (me, other, role) in roles(*relation) {
            if let Some(list) = neighbours.get_mut(me.0) {
                list.push((other, Timeline::new(role)));
            }
        }
    }
    for change in &scenario.changes {
        let Happening::Relation(relation) = change.what else { continue };
        for (me, other, role) in roles(relation) {
            let list = neighbours.get_mut(me.0).into_iter().flatten();
            for (_, history) in list.filter(|(neighbour, _)| *neighbour == other) {
                history.then(clock.mono(change.at), role);
            }
        }
    }
    neighbours
}

/// What each of both ASes has in the other.
const fn roles(relation: Relation) -> [(AsIndex, AsIndex, Role); 2] {
    match relation {
        Relation::Transit { provider, customer } => {
            [(provider, customer, Role::Customer), (customer, provider, Role::Provider)]
        }
        Relation::Peering(one, other) => [(one, other, Role::Peer), (other, one, Role::Peer)],
    }
}

fn owners(scenario: &Scenario) -> HashMap<IpAddr, Owner> {
    let mut owners = HashMap::new();
    for (index, router) in scenario.routers.iter().enumerate() {
        let owner = Owner::Router(RouterIndex(index), None);
        owners.extend(router.addresses.iter().map(|address| (address, owner)));
    }
    for (index, link) in scenario.links.iter().enumerate() {
        for (end, addresses) in link.ends.iter().zip(link.addresses) {
            let owner = Owner::Router(*end, Some(LinkIndex(index)));
            owners.extend(addresses.iter().map(|address| (address, owner)));
        }
    }
    for (index, router) in scenario.routers.iter().enumerate() {
        let owner = Owner::Router(RouterIndex(index), None);
        owners.extend(router.nat.inward.keys().map(|outside| (*outside, owner)));
        if let AnswersFrom::Addresses(addresses) = router.answers_from {
            for address in addresses.iter() {
                owners.entry(address).or_insert(owner);
            }
        }
    }
    for (index, host) in scenario.hosts.iter().enumerate() {
        let places = host.addresses.iter();
        owners.extend(places.map(|(address, router)| (*address, Owner::Host(HostIndex(index), *router))));
    }
    owners.extend(scenario.vantage.addresses.iter().map(|address| (address, Owner::Vantage)));
    owners
}

fn tunnels(scenario: &Scenario) -> HashMap<RouterIndex, Vec<TunnelIndex>> {
    let mut of_ingress: HashMap<RouterIndex, Vec<TunnelIndex>> = HashMap::new();
    for (index, tunnel) in scenario.tunnels.iter().enumerate() {
        if let Some(ingress) = tunnel.routers.first() {
            of_ingress.entry(*ingress).or_default().push(TunnelIndex(index));
        }
    }
    let length = |index: &TunnelIndex| scenario.tunnels.get(index.0).map(|tunnel| tunnel.routers.len());
    for list in of_ingress.values_mut() {
        list.sort_by_key(|index| Reverse(length(index)));
    }
    of_ingress
}

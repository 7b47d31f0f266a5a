//! The scenario as the simulator walks it: who owns an address, what lies behind a prefix, which links a
//! router has, and when each link is there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use super::scenario::{
    Announced, AnswersFrom, As, AsIndex, Change, Changed, Host, HostIndex, IcmpRate, Link, LinkIndex, Nat,
    Relation, Router, RouterIndex, Scenario, Tunnel, TunnelIndex,
};
use crate::model::{Asn, ClockPair, LinkChange, MonoTime};

/// Everything about a scenario that routes do not decide. Times count from the start of the lab.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) scenario: Scenario,
    pub(super) clock: ClockPair,
    ports: Vec<Vec<LinkIndex>>,
    neighbours: Vec<Vec<(AsIndex, Role)>>,
    owners: HashMap<IpAddr, Owner>,
    v4: PrefixMap<Ipv4Net, usize>,
    v6: PrefixMap<Ipv6Net, usize>,
    states: Vec<Presence>,
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
enum Owner {
    /// A router's own, or that of its interface on a link.
    Router(RouterIndex, Option<LinkIndex>),
    Host(HostIndex, RouterIndex),
    Vantage,
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

/// Whether a link is there, and when that changes.
#[derive(Clone, Debug)]
struct Presence {
    at_first: bool,
    changes: Vec<(MonoTime, bool)>,
}

impl Presence {
    fn at(&self, time: MonoTime) -> bool {
        let past = self.changes.iter().take_while(|(at, _)| *at <= time);
        past.last().map_or(self.at_first, |(_, there)| *there)
    }
}

impl Topology {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let clock = ClockPair::new(MonoTime::default(), scenario.start).squeezed(scenario.speed);
        let mut v4 = PrefixMap::new();
        let mut v6 = PrefixMap::new();
        for (index, announced) in scenario.prefixes.iter().enumerate() {
            match announced.prefix.as_net() {
                ipnet::IpNet::V4(net) => v4.insert(net, index),
                ipnet::IpNet::V6(net) => v6.insert(net, index),
            };
        }
        Self {
            clock,
            ports: ports(scenario),
            neighbours: neighbours(scenario),
            owners: owners(scenario),
            v4,
            v6,
            states: states(scenario, &clock),
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

    /// How often a router sends ICMP errors at a time; `None` for always.
    pub(super) fn icmp_rate(&self, router: RouterIndex, _at: MonoTime) -> Option<IcmpRate> {
        self.router(router)?.icmp_rate
    }

    /// The AS that a router belongs to.
    pub(super) fn home(&self, router: RouterIndex) -> Option<AsIndex> {
        self.router(router).map(|router| router.home)
    }

    /// The links of a router, in the order of the file.
    pub(super) fn ports(&self, router: RouterIndex) -> &[LinkIndex] {
        self.ports.get(router.0).map_or(&[], Vec::as_slice)
    }

    pub(super) fn neighbours(&self, asys: AsIndex) -> &[(AsIndex, Role)] {
        self.neighbours.get(asys.0).map_or(&[], Vec::as_slice)
    }

    /// Whether the link is there at a time.
    pub(super) fn is_up(&self, link: LinkIndex, at: MonoTime) -> bool {
        self.states.get(link.0).is_some_and(|presence| presence.at(at))
    }

    /// The times at which any link comes or goes, in order.
    pub(super) fn change_times(&self) -> Vec<MonoTime> {
        let times = self.states.iter().flat_map(|presence| &presence.changes);
        let mut times: Vec<MonoTime> = times.map(|(at, _)| *at).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The router that holds an address.
    pub(super) fn router_at(&self, address: IpAddr) -> Option<RouterIndex> {
        match self.owners.get(&address)? {
            Owner::Router(router, _) => Some(*router),
            Owner::Host(..) | Owner::Vantage => None,
        }
    }

    /// The position in the scenario and the facts of the longest announced prefix that covers an address.
    pub(super) fn announced(&self, address: IpAddr) -> Option<(usize, &Announced)> {
        let index = match address {
            IpAddr::V4(v4) => self.v4.get_lpm(&Ipv4Net::from(v4)).map(|(_, index)| *index),
            IpAddr::V6(v6) => self.v6.get_lpm(&Ipv6Net::from(v6)).map(|(_, index)| *index),
        }?;
        self.scenario.prefixes.get(index).map(|announced| (index, announced))
    }

    /// What an address means inside the AS that announces it.
    pub(super) fn target(&self, address: IpAddr, announced: &Announced) -> Target {
        let owner = self.owners.get(&address).copied();
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

fn neighbours(scenario: &Scenario) -> Vec<Vec<(AsIndex, Role)>> {
    let mut neighbours = vec![Vec::new(); scenario.ases.len()];
    let mut add = |me: AsIndex, other: AsIndex, role: Role| {
        if let Some(list) = neighbours.get_mut(me.0) {
            list.push((other, role));
        }
    };
    for relation in &scenario.relations {
        match *relation {
            Relation::Transit { provider, customer } => {
                add(provider, customer, Role::Customer);
                add(customer, provider, Role::Provider);
            }
            Relation::Peering(one, other) => {
                add(one, other, Role::Peer);
                add(other, one, Role::Peer);
            }
        }
    }
    neighbours
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

/// A router link is there while it is itself, and while the link between its ASes is.
fn states(scenario: &Scenario, clock: &ClockPair) -> Vec<Presence> {
    let mut histories: BTreeMap<Changed, Presence> = BTreeMap::new();
    for Change { at, what, how } in &scenario.changes {
        let there = *how == LinkChange::Added;
        let history =
            histories.entry(*what).or_insert_with(|| Presence { at_first: !there, changes: Vec::new() });
        history.changes.push((clock.mono(*at), there));
    }
    scenario.links.iter().map(|link| state(scenario, link, &histories)).collect()
}

fn state(scenario: &Scenario, link: &Link, histories: &BTreeMap<Changed, Presence>) -> Presence {
    let [one, other] = link.ends;
    let of_routers = histories.get(&Changed::RouterLink([one.min(other), one.max(other)]));
    let number = |router: RouterIndex| {
        let home = scenario.routers.get(router.0)?.home;
        scenario.ases.get(home.0).map(|asys| asys.number)
    };
    let between =
        number(one).zip(number(other)).and_then(|(one, other)| crate::model::AsLink::new(one, other));
    let of_ases = between.and_then(|link| histories.get(&Changed::AsLink(link)));
    let parts: Vec<&Presence> = of_routers.into_iter().chain(of_ases).collect();
    let mut times: Vec<MonoTime> = parts.iter().flat_map(|part| &part.changes).map(|(at, _)| *at).collect();
    times.sort_unstable();
    times.dedup();
    Presence {
        at_first: parts.iter().all(|part| part.at_first),
        changes: times.into_iter().map(|at| (at, parts.iter().all(|part| part.at(at)))).collect(),
    }
}

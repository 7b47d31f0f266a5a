//! To whom on the link a packet goes: what the kernel's routes and its table of neighbours say of a target,
//! for packets that do not pass the kernel on their way out.
//!
//! ```text
//!   target ─▶ stretch of addresses routed alike ─▶ gateway, or the target itself ─▶ hardware address
//! ```
//!
//! Between two ends of prefixes in the routing tables all addresses are routed alike, so the kernel is asked
//! once a stretch. What it alone can do is left to it: routes with several next hops, tunnels, rules beside
//! the tables, and whoever's hardware address is not known. A packet that is left to it makes it look for
//! that address, so nothing is ever sent for the sake of looking. Whom it has not heard for a while is left
//! to it once a second, and is thereby checked. Redirects of routers (RFC 792) for single targets are not
//! followed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use nix::ifaddrs::getifaddrs;
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteType};
use rtnetlink::packet_route::rule::{RuleAttribute, RuleMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::super::Vantage;
use super::super::netlink::{self, NetlinkError, News};
use crate::model::{MonoTime, Prefix, Stretches};
use crate::wire::Sources;

/// A hardware address of Ethernet.
pub(super) type Mac = [u8; 6];

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = libc::ARPHRD_ETHER;

/// How often it is looked for news.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How often the tables are read again while they keep changing.
const READ_EVERY: Duration = Duration::from_millis(100);

/// How often a packet is left to the kernel so that it checks a neighbour.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// With more routes than this, reading them again and again would cost more than the kernel's way.
const MOST_ROUTES: usize = 10_000;

/// What tells of links, neighbours, routes, rules and next-hop objects.
const GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_NEIGH,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
    32, // RTNLGRP_NEXTHOP
];

/// Where a route leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    /// To this neighbour.
    Gateway(IpAddr),
    /// To the target itself.
    OnLink,
    /// Wherever the kernel says.
    Kernel,
}

/// Somebody on the link whose hardware address is valid.
#[derive(Clone, Copy, Debug)]
struct Neighbour {
    mac: Mac,
    /// Whether the kernel knows that it is there.
    confirmed: bool,
    /// When a packet was last left to the kernel for its sake.
    checked: Option<MonoTime>,
}

/// What is known of the ways out through one interface.
#[derive(Debug)]
pub(super) struct NextHops {
    index: u32,
    sources: Sources,
    news: News,
    looked: MonoTime,
    read: MonoTime,
    /// Whether the tables are still as they were read.
    current: bool,
    own: Option<Mac>,
    v4: Stretches<Hop>,
    v6: Stretches<Hop>,
    neighbours: BTreeMap<IpAddr, Neighbour>,
    /// The last next hop, if the kernel is sure of it.
    last: Option<(IpAddr, Cable)>,
}

/// The hardware addresses at both ends of the cable that a packet leaves by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cable {
    /// The vantage's interface.
    pub(super) from: Mac,
    /// The next hop's.
    pub(super) to: Mac,
}

impl NextHops {
    /// Listens, and reads the tables, for this vantage. `None` if its interface is no Ethernet.
    pub(super) fn open(vantage: &Vantage, now: MonoTime) -> Result<Option<Self>, NetlinkError> {
        if own_mac(vantage.index).is_none() {
            return Ok(None);
        }
        let mut hops = Self {
            index: vantage.index,
            sources: vantage.sources,
            news: News::of(&GROUPS)?,
            looked: now,
            read: now,
            current: false,
            own: None,
            v4: Stretches::default(),
            v6: Stretches::default(),
            neighbours: BTreeMap::new(),
            last: None,
        };
        // If they change at this moment, they are read again with the first packet.
        let _ = hops.read_tables();
        Ok(Some(hops))
    }

    /// The cable that a packet to this target goes by; `None` if that is to be left to the kernel.
    pub(super) fn cable_to(&mut self, target: IpAddr, now: MonoTime) -> Option<Cable> {
        if now.since(self.looked) >= LOOK_EVERY {
            self.look(now);
        }
        if !self.current {
            return None;
        }
        let next = match self.hop_to(target) {
            Hop::Gateway(gateway) => gateway,
            Hop::OnLink => target,
            Hop::Kernel => return None,
        };
        if let Some((last, cable)) = self.last
            && last == next
        {
            return Some(cable);
        }
        self.cable_of(next, now)
    }

    fn cable_of(&mut self, next: IpAddr, now: MonoTime) -> Option<Cable> {
        let neighbour = self.neighbours.get_mut(&next)?;
        if !neighbour.confirmed && neighbour.checked.is_none_or(|at| now.since(at) >= CHECK_EVERY) {
            neighbour.checked = Some(now);
            return None;
        }
        let cable = Cable { from: self.own?, to: neighbour.mac };
        self.last = neighbour.confirmed.then_some((next, cable));
        Some(cable)
    }

    fn hop_to(&mut self, target: IpAddr) -> Hop {
        let (index, sources) = (self.index, self.sources);
        let stretches = if target.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        stretches.of(target, || ask_kernel(target, sources, index).unwrap_or(Hop::Kernel))
    }

    /// Takes in what is new. What cannot be understood, or was lost, makes all that is known out of date.
    fn look(&mut self, now: MonoTime) {
        self.looked = now;
        self.last = None;
        let (index, neighbours) = (self.index, &mut self.neighbours);
        let mut changed = false;
        let taken = self.news.take(|message| match message {
            RouteNetlinkMessage::NewNeighbour(entry) => learn(neighbours, &entry, index),
            RouteNetlinkMessage::DelNeighbour(entry) => forget(neighbours, &entry, index),
            RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link) => {
                changed |= link.header.index == index;
            }
            _ => changed = true,
        });
        self.current &= !changed && taken.is_ok();
        if !self.current && now.since(self.read) >= READ_EVERY {
            self.read = now;
            // Until it succeeds, every packet is left to the kernel.
            let _ = self.read_tables();
        }
    }

    fn read_tables(&mut self) -> Result<(), NetlinkError> {
        self.current = false;
        self.own = own_mac(self.index);
        self.v4 = stretches(AddressFamily::Inet)?;
        self.v6 = stretches(AddressFamily::Inet6)?;
        self.neighbours.clear();
        let (index, neighbours) = (self.index, &mut self.neighbours);
        netlink::dump(RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default()), |message| {
            if let RouteNetlinkMessage::NewNeighbour(entry) = message {
                learn(neighbours, &entry, index);
            }
        })?;
        self.current = true;
        Ok(())
    }
}

/// The hardware address of an interface; `None` if it is no Ethernet, or gone.
fn own_mac(index: u32) -> Option<Mac> {
    let wanted = usize::try_from(index).ok()?;
    let links = getifaddrs().ok()?.filter_map(|entry| entry.address?.as_link_addr().copied());
    let mut ethernet = links.filter(|link| link.ifindex() == wanted && link.hatype() == ETHERNET);
    ethernet.next()?.addr()
}

/// The addresses of a family, cut where prefixes of any routing table begin and end. All of them in one
/// piece, and left to the kernel, if there are more routes than are worth the trouble, or rules of which
/// this program understands nothing.
fn stretches(family: AddressFamily) -> Result<Stretches<Hop>, NetlinkError> {
    let mut prefixes = Vec::new();
    let mut question = RouteMessage::default();
    question.header.address_family = family;
    netlink::dump(RouteNetlinkMessage::GetRoute(question), |message| {
        if let RouteNetlinkMessage::NewRoute(route) = message
            && route.header.address_family == family
        {
            prefixes.extend(destination(&route));
        }
    })?;
    if prefixes.len() > MOST_ROUTES || has_rules_of_its_own(family)? {
        return Ok(Stretches::all(Hop::Kernel));
    }
    Ok(Stretches::cut_by(prefixes))
}

/// Where a route leads to; `None` for a default route, which cuts nothing.
fn destination(route: &RouteMessage) -> Option<Prefix> {
    let address = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip_of(address),
        _ => None,
    });
    Prefix::covering(address?, route.header.destination_prefix_length)
}

/// Whether the kernel goes by more than its usual tables: local, main and default, for all packets alike.
fn has_rules_of_its_own(family: AddressFamily) -> Result<bool, NetlinkError> {
    let mut question = RuleMessage::default();
    question.header.family = family;
    let mut found = false;
    let dumped = netlink::dump(RouteNetlinkMessage::GetRule(question), |message| {
        if let RouteNetlinkMessage::NewRule(rule) = message {
            found |= rule.header.family == family && !is_usual(&rule);
        }
    });
    match dumped {
        Err(NetlinkError::Refused(error)) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
        dumped => dumped.map(|()| found),
    }
}

fn is_usual(rule: &RuleMessage) -> bool {
    let usual = |attribute: &RuleAttribute| match attribute {
        RuleAttribute::Table(table) => (253..=255).contains(table),
        RuleAttribute::SuppressPrefixLen(length) => *length == u32::MAX,
        RuleAttribute::Priority(_) | RuleAttribute::Protocol(_) => true,
        _ => false,
    };
    let whole = (rule.header.dst_len, rule.header.src_len, rule.header.tos) == (0, 0, 0);
    whole && rule.attributes.iter().all(usual)
}

/// Asks the kernel for the entry of its routing tables that a packet to this target goes by; `None` if that
/// is none of a kind that a frame can follow.
fn ask_kernel(target: IpAddr, sources: Sources, index: u32) -> Option<Hop> {
    let answer = netlink::ask(RouteNetlinkMessage::GetRoute(question(target, sources)?)).ok()?;
    let RouteNetlinkMessage::NewRoute(route) = answer else { return None };
    if route.header.kind != RouteType::Unicast {
        return None;
    }
    let (mut hop, mut exit) = (Hop::OnLink, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(oif) => exit = Some(*oif),
            RouteAttribute::Gateway(gateway) => hop = Hop::Gateway(ip_of(gateway)?),
            RouteAttribute::MultiPath(_)
            | RouteAttribute::Via(_)
            | RouteAttribute::Encap(_)
            | RouteAttribute::EncapType(_) => return None,
            _ => {}
        }
    }
    (exit == Some(index)).then_some(hop)
}

fn question(target: IpAddr, sources: Sources) -> Option<RouteMessage> {
    let (family, length, source) = match target {
        IpAddr::V4(_) => (AddressFamily::Inet, 32, IpAddr::from(sources.v4?)),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128, IpAddr::from(sources.v6?)),
    };
    let mut question = RouteMessage::default();
    question.header.address_family = family;
    question.header.destination_prefix_length = length;
    question.header.source_prefix_length = length;
    question.header.flags = RouteFlags::FibMatch;
    question.attributes = vec![
        RouteAttribute::Destination(route_address(target)),
        RouteAttribute::Source(route_address(source)),
    ];
    Some(question)
}

const fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

const fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// What stays known of a neighbour when the kernel tells of it anew is when it was checked.
fn learn(neighbours: &mut BTreeMap<IpAddr, Neighbour>, entry: &NeighbourMessage, index: u32) {
    let Some(address) = address_of(entry, index) else { return };
    let checked = neighbours.get(&address).and_then(|known| known.checked);
    match hardware_of(entry) {
        Some((mac, confirmed)) => {
            neighbours.insert(address, Neighbour { mac, confirmed, checked });
        }
        None => drop(neighbours.remove(&address)),
    }
}

fn forget(neighbours: &mut BTreeMap<IpAddr, Neighbour>, entry: &NeighbourMessage, index: u32) {
    if let Some(address) = address_of(entry, index) {
        neighbours.remove(&address);
    }
}

fn address_of(entry: &NeighbourMessage, index: u32) -> Option<IpAddr> {
    let mut addresses = entry.attributes.iter().filter_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    });
    addresses.next().filter(|_| entry.header.ifindex == index)
}

/// A neighbour's hardware address, if it has a valid one, and whether the kernel is sure of it.
fn hardware_of(entry: &NeighbourMessage) -> Option<(Mac, bool)> {
    let confirmed = match entry.header.state {
        NeighbourState::Permanent | NeighbourState::Noarp | NeighbourState::Reachable => true,
        NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe => false,
        _ => return None,
    };
    let mut hardware = entry.attributes.iter().filter_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => Mac::try_from(bytes.as_slice()).ok(),
        _ => None,
    });
    Some((hardware.next()?, confirmed))
}

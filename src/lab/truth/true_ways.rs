//! All ways that packets may take, as they are told: by names and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::TrueEnd;
use super::flows::Flows;
use super::script::Script;
use super::ways::{Found, crossed_ases};
use crate::lab::scenario::{Link, LinkIndex, RouterIndex};
use crate::lab::walk::Network;
use crate::model::Asn;

/// All ways that packets of some flows may take from the vantage.
///
/// Every share is that of all flows, 0 to 1, as balancers spread them by their weights; of packets, where a
/// router draws for each packet.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueWays {
    /// The routers on the ways, by their names, the gateway of the vantage too.
    pub routers: BTreeMap<String, f64>,
    /// The links on the ways, each in the direction of the packets.
    pub links: Vec<TrueLink>,
    /// The links between ASes on the ways, in the direction of the packets.
    pub as_links: BTreeMap<(Asn, Asn), f64>,
    /// Who may be seen at each TTL, that of 1 first; `None` for nobody. A router is seen by the address from
    /// which it complains about a TTL that ran out, or about the packet; the destination by its own, if it
    /// may answer. The shares of a TTL are those of the flows that get so far.
    pub hops: Vec<BTreeMap<Option<IpAddr>, f64>>,
    /// Who may be seen one TTL after the other by packets of one flow.
    pub seen_links: BTreeMap<SeenLink, f64>,
    /// How the ways end.
    pub ends: BTreeMap<TrueEnd, f64>,
    /// Whether nothing that the packets meet changes in the time that was asked for.
    pub steady: bool,
}

/// Two that a traceroute sees one after the other; `None` for a silent one. Routers inside a tunnel that hides
/// them are not seen. Behind a router that sends on what has run out, the next one is seen twice.
///
/// These are neighbours on the way of one packet. Behind a router that draws for each packet, two
/// packets see others besides, whatever their flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeenLink {
    /// TTL of the nearer one.
    pub ttl: u8,
    /// The nearer one.
    pub from: Option<IpAddr>,
    /// The farther one.
    pub to: Option<IpAddr>,
}

/// A link in the direction of packets.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueLink {
    /// Its name in the scenario, if it has one.
    pub name: Option<String>,
    /// Where packets enter it.
    pub from: TrueInterface,
    /// Where they leave it.
    pub to: TrueInterface,
    /// The share of the flows that cross it.
    pub share: f64,
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrueInterface {
    /// The router's name in the scenario.
    pub router: String,
    /// The AS that it belongs to, whoever numbered its interface.
    pub asn: Asn,
    /// The interface's address of the packets' family; `None` if it has none.
    pub address: Option<IpAddr>,
}

impl TrueWays {
    pub(super) fn new(network: &Network<Script>, flows: &Flows, found: Found) -> Self {
        let is_ipv4 = flows.destination().is_ipv4();
        let name =
            |router: &RouterIndex| network.topology.router(*router).map(|router| router.name.clone());
        let link =
            |(way, share): (&(RouterIndex, LinkIndex), &f64)| true_link(network, *way, is_ipv4, *share);
        let mut as_links = BTreeMap::new();
        for (way, share) in &found.links {
            let ases = crossed_ases(network, *way);
            let number = |asys| network.topology.asn(asys);
            let ases = ases.and_then(|(from, to)| number(from).zip(number(to)));
            if let Some(ases) = ases {
                *as_links.entry(ases).or_default() += share;
            }
        }
        let seen = found.seen.iter();
        Self {
            routers: found
                .routers
                .iter()
                .filter_map(|(router, share)| Some((name(router)?, *share)))
                .collect(),
            links: found.links.iter().filter_map(link).collect(),
            as_links,
            hops: found.hops,
            seen_links: seen
                .map(|((ttl, from, to), share)| (SeenLink { ttl: *ttl, from: *from, to: *to }, *share))
                .collect(),
            ends: found.ends,
            steady: found.steady,
        }
    }

    /// Pairs of addresses that a traceroute may see at neighbouring TTLs, at any TTL.
    #[must_use]
    pub fn visible_links(&self) -> BTreeSet<(IpAddr, IpAddr)> {
        self.seen_links.keys().filter_map(|link| link.from.zip(link.to)).collect()
    }

    /// Addresses that a traceroute may see.
    #[must_use]
    pub fn visible_addresses(&self) -> BTreeSet<IpAddr> {
        self.hops.iter().flat_map(BTreeMap::keys).copied().flatten().collect()
    }
}

fn true_link(
    network: &Network<Script>,
    (from, index): (RouterIndex, LinkIndex),
    is_ipv4: bool,
    share: f64,
) -> Option<TrueLink> {
    let link = network.topology.link(index)?;
    let to = link.other_end(from)?;
    Some(TrueLink {
        name: link.name.clone(),
        from: interface(network, link, from, is_ipv4)?,
        to: interface(network, link, to, is_ipv4)?,
        share,
    })
}

pub(super) fn interface(
    network: &Network<Script>,
    link: &Link,
    router: RouterIndex,
    is_ipv4: bool,
) -> Option<TrueInterface> {
    let topology = &network.topology;
    let known = topology.router(router)?;
    let address = link.addresses_at(router)?.of(is_ipv4).or(known.addresses.of(is_ipv4));
    Some(TrueInterface { router: known.name.clone(), asn: topology.asn(known.home)?, address })
}

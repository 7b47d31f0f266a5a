//! Addresses: every AS gets one block of each family; its routers, its links, and those to its customers are
//! numbered from the beginning of it, its networks lie behind.
//!
//! ```text
//! IPv4   own addresses │ links, a /31 or /30 each │ … │ networks, a /24 each      one aggregate
//! IPv6   own addresses │ links, a /127 each       │ … │ networks, a /48 each      one /32
//! ```
//!
//! IPv4 blocks come from 20.0.0.0 to 99.255.255.255, in which IANA has no special-purpose space.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::dice::{Dice, Purpose};
use super::places::Region;
use super::plan::{AsPlan, NetworkPlan, Plan, Role};
use crate::lab::scenario::Addresses;
use crate::model::Prefix;

/// First address of the first block, and the first behind the last.
const FIRST: u32 = 20 << 24;
const END: u32 = 100 << 24;
/// Addresses in a network.
const NETWORK: u32 = 256;
/// How many ASes number their links with a /30.
const WITH_BROADCAST: f64 = 0.4;
/// The first IPv6 block, and the distance to the next.
const FIRST_V6: u128 = 0x2a00 << 112;
const BLOCK_V6: u128 = 1 << 96;
/// Where links and networks begin in an IPv6 block; a link takes a /64, a network a /48.
const LINKS_V6: u128 = 1 << 80;
const LINK_V6: u128 = 1 << 64;
const NETWORKS_V6: u128 = 0x100 << 80;
const NETWORK_V6: u128 = 1 << 80;
/// The networks of exchange points: a /18 each from 193.0.0.0 on, and a /64 each of
/// `2001:7f8::/32`.
const EXCHANGES: u32 = 193 << 24;
const EXCHANGE: u32 = 1 << 14;
const EXCHANGES_V6: u128 = 0x2001_07f8 << 96;
const EXCHANGE_V6: u128 = 1 << 64;

/// There are not enough addresses for all ASes.
#[derive(Debug)]
pub(super) struct OutOfAddresses;

/// Gives addresses to everything in a plan.
pub(super) fn number(plan: &mut Plan) -> Result<(), OutOfAddresses> {
    let mut blocks = blocks(plan)?;
    number_routers(plan, &mut blocks);
    number_links(plan, &mut blocks);
    place_networks(plan, &blocks);
    Ok(())
}

/// What is left of the space of an AS.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// The next free address.
    next: u32,
    /// The first network.
    networks: u32,
    /// Addresses from one link to the next: 2 or 4.
    step: u32,
    /// The block of IPv6, if there is one, and the next own address and link in it.
    v6: Option<u128>,
    own_v6: u128,
    links_v6: u128,
}

fn blocks(plan: &mut Plan) -> Result<Vec<Block>, OutOfAddresses> {
    let mut dice = Dice::new(plan.seed, Purpose::Links);
    let mut blocks = Vec::with_capacity(plan.ases.len());
    let mut free = FIRST;
    for (needs, asys) in needs(plan).into_iter().zip(&mut plan.ases) {
        let step: u32 = if dice.happens(WITH_BROADCAST) { 4 } else { 2 };
        let infrastructure =
            step.saturating_mul(needs.links).saturating_add(needs.routers).saturating_add(4);
        let infrastructure = infrastructure.next_multiple_of(NETWORK);
        let networks = u32::try_from(asys.networks).unwrap_or(u32::MAX).saturating_mul(NETWORK);
        let size =
            infrastructure.saturating_add(networks).checked_next_power_of_two().ok_or(OutOfAddresses)?;
        let start = free.next_multiple_of(size);
        free = start.saturating_add(size);
        if free > END {
            return Err(OutOfAddresses);
        }
        let length = u8::try_from(size.leading_zeros().saturating_add(1)).unwrap_or(32);
        let block_number = u128::try_from(blocks.len()).unwrap_or_default();
        let v6 = asys.dual.then(|| FIRST_V6.saturating_add(BLOCK_V6.saturating_mul(block_number)));
        asys.prefixes.extend(Prefix::covering(v4(start), length));
        asys.prefixes.extend(v6.and_then(|v6| Prefix::covering(IpAddr::V6(Ipv6Addr::from_bits(v6)), 32)));
        blocks.push(Block {
            next: start.saturating_add(1),
            networks: start.saturating_add(infrastructure),
            step,
            v6,
            own_v6: 0,
            links_v6: 0,
        });
    }
    Ok(blocks)
}

#[derive(Clone, Copy, Default)]
struct Needs {
    routers: u32,
    links: u32,
}

fn needs(plan: &Plan) -> Vec<Needs> {
    let mut needs = vec![Needs::default(); plan.ases.len()];
    for router in &plan.routers {
        if let Some(needs) = needs.get_mut(router.home) {
            needs.routers = needs.routers.saturating_add(1);
        }
    }
    for numbering in plan.links.iter().filter_map(|link| link.numbered_by) {
        if let Some(needs) = needs.get_mut(numbering) {
            needs.links = needs.links.saturating_add(1);
        }
    }
    needs
}

fn number_routers(plan: &mut Plan, blocks: &mut [Block]) {
    let mut members: BTreeMap<Region, u32> = BTreeMap::new();
    for router in &mut plan.routers {
        let Some(block) = blocks.get_mut(router.home) else { continue };
        router.own = match router.role {
            Role::Exchange(region) => {
                member(region, members.entry(region).or_default(), block.v6.is_some())
            }
            _ => block.own(),
        };
    }
}

/// The next address in the network of an exchange point.
fn member(region: Region, members: &mut u32, dual: bool) -> Addresses {
    *members = members.saturating_add(1);
    let exchange = u32::try_from(region.0).unwrap_or(u32::MAX);
    let lan = EXCHANGES.saturating_add(exchange.saturating_mul(EXCHANGE));
    let lan_v6 = EXCHANGES_V6.saturating_add(EXCHANGE_V6.saturating_mul(u128::from(exchange)));
    Addresses {
        v4: Some(Ipv4Addr::from_bits(lan.saturating_add(*members))),
        v6: dual.then(|| Ipv6Addr::from_bits(lan_v6.saturating_add(u128::from(*members)))),
    }
}

impl Block {
    fn own(&mut self) -> Addresses {
        let v4 = self.next;
        self.next = self.next.saturating_add(1);
        self.own_v6 = self.own_v6.saturating_add(1);
        let v6 = self.v6.map(|block| Ipv6Addr::from_bits(block.saturating_add(self.own_v6)));
        Addresses { v4: Some(Ipv4Addr::from_bits(v4)), v6 }
    }

    /// Both ends of a link. The first address of a /30 is nobody's; of a /31 (RFC 3021) and a /127 (RFC 6164)
    /// both are used.
    fn link(&mut self) -> [Addresses; 2] {
        let start = self.next.next_multiple_of(self.step);
        self.next = start.saturating_add(self.step);
        let v6 = self.v6.map(|block| block.saturating_add(LINKS_V6).saturating_add(self.links_v6));
        self.links_v6 = self.links_v6.saturating_add(LINK_V6);
        let first = if self.step > 2 { start.saturating_add(1) } else { start };
        [0, 1].map(|end: u8| Addresses {
            v4: Some(Ipv4Addr::from_bits(first.saturating_add(u32::from(end)))),
            v6: v6.map(|v6| Ipv6Addr::from_bits(v6.saturating_add(u128::from(end)))),
        })
    }
}

/// The first end of a link is that of the AS whose space it is.
fn number_links(plan: &mut Plan, blocks: &mut [Block]) {
    for link in &mut plan.links {
        if let Some(block) = link.numbered_by.and_then(|numbering| blocks.get_mut(numbering)) {
            link.addresses = block.link();
        }
    }
}

fn place_networks(plan: &mut Plan, blocks: &[Block]) {
    for (asys, block) in plan.ases.iter_mut().zip(blocks) {
        asys.placed = networks(asys, block);
    }
}

/// The networks of an AS, each with its router in turn.
fn networks(asys: &AsPlan, block: &Block) -> Vec<NetworkPlan> {
    let mut placed = Vec::new();
    let routers = asys.access.iter().copied().cycle();
    for (number, router) in (0_u32..).zip(routers).take(asys.networks) {
        let network = v4(block.networks.saturating_add(number.saturating_mul(NETWORK)));
        let behind = NETWORK_V6.saturating_mul(u128::from(number)).saturating_add(NETWORKS_V6);
        let v6 = block.v6.map(|block| IpAddr::V6(Ipv6Addr::from_bits(block.saturating_add(behind))));
        let prefixes = Prefix::covering(network, 24).into_iter();
        let prefixes = prefixes.chain(v6.and_then(|v6| Prefix::covering(v6, 48)));
        placed.extend(prefixes.map(|prefix| NetworkPlan { prefix, router }));
    }
    placed
}

fn v4(bits: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(bits))
}

/// An address of a network, by its last bits.
pub(super) fn address_in(prefix: Prefix, last: u8) -> IpAddr {
    match prefix.network() {
        IpAddr::V4(network) => v4(network.to_bits().saturating_add(u32::from(last))),
        IpAddr::V6(network) => {
            IpAddr::V6(Ipv6Addr::from_bits(network.to_bits().saturating_add(u128::from(last))))
        }
    }
}

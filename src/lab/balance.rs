//! Load balancers: which of several equally good ways a packet takes.
//!
//! Weighted rendezvous hashing (Thaler and Ravishankar 1998; Schindelhauer and Schomaker 2005): the fields of
//! a packet that a router looks at, hashed with a key of the router, give each way a score; the highest wins.
//! Ways are hashed by what they are called, not by where they stand. So a way that comes or goes, or gets
//! another weight, moves only the flows that it gains or loses, and what is changed elsewhere in a scenario
//! moves none.

use std::collections::HashMap;
use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::scenario::{AsIndex, Balance, Field, LinkIndex, RouterIndex, Scenario};
use super::walk::Flow;

/// The identities of all that balances, and of all that is balanced over.
#[derive(Debug)]
pub(super) struct Balancers {
    seed: u64,
    ases: Vec<u64>,
    routers: Vec<u64>,
    links: Vec<u64>,
}

/// What a balancer may look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) flow: &'a Flow,
    /// A number that no other packet has; `None` where chance is left out. A balancer that draws for
    /// each packet then goes by its flow, which leads to one of the ways that the packet may take.
    pub(super) packet: Option<u64>,
}

/// Who decides among equally good ways.
pub(super) trait Choose {
    /// The link by which a router sends a packet; `None` if there is none.
    fn link(
        &self,
        router: (RouterIndex, &Balance),
        links: &[LinkIndex],
        weight: impl Fn(LinkIndex) -> u16,
        seen: Seen<'_>,
    ) -> Option<LinkIndex>;

    /// The neighbour to which an AS sends a flow. All its routers agree, whatever they balance over; otherwise
    /// the flow could circle inside.
    fn neighbour(&self, home: AsIndex, next: &[AsIndex], flow: &Flow) -> Option<AsIndex>;
}

impl Choose for Balancers {
    fn link(
        &self,
        (router, balance): (RouterIndex, &Balance),
        links: &[LinkIndex],
        weight: impl Fn(LinkIndex) -> u16,
        seen: Seen<'_>,
    ) -> Option<LinkIndex> {
        if links.len() < 2 || *balance == Balance::None {
            return links.first().copied();
        }
        let me = self.routers.get(router.0).copied()?;
        let spot = match (balance, seen.packet) {
            (Balance::Over(fields), _) => self.flow_spot(me, fields, seen.flow),
            (_, Some(packet)) => self.packet_spot(me, packet),
            (_, None) => self.flow_spot(me, &Field::FLOW, seen.flow),
        };
        let way = |link: LinkIndex| Some((*self.links.get(link.0)?, weight(link)));
        highest(links, spot, way)
    }

    fn neighbour(&self, home: AsIndex, next: &[AsIndex], flow: &Flow) -> Option<AsIndex> {
        if next.len() < 2 {
            return next.first().copied();
        }
        let me = self.ases.get(home.0).copied()?;
        let spot = self.flow_spot(me, &Field::FLOW, flow);
        highest(next, spot, |asys| Some((*self.ases.get(asys.0)?, 1)))
    }
}

impl Balancers {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            seed: scenario.seed,
            ases: scenario
                .ases
                .iter()
                .map(|asys| identity(&[b"as", &asys.number.get().to_be_bytes()]))
                .collect(),
            routers: scenario.routers.iter().map(|router| router_identity(&router.name)).collect(),
            links: link_identities(scenario),
        }
    }

    fn flow_spot(&self, me: u64, fields: &[Field], flow: &Flow) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, me);
        for field in fields {
            write(&mut hasher, *field, flow);
        }
        hasher.finish()
    }

    fn packet_spot(&self, me: u64, packet: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, me);
        hasher.write(&packet.to_be_bytes());
        hasher.finish()
    }
}

fn write(hasher: &mut SipHasher13, field: Field, flow: &Flow) {
    let is_icmp = matches!((flow.protocol, flow.source), (1, IpAddr::V4(_)) | (58, IpAddr::V6(_)));
    match field {
        Field::Source => write_address(hasher, flow.source),
        Field::Destination => write_address(hasher, flow.destination),
        Field::Protocol => hasher.write(&[flow.protocol]),
        Field::Ports if !is_icmp => hasher.write(&flow.first_four),
        Field::Icmp if is_icmp => hasher.write(&flow.first_four),
        Field::Ports | Field::Icmp => hasher.write(&[0; 4]),
        Field::FlowLabel => hasher.write(&flow.label.to_be_bytes()),
        Field::Tos => hasher.write(&[flow.tos]),
    }
}

pub(super) fn write_address(hasher: &mut SipHasher13, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
}

/// The way with the highest score. A score is the logarithm of a number between 0 and 1, drawn for this spot
/// and way, over the way's weight; a way then wins in proportion to its weight.
fn highest<T: Copy>(ways: &[T], spot: u64, way: impl Fn(T) -> Option<(u64, u16)>) -> Option<T> {
    let scored = ways.iter().filter_map(|choice| {
        let (identity, weight) = way(*choice)?;
        let drawn = SipHasher13::new_with_keys(spot, identity).finish();
        Some((unit(drawn).ln() / f64::from(weight), *choice))
    });
    scored.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, choice)| choice)
}

/// Between 0 and 1, and neither of them: the upper 52 bits, and a half.
#[allow(clippy::cast_precision_loss, reason = "52 bits fit")]
fn unit(drawn: u64) -> f64 {
    ((drawn >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}

fn router_identity(name: &str) -> u64 {
    identity(&[b"router", name.as_bytes()])
}

/// A link is its name; without one, the first, second, … nameless link between two routers.
fn link_identities(scenario: &Scenario) -> Vec<u64> {
    let mut nameless: HashMap<[&str; 2], u64> = HashMap::new();
    let mut identities = Vec::with_capacity(scenario.links.len());
    for link in &scenario.links {
        if let Some(name) = &link.name {
            identities.push(identity(&[b"link", name.as_bytes()]));
            continue;
        }
        let mut ends =
            link.ends.map(|end| scenario.routers.get(end.0).map_or("", |router| router.name.as_str()));
        ends.sort_unstable();
        let count = nameless.entry(ends).or_default();
        let [one, other] = ends;
        identities.push(identity(&[b"between", one.as_bytes(), other.as_bytes(), &count.to_be_bytes()]));
        *count = count.wrapping_add(1);
    }
    identities
}

fn identity(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher13::new();
    for part in parts {
        hasher.write(&part.len().to_be_bytes());
        hasher.write(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;

//! The way of one packet through the lab: router by router, until somebody answers it, drops it, or owns it.
//!
//! A router does with a packet what RFC 1812 §5.2.1 says, in its order: keep what is addressed to it;
//! find the next hop (no route: "net unreachable"); filter ("prohibited"); count down the TTL ("time
//! exceeded"); send. The same walk serves the simulator, with dice for loss and jitter, and the truth,
//! without.

use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::habits::tunnel::Labelled;
use super::routing::{Routing, Tables};
use super::scenario::{
    AsIndex, Balance, Carrier, FilterAnswer, HostIndex, Link, LinkIndex, Router, RouterIndex,
};
use super::topology::{Target, Topology};
use crate::model::MonoTime;

/// Topology and routes together: all that a walk needs to know.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) topology: Topology,
    pub(super) routing: Routing,
}

/// What load balancers look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Flow {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// Protocol or next-header number.
    pub(super) protocol: u8,
    /// The first four bytes behind the IP header: ports, or ICMP type, code and checksum.
    pub(super) first_four: [u8; 4],
    /// IPv6 flow label; 0 in IPv4.
    pub(super) label: u32,
}

impl Flow {
    /// What filters call the packet's protocol.
    pub(super) const fn carrier(&self) -> Option<Carrier> {
        match (self.protocol, self.destination) {
            (1, IpAddr::V4(_)) | (58, IpAddr::V6(_)) => Some(Carrier::Icmp),
            (17, _) => Some(Carrier::Udp),
            (6, _) => Some(Carrier::Tcp),
            _ => None,
        }
    }
}

/// Where and how a walk begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) router: RouterIndex,
    pub(super) at: MonoTime,
    pub(super) ttl: u8,
    /// Whether the router itself made the packet; it then neither filters it nor counts its TTL down.
    pub(super) made_here: bool,
    /// The link by which this packet should leave its first AS, where answers leave as questions came.
    pub(super) way_back: Option<LinkIndex>,
    /// The link by which it leaves the router, where that is settled already.
    pub(super) leaves_by: Option<LinkIndex>,
    /// The label that it begins with, inside a tunnel.
    pub(super) label: Option<Labelled>,
    /// Where the packet went that this one is an error about, as it is quoted.
    pub(super) about: Option<IpAddr>,
}

/// How and where a walk ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walked {
    pub(super) end: End,
    /// The last router.
    pub(super) router: RouterIndex,
    /// The link by which the packet came to it; `None` from the vantage, from a host, or if made there.
    pub(super) inbound: Option<LinkIndex>,
    /// The link by which it entered this router's AS.
    pub(super) entered: Option<LinkIndex>,
    /// When it was there.
    pub(super) at: MonoTime,
    /// TTL or hop limit as it arrived: at the last router, or at the host or the vantage behind it.
    pub(super) ttl: u8,
    /// The label with which it arrived.
    pub(super) label: Option<Labelled>,
    /// The packet as it arrived: its addresses may have been translated.
    pub(super) flow: Flow,
    /// What it quotes as its destination, if it is an error; this too may have been translated.
    pub(super) about: Option<IpAddr>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The last router owns the destination address.
    AtRouter,
    /// Handed to a host.
    AtHost(HostIndex),
    /// Handed to the vantage.
    AtVantage,
    /// The TTL ran out.
    Expired,
    /// The last router has no route.
    NoRoute,
    /// A filter dropped it and says so.
    Prohibited,
    /// A filter dropped it without a word.
    Filtered,
    /// Lost on a link, or sent into a link that is not there.
    Lost,
    /// Addressed to nobody.
    Vanished,
}

impl End {
    /// Whether the router refused the packet as it came, before it translated any address.
    const fn is_refusal(self) -> bool {
        matches!(self, Self::Expired | Self::NoRoute | Self::Prohibited | Self::Filtered)
    }
}

/// The chances on a link.
pub(super) trait Dice {
    /// Whether something of this probability happens.
    fn happens(&mut self, probability: f64) -> bool;
    /// A delay, exponentially distributed around its mean.
    fn delay(&mut self, mean: Duration) -> Duration;
}

/// Nothing is lost, nothing is late: what the truth is asked with.
pub(super) struct NoDice;

impl Dice for NoDice {
    fn happens(&mut self, _: f64) -> bool {
        false
    }

    fn delay(&mut self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// Where a packet is on its way, and what has become of it so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) router: RouterIndex,
    pub(super) inbound: Option<LinkIndex>,
    pub(super) entered: Option<LinkIndex>,
    pub(super) way_back: Option<LinkIndex>,
    pub(super) leaves_by: Option<LinkIndex>,
    pub(super) at: MonoTime,
    pub(super) ttl: u8,
    pub(super) made_here: bool,
    pub(super) label: Option<Labelled>,
    pub(super) flow: Flow,
    pub(super) about: Option<IpAddr>,
}

impl Position {
    pub(super) const fn new(flow: Flow, start: Start) -> Self {
        Self {
            router: start.router,
            inbound: None,
            entered: None,
            way_back: start.way_back,
            leaves_by: start.leaves_by,
            at: start.at,
            ttl: start.ttl,
            made_here: start.made_here,
            label: start.label,
            flow,
            about: start.about,
        }
    }

    /// Counts the TTL down for the router that the packet leaves; the one that made it does not.
    pub(super) fn ttl_behind(&self) -> u8 {
        self.ttl.saturating_sub(u8::from(!self.made_here))
    }

    pub(super) fn walked(&self, end: End) -> Walked {
        let ttl = match end {
            End::AtHost(_) | End::AtVantage => self.ttl_behind(),
            _ => self.ttl,
        };
        Walked {
            end,
            router: self.router,
            inbound: self.inbound,
            entered: self.entered,
            at: self.at,
            ttl,
            label: self.label,
            flow: self.flow,
            about: self.about,
        }
    }
}

/// What a router decides about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Send(LinkIndex),
    End(End),
}

impl Network {
    pub(super) fn new(topology: Topology) -> Self {
        let routing = Routing::new(&topology);
        Self { topology, routing }
    }

    /// How a packet begins that leaves the vantage at a time.
    pub(super) fn from_vantage(&self, at: MonoTime, ttl: u8) -> Start {
        let vantage = &self.topology.scenario.vantage;
        Start {
            router: vantage.gateway,
            at: at.after(vantage.delay),
            ttl,
            made_here: false,
            way_back: None,
            leaves_by: None,
            label: None,
            about: None,
        }
    }

    /// Walks a packet to its end; `visit` hears of every router that it comes to.
    pub(super) fn walk(
        &self,
        flow: &Flow,
        start: Start,
        dice: &mut impl Dice,
        mut visit: impl FnMut(&Position),
    ) -> Walked {
        let mut here = Position::new(*flow, start);
        let mut destination = self.destination(flow.destination);
        loop {
            visit(&here);
            let came_as = self.translate(&mut here);
            if came_as.is_some() {
                destination = self.destination(here.flow.destination);
            }
            let end = match self.decide(&destination, &here) {
                Decision::Send(link) => {
                    self.enter_tunnel(link, &destination, &mut here);
                    self.cross(link, &mut here, dice).err()
                }
                Decision::End(end) => Some(end),
            };
            if let Some(end) = end {
                let refused = came_as.filter(|_| end.is_refusal());
                return refused.unwrap_or(here).walked(end);
            }
        }
    }

    pub(super) fn destination(&self, address: IpAddr) -> Destination {
        let announced = self.topology.announced(address);
        Destination {
            router: self.topology.router_at(address),
            network: announced.map(|(prefix, announced)| Announcement {
                policy: self.routing.policy(prefix),
                origin: announced.origin,
                target: self.topology.target(address, announced),
            }),
        }
    }

    pub(super) fn decide(&self, destination: &Destination, here: &Position) -> Decision {
        if let Some(decision) = self.switch(here) {
            return decision;
        }
        if destination.router == Some(here.router) {
            return Decision::End(End::AtRouter);
        }
        let way = self.route(destination, here);
        let Some(decision) = way else { return Decision::End(End::NoRoute) };
        if here.made_here {
            return here.leaves_by.map_or(decision, Decision::Send);
        }
        let Some(router) = self.topology.router(here.router) else { return Decision::End(End::Vanished) };
        if let Some(end) = filtered(router, &here.flow) {
            return Decision::End(end);
        }
        let runs_out = here.ttl <= 1 && !(here.ttl == 1 && router.forwards_zero_ttl);
        if runs_out { Decision::End(End::Expired) } else { decision }
    }

    /// `None` if there is no route.
    pub(super) fn route(&self, destination: &Destination, here: &Position) -> Option<Decision> {
        let network = destination.network.as_ref()?;
        let flow = &here.flow;
        let tables = self.routing.at(here.at)?;
        let home = self.topology.home(here.router)?;
        if home == network.origin {
            return self.deliver(flow, network.target, here, tables);
        }
        if let Some(link) = self.back(flow, here, tables) {
            return Some(Decision::Send(link));
        }
        let best = tables.best(network.policy?, home)?;
        let next = self.choose_as(&best.next, home, flow)?;
        self.choose(tables.out_to(here.router, next), here.router, flow).map(Decision::Send)
    }

    fn deliver(&self, flow: &Flow, target: Target, here: &Position, tables: &Tables) -> Option<Decision> {
        let (router, last) = match target {
            Target::Router(router) => (router, Decision::End(End::AtRouter)),
            Target::Across(router, link) => (router, Decision::Send(link)),
            Target::Host(router, host) => (router, Decision::End(End::AtHost(host))),
            Target::Vantage(router) => (router, Decision::End(End::AtVantage)),
            Target::Nobody(router) => (router, Decision::End(End::Vanished)),
            Target::Unrouted => return None,
        };
        if router == here.router {
            return Some(last);
        }
        self.choose(tables.towards(here.router, router), here.router, flow).map(Decision::Send)
    }

    /// The next link towards the one by which the question came, while that is still there.
    fn back(&self, flow: &Flow, here: &Position, tables: &Tables) -> Option<LinkIndex> {
        let index = here.way_back.filter(|link| self.topology.is_up(*link, here.at))?;
        let link = self.topology.link(index)?;
        if link.ends.contains(&here.router) {
            return Some(index);
        }
        let home = self.topology.home(here.router);
        let border = link.ends.into_iter().find(|end| self.topology.home(*end) == home)?;
        self.choose(tables.towards(here.router, border), here.router, flow)
    }

    /// All routers of an AS agree on the next AS of a flow; otherwise it could circle inside.
    fn choose_as(&self, next: &[AsIndex], home: AsIndex, flow: &Flow) -> Option<AsIndex> {
        pick(next, || self.hash(flow, Key::As(home)))
    }

    /// Each router spreads flows in its own way.
    pub(super) fn choose(&self, links: &[LinkIndex], router: RouterIndex, flow: &Flow) -> Option<LinkIndex> {
        match self.topology.router(router)?.balance {
            Balance::PerFlow => pick(links, || self.hash(flow, Key::Router(router))),
            Balance::None => links.first().copied(),
        }
    }

    fn hash(&self, flow: &Flow, key: Key) -> u64 {
        let number = match key {
            Key::As(asys) => asys.0.wrapping_mul(2),
            Key::Router(router) => router.0.wrapping_mul(2).wrapping_add(1),
        };
        let mut hasher = SipHasher13::new_with_keys(self.topology.scenario.seed, number as u64);
        for address in [flow.source, flow.destination] {
            match address {
                IpAddr::V4(v4) => hasher.write(&v4.octets()),
                IpAddr::V6(v6) => hasher.write(&v6.octets()),
            }
        }
        hasher.write_u8(flow.protocol);
        hasher.write(&flow.first_four);
        hasher.write_u32(flow.label);
        hasher.finish()
    }

    /// Takes the packet over a link, or says why it did not arrive.
    fn cross(&self, index: LinkIndex, here: &mut Position, dice: &mut impl Dice) -> Result<(), End> {
        let link = self.topology.link(index).ok_or(End::Vanished)?;
        let next = link.other_end(here.router).ok_or(End::Vanished)?;
        if !self.topology.is_up(index, here.at) || dice.happens(link.loss) {
            return Err(End::Lost);
        }
        if self.topology.home(next) != self.topology.home(here.router) {
            here.entered = Some(index);
            here.way_back = None;
        }
        here.at = here.at.after(link.delay.saturating_add(jitter(link, dice)));
        self.count_down(here);
        here.router = next;
        here.inbound = Some(index);
        here.made_here = false;
        here.leaves_by = None;
        Ok(())
    }
}

/// What is known about where a packet goes; the same on its whole way, until a router translates it.
pub(super) struct Destination {
    /// The router that has the address.
    pub(super) router: Option<RouterIndex>,
    /// The prefix that covers it, if one is announced.
    network: Option<Announcement>,
}

/// A prefix as a packet's way depends on it.
pub(super) struct Announcement {
    policy: Option<usize>,
    origin: AsIndex,
    target: Target,
}

/// Whose own way of spreading flows.
#[derive(Clone, Copy)]
enum Key {
    As(AsIndex),
    Router(RouterIndex),
}

/// One of several, evenly; the hash is asked for only where there is a choice.
fn pick<T: Copy>(choices: &[T], hash: impl FnOnce() -> u64) -> Option<T> {
    if choices.len() < 2 {
        return choices.first().copied();
    }
    let scaled = u128::from(hash()).saturating_mul(choices.len() as u128) >> 64;
    choices.get(usize::try_from(scaled).ok()?).copied()
}

fn filtered(router: &Router, flow: &Flow) -> Option<End> {
    let carrier = flow.carrier()?;
    let applies = router.filters.iter().find(|filter| {
        filter.carrier == carrier && filter.to.is_none_or(|prefix| prefix.contains(flow.destination))
    });
    applies.map(|filter| match filter.answer {
        FilterAnswer::Prohibited => End::Prohibited,
        FilterAnswer::Silent => End::Filtered,
    })
}

fn jitter(link: &Link, dice: &mut impl Dice) -> Duration {
    if link.jitter.is_zero() { Duration::ZERO } else { dice.delay(link.jitter) }
}

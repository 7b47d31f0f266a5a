//! The way of one packet through the lab: router by router, until somebody answers it, drops it, or owns it.
//!
//! A router does with a packet what RFC 1812 §5.2.1 says, in its order: keep what is addressed to it;
//! find the next hop (no route: "net unreachable"); filter ("prohibited"); count down the TTL ("time
//! exceeded"); send. The same walk serves the simulator, with dice for loss and jitter, and the truth,
//! without.

use std::net::IpAddr;

use super::balance::{Balancers, Choose, Seen};
use super::chance::Dice;
use super::habits::tunnel::Labelled;
use super::routing::{Found, Routing, Whither};
use super::scenario::{AsIndex, Carrier, FilterAnswer, HostIndex, LinkIndex, Router, RouterIndex};
use super::topology::{Owner, Target, Topology};
use crate::model::MonoTime;

/// Topology and routes together: all that a walk needs to know.
#[derive(Debug)]
pub(super) struct Network<C = Balancers> {
    pub(super) topology: Topology,
    pub(super) routing: Routing,
    pub(super) choices: C,
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
    /// Type of service, or traffic class.
    pub(super) tos: u8,
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
    /// Its length, in bytes with the IP header; 0 if routers may fragment it.
    pub(super) rigid_length: usize,
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
    /// Too long for the next link, which takes so many bytes, and not to be fragmented.
    TooBig(u16),
    /// Lost on a link, or sent into a link that is not there.
    Lost,
    /// Addressed to nobody.
    Vanished,
}

impl End {
    /// Whether the router refused the packet as it came, before it translated any address.
    const fn is_refusal(self) -> bool {
        matches!(self, Self::Expired | Self::NoRoute | Self::Prohibited | Self::Filtered | Self::TooBig(_))
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
    pub(super) rigid_length: usize,
    /// A number that no other packet has; `None` where chance is left out.
    pub(super) packet: Option<u64>,
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
            rigid_length: start.rigid_length,
            packet: None,
        }
    }

    const fn seen(&self) -> Seen<'_> {
        Seen { flow: &self.flow, packet: self.packet }
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
        let balancers = Balancers::new(&topology.scenario);
        Self::with_choices(topology, balancers)
    }
}

impl<C: Choose> Network<C> {
    pub(super) fn with_choices(topology: Topology, choices: C) -> Self {
        Self { routing: Routing::new(&topology), topology, choices }
    }

    /// How a packet begins that leaves the vantage at a time. `rigid_length` as in [`Start`].
    pub(super) fn leaving_vantage(&self, at: MonoTime, ttl: u8, rigid_length: usize) -> Start {
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
            rigid_length,
        }
    }

    /// Walks a packet from where it is to its end; `visit` hears of every router that it comes to.
    pub(super) fn walk(
        &self,
        from: Position,
        dice: &mut impl Dice,
        mut visit: impl FnMut(&Position),
    ) -> Walked {
        let mut here = Position { packet: dice.packet(), ..from };
        let mut destination = self.destination(here.flow.destination);
        if !self.topology.router_is_up(here.router, here.at) {
            return here.walked(End::Lost);
        }
        loop {
            visit(&here);
            if let Some(walked) = self.step(&mut here, &mut destination, dice) {
                return walked;
            }
        }
    }

    /// Takes a packet on to the next router, or says how and where its walk ends.
    pub(super) fn step(
        &self,
        here: &mut Position,
        destination: &mut Destination,
        dice: &mut impl Dice,
    ) -> Option<Walked> {
        let came_as = self.translate(here);
        if came_as.is_some() {
            *destination = self.destination(here.flow.destination);
        }
        let end = match self.decide(destination, here) {
            Decision::Send(link) => {
                self.enter_tunnel(link, destination, here);
                self.cross(link, here, dice).err()?
            }
            Decision::End(end) => end,
        };
        let refused = came_as.filter(|_| end.is_refusal());
        Some(refused.unwrap_or(*here).walked(end))
    }

    pub(super) fn destination(&self, address: IpAddr) -> Destination {
        let owner = self.topology.owner(address);
        let announced = self.topology.announced(address);
        let mut networks = announced.map(|(prefix, announced)| Announcement {
            prefix,
            origin: announced.origin,
            target: self.topology.target_of(owner, announced),
        });
        let longest = networks.next();
        Destination { router: owner.and_then(Owner::router), longest, shorter: networks.collect() }
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

    /// By the longest prefix to which there is a route; `None` if there is none.
    pub(super) fn route(&self, destination: &Destination, here: &Position) -> Option<Decision> {
        let home = self.topology.home(here.router)?;
        for network in destination.longest.iter().chain(&destination.shorter) {
            if home == network.origin {
                return self.deliver(network.target, here);
            }
            let link = self.back(here).or_else(|| self.leave(network, home, here));
            if link.is_some() {
                return link.map(Decision::Send);
            }
        }
        None
    }

    /// The next link on the way to a network of another AS.
    fn leave(&self, network: &Announcement, home: AsIndex, here: &Position) -> Option<LinkIndex> {
        let find = || self.exit(network, home, here).unwrap_or(Found::ForThis(None));
        self.routing.link((here.router, here.at), Whither::Prefix(network.prefix), find)
    }

    /// A router that is cut off from all links to the chosen neighbour goes by the next best one; where there is no
    /// such link any more, only new routes help.
    fn exit(&self, network: &Announcement, home: AsIndex, here: &Position) -> Option<Found> {
        let best = self.routing.best(&self.topology, network.prefix, home, here.at)?;
        let chosen = self.choices.neighbour(home, best.next(), &here.flow)?;
        let to = |next| self.routing.out_to(&self.topology, (here.router, next), here.at);
        let mut links = to(chosen)?;
        if links.is_empty() {
            let instead = self.routing.ranked(&self.topology, network.prefix, home, here.at);
            links = instead.into_iter().filter_map(to).find(|links| !links.is_empty())?;
        }
        Some(match (best.next(), links) {
            ([_], [only]) => Found::Only(*only),
            _ => Found::ForThis(self.choose(links, here)),
        })
    }

    /// The next link on the way to another router of the AS.
    fn approach(&self, to: RouterIndex, here: &Position) -> Option<LinkIndex> {
        self.routing.link((here.router, here.at), Whither::Router(to), || {
            match self.routing.towards(&self.topology, (here.router, to), here.at) {
                [only] => Found::Only(*only),
                links => Found::ForThis(self.choose(links, here)),
            }
        })
    }

    fn deliver(&self, target: Target, here: &Position) -> Option<Decision> {
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
        self.approach(router, here).map(Decision::Send)
    }

    /// The next link towards the one by which the question came, while that is still there.
    fn back(&self, here: &Position) -> Option<LinkIndex> {
        let index = here.way_back.filter(|link| self.topology.is_up(*link, here.at))?;
        let link = self.topology.link(index)?;
        if link.ends.contains(&here.router) {
            return Some(index);
        }
        let home = self.topology.home(here.router);
        let border = link.ends.into_iter().find(|end| self.topology.home(*end) == home)?;
        self.approach(border, here)
    }

    /// One of several links that are equally good.
    pub(super) fn choose(&self, links: &[LinkIndex], here: &Position) -> Option<LinkIndex> {
        let balance = &self.topology.router(here.router)?.balance;
        let weight = |link| self.topology.weight(link, here.at);
        self.choices.link((here.router, balance), links, weight, here.seen())
    }

    /// Takes the packet over a link, or says why it did not arrive.
    fn cross(&self, index: LinkIndex, here: &mut Position, dice: &mut impl Dice) -> Result<(), End> {
        let link = self.topology.link(index).ok_or(End::Vanished)?;
        let next = link.other_end(here.router).ok_or(End::Vanished)?;
        if !self.topology.is_up(index, here.at) {
            return Err(End::Lost);
        }
        if let Some(mtu) = link.mtu.filter(|mtu| here.rigid_length > usize::from(*mtu)) {
            return Err(End::TooBig(mtu));
        }
        let fate = dice.fate(index, link, here.router);
        if fate.lost {
            return Err(End::Lost);
        }
        if self.topology.home(next) != self.topology.home(here.router) {
            here.entered = Some(index);
            here.way_back = None;
        }
        here.at = here.at.after(link.delay.saturating_add(fate.late));
        self.count_down(here);
        here.router = next;
        here.inbound = Some(index);
        here.made_here = false;
        here.leaves_by = None;
        if fate.twice {
            dice.copied(*here);
        }
        Ok(())
    }
}

/// What is known about where a packet goes; the same on its whole way, until a router translates it.
pub(super) struct Destination {
    /// The router that has the address.
    pub(super) router: Option<RouterIndex>,
    /// The longest prefix that covers it.
    longest: Option<Announcement>,
    /// The others, longer ones first.
    shorter: Vec<Announcement>,
}

/// A prefix as a packet's way depends on it.
pub(super) struct Announcement {
    /// Its position in the scenario.
    prefix: usize,
    origin: AsIndex,
    target: Target,
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

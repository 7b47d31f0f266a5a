//! All ways that packets may take, as they are found: breadth first, one TTL after the other.
//!
//! A packet is taken on, choice by choice, until its TTL runs out; who complains then is what a traceroute
//! sees at this TTL. From there a packet that set out with one more goes on. Packets that are at the same
//! place, came there by the same link and were last seen at the same address are taken on together, so
//! that ways that part and join do not multiply.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::flows::Flows;
use super::script::{Pin, Pins, Script};
use crate::lab::answer::Complaint;
use crate::lab::chance::NoDice;
use crate::lab::habits::tunnel::Labelled;
use crate::lab::scenario::{AsIndex, Closed, HostIndex, LinkIndex, RouterIndex, TunnelIndex};
use crate::lab::walk::{End, Network, Position, Walked};
use crate::model::{MonoTime, Protocol};

/// The largest TTL.
const LAST: u8 = u8::MAX;

/// Who was seen at a TTL: an address, or nobody.
pub(super) type Sight = Option<IpAddr>;

/// What was found, each with its share of the flows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) routers: BTreeMap<RouterIndex, f64>,
    /// Each link with the router at which packets enter it.
    pub(super) links: BTreeMap<(RouterIndex, LinkIndex), f64>,
    /// By TTL, beginning with 1.
    pub(super) hops: Vec<BTreeMap<Sight, f64>>,
    /// Who was seen one after the other, with the TTL of the first.
    pub(super) seen: BTreeMap<(u8, Sight, Sight), f64>,
    pub(super) ends: BTreeMap<super::TrueEnd, f64>,
    /// Whether all of it holds for the whole time that was asked for.
    pub(super) steady: bool,
    pub(super) course: Course,
}

/// How packets go from spot to spot.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) start: Option<Spot>,
    pub(super) steps: BTreeSet<(Spot, LinkIndex, Spot)>,
    /// From where packets reach whoever has the address.
    pub(super) arrivals: BTreeSet<Spot>,
}

/// A router, with all that decides where packets that come to it may go on: every way from spot to spot is that of
/// some flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    pub(super) router: RouterIndex,
    tunnel: Option<(TunnelIndex, usize)>,
    pins: Pins,
    destination: IpAddr,
}

/// Packets that are taken on together.
#[derive(Clone, Debug)]
struct Bundle {
    here: Position,
    /// Where the packets are, as they came there: some choices may have been made since.
    spot: Spot,
    pins: Pins,
    last_seen: Option<Sight>,
    share: f64,
}

/// What bundles agree in that are one.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    spot: Spot,
    ttl: u8,
    links: [Option<LinkIndex>; 2],
    label: Option<Labelled>,
    addresses: [IpAddr; 2],
    pins: Pins,
    last_seen: Option<Sight>,
}

type Bundles = BTreeMap<Place, Bundle>;

/// A search for all ways of some flows.
pub(super) struct Search<'a> {
    network: &'a Network<Script>,
    flows: Flows,
    from: MonoTime,
    to: MonoTime,
    found: Found,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        network: &'a Network<Script>,
        flows: Flows,
        (from, to): (MonoTime, MonoTime),
    ) -> Self {
        Self { network, flows, from, to, found: Found { steady: true, ..Found::default() } }
    }

    /// Everything that can be found; nothing if the vantage has no address of the family.
    pub(super) fn run(mut self) -> Found {
        let mut bundles: Bundles =
            self.first().into_iter().map(|bundle| (bundle.place(), bundle)).collect();
        for ttl in 1..=LAST {
            if bundles.is_empty() {
                break;
            }
            bundles = self.expire(ttl, bundles);
        }
        for bundle in bundles.into_values() {
            add(&mut self.found.ends, super::TrueEnd::Loop, bundle.share);
        }
        self.found
    }

    fn first(&mut self) -> Option<Bundle> {
        let vantage = &self.network.topology.scenario.vantage;
        let source = vantage.addresses.of(self.flows.destination().is_ipv4())?;
        let start = self.network.leaving_vantage(self.from, 1, self.flows.rigid_length());
        let here = Position { at: self.from, ..Position::new(self.flows.example(source), start) };
        if !self.network.topology.router_is_up(here.router, here.at) {
            add(&mut self.found.ends, super::TrueEnd::DeadLink, 1.0);
            return None;
        }
        add(&mut self.found.routers, here.router, 1.0);
        let spot = spot(&here, &Pins::new());
        self.found.course.start = Some(spot.clone());
        Some(Bundle { here, spot, pins: Pins::new(), last_seen: None, share: 1.0 })
    }

    /// Takes packets that set out with a TTL on until it runs out; gives those with one more.
    fn expire(&mut self, ttl: u8, mut bundles: Bundles) -> Bundles {
        self.found.hops.push(BTreeMap::new());
        let mut later = Bundles::new();
        while let Some((_, bundle)) = bundles.pop_first() {
            let moments = self.moments(bundle.here.router);
            let share = bundle.share / count(moments.len());
            for at in moments {
                let here = Position { at, ..bundle.here };
                self.step(ttl, Bundle { here, share, ..bundle.clone() }, (&mut bundles, &mut later));
            }
        }
        later
    }

    /// The times to be looked at for a router: the first, and those at which it may begin to decide otherwise.
    fn moments(&mut self, router: RouterIndex) -> Vec<MonoTime> {
        let mut moments = vec![self.from];
        if self.to > self.from {
            let Network { topology, routing, .. } = self.network;
            moments.extend(topology.moments().iter().filter(|at| **at > self.from && **at <= self.to));
            moments.extend(routing.adoptions(topology, router, (self.from, self.to)));
        }
        moments.sort_unstable();
        moments.dedup();
        self.found.steady &= moments.len() == 1;
        moments
    }

    fn step(&mut self, ttl: u8, bundle: Bundle, (now, later): (&mut Bundles, &mut Bundles)) {
        let mut here = bundle.here;
        let mut destination = self.network.destination(here.flow.destination);
        let tried = self.network.choices.attempt(self.flows, &bundle.pins, || {
            self.network.step(&mut here, &mut destination, &mut NoDice)
        });
        match tried {
            Err(fork) => {
                for (pin, share) in fork {
                    let mut pins = bundle.pins.clone();
                    pins.insert(pin);
                    let share = share * bundle.share;
                    self.step(ttl, Bundle { pins, share, ..bundle.clone() }, (now, later));
                }
            }
            Ok(None) => keep(now, self.arrive(bundle, here)),
            Ok(Some(walked)) => {
                let sight = self.see(ttl, &bundle, &walked);
                if walked.end == End::Expired {
                    keep(later, bundle.longer_lived(sight, self.network));
                } else {
                    let end = super::TrueEnd::from(walked.end);
                    add(&mut self.found.ends, end, bundle.share);
                    if end == super::TrueEnd::Arrived {
                        self.found.course.arrivals.insert(bundle.spot);
                    }
                }
            }
        }
    }

    /// Notes a packet at its next router.
    fn arrive(&mut self, before: Bundle, here: Position) -> Bundle {
        let Bundle { share, last_seen, mut pins, .. } = before;
        let left = before.here.router;
        add(&mut self.found.routers, here.router, share);
        if let Some(link) = here.inbound {
            add(&mut self.found.links, (left, link), share);
        }
        let topology = &self.network.topology;
        if self.to > self.from || topology.home(left) != topology.home(here.router) {
            pins.clear();
        }
        pins.retain(|pin| !matches!(pin, Pin::Link(router, _) if *router == left));
        let spot = spot(&here, &pins);
        if let Some(link) = here.inbound {
            self.found.course.steps.insert((before.spot, link, spot.clone()));
        }
        Bundle { here: Position { at: self.from, ..here }, spot, pins, last_seen, share }
    }

    /// Notes who is seen where a packet ended.
    fn see(&mut self, ttl: u8, bundle: &Bundle, walked: &Walked) -> Sight {
        let sight = self.sight(walked);
        if let Some(hop) = self.found.hops.last_mut() {
            add(hop, sight, bundle.share);
        }
        if let Some(last) = bundle.last_seen {
            add(&mut self.found.seen, (ttl.saturating_sub(1), last, sight), bundle.share);
        }
        sight
    }

    fn sight(&self, walked: &Walked) -> Sight {
        let udp = self.flows.protocol() == Protocol::Udp;
        match walked.end {
            End::Expired => self.complaint(walked, Complaint::TimeExceeded),
            End::NoRoute => self.complaint(walked, Complaint::NoRoute),
            End::Prohibited => self.complaint(walked, Complaint::Prohibited),
            End::TooBig(mtu) => self.complaint(walked, Complaint::TooBig(mtu)),
            End::AtRouter if udp => self.complaint(walked, Complaint::PortClosed),
            End::AtRouter if self.speaks(walked) => Some(self.seen(walked, walked.flow.destination, false)),
            End::AtHost(host) if self.host_answers(host, walked) => {
                Some(self.seen(walked, walked.flow.destination, false))
            }
            End::AtRouter | End::AtHost(_) | End::AtVantage | End::Filtered | End::Lost | End::Vanished => {
                None
            }
        }
    }

    fn complaint(&self, walked: &Walked, complaint: Complaint) -> Sight {
        let voice = self.network.voice(walked, complaint).filter(|_| self.speaks(walked))?;
        Some(self.seen(walked, voice.address, true))
    }

    fn seen(&self, walked: &Walked, from: IpAddr, is_error: bool) -> IpAddr {
        self.network.seen_from(walked, from, is_error)
    }

    fn speaks(&self, walked: &Walked) -> bool {
        self.network.topology.router(walked.router).is_some_and(|router| !router.silent)
    }

    /// Whether a host may answer; to a SYN it may if it does on any port.
    fn host_answers(&self, index: HostIndex, walked: &Walked) -> bool {
        let topology = &self.network.topology;
        let Some(host) = topology.host(index) else { return false };
        let filtered = walked.flow.carrier().is_none_or(|carrier| host.filtered.contains(&carrier));
        let refuses = host.closed == Closed::Refused;
        let answers = match self.flows.protocol() {
            Protocol::Icmp => host.echo,
            Protocol::Udp => refuses,
            Protocol::Tcp => refuses || !host.open.is_empty(),
        };
        answers && !filtered && topology.host_is_up(walked.flow.destination, walked.at)
    }
}

impl Bundle {
    fn place(&self) -> Place {
        let here = &self.here;
        Place {
            spot: self.spot.clone(),
            ttl: here.ttl,
            links: [here.inbound, here.entered],
            label: here.label,
            addresses: [here.flow.source, here.flow.destination],
            pins: self.pins.clone(),
            last_seen: self.last_seen,
        }
    }

    /// The same packets, had they set out with a TTL that is one larger.
    fn longer_lived(mut self, last_seen: Sight, network: &Network<Script>) -> Self {
        self.last_seen = Some(last_seen);
        self.here.ttl = self.here.ttl.saturating_add(1);
        if let Some(label) = &mut self.here.label {
            let tunnel = network.topology.tunnel(label.tunnel);
            let copied = tunnel.is_some_and(|tunnel| tunnel.kind.propagates_ttl());
            label.ttl = label.ttl.saturating_add(u8::from(copied));
        }
        self
    }
}

fn spot(here: &Position, pins: &Pins) -> Spot {
    Spot {
        router: here.router,
        tunnel: here.label.map(|label| (label.tunnel, label.step)),
        pins: pins.clone(),
        destination: here.flow.destination,
    }
}

/// Adds packets to those that are at the same place.
fn keep(bundles: &mut Bundles, bundle: Bundle) {
    bundles.entry(bundle.place()).and_modify(|there| there.share += bundle.share).or_insert(bundle);
}

fn add<K: Ord>(shares: &mut BTreeMap<K, f64>, key: K, share: f64) {
    *shares.entry(key).or_default() += share;
}

#[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(things: usize) -> f64 {
    things as f64
}

/// Both ASes of a link between ASes, in the direction of packets that enter it at a router.
pub(super) fn crossed_ases(
    network: &Network<Script>,
    (from, link): (RouterIndex, LinkIndex),
) -> Option<(AsIndex, AsIndex)> {
    let to = network.topology.link(link)?.other_end(from)?;
    let (left, entered) = (network.topology.home(from)?, network.topology.home(to)?);
    (left != entered).then_some((left, entered))
}

//! The simulator: packets in at the vantage, answers out, in virtual time.
//!
//! A queue of what happens when, in nanoseconds since the start of the lab. A packet is walked at once to
//! the router or host that will answer it, waits in the queue until it is there, is answered, and the
//! answer is walked back over routes of its own and waits until it reaches the vantage. All chance comes
//! from the scenario's seed and the number of the packet: the same packets at the same times give the same
//! bytes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::answer::{self, Complaint, Speaker};
use super::bucket::Bucket;
use super::chance::{Bursts, Copies, Leg, Rolls, Walking};
use super::forger::Forgers;
use super::packet::{Packet, TCP};
use super::scenario::{Carrier, Closed, HostIndex, Quote, Scenario};
use super::topology::Topology;
use super::walk::{End, Flow, Network, Position, Start, Walked};
use crate::model::{ClockPair, MonoTime, Port, Underlay};

/// A simulated Internet around one vantage.
#[derive(Debug)]
pub struct Simulator {
    network: Network,
    queue: BinaryHeap<Reverse<Pending>>,
    now: MonoTime,
    packets: u64,
    bursts: Bursts,
    /// What hosts with a rate of their own may still send by ICMP.
    buckets: HashMap<IpAddr, Bucket>,
    forgers: Forgers,
}

/// The lab in virtual time: no sockets and no waiting, a whole campaign in milliseconds.
pub type VirtualInternet = Simulator;

/// Packets on their way at one time; what comes on top is lost, as in a full queue.
const MOST_IN_FLIGHT: usize = 1 << 18;
/// TTL with which routers send.
const ROUTER_TTL: u8 = 255;

/// Something that will happen; ordered by time, then by number.
#[derive(Debug)]
struct Pending {
    at: MonoTime,
    number: u64,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A question is where its walk ends.
    Reaches(Box<(Packet, Walked)>),
    /// An answer is at the vantage.
    Arrives(Vec<u8>),
}

impl PartialEq for Pending {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Pending {}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl Simulator {
    /// A simulator at the start of its time, which is [`MonoTime::default`].
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            network: Network::new(Topology::new(scenario)),
            queue: BinaryHeap::new(),
            now: MonoTime::default(),
            packets: 0,
            bursts: Bursts::default(),
            buckets: HashMap::new(),
            forgers: Forgers::new(scenario),
        }
    }

    /// The wall time of the scenario over the time of the simulator.
    #[must_use]
    pub fn clock(&self) -> ClockPair {
        self.network.topology.clock
    }

    /// When something happens next, if anything does; it need not reach the vantage.
    #[must_use]
    pub fn next_due(&self) -> Option<MonoTime> {
        let queued = self.queue.peek().map(|Reverse(pending)| pending.at);
        queued.into_iter().chain(self.forgers.next_due()).min()
    }

    fn send(&mut self, packet: Packet) {
        let vantage = &self.network.topology.scenario.vantage;
        let own = vantage.addresses.iter().any(|address| address == packet.flow.source);
        if !own || !self.network.topology.has_uplink(self.now) {
            return;
        }
        self.forgers.provoke(self.now);
        if self.queue.len() >= MOST_IN_FLIGHT {
            return;
        }
        let start = Start {
            router: vantage.gateway,
            at: self.now.after(vantage.delay),
            ttl: packet.ttl,
            made_here: false,
            way_back: None,
            rigid_length: packet.rigid_length(),
        };
        let mut copies = Copies::default();
        let original = self.set_out(&packet.flow, start, &mut copies);
        while let Some(copy) = copies.next() {
            let (number, walked) = self.set_out(&packet.flow, copy, &mut copies);
            self.reaches(number, packet.clone(), walked);
        }
        self.reaches(original.0, packet, original.1);
    }

    /// Walks a question, or a copy of it, under a number of its own.
    fn set_out(&mut self, flow: &Flow, from: impl Into<Position>, copies: &mut Copies) -> (u64, Walked) {
        let number = self.number();
        let mut rolls = self.rolls(number, Leg::There);
        let mut dice = Walking { rolls: &mut rolls, bursts: &mut self.bursts, copies };
        (number, self.network.walk(flow, from, &mut dice, |_, _| {}))
    }

    fn reaches(&mut self, number: u64, packet: Packet, mut walked: Walked) {
        if let End::AtHost(host) = walked.end {
            walked.at = walked.at.after(self.host_delay(host));
        }
        let what = What::Reaches(Box::new((packet, walked)));
        self.queue.push(Reverse(Pending { at: walked.at, number, what }));
    }

    /// Answers a packet where its walk ended, and sends the answer on its way.
    fn reach(&mut self, number: u64, packet: &Packet, walked: &Walked) {
        let mut dice = self.rolls(number, Leg::Back);
        let answer = match walked.end {
            End::AtHost(host) => self.host_answer(packet, walked, host, &mut dice),
            End::AtRouter => self.router_answer(packet, walked, &mut dice),
            End::Expired => self.complaint(packet, walked, Complaint::TimeExceeded, &mut dice),
            End::NoRoute => self.complaint(packet, walked, Complaint::NoRoute, &mut dice),
            End::Prohibited => self.complaint(packet, walked, Complaint::Prohibited, &mut dice),
            End::TooBig(mtu) => self.complaint(packet, walked, Complaint::TooBig(mtu), &mut dice),
            End::AtVantage | End::Filtered | End::Lost | End::Vanished => None,
        };
        if let Some(answer) = answer.as_deref().and_then(Packet::read) {
            self.send_back(number, &answer, walked, &mut dice);
        }
    }

    fn host_answer(
        &mut self,
        packet: &Packet,
        walked: &Walked,
        index: HostIndex,
        dice: &mut Rolls,
    ) -> Option<Vec<u8>> {
        if !self.network.topology.host_is_up(packet.flow.destination, walked.at) {
            return None;
        }
        let host = self.network.topology.host(index)?;
        let manners = Manners {
            echo: host.echo,
            open: &host.open,
            closed: host.closed,
            filtered: &host.filtered,
            ttl: host.reply_ttl,
        };
        let answer = manners.answer(packet, walked.ttl, dice)?;
        let rate = host.icmp_rate.filter(|_| packet.flow.protocol != TCP);
        let Some(rate) = rate else { return Some(answer) };
        let bucket = self.buckets.entry(packet.flow.destination);
        let bucket = bucket.or_insert_with(|| Bucket::new(rate, walked.at));
        bucket.take(rate, walked.at).then_some(answer)
    }

    /// A router answers for its own addresses like a host without open ports.
    fn router_answer(&self, packet: &Packet, walked: &Walked, dice: &mut Rolls) -> Option<Vec<u8>> {
        let router = self.network.topology.router(walked.router)?;
        let manners =
            Manners { echo: true, open: &[], closed: Closed::Refused, filtered: &[], ttl: ROUTER_TTL };
        if router.silent { None } else { manners.answer(packet, walked.ttl, dice) }
    }

    /// An ICMP error from the interface by which the packet came in.
    fn complaint(
        &self,
        packet: &Packet,
        walked: &Walked,
        complaint: Complaint,
        dice: &mut Rolls,
    ) -> Option<Vec<u8>> {
        let topology = &self.network.topology;
        let router = topology.router(walked.router)?;
        if router.silent {
            return None;
        }
        let is_ipv4 = packet.flow.destination.is_ipv4();
        let inbound = walked.inbound.and_then(|link| topology.link(link)?.addresses_at(walked.router));
        let address = inbound.and_then(|addresses| addresses.of(is_ipv4));
        let speaker = Speaker {
            address: address.or_else(|| router.addresses.of(is_ipv4))?,
            ttl: ROUTER_TTL,
            identification: dice.identification(),
            quote: router.quote,
            labels: &router.labels,
        };
        answer::icmp_error(packet, walked.ttl, complaint, &speaker)
    }

    fn send_back(&mut self, number: u64, answer: &Packet, question: &Walked, dice: &mut Rolls) {
        let topology = &self.network.topology;
        let symmetric = topology.home(question.router).and_then(|home| topology.asys(home));
        let symmetric = symmetric.is_some_and(|asys| asys.symmetric_replies);
        let from_host = match question.end {
            End::AtHost(host) => Some(self.host_delay(host)),
            _ => None,
        };
        let start = Start {
            router: question.router,
            at: question.at.after(from_host.unwrap_or_default()),
            ttl: answer.ttl,
            made_here: from_host.is_none(),
            way_back: question.entered.filter(|_| symmetric),
            rigid_length: answer.rigid_length(),
        };
        let mut copies = Copies::default();
        let mut on_its_way = Walking { rolls: dice, bursts: &mut self.bursts, copies: &mut copies };
        let walked = self.network.walk(&answer.flow, start, &mut on_its_way, |_, _| {});
        self.arrives(number, answer, &walked);
        while let Some(copy) = copies.next() {
            let number = self.number();
            let mut rolls = self.rolls(number, Leg::Back);
            let mut on_its_way =
                Walking { rolls: &mut rolls, bursts: &mut self.bursts, copies: &mut copies };
            let walked = self.network.walk(&answer.flow, copy, &mut on_its_way, |_, _| {});
            self.arrives(number, answer, &walked);
        }
    }

    fn arrives(&mut self, number: u64, answer: &Packet, walked: &Walked) {
        let topology = &self.network.topology;
        let at = walked.at.after(topology.scenario.vantage.delay);
        if walked.end == End::AtVantage && topology.has_uplink(at) {
            let what = What::Arrives(answer.arriving_with(walked.ttl));
            self.queue.push(Reverse(Pending { at, number, what }));
        }
    }

    /// A number that no packet has had.
    fn number(&mut self) -> u64 {
        let number = self.packets;
        self.packets = self.packets.saturating_add(1);
        number
    }

    fn host_delay(&self, host: HostIndex) -> Duration {
        self.network.topology.host(host).map_or(Duration::ZERO, |host| host.delay)
    }

    fn rolls(&self, number: u64, leg: Leg) -> Rolls {
        Rolls::new(self.network.topology.scenario.seed, number, leg)
    }
}

impl Underlay for Simulator {
    fn inject(&mut self, now: MonoTime, packet: &[u8]) {
        self.now = self.now.max(now);
        if let Some(packet) = Packet::read(packet) {
            self.send(packet);
        }
    }

    fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
        loop {
            let queued = self.queue.peek().map(|Reverse(pending)| pending.at).filter(|at| *at <= until);
            let forged = self.forgers.next_due().filter(|at| *at <= until);
            if let Some(at) = forged.filter(|at| queued.is_none_or(|queued| *at < queued)) {
                self.now = self.now.max(at);
                if let Some(arrival) = self.forgers.strike() {
                    return Some(arrival);
                }
                continue;
            }
            queued?;
            let Reverse(Pending { at, number, what }) = self.queue.pop()?;
            self.now = self.now.max(at);
            match what {
                What::Reaches(reached) => self.reach(number, &reached.0, &reached.1),
                What::Arrives(answer) => return Some((at, answer)),
            }
        }
    }
}

/// How an end system treats what is addressed to it.
struct Manners<'a> {
    echo: bool,
    open: &'a [Port],
    closed: Closed,
    filtered: &'a [Carrier],
    ttl: u8,
}

impl Manners<'_> {
    fn answer(&self, packet: &Packet, arrived_with: u8, dice: &mut Rolls) -> Option<Vec<u8>> {
        let carrier = packet.flow.carrier()?;
        if self.filtered.contains(&carrier) || packet.fragment || !packet.checksum_holds() {
            return None;
        }
        let speaker = Speaker {
            address: packet.flow.destination,
            ttl: self.ttl,
            identification: dice.identification(),
            quote: Quote::Rfc1812,
            labels: &[],
        };
        match carrier {
            Carrier::Icmp if self.echo => answer::echo_reply(packet, &speaker),
            Carrier::Icmp => None,
            Carrier::Tcp => self.tcp(packet, dice, &speaker),
            Carrier::Udp if self.closed == Closed::Silent => None,
            Carrier::Udp => answer::icmp_error(packet, arrived_with, Complaint::PortClosed, &speaker),
        }
    }

    fn tcp(&self, packet: &Packet, dice: &mut Rolls, speaker: &Speaker<'_>) -> Option<Vec<u8>> {
        let [_, _, high, low] = packet.flow.first_four;
        let port = Port::new(u16::from_be_bytes([high, low]));
        let open = port.is_some_and(|port| self.open.contains(&port));
        if !open && self.closed == Closed::Silent {
            return None;
        }
        answer::tcp(packet, open, dice.sequence(), speaker)
    }
}

#[cfg(test)]
mod tests;

//! The simulator: packets in at the vantage, answers out, in virtual time.
//!
//! A queue of what happens when, in nanoseconds since the start of the lab. A packet is walked at once to
//! the router or host that will answer it, waits in the queue until it is there, is answered, and the
//! answer is walked back over routes of its own and waits until it reaches the vantage. All chance comes
//! from the scenario's seed and the number of the packet: the same packets at the same times give the same
//! bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher13;

use super::answer::{self, Complaint, Speaker};
use super::balance::write_address;
use super::chance::{Bursts, Copies, Leg, Rolls, Walking};
use super::forger::Forgers;
use super::habits::identification::{Counters, Sending};
use super::habits::nat;
use super::habits::rate::Buckets;
use super::packet::{Packet, TCP};
use super::scenario::{Carrier, Closed, HostIndex, IpId, LinkIndex, Quote, RouterIndex, Scenario};
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
    /// Packets that were handed over, read or not.
    questions: u64,
    /// Which of them the last arrival answers.
    answered: Option<u64>,
    bursts: Bursts,
    /// What routers with a rate may still send by ICMP.
    of_routers: Buckets<RouterIndex>,
    /// The same of hosts, each address by itself.
    of_hosts: Buckets<IpAddr>,
    counters: Counters,
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
    descent: Descent,
    what: What,
}

/// Where a packet of the lab comes from.
#[derive(Clone, Copy, Debug)]
struct Descent {
    /// Its own number.
    number: u64,
    /// Which of the vantage's packets it is, or answers.
    question: u64,
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
        (self.at, self.descent.number).cmp(&(other.at, other.descent.number))
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
            questions: 0,
            answered: None,
            bursts: Bursts::default(),
            of_routers: Buckets::default(),
            of_hosts: Buckets::default(),
            counters: Counters::default(),
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

    /// Which packet the last arrival answers, counted from 0 in the order in which they were injected; `None`
    /// if it was forged. No packet tells this: it is for whoever judges a prober.
    #[must_use]
    pub const fn answered(&self) -> Option<u64> {
        self.answered
    }

    fn send(&mut self, packet: Packet, question: u64) {
        let vantage = &self.network.topology.scenario.vantage;
        let own = vantage.addresses.iter().any(|address| address == packet.flow.source);
        if !own || !self.network.topology.has_uplink(self.now) {
            return;
        }
        self.forgers.provoke(self.now);
        if self.queue.len() >= MOST_IN_FLIGHT {
            return;
        }
        let start = self.network.leaving_vantage(self.now, packet.ttl, packet.rigid_length());
        let mut copies = Copies::default();
        let original = self.set_out(Position::new(packet.flow, start), &mut copies);
        while let Some(copy) = copies.next() {
            let (number, walked) = self.set_out(copy, &mut copies);
            self.reaches(Descent { number, question }, packet.clone(), walked);
        }
        self.reaches(Descent { number: original.0, question }, packet, original.1);
    }

    /// Walks a question, or a copy of it, under a number of its own.
    fn set_out(&mut self, from: Position, copies: &mut Copies) -> (u64, Walked) {
        let number = self.number();
        let mut rolls = self.rolls(number, Leg::There);
        let mut dice = Walking { rolls: &mut rolls, bursts: &mut self.bursts, copies };
        (number, self.network.walk(from, &mut dice, |_| {}))
    }

    fn reaches(&mut self, descent: Descent, packet: Packet, mut walked: Walked) {
        if let End::AtHost(host) = walked.end {
            walked.at = walked.at.after(self.host_delay(host));
        }
        let what = What::Reaches(Box::new((packet, walked)));
        self.queue.push(Reverse(Pending { at: walked.at, descent, what }));
    }

    /// Answers a packet where its walk ended, and sends the answer on its way.
    fn reach(&mut self, descent: Descent, packet: &Packet, walked: &Walked) {
        let translated = nat::translated_question(packet, walked);
        let packet = translated.as_ref().unwrap_or(packet);
        let mut dice = self.rolls(descent.number, Leg::Back);
        let said = match walked.end {
            End::AtHost(host) => self.host_answer(packet, walked, host, &mut dice).map(Said::plainly),
            End::AtRouter => self.router_answer(packet, walked, &mut dice),
            End::Expired => self.complaint(packet, walked, Complaint::TimeExceeded, &mut dice),
            End::NoRoute => self.complaint(packet, walked, Complaint::NoRoute, &mut dice),
            End::Prohibited => self.complaint(packet, walked, Complaint::Prohibited, &mut dice),
            End::TooBig(mtu) => self.complaint(packet, walked, Complaint::TooBig(mtu), &mut dice),
            End::AtVantage | End::Filtered | End::Lost | End::Vanished => None,
        };
        if let Some(mut said) = said {
            self.identify(&mut said.packet, packet, walked);
            self.send_back(descent, said, walked, &mut dice);
        }
    }

    /// Gives an answer the identification that its sender gives to what it sends.
    fn identify(&mut self, answer: &mut Vec<u8>, question: &Packet, walked: &Walked) {
        let topology = &self.network.topology;
        let (router, habit) = match walked.end {
            End::AtHost(host) => (None, topology.host(host).map(|host| host.ip_id)),
            _ => (Some(walked.router), topology.router(walked.router).map(|router| router.ip_id)),
        };
        let of_v4 = question.flow.source.is_ipv4();
        let Some(habit) = habit.filter(|habit| of_v4 && *habit != IpId::Random) else { return };
        let Some(sent) = Packet::of(std::mem::take(answer)) else { return };
        let sending = Sending {
            router: router.map(|router| router.0),
            from: sent.flow.source,
            at: walked.at,
            chosen: sent.identification(),
            asked: question.identification(),
        };
        let id = self.counters.next(habit, topology.scenario.seed, &sending);
        *answer = sent.identified_by(id);
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
            closed: &host.closed,
            filtered: &host.filtered,
            ttl: host.reply_ttl,
            secret: self.network.topology.scenario.seed,
        };
        let answer = manners.answer(packet, walked.ttl, dice)?;
        let rate = host.icmp_rate.filter(|_| packet.flow.protocol != TCP);
        self.of_hosts.let_through(packet.flow.destination, rate, walked.at).then_some(answer)
    }

    /// A router answers for its own addresses like a host without open ports.
    fn router_answer(&mut self, packet: &Packet, walked: &Walked, dice: &mut Rolls) -> Option<Said> {
        let router = self.network.topology.router(walked.router)?;
        let manners = Manners {
            echo: true,
            open: &[],
            closed: &Closed::Refused,
            filtered: &[],
            ttl: ROUTER_TTL,
            secret: self.network.topology.scenario.seed,
        };
        if router.silent {
            return None;
        }
        match manners.accepted(packet)? {
            Carrier::Udp => self.complaint(packet, walked, Complaint::PortClosed, dice),
            Carrier::Icmp | Carrier::Tcp => manners.answer(packet, walked.ttl, dice).map(Said::plainly),
        }
    }

    /// An ICMP error in the router's own voice, while its limit lets it speak.
    fn complaint(
        &mut self,
        packet: &Packet,
        walked: &Walked,
        complaint: Complaint,
        dice: &mut Rolls,
    ) -> Option<Said> {
        let topology = &self.network.topology;
        let router = topology.router(walked.router)?;
        if router.silent {
            return None;
        }
        let voice = self.network.voice(walked, complaint)?;
        let speaker = Speaker {
            address: voice.address,
            ttl: ROUTER_TTL,
            identification: dice.identification(),
            quote: router.quote,
            mangles: &router.mangles,
            labels: &self.network.shown_labels(walked),
        };
        let error = answer::icmp_error(packet, walked.ttl, complaint, &speaker)?;
        let rate = topology.icmp_rate(walked.router, walked.at);
        let may_speak = self.of_routers.let_through(walked.router, rate, walked.at);
        may_speak.then_some(Said {
            packet: error,
            leaves_by: voice.leaves_by,
            about: Some(packet.flow.destination),
        })
    }

    fn send_back(&mut self, descent: Descent, said: Said, question: &Walked, dice: &mut Rolls) {
        let Some(answer) = Packet::of(said.packet) else { return };
        let from_host = match question.end {
            End::AtHost(host) => self.host_delay(host),
            _ => Duration::ZERO,
        };
        let start = Start {
            at: question.at.after(from_host),
            ttl: answer.ttl,
            rigid_length: answer.rigid_length(),
            leaves_by: said.leaves_by,
            about: said.about,
            ..self.network.start_of_answer(question)
        };
        let mut copies = Copies::default();
        let mut on_its_way = Walking { rolls: dice, bursts: &mut self.bursts, copies: &mut copies };
        let from = Position::new(answer.flow, start);
        let original = self.network.walk(from, &mut on_its_way, |_| {});
        while let Some(copy) = copies.next() {
            let number = self.number();
            let mut rolls = self.rolls(number, Leg::Back);
            let mut on_its_way =
                Walking { rolls: &mut rolls, bursts: &mut self.bursts, copies: &mut copies };
            let walked = self.network.walk(copy, &mut on_its_way, |_| {});
            self.arrives(Descent { number, ..descent }, answer.clone(), said.about, &walked);
        }
        self.arrives(descent, answer, said.about, &original);
    }

    fn arrives(&mut self, descent: Descent, answer: Packet, about: Option<IpAddr>, walked: &Walked) {
        let topology = &self.network.topology;
        let at = walked.at.after(topology.scenario.vantage.delay);
        if walked.end == End::AtVantage && topology.has_uplink(at) {
            let translated = walked.flow != answer.flow || walked.about != about;
            let mut bytes = answer.into_arriving_with(walked.ttl);
            if translated {
                nat::translate_answer(&mut bytes, about, walked);
            }
            self.queue.push(Reverse(Pending { at, descent, what: What::Arrives(bytes) }));
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
        let question = self.questions;
        self.questions = question.saturating_add(1);
        if let Some(packet) = Packet::read(packet) {
            self.send(packet, question);
        }
    }

    fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
        loop {
            let queued = self.queue.peek().map(|Reverse(pending)| pending.at).filter(|at| *at <= until);
            let forged = self.forgers.next_due().filter(|at| *at <= until);
            if let Some(at) = forged.filter(|at| queued.is_none_or(|queued| *at < queued)) {
                self.now = self.now.max(at);
                let arrival = self.forgers.strike();
                if let Some(arrival) = arrival.filter(|(at, _)| self.network.topology.has_uplink(*at)) {
                    self.answered = None;
                    return Some(arrival);
                }
                continue;
            }
            queued?;
            let Reverse(Pending { at, descent, what }) = self.queue.pop()?;
            self.now = self.now.max(at);
            match what {
                What::Reaches(reached) => self.reach(descent, &reached.0, &reached.1),
                What::Arrives(answer) => {
                    self.answered = Some(descent.question);
                    return Some((at, answer));
                }
            }
        }
    }
}

/// What somebody answers.
struct Said {
    packet: Vec<u8>,
    /// The link by which it must leave.
    leaves_by: Option<LinkIndex>,
    /// Where the packet was to go that it is an error about.
    about: Option<IpAddr>,
}

impl Said {
    fn plainly(packet: Vec<u8>) -> Self {
        Self { packet, leaves_by: None, about: None }
    }
}

/// How an end system treats what is addressed to it.
struct Manners<'a> {
    echo: bool,
    open: &'a [Port],
    closed: &'a Closed,
    filtered: &'a [Carrier],
    ttl: u8,
    /// From which the first sequence numbers of connections come.
    secret: u64,
}

impl Manners<'_> {
    /// What a packet is, if it is looked at.
    fn accepted(&self, packet: &Packet) -> Option<Carrier> {
        let carrier = packet.flow.carrier()?;
        let dropped = self.filtered.contains(&carrier) || packet.fragment || !packet.checksum_holds();
        (!dropped).then_some(carrier)
    }

    fn answer(&self, packet: &Packet, arrived_with: u8, dice: &mut Rolls) -> Option<Vec<u8>> {
        let carrier = self.accepted(packet)?;
        let speaker = Speaker {
            address: packet.flow.destination,
            ttl: self.ttl,
            identification: dice.identification(),
            quote: Quote::Rfc1812,
            mangles: &[],
            labels: &[],
        };
        match carrier {
            Carrier::Icmp if self.echo => answer::echo_reply(packet, &speaker),
            Carrier::Icmp => None,
            Carrier::Tcp => self.tcp(packet, &speaker),
            Carrier::Udp if !self.closed.refuses(destination_port(packet)) => None,
            Carrier::Udp => answer::icmp_error(packet, arrived_with, Complaint::PortClosed, &speaker),
        }
    }

    fn tcp(&self, packet: &Packet, speaker: &Speaker<'_>) -> Option<Vec<u8>> {
        let port = destination_port(packet);
        let open = port.is_some_and(|port| self.open.contains(&port));
        if !open && !self.closed.refuses(port) {
            return None;
        }
        answer::tcp(packet, open, first_sequence(self.secret, &packet.flow), speaker)
    }
}

/// Of a TCP segment or a UDP datagram; `None` for port 0.
fn destination_port(packet: &Packet) -> Option<Port> {
    let [_, _, high, low] = packet.flow.first_four;
    Port::new(u16::from_be_bytes([high, low]))
}

/// The first sequence number that an open port gives to a peer, always the same one (as in RFC 6528 §3, without
/// the clock).
fn first_sequence(secret: u64, flow: &Flow) -> u32 {
    let mut hasher = SipHasher13::new_with_keys(secret, u64::from(TCP));
    write_address(&mut hasher, flow.source);
    write_address(&mut hasher, flow.destination);
    hasher.write(&flow.first_four);
    let [.., one, two, three, four] = hasher.finish().to_be_bytes();
    u32::from_be_bytes([one, two, three, four])
}

#[cfg(test)]
mod tests;

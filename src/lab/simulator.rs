//! The simulator: packets in at the vantage, answers out, in virtual time.
//!
//! A queue of what happens when, in nanoseconds since the start of the lab. A packet is walked at once to
//! the router or host that will answer it, waits in the queue until it is there, is answered, and the
//! answer is walked back over routes of its own and waits until it reaches the vantage. All chance comes
//! from the scenario's seed and the number of the packet: the same packets at the same times give the same
//! bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};

use super::answer::{self, Complaint, Speaker};
use super::habits::nat;
use super::habits::rate::Buckets;
use super::packet::Packet;
use super::scenario::{Carrier, Closed, HostIndex, LinkIndex, Quote, Scenario};
use super::topology::Topology;
use super::walk::{Dice, End, Network, Start, Walked};
use crate::model::{ClockPair, MonoTime, Port, Underlay};

/// A simulated Internet around one vantage.
#[derive(Debug)]
pub struct Simulator {
    network: Network,
    queue: BinaryHeap<Reverse<Pending>>,
    now: MonoTime,
    packets: u64,
    buckets: Buckets,
}

/// The lab in virtual time: no sockets and no waiting, a whole campaign in milliseconds.
pub type VirtualInternet = Simulator;

/// Packets on their way at one time; what comes on top is lost, as in a full queue.
const MOST_IN_FLIGHT: usize = 1 << 18;
/// TTLs with which routers and hosts send.
const ROUTER_TTL: u8 = 255;
const HOST_TTL: u8 = 64;

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
            buckets: Buckets::default(),
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
        self.queue.peek().map(|Reverse(pending)| pending.at)
    }

    fn send(&mut self, packet: Packet) {
        let vantage = &self.network.topology.scenario.vantage;
        let own = vantage.addresses.iter().any(|address| address == packet.flow.source);
        if !own || self.queue.len() >= MOST_IN_FLIGHT {
            return;
        }
        let start = self.network.from_vantage(self.now, packet.ttl);
        let number = self.packets;
        self.packets = self.packets.saturating_add(1);
        let mut dice = self.dice(number, Leg::There);
        let mut walked = self.network.walk(&packet.flow, start, &mut dice, |_| {});
        if let End::AtHost(host) = walked.end {
            walked.at = walked.at.after(self.host_delay(host));
        }
        let what = What::Reaches(Box::new((packet, walked)));
        self.queue.push(Reverse(Pending { at: walked.at, number, what }));
    }

    /// Answers a packet where its walk ended, and sends the answer on its way.
    fn reach(&mut self, number: u64, packet: &Packet, walked: &Walked) {
        let translated = nat::translated_question(packet, walked);
        let packet = translated.as_ref().unwrap_or(packet);
        let mut dice = self.dice(number, Leg::Back);
        let said = match walked.end {
            End::AtHost(host) => self.host_answer(packet, walked, host, &mut dice).map(Said::plainly),
            End::AtRouter => self.router_answer(packet, walked, &mut dice),
            End::Expired => self.complaint(packet, walked, Complaint::TimeExceeded, &mut dice),
            End::NoRoute => self.complaint(packet, walked, Complaint::NoRoute, &mut dice),
            End::Prohibited => self.complaint(packet, walked, Complaint::Prohibited, &mut dice),
            End::AtVantage | End::Filtered | End::Lost | End::Vanished => None,
        };
        if let Some(said) = said {
            self.send_back(number, &said, walked, &mut dice);
        }
    }

    fn host_answer(
        &self,
        packet: &Packet,
        walked: &Walked,
        host: HostIndex,
        dice: &mut Rolls,
    ) -> Option<Vec<u8>> {
        let host = self.network.topology.host(host)?;
        let manners = Manners {
            echo: host.echo,
            open: &host.open,
            closed: host.closed,
            filtered: &host.filtered,
            ttl: HOST_TTL,
        };
        manners.answer(packet, walked.ttl, dice)
    }

    /// A router answers for its own addresses like a host without open ports.
    fn router_answer(&mut self, packet: &Packet, walked: &Walked, dice: &mut Rolls) -> Option<Said> {
        let router = self.network.topology.router(walked.router)?;
        let manners =
            Manners { echo: true, open: &[], closed: Closed::Refused, filtered: &[], ttl: ROUTER_TTL };
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
        let may_speak = self.buckets.let_through(walked.router, rate, walked.at);
        may_speak.then_some(Said {
            packet: error,
            leaves_by: voice.leaves_by,
            about: Some(packet.flow.destination),
        })
    }

    fn send_back(&mut self, number: u64, said: &Said, question: &Walked, dice: &mut Rolls) {
        let Some(answer) = Packet::read(&said.packet) else { return };
        let from_host = match question.end {
            End::AtHost(host) => self.host_delay(host),
            _ => Duration::ZERO,
        };
        let start = Start {
            at: question.at.after(from_host),
            ttl: answer.ttl,
            leaves_by: said.leaves_by,
            about: said.about,
            ..self.network.start_of_answer(question)
        };
        let walked = self.network.walk(&answer.flow, start, dice, |_| {});
        if walked.end == End::AtVantage {
            let at = walked.at.after(self.network.topology.scenario.vantage.delay);
            let mut bytes = answer.arriving_with(walked.ttl);
            if walked.flow != answer.flow || walked.about != said.about {
                nat::translate_answer(&mut bytes, said.about, &walked);
            }
            self.queue.push(Reverse(Pending { at, number, what: What::Arrives(bytes) }));
        }
    }

    fn host_delay(&self, host: HostIndex) -> Duration {
        self.network.topology.host(host).map_or(Duration::ZERO, |host| host.delay)
    }

    fn dice(&self, number: u64, leg: Leg) -> Rolls {
        let leg = match leg {
            Leg::There => 0,
            Leg::Back => 1,
        };
        let stream = number.wrapping_mul(2).wrapping_add(leg).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Rolls(Xoshiro256PlusPlus::seed_from_u64(self.network.topology.scenario.seed ^ stream))
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
        while self.next_due().is_some_and(|at| at <= until) {
            let Reverse(Pending { at, number, what }) = self.queue.pop()?;
            self.now = self.now.max(at);
            match what {
                What::Reaches(reached) => self.reach(number, &reached.0, &reached.1),
                What::Arrives(answer) => return Some((at, answer)),
            }
        }
        None
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

/// Which way a packet goes: each way has dice of its own.
#[derive(Clone, Copy)]
enum Leg {
    There,
    Back,
}

/// Dice from the seed.
struct Rolls(Xoshiro256PlusPlus);

impl Rolls {
    fn identification(&mut self) -> u16 {
        self.0.random()
    }
}

impl Dice for Rolls {
    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.0.random::<f64>() < probability
    }

    fn delay(&mut self, mean: Duration) -> Duration {
        // Beyond ten means lies one packet in 22,000; a longer tail would only look like loss.
        let means = -(1.0 - self.0.random::<f64>()).ln();
        mean.mul_f64(means.clamp(0.0, 10.0))
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
        answer::tcp(packet, open, dice.0.next_u32(), speaker)
    }
}

#[cfg(test)]
mod tests;

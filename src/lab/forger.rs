//! Forgers: somebody off the path who wants to be believed, and cannot see a probe. Each sends, at random
//! moments, what an answer to a probe would look like that the vantage never sent.
//!
//! ```text
//! quiet ──first packet of the vantage──▶ forging ──10 s without one──▶ quiet
//! ```
//!
//! So they are there whenever answers may be waited for, and a lab without probes comes to rest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::answer::{self, Complaint, Speaker};
use super::packet::Packet;
use super::scenario::{Forger, Forgery, Quote, Scenario};
use crate::model::{MonoTime, Prefix};

/// All forgers of a lab.
#[derive(Debug)]
pub(super) struct Forgers {
    each: Vec<Busy>,
    /// They are at work up to here; `None` before the first packet of the vantage.
    until: Option<MonoTime>,
}

/// One forger, and when it strikes next.
#[derive(Debug)]
struct Busy {
    forger: Forger,
    vantage: IpAddr,
    next: MonoTime,
    random: Xoshiro256PlusPlus,
}

/// How long they go on behind the last packet of the vantage: longer than anybody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// What systems send with, and how many routers are on the way.
const TTLS: [u8; 3] = [64, 128, 255];
const HOPS: std::ops::RangeInclusive<u8> = 5..=24;
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;
const TRACEROUTE: std::ops::RangeInclusive<u16> = 33_434..=33_534;

impl Forgers {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let busy = |(index, forger): (u64, &Forger)| {
            let stream = index.wrapping_add(1).wrapping_mul(0xd1b5_4a32_d192_ed03);
            Some(Busy {
                forger: forger.clone(),
                vantage: scenario.vantage_address(forger.about.is_ipv4())?,
                next: MonoTime::default(),
                random: Xoshiro256PlusPlus::seed_from_u64(scenario.seed ^ stream),
            })
        };
        Self { each: (0..).zip(&scenario.forgers).filter_map(busy).collect(), until: None }
    }

    /// The vantage has sent something.
    pub(super) fn provoke(&mut self, now: MonoTime) {
        for busy in &mut self.each {
            let was_quiet = self.until.is_none_or(|until| busy.next > until);
            if was_quiet && busy.next <= now {
                busy.next = now;
                busy.rest();
            }
        }
        self.until = Some(now.after(PATIENCE));
    }

    /// When one of them strikes next, if one does.
    pub(super) fn next_due(&self) -> Option<MonoTime> {
        let first = self.each.iter().map(|busy| busy.next).min()?;
        self.until.filter(|until| first <= *until).map(|_| first)
    }

    /// The packet that is due next, as it reaches the vantage.
    pub(super) fn strike(&mut self) -> Option<(MonoTime, Vec<u8>)> {
        self.next_due()?;
        let busy = self.each.iter_mut().min_by_key(|busy| busy.next)?;
        let at = busy.next;
        busy.rest();
        busy.forge().map(|packet| (at, packet))
    }
}

impl Busy {
    /// Until the next time: a Poisson process.
    fn rest(&mut self) {
        let means = -(1.0 - self.random.random::<f64>()).ln();
        self.next = self.next.after(Duration::from_secs_f64(means / self.forger.per_second));
    }

    /// The answer to a probe that nobody has sent.
    fn forge(&mut self) -> Option<Vec<u8>> {
        let says = pick(&mut self.random, &self.forger.says)?;
        let probe = Packet::of(self.probe(says)?)?;
        let claimed = match says {
            Forgery::TimeExceeded => self.address(self.forger.from),
            _ => probe.flow.destination,
        };
        let speaker = Speaker {
            address: claimed,
            ttl: pick(&mut self.random, &TTLS)?.saturating_sub(self.random.random_range(HOPS)),
            identification: self.random.random(),
            quote: Quote::Rfc792,
            mangles: &[],
            labels: &[],
        };
        match says {
            Forgery::TimeExceeded => answer::icmp_error(&probe, 1, Complaint::TimeExceeded, &speaker),
            Forgery::PortUnreachable => answer::icmp_error(&probe, 1, Complaint::PortClosed, &speaker),
            Forgery::EchoReply => answer::echo_reply(&probe, &speaker),
            Forgery::SynAck => answer::tcp(&probe, true, self.random.random(), &speaker),
            Forgery::Rst => answer::tcp(&probe, false, 0, &speaker),
        }
    }

    fn probe(&mut self, says: Forgery) -> Option<Vec<u8>> {
        let carrier = match says {
            Forgery::TimeExceeded => self.random.random_range(0..3),
            Forgery::EchoReply => 0,
            Forgery::PortUnreachable => 1,
            Forgery::SynAck | Forgery::Rst => 2,
        };
        let data: [u8; 12] = self.random.random();
        let mut bytes = Vec::new();
        let written = match carrier {
            0 => {
                let (id, sequence) = (self.random.random(), self.random.random_range(0..=1_000));
                let ip = self.header();
                if self.vantage.is_ipv4() {
                    ip.icmpv4_echo_request(id, sequence).write(&mut bytes, &data)
                } else {
                    ip.icmpv6_echo_request(id, sequence).write(&mut bytes, &data)
                }
            }
            1 => {
                let ports = (self.random.random_range(EPHEMERAL), self.random.random_range(TRACEROUTE));
                self.header().udp(ports.0, ports.1).write(&mut bytes, &data)
            }
            _ => {
                let (port, sequence) = (self.random.random_range(EPHEMERAL), self.random.random());
                let to = pick(&mut self.random, &[80, 443])?;
                self.header().tcp(port, to, sequence, 1024).syn().write(&mut bytes, &[])
            }
        };
        written.ok().map(|()| bytes)
    }

    fn header(&mut self) -> PacketBuilderStep<IpHeaders> {
        let target = self.address(self.forger.about);
        let ttl = self.random.random_range(1..=30);
        match (self.vantage, target) {
            (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), ttl),
            (from, to) => PacketBuilder::ipv6(v6(from).octets(), v6(to).octets(), ttl),
        }
    }

    /// Any address of a prefix.
    fn address(&mut self, prefix: Prefix) -> IpAddr {
        let length = u32::from(prefix.length());
        match prefix.network() {
            IpAddr::V4(network) => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                Ipv4Addr::from_bits(network.to_bits() | (self.random.random::<u32>() & host)).into()
            }
            IpAddr::V6(network) => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                Ipv6Addr::from_bits(network.to_bits() | (self.random.random::<u128>() & host)).into()
            }
        }
    }
}

fn pick<T: Copy>(random: &mut Xoshiro256PlusPlus, choices: &[T]) -> Option<T> {
    let last = choices.len().checked_sub(1)?;
    choices.get(random.random_range(0..=last)).copied()
}

/// Families are never mixed: the check of the scenario sees to it.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}

#[cfg(test)]
mod tests;

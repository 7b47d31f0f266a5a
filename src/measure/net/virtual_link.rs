//! The packet path into a simulated network, in virtual time: the same packets as on real sockets, built
//! and read by the same codec, but no socket, no clock and no waiting.
//!
//! Time passes only in [`Link::wait`]. Both ends of a round trip are read on this one clock, and there are
//! no kernel stamps.

use std::time::Duration;

use super::{Arrival, Link, fault_of_encoding};
use crate::measure::guard::Permit;
use crate::model::{MonoTime, SendFault, Underlay};
use crate::wire::{Codec, Received};

/// The longest that one call of `wait` lets pass, so that waiting without a deadline in a silent network
/// does not end at the end of time.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A link into a simulated network.
#[derive(Debug)]
pub struct VirtualLink<U> {
    codec: Codec,
    underlay: U,
    now: MonoTime,
    foreign: u64,
    /// The packet being built, kept for its capacity.
    packet: Vec<u8>,
}

impl<U: Underlay> VirtualLink<U> {
    /// A link whose clock shows `now`.
    pub const fn new(underlay: U, codec: Codec, now: MonoTime) -> Self {
        Self { codec, underlay, now, foreign: 0, packet: Vec::new() }
    }

    /// Packets that arrived and have nothing to do with us.
    #[must_use]
    pub const fn foreign(&self) -> u64 {
        self.foreign
    }

    /// The simulated network.
    pub const fn underlay(&self) -> &U {
        &self.underlay
    }

    fn read(&self, packet: &[u8]) -> Option<Arrival> {
        match self.codec.decode(packet) {
            Ok(Received::Answer(answer)) => Some(Arrival::Answer { answer, at: self.now, kernel: None }),
            Ok(Received::OwnProbe(_) | Received::Foreign) => None,
            Err(malformed) => Some(Arrival::Malformed(malformed)),
        }
    }
}

impl<U: Underlay> Link for VirtualLink<U> {
    fn now(&self) -> MonoTime {
        self.now
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        self.codec.encode(permit.probe(), &mut self.packet).map_err(fault_of_encoding)?;
        self.underlay.inject(self.now, &self.packet);
        Ok(self.now)
    }

    /// Returns at `until` of virtual time, which takes no real time.
    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let until = until.min(self.now.after(LONGEST_WAIT)).max(self.now);
        while let Some((at, packet)) = self.underlay.advance(until) {
            self.now = self.now.max(at);
            match self.read(&packet) {
                None => self.foreign = self.foreign.saturating_add(1),
                arrival => return arrival,
            }
        }
        self.now = until;
        None
    }

    fn kernel_drops(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::Ipv4Addr;

    use etherparse::PacketBuilder;

    use super::*;
    use crate::measure::net::tests::{codec, echo};
    use crate::model::ReplyKind;
    use crate::wire::Sources;

    const MILLISECOND: u64 = 1_000_000;

    /// Answers each echo request after 5 ms, behind a stranger's packet and in front of a broken one.
    #[derive(Default)]
    struct Mirror {
        arrivals: VecDeque<(MonoTime, Vec<u8>)>,
    }

    impl Underlay for Mirror {
        fn inject(&mut self, now: MonoTime, packet: &[u8]) {
            let at = now.after(Duration::from_millis(5));
            let address = |from: usize| <[u8; 4]>::try_from(&packet[from..from + 4]).unwrap();
            let word = |from: usize| u16::from_be_bytes([packet[from], packet[from + 1]]);
            let (source, target) = (address(12), address(16));
            let mut reply = Vec::new();
            let builder = PacketBuilder::ipv4(target, source, 60).icmpv4_echo_reply(word(24), word(26));
            builder.write(&mut reply, &packet[28..]).unwrap();
            let mut stranger = reply.clone();
            stranger[16..20].copy_from_slice(&[203, 0, 113, 1]);
            self.arrivals.extend([(at, stranger), (at, reply), (at, vec![0x45])]);
        }

        fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
            self.arrivals.pop_front_if(|(at, _)| *at <= until)
        }
    }

    fn link() -> VirtualLink<Mirror> {
        let sources = Sources { v4: Some(Ipv4Addr::new(192, 0, 2, 1)), v6: None };
        VirtualLink::new(Mirror::default(), codec(sources), MonoTime::from_nanos(0))
    }

    #[test]
    fn an_answer_comes_at_its_virtual_time_and_names_the_probe() {
        let mut link = link();
        let probe = echo("198.51.100.9");
        let sent = link.send(Permit::for_test(probe)).unwrap();
        assert!(link.wait(MonoTime::from_nanos(3 * MILLISECOND)).is_none());
        assert_eq!(link.now(), MonoTime::from_nanos(3 * MILLISECOND));
        let Some(Arrival::Answer { answer, at, kernel: None }) = link.wait(MonoTime::NEVER) else {
            panic!("no answer")
        };
        assert_eq!((answer.kind, answer.key), (ReplyKind::EchoReply, link.codec.key_of(&probe)));
        assert_eq!(at.since(sent), Duration::from_millis(5));
        assert!(matches!(link.wait(MonoTime::NEVER), Some(Arrival::Malformed(_))));
        assert_eq!(link.foreign(), 1);
    }

    #[test]
    fn the_clock_never_goes_back_and_never_ends() {
        let mut link = link();
        link.wait(MonoTime::from_nanos(9));
        link.wait(MonoTime::from_nanos(4));
        assert_eq!(link.now(), MonoTime::from_nanos(9));
        link.wait(MonoTime::NEVER);
        assert!(link.now() < MonoTime::NEVER);
    }

    #[test]
    fn a_family_without_a_source_address_is_refused_before_anything_is_sent() {
        let mut link = link();
        let refused = link.send(Permit::for_test(echo("2001:db8::9")));
        assert_eq!(refused, Err(SendFault::NoSource));
        assert!(link.underlay().arrivals.is_empty());
    }
}

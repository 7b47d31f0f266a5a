//! From captured packets to arrivals: decodes, sorts by direction, counts what is not ours, and survives
//! every error.

use super::super::Arrival;
use super::capture::{Capture, Direction, Seen};
use crate::model::{Clock, MonoTime};
use crate::wire::{Codec, Received};

/// No IP packet is longer.
const LONGEST_PACKET: usize = 65_535;

/// A caller that is late still gets this many packets looked at in one call, so that it catches up.
const LEAST_EFFORT: u32 = 64;

/// Reads captured packets.
#[derive(Debug)]
pub(super) struct Intake {
    buffer: Vec<u8>,
    foreign: u64,
    errors: u64,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self { buffer: vec![0; LONGEST_PACKET], foreign: 0, errors: 0 }
    }

    pub(super) const fn foreign(&self) -> u64 {
        self.foreign
    }

    pub(super) const fn errors(&self) -> u64 {
        self.errors
    }

    /// The next arrival; `None` if there is none until `deadline`.
    pub(super) fn next(
        &mut self,
        capture: &mut impl Capture,
        codec: &Codec,
        clock: &impl Clock,
        deadline: MonoTime,
    ) -> Option<Arrival> {
        let mut effort = 0_u32;
        loop {
            effort = effort.saturating_add(1);
            match capture.read(&mut self.buffer) {
                Ok(Some(seen)) => {
                    let arrival = self.sort(codec, seen, clock.mono());
                    if arrival.is_some() {
                        return arrival;
                    }
                }
                Ok(None) if clock.mono() >= deadline => return None,
                Ok(None) => capture.watch(deadline.since(clock.mono())),
                Err(_) => self.errors = self.errors.saturating_add(1),
            }
            if effort >= LEAST_EFFORT && clock.mono() >= deadline {
                return None;
            }
        }
    }

    /// Answers come in, and probes go out. On the loopback interface every packet does both; the half
    /// that means something is kept, and its twin is neither ours nor foreign.
    fn sort(&mut self, codec: &Codec, seen: Seen, at: MonoTime) -> Option<Arrival> {
        let packet = self.buffer.get(..seen.length).unwrap_or(&self.buffer);
        match (seen.direction, codec.decode(packet)) {
            (Direction::Outgoing, Ok(Received::OwnProbe(key))) => {
                seen.kernel.map(|kernel| Arrival::Departed { key, kernel })
            }
            (Direction::Incoming, Ok(Received::Answer(answer))) => {
                Some(Arrival::Answer { answer, at, kernel: seen.kernel })
            }
            (Direction::Incoming, Err(malformed)) => Some(Arrival::Malformed(malformed)),
            (Direction::Incoming, Ok(Received::Foreign)) => {
                self.foreign = self.foreign.saturating_add(1);
                None
            }
            (Direction::Incoming, Ok(Received::OwnProbe(_))) | (Direction::Outgoing, _) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use std::cell::Cell;
    use std::io;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::measure::net::tests::{codec, echo};
    use crate::model::WallTime;
    use crate::wire::Sources;

    /// A clock that moves a nanosecond each time it is read.
    struct Ticking(Cell<u64>);

    impl Clock for Ticking {
        fn mono(&self) -> MonoTime {
            self.0.set(self.0.get().saturating_add(1));
            MonoTime::from_nanos(self.0.get())
        }

        fn wall(&self) -> WallTime {
            WallTime::from_nanos(0)
        }
    }

    /// Fails so many times, each time differently, and then shows the packets.
    struct Failing {
        failures: u32,
        packets: Vec<(Direction, Vec<u8>)>,
    }

    impl Capture for Failing {
        fn watch(&mut self, _: Duration) {}

        fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<Seen>> {
            if self.failures > 0 {
                self.failures = self.failures.saturating_sub(1);
                let all =
                    [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETDOWN, libc::ENOMEM, libc::ENOBUFS];
                let code = all[self.failures as usize % all.len()];
                return Err(io::Error::from_raw_os_error(code));
            }
            let Some((direction, packet)) = self.packets.pop() else { return Ok(None) };
            buffer[..packet.len()].copy_from_slice(&packet);
            let kernel = Some(WallTime::from_nanos(7));
            Ok(Some(Seen { length: packet.len(), direction, kernel }))
        }
    }

    fn sources() -> Sources {
        Sources { v4: Some(Ipv4Addr::new(192, 0, 2, 1)), v6: None }
    }

    fn own_probe() -> Vec<u8> {
        let mut packet = Vec::new();
        codec(sources()).encode(&echo("198.51.100.9"), &mut packet).unwrap();
        packet
    }

    fn next(intake: &mut Intake, capture: &mut Failing, deadline: u64) -> Option<Arrival> {
        let clock = Ticking(Cell::new(0));
        intake.next(capture, &codec(sources()), &clock, MonoTime::from_nanos(deadline))
    }

    #[test]
    fn a_million_errors_do_not_end_the_loop() {
        let mut capture =
            Failing { failures: 1_000_000, packets: vec![(Direction::Outgoing, own_probe())] };
        let mut intake = Intake::new();
        let arrival = next(&mut intake, &mut capture, u64::MAX);
        assert!(matches!(arrival, Some(Arrival::Departed { .. })), "{arrival:?}");
        assert_eq!(intake.errors(), 1_000_000);
    }

    #[test]
    fn a_flood_of_errors_or_strangers_does_not_hold_the_caller() {
        let stranger = {
            let mut packet = own_probe();
            packet[12..16].copy_from_slice(&[203, 0, 113, 5]);
            packet
        };
        let packets = vec![(Direction::Incoming, stranger); 10_000];
        let mut capture = Failing { failures: 5_000, packets };
        let mut intake = Intake::new();
        for _ in 0..100 {
            assert!(next(&mut intake, &mut capture, 1).is_none());
        }
        let looked_at = intake.errors().saturating_add(intake.foreign());
        assert_eq!(looked_at, 100 * u64::from(LEAST_EFFORT), "each call ends, and none is in vain");
    }

    #[test]
    fn the_twin_that_loopback_delivers_is_neither_an_arrival_nor_foreign() {
        let mut capture = Failing { failures: 0, packets: vec![(Direction::Incoming, own_probe())] };
        let mut intake = Intake::new();
        assert!(next(&mut intake, &mut capture, 10).is_none());
        assert_eq!(intake.foreign(), 0);
    }

    #[test]
    fn the_hosts_own_damaged_packets_are_not_counted_against_the_network() {
        let cut = vec![0x45, 0, 0];
        let mut capture = Failing {
            failures: 0,
            packets: vec![(Direction::Incoming, cut.clone()), (Direction::Outgoing, cut)],
        };
        let mut intake = Intake::new();
        assert!(matches!(next(&mut intake, &mut capture, 1_000), Some(Arrival::Malformed(_))));
        assert!(next(&mut intake, &mut capture, 1_000).is_none());
    }
}

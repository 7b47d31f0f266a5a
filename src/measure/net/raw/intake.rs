//! From captured packets to arrivals: decodes, sorts by direction, counts what is not ours, and survives
//! every error.

use std::collections::VecDeque;
use std::time::Duration;

use nix::sys::prctl::set_timerslack;

use super::super::Arrival;
use super::capture::{BATCH, Capture, Direction, Seen};
use crate::model::{Clock, MonoTime, WallTime};
use crate::wire::{Codec, Received};

/// A caller that is late still gets this many batches looked at in one call, so that it catches up.
const LEAST_EFFORT: u32 = 4;

/// How long before the end of a wait a punctual thread stays awake: so late threads may wake.
const AWAKE_BEFORE: Duration = Duration::from_micros(100);

/// Where one packet follows the other within this time, they are read together, that often: to be woken for
/// each costs more than to read it. The kernel has stamped them, so no round-trip time grows by it.
const COLLECTED: Duration = Duration::from_millis(2);

/// How far the wall clock may be from where it should be before it counts as stepped. Slewing moves both
/// clocks alike; the rest is the time between reading one and the other.
const STEPPED: Duration = Duration::from_micros(200);

/// How often the clocks are read before a step is believed.
const READ_AGAIN: u32 = 3;

/// Brings the kernel's stamps, which are on the wall clock, to the monotonic clock. One pair of readings
/// serves until the wall clock is stepped, so that the difference of two stamps is exactly the kernel's.
#[derive(Clone, Copy, Debug)]
struct Bridge {
    mono: MonoTime,
    wall: WallTime,
}

impl Bridge {
    fn new(clock: &impl Clock) -> Self {
        let (wall, mono) = (clock.wall(), clock.mono());
        Self { mono, wall }
    }

    /// The same bridge, or a new one after a step. What looks like a step is read again: the program may
    /// only have been held up between its two readings.
    fn kept(self, clock: &impl Clock) -> Self {
        let mut fresh = Self::new(clock);
        for _ in 0..READ_AGAIN {
            let expected = self.on_monotonic(fresh.wall);
            if expected.since(fresh.mono).max(fresh.mono.since(expected)) < STEPPED {
                return self;
            }
            fresh = Self::new(clock);
        }
        fresh
    }

    /// When, on the monotonic clock, the wall clock showed this.
    fn on_monotonic(self, stamp: WallTime) -> MonoTime {
        if stamp >= self.wall {
            return self.mono.after(stamp.since(self.wall));
        }
        let age = u64::try_from(self.wall.since(stamp).as_nanos()).unwrap_or(u64::MAX);
        MonoTime::from_nanos(self.mono.as_nanos().saturating_sub(age))
    }
}

/// Reads captured packets.
#[derive(Debug)]
pub(super) struct Intake {
    /// What was read and not given out yet.
    waiting: VecDeque<Arrival>,
    /// Whether all packets that were there when it was last looked have been read.
    drained: bool,
    /// Whether waits end on time to the microsecond.
    punctual: bool,
    /// When packets were last read.
    heard: MonoTime,
    bridge: Option<Bridge>,
    foreign: u64,
    errors: u64,
}

impl Intake {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::with_capacity(BATCH),
            drained: false,
            punctual: false,
            heard: MonoTime::default(),
            bridge: None,
            foreign: 0,
            errors: 0,
        }
    }

    pub(super) const fn foreign(&self) -> u64 {
        self.foreign
    }

    pub(super) const fn errors(&self) -> u64 {
        self.errors
    }

    /// Sleeps as short as the system can from now on, and not at all shortly before the time.
    pub(super) fn be_punctual(&mut self) {
        if !std::mem::replace(&mut self.punctual, true) {
            // Where it is refused, waits still end on time as long as threads wake within `AWAKE_BEFORE`.
            let _ = set_timerslack(1);
        }
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
            if let Some(arrival) = self.waiting.pop_front() {
                return Some(arrival);
            }
            let now = clock.mono();
            let late = now >= deadline;
            if late && (effort >= LEAST_EFFORT || (effort > 0 && self.drained)) {
                return None;
            }
            effort = effort.saturating_add(1);
            if self.drained && !late {
                self.sleep(capture, now, deadline);
            }
            self.take_batch(capture, codec, clock);
        }
    }

    fn sleep(&self, capture: &mut impl Capture, now: MonoTime, deadline: MonoTime) {
        let awake_before = if self.punctual { AWAKE_BEFORE } else { Duration::ZERO };
        let patience = deadline.since(now).saturating_sub(awake_before);
        if patience.is_zero() {
            return;
        }
        if now.since(self.heard) < COLLECTED {
            capture.collect(patience.min(COLLECTED));
        } else {
            capture.watch(patience);
        }
    }

    /// Reads what is there. The time at which this program saw it is read once for all.
    fn take_batch(&mut self, capture: &mut impl Capture, codec: &Codec, clock: &impl Clock) {
        let mut reading = None;
        let read = capture.read(&mut |seen, packet| {
            let (at, bridge) = *reading.get_or_insert_with(|| {
                let bridge = self.bridge.map_or_else(|| Bridge::new(clock), |bridge| bridge.kept(clock));
                (clock.mono(), bridge)
            });
            match sort(codec, seen, packet, at, bridge) {
                Sorted::Arrival(arrival) => self.waiting.push_back(arrival),
                Sorted::Foreign => self.foreign = self.foreign.saturating_add(1),
                Sorted::Twin => {}
            }
        });
        if let Some((at, bridge)) = reading {
            self.heard = at;
            self.bridge = Some(bridge);
        }
        self.drained = read.as_ref().is_ok_and(|count| *count < BATCH);
        self.errors = self.errors.saturating_add(u64::from(read.is_err()));
    }
}

/// What a captured packet is to us.
enum Sorted {
    Arrival(Arrival),
    /// It has nothing to do with us.
    Foreign,
    /// The half of an exchange that says nothing new.
    Twin,
}

/// Answers come in, and probes go out. On the loopback interface every packet does both; the half that means
/// something is kept, and its twin is neither ours nor foreign.
fn sort(codec: &Codec, seen: Seen, packet: &[u8], at: MonoTime, bridge: Bridge) -> Sorted {
    let kernel = seen.kernel.map(|stamp| bridge.on_monotonic(stamp));
    match (seen.direction, codec.decode(packet)) {
        (Direction::Outgoing, Ok(Received::OwnProbe(key))) => {
            kernel.map_or(Sorted::Twin, |kernel| Sorted::Arrival(Arrival::Departed { key, kernel }))
        }
        (Direction::Incoming, Ok(Received::Answer(answer))) => {
            Sorted::Arrival(Arrival::Answer { answer, at, kernel })
        }
        (Direction::Incoming, Err(malformed)) => Sorted::Arrival(Arrival::Malformed(malformed)),
        (Direction::Incoming, Ok(Received::Foreign)) => Sorted::Foreign,
        (Direction::Incoming, Ok(Received::OwnProbe(_))) | (Direction::Outgoing, _) => Sorted::Twin,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::super::capture::Show;
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

        fn read(&mut self, each: &mut Show<'_>) -> io::Result<usize> {
            if self.failures > 0 {
                self.failures = self.failures.saturating_sub(1);
                let all =
                    [libc::ECONNREFUSED, libc::EHOSTUNREACH, libc::ENETDOWN, libc::ENOMEM, libc::ENOBUFS];
                let code = all[self.failures as usize % all.len()];
                return Err(io::Error::from_raw_os_error(code));
            }
            let batch = self.packets.split_off(self.packets.len().saturating_sub(BATCH));
            for (direction, packet) in &batch {
                each(Seen { direction: *direction, kernel: Some(WallTime::from_nanos(7)) }, packet);
            }
            Ok(batch.len())
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

    /// Shows these pairs of (wall, monotonic) readings, the last one again and again.
    struct Scripted(Cell<usize>, Vec<(i64, u64)>);

    impl Scripted {
        fn now(&self) -> (i64, u64) {
            self.1[self.0.get().min(self.1.len() - 1)]
        }
    }

    impl Clock for Scripted {
        fn mono(&self) -> MonoTime {
            let (_, mono) = self.now();
            self.0.set(self.0.get() + 1);
            MonoTime::from_nanos(mono)
        }

        fn wall(&self) -> WallTime {
            WallTime::from_nanos(self.now().0)
        }
    }

    #[test]
    fn stamps_follow_the_wall_clock_over_a_step_and_not_over_a_hold_up() {
        const MS: u64 = 1_000_000;
        let bridge = Bridge { mono: MonoTime::from_nanos(MS), wall: WallTime::from_nanos(0) };
        let held_up = Scripted(Cell::new(0), vec![(0, 9 * MS), (9_000_000, 10 * MS)]);
        assert_eq!(bridge.kept(&held_up).mono, bridge.mono, "held up for 8 ms");

        let stepped = Scripted(Cell::new(0), vec![(3_600_000_000_000, 2 * MS)]);
        let after = bridge.kept(&stepped);
        assert_eq!(after.on_monotonic(WallTime::from_nanos(3_600_000_000_000)).as_nanos(), 2 * MS);
        assert_eq!(
            after.on_monotonic(WallTime::from_nanos(3_599_999_500_000)).as_nanos(),
            2 * MS - 500_000
        );
    }

    /// A silent network, watched by a thread that always wakes 60 µs late.
    struct Sleepy<'c>(&'c Ticking);

    impl Capture for Sleepy<'_> {
        fn watch(&mut self, patience: Duration) {
            let woken = self.0.mono().after(patience).after(Duration::from_micros(60));
            self.0.0.set(woken.as_nanos());
        }

        fn read(&mut self, _: &mut Show<'_>) -> io::Result<usize> {
            Ok(0)
        }
    }

    #[test]
    fn a_punctual_wait_ends_on_time_although_its_thread_wakes_late() {
        let deadline = MonoTime::from_nanos(1_000_000);
        for (punctual, latest) in [(false, 61_000), (true, 10)] {
            let clock = Ticking(Cell::new(0));
            let mut intake = Intake::new();
            intake.punctual = punctual;
            assert!(intake.next(&mut Sleepy(&clock), &codec(sources()), &clock, deadline).is_none());
            let late = clock.mono().since(deadline).as_nanos();
            assert!(late <= latest, "{late} ns late");
        }
    }

    /// Notes how it is waited for packets, of which one is there after each wait.
    #[derive(Default)]
    struct Steady {
        watched: u32,
        collected: u32,
        at: Cell<u64>,
    }

    impl Capture for Steady {
        fn watch(&mut self, _: Duration) {
            self.watched += 1;
            self.at.set(1);
        }

        fn collect(&mut self, _: Duration) {
            self.collected += 1;
            self.at.set(1);
        }

        fn read(&mut self, each: &mut Show<'_>) -> io::Result<usize> {
            let there = self.at.take() > 0;
            if there {
                each(
                    Seen { direction: Direction::Outgoing, kernel: Some(WallTime::from_nanos(7)) },
                    &own_probe(),
                );
            }
            Ok(usize::from(there))
        }
    }

    #[test]
    fn what_comes_thick_and_fast_is_waited_for_together_and_what_comes_alone_is_taken_at_once() {
        for (step, expected) in [(2_000_000, (9, 0)), (1, (1, 8))] {
            let clock = Ticking(Cell::new(5_000_000));
            let (mut intake, mut capture) = (Intake::new(), Steady::default());
            for _ in 0..9 {
                clock.0.set(clock.0.get() + step);
                let deadline = clock.mono().after(Duration::from_secs(1));
                assert!(intake.next(&mut capture, &codec(sources()), &clock, deadline).is_some());
            }
            assert_eq!((capture.watched, capture.collected), expected);
        }
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
        let batches = 100 * u64::from(LEAST_EFFORT);
        let stranger = {
            let mut packet = own_probe();
            packet[12..16].copy_from_slice(&[203, 0, 113, 5]);
            packet
        };
        let packets = vec![(Direction::Incoming, stranger); 10_000];
        let mut capture = Failing { failures: 300, packets };
        let mut intake = Intake::new();
        for _ in 0..100 {
            assert!(next(&mut intake, &mut capture, 1).is_none());
        }
        let looked_at = intake.errors() + intake.foreign() / BATCH as u64;
        assert_eq!(looked_at, batches, "each call ends, and none is in vain");
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

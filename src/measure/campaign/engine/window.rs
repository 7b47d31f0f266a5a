//! When the probes of a sweep were sent, as long as an answer may still come: four bytes a probe, for those
//! alone that are on their way. Which probes these are, the sweep knows.
//!
//! ```text
//!            sent              answer
//!   open ───────────▶ sent ─────────────▶ answered ──┐ end of the late window
//!     │                 └── end of the late window ──┼──▶ silent ──▶ decided, in the order of positions
//!     └── refused, or decided before ────────────────┴──▶ closed ──▶ decided, in the order of positions
//! ```
//!
//! All before the first position that is not over are decided: that one number is all that an interrupted sweep
//! needs, besides its records.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::MonoTime;

/// The places of a sweep from the first undecided one on.
#[derive(Debug)]
pub(super) struct Window {
    slots: VecDeque<Slot>,
    /// The position of the first slot.
    front: u64,
    timeout: Duration,
    /// When every slot was looked at, not only the first.
    looked: MonoTime,
    /// When something was last asked of it.
    touched: MonoTime,
}

/// When an answer came, as far as its probe is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// Before the time-out; with the time of sending, to a quarter of a microsecond.
    InTime(MonoTime),
    /// Behind it.
    Late(MonoTime),
    /// There was one before.
    Again,
    /// The probe is not on its way.
    Unknown,
}

/// A state in the two lowest bits, and above them the time of sending in ticks, of which the highest bits are
/// cut off: it turns over every 274 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Silent,
    Sent,
    Answered,
}

/// A tick is 256 ns.
const TICK_BITS: u32 = 8;
const TICKS: u64 = 1 << 30;
/// All slots are looked at so often that none can turn over unseen, even at the longest time-out of a minute.
const LOOK_AT_ALL: Duration = Duration::from_secs(90);

impl Slot {
    const OPEN: Self = Self(0);
    const CLOSED: Self = Self(1);
    const SILENT: Self = Self(1 << 2 | 1);

    fn sent(at: MonoTime) -> Self {
        Self(u32::try_from(ticks(at)).unwrap_or(0) << 2 | 2)
    }

    const fn answered(self) -> Self {
        Self(self.0 | 3)
    }

    /// Ends its late window, if that is over.
    const fn end_if(&mut self, is_over: bool) {
        match self.state() {
            State::Sent if is_over => *self = Self::SILENT,
            State::Answered if is_over => *self = Self::CLOSED,
            _ => {}
        }
    }

    const fn state(self) -> State {
        match self.0 & 3 {
            0 => State::Open,
            1 if self.0 == Self::CLOSED.0 => State::Closed,
            1 => State::Silent,
            2 => State::Sent,
            _ => State::Answered,
        }
    }

    /// How long ago it was sent.
    fn age(self, now: MonoTime) -> Duration {
        let passed = ticks(now).wrapping_sub(u64::from(self.0 >> 2)) & TICKS.wrapping_sub(1);
        Duration::from_nanos(passed << TICK_BITS)
    }
}

fn ticks(at: MonoTime) -> u64 {
    let nanos = at.since(MonoTime::default()).as_nanos() >> TICK_BITS;
    u64::try_from(nanos & u128::from(TICKS.wrapping_sub(1))).unwrap_or(0)
}

impl Window {
    /// From this position on, all before it decided.
    pub(super) fn new(front: u64, timeout: Duration) -> Self {
        let never = MonoTime::default();
        Self { slots: VecDeque::new(), front, timeout, looked: never, touched: never }
    }

    /// All positions before this one are decided.
    pub(super) const fn decided(&self) -> u64 {
        self.front
    }

    /// A probe was sent.
    pub(super) fn sent(&mut self, position: u64, at: MonoTime) {
        self.touched = self.touched.max(at);
        self.set(position, Slot::sent(at));
    }

    /// A probe was refused, or decided by an earlier run.
    pub(super) fn close(&mut self, position: u64) {
        self.set(position, Slot::CLOSED);
    }

    /// An answer to the probe at a position, read at a time.
    pub(super) fn answer(&mut self, position: u64, at: MonoTime) -> Timing {
        let (timeout, window) = (self.timeout, self.length());
        let Some(slot) = self.slot_mut(position) else { return Timing::Unknown };
        let age = slot.age(at);
        let sent = MonoTime::default().after(at.since(MonoTime::default().after(age)));
        match slot.state() {
            State::Open | State::Closed | State::Silent => Timing::Unknown,
            State::Sent | State::Answered if age >= window => Timing::Unknown,
            State::Answered => Timing::Again,
            State::Sent => {
                *slot = slot.answered();
                if age < timeout { Timing::InTime(sent) } else { Timing::Late(sent) }
            }
        }
    }

    /// Decides on what has come to the end of its late window, and tells of every position that nobody answered
    /// when all before it are decided.
    pub(super) fn expire(&mut self, now: MonoTime, silent: &mut dyn FnMut(u64)) {
        let window = self.length();
        let all_are_old = now.since(self.touched) >= window;
        self.touched = self.touched.max(now);
        if now.since(self.looked) >= LOOK_AT_ALL || all_are_old {
            self.looked = now;
            for slot in &mut self.slots {
                slot.end_if(all_are_old || slot.age(now) >= window);
            }
        }
        while let Some(first) = self.slots.front_mut() {
            first.end_if(first.age(now) >= window);
            match first.state() {
                State::Closed => {}
                State::Silent => silent(self.front),
                State::Open | State::Sent | State::Answered => return,
            }
            self.slots.pop_front();
            self.front = self.front.saturating_add(1);
        }
    }

    /// When something may be decided by time alone.
    pub(super) fn deadline(&self, now: MonoTime) -> MonoTime {
        match self.slots.front() {
            None => MonoTime::NEVER,
            Some(first) if matches!(first.state(), State::Sent | State::Answered) => {
                now.after(self.length().saturating_sub(first.age(now)))
            }
            Some(_) => self.looked.after(LOOK_AT_ALL),
        }
    }

    fn length(&self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    fn set(&mut self, position: u64, slot: Slot) {
        let Some(index) = position.checked_sub(self.front).and_then(|ahead| usize::try_from(ahead).ok())
        else {
            return;
        };
        if index >= self.slots.len() {
            self.slots.resize(index.saturating_add(1), Slot::OPEN);
        }
        self.slots.get_mut(index).into_iter().for_each(|place| *place = slot);
    }

    fn slot_mut(&mut self, position: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(position.checked_sub(self.front)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation)]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    fn at(millis: u64) -> MonoTime {
        MonoTime::from_nanos(millis * 1_000_000)
    }

    fn expired(window: &mut Window, now: MonoTime) -> Vec<u64> {
        let mut silent = Vec::new();
        window.expire(now, &mut |position| silent.push(position));
        silent
    }

    #[test]
    fn an_answer_is_in_time_then_late_then_unknown_and_the_second_is_one_too_many() {
        for (after, expected) in [(30, "in time"), (1_999, "in time"), (2_000, "late"), (3_999, "late")] {
            let mut window = Window::new(100, TIMEOUT);
            window.sent(101, at(5_000));
            let timing = window.answer(101, at(5_000 + after));
            let (name, sent) = match timing {
                Timing::InTime(sent) => ("in time", sent),
                Timing::Late(sent) => ("late", sent),
                other => panic!("{other:?}"),
            };
            assert_eq!(name, expected);
            assert!(sent.since(at(5_000)) + at(5_000).since(sent) < Duration::from_nanos(512));
            assert_eq!(window.answer(101, at(5_000 + after)), Timing::Again);
            assert_eq!(window.answer(100, at(5_030)), Timing::Unknown, "not sent yet");
            assert_eq!(window.answer(99, at(5_030)), Timing::Unknown, "decided long ago");
        }
        let mut window = Window::new(0, TIMEOUT);
        window.sent(0, at(0));
        assert_eq!(window.answer(0, at(4_000)), Timing::Unknown);
    }

    #[test]
    fn what_waits_in_front_holds_up_those_behind_it_and_they_are_not_mistaken_meanwhile() {
        let mut window = Window::new(0, TIMEOUT);
        window.sent(1, at(0));
        window.sent(2, at(10));
        assert!(matches!(window.answer(2, at(20)), Timing::InTime(_)));
        assert_eq!(expired(&mut window, at(3_000)), [] as [u64; 0]);
        assert_eq!(window.decided(), 0);
        // The first probe waits for its turn for minutes; clocks turn over meanwhile.
        let mut silent = Vec::new();
        for second in 4..600 {
            silent.extend(expired(&mut window, at(second * 1_000)));
        }
        assert_eq!((silent, window.decided()), (vec![], 0));
        assert_eq!(window.answer(1, at(599_000)), Timing::Unknown);
        window.sent(0, at(600_000));
        assert_eq!(window.deadline(at(600_000)), at(604_000));
        assert_eq!(expired(&mut window, at(604_000)), [0, 1]);
        assert_eq!((window.decided(), window.deadline(at(604_000))), (3, MonoTime::NEVER));
    }

    #[test]
    fn after_a_long_sleep_everything_that_was_on_its_way_is_over() {
        for slept in [5_000, 274_000, 274_877, 275_000, 600_000] {
            let mut window = Window::new(0, TIMEOUT);
            expired(&mut window, at(1_000));
            window.sent(0, at(1_000));
            assert_eq!(expired(&mut window, at(1_000 + slept)), [0], "{slept}");
        }
    }

    proptest! {
        /// Against a list of times.
        #[test]
        fn every_position_is_told_once_and_only_if_nobody_answered(
            events in prop::collection::vec((0_u64..40, 0_u8..3, 1_u64..900), 1..300),
        ) {
            let mut window = Window::new(0, TIMEOUT);
            let mut now = 0;
            let mut fates: BTreeMap<u64, (u64, bool)> = BTreeMap::new();
            let mut closed: Vec<u64> = Vec::new();
            let mut silent: Vec<u64> = Vec::new();
            for (position, what, passed) in events {
                now += passed;
                silent.extend(expired(&mut window, at(now)));
                let known = fates.contains_key(&position) || closed.contains(&position);
                match what {
                    0 if !known => {
                        window.sent(position, at(now));
                        fates.insert(position, (now, false));
                    }
                    1 if !known => {
                        window.close(position);
                        closed.push(position);
                    }
                    2 => {
                        let timing = window.answer(position, at(now));
                        match fates.get_mut(&position) {
                            Some((sent, answered)) if now - *sent < 4_000 => {
                                prop_assert_eq!(matches!(timing, Timing::Again), *answered);
                                *answered = true;
                            }
                            _ => prop_assert_eq!(timing, Timing::Unknown),
                        }
                    }
                    _ => {}
                }
            }
            silent.extend(expired(&mut window, at(now + 4_000)));
            let open = |position: &u64| !fates.contains_key(position) && !closed.contains(position);
            let first_open = (0..1_000).find(open).unwrap();
            prop_assert_eq!(window.decided(), first_open);
            let unanswered = fates.range(..first_open).filter(|(_, (_, answered))| !answered);
            prop_assert_eq!(silent, unanswered.map(|(position, _)| *position).collect::<Vec<_>>());
        }
    }
}

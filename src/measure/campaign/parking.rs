//! Where drawn probes wait for the rates of their unit or responder. Pure.
//!
//! Of those that may go to one unit at one time, that with the lowest turn goes first. Rounds count their
//! turns apart (start-time fair queuing: Goyal, Vin and Cheng 1996), so that a round which has drawn a
//! hundred probes does not hold up one that draws its first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::model::{MonoTime, Probe, RoundId, Unit};

/// How many probes of one round may wait, so that one slow unit does not hold up the others.
const PARKED_AT_MOST: usize = 2048;

/// A probe that waits, and until when at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parked {
    /// When its unit and its responder may be ready.
    pub(super) ready: MonoTime,
    /// Its turn among the probes to its unit.
    pub(super) turn: u64,
    /// What waits.
    pub(super) probe: Probe,
}

/// The probes that wait.
#[derive(Debug, Default)]
pub(super) struct Parking {
    waiting: BinaryHeap<Reverse<Parked>>,
    /// How many of each round wait.
    held: HashMap<RoundId, usize>,
    /// The highest turn that went out to each unit.
    served: HashMap<Unit, u64>,
    /// The last turn that each round took for each unit.
    taken: HashMap<(RoundId, Unit), u64>,
}

impl Parking {
    /// The turn of a round's next probe to a unit: behind the round's own, and behind what went out already.
    pub(super) fn take_turn(&mut self, round: RoundId, unit: Unit) -> u64 {
        let served = self.served.get(&unit).copied().unwrap_or(0);
        let taken = self.taken.entry((round, unit)).or_insert(0);
        *taken = served.max(taken.saturating_add(1));
        *taken
    }

    /// Notes that a probe of this turn goes out to a unit.
    pub(super) fn note_served(&mut self, unit: Unit, turn: u64) {
        let served = self.served.entry(unit).or_insert(0);
        *served = turn.max(*served);
    }

    /// Whether no more of this round may wait.
    pub(super) fn is_full(&self, round: RoundId) -> bool {
        self.held.get(&round).is_some_and(|held| *held >= PARKED_AT_MOST)
    }

    /// Lets a probe wait.
    pub(super) fn park(&mut self, parked: Parked) {
        let held = self.held.entry(parked.probe.round).or_insert(0);
        *held = held.saturating_add(1);
        self.waiting.push(Reverse(parked));
    }

    /// The next probe that may be ready by now.
    pub(super) fn pop(&mut self, now: MonoTime) -> Option<Parked> {
        if self.earliest() > now {
            return None;
        }
        let Reverse(parked) = self.waiting.pop()?;
        if let Some(held) = self.held.get_mut(&parked.probe.round) {
            *held = held.saturating_sub(1);
        }
        Some(parked)
    }

    /// When the first probe may be ready.
    pub(super) fn earliest(&self) -> MonoTime {
        self.waiting.peek().map_or(MonoTime::NEVER, |Reverse(first)| first.ready)
    }

    /// Forgets a round that is over; nothing of it waits any more.
    pub(super) fn forget(&mut self, round: RoundId) {
        self.held.remove(&round);
        self.taken.retain(|(of, _), _| *of != round);
    }
}

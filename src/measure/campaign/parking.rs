//! Where drawn probes wait for the rates of their unit or responder. Pure.
//!
//! Each waits in the line before one gate: that of its unit or of its responder, whichever opens later. A gate
//! that opens lets one pass, so only the first in line is looked at, and not thousands that must wait on.
//!
//! In each line that with the lowest turn goes first. Rounds count their turns apart (start-time fair queuing:
//! Goyal, Vin and Cheng 1996), so that a round which has drawn a hundred probes does not hold up one that
//! draws its first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::measure::schedule::Gate;
use crate::model::{Keyed, Method, MonoTime, Probe, RoundId, Unit};

/// How many probes of one round may wait, so that one slow unit does not hold up the others.
const PARKED_AT_MOST: usize = 2048;

/// A probe that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parked {
    /// Its turn among the probes to its unit.
    pub(super) turn: u64,
    /// What waits.
    pub(super) probe: Probe,
    /// About which unit it asks, and what: looked up once.
    pub(super) question: (Unit, Method),
}

/// The probes before one gate.
#[derive(Debug)]
struct Line {
    /// When the gate opens, as far as is known.
    opens: MonoTime,
    /// The lowest turn first.
    waiting: BinaryHeap<Reverse<Parked>>,
}

/// The probes that wait.
#[derive(Debug, Default)]
pub(super) struct Parking {
    lines: Keyed<Gate, Line>,
    /// The gates with somebody before them, that which opens first on top. Those that opened later than was
    /// thought are also in it with the time that was; these are passed over, and never on top.
    opening: BinaryHeap<Reverse<(MonoTime, Gate)>>,
    /// Lines that were left, kept for their capacity: lines come and go with every probe.
    spare: Vec<BinaryHeap<Reverse<Parked>>>,
    /// How many of each round wait.
    held: Keyed<RoundId, usize>,
    /// The highest turn that went out to each unit.
    served: Keyed<Unit, u64>,
    /// The last turn that each round took for each unit.
    taken: Keyed<(RoundId, Unit), u64>,
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

    /// Lets a probe wait before a gate that is closed until `opens`, for all that wait there.
    pub(super) fn park(&mut self, parked: Parked, gate: Gate, opens: MonoTime) {
        let held = self.held.entry(parked.probe.round).or_insert(0);
        *held = held.saturating_add(1);
        let mut waiting = || self.spare.pop().unwrap_or_default();
        let line =
            self.lines.entry(gate).or_insert_with(|| Line { opens: MonoTime::NEVER, waiting: waiting() });
        line.waiting.push(Reverse(parked));
        if line.opens != opens {
            line.opens = opens;
            self.opening.push(Reverse((opens, gate)));
        }
        self.pass_over();
    }

    /// The first in line before a gate that may be open by now.
    pub(super) fn pop(&mut self, now: MonoTime) -> Option<Parked> {
        let Reverse((_, gate)) =
            self.opening.peek().copied().filter(|Reverse((opens, _))| *opens <= now)?;
        let line = self.lines.get_mut(&gate)?;
        let Reverse(parked) = line.waiting.pop()?;
        if line.waiting.is_empty() {
            self.spare.extend(self.lines.remove(&gate).map(|line| line.waiting));
            self.pass_over();
        }
        if let Some(held) = self.held.get_mut(&parked.probe.round) {
            *held = held.saturating_sub(1);
        }
        Some(parked)
    }

    /// Takes away from the top what no longer holds.
    fn pass_over(&mut self) {
        while let Some(Reverse((opens, gate))) = self.opening.peek()
            && self.lines.get(gate).is_none_or(|line| line.opens != *opens)
        {
            self.opening.pop();
        }
    }

    /// When the first probe may be ready.
    pub(super) fn earliest(&self) -> MonoTime {
        self.opening.peek().map_or(MonoTime::NEVER, |Reverse((opens, _))| *opens)
    }

    /// Forgets a round that is over; nothing of it waits any more.
    pub(super) fn forget(&mut self, round: RoundId) {
        self.held.remove(&round);
        self.taken.retain(|(of, _), _| *of != round);
    }
}

#[cfg(test)]
mod tests;

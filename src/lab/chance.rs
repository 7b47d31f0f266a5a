//! Chance: what happens to packets on links, and the dice that decide it.
//!
//! Each packet has dice of its own, from the scenario's seed and the packet's number. Only bursts of loss
//! outlive a packet: they are the memory of a link, one for each direction, and go by the order in which
//! packets are walked over it.

use std::collections::HashMap;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

use super::scenario::{Hazards, Jitter, Link, LinkIndex, Loss, RouterIndex, Shape};
use super::walk::Position;

/// What decides where a walk depends on chance.
pub(super) trait Dice {
    /// A number that no other packet has; `None` where chance is left out.
    fn packet(&self) -> Option<u64>;

    /// What happens to the packet on a link that it enters at a router.
    fn fate(&mut self, index: LinkIndex, link: &Link, from: RouterIndex) -> Fate;

    /// Takes a copy of the packet that is to be walked from here on, too.
    fn copied(&mut self, copy: Position);
}

/// What becomes of a packet on a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) lost: bool,
    /// On top of the link's delay.
    pub(super) late: Duration,
    /// Whether it goes on twice.
    pub(super) twice: bool,
}

/// Nothing is lost, late or doubled: what the truth is asked with.
pub(super) struct NoDice;

impl Dice for NoDice {
    fn packet(&self) -> Option<u64> {
        None
    }

    fn fate(&mut self, _: LinkIndex, _: &Link, _: RouterIndex) -> Fate {
        Fate::default()
    }

    fn copied(&mut self, _: Position) {}
}

/// Which way a packet goes: each way has dice of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leg {
    There = 0,
    Back = 1,
}

/// The dice of one packet.
#[derive(Debug)]
pub(super) struct Rolls {
    stream: u64,
    random: Xoshiro256PlusPlus,
}

impl Rolls {
    pub(super) fn new(seed: u64, number: u64, leg: Leg) -> Self {
        let stream = number.wrapping_mul(2).wrapping_add(leg as u64);
        let random = Xoshiro256PlusPlus::seed_from_u64(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Self { stream, random }
    }

    /// For the identification field of an IPv4 header.
    pub(super) fn identification(&mut self) -> u16 {
        self.random.random()
    }

    fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.random.random::<f64>() < probability
    }

    fn late(&mut self, Jitter { mean, shape }: Jitter) -> Duration {
        if mean.is_zero() { mean } else { mean.mul_f64(means(shape, self.random.random())) }
    }
}

/// The walk of one packet, as chance has it.
pub(super) struct Walking<'a> {
    pub(super) rolls: &'a mut Rolls,
    pub(super) bursts: &'a mut Bursts,
    pub(super) copies: &'a mut Copies,
}

impl Dice for Walking<'_> {
    fn packet(&self) -> Option<u64> {
        Some(self.rolls.stream)
    }

    fn fate(&mut self, index: LinkIndex, link: &Link, from: RouterIndex) -> Fate {
        let Hazards { jitter, loss, reorder, duplicate } = link.hazards;
        let lost = match loss {
            Loss::Independent(probability) => self.rolls.happens(probability),
            Loss::Bursts { mean, begins, ends } => {
                let bad = match self.bursts.0.get(&(index, from)) {
                    None => mean,
                    Some(false) => begins,
                    Some(true) => 1.0 - ends,
                };
                let lost = self.rolls.happens(bad);
                self.bursts.0.insert((index, from), lost);
                lost
            }
        };
        let mut late = self.rolls.late(jitter);
        if self.rolls.happens(reorder.probability) {
            late = late.saturating_add(reorder.by);
        }
        Fate { lost, late, twice: self.rolls.happens(duplicate) }
    }

    fn copied(&mut self, copy: Position) {
        self.copies.keep(copy);
    }
}

/// Whether the last packet from a router into a link fell into a burst of losses.
#[derive(Debug, Default)]
pub(super) struct Bursts(HashMap<(LinkIndex, RouterIndex), bool>);

/// Copies of one packet that are still to be walked.
#[derive(Debug, Default)]
pub(super) struct Copies {
    waiting: Vec<Position>,
    made: usize,
}

/// A packet that meets doubling links in a loop must not fill the memory.
const MOST_COPIES: usize = 64;

impl Copies {
    fn keep(&mut self, copy: Position) {
        if self.made < MOST_COPIES {
            self.made = self.made.saturating_add(1);
            self.waiting.push(copy);
        }
    }

    pub(super) fn next(&mut self) -> Option<Position> {
        self.waiting.pop()
    }
}

/// The delay, in means, that a share `below` of all packets does not exceed: 0 ≤ `below` < 1.
fn means(shape: Shape, below: f64) -> f64 {
    match shape {
        // Beyond ten means lies one packet in 22,000; a longer tail would only look like loss.
        Shape::Exponential => (-(1.0 - below).ln()).clamp(0.0, 10.0),
        Shape::Uniform => 2.0 * below,
        Shape::Normal => (1.0 + Normal::standard().inverse_cdf(below) / 3.0).clamp(0.0, 2.0),
        Shape::Pareto => (PARETO_SCALE / (1.0 - below).sqrt()).min(LONGEST_PARETO),
    }
}

/// Where the tail is cut, in means: one packet in 40,000 comes so late.
const LONGEST_PARETO: f64 = 100.0;
/// The shortest delay, in means: a half without the cut. The mean of a distribution of index 2 with scale s,
/// cut at c, is 2s - s²/c; this s makes it 1.
const PARETO_SCALE: f64 = 0.501_256_289_338_002_9;

#[cfg(test)]
mod tests;

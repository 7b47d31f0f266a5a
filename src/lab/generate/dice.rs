//! Chance for a generator: one stream of numbers for each purpose, so that what is drawn for one leaves the
//! others as they are.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// What is drawn for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Growth = 1,
    Peering,
    Places,
    Part,
    Roles,
    Routers,
    Links,
    Habits,
    Hosts,
    Identifications,
}

/// Dice of a seed, for one purpose.
#[derive(Debug)]
pub(super) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        let stream = (purpose as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self(Xoshiro256PlusPlus::seed_from_u64(seed ^ stream))
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.share() < probability
    }

    /// At least 0, below 1.
    pub(super) fn share(&mut self) -> f64 {
        self.0.random()
    }

    /// At least 0, below a limit; 0 if that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.0.random_range(0..limit) }
    }

    /// From `least` to `most`, both included.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0.random_range(least..=most.max(least))
    }

    /// One of several.
    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        list.get(self.below(list.len())).copied()
    }

    /// One of several, each as often as its weight says.
    pub(super) fn weighed<T: Copy>(&mut self, list: &[(T, f64)]) -> Option<T> {
        let mut left = self.share() * list.iter().map(|(_, weight)| weight).sum::<f64>();
        let drawn = list.iter().find(|(_, weight)| {
            left -= weight;
            left < 0.0
        });
        drawn.or_else(|| list.last()).map(|(choice, _)| *choice)
    }

    /// Puts a list into another order.
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in 1..list.len() {
            list.swap(place, self.below(place.saturating_add(1)));
        }
    }

    /// From 1 on, with a tail of this index (Pareto).
    pub(super) fn heavy(&mut self, index: f64) -> f64 {
        (1.0 - self.share()).powf(-index.recip())
    }
}

/// A list to draw from by weight, again and again.
#[derive(Debug, Default)]
pub(super) struct Urn<T> {
    things: Vec<T>,
    /// The sum of the weights up to each thing.
    up_to: Vec<f64>,
}

impl<T: Copy> Urn<T> {
    pub(super) fn put(&mut self, thing: T, weight: f64) {
        let before = self.up_to.last().copied().unwrap_or(0.0);
        self.things.push(thing);
        self.up_to.push(before + weight);
    }

    pub(super) fn draw(&self, dice: &mut Dice) -> Option<T> {
        let spot = dice.share() * self.up_to.last()?;
        let index = self.up_to.partition_point(|sum| *sum <= spot);
        self.things.get(index).or_else(|| self.things.last()).copied()
    }
}

//! The dice of one seed. What is drawn for one purpose does not depend on how much was drawn for another.

use std::ops::RangeInclusive;
use std::time::Duration;

use rand::distr::uniform::SampleUniform;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of a seed for a purpose.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        for (place, byte) in key[8..].iter_mut().zip(purpose.bytes()) {
            *place = byte;
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    pub(crate) fn among<T: SampleUniform + PartialOrd>(&mut self, range: RangeInclusive<T>) -> T {
        self.0.random_range(range)
    }

    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.among(0..=choices.len() - 1)]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.among(0..=last));
        }
    }

    /// Whole microseconds, so that what is written in a file is what is meant.
    pub(crate) fn span(&mut self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_micros(self.among(range))
    }
}

//! Numbers drawn from a seed: the same seed and the same question give the same number, on every machine
//! and in every version of this program.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

/// A source of numbers for one purpose. SipHash-1-3 of the question under the seed: a fixed algorithm, so
/// that a round begun by one version is resumed by the next in the same order.
#[derive(Clone, Copy, Debug)]
pub struct Draw {
    seed: u64,
    purpose: u64,
}

impl Draw {
    /// Draws for one purpose, told apart from all others by its number.
    #[must_use]
    pub const fn new(seed: u64, purpose: u64) -> Self {
        Self { seed, purpose }
    }

    /// The draw's 128 bits for a question.
    #[must_use]
    pub fn wide(&self, one: u64, two: u64) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.purpose);
        hasher.write(&one.to_le_bytes());
        hasher.write(&two.to_le_bytes());
        let hash = hasher.finish128();
        (u128::from(hash.h2) << 64) | u128::from(hash.h1)
    }

    /// The draw's 64 bits for a question.
    #[must_use]
    pub fn bits(&self, one: u64, two: u64) -> u64 {
        let [b0, b1, b2, b3, b4, b5, b6, b7, ..] = self.wide(one, two).to_le_bytes();
        u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7])
    }

    /// A number from 0 to `most`, both included. The bias is below one part in 2⁶⁴ / `most`.
    #[must_use]
    pub fn up_to(&self, most: u64, one: u64, two: u64) -> u64 {
        let scaled = u128::from(self.bits(one, two)).saturating_mul(u128::from(most).saturating_add(1));
        u64::try_from(scaled >> 64).unwrap_or(most)
    }
}

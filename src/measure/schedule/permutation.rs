//! A seeded order of 0..n in which neighbours lie far apart, so that no hop and no prefix sees a burst.
//!
//! A Feistel network (Luby and Rackoff 1988) permutes the next power of four; numbers that fall outside of
//! 0..n are sent through it again until they fall inside (cycle walking: Black and Rogaway 2002). Nothing
//! is stored, so a round over millions of probes resumes from one integer: how many were asked for.

use super::seed::Draw;

/// Rounds of the Feistel network. Four give a pseudorandom permutation; the rest is for tiny halves.
const ROUNDS: u64 = 6;

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x7065_726d_7574_6521;

/// A seeded bijection of 0..n onto itself; n is at most 2⁶³.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    draw: Draw,
    size: u64,
    half_bits: u32,
}

impl Permutation {
    /// The largest n.
    pub const MAX_SIZE: u64 = 1 << 63;

    /// Over `0..size`; a larger size than [`Permutation::MAX_SIZE`] is taken as that.
    #[must_use]
    pub fn new(seed: u64, size: u64) -> Self {
        let size = size.min(Self::MAX_SIZE);
        let bits = u64::BITS.saturating_sub(size.saturating_sub(1).leading_zeros());
        Self { draw: Draw::new(seed, PURPOSE), size, half_bits: bits.div_ceil(2).max(1) }
    }

    /// How many numbers it permutes.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// What stands at a position; `None` behind the end.
    #[must_use]
    pub fn at(&self, position: u64) -> Option<u64> {
        if position >= self.size {
            return None;
        }
        let mut number = self.scramble(position);
        // Ends: the cycle of the larger permutation that `position` lies on comes back inside.
        while number >= self.size {
            number = self.scramble(number);
        }
        Some(number)
    }

    /// At which position a number stands; `None` for one that does not occur.
    #[must_use]
    pub fn position_of(&self, number: u64) -> Option<u64> {
        if number >= self.size {
            return None;
        }
        let mut position = self.unscramble(number);
        // Ends, as in [`Self::at`]: the same cycle, walked the other way.
        while position >= self.size {
            position = self.unscramble(position);
        }
        Some(position)
    }

    /// All that stands from a position on.
    pub fn starting_at(self, position: u64) -> impl Iterator<Item = u64> {
        (position..self.size).filter_map(move |position| self.at(position))
    }

    fn scramble(&self, number: u64) -> u64 {
        let (mut left, mut right) = self.halves(number);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ self.of_half(round, right));
        }
        (left << self.half_bits) | right
    }

    fn unscramble(&self, number: u64) -> u64 {
        let (mut left, mut right) = self.halves(number);
        for round in (0..ROUNDS).rev() {
            (left, right) = (right ^ self.of_half(round, left), left);
        }
        (left << self.half_bits) | right
    }

    const fn halves(&self, number: u64) -> (u64, u64) {
        (number >> self.half_bits, number & self.mask())
    }

    const fn mask(&self) -> u64 {
        (1_u64 << self.half_bits).wrapping_sub(1)
    }

    fn of_half(&self, round: u64, half: u64) -> u64 {
        self.draw.bits(round, half) & self.mask()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_exactly_once(seed: u64, size in 0_u64..5_000) {
            let mut seen = vec![false; size as usize];
            for number in Permutation::new(seed, size).starting_at(0) {
                prop_assert!(!std::mem::replace(&mut seen[number as usize], true), "{number} came twice");
            }
            prop_assert!(seen.iter().all(|seen| *seen));
        }

        #[test]
        fn a_round_resumes_from_one_integer(seed: u64, size in 1_u64..3_000, stopped_at in 0_u64..3_000) {
            let whole: Vec<u64> = Permutation::new(seed, size).starting_at(0).collect();
            let rest: Vec<u64> = Permutation::new(seed, size).starting_at(stopped_at).collect();
            prop_assert_eq!(&whole[(stopped_at.min(size)) as usize..], &rest[..]);
        }

        #[test]
        fn where_a_number_stands_is_known_without_looking_for_it(seed: u64, size in 1_u64..3_000) {
            let order = Permutation::new(seed, size);
            for position in 0..size {
                prop_assert_eq!(order.position_of(order.at(position).unwrap()), Some(position));
            }
            prop_assert_eq!(order.position_of(size), None);
        }

        #[test]
        fn huge_ranges_stay_inside_and_do_not_collide(
            seed: u64, size in (1_u64 << 40)..=Permutation::MAX_SIZE, start: u64,
        ) {
            let order = Permutation::new(seed, size);
            let start = start % (size - 64);
            let mut sample: Vec<u64> = (start..start + 64).map(|at| order.at(at).unwrap()).collect();
            prop_assert!(sample.iter().all(|number| *number < size));
            sample.sort_unstable();
            sample.dedup();
            prop_assert_eq!(sample.len(), 64);
        }
    }

    #[test]
    fn nothing_lies_behind_the_end() {
        assert_eq!(Permutation::new(1, 0).at(0), None);
        assert_eq!(Permutation::new(1, 1).at(0), Some(0));
        assert_eq!(Permutation::new(1, 10).at(10), None);
    }

    /// Of 1,024 targets times 32 TTLs, any 32 probes in a row must spread over the TTLs.
    #[test]
    fn no_hop_sees_a_burst() {
        let order: Vec<u64> = Permutation::new(7, 32 * 1024).starting_at(0).collect();
        let worst = order
            .chunks(32)
            .map(|chunk| (0..32).map(|ttl| chunk.iter().filter(|n| *n % 32 == ttl).count()).max().unwrap())
            .max();
        assert!(worst < Some(10), "{worst:?} of 32 probes in a row had the same TTL");
    }

    #[test]
    fn the_order_never_changes_between_versions() {
        let first: Vec<u64> = Permutation::new(42, 1_000).starting_at(0).take(8).collect();
        assert_eq!(first, [912, 626, 939, 405, 63, 527, 224, 644]);
    }
}

//! A seeded order of 0..n whose beginnings are spread evenly: the first two numbers lie in different
//! halves, the first four in different quarters, and so on; below that they are random. For addresses of a
//! prefix this means that subnets are met soon, and that no bit of an address follows a pattern.
//!
//! Van der Corput's sequence (1935), each bit flipped by a draw that depends on the bits above it (Owen
//! 1995). Where n is no power of two, numbers outside are sent through it again (cycle walking: Black and
//! Rogaway 2002). Nothing is stored.

use super::seed::Draw;

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x7370_7265_6164_2121;

/// A seeded bijection of 0..n onto itself; n is at most 2³¹.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    draw: Draw,
    size: u32,
    bits: u32,
}

impl Spread {
    /// The largest n.
    pub const MAX_SIZE: u32 = 1 << 31;

    /// Over `0..size`; a larger size than [`Spread::MAX_SIZE`] is taken as that.
    #[must_use]
    pub fn new(seed: u64, size: u32) -> Self {
        let size = size.min(Self::MAX_SIZE);
        let bits = u32::BITS.saturating_sub(size.saturating_sub(1).leading_zeros());
        Self { draw: Draw::new(seed, PURPOSE), size, bits }
    }

    /// What stands at a position; `None` behind the end.
    #[must_use]
    pub fn at(&self, position: u32) -> Option<u32> {
        self.walk(position, Self::scatter)
    }

    /// At which position a number stands; `None` for one that does not occur.
    #[must_use]
    pub fn position_of(&self, number: u32) -> Option<u32> {
        self.walk(number, Self::gather)
    }

    fn walk(&self, from: u32, step: fn(&Self, u32) -> u32) -> Option<u32> {
        if from >= self.size {
            return None;
        }
        let mut number = step(self, from);
        // Ends: the cycle that `from` lies on comes back inside.
        while number >= self.size {
            number = step(self, number);
        }
        Some(number)
    }

    /// The lowest bit of the position becomes the highest bit of the number, and so on.
    fn scatter(&self, position: u32) -> u32 {
        let mut number = 0;
        for place in 0..self.bits {
            let bit = (position >> place) & 1;
            number = (number << 1) | (bit ^ self.flip(place, number));
        }
        number
    }

    fn gather(&self, number: u32) -> u32 {
        let mut position = 0;
        for place in 0..self.bits {
            let below = self.bits.saturating_sub(place).saturating_sub(1);
            let above = number.checked_shr(below.saturating_add(1)).unwrap_or(0);
            let bit = ((number >> below) & 1) ^ self.flip(place, above);
            position |= bit << place;
        }
        position
    }

    /// Whether the bit at a place is flipped, behind the bits above it.
    fn flip(&self, place: u32, above: u32) -> u32 {
        u32::from(self.draw.bits(place.into(), above.into()) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_number_comes_exactly_once_and_is_found_again(seed: u64, size in 0_u32..3_000) {
            let order = Spread::new(seed, size);
            let mut seen = vec![false; size as usize];
            for position in 0..size {
                let number = order.at(position).unwrap();
                prop_assert!(!std::mem::replace(&mut seen[number as usize], true), "{number} came twice");
                prop_assert_eq!(order.position_of(number), Some(position));
            }
            prop_assert_eq!((order.at(size), order.position_of(size)), (None, None));
        }

        #[test]
        fn the_first_addresses_of_a_24_lie_in_different_subnets(seed: u64) {
            let order = Spread::new(seed, 256);
            for bits in 1..=8 {
                let mut subnets: Vec<u32> =
                    (0..1 << bits).map(|at| order.at(at).unwrap() >> (8 - bits)).collect();
                subnets.sort_unstable();
                subnets.dedup();
                prop_assert_eq!(subnets.len(), 1 << bits, "of length {}", 24 + bits);
            }
        }
    }

    #[test]
    fn low_bits_follow_no_pattern() {
        let odd = |seed| (0..16).filter(|at| Spread::new(seed, 256).at(*at).unwrap() % 2 == 1).count();
        let counts: Vec<usize> = (0..200).map(odd).collect();
        assert!(counts.iter().sum::<usize>().abs_diff(1_600) < 120, "{counts:?}");
        assert!(counts.iter().filter(|count| **count == 8).count() < 80, "{counts:?}");
    }

    #[test]
    fn the_order_never_changes_between_versions() {
        let first: Vec<u32> = (0..8).map(|at| Spread::new(42, 256).at(at).unwrap()).collect();
        assert_eq!(first, [50, 228, 90, 184, 8, 195, 98, 133]);
    }
}

//! How good a route is, as one number: the smaller, the better.

use crate::model::Asn;

/// From whom a route was learnt, and so how much it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// From a customer: it brings money.
    Customer,
    /// From a peer: it costs nothing.
    Peer,
    /// From a provider: it costs money.
    Provider,
}

/// How an AS chooses between routes that are equally wanted and equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ties {
    /// The neighbour with the lowest number.
    LowestAsn,
    /// Each AS has an order of its neighbours, drawn from this seed.
    Seeded(u64),
}

impl Ties {
    /// The rank that an AS gives its neighbour in an order that is drawn: the same in every topology.
    pub(super) fn drawn(seed: u64, at: Asn, from: Asn) -> u32 {
        let pair = u64::from(at.get()) << 32 | u64::from(from.get());
        let [a, b, c, d, ..] = mixed(pair.wrapping_add(mixed(seed))).to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Want, length and tie rank in one number, from the high bits down.
///
/// ```text
///  63 62 | 61 ........ 32 | 31 .......... 0
///   want |     length     |  rank of next
/// ```
///
/// An AS that is lost has a key better than any offer, so that it takes none; so has the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

const WANT_SHIFT: u32 = 62;
const LENGTH_SHIFT: u32 = 32;
const LENGTHS: u64 = (1 << WANT_SHIFT) - (1 << LENGTH_SHIFT);
const RANKS: u64 = (1 << LENGTH_SHIFT) - 1;

impl Key {
    pub(super) const LOST: Self = Self(0);
    pub(super) const ORIGIN: Self = Self(1);
    pub(super) const NONE: Self = Self(u64::MAX);

    /// Whether there is a route, the origin's to itself included.
    pub(super) fn is_route(self) -> bool {
        self != Self::LOST && self != Self::NONE
    }

    /// `None` for the origin, and where there is no route.
    pub(super) fn want(self) -> Option<Want> {
        match self.0 >> WANT_SHIFT {
            1 => Some(Want::Customer),
            2 => Some(Want::Peer),
            3 if self != Self::NONE => Some(Want::Provider),
            _ => None,
        }
    }

    /// Links up to the origin.
    pub(super) fn length(self) -> u32 {
        u32::try_from((self.0 & LENGTHS) >> LENGTH_SHIFT).unwrap_or(u32::MAX)
    }

    /// Whether peers and providers are told of it.
    pub(super) fn goes_up(self) -> bool {
        self == Self::ORIGIN || self.want() == Some(Want::Customer)
    }

    /// What a neighbour that wants it so would have of it, with the best rank.
    pub(super) fn told(self, want: Want) -> Self {
        let length = (self.0 & LENGTHS).saturating_add(1 << LENGTH_SHIFT).min(LENGTHS);
        Self(u64::from(want as u8).saturating_add(1) << WANT_SHIFT | length)
    }

    /// What a sibling would have of it: it counts as if it were learnt from whom the teller has it.
    pub(super) fn told_to_sibling(self) -> Self {
        self.told(self.want().unwrap_or(Want::Customer))
    }

    pub(super) fn ranked(self, rank: u32) -> Self {
        Self(self.0 & !RANKS | u64::from(rank))
    }

    /// Whether want and length are the same.
    pub(super) fn ties_with(self, other: Self) -> bool {
        self.0 & !RANKS == other.0 & !RANKS
    }
}

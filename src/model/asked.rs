//! What a census asks: blocks of probes, not single ones.

use super::{Ttl, Unit};

/// Some flows of a unit at one TTL, each some times over.
///
/// The flows of a unit are counted from 0. They go to its addresses in a seeded order, to each once, and then
/// again with the next pinned flow of each address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// The unit.
    pub unit: Unit,
    /// The TTL.
    pub ttl: Ttl,
    /// The first of the flows.
    pub first_flow: u16,
    /// How many flows.
    pub flows: u16,
    /// The first attempt: 0 unless the flows were asked before.
    pub first_attempt: u8,
    /// How many attempts of each flow.
    pub attempts: u8,
}

impl Asked {
    /// How many probes these are.
    #[must_use]
    pub fn probes(&self) -> u64 {
        u64::from(self.flows).saturating_mul(self.attempts.into())
    }
}

//! The right to send one packet.

use crate::model::Probe;

/// The right to send this one probe, once. Only the guard makes one; it can be neither copied nor changed.
#[derive(Debug)]
pub struct Permit {
    probe: Probe,
}

impl Permit {
    /// For the guard alone.
    pub(super) const fn mint(probe: Probe) -> Self {
        Self { probe }
    }

    /// What may be sent.
    #[must_use]
    pub const fn probe(&self) -> &Probe {
        &self.probe
    }

    /// A permit for any probe, so that the packet path can be tested on loopback, which the guard never lets out.
    #[cfg(test)]
    pub(crate) const fn for_test(probe: Probe) -> Self {
        Self { probe }
    }
}

//! Links as the simulator meets them.

use std::time::Duration;

use super::{Addresses, RouterIndex};

/// A link between two routers.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Link {
    pub(in crate::lab) ends: [RouterIndex; 2],
    /// The addresses of the interfaces at both ends, in the same order.
    pub(in crate::lab) addresses: [Addresses; 2],
    /// One way.
    pub(in crate::lab) delay: Duration,
    /// Mean of the exponentially distributed delay that comes on top.
    pub(in crate::lab) jitter: Duration,
    /// Probability that a packet is lost, each way.
    pub(in crate::lab) loss: f64,
    /// What it costs in the shortest paths inside an AS.
    pub(in crate::lab) cost: u32,
}

impl Link {
    pub(in crate::lab) fn other_end(&self, router: RouterIndex) -> Option<RouterIndex> {
        match self.ends {
            [one, other] if one == router => Some(other),
            [one, other] if other == router => Some(one),
            _ => None,
        }
    }

    /// The addresses of the interface that `router` has on this link.
    pub(in crate::lab) fn addresses_at(&self, router: RouterIndex) -> Option<Addresses> {
        let sides = self.ends.iter().zip(self.addresses);
        sides.into_iter().find(|(end, _)| **end == router).map(|(_, addresses)| addresses)
    }
}

//! Links as the simulator meets them.

use std::time::Duration;

use super::{Addresses, Changed, LinkIndex, RouterIndex, Scenario, Shape};
use crate::model::AsLink;

/// A link between two routers.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Link {
    pub(in crate::lab) name: Option<String>,
    pub(in crate::lab) ends: [RouterIndex; 2],
    /// The addresses of the interfaces at both ends, in the same order.
    pub(in crate::lab) addresses: [Addresses; 2],
    /// One way.
    pub(in crate::lab) delay: Duration,
    /// What may happen to a packet on it, each way.
    pub(in crate::lab) hazards: Hazards,
    /// Longest packet, in bytes with the IP header; `None` for any.
    pub(in crate::lab) mtu: Option<u16>,
    /// Its share of the flows among equally short ways: 1 to 1000.
    pub(in crate::lab) weight: u16,
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

impl Scenario {
    pub(in crate::lab) fn numbered_links(&self) -> impl Iterator<Item = (LinkIndex, &Link)> {
        self.links.iter().enumerate().map(|(index, link)| (LinkIndex(index), link))
    }

    /// All ways in which an event can name a link.
    pub(in crate::lab) fn names_of(
        &self,
        (index, link): (LinkIndex, &Link),
    ) -> impl Iterator<Item = Changed> {
        let [one, other] = link.ends;
        let number = |router: RouterIndex| {
            let home = self.routers.get(router.0)?.home;
            self.ases.get(home.0).map(|asys| asys.number)
        };
        let between = number(one).zip(number(other)).and_then(|(one, other)| AsLink::new(one, other));
        let own = [Changed::Link(index), Changed::RouterLink([one.min(other), one.max(other)])];
        own.into_iter().chain(between.map(Changed::AsLink))
    }
}

/// What chance does to packets on a link; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::lab) struct Hazards {
    pub(in crate::lab) jitter: Jitter,
    pub(in crate::lab) loss: Loss,
    pub(in crate::lab) reorder: Reorder,
    /// Probability that a packet goes on twice.
    pub(in crate::lab) duplicate: f64,
}

/// A delay that comes on top of the link's own.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::lab) struct Jitter {
    pub(in crate::lab) mean: Duration,
    pub(in crate::lab) shape: Shape,
}

#[derive(Clone, Copy, Debug)]
pub(in crate::lab) enum Loss {
    /// Each packet by itself, with this probability.
    Independent(f64),
    /// Gilbert's chain (1960): the link is good or bad, and in its bad state loses everything.
    Bursts {
        /// Share of packets that meet the bad state.
        mean: f64,
        /// Probability to turn bad before a packet.
        begins: f64,
        /// Probability to turn good before a packet.
        ends: f64,
    },
}

impl Default for Loss {
    fn default() -> Self {
        Self::Independent(0.0)
    }
}

/// Some packets are held back, and are overtaken by those behind them.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::lab) struct Reorder {
    pub(in crate::lab) probability: f64,
    pub(in crate::lab) by: Duration,
}

//! The Internet that a generator builds: routers, links, networks and hosts, before it is written.

use std::net::IpAddr;
use std::time::Duration;

use super::graph::{AsGraph, Id};
use super::places::Region;
use crate::lab::scenario::Addresses;
use crate::model::Prefix;

/// Position of a router in a plan.
pub(super) type RouterId = usize;

/// Everything that will stand in the file.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) graph: AsGraph,
    pub(super) vantage: Vantage,
    pub(super) target: Id,
    pub(super) ases: Vec<AsPlan>,
    pub(super) routers: Vec<RouterPlan>,
    pub(super) links: Vec<LinkPlan>,
    pub(super) hosts: Vec<HostPlan>,
}

#[derive(Debug, Default)]
pub(super) struct Vantage {
    pub(super) home: Id,
    pub(super) addresses: Addresses,
}

/// What one AS has.
#[derive(Debug)]
pub(super) struct AsPlan {
    pub(super) region: Region,
    /// Whether it has IPv6.
    pub(super) dual: bool,
    pub(super) multipath: bool,
    /// Its places, its own region first.
    pub(super) sites: Vec<Site>,
    /// The routers behind which its networks are.
    pub(super) access: Vec<RouterId>,
    /// How many networks of each family it has.
    pub(super) networks: usize,
    /// What is known of them once addresses have been given.
    pub(super) prefixes: Vec<Prefix>,
    pub(super) placed: Vec<NetworkPlan>,
}

/// A place where an AS has routers.
#[derive(Clone, Debug, Default)]
pub(super) struct Site {
    pub(super) region: Region,
    /// Those that carry, one for each plane.
    pub(super) cores: Vec<RouterId>,
    /// Those to which others connect.
    pub(super) edges: Vec<RouterId>,
}

impl Site {
    /// Where something new is connected to.
    pub(super) fn inward(&self) -> &[RouterId] {
        if self.cores.is_empty() { &self.edges } else { &self.cores }
    }
}

#[derive(Debug)]
pub(super) struct RouterPlan {
    pub(super) home: Id,
    pub(super) role: Role,
    /// Its number among those of its AS and role.
    pub(super) number: usize,
    pub(super) own: Addresses,
    pub(super) habits: Habits,
}

/// What a router is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Core,
    Edge,
    Access,
    /// At the exchange point of a region. Its own address is one of the exchange's network.
    Exchange(Region),
}

impl Role {
    /// A letter for names.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Core => 'c',
            Self::Edge => 'e',
            Self::Access => 'a',
            Self::Exchange(_) => 'x',
        }
    }
}

/// How a router differs from an ordinary one, in the words of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Habits {
    pub(super) silent: bool,
    pub(super) balance: Option<&'static str>,
    pub(super) answers_from: Option<&'static str>,
    pub(super) quote: Option<&'static str>,
    /// Errors in a second, and at once.
    pub(super) icmp_rate: Option<(u64, u64)>,
    pub(super) ip_id: IpId,
}

/// How a router numbers what it sends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum IpId {
    #[default]
    Random,
    /// `"zero"` or `"copied"`.
    Named(&'static str),
    /// Of all that it sends, or of each interface; and tenths of packets that it sends to others in a second.
    Counter(&'static str, u64),
}

#[derive(Debug)]
pub(super) struct LinkPlan {
    pub(super) ends: [RouterId; 2],
    /// The AS from whose space its interfaces are numbered; `None` where the routers' own addresses serve.
    pub(super) numbered_by: Option<Id>,
    pub(super) addresses: [Addresses; 2],
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) loss: Option<&'static str>,
    pub(super) weight: u64,
    pub(super) cost: u64,
}

/// A network with its router.
#[derive(Clone, Copy, Debug)]
pub(super) struct NetworkPlan {
    pub(super) prefix: Prefix,
    pub(super) router: RouterId,
}

/// Addresses that behave alike.
#[derive(Debug, Default)]
pub(super) struct HostPlan {
    pub(super) addresses: Vec<IpAddr>,
    /// The other keys of its table, line by line.
    pub(super) manners: &'static [&'static str],
}

impl Plan {
    pub(super) fn router(&self, id: RouterId) -> Option<&RouterPlan> {
        self.routers.get(id)
    }

    pub(super) fn asys(&self, id: Id) -> Option<&AsPlan> {
        self.ases.get(id)
    }
}

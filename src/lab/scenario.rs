//! Scenarios: a piece of Internet to be simulated, read from a TOML file and checked as a whole.
//!
//! Text → [`raw::File`] (types) → [`check`] (rules, all errors collected) → [`Scenario`]. Only a [`Scenario`]
//! reaches the simulator, so nothing behind this module meets a name that does not exist. The language is
//! described in `docs/scenarios.md`.

mod balance;
mod built_in;
mod check;
mod forgers;
mod habits;
mod hosts;
mod links;
mod raw;
mod read;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use crate::model::{AsLink, Asn, Event, FileErrors, LinkChange, Name, Prefix, WallTime};

pub use built_in::BuiltIn;

pub(super) use balance::{Balance, Field};
pub(super) use forgers::{Forger, Forgery};
pub(super) use habits::{
    AnswersFrom, CountedOver, IcmpRate, IpId, Mangle, Nat, NatErrors, NatQuotes, Quote, Tunnel,
    TunnelIndex, TunnelKind,
};
pub(super) use hosts::{Closed, Host};
pub(super) use links::{Hazards, Jitter, Link, Loss, Reorder};
pub(super) use raw::{Carrier, FilterAnswer, Shape};
pub use summary::Summary;

/// A checked scenario: every name in it stands for something, and every rule of `docs/scenarios.md` holds.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(super) seed: u64,
    pub(super) start: WallTime,
    pub(super) speed: f64,
    pub(super) duration: Duration,
    pub(super) convergence: Duration,
    pub(super) convergence_inside: Duration,
    pub(super) vantage: Vantage,
    pub(super) ases: Vec<As>,
    pub(super) relations: Vec<Relation>,
    pub(super) routers: Vec<Router>,
    pub(super) links: Vec<Link>,
    pub(super) prefixes: Vec<Announced>,
    pub(super) hosts: Vec<Host>,
    pub(super) forgers: Vec<Forger>,
    pub(super) tunnels: Vec<Tunnel>,
    pub(super) changes: Vec<Change>,
}

impl Scenario {
    /// Reads and checks a scenario; `file_name` is what errors call it. It may extend a built-in one.
    ///
    /// # Errors
    /// Everything that is wrong, with line, key, value and the rule broken. Mistakes of syntax come alone, and
    /// after them those of type, since nothing behind them can be trusted.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, FileErrors> {
        read::parse(file_name, text, None)
    }

    /// Reads and checks a file, which may extend another one; or a built-in scenario under its name.
    ///
    /// # Errors
    /// If it cannot be read, or as [`Scenario::parse`].
    pub fn load(path: &Path) -> Result<Self, FileErrors> {
        read::named(path)
    }

    /// The scenario of the demo: AS131279 in October 2017, with the counterfactual loss of AS4837.
    ///
    /// # Errors
    /// None in a released build: a test reads the file.
    pub fn october_2017() -> Result<Self, FileErrors> {
        Self::load(Path::new("october-2017"))
    }

    /// The same scenario with another number of wall seconds in a real one; kept within 1 to 100,000.
    #[must_use]
    pub fn at_speed(self, speed: f64) -> Self {
        Self { speed: speed.clamp(SLOWEST, FASTEST), ..self }
    }

    /// The same scenario with other dice.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Wall time at which the lab starts.
    #[must_use]
    pub const fn start(&self) -> WallTime {
        self.start
    }

    /// Wall seconds per real second.
    #[must_use]
    pub const fn speed(&self) -> f64 {
        self.speed
    }

    /// Wall time from the start to the end of what the scenario is about. The lab itself goes on.
    #[must_use]
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// What the vantage is called.
    #[must_use]
    pub const fn vantage_name(&self) -> &Name {
        &self.vantage.name
    }

    /// The vantage's own address of a family, if it has one.
    #[must_use]
    pub fn vantage_address(&self, is_ipv4: bool) -> Option<IpAddr> {
        self.vantage.addresses.of(is_ipv4)
    }

    /// What an AS of the scenario is called.
    #[must_use]
    pub fn as_name(&self, asn: Asn) -> Option<&str> {
        self.ases.iter().find(|known| known.number == asn).map(|known| known.name.as_str())
    }

    /// What happens to links between ASes, in the order of time.
    pub fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.changes.iter().filter_map(|change| match change.what {
            Happening::Link(Changed::AsLink(link), how) => Some(Event { at: change.at, change: how, link }),
            _ => None,
        })
    }
}

const SLOWEST: f64 = 1.0;
const FASTEST: f64 = 100_000.0;

/// Position of an AS in [`Scenario::ases`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AsIndex(pub(super) usize);

/// Position of a router in [`Scenario::routers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RouterIndex(pub(super) usize);

/// Position of a link in [`Scenario::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkIndex(pub(super) usize);

/// Position of a host in [`Scenario::hosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct HostIndex(pub(super) usize);

/// At most one address of each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) v4: Option<Ipv4Addr>,
    pub(super) v6: Option<Ipv6Addr>,
}

impl Addresses {
    pub(super) fn of(&self, is_ipv4: bool) -> Option<IpAddr> {
        if is_ipv4 { self.v4.map(IpAddr::V4) } else { self.v6.map(IpAddr::V6) }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = IpAddr> {
        self.of(true).into_iter().chain(self.of(false))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Vantage {
    pub(super) name: Name,
    pub(super) addresses: Addresses,
    pub(super) gateway: RouterIndex,
    pub(super) delay: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct As {
    pub(super) number: Asn,
    pub(super) name: String,
    /// Whether routes that tie in class and length are all used, flow by flow.
    pub(super) multipath: bool,
    /// Whether answers leave by the link by which the question came, as behind stateful firewalls.
    pub(super) symmetric_replies: bool,
}

/// A business relation between two ASes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Transit { provider: AsIndex, customer: AsIndex },
    Peering(AsIndex, AsIndex),
}

impl Relation {
    pub(super) const fn ends(self) -> (AsIndex, AsIndex) {
        match self {
            Self::Transit { provider, customer } => (provider, customer),
            Self::Peering(one, other) => (one, other),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Router {
    pub(super) name: String,
    pub(super) home: AsIndex,
    /// Used where an interface has none of its own.
    pub(super) addresses: Addresses,
    pub(super) silent: bool,
    pub(super) balance: Balance,
    pub(super) answers_from: AnswersFrom,
    /// How often it sends ICMP errors; `None` for always.
    pub(super) icmp_rate: Option<IcmpRate>,
    pub(super) ip_id: IpId,
    pub(super) quote: Quote,
    /// What its quotes show wrongly.
    pub(super) mangles: Vec<Mangle>,
    /// Whether it sends on a packet whose TTL has run out, instead of answering.
    pub(super) forwards_zero_ttl: bool,
    pub(super) nat: Nat,
    /// MPLS labels that it shows in ICMP errors (RFC 4950), outermost first.
    pub(super) labels: Vec<u32>,
    pub(super) filters: Vec<Filter>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub(super) carrier: Carrier,
    /// Only what is addressed there; `None` for everything.
    pub(super) to: Option<Prefix>,
    pub(super) answer: FilterAnswer,
}

/// A prefix that an AS announces to its neighbours.
#[derive(Clone, Debug)]
pub(super) struct Announced {
    pub(super) prefix: Prefix,
    pub(super) origin: AsIndex,
    /// Only these neighbours hear it from its origin; `None` for all of them.
    pub(super) only_to: Option<BTreeSet<AsIndex>>,
    /// The router behind which it is used; `None` for infrastructure.
    pub(super) router: Option<RouterIndex>,
}

/// Something that happens at a wall time.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) at: WallTime,
    pub(super) what: Happening,
}

#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A link whose first change is "added" does not exist before it.
    Link(Changed, LinkChange),
    /// A router is there, or not.
    Router(RouterIndex, bool),
    /// The prefix at this position is announced to these neighbours only; `None` for all of them.
    Announce(usize, Option<BTreeSet<AsIndex>>),
    /// Two ASes are this to each other.
    Relation(Relation),
    /// All links that are meant get this weight.
    Weight(Changed, u16),
    IcmpRate(RouterIndex, Option<IcmpRate>),
    /// The vantage's own line is there, or not.
    Uplink(bool),
    /// The hosts in a prefix answer, or not.
    Hosts(Prefix, bool),
}

/// Which links something happens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Changed {
    /// All router links between two ASes.
    AsLink(AsLink),
    /// All links between two routers.
    RouterLink([RouterIndex; 2]),
    /// The link of a name.
    Link(LinkIndex),
}

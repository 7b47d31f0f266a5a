//! Whose router answers with an address, as far as it was told for a whole dataset, and how sure that is.

use std::net::IpAddr;

use crate::model::{Asn, Keyed};

/// How sure the AS of a hop is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// A guess, or nothing.
    #[default]
    Low,
    /// By one rule that may fail.
    Fair,
    /// All that is known agrees.
    High,
}

impl Confidence {
    /// The confidence in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Fair => "fair",
            Self::High => "high",
        }
    }
}

/// What decided whose router an address is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouterRule {
    /// Nothing but the address.
    Origin,
    /// Most interfaces behind the router, with the router's own.
    Votes,
    /// All behind the router is one customer's, so the provider's address is on the customer's side.
    Customer,
    /// One router of another AS is seen behind it from several addresses of one AS: those are the ways into one router.
    WaysIn,
    /// Several ASes are behind it, peers of that of its address.
    BeforePeers,
    /// Only its provider is seen behind it, and providers number the links to customers.
    Upward,
    /// Only silence lies directly behind it, so its address decides: the silent router may be another AS's.
    BeforeSilence,
    /// Of equal votes, the AS towards which all packets go, or the smallest.
    Tie,
    /// The one AS that can stand between two that are no neighbours.
    HiddenAs,
    /// Nothing was seen behind the router, and its address is of an AS towards which it was seen.
    LastOrigin,
    /// Nothing was seen behind the router; an AS towards which it was seen, related to that of the address.
    LastDestination,
    /// Targets of one AS answered directly behind the router.
    Serves,
    /// On the LAN of an exchange point, the member whose port it is.
    ExchangePort,
}

impl RouterRule {
    /// The rule in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Votes => "router_votes",
            Self::Customer => "router_of_customer",
            Self::WaysIn => "ways_in",
            Self::BeforePeers => "before_peers",
            Self::Upward => "below_provider",
            Self::BeforeSilence => "before_silence",
            Self::Tie => "router_tie",
            Self::HiddenAs => "hidden_as",
            Self::LastOrigin => "last_origin",
            Self::LastDestination => "last_destination",
            Self::Serves => "serves_target",
            Self::ExchangePort => "exchange_port",
        }
    }
}

/// The AS of a router, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterAs {
    /// The AS; `None` if none can be told.
    pub asn: Option<Asn>,
    /// What decided.
    pub rule: RouterRule,
    /// Other ASes that it may be.
    pub alternatives: Vec<Asn>,
    /// How sure it is.
    pub confidence: Confidence,
    /// The AS at the other end of the link of the address by which the router is known: that of most routers seen directly
    /// before it. `None` if none was, and on the LAN of an exchange point, which connects many. If it is another than `asn`,
    /// the link is a border.
    pub connected: Option<Asn>,
}

/// The ASes of routers, by the addresses that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterAses(Keyed<IpAddr, RouterAs>);

impl RouterAses {
    /// The router behind an address.
    #[must_use]
    pub fn get(&self, address: IpAddr) -> Option<&RouterAs> {
        self.0.get(&address)
    }

    /// How many addresses are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(IpAddr, RouterAs)> for RouterAses {
    fn from_iter<T: IntoIterator<Item = (IpAddr, RouterAs)>>(routers: T) -> Self {
        Self(routers.into_iter().collect())
    }
}

//! The table `[[event]]` as it is written.

use serde::Deserialize;
use toml::Spanned;

use super::{IcmpRate, Time};
use crate::model::{Asn, Prefix};

/// A time, and exactly one thing that happens then.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Event {
    pub(in crate::lab::scenario) at: Spanned<Time>,
    pub(in crate::lab::scenario) added: Option<Spanned<Ends>>,
    pub(in crate::lab::scenario) lost: Option<Spanned<Ends>>,
    pub(in crate::lab::scenario) router_down: Option<Spanned<String>>,
    pub(in crate::lab::scenario) router_up: Option<Spanned<String>>,
    pub(in crate::lab::scenario) announce: Option<Spanned<Announce>>,
    pub(in crate::lab::scenario) relation: Option<Spanned<Relation>>,
    pub(in crate::lab::scenario) weight: Option<Spanned<Weight>>,
    pub(in crate::lab::scenario) icmp_rate: Option<Spanned<RouterRate>>,
    pub(in crate::lab::scenario) uplink: Option<Spanned<Uplink>>,
    pub(in crate::lab::scenario) hosts_down: Option<Spanned<Prefix>>,
    pub(in crate::lab::scenario) hosts_up: Option<Spanned<Prefix>>,
}

/// A link: `"AS4837-AS131279"` for all between two ASes, the names of two routers, or the link's own name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "must be \"AS1-AS2\", the names of two routers, or the name of a link")]
pub(in crate::lab::scenario) enum Ends {
    Name(String),
    Routers([String; 2]),
}

/// To whom a network is announced from now on; without `to`, to all neighbours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Announce {
    pub(in crate::lab::scenario) prefix: Prefix,
    pub(in crate::lab::scenario) to: Option<Vec<Asn>>,
}

/// What two ASes are to each other from now on.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be { provider = 1, customer = 2 } or { peers = [1, 2] }")]
pub(in crate::lab::scenario) enum Relation {
    Transit(Transit),
    Peers(Peers),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Transit {
    pub(in crate::lab::scenario) provider: Asn,
    pub(in crate::lab::scenario) customer: Asn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Peers {
    pub(in crate::lab::scenario) peers: [Asn; 2],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Weight {
    pub(in crate::lab::scenario) link: Ends,
    pub(in crate::lab::scenario) weight: Spanned<u64>,
}

/// The rate of a router from now on; without one there is no limit any more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct RouterRate {
    pub(in crate::lab::scenario) router: String,
    pub(in crate::lab::scenario) limit: Option<IcmpRate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab::scenario) enum Uplink {
    Down,
    Up,
}

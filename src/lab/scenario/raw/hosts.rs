//! The table `[[host]]` as it is written.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::{Carrier, IcmpRate, IpId, Span};
use crate::model::Port;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Host {
    pub(in crate::lab::scenario) addresses: Vec<Spanned<IpAddr>>,
    #[serde(default = "yes")]
    pub(in crate::lab::scenario) echo: bool,
    #[serde(default)]
    pub(in crate::lab::scenario) open: Vec<Port>,
    pub(in crate::lab::scenario) closed: Option<Spanned<Closed>>,
    #[serde(default)]
    pub(in crate::lab::scenario) filtered: Vec<Carrier>,
    pub(in crate::lab::scenario) delay: Option<Spanned<Span>>,
    pub(in crate::lab::scenario) icmp_rate: Option<IcmpRate>,
    pub(in crate::lab::scenario) ip_id: Option<Spanned<IpId>>,
    pub(in crate::lab::scenario) reply_ttl: Option<Spanned<u64>>,
}

const fn yes() -> bool {
    true
}

/// `"refused"`, or a list of ports.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be \"refused\", \"silent\", or a list of the ports that refuse")]
pub(in crate::lab::scenario) enum Closed {
    Named(NamedClosed),
    Ports(Vec<Port>),
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab::scenario) enum NamedClosed {
    Refused,
    Silent,
}

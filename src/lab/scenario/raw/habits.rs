//! Habits of routers, and tunnels, as they are written.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;
use toml::Spanned;

use super::CountedOver;
use crate::lab::scenario::TunnelKind;

/// `"inbound"`, or a list of addresses.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"inbound\", \"outbound\", \"router\", or a list of the router's addresses"
)]
pub(in crate::lab::scenario) enum AnswersFrom {
    Named(NamedAnswersFrom),
    Addresses(Vec<IpAddr>),
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab::scenario) enum NamedAnswersFrom {
    Inbound,
    Outbound,
    Router,
}

/// `"rfc792"`, or a number of bytes.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"rfc792\", \"rfc1812\", \"full\", or a number of bytes from 28 to 1472"
)]
pub(in crate::lab::scenario) enum Quote {
    Named(NamedQuote),
    Bytes(u16),
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab::scenario) enum NamedQuote {
    Rfc792,
    Rfc1812,
    Full,
}

/// `"random"`, or a counter.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "must be \"random\", \"zero\", \"copied\", or { counter = \"router\" or \"interface\", per_second = a rate }"
)]
pub(in crate::lab::scenario) enum IpId {
    Named(NamedIpId),
    Counter(IpIdCounter),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct IpIdCounter {
    pub(in crate::lab::scenario) counter: CountedOver,
    pub(in crate::lab::scenario) per_second: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab::scenario) enum NamedIpId {
    Random,
    Zero,
    Copied,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct IcmpRate {
    pub(in crate::lab::scenario) per_second: Spanned<f64>,
    pub(in crate::lab::scenario) burst: Spanned<u32>,
}

/// Two addresses that a router puts for each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct NatPair {
    pub(in crate::lab::scenario) outside: Spanned<Ipv4Addr>,
    pub(in crate::lab::scenario) inside: Spanned<Ipv4Addr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Tunnel {
    pub(in crate::lab::scenario) routers: Spanned<Vec<Spanned<String>>>,
    pub(in crate::lab::scenario) kind: Spanned<TunnelKind>,
    #[serde(default)]
    pub(in crate::lab::scenario) labels: Vec<Spanned<u32>>,
}

//! The scenario file as it is written: tables and keys, nothing checked but their types. `docs/scenarios.md`
//! describes every key; [`super::check`] turns this into a [`super::Scenario`].

mod balance;
mod events;
mod forgers;
mod habits;
mod hosts;
mod links;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{CountedOver, Field, Mangle, NatErrors, NatQuotes};
use crate::model::{Asn, Name, Prefix, WallTime};

pub(super) use balance::Balance;
pub(super) use events::{Announce, Ends, Event, Peers, Relation, RouterRate, Uplink, Weight};
pub(super) use forgers::Forger;

pub(super) use habits::{
    AnswersFrom, IcmpRate, IpId, IpIdCounter, NamedAnswersFrom, NamedIpId, NamedQuote, NatPair, Quote,
    Tunnel,
};
pub(super) use hosts::{Closed, Host, NamedClosed};
pub(in crate::lab) use links::Shape;
pub(super) use links::{Bursts, Jitter, Link, Loss, Reorder};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) seed: u64,
    pub(super) convergence: Option<Spanned<Span>>,
    pub(super) convergence_inside: Option<Spanned<Span>>,
    pub(super) clock: Clock,
    pub(super) vantage: Vantage,
    #[serde(default, rename = "as")]
    pub(super) ases: Vec<As>,
    #[serde(default, rename = "router")]
    pub(super) routers: Vec<Router>,
    #[serde(default, rename = "link")]
    pub(super) links: Vec<Link>,
    #[serde(default, rename = "network")]
    pub(super) networks: Vec<Network>,
    #[serde(default, rename = "host")]
    pub(super) hosts: Vec<Host>,
    #[serde(default, rename = "forger")]
    pub(super) forgers: Vec<Forger>,
    #[serde(default, rename = "tunnel")]
    pub(super) tunnels: Vec<Tunnel>,
    #[serde(default, rename = "event")]
    pub(super) events: Vec<Event>,
}

/// What a file may name beside everything else: the scenario that it extends.
#[derive(Deserialize)]
pub(super) struct Head {
    pub(super) extends: Option<Spanned<String>>,
}

/// A file that extends another: what is named here stands in for what the other one says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Extension {
    #[serde(rename = "extends")]
    _extends: String,
    pub(super) seed: Option<u64>,
    pub(super) convergence: Option<Spanned<Span>>,
    pub(super) convergence_inside: Option<Spanned<Span>>,
    pub(super) clock: Option<Clock>,
    #[serde(rename = "event")]
    pub(super) events: Option<Vec<Event>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Clock {
    pub(super) start: Time,
    pub(super) speed: Option<Spanned<f64>>,
    pub(super) duration: Spanned<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Vantage {
    pub(super) name: Name,
    pub(super) addresses: Vec<Spanned<IpAddr>>,
    pub(super) gateway: Spanned<String>,
    pub(super) delay: Option<Spanned<Span>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct As {
    pub(super) number: Spanned<Asn>,
    pub(super) name: String,
    #[serde(default)]
    pub(super) prefixes: Vec<Spanned<Prefix>>,
    #[serde(default)]
    pub(super) providers: Vec<Spanned<Asn>>,
    #[serde(default)]
    pub(super) peers: Vec<Spanned<Asn>>,
    #[serde(default)]
    pub(super) multipath: bool,
    #[serde(default)]
    pub(super) symmetric_replies: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Router {
    pub(super) name: Spanned<String>,
    #[serde(rename = "as")]
    pub(super) asn: Spanned<Asn>,
    #[serde(default)]
    pub(super) addresses: Vec<Spanned<IpAddr>>,
    #[serde(default)]
    pub(super) silent: bool,
    #[serde(default)]
    pub(super) balance: Balance,
    pub(super) balance_over: Option<Spanned<Vec<Spanned<Field>>>>,
    pub(super) answers_from: Option<Spanned<AnswersFrom>>,
    pub(super) icmp_rate: Option<IcmpRate>,
    pub(super) ip_id: Option<Spanned<IpId>>,
    pub(super) quote: Option<Spanned<Quote>>,
    #[serde(default)]
    pub(super) mangles: Vec<Spanned<Mangle>>,
    #[serde(default)]
    pub(super) forwards_zero_ttl: bool,
    #[serde(default)]
    pub(super) nat: Vec<NatPair>,
    pub(super) nat_quotes: Option<Spanned<NatQuotes>>,
    pub(super) nat_errors: Option<Spanned<NatErrors>>,
    #[serde(default)]
    pub(super) labels: Vec<Spanned<u32>>,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) protocol: Carrier,
    pub(super) to: Option<Prefix>,
    #[serde(default)]
    pub(super) answer: FilterAnswer,
}

/// What a filter looks at; `icmp` means ICMP in IPv4 and ICMPv6 in IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum Carrier {
    Icmp,
    Udp,
    Tcp,
}

impl Carrier {
    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// What a filter does beside dropping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum FilterAnswer {
    /// Says "administratively prohibited", traceroute's `!X`.
    #[default]
    Prohibited,
    /// Says nothing.
    Silent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) prefix: Spanned<Prefix>,
    pub(super) router: Spanned<String>,
    pub(super) announce_to: Option<Vec<Spanned<Asn>>>,
}

/// A time as RFC 3339 text.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Time(pub(super) WallTime);

impl TryFrom<String> for Time {
    type Error = crate::model::BadTime;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        WallTime::parse_rfc3339(&text).map(Self)
    }
}

/// A span of time with its unit, as in `"45ms"` or `"5h"`.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Span(pub(super) Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let shown: String = text.chars().take(32).collect();
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            format!(
                "{shown:?} is not a span of time ({error}): must be a number with a unit, as in \"45ms\""
            )
        })
    }
}

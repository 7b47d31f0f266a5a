//! Habits of routers, and tunnels: the checked types. Words of the file that need no check beyond their
//! spelling are read right into them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::{Addresses, RouterIndex};

/// From which address a router sends its ICMP errors. Where the chosen one is missing in a family, the
/// router's own is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::lab) enum AnswersFrom {
    /// That of the interface by which the packet came.
    #[default]
    Inbound,
    /// That of the interface by which the answer leaves (RFC 1812 §4.3.2.4): a third party to the packet's
    /// way.
    Outbound,
    /// The router's own.
    Router,
    /// Always these.
    Addresses(Addresses),
}

/// How much of a packet a router quotes in an ICMP error of IPv4. ICMPv6 errors always quote as much as fits
/// into 1280 bytes (RFC 4443 §2.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::lab) enum Quote {
    /// The IP header and 8 bytes more.
    #[default]
    Rfc792,
    /// As much as fits into 576 bytes (RFC 1812 §4.3.2.3).
    Rfc1812,
    /// So many bytes of the packet, its IP header included.
    Bytes(u16),
}

/// A token bucket over what somebody sends by ICMP: a router's errors, a host's answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::lab) struct IcmpRate {
    /// Tokens that come in, per real second.
    pub(in crate::lab) per_second: f64,
    /// Tokens that it holds; it begins full.
    pub(in crate::lab) burst: u32,
}

/// Which identification the IPv4 packets bear that a router or host sends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::lab) enum IpId {
    /// Any, each time.
    #[default]
    Random,
    /// Always 0.
    Zero,
    /// That of the packet which is answered.
    Copied,
    /// One more each time.
    Counter {
        over: CountedOver,
        /// Packets that it sends to others, on average, per real second.
        per_second: f64,
    },
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum CountedOver {
    /// All that the router sends.
    Router,
    /// What it sends from one address.
    Interface,
}

/// What a router's quotes show wrongly (Malone and Luckie 2007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::lab) enum Mangle {
    /// The identification of IPv4 is 0.
    IpIdZero,
    /// Its two bytes are in the other order.
    IpIdSwapped,
    /// The two bytes of the total length, or payload length, are in the other order.
    LengthSwapped,
    /// Type of service, or traffic class, is 0.
    TosZero,
    /// TTL, or hop limit, is 0: counted down before it is quoted.
    TtlZero,
    /// The header checksum of IPv4 is 0.
    IpChecksumZero,
    /// The checksum of ICMP, UDP or TCP is 0.
    ChecksumZero,
}

impl Mangle {
    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::IpIdZero => "ip-id-zero",
            Self::IpIdSwapped => "ip-id-swapped",
            Self::LengthSwapped => "length-swapped",
            Self::TosZero => "tos-zero",
            Self::TtlZero => "ttl-zero",
            Self::IpChecksumZero => "ip-checksum-zero",
            Self::ChecksumZero => "checksum-zero",
        }
    }
}

/// How a router translates addresses, one to one (RFC 3022 §2.1, "basic NAT"); empty for none.
#[derive(Clone, Debug, Default)]
pub(in crate::lab) struct Nat {
    /// From outside addresses to those behind.
    pub(in crate::lab) inward: BTreeMap<IpAddr, IpAddr>,
    /// The other way round.
    pub(in crate::lab) outward: BTreeMap<IpAddr, IpAddr>,
    pub(in crate::lab) quotes: NatQuotes,
    pub(in crate::lab) errors: NatErrors,
}

/// Which destination the quotes of errors from behind a NAT show outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum NatQuotes {
    /// The outside address, as RFC 5508 §4.2 says.
    #[default]
    Translated,
    /// The one behind, with checksums that fit it.
    Inside,
}

impl NatQuotes {
    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::Translated => "translated",
            Self::Inside => "inside",
        }
    }
}

/// Whose address errors from behind a NAT have outside, if their sender's is not translated itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum NatErrors {
    /// The sender's own, which may be private.
    #[default]
    Kept,
    /// The outside address of the packet that the error is about.
    Outside,
    /// The translating router's own (RFC 5508 §4.2).
    Router,
}

impl NatErrors {
    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Outside => "outside",
            Self::Router => "router",
        }
    }
}

/// Position of a tunnel in the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::lab) struct TunnelIndex(pub(in crate::lab) usize);

/// An MPLS tunnel, one way.
#[derive(Clone, Debug)]
pub(in crate::lab) struct Tunnel {
    /// Ingress, the routers that switch labels, egress.
    pub(in crate::lab) routers: Vec<RouterIndex>,
    pub(in crate::lab) kind: TunnelKind,
    /// The outermost first.
    pub(in crate::lab) labels: Vec<u32>,
}

/// What a traceroute sees of a tunnel (Donnet et al. 2012).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum TunnelKind {
    /// All routers and the labels.
    Explicit,
    /// All routers, no labels.
    Implicit,
    /// Only the egress, which shows a label that was not popped before it.
    Opaque,
    /// Only the egress, and no label.
    Invisible,
}

impl TunnelKind {
    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Implicit => "implicit",
            Self::Opaque => "opaque",
            Self::Invisible => "invisible",
        }
    }

    /// Whether the TTL of the packet is copied to the label and back (RFC 3443 §3, the uniform model).
    pub(in crate::lab) const fn propagates_ttl(self) -> bool {
        matches!(self, Self::Explicit | Self::Implicit)
    }

    /// Whether labels are seen in errors.
    pub(in crate::lab) const fn shows_labels(self) -> bool {
        matches!(self, Self::Explicit | Self::Opaque)
    }
}

//! How routers spread packets over equally short ways.

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lab) enum Balance {
    /// Packets that agree in these fields keep to one way.
    Over(Vec<Field>),
    /// Each packet by itself.
    PerPacket,
    /// Always the first link of the file.
    None,
}

/// A part of a packet that a load balancer may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::lab) enum Field {
    /// Source address.
    Source,
    /// Destination address.
    Destination,
    /// Protocol, or next header.
    Protocol,
    /// The first four bytes behind the IP header of all but ICMP: of UDP and TCP, the ports.
    Ports,
    /// Type, code and checksum of ICMP.
    Icmp,
    /// The flow label of IPv6.
    FlowLabel,
    /// Type of service, or traffic class: the whole byte.
    Tos,
}

impl Field {
    /// What a flow is, unless a router says otherwise.
    pub(in crate::lab) const FLOW: [Self; 6] =
        [Self::Source, Self::Destination, Self::Protocol, Self::Ports, Self::Icmp, Self::FlowLabel];

    /// The word of the file.
    pub(in crate::lab) const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Protocol => "protocol",
            Self::Ports => "ports",
            Self::Icmp => "icmp",
            Self::FlowLabel => "flow-label",
            Self::Tos => "tos",
        }
    }
}

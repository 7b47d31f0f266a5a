//! What is sent.

use std::fmt;
use std::net::IpAddr;

use super::{FlowId, Port, Ttl};

/// A round: one pass of one prober. Numbered from 1 in the order in which rounds fall due in a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoundId(pub u64);

impl fmt::Display for RoundId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a prober asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Does the address answer ICMP echo?
    Echo,
    /// Does the address answer a TCP SYN to this port?
    Tcp,
    /// Does the address answer a UDP datagram, be it that nothing listens on the port? Asked only by others.
    Udp,
    /// Does the address answer an ICMP time-stamp request (RFC 792)? Asked only by others.
    Timestamp,
    /// Which routers lie on the way there?
    Trace,
    /// Which routers lie on all the ways there?
    Multipath,
    /// Which routers lie on all the ways to all of a unit?
    Census,
}

impl Method {
    /// All methods, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Echo, Self::Tcp, Self::Udp, Self::Timestamp, Self::Trace, Self::Multipath, Self::Census];

    /// Those that ask the target itself, and not for the way there.
    pub const LIVENESS: [Self; 4] = [Self::Echo, Self::Tcp, Self::Udp, Self::Timestamp];

    /// Those by which a target may be seen to answer, where each is asked for itself.
    pub const REACHING: [Self; 5] = [Self::Echo, Self::Tcp, Self::Udp, Self::Timestamp, Self::Trace];

    /// Whether it asks the target itself, and not for the way there.
    #[must_use]
    pub const fn is_liveness(self) -> bool {
        matches!(self, Self::Echo | Self::Tcp | Self::Udp | Self::Timestamp)
    }

    /// As it stands in the `method` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Timestamp => "timestamp",
            Self::Trace => "trace",
            Self::Multipath => "multipath",
            Self::Census => "census",
        }
    }
}

/// What a probe is carried in. `Icmp` means ICMP echo to an IPv4 target and ICMPv6 echo to an IPv6 one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// ICMP or ICMPv6 echo request.
    Icmp,
    /// UDP datagram.
    Udp,
    /// TCP SYN.
    Tcp,
}

impl Protocol {
    /// As it stands in the `protocol` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

/// One packet that a prober wants sent. All its fields together name it: no two probes of a campaign
/// are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probe {
    /// The round that it belongs to.
    pub round: RoundId,
    /// Where it is addressed to.
    pub target: IpAddr,
    /// What it is carried in.
    pub protocol: Protocol,
    /// The destination port; `None` for ICMP.
    pub port: Option<Port>,
    /// Which pinned flow it belongs to.
    pub flow: FlowId,
    /// How far it may go.
    pub ttl: Ttl,
    /// 0 for the first packet of its kind, 1 for the first repetition, …
    pub attempt: u8,
}

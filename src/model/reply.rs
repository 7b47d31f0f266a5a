//! What comes back.

use std::fmt;
use std::net::IpAddr;

/// An answer that carries the tag of one of our probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Who sent it.
    pub from: IpAddr,
    /// What it says.
    pub kind: ReplyKind,
    /// ICMP or ICMPv6 type and code as received; `None` for TCP answers.
    pub icmp: Option<(u8, u8)>,
    /// TTL or hop limit on arrival; `None` where the unprivileged engine cannot see it.
    pub reply_ttl: Option<u8>,
    /// TTL or hop limit of our packet as the router quoted it; 1 on an honest router.
    pub quoted_ttl: Option<u8>,
    /// The label stack that our packet carried at the router (RFC 4950), outermost first.
    pub mpls: Vec<MplsLabel>,
    /// Length of the whole reply with its IP header, in bytes; 0 where somebody else's program does not tell it.
    pub size: u16,
    /// Identification in the reply's own IPv4 header. `None` for IPv6, for the unprivileged engine, which cannot see
    /// it, and where somebody else's program does not tell it.
    pub ip_id: Option<u16>,
    /// How well the quoted packet agrees with the one that was sent.
    pub matched: MatchQuality,
}

impl Reply {
    /// Whether no larger TTL can tell more of the way to this target: it answered, or somebody says that it
    /// cannot be reached.
    #[must_use]
    pub fn ends_way_to(&self, target: IpAddr) -> bool {
        self.kind.arrived(self.from == target) || matches!(self.kind, ReplyKind::Unreachable(_))
    }
}

#[cfg(test)]
impl Reply {
    /// A reply that says so, and of which nothing else is known.
    pub(crate) fn plain(from: IpAddr, kind: ReplyKind) -> Self {
        Self {
            from,
            kind,
            icmp: None,
            reply_ttl: None,
            quoted_ttl: None,
            mpls: Vec::new(),
            size: 56,
            ip_id: None,
            matched: MatchQuality::Exact,
        }
    }
}

/// What a reply says, the same for both address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReplyKind {
    /// The target answered an echo request.
    EchoReply,
    /// The target told the time (RFC 792).
    TimestampReply,
    /// The target's port is open.
    SynAck,
    /// The target's port is closed; the target is there.
    Rst,
    /// The target answered in UDP.
    UdpReply,
    /// A router dropped the packet because its TTL ran out.
    TimeExceeded,
    /// Somebody says that the packet cannot be delivered.
    Unreachable(Unreachable),
    /// Any other ICMP error about one of our packets.
    OtherIcmp,
}

/// Why a packet cannot be delivered (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1, RFC 4443 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreachable {
    /// No route: traceroute's `!N`.
    Net,
    /// The host does not answer on its link: `!H`.
    Host,
    /// The host does not speak the protocol: `!P`.
    Protocol,
    /// Nothing listens on the port; sent by the target itself.
    Port,
    /// A filter forbids it: `!X`.
    Prohibited,
    /// Any other code.
    Other,
}

impl ReplyKind {
    /// As it stands in the `reply` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EchoReply => "echo_reply",
            Self::TimestampReply => "timestamp_reply",
            Self::SynAck => "syn_ack",
            Self::Rst => "rst",
            Self::UdpReply => "udp_reply",
            Self::TimeExceeded => "time_exceeded",
            Self::Unreachable(Unreachable::Net) => "unreachable_net",
            Self::Unreachable(Unreachable::Host) => "unreachable_host",
            Self::Unreachable(Unreachable::Protocol) => "unreachable_protocol",
            Self::Unreachable(Unreachable::Port) => "unreachable_port",
            Self::Unreachable(Unreachable::Prohibited) => "unreachable_prohibited",
            Self::Unreachable(Unreachable::Other) => "unreachable_other",
            Self::OtherIcmp => "other_icmp",
        }
    }

    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::EchoReply,
        Self::TimestampReply,
        Self::SynAck,
        Self::Rst,
        Self::UdpReply,
        Self::TimeExceeded,
        Self::Unreachable(Unreachable::Net),
        Self::Unreachable(Unreachable::Host),
        Self::Unreachable(Unreachable::Protocol),
        Self::Unreachable(Unreachable::Port),
        Self::Unreachable(Unreachable::Prohibited),
        Self::Unreachable(Unreachable::Other),
        Self::OtherIcmp,
    ];

    /// Reads what [`ReplyKind::as_str`] writes.
    #[must_use]
    pub fn from_name(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the probe came to its target, when `from_target` says that the target sent this.
    /// A router's "port unreachable" about somebody else's address does not count.
    #[must_use]
    pub const fn arrived(self, from_target: bool) -> bool {
        match self {
            Self::EchoReply | Self::TimestampReply | Self::SynAck | Self::Rst | Self::UdpReply => true,
            Self::Unreachable(Unreachable::Port | Unreachable::Protocol) => from_target,
            _ => false,
        }
    }
}

/// How well the packet that a router quoted agrees with the one that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchQuality {
    /// Every field that was there agrees.
    Exact,
    /// The tag agrees, but something on the way rewrote another field.
    Tolerant,
}

impl MatchQuality {
    /// As it stands in the `match` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Tolerant => "tolerant",
        }
    }
}

/// One entry of an MPLS label stack (RFC 3032 §2.1), as RFC 4950 quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MplsLabel {
    /// The label: 20 bits.
    pub label: u32,
    /// Traffic class, once "experimental": 3 bits.
    pub class: u8,
    /// Whether this is the bottom of the stack.
    pub bottom: bool,
    /// The label's own TTL.
    pub ttl: u8,
}

/// `label:class:bottom:ttl`, as it stands in the `mpls` column.
impl fmt::Display for MplsLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bottom = u8::from(self.bottom);
        write!(f, "{}:{}:{}:{}", self.label, self.class, bottom, self.ttl)
    }
}

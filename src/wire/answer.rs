//! What the readers of this module give back.

use std::net::IpAddr;

use crate::model::{MplsLabel, Protocol, ReplyKind};

/// What names an outstanding probe: where it went, in what, and its keyed tag. Somebody who does not know
/// the key guesses a tag with probability 2⁻³².
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchKey {
    /// The probe's destination address.
    pub target: IpAddr,
    /// What it was carried in.
    pub protocol: Protocol,
    /// The tag.
    pub tag: u32,
}

/// A received packet that reads as an answer to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which probe it claims to answer.
    pub key: MatchKey,
    /// Source address of the received packet.
    pub from: IpAddr,
    /// What it says.
    pub kind: ReplyKind,
    /// ICMP or ICMPv6 type and code as received; `None` for TCP.
    pub icmp: Option<(u8, u8)>,
    /// TTL or hop limit on arrival.
    pub reply_ttl: u8,
    /// What it quotes of the probe; `None` for answers of the target itself in the probe's protocol.
    pub quoted: Option<Quoted>,
    /// MPLS label stack (RFC 4950), outermost first.
    pub mpls: Vec<MplsLabel>,
    /// Length of the whole packet with its IP header, in bytes.
    pub size: u16,
}

/// What an ICMP error quotes of the probe, host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// TTL or hop limit of the probe as the router saw it.
    pub ttl: u8,
    /// Source port, or 0 for ICMP.
    pub source_port: u16,
    /// Destination port, or 0 for ICMP.
    pub destination_port: u16,
}

//! What the readers of this module give back.

use std::net::IpAddr;

use super::{Codec, flow, tag};
use crate::model::{FlowId, MatchQuality, MplsLabel, Probe, Protocol, Reply, ReplyKind};

/// What names an outstanding probe: where it went, in what, and its keyed tag. Somebody who does not know
/// the key guesses a tag with probability 2⁻³², or 2⁻³¹ for UDP over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchKey {
    /// The probe's destination address.
    pub target: IpAddr,
    /// What it was carried in.
    pub protocol: Protocol,
    /// The tag. Of UDP over IPv4 half of it stands in the identification, of which some routers swap the bytes, and
    /// what they quote may hold no other copy: both orders are one tag here.
    pub tag: u32,
}

impl MatchKey {
    /// The key of a probe with this tag.
    pub(super) fn new(target: IpAddr, protocol: Protocol, tag: u32) -> Self {
        let may_be_swapped = protocol == Protocol::Udp && target.is_ipv4();
        Self { target, protocol, tag: if may_be_swapped { tag::in_either_order(tag) } else { tag } }
    }
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
    /// The flow whose word its headers bear; `None` if something on the way left none there. Only the tag
    /// tells whether it is true.
    pub flow: Option<FlowId>,
    /// MPLS label stack (RFC 4950), outermost first.
    pub mpls: Vec<MplsLabel>,
    /// Length of the whole packet with its IP header, in bytes.
    pub size: u16,
    /// Identification in its IPv4 header; `None` for IPv6.
    pub ip_id: Option<u16>,
}

impl Answer {
    /// How well this agrees with the probe that its key found. `None` if it contradicts it: another tag, or
    /// an answer in the target's name from somebody else.
    #[must_use]
    pub fn agreement(&self, codec: &Codec, probe: &Probe) -> Option<MatchQuality> {
        let tag = codec.tag_of(probe);
        if self.key != MatchKey::new(probe.target, probe.protocol, tag) {
            return None;
        }
        match (self.kind, self.quoted) {
            (ReplyKind::EchoReply | ReplyKind::SynAck | ReplyKind::Rst, _) => {
                (self.in_protocol(probe.protocol) && self.from == probe.target)
                    .then_some(MatchQuality::Exact)
            }
            (_, Some(quoted)) => Some(quoted.quality(probe, tag)),
            (_, None) => None,
        }
    }

    /// Whether an answer of the target itself is one that this protocol has.
    const fn in_protocol(&self, protocol: Protocol) -> bool {
        match self.kind {
            ReplyKind::EchoReply => matches!(protocol, Protocol::Icmp),
            _ => matches!(protocol, Protocol::Tcp),
        }
    }

    /// The reply that is recorded, once the probe is found.
    #[must_use]
    pub fn into_reply(self, quality: MatchQuality) -> Reply {
        Reply {
            from: self.from,
            kind: self.kind,
            icmp: self.icmp,
            reply_ttl: Some(self.reply_ttl),
            quoted_ttl: self.quoted.map(|quoted| quoted.ttl),
            mpls: self.mpls,
            size: self.size,
            ip_id: self.ip_id,
            matched: quality,
        }
    }
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
    /// The tag as it stands there.
    pub tag: u32,
    /// Whether every copy of the tag that the quote reaches is the same; an address translator on the way
    /// may have left only the one in the payload.
    pub tag_intact: bool,
}

impl Quoted {
    fn quality(self, probe: &Probe, tag: u32) -> MatchQuality {
        let same_ports = flow::ports(probe) == Some((self.source_port, self.destination_port));
        let possible_ttl = self.ttl <= probe.ttl.get();
        if same_ports && possible_ttl && self.tag_intact && self.tag == tag {
            MatchQuality::Exact
        } else {
            MatchQuality::Tolerant
        }
    }
}

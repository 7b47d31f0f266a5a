//! The judge's own reading of packets, with `etherparse` and the RFCs, and without the product's.

use std::net::IpAddr;

use etherparse::{Ipv4Header, Ipv6Header};
use tetherline::model::{ReplyKind, Unreachable};

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) kind: ReplyKind,
    pub(crate) icmp: Option<(u8, u8)>,
    pub(crate) ttl: u8,
    pub(crate) size: usize,
    /// Identification of IPv4.
    pub(crate) id: Option<u16>,
}

/// Source, destination, protocol, TTL and payload.
pub(crate) fn ip(packet: &[u8]) -> Option<(IpAddr, IpAddr, u8, u8, &[u8])> {
    match packet.first()? >> 4 {
        4 => {
            let (header, payload) = Ipv4Header::from_slice(packet).ok()?;
            let (source, destination) = (header.source.into(), header.destination.into());
            Some((source, destination, header.protocol.0, header.time_to_live, payload))
        }
        6 => {
            let (header, payload) = Ipv6Header::from_slice(packet).ok()?;
            let (source, destination) = (header.source.into(), header.destination.into());
            Some((source, destination, header.next_header.0, header.hop_limit, payload))
        }
        _ => None,
    }
}

/// Reads an answer to a probe.
pub(crate) fn answer(packet: &[u8]) -> Option<Answer> {
    let (from, to, protocol, ttl, payload) = ip(packet)?;
    let (kind, icmp) = match protocol {
        1 => icmp_v4(payload)?,
        58 => icmp_v6(payload)?,
        6 => (tcp(payload)?, None),
        _ => return None,
    };
    let id = Ipv4Header::from_slice(packet).ok().map(|(header, _)| header.identification);
    Some(Answer { from, to, kind, icmp, ttl, size: packet.len(), id })
}

type Said = (ReplyKind, Option<(u8, u8)>);

/// RFC 792; RFC 1812 §5.2.7.1.
fn icmp_v4(payload: &[u8]) -> Option<Said> {
    let (kind, code) = (*payload.first()?, *payload.get(1)?);
    let said = match (kind, code) {
        (0, 0) => ReplyKind::EchoReply,
        (11, 0) => ReplyKind::TimeExceeded,
        (3, 0) => ReplyKind::Unreachable(Unreachable::Net),
        (3, 3) => ReplyKind::Unreachable(Unreachable::Port),
        (3, 13) => ReplyKind::Unreachable(Unreachable::Prohibited),
        (3, _) => ReplyKind::Unreachable(Unreachable::Other),
        _ => return None,
    };
    Some((said, Some((kind, code))))
}

/// RFC 4443 §3, §4.
fn icmp_v6(payload: &[u8]) -> Option<Said> {
    let (kind, code) = (*payload.first()?, *payload.get(1)?);
    let said = match (kind, code) {
        (129, 0) => ReplyKind::EchoReply,
        (3, 0) => ReplyKind::TimeExceeded,
        (1, 0) => ReplyKind::Unreachable(Unreachable::Net),
        (1, 1) => ReplyKind::Unreachable(Unreachable::Prohibited),
        (1, 4) => ReplyKind::Unreachable(Unreachable::Port),
        (2, 0) => ReplyKind::OtherIcmp,
        _ => return None,
    };
    Some((said, Some((kind, code))))
}

/// RFC 9293 §3.1.
fn tcp(payload: &[u8]) -> Option<ReplyKind> {
    match payload.get(13)? & 0x17 {
        0x12 => Some(ReplyKind::SynAck),
        flags if flags & 0x04 != 0 => Some(ReplyKind::Rst),
        _ => None,
    }
}

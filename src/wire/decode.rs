//! Reading what was seen on the interface: answers to probes, and probes leaving.

use pnet::packet::tcp::{TcpFlags, TcpPacket};

use super::extension::{self, LengthField};
use super::ip::{self, Ip, Upper};
use super::stretch::Stretch;
use super::{Answer, Codec, Malformed, MatchKey, Received, flow, sent};
use crate::model::{FlowId, Protocol, ReplyKind, Unreachable};

pub(super) fn decode(codec: &Codec, packet: &[u8]) -> Result<Received, Malformed> {
    let ip = Ip::read(Stretch::whole(packet))?.trimmed();
    // A vantage that probes itself has the same address on both ends; no packet reads as both.
    if codec.sources.has(ip.destination)
        && let Some(answer) = answer(codec, &ip)?
    {
        return Ok(Received::Answer(answer));
    }
    if codec.sources.has(ip.source)
        && let Some(key) = sent::read_own(codec, &ip)
    {
        return Ok(Received::OwnProbe(key));
    }
    Ok(Received::Foreign)
}

fn answer(codec: &Codec, ip: &Ip<'_>) -> Result<Option<Answer>, Malformed> {
    let upper = ip.upper()?;
    if upper.later_fragment {
        return Ok(None);
    }
    match ip::protocol_of(upper.protocol, ip.source.is_ipv4()) {
        Some(Protocol::Icmp) => icmp_answer(codec, ip, upper),
        Some(Protocol::Tcp) => tcp_answer(ip, upper),
        Some(Protocol::Udp) | None => Ok(None),
    }
}

/// SYN-ACK, or RST that acknowledges our SYN: both acknowledge its sequence number plus one (RFC 9293
/// §3.10.7). A RST without acknowledgement carries no tag.
fn tcp_answer(ip: &Ip<'_>, upper: Upper<'_>) -> Result<Option<Answer>, Malformed> {
    let segment = TcpPacket::new(upper.body.bytes()).ok_or_else(|| upper.body.truncated())?;
    let has = |flag| segment.get_flags() & flag != 0;
    let kind = match (has(TcpFlags::ACK), has(TcpFlags::RST), has(TcpFlags::SYN)) {
        (true, true, _) => ReplyKind::Rst,
        (true, false, true) => ReplyKind::SynAck,
        _ => return Ok(None),
    };
    if !flow::is_word(segment.get_destination()) {
        return Ok(None);
    }
    let tag = segment.get_acknowledgement().wrapping_sub(1);
    let key = MatchKey::new(ip.source, Protocol::Tcp, tag);
    Ok(Some(direct(ip, key, flow::of_word(segment.get_destination()), kind)))
}

/// An answer that the target itself gives in the probe's protocol.
fn direct(ip: &Ip<'_>, key: MatchKey, flow: Option<FlowId>, kind: ReplyKind) -> Answer {
    Answer {
        key,
        from: ip.source,
        kind,
        icmp: None,
        reply_ttl: ip.ttl,
        quoted: None,
        flow,
        mpls: Vec::new(),
        size: ip.size,
        ip_id: ip.identification,
    }
}

fn icmp_answer(codec: &Codec, ip: &Ip<'_>, upper: Upper<'_>) -> Result<Option<Answer>, Malformed> {
    let (kind, code) = (upper.body.u8(0)?, upper.body.u8(1)?);
    let ipv4 = ip.source.is_ipv4();
    match if ipv4 { Says::in_v4(kind, code) } else { Says::in_v6(kind, code) } {
        Says::EchoReply => {
            let key = MatchKey::new(ip.source, Protocol::Icmp, upper.body.u32(4)?);
            let flow = flow::of_word(flow::request_checksum(upper.body.u16(2)?, ipv4));
            Ok(Some(Answer { icmp: Some((kind, code)), ..direct(ip, key, flow, ReplyKind::EchoReply) }))
        }
        Says::Error(reply, length) => {
            let parts = extension::split(upper.body, length)?;
            let sent = sent::read_quote(codec, parts.quote, ipv4)?;
            Ok(sent.map(|sent| Answer {
                icmp: Some((kind, code)),
                quoted: Some(sent.quoted),
                mpls: parts.mpls,
                ..direct(ip, sent.key, sent.flow, reply)
            }))
        }
        Says::Nothing => Ok(None),
    }
}

/// What an ICMP type and code say.
enum Says {
    EchoReply,
    Error(ReplyKind, Option<LengthField>),
    Nothing,
}

/// What an ICMP (for IPv4) or ICMPv6 message of this type and code says about a probe.
#[must_use]
pub const fn icmp_says(is_ipv4: bool, (kind, code): (u8, u8)) -> ReplyKind {
    const TIMESTAMP_REPLY: u8 = 14;
    if is_ipv4 && kind == TIMESTAMP_REPLY {
        return ReplyKind::TimestampReply;
    }
    match if is_ipv4 { Says::in_v4(kind, code) } else { Says::in_v6(kind, code) } {
        Says::EchoReply => ReplyKind::EchoReply,
        Says::Error(kind, _) => kind,
        Says::Nothing => ReplyKind::OtherIcmp,
    }
}

impl Says {
    /// Not here: source quench, which must be ignored (RFC 6633), and redirect, whose sender did forward
    /// the probe.
    const fn in_v4(kind: u8, code: u8) -> Self {
        let reply = match (kind, code) {
            (0, _) => return Self::EchoReply,
            (3, code) => ReplyKind::Unreachable(unreachable_v4(code)),
            (11, 0) => ReplyKind::TimeExceeded,
            // The time for reassembly ran out, or a parameter problem.
            (11 | 12, _) => ReplyKind::OtherIcmp,
            _ => return Self::Nothing,
        };
        Self::Error(reply, Some(LengthField::V4))
    }

    /// Types below 128 are errors, known or not (RFC 4443 §2.1).
    const fn in_v6(kind: u8, code: u8) -> Self {
        let reply = match (kind, code) {
            (129, _) => return Self::EchoReply,
            (128.., _) => return Self::Nothing,
            (1, code) => ReplyKind::Unreachable(unreachable_v6(code)),
            (3, 0) => ReplyKind::TimeExceeded,
            // Unrecognised next header: how ICMPv6 says "protocol unreachable".
            (4, 1) => ReplyKind::Unreachable(Unreachable::Protocol),
            _ => ReplyKind::OtherIcmp,
        };
        let extensible = matches!(kind, 1 | 3);
        Self::Error(reply, if extensible { Some(LengthField::V6) } else { None })
    }
}

/// RFC 792; RFC 1122 §3.2.2.1 for 6 to 12; RFC 1812 §5.2.7.1 for 13 to 15.
const fn unreachable_v4(code: u8) -> Unreachable {
    match code {
        // Net, net unknown, net unreachable for this type of service.
        0 | 6 | 11 => Unreachable::Net,
        // Host, host unknown, host unreachable for this type of service.
        1 | 7 | 12 => Unreachable::Host,
        2 => Unreachable::Protocol,
        3 => Unreachable::Port,
        // Net, host, communication administratively prohibited.
        9 | 10 | 13 => Unreachable::Prohibited,
        // Among them: fragmentation needed, source route failed, precedence.
        _ => Unreachable::Other,
    }
}

/// RFC 4443 §3.1; codes 5 and 6 are finer words for 1.
const fn unreachable_v6(code: u8) -> Unreachable {
    match code {
        0 => Unreachable::Net,
        3 => Unreachable::Host,
        4 => Unreachable::Port,
        // Prohibited, source address failed a policy, route rejects.
        1 | 5 | 6 => Unreachable::Prohibited,
        _ => Unreachable::Other,
    }
}

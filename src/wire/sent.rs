//! Reading back what we sent: a probe seen leaving, or the beginning of one that a router quotes. Routers
//! and middleboxes mangle quotes (Malone and Luckie, "Analysis of ICMP Quotations", PAM 2007), so no
//! length in one is believed.

use pnet::packet::tcp::{TcpFlags, TcpPacket};

use super::encode::PAYLOAD_TAIL;
use super::ip::{self, Ip, Upper};
use super::stretch::Stretch;
use super::{Codec, Malformed, MatchKey, Quoted, Reason, flow, tag};
use crate::model::{FlowId, Protocol};

/// Bytes of an ICMP echo or UDP header, and all that RFC 792 quotes of any transport.
const SHORT_HEADER: usize = 8;

/// A probe as it was found in a packet.
pub(super) struct Sent {
    pub(super) key: MatchKey,
    pub(super) quoted: Quoted,
    pub(super) flow: Option<FlowId>,
}

/// Reads what an ICMP error quotes. `None` if it is no packet of ours.
pub(super) fn read_quote(codec: &Codec, quote: Stretch<'_>, ipv4: bool) -> Result<Option<Sent>, Malformed> {
    let ip = Ip::read(quote).map_err(as_quote)?;
    if ip.source.is_ipv4() != ipv4 {
        return Err(quote.malformed(0, Reason::BadQuote));
    }
    if !codec.sources.has(ip.source) {
        return Ok(None);
    }
    read(codec, &ip, ip.upper().map_err(as_quote)?)
}

/// Recognises a probe as it leaves, whole and untouched. `None` for anything else from our address.
pub(super) fn read_own(codec: &Codec, ip: &Ip<'_>) -> Option<MatchKey> {
    let upper = ip.upper().ok()?;
    let sent = read(codec, ip, upper).ok()??;
    let has_shape = match sent.key.protocol {
        Protocol::Icmp => is_whole(codec, upper.body),
        Protocol::Udp => is_whole(codec, upper.body) && flow::is_word(sent.quoted.source_port),
        Protocol::Tcp => is_bare_syn(upper.body) && flow::is_word(sent.quoted.source_port),
    };
    (has_shape && sent.quoted.tag_intact).then_some(sent.key)
}

fn as_quote(error: Malformed) -> Malformed {
    let reason = match error.reason {
        Reason::BadVersion | Reason::BadHeaderLength => Reason::BadQuote,
        other => other,
    };
    Malformed { reason, ..error }
}

fn is_whole(codec: &Codec, body: Stretch<'_>) -> bool {
    let payload = body.len().saturating_sub(SHORT_HEADER).saturating_sub(codec.lead.len());
    payload == PAYLOAD_TAIL && payload_tag(codec, body).is_some()
}

fn is_bare_syn(body: Stretch<'_>) -> bool {
    TcpPacket::new(body.bytes()).is_some_and(|segment| {
        segment.get_flags() == TcpFlags::SYN && segment.get_data_offset() == 5 && body.len() == 20
    })
}

fn read(codec: &Codec, ip: &Ip<'_>, upper: Upper<'_>) -> Result<Option<Sent>, Malformed> {
    let Some(protocol) = ip::protocol_of(upper.protocol, ip.source.is_ipv4()) else { return Ok(None) };
    if upper.later_fragment || (protocol == Protocol::Icmp && !is_echo_request(upper)?) {
        return Ok(None);
    }
    let in_header = HeaderTag::read(protocol, ip, upper.body)?;
    let in_payload = if protocol == Protocol::Tcp { None } else { payload_tag(codec, upper.body) };
    let Some(tag) = choose(in_payload, in_header.whole()) else {
        return without_payload(codec, upper.body);
    };
    let (source_port, destination_port) = ports(protocol, upper.body)?;
    let tag_intact = in_header.agrees(tag);
    let quoted = Quoted { ttl: ip.ttl, source_port, destination_port, tag, tag_intact };
    let word = if protocol == Protocol::Icmp { upper.body.u16(2)? } else { source_port };
    let key = MatchKey::new(ip.destination, protocol, tag);
    Ok(Some(Sent { key, quoted, flow: flow::of_word(word) }))
}

/// The payload's tag before the header's, which address translators rewrite; but a quote that ended, and
/// was padded, within the last byte of the tag shows the header's tag with that byte gone.
fn choose(in_payload: Option<u32>, in_header: Option<u32>) -> Option<u32> {
    match (in_payload, in_header) {
        (Some(payload), Some(header)) if header & !0xff == payload => Some(header),
        (payload, header) => payload.or(header),
    }
}

/// Too short for a verdict, or long enough to see that it is not ours.
fn without_payload(codec: &Codec, body: Stretch<'_>) -> Result<Option<Sent>, Malformed> {
    let payload = body.skip(SHORT_HEADER)?;
    let begins_as_ours = payload.bytes().iter().zip(&codec.lead).all(|(theirs, ours)| theirs == ours);
    if begins_as_ours { Err(body.truncated()) } else { Ok(None) }
}

fn is_echo_request(upper: Upper<'_>) -> Result<bool, Malformed> {
    let kind = if upper.protocol == 1 { 8 } else { 128 };
    Ok(upper.body.u8(0)? == kind && upper.body.u8(1)? == 0)
}

/// Source and destination port; zeros for ICMP.
fn ports(protocol: Protocol, body: Stretch<'_>) -> Result<(u16, u16), Malformed> {
    match protocol {
        Protocol::Icmp => Ok((0, 0)),
        Protocol::Udp | Protocol::Tcp => Ok((body.u16(0)?, body.u16(2)?)),
    }
}

/// The tag behind the attribution; `None` if another text stands there, or the quote ends before. Routers
/// that append an extension pad a short quote with zeros to 128 bytes (RFC 4884 §4.1), which looks like a
/// longer quote; no half of a tag is zero.
fn payload_tag(codec: &Codec, body: Stretch<'_>) -> Option<u32> {
    let payload = body.bytes().get(SHORT_HEADER..)?;
    let behind = payload.strip_prefix(codec.lead.as_slice())?;
    let tag = behind.first_chunk().copied().map(u32::from_be_bytes)?;
    let (high, low) = tag::halves(tag);
    (high != 0 && low != 0).then_some(tag)
}

/// What the headers have of the tag.
struct HeaderTag {
    high: u16,
    /// UDP over IPv6 has no place for it.
    low: Option<u16>,
    /// The low half once more, in IPv4.
    identification: Option<u16>,
}

impl HeaderTag {
    fn read(protocol: Protocol, ip: &Ip<'_>, body: Stretch<'_>) -> Result<Self, Malformed> {
        let (at_four, at_six) = (body.u16(4)?, body.u16(6)?);
        let identification = ip.identification;
        Ok(match protocol {
            Protocol::Icmp | Protocol::Tcp => Self { high: at_four, low: Some(at_six), identification },
            Protocol::Udp => Self { high: at_six, low: identification, identification },
        })
    }

    fn whole(&self) -> Option<u32> {
        self.low.map(|low| tag::join(self.high, low))
    }

    /// Whether every copy in the headers is that of this tag.
    fn agrees(&self, tag: u32) -> bool {
        let (high, low) = tag::halves(tag);
        self.high == high
            && self.low.is_none_or(|it| it == low)
            && self.identification.is_none_or(|it| it == low)
    }
}

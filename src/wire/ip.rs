//! The IP header of a received or quoted packet, and the way through it to the transport header.

use std::net::IpAddr;

use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;

use super::stretch::Stretch;
use super::{Malformed, Reason};
use crate::model::Protocol;

/// More IPv6 extension headers than this are not walked.
const MAX_EXTENSION_HEADERS: usize = 8;

/// Bytes of an IPv6 header.
const V6_HEADER: usize = 40;

/// What the fixed part of an IP header says. Lengths in it are not believed here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ip<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// IPv4 only.
    pub(super) identification: Option<u16>,
    /// Length of the whole packet as its header has it, in bytes.
    pub(super) size: u16,
    packet: Stretch<'a>,
}

/// What the IP packet carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upper<'a> {
    /// IANA protocol number.
    pub(super) protocol: u8,
    /// The transport header and what follows it.
    pub(super) body: Stretch<'a>,
    /// Whether this is a fragment other than the first: it has no transport header.
    pub(super) later_fragment: bool,
}

impl<'a> Ip<'a> {
    /// Reads the fixed part of either family's header.
    pub(super) fn read(packet: Stretch<'a>) -> Result<Self, Malformed> {
        match packet.u8(0)? >> 4 {
            4 => Self::read_v4(packet),
            6 => Self::read_v6(packet),
            _ => Err(packet.malformed(0, Reason::BadVersion)),
        }
    }

    fn read_v4(packet: Stretch<'a>) -> Result<Self, Malformed> {
        let header = Ipv4Packet::new(packet.bytes()).ok_or_else(|| packet.truncated())?;
        Ok(Self {
            source: header.get_source().into(),
            destination: header.get_destination().into(),
            ttl: header.get_ttl(),
            identification: Some(header.get_identification()),
            size: header.get_total_length(),
            packet,
        })
    }

    fn read_v6(packet: Stretch<'a>) -> Result<Self, Malformed> {
        let header = Ipv6Packet::new(packet.bytes()).ok_or_else(|| packet.truncated())?;
        Ok(Self {
            source: header.get_source().into(),
            destination: header.get_destination().into(),
            ttl: header.get_hop_limit(),
            identification: None,
            size: header.get_payload_length().saturating_add(40),
            packet,
        })
    }

    /// Without what follows the end that the header declares: Ethernet pads short packets.
    pub(super) fn trimmed(self) -> Self {
        Self { packet: self.packet.first(usize::from(self.size)), ..self }
    }

    /// Steps over IPv4 options or IPv6 extension headers.
    pub(super) fn upper(&self) -> Result<Upper<'a>, Malformed> {
        if self.source.is_ipv4() { upper_v4(self.packet) } else { upper_v6(self.packet) }
    }
}

fn upper_v4(packet: Stretch<'_>) -> Result<Upper<'_>, Malformed> {
    let words = packet.u8(0)? & 0x0F;
    if words < 5 {
        return Err(packet.malformed(0, Reason::BadHeaderLength));
    }
    Ok(Upper {
        protocol: packet.u8(9)?,
        body: packet.skip(usize::from(words).saturating_mul(4))?,
        later_fragment: packet.u16(6)? & 0x1FFF != 0,
    })
}

fn upper_v6(packet: Stretch<'_>) -> Result<Upper<'_>, Malformed> {
    let mut upper = Upper { protocol: packet.u8(6)?, body: packet.skip(V6_HEADER)?, later_fragment: false };
    for _ in 0..MAX_EXTENSION_HEADERS {
        let Some(header) = Extension::read(upper.protocol, upper.body)? else { break };
        upper.protocol = header.next;
        upper.body = upper.body.skip(header.length)?;
        upper.later_fragment |= header.later_fragment;
        if header.later_fragment {
            break;
        }
    }
    Ok(upper)
}

/// One IPv6 extension header (RFC 8200 §4; RFC 4302 for the authentication header).
struct Extension {
    next: u8,
    /// In bytes, itself included.
    length: usize,
    later_fragment: bool,
}

impl Extension {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const FRAGMENT: u8 = 44;
    const AUTHENTICATION: u8 = 51;
    const DESTINATION: u8 = 60;

    /// `None` if the protocol number is not that of an extension header.
    fn read(protocol: u8, body: Stretch<'_>) -> Result<Option<Self>, Malformed> {
        let units = |size: usize, more: usize| -> Result<usize, Malformed> {
            Ok(usize::from(body.u8(1)?).saturating_add(more).saturating_mul(size))
        };
        let length = match protocol {
            Self::HOP_BY_HOP | Self::ROUTING | Self::DESTINATION => units(8, 1)?,
            Self::AUTHENTICATION => units(4, 2)?,
            Self::FRAGMENT => 8,
            _ => return Ok(None),
        };
        let later_fragment = protocol == Self::FRAGMENT && body.u16(2)? >> 3 != 0;
        Ok(Some(Self { next: body.u8(0)?, length, later_fragment }))
    }
}

/// The IANA number of what a probe to this family is carried in.
pub(super) const fn number_of(protocol: Protocol, ipv4: bool) -> u8 {
    match (protocol, ipv4) {
        (Protocol::Icmp, true) => 1,
        (Protocol::Icmp, false) => 58,
        (Protocol::Tcp, _) => 6,
        (Protocol::Udp, _) => 17,
    }
}

/// What [`number_of`] numbers.
pub(super) fn protocol_of(number: u8, ipv4: bool) -> Option<Protocol> {
    let all = [Protocol::Icmp, Protocol::Udp, Protocol::Tcp];
    all.into_iter().find(|protocol| number_of(*protocol, ipv4) == number)
}

//! Building probes: the IP header, then the transport header, then the payload that balances the checksum.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::packet::Packet;
use pnet::packet::icmp::{self, IcmpTypes};
use pnet::packet::icmpv6::{self, Icmpv6Types};
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::MutableIpv4Packet;
use pnet::packet::ipv6::MutableIpv6Packet;
use pnet::packet::tcp::{MutableTcpPacket, TcpFlags};
use pnet::packet::udp::MutableUdpPacket;

use super::checksum::Sum;
use super::{Codec, Sources, flow, ip, tag};
use crate::model::{FlowId, Probe, Protocol};

/// Why no packet could be built for a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The vantage has no address of the target's family.
    #[error("no source address to probe {0} from: this vantage has none of that family")]
    NoSource(IpAddr),
    /// The flow has no place in the packet.
    #[error("flow {0}: must be at most {last}", last = flow::LAST_FLOW)]
    FlowTooHigh(FlowId),
}

/// Bytes of an ICMP echo or UDP header.
const SHORT_HEADER: usize = 8;
/// Bytes of a TCP header without options, and of an IPv4 header without options.
const LONG_HEADER: usize = 20;
/// Bytes of an IPv6 header.
const V6_HEADER: usize = 40;
/// Bytes of payload behind the attribution: tag and balancing word.
pub(super) const PAYLOAD_TAIL: usize = 6;

/// Where a probe goes from and to.
#[derive(Clone, Copy)]
enum Ends {
    V4 { source: Ipv4Addr, target: Ipv4Addr },
    V6 { source: Ipv6Addr, target: Ipv6Addr },
}

/// All that decides the packet.
struct Draft<'a> {
    probe: &'a Probe,
    ends: Ends,
    word: u16,
    tag: u32,
    lead: &'a [u8],
}

pub(super) fn encode(codec: &Codec, probe: &Probe, packet: &mut Vec<u8>) -> Result<(), EncodeError> {
    let draft = Draft {
        probe,
        ends: Ends::new(codec.sources, probe.target)?,
        word: flow::word(probe.flow).ok_or(EncodeError::FlowTooHigh(probe.flow))?,
        tag: codec.tag_of(probe),
        lead: &codec.lead,
    };
    packet.clear();
    packet.resize(draft.ip_header().saturating_add(draft.body()), 0);
    if let Some((header, body)) = packet.split_at_mut_checked(draft.ip_header()) {
        draft.write_body(body);
        draft.write_ip(header);
    }
    Ok(())
}

impl Ends {
    fn new(sources: Sources, target: IpAddr) -> Result<Self, EncodeError> {
        let ends = match target {
            IpAddr::V4(target) => sources.v4.map(|source| Self::V4 { source, target }),
            IpAddr::V6(target) => sources.v6.map(|source| Self::V6 { source, target }),
        };
        ends.ok_or(EncodeError::NoSource(target))
    }

    /// The one's complement of the sum over the body, and over the pseudo-header where the protocol has
    /// one: ICMP for IPv4 has none.
    fn checksum(self, body: &[u8], protocol: Protocol) -> u16 {
        let number = |ipv4| ip::number_of(protocol, ipv4);
        let (sum, size) = (Sum::of(body), length(body.len()));
        let sum = match self {
            Self::V4 { .. } if protocol == Protocol::Icmp => sum,
            Self::V4 { source, target } => {
                sum.and_pseudo_header([source.into(), target.into()], number(true), size)
            }
            Self::V6 { source, target } => {
                sum.and_pseudo_header([source.into(), target.into()], number(false), size)
            }
        };
        sum.checksum()
    }
}

impl Draft<'_> {
    const fn ip_header(&self) -> usize {
        match self.ends {
            Ends::V4 { .. } => LONG_HEADER,
            Ends::V6 { .. } => V6_HEADER,
        }
    }

    /// Bytes of the transport header and payload: the same for all probes of a protocol.
    fn body(&self) -> usize {
        match self.probe.protocol {
            Protocol::Tcp => LONG_HEADER,
            Protocol::Icmp | Protocol::Udp => {
                SHORT_HEADER.saturating_add(self.lead.len()).saturating_add(PAYLOAD_TAIL)
            }
        }
    }

    fn write_ip(&self, header: &mut [u8]) {
        match self.ends {
            Ends::V4 { source, target } => self.write_v4(header, source, target),
            Ends::V6 { source, target } => self.write_v6(header, source, target),
        }
    }

    fn write_v4(&self, header: &mut [u8], source: Ipv4Addr, target: Ipv4Addr) {
        let size = length(self.body().saturating_add(LONG_HEADER));
        let Some(mut header) = MutableIpv4Packet::new(header) else { return };
        header.set_version(4);
        header.set_header_length(5);
        header.set_total_length(size);
        header.set_identification(tag::halves(self.tag).1);
        header.set_ttl(self.probe.ttl.get());
        header.set_next_level_protocol(IpNextHeaderProtocol::new(ip::number_of(self.probe.protocol, true)));
        header.set_source(source);
        header.set_destination(target);
        header.set_checksum(Sum::of(header.packet()).checksum());
    }

    fn write_v6(&self, header: &mut [u8], source: Ipv6Addr, target: Ipv6Addr) {
        let Some(mut header) = MutableIpv6Packet::new(header) else { return };
        header.set_version(6);
        header.set_flow_label(u32::from(self.word));
        header.set_payload_length(length(self.body()));
        header.set_next_header(IpNextHeaderProtocol::new(ip::number_of(self.probe.protocol, false)));
        header.set_hop_limit(self.probe.ttl.get());
        header.set_source(source);
        header.set_destination(target);
    }

    fn write_body(&self, body: &mut [u8]) {
        match self.probe.protocol {
            Protocol::Icmp => self.write_echo(body),
            Protocol::Udp => self.write_udp(body),
            Protocol::Tcp => self.write_syn(body),
        }
    }

    fn write_echo(&self, body: &mut [u8]) {
        let (high, low) = tag::halves(self.tag);
        match self.ends {
            Ends::V4 { .. } => {
                let Some(mut echo) = icmp::echo_request::MutableEchoRequestPacket::new(body) else {
                    return;
                };
                echo.set_icmp_type(IcmpTypes::EchoRequest);
                echo.set_checksum(self.word);
                echo.set_identifier(high);
                echo.set_sequence_number(low);
            }
            Ends::V6 { .. } => {
                let Some(mut echo) = icmpv6::echo_request::MutableEchoRequestPacket::new(body) else {
                    return;
                };
                echo.set_icmpv6_type(Icmpv6Types::EchoRequest);
                echo.set_checksum(self.word);
                echo.set_identifier(high);
                echo.set_sequence_number(low);
            }
        }
        self.write_payload(body);
    }

    fn write_udp(&self, body: &mut [u8]) {
        let size = length(body.len());
        {
            let Some(mut datagram) = MutableUdpPacket::new(body) else { return };
            datagram.set_source(self.word);
            datagram.set_destination(flow::destination_port(self.probe));
            datagram.set_length(size);
            datagram.set_checksum(tag::halves(self.tag).0);
        }
        self.write_payload(body);
    }

    fn write_syn(&self, body: &mut [u8]) {
        {
            let Some(mut segment) = MutableTcpPacket::new(body) else { return };
            segment.set_source(self.word);
            segment.set_destination(flow::destination_port(self.probe));
            segment.set_sequence(self.tag);
            segment.set_data_offset(5);
            segment.set_flags(TcpFlags::SYN);
            segment.set_window(u16::MAX);
        }
        let checksum = self.ends.checksum(body, Protocol::Tcp);
        if let Some(mut segment) = MutableTcpPacket::new(body) {
            segment.set_checksum(checksum);
        }
    }

    /// Attribution and tag, then the word that makes the checksum already in the header the right one:
    /// what is missing from the one's complement sum (RFC 1071).
    fn write_payload(&self, body: &mut [u8]) {
        let text = self.lead.iter().copied().chain(self.tag.to_be_bytes());
        body.iter_mut().skip(SHORT_HEADER).zip(text).for_each(|(to, from)| *to = from);
        let balance = self.ends.checksum(body, self.probe.protocol);
        if let Some(last) = body.last_chunk_mut() {
            *last = balance.to_be_bytes();
        }
    }
}

/// A length that is at most a few hundred bytes, as it stands in a header.
fn length(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

//! What routers and hosts answer, byte by byte: ICMP errors with quotes and extensions, echo replies, TCP
//! segments. Each function gives a whole IP packet, or `None` where the RFCs forbid an answer.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, TcpHeader, TcpOptionElement};

use super::habits::mangle::mangle;
use super::packet::{ICMP, ICMPV6, Packet, SMALLEST_V6_MTU, TCP, checksum, put};
use super::scenario::{Mangle, Quote};
use super::walk::Flow;

/// Who answers, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker<'a> {
    /// Source address of the answer, of the same family as the question.
    pub(super) address: IpAddr,
    /// TTL or hop limit of the answer as it leaves.
    pub(super) ttl: u8,
    /// Identification field of an IPv4 answer.
    pub(super) identification: u16,
    pub(super) quote: Quote,
    /// What its quotes show wrongly.
    pub(super) mangles: &'a [Mangle],
    /// Shown in ICMP errors, the outermost first; none for no extension.
    pub(super) labels: &'a [ShownLabel],
}

/// An entry of the label stack with which a packet came (RFC 3032 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownLabel {
    pub(super) value: u32,
    pub(super) ttl: u8,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Complaint {
    /// The TTL ran out.
    TimeExceeded,
    /// No route: traceroute's `!N`.
    NoRoute,
    /// A filter: traceroute's `!X`.
    Prohibited,
    /// Nothing listens on the port.
    PortClosed,
    /// Too long for the next link, which takes so many bytes, and not to be fragmented.
    TooBig(u16),
}

impl Complaint {
    /// Type and code: RFC 792 and RFC 1812 §5.2.7.1, or RFC 4443 §3.
    const fn type_and_code(self, is_ipv4: bool) -> [u8; 2] {
        let [v4, v6] = match self {
            Self::TimeExceeded => [[11, 0], [3, 0]],
            Self::NoRoute => [[3, 0], [1, 0]],
            Self::Prohibited => [[3, 13], [1, 1]],
            Self::PortClosed => [[3, 3], [1, 4]],
            Self::TooBig(_) => [[3, 4], [2, 0]],
        };
        if is_ipv4 { v4 } else { v6 }
    }

    /// What the message says of the next link: RFC 1191 §4, RFC 4443 §3.2. The lower half of the word of
    /// ICMPv6 is enough, since no link takes more.
    fn next_mtu(self, is_ipv4: bool) -> u16 {
        match self {
            Self::TooBig(mtu) if is_ipv4 => mtu,
            Self::TooBig(mtu) => mtu.max(SMALLEST_V6_MTU),
            _ => 0,
        }
    }

    /// ICMPv6 has no room for the length that an extension needs beside an MTU (RFC 4884 §4).
    const fn may_be_extended(self, is_ipv4: bool) -> bool {
        is_ipv4 || !matches!(self, Self::TooBig(_))
    }
}

/// Longest ICMP error (RFC 1812 §4.3.2.3) and ICMPv6 error (RFC 4443 §2.4), with the IP header.
const LONGEST_V4_ERROR: usize = 576;
const LONGEST_V6_ERROR: usize = 1280;
/// Where a router is told how much to quote: what Ethernet carries, and what the length field of RFC 4884 can
/// say.
const LONGEST_PACKET: usize = 1500;
const LONGEST_EXTENDED_V4_QUOTE: usize = 255 * 4;
/// IP and ICMP headers in front of the quote.
const BEFORE_V4_QUOTE: usize = 28;
const BEFORE_V6_QUOTE: usize = 48;
/// The quote is padded to this where an extension follows (RFC 4884 §4.1, §4.2).
const SHORTEST_EXTENDED_QUOTE: usize = 128;

/// An ICMP error about a packet, quoting it as it arrived.
pub(super) fn icmp_error(
    packet: &Packet,
    arrived_with: u8,
    complaint: Complaint,
    speaker: &Speaker<'_>,
) -> Option<Vec<u8>> {
    if !may_be_complained_about(packet) {
        return None;
    }
    let is_ipv4 = speaker.address.is_ipv4();
    let extension = if complaint.may_be_extended(is_ipv4) { extension(speaker.labels) } else { Vec::new() };
    let mut quote = packet.arriving_with(arrived_with);
    quote.truncate(longest_quote(packet, speaker, extension.len()));
    mangle(&mut quote, speaker.mangles);
    let [kind, code] = complaint.type_and_code(is_ipv4);
    let [high, low] = complaint.next_mtu(is_ipv4).to_be_bytes();
    let mut icmp = vec![kind, code, 0, 0, 0, 0, high, low];
    if !extension.is_empty() {
        let unit = if is_ipv4 { 4 } else { 8 };
        let padded = quote.len().max(SHORTEST_EXTENDED_QUOTE).next_multiple_of(unit);
        quote.resize(padded, 0);
        let words = padded.checked_div(unit).and_then(|words| u8::try_from(words).ok())?;
        put(&mut icmp, if is_ipv4 { 5 } else { 4 }, &[words]);
    }
    icmp.extend(quote);
    icmp.extend(extension);
    Some(icmp_packet(packet, speaker, icmp))
}

/// No error about an error, about a fragment, or about what is not addressed to one interface
/// (RFC 1122 §3.2.2, RFC 4443 §2.4).
fn may_be_complained_about(packet: &Packet) -> bool {
    let kind = packet.payload().first().copied().unwrap_or(0);
    let is_error = match packet.flow.protocol {
        ICMP => !matches!(kind, 0 | 8 | 13..=18),
        ICMPV6 => kind < 128,
        _ => false,
    };
    let to_many = match packet.flow.destination {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    };
    !is_error && !packet.fragment && !to_many
}

fn longest_quote(packet: &Packet, speaker: &Speaker<'_>, extension: usize) -> usize {
    let (longest, before) = match speaker.address {
        IpAddr::V4(_) => (LONGEST_V4_ERROR, BEFORE_V4_QUOTE),
        IpAddr::V6(_) => (LONGEST_V6_ERROR, BEFORE_V6_QUOTE),
    };
    // Eight bytes are kept back for the padding to whole words.
    let kept_back = if extension == 0 { 0 } else { extension.saturating_add(8) };
    let fits = |longest: usize| longest.saturating_sub(before).saturating_sub(kept_back);
    match (speaker.address, speaker.quote) {
        (IpAddr::V4(_), Quote::Rfc792) => packet.header_length().saturating_add(8),
        (IpAddr::V4(_), Quote::Bytes(bytes)) => {
            let most = if extension == 0 { usize::MAX } else { LONGEST_EXTENDED_V4_QUOTE };
            usize::from(bytes).min(fits(LONGEST_PACKET)).min(most)
        }
        _ => fits(longest),
    }
}

/// RFC 4884 §7 with one MPLS label stack object (RFC 4950 §3); empty without labels. Every label shows
/// traffic class 0.
fn extension(labels: &[ShownLabel]) -> Vec<u8> {
    let Some(last) = labels.len().checked_sub(1) else { return Vec::new() };
    let length = labels.len().saturating_mul(4).saturating_add(4);
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    let mut bytes = vec![0x20, 0, 0, 0, high, low, 1, 1];
    for (index, label) in labels.iter().enumerate() {
        let bottom = u32::from(index == last);
        bytes.extend(((label.value << 12) | (bottom << 8) | u32::from(label.ttl)).to_be_bytes());
    }
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&bytes).ones_complement();
    put(&mut bytes, 2, &sum.to_ne_bytes());
    bytes
}

/// The answer to an ICMP or ICMPv6 echo request: the same data (RFC 792, RFC 4443 §4.2).
pub(super) fn echo_reply(packet: &Packet, speaker: &Speaker<'_>) -> Option<Vec<u8>> {
    let reply = match (packet.flow.protocol, packet.payload().get(..2)?) {
        (ICMP, [8, 0]) => 0,
        (ICMPV6, [128, 0]) => 129,
        _ => return None,
    };
    let mut icmp = packet.payload().to_vec();
    put(&mut icmp, 0, &[reply, 0, 0, 0]);
    (icmp.len() >= 8).then(|| icmp_packet(packet, speaker, icmp))
}

/// What a TCP answers that remembers nothing (RFC 9293 §3.10.7): SYN-ACK from an open port, RST from a closed
/// one. `sequence` is the first number that an open port gives to this peer: whoever acknowledges it has a
/// connection, and is left in peace; whoever acknowledges another number has none, and is reset.
pub(super) fn tcp(packet: &Packet, open: bool, sequence: u32, speaker: &Speaker<'_>) -> Option<Vec<u8>> {
    let (asked, data) = TcpHeader::from_slice(packet.payload()).ok()?;
    let mut reply = TcpHeader::new(asked.destination_port, asked.source_port, 0, 0);
    let connected = asked.ack && asked.acknowledgment_number == sequence.wrapping_add(1);
    match (open, asked.syn, asked.ack) {
        _ if asked.rst => return None,
        (true, true, false) => {
            reply.sequence_number = sequence;
            reply.syn = true;
            reply.window_size = 65_535;
            reply.set_options(&[TcpOptionElement::MaximumSegmentSize(1460)]).ok()?;
        }
        (true, false, false) => return None,
        (true, _, true) if connected => return None,
        _ => reply.rst = true,
    }
    if asked.ack {
        reply.sequence_number = asked.acknowledgment_number;
    } else {
        reply.ack = true;
        let taken = if open { 0 } else { u32::try_from(data.len()).ok()? };
        let controls = u32::from(asked.syn).wrapping_add(u32::from(asked.fin && !open));
        reply.acknowledgment_number = asked.sequence_number.wrapping_add(taken).wrapping_add(controls);
    }
    let mut segment = reply.to_bytes().to_vec();
    let flow = reply_flow(packet, speaker, TCP);
    let sum = checksum(&flow, &segment);
    put(&mut segment, 16, &sum);
    Some(ip_packet(&flow, speaker, &segment))
}

fn icmp_packet(packet: &Packet, speaker: &Speaker<'_>, mut icmp: Vec<u8>) -> Vec<u8> {
    let protocol = if speaker.address.is_ipv4() { ICMP } else { ICMPV6 };
    let flow = reply_flow(packet, speaker, protocol);
    let sum = checksum(&flow, &icmp);
    put(&mut icmp, 2, &sum);
    ip_packet(&flow, speaker, &icmp)
}

fn reply_flow(packet: &Packet, speaker: &Speaker<'_>, protocol: u8) -> Flow {
    Flow {
        source: speaker.address,
        destination: packet.flow.source,
        protocol,
        first_four: [0; 4],
        label: 0,
        tos: 0,
    }
}

fn ip_packet(flow: &Flow, speaker: &Speaker<'_>, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let protocol = IpNumber(flow.protocol);
    match (flow.source, flow.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = Ipv4Header {
                total_len: length.saturating_add(20),
                identification: speaker.identification,
                dont_fragment: false,
                time_to_live: speaker.ttl,
                protocol,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv4Header::default()
            };
            header.header_checksum = header.calc_header_checksum();
            [header.to_bytes().as_slice(), payload].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::ZERO,
                payload_length: length,
                next_header: protocol,
                hop_limit: speaker.ttl,
                source: source.octets(),
                destination: destination.octets(),
            };
            [header.to_bytes().as_slice(), payload].concat()
        }
        _ => Vec::new(),
    }
}

//! A packet as the lab reads it: enough of the headers to route it, to answer it and to quote it. Written
//! from the RFCs without the parsers of `wire`.

use std::net::IpAddr;

use etherparse::checksum::Sum16BitWords;
use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};

use super::walk::Flow;

/// An IP packet whose header holds together.
#[derive(Clone, Debug)]
pub(super) struct Packet<Bytes = Vec<u8>> {
    bytes: Bytes,
    /// Of the whole packet; what stands behind it does not belong to it.
    length: usize,
    header_length: usize,
    pub(super) flow: Flow,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// Whether it is part of a fragmented packet: such are routed, but never answered.
    pub(super) fragment: bool,
    /// Whether no router may fragment it.
    whole: bool,
}

impl Packet {
    /// A copy, and [`Packet::of`] it.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let Packet { bytes, length, header_length, flow, ttl, fragment, whole } = Packet::of(bytes)?;
        let bytes = bytes.get(..length)?.to_vec();
        Some(Self { bytes, length, header_length, flow, ttl, fragment, whole })
    }

    /// The packet with another identification; as it was, if it is of IPv6.
    pub(super) fn identified_by(mut self, id: u16) -> Vec<u8> {
        if self.flow.source.is_ipv4() {
            put(&mut self.bytes, 4, &id.to_be_bytes());
        }
        let ttl = self.ttl;
        self.into_arriving_with(ttl)
    }

    /// The whole packet as it looks when it arrives somewhere with this TTL.
    pub(super) fn arriving_with(&self, ttl: u8) -> Vec<u8> {
        self.clone().into_arriving_with(ttl)
    }

    /// The same of a packet that is needed no more.
    pub(super) fn into_arriving_with(mut self, ttl: u8) -> Vec<u8> {
        self.bytes.truncate(self.length);
        match self.flow.source {
            IpAddr::V4(_) => {
                put(&mut self.bytes, 8, &[ttl]);
                put(&mut self.bytes, 10, &[0, 0]);
                let header = self.bytes.get(..self.header_length).unwrap_or_default();
                let sum = Sum16BitWords::new().add_slice(header).ones_complement();
                put(&mut self.bytes, 10, &sum.to_ne_bytes());
            }
            IpAddr::V6(_) => put(&mut self.bytes, 7, &[ttl]),
        }
        self.bytes
    }
}

impl<Bytes: AsRef<[u8]>> Packet<Bytes> {
    /// `None` for what a router would drop without looking further: no IP, truncated, wrong header checksum.
    pub(super) fn of(bytes: Bytes) -> Option<Self> {
        match bytes.as_ref().first()? >> 4 {
            4 => Self::of_v4(bytes),
            6 => Self::of_v6(bytes),
            _ => None,
        }
    }

    fn of_v4(bytes: Bytes) -> Option<Self> {
        let header = Ipv4HeaderSlice::from_slice(bytes.as_ref()).ok()?;
        let length = usize::from(header.total_len());
        let packet = bytes.as_ref().get(..length)?;
        let sum = Sum16BitWords::new().add_slice(header.slice());
        if sum.ones_complement() != 0 {
            return None;
        }
        let header_length = header.slice().len();
        let flow = Flow {
            source: IpAddr::V4(header.source_addr()),
            destination: IpAddr::V4(header.destination_addr()),
            protocol: header.protocol().0,
            first_four: first_four(packet.get(header_length..)?),
            label: 0,
            tos: packet.get(1).copied().unwrap_or(0),
        };
        let (ttl, fragment) = (header.ttl(), header.is_fragmenting_payload());
        let whole = header.dont_fragment();
        Some(Self { bytes, length, header_length, flow, ttl, fragment, whole })
    }

    fn of_v6(bytes: Bytes) -> Option<Self> {
        let header = Ipv6HeaderSlice::from_slice(bytes.as_ref()).ok()?;
        let length = usize::from(header.payload_length()).saturating_add(V6_HEADER);
        let packet = bytes.as_ref().get(..length)?;
        let flow = Flow {
            source: IpAddr::V6(header.source_addr()),
            destination: IpAddr::V6(header.destination_addr()),
            protocol: header.next_header().0,
            first_four: first_four(packet.get(V6_HEADER..)?),
            label: header.flow_label().value(),
            tos: header.traffic_class(),
        };
        let (ttl, header_length) = (header.hop_limit(), V6_HEADER);
        Some(Self { bytes, length, header_length, flow, ttl, fragment: false, whole: true })
    }

    /// What stands behind the IP header.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.as_ref().get(self.header_length..self.length).unwrap_or_default()
    }

    /// Identification of IPv4; 0 for IPv6, which has none.
    pub(super) fn identification(&self) -> u16 {
        match (self.flow.source, self.bytes.as_ref().get(4..6)) {
            (IpAddr::V4(_), Some([high, low])) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        }
    }

    /// Length of the IP header, in bytes.
    pub(super) const fn header_length(&self) -> usize {
        self.header_length
    }

    /// Its length, in bytes with the IP header, where that may be too much for a link: 0 if routers may
    /// fragment it, and for what every link takes in IPv6 (RFC 8200 §5).
    pub(super) fn rigid_length(&self) -> usize {
        let always_fits = self.flow.source.is_ipv6() && self.length <= usize::from(SMALLEST_V6_MTU);
        if self.whole && !always_fits { self.length } else { 0 }
    }

    /// Whether the checksum of the ICMP, UDP or TCP part is right; a UDP datagram in IPv4 may have none.
    pub(super) fn checksum_holds(&self) -> bool {
        let payload = self.payload();
        let absent = self.flow.protocol == UDP
            && self.flow.source.is_ipv4()
            && payload.get(6..8).is_some_and(|sum| sum == [0, 0]);
        absent || checksum(&self.flow, payload) == [0, 0]
    }
}

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMPV6: u8 = 58;
const V6_HEADER: usize = 40;
/// Whatever lies under IPv6 must carry so much in one piece (RFC 8200 §5).
pub(super) const SMALLEST_V6_MTU: u16 = 1280;

/// The Internet checksum (RFC 1071) of a transport part in network byte order, with the pseudo-header of its
/// family; ICMP in IPv4 has none. Over a part that carries its checksum it is zero if that is right.
pub(super) fn checksum(flow: &Flow, payload: &[u8]) -> [u8; 2] {
    let mut sum = pseudo_header(flow, payload.len());
    sum = sum.add_slice(payload);
    sum.ones_complement().to_ne_bytes()
}

/// RFC 793 §3.1, RFC 768 and RFC 8200 §8.1.
fn pseudo_header(flow: &Flow, length: usize) -> Sum16BitWords {
    let mut sum = Sum16BitWords::new();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    match (flow.source, flow.destination) {
        (IpAddr::V4(_), IpAddr::V4(_)) if flow.protocol == ICMP => return sum,
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            sum = sum.add_4bytes(source.octets()).add_4bytes(destination.octets());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            sum = sum.add_16bytes(source.octets()).add_16bytes(destination.octets());
        }
        _ => {}
    }
    sum.add_2bytes([0, flow.protocol]).add_4bytes(length.to_be_bytes())
}

/// Writes into a packet; nothing if it is too short.
pub(super) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    let end = at.saturating_add(value.len());
    if let Some(place) = bytes.get_mut(at..end) {
        place.copy_from_slice(value);
    }
}

fn first_four(payload: &[u8]) -> [u8; 4] {
    let mut four = [0; 4];
    for (place, byte) in four.iter_mut().zip(payload) {
        *place = *byte;
    }
    four
}

/// Does what a network card does for a kernel that leaves the checksums of TCP and UDP to it: where the field
/// holds only the sum of the pseudo-header, the whole checksum is put there. Everything else stays.
pub(super) fn complete_checksum(bytes: &mut [u8]) {
    let Some(packet) = Packet::of(&*bytes) else { return };
    let field: usize = match packet.flow.protocol {
        TCP => 16,
        UDP => 6,
        _ => return,
    };
    let payload = packet.payload();
    let partial = !pseudo_header(&packet.flow, payload.len()).ones_complement();
    let end = field.saturating_add(2);
    if payload.get(field..end) != Some(partial.to_ne_bytes().as_slice()) {
        return;
    }
    // The partial sum in the field stands for the pseudo-header.
    let whole = Sum16BitWords::new().add_slice(payload).to_ones_complement_with_no_zero();
    let at = packet.header_length().saturating_add(field);
    put(bytes, at, &whole.to_ne_bytes());
}

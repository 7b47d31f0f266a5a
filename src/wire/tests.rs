//! The packet layer against an independent reading of the same RFCs (`etherparse` checks what we build and
//! builds what we read), and against bytes that nobody in their right mind sends.

#![allow(clippy::cast_possible_truncation)]

mod build;
mod hostile;
mod icmp;
mod read;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::{Answer, Codec, Received, Sources, TagKey};
use crate::model::{FlowId, Port, Probe, Protocol, RoundId, Ttl};

const OUR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const OUR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
const ROUTER_V4: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1);
const PROTOCOLS: [Protocol; 3] = [Protocol::Icmp, Protocol::Udp, Protocol::Tcp];

const SOURCES: Sources = Sources { v4: Some(OUR_V4), v6: Some(OUR_V6) };

/// Every place that an attribution can leave the payload's parity in.
const ATTRIBUTIONS: [Option<&str>; 3] =
    [None, Some("mailto:noc@example.net"), Some("https://example.net/.well-known/probing.txt")];

fn codec() -> Codec {
    codec_of([7; 16], ATTRIBUTIONS[1])
}

fn codec_of(key: [u8; 16], attribution: Option<&str>) -> Codec {
    Codec::new(TagKey::from_bytes(key), SOURCES, attribution).unwrap()
}

fn probe_to(target: impl Into<IpAddr>, protocol: Protocol) -> Probe {
    let port = if protocol == Protocol::Icmp { None } else { Port::new(443) };
    Probe {
        round: RoundId(3),
        target: target.into(),
        protocol,
        port,
        flow: FlowId(7),
        ttl: Ttl::new(9).unwrap(),
        attempt: 0,
    }
}

/// One probe for each family and protocol.
fn one_of_each() -> Vec<Probe> {
    let targets = [
        IpAddr::from(Ipv4Addr::new(198, 51, 100, 77)),
        Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x77).into(),
    ];
    targets.into_iter().flat_map(|target| PROTOCOLS.map(|protocol| probe_to(target, protocol))).collect()
}

fn encoded(codec: &Codec, probe: &Probe) -> Vec<u8> {
    let mut packet = Vec::new();
    codec.encode(probe, &mut packet).unwrap();
    packet
}

fn router(probe: &Probe) -> IpAddr {
    if probe.target.is_ipv4() { ROUTER_V4.into() } else { ROUTER_V6.into() }
}

/// Bytes of the IP header in front of a probe's transport header.
fn ip_header(probe: &Probe) -> usize {
    if probe.target.is_ipv4() { 20 } else { 40 }
}

/// An ICMP or ICMPv6 message to us with these four type-dependent bytes and this body.
fn icmp(from: IpAddr, (kind, code): (u8, u8), word: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    match from {
        IpAddr::V4(from) => PacketBuilder::ipv4(from.octets(), OUR_V4.octets(), 61)
            .icmpv4_raw(kind, code, word)
            .write(&mut packet, body),
        IpAddr::V6(from) => PacketBuilder::ipv6(from.octets(), OUR_V6.octets(), 61)
            .icmpv6_raw(kind, code, word)
            .write(&mut packet, body),
    }
    .unwrap();
    packet
}

/// What a router quotes: the packet as it came in, with its last TTL.
fn as_quoted(mut packet: Vec<u8>) -> Vec<u8> {
    let ttl_at = if packet[0] >> 4 == 4 { 8 } else { 7 };
    packet[ttl_at] = 1;
    packet
}

/// Time exceeded from a router that quotes at most `length` bytes.
fn time_exceeded(codec: &Codec, probe: &Probe, length: usize) -> Vec<u8> {
    let mut quote = as_quoted(encoded(codec, probe));
    quote.truncate(length);
    time_exceeded_quoting(probe, &quote)
}

fn time_exceeded_quoting(probe: &Probe, quote: &[u8]) -> Vec<u8> {
    let kind = if probe.target.is_ipv4() { 11 } else { 3 };
    icmp(router(probe), (kind, 0), [0; 4], quote)
}

/// The target's own answer to an echo request or SYN, made from the probe's bytes alone.
fn from_target(codec: &Codec, probe: &Probe, rst: bool) -> Vec<u8> {
    let sent = encoded(codec, probe);
    let body = &sent[ip_header(probe)..];
    if probe.protocol == Protocol::Icmp {
        let kind = if probe.target.is_ipv4() { 0 } else { 129 };
        return icmp(probe.target, (kind, 0), body[4..8].try_into().unwrap(), &body[8..]);
    }
    let word = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let sequence = u32::from_be_bytes(body[4..8].try_into().unwrap());
    let segment = Segment { from_port: word(2), to_port: word(0), ack: sequence.wrapping_add(1), rst };
    segment.packet(probe.target)
}

/// A TCP segment to us that acknowledges something.
struct Segment {
    from_port: u16,
    to_port: u16,
    ack: u32,
    rst: bool,
}

impl Segment {
    fn packet(&self, from: IpAddr) -> Vec<u8> {
        let ip = match from {
            IpAddr::V4(from) => PacketBuilder::ipv4(from.octets(), OUR_V4.octets(), 50),
            IpAddr::V6(from) => PacketBuilder::ipv6(from.octets(), OUR_V6.octets(), 50),
        };
        let step = ip.tcp(self.from_port, self.to_port, 0x0102_0304, 1024).ack(self.ack);
        let mut packet = Vec::new();
        if self.rst { step.rst() } else { step.syn() }.write(&mut packet, &[]).unwrap();
        packet
    }
}

fn answer(codec: &Codec, packet: &[u8]) -> Answer {
    match codec.decode(packet) {
        Ok(Received::Answer(answer)) => answer,
        other => panic!("no answer: {other:?}"),
    }
}

fn any_target() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u8; 16]>().prop_map(IpAddr::from),]
}

prop_compose! {
    fn any_probe()(
        round in any::<u64>(),
        target in any_target(),
        protocol in prop::sample::select(&PROTOCOLS[..]),
        port in prop::option::of(1..=u16::MAX),
        flow in 0..=25_534_u16,
        ttl in 1..=255_u8,
        attempt in any::<u8>(),
    ) -> Probe {
        let port = port.and_then(Port::new).filter(|_| protocol != Protocol::Icmp);
        let ttl = Ttl::new(ttl).unwrap();
        Probe { round: RoundId(round), target, protocol, port, flow: FlowId(flow), ttl, attempt }
    }
}

prop_compose! {
    fn any_codec()(
        key in any::<[u8; 16]>(),
        attribution in prop::sample::select(&ATTRIBUTIONS[..]),
    ) -> Codec {
        codec_of(key, attribution)
    }
}

//! For the tests of the lab: packets as a prober sends them, what comes back, and a small Internet whose every
//! habit can be changed. Packets are built and read with `etherparse`, not with `wire`.

use std::net::IpAddr;
use std::time::Duration;

use etherparse::{Icmpv6Slice, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder, TcpHeader};

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::scenario::Scenario;
use super::simulator::Simulator;
use crate::model::{MonoTime, Underlay};

/// The vantage of the October 2017 scenario and of the line.
const V4: [u8; 4] = [188, 1, 144, 10];
const V6: [u16; 8] = [0x2001, 0x638, 0xc, 0xa001, 0, 0, 0, 0x10];

fn ip(to: &str, ttl: u8) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    match to.parse().unwrap() {
        IpAddr::V4(v4) => PacketBuilder::ipv4(V4, v4.octets(), ttl),
        IpAddr::V6(v6) => PacketBuilder::ipv6(std::net::Ipv6Addr::from(V6).octets(), v6.octets(), ttl),
    }
}

pub(super) fn echo_request(to: &str, ttl: u8, id: u16, sequence: u16) -> Vec<u8> {
    let payload = [0x5a; 12];
    let mut bytes = Vec::new();
    if to.contains(':') {
        let builder = ip(to, ttl).icmpv6_echo_request(id, sequence);
        builder.write(&mut bytes, &payload).unwrap();
    } else {
        let builder = ip(to, ttl).icmpv4_echo_request(id, sequence);
        builder.write(&mut bytes, &payload).unwrap();
    }
    bytes
}

pub(super) fn udp(to: &str, ttl: u8, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ip(to, ttl).udp(ports.0, ports.1).write(&mut bytes, payload).unwrap();
    bytes
}

pub(super) fn syn(to: &str, ttl: u8, ports: (u16, u16), sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    ip(to, ttl).tcp(ports.0, ports.1, sequence, 1024).syn().write(&mut bytes, &[]).unwrap();
    bytes
}

pub(super) fn ack(to: &str, ttl: u8, ports: (u16, u16), acknowledged: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    ip(to, ttl).tcp(ports.0, ports.1, 42, 1024).ack(acknowledged).write(&mut bytes, &[]).unwrap();
    bytes
}

/// The same packet with other bytes in its IPv4 header, and the checksum that fits them.
pub(super) fn with_v4_header(mut packet: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    packet[at..at + bytes.len()].copy_from_slice(bytes);
    let (mut header, payload) = Ipv4Header::from_slice(&packet).unwrap();
    header.header_checksum = header.calc_header_checksum();
    [&header.to_bytes(), payload].concat()
}

/// A received packet, taken apart and verified by `etherparse`: every checksum, every length.
pub(super) struct Received {
    pub(super) from: IpAddr,
    pub(super) ttl: u8,
    pub(super) protocol: IpNumber,
    pub(super) payload: Vec<u8>,
}

pub(super) fn received(packet: &[u8]) -> Received {
    if packet[0] >> 4 == 4 {
        let (header, payload) = Ipv4Header::from_slice(packet).unwrap();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(usize::from(header.total_len), packet.len());
        let from = IpAddr::from(header.source);
        verify_v4(&header, payload);
        Received { from, ttl: header.time_to_live, protocol: header.protocol, payload: payload.to_vec() }
    } else {
        let (header, payload) = Ipv6Header::from_slice(packet).unwrap();
        assert_eq!(usize::from(header.payload_length), payload.len());
        let from = IpAddr::from(header.source);
        verify_v6(&header, payload);
        Received { from, ttl: header.hop_limit, protocol: header.next_header, payload: payload.to_vec() }
    }
}

fn verify_v4(ip: &Ipv4Header, payload: &[u8]) {
    if ip.protocol == IpNumber::ICMP {
        // Not etherparse's: it takes the length byte of RFC 4884 for unused.
        let words = payload
            .chunks(2)
            .map(|pair| u32::from(pair[0]) * 256 + pair.get(1).map_or(0, |low| u32::from(*low)));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    } else {
        let (header, data) = TcpHeader::from_slice(payload).unwrap();
        assert_eq!(header.calc_checksum_ipv4(ip, data).unwrap(), header.checksum);
    }
}

fn verify_v6(ip: &Ipv6Header, payload: &[u8]) {
    if ip.next_header == IpNumber::IPV6_ICMP {
        let icmp = Icmpv6Slice::from_slice(payload).unwrap();
        assert!(icmp.is_checksum_valid(ip.source, ip.destination));
    } else {
        let (header, data) = TcpHeader::from_slice(payload).unwrap();
        assert_eq!(header.calc_checksum_ipv6(ip, data).unwrap(), header.checksum);
    }
}

/// Type and code of an ICMP answer.
pub(super) fn said(packet: &[u8]) -> (u8, u8) {
    let received = received(packet);
    assert!(received.protocol == IpNumber::ICMP || received.protocol == IpNumber::IPV6_ICMP);
    (received.payload[0], received.payload[1])
}

/// Four routers of one AS in a row, at 10 ms from each other; the vantage before the first, a host behind the
/// last. Names: r1 to r4, l12 to l34. Addresses: router n has `188.1.0.n` and `2001:638::n`; where a link has
/// addresses, its end at router n is `188.1.12.n` or `2001:638:12::n`.
const LINE: &str = r#"
seed = 1

[clock]
start = "2017-10-01T08:00:00Z"
duration = "1h"

[vantage]
name = "here"
addresses = ["188.1.144.10", "2001:638:c:a001::10"]
gateway = "r1"

[[as]]
number = 680
name = "One"
prefixes = ["188.1.0.0/16", "2001:638::/32"]

[[router]]
name = "r1"
as = 680
addresses = ["188.1.0.1", "2001:638::1"]

[[router]]
name = "r2"
as = 680
addresses = ["188.1.0.2", "2001:638::2"]

[[router]]
name = "r3"
as = 680
addresses = ["188.1.0.3", "2001:638::3"]

[[router]]
name = "r4"
as = 680
addresses = ["188.1.0.4", "2001:638::4"]

[[link]]
name = "l12"
between = ["r1", "r2"]
addresses = [["188.1.12.1", "2001:638:12::1"], ["188.1.12.2", "2001:638:12::2"]]
delay = "10ms"

[[link]]
name = "l23"
between = ["r2", "r3"]
addresses = [["188.1.23.2", "2001:638:23::2"], ["188.1.23.3", "2001:638:23::3"]]
delay = "10ms"

[[link]]
name = "l34"
between = ["r3", "r4"]
addresses = [["188.1.34.3", "2001:638:34::3"], ["188.1.34.4", "2001:638:34::4"]]
delay = "10ms"

[[network]]
prefix = "203.0.113.0/24"
router = "r4"

[[network]]
prefix = "2001:db8::/32"
router = "r4"

[[host]]
addresses = ["203.0.113.10", "2001:db8::10"]
open = [80]
"#;

/// The host of the line, by family.
pub(super) const HOSTS: [&str; 2] = ["203.0.113.10", "2001:db8::10"];

/// Two ASes, AS3356 and AS1299, between the vantage in AS680 and AS64500, whose network holds one host. The
/// two are providers of the other two, and peers. Every AS has one router, and links are named after both:
/// edge-left, edge-right, left-far, right-far, left-right.
const FORK: &str = r#"
seed = 1

[clock]
start = "2017-10-01T08:00:00Z"
duration = "1h"

[vantage]
name = "here"
addresses = ["188.1.144.10", "2001:638:c:a001::10"]
gateway = "edge"

[[as]]
number = 680
name = "Edge"
prefixes = ["188.1.0.0/16", "2001:638::/32"]
providers = [3356, 1299]

[[as]]
number = 3356
name = "Left"
peers = [1299]
prefixes = ["4.0.0.0/9"]

[[as]]
number = 1299
name = "Right"
prefixes = ["62.115.0.0/16"]

[[as]]
number = 64500
name = "Far"
prefixes = ["203.0.112.0/20"]
providers = [3356, 1299]

[[router]]
name = "edge"
as = 680
addresses = ["188.1.0.1", "2001:638::1"]

[[router]]
name = "left"
as = 3356
addresses = ["4.0.0.1"]

[[router]]
name = "right"
as = 1299
addresses = ["62.115.0.1"]

[[router]]
name = "far"
as = 64500
addresses = ["203.0.112.1"]

[[link]]
name = "edge-left"
between = ["edge", "left"]
delay = "10ms"

[[link]]
name = "edge-right"
between = ["edge", "right"]
delay = "10ms"

[[link]]
name = "left-far"
between = ["left", "far"]
delay = "10ms"

[[link]]
name = "right-far"
between = ["right", "far"]
delay = "10ms"

[[link]]
name = "left-right"
between = ["left", "right"]
delay = "10ms"

[[network]]
prefix = "203.0.113.0/24"
router = "far" # name = "network"

[[host]]
addresses = ["203.0.113.10"]
"#;

/// The line, with more keys at what is named, and more tables at the end. What is named `""` is the top.
pub(super) fn line(changes: &[(&str, &str)], tables: &str) -> Scenario {
    changed(LINE, changes, tables)
}

/// The fork, changed in the same way.
pub(super) fn fork(changes: &[(&str, &str)], tables: &str) -> Scenario {
    changed(FORK, changes, tables)
}

fn changed(text: &str, changes: &[(&str, &str)], tables: &str) -> Scenario {
    let mut text = format!("{text}{tables}");
    for (name, keys) in changes {
        let place = if name.is_empty() { "seed = 1".to_owned() } else { format!("name = \"{name}\"") };
        let kept = if name.is_empty() { "" } else { &place };
        assert_eq!(text.matches(&place).count(), 1, "{place}");
        text = text.replace(&place, &format!("{kept}\n{keys}"));
    }
    Scenario::parse("changed.toml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// A lab to which packets are sent at times since its start.
pub(super) struct Bench {
    pub(super) lab: Simulator,
}

impl Bench {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self { lab: Simulator::new(scenario) }
    }

    /// The line, changed as in [`line`].
    pub(super) fn line(changes: &[(&str, &str)], tables: &str) -> Self {
        Self::new(&line(changes, tables))
    }

    pub(super) fn send(&mut self, at: Duration, packet: &[u8]) {
        self.lab.inject(MonoTime::default().after(at), packet);
    }

    /// All that arrives from now on, with the time since the start.
    pub(super) fn arrivals(&mut self) -> Vec<(Duration, Vec<u8>)> {
        let next = || self.lab.advance(MonoTime::NEVER);
        std::iter::from_fn(next).map(|(at, packet)| (at.since(MonoTime::default()), packet)).collect()
    }

    /// What a packet brings back, if anything; at most one packet.
    pub(super) fn ask(&mut self, at: Duration, packet: &[u8]) -> Option<Vec<u8>> {
        self.send(at, packet);
        let mut arrivals = self.arrivals();
        assert!(arrivals.len() < 2, "{} packets came", arrivals.len());
        arrivals.pop().map(|(_, packet)| packet)
    }

    /// From where a packet is answered.
    pub(super) fn answers_from(&mut self, at: Duration, packet: &[u8]) -> Option<IpAddr> {
        self.ask(at, packet).map(|answer| received(&answer).from)
    }
}

/// How likely it is that counts lie as far from what their shares make expected as these do, or farther (Pearson
/// 1900). The shares need not add up to 1.
#[allow(clippy::cast_precision_loss)]
pub(super) fn likelihood(counts: &[u32], shares: &[f64]) -> f64 {
    assert_eq!(counts.len(), shares.len());
    let total = f64::from(counts.iter().sum::<u32>());
    let whole: f64 = shares.iter().sum();
    let distance = |(count, share): (&u32, &f64)| {
        let expected = total * share / whole;
        (f64::from(*count) - expected).powi(2) / expected
    };
    let statistic: f64 = counts.iter().zip(shares).map(distance).sum();
    1.0 - ChiSquared::new(counts.len() as f64 - 1.0).unwrap().cdf(statistic)
}

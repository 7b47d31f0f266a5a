//! Packets as a prober sends them, for the tests of the lab; built with `etherparse`, not with `wire`.

use std::net::IpAddr;

use etherparse::PacketBuilder;

/// The vantage of the October 2017 scenario.
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

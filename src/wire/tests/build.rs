//! What leaves: right checksums, pinned flows, attribution.

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};

use super::*;
use crate::wire::EncodeError;

/// The checksum that stands in the transport header and the one that should.
fn transport_checksums(packet: &[u8]) -> (u16, u16) {
    let headers = PacketHeaders::from_ip_slice(packet).unwrap();
    let payload = headers.payload.slice();
    match (headers.net.unwrap(), headers.transport.unwrap()) {
        (NetHeaders::Ipv4(..), TransportHeader::Icmpv4(icmp)) => {
            (icmp.checksum, icmp.icmp_type.calc_checksum(payload))
        }
        (NetHeaders::Ipv4(ip, _), TransportHeader::Udp(udp)) => {
            (udp.checksum, udp.calc_checksum_ipv4(&ip, payload).unwrap())
        }
        (NetHeaders::Ipv4(ip, _), TransportHeader::Tcp(tcp)) => {
            (tcp.checksum, tcp.calc_checksum_ipv4(&ip, payload).unwrap())
        }
        (NetHeaders::Ipv6(ip, _), TransportHeader::Icmpv6(icmp)) => {
            (icmp.checksum, icmp.icmp_type.calc_checksum(ip.source, ip.destination, payload).unwrap())
        }
        (NetHeaders::Ipv6(ip, _), TransportHeader::Udp(udp)) => {
            (udp.checksum, udp.calc_checksum_ipv6(&ip, payload).unwrap())
        }
        (NetHeaders::Ipv6(ip, _), TransportHeader::Tcp(tcp)) => {
            (tcp.checksum, tcp.calc_checksum_ipv6(&ip, payload).unwrap())
        }
        other => panic!("unexpected headers: {other:?}"),
    }
}

/// Everything that a load balancer could hash: addresses, protocol, type of service, flow label, length,
/// and the first four bytes of the transport header.
fn hashed(packet: &[u8]) -> Vec<u8> {
    if packet[0] >> 4 == 4 {
        [&packet[1..4], &packet[9..10], &packet[12..24]].concat()
    } else {
        [&packet[..7], &packet[8..44]].concat()
    }
}

proptest! {
    #[test]
    fn every_checksum_is_right_in_the_eyes_of_another_library(codec in any_codec(), probe in any_probe()) {
        let packet = encoded(&codec, &probe);
        let (found, right) = transport_checksums(&packet);
        prop_assert_eq!(found, right);
        prop_assert_ne!(found, 0);
        if let NetHeaders::Ipv4(ip, _) = PacketHeaders::from_ip_slice(&packet).unwrap().net.unwrap() {
            prop_assert_eq!(ip.header_checksum, ip.calc_header_checksum());
            prop_assert_ne!(ip.identification, 0);
        }
    }

    #[test]
    fn the_headers_say_what_the_probe_asks(codec in any_codec(), probe in any_probe()) {
        let packet = encoded(&codec, &probe);
        let headers = PacketHeaders::from_ip_slice(&packet).unwrap();
        match headers.net.unwrap() {
            NetHeaders::Ipv4(ip, _) => {
                prop_assert_eq!(IpAddr::from(ip.destination), probe.target);
                prop_assert_eq!((Ipv4Addr::from(ip.source), ip.time_to_live), (OUR_V4, probe.ttl.get()));
                prop_assert_eq!((usize::from(ip.total_len), ip.fragment_offset.value()), (packet.len(), 0));
                prop_assert!(!ip.dont_fragment && !ip.more_fragments);
            }
            NetHeaders::Ipv6(ip, _) => {
                prop_assert_eq!(IpAddr::from(ip.destination), probe.target);
                prop_assert_eq!((Ipv6Addr::from(ip.source), ip.hop_limit), (OUR_V6, probe.ttl.get()));
                prop_assert_eq!(usize::from(ip.payload_length), packet.len() - 40);
            }
            NetHeaders::Arp(_) => panic!("ARP"),
        }
        let default = if probe.protocol == Protocol::Udp { 33_434 } else { 80 };
        let port = probe.port.map_or(default, Port::get);
        match headers.transport.unwrap() {
            TransportHeader::Udp(udp) => prop_assert_eq!(udp.destination_port, port),
            TransportHeader::Tcp(tcp) => {
                prop_assert_eq!(tcp.destination_port, port);
                prop_assert!(tcp.syn && !tcp.ack && !tcp.rst && tcp.options.as_slice().is_empty());
            }
            _ => prop_assert_eq!(probe.protocol, Protocol::Icmp),
        }
    }

    #[test]
    fn a_flow_looks_the_same_in_every_round_at_every_ttl_and_under_every_key(
        probe in any_probe(),
        round in any::<u64>(),
        ttl in 1..=255_u8,
        attempt in any::<u8>(),
        key in any::<[u8; 16]>(),
    ) {
        let later = Probe { round: RoundId(round), ttl: Ttl::new(ttl).unwrap(), attempt, ..probe };
        let restarted = codec_of(key, ATTRIBUTIONS[1]);
        prop_assert_eq!(hashed(&encoded(&codec(), &probe)), hashed(&encoded(&restarted, &later)));
    }

    #[test]
    fn two_flows_differ_in_what_is_hashed(probe in any_probe(), other in 0..=25_534_u16) {
        prop_assume!(probe.flow.0 != other);
        let other = Probe { flow: FlowId(other), ..probe };
        let (one, two) = (encoded(&codec(), &probe), encoded(&codec(), &other));
        prop_assert_ne!(hashed(&one), hashed(&two));
        let transport = ip_header(&probe);
        prop_assert_ne!(&one[transport..transport + 4], &two[transport..transport + 4]);
    }

    #[test]
    fn every_field_of_a_probe_changes_its_tag(
        probe in any_probe(), round in any::<u64>(), attempt in any::<u8>(),
    ) {
        let key_of = |probe: &Probe| codec().key_of(probe).tag;
        prop_assert_eq!(key_of(&probe), key_of(&probe.clone()));
        let other_ttl = Ttl::new(probe.ttl.get() % 255 + 1).unwrap();
        let others = [
            Probe { round: RoundId(round), ..probe },
            Probe { attempt, ..probe },
            Probe { ttl: other_ttl, ..probe },
            Probe { flow: FlowId((probe.flow.0 + 1) % 25_535), ..probe },
        ];
        for other in others.into_iter().filter(|other| *other != probe) {
            prop_assert_ne!(key_of(&other), key_of(&probe));
        }
    }
}

/// A dataset that is continued after an update must find the same flows: these bytes never change.
#[test]
fn flow_seven_is_the_same_in_every_version() {
    for probe in one_of_each() {
        let packet = encoded(&codec(), &probe);
        let transport = ip_header(&probe);
        let flow = match (probe.protocol, probe.target.is_ipv4()) {
            (Protocol::Icmp, true) => [8, 0, 0x9C, 0x47],
            (Protocol::Icmp, false) => [128, 0, 0x9C, 0x47],
            _ => [0x9C, 0x47, 1, 187],
        };
        assert_eq!(packet[transport..transport + 4], flow, "{probe:?}");
        if probe.target.is_ipv6() {
            assert_eq!(packet[..4], [0x60, 0, 0x9C, 0x47], "{probe:?}");
        }
    }
}

/// A round that is continued after an update must find its outstanding probes.
#[test]
fn the_tag_is_siphash_2_4_of_the_documented_bytes() {
    let probe = probe_to(Ipv4Addr::new(198, 51, 100, 77), Protocol::Udp);
    let name = [
        &[0, 0, 0, 0, 0, 0, 0, 3][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 198, 51, 100, 77],
        &[1, 187, 0, 7, 4, 2, 9, 0],
    ]
    .concat();
    let hash = siphasher::sip::SipHasher24::new_with_key(&[7; 16]).hash(&name);
    let (high, low) = ((hash >> 32) % 65_535 + 1, (hash & 0xFFFF_FFFF) % 65_535 + 1);
    assert_eq!(u64::from(codec().key_of(&probe).tag), high << 16 | low);
}

#[test]
fn the_attribution_begins_the_payload_and_ends_with_a_zero() {
    for probe in one_of_each().iter().filter(|probe| probe.protocol != Protocol::Tcp) {
        let packet = encoded(&codec(), probe);
        let payload = &packet[ip_header(probe) + 8..];
        assert!(payload.starts_with(b"mailto:noc@example.net\0"), "{probe:?}");
    }
}

#[test]
fn the_longest_attribution_keeps_a_probe_below_what_every_host_takes() {
    let longest = format!("https:{}", "x".repeat(194));
    let codec = codec_of([1; 16], Some(&longest));
    for probe in one_of_each() {
        assert!(encoded(&codec, &probe).len() <= 300, "{probe:?}");
    }
}

#[test]
fn without_an_address_of_the_family_nothing_is_built() {
    let none = Codec::new(TagKey::from_bytes([0; 16]), Sources::default(), None).unwrap();
    for probe in one_of_each() {
        assert_eq!(none.encode(&probe, &mut Vec::new()), Err(EncodeError::NoSource(probe.target)));
    }
}

#[test]
fn a_flow_without_a_port_of_its_own_is_refused_instead_of_sharing_one() {
    for probe in one_of_each() {
        let too_high = Probe { flow: FlowId(25_535), ..probe };
        let error = codec().encode(&too_high, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "flow 25535: must be at most 25534");
    }
}

#[test]
fn a_packet_buffer_is_used_again_without_growing() {
    let mut packet = Vec::with_capacity(300);
    let place = packet.as_ptr();
    for probe in one_of_each() {
        codec().encode(&probe, &mut packet).unwrap();
        assert_eq!(packet, encoded(&codec(), &probe));
    }
    assert_eq!((packet.as_ptr(), packet.capacity()), (place, 300));
}

#[test]
fn the_key_is_never_shown_and_its_fingerprint_tells_keys_apart() {
    let (one, other) = (TagKey::from_bytes([0xAB; 16]), TagKey::from_bytes([0xAC; 16]));
    assert_eq!(format!("{one:?}"), "TagKey(..)");
    assert!(!format!("{:?}", codec_of([0xAB; 16], None)).contains("171"));
    assert_eq!(one.fingerprint().len(), 16);
    assert_eq!(one.fingerprint(), one.clone().fingerprint());
    assert_ne!(one.fingerprint(), other.fingerprint());
}

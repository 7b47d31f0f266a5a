//! What comes back finds its probe, and only its own.

use super::*;
use crate::model::{MatchQuality, ReplyKind};
use crate::wire::{MatchKey, Reason};

/// The shortest quote that brings the tag back: what RFC 792 demands; for UDP over IPv6, up to the tag.
fn shortest_quote(codec: &Codec, probe: &Probe) -> usize {
    match (probe.target.is_ipv4(), probe.protocol) {
        (false, Protocol::Udp) => encoded(codec, probe).len() - 2,
        _ => ip_header(probe) + 8,
    }
}

proptest! {
    #[test]
    fn a_router_s_answer_finds_its_probe_whatever_it_quotes(
        codec in any_codec(), probe in any_probe(), more in 0..300_usize,
    ) {
        let length = shortest_quote(&codec, &probe) + more;
        let answer = answer(&codec, &time_exceeded(&codec, &probe, length));
        prop_assert_eq!(answer.key, codec.key_of(&probe));
        prop_assert_eq!(answer.agreement(&codec, &probe), Some(MatchQuality::Exact));
        prop_assert_eq!((answer.from, answer.kind), (router(&probe), ReplyKind::TimeExceeded));
        prop_assert_eq!(answer.flow, Some(probe.flow));
        let reply = answer.into_reply(MatchQuality::Exact);
        prop_assert_eq!((reply.reply_ttl, reply.quoted_ttl), (Some(61), Some(1)));
    }

    #[test]
    fn the_target_s_own_answer_finds_its_probe(
        codec in any_codec(), probe in any_probe(), rst in any::<bool>(),
    ) {
        prop_assume!(probe.protocol != Protocol::Udp);
        let packet = from_target(&codec, &probe, rst);
        let answer = answer(&codec, &packet);
        prop_assert_eq!(answer.key, codec.key_of(&probe));
        prop_assert_eq!(answer.agreement(&codec, &probe), Some(MatchQuality::Exact));
        let kind = match (probe.protocol, rst) {
            (Protocol::Icmp, _) => ReplyKind::EchoReply,
            (_, true) => ReplyKind::Rst,
            (_, false) => ReplyKind::SynAck,
        };
        prop_assert_eq!((answer.kind, usize::from(answer.size)), (kind, packet.len()));
        prop_assert_eq!(answer.icmp.is_some(), probe.protocol == Protocol::Icmp);
        prop_assert_eq!(answer.flow, Some(probe.flow));
    }

    #[test]
    fn a_probe_seen_leaving_is_recognised(codec in any_codec(), probe in any_probe()) {
        let seen = codec.decode(&encoded(&codec, &probe));
        prop_assert_eq!(seen, Ok(Received::OwnProbe(codec.key_of(&probe))));
    }

    #[test]
    fn an_answer_made_without_the_key_matches_nothing(
        probe in any_probe(), key in any::<[u8; 16]>(), rst in any::<bool>(),
    ) {
        let ours = codec();
        let forger = codec_of(key, ATTRIBUTIONS[1]);
        prop_assume!(forger.key_of(&probe) != ours.key_of(&probe));
        let mut packets = vec![time_exceeded(&forger, &probe, 576)];
        if probe.protocol != Protocol::Udp {
            packets.push(from_target(&forger, &probe, rst));
        }
        for packet in packets {
            let answer = answer(&ours, &packet);
            prop_assert_ne!(answer.key, ours.key_of(&probe));
            prop_assert_eq!(answer.agreement(&ours, &probe), None);
        }
    }

    #[test]
    fn an_answer_agrees_with_no_other_probe(probe in any_probe(), other in any_probe()) {
        let codec = codec();
        prop_assume!(codec.key_of(&other) != codec.key_of(&probe));
        prop_assert_eq!(answer(&codec, &time_exceeded(&codec, &probe, 576)).agreement(&codec, &other), None);
    }
}

#[test]
fn an_answer_in_the_target_s_name_from_elsewhere_is_not_matched() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.protocol != Protocol::Udp) {
        let genuine = answer(&codec, &from_target(&codec, probe, false));
        let elsewhere = Answer { from: router(probe), ..genuine.clone() };
        assert_eq!(elsewhere.agreement(&codec, probe), None, "{probe:?}");
        let other_kind = match genuine.kind {
            ReplyKind::EchoReply => ReplyKind::SynAck,
            _ => ReplyKind::EchoReply,
        };
        assert_eq!(Answer { kind: other_kind, ..genuine }.agreement(&codec, probe), None, "{probe:?}");
    }
}

#[test]
fn an_error_that_quotes_nothing_is_not_matched() {
    let (codec, probe) = (codec(), one_of_each()[0]);
    let read = answer(&codec, &time_exceeded(&codec, &probe, 28));
    assert_eq!(Answer { quoted: None, ..read }.agreement(&codec, &probe), None);
}

/// Rewrites bytes of the quoted probe, counted from its transport header.
fn mangled(codec: &Codec, probe: &Probe, at: usize, with: &[u8]) -> Answer {
    let mut quote = as_quoted(encoded(codec, probe));
    let at = ip_header(probe) + at;
    quote[at..at + with.len()].copy_from_slice(with);
    answer(codec, &time_exceeded_quoting(probe, &quote))
}

#[test]
fn a_translated_source_port_is_tolerated_and_said() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.protocol != Protocol::Icmp) {
        let answer = mangled(&codec, probe, 0, &[0x12, 0x34]);
        assert_eq!(answer.quoted.unwrap().source_port, 0x1234);
        assert_eq!(answer.agreement(&codec, probe), Some(MatchQuality::Tolerant), "{probe:?}");
    }
}

/// An address translator changes the UDP checksum or the echo identifier, and may not change it back in
/// what a router behind it quotes.
#[test]
fn a_rewritten_header_is_tolerated_where_the_payload_still_has_the_tag() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.protocol != Protocol::Tcp) {
        let at = if probe.protocol == Protocol::Icmp { 4 } else { 6 };
        let answer = mangled(&codec, probe, at, &[0, 0]);
        assert_eq!(answer.key, codec.key_of(probe));
        assert!(!answer.quoted.unwrap().tag_intact);
        assert_eq!(answer.agreement(&codec, probe), Some(MatchQuality::Tolerant), "{probe:?}");
    }
}

#[test]
fn a_router_that_swaps_the_quoted_identification_is_tolerated() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv4()) {
        let mut quote = as_quoted(encoded(&codec, probe));
        quote.swap(4, 5);
        for length in [28, quote.len()] {
            let answer = answer(&codec, &time_exceeded_quoting(probe, &quote[..length]));
            assert_eq!(
                answer.agreement(&codec, probe),
                Some(MatchQuality::Tolerant),
                "{length}: {probe:?}"
            );
        }
    }
}

#[test]
fn a_quoted_ttl_above_the_one_that_was_sent_is_said() {
    let codec = codec();
    for probe in one_of_each() {
        let mut quote = encoded(&codec, &probe);
        quote[if probe.target.is_ipv4() { 8 } else { 7 }] = 200;
        let answer = answer(&codec, &time_exceeded_quoting(&probe, &quote));
        assert_eq!(answer.agreement(&codec, &probe), Some(MatchQuality::Tolerant), "{probe:?}");
    }
}

/// As Linux routers with strange quoting, and CVE-2022-23093 in FreeBSD's ping, had it.
#[test]
fn options_in_either_ipv4_header_are_stepped_over() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv4()) {
        let quote = with_options(&as_quoted(encoded(&codec, probe))[..28]);
        let packet = with_options(&time_exceeded_quoting(probe, &quote));
        assert_eq!(answer(&codec, &packet).key, codec.key_of(probe), "{probe:?}");
    }
}

/// The IPv4 packet with 40 bytes of no-operation options.
fn with_options(packet: &[u8]) -> Vec<u8> {
    let mut packet = [&packet[..20], &[1; 40], &packet[20..]].concat();
    packet[0] = 0x4F;
    let length = packet.len() as u16;
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    packet
}

/// An IPv6 packet with these extension headers, each (its number, its bytes without the first).
fn with_headers(packet: &[u8], headers: &[(u8, &[u8])]) -> Vec<u8> {
    let mut next = packet[6];
    let mut chain = Vec::new();
    for (number, rest) in headers.iter().rev() {
        chain.splice(0..0, [&[next][..], rest].concat());
        next = *number;
    }
    let mut packet = [&packet[..40], &chain, &packet[40..]].concat();
    packet[6] = next;
    let length = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&length.to_be_bytes());
    packet
}

const PADDING: &[u8] = &[0, 1, 4, 0, 0, 0, 0];
const FIRST_FRAGMENT: &[u8] = &[0, 0, 1, 0, 0, 0, 9];
const LATER_FRAGMENT: &[u8] = &[0, 0, 8, 0, 0, 0, 9];

#[test]
fn extension_headers_in_either_ipv6_header_are_stepped_over() {
    let codec = codec();
    let chain: &[(u8, &[u8])] = &[
        (0, PADDING),
        (43, PADDING),
        (44, FIRST_FRAGMENT),
        (51, &[1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0]),
        (60, PADDING),
    ];
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv6()) {
        let quote = with_headers(&as_quoted(encoded(&codec, probe)), chain);
        let packet = with_headers(&time_exceeded_quoting(probe, &quote), chain);
        let answer = answer(&codec, &packet);
        assert_eq!(answer.agreement(&codec, probe), Some(MatchQuality::Exact), "{probe:?}");
    }
}

#[test]
fn an_endless_chain_of_extension_headers_is_not_walked() {
    let codec = codec();
    let probe = one_of_each()[3];
    let packet = with_headers(&from_target(&codec, &probe, false), &[(60, PADDING); 9]);
    assert_eq!(codec.decode(&packet), Ok(Received::Foreign));
}

#[test]
fn a_fragment_without_transport_header_is_left_alone() {
    let codec = codec();
    let (v4, v6) = (one_of_each()[0], one_of_each()[3]);
    let mut packet = from_target(&codec, &v4, false);
    packet[7] = 1;
    assert_eq!(codec.decode(&packet), Ok(Received::Foreign));
    let packet = with_headers(&from_target(&codec, &v6, false), &[(44, LATER_FRAGMENT)]);
    assert_eq!(codec.decode(&packet), Ok(Received::Foreign));
    // What stands behind a later fragment's header is payload, whatever number it has.
    let chain: &[(u8, &[u8])] = &[(44, LATER_FRAGMENT), (60, &[255, 0, 0, 0, 0, 0, 0])];
    let packet = with_headers(&from_target(&codec, &v6, false), chain);
    assert_eq!(codec.decode(&packet), Ok(Received::Foreign));
    let quote = with_headers(&as_quoted(encoded(&codec, &v6)), &[(44, LATER_FRAGMENT)]);
    assert_eq!(codec.decode(&time_exceeded_quoting(&v6, &quote)), Ok(Received::Foreign));
}

#[test]
fn what_is_not_addressed_to_us_is_foreign_even_when_broken() {
    let elsewhere = Sources { v4: Some(Ipv4Addr::LOCALHOST), v6: Some(Ipv6Addr::LOCALHOST) };
    let other = Codec::new(TagKey::from_bytes([7; 16]), elsewhere, ATTRIBUTIONS[1]).unwrap();
    let deaf = Codec::new(TagKey::from_bytes([7; 16]), Sources::default(), ATTRIBUTIONS[1]).unwrap();
    for probe in one_of_each() {
        for length in [28, 41, 48, 576] {
            let packet = time_exceeded(&codec(), &probe, length);
            assert_eq!(other.decode(&packet), Ok(Received::Foreign));
            assert_eq!(deaf.decode(&packet), Ok(Received::Foreign));
        }
    }
}

#[test]
fn errors_about_other_people_s_packets_are_foreign() {
    let codec = codec();
    for probe in one_of_each() {
        let v4 = probe.target.is_ipv4();
        let sent = as_quoted(encoded(&codec, &probe));
        let mut from_elsewhere = sent.clone();
        from_elsewhere[if v4 { 15 } else { 23 }] ^= 1;
        let mut other_protocol = sent.clone();
        other_protocol[if v4 { 9 } else { 6 }] = 47;
        let mut quotes = vec![from_elsewhere, other_protocol];
        if probe.protocol == Protocol::Icmp {
            let mut other_type = sent.clone();
            other_type[ip_header(&probe)] = if v4 { 13 } else { 135 };
            quotes.push(other_type);
        }
        for quote in quotes {
            assert_eq!(
                codec.decode(&time_exceeded_quoting(&probe, &quote)),
                Ok(Received::Foreign),
                "{probe:?}"
            );
        }
    }
}

#[test]
fn a_udp_quote_over_ipv6_that_ends_before_the_tag_is_told_from_one_of_other_text() {
    let codec = codec();
    let probe = one_of_each()[4];
    let error = codec.decode(&time_exceeded(&codec, &probe, 48)).unwrap_err();
    assert_eq!((error.reason, error.offset), (Reason::Truncated, 40 + 8 + 48));
    let mut quote = as_quoted(encoded(&codec, &probe));
    quote[48] = b'X';
    assert_eq!(codec.decode(&time_exceeded_quoting(&probe, &quote)), Ok(Received::Foreign));
}

#[test]
fn a_quote_of_the_other_family_is_malformed() {
    let codec = codec();
    let (v4, v6) = (one_of_each()[0], one_of_each()[3]);
    let packet = time_exceeded_quoting(&v4, &encoded(&codec, &v6));
    let error = codec.decode(&packet).unwrap_err();
    assert_eq!(error.to_string(), "bad_quote at byte 28");
    let packet = time_exceeded_quoting(&v6, &encoded(&codec, &v4));
    assert_eq!(codec.decode(&packet).unwrap_err().to_string(), "bad_quote at byte 48");
}

#[test]
fn a_header_shorter_than_a_header_is_malformed() {
    let (codec, probe) = (codec(), one_of_each()[0]);
    let mut packet = from_target(&codec, &probe, false);
    packet[0] = 0x44;
    assert_eq!(codec.decode(&packet).unwrap_err().to_string(), "bad_header_length at byte 0");
    let mut quote = as_quoted(encoded(&codec, &probe));
    quote[0] = 0x44;
    let error = codec.decode(&time_exceeded_quoting(&probe, &quote)).unwrap_err();
    assert_eq!(error.to_string(), "bad_quote at byte 28");
    assert_eq!(codec.decode(&[]).unwrap_err().to_string(), "truncated at byte 0");
    assert_eq!(codec.decode(&[0x55]).unwrap_err().to_string(), "bad_version at byte 0");
}

#[test]
fn ethernet_padding_is_not_a_part_of_the_packet() {
    let codec = codec();
    for probe in one_of_each().iter().filter(|probe| probe.protocol != Protocol::Udp) {
        let mut packet = from_target(&codec, probe, true);
        let genuine = answer(&codec, &packet);
        packet.extend([0xEE; 6]);
        assert_eq!(answer(&codec, &packet), genuine);
    }
}

#[test]
fn tcp_segments_that_answer_no_syn_of_ours_are_foreign() {
    let codec = codec();
    for target in [IpAddr::from(ROUTER_V4), ROUTER_V6.into()] {
        let own_port = Segment { from_port: 443, to_port: 40_007, ack: 9, rst: false };
        let other_port = Segment { to_port: 39_999, ..own_port };
        assert_eq!(codec.decode(&other_port.packet(target)), Ok(Received::Foreign));
        let mut packet = Segment { rst: true, ..own_port }.packet(target);
        let flags = if target.is_ipv4() { 33 } else { 53 };
        assert_eq!(packet[flags], 0x14);
        packet[flags] = 0x04;
        assert_eq!(codec.decode(&packet), Ok(Received::Foreign), "RST without ACK");
        packet[flags] = 0x10;
        assert_eq!(codec.decode(&packet), Ok(Received::Foreign), "bare ACK");
    }
}

#[test]
fn what_others_send_from_our_address_is_not_taken_for_a_probe() {
    let codec = codec();
    let target = [198, 51, 100, 77];
    let builder = || PacketBuilder::ipv4(OUR_V4.octets(), target, 64);
    let mut packets = vec![Vec::new(); 5];
    let v6 = PacketBuilder::ipv6(OUR_V6.octets(), ROUTER_V6.octets(), 64);
    v6.tcp(39_999, 443, 5, 65_535).syn().write(&mut packets[4], &[]).unwrap();
    builder().udp(41_000, 53).write(&mut packets[0], b"a query, not a probe").unwrap();
    builder().icmpv4_echo_request(1, 1).write(&mut packets[1], &[0; 56]).unwrap();
    let options = [etherparse::TcpOptionElement::MaximumSegmentSize(1460)];
    let syn = builder().tcp(41_000, 443, 5, 64_240).syn().options(&options).unwrap();
    syn.write(&mut packets[2], &[]).unwrap();
    builder().tcp(41_000, 443, 5, 64_240).ack(7).write(&mut packets[3], b"GET /").unwrap();
    for packet in packets {
        assert_eq!(codec.decode(&packet), Ok(Received::Foreign));
    }
}

#[test]
fn a_vantage_that_probes_itself_tells_question_from_answer() {
    let codec = codec();
    for probe in
        [OUR_V4.into(), OUR_V6.into()].into_iter().flat_map(|to: IpAddr| PROTOCOLS.map(|p| probe_to(to, p)))
    {
        let key: MatchKey = codec.key_of(&probe);
        assert_eq!(codec.decode(&encoded(&codec, &probe)), Ok(Received::OwnProbe(key)));
        if probe.protocol != Protocol::Udp {
            let answer = answer(&codec, &from_target(&codec, &probe, false));
            assert_eq!(answer.agreement(&codec, &probe), Some(MatchQuality::Exact));
        }
    }
}

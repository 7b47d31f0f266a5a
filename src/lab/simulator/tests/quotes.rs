//! What quotes show wrongly, and what a translating router makes of addresses.

use super::*;
use crate::lab::testing::{Bench, HOSTS, with_v4_header};

/// A datagram that runs out at the second router, with an identification and a type of service of its own.
fn probe() -> Vec<u8> {
    let plain = udp(HOSTS[0], 2, (40_000, 33_434), &[7; 20]);
    with_v4_header(with_v4_header(plain, 4, &[0x12, 0x34]), 1, &[0x48])
}

/// What router r2 quotes of a packet.
fn quoted(habit: &str, packet: &[u8]) -> Vec<u8> {
    let habit = format!("{habit}\nquote = \"full\"");
    let answer = Bench::line(&[("r2", &habit)], "").ask(Duration::ZERO, packet).unwrap();
    received(&answer).payload[8..].to_vec()
}

/// Where two byte strings of one length differ.
fn differences(one: &[u8], other: &[u8]) -> Vec<usize> {
    assert_eq!(one.len(), other.len());
    (0..one.len()).filter(|at| one[*at] != other[*at]).collect()
}

#[test]
fn each_mangle_changes_its_field_of_an_ipv4_quote_and_no_other() {
    let right = quoted("", &probe());
    let length = u16::try_from(probe().len()).unwrap().to_be_bytes();
    let cases: [(&str, usize, &[u8]); 7] = [
        ("ip-id-zero", 4, &[0, 0]),
        ("ip-id-swapped", 4, &[0x34, 0x12]),
        ("length-swapped", 2, &[length[1], length[0]]),
        ("tos-zero", 1, &[0]),
        ("ttl-zero", 8, &[0]),
        ("ip-checksum-zero", 10, &[0, 0]),
        ("checksum-zero", 26, &[0, 0]),
    ];
    for (mangle, at, bytes) in cases {
        let wrong = quoted(&format!("mangles = [\"{mangle}\"]"), &probe());
        let changed = at..at + bytes.len();
        assert_eq!(&wrong[changed.clone()], bytes, "{mangle}");
        let differences = differences(&wrong, &right);
        assert!(!differences.is_empty() && differences.iter().all(|at| changed.contains(at)), "{mangle}");
    }
}

#[test]
fn each_mangle_of_what_ipv6_has_changes_its_field_and_no_other() {
    let mut probe = udp(HOSTS[1], 2, (40_000, 33_434), &[7; 20]);
    probe[..2].copy_from_slice(&[0x64, 0x8a]);
    let right = quoted("", &probe);
    let cases: [(&str, usize, &[u8]); 7] = [
        ("ip-id-zero", 0, &[]),
        ("ip-id-swapped", 0, &[]),
        ("length-swapped", 4, &[28, 0]),
        ("tos-zero", 0, &[0x60, 0x0a]),
        ("ttl-zero", 7, &[0]),
        ("ip-checksum-zero", 0, &[]),
        ("checksum-zero", 46, &[0, 0]),
    ];
    for (mangle, at, bytes) in cases {
        let wrong = quoted(&format!("mangles = [\"{mangle}\"]"), &probe);
        let changed = at..at + bytes.len();
        assert_eq!(&wrong[changed.clone()], bytes, "{mangle}");
        let differences = differences(&wrong, &right);
        assert_eq!(differences.is_empty(), bytes.is_empty(), "{mangle}");
        assert!(differences.iter().all(|at| changed.contains(at)), "{mangle}");
    }
}

#[test]
fn the_checksum_of_every_protocol_can_be_mangled_and_several_fields_at_once() {
    let mangles = "mangles = [\"checksum-zero\", \"ttl-zero\", \"tos-zero\"]";
    let right = quoted("", &echo_request(HOSTS[0], 2, 1, 1));
    assert_eq!(differences(&quoted(mangles, &echo_request(HOSTS[0], 2, 1, 1)), &right), [8, 22, 23]);
    let tcp = syn(HOSTS[0], 2, (40_000, 80), 99);
    assert_eq!(differences(&quoted(mangles, &tcp), &quoted("", &tcp)), [8, 36, 37]);
}

/// The host of the line behind router r3, which gives it the address 188.1.50.1 outside.
fn translated(keys: &str) -> Bench {
    let nat = format!("nat = [{{ outside = \"188.1.50.1\", inside = \"203.0.113.10\" }}]\n{keys}");
    Bench::line(&[("r3", &nat)], "")
}

const OUTSIDE: &str = "188.1.50.1";

#[test]
fn a_translated_host_answers_from_its_outside_address_with_right_checksums() {
    let probes = [
        (echo_request(OUTSIDE, 64, 7, 1), (0, 0)),
        (udp(OUTSIDE, 64, (40_000, 33_434), &[1, 2, 3]), (3, 3)),
    ];
    for (probe, expected) in probes {
        let answer = translated("").ask(Duration::ZERO, &probe).unwrap();
        assert_eq!((received(&answer).from.to_string().as_str(), said(&answer)), (OUTSIDE, expected));
    }
    let answer = received(&translated("").ask(Duration::ZERO, &syn(OUTSIDE, 64, (40_000, 80), 9)).unwrap());
    let tcp = TcpHeader::from_slice(&answer.payload).unwrap().0;
    assert_eq!((answer.from.to_string().as_str(), tcp.syn, tcp.ack), (OUTSIDE, true, true));
}

#[test]
fn errors_from_behind_a_nat_show_what_the_nat_is_told_to_show() {
    let probe = udp(OUTSIDE, 4, (40_000, 33_434), &[1, 2, 3]);
    let seen = |keys: &str| {
        let answer = received(&translated(keys).ask(Duration::ZERO, &probe).unwrap());
        let quote = &answer.payload[8..];
        let (header, datagram) = Ipv4Header::from_slice(quote).unwrap();
        assert_eq!(header.header_checksum, header.calc_header_checksum(), "{keys}");
        // Paris traceroute finds a NAT by a quoted UDP checksum that is not the one it sent.
        let same_checksum = datagram[6..8] == probe[26..28];
        (answer.from.to_string(), IpAddr::from(header.destination).to_string(), same_checksum)
    };
    let own = |from: &str, to: &str, same| (from.to_owned(), to.to_owned(), same);
    assert_eq!(seen(""), own("188.1.34.4", OUTSIDE, true));
    assert_eq!(seen("nat_quotes = \"inside\""), own("188.1.34.4", "203.0.113.10", false));
    assert_eq!(seen("nat_errors = \"outside\""), own(OUTSIDE, OUTSIDE, true));
    assert_eq!(seen("nat_errors = \"router\""), own("188.1.0.3", OUTSIDE, true));
}

#[test]
fn routers_before_a_nat_quote_what_was_sent() {
    for ttl in 1..=3 {
        let probe = udp(OUTSIDE, ttl, (40_000, 33_434), &[1, 2, 3]);
        let answer = received(&translated("nat_quotes = \"inside\"").ask(Duration::ZERO, &probe).unwrap());
        assert_eq!(answer.payload[8 + 12..], probe[12..28], "TTL {ttl}");
    }
}

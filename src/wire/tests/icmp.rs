//! ICMP types and codes, and the extensions behind the quote.

use super::*;
use crate::model::{MplsLabel, ReplyKind, Unreachable};
use crate::wire::Reason;

fn said(probe: &Probe, kind: u8, code: u8) -> Option<ReplyKind> {
    let codec = codec();
    let packet = icmp(router(probe), (kind, code), [0; 4], &as_quoted(encoded(&codec, probe)));
    match codec.decode(&packet).unwrap() {
        Received::Answer(answer) => {
            assert_eq!(answer.icmp, Some((kind, code)));
            assert_eq!(answer.key, codec.key_of(probe));
            Some(answer.kind)
        }
        _ => None,
    }
}

#[test]
fn every_icmp_error_says_what_its_rfc_says() {
    use ReplyKind::{OtherIcmp, TimeExceeded, Unreachable as Un};
    use Unreachable::{Host, Net, Other, Port, Prohibited, Protocol};
    let codes = [
        Net, Host, Protocol, Port, Other, Other, Net, Host, Other, Prohibited, Prohibited, Net, Host,
        Prohibited, Other, Other, Other,
    ];
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv4()) {
        for (code, expected) in (0..).zip(codes) {
            assert_eq!(said(probe, 3, code), Some(Un(expected)), "code {code}");
        }
        assert_eq!(said(probe, 11, 0), Some(TimeExceeded));
        assert_eq!(said(probe, 11, 1), Some(OtherIcmp));
        assert_eq!(said(probe, 12, 0), Some(OtherIcmp));
        // Source quench, redirect, and types that quote nothing.
        for kind in [4, 5, 8, 9, 10, 13, 14, 42] {
            assert_eq!(said(probe, kind, 0), None, "type {kind}");
        }
    }
}

#[test]
fn every_icmpv6_error_says_what_its_rfc_says() {
    use ReplyKind::{OtherIcmp, TimeExceeded, Unreachable as Un};
    use Unreachable::{Host, Net, Other, Port, Prohibited, Protocol};
    let codes = [Net, Prohibited, Other, Host, Port, Prohibited, Prohibited, Other, Other];
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv6()) {
        for (code, expected) in (0..).zip(codes) {
            assert_eq!(said(probe, 1, code), Some(Un(expected)), "code {code}");
        }
        assert_eq!(said(probe, 2, 0), Some(OtherIcmp), "packet too big");
        assert_eq!(said(probe, 3, 0), Some(TimeExceeded));
        assert_eq!(said(probe, 3, 1), Some(OtherIcmp));
        assert_eq!(said(probe, 4, 0), Some(OtherIcmp));
        assert_eq!(said(probe, 4, 1), Some(Un(Protocol)));
        assert_eq!(said(probe, 100, 0), Some(OtherIcmp), "an error from the future");
        for kind in [128, 130, 133, 137] {
            assert_eq!(said(probe, kind, 0), None, "type {kind}");
        }
    }
}

/// RFC 1071, written for the tests: the checksum of bytes whose checksum field is zero.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |b| u64::from(*b)));
    let sum: u64 = words.sum();
    let folded = (sum & 0xFFFF) + (sum >> 16);
    !(((folded & 0xFFFF) + (folded >> 16)) as u16)
}

/// An extension structure of these objects: (class, type, payload).
fn extension(objects: &[(u8, u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0x20, 0, 0, 0];
    for (class, kind, payload) in objects {
        bytes.extend((payload.len() as u16 + 4).to_be_bytes());
        bytes.extend([*class, *kind]);
        bytes.extend(payload);
    }
    with_checksum(bytes)
}

fn with_checksum(mut structure: Vec<u8>) -> Vec<u8> {
    structure[2..4].fill(0);
    let checksum = internet_checksum(&structure);
    structure[2..4].copy_from_slice(&checksum.to_be_bytes());
    structure
}

fn entry(label: u32, class: u8, bottom: bool, ttl: u8) -> [u8; 4] {
    (label << 12 | u32::from(class) << 9 | u32::from(bottom) << 8 | u32::from(ttl)).to_be_bytes()
}

/// Time exceeded with an extension; its sender tells the length of the quote if it knows RFC 4884.
fn extended(probe: &Probe, structure: &[u8], tells_length: bool) -> Vec<u8> {
    let mut body = as_quoted(encoded(&codec(), probe));
    body.truncate(128);
    body.resize(128, 0);
    body.extend(structure);
    let (kind, word) = match (probe.target.is_ipv4(), tells_length) {
        (true, true) => (11, [0, 32, 0, 0]),
        (false, true) => (3, [16, 0, 0, 0]),
        (true, false) => (11, [0; 4]),
        (false, false) => (3, [0; 4]),
    };
    icmp(router(probe), (kind, 0), word, &body)
}

fn labels(probe: &Probe, structure: &[u8], tells_length: bool) -> Vec<MplsLabel> {
    let answer = answer(&codec(), &extended(probe, structure, tells_length));
    assert_eq!(answer.key, codec().key_of(probe));
    answer.mpls
}

fn two_labels() -> (Vec<u8>, [MplsLabel; 2]) {
    let payload = [entry(24_015, 5, false, 1), entry(0xF_FFFF, 0, true, 255)].concat();
    let outer = MplsLabel { label: 24_015, class: 5, bottom: false, ttl: 1 };
    let inner = MplsLabel { label: 0xF_FFFF, class: 0, bottom: true, ttl: 255 };
    (payload, [outer, inner])
}

#[test]
fn mpls_labels_are_read_from_senders_new_and_old() {
    let (payload, expected) = two_labels();
    let structure = extension(&[(1, 1, payload)]);
    for probe in one_of_each() {
        assert_eq!(labels(&probe, &structure, true), expected, "{probe:?}");
        assert_eq!(labels(&probe, &structure, false), expected, "{probe:?}");
    }
}

#[test]
fn unknown_objects_before_and_after_the_labels_are_stepped_over() {
    let (payload, expected) = two_labels();
    let structure =
        extension(&[(2, 1, vec![9; 12]), (1, 2, vec![9; 4]), (1, 1, payload), (247, 0, vec![])]);
    for probe in one_of_each() {
        assert_eq!(labels(&probe, &structure, true), expected, "{probe:?}");
    }
}

#[test]
fn a_deep_label_stack_is_cut_off_at_sixteen() {
    let payload: Vec<u8> = (0..200).flat_map(|label| entry(label, 0, false, 1)).collect();
    let structure = extension(&[(1, 1, payload.clone()), (1, 1, payload)]);
    for probe in one_of_each() {
        let numbers: Vec<u32> = labels(&probe, &structure, true).iter().map(|entry| entry.label).collect();
        assert_eq!(numbers, (0..16).collect::<Vec<_>>());
    }
}

#[test]
fn bytes_behind_the_quote_that_do_not_verify_are_no_extension() {
    let (payload, _) = two_labels();
    let good = extension(&[(1, 1, payload)]);
    let mut wrong_checksum = good.clone();
    wrong_checksum[2] ^= 1;
    let mut wrong_version = good.clone();
    wrong_version[0] = 0x10;
    let wrong_version = with_checksum(wrong_version);
    let mut no_checksum = good;
    no_checksum[2..4].fill(0);
    for probe in one_of_each() {
        for structure in [&wrong_checksum, &wrong_version] {
            assert!(labels(&probe, structure, true).is_empty());
            assert!(labels(&probe, structure, false).is_empty());
        }
        // RFC 4884 §7: zero says "not computed". Without a told length it could be anything.
        assert_eq!(labels(&probe, &no_checksum, true).len(), 2);
        assert!(labels(&probe, &no_checksum, false).is_empty());
    }
}

#[test]
fn a_verified_extension_that_contradicts_itself_is_malformed_at_the_object() {
    let object_too_long = with_checksum(vec![0x20, 0, 0, 0, 0, 200, 1, 1, 0, 0, 0, 0]);
    let object_too_short = with_checksum(vec![0x20, 0, 0, 0, 0, 3, 1, 1]);
    for probe in one_of_each() {
        for structure in [&object_too_long, &object_too_short] {
            let error = codec().decode(&extended(&probe, structure, true)).unwrap_err();
            assert_eq!(
                (error.reason, error.offset),
                (Reason::BadExtension, ip_header(&probe) + 8 + 128 + 4)
            );
        }
    }
}

#[test]
fn a_length_field_that_points_past_the_end_costs_no_answer() {
    for probe in one_of_each() {
        let word = if probe.target.is_ipv4() { [0, 255, 0, 0] } else { [255, 0, 0, 0] };
        let kind = if probe.target.is_ipv4() { 11 } else { 3 };
        let packet = icmp(router(&probe), (kind, 0), word, &as_quoted(encoded(&codec(), &probe)));
        assert_eq!(answer(&codec(), &packet).key, codec().key_of(&probe));
    }
}

#[test]
fn an_extension_behind_a_short_quote_is_not_read_as_our_payload() {
    let codec = codec_of([7; 16], None);
    let (payload, expected) = two_labels();
    let structure = extension(&[(1, 1, payload)]);
    for probe in one_of_each().iter().filter(|probe| probe.target.is_ipv4()) {
        let body = [&as_quoted(encoded(&codec, probe))[..28], &structure].concat();
        let answer = answer(&codec, &icmp(ROUTER_V4.into(), (11, 0), [0, 7, 0, 0], &body));
        assert_eq!((answer.key, &answer.mpls[..]), (codec.key_of(probe), &expected[..]));
    }
}

/// A long attribution is quoted past byte 128, where old senders put the extension.
#[test]
fn our_own_payload_is_not_taken_for_an_extension() {
    let codec = codec_of([7; 16], Some(&format!("https:{}", "//".repeat(97))));
    for probe in one_of_each() {
        let answer = answer(&codec, &time_exceeded(&codec, &probe, 576));
        assert_eq!(answer.key, codec.key_of(&probe));
        assert!(answer.mpls.is_empty());
    }
}

//! Any bytes at all: no panic, nothing unbounded, offsets inside the packet.

use super::*;

/// Decodes, and checks what must hold of every answer.
fn survive(codec: &Codec, packet: &[u8]) {
    match codec.decode(packet) {
        Ok(Received::Answer(answer)) => {
            assert!(answer.mpls.len() <= 16);
            let _ = answer.agreement(codec, &probe_to(OUR_V4, Protocol::Udp));
        }
        Ok(Received::OwnProbe(_) | Received::Foreign) => {}
        Err(error) => assert!(error.offset <= packet.len(), "{error} in {} bytes", packet.len()),
    }
}

/// Every packet that these tests know how to make from a probe.
fn valid_packets(codec: &Codec, probe: &Probe) -> Vec<Vec<u8>> {
    let mut packets = vec![encoded(codec, probe), time_exceeded(codec, probe, 576)];
    if probe.protocol != Protocol::Udp {
        packets.push(from_target(codec, probe, false));
    }
    let mut body = as_quoted(encoded(codec, probe));
    body.resize(128, 0);
    body.extend([0x20, 0, 0, 0, 0, 12, 1, 1, 0, 0, 0x10, 1, 0, 0, 0x21, 1]);
    let (kind, word) = if probe.target.is_ipv4() { (11, [0, 32, 0, 0]) } else { (3, [16, 0, 0, 0]) };
    packets.push(icmp(router(probe), (kind, 0), word, &body));
    packets
}

/// Makes the addresses ours, so that the readers do not turn away at once.
fn addressed_to_us(mut packet: Vec<u8>) -> Vec<u8> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 20 => packet[16..20].copy_from_slice(&OUR_V4.octets()),
        Some(6) if packet.len() >= 40 => packet[24..40].copy_from_slice(&OUR_V6.octets()),
        _ => {}
    }
    packet
}

#[test]
fn a_packet_cut_off_anywhere_is_survived() {
    for (probe, attribution) in
        one_of_each().iter().flat_map(|probe| ATTRIBUTIONS.map(|text| (probe, text)))
    {
        let codec = codec_of([7; 16], attribution);
        for packet in valid_packets(&codec, probe) {
            (0..packet.len()).for_each(|length| survive(&codec, &packet[..length]));
        }
    }
}

#[test]
fn every_value_of_every_byte_of_the_headers_is_survived() {
    let codec = codec();
    for packet in one_of_each().iter().flat_map(|probe| valid_packets(&codec, probe)) {
        for at in 0..packet.len().min(100) {
            let mut changed = packet.clone();
            for value in 0..=255 {
                changed[at] = value;
                survive(&codec, &changed);
            }
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        survive(&codec(), &bytes);
    }

    #[test]
    fn random_bytes_behind_our_address_are_survived(
        first in prop::sample::select(vec![0x45_u8, 0x46, 0x4F, 0x60]),
        protocol in prop::sample::select(vec![1_u8, 6, 17, 58, 0, 43, 44, 51, 60]),
        mut bytes in prop::collection::vec(any::<u8>(), 40..600),
    ) {
        bytes[0] = first;
        bytes[if first == 0x60 { 6 } else { 9 }] = protocol;
        let length = if first == 0x60 { bytes.len() - 40 } else { bytes.len() } as u16;
        let at = if first == 0x60 { 4 } else { 2 };
        bytes[at..at + 2].copy_from_slice(&length.to_be_bytes());
        survive(&codec(), &addressed_to_us(bytes));
    }

    #[test]
    fn mutated_packets_are_survived(
        probe in any_probe(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        which in any::<prop::sample::Index>(),
    ) {
        let codec = codec();
        let packets = valid_packets(&codec, &probe);
        let mut packet = which.get(&packets).clone();
        for (at, value) in changes {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        survive(&codec, &packet);
        survive(&codec, &addressed_to_us(packet));
    }
}

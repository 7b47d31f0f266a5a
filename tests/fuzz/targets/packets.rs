//! Packets from the network: what answers our probes, and anything else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tetherline::model::{FlowId, Port, Probe, Protocol, RoundId, Ttl};
use tetherline::wire::{Codec, Received, Sources, TagKey};

use super::super::court::Said;

const OUR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
const OUR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

fn codec() -> Codec {
    let sources = Sources { v4: Some(OUR_V4), v6: Some(OUR_V6) };
    Codec::new(TagKey::from_bytes([7; 16]), sources, Some("mailto:noc@example.net")).unwrap()
}

/// Probes of every kind, and errors of ICMP that quote them, with and without extensions (RFC 4884, RFC 4950).
pub(crate) fn seeds(_: &str) -> Vec<Vec<u8>> {
    let targets =
        [IpAddr::from([198, 51, 100, 77]), Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 0x77).into()];
    let protocols = [Protocol::Icmp, Protocol::Udp, Protocol::Tcp];
    let probes = targets.iter().flat_map(|target| protocols.map(|protocol| probe_to(*target, protocol)));
    probes.flat_map(|probe| packets(&probe)).collect()
}

fn probe_to(target: IpAddr, protocol: Protocol) -> Probe {
    let port = if protocol == Protocol::Icmp { None } else { Port::new(443) };
    let ttl = Ttl::new(9).unwrap();
    Probe { round: RoundId(3), target, protocol, port, flow: FlowId(7), ttl, attempt: 0 }
}

fn packets(probe: &Probe) -> [Vec<u8>; 4] {
    let mut sent = Vec::new();
    codec().encode(probe, &mut sent).unwrap();
    let mut padded = sent.clone();
    padded.resize(128, 0);
    padded.extend([0x20, 0, 0, 0, 0, 12, 1, 1, 0, 0, 0x10, 1, 0, 0, 0x21, 1]);
    let quote_length = if sent[0] >> 4 == 4 { [0, 32, 0, 0] } else { [16, 0, 0, 0] };
    let (plain, labelled) = (error(&sent, [0; 4], &sent), error(&sent, quote_length, &padded));
    let reply = answered(&sent);
    [sent, plain, labelled, reply]
}

/// Time exceeded, from a router on the way.
fn error(sent: &[u8], word: [u8; 4], body: &[u8]) -> Vec<u8> {
    let kind = if sent[0] >> 4 == 4 { [11, 0] } else { [3, 0] };
    let message = [&kind, &[0, 0], &word[..], body].concat();
    let mut packet = if sent[0] >> 4 == 4 {
        let length = u16::try_from(20 + message.len()).unwrap().to_be_bytes();
        [&[0x45, 0], &length[..], &[0, 1, 0, 0, 61, 1, 0, 0, 203, 0, 113, 1], &OUR_V4.octets(), &message]
            .concat()
    } else {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let from = Ipv6Addr::new(0x2001, 0xdb8, 0xff, 0, 0, 0, 0, 1).octets();
        [&[0x60, 0, 0, 0], &length[..], &[58, 61], &from, &OUR_V6.octets(), &message].concat()
    };
    mend(&mut packet);
    packet
}

/// The probe sent back by its target: an echo reply, or what nobody sends.
fn answered(sent: &[u8]) -> Vec<u8> {
    let mut packet = sent.to_vec();
    let (addresses, length, kind) = if sent[0] >> 4 == 4 { (12, 4, 0) } else { (8, 16, 129) };
    let (source, target) = packet[addresses..addresses + 2 * length].split_at_mut(length);
    source.swap_with_slice(target);
    let header = if sent[0] >> 4 == 4 { 20 } else { 40 };
    packet[header] = kind;
    mend(&mut packet);
    packet
}

pub(crate) fn read(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    decode(bytes, &mut said);
    // The same with our address and right checksums, so that the readers do not turn away at once.
    let mut mended = bytes.to_vec();
    address_to_us(&mut mended);
    mend(&mut mended);
    decode(&mended, &mut said);
    said
}

/// Offsets lie in the packet, and what is kept of it is bounded.
fn decode(packet: &[u8], said: &mut Said) {
    match codec().decode(packet) {
        Ok(Received::Answer(answer)) => {
            assert!(answer.mpls.len() <= 16, "{} labels", answer.mpls.len());
            said.note(format_args!("{:?}", answer.kind));
            said.count("labels", answer.mpls.len() as u64);
            said.note(answer.quoted.is_some());
        }
        Ok(Received::OwnProbe(key)) => said.note(format_args!("own {:?}", key.protocol)),
        Ok(Received::Foreign) => said.note("foreign"),
        Err(error) => {
            assert!(error.offset <= packet.len(), "{error} in {} bytes", packet.len());
            said.note(error);
        }
    }
}

fn address_to_us(packet: &mut [u8]) {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 20 => packet[16..20].copy_from_slice(&OUR_V4.octets()),
        Some(6) if packet.len() >= 40 => packet[24..40].copy_from_slice(&OUR_V6.octets()),
        _ => {}
    }
}

/// Puts in the checksums of the IPv4 header and of ICMP directly behind it (RFC 1071, RFC 4443 §2.3).
fn mend(packet: &mut [u8]) {
    match packet.first().map(|byte| byte >> 4) {
        Some(4) if packet.len() >= 28 => {
            put_sum(packet, 10, 0..20, 0);
            if packet[9] == 1 {
                put_sum(packet, 22, 20..packet.len(), 0);
            }
        }
        Some(6) if packet.len() >= 48 && packet[6] == 58 => {
            let length = u32::try_from(packet.len() - 40).unwrap();
            put_sum(packet, 42, 8..packet.len(), length + 58);
        }
        _ => {}
    }
}

fn put_sum(packet: &mut [u8], at: usize, over: std::ops::Range<usize>, more: u32) {
    packet[at..at + 2].fill(0);
    let words =
        packet[over].chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum = words.fold(more, u32::wrapping_add);
    while sum >> 16 > 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let [_, _, high, low] = (!sum).to_be_bytes();
    packet[at..at + 2].copy_from_slice(&[high, low]);
}

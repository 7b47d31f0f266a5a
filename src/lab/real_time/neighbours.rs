//! Who has the gateway's address? The kernel is told when the cable is laid; programs that build their own
//! frames ask for themselves, by ARP (RFC 826) or neighbour solicitation (RFC 4861 §4.3), and are answered
//! here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;

use super::{HEADER, IPV4, IPV6};
use crate::lab::namespace::GATEWAY_MAC;

const ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet and IPv4, with addresses of 6 and 4 bytes.
const ETHERNET_IPV4: [u8; 6] = [0, 1, IPV4[0], IPV4[1], 6, 4];
const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// What neighbours send, since no router lets it through (RFC 4861 §7.1.1).
const HOP_LIMIT: u8 = 255;
/// A router, asked by this neighbour, that overrides what is known (RFC 4861 §4.4).
const FLAGS: u8 = 0xe0;
/// The hardware address of whom it is about, in units of eight bytes (RFC 4861 §4.6.1).
const TARGET_LINK_LAYER_ADDRESS: [u8; 2] = [2, 1];

/// The frame that answers a question for one of these addresses; `None` for any other frame.
pub(super) fn answer(frame: &[u8], gateways: &[IpAddr]) -> Option<Vec<u8>> {
    let (header, packet) = frame.split_at_checked(HEADER)?;
    let (asker, kind) = header.get(6..)?.split_at_checked(6)?;
    match kind.try_into().ok()? {
        ARP => arp_reply(packet, asker, gateways),
        IPV6 => advertisement(packet, asker, gateways),
        _ => None,
    }
}

fn arp_reply(request: &[u8], asker: &[u8], gateways: &[IpAddr]) -> Option<Vec<u8>> {
    let sender = request.strip_prefix(&ETHERNET_IPV4)?.strip_prefix(&REQUEST)?.get(..20)?;
    let (sender, target) = sender.split_at_checked(10)?;
    let target: [u8; 4] = target.get(6..)?.try_into().ok()?;
    gateways.contains(&IpAddr::V4(Ipv4Addr::from(target))).then_some(())?;
    let reply = [ETHERNET_IPV4.as_slice(), &REPLY, &GATEWAY_MAC, &target, sender].concat();
    Some(to(asker, ARP, &reply))
}

fn advertisement(packet: &[u8], asker: &[u8], gateways: &[IpAddr]) -> Option<Vec<u8>> {
    let (header, message) = packet.split_at_checked(40)?;
    let asks = header.get(6..8)? == [ICMPV6, HOP_LIMIT] && message.starts_with(&[SOLICITATION, 0]);
    let target: [u8; 16] = message.get(8..24)?.try_into().ok()?;
    let source: [u8; 16] = header.get(8..24)?.try_into().ok()?;
    let is_of_gateway = gateways.contains(&IpAddr::V6(Ipv6Addr::from(target)));
    // Whoever has no address yet only wants to know whether this one is free; nobody here does.
    (asks && is_of_gateway && !Ipv6Addr::from(source).is_unspecified()).then_some(())?;
    let option = [TARGET_LINK_LAYER_ADDRESS.as_slice(), &GATEWAY_MAC].concat();
    let sum = Sum16BitWords::new()
        .add_16bytes(target)
        .add_16bytes(source)
        .add_2bytes([0, LENGTH])
        .add_2bytes([0, ICMPV6])
        .add_2bytes([ADVERTISEMENT, 0])
        .add_2bytes([FLAGS, 0])
        .add_16bytes(target)
        .add_slice(&option)
        .ones_complement()
        .to_ne_bytes();
    let head = [0x60, 0, 0, 0, 0, LENGTH, ICMPV6, HOP_LIMIT];
    let fixed = [ADVERTISEMENT, 0, sum[0], sum[1], FLAGS, 0, 0, 0];
    let packet = [head.as_slice(), &target, &source, &fixed, &target, &option].concat();
    Some(to(asker, IPV6, &packet))
}

/// Of an advertisement with its option.
const LENGTH: u8 = 32;

fn to(asker: &[u8], kind: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [asker, &GATEWAY_MAC, &kind, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::namespace::VANTAGE_MAC;

    const EVERYBODY: [u8; 6] = [0xff; 6];

    fn request(target: [u8; 4]) -> Vec<u8> {
        let fixed = [0, 1, 8, 0, 6, 4, 0, 1];
        let who = [VANTAGE_MAC.as_slice(), &[188, 1, 144, 10], &[0; 6], &target].concat();
        [EVERYBODY.as_slice(), &VANTAGE_MAC, &[8, 6], &fixed, &who].concat()
    }

    #[test]
    fn a_program_that_asks_for_the_gateway_by_arp_is_told_and_for_nobody_else() {
        let gateways = ["188.1.144.1".parse().unwrap()];
        let told = answer(&request([188, 1, 144, 1]), &gateways).unwrap();
        let fixed = [0, 1, 8, 0, 6, 4, 0, 2];
        let whose = [GATEWAY_MAC.as_slice(), &[188, 1, 144, 1], &VANTAGE_MAC, &[188, 1, 144, 10]].concat();
        assert_eq!(told, [VANTAGE_MAC.as_slice(), &GATEWAY_MAC, &[8, 6], &fixed, &whose].concat());
        assert_eq!(answer(&request([188, 1, 144, 10]), &gateways), None);
        assert_eq!(answer(&told, &gateways), None, "a reply is no question");
        for length in 0..told.len() {
            assert_eq!(answer(&request([188, 1, 144, 1])[..length], &gateways), None);
        }
    }

    fn solicitation(source: &str, target: &str) -> Vec<u8> {
        let [source, target] = [source, target].map(|text| text.parse::<Ipv6Addr>().unwrap().octets());
        let head = [0x60, 0, 0, 0, 0, 24, 58, 255];
        let message = [135, 0, 0, 0, 0, 0, 0, 0];
        let ether = [[0x33; 6].as_slice(), &VANTAGE_MAC, &[0x86, 0xdd]].concat();
        [ether.as_slice(), &head, &source, &[0xff; 16], &message, &target].concat()
    }

    #[test]
    fn a_program_that_solicits_the_gateway_is_told_and_for_nobody_else() {
        let (own, gateway) = ("2001:638:c::10", "2001:638:c::1");
        let gateways = [gateway.parse().unwrap()];
        let told = answer(&solicitation(own, gateway), &gateways).unwrap();
        assert_eq!(told[..HEADER], [VANTAGE_MAC.as_slice(), &GATEWAY_MAC, &[0x86, 0xdd]].concat());
        let packet = etherparse::SlicedPacket::from_ip(&told[HEADER..]).unwrap();
        let Some(etherparse::NetSlice::Ipv6(ip)) = &packet.net else { panic!("{packet:?}") };
        assert_eq!(ip.header().source_addr(), gateway.parse::<Ipv6Addr>().unwrap());
        assert_eq!(ip.header().destination_addr(), own.parse::<Ipv6Addr>().unwrap());
        assert_eq!(ip.header().hop_limit(), 255);
        let Some(etherparse::TransportSlice::Icmpv6(message)) = &packet.transport else {
            panic!("{packet:?}")
        };
        assert_eq!((message.type_u8(), message.bytes5to8()), (136, [0xe0, 0, 0, 0]));
        let (source, destination) = (ip.header().source(), ip.header().destination());
        assert!(message.is_checksum_valid(source, destination));
        assert_eq!(message.payload()[16..], [[2, 1].as_slice(), &GATEWAY_MAC].concat());
        assert_eq!(answer(&solicitation(own, own), &gateways), None);
        assert_eq!(answer(&solicitation("::", gateway), &gateways), None);
        assert_eq!(answer(&told, &gateways), None, "an advertisement is no question");
    }
}

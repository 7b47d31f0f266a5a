//! The kernel's filter in front of the packet socket (classic BPF): nothing that cannot concern our probes
//! is copied to this program, so that the host's own traffic costs nothing and a flood of it displaces
//! no answer.
//!
//! ```text
//!   to one of our addresses      ICMP and ICMPv6; TCP with SYN or RST; behind IPv6 extension headers: anything
//!   from one of our addresses    the same, and UDP: our own probes, seen leaving
//!   fragments but the first, and everything else: dropped
//! ```
//!
//! It lets through more than is ours, never less; the codec does the rest. A program sees packets from
//! the first byte of their IP header, and reads them in network byte order.

use std::net::{Ipv4Addr, Ipv6Addr};

use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IND, BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K};
use libc::{BPF_LD, BPF_LDX, BPF_MSH, BPF_RET, BPF_W};
use socket2::SockFilter;

use crate::wire::Sources;

/// How much of a packet passes: all of it.
const WHOLE: u32 = 0xFFFF;

const ICMP: u32 = 1;
const TCP: u32 = 6;
const UDP: u32 = 17;
const ICMPV6: u32 = 58;
/// Hop-by-hop options, routing, fragment, authentication, destination options (RFC 8200 §4, RFC 4302).
const V6_EXTENSIONS: [u32; 5] = [0, 43, 44, 51, 60];
/// TCP flags SYN and RST.
const SYN_OR_RST: u32 = 0x02 | 0x04;

/// The program for these source addresses.
pub(super) fn program(sources: Sources) -> Vec<SockFilter> {
    let instructions = assemble(sources);
    instructions.iter().map(|i| SockFilter::new(i.code, i.if_true, i.if_false, i.operand)).collect()
}

fn assemble(sources: Sources) -> Vec<Instruction> {
    let mut program = Backwards::default();
    let exits = Exits { take: program.ret(WHOLE), drop: program.ret(0) };
    let v4 = sources.v4.map_or(exits.drop, |address| ipv4(&mut program, address, exits));
    let v6 = sources.v6.map_or(exits.drop, |address| ipv6(&mut program, address, exits));
    let not_v4 = program.equal(0x60, v6, exits.drop);
    let version = program.equal(0x40, v4, not_v4);
    let version = program.mask(0xF0, version);
    program.load(BPF_B | BPF_ABS, 0, version);
    program.finish()
}

fn ipv4(program: &mut Backwards, ours: Ipv4Addr, exits: Exits) -> Place {
    let flags = program.any_bit(SYN_OR_RST, exits.take, exits.drop);
    let flags = program.load(BPF_B | BPF_IND, 13, flags);
    let tcp = program.load_v4_header_length(flags);
    let choose = |program: &mut Backwards, takes_udp| {
        let udp = if takes_udp { exits.take } else { exits.drop };
        let mut next = program.equal(UDP, udp, exits.drop);
        next = program.equal(TCP, tcp, next);
        next = program.equal(ICMP, exits.take, next);
        program.load(BPF_B | BPF_ABS, 9, next)
    };
    let outgoing = choose(program, true);
    let incoming = choose(program, false);
    let to_us = program.words(&[ours.to_bits()], 16, incoming, exits.drop);
    let from_us = program.words(&[ours.to_bits()], 12, outgoing, to_us);
    let whole = program.any_bit(0x1FFF, exits.drop, from_us);
    program.load(BPF_H | BPF_ABS, 6, whole)
}

fn ipv6(program: &mut Backwards, ours: Ipv6Addr, exits: Exits) -> Place {
    let flags = program.any_bit(SYN_OR_RST, exits.take, exits.drop);
    let tcp = program.load(BPF_B | BPF_ABS, 40 + 13, flags);
    let choose = |program: &mut Backwards, takes_udp| {
        let udp = if takes_udp { exits.take } else { exits.drop };
        let mut next = program.equal(UDP, udp, exits.drop);
        next = program.equal(TCP, tcp, next);
        for taken in V6_EXTENSIONS.into_iter().chain([ICMPV6]) {
            next = program.equal(taken, exits.take, next);
        }
        program.load(BPF_B | BPF_ABS, 6, next)
    };
    let outgoing = choose(program, true);
    let incoming = choose(program, false);
    let bits = ours.to_bits().to_be_bytes();
    let words: Vec<u32> = bits.as_chunks().0.iter().map(|word| u32::from_be_bytes(*word)).collect();
    let to_us = program.words(&words, 24, incoming, exits.drop);
    program.words(&words, 8, outgoing, to_us)
}

/// Where a program ends.
#[derive(Clone, Copy)]
struct Exits {
    take: Place,
    drop: Place,
}

/// One instruction; jumps count the instructions to skip.
#[derive(Clone, Copy, Debug)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    operand: u32,
}

/// An instruction, as its distance from the end of the program.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place(usize);

/// A program being written from its end: jumps of classic BPF only go forward, so that the places to jump
/// to exist before what jumps there.
#[derive(Default)]
struct Backwards(Vec<Instruction>);

impl Backwards {
    fn finish(mut self) -> Vec<Instruction> {
        self.0.reverse();
        self.0
    }

    fn ret(&mut self, bytes: u32) -> Place {
        self.push(BPF_RET | BPF_K, bytes, 0, 0)
    }

    fn load(&mut self, mode: u32, offset: u32, then: Place) -> Place {
        self.before(then);
        self.push(BPF_LD | mode, offset, 0, 0)
    }

    /// The index register becomes the length of the IPv4 header, in bytes.
    fn load_v4_header_length(&mut self, then: Place) -> Place {
        self.before(then);
        self.push(BPF_LDX | BPF_MSH | BPF_B, 0, 0, 0)
    }

    fn mask(&mut self, bits: u32, then: Place) -> Place {
        self.before(then);
        self.push(BPF_ALU | BPF_AND | BPF_K, bits, 0, 0)
    }

    fn equal(&mut self, value: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.skip_to(yes), self.skip_to(no));
        self.push(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
    }

    fn any_bit(&mut self, bits: u32, yes: Place, no: Place) -> Place {
        let (yes, no) = (self.skip_to(yes), self.skip_to(no));
        self.push(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
    }

    /// Whether the packet has these 32-bit words at this offset.
    fn words(&mut self, words: &[u32], offset: u32, yes: Place, no: Place) -> Place {
        let offsets = (offset..).step_by(4);
        let pairs: Vec<(u32, u32)> = words.iter().copied().zip(offsets).collect();
        pairs.into_iter().rev().fold(yes, |then, (word, offset)| {
            let compare = self.equal(word, then, no);
            self.load(BPF_W | BPF_ABS, offset, compare)
        })
    }

    /// Makes sure that what is written next goes on at `then`.
    fn before(&mut self, then: Place) {
        if self.here() != then {
            let distance = self.0.len().saturating_sub(then.0);
            self.push(BPF_JMP | BPF_JA, u32::try_from(distance).unwrap_or(u32::MAX), 0, 0);
        }
    }

    fn here(&self) -> Place {
        Place(self.0.len())
    }

    /// The kernel refuses a program that jumps too far, so that a clamped distance cannot go unnoticed.
    fn skip_to(&self, place: Place) -> u8 {
        u8::try_from(self.0.len().saturating_sub(place.0)).unwrap_or(u8::MAX)
    }

    fn push(&mut self, code: u32, operand: u32, if_true: u8, if_false: u8) -> Place {
        let code = u16::try_from(code).unwrap_or(u16::MAX);
        self.0.push(Instruction { code, if_true, if_false, operand });
        self.here()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;

    const OURS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const OURS_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    const BOTH: Sources = Sources { v4: Some(OURS_V4), v6: Some(OURS_V6) };

    /// A second reading of the instruction set, after the kernel's documentation.
    fn passes(program: &[Instruction], packet: &[u8]) -> bool {
        let (mut at, mut a, mut x) = (0, 0_u32, 0_u32);
        loop {
            let Instruction { code, if_true, if_false, operand: k } = program[at];
            at += 1;
            let bytes = |from: u32, count: usize| {
                let from = from as usize;
                let bytes = packet.get(from..from + count)?;
                Some(bytes.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)))
            };
            let jump = |yes: bool| usize::from(if yes { if_true } else { if_false });
            let loaded = match code {
                0x06 => return k != 0,
                0x05 => {
                    at += k as usize;
                    continue;
                }
                0x15 => {
                    at += jump(a == k);
                    continue;
                }
                0x45 => {
                    at += jump(a & k != 0);
                    continue;
                }
                0x54 => {
                    a &= k;
                    continue;
                }
                0xb1 => {
                    x = 4 * (u32::from(packet[k as usize]) & 15);
                    continue;
                }
                0x20 => bytes(k, 4),
                0x28 => bytes(k, 2),
                0x30 => bytes(k, 1),
                0x50 => bytes(x + k, 1),
                other => panic!("instruction {other:#x}"),
            };
            // A load past the end ends the program, and drops the packet.
            let Some(value) = loaded else { return false };
            a = value;
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Carried {
        Icmp,
        Udp,
        Tcp(u8),
    }

    fn packet(source: IpAddr, target: IpAddr, carried: Carried) -> Vec<u8> {
        let builder = match (source, target) {
            (IpAddr::V4(s), IpAddr::V4(t)) => PacketBuilder::ipv4(s.octets(), t.octets(), 9),
            (IpAddr::V6(s), IpAddr::V6(t)) => PacketBuilder::ipv6(s.octets(), t.octets(), 9),
            _ => panic!("two families"),
        };
        let mut bytes = Vec::new();
        match (carried, source) {
            (Carried::Icmp, IpAddr::V4(_)) => builder.icmpv4_echo_reply(1, 2).write(&mut bytes, &[0; 8]),
            (Carried::Icmp, IpAddr::V6(_)) => builder.icmpv6_echo_reply(1, 2).write(&mut bytes, &[0; 8]),
            (Carried::Udp, _) => builder.udp(40_000, 33_434).write(&mut bytes, &[0; 8]),
            (Carried::Tcp(_), _) => builder.tcp(443, 40_000, 7, 9).write(&mut bytes, &[]),
        }
        .unwrap();
        if let Carried::Tcp(flags) = carried {
            let header = if source.is_ipv4() { 20 } else { 40 };
            bytes[header + 13] = flags;
        }
        bytes
    }

    #[test]
    fn what_may_concern_us_passes_and_the_rest_does_not() {
        let program = assemble(BOTH);
        let (syn, syn_ack, rst, ack, push) = (0x02, 0x12, 0x14, 0x10, 0x18);
        let families: [(IpAddr, IpAddr); 2] = [
            (OURS_V4.into(), "198.51.100.9".parse().unwrap()),
            (OURS_V6.into(), "2001:db8:9::9".parse().unwrap()),
        ];
        for (us, them) in families {
            let table = [
                (us, them, Carried::Icmp, true),
                (us, them, Carried::Udp, true),
                (us, them, Carried::Tcp(syn), true),
                (us, them, Carried::Tcp(push), false),
                (them, us, Carried::Icmp, true),
                (them, us, Carried::Udp, false),
                (them, us, Carried::Tcp(syn_ack), true),
                (them, us, Carried::Tcp(rst), true),
                (them, us, Carried::Tcp(ack), false),
                (them, them, Carried::Icmp, false),
                (us, us, Carried::Udp, true),
            ];
            for (source, target, carried, expected) in table {
                let bytes = packet(source, target, carried);
                assert_eq!(passes(&program, &bytes), expected, "{source} to {target}, {carried:?}");
            }
        }
    }

    #[test]
    fn ip_options_do_not_hide_an_answer_and_later_fragments_are_none() {
        let program = assemble(BOTH);
        let plain = packet("198.51.100.9".parse().unwrap(), OURS_V4.into(), Carried::Tcp(0x12));
        let mut with_options = plain.clone();
        with_options[0] = 0x46;
        with_options.splice(20..20, [1, 1, 1, 0]);
        assert!(passes(&program, &with_options));
        let mut fragment = plain;
        fragment[7] = 1;
        assert!(!passes(&program, &fragment));
    }

    #[test]
    fn a_family_without_a_source_address_is_not_listened_to() {
        let only_v6 = assemble(Sources { v4: None, ..BOTH });
        assert!(!passes(&only_v6, &packet(OURS_V4.into(), OURS_V4.into(), Carried::Icmp)));
        assert!(passes(&only_v6, &packet(OURS_V6.into(), OURS_V6.into(), Carried::Icmp)));
    }

    proptest! {
        #[test]
        fn no_bytes_lead_the_program_astray(bytes in prop::collection::vec(any::<u8>(), 1..80)) {
            passes(&assemble(BOTH), &bytes);
        }
    }
}

//! Address translation, one to one (RFC 3022 §2.1): the router puts the inside address where the outside
//! one is the destination, and the other way round where the inside one is the source. IPv4 only.
//!
//! ```text
//!            vantage ──▶ outside          vantage ──▶ inside
//! questions ───────────────────────▶ NAT ──────────────────────▶ host
//! answers   ◀─────────────────────── NAT ◀────────────────────── host
//!            outside ──▶ vantage          inside ──▶ vantage
//! ```
//!
//! Errors from behind quote the inside address. Whether they leave with that quote, and from whose address,
//! differs from NAT to NAT: see [`NatQuotes`] and [`NatErrors`].

use std::net::{IpAddr, Ipv4Addr};

use etherparse::checksum::Sum16BitWords;

use crate::lab::balance::Choose;
use crate::lab::packet::{Packet, TCP, UDP, put};
use crate::lab::scenario::{Nat, NatErrors, NatQuotes};
use crate::lab::walk::{Network, Position, Walked};

impl<C: Choose> Network<C> {
    /// Translates the addresses of a packet that comes through a router, and gives it as it was before;
    /// `None` if it stays as it is. A router that switches labels does not look at addresses.
    pub(in crate::lab) fn translate(&self, here: &mut Position) -> Option<Position> {
        let nat = self.topology.nat(here.router)?;
        if here.made_here || self.is_switched(here) {
            return None;
        }
        let before = *here;
        if let Some(inside) = nat.inward.get(&here.flow.destination) {
            here.flow.destination = *inside;
        }
        self.translate_error(nat, here);
        if let Some(outside) = nat.outward.get(&here.flow.source) {
            here.flow.source = *outside;
        }
        let changed = here.flow != before.flow || here.about != before.about;
        changed.then_some(before)
    }

    /// An error about a packet that was translated on its way in.
    fn translate_error(&self, nat: &Nat, here: &mut Position) {
        let outside = here.about.and_then(|about| nat.outward.get(&about)).copied();
        let Some(outside) = outside else { return };
        if nat.quotes == NatQuotes::Translated {
            here.about = Some(outside);
        }
        if nat.outward.contains_key(&here.flow.source) {
            return;
        }
        let own = self.topology.router(here.router).and_then(|router| router.addresses.of(true));
        here.flow.source = match nat.errors {
            NatErrors::Kept => here.flow.source,
            NatErrors::Outside => outside,
            NatErrors::Router => own.unwrap_or(here.flow.source),
        };
    }
}

/// A question as it arrives, if its addresses were translated on its way.
pub(in crate::lab) fn translated_question(packet: &Packet, walked: &Walked) -> Option<Packet> {
    if walked.flow == packet.flow {
        return None;
    }
    let mut bytes = packet.arriving_with(packet.ttl);
    readdress(&mut bytes, walked.flow.source, walked.flow.destination);
    Packet::of(bytes)
}

/// Gives an answer the addresses, and an error the quote, that it arrives with. `about` is what the quote said
/// at first.
pub(in crate::lab) fn translate_answer(bytes: &mut [u8], about: Option<IpAddr>, walked: &Walked) {
    readdress(bytes, walked.flow.source, walked.flow.destination);
    let Some(quoted) = walked.about.filter(|quoted| Some(*quoted) != about) else { return };
    let Some((header, _)) = header_and_protocol(bytes) else { return };
    let Some(icmp) = bytes.get_mut(header..) else { return };
    if let Some(quote) = icmp.get_mut(BEFORE_QUOTE..)
        && let Some(source) = quote.get(12..16).and_then(|four| <[u8; 4]>::try_from(four).ok())
    {
        readdress(quote, IpAddr::V4(source.into()), quoted);
    }
    put(icmp, 2, &[0, 0]);
    let sum = Sum16BitWords::new().add_slice(icmp).ones_complement();
    put(icmp, 2, &sum.to_ne_bytes());
}

/// ICMP header in front of the quote.
const BEFORE_QUOTE: usize = 8;

/// Puts addresses into an IPv4 packet, or what a quote holds of one, and mends the checksums that cover them.
fn readdress(bytes: &mut [u8], source: IpAddr, destination: IpAddr) {
    let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) else { return };
    let Some((header, protocol)) = header_and_protocol(bytes) else { return };
    let Some(old) = bytes.get(12..20).and_then(|eight| <[u8; 8]>::try_from(eight).ok()) else { return };
    let new = both(source, destination);
    put(bytes, 12, &new);
    mend(bytes, 10, old, new);
    let field: usize = match protocol {
        UDP => 6,
        TCP => 16,
        // The checksum of ICMP does not cover the addresses.
        _ => return,
    };
    let at = header.saturating_add(field);
    let none = protocol == UDP && bytes.get(at..at.saturating_add(2)) == Some(&[0, 0]);
    if !none {
        mend(bytes, at, old, new);
    }
}

fn header_and_protocol(bytes: &[u8]) -> Option<(usize, u8)> {
    let header = usize::from(bytes.first()? & 0xf).saturating_mul(4);
    Some((header, *bytes.get(9)?))
}

const fn both(source: Ipv4Addr, destination: Ipv4Addr) -> [u8; 8] {
    let both = (source.to_bits() as u64) << 32 | destination.to_bits() as u64;
    both.to_be_bytes()
}

/// RFC 1624 §3, equation 3: the new checksum is ~(~old checksum + ~old field + new field). Nothing where the
/// quote ends before the checksum.
fn mend(bytes: &mut [u8], at: usize, old: [u8; 8], new: [u8; 8]) {
    let end = at.saturating_add(2);
    let Some(sum) = bytes.get(at..end).and_then(|two| <[u8; 2]>::try_from(two).ok()) else { return };
    let mended = Sum16BitWords::new()
        .add_2bytes(sum.map(|byte| !byte))
        .add_8bytes(old.map(|byte| !byte))
        .add_8bytes(new)
        .ones_complement();
    // 0 would say that a UDP datagram has no checksum; it is the same number as 0xffff.
    let mended = if mended == 0 { u16::MAX } else { mended };
    put(bytes, at, &mended.to_ne_bytes());
}

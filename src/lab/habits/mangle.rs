//! What quotes show wrongly (Malone and Luckie, "Analysis of ICMP Quotations", 2007). Only the named fields
//! change: the header checksum stays as it was, as on systems that work on the header in place.

use crate::lab::packet::{ICMP, ICMPV6, TCP, UDP, put};
use crate::lab::scenario::Mangle;

/// Changes a quote as a router would; fields that it does not reach stay away.
pub(in crate::lab) fn mangle(quote: &mut [u8], mangles: &[Mangle]) {
    let Some(first) = quote.first().copied() else { return };
    for mangle in mangles {
        match first >> 4 {
            4 => mangle_v4(quote, usize::from(first & 0xf).saturating_mul(4), *mangle),
            _ => mangle_v6(quote, first, *mangle),
        }
    }
}

fn mangle_v4(quote: &mut [u8], header: usize, mangle: Mangle) {
    match mangle {
        Mangle::IpIdZero => put(quote, 4, &[0, 0]),
        Mangle::IpIdSwapped => swap(quote, 4),
        Mangle::LengthSwapped => swap(quote, 2),
        Mangle::TosZero => put(quote, 1, &[0]),
        Mangle::TtlZero => put(quote, 8, &[0]),
        Mangle::IpChecksumZero => put(quote, 10, &[0, 0]),
        Mangle::ChecksumZero => {
            let protocol = quote.get(9).copied().unwrap_or_default();
            transport_checksum_zero(quote, header, protocol);
        }
    }
}

/// There is no identification and no header checksum to mangle.
fn mangle_v6(quote: &mut [u8], first: u8, mangle: Mangle) {
    match mangle {
        Mangle::IpIdZero | Mangle::IpIdSwapped | Mangle::IpChecksumZero => {}
        Mangle::LengthSwapped => swap(quote, 4),
        Mangle::TosZero => {
            // The traffic class lies across the first two bytes; the flow label begins behind it.
            let label = quote.get(1).copied().unwrap_or_default() & 0x0f;
            put(quote, 0, &[first & 0xf0, label]);
        }
        Mangle::TtlZero => put(quote, 7, &[0]),
        Mangle::ChecksumZero => {
            let protocol = quote.get(6).copied().unwrap_or_default();
            transport_checksum_zero(quote, 40, protocol);
        }
    }
}

fn transport_checksum_zero(quote: &mut [u8], header: usize, protocol: u8) {
    let field: usize = match protocol {
        ICMP | ICMPV6 => 2,
        UDP => 6,
        TCP => 16,
        _ => return,
    };
    put(quote, header.saturating_add(field), &[0, 0]);
}

fn swap(quote: &mut [u8], at: usize) {
    if let Some(field) = quote.get_mut(at..at.saturating_add(2)) {
        field.reverse();
    }
}

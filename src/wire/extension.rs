//! ICMP extension structures (RFC 4884) and the MPLS label stacks in them (RFC 4950).
//!
//! Bytes whose version or checksum is wrong are no extension but a part of the quote: the answer counts
//! without labels. An extension that is verified and yet contradicts itself is an error.

use pnet::packet::util;

use super::stretch::Stretch;
use super::{Malformed, Reason};
use crate::model::MplsLabel;

/// Deeper label stacks are cut off here.
const MAX_LABELS: usize = 16;

/// Where senders from before RFC 4884 put the extension: behind 128 bytes of quote (RFC 4884 §5.5).
const OLD_PLACE: usize = 128;

/// Bytes before the quote: type, code, checksum and four that depend on the type.
const ICMP_HEADER: usize = 8;

/// Where an ICMP error tells the length of its quote.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthField {
    /// Its place in the ICMP header.
    at: usize,
    /// Bytes that one of it counts.
    unit: usize,
}

impl LengthField {
    /// ICMP: destination unreachable, time exceeded, parameter problem (RFC 4884 §4.1 to §4.3).
    pub(super) const V4: Self = Self { at: 5, unit: 4 };
    /// ICMPv6: destination unreachable, time exceeded (RFC 4884 §4.4, §4.5).
    pub(super) const V6: Self = Self { at: 4, unit: 8 };
}

/// What an ICMP error holds.
pub(super) struct Parts<'a> {
    pub(super) quote: Stretch<'a>,
    /// Outermost first.
    pub(super) mpls: Vec<MplsLabel>,
}

/// Parts an ICMP error, given from its type on. Without `length` its type has no extensions.
pub(super) fn split(message: Stretch<'_>, length: Option<LengthField>) -> Result<Parts<'_>, Malformed> {
    let body = message.skip(ICMP_HEADER)?;
    let found = match length {
        Some(field) => find(body, usize::from(message.u8(field.at)?).saturating_mul(field.unit)),
        None => None,
    };
    match found {
        Some((place, objects)) => Ok(Parts { quote: body.first(place), mpls: label_stack(objects)? }),
        None => Ok(Parts { quote: body, mpls: Vec::new() }),
    }
}

/// The place of a verified extension structure and the objects in it. `told` is the length of the quote as
/// the sender tells it, 0 if it does not.
fn find(body: Stretch<'_>, told: usize) -> Option<(usize, Stretch<'_>)> {
    let place = if told == 0 { OLD_PLACE } else { told };
    let structure = body.skip(place).ok()?;
    let version = structure.u8(0).ok()? >> 4;
    // RFC 4884 §7: a checksum of zero was not computed. Believed only of those who tell the length.
    let verified = match structure.u16(2).ok()? {
        0 => told != 0,
        _ => util::checksum(structure.bytes(), usize::MAX) == 0,
    };
    (version == 2 && verified).then_some((place, structure.skip(4).ok()?))
}

fn label_stack(mut objects: Stretch<'_>) -> Result<Vec<MplsLabel>, Malformed> {
    let mut labels = Vec::new();
    while objects.len() > 0 {
        let length = object_length(objects).ok_or_else(|| objects.malformed(0, Reason::BadExtension))?;
        let object = objects.first(length);
        if object.u16(2)? == MPLS_STACK {
            let entries = object.skip(4)?.bytes().as_chunks().0;
            labels.extend(entries.iter().copied().take(MAX_LABELS.saturating_sub(labels.len())).map(label));
        }
        objects = objects.skip(length)?;
    }
    Ok(labels)
}

/// Class 1, type 1: the incoming label stack.
const MPLS_STACK: u16 = 0x0101;

/// Bytes of the first object with its header; `None` if that cannot be.
fn object_length(objects: Stretch<'_>) -> Option<usize> {
    let length = usize::from(objects.u16(0).ok()?);
    (length >= 4 && length <= objects.len()).then_some(length)
}

/// RFC 3032 §2.1: label 20 bits, class 3, bottom 1, TTL 8.
fn label(entry: [u8; 4]) -> MplsLabel {
    let [_, _, third, ttl] = entry;
    let label = u32::from_be_bytes(entry) >> 12;
    MplsLabel { label, class: (third >> 1) & 0b111, bottom: third & 1 == 1, ttl }
}

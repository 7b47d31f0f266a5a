//! The keyed tag: what somebody off the path would have to guess to forge an answer.

use std::fmt;
use std::net::IpAddr;

use siphasher::sip::SipHasher24;

use super::flow;
use crate::model::{Probe, Protocol};

/// The secret of a campaign: a 128-bit SipHash-2-4 key. It is never shown; a [`TagKey::fingerprint`] is.
#[derive(Clone, PartialEq, Eq)]
pub struct TagKey([u8; 16]);

impl TagKey {
    /// Sixteen bytes from a cryptographic random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Names the key without telling it: 16 hexadecimal digits. Not the tag of any probe, since tags hash
    /// 32 bytes and this another number of them.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", self.hash(b"tetherline key fingerprint"))
    }

    /// The tag of a probe. Neither half is 0; each takes its other 65,535 values equally often.
    pub(super) fn tag(&self, probe: &Probe) -> u32 {
        let hash = self.hash(name_of(probe).as_flattened());
        join(fold(hash >> 32), fold(hash & 0xFFFF_FFFF))
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(bytes)
    }
}

impl fmt::Debug for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TagKey(..)")
    }
}

/// 32 random bits to 1 ..= 65535.
fn fold(bits: u64) -> u16 {
    u16::try_from(bits % 0xFFFF).unwrap_or(0).saturating_add(1)
}

/// Everything that names a probe, as 32 bytes, integers big-endian.
fn name_of(probe: &Probe) -> [[u8; 8]; 4] {
    let (family, address) = match probe.target {
        IpAddr::V4(address) => (4, address.to_ipv6_mapped()),
        IpAddr::V6(address) => (6, address),
    };
    let protocol = match probe.protocol {
        Protocol::Icmp => 1,
        Protocol::Udp => 2,
        Protocol::Tcp => 3,
    };
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0).to_be_bytes();
    let (head, tail) = (half(address.to_bits() >> 64), half(address.to_bits()));
    let [a, b] = flow::destination_port(probe).to_be_bytes();
    let [c, d] = probe.flow.0.to_be_bytes();
    [
        probe.round.0.to_be_bytes(),
        head,
        tail,
        [a, b, c, d, family, protocol, probe.ttl.get(), probe.attempt],
    ]
}

/// The high and the low half of a tag.
pub(super) const fn halves(tag: u32) -> (u16, u16) {
    let [a, b, c, d] = tag.to_be_bytes();
    (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
}

/// One of the two tags that differ in the order of the bytes of the low half.
pub(super) fn in_either_order(tag: u32) -> u32 {
    let (high, low) = halves(tag);
    join(high, low.min(low.swap_bytes()))
}

/// The tag of two halves.
pub(super) const fn join(high: u16, low: u16) -> u32 {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    u32::from_be_bytes([a, b, c, d])
}

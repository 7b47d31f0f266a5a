//! The Internet checksum (RFC 1071), four bytes at a time: sums of larger words come to the same, since in
//! one's complement arithmetic 2¹⁶ is 1.

use std::net::IpAddr;

/// A sum of 16-bit words, not yet folded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// The sum of these bytes; an odd one at the end counts as if a zero stood behind it.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::default().and(bytes)
    }

    /// With these bytes, which begin a word.
    pub(super) fn and(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks();
        let last = match rest {
            [] => [0; 4],
            [a] => [*a, 0, 0, 0],
            [a, b] => [*a, *b, 0, 0],
            [a, b, c, ..] => [*a, *b, *c, 0],
        };
        let add = |sum: u64, word: &[u8; 4]| sum.wrapping_add(u32::from_be_bytes(*word).into());
        Self(add(words.iter().fold(self.0, add), &last))
    }

    /// With the pseudo-header of a transport (RFC 9293 §3.1, RFC 8200 §8.1); the length is in bytes.
    pub(super) fn and_pseudo_header(self, ends: [IpAddr; 2], protocol: u8, length: u16) -> Self {
        let with_ends = ends.into_iter().fold(self, |sum, end| match end {
            IpAddr::V4(address) => sum.and(&address.octets()),
            IpAddr::V6(address) => sum.and(&address.octets()),
        });
        let [high, low] = length.to_be_bytes();
        with_ends.and(&[0, protocol, high, low])
    }

    /// What stands in the header: the complement of the sum, with all carries added.
    pub(super) fn checksum(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xFFFF {
            sum = (sum >> 16).wrapping_add(sum & 0xFFFF);
        }
        !u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use pnet::packet::ip::IpNextHeaderProtocol;
    use pnet::packet::util;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// `pnet` sums word by word.
        #[test]
        fn it_is_that_of_an_implementation_by_others(
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            v4: [u32; 2],
            v6: [u128; 2],
            protocol: u8,
        ) {
            const NONE: usize = usize::MAX;
            prop_assert_eq!(Sum::of(&bytes).checksum(), util::checksum(&bytes, NONE));
            let (length, next) = (u16::try_from(bytes.len()).unwrap(), IpNextHeaderProtocol::new(protocol));
            let [a, b] = v4.map(Ipv4Addr::from_bits);
            let sum = Sum::of(&bytes).and_pseudo_header([a.into(), b.into()], protocol, length);
            prop_assert_eq!(sum.checksum(), util::ipv4_checksum(&bytes, NONE, &[], &a, &b, next));
            let [a, b] = v6.map(Ipv6Addr::from_bits);
            let sum = Sum::of(&bytes).and_pseudo_header([a.into(), b.into()], protocol, length);
            prop_assert_eq!(sum.checksum(), util::ipv6_checksum(&bytes, NONE, &[], &a, &b, next));
        }
    }

    #[test]
    fn zeros_and_their_complement_keep_their_two_zeros_apart() {
        assert_eq!((Sum::of(&[0; 20]).checksum(), Sum::of(&[0xFF; 20]).checksum()), (0xFFFF, 0));
    }
}

//! Bytes taken from the front, in network order. Too few of them give `None`, never a panic.

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// As many bytes as the next 16 bits say.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.u16()?;
        self.take(usize::from(count))
    }

    pub(super) fn address(&mut self, is_v6: bool) -> Option<std::net::IpAddr> {
        if is_v6 { Some(self.array::<16>()?.into()) } else { Some(self.array::<4>()?.into()) }
    }

    /// A prefix as BGP writes it: length in bits, and as many bytes as that needs (RFC 4271 §4.3). Bits behind
    /// the length may be anything.
    pub(super) fn prefix(&mut self, is_v6: bool) -> Option<crate::model::Prefix> {
        let length = self.u8()?;
        let given = self.take(usize::from(length.div_ceil(8)))?;
        let mut octets = [0; 16];
        octets.get_mut(..given.len())?.copy_from_slice(given);
        let mut whole = Bytes(&octets);
        crate::model::Prefix::covering(whole.address(is_v6)?, length)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

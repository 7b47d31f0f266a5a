//! Reading bytes that somebody else wrote: every access is checked, every error knows its place.

use super::{Malformed, Reason};

/// A stretch of a received packet that knows where in the packet it begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    bytes: &'a [u8],
    /// Bytes from the start of the IP header.
    start: usize,
}

impl<'a> Stretch<'a> {
    /// The whole packet.
    pub(super) const fn whole(packet: &'a [u8]) -> Self {
        Self { bytes: packet, start: 0 }
    }

    pub(super) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(super) const fn len(self) -> usize {
        self.bytes.len()
    }

    /// The byte at `at`.
    pub(super) fn u8(self, at: usize) -> Result<u8, Malformed> {
        self.array(at).map(|[byte]| byte)
    }

    /// The big-endian number at `at`.
    pub(super) fn u16(self, at: usize) -> Result<u16, Malformed> {
        self.array(at).map(u16::from_be_bytes)
    }

    /// The big-endian number at `at`.
    pub(super) fn u32(self, at: usize) -> Result<u32, Malformed> {
        self.array(at).map(u32::from_be_bytes)
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N], Malformed> {
        let field = self.bytes.get(at..).and_then(|rest| rest.first_chunk());
        field.copied().ok_or_else(|| self.truncated())
    }

    /// What follows the first `count` bytes, which must be there.
    pub(super) fn skip(self, count: usize) -> Result<Self, Malformed> {
        let bytes = self.bytes.get(count..).ok_or_else(|| self.truncated())?;
        Ok(Self { bytes, start: self.start.saturating_add(count) })
    }

    /// The first `count` bytes, or all if there are fewer.
    pub(super) fn first(self, count: usize) -> Self {
        Self { bytes: self.bytes.get(..count).unwrap_or(self.bytes), ..self }
    }

    /// Something is wrong at byte `at`.
    pub(super) const fn malformed(self, at: usize, reason: Reason) -> Malformed {
        Malformed { offset: self.start.saturating_add(at), reason }
    }

    /// It ends too early.
    pub(super) const fn truncated(self) -> Malformed {
        self.malformed(self.len(), Reason::Truncated)
    }
}

//! The AS path of a route, and what else of its attributes tells who originates what (RFC 4271 §4.3, §5.1.2;
//! RFC 4760; RFC 5065; RFC 6793).

use super::bytes::Bytes;
use crate::formats::origins::is_public;

const AS_PATH: u8 = 2;
const MP_REACH: u8 = 14;
const MP_UNREACH: u8 = 15;
const AS4_PATH: u8 = 17;

/// Flag: the length of the attribute has two bytes.
const EXTENDED: u8 = 0x10;

const SET: u8 = 1;
const SEQUENCE: u8 = 2;

/// The attributes of a route that are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attributes<'a> {
    pub(super) as_path: Option<&'a [u8]>,
    as4_path: Option<&'a [u8]>,
    pub(super) reach: Option<&'a [u8]>,
    pub(super) unreach: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    /// `None` if an attribute is longer than what is there.
    pub(super) fn read(attributes: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(attributes);
        let mut read = Self::default();
        while !bytes.is_empty() {
            let (flags, kind) = (bytes.u8()?, bytes.u8()?);
            let value = if flags & EXTENDED == 0 {
                let count = bytes.u8()?;
                bytes.take(usize::from(count))?
            } else {
                bytes.counted()?
            };
            match kind {
                AS_PATH => read.as_path = Some(value),
                MP_REACH => read.reach = Some(value),
                MP_UNREACH => read.unreach = Some(value),
                AS4_PATH => read.as4_path = Some(value),
                _ => {}
            }
        }
        Some(read)
    }

    /// Reads the path into `path`. `None` if it is none.
    pub(super) fn path(&self, has_4_bytes: bool, path: &mut AsPath) -> Option<()> {
        path.read(self.as_path?, has_4_bytes)?;
        let Some(wide) = self.as4_path.filter(|_| !has_4_bytes) else { return Some(()) };
        // An old speaker in between shows large numbers as AS_TRANS; they stand in AS4_PATH, which has the end of
        // the path (RFC 6793 §4.2.3).
        let narrow = path.clone();
        path.read(wide, true)?;
        match narrow.hops.len().checked_sub(path.hops.len()) {
            Some(missing) => path.hops.splice(..0, narrow.hops.into_iter().take(missing)).for_each(drop),
            None => *path = narrow,
        }
        Some(())
    }
}

/// An AS path. Kept and filled anew, since there are millions.
#[derive(Clone, Debug, Default)]
pub(super) struct AsPath {
    /// The ASes in order, nearest first. 0 stands for a set.
    pub(super) hops: Vec<u32>,
    /// The members of the last set, if the path ends in one.
    last_set: Vec<u32>,
}

impl AsPath {
    fn read(&mut self, path: &[u8], has_4_bytes: bool) -> Option<()> {
        self.hops.clear();
        self.last_set.clear();
        let mut bytes = Bytes(path);
        while !bytes.is_empty() {
            let (kind, count) = (bytes.u8()?, bytes.u8()?);
            if kind == SET {
                self.last_set.clear();
                self.hops.push(0);
            }
            for _ in 0..count {
                let asn = if has_4_bytes { bytes.u32()? } else { u32::from(bytes.u16()?) };
                match kind {
                    SEQUENCE => self.hops.push(asn),
                    SET => self.last_set.push(asn),
                    // Confederations are inside an AS that stands on the path itself.
                    _ => {}
                }
            }
        }
        Some(())
    }

    /// Who originates: the last AS of the path that can be a public network's, or all such members of a set at
    /// its end.
    pub(super) fn origins(&self) -> impl Iterator<Item = u32> + '_ {
        let set = if self.hops.last() == Some(&0) { self.last_set.as_slice() } else { &[] };
        let of_set = set.iter().copied().filter(|asn| is_public(*asn));
        let has_set = of_set.clone().next().is_some();
        let last = self.hops.iter().rev().copied().find(|asn| is_public(*asn));
        of_set.chain(last.filter(|_| !has_set))
    }

    /// The ASes in order, each once in a row; sets and numbers that no public network has part what they stand
    /// between, as `None`.
    pub(super) fn steps(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        let mut before = None;
        self.hops.iter().filter_map(move |asn| {
            let step = Some(*asn).filter(|asn| is_public(*asn));
            let new = before != Some(*asn);
            before = Some(*asn);
            new.then_some(step)
        })
    }
}

//! The records of an MRT file, one after the other (RFC 6396 §2, §3).

use std::io::{self, Read};

use super::bytes::Bytes;
use crate::formats::faults::Faults;

/// The largest record that is read, in bytes; a record of a RIB with a thousand peers has some 100,000.
const LARGEST: u32 = 16 * 1024 * 1024;

pub(super) const TABLE_DUMP: u16 = 12;
pub(super) const TABLE_DUMP_V2: u16 = 13;
pub(super) const BGP4MP: u16 = 16;
pub(super) const BGP4MP_ET: u16 = 17;

/// All kinds of record that RFC 6396 and its registry know.
const KINDS: [u16; 11] = [11, 12, 13, 16, 17, 32, 33, 48, 49, 5, 7];

const HEADER: usize = 12;

/// A record; its body lies in the reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    /// Where it begins, in bytes of what is unpacked.
    pub(super) at: u64,
    /// When, in seconds since 1970.
    pub(super) seconds: u32,
    pub(super) kind: u16,
    pub(super) subtype: u16,
}

/// Reads records. After a fault that hides where the next one begins, nothing more comes.
pub(super) struct Frames<R> {
    input: R,
    at: u64,
    body: Vec<u8>,
}

impl<R: Read> Frames<R> {
    pub(super) const fn new(input: R) -> Self {
        Self { input, at: 0, body: Vec::new() }
    }

    /// The body of the record that was read last.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn next(&mut self, faults: &mut Faults) -> Option<Frame> {
        let mut header = Vec::with_capacity(HEADER);
        let at = self.at;
        if !self.fill(&mut header, HEADER, "header", faults)? {
            return None;
        }
        let mut bytes = Bytes(&header);
        let (seconds, kind, subtype, length) = (bytes.u32()?, bytes.u16()?, bytes.u16()?, bytes.u32()?);
        if length > LARGEST || !KINDS.contains(&kind) {
            let what =
                format_args!("no MRT record: type {kind}.{subtype}, {length} bytes; the rest is left out");
            faults.byte(at, what);
            return None;
        }
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let whole = self.fill(&mut body, length as usize, "body", faults);
        self.body = body;
        whole?.then_some(Frame { at, seconds, kind, subtype })
    }

    /// Reads so many bytes. `None` if they cannot be had, false at a clean end.
    fn fill(&mut self, to: &mut Vec<u8>, count: usize, what: &str, faults: &mut Faults) -> Option<bool> {
        let read = (&mut self.input).take(count as u64).read_to_end(to);
        let at = self.at;
        self.at = self.at.saturating_add(to.len() as u64);
        match read {
            Ok(read) if read == count => Some(true),
            Ok(0) if what == "header" => Some(false),
            Ok(_) => self.torn(at, what, None, faults),
            Err(error) => self.torn(at, what, Some(&error), faults),
        }
    }

    fn torn(&self, at: u64, what: &str, error: Option<&io::Error>, faults: &mut Faults) -> Option<bool> {
        let why = error.map_or_else(|| "the file ends".to_owned(), ToString::to_string);
        faults.byte(self.at, format_args!("in the {what} of the record at byte {at}: {why}"));
        None
    }
}

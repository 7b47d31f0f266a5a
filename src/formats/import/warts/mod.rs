//! scamper's own format, warts: records of lists, cycles, traceroutes, pings and load-balancer traceroutes.
//!
//! A record has a magic number, its type and its length, so that one that cannot be read is passed over. Where
//! no record begins where one should, bytes were lost or changed: the next place that looks like a
//! header is searched for, and reading goes on there.

mod answer;
mod cursor;
mod ping;
mod trace;
mod tracelb;

use std::collections::HashMap;
use std::net::IpAddr;

use cursor::{Bad, Cursor, ip};

use super::Batch;
use super::fields::{name, name_of_address};
use super::input::Input;
use crate::model::Name;

const MAGIC: [u8; 2] = [0x12, 0x05];

/// The length of a header: magic, type, length.
const HEADER: usize = 8;

/// The longest record that is read, in bytes behind its header.
const LONGEST_RECORD: usize = 16 << 20;

/// Types go up to 0x20 in scamper of 2025.
const HIGHEST_TYPE: u16 = 0x40;

/// How much is read at a time where a header is searched for.
const STEP: usize = 64 * 1024;

/// After so many bytes without a header a file is given up: nobody loses so much in one piece.
const MOST_SEARCHED: u64 = 1 << 30;

/// The most lists, cycles and old addresses that are remembered.
const MOST_NAMED: usize = 1 << 20;

/// Where every measurement belongs to.
#[derive(Default)]
struct Context {
    /// Name, and monitor if it is told.
    lists: HashMap<u32, (String, Option<String>)>,
    /// The number that its user gave it, and its host if it is told.
    cycles: HashMap<u32, (u32, Option<String>)>,
    addresses: Vec<Option<IpAddr>>,
}

/// A file of warts as it is read.
pub(super) struct Reader {
    context: Context,
    ready: Vec<u8>,
    at: usize,
    /// The offset of the first byte that is ready.
    offset: u64,
    most_searched: u64,
}

impl Default for Reader {
    fn default() -> Self {
        Self::giving_up_after(MOST_SEARCHED)
    }
}

impl Reader {
    /// One that gives a file up after so many bytes in which no record begins.
    pub(super) fn giving_up_after(most_searched: u64) -> Self {
        Self { context: Context::default(), ready: Vec::new(), at: 0, offset: 0, most_searched }
    }

    /// Reads the next record into the batch. False when there is none.
    pub(super) fn read(&mut self, input: &mut Input, batch: &mut Batch) -> bool {
        if !self.has(input, 1) {
            return false;
        }
        let offset = self.offset();
        let Some((kind, length)) = self.has(input, HEADER).then(|| self.header()).flatten() else {
            batch.fault(offset, "no warts record begins here");
            return self.search(input, batch);
        };
        let whole = HEADER.saturating_add(length);
        if !self.has(input, whole) {
            batch.fault(offset, "the file ends inside this record");
            self.at = self.at.saturating_add(1);
            return self.search(input, batch);
        }
        let followed = !self.has(input, whole.saturating_add(MAGIC.len())) || self.begins_at(whole);
        let body = self.ready.get(self.at.saturating_add(HEADER)..self.at.saturating_add(whole));
        let read = self.context.read(kind, body.unwrap_or_default(), batch);
        if let Err(bad) = read {
            batch.fault(offset, format_args!("a warts record of type {kind} cannot be read: {bad}"));
            if !followed {
                self.at = self.at.saturating_add(1);
                return self.search(input, batch);
            }
        }
        self.at = self.at.saturating_add(whole);
        true
    }

    fn offset(&self) -> u64 {
        self.offset.saturating_add(self.at as u64)
    }

    /// Makes so many bytes ready; false if the file has fewer.
    fn has(&mut self, input: &mut Input, number: usize) -> bool {
        let missing = self.at.saturating_add(number).saturating_sub(self.ready.len());
        if missing == 0 {
            return true;
        }
        // What was read goes only now and then, so that every byte is moved a few times at most.
        if self.at > STEP || self.at == self.ready.len() {
            self.ready.drain(..self.at);
            self.offset = self.offset.saturating_add(self.at as u64);
            self.at = 0;
        }
        input.read_exactly(&mut self.ready, missing)
    }

    fn begins_at(&self, behind: usize) -> bool {
        let rest = self.ready.get(self.at.saturating_add(behind)..).unwrap_or_default();
        rest.starts_with(&MAGIC)
    }

    /// Type and length, if this looks like a header.
    fn header(&self) -> Option<(u16, usize)> {
        header(self.ready.get(self.at..)?)
    }

    /// Goes on at the next place that looks like a header. False if there is none, or none for too long.
    fn search(&mut self, input: &mut Input, batch: &mut Batch) -> bool {
        let begin = self.offset();
        loop {
            let rest = self.ready.get(self.at..).unwrap_or_default();
            if let Some(found) = find_header(rest) {
                self.at = self.at.saturating_add(found);
                return true;
            }
            if self.offset().saturating_sub(begin) > self.most_searched {
                let most = self.most_searched;
                let reason = "bytes no warts record begins: the rest of the file is left out";
                batch.fault(begin, format_args!("in {most} {reason}"));
                return false;
            }
            self.at = self.ready.len().saturating_sub(HEADER.saturating_sub(1)).max(self.at);
            if !self.has(input, STEP) && self.ready.len().saturating_sub(self.at) < HEADER {
                return false;
            }
        }
    }
}

/// The first place that looks like a header. Most bytes are passed over by looking for the first of the magic number.
fn find_header(bytes: &[u8]) -> Option<usize> {
    let [magic, _] = MAGIC;
    let mut from: usize = 0;
    loop {
        let rest = bytes.get(from..)?;
        from = from.saturating_add(rest.iter().position(|byte| *byte == magic)?);
        if header(bytes.get(from..)?).is_some() {
            return Some(from);
        }
        from = from.saturating_add(1);
    }
}

fn header(bytes: &[u8]) -> Option<(u16, usize)> {
    let [magic_1, magic_2, kind_1, kind_2, length @ ..] = bytes.get(..HEADER)? else { return None };
    let kind = u16::from_be_bytes([*kind_1, *kind_2]);
    let length = u32::from_be_bytes(length.try_into().ok()?);
    let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST_RECORD)?;
    let looks_like_one = [*magic_1, *magic_2] == MAGIC && (1..=HIGHEST_TYPE).contains(&kind);
    looks_like_one.then_some((kind, length))
}

impl Context {
    fn read(&mut self, kind: u16, body: &[u8], batch: &mut Batch) -> Result<(), Bad> {
        match kind {
            1 => self.read_list(body),
            2 | 3 => self.read_cycle(body),
            4 => Ok(()),
            5 => self.read_address(body),
            6 => trace::read(self, body, batch),
            7 => ping::read(self, body, batch),
            8 => tracelb::read(self, body, batch),
            _ => {
                batch.count("records of other types");
                Ok(())
            }
        }
    }

    fn read_list(&mut self, body: &[u8]) -> Result<(), Bad> {
        let mut cursor = Cursor::new(body, &[]);
        let (number, _) = (cursor.long()?, cursor.long()?);
        let name = cursor.text()?;
        let params = cursor.params()?;
        let _description = params.has(1).then(|| cursor.text()).transpose()?;
        let monitor = params.has(2).then(|| cursor.text()).transpose()?;
        if self.lists.len() < MOST_NAMED {
            self.lists.insert(number, (name, monitor));
        }
        Ok(())
    }

    fn read_cycle(&mut self, body: &[u8]) -> Result<(), Bad> {
        let mut cursor = Cursor::new(body, &[]);
        let number = cursor.long()?;
        let (_list, of_user, _start) = (cursor.long()?, cursor.long()?, cursor.long()?);
        let params = cursor.params()?;
        let _stop = cursor.long_if(params, 1)?;
        let host = params.has(2).then(|| cursor.text()).transpose()?;
        if self.cycles.len() < MOST_NAMED {
            self.cycles.insert(number, (of_user, host));
        }
        Ok(())
    }

    fn read_address(&mut self, body: &[u8]) -> Result<(), Bad> {
        let mut cursor = Cursor::new(body, &[]);
        let (_number, kind) = (cursor.byte()?, cursor.byte()?);
        let bytes = body.get(2..).unwrap_or_default();
        let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
        if self.addresses.len() < MOST_NAMED {
            self.addresses.push(ip(kind, bytes, length)?);
        }
        Ok(())
    }

    /// Who measured: the monitor of the list, or the host of the cycle, or the address.
    fn vantage(&self, list: Option<u32>, cycle: Option<u32>, source: Option<IpAddr>) -> Option<Name> {
        let monitor =
            list.and_then(|list| self.lists.get(&list)).and_then(|(_, monitor)| monitor.as_deref());
        let host = cycle.and_then(|cycle| self.cycles.get(&cycle)).and_then(|(_, host)| host.as_deref());
        let told = monitor.or(host).and_then(name);
        told.or_else(|| source.and_then(name_of_address)).or_else(|| name("unknown"))
    }

    /// Of which cycle it is, as its user numbers them.
    fn cycle(&self, cycle: Option<u32>) -> Option<u64> {
        cycle.and_then(|cycle| self.cycles.get(&cycle)).map(|(number, _)| u64::from(*number))
    }

    /// Which list it was on.
    fn series(&self, list: Option<u32>) -> Option<Name> {
        let list = list.and_then(|list| self.lists.get(&list));
        list.and_then(|(text, _)| name(text)).or_else(|| name("scamper"))
    }
}

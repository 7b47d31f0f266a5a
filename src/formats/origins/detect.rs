//! What a file of origins is, told by its first bytes; for one kind by its last.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::net::IpAddr;

use super::{FileKind, OriginFile, mmdb, mrt, open, organisations, unpacked, whole};
use crate::model::FileError;

/// So many unpacked bytes are looked at.
const LOOKED_AT: u64 = 16 * 1024;

/// The end of a database in which its mark stands, in bytes, by its format.
const MARKED_END: i64 = 128 * 1024;

/// A file that was opened, and what it is.
pub(super) struct Opened {
    pub(super) kind: FileKind,
    pub(super) name: String,
    /// Its unpacked bytes.
    pub(super) input: Box<dyn Read>,
    begins_with_change: bool,
}

impl Opened {
    pub(super) fn new(file: &OriginFile) -> Result<Self, FileError> {
        let name = file.path.display().to_string();
        let mut packed = open(&file.path, &name)?;
        let is_mmdb = file.kind.is_none() && has_mark(&mut packed);
        let mut input = unpacked(packed, &name)?;
        let mut begin = Vec::new();
        // An error comes again where the file is read.
        let looked = input.by_ref().take(LOOKED_AT).read_to_end(&mut begin).err();
        let found = || if is_mmdb { Some(FileKind::Mmdb) } else { kind_of(&begin) };
        let kind = file.kind.or_else(found);
        let kind = kind.ok_or_else(|| whole(&name, unknown(&begin, looked.as_ref())))?;
        let begins_with_change = kind == FileKind::Mrt && mrt::begins_with_change(&begin);
        let rest: Box<dyn Read> = match looked {
            Some(error) => Box::new(Failing(Some(error))),
            None => input,
        };
        Ok(Self { kind, name, input: Box::new(Cursor::new(begin).chain(rest)), begins_with_change })
    }

    /// Whether it has changes to tables instead of a table.
    pub(super) const fn has_changes(&self) -> bool {
        self.begins_with_change
    }
}

/// What is left of a file that could not be read on.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn has_mark(file: &mut File) -> bool {
    let mut end = Vec::new();
    let from_end = file.seek(SeekFrom::End(-MARKED_END)).or_else(|_| file.seek(SeekFrom::Start(0)));
    let read = from_end.and_then(|_| file.read_to_end(&mut end));
    let back = file.seek(SeekFrom::Start(0));
    read.is_ok() && back.is_ok() && mmdb::has_mark(&end)
}

fn unknown(begin: &[u8], error: Option<&io::Error>) -> String {
    let kinds: Vec<&str> = FileKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let told = format!("say what it is before its name, as in mrt:FILE: {}", kinds.join(", "));
    match error {
        Some(error) => format!("cannot be read: {error}"),
        None if begin.is_empty() => "is empty".to_owned(),
        None => format!("its content does not tell what it is; {told}"),
    }
}

/// What a file is that begins so.
fn kind_of(begin: &[u8]) -> Option<FileKind> {
    if mrt::begins_like_mrt(begin) {
        return Some(FileKind::Mrt);
    }
    if organisations::begins_like_organisations(begin) {
        return Some(FileKind::Organisations);
    }
    let mut lines = begin.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let says = |line: &&[u8]| !matches!(line.first(), None | Some(b'#' | b';'));
    // The last line that was looked at may be torn; of a file of one line that is the whole.
    lines.find(says).and_then(|line| kind_of_line(std::str::from_utf8(line).ok()?))
}

fn kind_of_line(line: &str) -> Option<FileKind> {
    if line.starts_with(['{', '[']) {
        return Some(FileKind::ExchangePoints);
    }
    let relation: Vec<&str> = line.split('|').collect();
    if let [one, other, "-1" | "0" | "1" | "2", ..] = relation.as_slice()
        && [one, other].iter().all(|asn| asn.bytes().all(|byte| byte.is_ascii_digit()))
        && relation.len() <= 4
    {
        return Some(FileKind::Relations);
    }
    if relation.len() >= 6 {
        return Some(FileKind::Delegated);
    }
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let is_address = |text: &str| text.parse::<IpAddr>().is_ok();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    match fields.as_slice() {
        [net, asn]
            if net.split_once('/').is_some_and(|(address, _)| is_address(address)) && is_number(asn) =>
        {
            Some(FileKind::Pyasn)
        }
        [first, last, asn, ..] if is_address(first) && is_address(last) && is_number(asn) => {
            Some(FileKind::Iptoasn)
        }
        [address, length, _] if is_address(address) && is_number(length) => Some(FileKind::Pfx2as),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_told_by_its_first_row_and_nothing_else_is_taken_for_one() {
        for (line, kind) in [
            ("1.0.4.0\t24\t56203_9", Some(FileKind::Pfx2as)),
            ("; IP-ASN32-DAT file\n; \n1.0.0.0/24\t15169", Some(FileKind::Pyasn)),
            ("1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET - Cloudflare, Inc.", Some(FileKind::Iptoasn)),
            ("2|ripencc|1500000000|9|19830705|20170714|+0100", Some(FileKind::Delegated)),
            ("# {\"date\": \"2023\"}\n{\"prefixes\": {}}", Some(FileKind::ExchangePoints)),
            ("<html>", None),
            ("1.0.4.0,24,56203", None),
            ("", None),
            ("# inferred clique: 174 3356\n4837|131279|-1", Some(FileKind::Relations)),
            ("4837|131279|9", None),
            (
                "# format:aut|changed|aut_name|org_id|source\n1|2012|LVLT-1|LVLT|ARIN",
                Some(FileKind::Organisations),
            ),
            ("{\"organizationId\":\"LVLT\",\"name\":\"Level 3\"}", Some(FileKind::Organisations)),
            ("# name: as2org\n1|2012|LVLT-1|LVLT|ARIN", None),
        ] {
            assert_eq!(kind_of(line.as_bytes()), kind, "{line}");
        }
    }
}

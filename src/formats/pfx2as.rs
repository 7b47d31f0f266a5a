//! CAIDA's pfx2as tables: which AS originates a prefix, as `RouteViews` saw it.
//!
//! One line a prefix, `address <tab> length <tab> origin`, plain, gzip or bzip2. An origin is an AS number;
//! several origins (MOAS) are joined by `_`, the members of an AS set by `,`, and both occur together:
//! `47794_47794,48695`. Empty lines and lines that begin with `#` say nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use crate::model::{Asn, FileError, Prefix};

use super::compressed::plain;
use super::lines::LineLimit;

/// The longest line that is read, in bytes; the longest in ten years of tables has some hundreds.
const LONGEST_LINE: usize = 16 * 1024;

/// The most lines that are read; a full table of both families has 1.3 million.
const MOST_LINES: usize = 20_000_000;

/// A prefix and who originates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pfx2asEntry {
    /// The prefix.
    pub prefix: Prefix,
    /// Every AS that is named, once each, in the order of the file, without AS numbers that no public
    /// network can have. Never empty.
    pub origins: Vec<Asn>,
    /// Whether several origins were seen.
    pub is_moas: bool,
    /// Whether an AS set was among them.
    pub is_set: bool,
}

/// What was in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pfx2asCounts {
    /// Lines with a prefix.
    pub rows: u64,
    /// Of them with several origins.
    pub moas: u64,
    /// Of them with an AS set.
    pub sets: u64,
    /// Of them left out because no origin is the number of a public network.
    pub without_origin: u64,
}

/// A whole table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pfx2asTable {
    /// The entries, in the order of the file.
    pub entries: Vec<Pfx2asEntry>,
    /// What was in it.
    pub counts: Pfx2asCounts,
}

/// Reads a whole table.
///
/// # Errors
/// The first line that is none of a pfx2as table, or the system's reason.
pub fn load_pfx2as(path: &Path) -> Result<Pfx2asTable, FileError> {
    let mut reader = Pfx2asReader::open(path)?;
    let entries = reader.by_ref().collect::<Result<_, _>>()?;
    Ok(Pfx2asTable { entries, counts: reader.counts() })
}

/// Reads a table line by line. After an error nothing more comes.
pub struct Pfx2asReader {
    input: BufReader<LineLimit<Box<dyn Read>>>,
    file: String,
    line: usize,
    text: Vec<u8>,
    counts: Pfx2asCounts,
    ended: bool,
}

impl Pfx2asReader {
    /// Opens a file; the first bytes tell whether it is compressed.
    ///
    /// # Errors
    /// The system's reason.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let name = path.display().to_string();
        let failed = |error: io::Error| file_error(&name, None, "", &format!("cannot be read: {error}"));
        let file = File::open(path).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(file_error(&name, None, "", "is a folder: must be a pfx2as table"));
        }
        Self::new(BufReader::new(file), &name).map_err(failed)
    }

    /// Reads from anywhere; the name is for messages.
    ///
    /// # Errors
    /// The system's reason.
    pub fn new(input: impl BufRead + 'static, name: &str) -> io::Result<Self> {
        Ok(Self {
            input: BufReader::new(LineLimit::new(plain(input)?, LONGEST_LINE)),
            file: name.to_owned(),
            line: 0,
            text: Vec::new(),
            counts: Pfx2asCounts::default(),
            ended: false,
        })
    }

    /// What was in the lines read so far.
    #[must_use]
    pub const fn counts(&self) -> Pfx2asCounts {
        self.counts
    }

    /// Reads the next line into `text`. False at the end.
    fn read_line(&mut self) -> Result<bool, FileError> {
        self.text.clear();
        self.line = self.line.saturating_add(1);
        let read = self.input.read_until(b'\n', &mut self.text);
        let read = read.map_err(|error| self.error("", &format!("cannot be read: {error}")))?;
        if self.line > MOST_LINES {
            return Err(self.error("", "more lines than any table of prefixes has"));
        }
        Ok(read > 0)
    }

    /// What the line says; `None` if it says nothing that can be used.
    fn entry(&mut self) -> Result<Option<Pfx2asEntry>, FileError> {
        let text = String::from_utf8_lossy(&self.text);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let entry = parse_line(text).map_err(|rule| self.error(text, rule))?;
        self.count(&entry);
        Ok(Some(entry).filter(|entry| !entry.origins.is_empty()))
    }

    fn count(&mut self, entry: &Pfx2asEntry) {
        let counts = [
            (&mut self.counts.rows, true),
            (&mut self.counts.moas, entry.is_moas),
            (&mut self.counts.sets, entry.is_set),
            (&mut self.counts.without_origin, entry.origins.is_empty()),
        ];
        for (count, applies) in counts {
            *count = count.saturating_add(u64::from(applies));
        }
    }

    fn error(&self, found: &str, rule: &str) -> FileError {
        file_error(&self.file, Some(self.line), found, rule)
    }

    fn advance(&mut self) -> Result<Option<Pfx2asEntry>, FileError> {
        while self.read_line()? {
            let entry = self.entry()?;
            if entry.is_some() {
                return Ok(entry);
            }
        }
        Ok(None)
    }
}

impl Iterator for Pfx2asReader {
    type Item = Result<Pfx2asEntry, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl std::fmt::Debug for Pfx2asReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pfx2asReader")
            .field("file", &self.file)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

fn file_error(file: &str, line: Option<usize>, found: &str, rule: &str) -> FileError {
    let found = found.chars().take(80).collect();
    FileError { file: file.to_owned(), line, found, rule: rule.to_owned() }
}

/// Reads a line; the error is the rule that it breaks.
fn parse_line(text: &str) -> Result<Pfx2asEntry, &'static str> {
    let mut fields = text.split_ascii_whitespace();
    let (Some(address), Some(length), Some(origin), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("must be address, length and origin, separated by tabs");
    };
    let prefix = format!("{address}/{length}").parse();
    let prefix =
        prefix.map_err(|_| "must begin with an address and a length that leaves no bits set behind it")?;
    let origins = parse_origins(origin).ok_or("must end with AS numbers, joined by '_' and ','")?;
    Ok(Pfx2asEntry { prefix, origins, is_moas: origin.contains('_'), is_set: origin.contains(',') })
}

fn parse_origins(text: &str) -> Option<Vec<Asn>> {
    let mut origins = Vec::new();
    for number in text.split(['_', ',']) {
        let only_digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = number.parse().ok().filter(|_| only_digits)?;
        let asn = Asn::try_from(number).ok().filter(|_| is_public(number));
        origins.extend(asn.filter(|asn| !origins.contains(asn)));
    }
    Some(origins)
}

/// Whether a public network can have the number: not 0 (RFC 7607), not `AS_TRANS` (RFC 6793), not for
/// private use (RFC 6996), not the last of either range (RFC 7300).
pub(super) const fn is_public(number: u32) -> bool {
    !matches!(number, 0 | 23_456 | 64_512..=65_535 | 4_200_000_000..)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Result<Pfx2asEntry, FileError>>, Pfx2asCounts) {
        let mut reader = Pfx2asReader::new(io::Cursor::new(bytes.to_vec()), "t.pfx2as").unwrap();
        (reader.by_ref().collect(), reader.counts())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    fn origins(text: &str) -> Vec<u32> {
        parse_origins(text).unwrap().into_iter().map(Asn::get).collect()
    }

    const TABLE: &[u8] = b"175.45.176.0\t22\t131279\n\
        37.99.128.0\t19\t47794_47794,48695\r\n\
        \n# a comment\n\
        37.142.0.0\t17\t21450_21450,65000,65024,65486,65500,65535\n\
        192.0.2.0\t24\t64512\n\
        2001:db8::\t32\t4837_20485";

    #[test]
    fn origins_of_every_form_are_read_and_private_ones_are_left_out() {
        let (entries, counts) = read(TABLE);
        let entries: Vec<Pfx2asEntry> = entries.into_iter().map(Result::unwrap).collect();
        let shown: Vec<String> = entries.iter().map(|entry| format!("{entry:?}")).collect();
        assert_eq!(entries.len(), 4, "{shown:?}");
        assert_eq!(entries[0].prefix, "175.45.176.0/22".parse().unwrap());
        assert_eq!((entries[1].is_moas, entries[1].is_set), (true, true));
        assert_eq!(entries[2].origins, [Asn::try_from(21_450).unwrap()]);
        assert_eq!(entries[3].prefix, "2001:db8::/32".parse().unwrap());
        assert_eq!(counts, Pfx2asCounts { rows: 5, moas: 3, sets: 2, without_origin: 1 });
        assert_eq!(origins("47794_47794,48695"), [47_794, 48_695]);
        assert_eq!(
            origins("0_23456_64511_64512_65536_4199999999_4200000000"),
            [64_511, 65_536, 4_199_999_999]
        );
    }

    #[test]
    fn a_compressed_table_reads_the_same_whatever_its_name_also_in_several_members() {
        assert_eq!(read(&gzip(TABLE)), read(TABLE));
        let (first, second) = TABLE.split_at(100);
        assert_eq!(read(&[gzip(first), gzip(second)].concat()), read(TABLE));
    }

    #[test]
    fn a_bad_line_is_named_with_its_file_its_number_and_what_stands_there() {
        let bad = [
            "175.45.177.0\t22\t131279",
            "175.45.176.0\t33\t131279",
            "175.45.176.0\t22",
            "175.45.176.0\t22\t131279\t1",
            "175.45.176.0\t22\tAS131279",
            "175.45.176.0\t22\t131279_",
            "175.45.176.0\t22\t4294967296",
            "<html>\x1b[2J</html>",
        ];
        for text in bad {
            let (entries, _) = read(format!("1.0.4.0\t24\t56203\n{text}\n1.0.5.0\t24\t56203\n").as_bytes());
            assert_eq!(entries.len(), 2, "{text}: nothing follows an error");
            let shown = entries[1].as_ref().unwrap_err().to_string();
            assert!(shown.starts_with("t.pfx2as:2: "), "{shown}");
            assert!(!shown.contains('\x1b'));
        }
    }

    #[test]
    fn a_line_without_end_and_a_torn_file_are_errors_and_cost_no_memory() {
        let (entries, _) = read(&gzip(&vec![b'1'; 50_000_000]));
        let shown = entries[0].as_ref().unwrap_err().to_string();
        assert_eq!(shown, "t.pfx2as:1: cannot be read: a line is longer than 16384 bytes");
        let whole = gzip(TABLE);
        let (entries, _) = read(&whole[..whole.len() - 9]);
        assert!(entries.last().unwrap().is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let shown = load_pfx2as(Path::new("/nonexistent/t.pfx2as")).unwrap_err().to_string();
        assert!(shown.starts_with("/nonexistent/t.pfx2as: cannot be read: "), "{shown}");
        let shown = load_pfx2as(Path::new("/")).unwrap_err().to_string();
        assert!(shown.starts_with("/: is a folder"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_bytes_whatever_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read(&bytes);
            read(&[&[0x1f, 0x8b], bytes.as_slice()].concat());
        }

        #[test]
        fn what_is_written_in_the_format_is_read(
            net in any::<std::net::IpAddr>(), length in 0_u8..=32, asns in proptest::collection::vec(1_u32..23_456, 1..6)
        ) {
            let prefix = Prefix::covering(net, length).unwrap();
            let numbers: Vec<String> = asns.iter().map(u32::to_string).collect();
            let line = format!("{}\t{}\t{}\n", prefix.network(), length, numbers.join("_"));
            let (entries, _) = read(line.as_bytes());
            let entry = entries[0].as_ref().unwrap();
            prop_assert_eq!(entry.prefix, prefix);
            let read: Vec<u32> = entry.origins.iter().map(|asn| asn.get()).collect();
            let first_at = |asn: &u32| asns.iter().position(|given| given == asn).unwrap();
            prop_assert!(read.iter().is_sorted_by_key(first_at));
            let set = |list: &[u32]| list.iter().copied().collect::<std::collections::BTreeSet<u32>>();
            prop_assert_eq!(set(&read), set(&asns));
            prop_assert_eq!(read.len(), set(&asns).len());
        }
    }

    fn real(name: &str) -> std::path::PathBuf {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let folder = std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, Into::into);
        folder.join("pfx2as").join(name)
    }

    #[test]
    #[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
    fn the_table_of_29_march_2017_has_the_rows_that_caida_wrote_in_real_data() {
        let table = load_pfx2as(&real("routeviews-rv2-20170329-0200.pfx2as.gz")).unwrap();
        assert_eq!((table.counts.rows, table.counts.moas, table.counts.sets), (694_682, 7_093, 82));
        let left = table.counts.rows - table.counts.without_origin;
        assert_eq!(table.entries.len() as u64, left);
        let nk: Prefix = "175.45.176.0/24".parse().unwrap();
        let entry = table.entries.iter().find(|entry| entry.prefix == nk).unwrap();
        assert_eq!(entry.origins, [Asn::try_from(131_279).unwrap()]);
    }

    #[test]
    #[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
    fn the_ipv6_table_of_10_november_2017_has_the_rows_that_caida_wrote_in_real_data() {
        let table = load_pfx2as(&real("routeviews-rv6-20171110-1200.pfx2as.gz")).unwrap();
        assert_eq!(table.counts.rows, 48_015);
        assert!(table.entries.iter().all(|entry| !entry.prefix.is_ipv4()));
    }
}

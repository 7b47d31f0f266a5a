//! Names of ASes: one AS a line, its name behind a tab or blanks, as `AS4837 China Unicom`; or a list in JSON,
//! as `[{"asn": "4837", "name": "China Unicom"}]`. Plain, gzip or bzip2.
//!
//! Empty lines and lines that begin with `#` say nothing. Names are other people's text: they are taken as
//! they are, and can only be shown escaped.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::model::{Asn, FileError, Untrusted};

use super::compressed::{Capped, plain};
use super::faults::Faults;
use super::lines::LineLimit;

/// The longest line that is read, in bytes.
const LONGEST_LINE: usize = 4 * 1024;

/// The largest list that is read, in bytes; one of all ASes has some 4 MB.
const LARGEST_LIST: u64 = 256 * 1024 * 1024;

/// The most lines that are read; some 120,000 AS numbers are in use.
const MOST_LINES: usize = 2_000_000;

/// Reads tables of AS names; of several names of an AS the first counts. Lines that name no AS are left out, and
/// told to whoever reads the log.
///
/// # Errors
/// A table of which nothing can be read, and why.
pub fn load_as_names<P: AsRef<Path>>(paths: &[P]) -> Result<BTreeMap<Asn, Untrusted>, FileError> {
    let mut names = BTreeMap::new();
    for path in paths {
        let file = path.as_ref().display().to_string();
        let failed = |error| file_error(&file, None, format!("cannot be read: {error}"));
        let opened = File::open(path).map_err(failed)?;
        let mut table = BufReader::new(plain(BufReader::new(opened)).map_err(failed)?);
        let is_list = table.fill_buf().map_err(failed)?.trim_ascii_start().starts_with(b"[");
        if is_list {
            read_list(table, &file, &mut names)?;
            continue;
        }
        let mut faults = Faults::new(&file);
        match (read_as_names(table, &mut faults, &mut names), faults.first.first()) {
            (0, Some(fault)) => return Err(fault.clone()),
            (_, Some(_)) => tracing::warn!("{faults}"),
            (_, None) => {}
        }
    }
    Ok(names)
}

/// Adds the names of one table. Returns how many lines name an AS.
fn read_as_names(table: impl Read, faults: &mut Faults, names: &mut BTreeMap<Asn, Untrusted>) -> u64 {
    let lines = BufReader::new(LineLimit::new(table, LONGEST_LINE)).split(b'\n');
    let mut rows = 0_u64;
    for (line, number) in lines.zip(1..=MOST_LINES) {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                faults.line(number, "", format_args!("cannot be read from here on: {error}"));
                break;
            }
        };
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        let (asn, name) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        // Lists of all numbers begin with 0, which nobody has (RFC 7607).
        if text.is_empty() || text.starts_with('#') || asn == "0" {
            continue;
        }
        match asn.parse::<Asn>() {
            Ok(asn) => {
                names.entry(asn).or_insert_with(|| Untrusted::new(name.trim_start()));
                rows = rows.saturating_add(1);
            }
            Err(error) => faults.line(number, text, format_args!("{error}, and a name behind it")),
        }
    }
    rows
}

/// An AS in a list in JSON.
#[derive(Deserialize)]
struct Named {
    asn: Asn,
    name: String,
}

/// Adds the names of a list in JSON; an empty one says nothing.
fn read_list(list: impl Read, file: &str, names: &mut BTreeMap<Asn, Untrusted>) -> Result<(), FileError> {
    let list: Vec<Named> = serde_json::from_reader(Capped::new(list, LARGEST_LIST))
        .map_err(|error| file_error(file, Some(error.line()), format!("is no list of names: {error}")))?;
    for Named { asn, name } in list.into_iter().filter(|named| !named.name.is_empty()) {
        names.entry(asn).or_insert_with(|| Untrusted::new(name));
    }
    Ok(())
}

fn file_error(file: &str, line: Option<usize>, rule: String) -> FileError {
    FileError { file: file.to_owned(), line, found: String::new(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(table: &[u8]) -> (BTreeMap<Asn, Untrusted>, Faults) {
        let (mut names, mut faults) = (BTreeMap::new(), Faults::new("names.tsv"));
        read_as_names(table, &mut faults, &mut names);
        (names, faults)
    }

    fn name(names: &BTreeMap<Asn, Untrusted>, asn: &str) -> String {
        names[&asn.parse().unwrap()].to_string()
    }

    #[test]
    fn both_spellings_and_any_name_are_read_and_the_first_name_counts() {
        let table =
            "# ours\nAS4837\tChina Unicom\r\n\n20485  TransTelekom, \u{1b}[2J JSC\nAS4837 other\nAS7\n";
        let (names, _) = read(table.as_bytes());
        assert_eq!(name(&names, "AS4837"), "China Unicom");
        assert_eq!(name(&names, "AS20485"), "TransTelekom, \\u{1b}[2J JSC");
        assert!(names[&"AS7".parse().unwrap()].is_empty());
    }

    #[test]
    fn a_line_without_an_as_is_left_out_and_told_with_its_number() {
        let (names, faults) = read(b"0 -Reserved AS-, ZZ\n1 LVLT-1, US\nChina Unicom\n7 GLOBAL\n");
        assert_eq!((names.len(), faults.count), (2, 1));
        let told = faults.to_string();
        assert!(
            told.starts_with("names.tsv:3: ") && told.contains("\"China\" is not an AS number"),
            "{told}"
        );
        let long = [b"AS1 one\nAS2 ".as_slice(), &[b'x'; 5000]].concat();
        let (names, faults) = read(&long);
        assert!(names.len() == 1 && faults.to_string().contains("longer than 4096 bytes"));
        let gone = load_as_names(&["/nonexistent/names.tsv"]).unwrap_err().to_string();
        assert!(gone.starts_with("/nonexistent/names.tsv: cannot be read"), "{gone}");
    }

    #[test]
    fn a_list_in_json_is_read_and_a_torn_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let load = |content: &[u8]| {
            let path = folder.path().join("names.json");
            std::fs::write(&path, content).unwrap();
            load_as_names(&[path])
        };
        let list =
            br#" [{"asn":"4837","name":"CHINA169","id":1},{"asn":7,"name":""},{"asn":9,"name":"NINE"}]"#;
        let names = load(list).unwrap();
        assert_eq!((names.len(), name(&names, "AS4837")), (2, "CHINA169".to_owned()));
        assert!(load(&list[..40]).unwrap_err().to_string().contains("is no list of names"));
        assert!(load(b"AS4837 China Unicom\n").is_ok());
        assert!(load(b"China Unicom\n").unwrap_err().to_string().contains("is not an AS number"));
    }

    #[test]
    #[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
    fn the_list_of_ixp_jedi_names_the_ases_of_the_story_in_real_data() {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
        let folder = std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, Into::into);
        let names = load_as_names(&[folder.join("names/ixpjedi_as2org.json")]).unwrap();
        assert!(names.len() > 10_000);
        assert_eq!(name(&names, "AS1"), "LVLT-1");
    }

    proptest! {
        #[test]
        fn no_table_whatever_makes_reading_panic(table in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&table);
        }
    }
}

//! Opt-outs: who asked not to be probed. An opt-out can only take targets away, so it is honoured first and
//! verified later, and never runs out by itself.
//!
//! A file holds one a line, `prefix  # who, when, reference`; an address alone means that address. Empty
//! lines and lines that begin with `#` say nothing.

use std::fmt;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use crate::model::{BadPrefix, FileError, FileErrors, Prefix, Untrusted};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// So many lines in error are told one by one.
const MOST_TOLD: usize = 100;

/// A prefix that is not to be probed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OptOut {
    /// The prefix.
    pub prefix: Prefix,
    /// Who asked, when, and under which reference; may be empty.
    pub reference: Untrusted,
}

/// `175.45.176.0/24 (jane@example.org, 2026-11-01, ticket 17)`.
impl fmt::Display for OptOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reference.is_empty() {
            return write!(f, "{} (no reference given)", self.prefix);
        }
        write!(f, "{} ({})", self.prefix, self.reference)
    }
}

impl OptOut {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every line that is neither a prefix nor an address, up to a hundred of them. A file with an error must not be used in part:
    /// the line in error may be the one that matters.
    pub fn parse_file(file: &str, text: &str) -> Result<Vec<Self>, FileErrors> {
        let mut opt_outs = Vec::new();
        let (mut errors, mut more) = (Vec::new(), 0_u64);
        for (number, line) in (1..).zip(text.lines()) {
            let (prefix, reference) = line.split_once('#').unwrap_or((line, ""));
            let prefix = prefix.trim();
            if prefix.is_empty() {
                continue;
            }
            match prefix_or_address(prefix) {
                Ok(prefix) => opt_outs.push(Self { prefix, reference: Untrusted::new(reference.trim()) }),
                Err(_) if errors.len() >= MOST_TOLD => more = more.saturating_add(1),
                Err(error) => errors.push(FileError {
                    file: file.to_owned(),
                    line: Some(number),
                    found: prefix.chars().take(80).collect(),
                    rule: format!("{error}; write \"prefix  # who, when, reference\""),
                }),
            }
        }
        if more > 0 {
            let rule = format!("{more} more lines are wrong");
            errors.push(FileError { file: file.to_owned(), line: None, found: String::new(), rule });
        }
        if errors.is_empty() { Ok(opt_outs) } else { Err(FileErrors(errors)) }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, is larger than 16 MiB, or holds lines that cannot be understood.
    pub fn load(path: &Path) -> Result<Vec<Self>, FileErrors> {
        let name = path.display().to_string();
        let whole = |rule: String| {
            FileErrors(vec![FileError { file: name.clone(), line: None, found: String::new(), rule }])
        };
        let file =
            std::fs::File::open(path).map_err(|error| whole(format!("cannot be opened: {error}")))?;
        let mut text = String::new();
        let bounded = file.take(MAX_BYTES.saturating_add(1)).read_to_string(&mut text);
        bounded.map_err(|error| whole(format!("cannot be read: {error}")))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(whole("must be at most 16 MiB".to_owned()));
        }
        Self::parse_file(&name, &text)
    }
}

fn prefix_or_address(text: &str) -> Result<Prefix, BadPrefix> {
    text.parse::<IpAddr>().map(Prefix::host).or_else(|_| text.parse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_addresses_are_read_with_who_asked() {
        let text = "# asked in 2026\n175.45.177.0/24  # noc, 2026-11-01, ticket 17\n\n2001:678::1\n";
        let opt_outs = OptOut::parse_file("optout.txt", text).unwrap();
        let shown: Vec<String> = opt_outs.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["175.45.177.0/24 (noc, 2026-11-01, ticket 17)", "2001:678::1/128 (no reference given)"]
        );
    }

    #[test]
    fn every_line_in_error_is_named_and_none_is_used() {
        let text = "175.45.177.0/24\nexample.org # by name\n175.45.177.1/24\n";
        let errors = OptOut::parse_file("optout.txt", text).unwrap_err().to_string();
        let lines: Vec<&str> = errors.lines().collect();
        assert!(lines[0].starts_with("optout.txt:2: example.org:"), "{errors}");
        assert!(lines[1].starts_with("optout.txt:3: 175.45.177.1/24:"), "{errors}");
        assert!(lines[1].contains("did you mean 175.45.177.0/24"), "{errors}");
        assert_eq!(lines.len(), 2);
        let many = OptOut::parse_file("optout.txt", &"x\n".repeat(5000)).unwrap_err().to_string();
        assert_eq!(many.lines().count(), 101);
        assert!(many.ends_with("optout.txt: 4900 more lines are wrong"), "{many}");
    }

    #[test]
    fn a_missing_file_is_an_error_and_not_an_empty_list() {
        let folder = tempfile::tempdir().unwrap();
        let error = OptOut::load(&folder.path().join("none.txt")).unwrap_err().to_string();
        assert!(error.contains("none.txt: cannot be opened"), "{error}");
    }

    #[test]
    fn a_reference_cannot_move_the_cursor() {
        let opt_outs = OptOut::parse_file("f", "10.0.0.0/8 # \u{1b}[2J").unwrap();
        assert!(!opt_outs[0].to_string().contains('\u{1b}'));
    }
}

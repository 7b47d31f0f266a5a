//! Named sets of links and ASes that are lost together, as a cable, a facility or a country: from TOML or CSV.
//!
//! ```text
//! [[set]]                            set,member
//! name = "cable"                     cable,AS20485-AS131279
//! members = ["AS4837-AS131279"]      cable,AS4837
//! ```

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::analyse::topology::Lost;
use crate::model::FileError;

/// Sets by their names.
#[derive(Debug, Default)]
pub(super) struct Sets {
    by_name: BTreeMap<String, Vec<Lost>>,
}

/// The largest file that is read, in bytes.
const MOST: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    set: Vec<RawSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSet {
    name: String,
    members: Vec<String>,
}

impl Sets {
    /// Reads a file; CSV if its name ends so, otherwise TOML.
    ///
    /// # Errors
    /// What is wrong in it, and where.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, FileError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let name = path.display().to_string();
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
        read.map_err(|error| wrong(&name, None, "", &format!("cannot be read: {error}")))?;
        let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
        if is_csv { Self::csv(&name, &text) } else { Self::toml(&name, &text) }
    }

    fn toml(name: &str, text: &str) -> Result<Self, FileError> {
        let file: RawFile = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| before.matches('\n').count().saturating_add(1));
            wrong(name, line, "", error.message())
        })?;
        let mut sets = Self::default();
        for set in file.set {
            for member in &set.members {
                sets.add(&set.name, member).map_err(|rule| wrong(name, None, member, &rule))?;
            }
        }
        Ok(sets)
    }

    fn csv(name: &str, text: &str) -> Result<Self, FileError> {
        let mut sets = Self::default();
        let mut lines = text.lines().zip(1..);
        match lines.next() {
            Some((header, _)) if header.trim() == "set,member" => {}
            other => {
                let found = other.map_or("", |(header, _)| header);
                return Err(wrong(name, Some(1), found, "must be the columns: set,member"));
            }
        }
        for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
            let broken = |rule: &str| wrong(name, Some(number), line, rule);
            let (set, member) = line
                .trim()
                .split_once(',')
                .ok_or_else(|| broken("must be the name of a set and a member"))?;
            sets.add(set, member).map_err(|rule| broken(&rule))?;
        }
        Ok(sets)
    }

    fn add(&mut self, set: &str, member: &str) -> Result<(), String> {
        let name = set.trim();
        if name.is_empty() || name.parse::<Lost>().is_ok() {
            return Err(format!("{set:?} is no name of a set: must be neither empty nor an AS nor a link"));
        }
        let member =
            member.trim().parse().map_err(|error: crate::analyse::topology::BadLost| error.to_string())?;
        self.by_name.entry(name.to_owned()).or_default().push(member);
        Ok(())
    }

    pub(super) fn named(&self, name: &str) -> Option<&[Lost]> {
        self.by_name.get(name).map(Vec::as_slice)
    }

    /// The names, for messages.
    pub(super) fn listed(&self) -> String {
        let names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        if names.is_empty() { String::new() } else { format!(" (there are {})", names.join(", ")) }
    }
}

fn wrong(file: &str, line: Option<usize>, found: &str, rule: &str) -> FileError {
    FileError {
        file: file.to_owned(),
        line,
        found: found.chars().take(80).collect(),
        rule: rule.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_notations_say_the_same() {
        let toml = "[[set]]\nname = \"cable\"\nmembers = [\"AS1-AS2\", \"AS3\"]\n";
        let csv = "set,member\r\ncable,AS2-AS1\r\ncable, AS3\r\n";
        let sets = [Sets::toml("t", toml).unwrap(), Sets::csv("t", csv).unwrap()];
        for sets in sets {
            let members: Vec<String> =
                sets.named("cable").unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(members, ["AS1-AS2", "AS3"]);
            assert_eq!(sets.listed(), " (there are cable)");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let error = |text: &str| Sets::csv("s.csv", text).unwrap_err().to_string();
        assert!(error("name,AS1\n").starts_with("s.csv:1: "), "{}", error("name,AS1\n"));
        assert!(error("set,member\nkp,AS0\n").starts_with("s.csv:2: "));
        assert!(error("set,member\nAS4837,AS1\n").contains("no name of a set"));
        let error = Sets::toml("s.toml", "[[set]]\nname = \"a\"\nmember = 3\n").unwrap_err().to_string();
        assert!(error.starts_with("s.toml:3: "), "{error}");
        assert!(Sets::load(Some(Path::new("/nonexistent"))).is_err());
    }

    proptest! {
        #[test]
        fn no_text_whatever_makes_reading_panic(text in ".{0,200}") {
            let _ = (Sets::toml("t", &text), Sets::csv("t", &format!("set,member\n{text}")));
        }
    }
}

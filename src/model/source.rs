//! Errors in text files that people write: always file, line, what stands there, and the rule broken.

mod faults;

use std::fmt;
use std::path::{Path, PathBuf};

/// One error in a file that somebody wrote, as `probes.toml:14: rates.per_unit = 0: must be …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file, as the user named it.
    pub file: String,
    /// The line, counted from 1; `None` if the whole file is meant.
    pub line: Option<usize>,
    /// What stands there: `key = value`, or the offending text; may be empty.
    pub found: String,
    /// The rule that it breaks, and what to do.
    pub rule: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.found.is_empty() {
            write!(f, " {}:", super::Untrusted::new(self.found.as_str()))?;
        }
        // Long enough for the names of all keys that a table may have.
        write!(f, " {:.2000}", super::Untrusted::new(self.rule.as_str()))
    }
}

impl std::error::Error for FileError {}

/// A file's name as it counts from a folder. It may have a kind before it, as in `mrt:rib.bz2`, which stays
/// where it is.
#[must_use]
pub fn placed(folder: &Path, name: &str) -> PathBuf {
    let is_kind = |word: &str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match name.split_once(':') {
        Some((word, rest)) if is_kind(word) => format!("{word}:{}", folder.join(rest).display()).into(),
        _ => folder.join(name),
    }
}

/// All errors that were found in a file, one a line, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileErrors(pub Vec<FileError>);

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for FileErrors {}

/// A TOML file in memory, kept to tell the line of what is wrong in it.
#[derive(Debug, Clone, Copy)]
pub struct SourceText<'a> {
    file: &'a str,
    text: &'a str,
}

impl<'a> SourceText<'a> {
    /// The name of the file, as the user knows it, and its text.
    #[must_use]
    pub const fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, text }
    }

    /// The line, counted from 1, of a byte offset.
    #[must_use]
    pub fn line_of(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }

    /// Reads the text as TOML into a value whose type says what is allowed.
    ///
    /// # Errors
    /// Syntax errors; or unknown keys and wrong types, at most one in each of the tables; with their lines and
    /// what stands there.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, FileErrors> {
        toml::from_str(self.text).map_err(|first| {
            let mut all = faults::faults::<T>(self.text);
            if all.is_empty() {
                all.push(first);
            }
            let mut errors: Vec<FileError> = all.iter().map(|fault| self.fault(fault)).collect();
            errors.sort_by_key(|error| error.line);
            // A mistake of syntax often makes others on its line.
            errors.dedup_by_key(|error| error.line);
            FileErrors(errors)
        })
    }

    fn fault(&self, fault: &toml::de::Error) -> FileError {
        let line = fault.span().map(|span| self.line_of(span.start));
        FileError {
            file: self.file.to_owned(),
            line,
            found: self.line_text(line),
            rule: one_line(fault.message()),
        }
    }

    /// An error about the value of a key that was read as [`toml::Spanned`].
    #[must_use]
    pub fn error_at(
        &self,
        span: &std::ops::Range<usize>,
        found: impl fmt::Display,
        rule: impl fmt::Display,
    ) -> FileError {
        FileError {
            file: self.file.to_owned(),
            line: Some(self.line_of(span.start)),
            found: found.to_string(),
            rule: rule.to_string(),
        }
    }

    /// An error about the file as a whole.
    #[must_use]
    pub fn error(&self, rule: impl fmt::Display) -> FileError {
        FileError { file: self.file.to_owned(), line: None, found: String::new(), rule: rule.to_string() }
    }

    fn line_text(&self, line: Option<usize>) -> String {
        line.and_then(|line| self.text.lines().nth(line.saturating_sub(1)))
            .map(|text| text.trim().chars().take(80).collect())
            .unwrap_or_default()
    }
}

fn one_line(message: &str) -> String {
    message.split('\n').map(str::trim).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Example {
        rate: u32,
        #[serde(default)]
        place: Vec<Place>,
    }

    #[derive(serde::Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Place {
        name: String,
        height: Option<f64>,
    }

    /// Lines and rules of all that is wrong.
    fn told(text: &str) -> Vec<(Option<usize>, String)> {
        let errors = SourceText::new("example.toml", text).parse::<Example>().unwrap_err();
        errors.0.into_iter().map(|error| (error.line, error.rule)).collect()
    }

    #[test]
    fn every_table_with_a_mistake_is_told_at_once_in_the_order_of_the_lines() {
        let text = "rate = \"x\"\n[[place]]\nnane = \"a\"\n[[place]]\nname = \"b\"\n[[place]]\nname = 3\n\
                    [[place]]\nheight = 2\n[[place]]\nname = \"c\"\nheight = [\n1,\n]\n[plaice]\nname = 1\n";
        let told = told(text);
        let lines: Vec<Option<usize>> = told.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [1, 3, 7, 8, 12, 15].map(Some), "{told:?}");
        for (rule, (_, said)) in [
            "invalid type",
            "unknown field `nane`",
            "invalid type",
            "missing field `name`",
            "invalid type",
            "unknown field `plaice`",
        ]
        .iter()
        .zip(&told)
        {
            assert!(said.contains(rule), "{said}, not {rule}");
        }
    }

    #[test]
    fn what_is_missing_is_told_beside_what_is_wrong_but_not_what_was_wrong_as_missing() {
        let told_of = |text| told(text).into_iter().map(|(_, rule)| rule).collect::<Vec<_>>();
        assert_eq!(told_of("rate = \"x\"\n").len(), 1);
        let both = told_of("[[place]]\nname = 3\n");
        assert!(both.iter().any(|rule| rule.contains("missing field `rate`")), "{both:?}");
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn a_kind_stays_before_the_path_that_it_is_of() {
        let at = |name| placed(Path::new("/d"), name).display().to_string();
        assert_eq!(at("mrt:rib.bz2"), "mrt:/d/rib.bz2");
        assert_eq!(at("pfx2as:/t/a"), "pfx2as:/t/a");
        assert_eq!(at("a/b.txt"), "/d/a/b.txt");
        assert_eq!(at("/t/rib.2014:05"), "/t/rib.2014:05");
    }

    #[test]
    fn a_long_rule_is_told_to_its_end() {
        let rule = "x".repeat(500) + ".";
        let error = SourceText::new("s.toml", "").error(&rule);
        assert!(error.to_string().ends_with("x."));
    }

    #[test]
    fn every_line_that_is_no_toml_is_told() {
        let several = told("rate = 1\nplace = [\nwhat is this\nrate = = 3\n");
        assert!(!several.is_empty() && several.iter().all(|(line, _)| line.is_some()), "{several:?}");
        assert_eq!(told("a = \nb = = 2\n").len(), 2);
    }

    #[test]
    fn a_file_that_is_wrong_everywhere_is_told_of_its_first_mistakes() {
        let text = "rate = 1\n".to_owned() + &"[[place]]\nnane = 1\n".repeat(1000);
        assert_eq!(told(&text).len(), 20);
        assert!(told(&"= 1\n".repeat(1000)).len() <= 20);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "rate = 3\n# a comment\nraet = 4\n";
        let error = SourceText::new("probes.toml", text).parse::<Example>().unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with("probes.toml:3: raet = 4: unknown field"), "{shown}");
    }
}

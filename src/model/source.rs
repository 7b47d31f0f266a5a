//! Errors in text files that people write: always file, line, what stands there, and the rule broken.

use std::fmt;

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
        write!(f, " {}", super::Untrusted::new(self.rule.as_str()))
    }
}

impl std::error::Error for FileError {}

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
    /// The syntax error, unknown key or wrong type, with its line and what stands there.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, FileErrors> {
        toml::from_str(self.text).map_err(|error| {
            let line = error.span().map(|span| self.line_of(span.start));
            FileErrors(vec![FileError {
                file: self.file.to_owned(),
                line,
                found: self.line_text(line),
                rule: one_line(error.message()),
            }])
        })
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
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "rate = 3\n# a comment\nraet = 4\n";
        let error = SourceText::new("probes.toml", text).parse::<Example>().unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with("probes.toml:3: raet = 4: unknown field"), "{shown}");
    }
}

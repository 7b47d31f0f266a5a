//! What in a file could not be read. The rest of it counts.

use std::fmt;

use crate::model::FileError;

/// So many faults of a file are kept word for word.
const MOST_KEPT: usize = 5;

/// The longest piece of a file that is shown, in characters.
const LONGEST_SHOWN: usize = 80;

/// The parts of one file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    file: String,
    /// How many there are.
    pub count: u64,
    /// The first of them, with their places.
    pub first: Vec<FileError>,
}

impl Faults {
    /// None yet, of a file as the user named it.
    #[must_use]
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), count: 0, first: Vec::new() }
    }

    /// The file, as the user named it.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A line that breaks a rule.
    pub(super) fn line(&mut self, line: usize, found: &str, rule: impl fmt::Display) {
        let found = found.chars().take(LONGEST_SHOWN).collect();
        self.add(FileError { file: self.file.clone(), line: Some(line), found, rule: rule.to_string() });
    }

    /// Something wrong at a byte, counted from 0 in what is unpacked.
    pub(super) fn byte(&mut self, byte: u64, rule: impl fmt::Display) {
        self.whole(format!("byte {byte}: {rule}"));
    }

    /// Something wrong with the file.
    pub(super) fn whole(&mut self, rule: impl fmt::Display) {
        let (file, rule) = (self.file.clone(), rule.to_string());
        self.add(FileError { file, line: None, found: String::new(), rule });
    }

    fn add(&mut self, fault: FileError) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < MOST_KEPT {
            self.first.push(fault);
        }
    }
}

/// The first of them, and how many more there are.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first.first() {
            Some(first) => first.fmt(f)?,
            None => write!(f, "{}: nothing wrong", self.file)?,
        }
        match self.count {
            0 | 1 => Ok(()),
            2 => f.write_str("; and one more like it"),
            count => write!(f, "; and {} more", count.saturating_sub(1)),
        }
    }
}

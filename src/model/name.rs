//! Names and texts that come from outside, made safe to print.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A name of ours: of a campaign, a vantage, a prober. 1 to 64 of `a-z A-Z 0-9 . _ -`, and it begins with
/// a letter or digit: safe as a file name, in a CSV cell and in a shell. Every record carries two: copies
/// share one text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a name: must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter or digit"
)]
pub struct BadName(String);

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let good = (1..=64).contains(&text.len())
            && text.bytes().all(allowed)
            && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if good { Ok(Self(text.into())) } else { Err(BadName(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text from the network or from somebody's file: an AS name, a host name. It can be shown only with
/// everything escaped that could move a cursor, forge a line or turn the direction of writing, and at
/// most 200 characters of it, or as many as a precision says: `{:.80}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes any text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars().take(f.precision().unwrap_or(200)) {
            if is_hazardous(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                write!(f, "{character}")?;
            }
        }
        Ok(())
    }
}

/// Control characters, and the marks that reorder, hide or break what is written.
fn is_hazardous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_cannot_clear_the_screen_or_forge_a_line() {
        let shown = Untrusted::new("a\u{1b}[2J\r\nb\u{202e}c").to_string();
        assert!(shown.chars().all(|c| !is_hazardous(c)), "{shown:?}");
        assert!(Untrusted::new("x".repeat(70_000)).to_string().len() <= 200);
    }

    #[test]
    fn a_name_is_safe_as_a_file_name() {
        for bad in ["", ".", "..", "-rf", "a/b", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken");
        }
        assert!("kp-2017.10_a".parse::<Name>().is_ok());
    }
}

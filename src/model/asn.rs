//! Autonomous system numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An AS number: 32 bits (RFC 6793), never 0 (RFC 7607). Written `AS131279`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "AsnText", into = "String")]
pub struct Asn(u32);

impl Asn {
    /// The number as it stands in a BGP message.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Why a text or number is not an AS number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an AS number: must be AS1 to AS4294967295, with or without \"AS\"")]
pub struct BadAsn(String);

impl TryFrom<u32> for Asn {
    type Error = BadAsn;

    fn try_from(number: u32) -> Result<Self, Self::Error> {
        if number == 0 {
            return Err(BadAsn("0".to_owned()));
        }
        Ok(Self(number))
    }
}

impl FromStr for Asn {
    type Err = BadAsn;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("AS").or_else(|| text.strip_prefix("as")).unwrap_or(text);
        let only_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse::<u32>() {
            Ok(number) if only_digits && number != 0 => Ok(Self(number)),
            _ => Err(BadAsn(text.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for Asn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.0)
    }
}

impl From<Asn> for String {
    fn from(asn: Asn) -> Self {
        asn.to_string()
    }
}

/// What a file may write for an AS number: `131279` or `"AS131279"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum AsnText {
    Number(u32),
    Text(String),
}

impl TryFrom<AsnText> for Asn {
    type Error = BadAsn;

    fn try_from(text: AsnText) -> Result<Self, Self::Error> {
        match text {
            AsnText::Number(number) => Self::try_from(number),
            AsnText::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_spellings_and_refuses_what_bgp_cannot_carry() {
        assert_eq!("AS131279".parse::<Asn>().unwrap().get(), 131_279);
        assert_eq!("4837".parse::<Asn>().unwrap().to_string(), "AS4837");
        for bad in ["", "AS", "AS0", "0", "-1", "+5", "8589934592", "AS4837 "] {
            assert!(bad.parse::<Asn>().is_err(), "{bad:?} was taken");
        }
    }
}

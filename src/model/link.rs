//! Links between ASes, and events that add or take them away.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Asn, WallTime};

/// A link between two ASes; both orders are the same link. Written `AS4837-AS131279`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AsLink {
    low: Asn,
    high: Asn,
}

/// Why a text is not a link between ASes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a link between ASes: must be two different AS numbers, as in AS4837-AS131279")]
pub struct BadAsLink(String);

impl AsLink {
    /// `None` if both ends are the same.
    #[must_use]
    pub fn new(one: Asn, other: Asn) -> Option<Self> {
        (one != other).then(|| Self { low: one.min(other), high: one.max(other) })
    }

    /// Both ends, the lower number first.
    #[must_use]
    pub const fn ends(&self) -> (Asn, Asn) {
        (self.low, self.high)
    }

    /// The end that is not `asn`; `None` if `asn` is no end of it.
    #[must_use]
    pub fn other_end(&self, asn: Asn) -> Option<Asn> {
        if asn == self.low {
            Some(self.high)
        } else if asn == self.high {
            Some(self.low)
        } else {
            None
        }
    }
}

impl FromStr for AsLink {
    type Err = BadAsLink;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let link = || {
            let (one, other) = text.split_once('-')?;
            Self::new(one.parse().ok()?, other.parse().ok()?)
        };
        link().ok_or_else(|| BadAsLink(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for AsLink {
    type Error = BadAsLink;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AsLink> for String {
    fn from(link: AsLink) -> Self {
        link.to_string()
    }
}

impl fmt::Display for AsLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

/// What an event did to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkChange {
    /// The link came into being.
    Added,
    /// The link went away.
    Lost,
}

impl LinkChange {
    /// As it stands in files: `added` or `lost`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Lost => "lost",
        }
    }
}

/// A link added or lost at a time: what separates two epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Event {
    /// When.
    pub at: WallTime,
    /// What happened.
    pub change: LinkChange,
    /// To which link.
    pub link: AsLink,
}

/// `link AS20485-AS131279 added`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {} {}", self.link, self.change.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_name_the_same_link() {
        let one: AsLink = "AS4837-AS131279".parse().unwrap();
        let other: AsLink = "131279-4837".parse().unwrap();
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "AS4837-AS131279");
        assert!("AS4837-AS4837".parse::<AsLink>().is_err());
        assert!("AS4837".parse::<AsLink>().is_err());
    }
}

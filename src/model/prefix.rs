//! Prefixes, and the units about which statements are made.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An IPv4 or IPv6 prefix; the bits behind its length are zero by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(IpNet);

/// Why a text is not a prefix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPrefix {
    /// It does not read as address/length.
    #[error("{0:?} is not a prefix: must be written as address/length, as in 175.45.176.0/22")]
    Syntax(String),
    /// Bits are set behind the length: probably a typing error, so it is not silently mended.
    #[error("{given} has bits set behind its length: did you mean {meant}?")]
    HostBits {
        /// What was written.
        given: String,
        /// The prefix that covers it.
        meant: Prefix,
    },
}

impl Prefix {
    /// The prefix of `length` bits that covers `address`, or `None` if the family has fewer bits.
    #[must_use]
    pub fn covering(address: IpAddr, length: u8) -> Option<Self> {
        IpNet::new(address, length).ok().map(|net| Self(net.trunc()))
    }

    /// The prefix that holds this one address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }

    /// The first address.
    #[must_use]
    pub fn network(&self) -> IpAddr {
        self.0.network()
    }

    /// The number of leading bits that are fixed: 0 to 32, or 0 to 128.
    #[must_use]
    pub fn length(&self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether the address lies inside; an address of the other family never does.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether all of `other` lies inside.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether the family is IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// The same prefix as the type of the `ipnet` crate, for tables and set operations.
    #[must_use]
    pub fn as_net(&self) -> IpNet {
        self.0
    }
}

impl From<IpNet> for Prefix {
    fn from(net: IpNet) -> Self {
        Self(net.trunc())
    }
}

impl FromStr for Prefix {
    type Err = BadPrefix;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let net: IpNet = text.parse().map_err(|_| BadPrefix::Syntax(text.chars().take(64).collect()))?;
        if net.trunc() != net {
            return Err(BadPrefix::HostBits { given: net.to_string(), meant: Self(net.trunc()) });
        }
        Ok(Self(net))
    }
}

impl TryFrom<String> for Prefix {
    type Error = BadPrefix;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.to_string()
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The block about which a statement is made: a /24 or a /48, unless the campaign splits otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(pub Prefix);

impl Unit {
    /// The length of a unit where the campaign does not say otherwise: 24 for IPv4, 48 for IPv6.
    #[must_use]
    pub fn default_length(is_ipv4: bool) -> u8 {
        if is_ipv4 { 24 } else { 48 }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_in_a_prefix_is_named_and_not_mended() {
        let error = "175.45.177.0/22".parse::<Prefix>().unwrap_err();
        assert!(error.to_string().contains("did you mean 175.45.176.0/22"));
        assert!("175.45.176.0".parse::<Prefix>().is_err());
        assert!("175.45.176.0/33".parse::<Prefix>().is_err());
    }

    #[test]
    fn families_never_mix() {
        let all: Prefix = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
    }
}

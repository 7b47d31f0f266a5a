//! How a router balances, as it is written.

use serde::Deserialize;

/// Over what a router spreads packets where several next hops are equally good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::lab::scenario) enum Balance {
    /// Each flow keeps to one of them.
    #[default]
    PerFlow,
    /// Each destination keeps to one of them.
    PerDestination,
    /// Each packet by itself.
    PerPacket,
    /// Always the first link of the file.
    None,
}

impl Balance {
    /// The word of the file.
    pub(in crate::lab::scenario) const fn as_str(self) -> &'static str {
        match self {
            Self::PerFlow => "per-flow",
            Self::PerDestination => "per-destination",
            Self::PerPacket => "per-packet",
            Self::None => "none",
        }
    }
}

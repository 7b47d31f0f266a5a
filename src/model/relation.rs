//! What two neighbouring ASes are to each other.

use super::{AsLink, Asn};

/// A business relation between two ASes (Gao 2001).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AsRelation {
    /// One pays the other for transit.
    Transit {
        /// Who is paid.
        provider: Asn,
        /// Who pays.
        customer: Asn,
    },
    /// Both tell each other the routes to their customers, and nobody pays.
    Peering(Asn, Asn),
    /// Both belong to one organisation, and may tell each other everything.
    Siblings(Asn, Asn),
}

impl AsRelation {
    /// Both ASes; the provider first, where there is one.
    #[must_use]
    pub const fn ends(&self) -> (Asn, Asn) {
        match *self {
            Self::Transit { provider, customer } => (provider, customer),
            Self::Peering(one, other) | Self::Siblings(one, other) => (one, other),
        }
    }

    /// The link that the relation is about; `None` if both ends are one AS.
    #[must_use]
    pub fn link(&self) -> Option<AsLink> {
        let (one, other) = self.ends();
        AsLink::new(one, other)
    }
}

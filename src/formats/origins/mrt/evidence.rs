//! What AS paths tell of the ASes on them, and how much it takes to believe it.
//!
//! A path is what somebody wrote. One forged path makes a stub look like a transit AS; a real provider is seen
//! with many prefixes and by many peers.

use std::collections::{BTreeMap, HashMap};

use super::as_path::AsPath;
use crate::analyse::origin::is_thin;
use crate::model::Asn;

/// What shows that an AS hands on the routes of a neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkEvidence {
    /// Prefixes with such a path.
    pub prefixes: u32,
    /// Peers that have such a path; of more than 128 those beyond are not told apart.
    pub peers: u16,
    /// Whether that is too little to believe: a single prefix, or thin by the peers.
    pub is_thin: bool,
}

/// Counts links between ASes on paths.
#[derive(Debug, Default)]
pub(super) struct Links {
    seen: HashMap<(u32, u32), Seen>,
    full_peers: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    prefixes: u32,
    last_record: u64,
    peers: u128,
}

impl Links {
    /// Learns from the path that a peer has to the prefix of a record. The first link of a path only shows that
    /// the peer itself shows its table to a collector, so it is left out.
    pub(super) fn learn(&mut self, path: &AsPath, peer: u16, record: u64) {
        let bit = 1_u128.checked_shl(u32::from(peer)).unwrap_or(1 << 127);
        let mut steps = path.steps().skip(1);
        let mut from = steps.next().flatten();
        for to in steps {
            if let Some(link) = from.zip(to) {
                let seen = self.seen.entry(link).or_default();
                if seen.last_record != record || seen.prefixes == 0 {
                    seen.prefixes = seen.prefixes.saturating_add(1);
                    seen.last_record = record;
                }
                seen.peers |= bit;
            }
            from = to;
        }
    }

    pub(super) fn finish(self, full_peers: u16) -> TransitEvidence {
        let links = Self { full_peers, ..self };
        let mut by_from: BTreeMap<Asn, BTreeMap<Asn, LinkEvidence>> = BTreeMap::new();
        for ((from, to), seen) in &links.seen {
            if let (Ok(from), Ok(to)) = (Asn::try_from(*from), Asn::try_from(*to)) {
                by_from.entry(from).or_default().insert(to, links.evidence(*seen));
            }
        }
        TransitEvidence { by_from }
    }

    fn evidence(&self, seen: Seen) -> LinkEvidence {
        let peers = u16::try_from(seen.peers.count_ones()).unwrap_or(u16::MAX);
        let is_thin = seen.prefixes < 2 || is_thin(peers, self.full_peers);
        LinkEvidence { prefixes: seen.prefixes, peers, is_thin }
    }
}

/// For every AS that hands on routes of neighbours: of which ones, and on what evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransitEvidence {
    by_from: BTreeMap<Asn, BTreeMap<Asn, LinkEvidence>>,
}

impl TransitEvidence {
    /// Takes in what another table shows; of two that show the same, what is seen with more prefixes.
    pub(in crate::formats::origins) fn add(&mut self, other: Self) {
        for (from, to) in other.by_from {
            let known = self.by_from.entry(from).or_default();
            for (to, evidence) in to {
                let before = known.entry(to).or_insert(evidence);
                if before.prefixes < evidence.prefixes {
                    *before = evidence;
                }
            }
        }
    }

    /// What shows that `provider` hands on routes of `customer`.
    #[must_use]
    pub fn between(&self, provider: Asn, customer: Asn) -> Option<LinkEvidence> {
        self.by_from.get(&provider)?.get(&customer).copied()
    }

    /// Whether an AS is shown to hand on routes of any neighbour, by more than thin evidence.
    #[must_use]
    pub fn is_transit(&self, asn: Asn) -> bool {
        self.by_from.get(&asn).is_some_and(|to| to.values().any(|evidence| !evidence.is_thin))
    }

    /// The ASes that hand on routes of an AS, with the evidence.
    pub fn providers(&self, customer: Asn) -> impl Iterator<Item = (Asn, LinkEvidence)> + '_ {
        self.by_from.iter().filter_map(move |(from, to)| Some((*from, *to.get(&customer)?)))
    }
}

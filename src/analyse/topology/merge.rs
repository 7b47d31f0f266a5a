//! Links that were measured and that a topology does not have: which relation is assumed, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::graph::Topology;
use crate::analyse::path::Walk;
use crate::model::{AsLink, AsRelation, Asn};

/// A topology with what was measured.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The topology.
    pub topology: Topology,
    /// Links that were seen and that it had already.
    pub known: u64,
    /// Links that were seen and that it had not, in ascending order.
    pub assumed: Vec<Assumed>,
}

/// A relation that is assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumed {
    /// The relation.
    pub relation: AsRelation,
    /// Why.
    pub because: Because,
}

/// Why a relation is assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Because {
    /// The last link of a way is taken for transit to the origin: what one can see of a network from afar is whom
    /// it pays.
    LastBeforeOrigin,
    /// The way led downhill or across before, so it can only go on downhill.
    BehindDownhill,
    /// The way leads uphill or across afterwards, so it can only have come uphill.
    BeforeUphill,
    /// Neither: the one with more neighbours is taken for the provider (Gao 2001).
    MoreNeighbours,
}

/// `it is the last link before the origin`.
impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LastBeforeOrigin => "it is the last link before the origin",
            Self::BehindDownhill => "the way led downhill or across before",
            Self::BeforeUphill => "the way leads uphill or across afterwards",
            Self::MoreNeighbours => "the provider has more neighbours",
        })
    }
}

impl Topology {
    /// The topology with the links of these walks, which lead to their origins. Links across a gap are left out: whoever
    /// stands in the gap may have been missed.
    #[must_use]
    pub fn merged(&self, walks: &[Walk]) -> Merged {
        let mut known = BTreeSet::new();
        let mut assumed: BTreeMap<AsLink, Assumed> = BTreeMap::new();
        for walk in walks {
            let links: Vec<(Asn, Asn, bool)> = walk.links().collect();
            for (at, (from, to, gap)) in links.iter().enumerate() {
                let Some(link) = AsLink::new(*from, *to).filter(|_| !gap) else { continue };
                if self.relation(link).is_some() {
                    known.insert(link);
                    continue;
                }
                let found = self.assume(&links, at, (*from, *to));
                // Of several reasons the first of the list counts.
                let place = assumed.entry(link).or_insert(found);
                if found.because < place.because {
                    *place = found;
                }
            }
        }
        let relations: Vec<AsRelation> = assumed.values().map(|assumed| assumed.relation).collect();
        let assumed = assumed.into_values().collect();
        Merged { topology: self.with(&relations), known: known.len() as u64, assumed }
    }

    fn assume(&self, links: &[(Asn, Asn, bool)], at: usize, (from, to): (Asn, Asn)) -> Assumed {
        let down = AsRelation::Transit { provider: from, customer: to };
        let up = AsRelation::Transit { provider: to, customer: from };
        let before = links.get(..at).unwrap_or_default();
        let behind = links.get(at.saturating_add(1)..).unwrap_or_default();
        if behind.is_empty() {
            Assumed { relation: down, because: Because::LastBeforeOrigin }
        } else if before
            .iter()
            .any(|(from, to, _)| self.leads(*from, *to).is_some_and(|leads| leads != Leads::Up))
        {
            Assumed { relation: down, because: Because::BehindDownhill }
        } else if behind
            .iter()
            .any(|(from, to, _)| self.leads(*from, *to).is_some_and(|leads| leads != Leads::Down))
        {
            Assumed { relation: up, because: Because::BeforeUphill }
        } else {
            let [near, far] = [from, to].map(|asn| self.neighbours_of(asn).len());
            let relation = if near >= far { down } else { up };
            Assumed { relation, because: Because::MoreNeighbours }
        }
    }

    /// Where a link leads; `None` for one that is not known, and between siblings.
    fn leads(&self, from: Asn, to: Asn) -> Option<Leads> {
        match self.relation(AsLink::new(from, to)?)? {
            AsRelation::Transit { provider, .. } if provider == from => Some(Leads::Down),
            AsRelation::Transit { .. } => Some(Leads::Up),
            AsRelation::Peering(..) => Some(Leads::Across),
            AsRelation::Siblings(..) => None,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Leads {
    Up,
    Across,
    Down,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{n, peers, transit};
    use super::*;
    use crate::analyse::path::Step;

    fn walk(asns: &[u32]) -> Walk {
        Walk { steps: asns.iter().map(|asn| Step { asn: n(*asn), after_gap: false }).collect() }
    }

    #[test]
    fn what_is_missing_is_assumed_so_that_no_way_has_a_valley() {
        let topology = Topology::of(&[peers(1, 2), transit(2, 4), transit(3, 9), transit(1, 8)]);
        // 7 is not known at all. 7-1 comes before a peering; 2-3 behind it; 4-9 is last.
        let merged = topology.merged(&[walk(&[7, 1, 2, 3, 9]), walk(&[1, 2, 4, 9]), walk(&[5, 6, 9])]);
        let found: Vec<(AsRelation, Because)> =
            merged.assumed.iter().map(|assumed| (assumed.relation, assumed.because)).collect();
        assert_eq!(merged.known, 3);
        assert!(found.contains(&(transit(1, 7), Because::BeforeUphill)), "{found:?}");
        assert!(found.contains(&(transit(2, 3), Because::BehindDownhill)), "{found:?}");
        assert!(found.contains(&(transit(4, 9), Because::LastBeforeOrigin)), "{found:?}");
        assert!(found.contains(&(transit(5, 6), Because::MoreNeighbours)), "{found:?}");
        assert_eq!(found.len(), 5);
        assert_eq!(merged.topology.providers_of(n(9)), [3, 4, 6].map(n));
    }

    #[test]
    fn a_link_across_a_gap_is_not_taken_in() {
        let mut gap = walk(&[1, 9]);
        gap.steps[1].after_gap = true;
        let merged = Topology::of(&[transit(1, 2)]).merged(&[gap]);
        assert_eq!((merged.known, merged.assumed.len(), merged.topology.len()), (0, 0, 2));
    }
}

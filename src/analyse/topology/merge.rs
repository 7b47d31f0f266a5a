//! Links that were measured and that a topology does not have: which relation is assumed, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::graph::Topology;
use crate::analyse::path::Walk;
use crate::model::{AsLink, AsRelation, Asn};

/// A way that was measured, up to its origin: one whose upstream is told.
#[derive(Clone, Debug)]
pub struct MeasuredWay {
    /// From AS to AS; the last one is the origin.
    pub walk: Walk,
    /// Whether the origin itself answered on it.
    pub entered: bool,
}

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
    /// The same of a link that nobody saw: all ways that came so far ended in silence before the origin answered.
    SilentBeforeOrigin,
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
            Self::SilentBeforeOrigin => {
                "it is the last link before the origin, which was not seen to answer behind it"
            }
            Self::BehindDownhill => "the way led downhill or across before",
            Self::BeforeUphill => "the way leads uphill or across afterwards",
            Self::MoreNeighbours => "the provider has more neighbours",
        })
    }
}

impl Topology {
    /// The topology with the links of these ways. Links across a gap are left out, since whoever stands in the gap may
    /// have been missed; but for the last one, about which it was judged already who the upstream is.
    #[must_use]
    pub fn merged(&self, ways: &[MeasuredWay]) -> Merged {
        let measured = Measured { table: self, neighbours: neighbours(self, ways) };
        let mut known = BTreeSet::new();
        let mut assumed: BTreeMap<AsLink, Assumed> = BTreeMap::new();
        for way in ways {
            let links: Vec<(Asn, Asn, bool)> = way.walk.links().collect();
            for (at, link) in seen(&links) {
                if self.relation(link).is_some() {
                    known.insert(link);
                    continue;
                }
                let Some(found) = measured.assume(&links, at, way.entered) else { continue };
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

/// The links of a way that count, with their places on it.
fn seen(links: &[(Asn, Asn, bool)]) -> impl Iterator<Item = (usize, AsLink)> {
    let last = links.len().checked_sub(1);
    let counts = move |(at, (from, to, gap)): (usize, &(Asn, Asn, bool))| {
        Some((at, AsLink::new(*from, *to).filter(|_| !gap || Some(at) == last)?))
    };
    links.iter().enumerate().filter_map(counts)
}

/// Of each AS on a way that is not in the table alone: its neighbours by the table and by all ways.
fn neighbours(table: &Topology, ways: &[MeasuredWay]) -> BTreeMap<Asn, BTreeSet<Asn>> {
    let mut neighbours: BTreeMap<Asn, BTreeSet<Asn>> = BTreeMap::new();
    for way in ways {
        let links: Vec<(Asn, Asn, bool)> = way.walk.links().collect();
        for (_, link) in seen(&links).filter(|(_, link)| table.relation(*link).is_none()) {
            let (one, other) = link.ends();
            for (from, to) in [(one, other), (other, one)] {
                let of_from = neighbours
                    .entry(from)
                    .or_insert_with(|| table.neighbours_of(from).into_iter().collect());
                of_from.insert(to);
            }
        }
    }
    neighbours
}

/// What relations are assumed by.
struct Measured<'a> {
    table: &'a Topology,
    neighbours: BTreeMap<Asn, BTreeSet<Asn>>,
}

impl Measured<'_> {
    /// The relation of the link at this place of a way; `None` if there is none.
    fn assume(&self, links: &[(Asn, Asn, bool)], at: usize, entered: bool) -> Option<Assumed> {
        let (from, to, _) = *links.get(at)?;
        let down = AsRelation::Transit { provider: from, customer: to };
        let up = AsRelation::Transit { provider: to, customer: from };
        let before = links.get(..at)?;
        let behind = links.get(at.saturating_add(1)..)?;
        let leads = |link: &(Asn, Asn, bool)| self.table.leads(link.0, link.1);
        let (relation, because) = if behind.is_empty() && entered {
            (down, Because::LastBeforeOrigin)
        } else if behind.is_empty() {
            (down, Because::SilentBeforeOrigin)
        } else if before.iter().filter_map(leads).any(|leads| leads != Leads::Up) {
            (down, Because::BehindDownhill)
        } else if behind.iter().filter_map(leads).any(|leads| leads != Leads::Down) {
            (up, Because::BeforeUphill)
        } else {
            let [near, far] = [from, to].map(|asn| self.neighbours.get(&asn).map_or(0, BTreeSet::len));
            (if near >= far { down } else { up }, Because::MoreNeighbours)
        };
        Some(Assumed { relation, because })
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

    fn way(asns: &[u32]) -> MeasuredWay {
        let steps = asns.iter().map(|asn| Step { asn: n(*asn), after_gap: false }).collect();
        MeasuredWay { walk: Walk { steps }, entered: true }
    }

    fn relations(merged: &Merged) -> Vec<(AsRelation, Because)> {
        merged.assumed.iter().map(|assumed| (assumed.relation, assumed.because)).collect()
    }

    #[test]
    fn what_is_missing_is_assumed_so_that_no_way_has_a_valley() {
        let topology = Topology::of(&[peers(1, 2), transit(2, 4), transit(3, 9), transit(1, 8)]);
        // 7 is not known at all. 7-1 comes before a peering; 2-3 behind it; 4-9 is last.
        let merged = topology.merged(&[way(&[7, 1, 2, 3, 9]), way(&[1, 2, 4, 9]), way(&[5, 6, 9])]);
        let found = relations(&merged);
        assert_eq!(merged.known, 3);
        assert!(found.contains(&(transit(1, 7), Because::BeforeUphill)), "{found:?}");
        assert!(found.contains(&(transit(2, 3), Because::BehindDownhill)), "{found:?}");
        assert!(found.contains(&(transit(4, 9), Because::LastBeforeOrigin)), "{found:?}");
        assert!(found.contains(&(transit(6, 5), Because::MoreNeighbours)), "{found:?}");
        assert_eq!(found.len(), 5);
        assert_eq!(merged.topology.providers_of(n(9)), [3, 4, 6].map(n));
    }

    #[test]
    fn without_a_table_whoever_was_seen_beside_more_ases_is_the_provider() {
        let merged = Topology::default().merged(&[way(&[7, 1, 4, 9]), way(&[7, 1, 5, 9])]);
        assert!(relations(&merged).contains(&(transit(1, 7), Because::MoreNeighbours)), "{merged:?}");
        assert_eq!(merged.topology.providers_of(n(9)), [4, 5].map(n));
    }

    #[test]
    fn a_link_across_a_gap_is_not_taken_in_before_the_upstream() {
        let mut gap = way(&[1, 4, 9]);
        gap.walk.steps[1].after_gap = true;
        let merged = Topology::of(&[transit(1, 2)]).merged(&[gap]);
        assert_eq!(relations(&merged), [(transit(4, 9), Because::LastBeforeOrigin)]);
    }

    #[test]
    fn the_link_into_an_origin_that_did_not_answer_is_taken_in_and_marked_unless_another_way_shows_it() {
        let mut silent = way(&[1, 4, 9]);
        silent.walk.steps[2].after_gap = true;
        silent.entered = false;
        let topology = Topology::of(&[transit(1, 4)]);
        let merged = topology.merged(std::slice::from_ref(&silent));
        assert_eq!(relations(&merged), [(transit(4, 9), Because::SilentBeforeOrigin)]);
        let merged = topology.merged(&[silent, way(&[1, 4, 9])]);
        assert_eq!(relations(&merged), [(transit(4, 9), Because::LastBeforeOrigin)]);
    }
}

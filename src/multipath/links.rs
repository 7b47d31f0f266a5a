//! The shape of what was found: which links the flows tell, where links cross, and where ways are unequal.
//!
//! A *diamond* is a run of wide hops. It is *meshed* where links cross: where ways part, a router has
//! several predecessors; where they join, several successors. It is *asymmetric* where the routers
//! of a hop do not all have equally many. In both cases the flows of a hop are not spread evenly over
//! its routers, and counting flows hop by hop promises too much (Vermeulen et al. 2018, MDA-Lite).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::hop::Hop;

/// Answered flows after which a router that was always the only one is believed to be, also where the
/// consequence of a mistake would be a link that does not exist: by chance one in 2²³.
pub const CERTAINLY_ALONE: usize = 24;

/// The links that flows tell, by the index of the nearer hop.
#[derive(Clone, Debug, Default)]
pub struct Links {
    pairs: BTreeMap<usize, Pair>,
}

#[derive(Clone, Debug)]
struct Pair {
    links: BTreeSet<(IpAddr, IpAddr)>,
    told_by_flows: bool,
    meshed: bool,
    asymmetric: bool,
}

impl Links {
    /// Those between neighbouring hops at which somebody answers.
    #[must_use]
    pub fn between(hops: &[Hop]) -> Self {
        let mut mixed = false;
        let mut found = BTreeMap::new();
        let scrambled: Vec<bool> = hops
            .iter()
            .map(|hop| {
                // Behind a balancer that goes packet by packet, flows mean nothing until all ways have joined.
                mixed = hop.is_unstable() || (mixed && (hop.is_wide() || hop.answered() == 0));
                mixed
            })
            .collect();
        for (index, pair) in pairs(hops) {
            let [near, far] = pair;
            let alone = near.answered() >= CERTAINLY_ALONE || !far.is_unstable();
            let told_by_flows = scrambled.get(index) == Some(&false) && alone;
            found.insert(index, Pair::between(pair, told_by_flows));
        }
        Self { pairs: found }
    }

    /// Whether the links between this hop and the next can be told from flows.
    #[must_use]
    pub fn are_told_by_flows(&self, index: usize) -> bool {
        self.pairs.get(&index).is_some_and(|pair| pair.told_by_flows)
    }

    /// Whether links cross before or behind a hop.
    #[must_use]
    pub fn is_meshed_at(&self, index: usize) -> bool {
        let before = index.checked_sub(1);
        let around = [before, Some(index)];
        around.into_iter().flatten().filter_map(|index| self.pairs.get(&index)).any(|pair| pair.meshed)
    }

    /// All links: the index of the nearer hop, from whom, to whom.
    pub fn iter(&self) -> impl Iterator<Item = (usize, IpAddr, IpAddr)> + '_ {
        let links = self.pairs.iter().map(|(index, pair)| (index, &pair.links));
        links.flat_map(|(index, links)| links.iter().map(move |(from, to)| (*index, *from, *to)))
    }

    /// Whether links cross between this hop and the next, or some routers have more of them than others.
    #[must_use]
    pub fn is_uneven(&self, index: usize) -> bool {
        self.pairs.get(&index).is_some_and(|pair| pair.meshed || pair.asymmetric)
    }
}

impl Pair {
    fn between([near, far]: [&Hop; 2], told_by_flows: bool) -> Self {
        let mut links = BTreeSet::new();
        if told_by_flows {
            let flows = near.cells().filter_map(|(flow, cell)| Some((cell.vertex()?, far.vertex(flow)?)));
            links.extend(flows);
        }
        let successors = degrees(links.iter().map(|(near, _)| *near));
        let predecessors = degrees(links.iter().map(|(_, far)| *far));
        let (widths, parting) =
            ((near.vertices().len(), far.vertices().len()), near.vertices().len() <= far.vertices().len());
        let joining = widths.0 >= widths.1;
        let both_wide = near.is_wide() && far.is_wide();
        let crossed = |degrees: &BTreeMap<IpAddr, usize>| degrees.values().any(|degree| *degree > 1);
        let uneven = |degrees: &BTreeMap<IpAddr, usize>| {
            degrees.values().min().zip(degrees.values().max()).is_some_and(|(least, most)| least != most)
        };
        Self {
            meshed: both_wide && ((parting && crossed(&predecessors)) || (joining && crossed(&successors))),
            asymmetric: both_wide
                && ((parting && uneven(&successors)) || (joining && uneven(&predecessors))),
            links,
            told_by_flows,
        }
    }
}

/// Neighbouring hops at which somebody answers, with the index of the nearer one.
fn pairs(hops: &[Hop]) -> impl Iterator<Item = (usize, [&Hop; 2])> {
    let pairs = hops.iter().zip(hops.iter().skip(1)).enumerate();
    pairs
        .map(|(index, (near, far))| (index, [near, far]))
        .filter(|(_, pair)| pair.iter().all(|hop| hop.answered() > 0))
}

fn degrees(ends: impl Iterator<Item = IpAddr>) -> BTreeMap<IpAddr, usize> {
    let mut degrees: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for end in ends {
        let degree = degrees.entry(end).or_default();
        *degree = degree.saturating_add(1);
    }
    degrees
}

/// The hops whose routers' next hops must each be enumerated: all of a diamond that is meshed or asymmetric
/// anywhere, or all of every diamond; as far as flows tell the links.
#[must_use]
pub fn controlled(hops: &[Hop], links: &Links, everywhere: bool) -> Vec<usize> {
    let wide: Vec<bool> = hops.iter().map(Hop::is_wide).collect();
    let mut controlled = Vec::new();
    let mut start: usize = 0;
    for run in wide.chunk_by(|one, next| one == next) {
        let run = start..start.saturating_add(run.len());
        start = run.end;
        let is_diamond = wide.get(run.start) == Some(&true);
        if is_diamond && (everywhere || run.clone().any(|index| links.is_uneven(index))) {
            controlled.extend(run.filter(|index| links.are_told_by_flows(*index)));
        }
    }
    controlled
}

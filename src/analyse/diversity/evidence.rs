//! What is known of the routers and links between the vantages and a unit in one epoch, and what must be lost to
//! cut them.
//!
//! A vertex is an address, which is one side of a link: ways that share no address share no link between
//! routers, though they may share a router that answers from several. Silent hops are where a bound can go
//! wrong: two of them may be one router. So ways that share nothing are counted over links that were seen whole,
//! and beside them over the silent stretches of a single way. The smallest cut of all that was measured, each
//! silent stretch as a link of its own, is at least as large.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::analyse::graph::{CutOf, Member, Web};

/// A place on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// A vantage, by its number.
    Vantage(usize),
    /// An address that answered.
    Address(IpAddr),
    /// The unit.
    Unit,
}

impl Spot {
    /// The address, where it is one.
    #[must_use]
    pub const fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Vantage(_) | Self::Unit => None,
        }
    }
}

/// A link, in the direction of the ways.
pub type SpotLink = (Spot, Spot);

/// What traces and searches have shown.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    vantages: BTreeSet<usize>,
    /// Addresses of the vantages' own networks.
    own: BTreeSet<IpAddr>,
    links: BTreeSet<SpotLink>,
    /// Of each way the pairs between which it was silent.
    stretches: BTreeSet<Vec<SpotLink>>,
}

/// No more ways with silence than so many are tried one by one; more could only raise the bound.
const MOST_TRIED: usize = 256;

impl Evidence {
    /// Takes in a way: its routers, silent ones as `None`, and whether the unit answered right behind the last.
    pub fn add_way(&mut self, vantage: usize, routers: &[Option<IpAddr>], arrived: bool) {
        self.vantages.insert(vantage);
        let mut silent = Vec::new();
        let (mut last, mut quiet) = (Spot::Vantage(vantage), false);
        let spots = routers.iter().map(|router| router.map(Spot::Address));
        let end = if arrived { vec![Some(Spot::Unit)] } else { vec![None, Some(Spot::Unit)] };
        for spot in spots.chain(end) {
            let Some(spot) = spot else {
                quiet = true;
                continue;
            };
            if quiet {
                silent.push((last, spot));
            } else {
                self.links.insert((last, spot));
            }
            (last, quiet) = (spot, false);
        }
        if !silent.is_empty() {
            self.stretches.insert(silent);
        }
    }

    /// Takes addresses for those of a vantage's own network: ways may share them, and no cut takes them.
    pub fn spare(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.own.extend(own);
    }

    /// The addresses that answered.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        let silent = self.stretches.iter().flatten();
        let ends = self.links.iter().chain(silent).flat_map(|(from, to)| [*from, *to]);
        ends.filter_map(Spot::address).collect()
    }

    /// The same of routers: of several addresses on one router that by which it is named.
    #[must_use]
    pub fn joined(&self, router: impl Fn(IpAddr) -> IpAddr) -> Self {
        let spot = |spot: &Spot| match *spot {
            Spot::Address(address) => Spot::Address(router(address)),
            other => other,
        };
        let link = |(from, to): &SpotLink| (spot(from), spot(to));
        Self {
            vantages: self.vantages.clone(),
            own: self.own.iter().map(|address| router(*address)).collect(),
            links: self.links.iter().map(link).filter(|(from, to)| from != to).collect(),
            stretches: self.stretches.iter().map(|way| way.iter().map(link).collect()).collect(),
        }
    }

    /// Takes in links that a search has told.
    pub fn add_links(&mut self, vantage: usize, links: impl IntoIterator<Item = SpotLink>) {
        self.vantages.insert(vantage);
        self.links.extend(links);
    }

    /// A smallest cut of all that was measured; `None` if no way to the unit is known.
    #[must_use]
    pub fn cut(&self, of: CutOf) -> Option<Vec<Member<Spot>>> {
        self.web(self.unexplained().iter().flatten()).cut(of)
    }

    /// The addresses that every measured way crosses.
    #[must_use]
    pub fn single_points(&self) -> Vec<IpAddr> {
        let points = self.web(self.unexplained().iter().flatten()).single_points();
        points.into_iter().filter_map(Spot::address).collect()
    }

    /// How many ways share nothing, at least; `None` if no way to the unit is known.
    #[must_use]
    pub fn disjoint(&self, of: CutOf) -> Option<usize> {
        let silent = self.unexplained();
        let most = self.web(silent.iter().flatten()).cut(of)?.len();
        let size = |web: Web<Spot>| web.cut(of).map_or(0, |cut| cut.len());
        let mut found = size(self.web([]));
        for way in silent.iter().take(MOST_TRIED) {
            if found >= most {
                break;
            }
            found = found.max(size(self.web(way)));
        }
        Some(found.max(1))
    }

    fn web<'a>(&self, silent: impl IntoIterator<Item = &'a SpotLink>) -> Web<Spot> {
        let vantages = || self.vantages.iter().map(|vantage| Spot::Vantage(*vantage));
        let own = self.own.iter().map(|address| Spot::Address(*address));
        let mut web = Web::new(vantages(), Spot::Unit, vantages().chain(own));
        web.extend(self.links.iter().copied().chain(silent.into_iter().copied()));
        web
    }

    /// The silent stretches between two that no links that were seen lead from one to the other.
    fn unexplained(&self) -> BTreeSet<Vec<SpotLink>> {
        let web = self.web([]);
        let all: BTreeSet<&SpotLink> = self.stretches.iter().flatten().collect();
        let explained: BTreeSet<&SpotLink> =
            all.into_iter().filter(|(from, to)| web.leads(*from, *to)).collect();
        let left = self
            .stretches
            .iter()
            .map(|way| way.iter().filter(|link| !explained.contains(link)).copied().collect::<Vec<_>>());
        left.filter(|way| !way.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(ways: &[&str]) -> Evidence {
        let mut evidence = Evidence::default();
        for way in ways {
            let routers: Vec<Option<IpAddr>> =
                way.trim_end_matches('=').split_whitespace().map(|word| word.parse().ok()).collect();
            evidence.add_way(0, &routers, way.ends_with('='));
        }
        evidence
    }

    fn found(ways: &[&str]) -> (Option<usize>, Option<usize>) {
        let evidence = evidence(ways);
        (evidence.disjoint(CutOf::Vertices), evidence.cut(CutOf::Vertices).map(|cut| cut.len()))
    }

    #[test]
    fn silent_hops_may_be_one_router_and_never_make_a_second_way() {
        let whole = ["10.0.0.1 10.0.1.1 10.0.2.1 =", "10.0.0.2 10.0.1.2 10.0.2.2 ="];
        assert_eq!(found(&whole), (Some(2), Some(2)));
        assert_eq!(found(&["10.0.0.1 * 10.0.2.1 =", "10.0.0.2 * 10.0.2.2 ="]), (Some(1), Some(2)));
        assert_eq!(found(&["10.0.0.1 * 10.0.2.1 =", whole[1]]), (Some(2), Some(2)));
        assert_eq!(found(&["10.0.0.1 *", "10.0.0.2 *"]), (Some(1), Some(2)), "nor does silence at the end");
        assert_eq!(found(&[]), (None, None));
    }

    #[test]
    fn the_vantages_own_network_is_no_cut() {
        let mut shared = evidence(&["10.0.0.1 10.0.1.1 =", "10.0.0.1 10.0.1.2 ="]);
        assert_eq!(shared.disjoint(CutOf::Vertices), Some(1));
        shared.spare(["10.0.0.1".parse().unwrap()]);
        assert_eq!((shared.disjoint(CutOf::Vertices), shared.disjoint(CutOf::Links)), (Some(2), Some(2)));
    }

    #[test]
    fn a_lost_answer_takes_nobody_off_the_list_of_single_points() {
        let points = evidence(&["10.0.0.1 10.0.1.1 10.0.2.1 =", "10.0.0.1 * 10.0.2.1 ="]).single_points();
        let expected: Vec<IpAddr> =
            ["10.0.0.1", "10.0.1.1", "10.0.2.1"].iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(points, expected);
    }
}

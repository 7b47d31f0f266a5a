//! What routes come to: who reaches the origin, through whom, how far, and on whom they depend.

use std::collections::BTreeMap;

use super::graph::Node;
use super::hegemony::{TRIM, float, hegemony_of_crossings};
use super::key::Key;
use super::routes::{NOBODY, Routes};
use crate::model::{AsLink, Asn};

/// The outlook of one origin. Counts are of ASes; the origin is never counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlook {
    /// ASes with a route.
    pub reach: u64,
    /// ASes without one, lost ones not counted.
    pub without: u64,
    /// By the last AS before the origin: how many ASes come through it, itself included.
    pub catchment: BTreeMap<Asn, u64>,
    /// Links on the ways of all together.
    pub links: u64,
    /// For each AS with a route, in ascending order: how many ways cross it, its own included.
    pub crossings: Vec<(Asn, u64)>,
}

impl Outlook {
    /// Links up to the origin, on average; `None` if nobody has a route.
    #[must_use]
    pub fn mean_length(&self) -> Option<f64> {
        (self.reach > 0).then(|| wide(self.links) / wide(self.reach))
    }

    /// The share of those with a route that come through an upstream; `None` if nobody has a route.
    #[must_use]
    pub fn share(&self, upstream: Asn) -> Option<f64> {
        let through = self.catchment.get(&upstream).copied().unwrap_or(0);
        (self.reach > 0).then(|| wide(through) / wide(self.reach))
    }

    /// The hegemony of an AS, with every AS that has a route as a viewpoint; `None` if nobody has a route.
    #[must_use]
    pub fn hegemony(&self, asn: Asn) -> Option<f64> {
        let found = self.crossings.binary_search_by_key(&asn, |(asn, _)| *asn).ok();
        let crossing = found.and_then(|at| self.crossings.get(at)).map_or(0, |(_, count)| *count);
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        hegemony_of_crossings(whole(crossing), whole(self.reach), TRIM)
    }
}

impl Routes<'_> {
    /// What they come to.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let order = self.by_length();
        let crossings = self.crossings(&order);
        let catchment = self.catchment(&order);
        let lost = self.keys.iter().filter(|key| **key == Key::LOST).count();
        let reach = order.len();
        let others = self.keys.len().saturating_sub(lost.saturating_add(reach));
        let origin = usize::from(self.key(self.origin).is_route());
        let links = order.iter().map(|node| u64::from(self.key(*node).length()));
        let named = |(node, count): (Node, u32)| Some((self.topology.asn(node)?, u64::from(count)));
        let all = self.topology.nodes().zip(crossings);
        let crossed = all.filter(|(node, count)| *count > 0 && *node != self.origin);
        Outlook {
            reach: reach as u64,
            without: others.saturating_sub(origin) as u64,
            catchment: catchment.into_iter().filter_map(named).collect(),
            links: links.fold(0, u64::saturating_add),
            crossings: crossed.filter_map(named).collect(),
        }
    }

    /// How many ways cross each link that any crosses, the most used first.
    #[must_use]
    pub fn used_links(&self) -> Vec<(AsLink, u64)> {
        let order = self.by_length();
        let crossings = self.crossings(&order);
        let link = |node: &Node| {
            let link = AsLink::new(self.topology.asn(*node)?, self.topology.asn(self.next(*node))?)?;
            Some((link, u64::from(*crossings.get(*node as usize)?)))
        };
        let mut used: Vec<(AsLink, u64)> = order.iter().filter_map(link).collect();
        used.sort_unstable_by_key(|(link, count)| (std::cmp::Reverse(*count), *link));
        used
    }

    /// The AS before the origin on the way of an AS; `None` for the origin, and where there is no route.
    #[must_use]
    pub fn last_hop(&self, asn: Asn) -> Option<Asn> {
        let start = self.topology.node(asn).filter(|node| self.key(*node).is_route())?;
        let before = self.way(start).take_while(|node| *node != self.origin).last()?;
        self.topology.asn(before)
    }

    /// Everybody with a route but the origin, the nearest first.
    fn by_length(&self) -> Vec<Node> {
        let routed = |node: &Node| self.key(*node).is_route() && *node != self.origin;
        let mut order: Vec<Node> = self.topology.nodes().filter(routed).collect();
        order.sort_by_key(|node| self.key(*node).length());
        order
    }

    fn crossings(&self, nearest_first: &[Node]) -> Vec<u32> {
        let mut crossings = vec![0_u32; self.keys.len()];
        for node in nearest_first.iter().rev() {
            let own = crossings.get(*node as usize).copied().unwrap_or(0).saturating_add(1);
            if let Some(count) = crossings.get_mut(*node as usize) {
                *count = own;
            }
            if let Some(count) = crossings.get_mut(self.next(*node) as usize) {
                *count = count.saturating_add(own);
            }
        }
        crossings
    }

    fn catchment(&self, nearest_first: &[Node]) -> BTreeMap<Node, u32> {
        let mut last = vec![NOBODY; self.keys.len()];
        let mut catchment: BTreeMap<Node, u32> = BTreeMap::new();
        for node in nearest_first {
            let next = self.next(*node);
            let through = if next == self.origin {
                *node
            } else {
                last.get(next as usize).copied().unwrap_or(NOBODY)
            };
            if let Some(place) = last.get_mut(*node as usize) {
                *place = through;
            }
            let count = catchment.entry(through).or_default();
            *count = count.saturating_add(1);
        }
        catchment
    }
}

/// Counts of ASes are far below 2^32.
fn wide(count: u64) -> f64 {
    float(usize::try_from(count).unwrap_or(usize::MAX))
}

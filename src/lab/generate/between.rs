//! Links between ASes: from router to router, or over the network of an exchange point.
//!
//! A link is numbered from the provider's space, as is usual; one between peers from that of the larger. At an
//! exchange point every member has one router with one address in the exchange's network, which nobody
//! announces: a traceroute then sees that address, and no table of origins knows it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::{Dice, Purpose};
use super::graph::{AsGraph, Id};
use super::inside::Cables;
use super::places::Region;
use super::plan::{AsPlan, Role, RouterId, Site};

/// How many peerings go over an exchange point.
const AT_EXCHANGE: f64 = 0.75;
/// How many pairs of ASes with several places each have a second link.
const SECOND_LINK: f64 = 0.4;
/// Every so many links between ASes lose some packets.
const LOSSY: f64 = 0.02;
const LOSS: &str = "0.002";
/// A link inside the AS of a router at an exchange point; dearer than all others, since it is a detour.
const TO_EXCHANGE: u64 = 30;

/// Lays all links between ASes.
pub(super) fn interconnect(graph: &AsGraph, ases: &[AsPlan], cables: &mut Cables<'_>, seed: u64) {
    let mut work = Interconnection {
        graph,
        ases,
        cables,
        dice: Dice::new(seed, Purpose::Links),
        at_exchange: BTreeMap::new(),
        used: BTreeMap::new(),
    };
    for id in graph.ids() {
        for customer in &graph.at(id).customers {
            work.private(id, *customer);
        }
        for peer in graph.at(id).peers.iter().filter(|peer| **peer > id) {
            work.peering(id, *peer);
        }
    }
}

struct Interconnection<'a, 'w> {
    graph: &'a AsGraph,
    ases: &'a [AsPlan],
    cables: &'a mut Cables<'w>,
    dice: Dice,
    /// The router of an AS at the exchange point of a region.
    at_exchange: BTreeMap<(Id, Region), RouterId>,
    /// How many links end at the edges of each place.
    used: BTreeMap<(Id, Region), usize>,
}

impl Interconnection<'_, '_> {
    fn peering(&mut self, one: Id, other: Id) {
        let top = [one, other].iter().any(|id| self.graph.at(*id).providers.is_empty());
        if top || !self.dice.happens(AT_EXCHANGE) {
            let size = |id: Id| (self.graph.at(id).count(), std::cmp::Reverse(id));
            let (larger, smaller) = if size(one) >= size(other) { (one, other) } else { (other, one) };
            self.private(larger, smaller);
            return;
        }
        let Some(region) = self.dice.pick(&[one, other]).map(|id| self.region(id)) else { return };
        let ends = [one, other].map(|id| self.member(id, region));
        if let [Some(near), Some(far)] = ends {
            let delay = Duration::from_micros(self.dice.between(50, 300));
            self.lay([near, far], None, delay);
        }
    }

    /// The router of an AS at an exchange point.
    fn member(&mut self, id: Id, region: Region) -> Option<RouterId> {
        if let Some(known) = self.at_exchange.get(&(id, region)) {
            return Some(*known);
        }
        let site = self.nearest(id, region)?.clone();
        let router = self.cables.router(id, Role::Exchange(region));
        let delay = self.cables.world.delay(site.region, region).saturating_add(Duration::from_micros(150));
        for inward in site.inward() {
            self.cables.link([*inward, router], Some(id), delay, TO_EXCHANGE);
        }
        self.at_exchange.insert((id, region), router);
        Some(router)
    }

    /// One or two links from edge to edge, where the ASes are nearest to each other.
    fn private(&mut self, numbering: Id, other: Id) {
        let mut meetings = self.meetings(numbering, other);
        let several = [numbering, other].iter().all(|id| self.sites(*id).len() > 1);
        let count = if several && self.dice.happens(SECOND_LINK) { 2 } else { 1 };
        meetings.truncate(count);
        for (delay, near, far) in meetings {
            let ends = [(numbering, near), (other, far)].map(|(id, region)| self.edge(id, region));
            if let [Some(near), Some(far)] = ends {
                let delay = delay.saturating_add(Duration::from_micros(self.dice.between(100, 800)));
                self.lay([near, far], Some(numbering), delay);
            }
        }
    }

    /// The places where two ASes may meet, the nearest to each other first, no place twice.
    fn meetings(&self, one: Id, other: Id) -> Vec<(Duration, Region, Region)> {
        let mut pairs: Vec<(Duration, Region, Region)> = Vec::new();
        for near in self.sites(one) {
            let far = self.sites(other).iter().map(|far| far.region);
            let far = far.min_by_key(|far| (self.cables.world.delay(near.region, *far), *far));
            pairs.extend(far.map(|far| (self.cables.world.delay(near.region, far), near.region, far)));
        }
        pairs.sort_unstable();
        pairs
    }

    /// An edge of a place, each in turn.
    fn edge(&mut self, id: Id, region: Region) -> Option<RouterId> {
        let site = self.ases.get(id)?.sites.iter().find(|site| site.region == region)?;
        let used = self.used.entry((id, region)).or_default();
        let turn = used.checked_rem(site.edges.len())?;
        *used = used.saturating_add(1);
        site.edges.get(turn).copied()
    }

    fn lay(&mut self, ends: [RouterId; 2], numbered_by: Option<Id>, delay: Duration) {
        self.cables.link(ends, numbered_by, delay, 1);
        if let Some(link) = self.cables.links.last_mut() {
            link.weight = 1;
            link.loss = self.dice.happens(LOSSY).then_some(LOSS);
        }
    }

    fn nearest(&self, id: Id, region: Region) -> Option<&Site> {
        let sites = self.sites(id);
        let regions: Vec<Region> = sites.iter().map(|site| site.region).collect();
        let nearest = self.cables.world.nearest(region, &regions)?;
        sites.iter().find(|site| site.region == nearest)
    }

    fn sites(&self, id: Id) -> &[Site] {
        self.ases.get(id).map_or(&[], |asys| asys.sites.as_slice())
    }

    fn region(&self, id: Id) -> Region {
        self.ases.get(id).map(|asys| asys.region).unwrap_or_default()
    }
}

//! The routers of an AS, and the links between them.
//!
//! ```text
//! stub          edge ── access            target     edge ─┬─ core ─┬─ access
//!                                                    edge ─┴─ core ─┴─ access
//!
//! transit       edge ─┬─ core A ═══════ core A ─┬─ edge
//!               edge ─┴─ core B ═══════ core B ─┴─ edge
//!                    one region          another
//! ```
//!
//! All cores of a place are equally near to its edges, and the links between places cost the same on every
//! plane, so flows spread over as many ways as there are planes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::dice::{Dice, Purpose};
use super::graph::{AsGraph, Id};
use super::numbers::{as_f64, rounded};
use super::places::{Region, Regions};
use super::plan::{AsPlan, Habits, LinkPlan, Role, RouterId, RouterPlan, Site};
use crate::lab::scenario::Addresses;

/// How many planes a transit AS has, with shares.
const PLANES: &[(usize, f64)] = &[(2, 0.8), (3, 0.05), (4, 0.15)];
/// How many routers a stub has.
const STUB_ROUTERS: &[(usize, f64)] = &[(1, 0.6), (2, 0.3), (3, 0.1)];
/// Costs: from an edge to a core, between the cores of a place, and between places (the delay comes on top).
const INWARD: u64 = 10;
const ACROSS: u64 = 50;
const FAR: u64 = 20;
/// From so many customers on, an AS has several edges in each place, and from so many, several places.
const TWO_EDGES: usize = 11;
const SEVERAL_SITES: usize = 11;
const MANY_SITES: usize = 101;
/// Every so many links within an AS have a weight.
const WEIGHED: f64 = 0.04;

/// Routers and links as they come to be.
#[derive(Debug)]
pub(super) struct Cables<'a> {
    pub(super) world: &'a Regions,
    pub(super) routers: Vec<RouterPlan>,
    pub(super) links: Vec<LinkPlan>,
    /// How many routers of each role an AS has.
    counts: BTreeMap<(Id, char), usize>,
    dice: Dice,
}

impl<'a> Cables<'a> {
    pub(super) fn new(world: &'a Regions, seed: u64) -> Self {
        let dice = Dice::new(seed, Purpose::Routers);
        Self { world, routers: Vec::new(), links: Vec::new(), counts: BTreeMap::new(), dice }
    }

    pub(super) fn router(&mut self, home: Id, role: Role) -> RouterId {
        let count = self.counts.entry((home, role.letter())).or_default();
        *count = count.saturating_add(1);
        let number = *count;
        self.routers.push(RouterPlan {
            home,
            role,
            number,
            own: Addresses::default(),
            habits: Habits::default(),
        });
        self.routers.len().saturating_sub(1)
    }

    /// A link inside one place of an AS.
    pub(super) fn short(&mut self, ends: [RouterId; 2], home: Id, cost: u64) {
        let delay = Duration::from_micros(self.dice.between(50, 400));
        self.link(ends, Some(home), delay, cost);
    }

    /// A link with some delay of its own, and some jitter in proportion.
    pub(super) fn link(
        &mut self,
        ends: [RouterId; 2],
        numbered_by: Option<Id>,
        delay: Duration,
        cost: u64,
    ) {
        let weight = if self.dice.happens(WEIGHED) { self.dice.between(2, 4) } else { 1 };
        self.links.push(LinkPlan {
            ends,
            numbered_by,
            addresses: [Addresses::default(); 2],
            delay,
            jitter: Duration::from_micros(self.dice.between(10, 60)).saturating_add(delay.div_f64(100.0)),
            loss: None,
            weight,
            cost,
        });
    }

    /// An AS that sells transit, in the regions of its neighbours.
    pub(super) fn transit(&mut self, graph: &AsGraph, regions: &[Region], id: Id) -> Vec<Site> {
        let customers = graph.at(id).customers.len();
        let planes = if customers > 2 { self.dice.weighed(PLANES).unwrap_or(2) } else { 0 };
        let edges = if customers == 0 || customers >= TWO_EDGES || planes == 0 { 2 } else { 1 };
        let mut sites = Vec::new();
        for region in places(graph, regions, id) {
            let site = self.site(id, (region, planes, edges));
            self.connect(id, &site, &sites);
            sites.push(site);
        }
        sites
    }

    fn site(&mut self, home: Id, (region, planes, edges): (Region, usize, usize)) -> Site {
        let cores: Vec<RouterId> = (0..planes).map(|_| self.router(home, Role::Core)).collect();
        let edges: Vec<RouterId> = (0..edges).map(|_| self.router(home, Role::Edge)).collect();
        for edge in &edges {
            for core in &cores {
                self.short([*edge, *core], home, INWARD);
            }
        }
        let beside = if cores.is_empty() { &edges } else { &cores };
        for pair in beside.windows(2) {
            if let [one, other] = pair {
                self.short([*one, *other], home, ACROSS);
            }
        }
        Site { region, cores, edges }
    }

    /// Connects a new place with the two nearest, plane by plane.
    fn connect(&mut self, home: Id, site: &Site, others: &[Site]) {
        let mut near: Vec<&Site> = others.iter().collect();
        near.sort_by_key(|other| (self.world.delay(site.region, other.region), other.region));
        for other in near.into_iter().take(2) {
            let delay =
                self.world.delay(site.region, other.region).saturating_add(Duration::from_micros(200));
            let cost = FAR.saturating_add(u64::try_from(delay.as_millis()).unwrap_or(FAR));
            for (one, another) in site.inward().iter().zip(other.inward()) {
                self.link([*one, *another], Some(home), delay, cost);
            }
        }
    }

    /// An AS without customers. Its routers; where its networks are comes second.
    pub(super) fn stub(&mut self, home: Id, region: Region) -> (Site, Vec<RouterId>) {
        let count = self.dice.weighed(STUB_ROUTERS).unwrap_or(1);
        let edges: Vec<RouterId> = (1..count.max(2)).map(|_| self.router(home, Role::Edge)).collect();
        let access = if count == 1 { edges.clone() } else { vec![self.router(home, Role::Access)] };
        self.mesh(home, &edges, &access);
        (Site { region, cores: Vec::new(), edges }, access)
    }

    /// The AS that is to be measured: an edge for each provider, and diamonds behind them.
    pub(super) fn target(&mut self, home: Id, region: Region, providers: usize) -> (Site, Vec<RouterId>) {
        let several = |cables: &mut Self, count: usize, role| -> Vec<RouterId> {
            (0..count).map(|_| cables.router(home, role)).collect()
        };
        let edges = several(self, providers.clamp(2, 4), Role::Edge);
        let cores = several(self, 2, Role::Core);
        let access = several(self, 2, Role::Access);
        self.mesh(home, &edges, &cores);
        self.mesh(home, &cores, &access);
        (Site { region, cores, edges }, access)
    }

    fn mesh(&mut self, home: Id, near: &[RouterId], far: &[RouterId]) {
        for (one, other) in near.iter().flat_map(|one| far.iter().map(move |other| (*one, *other))) {
            if one != other {
                self.short([one, other], home, INWARD);
            }
        }
    }
}

/// The regions in which an AS has routers: its own, and those in which most of its neighbours are.
fn places(graph: &AsGraph, regions: &[Region], id: Id) -> Vec<Region> {
    let customers = graph.at(id).customers.len();
    let count = match customers {
        0..SEVERAL_SITES => 1,
        SEVERAL_SITES..MANY_SITES => rounded(as_f64(customers).ln() * 0.5).saturating_add(2),
        _ => rounded(as_f64(customers).ln() * 0.75).saturating_add(4),
    };
    let own = regions.get(id).copied().unwrap_or_default();
    let mut wanted: BTreeMap<Region, usize> = BTreeMap::new();
    for region in graph.at(id).all().filter_map(|id| regions.get(id)).filter(|region| **region != own) {
        let count = wanted.entry(*region).or_default();
        *count = count.saturating_add(1);
    }
    let mut wanted: Vec<(Region, usize)> = wanted.into_iter().collect();
    wanted.sort_by_key(|(region, count)| (std::cmp::Reverse(*count), *region));
    std::iter::once(own).chain(wanted.into_iter().map(|(region, _)| region)).take(count).collect()
}

impl AsPlan {
    pub(super) fn in_region(region: Region) -> Self {
        Self {
            region,
            dual: false,
            multipath: false,
            sites: Vec::new(),
            access: Vec::new(),
            networks: 0,
            prefixes: Vec::new(),
            placed: Vec::new(),
        }
    }
}

//! An Internet of ASes that grows one AS after the other, by rules that give it the shape of the real one.
//!
//! A few ASes at the top peer with each other. Every other comes with some providers: a popular one at the top,
//! or one that is chosen by how many customers it has already (preferential attachment, Barabási and
//! Albert 1999), more often than not in its own region, else rather near than far. That gives numbers of customers a heavy tail.
//! Peerings come last: some ASes go to exchange points, how eagerly has a heavy tail too, and they meet
//! mostly others of their region. Customers never come before their providers, so there are no circles.
//!
//! The shares below were fitted to the relationships that CAIDA and `TopoScope` inferred for late 2017;
//! `docs/scenarios.md` has the comparison.

use std::collections::{BTreeMap, HashSet};

use super::dice::{Dice, Purpose, Urn};
use super::graph::{AsGraph, Id};
use super::numbers::{Kind, Numbers, as_f64, rounded};
use super::places::{Region, Regions};

/// The top has so many ASes for each e-fold of all.
const TOP: f64 = 1.6;
/// Among those that come later, the share of those that want customers. A third of them finds none.
const TRANSIT: f64 = 0.22;
/// How often a provider is one of the top: of an AS that wants customers, and of a stub.
const FROM_TOP: [f64; 2] = [0.3, 0.17];
/// How much more popular at the top each is than the next.
const POPULARITY: f64 = 0.9;
/// How often a provider that is not of the top is one of the own region.
const REGIONAL: f64 = 0.75;
/// For how many customers the wish to have some counts.
const APPEAL: usize = 2;
/// How many providers they have, with shares: those that want customers, and stubs.
const PROVIDERS: [&[(usize, f64)]; 2] = [
    &[(1, 0.26), (2, 0.32), (3, 0.19), (4, 0.10), (5, 0.05), (6, 0.03), (8, 0.03), (12, 0.02)],
    &[(1, 0.445), (2, 0.405), (3, 0.105), (4, 0.03), (5, 0.01), (6, 0.005)],
];

/// Peerings for each pair of provider and customer.
const PEERINGS: f64 = 1.24;
/// Shares of those who peer at all: ASes with few customers, and stubs.
const PEERING: [f64; 2] = [0.5, 0.13];
/// Index of the tail of eagerness; by which power of their customers it grows; and the share of all ASes with
/// which one can peer.
const EAGERNESS: f64 = 0.8;
const BIGGER: f64 = 0.4;
const MOST_PEERS: f64 = 0.1;
/// How often a peering leads out of the region.
const ABROAD: f64 = 0.4;
/// So many attempts are made for each peering before it is given up.
const ATTEMPTS: usize = 8;

/// A grown Internet: each AS with its region.
#[derive(Debug)]
pub(super) struct Grown {
    pub(super) graph: AsGraph,
    pub(super) regions: Vec<Region>,
}

/// Grows an Internet of so many ASes.
pub(super) fn grow(count: usize, seed: u64, world: &Regions) -> Grown {
    let mut growth = Growth {
        dice: Dice::new(seed, Purpose::Growth),
        graph: AsGraph::default(),
        regions: Vec::new(),
        top: Vec::new(),
        numbers: Numbers::new(),
        everywhere: Vec::new(),
        regional: BTreeMap::new(),
    };
    growth.top(count, world);
    for _ in growth.graph.len()..count {
        growth.arrive(world);
    }
    let Growth { mut graph, regions, top, .. } = growth;
    peer(&mut graph, &regions, top.len(), seed);
    Grown { graph, regions }
}

struct Growth {
    dice: Dice,
    graph: AsGraph,
    regions: Vec<Region>,
    /// The ASes of the top, each with its popularity.
    top: Vec<(Id, f64)>,
    numbers: Numbers,
    /// Every provider below the top, once for each customer and some times more.
    everywhere: Vec<Id>,
    /// The same of each region.
    regional: BTreeMap<Region, Vec<Id>>,
}

impl Growth {
    fn add(&mut self, kind: Kind, world: &Regions) -> Option<Id> {
        let number = self.numbers.next(kind)?;
        self.regions.push(world.draw(&mut self.dice));
        Some(self.graph.add(number))
    }

    fn top(&mut self, count: usize, world: &Regions) {
        let size = rounded(TOP * as_f64(count).ln()).clamp(3, 40).min(count);
        for place in 1..=size {
            let Some(id) = self.add(Kind::Top, world) else { return };
            for (other, _) in &self.top {
                self.graph.peering(*other, id);
            }
            self.top.push((id, as_f64(place).powf(-POPULARITY)));
        }
    }

    fn arrive(&mut self, world: &Regions) {
        // The first ones must be somebody's providers.
        let early = self.graph.len() < self.top.len().saturating_mul(2);
        let kind = if early || self.dice.happens(TRANSIT) { Kind::Transit } else { Kind::Stub };
        let Some(id) = self.add(kind, world) else { return };
        let (providers, from_top) = match kind {
            Kind::Top | Kind::Transit => (PROVIDERS[0], FROM_TOP[0]),
            Kind::Stub => (PROVIDERS[1], FROM_TOP[1]),
        };
        let wanted = self.dice.weighed(providers).unwrap_or(1);
        for _ in 0..wanted.saturating_mul(ATTEMPTS) {
            if self.graph.at(id).providers.len() >= wanted {
                break;
            }
            self.attach(id, from_top, world);
        }
        if matches!(kind, Kind::Transit) {
            self.offer(id, APPEAL);
        }
    }

    fn attach(&mut self, id: Id, from_top: f64, world: &Regions) {
        let below = if self.dice.happens(from_top) { None } else { self.below_top(self.region(id), world) };
        let chosen = below.or_else(|| self.dice.weighed(&self.top));
        let Some(provider) = chosen.filter(|provider| !self.graph.at(id).providers.contains(provider))
        else {
            return;
        };
        self.graph.transit(provider, id);
        if provider >= self.top.len() {
            self.offer(provider, 1);
        }
    }

    /// One of those below the top, by their customers.
    fn below_top(&mut self, region: Region, world: &Regions) -> Option<Id> {
        let nearby = self.regional.get(&region).filter(|_| self.dice.happens(REGIONAL));
        if let Some(nearby) = nearby {
            return self.dice.pick(nearby);
        }
        let candidates = [self.dice.pick(&self.everywhere)?, self.dice.pick(&self.everywhere)?];
        candidates.into_iter().min_by_key(|id| world.delay(region, self.region(*id)))
    }

    fn offer(&mut self, provider: Id, times: usize) {
        let region = self.region(provider);
        let regional = self.regional.entry(region).or_default();
        for list in [&mut self.everywhere, regional] {
            list.extend(std::iter::repeat_n(provider, times));
        }
    }

    fn region(&self, id: Id) -> Region {
        self.regions.get(id).copied().unwrap_or_default()
    }
}

/// Lets ASes below the top peer.
fn peer(graph: &mut AsGraph, regions: &[Region], top: usize, seed: u64) {
    let mut dice = Dice::new(seed, Purpose::Peering);
    let (everywhere, regional) = meet(graph, regions, top, &mut dice);
    let transit: usize = graph.ids().map(|id| graph.at(id).providers.len()).sum();
    let wanted = rounded(PEERINGS * as_f64(transit));
    let mut known: HashSet<(Id, Id)> = HashSet::new();
    for _ in 0..wanted.saturating_mul(ATTEMPTS) {
        if known.len() >= wanted {
            break;
        }
        let Some(one) = everywhere.draw(&mut dice) else { break };
        let nearby = regions.get(one).and_then(|region| regional.get(region));
        let nearby = nearby.filter(|_| !dice.happens(ABROAD));
        let Some(other) = nearby.unwrap_or(&everywhere).draw(&mut dice) else { break };
        let paid = graph.at(one).providers.contains(&other) || graph.at(other).providers.contains(&one);
        if one != other && !paid && known.insert((one.min(other), one.max(other))) {
            graph.peering(one, other);
        }
    }
}

type Meetings = (Urn<Id>, BTreeMap<Region, Urn<Id>>);

/// Those who peer, by how eager they are: all, and those of each region.
fn meet(graph: &AsGraph, regions: &[Region], top: usize, dice: &mut Dice) -> Meetings {
    let (mut everywhere, mut regional) = (Urn::default(), BTreeMap::<Region, Urn<Id>>::new());
    let most = as_f64(graph.len()) * MOST_PEERS;
    for (id, region) in regions.iter().enumerate().skip(top) {
        let customers = as_f64(graph.at(id).customers.len());
        let [few, none] = PEERING;
        let willing = if graph.is_stub(id) { none } else { few * (1.0 + 0.15 * customers.ln_1p()) };
        if dice.happens(willing) {
            let eagerness = dice.heavy(EAGERNESS).min(most) * (1.0 + customers).powf(BIGGER);
            everywhere.put(id, eagerness);
            regional.entry(*region).or_default().put(id, eagerness);
        }
    }
    (everywhere, regional)
}

//! ASes and their relations, compact: one array of neighbours, in which each AS has a stretch for its customers,
//! peers, providers and siblings. It knows nothing of routes.

use std::collections::BTreeSet;

use crate::model::{AsLink, AsRelation, Asn};

/// Position of an AS in a topology; positions are in the order of AS numbers.
pub(super) type Node = u32;

/// What a neighbour is to an AS, in the order in which stretches follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Customers,
    Peers,
    Providers,
    Siblings,
}

const SIDES: usize = 4;

/// A topology of ASes. Cheap to ask, not to change: [`Topology::of`] makes another one in some 20 ms.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    /// In ascending order.
    asns: Vec<Asn>,
    /// Where the stretches of each AS begin, four an AS, and the end of the last.
    starts: Vec<u32>,
    neighbours: Vec<Node>,
    counts: RelationCounts,
}

/// How many relations of each kind a topology has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelationCounts {
    /// Pairs of provider and customer.
    pub transit: u64,
    /// Pairs of peers.
    pub peering: u64,
    /// Pairs of siblings.
    pub siblings: u64,
}

impl RelationCounts {
    fn add(&mut self, relation: &AsRelation) {
        let count = match relation {
            AsRelation::Transit { .. } => &mut self.transit,
            AsRelation::Peering(..) => &mut self.peering,
            AsRelation::Siblings(..) => &mut self.siblings,
        };
        *count = count.saturating_add(1);
    }
}

impl Topology {
    /// The topology of these relations. Each pair of ASes should be named once, as readers of tables do; what names
    /// an AS twice is left out.
    #[must_use]
    pub fn of(relations: &[AsRelation]) -> Self {
        let asns = numbers(relations);
        let index = Index::of(&asns);
        let mut counts = RelationCounts::default();
        let mut ends: Vec<(Node, Node, AsRelation)> = Vec::with_capacity(relations.len());
        for relation in relations {
            let (one, other) = relation.ends();
            if let (Some(one), Some(other), true) = (index.find(one), index.find(other), one != other) {
                counts.add(relation);
                ends.push((one, other, *relation));
            }
        }
        let starts = starts(asns.len(), &ends);
        let neighbours = neighbours(&starts, &ends);
        Self { asns, starts, neighbours, counts }.in_order()
    }

    /// Stretches in the order of numbers, so that neighbours can be searched.
    fn in_order(mut self) -> Self {
        for bounds in self.starts.windows(2) {
            if let [from, to] = bounds
                && let Some(stretch) = self.neighbours.get_mut(*from as usize..*to as usize)
            {
                stretch.sort_unstable();
            }
        }
        self
    }

    /// How many ASes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.asns.len()
    }

    /// Whether it has no AS at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.asns.is_empty()
    }

    /// How many relations it has.
    #[must_use]
    pub fn counts(&self) -> RelationCounts {
        self.counts
    }

    /// Its ASes, in ascending order.
    #[must_use]
    pub fn asns(&self) -> &[Asn] {
        &self.asns
    }

    /// Whether it has this AS.
    #[must_use]
    pub fn has(&self, asn: Asn) -> bool {
        self.node(asn).is_some()
    }

    /// What two ASes are to each other; `None` if they have no link.
    #[must_use]
    pub fn relation(&self, link: AsLink) -> Option<AsRelation> {
        let (low, high) = link.ends();
        let (one, other) = (self.node(low)?, self.node(high)?);
        let is = |side| self.side(one, side).binary_search(&other).is_ok();
        if is(Side::Customers) {
            Some(AsRelation::Transit { provider: low, customer: high })
        } else if is(Side::Providers) {
            Some(AsRelation::Transit { provider: high, customer: low })
        } else if is(Side::Peers) {
            Some(AsRelation::Peering(low, high))
        } else {
            is(Side::Siblings).then_some(AsRelation::Siblings(low, high))
        }
    }

    /// All neighbours of an AS, in ascending order; empty for an AS that is not there.
    #[must_use]
    pub fn neighbours_of(&self, asn: Asn) -> Vec<Asn> {
        let all = self.node(asn).map(|node| self.all(node)).unwrap_or_default();
        let named: BTreeSet<Asn> = all.iter().filter_map(|node| self.asn(*node)).collect();
        named.into_iter().collect()
    }

    /// The providers of an AS, in ascending order.
    #[must_use]
    pub fn providers_of(&self, asn: Asn) -> Vec<Asn> {
        let providers = self.node(asn).map_or(&[][..], |node| self.side(node, Side::Providers));
        providers.iter().filter_map(|node| self.asn(*node)).collect()
    }

    /// Its relations: each pair once, by the number of the provider or the lower number.
    pub fn relations(&self) -> impl Iterator<Item = AsRelation> + '_ {
        self.nodes().flat_map(move |node| {
            let named = move |far: &Node| self.asn(node).zip(self.asn(*far));
            let transit = self.side(node, Side::Customers).iter().filter_map(named);
            let above = move |far: &&Node| **far > node;
            let peers = self.side(node, Side::Peers).iter().filter(above).filter_map(named);
            let siblings = self.side(node, Side::Siblings).iter().filter(above).filter_map(named);
            transit
                .map(|(provider, customer)| AsRelation::Transit { provider, customer })
                .chain(peers.map(|(one, other)| AsRelation::Peering(one, other)))
                .chain(siblings.map(|(one, other)| AsRelation::Siblings(one, other)))
        })
    }

    pub(super) fn node(&self, asn: Asn) -> Option<Node> {
        self.asns.binary_search(&asn).ok().and_then(|position| Node::try_from(position).ok())
    }

    pub(super) fn asn(&self, node: Node) -> Option<Asn> {
        self.asns.get(node as usize).copied()
    }

    pub(super) fn nodes(&self) -> std::ops::Range<Node> {
        0..Node::try_from(self.asns.len()).unwrap_or(Node::MAX)
    }

    /// The neighbours on one side.
    pub(super) fn side(&self, node: Node, side: Side) -> &[Node] {
        let first = (node as usize).saturating_mul(SIDES).saturating_add(side as usize);
        self.stretch(first, first.saturating_add(1))
    }

    /// All neighbours, side by side.
    pub(super) fn all(&self, node: Node) -> &[Node] {
        let first = (node as usize).saturating_mul(SIDES);
        self.stretch(first, first.saturating_add(SIDES))
    }

    fn stretch(&self, from: usize, to: usize) -> &[Node] {
        let bounds = self.starts.get(from).zip(self.starts.get(to));
        bounds.and_then(|(from, to)| self.neighbours.get(*from as usize..*to as usize)).unwrap_or_default()
    }
}

fn numbers(relations: &[AsRelation]) -> Vec<Asn> {
    let ends = relations.iter().map(AsRelation::ends).filter(|(one, other)| one != other);
    let mut asns: Vec<Asn> = ends.flat_map(|(one, other)| [one, other]).collect();
    asns.sort_unstable();
    asns.dedup();
    asns
}

/// Positions by number: a table for the numbers that are in use, a search for those beyond.
struct Index<'a> {
    asns: &'a [Asn],
    table: Vec<Node>,
}

/// Numbers below it have a place in the table; IANA has handed out none above 402,332 to registries for use.
const TABLE: u32 = 1 << 20;

impl<'a> Index<'a> {
    fn of(asns: &'a [Asn]) -> Self {
        let size = asns.last().map_or(0, |last| last.get().min(TABLE)) as usize;
        let mut table = vec![Node::MAX; size.saturating_add(1)];
        for (asn, node) in asns.iter().zip(0..) {
            if let Some(place) = table.get_mut(asn.get() as usize) {
                *place = node;
            }
        }
        Self { asns, table }
    }

    fn find(&self, asn: Asn) -> Option<Node> {
        match self.table.get(asn.get() as usize) {
            Some(node) => (*node != Node::MAX).then_some(*node),
            None => self.asns.binary_search(&asn).ok().and_then(|position| Node::try_from(position).ok()),
        }
    }
}

/// Which side each end of a relation sees the other on.
const fn sides(relation: &AsRelation) -> [Side; 2] {
    match relation {
        AsRelation::Transit { .. } => [Side::Customers, Side::Providers],
        AsRelation::Peering(..) => [Side::Peers, Side::Peers],
        AsRelation::Siblings(..) => [Side::Siblings, Side::Siblings],
    }
}

fn slot(node: Node, side: Side) -> usize {
    (node as usize).saturating_mul(SIDES).saturating_add(side as usize)
}

fn starts(ases: usize, ends: &[(Node, Node, AsRelation)]) -> Vec<u32> {
    let mut starts = vec![0_u32; ases.saturating_mul(SIDES).saturating_add(1)];
    for (one, other, relation) in ends {
        let [near, far] = sides(relation);
        for place in [slot(*one, near), slot(*other, far)] {
            if let Some(count) = starts.get_mut(place.saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        }
    }
    let mut total = 0_u32;
    for start in &mut starts {
        total = total.saturating_add(*start);
        *start = total;
    }
    starts
}

fn neighbours(starts: &[u32], ends: &[(Node, Node, AsRelation)]) -> Vec<Node> {
    let mut filled = starts.to_vec();
    let mut neighbours = vec![0; ends.len().saturating_mul(2)];
    let mut put = |place: usize, neighbour: Node| {
        let Some(at) = filled.get_mut(place) else { return };
        if let Some(free) = neighbours.get_mut(*at as usize) {
            *free = neighbour;
        }
        *at = at.saturating_add(1);
    };
    for (one, other, relation) in ends {
        let [near, far] = sides(relation);
        put(slot(*one, near), *other);
        put(slot(*other, far), *one);
    }
    neighbours
}

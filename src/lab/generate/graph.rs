//! ASes and what they are to each other, by position.

use std::collections::{BTreeSet, HashMap, HashSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::model::{AsRelation, Asn};

/// Position of an AS in a graph.
pub(super) type Id = usize;

/// ASes with their neighbours. No AS is, through others, a provider of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct AsGraph {
    numbers: Vec<Asn>,
    neighbours: Vec<Neighbours>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Neighbours {
    pub(super) providers: Vec<Id>,
    pub(super) customers: Vec<Id>,
    pub(super) peers: Vec<Id>,
}

static NOBODY: Neighbours = Neighbours { providers: Vec::new(), customers: Vec::new(), peers: Vec::new() };

impl Neighbours {
    pub(super) fn count(&self) -> usize {
        [&self.providers, &self.customers, &self.peers].into_iter().map(Vec::len).sum()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Id> + '_ {
        self.providers.iter().chain(&self.customers).chain(&self.peers).copied()
    }
}

impl AsGraph {
    /// The graph of relations: each pair once. Of two siblings the one with more neighbours is taken for a
    /// provider of the other; and since routes between ASes need an order of providers, those relations that
    /// close a circle against the number of customers are taken for peerings.
    pub(super) fn of(relations: &[AsRelation]) -> Self {
        let numbers: BTreeSet<Asn> =
            relations.iter().map(AsRelation::ends).flat_map(|(one, other)| [one, other]).collect();
        let mut graph = Self::default();
        let ids: HashMap<Asn, Id> = numbers.into_iter().map(|number| (number, graph.add(number))).collect();
        let mut degrees = vec![0_usize; graph.len()];
        let mut known = HashSet::new();
        let mut kept = Vec::with_capacity(relations.len());
        for relation in relations {
            let (one, other) = relation.ends();
            let (Some(one), Some(other)) = (ids.get(&one).copied(), ids.get(&other).copied()) else {
                continue;
            };
            if one != other && known.insert((one.min(other), one.max(other))) {
                kept.push((relation, one, other));
                for end in [one, other] {
                    if let Some(degree) = degrees.get_mut(end) {
                        *degree = degree.saturating_add(1);
                    }
                }
            }
        }
        for (relation, one, other) in kept {
            let order = |id: Id| (degrees.get(id), std::cmp::Reverse(id));
            match relation {
                AsRelation::Transit { .. } => graph.transit(one, other),
                AsRelation::Peering(..) => graph.peering(one, other),
                AsRelation::Siblings(..) if order(one) > order(other) => graph.transit(one, other),
                AsRelation::Siblings(..) => graph.transit(other, one),
            }
        }
        graph.without_circles().in_order()
    }

    /// The same whatever the order of the relations.
    fn in_order(mut self) -> Self {
        for Neighbours { providers, customers, peers } in &mut self.neighbours {
            for list in [providers, customers, peers] {
                list.sort_unstable();
            }
        }
        self
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn ids(&self) -> std::ops::Range<Id> {
        0..self.len()
    }

    pub(super) fn add(&mut self, number: Asn) -> Id {
        self.numbers.push(number);
        self.neighbours.push(Neighbours::default());
        self.len().saturating_sub(1)
    }

    pub(super) fn transit(&mut self, provider: Id, customer: Id) {
        if let Some(neighbours) = self.neighbours.get_mut(provider) {
            neighbours.customers.push(customer);
        }
        if let Some(neighbours) = self.neighbours.get_mut(customer) {
            neighbours.providers.push(provider);
        }
    }

    pub(super) fn peering(&mut self, one: Id, other: Id) {
        for (me, peer) in [(one, other), (other, one)] {
            if let Some(neighbours) = self.neighbours.get_mut(me) {
                neighbours.peers.push(peer);
            }
        }
    }

    pub(super) fn number(&self, id: Id) -> Option<Asn> {
        self.numbers.get(id).copied()
    }

    pub(super) fn find(&self, number: Asn) -> Option<Id> {
        self.numbers.iter().position(|known| *known == number)
    }

    pub(super) fn at(&self, id: Id) -> &Neighbours {
        self.neighbours.get(id).unwrap_or(&NOBODY)
    }

    pub(super) fn is_stub(&self, id: Id) -> bool {
        self.at(id).customers.is_empty()
    }

    /// The ASes from which routes come to one and to which it has routes: up, at most once across, and down.
    pub(super) fn reached_from(&self, start: Id) -> BTreeSet<Id> {
        let above = self.spread([start], |neighbours| &neighbours.providers);
        let across = above.iter().flat_map(|id| self.at(*id).peers.iter().copied());
        self.spread(above.iter().copied().chain(across), |neighbours| &neighbours.customers)
    }

    fn spread(
        &self,
        from: impl IntoIterator<Item = Id>,
        way: impl Fn(&Neighbours) -> &Vec<Id>,
    ) -> BTreeSet<Id> {
        let mut open: Vec<Id> = from.into_iter().collect();
        let mut reached: BTreeSet<Id> = open.iter().copied().collect();
        while let Some(id) = open.pop() {
            open.extend(way(self.at(id)).iter().filter(|next| reached.insert(**next)));
        }
        reached
    }

    /// Only these ASes, with the relations among them.
    pub(super) fn only(&self, kept: &BTreeSet<Id>) -> Self {
        let places: HashMap<Id, Id> = kept.iter().copied().zip(0..).collect();
        let moved = |list: &[Id]| list.iter().filter_map(|id| places.get(id).copied()).collect();
        let neighbours = |id: &Id| {
            let Neighbours { providers, customers, peers } = self.at(*id);
            Neighbours { providers: moved(providers), customers: moved(customers), peers: moved(peers) }
        };
        Self {
            numbers: kept.iter().filter_map(|id| self.number(*id)).collect(),
            neighbours: kept.iter().map(neighbours).collect(),
        }
    }

    fn without_circles(mut self) -> Self {
        let mut providers = DiGraph::<Id, ()>::new();
        let nodes: Vec<NodeIndex> = self.ids().map(|id| providers.add_node(id)).collect();
        for id in self.ids() {
            for customer in &self.at(id).customers {
                if let (Some(from), Some(to)) = (nodes.get(id), nodes.get(*customer)) {
                    providers.add_edge(*from, *to, ());
                }
            }
        }
        for circle in tarjan_scc(&providers).into_iter().filter(|circle| circle.len() > 1) {
            let members: BTreeSet<Id> =
                circle.iter().filter_map(|node| providers.node_weight(*node).copied()).collect();
            self.put_in_order(&members);
        }
        self
    }

    /// Makes peers of those members of a circle whose provider has fewer customers.
    fn put_in_order(&mut self, members: &BTreeSet<Id>) {
        let rank = |id: Id| (self.at(id).customers.len(), std::cmp::Reverse(id));
        let within =
            members.iter().flat_map(|id| self.at(*id).customers.iter().map(|customer| (*id, *customer)));
        let against: Vec<(Id, Id)> = within
            .filter(|(provider, customer)| members.contains(customer) && rank(*provider) < rank(*customer))
            .collect();
        for (provider, customer) in against {
            if let Some(neighbours) = self.neighbours.get_mut(provider) {
                neighbours.customers.retain(|id| *id != customer);
            }
            if let Some(neighbours) = self.neighbours.get_mut(customer) {
                neighbours.providers.retain(|id| *id != provider);
            }
            self.peering(provider, customer);
        }
    }
}

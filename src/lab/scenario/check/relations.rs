//! Relations between ASes: known, not contradictory, no circle of providers, and each with a link.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;

use super::Check;
use crate::lab::scenario::{AsIndex, Change, Happening, Link, Relation, raw};

impl Check<'_> {
    pub(super) fn relations(&mut self, tables: &[raw::As]) -> Vec<Relation> {
        let mut relations: BTreeMap<[AsIndex; 2], Relation> = BTreeMap::new();
        for table in tables {
            let Some(me) = self.asn(&table.number, "as.number") else { continue };
            for provider in &table.providers {
                let Some(other) = self.asn(provider, "as.providers") else { continue };
                let relation = Relation::Transit { provider: other, customer: me };
                self.relate(&mut relations, relation, ("as.providers", provider));
            }
            for peer in &table.peers {
                let Some(other) = self.asn(peer, "as.peers") else { continue };
                let relation = Relation::Peering(me.min(other), me.max(other));
                self.relate(&mut relations, relation, ("as.peers", peer));
            }
        }
        let relations: Vec<Relation> = relations.into_values().collect();
        self.neighbours = both_ways(&relations);
        self.no_circle(tables, &relations);
        relations
    }

    fn relate(
        &mut self,
        relations: &mut BTreeMap<[AsIndex; 2], Relation>,
        relation: Relation,
        (key, other): (&str, &Spanned<crate::model::Asn>),
    ) {
        let (one, two) = relation.ends();
        if one == two {
            self.error(other, key, other.get_ref(), "must be another AS");
            return;
        }
        let earlier = relations.insert([one.min(two), one.max(two)], relation);
        if earlier.is_some_and(|earlier| earlier != relation) {
            let rule = "two ASes must have one relation: provider and customer, or peers";
            self.error(other, key, other.get_ref(), rule);
        }
    }

    /// Where customers are (in the end) providers of their providers, no best routes exist.
    fn no_circle(&mut self, tables: &[raw::As], relations: &[Relation]) {
        let mut open: BTreeSet<(AsIndex, AsIndex)> = BTreeSet::new();
        for relation in relations {
            if let Relation::Transit { provider, customer } = relation {
                open.insert((*provider, *customer));
            }
        }
        loop {
            let customers: BTreeSet<AsIndex> = open.iter().map(|(_, customer)| *customer).collect();
            let before = open.len();
            open.retain(|(provider, _)| customers.contains(provider));
            if open.len() == before {
                break;
            }
        }
        let Some((provider, _)) = open.first() else { return };
        if let Some(table) = tables.get(provider.0) {
            let rule = "must not be a customer of its own customers, directly or through others";
            self.error(&table.number, "as.number", table.number.get_ref(), rule);
        }
    }

    /// No event may make such a circle either.
    pub(super) fn no_later_circle(
        &mut self,
        relations: &[Relation],
        changes: &[(&Spanned<raw::Time>, Change)],
    ) {
        let mut providers = Providers::default();
        for relation in relations {
            providers.make(*relation);
        }
        for (at, change) in changes {
            let Happening::Relation(relation) = change.what else { continue };
            if providers.make(relation) {
                let rule = "relation: must not make an AS a customer of its own customers, directly or \
                            through others";
                self.error(at, "event.at", change.at, rule);
            }
        }
    }

    /// A relation without a link carries nothing; a link between strangers is never used.
    pub(super) fn links_follow_relations(&mut self, file: &raw::File, links: &[Link]) {
        let mut linked: BTreeSet<(AsIndex, AsIndex)> = BTreeSet::new();
        for (table, link) in file.links.iter().zip(links) {
            let [Some(one), Some(other)] = link.ends.map(|end| self.home(end)) else { continue };
            linked.extend([(one, other), (other, one)]);
            if one != other && !self.neighbours.contains(&(one, other)) {
                let names =
                    table.between.get_ref().each_ref().map(|name| name.get_ref().as_str()).join(", ");
                let rule = "the ASes of both routers must be provider and customer, or peers";
                self.error(&table.between, "link.between", names, rule);
            }
        }
        // A link that nobody understands may be the one that is missed.
        let understood = links.iter().all(|link| link.ends.iter().all(|end| self.home(*end).is_some()));
        if !understood {
            return;
        }
        let unlinked: Vec<_> = self.neighbours.difference(&linked).copied().collect();
        for (one, other) in unlinked.into_iter().filter(|(one, other)| one < other) {
            let (Some(one), Some(other)) = (file.ases.get(one.0), file.ases.get(other.0)) else { continue };
            let rule =
                format!("must have a [[link]] to {}, since they are neighbours", other.number.get_ref());
            self.error(&one.number, "as.number", one.number.get_ref(), rule);
        }
    }
}

/// The providers of each AS.
#[derive(Default)]
struct Providers(BTreeMap<AsIndex, BTreeSet<AsIndex>>);

impl Providers {
    /// In the place of what the two ASes were to each other before; whether that closes a circle.
    fn make(&mut self, relation: Relation) -> bool {
        let (one, other) = relation.ends();
        for (me, them) in [(one, other), (other, one)] {
            self.0.entry(me).or_default().remove(&them);
        }
        let Relation::Transit { provider, customer } = relation else { return false };
        self.0.entry(customer).or_default().insert(provider);
        self.is_above(customer, provider)
    }

    /// Whether `high` is a provider of `low`, directly or through others.
    fn is_above(&self, high: AsIndex, low: AsIndex) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![low];
        while let Some(asys) = open.pop() {
            if seen.insert(asys) {
                open.extend(self.0.get(&asys).into_iter().flatten());
            }
        }
        seen.contains(&high)
    }
}

fn both_ways(relations: &[Relation]) -> BTreeSet<(AsIndex, AsIndex)> {
    let ends = relations.iter().map(|relation| relation.ends());
    ends.flat_map(|(one, other)| [(one, other), (other, one)]).collect()
}

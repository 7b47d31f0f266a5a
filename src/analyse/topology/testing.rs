//! Small random topologies, and a path-vector exchange that is written for nothing but being plainly right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Announcement, Lost, Topology};
use crate::model::{AsLink, AsRelation, Asn};

pub(super) fn n(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

pub(super) fn link(one: u32, other: u32) -> AsLink {
    AsLink::new(n(one), n(other)).unwrap()
}

pub(super) fn transit(provider: u32, customer: u32) -> AsRelation {
    AsRelation::Transit { provider: n(provider), customer: n(customer) }
}

pub(super) fn peers(one: u32, other: u32) -> AsRelation {
    AsRelation::Peering(n(one), n(other))
}

/// Up to 24 ASes with any relations, circles of providers and chains of siblings included.
pub(super) fn relations() -> impl Strategy<Value = Vec<AsRelation>> {
    let relation = (1_u32..=24, 1_u32..=24, 0..8_u8);
    proptest::collection::vec(relation, 1..80).prop_map(|drawn| {
        let mut pairs = BTreeMap::new();
        for (one, other, kind) in drawn.into_iter().filter(|(one, other, _)| one != other) {
            let relation = match kind {
                0..=4 => transit(one, other),
                5..=6 => peers(one, other),
                _ => AsRelation::Siblings(n(one), n(other)),
            };
            pairs.entry(link(one, other)).or_insert(relation);
        }
        pairs.into_values().collect()
    })
}

/// Links and ASes among these, of which not all need be there.
pub(super) fn losses() -> impl Strategy<Value = Vec<Lost>> {
    let lost = prop_oneof![
        (1_u32..=24).prop_map(|asn| Lost::As(n(asn))),
        (1_u32..=24, 1_u32..=24)
            .prop_filter("two ends", |(one, other)| one != other)
            .prop_map(|(one, other)| Lost::Link(link(one, other))),
    ];
    proptest::collection::vec(lost, 0..4)
}

/// What is left of relations.
pub(super) fn without(relations: &[AsRelation], lost: &[Lost]) -> Vec<AsRelation> {
    let stays = |relation: &&AsRelation| {
        let (one, other) = relation.ends();
        !lost.iter().any(|lost| match lost {
            Lost::As(asn) => *asn == one || *asn == other,
            Lost::Link(link) => relation.link() == Some(*link),
        })
    };
    relations.iter().filter(stays).copied().collect()
}

/// From whom a route is: itself, a customer, a peer, a provider.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum From {
    Own,
    Customer,
    Peer,
    Provider,
}

/// Everybody tells everybody all, until nothing changes: the paths of all ASes, the AS itself first.
pub(super) fn exchanged(relations: &[AsRelation], announcement: &Announcement) -> BTreeMap<Asn, Vec<Asn>> {
    let ases: BTreeSet<Asn> =
        relations.iter().map(AsRelation::ends).flat_map(|(one, other)| [one, other]).collect();
    let mut best: BTreeMap<Asn, (From, Vec<Asn>)> =
        BTreeMap::from([(announcement.origin, (From::Own, vec![announcement.origin]))]);
    loop {
        let mut after = BTreeMap::new();
        for me in &ases {
            let offers = relations.iter().filter_map(|relation| offer(*relation, *me, &best, announcement));
            let own = (*me == announcement.origin).then(|| (From::Own, vec![*me]));
            let rank = |(from, path): &(From, Vec<Asn>)| (*from, path.len(), path.get(1).copied());
            if let Some(chosen) = offers.chain(own).min_by_key(rank) {
                after.insert(*me, chosen);
            }
        }
        if after == best {
            return best.into_iter().map(|(asn, (_, path))| (asn, path)).collect();
        }
        best = after;
    }
}

fn offer(
    relation: AsRelation,
    me: Asn,
    best: &BTreeMap<Asn, (From, Vec<Asn>)>,
    announcement: &Announcement,
) -> Option<(From, Vec<Asn>)> {
    let teller = relation.link()?.other_end(me)?;
    let (learnt, path) = best.get(&teller)?;
    let from = match relation {
        AsRelation::Transit { provider, .. } if provider == me => From::Customer,
        AsRelation::Transit { .. } => From::Provider,
        AsRelation::Peering(..) => From::Peer,
        AsRelation::Siblings(..) => (*learnt).max(From::Customer),
    };
    let to_customer_or_sibling = from == From::Provider || matches!(relation, AsRelation::Siblings(..));
    let told = *learnt <= From::Customer || to_customer_or_sibling;
    let announced = teller != announcement.origin
        || announcement.only_to.as_ref().is_none_or(|only_to| only_to.contains(&me));
    let route = || (from, [&[me], path.as_slice()].concat());
    (told && announced && !path.contains(&me)).then(route)
}

/// The paths of all ASes that have one.
pub(super) fn paths(routes: &super::Routes<'_>) -> BTreeMap<Asn, Vec<Asn>> {
    let asns = routes.topology().asns().iter();
    asns.filter_map(|asn| Some((*asn, routes.path(*asn)?))).collect()
}

/// The topology of one of the files that are never carried along.
pub(super) fn real(name: &str) -> Topology {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let folder = std::env::var_os("TETHERLINE_REAL_DATA").map_or(beside, PathBuf::from);
    let table = crate::formats::as_rel::load_as_rel(&folder.join("asrel").join(name)).unwrap();
    Topology::of(&table.relations)
}

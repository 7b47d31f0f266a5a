//! Where the ASes of a path figure stand: in layers from left to right by their longest distance from the
//! vantage's AS, ordered within a layer so that few links cross (barycentre method: Sugiyama, Tagawa and
//! Toda, 1981). The same links give the same picture.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Asn;

use super::figure::Point;
use super::number;

/// A link in the direction from the vantage to the target.
pub(super) type Link = (Asn, Asn);

/// How often the layers are put in order, forth and back.
const SWEEPS: usize = 6;

/// What stands in a layer: an AS, or the bend of a link that passes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    As(Asn),
    Bend(Link, usize),
}

/// Positions in steps: whole layers to the right, rows up and down from the middle.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Where each AS stands.
    pub(super) places: BTreeMap<Asn, Point>,
    /// Through which points each link runs, both ends included.
    pub(super) routes: BTreeMap<Link, Vec<Point>>,
    /// How many layers.
    pub(super) layers: usize,
    /// How many slots the fullest layer holds.
    pub(super) rows: usize,
}

/// Lays out the links; ASes of `origins` from which nothing leads on stand at the far right.
pub(super) fn lay_out(links: &BTreeSet<Link>, origins: &BTreeSet<Asn>) -> Layout {
    let layer_of = layers(links, origins);
    let chains: BTreeMap<Link, Vec<Slot>> =
        links.iter().map(|link| (*link, chain(*link, &layer_of))).collect();
    let ordered = order(&layer_of, &chains);
    let points = points(&ordered);
    let place = |slot: &Slot| points.get(slot).copied().unwrap_or_default();
    Layout {
        places: layer_of.keys().map(|asn| (*asn, place(&Slot::As(*asn)))).collect(),
        routes: chains.iter().map(|(link, chain)| (*link, chain.iter().map(place).collect())).collect(),
        layers: ordered.len(),
        rows: ordered.iter().map(Vec::len).max().unwrap_or(0),
    }
}

/// The layer of each AS. Where links run in a circle, it is opened at the AS with the fewest links that
/// lead to it.
fn layers(links: &BTreeSet<Link>, origins: &BTreeSet<Asn>) -> BTreeMap<Asn, usize> {
    let mut waiting: BTreeSet<Asn> = links.iter().flat_map(|(from, to)| [*from, *to]).collect();
    let mut placed: BTreeMap<Asn, usize> = BTreeMap::new();
    while let Some(next) = fewest_before(&waiting, links) {
        let before = links.iter().filter(|(_, to)| *to == next).filter_map(|(from, _)| placed.get(from));
        let layer = before.max().map_or(0, |layer| layer.saturating_add(1));
        waiting.remove(&next);
        placed.insert(next, layer);
    }
    let last = placed.values().copied().max().unwrap_or(0);
    for origin in origins.iter().filter(|origin| !links.iter().any(|(from, _)| from == *origin)) {
        placed.entry(*origin).and_modify(|layer| *layer = last);
    }
    placed
}

fn fewest_before(waiting: &BTreeSet<Asn>, links: &BTreeSet<Link>) -> Option<Asn> {
    let before = |asn: &Asn| links.iter().filter(|(from, to)| to == asn && waiting.contains(from)).count();
    waiting.iter().copied().min_by_key(|asn| (before(asn), *asn))
}

/// The slots through which a link runs. A link that leads back, or stays in its layer, runs directly.
fn chain(link: Link, layer_of: &BTreeMap<Asn, usize>) -> Vec<Slot> {
    let layer = |asn| layer_of.get(&asn).copied().unwrap_or(0);
    let between = layer(link.0).saturating_add(1)..layer(link.1);
    let bends = between.map(|layer| Slot::Bend(link, layer));
    std::iter::once(Slot::As(link.0)).chain(bends).chain(std::iter::once(Slot::As(link.1))).collect()
}

/// The slots of each layer, from top to bottom.
fn order(layer_of: &BTreeMap<Asn, usize>, chains: &BTreeMap<Link, Vec<Slot>>) -> Vec<Vec<Slot>> {
    let count = layer_of.values().max().map_or(0, |last| last.saturating_add(1));
    let mut ordered: Vec<Vec<Slot>> = vec![Vec::new(); count];
    let ases = layer_of.iter().map(|(asn, layer)| (*layer, Slot::As(*asn)));
    let bends = chains.values().flatten().filter_map(|slot| match slot {
        Slot::Bend(_, layer) => Some((*layer, *slot)),
        Slot::As(_) => None,
    });
    for (layer, slot) in ases.chain(bends) {
        if let Some(slots) = ordered.get_mut(layer) {
            slots.push(slot);
        }
    }
    let (before, after) = neighbours(chains);
    for _ in 0..SWEEPS {
        sweep(&mut ordered, 0..count, &before);
        sweep(&mut ordered, (0..count).rev(), &after);
    }
    ordered
}

type Neighbours = BTreeMap<Slot, Vec<Slot>>;

fn neighbours(chains: &BTreeMap<Link, Vec<Slot>>) -> (Neighbours, Neighbours) {
    let (mut before, mut after) = (Neighbours::new(), Neighbours::new());
    for chain in chains.values() {
        for (one, next) in chain.iter().zip(chain.iter().skip(1)) {
            before.entry(*next).or_default().push(*one);
            after.entry(*one).or_default().push(*next);
        }
    }
    (before, after)
}

/// Sorts each layer by where its neighbours stand on average.
fn sweep(ordered: &mut [Vec<Slot>], layers: impl Iterator<Item = usize>, neighbours: &Neighbours) {
    for layer in layers {
        let points = points(ordered);
        let height = |slot: &Slot| {
            let near = neighbours.get(slot).map(Vec::as_slice).unwrap_or_default();
            let heights: Vec<f64> =
                near.iter().filter_map(|slot| points.get(slot)).map(|point| point.1).collect();
            let own = points.get(slot).map_or(0.0, |point| point.1);
            if heights.is_empty() {
                own
            } else {
                heights.iter().sum::<f64>() / number::length(heights.len())
            }
        };
        if let Some(slots) = ordered.get_mut(layer) {
            slots.sort_by(|one, other| height(one).total_cmp(&height(other)));
        }
    }
}

/// Every layer is centred on the middle.
fn points(ordered: &[Vec<Slot>]) -> BTreeMap<Slot, Point> {
    let mut points = BTreeMap::new();
    for (layer, slots) in ordered.iter().enumerate() {
        let middle = (number::length(slots.len()) - 1.0) / 2.0;
        for (row, slot) in slots.iter().enumerate() {
            points.insert(*slot, (number::length(layer), number::length(row) - middle));
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asn(number: u32) -> Asn {
        Asn::try_from(number).unwrap()
    }

    fn links(pairs: &[(u32, u32)]) -> BTreeSet<Link> {
        pairs.iter().map(|(from, to)| (asn(*from), asn(*to))).collect()
    }

    #[test]
    fn the_origin_stands_last_and_long_links_bend_around_what_lies_between() {
        let links = links(&[(1, 2), (2, 3), (3, 9), (1, 9)]);
        let layout = lay_out(&links, &BTreeSet::from([asn(9)]));
        assert_eq!(layout.layers, 4);
        assert_eq!(layout.routes[&(asn(1), asn(9))].len(), 4);
        let passing = layout.routes[&(asn(1), asn(9))][1];
        assert_ne!(passing, layout.places[&asn(2)]);
    }

    #[test]
    fn two_parallel_paths_do_not_cross() {
        let links = links(&[(1, 3), (1, 2), (2, 7), (3, 6), (6, 9), (7, 9)]);
        let layout = lay_out(&links, &BTreeSet::from([asn(9)]));
        let above = |one: u32, other: u32| layout.places[&asn(one)].1 < layout.places[&asn(other)].1;
        assert_eq!(above(2, 3), above(7, 6));
    }

    proptest! {
        #[test]
        fn any_links_even_in_circles_get_a_place_each_of_their_own(
            pairs in prop::collection::btree_set((1_u32..12, 1_u32..12), 0..40),
        ) {
            let pairs: Vec<(u32, u32)> = pairs.into_iter().collect();
            let links = links(&pairs);
            let layout = lay_out(&links, &BTreeSet::from([asn(3)]));
            let mut seen: Vec<String> = layout.places.values().map(|place| format!("{place:?}")).collect();
            let all = seen.len();
            seen.sort();
            seen.dedup();
            prop_assert_eq!(seen.len(), all);
            prop_assert_eq!(layout.routes.len(), links.len());
        }
    }
}

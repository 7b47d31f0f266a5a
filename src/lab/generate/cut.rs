//! A part of a graph, around two of its ASes: each AS in it keeps a way up, so that what is connected in the
//! whole stays connected in the part.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::dice::{Dice, Purpose};
use super::graph::{AsGraph, Id};

/// So many ASes of a graph at most: the target and the vantage, the providers of the target and theirs, and
/// then those that the fewest steps between customer and provider lead to, drawn among equals. Peerings do not
/// count as steps: they lead to the few that peer with everybody, and a part of only these would look
/// like no Internet. What the vantage cannot reach is left out.
pub(super) fn cut(graph: &AsGraph, (vantage, target): (Id, Id), most: usize, seed: u64) -> BTreeSet<Id> {
    let mut part = BTreeSet::new();
    for id in [target, vantage] {
        part.extend(chain(graph, id, &part));
    }
    let near = above(graph, target).into_iter().chain(around(graph, target, seed));
    for id in near {
        if part.len() >= most {
            break;
        }
        let missing = chain(graph, id, &part);
        if part.len().saturating_add(missing.len()) <= most {
            part.extend(missing);
        }
    }
    let kept = graph.only(&part);
    let place = |id: Id| part.iter().position(|other| *other == id);
    let reached = place(vantage).map(|vantage| kept.reached_from(vantage)).unwrap_or_default();
    part.iter().enumerate().filter(|(place, _)| reached.contains(place)).map(|(_, id)| *id).collect()
}

/// An AS, and those of the shortest way up that are missing in a part: to one of the part, or to one without
/// providers. Of several, the way by those with the most neighbours.
fn chain(graph: &AsGraph, id: Id, part: &BTreeSet<Id>) -> Vec<Id> {
    let mut from = BTreeMap::from([(id, id)]);
    let mut open = VecDeque::from([id]);
    while let Some(here) = open.pop_front() {
        let providers = by_size(graph, &graph.at(here).providers);
        if part.contains(&here) || providers.is_empty() {
            return back(&from, here).into_iter().filter(|id| !part.contains(id)).collect();
        }
        for provider in providers {
            if let std::collections::btree_map::Entry::Vacant(entry) = from.entry(provider) {
                entry.insert(here);
                open.push_back(provider);
            }
        }
    }
    Vec::new()
}

fn back(from: &BTreeMap<Id, Id>, end: Id) -> Vec<Id> {
    let mut way = vec![end];
    let mut here = end;
    while let Some(before) = from.get(&here).copied().filter(|before| *before != here) {
        way.push(before);
        here = before;
    }
    way
}

/// The providers of an AS and theirs, the nearest first.
fn above(graph: &AsGraph, id: Id) -> Vec<Id> {
    levels(id, |id| graph.at(id).providers.clone()).iter().flat_map(|level| by_size(graph, level)).collect()
}

/// All ASes: those that customers and providers lead to, the nearest first, then the others; those of one distance in
/// an order that is drawn.
fn around(graph: &AsGraph, id: Id, seed: u64) -> Vec<Id> {
    let mut dice = Dice::new(seed, Purpose::Part);
    let next = |id: Id| graph.at(id).providers.iter().chain(&graph.at(id).customers).copied().collect();
    let mut levels = levels(id, next);
    let found: BTreeSet<Id> = levels.iter().flatten().copied().collect();
    levels.push(graph.ids().filter(|id| !found.contains(id)).collect());
    for level in &mut levels {
        dice.shuffle(level);
    }
    levels.concat()
}

/// What can be reached from one, by the number of steps.
fn levels(start: Id, next: impl Fn(Id) -> Vec<Id>) -> Vec<Vec<Id>> {
    let mut seen = BTreeSet::from([start]);
    let mut levels = Vec::new();
    let mut level = vec![start];
    while !level.is_empty() {
        let farther = level.iter().flat_map(|id| next(*id)).filter(|id| seen.insert(*id)).collect();
        levels.push(std::mem::replace(&mut level, farther));
    }
    levels
}

/// Those with the most neighbours first.
fn by_size(graph: &AsGraph, ids: &[Id]) -> Vec<Id> {
    let mut ids = ids.to_vec();
    ids.sort_by_key(|id| (std::cmp::Reverse(graph.at(*id).count()), *id));
    ids
}

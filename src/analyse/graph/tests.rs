use proptest::prelude::*;

use super::*;
use crate::analyse::path::Step;
use crate::analyse::sheet::asn;

const ORIGIN: u32 = 100;

fn walk(ases: &[u32]) -> Walk {
    let step = |number: &u32| Step { asn: asn(*number), after_gap: false };
    Walk { steps: ases.iter().map(step).collect() }
}

fn graph(walks: &[Walk], own: &[u32]) -> AsGraph {
    let own: BTreeSet<Asn> = own.iter().map(|number| asn(*number)).collect();
    AsGraph::new(walks, &own, asn(ORIGIN))
}

#[test]
fn one_line_is_a_single_point_and_two_are_none() {
    let one = graph(&[walk(&[1, 2, 9, ORIGIN]), walk(&[1, 3, 9, ORIGIN])], &[1]);
    assert_eq!((one.disjoint(), one.single_points()), (Some(1), vec![asn(9)]));
    let two = graph(&[walk(&[1, 2, 9, ORIGIN]), walk(&[1, 3, 8, ORIGIN])], &[1]);
    assert_eq!((two.disjoint(), two.single_points()), (Some(2), vec![]));
    let shared = graph(&[walk(&[1, 2, 9, ORIGIN]), walk(&[1, 2, 8, ORIGIN])], &[1]);
    assert_eq!((shared.disjoint(), shared.single_points()), (Some(1), vec![asn(2)]));
}

#[test]
fn single_points_are_named_from_the_vantage_outward() {
    let chain = graph(&[walk(&[1, 7, 3, 5, ORIGIN])], &[1]);
    assert_eq!(chain.single_points(), vec![asn(7), asn(3), asn(5)]);
}

#[test]
fn a_router_that_did_not_answer_once_is_no_second_way() {
    let mut lossy = walk(&[1, 9, ORIGIN]);
    lossy.steps[1].after_gap = true;
    let found = graph(&[walk(&[1, 2, 9, ORIGIN]), lossy], &[1]);
    assert_eq!(found.single_points(), vec![asn(2), asn(9)]);
}

#[test]
fn nothing_measured_is_not_zero_ways() {
    assert_eq!(graph(&[], &[1]).disjoint(), None);
    assert_eq!(graph(&[walk(&[ORIGIN])], &[ORIGIN]).disjoint(), None);
}

/// Whether the origin can be reached when these ASes are gone.
fn connected(graph: &AsGraph, gone: &BTreeSet<Asn>) -> bool {
    let mut seen: BTreeSet<Asn> = graph.starts.difference(gone).copied().collect();
    let mut queue: Vec<Asn> = seen.iter().copied().collect();
    while let Some(asn) = queue.pop() {
        for (from, to) in graph.links() {
            if from == asn && !gone.contains(&to) && seen.insert(to) {
                queue.push(to);
            }
        }
    }
    seen.contains(&graph.origin)
}

proptest! {
    /// Menger's theorem, against all sets of ASes one by one.
    #[test]
    fn disjoint_ways_and_single_points_agree_with_brute_force(
        inner in prop::collection::vec(prop::collection::vec(2_u32..9, 1..5), 1..8),
    ) {
        let walks: Vec<Walk> = inner.into_iter().map(|mut inner| {
            inner.dedup();
            inner.insert(0, 1);
            inner.push(ORIGIN);
            walk(&inner)
        }).collect();
        let found = graph(&walks, &[1]);
        let others: Vec<Asn> =
            found.ases().into_iter().filter(|asn| asn.get() != 1 && *asn != found.origin).collect();
        let cut = (0_u32..1 << others.len())
            .filter(|set| {
                let gone = others.iter().enumerate().filter(|(bit, _)| set & (1 << bit) != 0);
                !connected(&found, &gone.map(|(_, asn)| *asn).collect())
            })
            .map(u32::count_ones)
            .min();
        prop_assert_eq!(found.disjoint(), cut);
        let points: BTreeSet<Asn> = found.single_points().into_iter().collect();
        let alone = |asn: &&Asn| !connected(&found, &BTreeSet::from([**asn]));
        prop_assert_eq!(points, others.iter().filter(alone).copied().collect());
    }
}

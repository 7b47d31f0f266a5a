use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::testing::{exchanged, link, losses, n, paths, peers, real, relations, transit, without};
use super::*;
use crate::model::{AsRelation, Asn};

fn routes(topology: &Topology, origin: u32) -> Routes<'_> {
    Routes::to(topology, &Announcement::of(n(origin)), Ties::LowestAsn).unwrap()
}

#[test]
fn a_customer_is_preferred_to_a_shorter_way_over_a_peer_and_that_to_a_provider() {
    // 1 reaches 9 over its customers 2 and 3, though its peer 4 is nearer; 5 over its peer 4, though its provider 9 is next.
    let topology = Topology::of(&[
        transit(1, 2),
        transit(2, 3),
        transit(3, 9),
        peers(1, 4),
        transit(4, 9),
        peers(4, 5),
        transit(9, 5),
    ]);
    let routes = routes(&topology, 9);
    assert_eq!(routes.path(n(1)).unwrap(), [1, 2, 3, 9].map(n));
    assert_eq!(routes.path(n(5)).unwrap(), [5, 4, 9].map(n));
    let route = routes.route(n(5)).unwrap();
    assert_eq!(route, Route { want: Some(Want::Peer), length: 2, next: Some(n(4)) });
}

#[test]
fn nobody_carries_for_a_peer_what_another_peer_or_a_provider_told() {
    let topology = Topology::of(&[transit(1, 9), peers(1, 2), peers(2, 3), transit(3, 4)]);
    let routes = routes(&topology, 9);
    assert_eq!(routes.path(n(2)).unwrap(), [2, 1, 9].map(n));
    assert_eq!((routes.route(n(3)), routes.route(n(4))), (None, None));
    let outlook = routes.outlook();
    assert_eq!((outlook.reach, outlook.without, outlook.links), (2, 2, 3));
}

#[test]
fn a_sibling_passes_on_what_it_has_as_if_both_were_one() {
    let siblings = AsRelation::Siblings(n(2), n(3));
    // 3 has the route of its sibling's customer, and so tells its peer and its provider.
    let topology = Topology::of(&[transit(2, 9), siblings, peers(3, 4), transit(5, 3)]);
    let routes = routes(&topology, 9);
    assert_eq!(routes.route(n(3)).unwrap().want, Some(Want::Customer));
    assert_eq!(routes.path(n(4)).unwrap(), [4, 3, 2, 9].map(n));
    assert_eq!(routes.path(n(5)).unwrap(), [5, 3, 2, 9].map(n));
}

#[test]
fn a_lost_route_of_a_customer_can_shorten_the_ways_of_others() {
    // 1 goes the long way over its customers 2, 3 and 4; without it, over its provider 5. Its customer 6 had the provider 7.
    let topology = Topology::of(&[
        transit(1, 2),
        transit(2, 3),
        transit(3, 4),
        transit(4, 9),
        transit(5, 1),
        transit(5, 9),
        transit(1, 6),
        transit(7, 6),
        transit(8, 7),
        transit(5, 8),
    ]);
    let mut routes = routes(&topology, 9);
    assert_eq!(routes.path(n(6)).unwrap(), [6, 7, 8, 5, 9].map(n));
    let before = paths(&routes);
    let journal = routes.lose(Lost::Link(link(4, 9)));
    assert_eq!(routes.path(n(6)).unwrap(), [6, 1, 5, 9].map(n));
    // 3 and 4 go the long way round now; 6, whose way led elsewhere, goes a shorter one.
    assert_eq!((journal.affected, journal.cut_off(), journal.longer), (4, 0, 3));
    routes.undo(journal);
    assert_eq!(paths(&routes), before);
}

#[test]
fn nobody_goes_by_a_route_that_its_neighbour_only_had_for_a_moment() {
    // Without 3-9, 2 could take the short way over its provider 1, but hears of a long one from its customer 3, and
    // wants that. Its customer 6 goes the long way, too.
    let topology = Topology::of(&[
        transit(3, 9),
        transit(3, 4),
        transit(4, 5),
        transit(5, 9),
        transit(2, 3),
        transit(1, 2),
        transit(1, 9),
        transit(2, 6),
    ]);
    let mut routes = routes(&topology, 9);
    let journal = routes.lose(Lost::Link(link(3, 9)));
    assert_eq!(routes.path(n(6)).unwrap(), [6, 2, 3, 4, 5, 9].map(n));
    routes.undo(journal);
}

#[test]
fn an_announcement_to_one_neighbour_comes_over_that_neighbour_alone() {
    let topology = Topology::of(&[transit(1, 9), transit(2, 9), peers(1, 2), transit(2, 3)]);
    let only = Announcement { origin: n(9), only_to: Some(BTreeSet::from([n(1)])) };
    let mut routes = Routes::to(&topology, &only, Ties::LowestAsn).unwrap();
    assert_eq!(routes.path(n(3)).unwrap(), [3, 2, 1, 9].map(n));
    let journal = routes.lose(Lost::As(n(1)));
    assert_eq!(routes.outlook().reach, 0);
    assert_eq!(routes.outlook().mean_length(), None);
    assert_eq!(routes.outlook().hegemony(n(1)), None);
    routes.undo(journal);
    assert_eq!(routes.outlook().reach, 3);
}

#[test]
fn an_as_that_is_not_there_has_no_routes() {
    let topology = Topology::of(&[transit(1, 9)]);
    assert!(Routes::to(&topology, &Announcement::of(n(5)), Ties::LowestAsn).is_none());
    assert!(Topology::of(&[]).is_empty());
    assert_eq!(topology.relation(link(1, 5)), None);
    assert_eq!(topology.relation(link(9, 1)), Some(transit(1, 9)));
}

proptest! {
    #[test]
    fn the_routes_are_those_that_a_plain_exchange_ends_with(
        relations in relations(), origin in 1_u32..=24, only in proptest::option::of(1_u32..=24),
    ) {
        let topology = Topology::of(&relations);
        let announcement = Announcement { origin: n(origin), only_to: only.map(|only| BTreeSet::from([n(only)])) };
        if let Some(routes) = Routes::to(&topology, &announcement, Ties::LowestAsn) {
            prop_assert_eq!(paths(&routes), exchanged(&relations, &announcement));
        }
    }

    #[test]
    fn losing_step_by_step_is_the_same_as_never_having_had_it(
        relations in relations(), origin in 1_u32..=24, first in losses(), second in losses(), seed in 0..4_u64,
    ) {
        let topology = Topology::of(&relations);
        let ties = if seed == 0 { Ties::LowestAsn } else { Ties::Seeded(seed) };
        let announcement = Announcement::of(n(origin));
        let Some(mut routes) = Routes::to(&topology, &announcement, ties) else { return Ok(()) };
        let before = (paths(&routes), routes.outlook());
        let one = routes.lose_all(&first);
        let between = (paths(&routes), routes.outlook());
        let other = routes.lose_all(&second);
        let all = [first.as_slice(), second.as_slice()].concat();
        let mut left = exchanged(&without(&relations, &all), &announcement);
        // An origin without links has a route to itself, which an exchange among links does not know.
        left.remove(&n(origin));
        let mut found = paths(&routes);
        found.remove(&n(origin));
        if ties == Ties::LowestAsn {
            prop_assert_eq!(found, left);
        } else {
            let lengths = |paths: &BTreeMap<Asn, Vec<Asn>>| -> Vec<(Asn, usize)> {
                paths.iter().map(|(asn, path)| (*asn, path.len())).collect()
            };
            prop_assert_eq!(lengths(&found), lengths(&left));
        }
        routes.undo(other);
        prop_assert_eq!((paths(&routes), routes.outlook()), between);
        routes.undo(one);
        prop_assert_eq!((paths(&routes), routes.outlook()), before);
    }

    #[test]
    fn a_journal_counts_who_is_cut_off_and_how_much_longer_ways_are(
        relations in relations(), origin in 1_u32..=24, lost in losses(),
    ) {
        let topology = Topology::of(&relations);
        let Some(mut routes) = Routes::to(&topology, &Announcement::of(n(origin)), Ties::LowestAsn) else { return Ok(()) };
        if lost.contains(&Lost::As(n(origin))) { return Ok(()) }
        let before = paths(&routes);
        let journal = routes.lose_all(&lost);
        let after = paths(&routes);
        let gone = |asn: &Asn| lost.contains(&Lost::As(*asn));
        let cut_off = before.keys().filter(|asn| !after.contains_key(asn) && !gone(asn)).count();
        prop_assert_eq!(journal.cut_off(), cut_off as u64);
        let length = |path: &Vec<Asn>| i64::try_from(path.len()).unwrap();
        let longer: i64 = after.iter().map(|(asn, path)| length(path) - length(&before[asn])).sum();
        prop_assert_eq!(journal.longer, longer);
    }

    #[test]
    fn ties_are_the_only_thing_that_a_seed_changes(relations in relations(), origin in 1_u32..=24, seed in any::<u64>()) {
        let topology = Topology::of(&relations);
        let announcement = Announcement::of(n(origin));
        let both = [Ties::LowestAsn, Ties::Seeded(seed)].map(|ties| Routes::to(&topology, &announcement, ties));
        if let [Some(lowest), Some(drawn)] = both {
            for asn in topology.asns() {
                let key = |routes: &Routes<'_>| routes.route(*asn).map(|route| (route.want, route.length));
                prop_assert_eq!(key(&lowest), key(&drawn));
            }
            prop_assert_eq!(lowest.outlook().reach, drawn.outlook().reach);
        }
    }
}

proptest! {
    #[test]
    fn a_ranking_is_what_each_loss_does_by_itself_and_each_two_together(
        relations in relations(), origin in 1_u32..=24, mixed in any::<bool>(),
    ) {
        let topology = Topology::of(&relations);
        let Some(mut routes) = Routes::to(&topology, &Announcement::of(n(origin)), Ties::LowestAsn) else { return Ok(()) };
        let before = paths(&routes);
        let mut candidates = routes.busiest_links(8);
        if mixed { candidates.extend(routes.busiest_ases(4)) }
        for harm in routes.rank(&candidates) {
            let (cut, longer) = counted(&before, &relations, origin, &[harm.lost]);
            prop_assert_eq!((harm.cut_off, harm.longer), (cut.len() as u64, longer));
        }
        let mut done = 0;
        let pairs = routes.rank_pairs(&candidates, 1000, &mut |so_far| { done = so_far; true });
        prop_assert_eq!(done, candidates.len());
        prop_assert_eq!(pairs.len(), candidates.len() * candidates.len().saturating_sub(1) / 2);
        for pair in pairs {
            let (both, longer) = counted(&before, &relations, origin, &pair.lost);
            let [one, other] = pair.lost.map(|lost| counted(&before, &relations, origin, &[lost]).0);
            prop_assert_eq!((pair.cut_off, pair.longer), (both.len() as u64, longer));
            let only = both.iter().filter(|asn| !one.contains(asn) && !other.contains(asn)).count();
            prop_assert_eq!(pair.only_together, only as u64);
        }
        prop_assert_eq!(paths(&routes), before);
    }
}

/// Who has no route any more without some things, and by how much the ways of the others are longer.
fn counted(
    before: &BTreeMap<Asn, Vec<Asn>>,
    relations: &[AsRelation],
    origin: u32,
    lost: &[Lost],
) -> (BTreeSet<Asn>, i64) {
    let mut after = exchanged(&without(relations, lost), &Announcement::of(n(origin)));
    after.insert(n(origin), vec![n(origin)]);
    let gone = |asn: &Asn| lost.contains(&Lost::As(*asn));
    let cut = before.keys().filter(|asn| !after.contains_key(asn) && !gone(asn)).copied().collect();
    let length = |path: &Vec<Asn>| i64::try_from(path.len()).unwrap();
    (cut, after.iter().map(|(asn, path)| length(path) - length(&before[asn])).sum())
}

/// What others have computed for AS131279: file, reach, mean length, catchments.
type Golden = (&'static str, u64, f64, &'static [(u32, u64)]);

const GOLDEN: [Golden; 6] = [
    ("caida_serial1_20161101.as-rel.txt.bz2", 55_550, 4.278, &[(4837, 55_550)]),
    ("toposcope_asrel_201709.txt.gz", 58_500, 4.533, &[(4837, 58_500)]),
    ("toposcope_asrel_201710.txt.gz", 58_741, 4.377, &[(4837, 58_741)]),
    ("toposcope_asrel_201711.txt.gz", 59_111, 4.070, &[(4837, 35_768), (20485, 23_343)]),
    ("toposcope_asrel_201712.txt.gz", 59_263, 3.557, &[]),
    ("caida_serial1_20171201.as-rel.txt.gz", 59_406, 3.824, &[(4837, 41_297), (20485, 18_109)]),
];

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn reach_lengths_and_catchments_of_as131279_are_those_that_others_computed_in_real_data() {
    for (file, reach, length, catchment) in GOLDEN {
        let topology = real(file);
        let outlook = routes(&topology, 131_279).outlook();
        assert_eq!(outlook.reach, reach, "{file}");
        assert!(
            (outlook.mean_length().unwrap() - length).abs() < 5e-4,
            "{file}: {:?}",
            outlook.mean_length()
        );
        for (upstream, ases) in catchment {
            assert_eq!(outlook.catchment.get(&n(*upstream)), Some(ases), "{file}");
        }
    }
    let december = real("toposcope_asrel_201712.txt.gz");
    let share = routes(&december, 131_279).outlook().share(n(4837)).unwrap();
    assert!((share - 0.628).abs() < 5e-4, "{share}");
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn what_is_left_of_as131279_without_an_upstream_is_what_others_computed_in_real_data() {
    let unicom = Lost::Link(link(4837, 131_279));
    let ttk = Lost::Link(link(20485, 131_279));
    let expected: [(&str, &[(Lost, u64)]); 4] = [
        ("toposcope_asrel_201709.txt.gz", &[(Lost::As(n(4837)), 0)]),
        (
            "toposcope_asrel_201711.txt.gz",
            &[(unicom, 59_052), (ttk, 59_111), (Lost::As(n(4837)), 59_031), (Lost::As(n(20485)), 58_961)],
        ),
        ("toposcope_asrel_201712.txt.gz", &[(unicom, 59_263), (ttk, 59_249)]),
        (
            "caida_serial1_20171201.as-rel.txt.gz",
            &[(unicom, 59_352), (ttk, 59_405), (Lost::As(n(4837)), 59_330)],
        ),
    ];
    for (file, losses) in expected {
        let topology = real(file);
        let mut routes = routes(&topology, 131_279);
        for (lost, reach) in losses {
            let journal = routes.lose(*lost);
            assert_eq!(routes.outlook().reach, *reach, "{file} without {lost}");
            routes.undo(journal);
        }
    }
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn the_hegemony_of_as4837_falls_as_others_computed_in_real_data() {
    let expected = [
        ("toposcope_asrel_201709.txt.gz", 1.0, 0.0),
        ("toposcope_asrel_201711.txt.gz", 0.631, 0.369),
        ("caida_serial1_20171201.as-rel.txt.gz", 0.744, 0.256),
    ];
    for (file, unicom, ttk) in expected {
        let topology = real(file);
        let outlook = routes(&topology, 131_279).outlook();
        for (asn, hegemony) in [(4837, unicom), (20485, ttk)] {
            let found = outlook.hegemony(n(asn)).unwrap();
            assert!((found - hegemony).abs() < 5e-4, "{file}: AS{asn} has {found}");
        }
    }
}

#[test]
#[ignore = "needs the real data: set TETHERLINE_REAL_DATA"]
fn losses_one_by_one_give_what_a_table_without_them_gives_in_real_data() {
    let topology = real("toposcope_asrel_201711.txt.gz");
    let relations: Vec<AsRelation> = topology.relations().collect();
    let mut kept = routes(&topology, 131_279);
    let busiest: Vec<Lost> =
        kept.used_links().iter().map(|(link, _)| Lost::Link(*link)).take(400).collect();
    for lost in busiest
        .iter()
        .step_by(40)
        .copied()
        .chain([4837, 20485, 3356, 174, 6939].map(|asn| Lost::As(n(asn))))
    {
        let left = Topology::of(&without(&relations, &[lost]));
        let journal = kept.lose(lost);
        let afresh = routes(&left, 131_279);
        for asn in left.asns() {
            assert_eq!(kept.route(*asn), afresh.route(*asn), "{asn} without {lost}");
        }
        kept.undo(journal);
    }
}

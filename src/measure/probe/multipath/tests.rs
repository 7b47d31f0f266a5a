#![allow(clippy::cast_precision_loss)]

use std::collections::BTreeSet;
use std::net::IpAddr;

use statrs::distribution::{Binomial, DiscreteCDF};

use super::testing::{Network, order, run, watch};
use super::*;
use crate::measure::probe::tests::targets;

fn search_one(network: &Network, order: MultipathOrder) -> (MultipathProber, Vec<Probe>) {
    let mut prober = MultipathProber::new(order);
    let asked = run(&mut prober, network);
    (prober, asked)
}

fn one(network: &Network) -> (MultipathProber, Vec<Probe>) {
    search_one(network, order(targets(1)))
}

#[test]
fn a_plain_chain_costs_six_flows_a_hop_and_nothing_more() {
    let network = Network::hops(&[1; 9], 1);
    let (prober, asked) = one(&network);
    assert_eq!(prober.links(0), network.links(targets(1)[0]));
    // The scout does not know the length yet, and looks a gap ahead.
    assert!(asked.len() <= 9 * 6 + 5, "{}", asked.len());
}

#[test]
fn diamonds_of_every_shape_are_found_whole() {
    let shapes: [&[usize]; 6] = [
        &[1, 2, 1, 1],
        &[1, 3, 3, 1],
        &[1, 2, 4, 8, 1],
        &[1, 8, 4, 2, 1, 1],
        &[1, 16, 1, 1],
        &[1, 2, 1, 5, 1, 1],
    ];
    for shape in shapes {
        let mut missed = 0;
        for seed in 0..200 {
            let network = Network::hops(shape, seed);
            let (prober, _) = one(&network);
            let (found, truth) = (prober.links(0), network.links(targets(1)[0]));
            assert!(found.is_subset(&truth), "{shape:?} seed {seed}: {:?}", &found - &truth);
            missed += usize::from(found != truth);
        }
        // Every balancer may be missed once in twenty; there are at most eight of them here.
        assert!(missed <= 60, "{shape:?}: {missed} of 200 not whole");
    }
}

/// Two hops of two, each router of the first linked to both of the second.
fn meshed(seed: u64) -> Network {
    let mut network = Network::hops(&[1, 3, 3, 1, 1], seed);
    for near in 1..4 {
        network.nodes[near].next = (4..7).map(|far| (far, 1)).collect();
    }
    network
}

#[test]
fn crossing_links_call_for_node_control_and_are_all_found() {
    let mut whole = 0;
    for seed in 0..200 {
        let network = meshed(seed);
        let (prober, _) = one(&network);
        let (found, truth) = (prober.links(0), network.links(targets(1)[0]));
        assert!(found.is_subset(&truth), "seed {seed}");
        whole += usize::from(found == truth);
    }
    assert!(whole >= 160, "only {whole} of 200 whole");
}

/// How often a balancer with these weights is not found whole, over so many seeds.
fn missed(weights: &[u32], seeds: u64, narrowest: Option<f64>) -> u64 {
    let misses = (0..seeds).filter(|seed| {
        let network = Network::balancer(weights, *seed);
        let (prober, _) = search_one(&network, MultipathOrder { narrowest, ..order(targets(1)) });
        let truth = network.links(targets(1)[0]);
        let found = prober.links(0);
        assert!(found.is_subset(&truth));
        found != truth
    });
    misses.count() as u64
}

/// The chance that an equal balancer is left before all its branches are seen: every state of "so many seen after
/// so many flows", by Markov's chain, apart from the rule's own tests.
fn theory(branches: u32) -> f64 {
    let rule = StoppingRule::per_hop(0.95).unwrap();
    let mut seen = vec![0.0; branches as usize + 1];
    seen[1] = 1.0;
    let mut left = 0.0;
    for flows in 1..2_000 {
        let mut after = vec![0.0; branches as usize + 1];
        for count in 1..branches as usize {
            if flows >= rule.flows(count, None) {
                left += seen[count];
                continue;
            }
            let old = count as f64 / f64::from(branches);
            after[count] += seen[count] * old;
            after[count + 1] += seen[count] * (1.0 - old);
        }
        seen = after;
    }
    left
}

#[test]
fn equal_branches_are_missed_as_often_as_theory_says() {
    const SEEDS: u64 = 300;
    /// Of 99 % for all fifteen balancers together, in each tail.
    const TAIL: f64 = 0.005 / 15.0;
    for branches in 2..=16 {
        let chance = theory(branches);
        assert!(chance <= 0.05, "{branches} branches: {chance}");
        let misses = missed(&vec![1; branches as usize], SEEDS, None);
        let expected = Binomial::new(chance, SEEDS).unwrap();
        assert!(expected.sf(misses.saturating_sub(1)) > TAIL, "{branches} branches: {misses} misses");
        assert!(expected.cdf(misses) > TAIL, "{branches} branches: {misses} misses");
    }
}

#[test]
fn unequal_branches_are_found_when_their_narrowest_share_is_named() {
    for (weights, share) in [([3, 1], 0.25), ([9, 1], 0.1)] {
        let misses = missed(&weights, 1_000, Some(share));
        assert!(
            Binomial::new(0.05, 1_000).unwrap().sf(misses.saturating_sub(1)) > 0.005,
            "{weights:?}: {misses}"
        );
    }
}

#[test]
fn an_unequal_balancer_is_found_out_by_all_targets_together() {
    let network = Network::balancer(&[9, 1], 5);
    let (prober, _) = search_one(&network, order(targets(200)));
    let missed = (0..200).filter(|index| prober.links(*index) != network.links(targets(200)[*index]));
    let missed = missed.count();
    assert!(missed <= 20, "{missed} of 200 miss the narrow branch; alone it would be 106");
}

#[test]
fn balancing_packet_by_packet_is_recognised_and_no_link_is_made_up() {
    const SEEDS: u64 = 500;
    let mut recognised = 0;
    for seed in 0..SEEDS {
        let mut network = Network::hops(&[1, 1, 2, 2, 1, 1], seed);
        network.nodes[1].per_packet = true;
        network.loss = 0.01;
        let (prober, _) = one(&network);
        let truth = network.links(targets(1)[0]);
        assert!(
            prober.links(0).is_subset(&truth),
            "seed {seed}: {:?} unstable {}",
            &prober.links(0) - &truth,
            prober.is_unstable(0)
        );
        recognised += usize::from(prober.is_unstable(0));
    }
    assert!(recognised >= 490, "{recognised} of {SEEDS}");
}

#[test]
fn a_balancer_that_goes_packet_by_packet_is_found_out_by_all_targets_together() {
    let recognised: usize = (0..5)
        .map(|seed| {
            let mut network = Network::hops(&[1, 1, 2, 1, 1], seed);
            network.nodes[1].per_packet = true;
            let (prober, _) = search_one(&network, order(targets(200)));
            (0..200).filter(|index| prober.is_unstable(*index)).count()
        })
        .sum();
    assert!(recognised >= 990, "{recognised} of 1000; each alone would be 967");
}

#[test]
fn a_balancer_that_was_shown_to_go_by_flows_is_not_put_to_the_test_by_each_target() {
    let network = Network { in_turn: true, ..Network::hops(&[1, 1, 2, 1, 1], 1) };
    let (prober, asked) = search_one(&network, order(targets(200)));
    let again = asked.iter().filter(|probe| probe.attempt > 0).count();
    assert!((256..600).contains(&again), "{again} packets of flows that were answered already");
    let whole = |index: &usize| prober.links(*index) == network.links(targets(200)[*index]);
    assert!((0..200).filter(whole).count() >= 180);
}

#[test]
fn loss_costs_packets_but_makes_up_nothing() {
    for seed in 0..300 {
        let mut network = Network::hops(&[1, 2, 4, 1, 3, 1, 1], seed);
        network.loss = 0.01;
        let (prober, _) = one(&network);
        assert!(prober.links(0).is_subset(&network.links(targets(1)[0])), "seed {seed}");
    }
}

#[test]
fn silent_hops_are_bridged_and_cost_no_flood() {
    let mut network = Network::hops(&[1, 1, 1, 1, 1, 1, 1], 1);
    for node in 3..6 {
        network.nodes[node].silent = true;
    }
    let (_, asked) = one(&network);
    let at = |ttl: u8| asked.iter().filter(|probe| probe.ttl.get() == ttl).count();
    assert!(at(7) >= 6, "the target was not reached");
    assert!((1..=12).contains(&at(5)), "{} packets to a silent hop", at(5));

    let mut dead = Network::hops(&[1; 12], 1);
    (3..12).for_each(|node| dead.nodes[node].silent = true);
    let (_, asked) = one(&dead);
    assert_eq!(asked.iter().map(|probe| probe.ttl.get()).max(), Some(8), "a gap of five behind hop 3");
}

#[test]
fn the_length_of_the_way_is_learnt_once_for_all_targets() {
    let network = Network::hops(&[1; 6], 1);
    let (_, asked) = search_one(&network, order(targets(100)));
    assert!(asked.len() <= 100 * 6 * 6 + 600, "{}", asked.len());
}

#[test]
fn what_neighbouring_targets_have_shown_of_gateway_and_delivery_is_not_asked_of_each() {
    let network = Network::hops(&[1, 1, 2, 1, 1], 1);
    let (prober, asked) = search_one(&network, order(targets(200)));
    let at = |ttl: u8| asked.iter().filter(|probe| probe.ttl.get() == ttl).count();
    assert!(at(1) <= 230 && at(5) <= 230, "{} at the gateway, {} at the target", at(1), at(5));
    assert!(at(2) >= 200 * 6 && at(4) >= 200 * 6, "routers in between are asked by each");
    let whole = |index: &usize| prober.links(*index) == network.links(targets(200)[*index]);
    assert!((0..200).filter(whole).count() >= 180);
}

#[test]
fn a_gateway_that_turns_out_not_to_be_common_is_asked_for_by_every_target() {
    let network = Network::hops(&[1, 1, 1], 1);
    let other_gateway: IpAddr = "10.9.9.9".parse().unwrap();
    let mut prober = MultipathProber::new(order(targets(200)));
    let (mut flying, mut at_gateway) = (BTreeSet::new(), 0);
    loop {
        match prober.next(MonoTime::default()) {
            Next::Probe(probe) => {
                at_gateway += usize::from(probe.ttl.get() == 1);
                flying.insert((probe.target, probe));
            }
            Next::Wait(_) => {
                // One target after the other; the last one is the first that leaves by another gateway.
                let (target, probe) = flying.pop_first().expect("it waits for something");
                let mut reply = network.answer(&probe, 0).unwrap();
                if target == targets(200)[199] && probe.ttl.get() == 1 {
                    reply.from = other_gateway;
                }
                prober.settle(&probe, News::Reply(&reply), MonoTime::default());
            }
            Next::Done => break,
        }
    }
    assert!(at_gateway >= 200 * 6, "{at_gateway}: those that were done ask again");
}

#[test]
fn the_budget_of_a_target_holds() {
    let mut prober = MultipathProber::new(MultipathOrder { budget: 20, ..order(targets(3)) });
    let asked = run(&mut prober, &Network::hops(&[1, 16, 16, 1, 1], 1));
    for target in targets(3) {
        assert!(asked.iter().filter(|probe| probe.target == target).count() <= 20);
    }
}

#[test]
fn a_refused_target_is_given_up() {
    let mut prober = MultipathProber::new(order(targets(1)));
    let mut asked = 0;
    while let Next::Probe(probe) = prober.next(MonoTime::default()) {
        prober.settle(&probe, News::NotSent, MonoTime::default());
        asked += 1;
    }
    assert_eq!(prober.next(MonoTime::default()), Next::Done);
    assert!(asked <= 10, "{asked}");
}

#[test]
fn no_probe_is_asked_twice_and_a_round_cut_anywhere_asks_only_what_is_missing() {
    let network = Network::hops(&[1, 2, 3, 1, 1], 4);
    let (whole, all) = one(&network);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    for cut in (0..all.len()).step_by(5) {
        let mut resumed = MultipathProber::new(order(targets(1)));
        for (packet, probe) in (0..).zip(&all[..cut]) {
            let answer = network.answer(probe, packet);
            resumed.recall(probe, answer.as_ref().map_or(News::TimedOut, News::Reply));
        }
        let rest = run(&mut resumed, &network);
        assert!(rest.iter().all(|probe| !all[..cut].contains(probe)), "asked twice after {cut}");
        let found: BTreeSet<(IpAddr, IpAddr)> = resumed.links(0);
        assert_eq!(found, whole.links(0), "after {cut}");
    }
}

/// Most of a round is recalled after a crash; the router that balances is the first one. What is known of balancers then,
/// and how many questions the round takes without a crash and with it.
fn mostly_recalled(network: &Network) -> (Splits, usize, usize) {
    let mut whole = MultipathProber::new(order(targets(120)));
    let all = run(&mut whole, network);
    let (before, _) = all.split_at(all.len() - all.len() / 8);
    let mut resumed = MultipathProber::new(order(targets(120)));
    for (packet, probe) in (0..).zip(before) {
        let answer = network.answer(probe, packet);
        resumed.recall(probe, answer.as_ref().map_or(News::TimedOut, News::Reply));
    }
    let known = resumed.splits.clone();
    let rest = run(&mut resumed, network);
    (known, all.len(), before.len() + rest.len())
}

#[test]
fn what_a_round_had_shown_of_balancers_before_a_crash_is_known_after_it() {
    let network = Network::balancer(&[1, 1], 5);
    let router = IpAddr::from([10, 9, 0, 0]);
    let (known, uncut, in_two_parts) = mostly_recalled(&network);
    assert!(known.goes_by_flow(router));
    assert!(in_two_parts <= uncut + uncut / 20, "{in_two_parts} in two parts, {uncut} without a crash");

    let mut by_packet = Network::balancer(&[1, 1], 5);
    by_packet.nodes[0].per_packet = true;
    assert!(mostly_recalled(&by_packet).0.goes_by_packet(router));
}

#[test]
fn wide_diamonds_cost_less_with_the_light_algorithm() {
    let network = Network::hops(&[1, 8, 8, 1, 1], 2);
    let (_, light) = one(&network);
    let (_, full) =
        search_one(&network, MultipathOrder { algorithm: Algorithm::Full, ..order(targets(1)) });
    assert!(light.len() * 10 <= full.len() * 7, "light {}, full {}", light.len(), full.len());
}

/// From where to where the searches of a round go while they are fed the answers of a network.
fn transitions(network: &Network, order: MultipathOrder) -> BTreeSet<(Phase, Phase)> {
    let mut seen = BTreeSet::new();
    let mut before = vec![Phase::Enumerating; order.targets.len()];
    let mut prober = MultipathProber::new(order);
    watch(&mut prober, network, |prober| {
        for (target, before) in before.iter_mut().enumerate() {
            let now = prober.phase(target);
            seen.insert((*before, now));
            *before = now;
        }
    });
    seen
}

/// A hop of two and one of six, where one router has a rare branch that crosses over.
fn rarely_crossing(seed: u64) -> Network {
    let mut network = Network::hops(&[1, 2, 6, 1, 1], seed);
    network.nodes[1].next.push((6, 1));
    network.nodes[1].next[..3].iter_mut().for_each(|branch| branch.1 = 8);
    network
}

#[test]
fn a_search_goes_every_way_that_its_table_draws_and_no_other() {
    use Phase::{Completing as C, Controlling as N, Done as D, Enumerating as E, Repeating as R};
    let table = [
        (E, vec![E, R, C, N, D]),
        (R, vec![E, R, C, N, D]),
        (C, vec![E, R, C, N, D]),
        (N, vec![E, R, C, N, D]),
        (D, vec![E, R, D]),
    ];
    let table = table.into_iter().flat_map(|(from, all)| all.into_iter().map(move |to| (from, to)));
    let shapes: [&[usize]; 4] = [&[1, 1, 1], &[1, 2, 4, 8, 1], &[1, 8, 4, 2, 1, 1], &[1, 4, 6, 1, 1]];
    let mut seen = BTreeSet::new();
    for seed in 0..6 {
        for algorithm in [Algorithm::Lite, Algorithm::Full] {
            let order = |count| MultipathOrder { algorithm, ..order(targets(count)) };
            for shape in shapes {
                let mut network = Network::hops(shape, seed);
                seen.extend(transitions(&network, order(1)));
                network.loss = 0.1;
                seen.extend(transitions(&network, order(1)));
                network.nodes[0].per_packet = true;
                seen.extend(transitions(&network, order(1)));
            }
            seen.extend(transitions(&meshed(seed), order(1)));
            for seed in seed * 10..(seed + 1) * 10 {
                seen.extend(transitions(&rarely_crossing(seed), order(1)));
            }
            let unequal = Network { in_turn: true, ..Network::balancer(&[9, 1], seed) };
            seen.extend(transitions(&unequal, order(30)));
        }
    }
    assert_eq!(seen, table.collect());
}

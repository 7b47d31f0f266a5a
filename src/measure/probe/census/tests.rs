//! The census over networks in memory: what it finds, what it costs, and that it goes on where it stopped.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::search::{Phase, Wants};
use super::*;
use crate::measure::probe::multipath::testing::Network;
use crate::measure::probe::tests::way;
use crate::model::{Prefix, Protocol, Reply, ReplyKind};
use crate::multipath::Links;

/// Whole /24s of 175.45.176.0/22, the first so many of them.
fn whole_units(units: u8) -> Arc<Targets> {
    let addresses =
        (0..units).flat_map(|unit| (0..=255).map(move |last| Ipv4Addr::new(175, 45, 176 + unit, last)));
    addresses.map(|address| (address.into(), (unit_of(address.into()), false))).collect::<Targets>().into()
}

fn unit_of(address: IpAddr) -> Unit {
    Unit(Prefix::covering(address, Unit::default_length(address.is_ipv4())).unwrap())
}

fn order(targets: Arc<Targets>) -> CensusOrder {
    CensusOrder {
        round: RoundId(1),
        targets,
        way: way(Protocol::Icmp, None),
        stopping: StoppingRule::per_hop(0.95).unwrap(),
        balancers: None,
        narrowest: None,
        every_address: false,
        budget: 100_000,
        flow_seed: 7,
        seed: 3,
    }
}

/// What becomes of a packet; every packet has its own number.
type Answers<'a> = &'a dyn Fn(&Probe, u64) -> Option<Reply>;

/// Runs a round to its end, or until so many packets were sent; packets are answered in any order.
fn run(prober: &mut CensusProber, answers: Answers<'_>, most: usize) -> Vec<Probe> {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(prober.order.seed);
    let (mut asked, mut flying) = (Vec::new(), Vec::new());
    while asked.len() < most {
        match prober.next(MonoTime::default()) {
            Next::Probe(probe) => {
                flying.push((probe, asked.len() as u64));
                asked.push(probe);
            }
            Next::Wait(_) => {
                assert!(!flying.is_empty(), "waits for nothing");
                let (probe, packet) = flying.swap_remove(dice.random_range(0..flying.len()));
                let answer = answers(&probe, packet);
                let news = answer.as_ref().map_or(News::TimedOut, News::Reply);
                prober.settle(&probe, news, MonoTime::default());
            }
            Next::Done => {
                assert!(flying.is_empty());
                return asked;
            }
        }
    }
    asked
}

fn census(network: &Network, order: CensusOrder) -> (CensusProber, Vec<Probe>) {
    let mut prober = CensusProber::new(order);
    let asked = run(&mut prober, &|probe, packet| network.answer(probe, packet), usize::MAX);
    (prober, asked)
}

impl CensusProber {
    /// The links found on the ways to a unit; its addresses go by that of its network.
    fn links(&self, unit: usize) -> BTreeSet<(IpAddr, IpAddr)> {
        let map = self.searches[unit].map(&self.vertices, home(&self.order.targets, unit));
        Links::between(map.hops()).iter().map(|(_, from, to)| (from, to)).collect()
    }
}

/// The links of a network on the ways to a unit.
fn true_links(network: &Network, prober: &CensusProber, unit: usize) -> BTreeSet<(IpAddr, IpAddr)> {
    network.links(home(&prober.order.targets, unit))
}

#[test]
fn a_plain_chain_costs_a_few_flows_a_hop_however_many_addresses_there_are() {
    let network = Network::hops(&[1; 9], 1);
    let (prober, asked) = census(&network, order(whole_units(4)));
    for unit in 0..4 {
        assert_eq!(prober.links(unit), true_links(&network, &prober, unit));
    }
    // Eight routers: the rule for all of them together wants nine flows a hop, and a scout looks at 30 TTLs.
    assert!(asked.len() <= 4 * (9 * 9 + 21), "{}", asked.len());
}

#[test]
fn diamonds_of_every_shape_are_found_whole() {
    let shapes: [&[usize]; 7] = [
        &[1, 2, 1, 1],
        &[1, 3, 3, 1],
        &[1, 2, 4, 8, 1],
        &[1, 8, 4, 2, 1, 1],
        &[1, 16, 1, 1],
        &[1, 16, 16, 1, 1],
        &[1, 2, 1, 5, 1, 1],
    ];
    for shape in shapes {
        let mut missed = 0;
        for seed in 0..30 {
            let network = Network::hops(shape, seed);
            let (prober, _) = census(&network, order(whole_units(1)));
            let (found, truth) = (prober.links(0), true_links(&network, &prober, 0));
            assert!(found.is_subset(&truth), "{shape:?} seed {seed}: {:?}", &found - &truth);
            missed += usize::from(found != truth);
        }
        // The promise is one in twenty for the whole graph.
        assert!(missed <= 4, "{shape:?}: {missed} of 30 not whole");
    }
}

#[test]
fn crossing_links_are_all_found() {
    let missed = (0..60).filter(|seed| {
        let mut network = Network::hops(&[1, 3, 3, 1, 1], *seed);
        for near in 1..4 {
            network.nodes[near].next = (4..7).map(|far| (far, 1)).collect();
        }
        let (prober, _) = census(&network, order(whole_units(1)));
        let (found, truth) = (prober.links(0), true_links(&network, &prober, 0));
        assert!(found.is_subset(&truth), "seed {seed}");
        found != truth
    });
    assert!(missed.count() <= 5);
}

#[test]
fn a_census_costs_less_than_a_tenth_of_the_searches_for_each_address() {
    use crate::measure::probe::multipath::testing;
    use crate::measure::probe::{Algorithm, MultipathOrder, MultipathProber};
    let shapes = [(&[1, 1, 1, 1, 1][..], Algorithm::Lite), (&[1, 1, 2, 4, 2, 1, 1], Algorithm::Full)];
    for (shape, algorithm) in shapes {
        let network = Network::hops(shape, 5);
        let targets = whole_units(4);
        let mut each = MultipathProber::new(MultipathOrder {
            algorithm,
            ..testing::order(targets.addresses().to_vec())
        });
        let one_by_one = testing::run(&mut each, &network).len();
        let (_, together) = census(&network, order(targets));
        assert!(together.len() * 10 <= one_by_one, "{shape:?}: {} and {one_by_one}", together.len());
    }
}

#[test]
fn loss_costs_flows_and_makes_up_nothing() {
    let mut missed = 0;
    for seed in 0..100 {
        let mut network = Network::hops(&[1, 2, 4, 1, 3, 1, 1], seed);
        network.loss = 0.01;
        let (prober, _) = census(&network, order(whole_units(1)));
        let (found, truth) = (prober.links(0), true_links(&network, &prober, 0));
        assert!(found.is_subset(&truth), "seed {seed}");
        missed += usize::from(found != truth);
    }
    assert!(missed <= 8, "{missed} of 100");
}

#[test]
fn balancing_packet_by_packet_is_recognised_and_no_link_is_made_up() {
    const SEEDS: u64 = 300;
    let mut recognised = 0;
    for seed in 0..SEEDS {
        let mut network = Network::hops(&[1, 1, 2, 2, 1, 1], seed);
        network.nodes[1].per_packet = true;
        network.loss = 0.01;
        let (prober, _) = census(&network, order(whole_units(1)));
        let truth = true_links(&network, &prober, 0);
        assert!(prober.links(0).is_subset(&truth), "seed {seed}: {:?}", &prober.links(0) - &truth);
        let map = prober.searches[0].map(&prober.vertices, home(&prober.order.targets, 0));
        recognised += u64::from(map.hops().iter().any(crate::multipath::Hop::is_unstable));
    }
    assert!(recognised * 100 >= SEEDS * 99, "{recognised} of {SEEDS}");
}

#[test]
fn narrow_branches_are_found_when_their_share_is_named_or_shows_in_all_units_together() {
    let mut missed = [0; 2];
    for seed in 0..20 {
        let network = Network::balancer(&[9, 1], seed);
        for (named, missed) in [Some(0.1), None].into_iter().zip(&mut missed) {
            let order = CensusOrder { narrowest: named, ..order(whole_units(8)) };
            let (prober, _) = census(&network, order);
            let whole = |unit: &usize| prober.links(*unit) == true_links(&network, &prober, *unit);
            *missed += 8 - (0..8).filter(whole).count();
        }
    }
    assert!(missed[0] <= 8, "named: {} of 160", missed[0]);
    assert!(missed[1] <= 16, "not named: {} of 160; blindly it would be some 45", missed[1]);
}

/// Hosts live at these last octets; whoever asks for others gets no answer behind the last router.
fn with_hosts<'a>(network: &'a Network, alive: &'a [u8]) -> impl Fn(&Probe, u64) -> Option<Reply> + 'a {
    move |probe, packet| {
        let IpAddr::V4(target) = probe.target else { panic!("only IPv4 here") };
        let answer = network.answer(probe, packet)?;
        (answer.kind != ReplyKind::EchoReply || alive.contains(&target.octets()[3])).then_some(answer)
    }
}

#[test]
fn in_a_unit_where_hardly_anybody_lives_the_routers_are_found_and_the_void_costs_little() {
    let network = Network::hops(&[1, 2, 1, 1, 1], 2);
    let mut prober = CensusProber::new(order(whole_units(1)));
    let asked = run(&mut prober, &with_hosts(&network, &[17, 200]), usize::MAX);
    let routers: BTreeSet<(IpAddr, IpAddr)> = true_links(&network, &prober, 0)
        .into_iter()
        .filter(|(_, to)| *to != home(&prober.order.targets, 0))
        .collect();
    assert!(prober.links(0).is_superset(&routers));
    let at = |ttl: u8| asked.iter().filter(|probe| probe.ttl.get() == ttl).count();
    assert!((1..=8).contains(&at(7)), "{} packets into the void", at(7));
    assert_eq!(at(12), 1, "behind the gap only the scout looks");
}

#[test]
fn every_address_is_asked_once_where_its_like_answers_if_that_is_wanted() {
    let network = Network::hops(&[1, 2, 1, 1, 1], 2);
    for alive in [(0..=255).collect(), vec![9, 77], vec![]] {
        let mut prober = CensusProber::new(CensusOrder { every_address: true, ..order(whole_units(1)) });
        let asked = run(&mut prober, &with_hosts(&network, &alive), usize::MAX);
        let at =
            |ttl: u8| asked.iter().filter(move |probe| probe.ttl.get() == ttl).map(|probe| probe.target);
        assert_eq!(at(5).collect::<BTreeSet<_>>().len(), 256, "{} alive", alive.len());
        let by_ttl: Vec<usize> = (1..13).map(|ttl| at(ttl).count()).collect();
        assert!(asked.len() < 900, "{} alive: {by_ttl:?}", alive.len());
        if !alive.is_empty() {
            assert_eq!(at(4).collect::<BTreeSet<_>>().len(), 256, "so that their links are seen");
        }
        assert_eq!(prober.searches[0].phase(), Phase::Whole);
    }
}

#[test]
fn a_subnet_behind_a_router_of_its_own_is_found() {
    // A quarter of the unit hangs on another last router.
    let network = Network::hops(&[1, 1, 1, 1], 2);
    let other: IpAddr = "10.9.9.9".parse().unwrap();
    let answers = |probe: &Probe, packet: u64| {
        let mut answer = network.answer(probe, packet)?;
        let IpAddr::V4(target) = probe.target else { panic!("only IPv4 here") };
        if probe.ttl.get() == 3 && target.octets()[3] >> 6 == 2 {
            answer.from = other;
        }
        Some(answer)
    };
    for seed in 0..100 {
        let mut prober = CensusProber::new(CensusOrder { flow_seed: seed, ..order(whole_units(1)) });
        run(&mut prober, &answers, usize::MAX);
        assert_eq!(prober.links(0).iter().filter(|(from, to)| *from == other || *to == other).count(), 2);
    }
}

#[test]
fn where_addresses_run_out_further_flows_go_to_the_same_ones() {
    let network = Network::hops(&[1, 4, 1, 1], 2);
    let few: Targets = (0..5)
        .map(|last| {
            (
                Ipv4Addr::new(175, 45, 176, last * 40).into(),
                (unit_of(Ipv4Addr::new(175, 45, 176, 0).into()), false),
            )
        })
        .collect();
    let (prober, asked) = census(&network, order(few.into()));
    assert_eq!(prober.links(0), true_links(&network, &prober, 0));
    let mut flows: BTreeMap<(IpAddr, FlowId), usize> = BTreeMap::new();
    for probe in asked.iter().filter(|probe| probe.ttl.get() == 2 && probe.attempt == 0) {
        *flows.entry((probe.target, probe.flow)).or_default() += 1;
    }
    assert!(flows.len() > 5 && flows.values().all(|times| *times == 1), "{flows:?}");
    let highest = flows.keys().map(|(_, flow)| usize::from(flow.0)).max().unwrap();
    assert_eq!(highest, (flows.len() - 1) / 5, "all addresses before the next flow");
}

#[test]
fn drawn_addresses_of_a_48_do_as_well() {
    let network = Network::hops(&[1, 2, 3, 1, 1], 2);
    let unit: IpAddr = "2001:db8:7::".parse().unwrap();
    let drawn = |at: u64| {
        let IpAddr::V6(unit) = unit else { panic!() };
        let bits = Draw::new(5, 5).wide(at, 0) >> 48;
        (
            IpAddr::V6(std::net::Ipv6Addr::from_bits(unit.to_bits() | bits)),
            (unit_of(IpAddr::V6(unit)), false),
        )
    };
    let targets: Targets = (0..12).map(drawn).collect();
    let v4 = |address: IpAddr| match address {
        IpAddr::V6(v6) => IpAddr::V4(Ipv4Addr::from_bits(v6.to_bits() as u32)),
        IpAddr::V4(_) => address,
    };
    let answers = |probe: &Probe, packet: u64| {
        let mut answer = network.answer(&Probe { target: v4(probe.target), ..*probe }, packet)?;
        if answer.from == v4(probe.target) {
            answer.from = probe.target;
        }
        Some(answer)
    };
    let mut prober = CensusProber::new(order(targets.into()));
    run(&mut prober, &answers, usize::MAX);
    assert_eq!(prober.links(0).len(), network.links(unit).len());
}

#[test]
fn a_round_cut_anywhere_goes_on_from_one_integer_and_asks_nothing_twice() {
    let network = Network::hops(&[1, 2, 3, 1, 1], 4);
    let answers: Answers<'_> = &|probe, packet| network.answer(probe, packet);
    let targets = whole_units(2);
    let (whole, all) = census(&network, order(Arc::clone(&targets)));
    let mut first = CensusProber::new(order(Arc::clone(&targets)));
    let told = run(&mut first, answers, usize::MAX);
    assert_eq!(told, all);
    let blocks: Vec<(u32, Asked)> =
        first.take_asked().into_iter().map(|(wave, asked)| (wave.unwrap(), asked)).collect();
    assert_eq!(blocks.iter().map(|(_, asked)| asked.probes()).sum::<u64>(), all.len() as u64);
    for cut in (0..all.len()).step_by(17) {
        let position = cut as u64;
        let asked = asked_by(&blocks, position);
        let progress = CensusProgress { asked, decided: position };
        let mut resumed = CensusProber::resumed(order(Arc::clone(&targets)), &progress);
        // What is decided, and every third of the seven behind it, which were in flight.
        let ahead = (cut..cut + 7).step_by(3).filter(|at| *at < all.len());
        let ahead: Vec<usize> = ahead.filter(|at| same_wave(&blocks, cut as u64, *at as u64)).collect();
        for at in (0..cut).chain(ahead.iter().copied()) {
            let answer = network.answer(&all[at], at as u64);
            resumed.recall(&all[at], answer.as_ref().map_or(News::TimedOut, News::Reply));
        }
        let rest = run(&mut resumed, answers, usize::MAX);
        let expected: BTreeSet<Probe> =
            (cut..all.len()).filter(|at| !ahead.contains(at)).map(|at| all[at]).collect();
        assert_eq!(rest.iter().copied().collect::<BTreeSet<_>>(), expected, "cut at {cut}");
        assert_eq!(rest.len(), expected.len());
        assert_eq!(resumed.links(0), whole.links(0));
    }
}

/// The waves that had begun when so many probes were decided.
fn asked_by(blocks: &[(u32, Asked)], decided: u64) -> Vec<(u32, Asked)> {
    let wave = wave_at(blocks, decided);
    blocks.iter().copied().filter(|(number, _)| *number <= wave).collect()
}

fn wave_at(blocks: &[(u32, Asked)], position: u64) -> u32 {
    let mut end = 0;
    let mut wave = 0;
    for (number, asked) in blocks {
        if end + asked.probes() > position {
            return *number;
        }
        end += asked.probes();
        wave = *number;
    }
    wave
}

fn same_wave(blocks: &[(u32, Asked)], one: u64, other: u64) -> bool {
    wave_at(blocks, one) == wave_at(blocks, other)
}

#[test]
fn every_probe_is_found_by_its_position_and_by_an_answer_that_bears_its_flow() {
    let network = Network::hops(&[1, 2, 2, 1, 1], 4);
    let few: Targets = (0..5)
        .map(|last| {
            (
                Ipv4Addr::new(175, 45, 176, last * 40).into(),
                (unit_of(Ipv4Addr::new(175, 45, 176, 0).into()), false),
            )
        })
        .collect();
    let mut prober = CensusProber::new(order(few.into()));
    let mut positions = Vec::new();
    loop {
        match prober.next(MonoTime::default()) {
            Next::Probe(probe) => {
                let position = prober.position_of(&probe).unwrap();
                assert_eq!(prober.probe_at(position), Some(probe));
                for flow in [Some(probe.flow), None] {
                    assert_eq!(prober.find(probe.target, flow, &mut |found| *found == probe), Some(probe));
                }
                let wrong = Some(FlowId(probe.flow.0 + 1));
                assert_eq!(prober.find(probe.target, wrong, &mut |found| *found == probe), None);
                positions.push(position);
                let answer = network.answer(&probe, position);
                prober.settle(
                    &probe,
                    answer.as_ref().map_or(News::TimedOut, News::Reply),
                    MonoTime::default(),
                );
            }
            Next::Wait(_) => panic!("everything is decided"),
            Next::Done => break,
        }
    }
    assert!(positions.len() > 100);
    assert_eq!(positions, (0..positions.len() as u64).collect::<Vec<_>>(), "in the order of positions");
}

#[test]
fn the_budget_of_a_unit_holds_and_what_stays_open_is_told() {
    let network = Network::hops(&[1, 16, 16, 1, 1], 1);
    let (mut prober, asked) = census(&network, CensusOrder { budget: 150, ..order(whole_units(2)) });
    for unit in 0..2 {
        let of_unit =
            asked.iter().filter(|probe| unit_of(probe.target) == prober.order.targets.unit(unit).unwrap());
        assert_eq!(of_unit.count(), 150);
        assert_eq!(prober.searches[unit].phase(), Phase::Spent);
    }
    let left: u64 = prober
        .take_asked()
        .iter()
        .filter(|(wave, _)| wave.is_none())
        .map(|(_, asked)| asked.probes())
        .sum();
    assert!(left > 0);
    assert_eq!(prober.take_skipped(), [(SkipReason::OverBudget, left)]);
    assert_eq!(prober.take_skipped(), []);
}

#[test]
fn a_unit_that_is_refused_is_given_up_and_the_others_are_not() {
    let network = Network::hops(&[1, 2, 1, 1], 1);
    let mut prober = CensusProber::new(order(whole_units(2)));
    let refused = unit_of("175.45.177.0".parse().unwrap());
    let mut asked = 0;
    loop {
        match prober.next(MonoTime::default()) {
            Next::Probe(probe) if unit_of(probe.target) == refused => {
                asked += 1;
                prober.settle(&probe, News::NotSent, MonoTime::default());
            }
            Next::Probe(probe) => {
                let answer = network.answer(&probe, 1);
                prober.settle(
                    &probe,
                    answer.as_ref().map_or(News::TimedOut, News::Reply),
                    MonoTime::default(),
                );
            }
            Next::Wait(_) => panic!("everything is decided"),
            Next::Done => break,
        }
    }
    assert_eq!(asked, 30, "the scouts, and nothing more");
    assert_eq!(
        prober.searches.iter().map(super::search::Search::phase).collect::<Vec<_>>(),
        [Phase::Whole, Phase::Refused]
    );
    assert_eq!(prober.links(0), true_links(&network, &prober, 0));
}

#[test]
fn without_targets_the_round_is_over_at_once() {
    let mut prober = CensusProber::new(order(Arc::default()));
    assert_eq!(prober.next(MonoTime::default()), Next::Done);
}

/// The drawing at the head of `search`, arrow by arrow.
#[test]
fn the_states_of_a_search_follow_each_other_as_drawn() {
    use Phase::{Enumerating, Refused, Repeating, Scouting, Spent, Sweeping, Whole};
    let wants =
        [Wants::Flows, Wants::Repeats, Wants::Addresses, Wants::Nothing, Wants::TooMuch, Wants::Refused];
    let going = [Enumerating, Repeating, Sweeping, Whole, Spent, Refused];
    let table = [
        (Scouting, going),
        (Enumerating, going),
        (Repeating, going),
        (Sweeping, going),
        (Whole, going),
        (Spent, [Spent, Spent, Spent, Spent, Spent, Refused]),
        (Refused, [Refused; 6]),
    ];
    for (from, to) in table {
        for (wants, to) in wants.into_iter().zip(to) {
            assert_eq!(from.next(wants), to, "{from:?} with {wants:?}");
        }
    }
}

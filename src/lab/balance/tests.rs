use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::lab::Scenario;
use crate::lab::testing::{Bench, echo_request, fork, likelihood, syn, udp, with_v4_header};

const HOST: &str = "203.0.113.10";
const HOST_V6: &str = "2001:db8::10";
const MINUTE: Duration = Duration::from_secs(60);

/// A router before the vantage, `weights.len()` others beside each other behind it, the last router behind them,
/// and hosts behind that. `balancer` are keys of the first router, `last` of the last one. The ways to the last
/// router are 0 ms, 1 ms, 2 ms, … long.
fn fan_with(weights: &[u16], balancer: &str, last: &str, tables: &str) -> Scenario {
    let hosts: Vec<String> = (1..=200).map(|host| format!("\"203.0.113.{host}\"")).collect();
    let text = format!(
        r#"
        [clock]
        start = "2017-10-01T08:00:00Z"
        duration = "1h"
        [vantage]
        name = "here"
        addresses = ["188.1.144.10", "2001:638:c:a001::10"]
        gateway = "first"
        [[as]]
        number = 680
        name = "One"
        prefixes = ["188.1.0.0/16", "2001:638::/32"]
        [[router]]
        name = "first"
        as = 680
        addresses = ["188.1.0.1", "2001:638::1"]
        {balancer}
        [[router]]
        name = "last"
        as = 680
        addresses = ["188.1.0.2", "2001:638::2"]
        {last}
        [[network]]
        prefix = "203.0.113.0/24"
        router = "last"
        [[network]]
        prefix = "2001:db8::/32"
        router = "last"
        [[host]]
        addresses = ["{HOST_V6}", {}]
        "#,
        hosts.join(", ")
    );
    let beside = weights.iter().enumerate().map(|(index, weight)| {
        format!(
            "[[router]]\nname = \"m{index}\"\nas = 680\n\
             addresses = [\"188.1.1.{index}\", \"2001:638:1::{index:x}\"]\n\
             [[link]]\nname = \"to-m{index}\"\nbetween = [\"first\", \"m{index}\"]\ndelay = \"0s\"\nweight = {weight}\n\
             [[link]]\nbetween = [\"m{index}\", \"last\"]\ndelay = \"{index}ms\"\n"
        )
    });
    let text = [text, beside.collect::<Vec<_>>().concat(), tables.to_owned()].concat();
    Scenario::parse("fan.toml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn fan(weights: &[u16], balancer: &str) -> Scenario {
    fan_with(weights, balancer, "", "")
}

/// Which of the routers beside each other a packet comes to.
fn branch(bench: &mut Bench, at: Duration, packet: &[u8]) -> usize {
    match bench.answers_from(at, packet).expect("every router answers") {
        IpAddr::V4(v4) => usize::from(v4.octets()[3]),
        IpAddr::V6(v6) => usize::from(v6.segments()[7]),
    }
}

fn branches(scenario: &Scenario, packets: impl Iterator<Item = Vec<u8>>) -> Vec<usize> {
    let mut bench = Bench::new(scenario);
    packets.map(|packet| branch(&mut bench, Duration::ZERO, &packet)).collect()
}

/// Packets of this many flows that reach the second router.
fn flows(count: u16) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|flow| udp(HOST, 2, (30_000 + flow, 33_434), &[]))
}

fn counts(branches: &[usize], ways: usize) -> Vec<u32> {
    let mut counts = vec![0; ways];
    for branch in branches {
        counts[*branch] += 1;
    }
    counts
}

/// How many flows are sent where one is asked for each of them.
const FLOWS: u16 = 3000;

#[test]
fn flows_spread_evenly_over_equal_ways_whatever_tells_them_apart() {
    type Probe = fn(u16) -> Vec<u8>;
    let kinds: [(&str, Probe); 5] = [
        ("UDP source port", |flow| udp(HOST, 2, (30_000 + flow, 33_434), &[])),
        ("UDP destination port, IPv6", |flow| udp(HOST_V6, 2, (30_000, 33_434 + flow), &[])),
        ("TCP source port", |flow| syn(HOST, 2, (30_000 + flow, 80), 1)),
        ("ICMP checksum", |flow| echo_request(HOST, 2, flow, 1)),
        ("flow label", |flow| {
            let mut packet = echo_request(HOST_V6, 2, 1, 1);
            packet[2..4].copy_from_slice(&flow.to_be_bytes());
            packet
        }),
    ];
    for (ways, (kind, probe)) in [2, 3, 4, 8, 16].into_iter().zip(kinds) {
        let found = branches(&fan(&vec![1; ways], ""), (0..FLOWS).map(probe));
        assert!(likelihood(&counts(&found, ways), &vec![1.0; ways]) > 0.001, "{kind} over {ways} ways");
        // What one flow does says nothing about the next one.
        let pairs: Vec<usize> = found.chunks_exact(2).map(|pair| pair[0] * ways + pair[1]).collect();
        let likely = likelihood(&counts(&pairs, ways * ways), &vec![1.0; ways * ways]);
        assert!(likely > 0.001, "{kind} over {ways} ways: consecutive flows go together");
    }
}

#[test]
fn flows_spread_over_unequal_ways_by_their_weights() {
    for weights in [&[1, 3][..], &[1, 2, 5], &[10, 10, 20, 60], &[200, 1]] {
        let found = branches(&fan(weights, ""), flows(FLOWS));
        let shares: Vec<f64> = weights.iter().copied().map(f64::from).collect();
        let found = counts(&found, weights.len());
        assert!(likelihood(&found, &shares) > 0.001, "{weights:?}: {found:?}");
    }
}

#[test]
fn a_branch_of_two_is_missed_by_six_flows_as_often_as_mda_expects() {
    // 95 %: after six flows to the same next hop, MDA takes it for the only one (Veitch et al. 2009). With two
    // that is wrong in 2 · 2⁻⁶ = 0.03125 of all cases.
    let seeds = 4000_u32;
    let scenario = fan(&[1, 1], "");
    let missed = (0..seeds).filter(|seed| {
        let found = branches(&scenario.clone().with_seed(u64::from(*seed)), flows(6));
        found.iter().all(|branch| *branch == found[0])
    });
    let missed = u32::try_from(missed.count()).unwrap();
    assert!(likelihood(&[missed, seeds - missed], &[0.03125, 0.96875]) > 0.001, "{missed} of {seeds}");
}

#[test]
fn balancers_one_behind_the_other_do_not_decide_alike() {
    // The last router balances the way on to four others, over the same flows.
    let ways: Vec<String> = (0..4)
        .map(|index| {
            format!(
                "[[router]]\nname = \"n{index}\"\nas = 680\naddresses = [\"188.1.2.{index}\"]\n\
                 [[link]]\nbetween = [\"last\", \"n{index}\"]\ndelay = \"0s\"\n\
                 [[link]]\nbetween = [\"n{index}\", \"end\"]\ndelay = \"0s\"\n"
            )
        })
        .collect();
    let tables = format!(
        "{}[[router]]\nname = \"end\"\nas = 680\n[[network]]\nprefix = \"198.51.100.0/24\"\nrouter = \"end\"\n",
        ways.concat()
    );
    let mut bench = Bench::new(&fan_with(&[1, 1, 1], "", "", &tables));
    let mut together = vec![0; 12];
    for flow in 0..FLOWS {
        let mut at = |ttl| {
            let packet = udp("198.51.100.1", ttl, (30_000 + flow, 33_434), &[]);
            branch(&mut bench, Duration::ZERO, &packet)
        };
        together[at(2) * 4 + at(4)] += 1;
    }
    assert!(likelihood(&together, &[1.0; 12]) > 0.001, "{together:?}");
}

#[test]
fn an_as_with_multipath_spreads_flows_over_neighbours_whose_routes_tie() {
    let scenario = fork(&[("Edge", "multipath = true")], "");
    let mut bench = Bench::new(&scenario);
    let mut by_left = 0;
    for flow in 0..FLOWS {
        let probe = udp(HOST, 2, (30_000 + flow, 33_434), &[]);
        by_left +=
            u32::from(bench.answers_from(Duration::ZERO, &probe) == Some("4.0.0.1".parse().unwrap()));
    }
    assert!(likelihood(&[by_left, u32::from(FLOWS) - by_left], &[1.0, 1.0]) > 0.001, "{by_left}");
}

/// How many different ways packets take.
fn different(scenario: &Scenario, packets: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut found = branches(scenario, packets);
    found.sort_unstable();
    found.dedup();
    found.len()
}

/// Forty packets that differ only in one field, for each field that a vantage can choose.
fn varied() -> BTreeMap<&'static str, Vec<Vec<u8>>> {
    let forty = |packet: &dyn Fn(u8) -> Vec<u8>| (0..40).map(packet).collect::<Vec<_>>();
    let tos = |value: u8| with_v4_header(udp(HOST, 2, (30_000, 33_434), &[]), 1, &[value << 2]);
    BTreeMap::from([
        ("destination", forty(&|n| udp(&format!("203.0.113.{}", n + 1), 2, (30_000, 33_434), &[]))),
        ("ports", forty(&|n| udp(HOST, 2, (30_000 + u16::from(n), 33_434), &[]))),
        ("icmp", forty(&|n| echo_request(HOST, 2, n.into(), 1))),
        (
            "flow-label",
            forty(&|n| {
                let mut packet = udp(HOST_V6, 2, (30_000, 33_434), &[]);
                packet[3] = n;
                packet
            }),
        ),
        ("tos", forty(&tos)),
        ("payload", forty(&|n| udp(HOST, 2, (30_000, 33_434), &[n; 9]))),
        ("sequence number", forty(&|n| syn(HOST, 2, (30_000, 80), n.into()))),
    ])
}

#[test]
fn a_balancer_looks_at_the_fields_that_it_is_told_and_at_no_others() {
    let flow = &["destination", "ports", "icmp", "flow-label"][..];
    let cases = [
        ("", flow),
        ("balance = \"per-flow\"", flow),
        ("balance = \"per-destination\"", &["destination"]),
        ("balance = \"none\"", &[]),
        ("balance_over = [\"ports\"]", &["ports"]),
        ("balance_over = [\"icmp\"]", &["icmp"]),
        ("balance_over = [\"destination\", \"tos\"]", &["destination", "tos"]),
        ("balance_over = [\"flow-label\"]", &["flow-label"]),
        ("balance_over = [\"source\", \"protocol\"]", &[]),
    ];
    for (keys, seen) in cases {
        let scenario = fan(&[1; 8], keys);
        for (field, packets) in varied() {
            let different = different(&scenario, packets.into_iter());
            assert_eq!(different > 1, seen.contains(&field), "{keys}: {different} ways by {field}");
        }
    }
}

#[test]
fn a_balancer_over_protocols_tells_them_apart_on_some_router() {
    let found = (0..20).filter(|seed| {
        let scenario = fan(&[1; 8], "balance_over = [\"protocol\"]").with_seed(*seed);
        let packets = [udp(HOST, 2, (30_000, 80), &[]), syn(HOST, 2, (30_000, 80), 1)];
        different(&scenario, packets.into_iter()) == 2
    });
    assert!(found.count() > 10);
}

#[test]
fn answers_are_balanced_by_their_own_fields_on_their_way_back() {
    // The way out is always the first one, the way back is known by its length.
    let times = |last: &str| {
        let mut bench = Bench::new(&fan_with(&[1; 8], "balance = \"none\"", last, ""));
        let mut times: Vec<Duration> = Vec::new();
        for host in 1..=40 {
            let start = MINUTE * host;
            bench.send(start, &echo_request(&format!("203.0.113.{host}"), 64, 1, 1));
            times.extend(bench.arrivals().iter().filter_map(|(at, _)| at.checked_sub(start)));
        }
        times.sort_unstable();
        times.dedup();
        times.len()
    };
    assert_eq!(times("balance_over = [\"source\"]"), 8);
    assert_eq!(times("balance = \"per-destination\""), 1);
}

#[test]
fn a_balancer_that_draws_for_each_packet_spreads_the_packets_of_one_flow() {
    let probe = udp(HOST, 2, (30_000, 33_434), &[]);
    let packets = || (0..FLOWS).map(|_| probe.clone());
    let found = branches(&fan(&[1, 3], "balance = \"per-packet\""), packets());
    assert!(likelihood(&counts(&found, 2), &[1.0, 3.0]) > 0.001);
    let pairs: Vec<usize> = found.chunks_exact(2).map(|pair| pair[0] * 2 + pair[1]).collect();
    assert!(likelihood(&counts(&pairs, 4), &[1.0, 3.0, 3.0, 9.0]) > 0.001);
    let one = different(&fan(&[1, 3], ""), packets());
    assert_eq!(one, 1);
}

#[test]
fn a_router_that_does_not_balance_uses_the_first_link_of_the_file() {
    assert_eq!(counts(&branches(&fan(&[1, 1, 1], "balance = \"none\""), flows(50)), 3), [50, 0, 0]);
}

/// The branch of each of 400 flows at a minute of the lab.
fn at_minute(scenario: &Scenario, minute: u32) -> Vec<usize> {
    let mut bench = Bench::new(scenario);
    flows(400).map(|packet| branch(&mut bench, MINUTE * minute, &packet)).collect()
}

#[test]
fn a_change_of_weight_moves_flows_to_where_there_is_more_room_and_no_others() {
    let event = "[[event]]\nat = \"2017-10-01T08:30:00Z\"\nweight = { link = \"to-m2\", weight = 6 }\n";
    let scenario = fan_with(&[1, 1, 1], "", "", event);
    let (before, after) = (at_minute(&scenario, 29), at_minute(&scenario, 31));
    let moved: Vec<(usize, usize)> =
        before.iter().copied().zip(after.iter().copied()).filter(|(old, new)| old != new).collect();
    assert!(moved.iter().all(|(_, new)| *new == 2));
    assert!(likelihood(&counts(&after, 3), &[1.0, 1.0, 6.0]) > 0.001);
    assert!(moved.len() > 100, "{}", moved.len());
}

#[test]
fn a_way_that_goes_moves_only_its_own_flows_and_gets_them_back() {
    let events = "[[event]]\nat = \"2017-10-01T08:20:00Z\"\nlost = \"to-m1\"\n\
                  [[event]]\nat = \"2017-10-01T08:40:00Z\"\nadded = \"to-m1\"\n";
    let scenario = fan_with(&[1, 1, 1], "", "", events);
    let [before, meanwhile, after] = [19, 21, 41].map(|minute| at_minute(&scenario, minute));
    assert!(before.contains(&1) && !meanwhile.contains(&1));
    let kept = before.iter().zip(&meanwhile).filter(|(old, _)| **old != 1);
    assert!(kept.into_iter().all(|(old, new)| old == new));
    assert_eq!(before, after);
}

#[test]
fn what_is_added_elsewhere_in_a_scenario_moves_no_flow() {
    let elsewhere = "[[as]]\nnumber = 64500\nname = \"New\"\nproviders = [680]\n\
                     [[router]]\nname = \"new\"\nas = 64500\n\
                     [[link]]\nbetween = [\"new\", \"last\"]\ndelay = \"1ms\"\n";
    assert_eq!(at_minute(&fan(&[1; 4], ""), 1), at_minute(&fan_with(&[1; 4], "", "", elsewhere), 1));
}

//! The ways that the truth names, against what packets really do: thousands of flows, walked and probed.

#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{Cut, CutMember, CutOf, Flows, Over, SeenLink, TrueEnd, TrueWays, Truth};
use crate::lab::scenario::{AsIndex, Relation};
use crate::lab::testing::{echo_request, syn, udp};
use crate::lab::{Recipe, generate};
use crate::lab::{Scenario, VirtualInternet};
use crate::model::{AsLink, Asn, MonoTime, Protocol, Underlay, WallTime};

fn zoo() -> Scenario {
    Scenario::parse("zoo.toml", include_str!("tests/zoo.toml")).unwrap()
}

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{text}Z")).unwrap()
}

/// A packet of a flow.
fn packet(to: &str, protocol: Protocol, flow: u16, ttl: u8) -> Vec<u8> {
    match protocol {
        Protocol::Icmp => echo_request(to, ttl, flow, 1),
        Protocol::Udp => udp(to, ttl, (40_000 + flow, 33_434), &[0; 12]),
        Protocol::Tcp => syn(to, ttl, (40_000 + flow, 443), 99),
    }
}

const TARGETS: [&str; 3] = ["175.45.176.71", "175.45.176.80", "2001:df1:4b00::10"];
const PROTOCOLS: [Protocol; 3] = [Protocol::Icmp, Protocol::Udp, Protocol::Tcp];

fn ways(truth: &Truth, to: &str, protocol: Protocol, time: &str) -> TrueWays {
    truth.ways(&Flows::to(to.parse().unwrap(), protocol), at(time))
}

/// Whether a share is what so many draws would show: within five standard deviations.
fn fits(share: f64, seen: usize, draws: usize) -> bool {
    let expected = share * draws as f64;
    (seen as f64 - expected).abs() <= 5.0 * (expected * (1.0 - share)).max(1.0).sqrt()
}

fn assert_shares<K: Ord + std::fmt::Debug>(
    true_shares: &BTreeMap<K, f64>,
    seen: &BTreeMap<K, usize>,
    draws: usize,
) {
    assert_eq!(true_shares.keys().collect::<Vec<_>>(), seen.keys().collect::<Vec<_>>());
    for (key, share) in true_shares {
        assert!(fits(*share, seen[key], draws), "{key:?}: {share} is not {} of {draws}", seen[key]);
    }
}

#[test]
fn the_ways_are_those_of_all_flows_and_have_their_shares() {
    let truth = Truth::new(&zoo());
    for (to, protocol) in TARGETS.into_iter().flat_map(|to| PROTOCOLS.map(|protocol| (to, protocol))) {
        let ways = ways(&truth, to, protocol, "08:00:00");
        let (mut routers, mut ends) = (BTreeMap::new(), BTreeMap::new());
        for flow in 0..800 {
            let path = truth.path(&packet(to, protocol, flow, 64), at("08:00:00")).unwrap();
            *ends.entry(path.end).or_insert(0) += 1;
            for hop in path.hops {
                *routers.entry(hop.router).or_insert(0) += 1;
            }
        }
        assert_shares(&ways.routers, &routers, 800);
        assert_shares(&ways.ends, &ends, 800);
        assert!(ways.steady);
    }
}

/// What packets of many flows see, TTL by TTL, with no chance in the way.
fn probed(scenario: &Scenario, to: &str, protocol: Protocol, flows: u16) -> Vec<Vec<Option<IpAddr>>> {
    let mut lab = VirtualInternet::new(scenario);
    let mut now = lab.clock().mono(at("08:00:00"));
    let mut seen = Vec::new();
    for flow in 0..flows {
        let mut path = Vec::new();
        for ttl in 1..16 {
            lab.inject(now, &packet(to, protocol, flow, ttl));
            let answer = lab.advance(now.after(Duration::from_secs(1))).map(|(_, packet)| source(&packet));
            now = now.after(Duration::from_millis(100));
            path.push(answer);
        }
        seen.push(path);
    }
    assert_eq!(lab.advance(MonoTime::NEVER), None);
    seen
}

fn source(packet: &[u8]) -> IpAddr {
    if packet[0] >> 4 == 4 {
        IpAddr::from(<[u8; 4]>::try_from(&packet[12..16]).unwrap())
    } else {
        IpAddr::from(<[u8; 16]>::try_from(&packet[8..24]).unwrap())
    }
}

#[test]
fn a_traceroute_of_many_flows_sees_what_the_ways_say() {
    let scenario = zoo();
    let truth = Truth::new(&scenario);
    for (to, protocol) in TARGETS.into_iter().flat_map(|to| PROTOCOLS.map(|protocol| (to, protocol))) {
        let ways = ways(&truth, to, protocol, "08:00:00");
        let seen = probed(&scenario, to, protocol, 200);
        for (index, hop) in ways.hops.iter().enumerate() {
            let (mut here, mut links) = (BTreeMap::new(), BTreeMap::new());
            for path in &seen {
                // A way that ended has nothing more to show than its end.
                let ended =
                    index > 0 && path[index - 1] == path[index] && ends_at(&ways, path[index], index);
                if !ended {
                    *here.entry(path[index]).or_insert(0) += 1;
                    let link = SeenLink {
                        ttl: index as u8,
                        from: *path.get(index.wrapping_sub(1)).unwrap_or(&None),
                        to: path[index],
                    };
                    *links.entry(link).or_insert(0) += 1;
                }
            }
            assert_shares(hop, &here, seen.len());
            if index > 0 {
                let true_links = ways.seen_links.iter().filter(|(link, _)| usize::from(link.ttl) == index);
                assert_shares(
                    &true_links.map(|(link, share)| (*link, *share)).collect(),
                    &links,
                    seen.len(),
                );
            }
        }
    }
}

/// Whether who was seen at a TTL is the end of all ways on which it was seen.
fn ends_at(ways: &TrueWays, seen: Option<IpAddr>, ttl: usize) -> bool {
    !ways.seen_links.keys().any(|link| usize::from(link.ttl) == ttl && link.from == seen)
}

fn visible(ways: &TrueWays, ttl: usize) -> Vec<Option<IpAddr>> {
    ways.hops.get(ttl - 1).map(|hop| hop.keys().copied().collect()).unwrap_or_default()
}

#[test]
fn weights_tunnels_and_routers_that_send_on_show_in_the_ways() {
    let ways = ways(&Truth::new(&zoo()), "175.45.176.71", Protocol::Icmp, "08:00:00");
    let share = |router: &str| ways.routers[router];
    let shares = ["g", "a1", "a2", "a3", "b2"].map(share).to_vec();
    assert_eq!(shares, [1.0, 0.5, 0.375, 0.125, 0.25]);
    // a4 balances per destination: one of its two links to c1 carries everything.
    let to_c1: Vec<f64> =
        ways.links.iter().filter(|link| link.to.router == "c1").map(|link| link.share).collect();
    assert_eq!(to_c1, [0.5, 0.5]);
    // b2 is hidden, so b4 is seen behind b1.
    let [b1, b4, c3] = ["10.2.0.1", "10.2.1.2", "10.3.0.3"].map(|text| text.parse::<IpAddr>().unwrap());
    assert!(ways.visible_links().contains(&(b1, b4)));
    // c2 sends on what has run out, so c3 is seen twice, and c2 never.
    assert!(ways.visible_links().contains(&(c3, c3)));
    assert!(!ways.visible_addresses().contains(&"10.3.0.2".parse().unwrap()));
    assert_eq!(visible(&ways, 3).len(), 4, "a2, nobody (a3), b3 and b4: {:?}", ways.hops);
    assert_eq!(ways.ends, BTreeMap::from([(TrueEnd::Arrived, 1.0)]));
    let crossed: Vec<(u32, u32, f64)> =
        ways.as_links.iter().map(|((from, to), share)| (from.get(), to.get(), *share)).collect();
    assert_eq!(crossed, [(10, 30, 0.5), (20, 30, 0.5), (680, 10, 0.5), (680, 20, 0.5)]);
}

#[test]
fn a_router_that_draws_for_each_packet_offers_all_its_links() {
    let text = include_str!("tests/zoo.toml").replace("\"per-destination\"", "\"per-packet\"");
    let ways = ways(
        &Truth::new(&Scenario::parse("z.toml", &text).unwrap()),
        "175.45.176.71",
        Protocol::Tcp,
        "08:00:00",
    );
    let to_c1: Vec<f64> =
        ways.links.iter().filter(|link| link.to.router == "c1").map(|link| link.share).collect();
    assert_eq!(to_c1, [0.25, 0.25, 0.5]);
}

#[test]
fn while_routes_converge_the_ways_of_the_time_hold_the_way_of_every_packet() {
    for seed in 0..10 {
        let truth = Truth::new(&zoo().with_seed(seed));
        let flows = Flows::to("175.45.176.71".parse().unwrap(), Protocol::Icmp);
        let [from, to] = [at("08:29:59"), at("08:30:01")];
        let during = truth.ways_during(&flows, (from, to));
        assert!(!during.steady);
        let links: BTreeSet<(&str, &str)> =
            during.links.iter().map(|link| (link.from.router.as_str(), link.to.router.as_str())).collect();
        for step in 0..200 {
            let time = from.after(Duration::from_millis(step * 10));
            for flow in 0..8 {
                let path = truth.path(&packet("175.45.176.71", Protocol::Icmp, flow, 64), time).unwrap();
                assert!(during.ends.contains_key(&path.end), "{path:?}");
                for pair in path.hops.windows(2) {
                    assert!(
                        links.contains(&(pair[0].router.as_str(), pair[1].router.as_str())),
                        "{path:?}"
                    );
                }
            }
        }
        assert!(truth.ways_during(&flows, (at("08:00:00"), at("08:29:59"))).steady);
        assert!(truth.ways_during(&flows, (at("08:30:01"), at("09:00:00"))).steady);
    }
}

#[test]
fn a_vantage_without_an_address_of_the_family_has_no_ways() {
    let text = include_str!("tests/zoo.toml").replace(", \"2001:638:c:a001::10\"]", "]");
    let truth = Truth::new(&Scenario::parse("z.toml", &text).unwrap());
    let ways = ways(&truth, "2001:df1:4b00::10", Protocol::Icmp, "08:00:00");
    assert!(ways.links.is_empty() && ways.hops.is_empty() && ways.ends.is_empty());
}

#[test]
fn the_way_back_begins_at_whoever_has_the_source_address() {
    let truth = Truth::new(&zoo());
    let path = |from: [u8; 4]| {
        let mut packet = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4(from, [188, 1, 144, 10], 64);
        builder.tcp(443, 40_000, 1, 1024).write(&mut packet, &[]).unwrap();
        let path = truth.path(&packet, at("08:00:00")).unwrap();
        assert_eq!(path.end, TrueEnd::Arrived);
        path.hops.into_iter().map(|hop| hop.router).collect::<Vec<_>>()
    };
    assert_eq!(path([175, 45, 176, 71])[..4], ["c4", "c3", "c2", "c1"]);
    assert_eq!(path([175, 45, 176, 71]).last().unwrap(), "g");
    assert_eq!(path([10, 1, 0, 2]), ["a2", "a1", "g"]);
    assert_eq!(path([188, 1, 144, 10]), ["g"]);
    assert_eq!(path([203, 0, 113, 1]), ["g"], "nobody's address: as if it were forged at the vantage");
}

fn cut(truth: &Truth, to: &str, (of, over): (CutOf, Over), time: &str) -> Option<Cut> {
    truth.cut(&Flows::to(to.parse().unwrap(), Protocol::Icmp), of, over, at(time))
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

const SCOPES: [Over; 3] = [Over::Forwarding, Over::ValleyFree, Over::Physical];

#[test]
fn a_cut_names_the_upstreams_before_and_the_last_one_after_a_loss() {
    let truth = Truth::new(&zoo());
    let ases = |over, time| cut(&truth, "175.45.176.71", (CutOf::Ases, over), time).unwrap().members;
    let links = |over, time| cut(&truth, "175.45.176.71", (CutOf::AsLinks, over), time).unwrap().members;
    for over in SCOPES {
        assert_eq!(ases(over, "08:00:00"), [CutMember::As(asn(10)), CutMember::As(asn(20))], "{over:?}");
        assert_eq!(ases(over, "08:31:00"), [CutMember::As(asn(20))], "{over:?}");
        assert_eq!(links(over, "08:00:00").len(), 2);
        let left = links(over, "08:31:00");
        let possible = [(20, 30), (680, 20)].map(|(one, other)| AsLink::new(asn(one), asn(other)).unwrap());
        assert!(left.len() == 1 && possible.map(CutMember::AsLink).contains(&left[0]), "{left:?}");
    }
    // Behind c1 everything hangs on one link, and on one router.
    for of in [CutOf::Links, CutOf::Routers] {
        for over in SCOPES {
            let cut = cut(&truth, "175.45.176.71", (of, over), "08:00:00").unwrap();
            assert_eq!((cut.members.len(), cut.is_minimum), (1, true), "{of:?} {over:?} {cut:?}");
        }
    }
}

#[test]
fn between_neighbours_no_other_as_can_be_lost_and_nothing_need_be_where_no_way_is() {
    let truth = Truth::new(&zoo());
    for over in SCOPES {
        // An address of AS10, which is a neighbour of the vantage's AS.
        assert_eq!(cut(&truth, "10.1.0.4", (CutOf::Ases, over), "08:00:00"), None);
        let nowhere = cut(&truth, "203.0.113.1", (CutOf::Links, over), "08:00:00").unwrap();
        assert!(nowhere.members.is_empty() && nowhere.is_minimum);
    }
}

/// All smallest sets are as small as this: every set of a size is tried before any larger one.
fn smallest_hitting_set(ways: &[BTreeSet<String>]) -> Option<usize> {
    fn hits(ways: &[BTreeSet<String>], members: &[&String], left: usize) -> bool {
        match ways.iter().find(|way| !members.iter().any(|member| way.contains(*member))) {
            None => true,
            Some(_) if left == 0 => false,
            Some(way) => way.iter().any(|member| hits(ways, &[members, &[member]].concat(), left - 1)),
        }
    }
    if ways.iter().any(BTreeSet::is_empty) {
        return None;
    }
    (0..12).find(|size| hits(ways, &[], *size))
}

#[test]
fn cuts_over_the_ways_in_use_are_as_small_as_the_ways_of_many_flows_allow() {
    for seed in 0..6 {
        let text = generate(&Recipe { ases: Some(14), seed, ..Recipe::default() }).unwrap();
        let scenario = Scenario::parse("g.toml", &text).unwrap();
        let truth = Truth::new(&scenario);
        let vantage = scenario.vantage_address(true).unwrap();
        let to = scenario.hosts[0].addresses.iter().rev().find(|(address, _)| address.is_ipv4()).unwrap().0;
        let mut ways: [BTreeSet<BTreeSet<String>>; 2] = Default::default();
        for flow in 0..400_u16 {
            let (std::net::IpAddr::V4(from), std::net::IpAddr::V4(to)) = (vantage, to) else {
                unreachable!()
            };
            let mut packet = Vec::new();
            let builder = etherparse::PacketBuilder::ipv4(from.octets(), to.octets(), 64);
            builder.udp(40_000 + flow, 33_434).write(&mut packet, &[]).unwrap();
            let path = truth.path(&packet, scenario.start()).unwrap();
            let ends = [&path.hops[0], path.hops.last().unwrap()].map(|hop| (hop.router.clone(), hop.asn));
            let inner = |hop: &&super::TrueHop| ends.iter().all(|(router, _)| *router != hop.router);
            let foreign = |hop: &&super::TrueHop| ends.iter().all(|(_, asn)| *asn != hop.asn);
            ways[0].insert(path.hops.iter().filter(inner).map(|hop| hop.router.clone()).collect());
            ways[1].insert(path.hops.iter().filter(foreign).map(|hop| hop.asn.to_string()).collect());
        }
        for (of, ways) in [CutOf::Routers, CutOf::Ases].into_iter().zip(ways) {
            let ways: Vec<_> = ways.into_iter().collect();
            let cut = truth.cut(&Flows::to(to, Protocol::Udp), of, Over::Forwarding, scenario.start());
            assert_eq!(
                cut.as_ref().map(|cut| cut.members.len()),
                smallest_hitting_set(&ways),
                "{seed} {of:?} {cut:?}"
            );
        }
    }
}

/// All valley-free ways between two ASes that pass no AS twice, as the ASes between them.
fn valley_free(
    relations: &[Relation],
    way: &[AsIndex],
    to: AsIndex,
    falling: bool,
    found: &mut Vec<BTreeSet<String>>,
) {
    let here = way[way.len() - 1];
    if here == to {
        found.push(way[1..way.len() - 1].iter().map(|asys| asys.0.to_string()).collect());
        return;
    }
    for relation in relations {
        let (next, falls) = match *relation {
            Relation::Transit { provider, customer } if customer == here && !falling => (provider, false),
            Relation::Transit { provider, customer } if provider == here => (customer, true),
            Relation::Peering(one, other) if one == here && !falling => (other, true),
            Relation::Peering(one, other) if other == here && !falling => (one, true),
            _ => continue,
        };
        if !way.contains(&next) {
            valley_free(relations, &[way, &[next]].concat(), to, falls, found);
        }
    }
}

#[test]
fn valley_free_cuts_of_ases_are_as_small_as_all_valley_free_ways_allow() {
    let mut sizes = BTreeSet::new();
    for seed in 0..12 {
        let text = generate(&Recipe { ases: Some(13), seed, ..Recipe::default() }).unwrap();
        let scenario = Scenario::parse("g.toml", &text).unwrap();
        let truth = Truth::new(&scenario);
        let home = |router: crate::lab::scenario::RouterIndex| scenario.routers[router.0].home;
        let from = home(scenario.vantage.gateway);
        for host in scenario.hosts.iter().flat_map(|host| host.addresses.iter().take(4)) {
            let (address, to) = (host.0, home(host.1));
            if to == from {
                continue;
            }
            let mut ways = Vec::new();
            valley_free(&scenario.relations, &[from], to, false, &mut ways);
            let cut = truth.cut(
                &Flows::to(address, Protocol::Tcp),
                CutOf::Ases,
                Over::ValleyFree,
                scenario.start(),
            );
            let size = cut.as_ref().map(|cut| cut.members.len());
            assert_eq!(size, smallest_hitting_set(&ways), "{seed} {address} {cut:?}");
            sizes.insert(size);
        }
    }
    assert!(sizes.len() > 2, "{sizes:?}");
}

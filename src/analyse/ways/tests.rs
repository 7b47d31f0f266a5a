use std::time::Duration;

use super::*;
use crate::model::{FlowId, MatchQuality, Probe, Reply, ReplyKind, Rtt, RttSource};

const TARGET: &str = "192.0.2.99";

fn reply(from: IpAddr, quoted_ttl: u8) -> Reply {
    let kind = if from == ip(TARGET) { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded };
    Reply {
        from,
        kind,
        icmp: None,
        reply_ttl: Some(60),
        quoted_ttl: Some(quoted_ttl),
        mpls: Vec::new(),
        size: 56,
        ip_id: None,
        matched: MatchQuality::Exact,
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// One search; what a flow met at a TTL, several answers for several attempts, `*` for silence, `@0` behind a router
/// that saw TTL 0.
fn ways(answer: impl Fn(u16, u8) -> String, flows: u16, hops: u8) -> Ways {
    let mut searches = Searches::default();
    for flow in 0..flows {
        for ttl in 1..=hops {
            for (attempt, from) in (0..).zip(answer(flow, ttl).split(' ')) {
                searches.add(&record((flow, ttl, attempt), from));
            }
        }
    }
    searches.finish().remove(0)
}

fn record((flow, ttl, attempt): (u16, u8, u8), from: &str) -> ProbeRecord {
    let rtt = Rtt { span: Duration::from_millis(9), source: RttSource::Kernel };
    let outcome = match from.strip_suffix("@0") {
        None if from == "*" => Outcome::Silent,
        None => Outcome::Answered { reply: reply(ip(from), 1), rtt },
        Some(from) => Outcome::Answered { reply: reply(ip(from), 0), rtt },
    };
    ProbeRecord {
        vantage: "v".parse().unwrap(),
        prober: "multipath".parse().unwrap(),
        method: Method::Multipath,
        probe: Probe {
            round: RoundId(1),
            target: ip(TARGET),
            protocol: Protocol::Udp,
            port: Some(Port::TRACEROUTE),
            flow: FlowId(flow),
            ttl: Ttl::new(ttl).unwrap(),
            attempt,
        },
        unit: Unit("192.0.2.0/24".parse().unwrap()),
        control: false,
        sent_at: Some(WallTime::from_nanos(i64::from(flow))),
        outcome,
    }
}

/// `10.0.ttl.branch`, and the target behind the last.
fn router(ttl: u8, branch: u16) -> String {
    format!("10.0.{ttl}.{branch}")
}

#[test]
fn a_diamond_is_told_with_its_links_their_shares_and_the_chance_of_having_missed_a_branch() {
    let ways = ways(
        |flow, ttl| match ttl {
            2 => router(2, 1 + flow % 2),
            4 => TARGET.to_owned(),
            _ => router(ttl, 1),
        },
        12,
        4,
    );
    assert!(ways.reached && ways.packets == 48);
    let links: Vec<(u8, String, String)> = ways
        .links
        .iter()
        .map(|link| (link.ttl.get(), link.from.to_string(), link.to.to_string()))
        .collect();
    let expected = [
        (1, router(1, 1), router(2, 1)),
        (1, router(1, 1), router(2, 2)),
        (2, router(2, 1), router(3, 1)),
        (2, router(2, 2), router(3, 1)),
        (3, router(3, 1), TARGET.to_owned()),
    ];
    assert_eq!(links, expected);
    assert!(ways.links[..2].iter().all(|link| (link.share - 0.5).abs() < 1e-9 && link.flows == 6));
    // Three branches after two, twelve flows: 3 (2/3)^12.
    assert!((ways.hops[1].chance_missed - 0.0231).abs() < 1e-3, "{}", ways.hops[1].chance_missed);
    assert!(ways.chance_missed < 0.05 && ways.chance_missed > ways.hops[1].chance_missed);
}

#[test]
fn behind_a_balancer_that_goes_packet_by_packet_no_link_is_told_until_ways_have_joined() {
    let ways = ways(
        |flow, ttl| match ttl {
            2 if flow == 0 => format!("{} {}", router(2, 1), router(2, 2)),
            2 | 3 => router(ttl, 1 + flow % 2),
            5 => TARGET.to_owned(),
            _ => router(ttl, 1),
        },
        30,
        5,
    );
    assert!(ways.hops[1].per_packet && !ways.hops[0].per_packet);
    assert!(ways.links.iter().all(|link| ![2, 3].contains(&link.ttl.get())), "{:?}", ways.links);
    assert_eq!(ways.links.iter().filter(|link| link.ttl.get() == 1).count(), 2);
    assert_eq!(ways.links.iter().filter(|link| link.ttl.get() == 4).count(), 1);
}

#[test]
fn a_silent_hop_has_no_links_and_no_promise() {
    let ways = ways(
        |_, ttl| match ttl {
            2 => "*".to_owned(),
            4 => TARGET.to_owned(),
            _ => router(ttl, 1),
        },
        6,
        4,
    );
    assert!(ways.hops[1].routers.is_empty() && (ways.hops[1].chance_missed - 1.0).abs() < 1e-9);
    assert_eq!(ways.links.iter().map(|link| link.ttl.get()).collect::<Vec<_>>(), [3]);
}

#[test]
fn what_was_asked_behind_the_target_is_no_hop() {
    let ways = ways(|_, ttl| if ttl >= 2 { TARGET.to_owned() } else { router(ttl, 1) }, 6, 5);
    assert_eq!(ways.hops.len(), 2);
}

#[test]
fn an_unequal_split_widens_the_chance_of_having_missed_a_branch() {
    let split = |nth: u16| {
        move |flow: u16, ttl: u8| match ttl {
            2 => router(2, 1 + u16::from(flow.is_multiple_of(nth))),
            4 => TARGET.to_owned(),
            _ => router(ttl, 1),
        }
    };
    let (equal, unequal) = (ways(split(2), 80, 4), ways(split(10), 80, 4));
    assert!(
        equal.hops[1].narrowest.is_none() && unequal.hops[1].narrowest.is_some_and(|share| share < 0.1)
    );
    assert!(unequal.hops[1].chance_missed > equal.hops[1].chance_missed);
}

#[test]
fn what_neighbours_have_shown_of_gateway_and_delivery_counts_for_each_target() {
    let mut searches = Searches::default();
    for last in 0..50 {
        let target = IpAddr::from([192, 0, 2, last]);
        // One flow at the gateway and at the target; six at the router in between.
        for (flow, ttl) in [(0, 1), (0, 3)].into_iter().chain((0..6).map(|flow| (flow, 2))) {
            let from = if ttl == 3 { target } else { ip(&router(ttl, 1)) };
            let mut record = record((flow, ttl, 0), &from.to_string());
            record.probe.target = target;
            searches.add(&record);
        }
    }
    for ways in searches.finish() {
        let chances: Vec<f64> = ways.hops.iter().map(|hop| hop.chance_missed).collect();
        // Two branches after six flows of its own: 2 (1/2)^6. After fifty of all: nothing to speak of.
        assert!(
            chances[0] < 1e-9 && (chances[1] - 0.03125).abs() < 1e-9 && chances[2] < 1e-9,
            "{chances:?}"
        );
    }
}

#[test]
fn a_router_that_lets_packets_through_with_ttl_0_is_a_hop_that_nobody_sees() {
    let ways = ways(
        |flow, ttl| match ttl {
            2 if flow % 2 == 0 => router(3, 1) + "@0",
            2 => router(2, 2),
            3 => router(3, 1 + flow % 2),
            5 => TARGET.to_owned(),
            _ => router(ttl, 1),
        },
        16,
        5,
    );
    let told: Vec<(String, String)> =
        ways.links.iter().map(|link| (link.from.to_string(), link.to.to_string())).collect();
    assert!(!told.contains(&(router(3, 1), router(3, 1))), "a link of a router to itself");
    assert!(!told.contains(&(router(1, 1), router(3, 1))), "a link past the router that let it through");
    assert!(told.contains(&(router(3, 1), router(4, 1))) && told.contains(&(router(2, 2), router(3, 2))));
}

#[test]
fn a_router_that_always_quotes_ttl_0_stands_where_it_answers() {
    let quoting = |_: u16, ttl: u8| match ttl {
        2 => router(2, 1) + "@0",
        4 => TARGET.to_owned(),
        _ => router(ttl, 1),
    };
    assert_eq!(ways(quoting, 6, 4).links.len(), 3);
}

#[test]
fn a_router_on_two_ways_of_different_lengths_is_no_link_to_itself_behind_one_that_lets_ttl_0_through() {
    // Even flows come to it straight; odd ones one hop later, past a router that lets their packets through.
    let ways = ways(
        |flow, ttl| match (ttl, flow % 2) {
            (2, 1) => router(2, 2),
            (3, 1) => router(3, 1) + "@0",
            (3, _) => router(4, 1),
            (2, _) | (4, 1) => router(3, 1),
            (4 | 5, _) => TARGET.to_owned(),
            _ => router(ttl, 1),
        },
        16,
        5,
    );
    assert!(ways.links.iter().all(|link| link.from != link.to), "{:?}", ways.links);
}

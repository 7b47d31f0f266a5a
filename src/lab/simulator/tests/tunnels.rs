//! MPLS tunnels, as a traceroute through them sees them (Donnet et al. 2012).

use super::*;
use crate::lab::testing::{Bench, HOSTS, line};

/// What comes back for one TTL: from which router of the line, the TTL in the quote, the label stack with its
/// TTLs, and after how many milliseconds.
type Hop = (char, u8, Vec<(u32, u8)>, u128);

fn tunnel(kind: &str) -> String {
    let labels = if kind == "explicit" || kind == "opaque" { "labels = [100, 200]" } else { "" };
    format!("[[tunnel]]\nrouters = [\"r1\", \"r2\", \"r3\", \"r4\"]\nkind = \"{kind}\"\n{labels}\n")
}

fn hops(kind: &str, to: &str) -> Vec<Hop> {
    let hop = |ttl| {
        let mut bench = Bench::line(&[], &tunnel(kind));
        bench.send(Duration::ZERO, &echo_request(to, ttl, 1, 1));
        let (at, answer) = bench.arrivals().pop()?;
        let is_error = matches!(said(&answer), (11 | 3, 0));
        is_error.then(|| read(at, &received(&answer)))
    };
    (1..=4).map_while(hop).collect()
}

fn read(at: Duration, answer: &crate::lab::testing::Received) -> Hop {
    let is_ipv4 = answer.from.is_ipv4();
    let router = answer.from.to_string().chars().last().unwrap();
    let icmp = &answer.payload;
    let length = if is_ipv4 { usize::from(icmp[5]) * 4 } else { usize::from(icmp[4]) * 8 };
    let stack = if length == 0 { &[][..] } else { &icmp[8 + length + 8..] };
    let entry = |four: &[u8]| u32::from_be_bytes(four.try_into().unwrap());
    let labels = stack.chunks(4).map(entry).map(|entry| (entry >> 12, entry.to_be_bytes()[3])).collect();
    (router, icmp[8 + if is_ipv4 { 8 } else { 7 }], labels, at.as_millis())
}

#[test]
fn an_explicit_tunnel_shows_its_routers_its_labels_and_growing_quoted_ttls() {
    for to in HOSTS {
        let expected: Vec<Hop> = vec![
            ('1', 1, vec![], 0),
            // Their errors turn back only at the egress.
            ('2', 1, vec![(100, 1), (200, 1)], 60),
            ('3', 2, vec![(100, 1), (200, 2)], 60),
            ('4', 1, vec![], 60),
        ];
        assert_eq!(hops("explicit", to), expected, "{to}");
    }
}

#[test]
fn an_implicit_tunnel_is_only_seen_by_its_quoted_ttls() {
    for to in HOSTS {
        let expected: Vec<Hop> =
            vec![('1', 1, vec![], 0), ('2', 1, vec![], 60), ('3', 2, vec![], 60), ('4', 1, vec![], 60)];
        assert_eq!(hops("implicit", to), expected, "{to}");
    }
}

#[test]
fn of_an_opaque_tunnel_only_the_egress_is_seen_with_a_label_that_counted_the_hidden_routers() {
    for to in HOSTS {
        let expected: Vec<Hop> = vec![('1', 1, vec![], 0), ('4', 1, vec![(100, 253), (200, 255)], 60)];
        assert_eq!(hops("opaque", to), expected, "{to}");
    }
}

#[test]
fn of_an_invisible_tunnel_nothing_is_seen_but_a_leap() {
    for to in HOSTS {
        assert_eq!(hops("invisible", to), [('1', 1, vec![], 0), ('4', 1, vec![], 60)], "{to}");
    }
}

#[test]
fn what_is_addressed_to_a_router_of_a_tunnel_does_not_go_into_it() {
    let mut bench = Bench::line(&[], &tunnel("invisible"));
    let mut reaches =
        |to, ttl| bench.ask(Duration::ZERO, &echo_request(to, ttl, 1, 1)).map(|answer| said(&answer));
    assert_eq!(reaches("188.1.34.4", 3), Some((11, 0)));
    assert_eq!(reaches("188.1.34.4", 4), Some((0, 0)));
    // Behind the tunnel, two routers are hidden.
    assert_eq!(reaches(HOSTS[0], 2), Some((11, 0)));
    assert_eq!(reaches(HOSTS[0], 3), Some((0, 0)));
}

#[test]
fn a_tunnel_is_left_alone_by_packets_that_do_not_follow_it() {
    // The tunnel ends one router too far for its packets: it is a way that no route takes.
    let tables = "[[router]]\nname = \"r5\"\nas = 680\n[[link]]\nbetween = [\"r3\", \"r5\"]\ndelay = \"1ms\"\n\
                  [[tunnel]]\nrouters = [\"r1\", \"r2\", \"r3\", \"r5\"]\nkind = \"invisible\"\n";
    let mut bench = Bench::line(&[], tables);
    let from = bench.answers_from(Duration::ZERO, &echo_request(HOSTS[0], 2, 1, 1)).unwrap();
    assert_eq!(from.to_string(), "188.1.12.2");
}

#[test]
fn an_ingress_that_refuses_a_packet_shows_no_label_that_the_packet_never_had() {
    let mut bench = Bench::line(&[("l12", "mtu = 500")], &tunnel("explicit"));
    let answer = bench.ask(Duration::ZERO, &udp(HOSTS[0], 64, (40_000, 33_434), &[0; 600])).unwrap();
    assert_eq!((said(&answer), received(&answer).payload.len()), ((3, 4), 8 + 28));
}

#[test]
fn the_truth_says_which_routers_a_tunnel_hides() {
    let truth = Truth::new(&line(&[], &tunnel("opaque")));
    let hops = truth.path(&echo_request(HOSTS[0], 64, 1, 1), at("08:00:00")).unwrap().hops;
    assert_eq!(hops.iter().map(|hop| hop.counts_ttl).collect::<Vec<_>>(), [true, false, false, true]);
}

//! From which address routers answer, how often, and how much they quote.

use super::*;
use crate::lab::testing::{Bench, HOSTS, fork};

fn second(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// From where each TTL is answered.
fn hops(changes: &[(&str, &str)], to: &str, ttls: std::ops::RangeInclusive<u8>) -> Vec<String> {
    let mut bench = Bench::line(changes, "");
    let answer = |ttl| bench.answers_from(Duration::ZERO, &udp(to, ttl, (40_000, 33_434), &[]));
    ttls.map(answer).map(|from| from.map_or_else(String::new, |from| from.to_string())).collect()
}

#[test]
fn errors_come_from_the_interface_by_which_the_packet_came_in() {
    let [v4, v6] = HOSTS;
    assert_eq!(hops(&[], v4, 1..=5), ["188.1.0.1", "188.1.12.2", "188.1.23.3", "188.1.34.4", v4]);
    let expected = ["2001:638::1", "2001:638:12::2", "2001:638:23::3", "2001:638:34::4", v6];
    assert_eq!(hops(&[], v6, 1..=5), expected);
}

#[test]
fn a_router_can_answer_always_from_one_address() {
    let [v4, v6] = HOSTS;
    let own = [("r2", "answers_from = \"router\"")];
    assert_eq!([hops(&own, v4, 2..=2), hops(&own, v6, 2..=2)], [["188.1.0.2"], ["2001:638::2"]]);
    let odd = [("r2", "answers_from = [\"198.51.100.9\"]")];
    assert_eq!([hops(&odd, v4, 2..=2), hops(&odd, v6, 2..=2)], [["198.51.100.9"], ["2001:638::2"]]);
    let odd = [("r2", "answers_from = [\"188.1.23.2\", \"2001:638:23::2\"]")];
    assert_eq!(
        [hops(&odd, v4, 2..=3), hops(&odd, v6, 2..=3)],
        [["188.1.23.2", "188.1.23.3"], ["2001:638:23::2", "2001:638:23::3"]]
    );
}

#[test]
fn a_third_party_address_is_that_of_the_interface_by_which_the_answer_leaves() {
    let addresses = [
        ("left-far", "addresses = [[\"4.0.9.1\"], [\"4.0.9.2\"]]"),
        ("right-far", "addresses = [[\"62.115.9.1\"], [\"62.115.9.2\"]]"),
        ("network", "announce_to = [3356]"),
    ];
    let probe = echo_request(HOSTS[0], 3, 1, 1);
    let from = |changes: &[(&str, &str)]| {
        let changes = [&addresses, changes].concat();
        Bench::new(&fork(&changes, "")).answers_from(Duration::ZERO, &probe).unwrap().to_string()
    };
    // The question comes by AS3356, the only one that knows of the network; the answer leaves by AS1299, whose
    // number is lower.
    assert_eq!(from(&[]), "4.0.9.2");
    assert_eq!(from(&[("far", "answers_from = \"outbound\"")]), "62.115.9.2");
    let symmetric = [("far", "answers_from = \"outbound\""), ("Far", "symmetric_replies = true")];
    assert_eq!(from(&symmetric), "4.0.9.2");
}

#[test]
fn a_silent_router_answers_nothing_and_forwards_everything() {
    for (host, own) in HOSTS.into_iter().zip(["188.1.0.2", "2001:638::2"]) {
        let mut bench = Bench::line(&[("r2", "silent = true")], "");
        for probe in [
            udp(host, 2, (40_000, 33_434), &[]),
            echo_request(own, 64, 1, 1),
            syn(own, 64, (40_000, 80), 1),
            udp(own, 64, (40_000, 33_434), &[]),
        ] {
            assert_eq!(bench.ask(Duration::ZERO, &probe), None);
        }
        assert!(bench.ask(Duration::ZERO, &echo_request(host, 64, 1, 1)).is_some());
    }
}

#[test]
fn a_filter_that_is_silent_is_so_and_filters_nothing_else() {
    let changes =
        [("r3", "filters = [{ protocol = \"tcp\", to = \"203.0.113.0/28\", answer = \"silent\" }]")];
    let tables = "[[host]]\naddresses = [\"203.0.113.99\"]\n";
    let mut bench = Bench::line(&changes, tables);
    assert_eq!(bench.ask(Duration::ZERO, &syn(HOSTS[0], 64, (40_000, 80), 1)), None);
    for probe in [
        echo_request(HOSTS[0], 64, 1, 1),
        udp(HOSTS[0], 64, (40_000, 33_434), &[]),
        syn("203.0.113.99", 64, (40_000, 80), 1),
        syn(HOSTS[1], 64, (40_000, 80), 1),
        syn(HOSTS[0], 2, (40_000, 80), 1),
    ] {
        assert!(bench.ask(Duration::ZERO, &probe).is_some());
    }
}

/// How many of `count` packets, spread evenly over some seconds, are answered.
fn answered(bench: &mut Bench, packet: &[u8], count: u32, span: std::ops::Range<f64>) -> usize {
    for index in 0..count {
        let share = f64::from(index) / f64::from(count);
        bench.send(second(span.start + share * (span.end - span.start)), packet);
    }
    bench.arrivals().len()
}

#[test]
fn errors_of_a_router_are_limited_to_a_burst_and_a_rate_and_its_echo_replies_are_not() {
    for (host, own) in HOSTS.into_iter().zip(["188.1.0.2", "2001:638::2"]) {
        let mut bench = Bench::line(&[("r2", "icmp_rate = { per_second = 10, burst = 5 }")], "");
        let expiring = echo_request(host, 2, 1, 1);
        // The burst, and one every 100 ms.
        assert_eq!(answered(&mut bench, &expiring, 1000, 0.0..1.0), 5 + 9);
        assert_eq!(
            answered(&mut bench, &expiring, 1000, 11.0..12.0),
            5 + 9,
            "more than the burst was saved up"
        );
        assert_eq!(answered(&mut bench, &echo_request(own, 64, 1, 1), 1000, 20.0..21.0), 1000);
        assert_eq!(answered(&mut bench, &echo_request(host, 3, 1, 1), 1000, 30.0..31.0), 1000);
    }
}

#[test]
fn a_host_limits_each_of_its_addresses_by_itself_and_only_icmp() {
    let host = "[[host]]\naddresses = [\"203.0.113.20\", \"203.0.113.21\"]\nopen = [80]\n\
                icmp_rate = { per_second = 1, burst = 2 }\n";
    let mut bench = Bench::line(&[], host);
    for (start, address) in [(0.0, "203.0.113.20"), (1.0, "203.0.113.21")] {
        let echoes = answered(&mut bench, &echo_request(address, 64, 1, 1), 100, start..start + 0.5);
        assert_eq!(echoes, 2, "{address}");
    }
    assert_eq!(answered(&mut bench, &syn("203.0.113.20", 64, (40_000, 80), 1), 100, 2.0..2.1), 100);
}

#[test]
fn a_limit_of_nothing_gives_its_burst_and_is_silent_for_ever() {
    let mut bench = Bench::line(&[("r2", "icmp_rate = { per_second = 0, burst = 3 }")], "");
    assert_eq!(answered(&mut bench, &echo_request(HOSTS[0], 2, 1, 1), 100, 0.0..3000.0), 3);
}

#[test]
fn quotes_are_as_long_as_the_router_makes_them() {
    let probe = udp(HOSTS[0], 2, (40_000, 33_434), &[7; 1000]);
    let cases = [
        ("\"rfc792\"", 28),
        ("28", 28),
        ("40", 40),
        ("128", 128),
        ("\"rfc1812\"", 576 - 28),
        ("\"full\"", probe.len()),
        ("1472", probe.len()),
    ];
    for (quote, length) in cases {
        let mut bench = Bench::line(&[("r2", &format!("quote = {quote}"))], "");
        let quoted = received(&bench.ask(Duration::ZERO, &probe).unwrap()).payload[8..].to_vec();
        assert_eq!((quoted.len(), &quoted[20..]), (length, &probe[20..length]), "{quote}");
    }
    let probe = udp(HOSTS[1], 2, (40_000, 33_434), &[7; 1400]);
    let mut bench = Bench::line(&[("r2", "quote = 28")], "");
    let quoted = received(&bench.ask(Duration::ZERO, &probe).unwrap()).payload[8..].to_vec();
    assert_eq!(quoted.len(), 1280 - 48, "ICMPv6 errors are always as long as may be");
}

#[test]
fn a_router_that_forwards_zero_ttls_is_seen_as_its_successor() {
    for (host, third) in HOSTS.into_iter().zip(["188.1.23.3", "2001:638:23::3"]) {
        let mut bench = Bench::line(&[("r2", "forwards_zero_ttl = true")], "");
        let at = if host.contains(':') { 7 } else { 8 };
        for (ttl, quoted_ttl) in [(2, 0), (3, 1)] {
            let answer = received(&bench.ask(Duration::ZERO, &echo_request(host, ttl, 1, 1)).unwrap());
            assert_eq!((answer.from.to_string().as_str(), answer.payload[8 + at]), (third, quoted_ttl));
        }
    }
}

//! Events: what changes at its time, for whoever asks before and after it. Every one of these happens at a
//! quarter past; routes converge at once, unless it is about that.

use super::*;
use crate::lab::testing::{Bench, HOSTS, fork, line};

const MINUTE: Duration = Duration::from_secs(60);

/// Before the event, and behind it.
const TIMES: [Duration; 2] = [Duration::from_secs(14 * 60), Duration::from_secs(16 * 60)];

const AT_ONCE: (&str, &str) = ("", "seed = 1\nconvergence = \"0s\"\nconvergence_inside = \"0s\"");

fn event(what: &str) -> String {
    format!("[[event]]\nat = \"2017-10-01T08:15:00Z\"\n{what}\n")
}

fn later(minute: u8, what: &str) -> String {
    format!("[[event]]\nat = \"2017-10-01T08:{minute}:00Z\"\n{what}\n")
}

/// By which AS packets go into the fork's far end: the answer to a TTL of 2, before and after.
fn ways(changes: &[(&str, &str)], tables: &str) -> [String; 2] {
    let scenario = fork(&[&[AT_ONCE], changes].concat(), tables);
    let mut bench = Bench::new(&scenario);
    TIMES.map(|time| {
        let from = bench.answers_from(time, &echo_request(HOSTS[0], 2, 1, 1));
        match from.map(|from| from.to_string()).as_deref() {
            Some("4.0.0.1") => "left".to_owned(),
            Some("62.115.0.1") => "right".to_owned(),
            Some("188.1.0.1") => "no route".to_owned(),
            other => format!("{other:?}"),
        }
    })
}

#[test]
fn a_link_goes_by_any_of_its_names_and_the_other_way_is_taken() {
    for name in ["\"AS680-AS1299\"", "[\"right\", \"edge\"]", "\"edge-right\""] {
        assert_eq!(ways(&[], &event(&format!("lost = {name}"))), ["right", "left"], "{name}");
    }
}

#[test]
fn a_link_comes_by_any_of_its_names_and_was_not_there_before() {
    for name in ["\"AS680-AS1299\"", "[\"edge\", \"right\"]", "\"edge-right\""] {
        assert_eq!(ways(&[], &event(&format!("added = {name}"))), ["left", "right"], "{name}");
    }
}

#[test]
fn a_link_that_is_lost_and_added_again_carries_as_before() {
    let events = event("lost = \"edge-right\"") + &later(20, "added = \"edge-right\"");
    let mut bench = Bench::new(&fork(&[AT_ONCE], &events));
    let mut second = |minute: u32| bench.answers_from(MINUTE * minute, &echo_request(HOSTS[0], 2, 1, 1));
    let [before, meanwhile, after] = [14, 17, 21].map(|minute| second(minute).unwrap().to_string());
    assert_eq!([before, meanwhile, after], ["62.115.0.1", "4.0.0.1", "62.115.0.1"]);
}

#[test]
fn a_link_is_there_while_everything_that_is_said_of_it_holds() {
    // One link by two names: it is back only when both are.
    let events = event("lost = \"edge-right\"")
        + &later(20, "lost = \"AS680-AS1299\"")
        + &later(25, "added = \"edge-right\"")
        + &later(30, "added = \"AS680-AS1299\"");
    let mut bench = Bench::new(&fork(&[AT_ONCE], &events));
    let mut by_right = |minute: u32| {
        let from = bench.answers_from(MINUTE * minute, &echo_request(HOSTS[0], 2, 1, 1));
        from == Some("62.115.0.1".parse().unwrap())
    };
    assert_eq!([14, 16, 21, 26, 31].map(&mut by_right), [true, false, false, false, true]);
}

#[test]
fn a_router_takes_its_links_with_it_and_brings_them_back() {
    assert_eq!(ways(&[], &event("router_down = \"right\"")), ["right", "left"]);
    let events = later(10, "router_down = \"right\"") + &event("router_up = \"right\"");
    assert_eq!(ways(&[], &events), ["left", "right"]);
}

#[test]
fn a_network_can_be_announced_to_some_to_nobody_and_to_all_again() {
    let announce = |to: &str| event(&format!("announce = {{ prefix = \"203.0.113.0/24\"{to} }}"));
    assert_eq!(ways(&[], &announce(", to = [3356]")), ["right", "left"]);
    assert_eq!(ways(&[("network", "announce_to = [3356]")], &announce("")), ["left", "right"]);
    // The block around it is still announced to both.
    assert_eq!(ways(&[("network", "announce_to = [3356]")], &announce(", to = []")), ["left", "right"]);
    let withdrawn = announce(", to = []") + &event("announce = { prefix = \"203.0.112.0/20\", to = [] }");
    assert_eq!(ways(&[], &withdrawn), ["right", "no route"]);
}

#[test]
fn a_relation_that_changes_changes_who_is_preferred_and_who_is_told() {
    // AS680 prefers a customer to a provider.
    assert_eq!(ways(&[], &event("relation = { provider = 680, customer = 3356 }")), ["right", "left"]);
    // A peer is not told of what another peer tells: with AS64500 as a peer of both, AS680 as their customer still is.
    let peers = event("relation = { peers = [1299, 64500] }");
    assert_eq!(ways(&[], &peers), ["right", "right"]);
    // But if AS680 is a peer of AS1299 too, it hears of AS64500 from AS3356 alone.
    let peers = peers + &event("relation = { peers = [680, 1299] }");
    assert_eq!(ways(&[], &peers), ["right", "left"]);
}

#[test]
fn hosts_go_and_come_by_prefix_and_what_was_said_last_holds() {
    let host = "[[host]]\naddresses = [\"203.0.113.20\"]\n";
    let events = event("hosts_down = \"203.0.113.0/24\"")
        + &later(20, "hosts_up = \"203.0.113.20/32\"")
        + &later(25, "hosts_down = \"203.0.113.0/24\"")
        + &later(30, "hosts_up = \"203.0.113.0/24\"");
    let mut bench = Bench::line(&[AT_ONCE], &format!("{host}{events}"));
    let mut up = |minute: u32| {
        [HOSTS[0], "203.0.113.20", HOSTS[1]]
            .map(|host| bench.ask(MINUTE * minute, &echo_request(host, 64, 1, 1)).is_some())
    };
    assert_eq!(up(14), [true, true, true]);
    assert_eq!(up(16), [false, false, true]);
    assert_eq!(up(21), [false, true, true]);
    assert_eq!(up(26), [false, false, true]);
    assert_eq!(up(31), [true, true, true]);
}

#[test]
fn the_rate_of_a_router_can_change_and_fall_away() {
    let events = event("icmp_rate = { router = \"r2\", limit = { per_second = 1, burst = 3 } }")
        + &later(20, "icmp_rate = { router = \"r2\" }");
    let mut bench = Bench::line(&[("r2", "icmp_rate = { per_second = 1, burst = 10 }")], &events);
    let mut answered = |minute: u32| {
        for _ in 0..50 {
            bench.send(MINUTE * minute, &echo_request(HOSTS[0], 2, 1, 1));
        }
        bench.arrivals().len()
    };
    assert_eq!([14, 16, 21].map(&mut answered), [10, 3, 50]);
}

#[test]
fn while_the_uplink_is_down_nothing_leaves_and_nothing_arrives() {
    let forger = "[[forger]]\nper_second = 50\nsays = [\"echo-reply\"]\nfrom = \"198.51.100.0/24\"\n\
                  about = \"203.0.113.0/24\"\n";
    let events = event("uplink = \"down\"") + &later(16, "uplink = \"up\"");
    let down = MINUTE * 15;
    let mut bench = Bench::line(&[], &format!("{forger}{events}"));
    let probe = echo_request(HOSTS[0], 64, 1, 1);
    // The answer to this one would arrive 30 ms too late.
    bench.send(Duration::from_millis(15 * 60_000 - 30), &probe);
    bench.send(down + Duration::from_millis(1), &probe);
    let arrivals = bench.arrivals();
    assert!(arrivals.iter().all(|(at, _)| *at < down), "{:?}", arrivals.last());
    bench.send(MINUTE * 16, &probe);
    assert!(bench.arrivals().iter().any(|(_, packet)| received(packet).from.to_string() == HOSTS[0]));
}

#[test]
fn until_routes_have_converged_packets_vanish_in_the_link_that_is_gone() {
    // Half a second between the ASes: everybody adopts the new routes at a moment of its own within it.
    let changes = [("", "seed = 1\nconvergence = \"500ms\"")];
    let mut fates = Vec::new();
    for seed in 0..20 {
        let scenario = fork(&changes, &event("lost = \"right-far\"")).with_seed(seed);
        let mut bench = Bench::new(&scenario);
        let mut arrives = |millis: u64| {
            let at = Duration::from_millis(14 * 60_000 + millis);
            let probe = echo_request(HOSTS[0], 64, 1, 1);
            bench.ask(at, &probe).is_some_and(|answer| said(&answer) == (0, 0))
        };
        assert!(arrives(59_000), "seed {seed}");
        fates.push([60_050, 60_250].map(&mut arrives));
        assert!(arrives(60_510), "seed {seed}");
    }
    assert!(fates.iter().any(|fate| !fate[0]), "nothing was lost while routes converged");
    assert!(fates.iter().any(|fate| fate[1]), "nobody had converged after half of the time");
}

#[test]
fn routers_that_have_converged_and_others_that_have_not_send_packets_in_circles() {
    // A ring: behind the loss of l34, r3 goes back by r1 and the long way round.
    let ring = "[[link]]\nname = \"l14\"\nbetween = [\"r1\", \"r4\"]\ndelay = \"10ms\"\ncost = 10\n";
    let changes = [("", "seed = 1\nconvergence_inside = \"2s\"")];
    let mut circles = 0;
    for seed in 0..30 {
        let scenario = line(&changes, &format!("{ring}{}", event("lost = \"l34\""))).with_seed(seed);
        let mut bench = Bench::new(&scenario);
        for tenth in 1..20 {
            let answer = bench
                .ask(MINUTE * 15 + Duration::from_millis(100 * tenth), &echo_request(HOSTS[0], 64, 1, 1));
            circles += u32::from(answer.is_some_and(|answer| said(&answer) == (11, 0)));
        }
        let answer =
            bench.ask(MINUTE * 15 + Duration::from_millis(2500), &echo_request(HOSTS[0], 64, 1, 1));
        assert_eq!(answer.map(|answer| said(&answer)), Some((0, 0)), "seed {seed}");
    }
    assert!(circles > 0, "no packet met a loop");
}

#[test]
fn a_router_that_is_cut_off_from_the_best_way_out_of_its_as_takes_the_next_best() {
    // AS680 has two borders; the link to the better one goes, and its session with AS1299 stays.
    let inside = "[[router]]\nname = \"border\"\nas = 680\naddresses = [\"188.1.0.9\"]\n\
                  [[link]]\nname = \"inner\"\nbetween = [\"edge\", \"border\"]\ndelay = \"1ms\"\n\
                  [[link]]\nbetween = [\"border\", \"right\"]\ndelay = \"1ms\"\n";
    let changes = [AT_ONCE, ("Far", "symmetric_replies = true")];
    let events = later(10, "lost = \"edge-right\"") + &event("lost = \"inner\"");
    let mut bench = Bench::new(&fork(&changes, &format!("{inside}{events}")));
    let mut hop = |minute: u32| {
        bench.answers_from(MINUTE * minute, &echo_request(HOSTS[0], 2, 1, 1)).map(|from| from.to_string())
    };
    assert_eq!([5, 12, 16].map(&mut hop).map(Option::unwrap), ["62.115.0.1", "188.1.0.9", "4.0.0.1"]);
    assert!(bench.ask(MINUTE * 17, &echo_request(HOSTS[0], 64, 1, 1)).is_some());
}

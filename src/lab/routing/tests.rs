use std::net::IpAddr;
use std::time::Duration;

use crate::lab::testing::{Bench, HOSTS, echo_request, fork, received, said};
use crate::lab::{Scenario, TrueEnd, Truth};
use crate::model::{Asn, WallTime};

fn truth() -> Truth {
    Truth::new(&Scenario::october_2017().unwrap())
}

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{text}Z")).unwrap()
}

fn paths(truth: &Truth, destination: &str, time: &str) -> Vec<Vec<u32>> {
    let paths = truth.as_paths(destination.parse::<IpAddr>().unwrap(), at(time));
    paths.into_iter().map(|path| path.into_iter().map(Asn::get).collect()).collect()
}

const ALL: [&str; 4] = ["175.45.176.80", "175.45.177.10", "175.45.178.161", "175.45.179.1"];
const BOTH: [&str; 4] = ["175.45.176.80", "175.45.178.161", "175.45.179.1", "2001:df1:4b00::10"];
const BY_UNICOM: [&[u32]; 2] = [&[680, 1299, 4837, 131_279], &[680, 3356, 4837, 131_279]];
const BY_TTK: [&[u32]; 2] = [&[680, 1299, 20485, 131_279], &[680, 3356, 20485, 131_279]];

#[test]
fn before_the_second_line_every_path_crosses_as4837() {
    let truth = truth();
    for destination in ALL.into_iter().chain(["2001:df1:4b00::10", "2001:df1:4b01::10"]) {
        assert_eq!(paths(&truth, destination, "09:07:00"), BY_UNICOM, "{destination}");
    }
}

#[test]
fn with_both_lines_each_upstream_of_the_vantage_uses_another_one() {
    let truth = truth();
    for destination in BOTH {
        let expected = [vec![680, 1299, 20485, 131_279], vec![680, 3356, 4837, 131_279]];
        assert_eq!(paths(&truth, destination, "10:00:00"), expected, "{destination}");
    }
}

#[test]
fn a_network_that_is_announced_over_one_line_never_uses_the_other() {
    let truth = truth();
    for only_unicom in ["175.45.177.10", "2001:df1:4b01::20"] {
        assert_eq!(paths(&truth, only_unicom, "10:00:00"), BY_UNICOM);
        assert!(paths(&truth, only_unicom, "11:30:00").is_empty());
    }
}

#[test]
fn after_the_loss_of_the_first_line_the_others_live_on_the_second() {
    let truth = truth();
    for destination in BOTH {
        assert_eq!(paths(&truth, destination, "11:30:00"), BY_TTK, "{destination}");
    }
}

#[test]
fn control_networks_keep_their_paths_through_it_all() {
    let truth = truth();
    for time in ["07:30:00", "10:00:00", "12:00:00"] {
        let upstreams = |text: &str| truth.upstreams(text.parse().unwrap(), at(time));
        assert_eq!(upstreams("210.52.109.20").into_iter().map(Asn::get).collect::<Vec<_>>(), [4837]);
        assert_eq!(upstreams("77.94.35.20").into_iter().map(Asn::get).collect::<Vec<_>>(), [20485]);
    }
}

#[test]
fn until_routes_have_converged_packets_end_on_the_way_and_then_at_the_first_hop() {
    let truth = truth();
    let probe = crate::lab::testing::echo_request("175.45.177.10", 64, 1, 1);
    let path = |time| truth.path(&probe, at(time)).unwrap();
    let last = |time| path(time).hops.last().unwrap().router.clone();
    assert_eq!(path("11:04:00").end, TrueEnd::Arrived);
    // 400 ms of real time are two minutes here.
    let meanwhile = path("11:05:01");
    assert_ne!(meanwhile.end, TrueEnd::Arrived);
    assert!(meanwhile.hops.len() > 1, "{meanwhile:?}");
    assert_eq!((path("11:08:00").end, last("11:08:00").as_str()), (TrueEnd::NoRoute, "dfn-potsdam"));
}

#[test]
fn the_true_path_names_silent_routers_and_the_owners_of_borrowed_addresses() {
    let truth = truth();
    let mut seen_borrowed = false;
    for id in 0..32 {
        let probe = crate::lab::testing::echo_request("175.45.176.80", 64, id, 1);
        let path = truth.path(&probe, at("08:00:00")).unwrap();
        assert_eq!(path.end, TrueEnd::Arrived);
        assert_eq!(path.hops.len(), 13);
        assert!(path.hops[10..].iter().all(|hop| hop.answers_from.is_none() && hop.asn.get() == 131_279));
        let border = &path.hops[4];
        assert_eq!(border.asn.get(), 4837);
        seen_borrowed |= border.answers_from == Some("4.69.201.34".parse().unwrap());
    }
    assert!(seen_borrowed);
}

/// The October scenario with other events.
fn with_events(events: &str) -> Scenario {
    let text = include_str!("../october_2017.toml");
    let (before, _) = text.split_once("[[event]]").unwrap();
    Scenario::parse("october.toml", &format!("{before}{events}")).unwrap()
}

#[test]
fn a_network_can_be_announced_over_another_line_from_a_moment_on() {
    let truth = Truth::new(&with_events(
        "[[event]]\nat = \"2017-10-01T09:00:00Z\"\nannounce = { prefix = \"175.45.177.0/24\", to = [20485] }\n\
         [[event]]\nat = \"2017-10-01T10:00:00Z\"\nannounce = { prefix = \"175.45.177.0/24\", to = [] }\n",
    ));
    let upstreams = |time| {
        let upstreams = truth.upstreams("175.45.177.10".parse().unwrap(), at(time));
        upstreams.into_iter().map(Asn::get).collect::<Vec<_>>()
    };
    assert_eq!(upstreams("08:59:59"), [4837]);
    assert_eq!(upstreams("09:03:00"), [20485]);
    assert!(upstreams("10:03:00").is_empty());
}

#[test]
fn a_peering_that_becomes_transit_changes_the_way() {
    let truth = Truth::new(&with_events(
        "[[event]]\nat = \"2017-10-01T09:00:00Z\"\nrelation = { provider = 4837, customer = 1299 }\n",
    ));
    // As a customer AS1299 is told the routes that AS4837 has from its own provider, and prefers none of them;
    // but AS4837 now prefers its customer AS1299 to its provider AS3356 on the way back.
    let back = |time| {
        let paths = truth.as_paths("62.115.114.88".parse().unwrap(), at(time));
        paths.into_iter().map(|path| path.into_iter().map(Asn::get).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    assert_eq!(back("08:00:00"), [[680, 1299]]);
    assert_eq!(back("09:03:00"), [[680, 1299]]);
    assert!(!truth.upstreams("175.45.176.80".parse().unwrap(), at("09:03:00")).is_empty());
}

#[test]
fn a_router_that_is_down_takes_its_links_with_it_until_it_is_up_again() {
    let truth = Truth::new(&with_events(
        "[[event]]\nat = \"2017-10-01T08:00:00Z\"\nrouter_down = \"unicom-dandong-1\"\n\
         [[event]]\nat = \"2017-10-01T08:30:00Z\"\nrouter_up = \"unicom-dandong-1\"\n",
    ));
    let end = |time| {
        let probe = crate::lab::testing::echo_request("175.45.177.10", 64, 1, 1);
        truth.path(&probe, at(time)).unwrap().end
    };
    assert_eq!(end("07:59:00"), TrueEnd::Arrived);
    assert_ne!(end("08:10:00"), TrueEnd::Arrived);
    assert_eq!(end("08:33:00"), TrueEnd::Arrived);
}

#[test]
fn while_routes_converge_every_walk_ends() {
    let scenario = with_events(
        "[[event]]\nat = \"2017-10-01T09:00:00Z\"\nlost = \"AS3356-AS4837\"\n\
         [[event]]\nat = \"2017-10-01T09:01:00Z\"\nlost = \"AS1299-AS4837\"\n",
    );
    for seed in 0..40 {
        let truth = Truth::new(&scenario.clone().with_seed(seed));
        for second in 0..200 {
            let time = at("09:00:00").after(std::time::Duration::from_secs(second));
            for id in 0..4 {
                let probe = crate::lab::testing::echo_request("210.52.109.10", 64, id, 1);
                assert!(truth.path(&probe, time).unwrap().hops.len() <= 255);
            }
        }
        let probe = crate::lab::testing::echo_request("210.52.109.10", 64, 1, 1);
        assert_ne!(truth.path(&probe, at("09:04:00")).unwrap().end, TrueEnd::Loop);
    }
}

/// The first router of another AS that answers for an address, asked a second after the start.
fn second_hop(scenario: &Scenario, to: &str) -> IpAddr {
    let answer = Bench::new(scenario).ask(Duration::from_secs(1), &echo_request(to, 2, 1, 1));
    received(&answer.unwrap()).from
}

#[test]
fn where_a_network_is_not_heard_packets_follow_a_shorter_prefix_that_covers_it() {
    let [host, _] = HOSTS;
    let (left, right): (IpAddr, IpAddr) = ("4.0.0.1".parse().unwrap(), "62.115.0.1".parse().unwrap());
    let announced = |to: &str| fork(&[("network", &format!("announce_to = {to}"))], "");
    assert_eq!(second_hop(&announced("[3356]"), host), left);
    // AS1299 is the lower number, and the way of all else.
    assert_eq!(second_hop(&announced("[]"), host), right);
    let answer = Bench::new(&announced("[]")).ask(Duration::ZERO, &echo_request(host, 64, 1, 1)).unwrap();
    assert_eq!((said(&answer), received(&answer).from.to_string()), ((0, 0), host.to_owned()));
    let upstreams =
        |scenario: &Scenario| Truth::new(scenario).upstreams(host.parse().unwrap(), at("08:00:00"));
    assert_eq!(upstreams(&announced("[]")), ["AS1299".parse().unwrap()].into());
    assert_eq!(upstreams(&announced("[3356]")), ["AS3356".parse().unwrap()].into());
}

use std::net::IpAddr;

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
fn until_routes_have_converged_packets_run_into_the_lost_link() {
    let truth = truth();
    let probe = crate::lab::testing::echo_request("175.45.177.10", 64, 1, 1);
    let path = |time| truth.path(&probe, at(time)).unwrap();
    let last = |time| path(time).hops.last().unwrap().router.clone();
    assert_eq!(path("11:04:00").end, TrueEnd::Arrived);
    // 400 ms of real time are two minutes here.
    assert_eq!((path("11:05:01").end, last("11:05:01").as_str()), (TrueEnd::DeadLink, "unicom-dandong-2"));
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

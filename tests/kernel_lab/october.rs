//! October 2017 among Linux routers: the second line comes, and the first one goes, which BGP hears of as it did.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tetherline::lab::{Scenario, Truth};
use tetherline::model::{Asn, Prefix};

use super::campaign::CAMPAIGN;
use super::lab::{Row, ask_all_in, rows};
use super::rib::{self, Paths, Route};
use super::same_hops::{AT_A_TIME, Moment, at, check, traces};

/// Before both events, between them, and after both.
const MOMENTS: [Moment; 3] = [
    Moment {
        at: "08:30:00",
        targets: &[("175.45.176.80", 443), ("175.45.177.10", 443), ("2001:df1:4b00::10", 80)],
    },
    Moment {
        at: "10:00:00",
        targets: &[("175.45.178.161", 23), ("175.45.177.10", 443), ("2001:df1:4b00::10", 80)],
    },
    Moment {
        at: "11:30:00",
        targets: &[("175.45.176.80", 80), ("210.52.109.10", 80), ("2001:df1:4b01::10", 80)],
    },
];
/// Enough to meet three ways, also of half of the flows.
const FLOWS: u16 = 64;
const GATEWAY: &str = "dfn-potsdam";

/// What Linux and BIRD showed at a moment.
struct Seen {
    rows: Vec<Row>,
    routes: Vec<Route>,
    mrt: Paths,
}

/// One lab, taken through both events, for all tests.
fn seen() -> &'static [Seen] {
    static SEEN: OnceLock<Vec<Seen>> = OnceLock::new();
    SEEN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("campaign.toml"), CAMPAIGN).expect("written");
        let script = |(events, moment): (usize, &Moment)| {
            let then = if events > 0 { "lab event\nlab settle\n" } else { "" };
            let dump = format!("lab mrt {GATEWAY} \"$DIR/{events}.mrt\"\n");
            [format!("{then}{dump}lab rib"), traces(moment.targets, FLOWS, AT_A_TIME)]
        };
        let scripts: Vec<String> = MOMENTS.iter().enumerate().flat_map(script).collect();
        let said = ask_all_in(&lossless(folder.path()), folder.path(), &scripts);
        let seen = |(events, said): (usize, &[String])| Seen {
            routes: rib::routes(&said[0]),
            rows: rows(&said[1]),
            mrt: rib::mrt(&fs::read(folder.path().join(format!("{events}.mrt"))).expect("a dump")),
        };
        said.chunks(2).enumerate().map(seen).collect()
    })
}

/// The scenario without its losses: here it is about ways.
fn lossless(folder: &Path) -> String {
    let path = folder.join("october.toml");
    let text = fs::read_to_string("src/lab/october_2017.toml").expect("the scenario");
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("loss")).collect();
    fs::write(&path, kept.join("\n")).expect("written");
    path.display().to_string()
}

fn truth() -> Truth {
    Truth::new(&Scenario::october_2017().expect("the scenario"))
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

/// The neighbours over which the best paths reach a prefix's origin.
fn upstreams(paths: &Paths, prefix: Prefix) -> BTreeSet<u32> {
    let paths = paths.get(&prefix).into_iter().flatten();
    paths.filter_map(|path| path.iter().rev().nth(1).map(|asn| asn.get())).collect()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn the_hops_are_those_of_the_simulator_at_every_moment() {
    for (moment, seen) in MOMENTS.iter().zip(seen()) {
        check(&seen.rows, &truth(), moment);
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn the_second_line_takes_three_of_the_four_networks_and_saves_them_when_the_first_one_goes() {
    let networks = ["175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24"];
    let upstreams = |seen: &Seen| {
        let paths = rib::best_paths(&seen.routes, GATEWAY);
        networks.map(|network| upstreams(&paths, prefix(network)).into_iter().collect::<Vec<_>>())
    };
    let [before, both, after] = seen() else { panic!("three moments") };
    assert_eq!(upstreams(before), [[4837]; 4]);
    assert_eq!(upstreams(both), [vec![4837, 20485], vec![4837], vec![4837, 20485], vec![4837, 20485]]);
    assert_eq!(upstreams(after), [vec![20485], vec![], vec![20485], vec![20485]]);
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn every_as_path_at_the_vantage_is_the_simulators() {
    let truth = truth();
    for (moment, seen) in MOMENTS.iter().zip(seen()) {
        let paths = rib::best_paths(&seen.routes, GATEWAY);
        let known: BTreeSet<&Prefix> = seen.routes.iter().map(|route| &route.prefix).collect();
        for prefix in known {
            let simulator = truth.as_paths_to(*prefix, at(moment.at));
            let bird: BTreeSet<Vec<Asn>> = with_own(paths.get(prefix));
            // Our own prefixes are not heard from others.
            if simulator.iter().all(|path| path.len() > 1) {
                assert_eq!(bird, simulator, "{prefix} at {}", moment.at);
            }
        }
    }
}

/// From the vantage's own AS on.
fn with_own(paths: Option<&BTreeSet<Vec<Asn>>>) -> BTreeSet<Vec<Asn>> {
    let own: Asn = "680".parse().expect("an AS number");
    paths.into_iter().flatten().map(|path| [&[own], path.as_slice()].concat()).collect()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn the_table_can_be_dumped_as_mrt_with_the_same_paths() {
    for seen in seen() {
        let paths = rib::best_paths(&seen.routes, GATEWAY);
        assert!(paths.len() > 10, "{paths:?}");
        assert_eq!(seen.mrt.keys().collect::<Vec<_>>(), paths.keys().collect::<Vec<_>>());
        for (prefix, best) in &paths {
            assert!(seen.mrt[prefix].is_superset(best), "{prefix}: {:?}, but {best:?}", seen.mrt[prefix]);
        }
    }
}

//! Censuses in virtual time, against the truth of the simulated Internet: what they find, what they cost, and that
//! they never make anything up.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use tetherline::analyse::ways::{Censuses, UnitWays};
use tetherline::dataset::{Dataset, Ledger};
use tetherline::lab::{Flows, Scenario, Truth, VirtualInternet};
use tetherline::measure::campaign::{
    Campaign, Circumstances, Rehearsal, RunEnd, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::{MonoTime, Protocol, WallTime};
use tetherline::wire::Sources;

const SMALL: &str = include_str!("scenarios/census.toml");

/// A campaign of one prober; `{}` stands for its table.
const CAMPAIGN: &str = r#"
[campaign]
name = "census"
[vantage]
name = "here"
[rates]
total = 10000
per_unit = 100
per_responder = 100
[[targets]]
prefix = "175.45.176.0/22"
select = "all"
[[targets]]
prefix = "2001:df1:4b00::/48"
hitlist = ["2001:df1:4b00::10"]
per_unit = 40
[[probers]]
name = "p"
every = "1h"
"#;

type Link = (IpAddr, IpAddr);

/// One round of one prober, over.
struct Round {
    _folder: tempfile::TempDir,
    dataset: Dataset,
    at: (WallTime, WallTime),
}

fn measure(scenario: &Scenario, prober: &str) -> Round {
    measure_by(scenario, &format!("{CAMPAIGN}{prober}"))
}

fn measure_by(scenario: &Scenario, file: &str) -> Round {
    let folder = tempfile::tempdir().expect("a folder");
    let campaign = Arc::new(Campaign::parse("probes.toml", file).expect("valid"));
    let internet = VirtualInternet::new(scenario);
    let pair = internet.clock();
    let order = station_order(&campaign, pair.speed()).expect("there are no opt-outs");
    let (engine, codec, key_fingerprint) =
        prepare_virtual(order, campaign.seed, sources(scenario), pair).expect("no target is refused");
    let circumstances = Circumstances {
        started_at: pair.wall(MonoTime::default()),
        key_fingerprint,
        rehearsal: true,
        scenario: None,
        speed: pair.speed(),
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: sources(scenario),
    };
    let mut link = VirtualLink::new(internet, codec, MonoTime::default());
    let dataset = Dataset::create(&folder.path().join("d"), &manifest(&campaign, file, circumstances))
        .expect("created");
    let rehearsal = Rehearsal { campaign: &campaign, engine, link: &mut link, pair, once: true };
    let mut last = pair.wall(MonoTime::default());
    let (dataset, end) = rehearse(rehearsal, dataset, &mut |wall| last = wall).expect("recorded");
    assert_eq!(end, RunEnd::Finished);
    Round { _folder: folder, dataset, at: (pair.wall(MonoTime::default()), last) }
}

fn sources(scenario: &Scenario) -> Sources {
    let mut sources = Sources::default();
    for is_ipv4 in [true, false] {
        match scenario.vantage_address(is_ipv4) {
            Some(IpAddr::V4(address)) => sources.v4 = Some(address),
            Some(IpAddr::V6(address)) => sources.v6 = Some(address),
            None => {}
        }
    }
    sources
}

impl Round {
    fn ledger(&self) -> Ledger {
        let ledger = self.dataset.total_ledger().expect("a ledger");
        assert!(ledger.balances(), "{ledger}");
        ledger
    }

    /// What was found on the ways to each unit.
    fn units(&self) -> Vec<UnitWays> {
        let mut censuses = Censuses::default();
        for round in self.dataset.rounds().expect("readable") {
            let id = round.header.id;
            let asked = self.dataset.asked(id).expect("readable");
            censuses.add_asked(&self.dataset.manifest().vantage, id, &asked);
        }
        for record in self.dataset.records().expect("readable") {
            censuses.add(&record.expect("readable"));
        }
        censuses.finish()
    }

    fn links(&self) -> BTreeSet<Link> {
        let units = self.units();
        units.iter().flat_map(|unit| unit.links.iter().map(|link| (link.from, link.to))).collect()
    }
}

/// All links on the ways to any target, and those of them that lie between routers.
fn truth(
    scenario: &Scenario,
    protocol: Protocol,
    at: (WallTime, WallTime),
) -> (BTreeSet<Link>, BTreeSet<Link>) {
    let campaign = Campaign::parse("probes.toml", &format!("{CAMPAIGN}kind = \"census\"")).expect("valid");
    let truth = Truth::new(scenario);
    let (mut all, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for target in campaign.targets() {
        all.extend(truth.ways_during(&Flows::to(target.address, protocol), at).visible_links());
        targets.insert(target.address);
    }
    let routers = all.iter().copied().filter(|(from, to)| !targets.contains(from) && !targets.contains(to));
    let routers = routers.collect();
    (all, routers)
}

fn small(change: impl Fn(&str) -> String) -> Scenario {
    Scenario::parse("census.toml", &change(SMALL)).expect("valid")
}

#[test]
fn a_census_finds_all_that_lies_on_the_way_to_every_address_in_any_protocol() {
    let scenario = small(str::to_owned);
    for (prober, protocol) in [
        ("kind = \"census\"", Protocol::Icmp),
        ("kind = \"census\"\nprotocol = \"udp\"", Protocol::Udp),
        ("kind = \"census\"\nprotocol = \"tcp\"\nport = 80", Protocol::Tcp),
    ] {
        let round = measure(&scenario, prober);
        let (all, _) = truth(&scenario, protocol, round.at);
        let found = round.links();
        assert_eq!(&found - &all, BTreeSet::new(), "made up, by {protocol:?}");
        assert_eq!(&all - &found, BTreeSet::new(), "missed, by {protocol:?}");
        let v6 = found.iter().filter(|(from, _)| from.is_ipv6()).count();
        assert!(v6 > 10, "{v6} links over IPv6");
        for unit in round.units() {
            assert!(unit.chance_missed <= 0.05, "{}: {}", unit.key.unit, unit.chance_missed);
            assert!(unit.left_open.is_empty());
        }
    }
}

/// Every link loses, duplicates and delays packets.
fn with_hazards(text: &str) -> String {
    let hazards = "delay = \"1ms\"\njitter = \"2ms\"\nloss = 0.0005\nduplicate = 0.01\n\
                   reorder = { probability = 0.01, by = \"20ms\" }";
    text.replace("delay = \"1ms\"", hazards)
}

#[test]
fn with_loss_reordering_and_duplicates_nothing_is_made_up_and_hardly_anything_missed() {
    const SEEDS: u64 = 20;
    let prober = "kind = \"census\"\nevery_address = false";
    let mut whole = 0;
    for seed in 0..SEEDS {
        let scenario = small(with_hazards).with_seed(seed);
        let round = measure(&scenario, prober);
        let (all, routers) = truth(&scenario, Protocol::Icmp, round.at);
        let found = round.links();
        assert_eq!(&found - &all, BTreeSet::new(), "made up, seed {seed}");
        whole += u64::from(found.is_superset(&routers));
    }
    assert!(whole * 100 >= SEEDS * 95, "{whole} of {SEEDS} whole");
}

#[test]
fn behind_a_balancer_that_goes_packet_by_packet_no_link_is_made_up() {
    let name = "name = \"fork\"";
    for seed in 0..10 {
        let per_packet =
            |text: &str| with_hazards(text).replace(name, &format!("{name}\nbalance = \"per-packet\""));
        let scenario = small(per_packet).with_seed(seed);
        let round = measure(&scenario, "kind = \"census\"\nevery_address = false");
        let (all, _) = truth(&scenario, Protocol::Icmp, round.at);
        assert_eq!(&round.links() - &all, BTreeSet::new(), "made up, seed {seed}");
        let told = |unit: &UnitWays| unit.hops.iter().any(|hop| hop.per_packet);
        assert!(round.units().iter().all(told), "not recognised in some unit, seed {seed}");
    }
}

/// Also in memory, in the prober's own tests; this one gives the figures of docs/measurements.md.
#[test]
#[ignore = "takes minutes"]
fn a_census_costs_less_than_a_tenth_of_a_search_for_each_address() {
    let v4 = CAMPAIGN.split("[[targets]]\nprefix = \"2001").next().expect("the head");
    let file = |prober: &str| format!("{v4}[[probers]]\nname = \"p\"\nevery = \"1h\"\n{prober}");
    let scenario = small(str::to_owned);
    let each = measure_by(&scenario, &file("kind = \"multipath\"\nalgorithm = \"mda\"")).ledger().sent;
    let together = measure_by(&scenario, &file("kind = \"census\"\nevery_address = false")).ledger().sent;
    let addresses = measure_by(&scenario, &file("kind = \"census\"")).ledger().sent;
    eprintln!("MDA for each address {each}, census {together}, with every address {addresses}");
    assert!(together * 10 <= each, "{together} and {each}");
}

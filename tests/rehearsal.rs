//! The whole measuring wing in virtual time, against the simulated Internet of October 2017: what a user
//! would lose if probers, engine, guard, packets, lab and dataset did not fit together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use tetherline::dataset::{Dataset, ProbeRecord};
use tetherline::lab::{Scenario, VirtualInternet};
use tetherline::measure::campaign::{
    Campaign, Circumstances, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::{Method, MonoTime, Outcome, ReplyKind, WallTime};
use tetherline::wire::Sources;

const CAMPAIGN: &str = include_str!("../probes.toml");

/// Runs the shipped campaign over the built-in scenario and returns its dataset.
fn rehearsed(folder: &Path) -> Dataset {
    let scenario = Scenario::october_2017().expect("the built-in scenario is valid");
    let mut campaign = Campaign::parse("probes.toml", CAMPAIGN).expect("the shipped file is valid");
    campaign.duration = Some(scenario.duration());
    let campaign = Arc::new(campaign);
    let internet = VirtualInternet::new(&scenario);
    let pair = internet.clock();
    let order = station_order(&campaign, pair.speed()).expect("there are no opt-outs");
    let (engine, codec, key_fingerprint) =
        prepare_virtual(order, campaign.seed, sources(&scenario), pair).expect("no target is refused");
    let circumstances = Circumstances {
        started_at: pair.wall(MonoTime::default()),
        key_fingerprint,
        rehearsal: true,
        speed: pair.speed(),
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: sources(&scenario),
    };
    let dataset = Dataset::create(folder, &manifest(&campaign, CAMPAIGN, circumstances)).expect("created");
    let mut link = VirtualLink::new(internet, codec, MonoTime::default());
    rehearse(&campaign, engine, &mut link, pair, dataset, &mut |_| {}).expect("recorded")
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

fn records(dataset: &Dataset) -> Vec<ProbeRecord> {
    dataset.records().expect("readable").map(|record| record.expect("readable")).collect()
}

#[test]
fn every_round_is_sealed_whole_and_the_ledger_agrees_with_the_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let dataset = rehearsed(&folder.path().join("demo"));
    let ledger = dataset.total_ledger().expect("a ledger");
    let records = records(&dataset);
    eprintln!("{ledger}");
    let mut by: BTreeMap<(String, &str), u64> = BTreeMap::new();
    for r in &records {
        *by.entry((r.prober.to_string(), r.outcome.as_str())).or_default() += 1;
    }
    eprintln!("{by:#?}");
    for r in dataset.rounds().unwrap() {
        eprintln!("{:?} {} {} {:?} {}", r.header.id, r.header.prober, r.header.started_at, r.state, r.rows);
    }
    assert!(ledger.balances());
    assert_eq!(ledger.in_flight, 0);
    let rows = |name: &str| records.iter().filter(|record| record.outcome.as_str() == name).count() as u64;
    assert_eq!(rows("answered"), ledger.answered);
    assert_eq!(rows("late"), ledger.late);
    assert_eq!(rows("silent"), ledger.silent);
    assert_eq!(rows("blocked"), 0, "the campaign is within its own budget");
    assert!(dataset.open_rounds().expect("readable").is_empty());
}

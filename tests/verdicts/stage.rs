//! A campaign over a scenario in virtual time, and what the report finds in it.

use std::net::IpAddr;
use std::sync::Arc;

use tetherline::analyse::compare::Findings;
use tetherline::dataset::Dataset;
use tetherline::lab::{Scenario, VirtualInternet, write_origins};
use tetherline::measure::campaign::{
    Campaign, Circumstances, Rehearsal, RunEnd, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::MonoTime;
use tetherline::report;
use tetherline::wire::Sources;

const ORIGINS: &str = "origins/lab.pfx2as";

/// The findings of a campaign, given as its file, over a scenario. No events are declared.
pub(crate) fn findings(scenario: &Scenario, campaign: &str) -> Findings {
    let folder = tempfile::tempdir().expect("a folder");
    let order =
        Arc::new(Campaign::parse("probes.toml", campaign).unwrap_or_else(|errors| panic!("{errors}")));
    let scenario = &scenario.clone().at_speed(1.0);
    let internet = VirtualInternet::new(scenario);
    let pair = internet.clock();
    let station = station_order(&order, pair.speed()).expect("there are no opt-outs");
    let sources = sources(scenario);
    let (engine, codec, key_fingerprint) =
        prepare_virtual(station, order.seed, sources, pair).expect("no target is refused");
    let circumstances = Circumstances {
        started_at: pair.wall(MonoTime::default()),
        key_fingerprint,
        rehearsal: true,
        scenario: None,
        speed: 1.0,
        origins: vec![ORIGINS.to_owned()],
        as_names: Vec::new(),
        sources,
    };
    let mut table = Vec::new();
    write_origins(scenario, &mut table).expect("written");
    let manifest = manifest(&order, campaign, circumstances);
    let mut dataset = Dataset::create(&folder.path().join("data"), &manifest).expect("created");
    dataset.write_file(ORIGINS, &table).expect("written");
    let mut link = VirtualLink::new(internet, codec, MonoTime::default());
    let rehearsal = Rehearsal { campaign: &order, engine, link: &mut link, pair, once: false };
    let (dataset, end) = rehearse(rehearsal, dataset, &mut |_| {}).expect("recorded");
    assert_eq!(end, RunEnd::Finished);
    report::findings(&dataset, &[]).expect("findings")
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

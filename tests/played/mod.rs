//! A campaign that was played in virtual time over a scenario: the whole measuring wing, without sockets and without
//! waiting for the disk. Included by the suites that judge what came of it.

use std::net::IpAddr;
use std::sync::Arc;

use tetherline::dataset::{Dataset, Disk};
use tetherline::lab::{Scenario, VirtualInternet, write_origins};
use tetherline::measure::campaign::{
    Campaign, Circumstances, Rehearsal, RunEnd, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::{MonoTime, WallTime};
use tetherline::wire::{Codec, Sources};

/// Where the lab's origin table is in a dataset.
pub(crate) const ORIGINS: &str = "origins/lab.pfx2as";

/// A campaign that is over.
pub(crate) struct Played {
    _folder: tempfile::TempDir,
    pub(crate) dataset: Dataset,
    /// When it began and ended, in the scenario's time.
    pub(crate) at: (WallTime, WallTime),
    /// What its packets were written with.
    pub(crate) codec: Codec,
}

/// Plays a campaign, given as its file, over a scenario; `once` for one round of each prober.
pub(crate) fn play(scenario: &Scenario, file: &str, once: bool) -> Played {
    let folder = tempfile::tempdir().expect("a folder");
    let campaign = Campaign::parse("probes.toml", file).unwrap_or_else(|errors| panic!("{errors}"));
    let campaign = Arc::new(campaign);
    let internet = VirtualInternet::new(scenario);
    let pair = internet.clock();
    let order = station_order(&campaign, pair.speed()).expect("there are no opt-outs");
    let sources = sources(scenario);
    let (engine, codec, key_fingerprint) =
        prepare_virtual(order, campaign.seed, sources, pair).expect("no target is refused");
    let started_at = pair.wall(MonoTime::default());
    let circumstances = Circumstances {
        started_at,
        key_fingerprint,
        rehearsal: true,
        scenario: None,
        speed: pair.speed(),
        origins: vec![ORIGINS.to_owned()],
        as_names: Vec::new(),
        sources,
    };
    let manifest = manifest(&campaign, file, circumstances);
    let mut dataset =
        Dataset::create_on(Disk::unhurried(), &folder.path().join("data"), &manifest).expect("created");
    dataset.write_file(ORIGINS, &origins(scenario)).expect("written");
    let mut link = VirtualLink::new(internet, codec.clone(), MonoTime::default());
    let rehearsal = Rehearsal { campaign: &campaign, engine, link: &mut link, pair, once };
    let mut last = started_at;
    let (dataset, end) = rehearse(rehearsal, dataset, &mut |wall| last = wall).expect("recorded");
    assert_eq!(end, RunEnd::Finished);
    Played { _folder: folder, dataset, at: (started_at, last), codec }
}

/// The lab's origin table.
pub(crate) fn origins(scenario: &Scenario) -> Vec<u8> {
    let mut table = Vec::new();
    write_origins(scenario, &mut table).expect("written");
    table
}

/// The vantage's addresses.
pub(crate) fn sources(scenario: &Scenario) -> Sources {
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

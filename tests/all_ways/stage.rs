//! One round in virtual time, and what became of it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use tetherline::analyse::ways::{Censuses, Searches, UnitWays, Ways};
use tetherline::dataset::{Dataset, Disk, Ledger};
use tetherline::lab::{Scenario, VirtualInternet};
use tetherline::measure::campaign::{
    Campaign, Circumstances, Rehearsal, RunEnd, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::{MonoTime, WallTime};
use tetherline::wire::Sources;

pub(crate) type Link = (IpAddr, IpAddr);

/// How many seeds a test plays: so many, times `TETHERLINE_MORE_SEEDS` if that is set.
pub(crate) fn seeds(usual: u64) -> u64 {
    let times = std::env::var("TETHERLINE_MORE_SEEDS").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1)
}

/// One round of one prober, over.
pub(crate) struct Round {
    _folder: tempfile::TempDir,
    pub(crate) dataset: Dataset,
    /// When it began and ended, in the scenario's time.
    pub(crate) at: (WallTime, WallTime),
}

/// Runs a campaign of one prober for one round, in virtual time.
pub(crate) fn measure_by(scenario: &Scenario, file: &str) -> Round {
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
    let manifest = manifest(&campaign, file, circumstances);
    let dataset =
        Dataset::create_on(Disk::unhurried(), &folder.path().join("d"), &manifest).expect("created");
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
    pub(crate) fn ledger(&self) -> Ledger {
        let ledger = self.dataset.total_ledger().expect("a ledger");
        assert!(ledger.balances(), "{ledger}");
        ledger
    }

    /// What was found on the ways to each unit.
    pub(crate) fn units(&self) -> Vec<UnitWays> {
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

    /// What was found on the ways to each target.
    pub(crate) fn searches(&self) -> Vec<Ways> {
        let mut searches = Searches::default();
        for record in self.dataset.records().expect("readable") {
            searches.add(&record.expect("readable"));
        }
        searches.finish()
    }

    /// Links that a census found.
    pub(crate) fn links(&self) -> BTreeSet<Link> {
        let units = self.units();
        units.iter().flat_map(|unit| unit.links.iter().map(|link| (link.from, link.to))).collect()
    }
}

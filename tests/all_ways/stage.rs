//! One round in virtual time, and what became of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use tetherline::analyse::ways::{Censuses, Searches, UnitWays, Ways};
use tetherline::dataset::Ledger;
use tetherline::lab::Scenario;

use crate::played::play;

pub(crate) use crate::played::Played as Round;

pub(crate) type Link = (IpAddr, IpAddr);

/// How many seeds a test plays: so many, times `TETHERLINE_MORE_SEEDS` if that is set.
pub(crate) fn seeds(usual: u64) -> u64 {
    let times = std::env::var("TETHERLINE_MORE_SEEDS").ok().and_then(|times| times.parse().ok());
    usual * times.unwrap_or(1)
}

/// Runs a campaign of one prober for one round, in virtual time.
pub(crate) fn measure_by(scenario: &Scenario, file: &str) -> Round {
    play(scenario, file, true)
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

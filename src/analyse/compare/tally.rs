//! Who was asked and who answered, by unit, endpoint, epoch and round.
//!
//! A share of answers is taken over the endpoints that answered at least once in the campaign by the same
//! method: an address nobody uses says nothing about the line to it. An endpoint is an address, and for TCP
//! an address and a port. An answer that came late is an answer: the target was there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::interval::Share;
use crate::model::{Method, Name, Port, Protocol, RoundId, Unit};

/// A round of a vantage.
pub(super) type RoundKey = (Name, RoundId);

/// Something that answers or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) target: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: Option<Port>,
}

/// A question put to an endpoint: one probe of echo or tcp, or one trace.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) unit: Unit,
    pub(super) endpoint: Endpoint,
    pub(super) round: RoundKey,
    pub(super) epoch: usize,
    pub(super) answered: bool,
}

/// All questions of a campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    units: BTreeMap<Unit, BTreeMap<Endpoint, Cells>>,
}

type Cells = BTreeMap<(RoundKey, usize), Share>;

/// What became of the questions put to one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    /// Of endpoints that ever answered, by epoch and method; `Trace` counts traces that arrived.
    by_method: BTreeMap<(usize, Method), Share>,
    /// Echo and tcp together, of endpoints that ever answered, by round.
    pub(super) by_round: BTreeMap<RoundKey, Share>,
    /// Questions put to any endpoint, by epoch.
    asked: BTreeMap<usize, u64>,
    /// Methods by which anything was asked.
    methods: BTreeSet<Method>,
}

impl Tally {
    pub(super) fn count(&mut self, asked: Asked) {
        let endpoints = self.units.entry(asked.unit).or_default();
        let cells = endpoints.entry(asked.endpoint).or_default();
        let cell = cells.entry((asked.round, asked.epoch)).or_default();
        cell.add(Share { part: u64::from(asked.answered), whole: 1 });
    }

    /// The answers of a unit, with epochs counted from `first_epoch`.
    pub(super) fn of(&self, unit: Unit, first_epoch: usize) -> Answers {
        let mut answers = Answers::default();
        for (endpoint, cells) in self.units.get(&unit).into_iter().flatten() {
            let responsive = cells.values().any(|cell| cell.part > 0);
            for ((round, epoch), cell) in cells {
                let epoch = epoch.saturating_sub(first_epoch);
                answers.add(endpoint.method, (round, epoch), *cell, responsive);
            }
        }
        answers
    }
}

impl Answers {
    fn add(&mut self, method: Method, (round, epoch): (&RoundKey, usize), cell: Share, responsive: bool) {
        self.methods.insert(method);
        let asked = self.asked.entry(epoch).or_default();
        *asked = asked.saturating_add(cell.whole);
        if responsive {
            self.by_method.entry((epoch, method)).or_default().add(cell);
        }
        if method.is_liveness() {
            let round = self.by_round.entry(round.clone()).or_default();
            round.add(if responsive { cell } else { Share::default() });
        }
    }

    /// Of endpoints that ever answered by this method, in this epoch.
    pub(super) fn share(&self, epoch: usize, method: Method) -> Share {
        self.by_method.get(&(epoch, method)).copied().unwrap_or_default()
    }

    /// The same in all other epochs together.
    pub(super) fn elsewhere(&self, epoch: usize, method: Method) -> Share {
        let others = self.by_method.iter().filter(|((other, by), _)| *other != epoch && *by == method);
        let mut sum = Share::default();
        others.for_each(|(_, share)| sum.add(*share));
        sum
    }

    /// Echo and tcp together.
    pub(super) fn probes(&self, epoch: usize) -> Share {
        let mut sum = self.share(epoch, Method::Echo);
        sum.add(self.share(epoch, Method::Tcp));
        sum
    }

    /// Whether anything was asked by this method in the campaign.
    pub(super) fn uses(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }

    /// Questions put to any endpoint in this epoch.
    pub(super) fn asked(&self, epoch: usize) -> u64 {
        self.asked.get(&epoch).copied().unwrap_or_default()
    }
}

impl Share {
    pub(super) fn add(&mut self, other: Self) {
        self.part = self.part.saturating_add(other.part);
        self.whole = self.whole.saturating_add(other.whole);
    }
}

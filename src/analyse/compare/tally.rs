//! Who was asked and who answered, by unit, endpoint, vantage and time.
//!
//! A share of answers is taken over the endpoints that answered at least once in the campaign by the same
//! method: an address nobody uses says nothing about the line to it. An endpoint is an address, and for TCP
//! an address and a port. An answer that came late is an answer: the target was there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::epochs::Epochs;
use super::found::PinnedFlow;
use super::interval::Share;
use super::packed::Traced;
use super::routes::Route;
use super::watch::{Sample, Samples};
use crate::model::{Method, Name, Port, Protocol, RoundId, Unit, WallTime};

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

/// A question put to an endpoint by one probe.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) round: RoundId,
    pub(super) sent: WallTime,
    pub(super) answered: bool,
}

/// All questions of a campaign.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    units: BTreeMap<Unit, BTreeMap<Endpoint, BTreeMap<Name, Vec<Asked>>>>,
    /// What traces asked, those of a round together: a trace is a question, too.
    traced: BTreeMap<Unit, BTreeMap<Endpoint, BTreeMap<Name, Vec<Sample>>>>,
}

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
    pub(super) fn count(&mut self, unit: Unit, endpoint: Endpoint, vantage: &Name, asked: Asked) {
        let by_vantage = self.units.entry(unit).or_default().entry(endpoint).or_default();
        match by_vantage.get_mut(vantage) {
            Some(questions) => questions.push(asked),
            None => drop(by_vantage.insert(vantage.clone(), vec![asked])),
        }
    }

    /// Counts a trace, which must come behind those of the rounds before.
    pub(super) fn count_trace(&mut self, traced: Traced<'_>) {
        let Some((_, last)) = traced.sent() else { return };
        let endpoint = Endpoint::traced(traced.flow());
        let answered = traced.arrival().is_some();
        let at = if answered { traced.heard() } else { last };
        let sample = endpoint.sample(traced.round(), at, answered);
        let by_vantage = self.traced.entry(traced.shown().unit).or_default().entry(endpoint).or_default();
        let samples = match by_vantage.get_mut(traced.vantage()) {
            Some(samples) => samples,
            None => by_vantage.entry(traced.vantage().clone()).or_default(),
        };
        match samples.last_mut().filter(|before| before.round == sample.round) {
            Some(before) => before.join(&sample),
            None => samples.push(sample),
        }
    }

    /// The answers of a unit by epoch; `routes` are those of its traces that lie within one.
    pub(super) fn of<'a>(
        &self,
        unit: Unit,
        epochs: &Epochs,
        routes: impl Iterator<Item = Route<'a>>,
    ) -> Answers {
        let mut answers = Answers::default();
        for (endpoint, by_vantage) in self.units.get(&unit).into_iter().flatten() {
            let responsive = ever_answered(by_vantage);
            for (vantage, asked) in
                by_vantage.iter().flat_map(|(name, all)| all.iter().map(move |asked| (name, asked)))
            {
                let epoch = epochs.of(asked.sent);
                answers.add((endpoint.method, epoch), asked.answered, responsive);
                answers.add_to_round((vantage, asked.round), asked.answered, responsive);
            }
        }
        let traced = self.traced.get(&unit);
        let responsive: BTreeMap<&Endpoint, bool> = traced
            .into_iter()
            .flatten()
            .map(|(endpoint, by_vantage)| (endpoint, any(by_vantage)))
            .collect();
        for route in routes {
            let responsive = responsive.get(&Endpoint::traced(route.flow())).copied().unwrap_or(false);
            answers.add((Method::Trace, route.epoch), route.arrival().is_some(), responsive);
        }
        answers
    }

    /// What was asked of endpoints that ever answered, round by round, in the order of time. A unit that was asked, but
    /// where nothing ever answered, has an empty list.
    pub(super) fn samples(&self) -> Samples {
        let mut samples = Samples::new();
        for (unit, endpoints) in &self.units {
            for (endpoint, by_vantage) in endpoints {
                let responsive = ever_answered(by_vantage);
                for (vantage, asked) in by_vantage {
                    let list = samples.entry((*unit, vantage.clone())).or_default();
                    list.extend(if responsive { by_round(endpoint, asked) } else { Vec::new() });
                }
            }
        }
        for (unit, endpoints) in &self.traced {
            for by_vantage in endpoints.values() {
                let responsive = any(by_vantage);
                for (vantage, of_vantage) in by_vantage {
                    let list = samples.entry((*unit, vantage.clone())).or_default();
                    list.extend(of_vantage.iter().filter(|_| responsive));
                }
            }
        }
        for list in samples.values_mut() {
            list.sort_unstable();
        }
        samples
    }
}

/// One sample a round.
fn by_round(endpoint: &Endpoint, asked: &[Asked]) -> Vec<Sample> {
    let mut rounds: BTreeMap<RoundId, Sample> = BTreeMap::new();
    for asked in asked {
        let next = endpoint.sample(asked.round, asked.sent, asked.answered);
        rounds.entry(asked.round).and_modify(|sample| sample.join(&next)).or_insert(next);
    }
    rounds.into_values().collect()
}

fn ever_answered(by_vantage: &BTreeMap<Name, Vec<Asked>>) -> bool {
    by_vantage.values().flatten().any(|asked| asked.answered)
}

/// The same of traces.
fn any(by_vantage: &BTreeMap<Name, Vec<Sample>>) -> bool {
    by_vantage.values().flatten().any(|sample| sample.answered)
}

impl Endpoint {
    /// What traces of a flow ask.
    fn traced(flow: &PinnedFlow) -> Self {
        Self { method: Method::Trace, target: flow.target, protocol: flow.protocol, port: flow.port }
    }

    /// One question put to it, for which the probe of that time speaks.
    fn sample(&self, round: RoundId, at: WallTime, answered: bool) -> Sample {
        let Self { method, target, .. } = *self;
        Sample { first: at, last: at, round, method, target, answered, asked: 1 }
    }
}

impl Sample {
    /// Takes another question of the same round in. Answers speak louder than silence.
    fn join(&mut self, other: &Self) {
        let asked = self.asked.saturating_add(other.asked);
        if self.answered == other.answered {
            self.first = self.first.min(other.first);
            self.last = self.last.max(other.last);
        } else if other.answered {
            *self = *other;
        }
        self.asked = asked;
    }
}

impl Answers {
    fn add(&mut self, (method, epoch): (Method, usize), answered: bool, responsive: bool) {
        self.methods.insert(method);
        let asked = self.asked.entry(epoch).or_default();
        *asked = asked.saturating_add(1);
        if responsive {
            let cell = Share { part: u64::from(answered), whole: 1 };
            self.by_method.entry((epoch, method)).or_default().add(cell);
        }
    }

    fn add_to_round(&mut self, (vantage, round): (&Name, RoundId), answered: bool, responsive: bool) {
        let round = self.by_round.entry((vantage.clone(), round)).or_default();
        if responsive {
            round.add(Share { part: u64::from(answered), whole: 1 });
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

    /// All that ask the target itself together.
    pub(super) fn probes(&self, epoch: usize) -> Share {
        let mut sum = Share::default();
        for method in Method::LIVENESS {
            sum.add(self.share(epoch, method));
        }
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

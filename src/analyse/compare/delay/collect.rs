//! Gathers round-trip times while records stream past. What is kept of a round that is over is one number for each target
//! and each link.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::points::{self, OfTarget};
use super::{DelaySeries, DelaySubject};
use crate::analyse::path::{Hop, Trace};
use crate::dataset::ProbeRecord;
use crate::model::{Keyed, Method, Name, Outcome, RoundId, WallTime};

/// One answer, or the two of a link.
#[derive(Clone, Copy, Debug)]
struct Sample {
    round: RoundId,
    at: WallTime,
    milliseconds: f64,
}

/// What one target gave in one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) round: RoundId,
    /// When its first answered probe was sent.
    pub(super) at: WallTime,
    /// The median, in milliseconds.
    pub(super) median: f64,
    pub(super) samples: u64,
}

/// Round-trip times of a campaign.
#[derive(Debug, Default)]
pub(in super::super) struct Delays {
    vantages: BTreeMap<Name, OfVantage>,
}

/// Those that one vantage measured.
#[derive(Debug, Default)]
struct OfVantage {
    /// The number of each subject and target; the target of a link is its far end.
    numbers: Keyed<(DelaySubject, IpAddr), usize>,
    /// By number, samples of rounds that may not be over, and what is kept of those that are.
    open: Vec<Vec<Sample>>,
    closed: Vec<Vec<Reading>>,
    /// Numbers with samples.
    fresh: Vec<usize>,
}

impl OfVantage {
    fn add(&mut self, subject: DelaySubject, target: IpAddr, sample: Sample) {
        let next = self.open.len();
        let number = *self.numbers.entry((subject, target)).or_insert(next);
        if number == next {
            self.open.push(Vec::new());
            self.closed.push(Vec::new());
        }
        let Some(open) = self.open.get_mut(number) else { return };
        if open.is_empty() {
            self.fresh.push(number);
        }
        open.push(sample);
    }

    fn close(&mut self) {
        for number in self.fresh.drain(..) {
            let Some((open, closed)) = self.open.get_mut(number).zip(self.closed.get_mut(number)) else {
                continue;
            };
            open.sort_unstable_by_key(|sample| sample.round);
            closed.extend(open.chunk_by(|one, other| one.round == other.round).filter_map(reading));
            open.clear();
        }
    }

    /// The targets of each subject.
    fn finish(mut self) -> BTreeMap<DelaySubject, Vec<OfTarget>> {
        let mut subjects: BTreeMap<DelaySubject, Vec<OfTarget>> = BTreeMap::new();
        for ((subject, _), number) in self.numbers {
            let readings = self.closed.get_mut(number).map(std::mem::take).unwrap_or_default();
            subjects.entry(subject).or_default().push(readings);
        }
        subjects
    }
}

/// What samples of one round come to.
fn reading(samples: &[Sample]) -> Option<Reading> {
    let values: Vec<f64> = samples.iter().map(|sample| sample.milliseconds).collect();
    let at = samples.iter().map(|sample| sample.at).min()?;
    let samples_number = super::super::unit::count(samples.len());
    let round = samples.first()?.round;
    Some(Reading { round, at, median: points::median(&values)?, samples: samples_number })
}

impl Delays {
    /// Takes in an answer of a target to a probe that asked whether it answers. Late ones count: to leave them out
    /// would shorten what is long.
    pub(in super::super) fn add(&mut self, record: &ProbeRecord) {
        let (Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt }) = &record.outcome else {
            return;
        };
        let Some((at, span)) = record.sent_at.zip(rtt.comparable()) else { return };
        if reply.from != record.probe.target || !reply.kind.arrived(true) {
            return;
        }
        let sample = Sample { round: record.probe.round, at, milliseconds: milliseconds(span) };
        let subject = DelaySubject::Unit(record.unit, record.method);
        self.of(&record.vantage).add(subject, record.probe.target, sample);
    }

    /// Takes in a trace that is whole: how long its target took, and what each link added.
    pub(in super::super) fn add_trace(&mut self, trace: &Trace) {
        let Some((at, _)) = trace.sent else { return };
        let (of_vantage, round) = (self.of(&trace.key.vantage), trace.key.round);
        let mut push = |subject, target, milliseconds| {
            of_vantage.add(subject, target, Sample { round, at, milliseconds });
        };
        if let Some(span) = trace.rtt {
            push(DelaySubject::Unit(trace.unit, Method::Trace), trace.key.target, milliseconds(span));
        }
        for (near, far) in trace.hops.iter().zip(trace.hops.iter().skip(1)) {
            if let Some((one, other)) = shortest(near).zip(shortest(far))
                && near.ttl.get().checked_add(1) == Some(far.ttl.get())
                && one.0 != other.0
            {
                push(
                    DelaySubject::Link(one.0, other.0),
                    other.0,
                    milliseconds(other.1) - milliseconds(one.1),
                );
            }
        }
    }

    fn of(&mut self, vantage: &Name) -> &mut OfVantage {
        self.vantages.entry(vantage.clone()).or_default()
    }

    /// Takes what came for whole: of each round and target the median is kept.
    pub(in super::super) fn close(&mut self) {
        self.vantages.values_mut().for_each(OfVantage::close);
    }

    /// All series, in the order of vantages and subjects.
    pub(super) fn finish(mut self) -> Vec<DelaySeries> {
        self.close();
        let of_vantage = |(vantage, of): (Name, OfVantage)| {
            let series = move |(subject, targets): (DelaySubject, Vec<OfTarget>)| DelaySeries {
                vantage: vantage.clone(),
                subject,
                points: points::points(&targets),
            };
            of.finish().into_iter().map(series)
        };
        self.vantages.into_iter().flat_map(of_vantage).collect()
    }
}

/// The router of a hop with its shortest time; `None` if none or several answered.
fn shortest(hop: &Hop) -> Option<(IpAddr, Duration)> {
    let from = hop.answers.first()?.from;
    let one = hop.answers.iter().all(|answer| answer.from == from);
    let span = hop.answers.iter().filter_map(|answer| answer.rtt.comparable()).min()?;
    one.then_some((from, span))
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}

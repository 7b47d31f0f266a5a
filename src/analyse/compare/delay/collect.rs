//! Gathers round-trip times while records stream past. What is kept of a round that is over is one number for each target
//! and each link.

use std::net::IpAddr;
use std::time::Duration;

use super::points;
use super::{DelaySeries, DelaySubject};
use crate::analyse::path::{Hop, Trace};
use crate::dataset::ProbeRecord;
use crate::model::{Keyed, Method, Name, Outcome, RoundId, WallTime};

/// One answer, or the two of a link.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// The number of the series.
    series: usize,
    round: RoundId,
    /// Whose answer it is; of a link, its far end.
    target: IpAddr,
    at: WallTime,
    milliseconds: f64,
}

/// What one target gave in one round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) target: IpAddr,
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
    /// Of rounds that may not be over.
    open: Vec<Sample>,
    /// The number of each series.
    numbers: Keyed<(Name, DelaySubject), usize>,
    /// By number, what is kept of rounds that are over.
    closed: Vec<Vec<Reading>>,
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
        let series = self.series(&record.vantage, DelaySubject::Unit(record.unit, record.method));
        self.open.push(Sample {
            series,
            round: record.probe.round,
            target: record.probe.target,
            at,
            milliseconds: milliseconds(span),
        });
    }

    /// Takes in a trace that is whole: how long its target took, and what each link added.
    pub(in super::super) fn add_trace(&mut self, trace: &Trace) {
        let Some((at, _)) = trace.sent else { return };
        let mut push = |subject, target, milliseconds| {
            let (series, round) = (self.series(&trace.key.vantage, subject), trace.key.round);
            self.open.push(Sample { series, round, target, at, milliseconds });
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

    fn series(&mut self, vantage: &Name, subject: DelaySubject) -> usize {
        let next = self.numbers.len();
        *self.numbers.entry((vantage.clone(), subject)).or_insert(next)
    }

    /// Takes what came for whole: of each round and target the median is kept.
    pub(in super::super) fn close(&mut self) {
        let order = |one: &Sample, other: &Sample| {
            let key = |of: &Sample| (of.series, of.round, of.target, of.at);
            key(one).cmp(&key(other)).then(one.milliseconds.total_cmp(&other.milliseconds))
        };
        self.open.sort_unstable_by(order);
        let same = |one: &Sample, other: &Sample| {
            (one.series, one.round, one.target) == (other.series, other.round, other.target)
        };
        self.closed.resize(self.numbers.len(), Vec::new());
        for samples in self.open.chunk_by(same) {
            let Some(first) = samples.first() else { continue };
            let values: Vec<f64> = samples.iter().map(|sample| sample.milliseconds).collect();
            let Some(median) = points::median(&values) else { continue };
            let (round, target, at) = (first.round, first.target, first.at);
            let samples = super::super::unit::count(samples.len());
            if let Some(readings) = self.closed.get_mut(first.series) {
                readings.push(Reading { target, round, at, median, samples });
            }
        }
        self.open.clear();
    }

    /// All series, in the order of vantages and subjects.
    pub(super) fn finish(mut self) -> Vec<DelaySeries> {
        self.close();
        let mut numbers: Vec<((Name, DelaySubject), usize)> = self.numbers.into_iter().collect();
        numbers.sort_unstable();
        let series = |((vantage, subject), number): (_, usize)| {
            let points =
                self.closed.get(number).map(|readings| points::points(readings)).unwrap_or_default();
            DelaySeries { vantage, subject, points }
        };
        numbers.into_iter().map(series).collect()
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

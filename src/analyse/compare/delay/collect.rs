//! Gathers round-trip times while records stream past. What is kept of a round that is over is one number for each target
//! and each link.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::points;
use super::{DelaySeries, DelaySubject};
use crate::analyse::path::{Hop, Trace};
use crate::dataset::ProbeRecord;
use crate::model::{Method, Name, Outcome, RoundId, WallTime};

/// One answer, or the two of a link.
#[derive(Clone, Debug)]
struct Sample {
    vantage: Name,
    subject: DelaySubject,
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
    closed: BTreeMap<(Name, DelaySubject), Vec<Reading>>,
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
        self.open.push(Sample {
            vantage: record.vantage.clone(),
            subject: DelaySubject::Unit(record.unit, record.method),
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
            let (vantage, round) = (trace.key.vantage.clone(), trace.key.round);
            self.open.push(Sample { vantage, subject, round, target, at, milliseconds });
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

    /// Takes what came for whole: of each round and target the median is kept.
    pub(in super::super) fn close(&mut self) {
        let order = |one: &Sample, other: &Sample| {
            let key = |of: &Sample| (of.round, of.target, of.at);
            (&one.vantage, &one.subject, key(one))
                .cmp(&(&other.vantage, &other.subject, key(other)))
                .then(one.milliseconds.total_cmp(&other.milliseconds))
        };
        self.open.sort_unstable_by(order);
        let same = |one: &Sample, other: &Sample| {
            (one.round, one.target) == (other.round, other.target)
                && one.subject == other.subject
                && one.vantage == other.vantage
        };
        for samples in self.open.chunk_by(same) {
            let Some(first) = samples.first() else { continue };
            let values: Vec<f64> = samples.iter().map(|sample| sample.milliseconds).collect();
            let Some(median) = points::median(&values) else { continue };
            let (round, target, at) = (first.round, first.target, first.at);
            let samples = super::super::unit::count(samples.len());
            let series = self.closed.entry((first.vantage.clone(), first.subject.clone())).or_default();
            series.push(Reading { target, round, at, median, samples });
        }
        self.open.clear();
    }

    /// All series, in the order of vantages and subjects.
    pub(super) fn finish(mut self) -> Vec<DelaySeries> {
        self.close();
        let series = |((vantage, subject), readings): (_, Vec<Reading>)| {
            let points = points::points(&readings);
            DelaySeries { vantage, subject, points }
        };
        self.closed.into_iter().map(series).collect()
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

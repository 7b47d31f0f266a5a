//! Stretches in which nobody answered, what is believed at their end, and how likely chance alone is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::interval::{Level, Share, float};
use super::super::unit::count;
use super::belief::{Belief, State};
use crate::model::{Method, RoundId, WallTime};

/// What a round asked of an address that answers now and then, by one method, and whether it ever answered.
///
/// All probes and flows of a round to one address are one sample: what happens to one of them often happens to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct Sample {
    /// When the first and the last probe were sent that speak for it: the answered ones if there are any. Of a trace
    /// that did not arrive its last probe speaks.
    pub(in super::super) first: WallTime,
    pub(in super::super) last: WallTime,
    pub(in super::super) round: RoundId,
    pub(in super::super) method: Method,
    pub(in super::super) target: IpAddr,
    pub(in super::super) answered: bool,
    /// Probes and traces.
    pub(in super::super) asked: u64,
}

/// A stretch without an answer in which the belief falls to down.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// The last answer before it, and the first behind it, where there are any.
    pub(super) last_up: Option<WallTime>,
    pub(super) first_up: Option<WallTime>,
    /// The first and the last probe that nobody answered.
    pub(super) first_silent: WallTime,
    pub(super) last_silent: WallTime,
    /// By then it had begun, and after that it ended: so many silent samples in a row are no chance at the level of the
    /// report, whereas the very first and the very last may be.
    pub(super) begun_by: WallTime,
    pub(super) ended_after: WallTime,
    pub(super) rounds: (RoundId, RoundId),
    /// Whether nobody answered anything that some round asked.
    pub(super) whole_round: bool,
    pub(super) probes: u64,
    pub(super) targets: BTreeSet<IpAddr>,
    /// How many such stretches chance alone would show in the whole campaign, if samples were independent.
    pub(super) expected: f64,
}

/// How often addresses answer while any answers at all, and the silences.
#[derive(Clone, Debug, Default)]
pub(super) struct Judged {
    /// By method the lower end of the interval of the share.
    pub(super) availability: BTreeMap<Method, f64>,
    pub(super) silences: Vec<Silence>,
}

/// Passes until availability and silences agree; more are never needed in practice.
const PASSES: usize = 4;

impl Silence {
    /// Whether chance is ruled out, at so many silences expected by it: the samples are too many, and all of one round and some of another, since losses within
    /// a round come together, and one row of them at the end of a round may meet another at the begin of the next.
    pub(super) fn is_sure(&self, chance: f64) -> bool {
        self.expected < chance && self.rounds.0 != self.rounds.1 && self.whole_round
    }

    pub(super) fn holds(&self, at: WallTime) -> bool {
        self.first_silent <= at && at <= self.last_silent
    }
}

/// The silences among samples, which are in the order of time. The availability is taken from outside the silences that
/// it brings out; the first pass takes it from everywhere, and so is the most cautious.
pub(super) fn judge(samples: &[Sample], level: Level, doubt: f64) -> Judged {
    let mut judged = Judged::default();
    for pass in 0..PASSES {
        let availability = availability(samples, &judged.silences, level);
        let silences = silences(samples, &availability, doubt);
        let settled = pass > 0 && silences.len() == judged.silences.len();
        judged = Judged { availability, silences };
        if settled {
            break;
        }
    }
    judged
}

fn availability(samples: &[Sample], silences: &[Silence], level: Level) -> BTreeMap<Method, f64> {
    let mut shares: BTreeMap<Method, Share> = BTreeMap::new();
    for sample in samples {
        if !silences.iter().any(|silence| silence.holds(sample.last)) {
            let share = Share { part: u64::from(sample.answered), whole: 1 };
            shares.entry(sample.method).or_default().add(share);
        }
    }
    let low = |(method, share)| Some((method, level.wilson(share)?.low));
    shares.into_iter().filter_map(low).collect()
}

fn silences(samples: &[Sample], availability: &BTreeMap<Method, f64>, doubt: f64) -> Vec<Silence> {
    let of = |sample: &Sample| availability.get(&sample.method).copied().unwrap_or(0.0);
    let asked = by_round(samples);
    let mut found = Vec::new();
    let mut last_up = None;
    let mut runs = samples.chunk_by(|one, other| one.answered == other.answered).peekable();
    while let Some(run) = runs.next() {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        if first.answered {
            last_up = run.iter().map(|sample| sample.last).max();
            continue;
        }
        let end = run.iter().fold(Belief::START, |belief, sample| belief.after(false, of(sample)));
        if end.state() == State::Down {
            let chance = run.iter().map(|sample| 1.0 - of(sample)).product::<f64>();
            found.push(Silence {
                last_up,
                first_up: runs.peek().and_then(|next| next.first()).map(|sample| sample.first),
                first_silent: first.first,
                last_silent: run.iter().map(|sample| sample.last).max().unwrap_or(last.last),
                begun_by: sure(run.iter(), doubt, of).map_or(last.last, |sample| sample.last),
                ended_after: sure(run.iter().rev(), doubt, of).map_or(first.first, |sample| sample.first),
                rounds: (first.round, last.round),
                whole_round: by_round(run).iter().any(|(round, silent)| asked.get(round) == Some(silent)),
                probes: run.iter().fold(0, |sum, sample| sum.saturating_add(sample.asked)),
                targets: run.iter().map(|sample| sample.target).collect(),
                expected: chance * float(count(samples.len())),
            });
        }
    }
    found
}

/// How many samples each round took.
fn by_round(samples: &[Sample]) -> BTreeMap<RoundId, u64> {
    let mut rounds: BTreeMap<RoundId, u64> = BTreeMap::new();
    for sample in samples {
        let taken = rounds.entry(sample.round).or_default();
        *taken = taken.saturating_add(1);
    }
    rounds
}

/// The sample with which a row of silent ones is no chance any more.
fn sure<'a>(
    run: impl Iterator<Item = &'a Sample>,
    doubt: f64,
    availability: impl Fn(&Sample) -> f64,
) -> Option<&'a Sample> {
    let mut chance = 1.0;
    for sample in run {
        chance *= 1.0 - availability(sample);
        if chance < doubt {
            return Some(sample);
        }
    }
    None
}

//! Reachability over time: outages of a unit as a vantage saw them, and when the vantage itself was unwell.
//!
//! An outage is a stretch in which none of the addresses that answer now and then did, so long that Trinocular's
//! belief falls to *down*. It began after the last answer before it, and ended before the first behind it. Four things
//! must be ruled out before it is called down:
//!
//! - **Chance.** So many silent samples are expected less than once in a thousand campaigns, and they are all of one
//!   round and some of another; or the traces of that time, of which most usually come as far as the upstream, all do not.
//! - **The vantage.** Where there are control targets, one of them must have answered between the first silent probe
//!   and the last; what was asked while all controls were silent counts for nothing.
//! - **The hosts.** That fewer than three addresses fell silent may be their own trouble, unless the traces of that time
//!   show it too: none came as far as the upstream any more.
//! - **Too little to go by.** A unit where nothing ever answers, or too rarely, is not observable.

mod belief;
mod silence;

use std::collections::{BTreeMap, BTreeSet};

use self::silence::{Judged, Silence, judge};
use super::findings::{Outage, OutageState, PathThen, Trouble, Watch, Watched};
use super::interval::{Level, Share};
use super::routes::{Route, Routes};
use super::unit::count;
use crate::model::{Method, Name, Unit, WallTime};

pub(super) use self::silence::Sample;

/// What each vantage asked of each unit, of addresses that ever answered, in the order of time.
pub(super) type Samples = BTreeMap<(Unit, Name), Vec<Sample>>;

/// Fewer addresses than this may fall silent by themselves.
const ENOUGH_ADDRESSES: usize = 3;
/// Below this share of answers Trinocular judges no block.
const RAREST: f64 = 0.1;

/// All that is to be watched.
pub(super) struct Watcher<'a> {
    pub(super) samples: &'a Samples,
    /// Whether each unit is a control.
    pub(super) controls: &'a BTreeMap<Unit, bool>,
    pub(super) routes: &'a Routes<'a>,
    pub(super) level: Level,
    pub(super) confidence: f64,
    /// From so many silences that are expected by chance on, and from this probability on that no trace came as far as
    /// the upstream, it may have been chance.
    pub(super) chance: f64,
}

impl Watcher<'_> {
    /// When each vantage was unwell: all of its control targets were silent, for too long for chance.
    pub(super) fn troubles(&self) -> Vec<Trouble> {
        let mut by_vantage: BTreeMap<&Name, Vec<Sample>> = BTreeMap::new();
        for ((unit, vantage), samples) in self.samples {
            if self.is_control(*unit) {
                by_vantage.entry(vantage).or_default().extend(samples);
            }
        }
        let troubles = by_vantage.into_iter().flat_map(|(vantage, mut samples)| {
            samples.sort_unstable();
            let trouble = |silence: Silence| Trouble {
                vantage: vantage.clone(),
                last_well: silence.last_up,
                first_silent: silence.first_silent,
                last_silent: silence.last_silent,
                first_well: silence.first_up,
                probes: silence.probes,
            };
            let silences =
                self.judge(&samples).silences.into_iter().filter(|silence| silence.is_sure(self.chance));
            silences.map(trouble).collect::<Vec<_>>()
        });
        troubles.collect()
    }

    /// What each vantage saw of a unit.
    pub(super) fn watches(&self, unit: Unit, troubles: &[Trouble]) -> Vec<Watch> {
        let of_unit = self.samples.iter().filter(|((of, _), _)| *of == unit);
        of_unit.map(|((_, vantage), samples)| self.watch(unit, vantage, samples, troubles)).collect()
    }

    fn judge(&self, samples: &[Sample]) -> Judged {
        judge(samples, self.level, 1.0 - self.confidence)
    }

    fn is_control(&self, unit: Unit) -> bool {
        self.controls.get(&unit).copied().unwrap_or(false)
    }

    fn watch(&self, unit: Unit, vantage: &Name, samples: &[Sample], troubles: &[Trouble]) -> Watch {
        let unwell: Vec<&Trouble> = troubles
            .iter()
            .filter(|trouble| trouble.vantage == *vantage && !self.is_control(unit))
            .collect();
        let counts =
            |sample: &&Sample| sample.answered || !unwell.iter().any(|trouble| trouble.covers(sample.last));
        let heeded: Vec<Sample> = samples.iter().filter(counts).copied().collect();
        let judged = self.judge(&heeded);
        let addresses: BTreeSet<_> = samples.iter().map(|sample| sample.target).collect();
        let availability = judged.availability.values().copied().reduce(f64::max);
        let watched = match availability {
            None => Watched::NothingAnswers,
            Some(share) if share <= RAREST => Watched::TooRarely,
            Some(_) => Watched::Judged,
        };
        let believed = judged.silences.iter().filter(|_| watched == Watched::Judged);
        let outages = believed.filter_map(|silence| self.outage(unit, vantage, silence));
        Watch {
            vantage: vantage.clone(),
            addresses: count(addresses.len()),
            availability,
            watched,
            outages: outages.collect(),
            silent_methods: self.silent_methods(samples, &judged),
        }
    }

    /// What a silence comes to; `None` if it may be chance.
    fn outage(&self, unit: Unit, vantage: &Name, silence: &Silence) -> Option<Outage> {
        let path = self.path_then(unit, vantage, silence);
        if !silence.is_sure(self.chance) && path != PathThen::Cut {
            return None;
        }
        let inside = |at: WallTime| silence.first_silent < at && at < silence.last_silent;
        let then = |sample: &&Sample| inside(sample.first) || inside(sample.last);
        // An answer at the edge of it alone speaks of a vantage whose own line had just come back, or was about to go: by
        // chance, probes beside that may be lost. So the answer must have come in the midst, or, where nothing was asked
        // then, one before and one after.
        let amidst =
            |sample: &&Sample| silence.begun_by <= sample.last && sample.first <= silence.ended_after;
        let speaks_for_it = |samples: &[Sample]| {
            let answered = || samples.iter().filter(then).filter(|sample| sample.answered);
            if samples.iter().any(|sample| amidst(&sample)) {
                return answered().any(|sample| amidst(&sample));
            }
            answered().any(|sample| sample.last < silence.begun_by)
                && answered().any(|sample| silence.ended_after < sample.first)
        };
        let controlled = !self.is_control(unit)
            && self.samples.keys().any(|(of, from)| self.is_control(*of) && from == vantage);
        let vouched = self.samples.iter().any(|((of, from), samples)| {
            *of != unit && self.is_control(*of) == controlled && from == vantage && speaks_for_it(samples)
        });
        let hosts = path == PathThen::Cut
            || (silence.targets.len() >= ENOUGH_ADDRESSES && path != PathThen::AsBefore);
        let seen_up = self.samples.iter().filter(|((of, from), samples)| {
            *of == unit && from != vantage && samples.iter().filter(then).any(|sample| sample.answered)
        });
        Some(Outage {
            last_up: silence.last_up,
            begun_by: silence.begun_by,
            ended_after: silence.ended_after,
            first_up: silence.first_up,
            silent: (silence.first_silent, silence.last_silent),
            rounds: silence.rounds,
            probes: silence.probes,
            addresses: count(silence.targets.len()),
            state: match (vouched, hosts) {
                (false, _) => OutageState::VantageUnsure,
                (true, false) => OutageState::HostsUnsure,
                (true, true) => OutageState::Down,
            },
            path,
            controlled,
            seen_up_from: seen_up.map(|((_, from), _)| from.clone()).collect(),
        })
    }

    /// What the traces showed while nobody answered, beside what they showed before and after.
    fn path_then(&self, unit: Unit, vantage: &Name, silence: &Silence) -> PathThen {
        let of_unit = || self.routes.of_unit(unit).filter(|route| route.vantage() == vantage);
        let inside =
            |route: &Route<'_>| silence.first_silent <= route.sent.0 && route.sent.1 <= silence.last_silent;
        let during: Vec<Route<'_>> = of_unit().filter(inside).collect();
        let entered = |route: &Route<'_>| route.upstream().is_ok_and(|upstream| upstream.seen_entering);
        if during.iter().any(entered) {
            return PathThen::AsBefore;
        }
        let mut usual = Share::default();
        let elsewhere = of_unit().filter(|route| !inside(route));
        elsewhere
            .for_each(|route| usual.add(Share { part: u64::from(route.upstream().is_ok()), whole: 1 }));
        let told = self.level.wilson(usual).map_or(0.0, |share| share.low);
        let chance = (1.0 - told).powf(super::interval::float(count(during.len())));
        let none = during.iter().all(|route| route.upstream().is_err());
        if none && chance < self.chance { PathThen::Cut } else { PathThen::NotTold }
    }

    /// Methods that were silent while others were answered: a filter or a rate limit, and no outage.
    fn silent_methods(&self, samples: &[Sample], all: &Judged) -> Vec<(Method, WallTime, WallTime)> {
        let mut found = Vec::new();
        for method in Method::REACHING {
            let of_method: Vec<Sample> =
                samples.iter().filter(|sample| sample.method == method).copied().collect();
            for silence in
                self.judge(&of_method).silences.into_iter().filter(|silence| silence.is_sure(self.chance))
            {
                let answered = |sample: &Sample| {
                    sample.answered
                        && silence.begun_by <= sample.first
                        && sample.last <= silence.ended_after
                };
                let outage = all.silences.iter().any(|outage| silence.holds(outage.first_silent));
                if samples.iter().any(answered) && !outage {
                    found.push((method, silence.first_silent, silence.last_silent));
                }
            }
        }
        found
    }
}

impl Trouble {
    /// Whether what was asked then may have come to nothing because of the vantage.
    pub(super) fn covers(&self, at: WallTime) -> bool {
        self.last_well.is_none_or(|well| well < at) && self.first_well.is_none_or(|well| at < well)
    }
}

#[cfg(test)]
mod tests;

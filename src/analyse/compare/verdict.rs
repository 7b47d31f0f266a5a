//! What the numbers of a unit come to, in plain sentences with their conditions.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{self, through};
use super::epochs::Epochs;
use super::findings::{Epoch, Reach, UnitEpoch};
use super::interval::Share;
use super::routes::Route;
use super::unit::{Scale, UnitView};
use crate::analyse::path::NoUpstream;
use crate::model::{Asn, Method, WallTime};

/// All that a verdict on one unit rests on.
pub(super) struct Verdict<'a> {
    pub(super) view: &'a UnitView<'a>,
    pub(super) by_epoch: &'a [UnitEpoch],
    pub(super) scale: &'a Scale<'a>,
    /// Epochs in which the vantage itself was in trouble.
    pub(super) suspended: &'a BTreeSet<usize>,
    /// Whether the campaign has control units.
    pub(super) controlled: bool,
}

/// An epoch beside the one before it.
struct Step<'a> {
    epoch: usize,
    before: &'a UnitEpoch,
    after: &'a UnitEpoch,
    /// `after link AS20485-AS131279 was added`.
    when: String,
}

impl Verdict<'_> {
    /// The sentences; at least one.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        sentences.extend(self.unobservable());
        sentences.extend(self.at_first());
        let pairs = self.by_epoch.iter().zip(self.by_epoch.iter().skip(1)).zip(1_usize..);
        for ((before, after), epoch) in pairs {
            let step = Step { epoch, before, after, when: when(self.scale.epochs, epoch) };
            sentences.extend(self.of_step(&step));
        }
        sentences.extend(self.left_out());
        sentences
    }

    fn unobservable(&self) -> Option<String> {
        let answered =
            |epoch: usize| METHODS.iter().any(|method| self.view.answers.share(epoch, *method).part > 0);
        let asked = (0..self.by_epoch.len())
            .fold(0_u64, |sum, epoch| sum.saturating_add(self.view.answers.asked(epoch)));
        let ever = (0..self.by_epoch.len()).any(answered);
        (asked > 0 && !ever).then(|| {
            format!("reachability cannot be judged: nothing there answers (0 of {asked} probes and traces)")
        })
    }

    /// How things stood in the first epoch.
    fn at_first(&self) -> Option<String> {
        let first = self.by_epoch.first()?;
        if self.suspended.contains(&0) {
            return Some(trouble("at first"));
        }
        let only = if self.by_epoch.len() == 1 { "" } else { "at first " };
        let reach = match first.reach {
            Reach::Reachable => format!("{only}reachable"),
            Reach::Unreachable => format!("{only}unreachable: {}", self.counts(0)),
            Reach::NotMeasured => return Some(format!("{only}not measured: no probe was sent")),
            Reach::NotObservable => format!("{only}not observable"),
        };
        Some(format!("{reach}; {}", self.way(first, 0)))
    }

    /// Through whom, and who cannot be spared.
    fn way(&self, found: &UnitEpoch, epoch: usize) -> String {
        if found.traced == 0 {
            return "no path was traced".to_owned();
        }
        if found.upstreams.is_empty() {
            return format!("no upstream can be told: the traces end {}", self.why_untold(epoch));
        }
        let through = list(found.upstreams.iter().map(|share| share.upstream));
        let points = match found.single_points.as_slice() {
            [] => "no AS on the way is on every path".to_owned(),
            [one] => format!("{one} is on every path"),
            points => format!("{} are on every path", list(points.iter().copied())),
        };
        format!("upstream {through}{}; {points}", inferred(found))
    }

    fn of_step(&self, step: &Step<'_>) -> Vec<String> {
        if self.suspended.contains(&step.epoch) {
            return vec![trouble(&step.when)];
        }
        let mut sentences = Vec::new();
        sentences.extend(self.reach_changed(step));
        if self.suspended.contains(&step.epoch.saturating_sub(1)) {
            return sentences;
        }
        if step.before.traced > 0 && step.after.traced > 0 {
            sentences.extend(self.upstreams_changed(step));
            sentences.extend(points_changed(step));
        }
        sentences
    }

    fn reach_changed(&self, step: &Step<'_>) -> Option<String> {
        let (when, epoch) = (&step.when, step.epoch);
        let counts = || format!("{}, was {}", self.counts(epoch), self.counts(epoch.saturating_sub(1)));
        match (step.before.reach, step.after.reach) {
            (_, Reach::NotMeasured) => Some(format!("not measured {when}: no probe was sent")),
            (Reach::Reachable, Reach::Unreachable) => {
                let unsure = if self.controlled {
                    ""
                } else {
                    "; no control targets were probed, so trouble at the vantage is not ruled out"
                };
                Some(format!("cut off {when}: {}{unsure}", counts()))
            }
            (Reach::NotObservable | Reach::NotMeasured, Reach::Unreachable) => {
                Some(format!("unreachable {when}: {}", self.counts(epoch)))
            }
            (Reach::Unreachable, Reach::Reachable) => Some(format!("answers again {when}: {}", counts())),
            (Reach::NotObservable | Reach::NotMeasured, Reach::Reachable) => {
                Some(format!("reachable {when}: {}", self.counts(epoch)))
            }
            (Reach::Reachable | Reach::Unreachable, Reach::NotObservable) => Some(format!(
                "reachability cannot be judged {when}: too few probes to tell silence from loss"
            )),
            (Reach::Reachable, Reach::Reachable) => self.answers_changed(step),
            _ => None,
        }
    }

    /// More or fewer answers than chance explains, in a unit that stayed reachable.
    fn answers_changed(&self, step: &Step<'_>) -> Option<String> {
        let answers = &self.view.answers;
        let (before, after) = (answers.probes(step.epoch.saturating_sub(1)), answers.probes(step.epoch));
        let difference = self.scale.level.difference(before, after)?;
        let how = if difference.low > 0.0 {
            "more"
        } else if difference.high < 0.0 {
            "less"
        } else {
            return None;
        };
        Some(format!(
            "answered {how} often {}: {}, was {} ({} points, {} to {})",
            step.when,
            self.counts(step.epoch),
            self.counts(step.epoch.saturating_sub(1)),
            points(difference.value),
            points(difference.low),
            points(difference.high),
        ))
    }

    fn upstreams_changed(&self, step: &Step<'_>) -> Vec<String> {
        match (change::told(step.before) > 0, change::told(step.after) > 0) {
            (_, false) => {
                let why = self.why_untold(step.epoch);
                vec![format!("no upstream can be told {}: the traces end {why}", step.when)]
            }
            (false, true) => vec![format!("{}: {}", step.when, self.way(step.after, step.epoch))],
            (true, true) => {
                let (before, after) = (upstreams(step.before), upstreams(step.after));
                let all: BTreeSet<Asn> = before.union(&after).copied().collect();
                let changed: Vec<String> =
                    all.into_iter().filter_map(|asn| self.upstream_changed(step, asn)).collect();
                if changed.is_empty() {
                    let through = list(step.after.upstreams.iter().map(|share| share.upstream));
                    return vec![format!(
                        "upstream unchanged {}: {through}{}",
                        step.when,
                        inferred(step.after)
                    )];
                }
                changed
            }
        }
    }

    fn upstream_changed(&self, step: &Step<'_>, asn: Asn) -> Option<String> {
        let (before, after) = (through(step.before, asn), through(step.after, asn));
        let difference = self.scale.level.difference(before, after)?;
        let certain = difference.low > 0.0 || difference.high < 0.0;
        let flows = format!("{} flows before, {} after", of(before), of(after));
        let numbers = format!(
            "{flows}, a difference of {} points ({} to {})",
            points(difference.value),
            points(difference.low),
            points(difference.high)
        );
        if !certain {
            let news = before.part == 0 || after.part == 0;
            return news
                .then(|| format!("{asn} carried {flows} {}: too few to tell from chance", step.when));
        }
        Some(match (before.part, after.part) {
            (0, _) => format!("{}{}: {numbers}", gained(step, asn), self.between_gain(step.epoch, asn)),
            (_, 0) => format!("lost upstream {asn}{}: {numbers}", self.between_loss(step.epoch, asn)),
            _ => format!("the share of upstream {asn} changed {}: {numbers}", step.when),
        })
    }

    /// Between the last trace that did not come through a new upstream and the first that did.
    fn between_gain(&self, epoch: usize, asn: Asn) -> String {
        let first = self.told().filter(|(route, up)| route.epoch == epoch && *up == asn).map(at).min();
        let last = first.and_then(|first| self.told().map(at).filter(|at| *at < first).max());
        between(last, first)
    }

    /// Between the last trace through a lost upstream and the first one behind it.
    fn between_loss(&self, epoch: usize, asn: Asn) -> String {
        let last = self.told().filter(|(route, up)| route.epoch < epoch && *up == asn).map(at).max();
        let first = last.and_then(|last| self.told().map(at).filter(|at| *at > last).min());
        between(last, first)
    }

    fn told(&self) -> impl Iterator<Item = (&Route, Asn)> {
        self.view.routes.iter().filter_map(|route| Some((*route, route.upstream.ok()?.asn)))
    }

    /// The commonest reasons why the upstream cannot be told, each with its number of traces.
    fn why_untold(&self, epoch: usize) -> String {
        let mut reasons: BTreeMap<NoUpstream, u64> = BTreeMap::new();
        for route in self.view.routes.iter().filter(|route| route.epoch == epoch) {
            if let Err(reason) = route.upstream {
                let count = reasons.entry(reason).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut reasons: Vec<(NoUpstream, u64)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        let shown = reasons.iter().take(3).map(|(reason, count)| format!("{reason} ({count})"));
        shown.collect::<Vec<_>>().join(", or ")
    }

    /// `0 of 15 probes answered`; of traces where no probes of echo or tcp can tell.
    fn counts(&self, epoch: usize) -> String {
        let probes = self.view.answers.probes(epoch);
        if probes.whole > 0 {
            return format!("{} probes answered", of(probes));
        }
        format!("{} traces arrived", of(self.view.answers.share(epoch, Method::Trace)))
    }

    fn left_out(&self) -> Option<String> {
        match self.view.straddling {
            0 => None,
            1 => Some("1 trace with probes on both sides of an event is left out".to_owned()),
            more => Some(format!("{more} traces with probes on both sides of an event are left out")),
        }
    }
}

const METHODS: [Method; 3] = [Method::Echo, Method::Tcp, Method::Trace];

fn trouble(when: &str) -> String {
    format!("not judged {when}: the control targets did not answer either, so the vantage was in trouble")
}

fn at((route, _): (&Route, Asn)) -> WallTime {
    route.at
}

/// `gained a second upstream, AS20485,` or `moved to upstream AS20485` where none was kept.
fn gained(step: &Step<'_>, asn: Asn) -> String {
    let kept = upstreams(step.before).intersection(&upstreams(step.after)).count();
    match (kept, step.after.upstreams.len()) {
        (0, _) => format!("moved to upstream {asn}"),
        (_, 2) => format!("gained a second upstream, {asn},"),
        (_, 3) => format!("gained a third upstream, {asn},"),
        _ => format!("gained upstream {asn}"),
    }
}

/// Which ASes came onto every path, and which are on every path no longer.
fn points_changed(step: &Step<'_>) -> Vec<String> {
    if step.before.as_disjoint.is_none() || step.after.as_disjoint.is_none() {
        return Vec::new();
    }
    let lost = step.before.single_points.iter().filter(|asn| !step.after.single_points.contains(asn));
    let new = step.after.single_points.iter().filter(|asn| !step.before.single_points.contains(asn));
    let lost = lost.map(|asn| format!("{asn} is no longer on every path {}", step.when));
    lost.chain(new.map(|asn| format!("{asn} is now on every path {}", step.when))).collect()
}

fn upstreams(found: &UnitEpoch) -> BTreeSet<Asn> {
    found.upstreams.iter().map(|share| share.upstream).collect()
}

/// The condition under which an upstream is told that nobody was seen to leave towards the origin.
fn inferred(found: &UnitEpoch) -> &'static str {
    if found.upstreams.iter().any(|share| share.seen_entering > 0) {
        ""
    } else {
        " (inferred: the traces fall silent behind it)"
    }
}

/// `after link AS20485-AS131279 was added`.
fn when(epochs: &Epochs, epoch: usize) -> String {
    let events = epochs.as_slice().get(epoch).map(|Epoch { opened_by, .. }| opened_by.as_slice());
    let words = |event: &crate::model::Event| format!("link {} was {}", event.link, event.change.as_str());
    let words: Vec<String> = events.unwrap_or_default().iter().map(words).collect();
    format!("after {}", words.join(" and "))
}

fn between(last: Option<WallTime>, first: Option<WallTime>) -> String {
    match (last, first) {
        (Some(last), Some(first)) => format!(" between {last} and {first}"),
        (None, Some(first)) => format!(" by {first}"),
        (Some(last), None) => format!(" after {last}"),
        (None, None) => String::new(),
    }
}

fn list(asns: impl Iterator<Item = Asn>) -> String {
    asns.map(|asn| asn.to_string()).collect::<Vec<_>>().join(" and ")
}

fn of(share: Share) -> String {
    format!("{} of {}", share.part, share.whole)
}

/// A difference of shares in points of a hundred, with its sign.
fn points(difference: f64) -> String {
    format!("{:+.0}", difference * 100.0)
}

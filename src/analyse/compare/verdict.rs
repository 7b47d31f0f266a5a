//! What the numbers of a unit come to, in plain sentences with their conditions.

mod delays;
mod found;
mod links;
mod outages;

use std::collections::{BTreeMap, BTreeSet};

use super::change::{self, through};
use super::delay::DelayChange;
use super::findings::{Epoch, Estimate, FoundChange, FoundLink, Outage, Reach, UnitEpoch};
use super::interval::Share;
use super::moment::{self, Bracket, Turn};
use super::number;
use super::unit::{Scale, UnitView};
use crate::analyse::path::NoUpstream;
use crate::model::{AsLink, Asn, Event, LinkChange, Method};

/// All that a verdict on one unit rests on.
pub(super) struct Verdict<'a> {
    pub(super) view: &'a UnitView<'a>,
    pub(super) by_epoch: &'a [UnitEpoch],
    pub(super) scale: &'a Scale<'a>,
    /// Epochs in which the vantage itself was in trouble.
    pub(super) suspended: &'a BTreeSet<usize>,
    /// Whether the campaign has control units.
    pub(super) controlled: bool,
    /// What was found to have changed for the unit.
    pub(super) found: &'a [&'a FoundChange],
    /// Links between addresses that were found to have changed, of all units.
    pub(super) links: &'a [FoundLink],
    /// What was found to have changed of round-trip times, to all units.
    pub(super) delays: &'a [DelayChange],
}

/// An epoch beside the one before it.
struct Step<'a> {
    epoch: usize,
    before: &'a UnitEpoch,
    after: &'a UnitEpoch,
    /// `after link AS20485-AS131279 was added`.
    when: String,
}

/// How much a sentence weighs; the heaviest comes first, and those of one weight in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Whether the unit can be reached, or not judged for the vantage's trouble.
    Reach,
    /// Upstreams gained and lost.
    Upstream,
    /// What else changed.
    Lesser,
    /// What cannot be judged in the whole campaign.
    Unjudged,
    /// How things stood at first.
    Start,
    /// What stayed as it was.
    Unchanged,
    /// What was left out.
    Remark,
}

type Weighed = (Weight, String);

impl Verdict<'_> {
    /// The sentences, the most important first; at least one.
    pub(super) fn sentences(&self) -> Vec<String> {
        let mut sentences: Vec<Weighed> = Vec::new();
        sentences.extend(self.unobservable().map(|text| (Weight::Unjudged, text)));
        sentences.extend(self.at_first().map(|text| (Weight::Start, text)));
        let pairs = self.by_epoch.iter().zip(self.by_epoch.iter().skip(1)).zip(1_usize..);
        for ((before, after), epoch) in pairs {
            let step = Step { epoch, before, after, when: self.when(epoch) };
            sentences.extend(self.of_step(&step));
        }
        sentences.extend(outages::sentences(self.view));
        let links = links::sentences(self.view.unit, self.links);
        sentences.extend(links.into_iter().map(|text| (Weight::Lesser, text)));
        let delays = delays::sentences(self.view.unit, self.delays);
        sentences.extend(delays.into_iter().map(|text| (Weight::Lesser, text)));
        sentences.extend(self.left_out().map(|text| (Weight::Remark, text)));
        sentences.sort_by_key(|(weight, _)| *weight);
        sentences.into_iter().map(|(_, text)| text).collect()
    }

    fn unobservable(&self) -> Option<String> {
        let asked = (0..self.by_epoch.len())
            .fold(0_u64, |sum, epoch| sum.saturating_add(self.view.answers.asked(epoch)));
        (asked > 0 && !self.ever_answered()).then(|| {
            let asked = number::count(asked);
            let path = if self.inferred() {
                "; what is said of the path is inferred, since the traces fall silent behind the upstream"
            } else {
                ""
            };
            format!("reachability cannot be judged: nothing there answers (0 of {asked} probes and traces){path}")
        })
    }

    fn ever_answered(&self) -> bool {
        let answered = |epoch: usize| {
            Method::REACHING.iter().any(|method| self.view.answers.share(epoch, *method).part > 0)
        };
        (0..self.by_epoch.len()).any(answered)
    }

    /// How things stood in the first epoch.
    fn at_first(&self) -> Option<String> {
        let first = self.by_epoch.first()?;
        if self.suspended.contains(&0) {
            return Some(trouble("at first"));
        }
        let only = if self.by_epoch.len() == 1 { "" } else { "at first " };
        let reach = match first.reach {
            Reach::Reachable => format!("{only}reachable, "),
            Reach::Unreachable => format!("{only}unreachable ({}), ", self.counts(0)),
            Reach::NotMeasured => return Some(format!("{only}not measured: no probe was sent")),
            Reach::NotObservable if !self.ever_answered() => only.to_owned(),
            Reach::NotObservable => format!("{only}not observable, "),
        };
        Some(format!("{reach}{}", self.way(first, 0)))
    }

    /// Through whom, and who cannot be spared.
    fn way(&self, found: &UnitEpoch, epoch: usize) -> String {
        if found.traced == 0 {
            return "not traced".to_owned();
        }
        if found.upstreams.is_empty() {
            return format!("no upstream can be told: the traces end {}", self.why_untold(epoch));
        }
        let through = list(found.upstreams.iter().map(|share| share.upstream));
        let alone = if found.upstreams.len() == 1 { " alone" } else { "" };
        let told: BTreeSet<Asn> = upstreams(found);
        let (near, far): (Vec<Asn>, Vec<Asn>) =
            found.single_points.iter().partition(|asn| told.contains(asn));
        let points = match (near.is_empty(), far.as_slice()) {
            _ if found.as_disjoint.is_none() => String::new(),
            (true, []) => "; no AS on the way is on every path".to_owned(),
            (false, []) => ", which is on every path".to_owned(),
            (true, [one]) => format!("; {one} is on every path"),
            (true, far) => format!("; {} are on every path", list(far.iter().copied())),
            (false, far) => format!(", which is on every path with {}", list(far.iter().copied())),
        };
        let inferred = if self.ever_answered() && inferred(found) {
            " (inferred, since the traces fall silent behind it)"
        } else {
            ""
        };
        format!("through {through}{alone}{points}{inferred}")
    }

    fn of_step(&self, step: &Step<'_>) -> Vec<Weighed> {
        if self.suspended.contains(&step.epoch) {
            return vec![(Weight::Reach, trouble(&step.when))];
        }
        let mut sentences = Vec::new();
        sentences.extend(self.reach_changed(step));
        if self.suspended.contains(&step.epoch.saturating_sub(1)) {
            return sentences;
        }
        let found = self.found_at(step.epoch);
        if found.is_empty() && !self.is_declared(step.epoch) {
            sentences.retain(|(weight, _)| *weight == Weight::Reach);
            return sentences;
        }
        if step.before.traced > 0 && step.after.traced > 0 {
            sentences.extend(self.upstreams_changed(step));
        }
        if !sentences.iter().any(|(weight, _)| *weight == Weight::Upstream) {
            sentences.extend(found::sentence(&found).map(|text| (Weight::Lesser, text)));
        }
        sentences
    }

    fn is_declared(&self, epoch: usize) -> bool {
        self.scale.epochs.as_slice().get(epoch).is_some_and(|epoch| !epoch.opened_by.is_empty())
    }

    /// What was found to have changed for this unit when an epoch began.
    fn found_at(&self, epoch: usize) -> Vec<&FoundChange> {
        let Some(start) = self.scale.epochs.as_slice().get(epoch).map(|epoch| epoch.start) else {
            return Vec::new();
        };
        let here = |found: &&FoundChange| found.cut == start || (found.from <= start && start <= found.to);
        self.found.iter().copied().filter(here).collect()
    }

    /// `after link AS20485-AS131279 was added`. Of what was found, the links of the unit's own network, if there are any.
    fn when(&self, epoch: usize) -> String {
        let Some(Epoch { opened_by, found, .. }) = self.scale.epochs.as_slice().get(epoch) else {
            return String::new();
        };
        let words = |(change, link): &(LinkChange, AsLink)| format!("link {link} was {}", change.as_str());
        let declared: Vec<_> = opened_by.iter().map(|event| (event.change, event.link)).collect();
        let own = |(_, link): &&(LinkChange, AsLink)| {
            self.view.origin.is_some_and(|origin| link.other_end(origin).is_some())
        };
        let near: Vec<_> = found.iter().filter(own).copied().collect();
        let told =
            [declared, near, found.clone()].into_iter().find(|links| !links.is_empty()).unwrap_or_default();
        let mut words: Vec<String> = told.iter().take(MOST_LINKS).map(words).collect();
        let more = told.len().saturating_sub(MOST_LINKS);
        words.extend((more > 0).then(|| format!("{more} other links changed")));
        format!("after {}", words.join(" and "))
    }

    fn reach_changed(&self, step: &Step<'_>) -> Option<Weighed> {
        let (when, epoch) = (&step.when, step.epoch);
        let counts = || format!("{}{}", self.counts(epoch), self.was(epoch));
        let sentence = match (step.before.reach, step.after.reach) {
            (_, Reach::NotMeasured) => format!("not measured {when}: no probe was sent"),
            (Reach::Reachable, Reach::Unreachable) => {
                let unsure = if self.controlled {
                    ""
                } else {
                    "; no control targets were probed, so trouble at the vantage is not ruled out"
                };
                format!("cut off {when}: {}{unsure}", counts())
            }
            (Reach::NotObservable | Reach::NotMeasured, Reach::Unreachable) => {
                format!("unreachable {when}: {}", self.counts(epoch))
            }
            (Reach::Unreachable, Reach::Reachable) => format!("answers again {when}: {}", counts()),
            (Reach::NotObservable | Reach::NotMeasured, Reach::Reachable) => {
                format!("reachable {when}: {}", self.counts(epoch))
            }
            (Reach::Reachable | Reach::Unreachable, Reach::NotObservable) => {
                format!("reachability cannot be judged {when}: too few probes to tell silence from loss")
            }
            (Reach::Reachable, Reach::Reachable) => {
                return self.answers_changed(step).map(|text| (Weight::Lesser, text));
            }
            _ => return None,
        };
        Some((Weight::Reach, sentence))
    }

    /// More or fewer answers than chance explains, in a unit that stayed reachable. Outages are told by themselves.
    fn answers_changed(&self, step: &Step<'_>) -> Option<String> {
        let epochs = self.scale.epochs;
        let here = [step.epoch.saturating_sub(1), step.epoch];
        let away = |outage: &Outage| here.contains(&epochs.of(outage.begun_by));
        if self.view.watches.iter().flat_map(|watch| &watch.outages).any(away) {
            return None;
        }
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
            "answered {how} often {}: {}{}",
            step.when,
            self.counts(step.epoch),
            self.was(step.epoch)
        ))
    }

    fn upstreams_changed(&self, step: &Step<'_>) -> Vec<Weighed> {
        match (change::told(step.before) > 0, change::told(step.after) > 0) {
            (false, false) => Vec::new(),
            (true, false) => {
                let was = list(upstreams(step.before).into_iter());
                let why = self.why_untold(step.epoch);
                let text =
                    format!("no upstream can be told {}, was {was}: the traces end {why}", step.when);
                vec![(Weight::Upstream, text)]
            }
            (false, true) => {
                vec![(Weight::Upstream, format!("{} {}", step.when, self.way(step.after, step.epoch)))]
            }
            (true, true) => self.shares_changed(step),
        }
    }

    /// Upstreams gained and lost, with who is on every path since. The shares of the others follow from that,
    /// and are told only where none was gained or lost.
    fn shares_changed(&self, step: &Step<'_>) -> Vec<Weighed> {
        let (before, after) = (upstreams(step.before), upstreams(step.after));
        let sentences = |asns: Vec<Asn>| -> Vec<Weighed> {
            asns.into_iter().filter_map(|asn| self.upstream_changed(step, asn)).collect()
        };
        let mut changed = sentences(after.difference(&before).copied().collect());
        changed.extend(sentences(before.difference(&after).copied().collect()));
        if changed.is_empty() {
            changed = sentences(after.intersection(&before).copied().collect());
        }
        let points = points_changed(step);
        match changed.iter_mut().rfind(|(weight, _)| *weight == Weight::Upstream) {
            _ if points.is_empty() => {}
            Some((_, sentence)) => *sentence = format!("{sentence}; {points}"),
            None => changed.push((Weight::Lesser, format!("{points} {}", step.when))),
        }
        if changed.is_empty() {
            let through = list(step.after.upstreams.iter().map(|share| share.upstream));
            changed.push((Weight::Unchanged, format!("upstream unchanged {}: {through}", step.when)));
        }
        changed
    }

    fn upstream_changed(&self, step: &Step<'_>, asn: Asn) -> Option<Weighed> {
        let difference = change::of_upstream(step.before, step.after, asn)?;
        let (before, after) = (through(step.before, asn), through(step.after, asn));
        let certain = difference.low > 0.0 || difference.high < 0.0;
        let traces = format!("{} traces, was {}", of(after), of(before));
        let numbers = format!("{traces}{}", points(difference));
        if !certain {
            let news = before.part == 0 || after.part == 0;
            let few = || format!("{asn} carried {traces} {}: too few to tell from chance", step.when);
            return news.then(|| (Weight::Lesser, few()));
        }
        let upstream = |what: String, turn| {
            let moment = self.moment(step, (turn, asn));
            (Weight::Upstream, format!("{what}{moment}: {numbers}"))
        };
        Some(match (before.part, after.part) {
            (0, _) => upstream(gained(step, asn), Turn::Gained),
            (_, 0) => upstream(format!("lost upstream {asn}"), Turn::Lost),
            _ => (Weight::Lesser, format!("the share of upstream {asn} changed {}: {numbers}", step.when)),
        })
    }

    /// ` between 2017-10-01 08:23:41 and 09:20:00 UTC (declared: 09:07:51)`, or only after which event where no
    /// flow was traced before and after.
    fn moment(&self, step: &Step<'_>, (turn, asn): (Turn, Asn)) -> String {
        let bracket = self.found_bracket(step, (turn, asn));
        let bracket = bracket.or_else(|| moment::bracket(self.view.routes(), (turn, asn), step.epoch));
        let Some(bracket) = bracket else {
            return format!(" {}", step.when);
        };
        let span = number::bracket((bracket.from, bracket.to));
        let unlike = if bracket.at_once { "" } else { ", not all flows at one moment" };
        format!(" between {span}{}{unlike}", self.declared(step, (turn, asn), &bracket))
    }

    /// The bracket that the flows of all units together gave, where that is how the change was found.
    fn found_bracket(&self, step: &Step<'_>, (turn, asn): (Turn, Asn)) -> Option<Bracket> {
        let is_it = |found: &&FoundChange| {
            found.change == turn.change() && found.link.0 == asn && Some(found.link.1) == self.view.origin
        };
        let found = self.found_at(step.epoch).into_iter().find(is_it)?;
        Some(Bracket { from: found.from, to: found.to, at_once: found.at_once })
    }

    /// The event that was declared for this change, and whether it lies within what was measured.
    fn declared(&self, step: &Step<'_>, (turn, asn): (Turn, Asn), bracket: &Bracket) -> String {
        let of_this =
            |event: &&Event| event.change == turn.change() && event.link.other_end(asn) == self.view.origin;
        let events = self.scale.epochs.as_slice().get(step.epoch).map(|epoch| epoch.opened_by.as_slice());
        let event = events.unwrap_or_default().iter().find(of_this);
        let event = event.or_else(|| self.declared_elsewhere(step, of_this));
        let event = event.filter(|_| self.view.origin.is_some());
        event.map_or_else(String::new, |event| {
            let inside = bracket.from <= event.at && event.at <= bracket.to;
            let outside = if inside { "" } else { ", which lies outside" };
            let (from, to) = (number::date_and_time(bracket.from).0, number::date_and_time(bracket.to).0);
            let (date, time) = number::date_and_time(event.at);
            let at = if from == to && to == date { time } else { format!("{date} {time}") };
            format!(" (declared: {at}{outside})")
        })
    }

    /// The event next in time that was declared for a change that was found at another time, if no other change of any
    /// link was found or declared between the two.
    fn declared_elsewhere(&self, step: &Step<'_>, of_this: impl Fn(&&Event) -> bool) -> Option<&Event> {
        if self.is_declared(step.epoch) {
            return None;
        }
        let epochs = self.scale.epochs.as_slice();
        let (before, after) = (step.epoch.checked_sub(1), step.epoch.checked_add(1));
        let near = [before, after].into_iter().flatten().filter_map(|epoch| epochs.get(epoch));
        near.flat_map(|epoch| &epoch.opened_by).find(of_this)
    }

    /// The commonest reasons why the upstream cannot be told, each with its number of traces.
    fn why_untold(&self, epoch: usize) -> String {
        let mut reasons: BTreeMap<NoUpstream, u64> = BTreeMap::new();
        for route in self.view.routes().filter(|route| route.epoch == epoch) {
            if let Err(reason) = route.upstream() {
                let count = reasons.entry(reason).or_default();
                *count = count.saturating_add(1);
            }
        }
        let mut reasons: Vec<(NoUpstream, u64)> = reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        let shown =
            reasons.iter().take(3).map(|(reason, count)| format!("{reason} ({})", number::count(*count)));
        shown.collect::<Vec<_>>().join(", or ")
    }

    /// `0 of 15 probes answered`; of traces where no probes of the targets themselves can tell.
    fn counts(&self, epoch: usize) -> String {
        let probes = self.view.answers.probes(epoch);
        if probes.whole > 0 {
            return format!("{} probes answered", of(probes));
        }
        format!("{} traces arrived", of(self.view.answers.share(epoch, Method::Trace)))
    }

    /// `, was 15 of 15 (−100.0 points [−100.0, −75.3])`, counted like the epoch itself.
    fn was(&self, epoch: usize) -> String {
        let answers = &self.view.answers;
        let probes = answers.probes(epoch).whole > 0;
        let share =
            |epoch| if probes { answers.probes(epoch) } else { answers.share(epoch, Method::Trace) };
        let (before, after) = (share(epoch.saturating_sub(1)), share(epoch));
        if before.whole == 0 {
            return String::new();
        }
        let difference = self.scale.level.difference(before, after).map(points).unwrap_or_default();
        format!(", was {}{difference}", of(before))
    }

    /// Whether no trace of the campaign was seen to enter the origin, although upstreams were told.
    fn inferred(&self) -> bool {
        let mut told = self.by_epoch.iter().filter(|found| !found.upstreams.is_empty()).peekable();
        told.peek().is_some() && told.all(inferred)
    }

    fn left_out(&self) -> Option<String> {
        match self.view.straddling {
            0 => None,
            1 => Some("1 trace with probes on both sides of an event is left out".to_owned()),
            more => {
                let more = number::count(more);
                Some(format!("{more} traces with probes on both sides of an event are left out"))
            }
        }
    }
}

/// Links told by name where several changed at once.
const MOST_LINKS: usize = 2;

fn trouble(when: &str) -> String {
    format!("not judged {when}: the control targets did not answer either, so the vantage was in trouble")
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

/// Which ASes are on every path no longer, and which came onto every path; empty if none.
fn points_changed(step: &Step<'_>) -> String {
    if step.before.as_disjoint.is_none() || step.after.as_disjoint.is_none() {
        return String::new();
    }
    let (before, after) = (&step.before.single_points, &step.after.single_points);
    let lost = before.iter().filter(|asn| !after.contains(asn));
    let new = after.iter().filter(|asn| !before.contains(asn));
    let lost = lost.map(|asn| format!("{asn} is no longer on every path"));
    lost.chain(new.map(|asn| format!("{asn} is now on every path"))).collect::<Vec<_>>().join("; ")
}

fn upstreams(found: &UnitEpoch) -> BTreeSet<Asn> {
    found.upstreams.iter().map(|share| share.upstream).collect()
}

/// Whether nobody was seen to leave an upstream towards the origin.
fn inferred(found: &UnitEpoch) -> bool {
    found.upstreams.iter().all(|share| share.seen_entering == 0)
}

fn list(asns: impl Iterator<Item = Asn>) -> String {
    asns.map(|asn| asn.to_string()).collect::<Vec<_>>().join(" and ")
}

fn of(share: Share) -> String {
    format!("{} of {}", number::count(share.part), number::count(share.whole))
}

/// ` (+57.5 points [+45.6, +67.7])`, with the interval at the report's confidence.
fn points(difference: Estimate) -> String {
    let parts =
        (number::points(difference.value), number::points_interval((difference.low, difference.high)));
    match parts {
        (Some(value), Some(interval)) => format!(" ({value} {interval})"),
        _ => String::new(),
    }
}

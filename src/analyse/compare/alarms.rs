//! Alarms: what a campaign that goes on shows to have changed, told while it goes on.
//!
//! Every look puts the questions of a report to the last rounds. How much chance a look puts up with is the time of which it
//! has news, as a share of the time in which one false alarm is allowed: so however much the looks have in common, no more
//! false alarms are expected in any time than that allows. This is the most that can be said without a model of how
//! flows are dealt out, and costs little: what happens shows in many flows at once.
//!
//! ```text
//! rounds ─▶ look (as a report, but stricter) ─▶ not told yet? ─▶ begun ─▶ (of silences) answered again? ─▶ over
//! ```
//!
//! An alarm is told once, also if later looks see it a little differently. A link or a delay changes for good; a silence
//! ends with the first answer.

use std::collections::BTreeSet;
use std::time::Duration;

use super::analyse::{Lately, lately};
use super::delay::{DelayChange, DelaySubject};
use super::findings::{FoundChange, OutageState, Trouble};
use super::question::Question;
use super::watch::Sample;
use crate::analyse::origin::OriginTable;
use crate::dataset::Read;
use crate::model::{LinkChange, Name, Unit, WallTime};

/// However long nobody looked: the false discovery rate of a report.
const MOST_CHANCE: f64 = 0.01;

/// Looks may place a change of round-trip times so many rounds apart.
const ROUNDS_APART: u32 = 6;

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlarmKind {
    /// A link between two ASes was lost.
    LinkLost,
    /// A link between two ASes was added.
    LinkAdded,
    /// A unit is down.
    Down,
    /// The vantage is unwell: none of its control targets answers.
    VantageUnwell,
    /// Round-trip times became longer.
    Slower,
    /// Round-trip times became shorter.
    Faster,
}

impl AlarmKind {
    const ALL: [Self; 6] =
        [Self::LinkLost, Self::LinkAdded, Self::Down, Self::VantageUnwell, Self::Slower, Self::Faster];

    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LinkLost => "link_lost",
            Self::LinkAdded => "link_added",
            Self::Down => "down",
            Self::VantageUnwell => "vantage_unwell",
            Self::Slower => "slower",
            Self::Faster => "faster",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it ends with an answer.
    const fn is_silence(self) -> bool {
        matches!(self, Self::Down | Self::VantageUnwell)
    }
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// What it is about.
    pub kind: AlarmKind,
    /// Who saw it.
    pub vantage: Name,
    /// The link between ASes, the unit, or the link between addresses; empty for a vantage.
    pub subject: String,
    /// The units that it concerns; none where it is about a link between addresses or the vantage.
    pub units: Vec<Unit>,
    /// It came about after this.
    pub from: WallTime,
    /// It came about before this.
    pub to: WallTime,
    /// The same of its end; `None` while it lasts, and for what has no end.
    pub over: Option<(WallTime, WallTime)>,
    /// The share of flows over a link, or the median round-trip time in milliseconds; `None` for silences.
    pub before: Option<f64>,
    /// The same afterwards.
    pub after: Option<f64>,
    /// The probability that chance shows so much, for as often as it had a try; `None` for silences.
    pub p: Option<f64>,
}

/// The alarms that were told.
#[derive(Clone, Debug, Default)]
pub struct Alarms {
    told: Vec<Alarm>,
}

/// What is looked at.
pub struct Look<'a> {
    /// The campaign.
    pub question: &'a Question,
    /// Its tables.
    pub origins: &'a OriginTable,
    /// The time of which it has news that no look before had.
    pub news_of: Duration,
    /// In which time one false alarm is allowed.
    pub one_false_in: Duration,
}

impl Look<'_> {
    /// How many false alarms may be expected of it.
    fn chance(&self) -> f64 {
        let allowed = self.one_false_in.as_secs_f64();
        if allowed > 0.0 { (self.news_of.as_secs_f64() / allowed).min(MOST_CHANCE) } else { MOST_CHANCE }
    }
}

impl Alarms {
    /// Those that were told before.
    #[must_use]
    pub const fn told(told: Vec<Alarm>) -> Self {
        Self { told }
    }

    /// All that were told, in the order in which they were.
    #[must_use]
    pub fn all(&self) -> &[Alarm] {
        &self.told
    }

    /// What the last rounds show that was not told yet: alarms that began, and those that are over.
    pub fn look(&mut self, look: &Look<'_>, read: impl IntoIterator<Item = Read>) -> Vec<Alarm> {
        let seen = lately(look.question, look.origins, read, look.chance());
        let mut news: Vec<Alarm> = Vec::new();
        for alarm in shown(&seen) {
            if !self.told.iter().any(|told| told.is_same(&alarm)) {
                self.told.push(alarm.clone());
                news.push(alarm);
            }
        }
        let open = self.told.iter_mut().filter(|alarm| alarm.kind.is_silence() && alarm.over.is_none());
        for alarm in open {
            alarm.over = answered_again(alarm, &seen);
            news.extend(alarm.over.is_some().then(|| alarm.clone()));
        }
        news
    }
}

/// All that a look shows, each thing once, the surest changes of links first.
fn shown(seen: &Lately) -> Vec<Alarm> {
    let mut alarms: Vec<Alarm> = seen.troubles.iter().map(unwell).collect();
    for (unit, watches) in seen.watches.iter().filter(|(unit, _)| !seen.is_control(unit)) {
        alarms.extend(watches.iter().flat_map(|watch| {
            let down = watch.outages.iter().filter(|outage| outage.state == OutageState::Down);
            down.map(|outage| Alarm {
                from: outage.last_up.unwrap_or(outage.silent.0),
                to: outage.begun_by,
                ..silence(AlarmKind::Down, &watch.vantage, Some(*unit))
            })
        }));
    }
    let mut links: Vec<&FoundChange> =
        seen.links.iter().filter(|found| !seen.is_control(&found.unit)).collect();
    links.sort_by(|one, other| one.p.total_cmp(&other.p));
    for found in links {
        join(&mut alarms, link(found));
    }
    let concerns = |change: &&DelayChange| match &change.subject {
        DelaySubject::Unit(unit, _) => !seen.is_control(unit),
        DelaySubject::Link(..) => true,
    };
    alarms.extend(seen.delays.iter().filter(concerns).map(delay));
    alarms
}

/// A link is told once for all units that lost or gained it together, with the surest numbers, which come first.
fn join(alarms: &mut Vec<Alarm>, alarm: Alarm) {
    let Some(same) = alarms.iter_mut().find(|known| known.is_same(&alarm)) else {
        return alarms.push(alarm);
    };
    let units: BTreeSet<Unit> = same.units.iter().chain(&alarm.units).copied().collect();
    same.units = units.into_iter().collect();
}

fn silence(kind: AlarmKind, vantage: &Name, unit: Option<Unit>) -> Alarm {
    Alarm {
        kind,
        vantage: vantage.clone(),
        subject: unit.map(|unit| unit.to_string()).unwrap_or_default(),
        units: unit.into_iter().collect(),
        from: WallTime::from_nanos(0),
        to: WallTime::from_nanos(0),
        over: None,
        before: None,
        after: None,
        p: None,
    }
}

fn unwell(trouble: &Trouble) -> Alarm {
    Alarm {
        from: trouble.last_well.unwrap_or(trouble.first_silent),
        to: trouble.first_silent,
        ..silence(AlarmKind::VantageUnwell, &trouble.vantage, None)
    }
}

fn link(found: &FoundChange) -> Alarm {
    use super::interval::float;
    let (kind, used) = match found.change {
        LinkChange::Lost => (AlarmKind::LinkLost, true),
        LinkChange::Added => (AlarmKind::LinkAdded, false),
    };
    let share = if found.flows > 0 { float(found.used) / float(found.flows) } else { 0.0 };
    Alarm {
        kind,
        vantage: found.vantage.clone(),
        subject: format!("{}-{}", found.link.0, found.link.1),
        units: vec![found.unit],
        from: found.from,
        to: found.to,
        over: None,
        before: Some(if used { share } else { 0.0 }),
        after: Some(if used { 0.0 } else { share }),
        p: Some(found.p),
    }
}

fn delay(change: &DelayChange) -> Alarm {
    let (subject, units) = match &change.subject {
        DelaySubject::Unit(unit, method) => (format!("{unit} {}", method.as_str()), vec![*unit]),
        DelaySubject::Link(near, far) => (format!("{near}-{far}"), Vec::new()),
    };
    Alarm {
        kind: if change.difference.value > 0.0 { AlarmKind::Slower } else { AlarmKind::Faster },
        vantage: change.vantage.clone(),
        subject,
        units,
        from: change.from,
        to: change.to,
        over: None,
        before: Some(change.before.value),
        after: Some(change.after.value),
        p: Some(change.p),
    }
}

impl Alarm {
    /// Whether both are the same, seen at two looks: alike, and at times that overlap.
    fn is_same(&self, other: &Self) -> bool {
        let alike =
            (self.kind, &self.vantage, &self.subject) == (other.kind, &other.vantage, &other.subject);
        let (one, another) = (self.span(), other.span());
        alike && one.0 <= another.1 && another.0 <= one.1
    }

    /// Whether what happened then may be what it tells.
    #[must_use]
    pub fn holds(&self, at: WallTime) -> bool {
        self.from <= at && at <= self.to
    }

    /// When it may have come about, or lasted.
    fn span(&self) -> (WallTime, WallTime) {
        let lasting = WallTime::from_nanos(i64::MAX);
        match self.kind {
            AlarmKind::LinkLost | AlarmKind::LinkAdded => (self.from, self.to),
            AlarmKind::Down | AlarmKind::VantageUnwell => {
                (self.from, self.over.map_or(lasting, |(_, answered)| answered))
            }
            AlarmKind::Slower | AlarmKind::Faster => {
                (self.from, self.to.after(self.to.since(self.from).saturating_mul(ROUNDS_APART)))
            }
        }
    }
}

/// When somebody answered again who had been silent: after the last silent probe before it, and by the first answer.
fn answered_again(alarm: &Alarm, seen: &Lately) -> Option<(WallTime, WallTime)> {
    let of_it = |unit: &Unit| match alarm.kind {
        AlarmKind::VantageUnwell => seen.is_control(unit),
        _ => alarm.units.contains(unit),
    };
    let samples =
        seen.samples.iter().filter(|((unit, vantage), _)| of_it(unit) && *vantage == alarm.vantage);
    let later: Vec<&Sample> =
        samples.flat_map(|(_, samples)| samples).filter(|sample| alarm.to < sample.first).collect();
    let answered = later.iter().filter(|sample| sample.answered).map(|sample| sample.first).min()?;
    let silent = later.iter().map(|sample| sample.last).filter(|last| *last < answered).max();
    Some((silent.unwrap_or(alarm.to), answered))
}

#[cfg(test)]
mod tests;

//! Through which neighbour a trace came to the origin AS, or why that cannot be told.
//!
//! A trace that enters the origin AS names its upstream: the last AS before. Often, though, nothing
//! answers between the upstream's last router and the target, or nothing answers at the target either.
//! A silent gap proves nothing by itself: it follows a router of the upstream when the border is silent,
//! and a router anywhere on the way when the route is gone. So the rules are:
//!
//! - **Entered, no gap**: the last AS before the origin is the upstream.
//! - **Entered across a gap** (silent or unmapped hops): the last AS that answered is the upstream, unless
//!   it is only the vantage's own, or unless another trace shows that an AS which comes after it, with a
//!   shorter gap behind, may be hidden in this gap: one lost answer must not make AS3356 an upstream.
//! - **Ended in silence, or in a filter's "prohibited"**: the last AS that answered is the upstream only if
//!   the declared events do not say that its link to the origin was down then, and if one of these holds:
//!   in the same epoch some trace entered the origin after this AS; in the campaign some trace entered it
//!   after this very router; the declared events say that the link was up then.
//! - **"No route", "host unreachable"** or another such word from a router that is not the origin's: no
//!   upstream. The sender says that it has no way there, whoever it is.
//! - **Loops, and traces that stopped while routers still answered**: no upstream.
//!
//! Limits: a neighbour that no trace was ever seen to pass, and that no event names, is not told; a silent
//! AS between the last router that answered and the origin cannot be seen by anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::as_path::{AsPath, Segment};
use super::trace::TraceEnd;
use crate::model::{AsLink, Asn, Event, LinkChange, Unreachable, WallTime};

/// The neighbour through which a trace came to the origin AS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Upstream {
    /// The neighbour.
    pub asn: Asn,
    /// Hops behind its last router that name no AS, up to the origin or to the end of the trace.
    pub gap: u8,
    /// Whether the trace was seen to enter the origin AS.
    pub seen_entering: bool,
}

/// Why the upstream of a trace cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoUpstream {
    /// No probe was sent.
    NotMeasured,
    /// No table says who originates the target.
    OriginUnknown,
    /// No hop before the origin or the end could be mapped to an AS.
    NothingMapped,
    /// Only the vantage's own AS answered before the gap.
    OnlyOwn(Asn),
    /// An answer may be missing: the gap is long enough to hide the second AS behind the first.
    MayHide(Asn, Asn),
    /// A router in this AS, or in none that is known, said that there is no way.
    Refused(Option<Asn>, Unreachable),
    /// It went silent behind an AS which is not known to be a neighbour of the origin at that time.
    SilentBehind(Asn),
    /// It went silent behind a neighbour whose link to the origin was declared down at that time.
    LinkDown(Asn),
    /// It went round in a circle; the last AS, where known.
    Loop(Option<Asn>),
    /// Probing ended before the path did.
    Unfinished,
    /// Its probes lie on both sides of an event, declared or found.
    AcrossEvent,
}

impl NoUpstream {
    /// The reason in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotMeasured => "not_measured",
            Self::OriginUnknown => "origin_unknown",
            Self::NothingMapped => "nothing_mapped",
            Self::OnlyOwn(_) => "only_own",
            Self::MayHide(..) => "may_hide",
            Self::Refused(..) => "refused",
            Self::SilentBehind(_) => "silent_behind",
            Self::LinkDown(_) => "link_down",
            Self::Loop(_) => "loop",
            Self::Unfinished => "unfinished",
            Self::AcrossEvent => "across_event",
        }
    }

    /// The last AS that answered, where the reason names it.
    #[must_use]
    pub const fn behind(self) -> Option<Asn> {
        match self {
            Self::OnlyOwn(asn) | Self::MayHide(asn, _) | Self::SilentBehind(asn) | Self::LinkDown(asn) => {
                Some(asn)
            }
            Self::Refused(asn, _) | Self::Loop(asn) => asn,
            Self::NotMeasured
            | Self::OriginUnknown
            | Self::NothingMapped
            | Self::Unfinished
            | Self::AcrossEvent => None,
        }
    }
}

/// What the events that were declared say about links.
#[derive(Clone, Debug, Default)]
pub struct DeclaredLinks {
    by_link: BTreeMap<AsLink, BTreeMap<WallTime, LinkChange>>,
}

/// How a trace came near its origin AS.
#[derive(Clone, Debug)]
pub struct Approach {
    origin: Asn,
    entered: bool,
    /// The ASes before the origin or the end, in order, each once in a row.
    before: Vec<Asn>,
    /// The last router of the last of them.
    router: Option<IpAddr>,
    gap: u8,
    end: TraceEnd,
    /// Whether a loop was cut out on the way: routes changed while the trace went on.
    looped: bool,
}

/// What is seen across a campaign of how its origins are entered.
#[derive(Clone, Debug, Default)]
pub struct Entrances {
    by_origin: BTreeMap<Asn, Entrance>,
}

#[derive(Clone, Debug, Default)]
struct Entrance {
    /// The shortest gap seen between an AS and the origin behind it.
    gaps: BTreeMap<Asn, u8>,
    /// (earlier AS, last AS) on paths that entered.
    follows: BTreeSet<(Asn, Asn)>,
    /// Routers after which the origin was entered.
    routers: BTreeSet<IpAddr>,
    /// ASes after which the origin was entered, by epoch.
    neighbours: BTreeSet<(usize, Asn)>,
}

/// When and from where a trace was made.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The AS in which the vantage stands, if known.
    pub own: Option<Asn>,
    /// The index of the epoch.
    pub epoch: usize,
    /// When the last probe of the trace was sent.
    pub at: WallTime,
}

impl DeclaredLinks {
    /// What these events say.
    #[must_use]
    pub fn new(events: &[Event]) -> Self {
        let mut by_link: BTreeMap<AsLink, BTreeMap<WallTime, LinkChange>> = BTreeMap::new();
        for event in events {
            by_link.entry(event.link).or_default().insert(event.at, event.change);
        }
        Self { by_link }
    }

    /// Whether the link between two ASes was up at a time: by the last event before it, or else by the
    /// first one after it. `None` if no event speaks of the link.
    #[must_use]
    pub fn was_up(&self, one: Asn, other: Asn, at: WallTime) -> Option<bool> {
        let changes = self.by_link.get(&AsLink::new(one, other)?)?;
        match changes.range(..=at).next_back() {
            Some((_, change)) => Some(*change == LinkChange::Added),
            None => changes.values().next().map(|change| *change == LinkChange::Lost),
        }
    }
}

impl Approach {
    /// How a path came near `origin`.
    #[must_use]
    pub fn new(path: &AsPath, origin: Asn) -> Self {
        let entry = path.segments.iter().position(|segment| segment.asn() == Some(origin));
        let way = path.segments.get(..entry.unwrap_or(path.segments.len())).unwrap_or_default();
        let trailing = way.iter().rev().take_while(|segment| segment.asn().is_none());
        let gap = trailing.fold(0_u8, |sum, segment| sum.saturating_add(segment.hops()));
        let router = way.iter().rev().find_map(|segment| match segment {
            Segment::As { last, .. } => Some(*last),
            Segment::Gap { .. } | Segment::Unmapped { .. } => None,
        });
        let mut before: Vec<Asn> = way.iter().filter_map(Segment::asn).collect();
        before.dedup();
        let (entered, router, looped) = (entry.is_some(), router.flatten(), path.looped);
        Self { origin, entered, before, router, gap, end: path.end, looped }
    }
}

impl Approach {
    /// Whether it shows by which way the origin was entered. A trace that went round in a circle while routes changed,
    /// and then arrived, was cut where the circle closed: who stands before the cut need not be who let it in.
    const fn is_proof(&self) -> bool {
        self.entered && !self.looped
    }
}

impl Entrances {
    /// Learns from all traces of a campaign, given with the index of the epoch in which each was made.
    #[must_use]
    pub fn learn<'a>(approaches: impl IntoIterator<Item = (&'a Approach, usize)> + Clone) -> Self {
        let mut entrances = Self::default();
        for (approach, _) in approaches.clone() {
            entrances.learn_gap(approach);
        }
        for (approach, epoch) in approaches {
            entrances.learn_neighbour(approach, epoch);
        }
        entrances
    }

    fn learn_gap(&mut self, approach: &Approach) {
        let (true, Some((last, earlier))) = (approach.is_proof(), approach.before.split_last()) else {
            return;
        };
        let entrance = self.by_origin.entry(approach.origin).or_default();
        let gap = entrance.gaps.entry(*last).or_insert(approach.gap);
        *gap = approach.gap.min(*gap);
        entrance.follows.extend(earlier.iter().filter(|asn| *asn != last).map(|asn| (*asn, *last)));
    }

    /// Only from traces whose gap hides nobody: otherwise a lost answer would make its own proof.
    fn learn_neighbour(&mut self, approach: &Approach, epoch: usize) {
        let (true, Some(last)) = (approach.is_proof(), approach.before.last()) else { return };
        if self.hidden_in_gap(approach, *last).is_some() {
            return;
        }
        let entrance = self.by_origin.entry(approach.origin).or_default();
        entrance.routers.extend(approach.router);
        entrance.neighbours.insert((epoch, *last));
    }

    /// An AS that is seen after `last` elsewhere, with a shorter gap between it and the origin.
    fn hidden_in_gap(&self, approach: &Approach, last: Asn) -> Option<Asn> {
        let entrance = self.by_origin.get(&approach.origin)?;
        let shorter =
            |(_, next): &&(Asn, Asn)| entrance.gaps.get(next).is_some_and(|gap| *gap < approach.gap);
        let after_last = entrance.follows.iter().filter(|(earlier, _)| *earlier == last);
        after_last.clone().find(shorter).map(|(_, next)| *next)
    }

    /// The upstream on this trace.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn upstream(
        &self,
        approach: &Approach,
        links: &DeclaredLinks,
        setting: Setting,
    ) -> Result<Upstream, NoUpstream> {
        if approach.end == TraceEnd::NotMeasured {
            return Err(NoUpstream::NotMeasured);
        }
        let last = approach.before.last().copied();
        if !approach.entered {
            refused_or_unfinished(approach, last)?;
        }
        let asn = last.ok_or(NoUpstream::NothingMapped)?;
        if setting.own == Some(asn) && (approach.gap > 0 || !approach.is_proof()) {
            return Err(NoUpstream::OnlyOwn(asn));
        }
        if approach.entered {
            if let Some(hidden) = self.hidden_in_gap(approach, asn) {
                return Err(NoUpstream::MayHide(asn, hidden));
            }
        } else {
            self.known_neighbour(approach, asn, links, setting)?;
        }
        Ok(Upstream { asn, gap: approach.gap, seen_entering: approach.entered })
    }

    fn known_neighbour(
        &self,
        approach: &Approach,
        asn: Asn,
        links: &DeclaredLinks,
        setting: Setting,
    ) -> Result<(), NoUpstream> {
        let declared = links.was_up(asn, approach.origin, setting.at);
        if declared == Some(false) {
            return Err(NoUpstream::LinkDown(asn));
        }
        let seen = self.by_origin.get(&approach.origin).is_some_and(|entrance| {
            entrance.neighbours.contains(&(setting.epoch, asn))
                || approach.router.is_some_and(|router| entrance.routers.contains(&router))
        });
        if seen || declared == Some(true) { Ok(()) } else { Err(NoUpstream::SilentBehind(asn)) }
    }
}

/// The ends that name no upstream, whoever stood before them.
fn refused_or_unfinished(approach: &Approach, last: Option<Asn>) -> Result<(), NoUpstream> {
    match approach.end {
        TraceEnd::Unreachable { kind: Unreachable::Prohibited, .. } | TraceEnd::Gap { .. } => Ok(()),
        TraceEnd::Unreachable { kind, .. } => {
            Err(NoUpstream::Refused(last.filter(|_| approach.gap == 0), kind))
        }
        TraceEnd::Loop => Err(NoUpstream::Loop(last)),
        TraceEnd::Reached { .. } | TraceEnd::MaxTtl | TraceEnd::NotMeasured => Err(NoUpstream::Unfinished),
    }
}

/// As in "the traces end …".
impl fmt::Display for NoUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMeasured => f.write_str("before they begin: no probe was sent"),
            Self::OriginUnknown => f.write_str("at a target that no origin table covers"),
            Self::NothingMapped => f.write_str("without a hop that any table maps"),
            Self::OnlyOwn(own) => write!(f, "behind the vantage's own {own}, before any other AS answered"),
            Self::MayHide(last, hidden) => {
                write!(f, "in a gap behind {last} that is long enough to hide {hidden}")
            }
            Self::Refused(Some(asn), kind) => write!(f, "in {asn}, where a router says {}", words(*kind)),
            Self::Refused(None, kind) => write!(f, "where a router of no known AS says {}", words(*kind)),
            Self::SilentBehind(asn) => {
                write!(f, "in silence behind {asn}, which is not known as a neighbour of the origin")
            }
            Self::LinkDown(asn) => {
                write!(f, "in silence behind {asn}, whose link to the origin was declared lost")
            }
            Self::Loop(Some(asn)) => write!(f, "in a loop in {asn}"),
            Self::Loop(None) => f.write_str("in a loop"),
            Self::Unfinished => f.write_str("while routers still answered: probing stopped too early"),
            Self::AcrossEvent => {
                f.write_str("on the other side of an event, declared or found, than they began")
            }
        }
    }
}

const fn words(kind: Unreachable) -> &'static str {
    match kind {
        Unreachable::Net => "\"no route\"",
        Unreachable::Host => "\"host unreachable\"",
        Unreachable::Protocol => "\"protocol unreachable\"",
        Unreachable::Port => "\"port unreachable\"",
        Unreachable::Prohibited => "\"prohibited\"",
        Unreachable::Other => "\"unreachable\"",
    }
}

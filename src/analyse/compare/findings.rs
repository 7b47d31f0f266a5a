//! What the analysis says: plain data, from which terminal, HTML, CSV and LaTeX are all written, so that
//! their numbers cannot disagree.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::delay::DelayFindings;
use super::foretold::CampaignBacktest;
use super::found::PinnedFlow;
use crate::analyse::diversity::DiversityFindings;
use crate::dataset::{ClockStep, Ledger};
use crate::model::{
    AsLink, Asn, Event, LinkChange, Method, Name, Prefix, RoundId, Unit, Untrusted, WallTime,
};

/// Everything that a report says about a dataset.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The campaign.
    pub campaign: Name,
    /// Who measured.
    pub vantages: Vec<Name>,
    /// True if the network was the lab.
    pub rehearsal: bool,
    /// How many times as fast as real time the rehearsal's clock ran; 1 outside the lab.
    pub speed: f64,
    /// The epochs, in the order of time; at least one.
    pub epochs: Vec<Epoch>,
    /// One entry a unit, in the order of prefixes, control units last.
    pub units: Vec<UnitFindings>,
    /// Use of links between ASes, for drawing.
    pub edges: Vec<AsEdge>,
    /// One entry a unit and trace or reachability round, in the order of time.
    pub timeline: Vec<TimelinePoint>,
    /// Names of the ASes that occur, where known.
    pub names: BTreeMap<Asn, Untrusted>,
    /// Prefixes of the campaign that were opted out, and from when on nothing was sent there.
    pub opt_outs: Vec<(Prefix, WallTime)>,
    /// When the vantage's wall clock was stepped, or its machine slept.
    pub clock_steps: Vec<ClockStep>,
    /// Rounds during which the kernel dropped packets: each with its prober, and how many packets.
    pub dropped: Vec<(RoundId, Name, u64)>,
    /// All rounds together.
    pub ledger: Ledger,
    /// Rounds that were sealed whole, and rounds that were interrupted.
    pub rounds: (u64, u64),
    /// The level of every interval, as 0.95.
    pub confidence: f64,
    /// Traces with probes on both sides of an event: left out of all epochs and of the timeline.
    pub straddling: u64,
    /// Path diversity, with its intervals and what was not seen.
    pub diversity: DiversityFindings,
    /// Changes of links that were found in the traces without being told, in the order of time, one entry a unit.
    pub found: Vec<FoundChange>,
    /// How many tests were made to find them; their false discovery rates allow for all of these.
    pub tests: u64,
    /// The same of links between addresses, with the tests that these took.
    pub found_links: Vec<FoundLink>,
    /// How many tests were made to find those.
    pub link_tests: u64,
    /// Round-trip times over time, and changes of their level that were found without being told.
    pub delays: DelayFindings,
    /// When a vantage was unwell, by its control targets.
    pub troubles: Vec<Trouble>,
    /// The events, foretold from what was known before; empty where no relations between ASes are known.
    pub foretold: CampaignBacktest,
}

/// The time between two events.
#[derive(Clone, Debug, PartialEq)]
pub struct Epoch {
    /// When it begins: at its event, or with the first probe.
    pub start: WallTime,
    /// When it ends: at the next event, or with the last probe.
    pub end: WallTime,
    /// The declared events at its beginning; empty for the first.
    pub opened_by: Vec<Event>,
    /// What was found at its beginning without being told; empty for the first. Where a declared event lies within
    /// the bracket of what was found, the epoch begins at the event.
    pub found: Vec<(LinkChange, AsLink)>,
}

/// A link, mostly one between two ASes, that came into use or fell out of it for a unit, as its pinned flows show.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundChange<N = Asn> {
    /// Who saw it.
    pub vantage: Name,
    /// For which unit.
    pub unit: Unit,
    /// The link, the end nearer to the vantage first.
    pub link: (N, N),
    /// Whether it came or went.
    pub change: LinkChange,
    /// No earlier than this: then began the last trace that shows the time before.
    pub from: WallTime,
    /// No later than this: the last answer of the first trace that shows the time after.
    pub to: WallTime,
    /// Whether one moment explains all flows. If not, the bracket spans all their changes.
    pub at_once: bool,
    /// Where time is cut for it.
    pub cut: WallTime,
    /// Of the flows on the side of the link's use, those that used it and were seen on the other side.
    pub used: u64,
    /// All flows on that side, but those that used the link and were not seen on the other.
    pub flows: u64,
    /// The flows on the other side, of which none used it.
    pub others: u64,
    /// Whether the numbers are of the flows towards all units of the vantage together, and not of this unit's alone.
    pub whole_vantage: bool,
    /// The probability of so clear a change if flows were only dealt out anew, for as often as that was seen.
    pub p: f64,
    /// The false discovery rate at which it is among the discoveries.
    pub rate: f64,
    /// The flows of this unit that came onto the link or left it, each with the traces before and after.
    pub proofs: Vec<Proof>,
}

/// A link between two addresses that came into use or fell out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundLink {
    /// What was found.
    pub found: FoundChange<IpAddr>,
    /// To whom its ends belong, where that can be told.
    pub holders: (Option<Asn>, Option<Asn>),
    /// The index among [`Findings::found`] of a change between ASes that the same unit showed at a time that may be the same:
    /// then this one mostly follows from it.
    pub with: Option<usize>,
}

impl FoundLink {
    /// The two ASes between which it leads; `None` if it lies within one, or that cannot be told.
    #[must_use]
    pub fn border(&self) -> Option<(Asn, Asn)> {
        let (near, far) = (self.holders.0?, self.holders.1?);
        (near != far).then_some((near, far))
    }
}

/// Two traces of one flow that show a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The flow.
    pub flow: PinnedFlow,
    /// The round of the last trace before the change.
    pub before: RoundId,
    /// The round of the first trace after it.
    pub after: RoundId,
}

/// A time in which the control targets of a vantage were silent: what it saw then says nothing about others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The vantage.
    pub vantage: Name,
    /// The last answer of a control before; `None` if there was none.
    pub last_well: Option<WallTime>,
    /// The first silent probe.
    pub first_silent: WallTime,
    /// The last silent probe.
    pub last_silent: WallTime,
    /// The first answer of a control after; `None` if there was none.
    pub first_well: Option<WallTime>,
    /// Silent probes.
    pub probes: u64,
}

/// What a vantage saw of a unit over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// The vantage.
    pub vantage: Name,
    /// Addresses that ever answered.
    pub addresses: u64,
    /// The lower end of the interval of their share of answers, round by round, while the unit was up, by the method that
    /// is answered most: Trinocular's A(E(b)). `None` if nothing ever answered.
    pub availability: Option<f64>,
    /// Whether up and down can be told.
    pub watched: Watched,
    /// When none of the addresses answered, for too long for chance; in the order of time.
    pub outages: Vec<Outage>,
    /// Methods that were silent for long while others were answered, from the first silent probe to the last.
    pub silent_methods: Vec<(Method, WallTime, WallTime)>,
}

/// Whether up and down can be told of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Watched {
    /// They can.
    Judged,
    /// Nothing there ever answered.
    NothingAnswers,
    /// What is there answers at most one probe in ten.
    TooRarely,
}

impl Watched {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Judged => "judged",
            Self::NothingAnswers => "nothing_answers",
            Self::TooRarely => "too_rarely",
        }
    }
}

/// A time in which none of a unit's addresses answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The last answer before; `None` if there was none. It began after this.
    pub last_up: Option<WallTime>,
    /// By then it had begun, at the confidence of the report: from the first silent probe on so much silence is no chance.
    pub begun_by: WallTime,
    /// It ended after this, in the same sense.
    pub ended_after: WallTime,
    /// The first answer after; `None` if there was none. It ended before this.
    pub first_up: Option<WallTime>,
    /// The first and the last silent probe. Either may be silent by chance.
    pub silent: (WallTime, WallTime),
    /// The rounds of the first and the last silent probe.
    pub rounds: (RoundId, RoundId),
    /// Silent probes and traces.
    pub probes: u64,
    /// Addresses asked in that time.
    pub addresses: u64,
    /// What it comes to.
    pub state: OutageState,
    /// What the traces of that time showed.
    pub path: PathThen,
    /// Whether the vantage has control targets. Otherwise other units stand for them.
    pub controlled: bool,
    /// Other vantages to which something in the unit answered in that time: it was unreachable from some only.
    pub seen_up_from: Vec<Name>,
}

/// What a silence comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutageState {
    /// The unit was down.
    Down,
    /// Too few addresses to tell the unit from its hosts, or traces still entered its network.
    HostsUnsure,
    /// Nobody else answered in that time, so the vantage may have been in trouble.
    VantageUnsure,
}

impl OutageState {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::HostsUnsure => "hosts_unsure",
            Self::VantageUnsure => "vantage_unsure",
        }
    }
}

/// What traces showed during a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathThen {
    /// They ended before the upstream, which they showed at other times.
    Cut,
    /// They still entered the network of the unit.
    AsBefore,
    /// Nothing that decides.
    NotTold,
}

impl PathThen {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::AsBefore => "as_before",
            Self::NotTold => "not_told",
        }
    }
}

/// An estimate with its interval at the report's confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate itself.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// What is found about one unit.
#[derive(Clone, Debug)]
pub struct UnitFindings {
    /// The unit.
    pub unit: Unit,
    /// Whether it is a control unit.
    pub control: bool,
    /// The AS that originates it by the origin tables.
    pub origin: Option<Asn>,
    /// One entry an epoch.
    pub by_epoch: Vec<UnitEpoch>,
    /// Differences between each epoch and the one before, largest effect first.
    pub changes: Vec<Change>,
    /// What each vantage saw of it over time, in the order of their names.
    pub watches: Vec<Watch>,
    /// What it comes to in plain words, one sentence each, with conditions where there are any. Begins in
    /// lower case and ends without a full stop, to stand behind the name of the unit.
    pub verdict: Vec<String>,
}

/// What is found about one unit in one epoch.
#[derive(Clone, Debug)]
pub struct UnitEpoch {
    /// What can be said of its reachability.
    pub reach: Reach,
    /// By method: how many probes, how many answered.
    pub reachability: Vec<Reachability>,
    /// By upstream AS, largest share first. Together with `unattributed` they make up all traced flows.
    pub upstreams: Vec<UpstreamShare>,
    /// What an upstream that was not seen may have carried: 0 with its interval; `None` if none is told.
    pub unseen: Option<Estimate>,
    /// Traced flows whose upstream cannot be told, of all.
    pub unattributed: u64,
    /// Traced flows (target, flow, round).
    pub traced: u64,
    /// Longest run of silent hops before the target or the end of the trace, where upstream was told.
    pub longest_gap: Option<u8>,
    /// Distinct paths of the flows whose upstream is told.
    pub paths: PathCount,
    /// AS-disjoint paths from the vantages to the origin AS in the measured graph: a lower bound.
    /// `None` if no path was seen.
    pub as_disjoint: Option<u32>,
    /// ASes, other than the vantage's own and the origin, that every path in the measured graph crosses,
    /// from the vantage outward.
    pub single_points: Vec<Asn>,
}

/// What can be said of a unit's reachability in an epoch. The four answers are never mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// Something there answered.
    Reachable,
    /// Nothing answers, although the same addresses answered in another epoch.
    Unreachable,
    /// Nothing answers, and nothing can be said: nothing there ever answered, too few probes were sent to
    /// tell silence from loss, or the vantage itself was in trouble.
    NotObservable,
    /// No probe was sent in this epoch.
    NotMeasured,
}

impl Reach {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
            Self::NotObservable => "not_observable",
            Self::NotMeasured => "not_measured",
        }
    }
}

/// Answers by method.
#[derive(Clone, Debug, PartialEq)]
pub struct Reachability {
    /// The method: one that asks the target itself.
    pub method: Method,
    /// Probes sent to addresses that answered at least once in the campaign by this method; for TCP, to
    /// such pairs of address and port.
    pub probes: u64,
    /// Of them answered by the target, in time or late.
    pub answered: u64,
    /// The share with its Wilson interval; `None` if no such probe was sent.
    pub share: Option<Estimate>,
}

/// How much of the traffic came through an upstream.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamShare {
    /// The neighbour of the origin AS on the path.
    pub upstream: Asn,
    /// Traced flows through it.
    pub flows: u64,
    /// Share of all traced flows whose upstream is known, with its interval.
    pub share: Estimate,
    /// How much each sample's use of it resembles that of the epoch before: their correlation, 0 where there is none. The
    /// more they do, the surer is the difference.
    pub likeness: f64,
    /// Of these flows, how many were seen to enter the origin AS; the others end in a silent gap behind
    /// the upstream.
    pub seen_entering: u64,
}

/// Distinct paths, the target itself left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCount {
    /// Distinct sequences of addresses, silent hops counted as silent.
    pub address: u64,
    /// Distinct sequences of ASes.
    pub autonomous_system: u64,
}

/// What a difference is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Share of probes answered, by method.
    Answered(Method),
    /// Share of flows through this upstream.
    Upstream(Asn),
    /// Number of distinct AS paths.
    AsPaths,
    /// Number of AS-disjoint paths.
    AsDisjoint,
}

/// A difference between two epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Index of the later epoch; the earlier is the one before.
    pub epoch: usize,
    /// Of what.
    pub metric: Metric,
    /// Before.
    pub before: f64,
    /// After.
    pub after: f64,
    /// After minus before, with its interval; `None` in the interval's place means that the metric is a
    /// count of what was seen, for which none is claimed.
    pub difference: f64,
    /// The interval of the difference.
    pub interval: Option<(f64, f64)>,
}

/// One point of a unit's timeline.
#[derive(Clone, Debug)]
pub struct TimelinePoint {
    /// The unit.
    pub unit: Unit,
    /// When the round began.
    pub at: WallTime,
    /// Probes that ask ever-responsive addresses themselves in this round, and how many were answered.
    pub probes: u64,
    /// Answered.
    pub answered: u64,
    /// Traced flows by upstream; `None` where it cannot be told.
    pub upstreams: BTreeMap<Option<Asn>, u64>,
}

/// How often a link between two ASes was crossed in an epoch, by traces towards non-control units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsEdge {
    /// Index of the epoch.
    pub epoch: usize,
    /// The AS nearer to the vantage.
    pub from: Asn,
    /// The AS nearer to the target.
    pub to: Asn,
    /// Traced flows that crossed it.
    pub flows: u64,
    /// True if silent hops lay between the two, so that an AS in between may have been missed.
    pub across_gap: bool,
}

//! What is found about diversity: plain data, each number with its interval, or in its place why there is none.

use std::fmt;
use std::net::IpAddr;

use super::bootstrap::{Drawn, FEWEST};
use super::evidence::SpotLink;
use super::measure::{Level, Measure};
use crate::model::{Asn, Unit};

/// What is found about the diversity of all units.
#[derive(Clone, Debug, Default)]
pub struct DiversityFindings {
    /// One entry a unit, in the order of the units of the report.
    pub units: Vec<UnitDiversity>,
    /// Total graph diversity, one entry an epoch and level: the mean effective path diversity over all pairs of a
    /// vantage and a unit that is no control.
    pub total: Vec<TotalDiversity>,
}

/// Total graph diversity of an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TotalDiversity {
    /// Index of the epoch.
    pub epoch: usize,
    /// Of paths of what.
    pub level: Level,
    /// The mean, from 0 to 1; `None` if there is no pair with a path.
    pub value: Option<f64>,
    /// Pairs of a vantage and a unit with a path.
    pub pairs: usize,
}

/// What is found about one unit.
#[derive(Clone, Debug)]
pub struct UnitDiversity {
    /// The unit.
    pub unit: Unit,
    /// Whether it is a control unit.
    pub control: bool,
    /// One entry an epoch.
    pub by_epoch: Vec<EpochDiversity>,
    /// Differences between each epoch and the one before.
    pub contrasts: Vec<Contrast>,
}

/// What is found about a unit in an epoch.
#[derive(Clone, Debug, Default)]
pub struct EpochDiversity {
    /// Flows whose upstream is told in any of their traces.
    pub flows: usize,
    /// Such traces.
    pub traces: u64,
    /// The numbers, in a fixed order.
    pub readings: Vec<Reading>,
    /// What is in the smallest cuts.
    pub cuts: Vec<NamedCut>,
    /// The addresses that every measured way crosses.
    pub single_addresses: Vec<IpAddr>,
}

/// A number, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Of what.
    pub level: Level,
    /// What is measured.
    pub measure: Measure,
    /// The number.
    pub judged: Result<Figure, Why>,
}

/// A number with its interval, or why it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// Its interval at the report's confidence.
    pub interval: Result<Interval, Why>,
    /// The effort at which it holds, in flows.
    pub effort: usize,
}

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How it was come by.
    pub by: By,
}

/// How an interval was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The cluster bootstrap.
    Bootstrap(Drawn),
    /// Chao's interval for what was not seen.
    Chao,
    /// The variance of rarefaction.
    Rarefaction,
}

impl By {
    /// As it stands in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bootstrap(Drawn::Targets) => "bootstrap_targets",
            Self::Bootstrap(Drawn::Flows) => "bootstrap_flows",
            Self::Chao => "chao",
            Self::Rarefaction => "rarefaction",
        }
    }
}

/// A difference between two epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrast {
    /// Index of the later epoch; the earlier is the one before.
    pub epoch: usize,
    /// Of what.
    pub level: Level,
    /// What is measured.
    pub measure: Measure,
    /// Both numbers and the difference, or why they cannot be compared.
    pub judged: Result<Difference, Why>,
}

/// Two numbers and what they differ by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// In the earlier epoch.
    pub before: f64,
    /// In the later.
    pub after: f64,
    /// The later less the earlier, with its interval. Its effort is that of the epoch with the smaller one.
    pub change: Figure,
}

/// A smallest cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCut {
    /// Of what it is made: addresses, links, ASes or links between ASes.
    pub level: Level,
    /// Its members.
    pub members: Vec<CutMember>,
}

/// A member of a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CutMember {
    /// An address.
    Address(IpAddr),
    /// A link between addresses, the vantage or the unit.
    Link(SpotLink),
    /// An AS.
    As(Asn),
    /// A link between ASes.
    AsLink(Asn, Asn),
}

/// Why a number or an interval cannot be had. Reads behind "cannot be judged, because".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// No trace lies in the epoch.
    NotTraced,
    /// There are traces, but of none can be told how it came to the origin.
    Untold,
    /// Too few flows or targets to be drawn from.
    TooFew(usize),
    /// More kinds than so few flows can tell the spread of.
    ManyKinds,
    /// No flow was traced twice in the epoch.
    OneRound,
    /// No target answered a trace.
    NoArrival,
    /// No answer of a target was timed by a clock that counts.
    Untimed,
    /// There is only one kind.
    OneKind,
    /// It is a count of what was seen.
    CountOfSeen,
    /// All draws agree.
    NoSpread,
    /// No aliases are known.
    NoAliases,
    /// No multipath search or census was made.
    NoSearch,
    /// No way to the unit is known.
    NoWay,
    /// One epoch has it, the other has not.
    OneSided,
}

impl Why {
    /// The reason in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotTraced => "not_traced",
            Self::Untold => "upstream_untold",
            Self::TooFew(_) => "too_few",
            Self::ManyKinds => "many_kinds",
            Self::OneRound => "one_round",
            Self::NoArrival => "no_arrival",
            Self::Untimed => "untimed",
            Self::OneKind => "one_kind",
            Self::CountOfSeen => "count_of_seen",
            Self::NoSpread => "no_spread",
            Self::NoAliases => "no_aliases",
            Self::NoSearch => "no_search",
            Self::NoWay => "no_way",
            Self::OneSided => "one_sided",
        }
    }

    /// All reasons, as they stand in files.
    pub const WORDS: &'static [&'static str] = &[
        "not_traced",
        "upstream_untold",
        "too_few",
        "many_kinds",
        "one_round",
        "no_arrival",
        "untimed",
        "one_kind",
        "count_of_seen",
        "no_spread",
        "no_aliases",
        "no_search",
        "no_way",
        "one_sided",
    ];
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTraced => f.write_str("nothing was traced in the epoch"),
            Self::Untold => f.write_str("of no trace can be told how it came to the origin"),
            Self::TooFew(number) => {
                write!(f, "{number} flows are too few to draw from, it takes {FEWEST}")
            }
            Self::ManyKinds => f.write_str("there are too many different ones for so few flows"),
            Self::OneRound => f.write_str("no flow was traced twice in the epoch"),
            Self::NoArrival => f.write_str("no target answered a trace"),
            Self::Untimed => f.write_str("no answer was timed by a clock that counts"),
            Self::OneKind => f.write_str("there is only one"),
            Self::CountOfSeen => f.write_str("it is a count of what was seen"),
            Self::NoSpread => f.write_str("all flows agree, so drawing them again shows no spread"),
            Self::NoAliases => f.write_str("it is not known which addresses belong to one router"),
            Self::NoSearch => f.write_str("no multipath search or census was made"),
            Self::NoWay => f.write_str("no way to the unit is known"),
            Self::OneSided => f.write_str("only one of the two epochs has it"),
        }
    }
}

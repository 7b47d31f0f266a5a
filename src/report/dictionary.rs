//! The data dictionary: every CSV file, every column, what may stand in it and what it means. The files
//! take their headers from here, so that the two cannot drift apart.
//!
//! Every cell comes from a closed alphabet: a number, an address block, an AS number, a time, a word of a
//! fixed list, or a name with everything unusual escaped as `%XX`. No cell can begin with a character that
//! a spreadsheet takes for a formula; a hyphen at the beginning stands before a number only. An empty cell
//! means *not applicable*, never *unknown* or *zero*.

mod delays;

use crate::analyse::diversity::Why;

pub(super) use self::delays::{DELAY_CHANGES, DELAYS};

/// What may stand in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number, 0 or more.
    Count,
    /// A number, with five decimals where it is a share.
    Number,
    /// RFC 3339 in UTC.
    Time,
    /// Nanoseconds since 1970-01-01T00:00:00Z; an integer.
    Nanoseconds,
    /// An address block, as in `175.45.176.0/24`.
    Prefix,
    /// An AS number, as in `AS131279`.
    Asn,
    /// An AS number, or `unknown`.
    AsnOrUnknown,
    /// Two AS numbers, as in `AS20485-AS131279`.
    Link,
    /// An address, an AS number, `vantage` or `unit`.
    Element,
    /// A name of letters, digits, `.`, `_` and `-`; everything else in it is escaped as `%XX` (UTF-8).
    Name,
    /// An address, as in `175.45.176.71`.
    Address,
    /// A probability, as in `1.2e-9`.
    Probability,
    /// One word of a fixed list.
    Word(&'static [&'static str]),
}

impl Kind {
    /// As it stands in `columns.csv`.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Time => "time (RFC 3339 UTC)".to_owned(),
            Self::Nanoseconds => "integer".to_owned(),
            Self::Prefix => "prefix".to_owned(),
            Self::Asn => "asn".to_owned(),
            Self::AsnOrUnknown => "asn or unknown".to_owned(),
            Self::Link => "link".to_owned(),
            Self::Element => "address, asn, vantage or unit".to_owned(),
            Self::Name => "name (%XX escaped)".to_owned(),
            Self::Address => "address".to_owned(),
            Self::Probability => "number (scientific)".to_owned(),
            Self::Word(words) => words.join("|"),
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What it is measured in; empty where that makes no sense.
    pub(super) unit: &'static str,
    pub(super) meaning: &'static str,
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sheet {
    pub(super) file: &'static str,
    pub(super) columns: &'static [Column],
}

const fn column(name: &'static str, kind: Kind, unit: &'static str, meaning: &'static str) -> Column {
    Column { name, kind, unit, meaning }
}

const BOOL: Kind = Kind::Word(&["false", "true"]);
const METHOD: Kind = Kind::Word(&["echo", "tcp", "udp", "timestamp", "trace"]);

const CHANGE: Kind = Kind::Word(&["added", "lost"]);

const UNIT: Column = column("unit", Kind::Prefix, "", "the block about which the row speaks");
const CONTROL: Column = column(
    "control",
    BOOL,
    "",
    "whether the unit is a control, there to tell the vantage's own trouble apart",
);
const EPOCH: Column = column("epoch", Kind::Count, "", "number of the epoch, from 1, as in epochs.csv");
const LOW: Column = column("low", Kind::Number, "fraction", "lower end of the interval of the share");
const HIGH: Column = column("high", Kind::Number, "fraction", "upper end of the interval of the share");
const AT: Column = column("at", Kind::Time, "", "when the round began");
const AT_NS: Column = column("at_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z");

pub(super) const CAMPAIGN: Sheet = Sheet {
    file: "campaign.csv",
    columns: &[
        column("campaign", Kind::Name, "", "the campaign, one row in all"),
        column("rehearsal", BOOL, "", "whether the network was the simulated one of the lab"),
        column("speed", Kind::Number, "", "wall seconds that passed in one real second; 1 outside the lab"),
        column("confidence", Kind::Number, "fraction", "level of every interval in all files"),
        column("rounds_sealed", Kind::Count, "rounds", "rounds that were completed"),
        column("rounds_interrupted", Kind::Count, "rounds", "rounds that were begun and not completed"),
        column(
            "straddling",
            Kind::Count,
            "traces",
            "traces with probes on both sides of an event, left out everywhere",
        ),
    ],
};

pub(super) const VANTAGES: Sheet = Sheet {
    file: "vantages.csv",
    columns: &[column("vantage", Kind::Name, "", "who measured, one row each")],
};

pub(super) const NAMES: Sheet = Sheet {
    file: "names.csv",
    columns: &[
        column("asn", Kind::Asn, "", "an AS that occurs in the other files"),
        column("name", Kind::Name, "", "its name, where one is known; at most 200 characters of it"),
    ],
};

pub(super) const EPOCHS: Sheet = Sheet {
    file: "epochs.csv",
    columns: &[
        EPOCH,
        column("start", Kind::Time, "", "when the epoch begins: at its event, or with the first probe"),
        column("start_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("end", Kind::Time, "", "when it ends: at the next event, or with the last probe"),
        column("end_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("events", Kind::Count, "events", "how many events open it, as in events.csv"),
    ],
};

pub(super) const EVENTS: Sheet = Sheet {
    file: "events.csv",
    columns: &[
        column("epoch", Kind::Count, "", "number of the epoch that the event opens"),
        column("at", Kind::Time, "", "when"),
        column("at_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("change", Kind::Word(&["added", "lost"]), "", "what happened to the link"),
        column("link", Kind::Link, "", "the link between two ASes, the lower number first"),
    ],
};

pub(super) const REACHABILITY: Sheet = Sheet {
    file: "reachability.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        column("method", METHOD, "", "how it was asked"),
        column(
            "probes",
            Kind::Count,
            "packets",
            "probes to addresses (for tcp: and ports) that ever answered by this method",
        ),
        column("answered", Kind::Count, "packets", "of them answered by the target, in time or late"),
        column("share", Kind::Number, "fraction", "answered / probes; empty if there was no such probe"),
        LOW,
        HIGH,
    ],
};

pub(super) const UPSTREAMS: Sheet = Sheet {
    file: "upstreams.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        column("upstream", Kind::Asn, "", "the neighbour of the origin AS on the path"),
        column("flows", Kind::Count, "flows", "traced flows (target, flow, round) through it"),
        column("share", Kind::Number, "fraction", "of the traced flows whose upstream is known"),
        LOW,
        HIGH,
        column("seen_entering", Kind::Count, "flows", "of these flows, seen to enter the origin AS"),
    ],
};

pub(super) const PATHS: Sheet = Sheet {
    file: "paths.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        column("origin", Kind::AsnOrUnknown, "", "the AS that originates the unit by the origin tables"),
        column(
            "reach",
            Kind::Word(&["reachable", "unreachable", "not_observable", "not_measured"]),
            "",
            "what can be said of the unit's reachability",
        ),
        column("traced", Kind::Count, "flows", "traced flows (target, flow, round)"),
        column("unattributed", Kind::Count, "flows", "of them, flows whose upstream cannot be told"),
        column("longest_gap", Kind::Count, "hops", "longest run of silent hops behind the last AS seen"),
        column(
            "address_paths",
            Kind::Count,
            "paths",
            "distinct sequences of addresses before the target; empty if not traced",
        ),
        column("as_paths", Kind::Count, "paths", "distinct sequences of ASes; empty if not traced"),
        column("as_disjoint", Kind::Count, "paths", "AS-disjoint paths, a lower bound; empty if none seen"),
        column("single_points", Kind::Count, "ASes", "ASes in every path, as in single_points.csv"),
    ],
};

pub(super) const SINGLE_POINTS: Sheet = Sheet {
    file: "single_points.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        column(
            "asn",
            Kind::Asn,
            "",
            "an AS, neither the vantage's nor the origin, that every path crosses",
        ),
    ],
};

pub(super) const CHANGES: Sheet = Sheet {
    file: "changes.csv",
    columns: &[
        UNIT,
        CONTROL,
        column("epoch_before", Kind::Count, "", "number of the earlier epoch"),
        column("epoch_after", Kind::Count, "", "number of the later epoch"),
        column(
            "metric",
            Kind::Word(&["answered_share", "upstream_share", "as_paths", "as_disjoint"]),
            "",
            "what the row compares",
        ),
        column("method", METHOD, "", "for answered_share: how it was asked"),
        column("upstream", Kind::Asn, "", "for upstream_share: through which AS"),
        column("before", Kind::Number, "fraction or paths", "value in the earlier epoch"),
        column("after", Kind::Number, "fraction or paths", "value in the later epoch"),
        column("difference", Kind::Number, "fraction or paths", "after minus before"),
        column(
            "difference_low",
            Kind::Number,
            "fraction or paths",
            "lower end of its interval; empty for counts",
        ),
        column(
            "difference_high",
            Kind::Number,
            "fraction or paths",
            "upper end of its interval; empty for counts",
        ),
    ],
};

const LEVEL: Column = column(
    "level",
    Kind::Word(&["address", "link", "router", "as", "as_link"]),
    "",
    "of what: addresses that answered, links between them, routers, ASes, links between ASes",
);
const METRIC: Column = column(
    "metric",
    Kind::Word(METRICS),
    "",
    "what is measured; docs/formats.md defines each and says what it is measured in",
);
const METRICS: &[&str] = &[
    "upstream_share",
    "effective_upstreams",
    "upstream_evenness",
    "hegemony",
    "distinct_paths",
    "effective_paths",
    "path_evenness",
    "disjoint_paths",
    "smallest_cut",
    "single_points",
    "path_diversity",
    "prevalence",
    "persistence",
    "hops",
    "hop_inflation",
    "rtt_inflation",
    "estimated_kinds",
    "rarefied_kinds",
    "coverage",
    "chance_missed",
];
const OF_ASN: Column = column("asn", Kind::Asn, "", "for upstream_share and hegemony: of which AS");
const INTERVAL: Column = column(
    "interval",
    Kind::Word(&["bootstrap_targets", "bootstrap_flows", "chao", "rarefaction"]),
    "",
    "how the interval was come by: the cluster bootstrap and what it draws, Chao's, that of rarefaction; \
     empty without one",
);
const EFFORT: Column =
    column("effort_flows", Kind::Count, "flows", "flows on which it rests, each counted once");
const REASON: Column = column(
    "reason",
    Kind::Word(Why::WORDS),
    "",
    "why there is no value, or, where there is one, why it has no interval; empty if it has both",
);
const END_LOW: Column =
    column("low", Kind::Number, "as the metric", "lower end of the interval; empty without one");
const END_HIGH: Column =
    column("high", Kind::Number, "as the metric", "upper end of the interval; empty without one");

pub(super) const DIVERSITY: Sheet = Sheet {
    file: "diversity.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        LEVEL,
        METRIC,
        OF_ASN,
        column("value", Kind::Number, "as the metric", "the number; empty if it cannot be judged"),
        END_LOW,
        END_HIGH,
        INTERVAL,
        EFFORT,
        REASON,
    ],
};

pub(super) const DIVERSITY_CHANGES: Sheet = Sheet {
    file: "diversity_changes.csv",
    columns: &[
        UNIT,
        CONTROL,
        column("epoch_before", Kind::Count, "", "number of the earlier epoch"),
        column("epoch_after", Kind::Count, "", "number of the later epoch"),
        LEVEL,
        METRIC,
        OF_ASN,
        column("before", Kind::Number, "as the metric", "in the earlier epoch"),
        column("after", Kind::Number, "as the metric", "in the later epoch"),
        column("difference", Kind::Number, "as the metric", "after minus before"),
        END_LOW,
        END_HIGH,
        INTERVAL,
        EFFORT,
        REASON,
    ],
};

pub(super) const CUTS: Sheet = Sheet {
    file: "cuts.csv",
    columns: &[
        UNIT,
        CONTROL,
        EPOCH,
        LEVEL,
        column(
            "role",
            Kind::Word(&["smallest_cut", "single_point"]),
            "",
            "whether the row is a member of a smallest cut of what was measured, or alone on every way",
        ),
        column("size", Kind::Count, "", "how many members the cut has, one row each"),
        column("from", Kind::Element, "", "the member, or the nearer end of the link that it is"),
        column("to", Kind::Element, "", "the farther end of the link; empty if the member is no link"),
    ],
};

pub(super) const TOTAL_DIVERSITY: Sheet = Sheet {
    file: "total_diversity.csv",
    columns: &[
        EPOCH,
        LEVEL,
        column(
            "total_graph_diversity",
            Kind::Number,
            "fraction",
            "mean effective path diversity over all pairs of a vantage and a unit that is no control",
        ),
        column("pairs", Kind::Count, "pairs", "pairs with a path"),
        column("lambda", Kind::Number, "", "the constant with which it was computed"),
        column("reason", Kind::Word(Why::WORDS), "", "why there is no value; empty if there is one"),
    ],
};

const VANTAGE: Column = column("vantage", Kind::Name, "", "who saw it");
const LINK: Column = column("link", Kind::Link, "", "the link, the lower AS number first");
const FOUND: Column = column("found", Kind::Count, "", "number of the change, from 1, as in found.csv");

/// The columns of what was found of a change: these of its own, and behind them when it was, of how many flows, and how sure.
macro_rules! found_change {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            column(
                "from",
                Kind::Time,
                "",
                "no earlier than this: the last trace that shows the time before began",
            ),
            column("from_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
            column(
                "to",
                Kind::Time,
                "",
                "no later than this: the last answer of the first trace that shows the time after",
            ),
            column("to_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
            column(
                "at_once",
                BOOL,
                "",
                "whether one moment explains all flows; if not, the bracket spans all their changes",
            ),
            column("used", Kind::Count, "flows", "flows on the side of the link's use that used it"),
            column("flows", Kind::Count, "flows", "all flows on that side"),
            column("others", Kind::Count, "flows", "flows on the other side; none of them used it"),
            column(
                "whole_vantage",
                BOOL,
                "",
                "whether these three count the flows towards all units together",
            ),
            column(
                "p",
                Kind::Probability,
                "",
                "probability of so clear a change by chance, times the tries that chance had",
            ),
            column(
                "rate",
                Kind::Probability,
                "",
                "false discovery rate (Benjamini and Hochberg) at which it is discovered",
            ),
        ]
    };
}

const CAME_OR_WENT: Column =
    column("change", CHANGE, "", "whether flows came onto the link or all left it");

pub(super) const FOUND_CHANGES: Sheet = Sheet {
    file: "found.csv",
    columns: found_change![
        column(
            "found",
            Kind::Count,
            "",
            "number of the change, from 1: a link that came or went for a unit, found untold",
        ),
        UNIT,
        VANTAGE,
        CAME_OR_WENT,
        LINK,
    ],
};

/// The columns of flows that prove a change, behind its number.
macro_rules! proving_flows {
    ($found:expr) => {
        &[
            $found,
            column("target", Kind::Address, "", "of a flow that proves the change: towards which address"),
            column("protocol", Kind::Word(&["icmp", "udp", "tcp"]), "", "in what it was carried"),
            column("port", Kind::Count, "", "destination port; empty for ICMP"),
            column("flow", Kind::Count, "", "the flow, as in the records"),
            column(
                "before_round",
                Kind::Count,
                "",
                "round of the last trace of the flow before the change",
            ),
            column("after_round", Kind::Count, "", "round of its first trace after the change"),
        ]
    };
}

pub(super) const FOUND_FLOWS: Sheet = Sheet { file: "found_flows.csv", columns: proving_flows!(FOUND) };

const FOUND_LINK: Column =
    column("found", Kind::Count, "", "number of the change, from 1, as in found_links.csv");

pub(super) const FOUND_LINKS: Sheet = Sheet {
    file: "found_links.csv",
    columns: found_change![
        column(
            "found",
            Kind::Count,
            "",
            "number of the change, from 1: a link between two addresses that came or went for a unit",
        ),
        UNIT,
        VANTAGE,
        CAME_OR_WENT,
        column("near", Kind::Address, "", "the end of the link that is nearer to the vantage"),
        column("far", Kind::Address, "", "the other end"),
        column("near_as", Kind::Asn, "", "to whom the near end belongs; empty if that cannot be told"),
        column("far_as", Kind::Asn, "", "to whom the far end belongs; empty if that cannot be told"),
        column(
            "with",
            Kind::Count,
            "",
            "number in found.csv of a change between ASes of the same unit, from which this one mostly follows",
        ),
    ],
};

pub(super) const FOUND_LINK_FLOWS: Sheet =
    Sheet { file: "found_link_flows.csv", columns: proving_flows!(FOUND_LINK) };

pub(super) const WATCHES: Sheet = Sheet {
    file: "watches.csv",
    columns: &[
        UNIT,
        CONTROL,
        VANTAGE,
        column(
            "watched",
            Kind::Word(&["judged", "nothing_answers", "too_rarely"]),
            "",
            "whether up and down can be told apart, or why not",
        ),
        column("addresses", Kind::Count, "addresses", "addresses that ever answered"),
        column(
            "availability",
            Kind::Number,
            "fraction",
            "how often they answer a round while the unit is up, at least",
        ),
        column("outages", Kind::Count, "", "rows in outages.csv"),
    ],
};

pub(super) const OUTAGES: Sheet = Sheet {
    file: "outages.csv",
    columns: &[
        UNIT,
        CONTROL,
        VANTAGE,
        column(
            "state",
            Kind::Word(&["down", "hosts_unsure", "vantage_unsure"]),
            "",
            "down, or silent in a way that the trouble of hosts or of the vantage explains as well",
        ),
        column(
            "last_up",
            Kind::Time,
            "",
            "the last answer before it; empty if there was none. It began after this",
        ),
        column("last_up_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("begun_by", Kind::Time, "", "by then it had begun"),
        column("begun_by_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("ended_after", Kind::Time, "", "it ended after this"),
        column("ended_after_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column(
            "first_up",
            Kind::Time,
            "",
            "the first answer behind it; empty if there was none. It ended before this",
        ),
        column("first_up_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("first_round", Kind::Count, "", "round of the first silent probe"),
        column("last_round", Kind::Count, "", "round of the last silent probe"),
        column("probes", Kind::Count, "probes", "silent probes and traces in a row"),
        column(
            "addresses",
            Kind::Count,
            "addresses",
            "addresses asked in that time, of those that ever answered",
        ),
        column(
            "path",
            Kind::Word(&["cut", "as_before", "not_told"]),
            "",
            "traces of that time: all ended before any upstream, or some entered the network, or neither decides",
        ),
        column(
            "controlled",
            BOOL,
            "",
            "whether the vantage has control targets; else other units stand for them",
        ),
        column(
            "seen_up_from",
            Kind::Count,
            "vantages",
            "other vantages to which something there answered in that time",
        ),
    ],
};

pub(super) const TROUBLES: Sheet = Sheet {
    file: "troubles.csv",
    columns: &[
        VANTAGE,
        column("last_well", Kind::Time, "", "the last answer of a control before; empty if there was none"),
        column("last_well_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("first_silent", Kind::Time, "", "the first silent probe to a control"),
        column("first_silent_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column("last_silent", Kind::Time, "", "the last silent probe to a control"),
        column("last_silent_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column(
            "first_well",
            Kind::Time,
            "",
            "the first answer of a control after; empty if there was none",
        ),
        column("first_well_ns", Kind::Nanoseconds, "ns", "the same, since 1970-01-01T00:00:00Z"),
        column(
            "probes",
            Kind::Count,
            "probes",
            "silent probes in a row; until first_well nothing is judged",
        ),
    ],
};

pub(super) const FORETOLD: Sheet = Sheet {
    file: "foretold.csv",
    columns: &[
        column("epoch", Kind::Count, "", "number of the epoch that the event opens, as in epochs.csv"),
        UNIT,
        column("upstream", Kind::Asn, "", "through which AS"),
        column(
            "foretold",
            Kind::Number,
            "share",
            "in which share of the ways to break ties the vantage's AS was foretold to come through it",
        ),
        column("before", Kind::Number, "share", "measured share of flows in the epoch before"),
        column("after", Kind::Number, "share", "the same in this epoch; empty if nothing was measured"),
        column("after_low", Kind::Number, "share", "lower end of its interval"),
        column("after_high", Kind::Number, "share", "upper end of its interval"),
    ],
};

pub(super) const FORETOLD_SCORES: Sheet = Sheet {
    file: "foretold_scores.csv",
    columns: &[
        column("epoch", Kind::Count, "", "number of the epoch that the event opens, as in epochs.csv"),
        UNIT,
        column("wrong", Kind::Number, "share", "of the flows, how many went elsewhere than foretold"),
        column("wrong_unchanged", Kind::Number, "share", "the same for the guess that nothing changes"),
        column("links_known", Kind::Count, "links", "of those measured before, how many the table has"),
        column("links_assumed", Kind::Count, "links", "those whose relation is assumed"),
        column(
            "links_unseen",
            Kind::Count,
            "links",
            "of these, into an origin that did not answer behind them",
        ),
    ],
};

pub(super) const TIMELINE: Sheet = Sheet {
    file: "timeline.csv",
    columns: &[
        UNIT,
        AT,
        AT_NS,
        column(
            "probes",
            Kind::Count,
            "packets",
            "probes of the round that ask addresses themselves, at those that ever answered",
        ),
        column("answered", Kind::Count, "packets", "of them answered by the target, in time or late"),
        column("flows", Kind::Count, "flows", "traced flows of the round"),
    ],
};

pub(super) const TIMELINE_UPSTREAMS: Sheet = Sheet {
    file: "timeline_upstreams.csv",
    columns: &[
        UNIT,
        AT,
        AT_NS,
        column("upstream", Kind::AsnOrUnknown, "", "through which AS, where it could be told"),
        column("flows", Kind::Count, "flows", "traced flows of the round through it"),
    ],
};

pub(super) const EDGES: Sheet = Sheet {
    file: "edges.csv",
    columns: &[
        EPOCH,
        column("from", Kind::Asn, "", "the AS nearer to the vantage"),
        column("to", Kind::Asn, "", "the AS nearer to the target"),
        column(
            "flows",
            Kind::Count,
            "flows",
            "traced flows towards units other than controls that crossed it",
        ),
        column(
            "across_gap",
            BOOL,
            "",
            "whether silent hops lay between, so that an AS may have been missed",
        ),
    ],
};

pub(super) const OPT_OUTS: Sheet = Sheet {
    file: "opt_outs.csv",
    columns: &[
        column("prefix", Kind::Prefix, "", "a prefix of the campaign that was opted out, one row each"),
        column("at", Kind::Time, "", "from when on nothing was sent there"),
        AT_NS,
    ],
};

pub(super) const LEDGER: Sheet = Sheet {
    file: "ledger.csv",
    columns: &[
        column(
            "entry",
            Kind::Word(&[
                "planned",
                "sent",
                "blocked",
                "send_failed",
                "skipped",
                "answered",
                "late",
                "silent",
                "in_flight",
                "duplicates",
                "unmatched",
                "malformed",
                "kernel_dropped",
            ]),
            "",
            "planned = sent + blocked + send_failed + skipped; sent = answered + late + silent + in_flight; \
             the rest is counted beside",
        ),
        column("packets", Kind::Count, "packets", "how many"),
    ],
};

/// This dictionary itself, as a file. Its cells are prose of ours and may hold spaces and commas.
pub(super) const COLUMNS: Sheet = Sheet {
    file: "columns.csv",
    columns: &[
        column("file", Kind::Name, "", "the file"),
        column("column", Kind::Name, "", "the column"),
        column("type", Kind::Name, "", "what may stand in it; words of a fixed list are separated by |"),
        column("unit", Kind::Name, "", "what it is measured in; empty where that makes no sense"),
        column("meaning", Kind::Name, "", "what it says"),
    ],
};

/// All files with data, in the order in which one would read them.
pub(super) const SHEETS: [Sheet; 30] = [
    CAMPAIGN,
    VANTAGES,
    EPOCHS,
    EVENTS,
    REACHABILITY,
    UPSTREAMS,
    PATHS,
    SINGLE_POINTS,
    CHANGES,
    DIVERSITY,
    DIVERSITY_CHANGES,
    CUTS,
    TOTAL_DIVERSITY,
    FOUND_CHANGES,
    FOUND_FLOWS,
    FOUND_LINKS,
    FOUND_LINK_FLOWS,
    WATCHES,
    OUTAGES,
    TROUBLES,
    DELAYS,
    DELAY_CHANGES,
    FORETOLD,
    FORETOLD_SCORES,
    TIMELINE,
    TIMELINE_UPSTREAMS,
    EDGES,
    NAMES,
    OPT_OUTS,
    LEDGER,
];

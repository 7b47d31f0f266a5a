//! Round-trip times, and changes of their level.

use super::{AT_NS, Column, Kind, METHOD, Sheet, VANTAGE, column};

const MS: &str = "ms";
const NS: &str = "the same, since 1970-01-01T00:00:00Z";

const OF_UNIT: Column =
    column("unit", Kind::Prefix, "", "whose round-trip times they are; empty for a link");
const BY: Column = column("method", METHOD, "", "which probes they are of; empty for a link");

pub(in crate::report) const DELAYS: Sheet = Sheet {
    file: "delays.csv",
    columns: &[
        VANTAGE,
        OF_UNIT,
        BY,
        column("round", Kind::Count, "", "the round, as in the records"),
        column("at", Kind::Time, "", "when the first answered probe of the round was sent"),
        AT_NS,
        column(
            "median",
            Kind::Number,
            MS,
            "median over the targets, each by what it is away from its own median of all rounds",
        ),
        column("samples", Kind::Count, "answers", "answers, or traces that came to their target"),
    ],
};

pub(in crate::report) const DELAY_CHANGES: Sheet = Sheet {
    file: "delay_changes.csv",
    columns: &[
        VANTAGE,
        OF_UNIT,
        BY,
        column("near", Kind::Address, "", "near end of the link; empty for a unit"),
        column("far", Kind::Address, "", "far end of the link; empty for a unit"),
        column("from", Kind::Time, "", "when the last round before the change began"),
        column("from_ns", Kind::Nanoseconds, "ns", NS),
        column("to", Kind::Time, "", "when the first round after it began"),
        column("to_ns", Kind::Nanoseconds, "ns", NS),
        column("round_before", Kind::Count, "", "the last round before"),
        column("round_after", Kind::Count, "", "the first round after"),
        column(
            "before",
            Kind::Number,
            MS,
            "median of the rounds before, back to the change before this one",
        ),
        column("before_low", Kind::Number, MS, "lower end of its interval"),
        column("before_high", Kind::Number, MS, "upper end of its interval"),
        column("after", Kind::Number, MS, "median of the rounds after, up to the next change"),
        column("after_low", Kind::Number, MS, "lower end of its interval"),
        column("after_high", Kind::Number, MS, "upper end of its interval"),
        column("difference", Kind::Number, MS, "after minus before"),
        column("difference_low", Kind::Number, MS, "lower end of its interval"),
        column("difference_high", Kind::Number, MS, "upper end of its interval"),
        column("rounds_before", Kind::Count, "rounds", "how many rounds the median before is of"),
        column("rounds_after", Kind::Count, "rounds", "how many rounds the median after is of"),
        column(
            "p",
            Kind::Probability,
            "",
            "probability of ranks so far apart by chance, times the places where the change could have been",
        ),
        column(
            "rate",
            Kind::Probability,
            "",
            "false discovery rate (Benjamini and Hochberg) at which it is discovered",
        ),
    ],
};

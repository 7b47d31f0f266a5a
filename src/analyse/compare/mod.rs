//! Epochs, estimates with intervals, differences, verdicts: what changed, and how sure we are.
//!
//! ```text
//! records ─▶ tally (who answered) ──────────────┐
//!        └─▶ traces ─▶ routes (ways, upstreams) ─┴─▶ unit by epoch ─▶ changes ─▶ verdict
//! ```
//!
//! Every probe belongs to the epoch in which it was sent; a trace with probes on both sides of an event is
//! left out of both and counted. Nothing here depends on the order of the records, and no number is ever
//! NaN: where there is nothing to divide by, there is no estimate.

mod analyse;
mod change;
mod diverse;
mod epochs;
mod figures;
mod findings;
mod interval;
mod moment;
pub(crate) mod number;
mod question;
mod routes;
mod tally;
mod unit;
mod verdict;

#[cfg(test)]
mod tests;

pub use analyse::{analyse, routed_traces};
pub use findings::{
    AsEdge, Change, Epoch, Estimate, Findings, Metric, PathCount, Reach, Reachability, TimelinePoint,
    UnitEpoch, UnitFindings, UpstreamShare,
};
pub use question::{AskedRound, Question};
pub use routes::RoutedTrace;

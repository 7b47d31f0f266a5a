//! Epochs, estimates with intervals, differences, verdicts: what changed, and how sure we are.
//!
//! ```text
//! records ─▶ tally (who answered) ─▶ watch (outages, the vantage's health) ─┐
//!        ├─▶ round-trip times ─▶ delay (changes of level) ────────────────────────┤
//!        └─▶ traces ─▶ routes (ways, upstreams) ─▶ found (links) ─▶ epochs ─┴─▶ unit by epoch ─▶ changes ─▶ verdict
//! ```
//!
//! Time is cut at declared events, and at changes of links that the traces show without being told. Every probe belongs
//! to the epoch in which it was sent; a trace with probes on both sides of an event is
//! left out of both and counted. Nothing here depends on the order of the records, and no number is ever
//! NaN: where there is nothing to divide by, there is no estimate.

mod alarms;
mod analyse;
mod both;
mod change;
mod clusters;
mod delay;
mod diverse;
mod epochs;
mod exact;
mod figures;
mod findings;
mod foretold;
mod found;
mod interval;
mod moment;
pub(crate) mod number;
mod packed;
mod question;
mod routes;
mod tally;
mod unit;
mod verdict;
mod watch;

#[cfg(test)]
mod tests;

pub use alarms::{Alarm, AlarmKind, Alarms, Look};
pub use analyse::{analyse, analyse_read, routed_traces};
pub use delay::{DelayChange, DelayFindings, DelayPoint, DelaySeries, DelaySubject};
pub use findings::{
    AsEdge, Change, Epoch, Estimate, Findings, FoundChange, FoundLink, Metric, Outage, OutageState,
    PathCount, PathThen, Proof, Reach, Reachability, TimelinePoint, Trouble, UnitEpoch, UnitFindings,
    UpstreamShare, Watch, Watched,
};
pub use foretold::{
    CampaignBacktest, ForetoldShare, Grounds, MeasuredWalk, UnitBacktest, campaign_backtest,
};
pub use found::PinnedFlow;
pub use question::{AskedRound, Question};
pub use routes::RoutedTrace;

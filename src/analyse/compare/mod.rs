//! Epochs, estimates with intervals, differences, verdicts: what changed, and how sure we are.

mod findings;

pub use findings::{
    AsEdge, Change, Epoch, Estimate, Findings, Metric, PathCount, Reach, Reachability, TimelinePoint,
    UnitEpoch, UnitFindings, UpstreamShare,
};

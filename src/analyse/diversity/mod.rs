//! Path diversity with its intervals and its limits: how evenly flows are spread, how many ways share nothing, what
//! has not been seen yet, and what an event has changed.
//!
//! ```text
//! traces ─▶ Sample (flows, each with its ways) ─┬─▶ measures ◀─ the same flows, drawn again (bootstrap)
//! traces, searches ─▶ Evidence (links) ─▶ cuts ─┴─▶ readings by epoch ─▶ contrasts
//! ```
//!
//! Pure, and independent of the order of what comes in. A number that cannot be had is a reason, never a zero.

mod bootstrap;
mod complete;
mod dissimilar;
mod evidence;
mod findings;
mod judge;
mod measure;
mod resample;
mod richness;
mod sample;
mod spread;

pub use bootstrap::{Drawn, FEWEST, REPLICATES};
pub use dissimilar::{LAMBDA, effective_path_diversity};
pub use evidence::{Evidence, Spot, SpotLink};
pub use findings::{
    By, Contrast, CutMember, Difference, DiversityFindings, EpochDiversity, Figure, Interval, NamedCut,
    Reading, TotalDiversity, UnitDiversity, Why,
};
pub use judge::{EpochEvidence, Scale, UnitEvidence, judge, path_diversities};
pub use measure::{Level, Measure};
pub use richness::{Incidence, Richness};
pub use sample::{Sample, Sighting, Way};
pub use spread::{effective, entropy, evenness};

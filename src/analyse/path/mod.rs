//! From records to AS paths: traces, their ends, the AS of every hop with the reason, and the upstream
//! through which each came.
//!
//! ```text
//! records ─▶ Traces ─▶ Trace (cleaned) ─▶ AsPath ─▶ Approach ─▶ Entrances ─▶ Upstream or the reason why not
//! ```
//!
//! Nothing is guessed silently: a hop that belongs to an AS only because of its neighbours is marked, a gap
//! stays a gap, and the destination's AS is never on a path on which the destination did not answer.

mod as_path;
mod clean;
mod router;
mod trace;
mod upstream;
mod walk;

#[cfg(test)]
mod tests;

pub use as_path::{AsPath, HopAs, HopRule, Segment};
pub use router::{Confidence, RouterAs, RouterAses, RouterRule};
pub use trace::{Hop, HopAnswer, HopState, Shapes, Trace, TraceEnd, TraceKey, Traces};
pub use upstream::{Approach, DeclaredLinks, Entrances, NoUpstream, Setting, Upstream};
pub use walk::{Step, Walk};

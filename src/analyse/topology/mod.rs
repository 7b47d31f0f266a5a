//! What would happen: the topology of ASes with their relations, the routes that follow from it, and how they
//! change when links and ASes are lost or added. Pure: relations in, predictions out.
//!
//! ```text
//! relations (+ measured links) ─▶ Topology ─▶ Routes to one origin ─▶ Outlook: reach, catchment, lengths, hegemony
//!                                    │             └─▶ lose and restore, recomputing only what changes ─▶ Ranking
//!                                    └─▶ Uphill: disjoint ways to the top, and what must be lost to close them
//! ```
//!
//! The model is Gao's and Rexford's (2001): an AS prefers routes of customers to those of peers to those of
//! providers, then the shortest, then the one from the neighbour with the lowest number; it tells peers and
//! providers only of routes to customers. A model is no measurement: whoever shows its numbers shows them as ranges over
//! snapshots and over ways to break ties (`docs/whatif.md`).

mod backtest;
mod change;
mod graph;
mod hegemony;
mod key;
mod loss;
mod merge;
mod outlook;
mod predict;
mod queue;
mod rank;
mod routes;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod uphill;

pub use backtest::{Backtest, Score, Trial, backtest, changes_at, score};
pub use change::{Absent, BadAdded, BadLost, Change, added};
pub use graph::{RelationCounts, Topology};
pub use hegemony::{TRIM, hegemony_of_crossings, trimmed_mean};
pub use key::{Ties, Want};
pub use loss::{Journal, Lost};
pub use merge::{Assumed, Because, MeasuredWay, Merged};
pub use outlook::Outlook;
pub use predict::{Both, Prediction, predict};
pub use rank::{Harm, PairHarm};
pub use routes::{Announcement, Route, Routes};
pub use uphill::Uphill;

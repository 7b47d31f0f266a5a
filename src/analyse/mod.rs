//! From records to findings: the understanding wing. Pure: data in, findings out, no I/O.
//!
//! The way of the data: `origin` (address → AS), `path` (replies → hops → AS paths, upstreams), `graph`
//! (the measured graph: disjoint paths, single points of failure), `ways` (all ways to a target or unit),
//! `voices` (which routers limit their answers), `aliases` (which addresses are on one router), `borders` (whose router
//! answers with an address), `diversity` (how
//! evenly flows are spread, and what was not seen), `compare` (epochs, estimates with intervals, changes); and beside them
//! `topology` (what AS relations make of routes, and what would happen) and `collectors` (through whom the peers of route
//! collectors reach an origin). It knows nothing of `measure`, so it works on
//! other people's data too.

pub mod aliases;
pub mod borders;
pub mod collectors;
pub mod compare;
pub mod diversity;
pub mod graph;
pub mod origin;
pub mod path;
pub mod topology;
pub mod voices;
pub mod ways;

#[cfg(test)]
mod sheet;

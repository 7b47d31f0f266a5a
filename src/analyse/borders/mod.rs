//! Whose router answers with an address: the borders between ASes, from all traces of a dataset together.
//!
//! An address on a link between two ASes is taken from the space of one of them, mostly the provider's, and stands on
//! both routers. Which AS a router belongs to is therefore told by what is seen behind it, as bdrmapIT does it (Marder
//! et al., IMC 2018): routers behind which nothing was seen by the targets of their traces, all others by the votes
//! of the interfaces behind them. To whom a link leads is told by the routers before it, and tells in turn for whom its
//! interface votes; all this again and again until nothing changes. Relations between ASes tell customers from
//! providers; without them only votes count. Where the two ends of a link are two ASes', it is a border.
//!
//! Addresses of which `aliases` knows that they are on one router are decided about together.

mod annotate;
mod connected;
mod graph;
mod relations;
#[cfg(test)]
mod tests;

use self::annotate::Annotation;
use self::graph::Graph;
use super::aliases::Aliases;
use super::origin::OriginTable;
use super::path::{RouterAses, Trace};

pub use relations::Relations;

/// The AS of the router behind every address that answered on these traces.
#[must_use]
pub fn router_ases<'a>(
    traces: impl IntoIterator<Item = &'a Trace>,
    origins: &OriginTable,
    relations: &Relations,
    aliases: &Aliases,
) -> RouterAses {
    let graph = Graph::of(traces, origins, aliases);
    let routers = Annotation::new(&graph, relations).run();
    graph.addresses.iter().copied().zip(routers).collect()
}

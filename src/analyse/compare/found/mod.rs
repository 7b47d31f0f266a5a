//! Links that were gained or lost, found without being told: those between ASes, and those between addresses.
//!
//! ```text
//! routes ─▶ ways (what a trace says of links) ─▶ series of pinned flows ─▶ runs without a link ─▶ tests ─▶ changes
//! ```
//!
//! The same flows are traced in every round. A link is *lost* when most flows that used it were seen again, none of
//! them nor any other uses it, and so clear a picture would be unlikely if a balancer had only dealt the flows out
//! anew: Fisher's exact test over flows, times the number of rounds in which any flow came onto the link or left it,
//! since each of these was a try. Where at least about four flows left, it also counts that the others stayed: dealt out
//! anew, they would not all have come to the same AS again. A link is *added* the other way round. Where the flows of each target all go one
//! way, and targets of one unit different ways, a balancer looks at destinations alone; then targets are counted and
//! not flows.
//!
//! Links between addresses are found the same way, but more strictly, since inside networks balancers move flows all the
//! time: only neighbours that both answered make a link, nearly all flows must have been seen again, and so many would not
//! have left at once if each moved by itself as often as flows moved otherwise. Flows that move often by
//! themselves, as behind balancers that go packet by packet, say nothing.
//!
//! All tests of a campaign, those of either kind, are corrected together (Benjamini and Hochberg). A trace that fell silent says nothing
//! about links: silence is a matter of reachability.

mod node;
mod runs;
mod series;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use self::node::Node;
use self::runs::{Candidate, candidates};
use self::series::Series;
use self::way::{Crossing, Followed};
use super::both::both;
use super::exact;
use super::findings::{FoundChange, FoundLink, Proof};
use super::moment::{self, Bracket};
use super::routes::Routes;
use crate::model::{Asn, LinkChange, Name, Unit, WallTime};

pub use self::series::PinnedFlow;

/// All that was found in a campaign.
#[derive(Clone, Debug)]
pub(super) struct Found<N> {
    /// In the order of time, then unit and link.
    pub(super) changes: Vec<FoundChange<N>>,
    /// How many tests were made.
    pub(super) tests: u64,
}

/// A candidate with where it was found.
struct Tested<'a, N> {
    vantage: &'a Name,
    /// `None` if the flows of all units were taken together.
    unit: Option<Unit>,
    series: usize,
    candidate: Candidate<N>,
}

/// The changes that the traces of a campaign show, at this false discovery rate.
pub(super) fn changes<N: Node>(routes: &Routes<'_>, accepted: f64) -> Found<N> {
    let mut flows: Vec<Vec<(Unit, PinnedFlow)>> = Vec::new();
    let mut tested: Vec<Tested<'_, N>> = Vec::new();
    let mut vantages: BTreeMap<&Name, BTreeSet<Unit>> = BTreeMap::new();
    for route in routes.iter() {
        vantages.entry(route.vantage()).or_default().insert(route.unit());
    }
    for (vantage, units) in vantages {
        let followed = Followed::<N>::new(routes.iter().filter(|route| route.vantage() == vantage));
        let whole = || {
            let all = routes.iter().filter(|route| route.vantage() == vantage);
            (None, Series::new(all, &followed).tested())
        };
        let of_unit = |unit: &Unit| {
            let of_unit = routes.of_unit(*unit).filter(|route| route.vantage() == vantage);
            (Some(*unit), Series::new(of_unit, &followed).tested())
        };
        let (whole, parts) = both(whole, || units.iter().map(of_unit).collect::<Vec<_>>());
        for (unit, (of_series, candidates)) in std::iter::once(whole).chain(parts) {
            let series = flows.len();
            let found = candidates.into_iter();
            tested.extend(found.map(|candidate| Tested { vantage, unit, series, candidate }));
            flows.push(of_series);
        }
    }
    let p: Vec<f64> = tested.iter().map(|tested| tested.candidate.p).collect();
    let rates = exact::false_discovery_rates(&p);
    let discovered = tested.iter().zip(&rates).filter(|(_, rate)| **rate <= accepted);
    let mut changes: Vec<FoundChange<N>> = discovered
        .filter_map(|(tested, rate)| Some((tested, flows.get(tested.series)?, *rate)))
        .flat_map(|(tested, flows, rate)| told(tested, flows, rate))
        .collect();
    changes.sort_by(|one, other| key(one).cmp(&key(other)).then(one.p.total_cmp(&other.p)));
    Found { changes: once_each(changes), tests: super::unit::count(p.len()) }
}

impl<N: Node> Series<N> {
    /// Its flows, and what may have changed for them.
    fn tested(self) -> (Vec<(Unit, PinnedFlow)>, Vec<Candidate<N>>) {
        let candidates = self.links().into_iter().flat_map(|link| candidates(&self, link)).collect();
        (self.flows, candidates)
    }
}

/// The changes of links between ASes; and those of links between addresses, in the order of time, and how many tests
/// that took.
pub(super) fn all_changes(routes: &Routes<'_>, accepted: f64) -> (Found<Asn>, (Vec<FoundLink>, u64)) {
    // One after the other: each takes as much memory as all traces.
    let found: Found<Asn> = changes(routes, accepted);
    let links = attached(changes(routes, accepted), &found.changes, routes);
    (found, links)
}

/// Each with the ASes that its ends belong to, and with the change between ASes from which it follows.
fn attached(
    Found { changes, tests }: Found<IpAddr>,
    between_ases: &[FoundChange],
    routes: &Routes<'_>,
) -> (Vec<FoundLink>, u64) {
    let holders = if changes.is_empty() { BTreeMap::new() } else { routes.holders() };
    let links = changes.into_iter().map(|found| {
        let holder = |address| holders.get(&address).copied();
        let with = |change: &FoundChange| {
            let same = (&change.vantage, change.unit) == (&found.vantage, found.unit);
            same && change.from <= found.to && found.from <= change.to
        };
        FoundLink {
            holders: (holder(found.link.0), holder(found.link.1)),
            with: between_ases.iter().position(with),
            found,
        }
    });
    (links.collect(), tests)
}

/// A discovery as it is told: once for each unit whose flows it moved.
fn told<N: Node>(
    tested: &Tested<'_, N>,
    followed: &[(Unit, PinnedFlow)],
    rate: f64,
) -> Vec<FoundChange<N>> {
    let Candidate { link, change, flows, used, others, moved, p } = &tested.candidate;
    let Some(bracket) = bracket(moved) else { return Vec::new() };
    let mut by_unit: BTreeMap<Unit, Vec<Proof>> = BTreeMap::new();
    for pair in moved {
        let Some((unit, flow)) = followed.get(pair.before.flow) else { continue };
        let proof = Proof { flow: *flow, before: pair.before.round, after: pair.after.round };
        by_unit.entry(*unit).or_default().push(proof);
    }
    let found = |(unit, proofs)| FoundChange {
        vantage: tested.vantage.clone(),
        unit,
        link: *link,
        change: *change,
        from: bracket.0.from,
        to: bracket.0.to,
        at_once: bracket.0.at_once,
        cut: bracket.1,
        used: *used,
        flows: *flows,
        others: *others,
        whole_vantage: tested.unit.is_none(),
        p: *p,
        rate,
        proofs,
    };
    by_unit.into_iter().map(found).collect()
}

/// The bracket of a change, and the moment at which it is best cut: when the first trace that shows it began, or,
/// where the flows do not agree, behind the last trace that does not.
fn bracket(moved: &[runs::Pair]) -> Option<(Bracket, WallTime)> {
    let pair = |pair: &runs::Pair| (pair.before.begun, (pair.after.begun, pair.after.heard));
    let bracket = moment::combined(&moved.iter().map(pair).collect::<Vec<_>>())?;
    let begun = moved.iter().map(|pair| pair.after.begun).min()?;
    let latest = moved.iter().map(|pair| pair.before.begun).max()?;
    let cut =
        if bracket.at_once { begun } else { WallTime::from_nanos(latest.as_nanos().saturating_add(1)) };
    Some((bracket, cut))
}

fn key<N: Node>(found: &FoundChange<N>) -> (&Name, Unit, Crossing<N>, LinkChange, WallTime) {
    (&found.vantage, found.unit, found.link, found.change, found.from)
}

/// The flows of one unit and of all of them together show the same change; it is told once, by the surer of the two.
fn once_each<N: Node>(changes: Vec<FoundChange<N>>) -> Vec<FoundChange<N>> {
    let mut kept: Vec<FoundChange<N>> = Vec::new();
    for found in changes {
        let same = kept.last_mut().filter(|last| {
            let alike = (&last.vantage, last.unit, last.link, last.change)
                == (&found.vantage, found.unit, found.link, found.change);
            alike && last.from <= found.to && found.from <= last.to
        });
        match same {
            Some(last) if found.p < last.p => *last = found,
            Some(_) => {}
            None => kept.push(found),
        }
    }
    kept.sort_by(|one, other| (one.from, key(one)).cmp(&(other.from, key(other))));
    kept
}

#[cfg(test)]
mod tests;

//! What is drawn: the links between ASes, and the timeline of each unit.

use std::collections::BTreeMap;

use super::findings::{AsEdge, TimelinePoint};
use super::routes::{Route, Routes};
use super::tally::RoundKey;
use super::unit::UnitView;
use crate::analyse::graph::Links;
use crate::model::{Asn, Unit, WallTime};

/// The links that traces towards other than control units crossed. Those seen only across a gap in which
/// other traces of the epoch show somebody are left out.
pub(super) fn edges(routes: &Routes<'_>) -> Vec<AsEdge> {
    let mut links: BTreeMap<usize, Links> = BTreeMap::new();
    let measured = || routes.iter().filter(|route| !route.control());
    for route in measured() {
        links.entry(route.epoch).or_default().add(route.walk());
    }
    let mut edges: BTreeMap<(usize, Asn, Asn), (u64, bool)> = BTreeMap::new();
    for route in measured() {
        for (from, to, gap) in route.walk().links() {
            let (flows, across_gap) = edges.entry((route.epoch, from, to)).or_insert((0, true));
            *flows = flows.saturating_add(1);
            *across_gap &= gap;
        }
    }
    let real = |((epoch, from, to), (_, gap)): &((usize, Asn, Asn), (u64, bool))| {
        !(*gap && links.get(epoch).is_some_and(|links| links.explains(*from, *to)))
    };
    let edge = |((epoch, from, to), (flows, across_gap))| AsEdge { epoch, from, to, flows, across_gap };
    edges.into_iter().filter(real).map(edge).collect()
}

/// One point a unit and round of a vantage, in the order of time.
pub(super) fn timeline(
    views: &[UnitView<'_>],
    starts: &BTreeMap<RoundKey, WallTime>,
) -> Vec<TimelinePoint> {
    let mut timeline = Timeline { starts, points: BTreeMap::new() };
    for view in views {
        timeline.add(view);
    }
    timeline.points.into_values().collect()
}

struct Timeline<'a> {
    starts: &'a BTreeMap<RoundKey, WallTime>,
    points: BTreeMap<(WallTime, Unit, RoundKey), TimelinePoint>,
}

impl Timeline<'_> {
    fn add(&mut self, view: &UnitView<'_>) {
        for (round, share) in &view.answers.by_round {
            let Some(point) = self.point(view.unit, round) else { continue };
            point.probes = point.probes.saturating_add(share.whole);
            point.answered = point.answered.saturating_add(share.part);
        }
        let round = |route: &Route<'_>| (route.vantage().clone(), route.round());
        let mut routes = view.routes().peekable();
        while let Some(first) = routes.next() {
            let of_round = round(&first);
            let others = std::iter::from_fn(|| routes.next_if(|next| round(next) == of_round));
            let mut upstreams: BTreeMap<Option<Asn>, u64> = BTreeMap::new();
            for route in std::iter::once(first).chain(others) {
                let flows =
                    upstreams.entry(route.upstream().ok().map(|upstream| upstream.asn)).or_default();
                *flows = flows.saturating_add(1);
            }
            let Some(point) = self.point(view.unit, &of_round) else { continue };
            for (upstream, more) in upstreams {
                let flows = point.upstreams.entry(upstream).or_default();
                *flows = flows.saturating_add(more);
            }
        }
    }

    fn point(&mut self, unit: Unit, round: &RoundKey) -> Option<&mut TimelinePoint> {
        let at = *self.starts.get(round)?;
        let new = TimelinePoint { unit, at, probes: 0, answered: 0, upstreams: BTreeMap::new() };
        Some(self.points.entry((at, unit, round.clone())).or_insert(new))
    }
}

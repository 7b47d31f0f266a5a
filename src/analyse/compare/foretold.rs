//! The events of a campaign, foretold from what was known before each, and held against what was measured after it.
//!
//! The topology is a table of relations with the links that were measured in the epoch before. Links that come only with the
//! event are taken out of it first, since a table may know already what only comes then. The guess that nothing changes
//! stands beside each prediction: one that is no better is worth nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Epoch, Estimate, UnitEpoch, UnitFindings};
use super::number::length;
use super::routes::Routes as MeasuredRoutes;
use crate::analyse::topology::{
    Announcement, Because, Change, Lost, MeasuredWay, Merged, Routes, Ties, Topology,
};
use crate::model::{AsLink, AsRelation, Asn, Event, LinkChange, Unit};

/// Over how many random orders of neighbours, beside that of their numbers, a report foretells.
const SEEDS: u64 = 10;

/// A way from the vantage to an origin, whose upstream is told.
#[derive(Clone, Debug)]
pub struct MeasuredWalk {
    /// The index of its epoch.
    pub epoch: usize,
    /// From AS to AS.
    pub way: MeasuredWay,
}

/// What was foretold of a unit at an event, and what was measured then.
#[derive(Clone, Debug)]
pub struct UnitBacktest {
    /// The index of the epoch that the events open.
    pub epoch: usize,
    /// The unit.
    pub unit: Unit,
    /// Its origin.
    pub origin: Asn,
    /// By upstream.
    pub shares: BTreeMap<Asn, ForetoldShare>,
    /// The share of ways that went elsewhere than foretold, and than before; `None` where nothing was measured.
    pub wrong: Option<(f64, f64)>,
}

/// The share of one upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ForetoldShare {
    /// Of the ways to break ties.
    pub foretold: f64,
    /// Of the flows before the event.
    pub before: f64,
    /// Of the flows after it; `None` where nothing was measured.
    pub after: Option<Estimate>,
}

/// What a prediction stood on.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// The index of the epoch that the events open.
    pub epoch: usize,
    /// The origin.
    pub origin: Asn,
    /// The events: those that were declared, or else the links of the origin that were found to come or go.
    pub events: Vec<Event>,
    /// Of the links measured before, those that the tables have.
    pub known: u64,
    /// Those whose relation is assumed.
    pub assumed: u64,
    /// Of these, links into the origin behind which it was not seen to answer.
    pub unseen: u64,
    /// Whether there was a way before from which to foretell. If not, nothing is foretold.
    pub measured: bool,
}

/// Predictions of a campaign's events.
#[derive(Clone, Debug, Default)]
pub struct CampaignBacktest {
    /// One entry an event and origin.
    pub grounds: Vec<Grounds>,
    /// One entry an event and unit.
    pub units: Vec<UnitBacktest>,
}

/// Foretells each event of a campaign from what was known before it, for the units of an origin.
#[must_use]
pub fn campaign_backtest(
    (epochs, units): (&[Epoch], &[UnitFindings]),
    walks: &[MeasuredWalk],
    topology: &Topology,
    announcement: &Announcement,
    ties: &[Ties],
) -> CampaignBacktest {
    let mut found = CampaignBacktest::default();
    let of_origin =
        || units.iter().filter(|unit| !unit.control && unit.origin == Some(announcement.origin));
    for (index, (before, epoch)) in (1..).zip((0..).zip(epochs.iter().skip(1))) {
        let events = events(epoch, announcement.origin);
        if events.is_empty() {
            continue;
        }
        let known: Vec<MeasuredWay> =
            walks.iter().filter(|walk| walk.epoch == before).map(|walk| walk.way.clone()).collect();
        let merged = without(topology, &events).merged(&known);
        let from = most_common(known.iter().filter_map(|way| Some(way.walk.steps.first()?.asn)));
        found.grounds.push(Grounds {
            epoch: index,
            origin: announcement.origin,
            known: merged.known,
            assumed: merged.assumed.len() as u64,
            unseen: unseen(&merged),
            measured: from.is_some(),
            events: events.clone(),
        });
        let Some(from) = from else { continue };
        let change = change(topology, &events, announcement.origin);
        let foretold = foretold(&merged, announcement, &change, from, ties);
        let judged = of_origin().filter_map(|unit| {
            let (was, is) = unit.by_epoch.get(before).zip(unit.by_epoch.get(index))?;
            Some(judged((index, unit.unit, announcement.origin), &foretold, (was, is)))
        });
        found.units.extend(judged);
    }
    found
}

/// The same for the origins of all units, for a report.
pub(super) fn of_report(
    (epochs, units): (&[Epoch], &[UnitFindings]),
    routes: &MeasuredRoutes<'_>,
    relations: &[AsRelation],
) -> CampaignBacktest {
    let mut all = CampaignBacktest::default();
    if relations.is_empty() || epochs.len() < 2 {
        return all;
    }
    let topology = Topology::of(relations);
    let ties: Vec<Ties> = std::iter::once(Ties::LowestAsn).chain((1..=SEEDS).map(Ties::Seeded)).collect();
    let origins = units.iter().filter(|unit| !unit.control).filter_map(|unit| unit.origin);
    for origin in origins.collect::<BTreeSet<Asn>>() {
        let announcement = Announcement { origin, only_to: None };
        let found =
            campaign_backtest((epochs, units), &walks(routes, origin), &topology, &announcement, &ties);
        all.grounds.extend(found.grounds);
        all.units.extend(found.units);
    }
    all.grounds.sort_by_key(|grounds| (grounds.epoch, grounds.origin));
    all.units.sort_by_key(|unit| (unit.epoch, unit.unit));
    all
}

fn walks(routes: &MeasuredRoutes<'_>, origin: Asn) -> Vec<MeasuredWalk> {
    let told = routes.iter().filter(|route| !route.control() && route.origin() == Some(origin));
    let mut seen = BTreeSet::new();
    told.filter_map(|route| {
        let entered = route.upstream().ok()?.seen_entering;
        let new = seen.insert((route.epoch, entered, &**route.walk()));
        let way = || MeasuredWay { walk: (**route.walk()).clone(), entered };
        new.then(|| MeasuredWalk { epoch: route.epoch, way: way() })
    })
    .collect()
}

/// What opened an epoch: what was declared, or else the links of the origin that were found to come or go. Other links that
/// were found may be what followed from it: to foretell from them would be to look at the answer.
fn events(epoch: &Epoch, origin: Asn) -> Vec<Event> {
    if !epoch.opened_by.is_empty() {
        return epoch.opened_by.clone();
    }
    let of_origin = epoch.found.iter().filter(|(_, link)| link.other_end(origin).is_some());
    of_origin.map(|(change, link)| Event { at: epoch.start, change: *change, link: *link }).collect()
}

fn unseen(merged: &Merged) -> u64 {
    merged.assumed.iter().filter(|assumed| assumed.because == Because::SilentBeforeOrigin).count() as u64
}

fn without(topology: &Topology, events: &[Event]) -> Topology {
    let comes =
        |link: AsLink| events.iter().any(|event| event.change == LinkChange::Added && event.link == link);
    let stays = |relation: &AsRelation| !relation.link().is_some_and(comes);
    Topology::of(&topology.relations().filter(stays).collect::<Vec<AsRelation>>())
}

/// A link that comes has the relation of the tables, where they have it; otherwise the other end sells transit to the origin.
fn change(topology: &Topology, events: &[Event], origin: Asn) -> Change {
    let mut change = Change::default();
    for event in events {
        match event.change {
            LinkChange::Lost => change.lose.push(Lost::Link(event.link)),
            LinkChange::Added => {
                change.add.extend(topology.relation(event.link).or_else(|| assumed(event.link, origin)));
            }
        }
    }
    change
}

fn assumed(link: AsLink, origin: Asn) -> Option<AsRelation> {
    let provider = link.other_end(origin)?;
    Some(AsRelation::Transit { provider, customer: origin })
}

fn most_common(asns: impl Iterator<Item = Asn>) -> Option<Asn> {
    let mut votes: BTreeMap<Asn, u64> = BTreeMap::new();
    for asn in asns {
        let vote = votes.entry(asn).or_default();
        *vote = vote.saturating_add(1);
    }
    votes.into_iter().max_by_key(|(asn, count)| (*count, std::cmp::Reverse(*asn))).map(|(asn, _)| asn)
}

/// By upstream: in how many of the ways to break ties the vantage's AS comes through it. Nobody is named where it has no
/// route.
fn foretold(
    merged: &Merged,
    announcement: &Announcement,
    change: &Change,
    from: Asn,
    ties: &[Ties],
) -> BTreeMap<Asn, f64> {
    let changed = merged.topology.with(&change.add);
    let mut shares: BTreeMap<Asn, f64> = BTreeMap::new();
    for ties in ties.iter().copied() {
        let Some(mut routes) = Routes::to(&changed, announcement, ties) else { continue };
        drop(routes.lose_all(&change.lose));
        if let Some(upstream) = routes.last_hop(from) {
            *shares.entry(upstream).or_default() += 1.0;
        }
    }
    shares.into_iter().map(|(asn, count)| (asn, count / length(ties.len().max(1)))).collect()
}

fn judged(
    (epoch, unit, origin): (usize, Unit, Asn),
    foretold: &BTreeMap<Asn, f64>,
    (was, is): (&UnitEpoch, &UnitEpoch),
) -> UnitBacktest {
    let mut shares: BTreeMap<Asn, ForetoldShare> = BTreeMap::new();
    for (asn, share) in foretold {
        shares.entry(*asn).or_default().foretold = *share;
    }
    for upstream in &was.upstreams {
        shares.entry(upstream.upstream).or_default().before = upstream.share.value;
    }
    for upstream in &is.upstreams {
        shares.entry(upstream.upstream).or_default().after = Some(upstream.share);
    }
    let is_measured = !is.upstreams.is_empty();
    if is_measured {
        let none = Estimate { value: 0.0, low: 0.0, high: 0.0 };
        for share in shares.values_mut() {
            share.after = share.after.or(Some(none));
        }
    }
    let distance = |guess: fn(&ForetoldShare) -> f64| {
        let off =
            |share: &ForetoldShare| (guess(share) - share.after.map_or(0.0, |after| after.value)).abs();
        (shares.values().map(off).sum::<f64>() / 2.0).clamp(0.0, 1.0)
    };
    let wrong = is_measured.then(|| (distance(|share| share.foretold), distance(|share| share.before)));
    UnitBacktest { epoch, unit, origin, shares, wrong }
}

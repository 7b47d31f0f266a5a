//! Runs without a link: the stretches between two uses of it in which most flows that had used it were traced
//! again, and all of these went elsewhere. Each is tested against chance.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::super::exact;
use super::super::interval::float;
use super::super::unit::count;
use super::node::Node;
use super::series::{Glance, Look, Series};
use super::way::{Crossing, Way};
use crate::model::{LinkChange, RoundId, Unit};

/// What one flow showed on either side of a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) before: Look,
    pub(super) after: Look,
}

/// A change that may be one, or chance.
#[derive(Clone, Debug)]
pub(super) struct Candidate<N> {
    pub(super) link: Crossing<N>,
    pub(super) change: LinkChange,
    /// Flows that were seen on the side of the link's use, and of them those that used it.
    pub(super) flows: u64,
    pub(super) used: u64,
    /// Flows that were seen on the other side, where none used it.
    pub(super) others: u64,
    /// Of the flows that used it, what each showed before and after.
    pub(super) moved: Vec<Pair>,
    /// The probability of so clear a change by chance, for as often as chance had a try.
    pub(super) p: f64,
}

/// That so many flows left is at least this unlikely, which takes about four of them, before it counts that others
/// stayed.
const ENOUGH_LEFT: f64 = 0.07;

/// All candidates of a link, losses and additions.
pub(super) fn candidates<N: Node>(series: &Series<N>, link: Crossing<N>) -> Vec<Candidate<N>> {
    let mut glances = series.glances(link);
    if glances.is_empty() {
        return Vec::new();
    }
    let moves = Moves::new(series, &glances);
    let whole = |run: &Run| !N::STRICT || run.is_whole();
    let test = |change: LinkChange, run: Run| {
        let mut found = run.candidate(link, change);
        let p = if run.by_destination(series) {
            let (used, flows, others) = run.targets(series);
            exact::all_on_one_side(used, flows, others)
        } else {
            let left = exact::all_on_one_side(found.used, found.flows, found.others);
            if left > ENOUGH_LEFT { left } else { left.min(exact::both(left, run.stayed(series, link))) }
        };
        let p = if N::STRICT { p.max(moves.leaving(found.used)) } else { p };
        found.p = (p * float(moves.tries())).min(1.0);
        found
    };
    let mut found: Vec<Candidate<N>> =
        runs(series, &glances).into_iter().filter(whole).map(|run| test(LinkChange::Lost, run)).collect();
    glances.reverse();
    found.extend(runs(series, &glances).into_iter().filter(whole).map(|run| test(LinkChange::Added, run)));
    found
}

/// How flows came onto a link and left it. Of two looks at a flow in a row of which one shows it on the link: how often both
/// do, how often only one, and in which rounds it moved.
struct Moves {
    stayed: u64,
    moved: u64,
    rounds: BTreeSet<RoundId>,
}

/// Flows that move more often than this are not pinned: balancers that go packet by packet show others in every round.
const RESTLESS: f64 = 0.25;

impl Moves {
    fn new<N: Node>(series: &Series<N>, glances: &[Glance]) -> Self {
        let mut last: Vec<Option<bool>> = vec![None; series.flows.len()];
        let mut moves = Self { stayed: 0, moved: 0, rounds: BTreeSet::new() };
        for glance in glances {
            match last.get_mut(glance.flow()).and_then(|last| last.replace(glance.used)) {
                Some(before) if before != glance.used => {
                    moves.moved = moves.moved.saturating_add(1);
                    moves.rounds.extend(series.look(*glance).map(|look| look.round));
                }
                Some(true) => moves.stayed = moves.stayed.saturating_add(1),
                _ => {}
            }
        }
        moves
    }

    /// In how many rounds any flow moved: as often chance had a try. At least 1.
    fn tries(&self) -> u64 {
        count(self.rounds.len()).max(1)
    }

    /// The probability that so many flows leave a link at once, each by itself as often as flows moved otherwise. 1 if they
    /// are not pinned.
    fn leaving(&self, flows: u64) -> f64 {
        let moved = float(self.moved.saturating_sub(flows).saturating_add(1));
        let rate = moved / (moved + float(self.stayed.saturating_add(1)));
        if rate > RESTLESS { 1.0 } else { rate.powf(float(flows)) }
    }
}

/// A stretch without use, seen from a last use on. In reversed time it ends with the first use.
struct Run {
    /// The latest look of each flow up to the last use; of those that used the link, only if they were seen again.
    near: BTreeMap<usize, Look>,
    /// The first look of each flow in the stretch.
    far: BTreeMap<usize, Look>,
}

/// The runs in which most flows that had used the link were seen again. The others show nothing: where they went,
/// nobody answers, or they are silent for reasons of their own; they are left out.
fn runs<N: Node>(series: &Series<N>, glances: &[Glance]) -> Vec<Run> {
    let mut found = Vec::new();
    let mut near: Vec<Option<Glance>> = vec![None; series.flows.len()];
    let mut users = 0_usize;
    let mut rest = glances;
    while let Some((look, behind)) = rest.split_first() {
        rest = behind;
        let was =
            near.get_mut(look.flow()).and_then(|near| near.replace(*look)).is_some_and(|was| was.used);
        users = users.saturating_add(usize::from(look.used)).saturating_sub(usize::from(was));
        if look.used && behind.first().is_some_and(|next| !next.used) {
            let length = behind.iter().position(|look| look.used).unwrap_or(behind.len());
            let stretch = behind.get(..length).unwrap_or_default();
            found.extend((length >= users).then(|| run(series, &near, stretch)).flatten());
        }
    }
    found
}

fn run<N: Node>(series: &Series<N>, near: &[Option<Glance>], stretch: &[Glance]) -> Option<Run> {
    let mut far: BTreeMap<usize, Look> = BTreeMap::new();
    for look in stretch.iter().filter_map(|glance| series.look(*glance)) {
        far.entry(look.flow).or_insert(look);
    }
    let near = near.iter().flatten().filter_map(|glance| series.look(*glance));
    let mut near: BTreeMap<usize, Look> = near.map(|look| (look.flow, look)).collect();
    let users = near.values().filter(|look| look.used).count();
    near.retain(|flow, look| !look.used || far.contains_key(flow));
    let seen_again = near.values().filter(|look| look.used).count();
    (seen_again.saturating_mul(2) > users).then_some(Run { near, far })
}

impl Run {
    fn candidate<N>(&self, link: Crossing<N>, change: LinkChange) -> Candidate<N> {
        let users = self.near.values().filter(|look| look.used);
        let pair = |look: &Look| {
            let other = self.far.get(&look.flow)?;
            Some(match change {
                LinkChange::Lost => Pair { before: *look, after: *other },
                LinkChange::Added => Pair { before: *other, after: *look },
            })
        };
        Candidate {
            link,
            change,
            flows: count(self.near.len()),
            used: count(users.clone().count()),
            others: count(self.far.len()),
            moved: users.filter_map(pair).collect(),
            p: 1.0,
        }
    }

    /// Whether nine in ten of the flows were seen again.
    fn is_whole(&self) -> bool {
        let again = self.near.keys().filter(|flow| self.far.contains_key(flow)).count();
        again.saturating_mul(10) >= self.near.len().saturating_mul(9)
    }

    /// The probability that the flows which parted from nobody all stayed where they were, had the balancers at which the
    /// others parted dealt all flows out anew: of each the share of what comes next there, among the flows of its unit. Where
    /// silence hides at which they parted, they are told apart by what stands before the far end of the link. 1 if any of
    /// them moved, too.
    fn stayed<N: Node>(&self, series: &Series<N>, link: Crossing<N>) -> f64 {
        let movers = self.near.values().filter(|look| look.used);
        let parted: BTreeSet<N> = movers.filter_map(|look| self.parted_at(series, look)).collect();
        if parted.is_empty() {
            return self.stayed_beside(series, |way| way.last(link.1));
        }
        parted.into_iter().map(|place| self.stayed_beside(series, |way| way.next(place))).product()
    }

    fn parted_at<N: Node>(&self, series: &Series<N>, near: &Look) -> Option<N> {
        let far = self.far.get(&near.flow)?;
        series.ways.get(near.way)?.parts_from(series.ways.get(far.way)?)
    }

    fn stayed_beside<N: Node>(&self, series: &Series<N>, beside: impl Fn(&Way<N>) -> Option<N>) -> f64 {
        let beside = |look: &Look| series.ways.get(look.way).and_then(&beside);
        let unit = |flow: usize| series.flows.get(flow).map(|(unit, _)| *unit);
        let mut shares: BTreeMap<(Option<Unit>, N), u64> = BTreeMap::new();
        let mut all: BTreeMap<Option<Unit>, u64> = BTreeMap::new();
        for look in self.near.values() {
            if let Some(there) = beside(look) {
                let flows = shares.entry((unit(look.flow), there)).or_default();
                *flows = flows.saturating_add(1);
                let of_unit = all.entry(unit(look.flow)).or_default();
                *of_unit = of_unit.saturating_add(1);
            }
        }
        let others = self.near.values().filter(|look| !look.used);
        let stayed = others.filter_map(|look| {
            let (before, after) = (beside(look)?, beside(self.far.get(&look.flow)?)?);
            let of_unit = unit(look.flow);
            let share = float(*shares.get(&(of_unit, before))?) / float(*all.get(&of_unit)?);
            Some((before == after).then_some(share))
        });
        stayed.product::<Option<f64>>().unwrap_or(1.0)
    }

    /// Whether somebody deals out destinations and not flows: the flows of each target go one way, and targets of one
    /// unit go different ways.
    fn by_destination<N>(&self, series: &Series<N>) -> bool {
        let mut units: BTreeMap<Unit, BTreeSet<bool>> = BTreeMap::new();
        let targets = self.by_target(series);
        for ((unit, _), used) in &targets {
            units.entry(*unit).or_default().extend(used);
        }
        targets.values().all(|used| used.len() == 1) && units.values().any(|used| used.len() > 1)
    }

    /// The numbers of the test by target: used, all, others.
    fn targets<N>(&self, series: &Series<N>) -> (u64, u64, u64) {
        let near = self.by_target(series);
        let used = near.values().filter(|used| used.contains(&true)).count();
        let far: BTreeSet<_> = self.far.keys().filter_map(|flow| place(series, *flow)).collect();
        (count(used), count(near.len()), count(far.len()))
    }

    fn by_target<N>(&self, series: &Series<N>) -> BTreeMap<(Unit, IpAddr), BTreeSet<bool>> {
        let mut targets: BTreeMap<(Unit, IpAddr), BTreeSet<bool>> = BTreeMap::new();
        for (flow, look) in &self.near {
            place(series, *flow).map(|place| targets.entry(place).or_default().insert(look.used));
        }
        targets
    }
}

fn place<N>(series: &Series<N>, flow: usize) -> Option<(Unit, IpAddr)> {
    series.flows.get(flow).map(|(unit, flow)| (*unit, flow.target))
}

//! Traces, each placed in its epoch, with its way from AS to AS and its upstream.
//!
//! What is judged of a trace follows from what it shows and from its epoch. It is judged once for all traces that have both in
//! common, of which each keeps only the number of what was found.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::epochs::Epochs;
use super::found::PinnedFlow;
use super::packed::{PackedTraces, Traced};
use super::question::Question;
use crate::analyse::aliases::Aliases;
use crate::analyse::borders::{Relations, router_ases};
use crate::analyse::origin::OriginTable;
use crate::analyse::path::{
    Approach, AsPath, DeclaredLinks, Entrances, Hop, NoUpstream, RouterAses, Setting, Trace, TraceEnd,
    Upstream, Walk,
};
use crate::model::{Asn, Keyed, Name, RoundId, Unit, WallTime};

/// The routes of all traces that were sent and lie within one epoch.
#[derive(Debug)]
pub(super) struct Routes<'a> {
    traces: &'a PackedTraces,
    ways: Vec<RoutedWay>,
    /// Of each trace, in the order of their keys; `None` where it has no route.
    placed: Vec<Option<Placed>>,
    /// By unit, which of the traces are about it.
    units: BTreeMap<Unit, Vec<u32>>,
}

/// Where a trace belongs.
#[derive(Clone, Copy, Debug)]
struct Placed {
    /// The number of its way.
    way: u32,
    /// Counted from 1, so that nothing takes no room.
    epoch: NonZeroU32,
}

/// What was found of all traces that show the same in the same epoch.
#[derive(Clone, Debug)]
pub(super) struct RoutedWay {
    shown: Arc<Shown>,
    own: Option<Asn>,
    upstream: Result<Upstream, NoUpstream>,
    walk: Arc<Walk>,
}

/// A trace as the comparison needs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    traced: Traced<'a>,
    way: &'a RoutedWay,
    pub(super) epoch: usize,
    /// When its first probe and its last were sent.
    pub(super) sent: (WallTime, WallTime),
}

impl Routes<'_> {
    /// All of them, in the order of the keys of their traces.
    pub(super) fn iter(&self) -> impl Iterator<Item = Route<'_>> + Clone {
        (0..self.placed.len()).filter_map(|index| self.get(index))
    }

    /// That of the trace at this place in the order; `None` if it has none.
    pub(super) fn get(&self, index: usize) -> Option<Route<'_>> {
        let placed = (*self.placed.get(index)?)?;
        let (traced, way) = (self.traces.get(index)?, self.ways.get(usize::try_from(placed.way).ok()?)?);
        let epoch = usize::try_from(placed.epoch.get()).ok()?.checked_sub(1)?;
        Some(Route { traced, way, epoch, sent: traced.sent()? })
    }

    /// Those of the traces about a unit, in the same order.
    pub(super) fn of_unit(&self, unit: Unit) -> impl Iterator<Item = Route<'_>> + Clone {
        let indices = self.units.get(&unit).into_iter().flatten();
        indices.filter_map(|index| self.get(usize::try_from(*index).ok()?))
    }

    /// To whom the addresses on them belong, where that can be told; the lowest where traces disagree.
    pub(super) fn holders(&self) -> BTreeMap<IpAddr, Asn> {
        let mut holders: BTreeMap<IpAddr, Asn> = BTreeMap::new();
        for hop in self.ways.iter().flat_map(|way| &way.shown.path.hops) {
            if let (Some(address), Some(asn)) = (hop.address, hop.asn) {
                holders.entry(address).and_modify(|known| *known = asn.min(*known)).or_insert(asn);
            }
        }
        holders
    }

    /// Places them in these epochs; those that lie in two are taken away.
    pub(super) fn place(&mut self, epochs: &Epochs) {
        let traces = self.traces;
        for (index, placed) in self.placed.iter_mut().enumerate() {
            let sent = traces.get(index).and_then(|traced| traced.sent());
            let epoch = sent.and_then(|sent| epochs.of_both(sent));
            *placed = placed.zip(epoch).and_then(|(placed, epoch)| Placed::new(placed.way, epoch));
        }
    }
}

impl Placed {
    /// `None` for more epochs than any campaign has.
    fn new(way: u32, epoch: usize) -> Option<Self> {
        let epoch = u32::try_from(epoch).ok()?.checked_add(1).and_then(NonZeroU32::new)?;
        Some(Self { way, epoch })
    }
}

impl<'a> Route<'a> {
    /// Who traced it.
    pub(super) const fn vantage(&self) -> &'a Name {
        self.traced.vantage()
    }

    /// The flow: the same is asked in every round.
    pub(super) const fn flow(&self) -> &'a PinnedFlow {
        self.traced.flow()
    }

    /// The number of the flow: the same flow of the same vantage has the same.
    pub(super) const fn flow_number(&self) -> u32 {
        self.traced.flow_number()
    }

    /// What is the same for all traces of which the same was found: where that stands in memory.
    pub(super) fn way_key(&self) -> usize {
        std::ptr::from_ref(self.way).addr()
    }

    /// In which round it was traced.
    pub(super) const fn round(&self) -> RoundId {
        self.traced.round()
    }

    /// The unit about which it speaks.
    pub(super) const fn unit(&self) -> Unit {
        self.traced.shown().unit
    }

    /// Whether its target is a control target.
    pub(super) const fn control(&self) -> bool {
        self.traced.shown().control
    }

    /// Who originates its target.
    pub(super) fn origin(&self) -> Option<Asn> {
        self.way.shown.origin
    }

    /// The AS in which its vantage stands, if known.
    pub(super) const fn own(&self) -> Option<Asn> {
        self.way.own
    }

    /// Its upstream, or why it cannot be told.
    pub(super) const fn upstream(&self) -> Result<Upstream, NoUpstream> {
        self.way.upstream
    }

    /// Its way up to the origin where the upstream is told, and otherwise up to what lies before the origin.
    pub(super) const fn walk(&self) -> &'a Arc<Walk> {
        &self.way.walk
    }

    /// The routers, silent ones as `None`, without the target and without silence at the end.
    pub(super) fn routers(&self) -> &'a Arc<[Option<IpAddr>]> {
        &self.way.shown.routers
    }

    /// When the last probe was sent that was answered: what the trace shows was so by then.
    pub(super) const fn heard(&self) -> WallTime {
        self.traced.heard()
    }

    /// At which TTL the target answered, and the shortest round-trip time of its answers that counts.
    pub(super) fn arrival(&self) -> Option<(u8, Option<Duration>)> {
        self.traced.arrival()
    }
}

/// A trace, its way from AS to AS, and its upstream.
#[derive(Clone, Debug)]
pub struct RoutedTrace {
    /// The trace.
    pub trace: Trace,
    /// Its way.
    pub path: AsPath,
    /// Who originates its target, by the origin table.
    pub origin: Option<Asn>,
    /// The index of the epoch; `None` for a trace that was not sent or lies in two.
    pub epoch: Option<usize>,
    /// Its upstream, or why it cannot be told.
    pub upstream: Result<Upstream, NoUpstream>,
}

/// What all traces show that share their hops.
#[derive(Debug)]
struct Shown {
    path: AsPath,
    approach: Option<Approach>,
    origin: Option<Asn>,
    routers: Arc<[Option<IpAddr>]>,
}

/// What tells one from another: where the hops stand in memory, and what else decides.
type ShapeKey = (usize, IpAddr, TraceEnd, bool);

/// By shape.
struct AllShown<'a> {
    origins: &'a OriginTable,
    routers: &'a RouterAses,
    known: HashMap<ShapeKey, Arc<Shown>>,
}

/// What the traces of an epoch have in common that show the same, while their upstream is not yet judged.
struct Open<'a> {
    vantage: &'a Name,
    shown: Arc<Shown>,
    epoch: usize,
    /// When the last probe of the first of them was sent. No event lies between it and the others.
    at: WallTime,
    /// How many they are.
    traces: u64,
}

/// The routes of all traces that were sent and lie within one epoch.
pub(super) fn routes<'a>(
    question: &Question,
    (origins, aliases): (&OriginTable, &Aliases),
    epochs: &Epochs,
    traces: &'a PackedTraces,
) -> Routes<'a> {
    let routers = routers_of(origins, traces, aliases);
    let mut shown = AllShown { origins, routers: &routers, known: HashMap::new() };
    let (placed, open) = placed(traces, epochs, &mut shown);
    drop(shown);
    let own = own_ases(question, &open);
    let links = DeclaredLinks::new(&question.events);
    let entrances =
        Entrances::learn(open.iter().filter_map(|open| Some((open.shown.approach.as_ref()?, open.epoch))));
    let mut walks = Walks::new();
    let way = |open: Open<'_>| {
        let own = own.get(open.vantage).copied();
        let upstream = match &open.shown.approach {
            Some(approach) => {
                entrances.upstream(approach, &links, Setting { own, epoch: open.epoch, at: open.at })
            }
            None => Err(NoUpstream::OriginUnknown),
        };
        let walk = walk(&mut walks, &open.shown, own, upstream.is_ok());
        RoutedWay { shown: open.shown, own, upstream, walk }
    };
    let units = traces.by_unit();
    Routes { traces, ways: open.into_iter().map(way).collect(), placed, units }
}

/// Where each trace belongs, and by the numbers of ways what is to be judged. What is shown twice in an epoch teaches nothing.
fn placed<'a>(
    traces: &'a PackedTraces,
    epochs: &Epochs,
    shown: &mut AllShown<'_>,
) -> (Vec<Option<Placed>>, Vec<Open<'a>>) {
    let mut ways: Keyed<(usize, usize), usize> = Keyed::default();
    let mut all: Vec<Open<'a>> = Vec::new();
    let mut place = |index: usize| {
        let one = traces.get(index)?;
        let sent = one.sent()?;
        let epoch = epochs.of_both(sent)?;
        let way = *ways.entry((one.shown_number(), epoch)).or_insert(all.len());
        match all.get_mut(way) {
            Some(open) => open.traces = open.traces.saturating_add(1),
            None => all.push(Open {
                vantage: one.vantage(),
                shown: shown.of(one.shown()),
                epoch,
                at: sent.1,
                traces: 1,
            }),
        }
        Placed::new(u32::try_from(way).ok()?, epoch)
    };
    let placed = (0..traces.len()).map(&mut place).collect();
    (placed, all)
}

/// All traces, which are in the order of their keys like the packed ones, with what is found of these; those that are left out
/// too. Upstreams are judged by the declared epochs, and placed in those that were also found.
pub(super) fn routed(
    origins: &OriginTable,
    all: &Epochs,
    routes: &Routes<'_>,
    traces: Vec<Trace>,
) -> Vec<RoutedTrace> {
    let each = |(index, trace): (usize, Trace)| {
        let placed = routes.get(index).and_then(|route| Some((route, all.of_both(route.sent)?)));
        let Some((route, epoch)) = placed else { return RoutedTrace::left_out(trace, origins) };
        let (path, origin, upstream) = (route.way.shown.path.clone(), route.origin(), route.upstream());
        RoutedTrace { trace, path, origin, epoch: Some(epoch), upstream }
    };
    traces.into_iter().enumerate().map(each).collect()
}

/// Whose routers the addresses are on; where no relations are known, their addresses alone tell.
fn routers_of(origins: &OriginTable, traces: &PackedTraces, aliases: &Aliases) -> RouterAses {
    if origins.relations().is_empty() {
        return RouterAses::default();
    }
    router_ases(traces.iter().map(|traced| traced.shown()), origins, &Relations::of(origins), aliases)
}

/// The AS in which each vantage stands: declared, or the first AS of at least three quarters of its traces
/// on which any was seen.
fn own_ases(question: &Question, open: &[Open<'_>]) -> BTreeMap<Name, Asn> {
    let mut votes: BTreeMap<&Name, BTreeMap<Asn, u64>> = BTreeMap::new();
    for open in open {
        if let Some(first) = open.shown.path.ases().next() {
            let vote = votes.entry(open.vantage).or_default().entry(first).or_default();
            *vote = vote.saturating_add(open.traces);
        }
    }
    let mut own = question.vantage_as.clone();
    for (vantage, votes) in votes {
        let all: u64 = votes.values().sum();
        let most = votes.iter().find(|(_, count)| count.saturating_mul(4) >= all.saturating_mul(3));
        if let Some((asn, _)) = most {
            own.entry(vantage.clone()).or_insert(*asn);
        }
    }
    own
}

impl AllShown<'_> {
    fn of(&mut self, trace: &Trace) -> Arc<Shown> {
        let key = (Arc::as_ptr(&trace.hops).addr(), trace.key.target, trace.end, trace.looped);
        let (origins, routers) = (self.origins, self.routers);
        let shown = self.known.entry(key).or_insert_with(|| Arc::new(Shown::new(trace, origins, routers)));
        Arc::clone(shown)
    }
}

impl Shown {
    fn new(trace: &Trace, origins: &OriginTable, routers: &RouterAses) -> Self {
        let path = AsPath::with_routers(trace, origins, routers);
        let origin = origins.lookup(trace.key.target).asn();
        let approach = origin.map(|origin| Approach::new(&path, origin));
        Self { path, approach, origin, routers: self::routers(trace).into() }
    }
}

impl RoutedTrace {
    /// A trace that was not sent, or on both sides of an event.
    fn left_out(trace: Trace, origins: &OriginTable) -> Self {
        let reason = if trace.sent.is_some() { NoUpstream::AcrossEvent } else { NoUpstream::NotMeasured };
        let path = AsPath::new(&trace, origins);
        let origin = origins.lookup(trace.key.target).asn();
        Self { trace, path, origin, epoch: None, upstream: Err(reason) }
    }
}

/// Walks by what was shown, the AS in which they begin, and whether their upstream is told.
type Walks = HashMap<(usize, Option<Asn>, bool), Arc<Walk>>;

fn walk(walks: &mut Walks, shown: &Arc<Shown>, own: Option<Asn>, told: bool) -> Arc<Walk> {
    let walk = walks.entry((Arc::as_ptr(shown).addr(), own, told)).or_insert_with(|| {
        let walk = Walk::new(&shown.path, own);
        Arc::new(match shown.origin {
            Some(origin) if told => walk.to_origin(origin),
            Some(origin) => walk.before(origin),
            None => walk,
        })
    });
    Arc::clone(walk)
}

/// Who stands at each TTL. Where two hops share one, the router that answered may stand at it or at the next: it is known
/// of neither, so that the way is as long as it is, and can be taken for that of a trace which shows more.
fn routers(trace: &Trace) -> Vec<Option<IpAddr>> {
    let at_one_ttl = trace.hops.chunk_by(|hop, next| hop.ttl == next.ttl);
    let stands = |hops: &[Hop]| if let [hop] = hops { hop.address() } else { None };
    let mut routers: Vec<Option<IpAddr>> = at_one_ttl.map(stands).collect();
    if matches!(trace.end, TraceEnd::Reached { .. }) {
        routers.pop();
    }
    while routers.last() == Some(&None) {
        routers.pop();
    }
    routers
}

#[cfg(test)]
mod tests;

//! Traces, each placed in its epoch, with its way from AS to AS and its upstream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::epochs::Epochs;
use super::question::Question;
use super::tally::RoundKey;
use crate::analyse::aliases::Aliases;
use crate::analyse::borders::{Relations, router_ases};
use crate::analyse::origin::OriginTable;
use crate::analyse::path::{
    Approach, AsPath, DeclaredLinks, Entrances, Hop, NoUpstream, RouterAses, Setting, Trace, TraceEnd,
    TraceKey, Upstream, Walk,
};
use crate::model::{Asn, Name, WallTime};

/// A trace as the comparison needs it.
#[derive(Clone, Debug)]
pub(super) struct Route<'a> {
    pub(super) trace: &'a Trace,
    pub(super) epoch: usize,
    /// When its first probe and its last were sent.
    pub(super) sent: (WallTime, WallTime),
    pub(super) origin: Option<Asn>,
    pub(super) own: Option<Asn>,
    pub(super) upstream: Result<Upstream, NoUpstream>,
    /// Up to the origin where the upstream is told, and otherwise up to what lies before the origin.
    pub(super) walk: Arc<Walk>,
    /// The routers, silent ones as `None`, without the target and without silence at the end.
    pub(super) routers: Arc<[Option<IpAddr>]>,
}

impl<'a> Route<'a> {
    /// What was asked: the same flow is asked in every round.
    pub(super) fn key(&self) -> &'a TraceKey {
        &self.trace.key
    }

    /// In which round it was traced.
    pub(super) fn round(&self) -> RoundKey {
        (self.key().vantage.clone(), self.key().round)
    }

    /// When the last probe was sent that was answered: what the trace shows was so by then.
    pub(super) fn heard(&self) -> WallTime {
        self.trace.heard.unwrap_or(self.sent.1)
    }

    /// At which TTL the target answered, and the shortest round-trip time of its answers that counts.
    pub(super) fn arrival(&self) -> Option<(u8, Option<Duration>)> {
        let TraceEnd::Reached { ttl } = self.trace.end else { return None };
        Some((ttl.get(), self.trace.rtt))
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

/// A trace that lies within one epoch and whose upstream is not yet judged.
struct Open<'a> {
    trace: &'a Trace,
    shown: Arc<Shown>,
    sent: (WallTime, WallTime),
    epoch: usize,
}

/// What all traces show that share their hops.
#[derive(Clone)]
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

/// A trace whose upstream is judged.
struct Judged<'a> {
    open: Open<'a>,
    own: Option<Asn>,
    upstream: Result<Upstream, NoUpstream>,
}

/// The routes of all traces that were sent and lie within one epoch, in the order of their keys.
pub(super) fn routes<'a>(
    question: &Question,
    known: (&OriginTable, &Aliases),
    epochs: &Epochs,
    traces: &'a [Trace],
) -> Vec<Route<'a>> {
    let mut walks = Walks::new();
    judged(question, known, epochs, traces).into_iter().map(|judged| judged.route(&mut walks)).collect()
}

/// Places routes in these epochs; those that lie in two are taken away.
pub(super) fn place(routes: &mut Vec<Route<'_>>, epochs: &Epochs) {
    routes.retain_mut(|route| {
        let epoch = epochs.of_both(route.sent);
        route.epoch = epoch.unwrap_or(route.epoch);
        epoch.is_some()
    });
}

/// All traces with what `routes` goes by, in the order of their keys; those that it leaves out too. Upstreams are judged
/// by the declared epochs, and placed in those that were also found.
pub(super) fn routed(
    question: &Question,
    (origins, aliases): (&OriginTable, &Aliases),
    (declared, all): (&Epochs, &Epochs),
    traces: Vec<Trace>,
) -> Vec<RoutedTrace> {
    let judged = judged(question, (origins, aliases), declared, &traces);
    let placed = judged.into_iter().filter_map(|judged| {
        let Judged { open: Open { trace, shown, sent, .. }, upstream, .. } = judged;
        let epoch = all.of_both(sent)?;
        let Shown { path, origin, .. } = Arc::unwrap_or_clone(shown);
        Some((trace.key.clone(), (path, origin, epoch, upstream)))
    });
    let mut placed: BTreeMap<TraceKey, _> = placed.collect();
    let routed = |trace: Trace| match placed.remove(&trace.key) {
        Some((path, origin, epoch, upstream)) => {
            RoutedTrace { trace, path, origin, epoch: Some(epoch), upstream }
        }
        None => RoutedTrace::left_out(trace, origins),
    };
    traces.into_iter().map(routed).collect()
}

fn judged<'a>(
    question: &Question,
    (origins, aliases): (&OriginTable, &Aliases),
    epochs: &Epochs,
    traces: &'a [Trace],
) -> Vec<Judged<'a>> {
    let routers = routers_of(origins, traces, aliases);
    let mut shown = AllShown { origins, routers: &routers, known: HashMap::new() };
    let open: Vec<Open<'_>> =
        traces.iter().filter_map(|trace| Open::new(trace, &mut shown, epochs)).collect();
    drop(shown);
    let own = own_ases(question, &open);
    let links = DeclaredLinks::new(&question.events);
    let entrances = Entrances::learn(each_once(&open).iter().copied());
    let judge = |open: Open<'a>| {
        let own = own.get(&open.trace.key.vantage).copied();
        let setting = Setting { own, epoch: open.epoch, at: open.sent.1 };
        let upstream = match &open.shown.approach {
            Some(approach) => entrances.upstream(approach, &links, setting),
            None => Err(NoUpstream::OriginUnknown),
        };
        Judged { open, own, upstream }
    };
    open.into_iter().map(judge).collect()
}

/// What the traces of each epoch show of how origins are entered. It is learnt from sets: what is shown twice teaches
/// nothing.
fn each_once<'a>(open: &'a [Open<'_>]) -> Vec<(&'a Approach, usize)> {
    let mut seen = HashSet::new();
    let new = open.iter().filter(|open| seen.insert((Arc::as_ptr(&open.shown).addr(), open.epoch)));
    new.filter_map(|open| Some((open.shown.approach.as_ref()?, open.epoch))).collect()
}

/// Whose routers the addresses are on; where no relations are known, their addresses alone tell.
fn routers_of(origins: &OriginTable, traces: &[Trace], aliases: &Aliases) -> RouterAses {
    if origins.relations().is_empty() {
        return RouterAses::default();
    }
    router_ases(traces, origins, &Relations::of(origins), aliases)
}

/// The AS in which each vantage stands: declared, or the first AS of at least three quarters of its traces
/// on which any was seen.
fn own_ases(question: &Question, open: &[Open<'_>]) -> BTreeMap<Name, Asn> {
    let mut votes: BTreeMap<&Name, BTreeMap<Asn, u64>> = BTreeMap::new();
    for open in open {
        if let Some(first) = open.shown.path.ases().next() {
            let vote = votes.entry(&open.trace.key.vantage).or_default().entry(first).or_default();
            *vote = vote.saturating_add(1);
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

impl<'a> Open<'a> {
    fn new(trace: &'a Trace, shown: &mut AllShown<'_>, epochs: &Epochs) -> Option<Self> {
        let sent = trace.sent?;
        let epoch = epochs.of_both(sent)?;
        Some(Self { trace, shown: shown.of(trace), sent, epoch })
    }
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

/// Walks by what was shown, the AS in which they begin, and whether their upstream is told.
type Walks = HashMap<(usize, Option<Asn>, bool), Arc<Walk>>;

impl RoutedTrace {
    /// A trace that was not sent, or on both sides of an event.
    fn left_out(trace: Trace, origins: &OriginTable) -> Self {
        let reason = if trace.sent.is_some() { NoUpstream::AcrossEvent } else { NoUpstream::NotMeasured };
        let path = AsPath::new(&trace, origins);
        let origin = origins.lookup(trace.key.target).asn();
        Self { trace, path, origin, epoch: None, upstream: Err(reason) }
    }
}

impl<'a> Judged<'a> {
    fn route(self, walks: &mut Walks) -> Route<'a> {
        let walk = self.walk(walks);
        let Self { open, own, upstream } = self;
        Route {
            trace: open.trace,
            epoch: open.epoch,
            sent: open.sent,
            origin: open.shown.origin,
            own,
            upstream,
            walk,
            routers: Arc::clone(&open.shown.routers),
        }
    }

    fn walk(&self, walks: &mut Walks) -> Arc<Walk> {
        let (shown, told) = (&self.open.shown, self.upstream.is_ok());
        let key = (Arc::as_ptr(shown).addr(), self.own, told);
        let walk = walks.entry(key).or_insert_with(|| {
            let walk = Walk::new(&shown.path, self.own);
            Arc::new(match shown.origin {
                Some(origin) if told => walk.to_origin(origin),
                Some(origin) => walk.before(origin),
                None => walk,
            })
        });
        Arc::clone(walk)
    }
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

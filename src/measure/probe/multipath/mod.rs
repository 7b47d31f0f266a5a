//! The multipath prober: every path to many targets at once, with a known chance of missing one.
//!
//! MDA (Augustin, Friedman, Teixeira 2007) and MDA-Lite (Vermeulen et al. 2018). Each target has a [`search`]
//! of its own, and all of them ask through one queue, in a seeded order: while one waits for a slow hop,
//! the others go on. What is shared: how each balancer splits flows, and whether it does so packet by packet
//! ([`Splits`]), and what the ways to neighbouring addresses have in common at their ends ([`Ends`]).
//!
//! ```text
//!   news ──▶ Search::settle ──▶ Splits, Ends ──▶ Search::plan ──▶ queue ──▶ next()
//! ```

mod search;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::IpAddr;

use search::{Ask, Change, Known, Phase, Rules, SCOUT, Search};

use super::{News, Next, Prober, Way};
use crate::measure::schedule::Draw;
use crate::model::{FlowId, MonoTime, Prefix, Probe, RoundId, SkipReason, Ttl, Unit};
use crate::multipath::{Ends, Heard, Splits, StoppingRule};

/// What one round of multipath searches asks.
#[derive(Clone, Debug, PartialEq)]
pub struct MultipathOrder {
    /// The round.
    pub round: RoundId,
    /// Where to.
    pub targets: Vec<IpAddr>,
    /// How.
    pub way: Way,
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// When a balancer has been asked enough.
    pub stopping: StoppingRule,
    /// The smallest share of flows that a branch is taken to have, above 0 and at most 0.5; `None` for
    /// equal branches, until flows speak against it.
    pub narrowest: Option<f64>,
    /// Packets that a target gets at most; what is then still open stays open.
    pub budget: u32,
    /// Seed of the order.
    pub seed: u64,
}

/// How the next hops of a router are enumerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Hop by hop, and with node control only where a diamond is meshed or asymmetric: MDA-Lite.
    Lite,
    /// With node control at every router: MDA.
    Full,
}

/// One round of multipath searches.
#[derive(Debug)]
pub struct MultipathProber {
    order: MultipathOrder,
    rules: Rules,
    /// Where each target stands in the order.
    places: BTreeMap<IpAddr, usize>,
    searches: Vec<Search>,
    splits: Splits,
    ends: Ends,
    /// Questions that may go now, lowest rank first: (rank, target, question, attempt).
    queue: BinaryHeap<Reverse<(Rank, usize, Ask, u8)>>,
    turns: Turns,
    started: bool,
    asked: u64,
    /// Questions in the queue or on their way.
    pending: u64,
    unfinished: usize,
}

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x6d75_6c74_6970_6174;
/// So few targets that somebody may be waiting for each: their scouts run ahead, which costs packets.
const FEW: usize = 8;
/// Targets whose questions are mixed, and go before those of others while there are any.
const WAVE: usize = 32;
/// Scouts go with the questions of so many waves before theirs, so that neighbours have shown the ends of the ways by then.
const WAVES_AHEAD: u64 = 8;
/// What a search asks on average, for progress bars.
const USUAL_QUESTIONS: u64 = 100;

impl MultipathProber {
    /// A round as ordered. A budget of zero is taken as 1.
    #[must_use]
    pub fn new(order: MultipathOrder) -> Self {
        let way = order.way.sound();
        let order = MultipathOrder { way, ..order };
        let rules = Rules {
            stopping: order.stopping,
            narrowest: order.narrowest,
            full: order.algorithm == Algorithm::Full,
            attempts: way.attempts,
            gap_limit: usize::from(way.gap_limit),
            hops: usize::from(way.hops()),
            budget: usize::try_from(order.budget.max(1)).unwrap_or(usize::MAX),
            ahead: if order.targets.len() > FEW { 1 } else { usize::from(way.gap_limit) },
            from_gateway: way.first_ttl == Ttl::FIRST,
            ends_last: order.targets.len() > FEW,
        };
        Self {
            places: order.targets.iter().copied().zip(0..).collect(),
            searches: vec![Search::new(&rules); order.targets.len()],
            splits: Splits::default(),
            ends: Ends::default(),
            queue: BinaryHeap::new(),
            turns: Turns::new(order.seed, order.targets.len()),
            started: false,
            asked: 0,
            pending: 0,
            unfinished: order.targets.len(),
            rules,
            order,
        }
    }

    /// Lets a search say what it wants now that something has changed, and queues that.
    fn plan(&mut self, target: usize, change: Change) {
        let Some(search) = self.searches.get_mut(target) else { return };
        let Some(address) = self.order.targets.get(target).copied() else { return };
        let was_done = search.phase() == Phase::Done;
        let known = Known { target: address, splits: &self.splits, ends: &self.ends };
        for ask in search.plan(change, &self.rules, known) {
            let attempt = search.ask(ask);
            let rank = self.turns.rank(target, ask, attempt);
            self.queue.push(Reverse((rank, target, ask, attempt)));
            self.pending = self.pending.saturating_add(1);
        }
        match (was_done, search.phase() == Phase::Done) {
            (false, true) => self.unfinished = self.unfinished.saturating_sub(1),
            (true, false) => self.unfinished = self.unfinished.saturating_add(1),
            _ => {}
        }
    }

    /// Pools what an answer shows of balancers and of the ends of ways; where that calls for more, all searches that it
    /// concerns go on. Returns whether it does.
    fn pool(&mut self, target: usize, ask: Ask) -> bool {
        let (news, surprised) = self.note(target, ask);
        for router in &news {
            self.plan_others(target, |search, _| search.passes(*router));
        }
        if let Some(address) = surprised {
            let length = Unit::default_length(address.is_ipv4());
            let block = Prefix::covering(address, length);
            self.plan_others(target, |_, other| block.is_some_and(|block| block.contains(other)));
        }
        surprised.is_some() || !news.is_empty()
    }

    /// Notes what an answer shows of balancers and of the ends of ways. Gives the routers behind which more must now be
    /// asked, and the address whose neighbours must be.
    fn note(&mut self, target: usize, ask: Ask) -> (Vec<IpAddr>, Option<IpAddr>) {
        let search = self.searches.get(target);
        let Some((search, address)) = search.zip(self.order.targets.get(target).copied()) else {
            return (Vec::new(), None);
        };
        let gateway = self.ends.gateway(address).filter(|_| self.rules.from_gateway && ask.hop == 1);
        let behind = gateway.zip(search.map().behind_gateway(ask.flow)).map(|(from, to)| (from, to, true));
        let links: Vec<_> = search.map().links_of(ask.hop, ask.flow).chain(behind).collect();
        let repeated = search.repeated(ask);
        let unequal =
            links.iter().filter(|(from, to, blind)| *blind && self.splits.note(address, *from, *to));
        let unequal: Vec<IpAddr> = unequal.map(|(from, _, _)| *from).collect();
        let by_packet = repeated.filter(|(router, same_way)| self.splits.note_repeat(*router, *same_way));
        let news = unequal.into_iter().chain(by_packet.map(|(router, _)| router)).collect();
        (news, self.note_ends(target, ask))
    }

    /// Notes what an answer shows of the ends of the ways to a target; gives its address if its neighbours must now be
    /// asked what was thought to be known.
    fn note_ends(&mut self, target: usize, ask: Ask) -> Option<IpAddr> {
        let address = *self.order.targets.get(target)?;
        let search = self.searches.get(target)?;
        let cell = search.map().hops().get(ask.hop)?.cell(ask.flow)?;
        let first = cell.vertex().filter(|_| ask.hop == 0 && cell.answers() == 1);
        let mut surprised = first.is_some_and(|router| self.ends.note_first(address, router));
        for (from, to, _) in search.map().links_of(ask.hop, ask.flow) {
            surprised |= self.ends.note_next(address, from, to);
        }
        if let Some(length) = search.length() {
            self.ends.note_length(address, length);
        }
        surprised.then_some(address)
    }

    /// Lets other searches than that of a target go on, of those that are chosen.
    fn plan_others(&mut self, target: usize, concerned: impl Fn(&Search, IpAddr) -> bool) {
        for other in (0..self.searches.len()).filter(|other| *other != target) {
            let search = self.searches.get(other).zip(self.order.targets.get(other));
            if search.is_some_and(|(search, address)| concerned(search, *address)) {
                self.plan(other, Change::Anything);
            }
        }
    }

    /// The search and the question that a probe belongs to.
    fn place_of(&self, probe: &Probe) -> Option<(usize, Ask)> {
        let target = *self.places.get(&probe.target)?;
        let hop = probe.ttl.get().checked_sub(self.order.way.first_ttl.get())?;
        Some((target, Ask { hop: usize::from(hop), flow: probe.flow.0 }))
    }

    fn probe(&self, target: usize, ask: Ask, attempt: u8) -> Option<Probe> {
        let hop = u8::try_from(ask.hop).ok()?;
        Some(Probe {
            round: self.order.round,
            target: *self.order.targets.get(target)?,
            protocol: self.order.way.protocol,
            port: self.order.way.port,
            flow: FlowId(ask.flow),
            ttl: Ttl::new(self.order.way.first_ttl.get().saturating_add(hop))?,
            attempt,
        })
    }
}

/// The wave of a question, and its place in it.
type Rank = (u64, u64);

/// In which order questions are asked.
#[derive(Clone, Copy, Debug)]
struct Turns {
    draw: Draw,
    waves: u64,
}

impl Turns {
    fn new(seed: u64, targets: usize) -> Self {
        Self { draw: Draw::new(seed, PURPOSE), waves: targets.div_ceil(WAVE) as u64 }
    }

    /// Neighbouring targets, hops and flows lie far apart, so that no router sees a burst. Some targets go before
    /// others, which can then do without what those have shown.
    fn rank(self, target: usize, ask: Ask, attempt: u8) -> Rank {
        let wave = self.draw.up_to(self.waves.saturating_sub(1), target as u64, u64::MAX);
        let wave = if ask.flow == SCOUT { wave.saturating_sub(WAVES_AHEAD) } else { wave };
        let [low, high] = ask.flow.to_le_bytes();
        let hop = u8::try_from(ask.hop).unwrap_or(u8::MAX);
        let question = u64::from_le_bytes([low, high, hop, attempt, 0, 0, 0, 0]);
        (wave, self.draw.bits(target as u64, question))
    }
}

impl Prober for MultipathProber {
    fn next(&mut self, _now: MonoTime) -> Next {
        if !self.started {
            self.started = true;
            (0..self.searches.len()).for_each(|target| self.plan(target, Change::Anything));
        }
        while let Some(Reverse((_, target, ask, attempt))) = self.queue.pop() {
            if let Some(probe) = self.probe(target, ask, attempt) {
                self.asked = self.asked.saturating_add(1);
                return Next::Probe(probe);
            }
        }
        if self.pending > 0 { Next::Wait(MonoTime::NEVER) } else { Next::Done }
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, _now: MonoTime) {
        let Some((target, ask)) = self.place_of(probe) else { return };
        self.pending = self.pending.saturating_sub(1);
        let Some(search) = self.searches.get_mut(target) else { return };
        let change = search.settle(ask, heard(news), ends(probe, news));
        let change = if self.pool(target, ask) { Change::Anything } else { change };
        if change != Change::Nothing {
            self.plan(target, change);
        }
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        let Some((target, ask)) = self.place_of(probe) else { return };
        self.asked = self.asked.saturating_add(1);
        let Some(search) = self.searches.get_mut(target) else { return };
        search.recall(ask, probe.attempt, heard(news), ends(probe, news));
        // Nothing is planned yet that news could call back.
        let _ = self.note(target, ask);
    }

    /// None: a search plans nothing that it does not ask.
    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        Vec::new()
    }

    fn progress(&self) -> (u64, u64) {
        let open = (self.unfinished as u64).saturating_mul(USUAL_QUESTIONS);
        (self.asked.saturating_add(self.pending).max(open), self.asked)
    }
}

fn heard(news: News<'_>) -> Heard {
    match news {
        News::Reply(reply) => Heard::Answer(reply.from),
        News::TimedOut => Heard::Silence,
        News::NotSent => Heard::Refusal,
    }
}

fn ends(probe: &Probe, news: News<'_>) -> bool {
    matches!(news, News::Reply(reply) if reply.ends_way_to(probe.target))
}

//! The search for every path to one target: pure knowledge in, questions out.
//!
//! ```text
//!                 ┌───────────── a new router, a wider balancer ──────────────┐
//!                 ▼                                                           │
//!            Enumerating ──▶ Repeating ──▶ Completing ──▶ Controlling ──▶ Done ──┘
//! ```
//!
//! - *Enumerating*: one flow scouts the length of the way; then each hop is asked with further flows, the
//!   same ones at every hop, until the stopping rule says that all its routers have been seen.
//! - *Repeating*: where ways part, one flow is asked again and again: if different routers answer, packets
//!   are balanced one by one, and no links can be told from flows.
//! - *Completing*: routers without a known link to the hop before or behind are asked for it, and each twice
//!   where both hops are wide, to see whether their links cross.
//! - *Controlling*: where links cross or ways are unequal (or always, in the full algorithm), each
//!   router's next hops are enumerated by flows that are known to pass through it: node control.
//!
//! A state is entered when the ones before it ask nothing and wait for nothing. Whatever is learnt on the
//! way may call the search back to an earlier one. What is asked never lessens, so it ends.
//!
//! ```text
//! from \ to     Enumerating  Repeating  Completing  Controlling  Done
//! Enumerating       ×            ×          ×            ×          ×
//! Repeating         ×            ×          ×            ×          ×
//! Completing        ×            ×          ×            ×          ×
//! Controlling       ×            ×          ×            ×          ×
//! Done              u            u          –            –          ×
//! ```
//!
//! `u`: when the search for another target found that a balancer on this way is unequal, or goes packet by packet.
//!
//! What there is to ask is looked for no further than an answer can have changed it ([`Change`]): nowhere after one more
//! answer from a router that is known, around a hop after a new one, and everywhere when the answer leads on, or when
//! nothing more is waited for. So what was passed over is never lost, only found later.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use crate::multipath::{
    CERTAINLY_ALONE, Ends, FlowMap, Heard, Hop, Links, Splits, StoppingRule, answers_wanted, controlled,
    flows_behind_by_packet,
};

/// What all searches of a round go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) stopping: StoppingRule,
    /// The smallest share that a branch is taken to have from the beginning; `None` for equal ones.
    pub(super) narrowest: Option<f64>,
    /// Node control everywhere, not only where it is needed.
    pub(super) full: bool,
    /// How often a silent flow is asked at a hop.
    pub(super) attempts: u8,
    /// How many silent hops in a row end the way.
    pub(super) gap_limit: usize,
    /// How many hops there can be.
    pub(super) hops: usize,
    /// How many packets a target gets at most.
    pub(super) budget: usize,
    /// How many hops the scout is ahead of the last that it heard from.
    pub(super) ahead: usize,
    /// Whether the first hop is the vantage's own gateway.
    pub(super) from_gateway: bool,
    /// Whether the ends of ways are enumerated last, when other searches may have shown them.
    pub(super) ends_last: bool,
}

/// What a search can know from those for other targets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The target of this search.
    pub(super) target: IpAddr,
    pub(super) splits: &'a Splits,
    pub(super) ends: &'a Ends,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Enumerating,
    Repeating,
    Completing,
    Controlling,
    Done,
}

/// A packet that the search wants sent: the hop counts from 0 at the first TTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ask {
    pub(super) hop: usize,
    pub(super) flow: u16,
}

/// What an answer may have changed of what there is to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing: it is what was asked for and no more.
    Nothing,
    /// What the stopping rule wants at a hop and its neighbours.
    Around(usize),
    Anything,
}

/// The search for the paths to one target.
#[derive(Clone, Debug)]
pub(super) struct Search {
    map: FlowMap,
    phase: Phase,
    asked: usize,
    /// Packets asked for of which nothing was heard yet.
    waiting: usize,
    refused: usize,
}

/// The flow that finds the length of the way.
pub(super) const SCOUT: u16 = 0;
/// Flows by which a router's links are looked at where both hops are wide (MDA-Lite's φ).
const MESHING_FLOWS: usize = 2;
/// New flows in one go for node control.
const MOST_NEW_FLOWS: usize = 64;
/// Refusals after which a target is given up.
const MOST_REFUSED: usize = 8;
/// How often an address may stand on the scout's way before it is called a loop.
const LOOP: usize = 3;

impl Search {
    pub(super) fn new(rules: &Rules) -> Self {
        Self { map: FlowMap::new(rules.hops), phase: Phase::Enumerating, asked: 0, waiting: 0, refused: 0 }
    }

    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Where the scout's way ended, as a number of hops.
    pub(super) fn length(&self) -> Option<usize> {
        self.map.end(SCOUT).map(|end| end.saturating_add(1))
    }

    /// Takes note that a packet is asked for; gives its attempt number.
    pub(super) fn ask(&mut self, ask: Ask) -> u8 {
        self.asked = self.asked.saturating_add(1);
        self.waiting = self.waiting.saturating_add(1);
        self.map.hop_mut(ask.hop).map_or(0, |hop| hop.ask(ask.flow))
    }

    /// What became of a packet that was asked for. `ends` says that the answer ends the way.
    pub(super) fn settle(&mut self, ask: Ask, heard: Heard, ends: bool) -> Change {
        let (is_known, was_answered) = (self.knows_at(ask.hop, heard), self.is_answered(ask.hop));
        if let Some(hop) = self.map.hop_mut(ask.hop) {
            hop.settle(ask.flow, heard);
            self.map.close(ask.flow, ask.hop, ends);
        }
        self.waiting = self.waiting.saturating_sub(1);
        self.refused = self.refused.saturating_add(usize::from(heard == Heard::Refusal));
        let leads_on = ask.flow == SCOUT || ends || !was_answered || !matches!(heard, Heard::Answer(_));
        let is_inside = self.length().is_none_or(|length| ask.hop.saturating_add(1) < length);
        if leads_on || !is_inside || !self.is_waiting() {
            Change::Anything
        } else if is_known && self.knows_at(ask.hop, heard) {
            Change::Nothing
        } else {
            Change::Around(ask.hop)
        }
    }

    fn is_answered(&self, hop: usize) -> bool {
        self.map.hops().get(hop).is_some_and(|hop| hop.answered() > 0)
    }

    /// Whether this was heard at a hop before, and each flow always goes one way there.
    fn knows_at(&self, hop: usize, heard: Heard) -> bool {
        let Heard::Answer(from) = heard else { return false };
        let hop = self.map.hops().get(hop);
        hop.is_some_and(|hop| !hop.is_unstable() && hop.vertices().contains_key(&from))
    }

    /// The same of a packet that an interrupted run asked for.
    pub(super) fn recall(&mut self, ask: Ask, attempt: u8, heard: Heard, ends: bool) {
        self.asked = self.asked.saturating_add(1);
        self.map.recall((ask.hop, ask.flow, attempt), heard, ends);
        self.refused = self.refused.saturating_add(usize::from(heard == Heard::Refusal));
    }

    /// What is known of the ways.
    pub(super) const fn map(&self) -> &FlowMap {
        &self.map
    }

    /// Whether the last answer to a flow at a hop where ways part came from whom the first came from, and the router that
    /// sent it there, if only one does; `None` where that is not in question.
    pub(super) fn repeated(&self, ask: Ask) -> Option<(IpAddr, bool)> {
        let before = self.map.hops().get(ask.hop.checked_sub(1)?)?;
        let hop = self.map.hops().get(ask.hop).filter(|hop| hop.is_wide())?;
        let mut routers = before.vertices().keys().copied();
        let router = routers.next().filter(|_| routers.next().is_none())?;
        Some((router, hop.cell(ask.flow)?.repeated()?))
    }

    /// Whether this router is among those found.
    pub(super) fn passes(&self, router: IpAddr) -> bool {
        self.map.hops().iter().any(|hop| hop.vertices().contains_key(&router))
    }

    /// What to ask now that something has changed; the state moves to where these questions belong.
    pub(super) fn plan(&mut self, change: Change, rules: &Rules, known: Known<'_>) -> Vec<Ask> {
        if self.refused >= MOST_REFUSED || self.asked >= rules.budget {
            if !self.is_waiting() {
                self.phase = Phase::Done;
            }
            return Vec::new();
        }
        let (phase, mut asks) = match change {
            Change::Nothing => return Vec::new(),
            Change::Around(hop) if self.is_waiting() => self.enumerate_around(hop, rules, known),
            Change::Around(_) | Change::Anything => self.next_phase(rules, known),
        };
        self.phase = phase;
        asks.truncate(rules.budget.saturating_sub(self.asked));
        asks
    }

    fn next_phase(&mut self, rules: &Rules, known: Known<'_>) -> (Phase, Vec<Ask>) {
        let mut asks = self.scout(rules, known.ends.shortest(known.target));
        asks.extend(self.ask_again(rules));
        self.enumerate(rules, known, &mut asks);
        if !asks.is_empty() {
            return (Phase::Enumerating, asks);
        }
        if self.is_waiting() {
            return (self.phase, asks);
        }
        self.enumerate_ends(rules, known, &mut asks);
        if !asks.is_empty() {
            return (Phase::Enumerating, asks);
        }
        let links = Links::between(self.map.hops());
        let asks = self.repeat(&links, known.splits);
        if !asks.is_empty() {
            return (Phase::Repeating, asks);
        }
        let asks = self.complete(&links);
        if !asks.is_empty() {
            return (Phase::Completing, asks);
        }
        let asks = self.control(&links, rules, known.splits);
        (if asks.is_empty() { Phase::Done } else { Phase::Controlling }, asks)
    }

    /// As `next_phase` while others are waited for, where only a hop and its neighbours can be in question: what a hop
    /// needs depends on the routers before it and on whether flows go two ways behind it.
    fn enumerate_around(&mut self, hop: usize, rules: &Rules, known: Known<'_>) -> (Phase, Vec<Ask>) {
        let mut asks = Vec::new();
        let around = hop.saturating_sub(1)..hop.saturating_add(2).min(self.certain_hops(rules));
        self.enumerate_hops(around, rules, known, &mut asks);
        (if asks.is_empty() { self.phase } else { Phase::Enumerating }, asks)
    }

    const fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Sends the scout on: at once as far as neighbours of the target are away, and a whole gap behind silence.
    fn scout(&self, rules: &Rules, usual_length: usize) -> Vec<Ask> {
        if self.scout_circles() {
            return Vec::new();
        }
        let settled =
            self.map.hops().iter().take_while(|hop| hop.is_settled(SCOUT, rules.attempts)).count();
        let last = settled.checked_sub(1).and_then(|last| self.map.hops().get(last));
        let in_silence = last.is_some_and(|last| last.vertex(SCOUT).is_none());
        let ahead = if in_silence { rules.gap_limit } else { rules.ahead };
        let gap = self.map.answered_hops().saturating_add(rules.gap_limit);
        let reach = settled.saturating_add(ahead).min(gap).max(usual_length);
        let reach = self.length().map_or(reach, |length| reach.min(length));
        let hops = self.map.hops().iter().enumerate().take(reach);
        hops.filter(|(_, hop)| hop.cell(SCOUT).is_none() && !hop.is_silent())
            .map(|(hop, _)| Ask { hop, flow: SCOUT })
            .collect()
    }

    /// Whether the scout comes by the same address again and again.
    fn scout_circles(&self) -> bool {
        let mut passed: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for address in self.map.hops().iter().filter_map(|hop| hop.vertex(SCOUT)) {
            let times = passed.entry(address).or_default();
            *times = times.saturating_add(1);
        }
        passed.values().any(|times| *times >= LOOP)
    }

    /// Asks silent flows again.
    fn ask_again(&self, rules: &Rules) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (index, hop) in self.map.hops().iter().enumerate().filter(|(_, hop)| !hop.is_silent()) {
            let open = hop
                .cells()
                .filter(|(flow, cell)| cell.may_repeat(rules.attempts) && self.map.reaches(*flow, index));
            asks.extend(open.map(|(flow, _)| Ask { hop: index, flow }));
        }
        asks
    }

    fn enumerate(&mut self, rules: &Rules, known: Known<'_>, asks: &mut Vec<Ask>) {
        self.enumerate_hops(0..self.certain_hops(rules), rules, known, asks);
        self.follow_longer_ways(rules, known, asks);
    }

    fn enumerate_hops(&mut self, hops: Range<usize>, rules: &Rules, known: Known<'_>, asks: &mut Vec<Ask>) {
        for index in hops {
            if !(rules.ends_last && self.is_end(index, rules, known)) {
                self.enumerate_hop(index, rules, known, asks);
            }
        }
    }

    /// Asks at the two ends of the way what is left to ask there.
    fn enumerate_ends(&mut self, rules: &Rules, known: Known<'_>, asks: &mut Vec<Ask>) {
        for index in 0..self.certain_hops(rules) {
            if self.is_end(index, rules, known) {
                self.enumerate_hop(index, rules, known, asks);
            }
        }
    }

    fn enumerate_hop(&mut self, index: usize, rules: &Rules, known: Known<'_>, asks: &mut Vec<Ask>) {
        let missing = self.missing_flows(index, rules, known, asks);
        let fresh = if missing == 0 { Vec::new() } else { self.fresh_flows(index, missing, asks) };
        asks.extend(fresh.into_iter().map(|flow| Ask { hop: index, flow }));
    }

    /// Whether a hop is one that the ways to neighbouring targets may show: the first, or the target.
    fn is_end(&self, index: usize, rules: &Rules, known: Known<'_>) -> bool {
        (index == 0 && rules.from_gateway) || self.is_target(index, known)
    }

    fn is_target(&self, index: usize, known: Known<'_>) -> bool {
        self.map.hops().get(index).is_some_and(|hop| hop.vertices().keys().eq([&known.target]))
    }

    /// How many hops are known to lie before the scout's end, or at it: an answer that ends the way may come
    /// from far behind the target while nearer hops are still on their way.
    fn certain_hops(&self, rules: &Rules) -> usize {
        let Some(length) = self.length() else { return self.map.answered_hops() };
        let before = self.map.hops().iter().take(length.saturating_sub(1));
        let passed = before.clone().rposition(|hop| hop.vertex(SCOUT).is_some());
        let passed = passed.map_or(0, |last| last.saturating_add(1));
        let settled = before.take_while(|hop| hop.is_settled(SCOUT, rules.attempts)).count();
        if passed.max(settled).saturating_add(1) == length { length } else { passed }
    }

    /// Asks for ways that go on behind the end of the scout's.
    fn follow_longer_ways(&self, rules: &Rules, known: Known<'_>, asks: &mut Vec<Ask>) {
        let Some(length) = self.length().filter(|length| *length == self.certain_hops(rules)) else {
            return;
        };
        for index in
            length..self.map.answered_hops().saturating_add(rules.gap_limit).min(self.map.hops().len())
        {
            let missing = self.missing_flows(index, rules, known, asks);
            let open: Vec<u16> = self.flows_behind(length, index).take(missing).collect();
            asks.extend(open.into_iter().map(|flow| Ask { hop: index, flow }));
        }
    }

    /// How many flows the stopping rule still wants at a hop, beside those that are asked.
    fn missing_flows(&self, index: usize, rules: &Rules, known: Known<'_>, asks: &[Ask]) -> usize {
        let Some(hop) = self.map.hops().get(index).filter(|hop| !hop.is_silent()) else { return 0 };
        let before = index.checked_sub(1).and_then(|before| self.map.hops().get(before));
        let routers = before.into_iter().flat_map(|before| before.vertices().keys());
        let narrowest = routers.filter_map(|router| known.splits.narrowest(*router)).chain(rules.narrowest);
        let narrowest = narrowest.min_by(f64::total_cmp);
        let mut needed = rules.stopping.flows(hop.vertices().len(), narrowest);
        if self.map.hops().get(index.saturating_add(1)).is_some_and(Hop::is_unstable) {
            needed = needed.max(CERTAINLY_ALONE);
        } else if self.is_common(index, rules, known) {
            needed = 1;
        }
        needed = needed.max(flows_behind_by_packet(hop, before, known.splits));
        // Where every second answer is missing, more flows are of no more use.
        if hop.flows_asked() >= needed.saturating_mul(2) {
            return 0;
        }
        let asking = asks.iter().filter(|ask| ask.hop == index).count();
        needed.saturating_sub(hop.answered()).saturating_sub(hop.waiting()).saturating_sub(asking)
    }

    /// Whether the ways to neighbouring targets have shown what is at a hop: the vantage's one gateway, or the target,
    /// to which every router before it hands over.
    fn is_common(&self, index: usize, rules: &Rules, known: Known<'_>) -> bool {
        let Some(before) = index.checked_sub(1).and_then(|before| self.map.hops().get(before)) else {
            return rules.from_gateway && known.ends.gateway(known.target).is_some();
        };
        let handed_over =
            |router: &IpAddr| known.ends.flows_handed_over(known.target, *router) >= CERTAINLY_ALONE;
        self.is_target(index, known) && before.answered() > 0 && before.vertices().keys().all(handed_over)
    }

    /// The next flows in turn that are not known to end before a hop, and not asked there.
    fn fresh_flows(&mut self, index: usize, count: usize, asks: &[Ask]) -> Vec<u16> {
        let Some(hop) = self.map.hops().get(index) else { return Vec::new() };
        let passes = |flow: &u16| self.map.reaches(*flow, index);
        let asks: Vec<u16> = asks.iter().filter(|ask| ask.hop == index).map(|ask| ask.flow).collect();
        let asked = |flow: u16| hop.cell(flow).is_some() || asks.contains(&flow);
        let flows: Vec<u16> =
            (hop.fresh()..u16::MAX).filter(passes).filter(|flow| !asked(*flow)).take(count).collect();
        let below = flows.last().map(|last| last.saturating_add(1));
        if let Some((hop, below)) = self.map.hop_mut(index).zip(below) {
            hop.asked_below(below);
        }
        flows
    }

    /// Flows that went on at the hop where the scout's way ended, and are not known to end before this one.
    fn flows_behind(&self, length: usize, index: usize) -> impl Iterator<Item = u16> + '_ {
        let last = length.checked_sub(1).and_then(|last| self.map.hops().get(last));
        let flows = last.into_iter().flat_map(Hop::cells);
        flows.filter(|(_, cell)| cell.answers() > 0).map(|(flow, _)| flow).filter(move |flow| {
            self.map.reaches(*flow, index)
                && self.map.hops().get(index).is_some_and(|hop| hop.cell(*flow).is_none())
        })
    }

    /// Asks one flow again and again where ways part.
    fn repeat(&self, links: &Links, splits: &Splits) -> Vec<Ask> {
        let mut asks = Vec::new();
        for (index, hop) in self.map.hops().iter().enumerate() {
            let wanted = answers_wanted(index, self.map.hops(), links, splits);
            let steady = hop.cells().find(|(_, cell)| cell.answers() > 0);
            let Some((flow, cell)) = steady.filter(|_| hop.is_wide() && !hop.is_unstable()) else {
                continue;
            };
            let most = wanted.saturating_add(3).saturating_sub(usize::from(cell.asked()));
            let waiting = usize::from(cell.waiting());
            let missing = wanted.saturating_sub(cell.answers()).saturating_sub(waiting).min(most);
            asks.extend(std::iter::repeat_n(Ask { hop: index, flow }, missing));
        }
        asks
    }

    /// Asks for the links of routers of which none is known, in both directions.
    fn complete(&self, links: &Links) -> Vec<Ask> {
        let mut asks = Vec::new();
        let hops = self.map.hops();
        for (index, (near, far)) in hops.iter().zip(hops.iter().skip(1)).enumerate() {
            if !links.are_told_by_flows(index) {
                continue;
            }
            let wanted = if near.is_wide() && far.is_wide() { MESHING_FLOWS } else { 1 };
            let behind = index.saturating_add(1);
            asks.extend(self.looks((index, near), (behind, far), wanted));
            asks.extend(self.looks((behind, far), (index, near), wanted));
        }
        asks.sort_unstable();
        asks.dedup();
        asks
    }

    /// For each router of a hop, questions at the other hop until `wanted` of its flows are answered there.
    fn looks(&self, of: (usize, &Hop), at: (usize, &Hop), wanted: usize) -> Vec<Ask> {
        let (hop, (other_index, other)) = (of.1, at);
        let mut asks = Vec::new();
        for router in hop.vertices().keys() {
            let flows: Vec<u16> =
                hop.flows_of(*router).filter(|flow| self.crosses(*flow, of.0, at.0)).collect();
            let known = flows.iter().filter(|flow| other.vertex(**flow).is_some()).count();
            let unasked = flows.iter().filter(|flow| other.cell(**flow).is_none());
            let missing = wanted.saturating_sub(known);
            asks.extend(unasked.take(missing).map(|flow| Ask { hop: other_index, flow: *flow }));
        }
        asks
    }

    /// Whether a flow is not known to end before it has passed both hops.
    fn crosses(&self, flow: u16, one: usize, other: usize) -> bool {
        self.map.reaches(flow, one.max(other))
    }

    /// Enumerates the next hops of each router by flows that pass through it.
    fn control(&mut self, links: &Links, rules: &Rules, splits: &Splits) -> Vec<Ask> {
        let mut asks = Vec::new();
        for index in controlled(self.map.hops(), links, rules.full) {
            let mut new_flows = 0;
            let Some(hop) = self.map.hops().get(index) else { continue };
            for router in hop.vertices().keys().copied() {
                let (known, new) = self.control_of(index, router, rules, splits);
                asks.extend(known);
                new_flows = new.max(new_flows);
            }
            let fresh = self.fresh_flows(index, new_flows.min(MOST_NEW_FLOWS), &asks);
            asks.extend(fresh.into_iter().map(|flow| Ask { hop: index, flow }));
        }
        asks
    }

    /// What one router's next hops still need: questions with flows that are known to pass through it, and how
    /// many flows more must be sent to the router's own hop to find enough that do.
    fn control_of(
        &self,
        index: usize,
        router: IpAddr,
        rules: &Rules,
        splits: &Splits,
    ) -> (Vec<Ask>, usize) {
        let behind = index.saturating_add(1);
        let (Some(hop), Some(next)) = (self.map.hops().get(index), self.map.hops().get(behind)) else {
            return (Vec::new(), 0);
        };
        let flows: Vec<u16> =
            hop.flows_of(router).filter(|flow| self.crosses(*flow, index, behind)).collect();
        let reached: Vec<IpAddr> = flows.iter().filter_map(|flow| next.vertex(*flow)).collect();
        let mut branches = reached.clone();
        branches.sort_unstable();
        branches.dedup();
        let narrowest = splits.narrowest(router).into_iter().chain(rules.narrowest).min_by(f64::total_cmp);
        let needed = rules.stopping.flows(branches.len(), narrowest);
        let asked = flows.iter().filter(|flow| next.cell(**flow).is_some()).count();
        let missing = needed.saturating_sub(reached.len());
        if flows.is_empty() || missing == 0 || asked >= needed.saturating_mul(2) || next.is_silent() {
            return (Vec::new(), 0);
        }
        let unasked = flows.iter().filter(|flow| next.cell(**flow).is_none()).take(missing);
        let known: Vec<Ask> = unasked.map(|flow| Ask { hop: behind, flow: *flow }).collect();
        // As many flows as it takes on average to find those that are missing.
        let short = missing.saturating_sub(known.len());
        let new = short.saturating_mul(hop.answered()).div_ceil(flows.len());
        (known, new)
    }
}

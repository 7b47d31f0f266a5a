//! The search for every path to one unit: pure knowledge in, blocks of questions out, wave by wave.
//!
//! ```text
//!              flows wanted           repeats wanted         addresses wanted        nothing wanted
//!  Scouting ─────────────▶ Enumerating ─────────▶ Repeating ─────────▶ Sweeping ─────────▶ Whole
//!                            ▲      ▲                 │                    │                 │
//!                            └──────┴── flows wanted ─┴────────────────────┴─────────────────┘
//!
//!  any ── more is wanted than the budget has ──▶ Spent          any ── nothing is let out ──▶ Refused
//! ```
//!
//! - *Scouting*: one flow looks at every TTL how long the way is.
//! - *Enumerating*: each hop on the way gets flows until the stopping rule is content with the hop, and with
//!   the next hops of each of its routers: as many flows as it takes that enough of them pass through each.
//! - *Repeating*: where ways part, one flow is asked again and again: if different routers answer, packets are
//!   balanced one by one, and no links can be told from flows.
//! - *Sweeping*: every address of the unit is asked where its like answered, and one hop before.
//!
//! A later state is entered only when the ones before it want nothing. What is asked at a hop are always the
//! first so many flows of the unit, so a number says which; it never falls, so the search ends.
//!
//! An address of the unit that answers is where a flow ends, and no router: all of them are taken for one.

use std::net::IpAddr;

use super::vertices::{Vertex, Vertices};
use super::wave::Block;
use crate::multipath::{
    CERTAINLY_ALONE, FlowMap, Heard, Hop, Links, SILENT_AFTER, Splits, StoppingRule, answers_wanted,
};

/// What all searches of a census go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) stopping: StoppingRule,
    /// The smallest share that a branch is taken to have from the beginning; `None` for equal ones.
    pub(super) narrowest: Option<f64>,
    /// How many silent hops in a row end the way.
    pub(super) gap_limit: usize,
    /// How many hops there can be.
    pub(super) hops: usize,
    /// How many packets a unit gets at most.
    pub(super) budget: u64,
    /// Whether every address of the unit is to be asked.
    pub(super) every_address: bool,
}

/// What a search stands in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) rules: &'a Rules,
    pub(super) splits: &'a Splits,
    pub(super) vertices: &'a Vertices,
    /// How the addresses of the unit are called where they answer.
    pub(super) home: IpAddr,
    /// How many addresses of the unit are probed.
    pub(super) addresses: usize,
}

/// Where a search stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Scouting,
    Enumerating,
    Repeating,
    Sweeping,
    Whole,
    Spent,
    Refused,
}

/// What a search wants next, or what stands against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Flows,
    Repeats,
    Addresses,
    Nothing,
    /// More than the budget has.
    TooMuch,
    /// Something; but guard or system let hardly anything out.
    Refused,
}

impl Phase {
    /// The state that follows when a wave is over.
    pub(super) const fn next(self, wants: Wants) -> Self {
        match (self, wants) {
            (Self::Refused, _) | (_, Wants::Refused) => Self::Refused,
            (Self::Spent, _) | (_, Wants::TooMuch) => Self::Spent,
            (_, Wants::Flows) => Self::Enumerating,
            (_, Wants::Repeats) => Self::Repeating,
            (_, Wants::Addresses) => Self::Sweeping,
            (_, Wants::Nothing) => Self::Whole,
        }
    }
}

/// What was heard of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Note {
    hop: u8,
    attempt: u8,
    flow: u16,
    from: Vertex,
    /// Whether the way ended there.
    ends: bool,
}

/// The search for the paths to one unit. It remembers what was answered, and how many flows were asked.
#[derive(Clone, Debug)]
pub(super) struct Search {
    notes: Vec<Note>,
    /// At each hop, how many flows were asked, from the first on.
    asked: Vec<u16>,
    /// At each hop, how often one flow was asked again.
    repeats: Vec<u8>,
    /// At each hop, how many flows were counted on their way there from the hop before.
    pooled: Vec<u16>,
    packets: u64,
    refused: u64,
    phase: Phase,
}

/// Refusals before a unit is given up, if they are more than half of what was asked.
const MOST_REFUSED: u64 = 8;
/// More packets than this to a repeated flow than it should get answers are of no use.
const REPEATS_IN_VAIN: usize = 3;

impl Search {
    pub(super) fn new(hops: usize) -> Self {
        Self {
            notes: Vec::new(),
            asked: vec![0; hops],
            repeats: vec![0; hops],
            pooled: vec![0; hops],
            packets: 0,
            refused: 0,
            phase: Phase::Scouting,
        }
    }

    #[cfg(test)]
    pub(super) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes in an answer.
    pub(super) fn note(&mut self, (hop, flow, attempt): (u8, u16, u8), from: Vertex, ends: bool) {
        self.notes.push(Note { hop, attempt, flow, from, ends });
    }

    /// A probe that never left.
    pub(super) const fn refuse(&mut self) {
        self.refused = self.refused.saturating_add(1);
    }

    /// Takes note that a block is asked, now or before an interruption.
    pub(super) fn ask(&mut self, block: &Block) {
        let hop = usize::from(block.hop);
        self.packets = self.packets.saturating_add(block.probes());
        if block.first_attempt > 0 {
            let to = block.first_attempt.saturating_add(block.attempts).saturating_sub(1);
            self.repeats.get_mut(hop).into_iter().for_each(|asked| *asked = to.max(*asked));
        } else {
            let to = block.first_flow.saturating_add(block.flows);
            self.asked.get_mut(hop).into_iter().for_each(|asked| *asked = to.max(*asked));
        }
    }

    /// Counts how the flows that were asked since the last time went on from router to router.
    pub(super) fn pool(&mut self, vertices: &Vertices, home: IpAddr, splits: &mut Splits) {
        let map = self.map(vertices, home);
        for hop in 1..self.asked.len() {
            let both = self.asked_at(hop).min(self.asked_at(hop.saturating_sub(1)));
            let before = self.pooled.get(hop).copied().unwrap_or(both);
            for flow in before..both {
                let link = link_of(&map, hop, flow).filter(|link| !link.contains(&home));
                if let Some([from, to]) = link {
                    let _news = splits.note(home, from, to);
                }
            }
            self.pooled.get_mut(hop).into_iter().for_each(|pooled| *pooled = both);
        }
    }

    /// The blocks of the next wave, in the order of hops; and what would be asked besides if the budget had it.
    pub(super) fn plan(&mut self, unit: u32, near: &Surroundings<'_>) -> (Vec<Block>, Vec<Block>) {
        if self.packets == 0 {
            return self.pay(scouts(unit, near.rules.hops), near.rules);
        }
        if matches!(self.phase, Phase::Refused | Phase::Spent) {
            return (Vec::new(), Vec::new());
        }
        if self.refused >= MOST_REFUSED && self.refused.saturating_mul(2) > self.packets {
            self.phase = self.phase.next(Wants::Refused);
            return (Vec::new(), Vec::new());
        }
        let (wants, wanted) = self.wanted(unit, near);
        let (paid, left) = self.pay(wanted, near.rules);
        self.phase = self.phase.next(if left.is_empty() { wants } else { Wants::TooMuch });
        (paid, left)
    }

    /// What is wanted now, and the blocks that would tell it.
    fn wanted(&self, unit: u32, near: &Surroundings<'_>) -> (Wants, Vec<Block>) {
        let map = self.map(near.vertices, near.home);
        let links = Links::between(map.hops());
        let flows = self.flows(unit, &self.flows_wanted(&map, &links, near));
        if !flows.is_empty() {
            return (Wants::Flows, flows);
        }
        let repeats = self.repeated(unit, &map, &links, near);
        if !repeats.is_empty() {
            return (Wants::Repeats, repeats);
        }
        let addresses = self.flows(unit, &self.addresses_wanted(&map, near));
        if near.rules.every_address && !addresses.is_empty() {
            return (Wants::Addresses, addresses);
        }
        (Wants::Nothing, Vec::new())
    }

    /// What the budget has of these blocks, which then are asked, and what it has not.
    fn pay(&mut self, wanted: Vec<Block>, rules: &Rules) -> (Vec<Block>, Vec<Block>) {
        let (mut paid, mut left) = (Vec::new(), Vec::new());
        for block in wanted {
            let room = rules.budget.saturating_sub(self.packets);
            let (now, never) = block.split(room);
            if let Some(now) = &now {
                self.ask(now);
            }
            paid.extend(now);
            left.extend(never);
        }
        (paid, left)
    }

    fn asked_at(&self, hop: usize) -> u16 {
        self.asked.get(hop).copied().unwrap_or(0)
    }

    /// All that is known, as a map of flows: what was asked and not noted was silence.
    pub(super) fn map(&self, vertices: &Vertices, home: IpAddr) -> FlowMap {
        let mut map = FlowMap::new(self.asked.len());
        let mut notes = self.notes.clone();
        notes.sort_unstable();
        for note in notes {
            let from = vertices.address(note.from).unwrap_or(home);
            let place = (usize::from(note.hop), note.flow, note.attempt);
            map.recall(place, Heard::Answer(from), note.ends);
        }
        for (hop, asked) in self.asked.iter().enumerate() {
            for flow in 0..*asked {
                if map.hops().get(hop).is_some_and(|hop| hop.cell(flow).is_none()) {
                    map.recall((hop, flow, 0), Heard::Silence, false);
                }
            }
            // Every flow was chosen without looking at where it goes.
            map.hop_mut(hop).into_iter().for_each(|hop| hop.asked_below(u16::MAX));
        }
        map
    }

    /// How many flows each hop should have been asked with.
    fn flows_wanted(&self, map: &FlowMap, links: &Links, near: &Surroundings<'_>) -> Vec<usize> {
        let mut wanted: Vec<usize> = self.asked.iter().copied().map(usize::from).collect();
        let reach = self.reach(map, near.rules);
        for hop in 0..reach {
            raise(&mut wanted, hop, self.flows_at(hop, map, near.rules));
        }
        for hop in 1..reach {
            let before = hop.saturating_sub(1);
            if links.are_told_by_flows(before) {
                let flows = self.flows_between(before, map, near);
                raise(&mut wanted, before, flows);
                raise(&mut wanted, hop, flows);
            }
        }
        wanted
    }

    /// How many hops lie on the way, as far as it may go on.
    fn reach(&self, map: &FlowMap, rules: &Rules) -> usize {
        let answered = map.answered_hops();
        let at_last = answered.checked_sub(1).map(|last| self.asked_at(last));
        let some_go_on = at_last.is_none_or(|flows| (0..flows).any(|flow| map.end(flow).is_none()));
        let gap = if some_go_on { rules.gap_limit } else { 0 };
        answered.saturating_add(gap).min(rules.hops)
    }

    /// How many flows the stopping rule wants at a hop, whoever stands before it.
    fn flows_at(&self, index: usize, map: &FlowMap, rules: &Rules) -> usize {
        let asked = usize::from(self.asked_at(index));
        let Some(hop) = map.hops().get(index).filter(|hop| !hop.is_silent()) else { return asked };
        let mut needed = rules.stopping.flows(hop.vertices().len(), rules.narrowest);
        if map.hops().get(index.saturating_add(1)).is_some_and(Hop::is_unstable) {
            needed = needed.max(CERTAINLY_ALONE);
        }
        if hop.answered() == 0 {
            needed = needed.min(SILENT_AFTER);
        }
        let missing = needed.saturating_sub(hop.answered());
        // Where every second answer is missing, more flows are of no more use.
        asked.saturating_add(missing).min(needed.saturating_mul(2)).max(asked)
    }

    /// How many flows both hops should be asked with, so that enough pass through each router of the nearer one.
    fn flows_between(&self, index: usize, map: &FlowMap, near: &Surroundings<'_>) -> usize {
        let behind = index.saturating_add(1);
        let (Some(hop), Some(next)) = (map.hops().get(index), map.hops().get(behind)) else { return 0 };
        if next.is_silent() {
            return 0;
        }
        let both = self.asked_at(index).min(self.asked_at(behind));
        let routers = hop.vertices().keys().filter(|router| **router != near.home);
        let more = routers.filter_map(|router| {
            let flows: Vec<u16> = hop.flows_of(*router).filter(|flow| map.reaches(*flow, behind)).collect();
            let missing = missing_behind(next, *router, (&flows, both), near);
            // As many more as it takes on average to find those that are missing.
            missing.saturating_mul(self.asked_at(index).into()).checked_div(flows.len())
        });
        more.max().filter(|more| *more > 0).map_or(0, |more| usize::from(both).saturating_add(more))
    }

    /// Every flow that goes to an address for the first time, where addresses answered and one hop before;
    /// where none did, behind the last router.
    fn addresses_wanted(&self, map: &FlowMap, near: &Surroundings<'_>) -> Vec<usize> {
        let mut wanted: Vec<usize> = self.asked.iter().copied().map(usize::from).collect();
        let arrived = |hop: &Hop| hop.vertices().contains_key(&near.home);
        let first = map.hops().iter().position(arrived);
        let last = map.hops().iter().rposition(arrived);
        let range = match first.zip(last) {
            Some((first, last)) => first.saturating_sub(1)..=last,
            None => map.answered_hops()..=map.answered_hops(),
        };
        range.for_each(|hop| raise(&mut wanted, hop, near.addresses));
        wanted
    }

    /// Blocks of the flows that are wanted and were not asked.
    fn flows(&self, unit: u32, wanted: &[usize]) -> Vec<Block> {
        let hops = (0..).zip(self.asked.iter().zip(wanted));
        let block = |(hop, (asked, wanted)): (u8, (&u16, &usize))| {
            let flows = u16::try_from(*wanted).unwrap_or(u16::MAX).saturating_sub(*asked);
            Block { unit, hop, first_attempt: 0, attempts: 1, first_flow: *asked, flows }
        };
        hops.map(block).filter(|block| block.flows > 0).collect()
    }

    /// Blocks of one flow each, again and again, where ways part.
    fn repeated(&self, unit: u32, map: &FlowMap, links: &Links, near: &Surroundings<'_>) -> Vec<Block> {
        let mut blocks = Vec::new();
        for ((hop_number, index), hop) in (0..).zip(0..).zip(map.hops()) {
            let routers = hop.vertices().keys().filter(|router| **router != near.home).count();
            let steady = hop.cells().find(|(_, cell)| cell.vertex().is_some_and(|from| from != near.home));
            let Some((flow, cell)) = steady.filter(|_| routers > 1 && !hop.is_unstable()) else { continue };
            let wanted = answers_wanted(index, map.hops(), links, near.splits);
            let asked = self.repeats.get(index).copied().unwrap_or(0);
            let room = wanted.saturating_add(REPEATS_IN_VAIN).saturating_sub(asked.into());
            let attempts = wanted.saturating_sub(cell.answers()).min(room);
            let first_attempt = asked.saturating_add(1);
            let attempts = u8::try_from(attempts).unwrap_or(u8::MAX);
            blocks.push(Block {
                unit,
                hop: hop_number,
                first_attempt,
                attempts,
                first_flow: flow,
                flows: 1,
            });
        }
        blocks.retain(|block| block.attempts > 0);
        blocks
    }
}

/// How many flows more must be seen behind a router, of which `flows` pass through it and those below `both`
/// were asked behind it too.
fn missing_behind(
    next: &Hop,
    router: IpAddr,
    (flows, both): (&[u16], u16),
    near: &Surroundings<'_>,
) -> usize {
    let mut branches: Vec<IpAddr> = flows.iter().filter_map(|flow| next.vertex(*flow)).collect();
    let answered = branches.len();
    branches.sort_unstable();
    branches.dedup();
    let narrowest = near.splits.narrowest(router).into_iter().chain(near.rules.narrowest);
    let needed = near.rules.stopping.flows(branches.len(), narrowest.min_by(f64::total_cmp));
    let asked = flows.iter().filter(|flow| **flow < both).count();
    let in_vain = asked >= needed.saturating_mul(2);
    if in_vain { 0 } else { needed.saturating_sub(answered) }
}

/// From whom to whom a flow came at a hop, if each of the two was asked and answered once.
fn link_of(map: &FlowMap, hop: usize, flow: u16) -> Option<[IpAddr; 2]> {
    let (near, far) = (map.hops().get(hop.checked_sub(1)?)?, map.hops().get(hop)?);
    let once = [near, far].iter().all(|hop| hop.cell(flow).is_some_and(|cell| cell.answers() == 1));
    if once { Some([near.vertex(flow)?, far.vertex(flow)?]) } else { None }
}

/// One flow at every hop.
fn scouts(unit: u32, hops: usize) -> Vec<Block> {
    let hops = u8::try_from(hops).unwrap_or(u8::MAX);
    let block = |hop| Block { unit, hop, first_attempt: 0, attempts: 1, first_flow: 0, flows: 1 };
    (0..hops).map(block).collect()
}

fn raise(wanted: &mut [usize], hop: usize, to: usize) {
    wanted.get_mut(hop).into_iter().for_each(|wanted| *wanted = to.max(*wanted));
}

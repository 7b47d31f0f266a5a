//! What flows saw at one TTL of the way to one target. It keeps and counts, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// What became of a packet to a hop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// This address answered.
    Answer(IpAddr),
    /// Nobody did.
    Silence,
    /// It never left.
    Refusal,
}

/// A TTL: each flow that was asked there, and who answered.
#[derive(Clone, Debug, Default)]
pub struct Hop {
    cells: BTreeMap<u16, Cell>,
    vertices: BTreeMap<IpAddr, BTreeSet<u16>>,
    /// All flows below this one that could be asked here were asked, whatever they showed elsewhere.
    fresh: u16,
    waiting: usize,
    answered: usize,
    /// Packets that nobody answered.
    unanswered: usize,
    unstable: bool,
}

/// One flow at one TTL.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    asked: u8,
    waiting: u8,
    /// Packets answered, and who answered the first and the last of them.
    answers: usize,
    ends: Option<(IpAddr, IpAddr)>,
    refused: bool,
}

impl Cell {
    /// Who answered first.
    #[must_use]
    pub fn vertex(&self) -> Option<IpAddr> {
        self.ends.map(|(first, _)| first)
    }

    /// Packets asked for, answered or not.
    #[must_use]
    pub const fn asked(&self) -> u8 {
        self.asked
    }

    /// Packets answered.
    #[must_use]
    pub const fn answers(&self) -> usize {
        self.answers
    }

    /// Whether the last of several answers came from whom the first came from.
    #[must_use]
    pub fn repeated(&self) -> Option<bool> {
        self.ends.filter(|_| self.answers > 1).map(|(first, last)| first == last)
    }

    /// Packets on their way.
    #[must_use]
    pub const fn waiting(&self) -> u8 {
        self.waiting
    }

    /// Whether it may be asked once more for its first answer.
    #[must_use]
    pub fn may_repeat(&self, attempts: u8) -> bool {
        self.answers == 0 && self.waiting == 0 && self.asked < attempts && !self.refused
    }

    /// Whether nobody answered and nothing more will be asked.
    fn is_given_up(&self, attempts: u8) -> bool {
        self.answers == 0 && self.waiting == 0 && (self.asked >= attempts || self.refused)
    }
}

/// Packets without any answer after which a TTL counts as silent.
pub const SILENT_AFTER: usize = 6;

impl Hop {
    /// A packet is asked for.
    pub fn ask(&mut self, flow: u16) -> u8 {
        let cell = self.cells.entry(flow).or_default();
        let attempt = cell.asked;
        cell.asked = cell.asked.saturating_add(1);
        cell.waiting = cell.waiting.saturating_add(1);
        self.waiting = self.waiting.saturating_add(1);
        attempt
    }

    /// What became of a packet that was asked for.
    pub fn settle(&mut self, flow: u16, heard: Heard) {
        if let Some(cell) = self.cells.get_mut(&flow).filter(|cell| cell.waiting > 0) {
            cell.waiting = cell.waiting.saturating_sub(1);
            self.waiting = self.waiting.saturating_sub(1);
        }
        self.learn(flow, heard);
    }

    /// The same of a packet of which only the record is there; `attempt` counts from 0.
    pub fn recall(&mut self, flow: u16, attempt: u8, heard: Heard) {
        let cell = self.cells.entry(flow).or_default();
        cell.asked = cell.asked.max(attempt.saturating_add(1));
        self.learn(flow, heard);
    }

    fn learn(&mut self, flow: u16, heard: Heard) {
        let Some(cell) = self.cells.get_mut(&flow) else { return };
        match heard {
            Heard::Answer(from) => {
                match cell.vertex() {
                    None => {
                        self.answered = self.answered.saturating_add(1);
                        self.vertices.entry(from).or_default().insert(flow);
                    }
                    Some(first) if first != from => {
                        self.unstable = true;
                        self.vertices.entry(from).or_default();
                    }
                    Some(_) => {}
                }
                cell.answers = cell.answers.saturating_add(1);
                cell.ends = Some((cell.vertex().unwrap_or(from), from));
            }
            Heard::Silence => self.unanswered = self.unanswered.saturating_add(1),
            Heard::Refusal => cell.refused = true,
        }
    }

    /// Takes back what a flow showed here: it had come to its end before.
    pub fn forget(&mut self, flow: u16) {
        let Some(cell) = self.cells.get_mut(&flow) else { return };
        let Some(vertex) = cell.vertex() else { return };
        (cell.answers, cell.ends) = (0, None);
        self.answered = self.answered.saturating_sub(1);
        if let Some(flows) = self.vertices.get_mut(&vertex) {
            flows.remove(&flow);
            if flows.is_empty() {
                self.vertices.remove(&vertex);
            }
        }
    }

    /// Notes that all flows below this one were asked.
    pub fn asked_below(&mut self, flow: u16) {
        self.fresh = self.fresh.max(flow);
    }

    /// The first flow that was not yet asked in turn.
    #[must_use]
    pub const fn fresh(&self) -> u16 {
        self.fresh
    }

    /// What a flow saw here, if it was asked.
    #[must_use]
    pub fn cell(&self, flow: u16) -> Option<&Cell> {
        self.cells.get(&flow)
    }

    /// All flows that were asked here, in order.
    pub fn cells(&self) -> impl Iterator<Item = (u16, &Cell)> {
        self.cells.iter().map(|(flow, cell)| (*flow, cell))
    }

    /// Who answered here, each with the flows whose first answer it was.
    #[must_use]
    pub const fn vertices(&self) -> &BTreeMap<IpAddr, BTreeSet<u16>> {
        &self.vertices
    }

    /// Who answered a flow first.
    #[must_use]
    pub fn vertex(&self, flow: u16) -> Option<IpAddr> {
        self.cells.get(&flow)?.vertex()
    }

    /// The flows whose first answer was this address.
    pub fn flows_of(&self, vertex: IpAddr) -> impl Iterator<Item = u16> + '_ {
        self.vertices.get(&vertex).into_iter().flatten().copied()
    }

    /// Several routers answer here.
    #[must_use]
    pub fn is_wide(&self) -> bool {
        self.vertices.len() > 1
    }

    /// One flow was answered by several routers: something before this TTL balances packet by packet.
    #[must_use]
    pub const fn is_unstable(&self) -> bool {
        self.unstable
    }

    /// Nobody answers here.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.answered == 0 && self.unanswered >= SILENT_AFTER
    }

    /// Flows that somebody answered.
    #[must_use]
    pub const fn answered(&self) -> usize {
        self.answered
    }

    /// Flows that were asked.
    #[must_use]
    pub fn flows_asked(&self) -> usize {
        self.cells.len()
    }

    /// Packets on their way.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether a flow was answered, or never will be.
    #[must_use]
    pub fn is_settled(&self, flow: u16, attempts: u8) -> bool {
        self.is_silent()
            || self.cells.get(&flow).is_some_and(|cell| cell.answers() > 0 || cell.is_given_up(attempts))
    }
}

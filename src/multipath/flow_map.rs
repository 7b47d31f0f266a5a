//! All hops on the ways to one target, and where each flow came to its end.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::hop::{Heard, Hop};

/// What is known of the ways to one target. Hops count from 0 at the first TTL that is asked.
#[derive(Clone, Debug, Default)]
pub struct FlowMap {
    hops: Vec<Hop>,
    /// The first hop at which a flow came to its end.
    ends: BTreeMap<u16, usize>,
}

impl FlowMap {
    /// Of which nothing is known, with so many hops.
    #[must_use]
    pub fn new(hops: usize) -> Self {
        Self { hops: vec![Hop::default(); hops], ends: BTreeMap::new() }
    }

    /// The hops, from the first TTL on.
    #[must_use]
    pub fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// A hop, if there is one of this index.
    pub fn hop_mut(&mut self, index: usize) -> Option<&mut Hop> {
        self.hops.get_mut(index)
    }

    /// Notes that a flow came to its end at a hop, unless it did so before; what it was answered behind its
    /// end was its end again, and is forgotten. Must be called behind every answer.
    pub fn close(&mut self, flow: u16, index: usize, ends: bool) {
        if ends {
            let end = self.ends.entry(flow).or_insert(index);
            *end = index.min(*end);
        }
        if let Some(end) = self.ends.get(&flow).copied() {
            for hop in self.hops.iter_mut().skip(end.saturating_add(1)) {
                hop.forget(flow);
            }
        }
    }

    /// Takes in a record, growing as far as it needs; `ends` says that the answer ends the way.
    pub fn recall(&mut self, (index, flow, attempt): (usize, u16, u8), heard: Heard, ends: bool) {
        if index >= self.hops.len() {
            self.hops.resize(index.saturating_add(1), Hop::default());
        }
        if let Some(hop) = self.hops.get_mut(index) {
            hop.recall(flow, attempt, heard);
            self.close(flow, index, ends);
        }
    }

    /// Takes the flows that were asked at a hop without a break, from the first on, for those asked in turn.
    /// For a map of records, which do not tell.
    pub fn assume_turns(&mut self) {
        for index in 0..self.hops.len() {
            let asked = |flow: &u16| {
                let hop = self.hops.get(index);
                hop.is_some_and(|hop| hop.cell(*flow).is_some()) || !self.reaches(*flow, index)
            };
            let in_turn = (0..u16::MAX).find(|flow| !asked(flow)).unwrap_or(u16::MAX);
            if let Some(hop) = self.hops.get_mut(index) {
                hop.asked_below(in_turn);
            }
        }
    }

    /// Where a flow came to its end.
    #[must_use]
    pub fn end(&self, flow: u16) -> Option<usize> {
        self.ends.get(&flow).copied()
    }

    /// Whether a flow is not known to end before a hop.
    #[must_use]
    pub fn reaches(&self, flow: u16, index: usize) -> bool {
        self.end(flow).is_none_or(|end| index <= end)
    }

    /// How many hops there are up to the last that anybody answered.
    #[must_use]
    pub fn answered_hops(&self) -> usize {
        self.hops.iter().rposition(|hop| hop.answered() > 0).map_or(0, |last| last.saturating_add(1))
    }

    /// Links that a flow shows at a hop, towards the hop before and the hop behind, if each answered it once: from
    /// whom, to whom, and whether the flow was chosen blindly at both.
    pub fn links_of(&self, index: usize, flow: u16) -> impl Iterator<Item = (IpAddr, IpAddr, bool)> + '_ {
        let before = index.checked_sub(1).map(|before| (before, index));
        let behind = Some((index, index.saturating_add(1)));
        [before, behind].into_iter().flatten().filter_map(move |(near, far)| {
            let (near, far) = (self.hops.get(near)?, self.hops.get(far)?);
            let blind = flow < near.fresh() && flow < far.fresh();
            let once = [near, far].iter().all(|hop| hop.cell(flow).is_some_and(|cell| cell.answers() == 1));
            once.then_some((near.vertex(flow)?, far.vertex(flow)?, blind))
        })
    }

    /// Whom a flow went to from a gateway that is known to be the only one, if it was chosen blindly and asked behind the
    /// gateway alone.
    #[must_use]
    pub fn behind_gateway(&self, flow: u16) -> Option<IpAddr> {
        let (gateway, next) = (self.hops.first()?, self.hops.get(1)?);
        let blind = flow < next.fresh() && gateway.cell(flow).is_none();
        next.cell(flow).filter(|cell| blind && cell.answers() == 1)?.vertex()
    }
}

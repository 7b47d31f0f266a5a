//! Where a trace ends, and what is taken out of it: hops behind the end, consecutive duplicates, loops. What is put
//! into it: a hop that nobody sees, where a packet may have been let through although its TTL had run out.

use std::net::IpAddr;

use super::trace::{Hop, HopAnswer, HopState, TraceEnd};
use crate::model::{ReplyKind, Ttl};

impl Hop {
    /// Whether whoever answered here did so because the TTL had run out before.
    fn saw_ttl_0(&self) -> bool {
        let saw =
            |answer: &HopAnswer| answer.kind == ReplyKind::TimeExceeded && answer.quoted_ttl == Some(0);
        !self.answers.is_empty() && self.answers.iter().all(saw)
    }
}

/// What is left of a trace.
pub(super) struct Cleaned {
    pub(super) hops: Vec<Hop>,
    pub(super) end: TraceEnd,
    pub(super) looped: bool,
}

/// Cleans the hops of one trace towards `target`, which come by rising TTL.
pub(super) fn clean(hops: Vec<Hop>, target: IpAddr) -> Cleaned {
    let mut hops = in_order(hops);
    let terminal = cut_behind_end(&mut hops, target);
    while hops.last().is_some_and(|hop| hop.sent == 0) {
        hops.pop();
    }
    let straight = straighten(hops);
    let end = terminal.unwrap_or_else(|| end_without_answer(&straight));
    Cleaned { hops: with_unseen(straight.hops), end, looped: straight.looped }
}

/// Every TTL from the lowest to the highest, with empty hops where none was probed.
fn in_order(hops: Vec<Hop>) -> Vec<Hop> {
    let mut all: Vec<Hop> = Vec::with_capacity(hops.len());
    for mut hop in hops {
        hop.answers.sort_by_key(|answer| (answer.attempt, answer.from, answer.kind, answer.rtt.span));
        let missing = all.last().and_then(|last| last.ttl.get().checked_add(1)).unwrap_or(hop.ttl.get());
        all.extend((missing..hop.ttl.get()).filter_map(Ttl::new).map(Hop::empty));
        all.push(hop);
    }
    all
}

/// The target's own answer ends a trace, wherever else somebody said that it cannot be delivered; without
/// one, the first such word does. Of the last hop only the answers that end the trace are kept.
fn cut_behind_end(hops: &mut Vec<Hop>, target: IpAddr) -> Option<TraceEnd> {
    let arrived = |answer: &HopAnswer| answer.kind.arrived(answer.from == target);
    let refused = |answer: &HopAnswer| matches!(answer.kind, ReplyKind::Unreachable(_));
    if let Some(last) = cut_behind_first(hops, arrived) {
        return Some(TraceEnd::Reached { ttl: last.0 });
    }
    let (_, answer) = cut_behind_first(hops, refused)?;
    match answer.kind {
        ReplyKind::Unreachable(kind) => Some(TraceEnd::Unreachable { kind, by: answer.from }),
        _ => None,
    }
}

/// Drops what lies behind the first hop with an answer that `ends` the trace, and that hop's other answers.
fn cut_behind_first(hops: &mut Vec<Hop>, ends: impl Fn(&HopAnswer) -> bool) -> Option<(Ttl, HopAnswer)> {
    let position = hops.iter().position(|hop| hop.answers.iter().any(&ends))?;
    hops.truncate(position.saturating_add(1));
    let last = hops.last_mut()?;
    last.answers.retain(&ends);
    last.answers.first().map(|answer| (last.ttl, answer.clone()))
}

struct Straight {
    hops: Vec<Hop>,
    looped: bool,
    /// Whether the last router that answered was the one that closed a loop.
    in_loop: bool,
}

/// Merges consecutive duplicates and cuts loops: where an address comes again, what lies between goes.
fn straighten(hops: Vec<Hop>) -> Straight {
    let left = Vec::with_capacity(hops.len());
    let mut straight = Straight { hops: left, looped: false, in_loop: false };
    for hop in hops {
        straight.push(hop);
    }
    straight
}

impl Straight {
    fn push(&mut self, hop: Hop) {
        let address = hop.address();
        let seen = address.and_then(|_| self.hops.iter().position(|earlier| earlier.address() == address));
        match seen {
            None => self.in_loop &= address.is_none(),
            Some(position) if position.saturating_add(1) == self.hops.len() => self.merge_last(),
            Some(position) => {
                self.hops.truncate(position);
                self.looped = true;
                self.in_loop = true;
            }
        }
        self.hops.push(hop);
    }

    /// The same router twice in a row. If it saw the first packet with TTL 0, the router before it let
    /// that through, and stands there unseen; otherwise the first of the two is only a repetition.
    fn merge_last(&mut self) {
        let Some(mut first) = self.hops.pop() else { return };
        if first.answers.iter().any(|answer| answer.quoted_ttl == Some(0)) {
            first.answers.clear();
            first.hidden = true;
            self.hops.push(first);
        }
    }
}

/// A router that saw a packet with TTL 0 stands one hop behind the one that let it through (Augustin et al. 2006), or
/// writes 0 into all its quotes and stands where it answers. Where nobody answered behind it, nobody tells which: a hop
/// that nobody sees is put before it, of the same TTL, so that no link is told that may be none.
fn with_unseen(hops: Vec<Hop>) -> Vec<Hop> {
    let mut all: Vec<Hop> = Vec::with_capacity(hops.len());
    let mut hops = hops.into_iter().peekable();
    while let Some(hop) = hops.next() {
        let is_last_heard = hops.peek().is_none_or(|behind| behind.answers.is_empty());
        if hop.saw_ttl_0() && is_last_heard && !all.last().is_some_and(|before| before.hidden) {
            all.push(Hop { hidden: true, ..Hop::empty(hop.ttl) });
        }
        all.push(hop);
    }
    all
}

fn end_without_answer(straight: &Straight) -> TraceEnd {
    if straight.hops.is_empty() {
        return TraceEnd::NotMeasured;
    }
    let unanswered = |hop: &&Hop| hop.state() != HopState::Answered;
    let trailing = straight.hops.iter().rev().take_while(unanswered).count();
    match u8::try_from(trailing).unwrap_or(u8::MAX) {
        _ if straight.in_loop => TraceEnd::Loop,
        0 => TraceEnd::MaxTtl,
        hops => TraceEnd::Gap { hops },
    }
}

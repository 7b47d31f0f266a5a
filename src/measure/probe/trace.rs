//! The trace prober: Paris traceroute to many targets at once, several pinned flows each.
//!
//! What may be asked is the set of (target, flow, TTL); each time one of those that are queued is drawn, by
//! a seed, so that no router sees a burst. A TTL becomes eligible when it is at most `gap_limit` hops behind the farthest
//! hop that answered, so a trace never runs on into silence:
//!
//! ```text
//!            in the window            next()              answer
//!   beyond ───────────────▶ queued ───────────▶ asked ───────────────▶ answered: the window moves on
//!      │                      ▲                   │
//!      │                      └── silence, again ─┤
//!      │                                          └── silence, attempts used up ──▶ silent
//!      └── the path ended before it, or nothing in the window answered ──▶ skipped
//! ```
//!
//! A path ends at the lowest TTL at which the target answered, or at which anybody said that the packet
//! cannot be delivered: what `traceroute` shows as its last line.

use std::net::IpAddr;

use super::{News, Next, Prober, Way};
use crate::measure::schedule::Draw;
use crate::model::{FlowId, Keyed, MonoTime, Probe, Reply, RoundId, SkipReason, Ttl};

/// Tells these draws from those of other purposes.
const PURPOSE: u64 = 0x7472_6163_6564_7261;

/// What one round of traces asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceOrder {
    /// The round.
    pub round: RoundId,
    /// Where to.
    pub targets: Vec<IpAddr>,
    /// How.
    pub way: Way,
    /// Flows a target: 1 or more.
    pub flows: u16,
    /// Seed of the order.
    pub seed: u64,
}

/// One round of traces.
#[derive(Debug)]
pub struct TraceProber {
    order: TraceOrder,
    draw: Draw,
    /// How often one was drawn.
    drawn: u64,
    /// Where each target stands among them.
    places: Keyed<IpAddr, usize>,
    traces: Vec<Trace>,
    /// Cells that may be asked now, in no order, and which attempt it would be.
    queue: Vec<(Cell, u8)>,
    started: bool,
    /// Queued or asked cells.
    pending: usize,
    asked: u64,
    skipped: Option<Vec<(SkipReason, u64)>>,
}

/// A place in the set of (target, flow, TTL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    trace: usize,
    ttl: u8,
}

/// What is known of one (target, flow).
#[derive(Clone, Debug)]
struct Trace {
    /// Highest TTL that anybody answered.
    farthest: u8,
    /// Highest TTL that was queued.
    queued_to: u8,
    /// Where the path ends, once known.
    end: Option<u8>,
    /// How often each TTL was asked, from the first TTL on; settled ones are marked.
    hops: Vec<HopState>,
}

#[derive(Clone, Copy, Debug, Default)]
struct HopState {
    asked: u8,
    settled: bool,
}

impl TraceProber {
    /// A round as ordered. Zero flows are taken as 1.
    #[must_use]
    pub fn new(order: TraceOrder) -> Self {
        let order = TraceOrder { flows: order.flows.max(1), way: order.way.sound(), ..order };
        let before_first = order.way.first_ttl.get().saturating_sub(1);
        let trace = Trace {
            farthest: before_first,
            queued_to: before_first,
            end: None,
            hops: vec![HopState::default(); usize::from(order.way.hops())],
        };
        let traces = order.targets.len().saturating_mul(usize::from(order.flows));
        Self {
            draw: Draw::new(order.seed, PURPOSE),
            drawn: 0,
            places: order.targets.iter().copied().zip(0..).collect(),
            traces: vec![trace; traces],
            queue: Vec::new(),
            started: false,
            pending: 0,
            asked: 0,
            skipped: None,
            order,
        }
    }

    /// Queues every TTL of a trace that its window has reached.
    fn open_window(&mut self, index: usize) {
        let Some(trace) = self.traces.get_mut(index) else { return };
        let reach =
            trace.farthest.saturating_add(self.order.way.gap_limit).min(self.order.way.max_ttl.get());
        let reach = trace.end.map_or(reach, |end| reach.min(end));
        let fresh = trace.queued_to.saturating_add(1)..=reach;
        trace.queued_to = trace.queued_to.max(reach);
        for ttl in fresh {
            let cell = Cell { trace: index, ttl };
            let Some(hop) = self.hop(cell).filter(|hop| !hop.settled) else { continue };
            self.enqueue(cell, hop.asked);
        }
    }

    fn enqueue(&mut self, cell: Cell, attempt: u8) {
        self.queue.push((cell, attempt));
        self.pending = self.pending.saturating_add(1);
    }

    /// Takes any one of the queue.
    fn dequeue(&mut self) -> Option<(Cell, u8)> {
        let last = self.queue.len().checked_sub(1)?;
        let place = usize::try_from(self.draw.up_to(last as u64, self.drawn, 0)).ok()?;
        self.drawn = self.drawn.saturating_add(1);
        Some(self.queue.swap_remove(place))
    }

    fn hop_index(&self, ttl: u8) -> usize {
        usize::from(ttl.saturating_sub(self.order.way.first_ttl.get()))
    }

    fn hop(&self, cell: Cell) -> Option<HopState> {
        self.traces.get(cell.trace)?.hops.get(self.hop_index(cell.ttl)).copied()
    }

    fn hop_mut(&mut self, cell: Cell) -> Option<&mut HopState> {
        let index = self.hop_index(cell.ttl);
        self.traces.get_mut(cell.trace)?.hops.get_mut(index)
    }

    fn is_beyond_end(&self, cell: Cell) -> bool {
        let end = self.traces.get(cell.trace).and_then(|trace| trace.end);
        end.is_some_and(|end| cell.ttl > end)
    }

    fn probe(&self, cell: Cell, attempt: u8) -> Option<Probe> {
        let flows = usize::from(self.order.flows);
        Some(Probe {
            round: self.order.round,
            target: *self.order.targets.get(cell.trace.checked_div(flows)?)?,
            protocol: self.order.way.protocol,
            port: self.order.way.port,
            flow: FlowId(u16::try_from(cell.trace.checked_rem(flows)?).ok()?),
            ttl: Ttl::new(cell.ttl)?,
            attempt,
        })
    }

    fn cell_of(&self, probe: &Probe) -> Option<Cell> {
        let target = *self.places.get(&probe.target)?;
        let trace =
            target.saturating_mul(usize::from(self.order.flows)).saturating_add(usize::from(probe.flow.0));
        Some(Cell { trace, ttl: probe.ttl.get() })
    }

    /// Takes in what became of one attempt; returns whether the cell must be asked again.
    fn learn(&mut self, cell: Cell, probe: &Probe, news: News<'_>) -> bool {
        let attempts = self.order.way.attempts;
        let Some(hop) = self.hop_mut(cell) else { return false };
        hop.asked = hop.asked.max(probe.attempt.saturating_add(1));
        if hop.settled && news == News::TimedOut {
            // Recalled records come in the order in which they were decided: a later attempt was first.
            return false;
        }
        let again = news == News::TimedOut && hop.asked < attempts;
        hop.settled = !again;
        if let News::Reply(reply) = news {
            self.learn_answer(cell, probe.target, reply);
        }
        again
    }

    fn learn_answer(&mut self, cell: Cell, target: IpAddr, reply: &Reply) {
        let Some(trace) = self.traces.get_mut(cell.trace) else { return };
        trace.farthest = trace.farthest.max(cell.ttl);
        if reply.ends_way_to(target) {
            trace.end = Some(trace.end.map_or(cell.ttl, |end| end.min(cell.ttl)));
        }
    }

    /// What was never asked, and why; told once, when nothing more will be asked.
    fn count_skipped(&self) -> Vec<(SkipReason, u64)> {
        let mut counts = [0_u64; 3];
        for (index, trace) in self.traces.iter().enumerate() {
            for (hop, ttl) in trace.hops.iter().zip(self.order.way.first_ttl.get()..) {
                let left = u64::from(self.order.way.attempts.saturating_sub(hop.asked));
                let reason = usize::from(!self.is_beyond_end(Cell { trace: index, ttl }));
                let reason = if hop.settled { 2 } else { reason };
                if let Some(count) = counts.get_mut(reason) {
                    *count = count.saturating_add(left);
                }
            }
        }
        let reasons = [SkipReason::BeyondEnd, SkipReason::GapLimit, SkipReason::Settled];
        reasons.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect()
    }
}

impl Prober for TraceProber {
    fn next(&mut self, _now: MonoTime) -> Next {
        if !self.started {
            self.started = true;
            (0..self.traces.len()).for_each(|index| self.open_window(index));
        }
        while let Some((cell, attempt)) = self.dequeue() {
            if self.is_beyond_end(cell) {
                self.pending = self.pending.saturating_sub(1);
                continue;
            }
            if let Some(probe) = self.probe(cell, attempt) {
                self.asked = self.asked.saturating_add(1);
                return Next::Probe(probe);
            }
        }
        if self.pending > 0 {
            return Next::Wait(MonoTime::NEVER);
        }
        if self.skipped.is_none() {
            self.skipped = Some(self.count_skipped());
        }
        Next::Done
    }

    fn settle(&mut self, probe: &Probe, news: News<'_>, _now: MonoTime) {
        let Some(cell) = self.cell_of(probe) else { return };
        self.pending = self.pending.saturating_sub(1);
        if self.learn(cell, probe, news) {
            self.enqueue(cell, probe.attempt.saturating_add(1));
        }
        self.open_window(cell.trace);
    }

    fn recall(&mut self, probe: &Probe, news: News<'_>) {
        let Some(cell) = self.cell_of(probe) else { return };
        self.asked = self.asked.saturating_add(1);
        self.learn(cell, probe, news);
    }

    fn take_skipped(&mut self) -> Vec<(SkipReason, u64)> {
        self.skipped.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn progress(&self) -> (u64, u64) {
        let hops = u64::from(self.order.way.hops()).saturating_mul(u64::from(self.order.way.attempts));
        let total = (self.traces.len() as u64).saturating_mul(hops);
        let finished = self.skipped.is_some();
        (total, if finished { total } else { self.asked.min(total) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{reply, targets, way};
    use super::*;
    use crate::model::{Protocol, ReplyKind, Unreachable};

    fn order(target_count: u8, flows: u16) -> TraceOrder {
        TraceOrder {
            round: RoundId(1),
            targets: targets(target_count),
            way: way(Protocol::Icmp, None),
            flows,
            seed: 9,
        }
    }

    /// A path of `length` hops; hops in `silent` do not answer, nor does the target if it is among them.
    fn path(length: u8, silent: &'static [u8]) -> impl FnMut(&Probe) -> Option<Reply> {
        move |probe| {
            let ttl = probe.ttl.get().min(length);
            if silent.contains(&ttl) {
                return None;
            }
            Some(if ttl == length {
                Reply { from: probe.target, ..reply("10.0.0.0", ReplyKind::EchoReply) }
            } else {
                reply(&format!("10.9.0.{ttl}"), ReplyKind::TimeExceeded)
            })
        }
    }

    fn run(prober: &mut TraceProber, mut network: impl FnMut(&Probe) -> Option<Reply>) -> Vec<Probe> {
        let mut asked = Vec::new();
        while let Next::Probe(probe) = prober.next(MonoTime::default()) {
            asked.push(probe);
            let answer = network(&probe);
            let news = answer.as_ref().map_or(News::TimedOut, News::Reply);
            prober.settle(&probe, news, MonoTime::default());
        }
        assert_eq!(prober.next(MonoTime::default()), Next::Done);
        asked
    }

    #[test]
    fn every_hop_up_to_the_target_is_asked_on_every_flow_and_none_beyond_is_needed() {
        let mut prober = TraceProber::new(order(3, 4));
        let asked = run(&mut prober, path(12, &[]));
        for target in targets(3) {
            for flow in 0..4 {
                let mut ttls: Vec<u8> = asked
                    .iter()
                    .filter(|probe| probe.target == target && probe.flow == FlowId(flow))
                    .map(|probe| probe.ttl.get())
                    .collect();
                ttls.sort_unstable();
                assert!(ttls.iter().copied().take(12).eq(1..=12), "{ttls:?}");
                assert!(ttls.last().is_some_and(|last| *last <= 16), "ran on too far: {ttls:?}");
            }
        }
        let skipped: u64 = prober.take_skipped().iter().map(|(_, count)| count).sum();
        assert_eq!(asked.len() as u64 + skipped, 3 * 4 * 30 * 2);
    }

    #[test]
    fn three_silent_hops_before_the_target_are_bridged_and_a_dead_end_stops_at_the_gap_limit() {
        let mut bridged = TraceProber::new(order(1, 1));
        let asked = run(&mut bridged, path(12, &[9, 10, 11]));
        assert!(asked.iter().any(|probe| probe.ttl.get() == 12));
        assert_eq!(asked.iter().filter(|probe| probe.ttl.get() == 10).count(), 2);

        let mut dead = TraceProber::new(order(1, 1));
        let asked = run(&mut dead, path(9, &[9]));
        assert_eq!(asked.iter().map(|probe| probe.ttl.get()).max(), Some(13));
        let gap = dead.take_skipped();
        assert!(gap.contains(&(SkipReason::GapLimit, 17 * 2)), "{gap:?}");
    }

    #[test]
    fn an_unreachable_ends_the_path_where_it_was_said() {
        let mut prober = TraceProber::new(order(1, 1));
        let asked = run(&mut prober, |probe| {
            let kind = if probe.ttl.get() >= 4 {
                ReplyKind::Unreachable(Unreachable::Net)
            } else {
                ReplyKind::TimeExceeded
            };
            Some(reply("10.9.0.1", kind))
        });
        assert!(asked.iter().all(|probe| probe.ttl.get() <= 8));
        assert!(prober.take_skipped().iter().any(|(reason, _)| *reason == SkipReason::BeyondEnd));
    }

    #[test]
    fn the_order_is_neither_by_target_nor_by_ttl() {
        let mut prober = TraceProber::new(order(64, 2));
        let first: Vec<Probe> = (0..40)
            .filter_map(|_| match prober.next(MonoTime::default()) {
                Next::Probe(probe) => Some(probe),
                _ => None,
            })
            .collect();
        let ttls: std::collections::BTreeSet<u8> = first.iter().map(|probe| probe.ttl.get()).collect();
        let longest_run = first.chunk_by(|a, b| a.ttl == b.ttl).map(<[Probe]>::len).max();
        assert_eq!(ttls.len(), 5);
        assert!(longest_run < Some(8), "{longest_run:?}");
    }

    #[test]
    fn a_round_cut_anywhere_and_resumed_asks_exactly_what_is_missing() {
        let network = || path(12, &[3, 9, 10]);
        let all = run(&mut TraceProber::new(order(2, 2)), network());
        for cut in (0..all.len()).step_by(7) {
            let mut resumed = TraceProber::new(order(2, 2));
            let mut answers = network();
            for probe in &all[..cut] {
                let answer = answers(probe);
                resumed.recall(probe, answer.as_ref().map_or(News::TimedOut, News::Reply));
            }
            let rest = run(&mut resumed, network());
            assert!(rest.iter().all(|probe| !all[..cut].contains(probe)), "asked twice after {cut}");
            let together: std::collections::BTreeSet<_> = all[..cut].iter().chain(&rest).collect();
            let hops = |probes: &std::collections::BTreeSet<&Probe>| {
                probes
                    .iter()
                    .filter(|p| p.ttl.get() <= 12)
                    .map(|p| (p.target, p.flow, p.ttl))
                    .collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(hops(&together), hops(&all.iter().collect()));
        }
    }
}

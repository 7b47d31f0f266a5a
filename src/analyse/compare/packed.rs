//! The traces of a campaign, packed: campaigns trace the same flows again and again, and mostly see the same. So a flow is kept
//! once, and so is what traces to one target show; of a trace itself are kept the numbers of these two, its round, when it
//! was sent and how long its target took. Nothing that is judged of traces is kept here.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::found::PinnedFlow;
use crate::analyse::path::{Shapes, Trace, TraceEnd};
use crate::model::{Keyed, Name, Port, Protocol, RoundId, Unit, WallTime};

/// A flow of a vantage.
type Flow = (Name, PinnedFlow);

/// What traces must have in common to show the same: who traced what, where the hops stand in memory, and what was made of
/// them. The last says whether any probe was sent.
type ShownKey = ((Name, Unit, bool), (IpAddr, Protocol, Option<Port>), (usize, TraceEnd, bool, bool));

/// Traces, packed.
#[derive(Debug, Default)]
pub(super) struct PackedTraces {
    shapes: Shapes,
    flows: Each<Flow>,
    keys: Each<ShownKey>,
    /// By the number of its key, the first trace that showed it.
    shown: Vec<Trace>,
    traces: Vec<Packed>,
}

/// A trace, packed.
#[derive(Clone, Copy, Debug)]
struct Packed {
    flow: u32,
    shown: u32,
    round: RoundId,
    /// When its first probe, its last, and the last that was answered were sent.
    first: WallTime,
    last: WallTime,
    heard: WallTime,
    /// How long the target took, in nanoseconds.
    rtt: u64,
}

/// Stands for a target that did not answer.
const NO_RTT: u64 = u64::MAX;

/// Stands for the times of a trace of which no probe was sent.
const NOT_SENT: WallTime = WallTime::from_nanos(0);

/// A trace as it is unpacked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traced<'a> {
    packed: &'a Packed,
    flow: &'a Flow,
    shown: &'a Trace,
}

impl PackedTraces {
    /// Takes a trace in.
    pub(super) fn add(&mut self, trace: Trace) {
        let trace = self.shapes.shared(trace);
        let key = &trace.key;
        let (target, protocol, port) = (key.target, key.protocol, key.port);
        let pinned = PinnedFlow { target, protocol, port, flow: key.flow };
        let (first, last) = trace.sent.unwrap_or((NOT_SENT, NOT_SENT));
        let packed = Packed {
            flow: self.flows.number((key.vantage.clone(), pinned)),
            shown: 0,
            round: key.round,
            first,
            last,
            heard: trace.heard.unwrap_or(last),
            rtt: trace.rtt.and_then(|rtt| u64::try_from(rtt.as_nanos()).ok()).unwrap_or(NO_RTT),
        };
        let shown = self.show(trace);
        self.traces.push(Packed { shown, ..packed });
    }

    /// The number of what a trace shows.
    fn show(&mut self, trace: Trace) -> u32 {
        let key = &trace.key;
        let number = self.keys.number((
            (key.vantage.clone(), trace.unit, trace.control),
            (key.target, key.protocol, key.port),
            (Arc::as_ptr(&trace.hops).addr(), trace.end, trace.looped, trace.sent.is_some()),
        ));
        if self.shown.len() < self.keys.len() {
            self.shown.push(trace);
        }
        number
    }

    /// Puts them into the order of vantages, rounds and flows. None can be added afterwards.
    pub(super) fn close(&mut self) {
        (self.shapes, self.keys) = (Shapes::default(), Each::default());
        let flows = &self.flows;
        let key = |packed: &Packed| {
            let flow = flows.get(packed.flow);
            (flow.map(|(vantage, _)| vantage), packed.round, flow.map(|(_, pinned)| pinned))
        };
        self.traces.sort_unstable_by(|one, other| key(one).cmp(&key(other)));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.traces.len()
    }

    /// All traces.
    pub(super) fn iter(&self) -> impl Iterator<Item = Traced<'_>> + Clone {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// The trace of a place in the order.
    pub(super) fn get(&self, index: usize) -> Option<Traced<'_>> {
        let packed = self.traces.get(index)?;
        let shown = self.shown.get(usize::try_from(packed.shown).ok()?)?;
        Some(Traced { packed, flow: self.flows.get(packed.flow)?, shown })
    }

    /// By unit, the places of the traces about it.
    pub(super) fn by_unit(&self) -> BTreeMap<Unit, Vec<u32>> {
        let mut units: BTreeMap<Unit, Vec<u32>> = BTreeMap::new();
        for (place, traced) in (0..).zip(self.iter()) {
            units.entry(traced.shown.unit).or_default().push(place);
        }
        units
    }

    /// What any traces show, each once.
    pub(super) fn shown(&self) -> &[Trace] {
        &self.shown
    }
}

impl<'a> Traced<'a> {
    /// Who traced it.
    pub(super) const fn vantage(&self) -> &'a Name {
        &self.flow.0
    }

    /// The flow, which is traced in every round.
    pub(super) const fn flow(&self) -> &'a PinnedFlow {
        &self.flow.1
    }

    /// The number of the flow.
    pub(super) const fn flow_number(&self) -> u32 {
        self.packed.flow
    }

    /// In which round.
    pub(super) const fn round(&self) -> RoundId {
        self.packed.round
    }

    /// The number of what it shows.
    pub(super) fn shown_number(&self) -> usize {
        usize::try_from(self.packed.shown).unwrap_or(usize::MAX)
    }

    /// The first trace that showed the same: of it all is the same but for its flow, its round, and its times.
    pub(super) const fn shown(&self) -> &'a Trace {
        self.shown
    }

    /// When its first and its last probe were sent; `None` if none was.
    pub(super) fn sent(&self) -> Option<(WallTime, WallTime)> {
        self.shown.sent.map(|_| (self.packed.first, self.packed.last))
    }

    /// When the last probe was sent that was answered, or else the last of all: what the trace shows was so by then.
    pub(super) const fn heard(&self) -> WallTime {
        self.packed.heard
    }

    /// At which TTL the target answered, and the shortest round-trip time of its answers that counts.
    pub(super) fn arrival(&self) -> Option<(u8, Option<Duration>)> {
        let TraceEnd::Reached { ttl } = self.shown.end else { return None };
        let rtt = self.packed.rtt;
        Some((ttl.get(), (rtt != NO_RTT).then_some(Duration::from_nanos(rtt))))
    }
}

/// Things, each numbered once.
#[derive(Debug)]
struct Each<T> {
    numbers: Keyed<T, u32>,
    things: Vec<T>,
}

impl<T> Default for Each<T> {
    fn default() -> Self {
        Self { numbers: Keyed::default(), things: Vec::new() }
    }
}

impl<T: Clone + Eq + Hash> Each<T> {
    fn number(&mut self, thing: T) -> u32 {
        if let Some(number) = self.numbers.get(&thing) {
            return *number;
        }
        // So many would fill any memory before.
        let number = u32::try_from(self.things.len()).unwrap_or(u32::MAX);
        self.things.push(thing.clone());
        self.numbers.insert(thing, number);
        number
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.things.get(usize::try_from(number).ok()?)
    }

    fn len(&self) -> usize {
        self.things.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::analyse::path::Traces;
    use crate::analyse::sheet::{Aim, Sheet, time};

    use super::*;

    /// Traces of three rounds to two targets, of which some are not sent, and some are silent.
    fn traces() -> Vec<Trace> {
        let lines = [
            "188.1.144.1 62.115.114.88 175.45.176.10=",
            "188.1.144.1 * *",
            "x x",
            "188.1.144.1 62.115.114.88!N",
        ];
        let mut sheet = Sheet::new();
        for (round, target) in (0..3).flat_map(|round| [(round, "175.45.176.10"), (round, "175.45.178.1")])
        {
            for (flow, line) in (0..).zip(lines) {
                let at = time("2017-10-01T08:00:00Z").after(Duration::from_secs(600 * round));
                sheet.trace(Aim { round, at, target, flow }, line);
            }
        }
        let mut traces = Traces::default();
        sheet.records.iter().for_each(|record| traces.add(record));
        traces.finish().collect()
    }

    #[test]
    fn packed_traces_say_what_they_said_and_come_in_the_order_of_their_keys() {
        let traces = traces();
        let mut packed = PackedTraces::default();
        traces.iter().rev().cloned().for_each(|trace| packed.add(trace));
        packed.close();
        assert_eq!(packed.len(), traces.len());
        assert_eq!(packed.shown().len(), 8, "what three rounds show alike is kept once");
        for (packed, trace) in packed.iter().zip(&traces) {
            let (key, shown) = (&trace.key, packed.shown());
            assert_eq!((packed.vantage(), packed.round()), (&key.vantage, key.round));
            let PinnedFlow { target, protocol, port, flow } = *packed.flow();
            assert_eq!((target, protocol, port, flow), (key.target, key.protocol, key.port, key.flow));
            assert_eq!(packed.sent(), trace.sent);
            assert_eq!(
                packed.heard(),
                trace.heard.or(trace.sent.map(|(_, last)| last)).unwrap_or(NOT_SENT)
            );
            let TraceEnd::Reached { ttl } = trace.end else {
                assert_eq!((packed.arrival(), shown.end), (None, trace.end));
                continue;
            };
            assert_eq!(packed.arrival(), Some((ttl.get(), trace.rtt)));
            assert_eq!(
                (shown.unit, shown.control, shown.looped),
                (trace.unit, trace.control, trace.looped)
            );
        }
    }
}

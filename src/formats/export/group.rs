//! Probes of one flow in one round, brought together: what others call a trace or a ping.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use crate::dataset::ProbeRecord;
use crate::model::{
    FlowId, Method, Name, Outcome, Port, Protocol, Reply, ReplyKind, RoundId, Rtt, Ttl, WallTime,
};

/// Probes that are held at a time. A round of our own is brought together whole up to this; of one that is longer,
/// traces are cut where the limit falls.
const MOST_HELD: usize = 1_000_000;

/// What the probes of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) round: RoundId,
    pub(super) vantage: Name,
    pub(super) prober: Name,
    pub(super) method: Method,
    pub(super) target: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) port: Option<Port>,
    pub(super) flow: FlowId,
}

impl Key {
    /// One of the probes.
    pub(super) fn probe(&self, ttl: Ttl, attempt: u8) -> crate::model::Probe {
        let Self { round, target, protocol, port, flow, .. } = *self;
        crate::model::Probe { round, target, protocol, port, flow, ttl, attempt }
    }
}

/// One trace or ping.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    /// By TTL and attempt.
    pub(super) probes: BTreeMap<(Ttl, u8), Probe>,
    /// Whether every probe is of the flow behind that of the one before; that of the group is the flow of the first.
    pub(super) flow_rises: bool,
}

/// One probe of it.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    pub(super) at: Option<WallTime>,
    pub(super) outcome: Outcome,
}

impl Probe {
    /// The answer, in time or not.
    pub(super) const fn answer(&self) -> Option<(&Reply, &Rtt)> {
        match &self.outcome {
            Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt } => Some((reply, rtt)),
            _ => None,
        }
    }
}

/// What scamper calls a ping.
pub(super) struct PingMethod {
    /// In warts.
    pub(super) number: u8,
    /// In JSON.
    pub(super) name: &'static str,
    /// That of the first probe, 0 for none; so is the other.
    pub(super) source_port: u16,
    pub(super) port: u16,
}

/// How a trace ended, in scamper's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The target answered.
    Completed,
    /// Somebody said that it cannot be reached, by this code.
    Unreachable(u8),
    /// The last hops were silent.
    Gap,
    /// Probing ended before the way did.
    HopLimit,
}

impl Group {
    /// When its first probe was sent; the epoch if no time is known.
    pub(super) fn start(&self) -> WallTime {
        self.probes.values().filter_map(|probe| probe.at).min().unwrap_or(WallTime::from_nanos(0))
    }

    /// When its last probe was sent.
    pub(super) fn last(&self) -> WallTime {
        self.probes.values().filter_map(|probe| probe.at).max().unwrap_or(WallTime::from_nanos(0))
    }

    /// The answers, each with its place.
    pub(super) fn answers(&self) -> impl Iterator<Item = (Ttl, u8, &Probe, &Reply, &Rtt)> {
        self.probes.iter().filter_map(|((ttl, attempt), probe)| {
            let (reply, rtt) = probe.answer()?;
            Some((*ttl, *attempt, probe, reply, rtt))
        })
    }

    /// The lowest and the highest TTL.
    pub(super) fn span(&self) -> (u8, u8) {
        let ttl = |place: Option<&(Ttl, u8)>| place.map_or(1, |(ttl, _)| ttl.get());
        (ttl(self.probes.keys().next()), ttl(self.probes.keys().next_back()))
    }

    /// How often a hop is asked: as often as all were, or as often as one that did not answer; 1 if all did.
    pub(super) fn attempts(&self) -> u8 {
        let silent = self.probes.iter().filter(|(_, probe)| probe.outcome == Outcome::Silent);
        let silent = silent.map(|((_, attempt), _)| attempt.saturating_add(1)).max();
        self.attempts_of_all().or(silent).unwrap_or(1)
    }

    /// Whether all hops were asked as often, and more than once, also after they had answered.
    pub(super) fn asks_on(&self) -> bool {
        self.attempts_of_all().is_some_and(|attempts| attempts > 1)
    }

    /// How often every hop was asked, if all as often.
    fn attempts_of_all(&self) -> Option<u8> {
        let mut of_each: BTreeMap<Ttl, u8> = BTreeMap::new();
        for (ttl, _) in self.probes.keys() {
            let number = of_each.entry(*ttl).or_default();
            *number = number.saturating_add(1);
        }
        let first = of_each.values().next().copied()?;
        of_each.values().all(|number| *number == first).then_some(first)
    }

    /// The same as traces without a TTL that was not asked: to scamper a TTL of which nothing is told was silent.
    pub(super) fn without_gaps(&self) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        let mut last: Option<u8> = None;
        for (place, probe) in &self.probes {
            let ttl = place.0.get();
            let goes_on = last.is_some_and(|last| ttl <= last.saturating_add(1));
            if !goes_on {
                parts.push(Self { key: self.key.clone(), probes: BTreeMap::new(), flow_rises: false });
            }
            if let Some(part) = parts.last_mut() {
                part.probes.insert(*place, probe.clone());
            }
            last = Some(ttl);
        }
        parts
    }

    /// Whether another group is another flow of the same search.
    pub(super) fn is_of_one_search_with(&self, other: &Self) -> bool {
        Key { flow: self.key.flow, ..other.key.clone() } == self.key
    }

    /// Whether another group is the next probe of this ping, of which every one has a flow of its own.
    fn goes_on_in(&self, other: &Self) -> bool {
        let is_one = self.flow_rises || self.probes.len() == 1;
        let next =
            other.probes.keys().next().filter(|(_, attempt)| other.probes.len() == 1 && *attempt > 0);
        let same = || self.is_of_one_search_with(other);
        let first = other.first_flow();
        self.key.method.is_liveness() && is_one && next.is_some() && first == self.first_flow() && same()
    }

    /// The flow that the first probe of a ping had, if every one had the next.
    fn first_flow(&self) -> FlowId {
        let attempt = self.probes.keys().next().map_or(0, |(_, attempt)| *attempt);
        FlowId(self.key.flow.0.wrapping_sub(attempt.into()))
    }

    /// Whether a port was found open: then the probes were SYNs.
    fn opens(&self) -> bool {
        self.answers().any(|(.., reply, _)| reply.kind == ReplyKind::SynAck)
    }

    /// How scamper calls this ping. By TCP SYNs are taken to have been sent, but where the source port
    /// changed: until 2022 scamper did so only for ACKs, and tools of that time know no other word.
    pub(super) fn ping_method(&self) -> PingMethod {
        let (key, first) = (&self.key, self.first_flow().0);
        let (flow, port) = (key.flow.0, key.port.map_or(0, Port::get));
        let (number, name, source_port, port) = match (key.protocol, key.port, self.flow_rises) {
            (Protocol::Icmp, ..) if key.method == Method::Timestamp => (5, "icmp-time", 0, 0),
            (Protocol::Icmp, ..) => (0, "icmp-echo", 0, 0),
            (Protocol::Udp, None, _) => (4, "udp-dport", 0, first),
            (Protocol::Udp, Some(_), true) => (10, "udp-sport", first, port),
            (Protocol::Udp, Some(_), false) => (3, "udp", flow, port),
            (Protocol::Tcp, _, true) if self.opens() => (9, "tcp-syn-sport", first, port),
            (Protocol::Tcp, _, true) => (2, "tcp-ack-sport", first, port),
            (Protocol::Tcp, _, false) => (6, "tcp-syn", flow, port),
        };
        PingMethod { number, name, source_port, port }
    }

    pub(super) fn stop(&self) -> Stop {
        let target = self.key.target;
        if self.answers().any(|(.., reply, _)| reply.kind.arrived(reply.from == target)) {
            return Stop::Completed;
        }
        let refused = self.answers().find(|(.., reply, _)| matches!(reply.kind, ReplyKind::Unreachable(_)));
        if let Some((.., reply, _)) = refused {
            let icmp = reply.icmp.or(super::icmp_of(reply.kind, target.is_ipv4()));
            return Stop::Unreachable(icmp.map_or(0, |(_, code)| code));
        }
        let last = self.span().1;
        let is_answered = self.answers().any(|(ttl, ..)| ttl.get() == last);
        if is_answered { Stop::HopLimit } else { Stop::Gap }
    }
}

/// Brings probes together.
#[derive(Debug, Default)]
pub(super) struct Groups {
    open: BTreeMap<Key, Group>,
    held: usize,
    round: Option<RoundId>,
}

impl Groups {
    /// Takes a probe in, and hands out groups that are whole.
    pub(super) fn add(
        &mut self,
        record: ProbeRecord,
        mut hand_out: impl FnMut(Group) -> io::Result<()>,
    ) -> io::Result<()> {
        let round = record.probe.round;
        if self.round != Some(round) || self.held >= MOST_HELD {
            self.flush(&mut hand_out)?;
            self.round = Some(round);
        }
        let place = (record.probe.ttl, record.probe.attempt);
        let (at, outcome) = (record.sent_at, record.outcome.clone());
        let key = key(record);
        let group = self.open.entry(key.clone()).or_insert_with(|| Group {
            key,
            probes: BTreeMap::new(),
            flow_rises: false,
        });
        // A dataset names no probe twice.
        group.probes.entry(place).or_insert(Probe { at, outcome });
        self.held = self.held.saturating_add(1);
        Ok(())
    }

    /// Hands out what is left.
    pub(super) fn finish(mut self, hand_out: impl FnMut(Group) -> io::Result<()>) -> io::Result<()> {
        self.flush(hand_out)
    }

    /// Flows of the same ping stand one behind the other.
    fn flush(&mut self, mut hand_out: impl FnMut(Group) -> io::Result<()>) -> io::Result<()> {
        self.held = 0;
        let mut last: Option<Group> = None;
        for group in std::mem::take(&mut self.open).into_values() {
            match &mut last {
                Some(ping) if ping.goes_on_in(&group) => {
                    ping.probes.extend(group.probes);
                    ping.flow_rises = true;
                }
                _ => last.replace(group).map_or(Ok(()), &mut hand_out)?,
            }
        }
        last.map_or(Ok(()), hand_out)
    }
}

fn key(record: ProbeRecord) -> Key {
    let probe = record.probe;
    Key {
        round: probe.round,
        vantage: record.vantage,
        prober: record.prober,
        method: record.method,
        target: probe.target,
        protocol: probe.protocol,
        port: probe.port,
        flow: probe.flow,
    }
}

/// Whole seconds and microseconds since the epoch; a time before it is the epoch.
pub(super) fn seconds(at: WallTime) -> (u64, u32) {
    let since = at.since(WallTime::from_nanos(0));
    (since.as_secs(), since.subsec_micros())
}

/// Rounded to the microsecond.
pub(super) fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_nanos().saturating_add(500).div_euclid(1000)).unwrap_or(u64::MAX)
}

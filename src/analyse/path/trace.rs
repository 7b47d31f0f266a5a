//! Records → traces: all that was asked and answered along one flow in one round, in the order of TTLs.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::clean;
use crate::dataset::ProbeRecord;
use crate::limits::Train;
use crate::model::{
    FlowId, Keyed, Method, MplsLabel, Name, Outcome, Port, Protocol, Reply, ReplyKind, RoundId, Rtt,
    RttSource, Ttl, Unit, Unreachable, WallTime,
};

/// What names a trace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceKey {
    /// Who measured.
    pub vantage: Name,
    /// In which round.
    pub round: RoundId,
    /// Towards which address.
    pub target: IpAddr,
    /// In what it was carried.
    pub protocol: Protocol,
    /// The destination port; `None` for ICMP.
    pub port: Option<Port>,
    /// Along which flow.
    pub flow: FlowId,
}

/// One trace, cleaned: it ends where the path ended, duplicates are merged and loops cut.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What names it.
    pub key: TraceKey,
    /// The unit about which it speaks.
    pub unit: Unit,
    /// Whether its target is a control target.
    pub control: bool,
    /// When the first and the last of its probes were sent; `None` if none was.
    pub sent: Option<(WallTime, WallTime)>,
    /// When the last of its probes was sent that was answered; `None` if none was. What the trace shows was so
    /// by then, however long its probes into silence went on.
    pub heard: Option<WallTime>,
    /// Its hops, by rising TTL. TTLs are missing where a loop was cut; a hidden one may share the next one's.
    pub hops: Arc<Vec<Hop>>,
    /// How it ended.
    pub end: TraceEnd,
    /// The shortest round-trip time of the target's answers; `None` if it did not answer. Those of the unprivileged
    /// engine are of its own doing, and do not count.
    pub rtt: Option<Duration>,
    /// Whether a loop was cut out of it.
    pub looped: bool,
}

/// Hops of traces, each only once: in round after round most traces show the same.
#[derive(Debug, Default)]
pub struct Shapes {
    known: HashSet<Arc<Vec<Hop>>, foldhash::fast::RandomState>,
}

/// What was asked and answered at one TTL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The TTL.
    pub ttl: Ttl,
    /// The answers, by attempt.
    pub answers: Vec<HopAnswer>,
    /// Probes that were sent.
    pub sent: u32,
    /// Of them without any answer.
    pub silent: u32,
    /// Probes that the guard or the system refused.
    pub not_sent: u32,
    /// Whether a router stands here, or may, that is known only from the next one's quote: it forwarded a packet
    /// whose TTL had run out.
    pub hidden: bool,
}

/// One answer at one TTL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HopAnswer {
    /// Which attempt it answers.
    pub attempt: u8,
    /// Who sent it.
    pub from: IpAddr,
    /// What it says.
    pub kind: ReplyKind,
    /// How long it took.
    pub rtt: Rtt,
    /// Whether it came after the prober had stopped waiting.
    pub late: bool,
    /// TTL or hop limit of the answer on arrival.
    pub reply_ttl: Option<u8>,
    /// TTL or hop limit of the probe as quoted; 1 on an honest router.
    pub quoted_ttl: Option<u8>,
    /// MPLS label stack, outermost first.
    pub mpls: Vec<MplsLabel>,
}

/// What is known of a hop. The kinds of not knowing are never mixed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HopState {
    /// At least one probe was answered.
    Answered,
    /// Probes were sent, none was answered.
    Silent,
    /// A router that forwarded a packet whose TTL had run out; only the next one's quote tells of it.
    Hidden,
    /// Probes were wanted; the guard or the system refused all of them.
    NotSent,
    /// No probe was asked for.
    NotProbed,
}

impl HopState {
    /// The state in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Silent => "silent",
            Self::Hidden => "hidden",
            Self::NotSent => "not_sent",
            Self::NotProbed => "not_probed",
        }
    }
}

/// How a trace ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceEnd {
    /// The target answered, at this TTL.
    Reached {
        /// The lowest such TTL.
        ttl: Ttl,
    },
    /// Somebody said that the packet cannot be delivered.
    Unreachable {
        /// What was said.
        kind: Unreachable,
        /// By whom.
        by: IpAddr,
    },
    /// In so many silent hops.
    Gap {
        /// At least 1.
        hops: u8,
    },
    /// A router answered the last TTL that was sent: probing ended before the path did.
    MaxTtl,
    /// The path came back to a router and did not leave the circle.
    Loop,
    /// No probe was sent.
    NotMeasured,
}

impl TraceEnd {
    /// The end in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reached { .. } => "reached",
            Self::Unreachable { kind, .. } => ReplyKind::Unreachable(kind).as_str(),
            Self::Gap { .. } => "gap",
            Self::MaxTtl => "max_ttl",
            Self::Loop => "loop",
            Self::NotMeasured => "not_measured",
        }
    }
}

/// Collects records into traces. Their order does not matter.
#[derive(Debug, Default)]
pub struct Traces {
    open: Keyed<TraceKey, OpenTrace>,
}

#[derive(Debug)]
struct OpenTrace {
    unit: Unit,
    control: bool,
    sent: Option<(WallTime, WallTime)>,
    heard: Option<WallTime>,
    /// By rising TTL.
    hops: Vec<Hop>,
}

impl Traces {
    /// Takes a record in; records of other methods than `trace`, and those that test a router, are left aside.
    pub fn add(&mut self, record: &ProbeRecord) {
        if record.method != Method::Trace || Train::of(record.probe.attempt).is_some() {
            return;
        }
        let open = self.open.entry(TraceKey::of(record)).or_insert_with(|| OpenTrace::new(record));
        open.add(record);
    }

    /// All traces, in the order of their keys.
    pub fn finish(self) -> impl Iterator<Item = Trace> {
        let mut open: Vec<(TraceKey, OpenTrace)> = self.open.into_iter().collect();
        open.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        open.into_iter().map(|(key, open)| open.close(key))
    }
}

impl TraceKey {
    fn of(record: &ProbeRecord) -> Self {
        let probe = record.probe;
        Self {
            vantage: record.vantage.clone(),
            round: probe.round,
            target: probe.target,
            protocol: probe.protocol,
            port: probe.port,
            flow: probe.flow,
        }
    }
}

/// Room is made at first for so many: most traces have no more.
const USUAL_HOPS: usize = 16;

impl OpenTrace {
    fn new(record: &ProbeRecord) -> Self {
        let hops = Vec::with_capacity(USUAL_HOPS);
        Self { unit: record.unit, control: record.control, sent: None, heard: None, hops }
    }

    fn add(&mut self, record: &ProbeRecord) {
        // Records of one trace agree in these; should they not, their order must still not matter.
        self.unit = self.unit.min(record.unit);
        self.control |= record.control;
        if let Some(at) = record.sent_at {
            self.sent = Some(self.sent.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            let answered = matches!(record.outcome, Outcome::Answered { .. } | Outcome::Late { .. });
            self.heard = if answered { self.heard.max(Some(at)) } else { self.heard };
        }
        self.hop(record.probe.ttl).into_iter().for_each(|hop| hop.add(record));
    }

    fn hop(&mut self, ttl: Ttl) -> Option<&mut Hop> {
        let place = self.hops.binary_search_by_key(&ttl, |hop| hop.ttl).unwrap_or_else(|place| {
            self.hops.insert(place, Hop::empty(ttl));
            place
        });
        self.hops.get_mut(place)
    }

    fn close(self, key: TraceKey) -> Trace {
        let cleaned = clean::clean(self.hops, key.target);
        Trace {
            key,
            unit: self.unit,
            control: self.control,
            sent: self.sent,
            heard: self.heard,
            rtt: shortest(&cleaned),
            hops: Arc::new(cleaned.hops),
            end: cleaned.end,
            looped: cleaned.looped,
        }
    }
}

fn shortest(cleaned: &clean::Cleaned) -> Option<Duration> {
    let reached = matches!(cleaned.end, TraceEnd::Reached { .. });
    let last = cleaned.hops.last().filter(|_| reached)?;
    last.answers.iter().filter_map(|answer| answer.rtt.comparable()).min()
}

impl Shapes {
    /// The same trace with nothing of its hops but what tells of the way, which it shares with all that show the same:
    /// who answered, and with what.
    #[must_use]
    pub fn shared(&mut self, trace: Trace) -> Trace {
        let mut hops = trace.hops;
        Arc::make_mut(&mut hops).iter_mut().for_each(Hop::bare);
        let shared = self.known.get(&hops).cloned();
        let hops = shared.unwrap_or_else(|| {
            self.known.insert(Arc::clone(&hops));
            hops
        });
        Trace { hops, ..trace }
    }
}

impl Hop {
    /// Leaves out what differs from round to round although the way is the same.
    fn bare(&mut self) {
        for answer in &mut self.answers {
            *answer = HopAnswer {
                attempt: 0,
                from: answer.from,
                kind: answer.kind,
                rtt: Rtt { span: Duration::ZERO, source: RttSource::NotTold },
                late: false,
                reply_ttl: None,
                quoted_ttl: answer.quoted_ttl,
                mpls: Vec::new(),
            };
        }
    }

    /// A hop of which nothing was asked.
    pub(super) const fn empty(ttl: Ttl) -> Self {
        Self { ttl, answers: Vec::new(), sent: 0, silent: 0, not_sent: 0, hidden: false }
    }

    fn add(&mut self, record: &ProbeRecord) {
        let attempt = record.probe.attempt;
        match &record.outcome {
            Outcome::Answered { reply, rtt } => self.push(HopAnswer::new(attempt, reply, *rtt, false)),
            Outcome::Late { reply, rtt } => self.push(HopAnswer::new(attempt, reply, *rtt, true)),
            Outcome::Silent => self.silent = self.silent.saturating_add(1),
            Outcome::SendFailed(_) | Outcome::Blocked(_) => {
                self.not_sent = self.not_sent.saturating_add(1);
                return;
            }
            Outcome::Skipped(_) => return,
        }
        self.sent = self.sent.saturating_add(1);
    }

    /// Most hops answer once: room for more is made when more come.
    fn push(&mut self, answer: HopAnswer) {
        self.answers.reserve_exact(1);
        self.answers.push(answer);
    }

    /// What is known of it.
    #[must_use]
    pub const fn state(&self) -> HopState {
        if self.hidden {
            HopState::Hidden
        } else if !self.answers.is_empty() {
            HopState::Answered
        } else if self.sent > 0 {
            HopState::Silent
        } else if self.not_sent > 0 {
            HopState::NotSent
        } else {
            HopState::NotProbed
        }
    }

    /// The address that answered most often, the lowest of several such; `None` if none answered.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let first = self.answers.first()?.from;
        if self.answers.iter().all(|answer| answer.from == first) {
            return Some(first);
        }
        let mut votes: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for answer in &self.answers {
            let count = votes.entry(answer.from).or_default();
            *count = count.saturating_add(1);
        }
        votes.into_iter().max_by(|a, b| a.1.cmp(&b.1).then(b.0.cmp(&a.0))).map(|(address, _)| address)
    }

    /// All other addresses that answered, each once, in ascending order.
    pub(super) fn others(&self, address: IpAddr) -> Vec<IpAddr> {
        let answered = self.answers.iter().map(|answer| answer.from);
        let mut others: Vec<IpAddr> = answered.filter(|from| *from != address).collect();
        others.sort_unstable();
        others.dedup();
        others
    }
}

impl HopAnswer {
    fn new(attempt: u8, reply: &Reply, rtt: Rtt, late: bool) -> Self {
        Self {
            attempt,
            from: reply.from,
            kind: reply.kind,
            rtt,
            late,
            reply_ttl: reply.reply_ttl,
            quoted_ttl: reply.quoted_ttl,
            mpls: reply.mpls.clone(),
        }
    }
}

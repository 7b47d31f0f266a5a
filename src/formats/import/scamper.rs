//! What scamper's warts and its JSON have in common: how it numbers methods, and what it sent at hops of
//! which a trace tells no answer.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::fields::{MOST_ATTEMPTS, kind_of_tcp};
use super::{Batch, Sent};
use crate::model::{
    FlowId, MatchQuality, Method, MplsLabel, Outcome, Port, Protocol, Reply, ReplyKind, Rtt, Ttl, WallTime,
};
use crate::wire::icmp_says;

/// scamper asks a hop 10 times at most.
const MOST_SILENT: u8 = 10;

/// Few ways are longer, and systems begin at no lower TTL of their own.
const REACHES_THE_END: u8 = 32;

/// What changes from one probe of a ping to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Nothing,
    SourcePort,
    DestinationPort,
}

/// A kind of ping.
#[derive(Clone, Copy, Debug)]
pub(super) struct PingKind {
    /// Its name in JSON.
    name: &'static str,
    pub(super) method: Method,
    pub(super) protocol: Protocol,
    changes: Changes,
}

/// The kinds, in the order in which warts numbers them.
const PINGS: [PingKind; 11] = [
    ping("icmp-echo", Method::Echo, Changes::Nothing),
    ping("tcp-ack", Method::Tcp, Changes::Nothing),
    ping("tcp-ack-sport", Method::Tcp, Changes::SourcePort),
    ping("udp", Method::Udp, Changes::Nothing),
    ping("udp-dport", Method::Udp, Changes::DestinationPort),
    ping("icmp-time", Method::Timestamp, Changes::Nothing),
    ping("tcp-syn", Method::Tcp, Changes::Nothing),
    ping("tcp-synack", Method::Tcp, Changes::Nothing),
    ping("tcp-rst", Method::Tcp, Changes::Nothing),
    ping("tcp-syn-sport", Method::Tcp, Changes::SourcePort),
    ping("udp-sport", Method::Udp, Changes::SourcePort),
];

const fn ping(name: &'static str, method: Method, changes: Changes) -> PingKind {
    let protocol = match method {
        Method::Tcp => Protocol::Tcp,
        Method::Udp => Protocol::Udp,
        _ => Protocol::Icmp,
    };
    PingKind { name, method, protocol, changes }
}

impl PingKind {
    pub(super) fn numbered(number: u8) -> Option<Self> {
        PINGS.get(usize::from(number)).copied()
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        PINGS.into_iter().find(|kind| kind.name == name)
    }

    /// The port of its probes, and the flow of the first: as in load-balancer traceroutes the destination port makes
    /// the flow where it changes.
    pub(super) fn port_and_flow(self, source: u16, destination: u16) -> (Option<Port>, FlowId) {
        match (self.protocol, self.changes) {
            (Protocol::Icmp, _) => (None, FlowId(0)),
            (_, Changes::DestinationPort) => (None, FlowId(destination)),
            (_, Changes::Nothing | Changes::SourcePort) => (Port::new(destination), FlowId(source)),
        }
    }
}

/// What a ping with this TTL asks: with a low one it is about a router on the way, whoever answers, and its silence
/// says nothing of the target. The answers do not decide, or none but answered pings would count.
pub(super) fn method_at(ping: Method, ttl: Ttl, batch: &mut Batch) -> Method {
    if ttl.get() >= REACHES_THE_END {
        return ping;
    }
    batch.count("pings with a TTL below 32, which are traces of one hop");
    Method::Trace
}

/// A trace as it is told: what was answered, and how far it went.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) flow: FlowId,
    /// The first TTL, unless the trace began in the middle.
    pub(super) first: u8,
    /// The last TTL.
    pub(super) last: u16,
    /// How often a hop is asked that does not answer.
    pub(super) attempts: u8,
    /// Whether every hop is asked so often.
    pub(super) all_attempts: bool,
    /// Whether the trace began in the middle: then the hops before the first answer need not have been asked.
    pub(super) from_the_middle: bool,
    pub(super) answers: Vec<HopAnswer>,
}

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct HopAnswer {
    pub(super) ttl: Ttl,
    /// Counted from 0.
    pub(super) attempt: u8,
    pub(super) at: Option<WallTime>,
    pub(super) reply: Reply,
    pub(super) rtt: Rtt,
}

impl Told {
    /// All that was sent, by TTL and attempt, and how many answers were duplicates.
    pub(super) fn sent(self, batch: &mut Batch) -> (Vec<Sent>, u64) {
        let flow = self.flow;
        let attempts = self.attempts.clamp(1, MOST_SILENT);
        let (mut sent, mut duplicates) = (BTreeMap::new(), 0_u64);
        let answered_first = self.answers.iter().map(|answer| answer.ttl.get()).min();
        for answer in self.answers {
            let HopAnswer { ttl, attempt, at, reply, rtt } = answer;
            if attempt >= MOST_ATTEMPTS {
                batch.count("packets after the 128th of a hop");
                continue;
            }
            let outcome = Outcome::Answered { reply, rtt };
            if let Entry::Vacant(place) = sent.entry((ttl, attempt)) {
                place.insert(Sent { flow, ttl, attempt, at, outcome });
            } else {
                batch.count("duplicate answers");
                duplicates = duplicates.saturating_add(1);
            }
        }
        let first = if self.from_the_middle { answered_first.unwrap_or(self.first) } else { self.first };
        let last = u8::try_from(self.last).unwrap_or(u8::MAX);
        for ttl in (first.max(1)..=last).filter_map(Ttl::new) {
            let highest =
                sent.range((ttl, 0)..=(ttl, u8::MAX)).next_back().map(|((_, attempt), _)| *attempt);
            let asked = match highest {
                Some(highest) if !self.all_attempts => highest,
                Some(highest) => attempts.max(highest),
                None => attempts,
            };
            for attempt in 0..asked {
                sent.entry((ttl, attempt)).or_insert_with(|| {
                    batch.count("packets without an answer");
                    Sent { flow, ttl, attempt, at: None, outcome: Outcome::Silent }
                });
            }
        }
        (sent.into_values().collect(), duplicates)
    }
}

/// The probes of a ping.
#[derive(Debug)]
pub(super) struct Pings {
    kind: PingKind,
    /// The flow of the first probe.
    flow: FlowId,
    ttl: Ttl,
    /// How many were sent.
    number: u16,
    sent: BTreeMap<u8, Sent>,
    duplicates: u64,
}

impl Pings {
    pub(super) fn new(kind: PingKind, flow: FlowId, ttl: Ttl, number: u16) -> Self {
        Self { kind, flow, ttl, number, sent: BTreeMap::new(), duplicates: 0 }
    }

    fn flow(&self, attempt: u8) -> FlowId {
        if self.kind.changes == Changes::Nothing {
            return self.flow;
        }
        FlowId(self.flow.0.wrapping_add(attempt.into()))
    }

    /// Adds an answer to the probe of this number, counted from 0.
    pub(super) fn add(&mut self, number: u16, at: Option<WallTime>, outcome: Outcome, batch: &mut Batch) {
        // Those behind the 128th are counted with all that were sent.
        let Some(attempt) = attempt(number) else { return };
        let (flow, ttl) = (self.flow(attempt), self.ttl);
        if let Entry::Vacant(place) = self.sent.entry(attempt) {
            place.insert(Sent { flow, ttl, attempt, at, outcome });
        } else {
            batch.count("duplicate answers");
            self.duplicates = self.duplicates.saturating_add(1);
        }
    }

    /// All that was sent, and how many answers were duplicates.
    pub(super) fn sent(mut self, batch: &mut Batch) -> (Vec<Sent>, u64) {
        batch.count_many(
            "packets after the 128th of a ping",
            self.number.saturating_sub(MOST_ATTEMPTS.into()).into(),
        );
        for attempt in (0..self.number).map_while(attempt) {
            let (flow, ttl) = (self.flow(attempt), self.ttl);
            self.sent.entry(attempt).or_insert_with(|| {
                batch.count("packets without an answer");
                Sent { flow, ttl, attempt, at: None, outcome: Outcome::Silent }
            });
        }
        (self.sent.into_values().collect(), self.duplicates)
    }
}

/// The number of an attempt, if so many are recorded.
fn attempt(number: u16) -> Option<u8> {
    u8::try_from(number).ok().filter(|attempt| *attempt < MOST_ATTEMPTS)
}

/// The probes of a load-balancer traceroute. scamper asks the same flow again to see whether packets are balanced
/// one by one, and calls that a first attempt too; and some probes it tells of several times.
#[derive(Debug, Default)]
pub(super) struct Probes(BTreeMap<(Ttl, FlowId), Vec<Sent>>);

impl Probes {
    pub(super) fn add(&mut self, sent: Sent) {
        self.0.entry((sent.ttl, sent.flow)).or_default().push(sent);
    }

    /// Each once, with the attempts at a hop along a flow numbered in the order of time.
    pub(super) fn numbered(self, batch: &mut Batch) -> Vec<Sent> {
        let mut all = Vec::new();
        for (_, mut probes) in self.0 {
            probes.sort_by_key(|sent| (sent.at, sent.attempt));
            let before = probes.len();
            probes.dedup_by(|one, other| (one.at, one.attempt) == (other.at, other.attempt));
            batch.count_many("probes told of again", before.saturating_sub(probes.len()) as u64);
            let too_many = probes.len().saturating_sub(MOST_ATTEMPTS.into());
            batch.count_many("packets after the 128th of a hop", too_many as u64);
            all.extend(
                probes.into_iter().zip(0..MOST_ATTEMPTS).map(|(sent, attempt)| Sent { attempt, ..sent }),
            );
        }
        let silent = all.iter().filter(|sent| sent.outcome == Outcome::Silent).count();
        batch.count_many("packets without an answer", silent as u64);
        all
    }
}

/// Who stands before the links of a load-balancer traceroute. Of a node to which no link leads no probe is told; but
/// those of its links went through it.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    led_to: BTreeSet<IpAddr>,
    /// The first probe of the links of each, and the TTL that its router quoted.
    first: BTreeMap<IpAddr, (FlowId, Ttl, Option<u8>)>,
}

impl Nodes {
    /// Notes a link.
    pub(super) fn lead_to(&mut self, node: IpAddr) {
        self.led_to.insert(node);
    }

    /// Notes a probe that went from this node to the next hop of a link.
    pub(super) fn went_through(&mut self, node: IpAddr, quoted_ttl: Option<u8>, probe: (FlowId, Ttl)) {
        self.first.entry(node).or_insert((probe.0, probe.1, quoted_ttl));
    }

    /// That the nodes to which no link leads were answers.
    pub(super) fn answers(self) -> impl Iterator<Item = Sent> {
        let Self { led_to, first } = self;
        let firsts = first.into_iter().filter(move |(node, _)| !led_to.contains(node));
        firsts.filter_map(|(from, (flow, behind, quoted_ttl))| {
            let ttl = Ttl::new(behind.get().saturating_sub(1))?;
            let kind = ReplyKind::TimeExceeded;
            // Time exceeded in transit: RFC 792, RFC 4443 §3.3.
            let icmp = Some(if from.is_ipv4() { (11, 0) } else { (3, 0) });
            let (reply_ttl, mpls, size, ip_id) = (None, Vec::new(), None, None);
            let reply = Heard { from, kind, icmp, reply_ttl, quoted_ttl, mpls, size, ip_id }.reply();
            let outcome = Outcome::Answered { reply, rtt: Rtt::NOT_TOLD };
            Some(Sent { flow, ttl, attempt: 0, at: None, outcome })
        })
    }
}

/// What an answer says to a probe of this protocol and family: by its ICMP type and code, by its TCP flags, or by
/// neither, if it came in UDP. `None`, and counted, if it is not told.
pub(super) fn says(
    protocol: Protocol,
    is_ipv4: bool,
    icmp: Option<(u8, u8)>,
    tcp: Option<u8>,
    batch: &mut Batch,
) -> Option<ReplyKind> {
    let in_udp = (protocol == Protocol::Udp).then_some(ReplyKind::UdpReply);
    let kind = icmp.map(|icmp| icmp_says(is_ipv4, icmp)).or(tcp.map(kind_of_tcp)).or(in_udp);
    if kind.is_none() {
        batch.count("answers of which it is not told what they say");
    }
    kind
}

/// A reply of which scamper tells these.
pub(super) struct Heard {
    pub(super) from: IpAddr,
    pub(super) kind: ReplyKind,
    pub(super) icmp: Option<(u8, u8)>,
    pub(super) reply_ttl: Option<u8>,
    pub(super) quoted_ttl: Option<u8>,
    pub(super) mpls: Vec<MplsLabel>,
    pub(super) size: Option<u16>,
    pub(super) ip_id: Option<u16>,
}

impl Heard {
    /// scamper tells only answers that it matched.
    pub(super) fn reply(self) -> Reply {
        let quotes =
            matches!(self.kind, ReplyKind::TimeExceeded | ReplyKind::Unreachable(_) | ReplyKind::OtherIcmp);
        Reply {
            from: self.from,
            kind: self.kind,
            icmp: self.icmp,
            reply_ttl: self.reply_ttl,
            quoted_ttl: if quotes { self.quoted_ttl } else { None },
            mpls: self.mpls,
            size: self.size.unwrap_or(0),
            // Of IPv6, which has none, scamper tells 0.
            ip_id: self.ip_id.filter(|_| self.from.is_ipv4()),
            matched: MatchQuality::Exact,
        }
    }
}

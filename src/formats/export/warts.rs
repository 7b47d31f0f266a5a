//! warts, as scamper's tools read it: for every series a list, for every round of a vantage a cycle, and in it
//! traces, pings and searches. Record types 1, 2, 4, 6, 7 and 8.

mod tracelb;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::group::{Group, Probe, Stop, micros, seconds};
use super::{Vantages, Write, icmp_of, source};
use crate::model::{
    Method, MplsLabel, Name, Protocol, Reply, ReplyKind, RoundId, Rtt, RttSource, Ttl, WallTime,
};

const LIST: u16 = 1;
const CYCLE_START: u16 = 2;
const CYCLE_STOP: u16 = 4;
const TRACE: u16 = 6;
const PING: u16 = 7;

/// Every hop is asked as often as a silent one.
const ALL_ATTEMPTS: u8 = 0x01;
/// The destination port stands for the ICMP checksum.
const CHECKSUM_IN_PORT: u8 = 0x20;

/// Flags of a hop: which clock, and what is told.
const SOCKET_RX: u8 = 0x01;
const LINK_TX_RX: u8 = 0x02 | 0x04;
const HAS_TTL: u8 = 0x10;
const IS_TCP: u8 = 0x20;
const IS_UDP: u8 = 0x40;

/// Flags of an answer to a ping.
const PING_HAS_TTL: u8 = 0x01;
const PING_HAS_ID: u8 = 0x02;
const PING_LINK_TX_RX: u8 = 0x08 | 0x10;

/// Writes a file.
pub(super) struct Writer<'o> {
    out: &'o mut dyn io::Write,
    vantages: Vantages,
    lists: BTreeMap<Name, u32>,
    cycles: BTreeMap<(Name, Name, RoundId), Cycle>,
    /// The flows of the search that is at hand.
    search: Vec<Group>,
}

#[derive(Clone, Copy)]
struct Cycle {
    number: u32,
    last: WallTime,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut dyn io::Write, vantages: Vantages) -> Self {
        Self { out, vantages, lists: BTreeMap::new(), cycles: BTreeMap::new(), search: Vec::new() }
    }

    fn record(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(io::Error::other)?;
        self.out.write_all(&[0x12, 0x05])?;
        self.out.write_all(&kind.to_be_bytes())?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(body)
    }

    /// The list of a series; written when it is first asked for.
    fn list(&mut self, series: &Name) -> io::Result<u32> {
        if let Some(number) = self.lists.get(series) {
            return Ok(*number);
        }
        let number = next(self.lists.len());
        self.lists.insert(series.clone(), number);
        let mut body = [number.to_be_bytes(), number.to_be_bytes()].concat();
        body.extend(text(series.as_str()));
        let mut params = Params::default();
        params.put(1, &text(series.as_str()));
        params.append_to(&mut body);
        self.record(LIST, &body)?;
        Ok(number)
    }

    /// The cycle of a round of a vantage; begun when it is first asked for.
    fn cycle(&mut self, group: &Group) -> io::Result<(u32, u32)> {
        let list = self.list(&group.key.prober)?;
        let key = (group.key.vantage.clone(), group.key.prober.clone(), group.key.round);
        if let Some(cycle) = self.cycles.get_mut(&key) {
            cycle.last = cycle.last.max(group.last());
            return Ok((list, cycle.number));
        }
        let number = next(self.cycles.len());
        self.cycles.insert(key, Cycle { number, last: group.last() });
        // The number that users see is that of the round.
        let round = u32::try_from(group.key.round.0).unwrap_or(u32::MAX);
        let start = whole_seconds(group.start());
        let mut body = [number, list, round, start].map(u32::to_be_bytes).concat();
        let mut params = Params::default();
        params.put(2, &text(group.key.vantage.as_str()));
        params.append_to(&mut body);
        self.record(CYCLE_START, &body)?;
        Ok((list, number))
    }

    /// Who sent it; the unspecified address where that is not known, since scamper's tools want one.
    fn source(&self, group: &Group) -> IpAddr {
        let target = group.key.target;
        source(&self.vantages, &group.key.vantage, target).unwrap_or(match target {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        })
    }

    fn trace(&mut self, group: &Group) -> io::Result<()> {
        let (list, cycle) = self.cycle(group)?;
        let (key, mut addresses) = (&group.key, Addresses::default());
        let (kind, source_port, port) = method(group);
        let (reason, data) = match group.stop() {
            Stop::Completed => (1, 0),
            Stop::Unreachable(code) => (2, code),
            Stop::Gap => (5, 0),
            Stop::HopLimit => (7, 0),
        };
        let asks_on = if group.asks_on() { ALL_ATTEMPTS } else { 0 };
        let checksum = if key.protocol == Protocol::Icmp { CHECKSUM_IN_PORT } else { 0 };
        let (nearest, furthest) = group.span();
        let mut params = Params::default();
        params.put(1, &list.to_be_bytes());
        params.put(2, &cycle.to_be_bytes());
        params.put(5, &time(group.start()));
        params.put(6, &[reason]);
        params.put(7, &[data]);
        params.put(8, &[asks_on | checksum]);
        params.put(9, &[group.attempts()]);
        params.put(11, &[kind]);
        params.put(13, &source_port.to_be_bytes());
        params.put(14, &port.to_be_bytes());
        params.put(15, &[nearest]);
        params.put(19, &u16::from(furthest).to_be_bytes());
        params.put(23, &u16::try_from(group.probes.len()).unwrap_or(u16::MAX).to_be_bytes());
        params.put(26, &addresses.put(self.source(group)));
        params.put(27, &addresses.put(key.target));
        let mut body = Vec::new();
        params.append_to(&mut body);
        let hops: Vec<_> = group.answers().take(usize::from(u16::MAX)).collect();
        body.extend(u16::try_from(hops.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (ttl, attempt, probe, reply, rtt) in hops {
            hop(ttl, attempt, probe, (reply, rtt), &mut addresses).append_to(&mut body);
        }
        // No further sections.
        body.extend([0, 0]);
        self.record(TRACE, &body)
    }

    fn ping(&mut self, group: &Group) -> io::Result<()> {
        let (list, cycle) = self.cycle(group)?;
        let (key, mut addresses) = (&group.key, Addresses::default());
        let asked = group.ping_method();
        let answers: Vec<_> = group.answers().collect();
        let highest = group.probes.keys().map(|(_, attempt)| u16::from(*attempt).saturating_add(1)).max();
        let sent = highest.unwrap_or(0);
        let mut params = Params::default();
        params.put(1, &list.to_be_bytes());
        params.put(2, &cycle.to_be_bytes());
        params.put(5, &time(group.start()));
        params.put(6, &[1]);
        params.put(7, &[0]);
        params.put(10, &sent.to_be_bytes());
        params.put(13, &[group.span().1]);
        params.put(14, &u16::try_from(answers.len()).unwrap_or(u16::MAX).to_be_bytes());
        params.put(15, &sent.to_be_bytes());
        params.put(16, &[asked.number]);
        params.put(17, &asked.source_port.to_be_bytes());
        params.put(18, &asked.port.to_be_bytes());
        params.put(20, &addresses.put(self.source(group)));
        params.put(21, &addresses.put(key.target));
        let mut body = Vec::new();
        params.append_to(&mut body);
        body.extend(u16::try_from(answers.len()).unwrap_or(u16::MAX).to_be_bytes());
        for (_, attempt, probe, reply, rtt) in answers {
            pong(attempt, probe, (reply, rtt), &mut addresses).append_to(&mut body);
        }
        self.record(PING, &body)
    }
}

impl Write for Writer<'_> {
    fn group(&mut self, group: &Group) -> io::Result<()> {
        if self.search.last().is_some_and(|last| !last.is_of_one_search_with(group)) {
            self.search()?;
        }
        if group.key.method == Method::Multipath {
            self.search.push(group.clone());
        }
        if group.key.method.is_liveness() {
            return self.ping(group);
        }
        group.without_gaps().iter().try_for_each(|part| self.trace(part))
    }

    fn end(&mut self) -> io::Result<()> {
        self.search()?;
        let cycles: Vec<Cycle> = self.cycles.values().copied().collect();
        for Cycle { number, last } in cycles {
            let mut body = [number, whole_seconds(last)].map(u32::to_be_bytes).concat();
            // No flags.
            body.push(0);
            self.record(CYCLE_STOP, &body)?;
        }
        self.out.flush()
    }
}

fn next(have: usize) -> u32 {
    u32::try_from(have).unwrap_or(u32::MAX).saturating_add(1)
}

/// Paris by ICMP or UDP, or TCP; source and destination port.
fn method(group: &Group) -> (u8, u16, u16) {
    let (flow, port) = (group.key.flow.0, group.key.port.map_or(0, crate::model::Port::get));
    match group.key.protocol {
        Protocol::Icmp => (4, 0, flow),
        Protocol::Udp => (5, flow, port),
        Protocol::Tcp => (3, flow, port),
    }
}

fn hop(ttl: Ttl, attempt: u8, probe: &Probe, answer: (&Reply, &Rtt), addresses: &mut Addresses) -> Params {
    let (reply, rtt) = answer;
    let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
    let clock = if rtt.source == RttSource::Kernel { LINK_TX_RX } else { SOCKET_RX };
    let has_ttl = if reply.reply_ttl.is_some() { HAS_TTL } else { 0 };
    let mut params = Params::default();
    params.put(2, &[ttl.get()]);
    params.put_if(3, reply.reply_ttl.map(|ttl| [ttl]));
    let carried_in = match reply.kind {
        ReplyKind::UdpReply => IS_UDP,
        _ if is_tcp => IS_TCP,
        _ => 0,
    };
    params.put(4, &[clock | has_ttl | carried_in]);
    params.put(5, &[attempt]);
    params.put_if(6, round_trip(rtt));
    let icmp = reply.icmp.or(icmp_of(reply.kind, reply.from.is_ipv4())).filter(|_| !is_tcp);
    params.put_if(7, icmp.map(|(kind, code)| [kind, code]));
    params.put_if(9, (reply.size > 0).then(|| reply.size.to_be_bytes()));
    params.put_if(10, reply.ip_id.map(u16::to_be_bytes));
    params.put_if(14, reply.quoted_ttl.filter(|ttl| *ttl != 1).map(|ttl| [ttl]));
    params.put_if(15, is_tcp.then(|| [tcp_flags(reply.kind)]));
    if !reply.mpls.is_empty() {
        params.put(17, &extensions(&reply.mpls));
    }
    params.put(18, &addresses.put(reply.from));
    params.put_if(19, probe.at.map(time));
    params
}

fn pong(attempt: u8, probe: &Probe, answer: (&Reply, &Rtt), addresses: &mut Addresses) -> Params {
    let (reply, rtt) = answer;
    let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
    let clock = if rtt.source == RttSource::Kernel { PING_LINK_TX_RX } else { 0 };
    let has_ttl = if reply.reply_ttl.is_some() { PING_HAS_TTL } else { 0 };
    let icmp = reply.icmp.or(icmp_of(reply.kind, reply.from.is_ipv4())).filter(|_| !is_tcp);
    // TCP, UDP, or ICMP of the family.
    let protocol = match reply.from {
        _ if is_tcp => 6,
        _ if reply.kind == ReplyKind::UdpReply => 17,
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 58,
    };
    let mut params = Params::default();
    let has_id = if reply.ip_id.is_some() { PING_HAS_ID } else { 0 };
    params.put(2, &[clock | has_ttl | has_id]);
    params.put_if(3, reply.reply_ttl.map(|ttl| [ttl]));
    params.put_if(4, (reply.size > 0).then(|| reply.size.to_be_bytes()));
    params.put_if(5, icmp.map(|(kind, code)| [kind, code]));
    params.put_if(6, round_trip(rtt));
    params.put(7, &u16::from(attempt).to_be_bytes());
    params.put_if(8, reply.ip_id.map(u16::to_be_bytes));
    params.put(10, &[protocol]);
    params.put_if(11, is_tcp.then(|| [tcp_flags(reply.kind)]));
    params.put(12, &addresses.put(reply.from));
    params.put_if(16, probe.at.map(time));
    params
}

/// SYN and ACK, or RST and ACK (RFC 9293 §3.1).
pub(super) const fn tcp_flags(kind: ReplyKind) -> u8 {
    if matches!(kind, ReplyKind::SynAck) { 0x12 } else { 0x14 }
}

/// Microseconds in 32 bits.
fn round_trip(rtt: &Rtt) -> Option<[u8; 4]> {
    let span = rtt.told()?;
    Some(u32::try_from(micros(span)).unwrap_or(u32::MAX).to_be_bytes())
}

/// One object of MPLS labels (RFC 4950) behind its length.
fn extensions(labels: &[MplsLabel]) -> Vec<u8> {
    let data: Vec<u8> = labels.iter().copied().flat_map(label).collect();
    let length = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [&length(data.len().saturating_add(4))[..], &length(data.len()), &[1, 1], &data].concat()
}

/// RFC 3032 §2.1.
fn label(label: MplsLabel) -> [u8; 4] {
    let class = u32::from(label.class & 7) << 9;
    let bottom = u32::from(label.bottom) << 8;
    (((label.label & 0xf_ffff) << 12) | class | bottom | u32::from(label.ttl)).to_be_bytes()
}

fn time(at: WallTime) -> [u8; 8] {
    let (_, micros) = seconds(at);
    let mut bytes = [0; 8];
    let (whole, part) = bytes.split_at_mut(4);
    whole.copy_from_slice(&whole_seconds(at).to_be_bytes());
    part.copy_from_slice(&micros.to_be_bytes());
    bytes
}

/// Seconds in 32 bits without sign, up to the year 2106.
fn whole_seconds(at: WallTime) -> u32 {
    u32::try_from(seconds(at).0).unwrap_or(u32::MAX)
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// Parameters behind their flags.
#[derive(Default)]
struct Params {
    /// In rising order.
    flags: Vec<u32>,
    bytes: Vec<u8>,
}

impl Params {
    /// Adds the parameter of this number, which must be higher than those before.
    fn put(&mut self, number: u32, bytes: &[u8]) {
        self.flags.push(number);
        self.bytes.extend_from_slice(bytes);
    }

    fn put_if<const N: usize>(&mut self, number: u32, bytes: Option<[u8; N]>) {
        if let Some(bytes) = bytes {
            self.put(number, &bytes);
        }
    }

    /// Seven flags a byte, the highest bit where another byte follows; then the length, if there are any.
    fn append_to(&self, body: &mut Vec<u8>) {
        let highest = self.flags.last().copied().unwrap_or(0);
        let number = highest.div_ceil(7).max(1);
        for index in 0..number {
            let has = |bit: u32| {
                self.flags.contains(&index.saturating_mul(7).saturating_add(bit).saturating_add(1))
            };
            let byte = (0..7)
                .filter(|bit| has(*bit))
                .fold(0, |byte, bit| byte | 1_u8.checked_shl(bit).unwrap_or(0));
            let more = if index.saturating_add(1) < number { 0x80 } else { 0 };
            body.push(byte | more);
        }
        if highest > 0 {
            body.extend(u16::try_from(self.bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
            body.extend_from_slice(&self.bytes);
        }
    }
}

/// Addresses of a record: whole where they first occur, and by their number from then on.
#[derive(Default)]
struct Addresses(Vec<IpAddr>);

impl Addresses {
    fn put(&mut self, address: IpAddr) -> Vec<u8> {
        if let Some(index) = self.0.iter().position(|one| *one == address) {
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            return [&[0][..], &number.to_be_bytes()].concat();
        }
        self.0.push(address);
        match address {
            IpAddr::V4(address) => [&[4, 1][..], &address.octets()].concat(),
            IpAddr::V6(address) => [&[16, 2][..], &address.octets()].concat(),
        }
    }
}

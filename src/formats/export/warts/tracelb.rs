//! A search for all ways as scamper's load-balancer traceroute: the links that its flows tell, and with each the
//! probes that went along it. It stands beside the traces of the flows, which tell what has no place here: silence, and
//! answers that are on no link.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::{Addresses, Params, Writer, extensions, tcp_flags, time};
use crate::analyse::ways::Searches;
use crate::dataset::ProbeRecord;
use crate::formats::export::group::{Group, Probe, micros};
use crate::formats::export::icmp_of;
use crate::model::{FlowId, Prefix, Protocol, Reply, ReplyKind, Rtt, Ttl, Unit, WallTime};

const TRACELB: u16 = 8;

/// What a node and an answer tell.
const NODE_HAS_QUOTED_TTL: u8 = 0x01;
const HAS_TTL: u8 = 0x01;
const IS_TCP: u8 = 0x02;

/// One probe that went along a link, and its answer.
struct Sent<'g> {
    flow: FlowId,
    ttl: Ttl,
    attempt: u8,
    at: WallTime,
    reply: &'g Reply,
    rtt: &'g Rtt,
}

/// Nodes in the order in which they were found, and links by the numbers of their ends.
#[derive(Default)]
struct Found<'g> {
    nodes: Vec<(IpAddr, Option<u8>)>,
    links: BTreeMap<(usize, usize), Vec<Sent<'g>>>,
}

impl Writer<'_> {
    /// Writes the search at hand, if its flows tell any link.
    pub(super) fn search(&mut self) -> io::Result<()> {
        let flows = std::mem::take(&mut self.search);
        let found = Found::of(&flows);
        let Some(first) = flows.first().filter(|_| !found.links.is_empty()) else { return Ok(()) };
        let (list, cycle) = self.cycle(first)?;
        let (key, mut addresses) = (&first.key, Addresses::default());
        let kind = match (key.protocol, key.port) {
            (Protocol::Udp, None) => 1,
            (Protocol::Icmp, _) => 2,
            (Protocol::Udp, Some(_)) => 3,
            (Protocol::Tcp, _) => 4,
        };
        let start = flows.iter().map(Group::start).min().unwrap_or(WallTime::from_nanos(0));
        let nearest = found.links.values().flatten().map(|sent| sent.ttl.get().saturating_sub(1)).min();
        let probes: usize = flows.iter().map(|flow| flow.probes.len()).sum();
        let mut params = Params::default();
        params.put(1, &list.to_be_bytes());
        params.put(2, &cycle.to_be_bytes());
        params.put(5, &time(start));
        params.put(7, &key.port.map_or(0, crate::model::Port::get).to_be_bytes());
        params.put(9, &[kind]);
        params.put(10, &[nearest.unwrap_or(1)]);
        params.put(16, &short(found.nodes.len()));
        params.put(17, &short(found.links.len()));
        params.put(18, &u32::try_from(probes).unwrap_or(u32::MAX).to_be_bytes());
        params.put(21, &addresses.put(self.source(first)));
        params.put(22, &addresses.put(key.target));
        let mut body = Vec::new();
        params.append_to(&mut body);
        found.append_to(&mut body, &mut addresses);
        self.record(TRACELB, &body)
    }
}

impl<'g> Found<'g> {
    /// What flows of one search tell. An answer without a time, or in UDP, has no place in the format.
    fn of(flows: &'g [Group]) -> Self {
        let mut found = Self::default();
        for (near, from, to) in links(flows) {
            let behind = near.get().saturating_add(1);
            let alone = alone(flows, near);
            for flow in flows.iter().filter(|flow| passes(flow, near, alone) == Some(from)) {
                let sent = flow.probes.iter().filter(|((ttl, _), _)| ttl.get() == behind);
                let sent = sent.filter_map(|((ttl, attempt), probe)| {
                    let (at, reply, rtt) = told(probe)?;
                    let sent = Sent { flow: flow.key.flow, ttl: *ttl, attempt: *attempt, at, reply, rtt };
                    (reply.from == to).then_some(sent)
                });
                let mut sent = sent.peekable();
                if sent.peek().is_none() {
                    continue;
                }
                let ends = (found.node(from, flows), found.node(to, flows));
                found.links.entry(ends).or_default().extend(sent);
            }
        }
        found
    }

    /// The number of a node.
    fn node(&mut self, address: IpAddr, flows: &[Group]) -> usize {
        if let Some(known) = self.nodes.iter().position(|(node, _)| *node == address) {
            return known;
        }
        let mut answers = flows.iter().flat_map(Group::answers).map(|(.., reply, _)| reply);
        let quoted_ttl = answers.find_map(|reply| reply.quoted_ttl.filter(|_| reply.from == address));
        self.nodes.push((address, quoted_ttl));
        self.nodes.len().saturating_sub(1)
    }

    fn append_to(&self, body: &mut Vec<u8>, addresses: &mut Addresses) {
        for (number, (address, quoted_ttl)) in self.nodes.iter().enumerate() {
            let links = self.links.keys().filter(|(from, _)| *from == number).count();
            let mut params = Params::default();
            params.put(2, &[if quoted_ttl.is_some() { NODE_HAS_QUOTED_TTL } else { 0 }]);
            params.put(3, &short(links));
            params.put_if(4, quoted_ttl.map(|ttl| [ttl]));
            params.put(5, &addresses.put(*address));
            params.append_to(body);
        }
        for ((from, to), sent) in &self.links {
            let (mut link, mut probes) = (Params::default(), Params::default());
            link.put(1, &short(*from));
            link.put(2, &short(*to));
            // Nobody stands between the two.
            link.put(3, &[1]);
            link.append_to(body);
            probes.put(1, &short(sent.len()));
            probes.append_to(body);
            sent.iter().take(usize::from(u16::MAX)).for_each(|sent| sent.append_to(body, addresses));
        }
    }
}

impl Sent<'_> {
    fn append_to(&self, body: &mut Vec<u8>, addresses: &mut Addresses) {
        let mut params = Params::default();
        params.put(1, &time(self.at));
        params.put(2, &self.flow.0.to_be_bytes());
        params.put(3, &[self.ttl.get()]);
        params.put(4, &[self.attempt]);
        params.put(5, &short(1));
        params.append_to(body);
        self.answer(addresses).append_to(body);
    }

    fn answer(&self, addresses: &mut Addresses) -> Params {
        let (reply, rtt) = (self.reply, self.rtt);
        let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
        let icmp = reply.icmp.or(icmp_of(reply.kind, reply.from.is_ipv4())).filter(|_| !is_tcp);
        let has_ttl = if reply.reply_ttl.is_some() { HAS_TTL } else { 0 };
        let came = self.at.after(std::time::Duration::from_micros(micros(rtt.span)));
        let mut params = Params::default();
        params.put(1, &time(came));
        params.put_if(2, reply.ip_id.map(u16::to_be_bytes));
        params.put_if(3, reply.reply_ttl.map(|ttl| [ttl]));
        params.put(4, &[has_ttl | if is_tcp { IS_TCP } else { 0 }]);
        params.put_if(5, icmp.map(|(kind, code)| [kind, code]));
        params.put_if(6, is_tcp.then(|| [tcp_flags(reply.kind)]));
        if !reply.mpls.is_empty() {
            params.put(7, &extensions(&reply.mpls));
        }
        params.put_if(8, reply.quoted_ttl.map(|ttl| [ttl]));
        params.put(11, &addresses.put(reply.from));
        params
    }
}

/// The links that these flows tell, by the TTL of the nearer end.
fn links(flows: &[Group]) -> Vec<(Ttl, IpAddr, IpAddr)> {
    let mut searches = Searches::default();
    for flow in flows {
        let key = &flow.key;
        let Some(unit) = Prefix::covering(key.target, 0).map(Unit) else { continue };
        for ((ttl, attempt), probe) in &flow.probes {
            searches.add(&ProbeRecord {
                vantage: key.vantage.clone(),
                prober: key.prober.clone(),
                method: key.method,
                probe: key.probe(*ttl, *attempt),
                unit,
                control: false,
                sent_at: probe.at,
                outcome: probe.outcome.clone(),
            });
        }
    }
    let links = searches.finish().into_iter().flat_map(|ways| ways.links);
    links.map(|link| (link.ttl, link.from, link.to)).collect()
}

/// Whom a flow passes at this TTL: who answered it there first, or, if it was not asked there, who is alone.
fn passes(flow: &Group, at: Ttl, alone: Option<IpAddr>) -> Option<IpAddr> {
    let asked = flow.probes.keys().any(|(ttl, _)| *ttl == at);
    if asked { answerers(flow, at).next() } else { alone }
}

/// The only one who answered any flow at this TTL.
fn alone(flows: &[Group], at: Ttl) -> Option<IpAddr> {
    let mut all = flows.iter().flat_map(|flow| answerers(flow, at));
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

fn answerers(flow: &Group, at: Ttl) -> impl Iterator<Item = IpAddr> {
    flow.answers().filter(move |(ttl, ..)| *ttl == at).map(|(.., reply, _)| reply.from)
}

/// When a probe was sent, and its answer, as far as the format can tell it.
fn told(probe: &Probe) -> Option<(WallTime, &Reply, &Rtt)> {
    let (reply, rtt) = probe.answer()?;
    rtt.told()?;
    (reply.kind != ReplyKind::UdpReply).then_some((probe.at?, reply, rtt))
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes()
}

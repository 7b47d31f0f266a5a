//! Results as RIPE Atlas writes them (version 5000), one a line. What Atlas has no key for stands under
//! `tetherline`, which its own readers pass over.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use serde::Serialize;

use super::group::{Group, Probe, seconds};
use super::scamper_json::milliseconds;
use super::{Vantages, Write, source};
use crate::model::{Name, Outcome, Protocol, Reply, ReplyKind, Rtt, Unreachable};

/// The firmware of which these are the keys.
const FIRMWARE: u32 = 5000;

/// IPv4 and ICMP header, which Atlas does not count.
const HEADERS_V4: u16 = 28;

/// Writes a file.
pub(super) struct Writer<'o> {
    out: &'o mut dyn io::Write,
    vantages: Vantages,
    /// Numbers of vantages and series that are none of Atlas's.
    numbers: BTreeMap<Name, u64>,
}

#[derive(Serialize)]
struct Line<'a, R: Serialize> {
    fw: u32,
    af: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_addr: Option<IpAddr>,
    dst_addr: IpAddr,
    dst_name: IpAddr,
    proto: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    paris_id: Option<u16>,
    timestamp: u64,
    endtime: u64,
    msm_id: u64,
    prb_id: u64,
    msm_name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcvd: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u8>,
    result: Vec<R>,
    tetherline: Ours<'a>,
}

#[derive(Serialize)]
struct Ours<'a> {
    vantage: &'a str,
    prober: &'a str,
    round: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

#[derive(Serialize)]
struct Hop {
    hop: u8,
    result: Vec<Answer>,
}

/// What became of a packet; every key is left out where it is not told.
#[derive(Default, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ittl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmpext: Option<Extension>,
}

#[derive(Serialize)]
struct Extension {
    version: u8,
    rfc4884: u8,
    obj: [Object; 1],
}

#[derive(Serialize)]
struct Object {
    class: u8,
    #[serde(rename = "type")]
    kind: u8,
    mpls: Vec<Label>,
}

#[derive(Serialize)]
struct Label {
    #[serde(rename = "label")]
    number: u32,
    exp: u8,
    s: u8,
    ttl: u8,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut dyn io::Write, vantages: Vantages) -> Self {
        Self { out, vantages, numbers: BTreeMap::new() }
    }

    /// The number in a name that an import of Atlas gave, or one counted from 1.
    fn number(&mut self, name: &Name, prefix: &str) -> u64 {
        if let Some(number) = name.as_str().strip_prefix(prefix).and_then(|number| number.parse().ok()) {
            return number;
        }
        let next = (self.numbers.len() as u64).saturating_add(1);
        *self.numbers.entry(name.clone()).or_insert(next)
    }

    fn line<R: Serialize>(&mut self, group: &Group, result: Vec<R>) -> io::Result<()> {
        let key = &group.key;
        let (prb_id, msm_id) = (self.number(&key.vantage, "atlas-"), self.number(&key.prober, "msm-"));
        let from = source(&self.vantages, &key.vantage, key.target);
        let of_ping = |number: usize| key.method.is_liveness().then_some(number);
        let answers = group.answers().count();
        let line = Line {
            fw: FIRMWARE,
            af: if key.target.is_ipv4() { 4 } else { 6 },
            from,
            src_addr: from,
            dst_addr: key.target,
            dst_name: key.target,
            proto: match key.protocol {
                Protocol::Icmp => "ICMP",
                Protocol::Udp => "UDP",
                Protocol::Tcp => "TCP",
            },
            paris_id: (!key.method.is_liveness()).then_some(key.flow.0),
            timestamp: seconds(group.start()).0,
            endtime: seconds(group.last()).0,
            msm_id,
            prb_id,
            msm_name: if key.method.is_liveness() { "Ping" } else { "Traceroute" },
            kind: if key.method.is_liveness() { "ping" } else { "traceroute" },
            sent: of_ping(group.probes.len()),
            rcvd: of_ping(answers),
            ttl: group
                .answers()
                .find_map(|(.., reply, _)| reply.reply_ttl)
                .filter(|_| key.method.is_liveness()),
            result,
            tetherline: Ours {
                vantage: key.vantage.as_str(),
                prober: key.prober.as_str(),
                round: key.round.0,
                port: key.port.map(crate::model::Port::get),
            },
        };
        serde_json::to_writer(&mut *self.out, &line)?;
        self.out.write_all(b"\n")
    }
}

impl Write for Writer<'_> {
    fn group(&mut self, group: &Group) -> io::Result<()> {
        if group.key.method.is_liveness() {
            let pongs = group.probes.values().map(|probe| probe.answer().map_or_else(star, pong));
            return self.line(group, pongs.collect::<Vec<Answer>>());
        }
        let mut hops: BTreeMap<u8, Vec<Answer>> = BTreeMap::new();
        for ((ttl, _), probe) in &group.probes {
            hops.entry(ttl.get()).or_default().extend(answers(group, probe));
        }
        self.line(group, hops.into_iter().map(|(hop, result)| Hop { hop, result }).collect())
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn star() -> Answer {
    Answer { x: Some("*"), ..Answer::default() }
}

fn pong((reply, rtt): (&Reply, &Rtt)) -> Answer {
    Answer { ttl: reply.reply_ttl, rtt: milliseconds(rtt), ..Answer::default() }
}

/// A late answer stands behind the star of its packet, one packet late, and Atlas does not tell how long it took.
fn answers(group: &Group, probe: &Probe) -> Vec<Answer> {
    let Some((reply, rtt)) = probe.answer() else { return vec![star()] };
    let ends_udp = group.key.protocol == Protocol::Udp && reply.from == group.key.target;
    let answer = answered(ends_udp, reply, rtt);
    if matches!(probe.outcome, Outcome::Late { .. }) {
        return vec![star(), Answer { late: Some(1), rtt: None, ..answer }];
    }
    vec![answer]
}

fn answered(ends_udp: bool, reply: &Reply, rtt: &Rtt) -> Answer {
    let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
    let counted = reply.from.is_ipv4() && !is_tcp && reply.size >= HEADERS_V4;
    let labels = reply.mpls.iter().map(|label| Label {
        number: label.label,
        exp: label.class,
        s: label.bottom.into(),
        ttl: label.ttl,
    });
    let labels: Vec<Label> = labels.collect();
    let extension = Extension { version: 2, rfc4884: 0, obj: [Object { class: 1, kind: 1, mpls: labels }] };
    Answer {
        from: Some(reply.from),
        ttl: reply.reply_ttl,
        size: counted.then(|| reply.size.saturating_sub(HEADERS_V4)),
        rtt: milliseconds(rtt),
        err: error(reply.kind, ends_udp),
        ittl: reply.quoted_ttl.filter(|ttl| *ttl != 1),
        flags: match reply.kind {
            ReplyKind::SynAck => Some("SA"),
            ReplyKind::Rst => Some("R"),
            _ => None,
        },
        icmpext: (!reply.mpls.is_empty()).then_some(extension),
        ..Answer::default()
    }
}

/// The target's own word that a port is closed is how a trace by UDP ends, and no error.
const fn error(kind: ReplyKind, ends_udp: bool) -> Option<&'static str> {
    match kind {
        ReplyKind::Unreachable(Unreachable::Port) if ends_udp => None,
        ReplyKind::Unreachable(why) => Some(match why {
            Unreachable::Net => "N",
            Unreachable::Host => "H",
            Unreachable::Prohibited => "A",
            Unreachable::Protocol => "P",
            Unreachable::Port => "p",
            Unreachable::Other => "o",
        }),
        _ => None,
    }
}

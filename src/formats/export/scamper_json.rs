//! scamper's JSON, as `sc_warts2json` writes it: one object a line, traces and pings between the begin and the
//! end of the cycles that they are of.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use serde::Serialize;

use super::group::{Group, Probe, Stop, micros, seconds};
use super::warts::tcp_flags;
use super::{Vantages, Write, icmp_of, source};
use crate::model::{Name, Protocol, Reply, ReplyKind, RoundId, Rtt, Ttl, WallTime};

/// Writes a file.
pub(super) struct Writer<'o> {
    out: &'o mut dyn io::Write,
    vantages: Vantages,
    /// When the last probe of each was sent.
    cycles: BTreeMap<(Name, Name, RoundId), WallTime>,
    current: Option<(Name, Name, RoundId)>,
}

#[derive(Serialize)]
struct Cycle<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    list_name: &'a str,
    id: u64,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_time: Option<u64>,
}

#[derive(Serialize)]
struct Time {
    sec: u64,
    usec: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ftime: Option<String>,
}

#[derive(Serialize)]
struct Trace {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    userid: u32,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<IpAddr>,
    dst: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_sum: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dport: Option<u16>,
    stop_reason: &'static str,
    stop_data: u8,
    start: Time,
    hop_count: u8,
    attempts: u8,
    firsthop: u8,
    probe_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<[&'static str; 1]>,
    hops: Vec<Hop>,
}

#[derive(Serialize)]
struct Hop {
    addr: IpAddr,
    probe_ttl: u8,
    probe_id: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_ttl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_ipid: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_q_ttl: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    icmpext: Vec<Extension>,
}

#[derive(Serialize)]
struct Extension {
    ie_cn: u8,
    ie_ct: u8,
    ie_dl: usize,
    mpls_labels: Vec<Label>,
}

#[derive(Serialize)]
struct Label {
    #[serde(rename = "mpls_ttl")]
    ttl: u8,
    #[serde(rename = "mpls_s")]
    bottom: u8,
    #[serde(rename = "mpls_exp")]
    class: u8,
    #[serde(rename = "mpls_label")]
    number: u32,
}

#[derive(Serialize)]
struct Ping {
    #[serde(rename = "type")]
    kind: &'static str,
    version: &'static str,
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    src: Option<IpAddr>,
    dst: IpAddr,
    start: Time,
    #[serde(rename = "ping_sent")]
    sent: u16,
    userid: u32,
    ttl: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    sport: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dport: Option<u16>,
    responses: Vec<Response>,
    statistics: Statistics,
}

#[derive(Serialize)]
struct Response {
    from: IpAddr,
    seq: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_size: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_ttl: Option<u8>,
    reply_proto: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tx: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_ipid: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_flags: Option<u8>,
}

#[derive(Serialize)]
struct Statistics {
    replies: usize,
    /// The share of probes without an answer.
    loss: f64,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut dyn io::Write, vantages: Vantages) -> Self {
        Self { out, vantages, cycles: BTreeMap::new(), current: None }
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.out, line)?;
        self.out.write_all(b"\n")
    }

    /// Lines do not say which cycle they are of: it is the one that began last.
    fn cycle(&mut self, group: &Group) -> io::Result<()> {
        let key = (group.key.vantage.clone(), group.key.prober.clone(), group.key.round);
        let last = self.cycles.entry(key.clone()).or_insert_with(|| group.last());
        *last = group.last().max(*last);
        if self.current.as_ref() == Some(&key) {
            return Ok(());
        }
        let start = seconds(group.start()).0;
        self.line(&cycle("cycle-start", &key, Some(start), None))?;
        self.current = Some(key);
        Ok(())
    }

    fn trace(&mut self, group: &Group) -> io::Result<()> {
        let key = &group.key;
        let (stop_reason, stop_data) = match group.stop() {
            Stop::Completed => ("COMPLETED", 0),
            Stop::Unreachable(code) => ("UNREACH", code),
            Stop::Gap => ("GAPLIMIT", 0),
            Stop::HopLimit => ("HOPLIMIT", 0),
        };
        let (method, is_icmp) = match key.protocol {
            Protocol::Icmp => ("icmp-echo-paris", true),
            Protocol::Udp => ("udp-paris", false),
            Protocol::Tcp => ("tcp", false),
        };
        let (first, last) = group.span();
        let trace = Trace {
            kind: "trace",
            version: "0.1",
            userid: 0,
            method,
            src: source(&self.vantages, &key.vantage, key.target),
            dst: key.target,
            icmp_sum: is_icmp.then_some(key.flow.0),
            sport: (!is_icmp).then_some(key.flow.0),
            dport: key.port.map(crate::model::Port::get),
            stop_reason,
            stop_data,
            start: time(group.start(), true),
            hop_count: last,
            attempts: group.attempts(),
            firsthop: first,
            probe_count: group.probes.len(),
            flags: group.asks_on().then_some(["allattempts"]),
            hops: group.answers().map(hop).collect(),
        };
        self.line(&trace)
    }

    fn ping(&mut self, group: &Group) -> io::Result<()> {
        let key = &group.key;
        let asked = group.ping_method();
        let has_ports = key.protocol != Protocol::Icmp;
        let highest = group.probes.keys().map(|(_, attempt)| u16::from(*attempt).saturating_add(1)).max();
        let responses: Vec<Response> = group.answers().map(response).collect();
        let (probes, replies) = (group.probes.len(), responses.len());
        let ping = Ping {
            kind: "ping",
            version: "0.4",
            method: asked.name,
            src: source(&self.vantages, &key.vantage, key.target),
            dst: key.target,
            start: time(group.start(), false),
            sent: highest.unwrap_or(0),
            userid: 0,
            ttl: group.span().1,
            sport: has_ports.then_some(asked.source_port),
            dport: has_ports.then_some(asked.port),
            responses,
            statistics: Statistics { replies, loss: share(probes.saturating_sub(replies), probes) },
        };
        self.line(&ping)
    }
}

impl Write for Writer<'_> {
    fn group(&mut self, group: &Group) -> io::Result<()> {
        self.cycle(group)?;
        if group.key.method.is_liveness() {
            return self.ping(group);
        }
        group.without_gaps().iter().try_for_each(|part| self.trace(part))
    }

    fn end(&mut self) -> io::Result<()> {
        for (key, last) in std::mem::take(&mut self.cycles) {
            self.line(&cycle("cycle-stop", &key, None, Some(seconds(last).0)))?;
        }
        self.out.flush()
    }
}

fn cycle<'a>(
    kind: &'static str,
    (host, list, round): &'a (Name, Name, RoundId),
    start_time: Option<u64>,
    stop_time: Option<u64>,
) -> Cycle<'a> {
    Cycle { kind, list_name: list.as_str(), id: round.0, hostname: host.as_str(), start_time, stop_time }
}

/// scamper writes local time here, we write UTC.
fn time(at: WallTime, with_text: bool) -> Time {
    let (sec, usec) = seconds(at);
    let text = || at.to_string().replace('T', " ").chars().take(19).collect();
    Time { sec, usec, ftime: with_text.then(text) }
}

/// Milliseconds, to the microsecond.
pub(super) fn milliseconds(rtt: &Rtt) -> Option<f64> {
    let micros = u32::try_from(micros(rtt.told()?)).unwrap_or(u32::MAX);
    Some(f64::from(micros) / 1e3)
}

fn share(part: usize, whole: usize) -> f64 {
    let real = |number: usize| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

fn hop((ttl, attempt, probe, reply, rtt): (Ttl, u8, &Probe, &Reply, &Rtt)) -> Hop {
    let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
    let icmp = reply.icmp.or(icmp_of(reply.kind, reply.from.is_ipv4())).filter(|_| !is_tcp);
    let labels = reply.mpls.iter().map(|label| Label {
        ttl: label.ttl,
        bottom: label.bottom.into(),
        class: label.class,
        number: label.label,
    });
    let labels: Vec<Label> = labels.collect();
    let extension =
        Extension { ie_cn: 1, ie_ct: 1, ie_dl: labels.len().saturating_mul(4), mpls_labels: labels };
    Hop {
        addr: reply.from,
        probe_ttl: ttl.get(),
        probe_id: u16::from(attempt).saturating_add(1),
        tx: probe.at.map(|at| time(at, false)),
        rtt: milliseconds(rtt),
        reply_ttl: reply.reply_ttl,
        reply_ipid: reply.ip_id,
        reply_size: (reply.size > 0).then_some(reply.size),
        icmp_type: icmp.map(|(kind, _)| kind),
        icmp_code: icmp.map(|(_, code)| code),
        icmp_q_ttl: reply.quoted_ttl,
        tcp_flags: is_tcp.then(|| tcp_flags(reply.kind)),
        icmpext: if extension.ie_dl > 0 { vec![extension] } else { Vec::new() },
    }
}

fn response((_, attempt, probe, reply, rtt): (Ttl, u8, &Probe, &Reply, &Rtt)) -> Response {
    let is_tcp = matches!(reply.kind, ReplyKind::SynAck | ReplyKind::Rst);
    let icmp = reply.icmp.or(icmp_of(reply.kind, reply.from.is_ipv4())).filter(|_| !is_tcp);
    Response {
        from: reply.from,
        seq: attempt,
        reply_size: (reply.size > 0).then_some(reply.size),
        reply_ttl: reply.reply_ttl,
        reply_proto: match reply.kind {
            ReplyKind::UdpReply => "udp",
            _ if is_tcp => "tcp",
            _ => "icmp",
        },
        tx: probe.at.map(|at| time(at, false)),
        rtt: milliseconds(rtt),
        reply_ipid: reply.ip_id,
        icmp_type: icmp.map(|(kind, _)| kind),
        icmp_code: icmp.map(|(_, code)| code),
        tcp_flags: is_tcp.then(|| tcp_flags(reply.kind)),
    }
}

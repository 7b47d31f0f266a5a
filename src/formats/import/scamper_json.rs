//! scamper's JSON, as `sc_warts2json` and scamper itself write it: one object a line.

mod mended;

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

use super::fields::{address, name, name_of_address, rtt_of_ms, seconds};
use super::mended::Unread;
use super::scamper::{Heard, HopAnswer, Nodes, PingKind, Pings, Probes, Told, method_at, says};
use super::{Batch, Measurement, Sent};
use crate::model::{FlowId, Method, MplsLabel, Outcome, Port, Protocol, Rtt, RttSource, Ttl, WallTime};

/// Who measures, as the last begin of a cycle told.
#[derive(Default)]
pub(super) struct Reader {
    list: Option<String>,
    host: Option<String>,
    cycle: Option<u64>,
}

/// One line. All kinds are read as one, since nothing says that the kind stands first.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    list_name: Option<Cow<'a, str>>,
    id: Option<u64>,
    #[serde(borrow)]
    hostname: Option<Cow<'a, str>>,
    #[serde(borrow)]
    monitor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "address")]
    src: Option<IpAddr>,
    #[serde(default, deserialize_with = "address")]
    dst: Option<IpAddr>,
    sport: Option<u16>,
    dport: Option<u16>,
    icmp_sum: Option<u16>,
    start: Option<Time>,
    hop_count: Option<u16>,
    attempts: Option<u8>,
    firsthop: Option<u8>,
    #[serde(borrow, default)]
    flags: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    hops: Vec<Hop<'a>>,
    ping_sent: Option<u16>,
    ttl: Option<u8>,
    #[serde(default)]
    responses: Vec<Response>,
    #[serde(default)]
    nodes: Vec<Node>,
    /// Whether what was lost of it may tell of probes that are not told now.
    #[serde(skip)]
    sent_is_unknown: bool,
}

#[derive(Clone, Copy, Deserialize)]
struct Time {
    sec: i64,
    usec: i64,
}

impl Time {
    fn wall(self) -> Option<WallTime> {
        seconds(self.sec, self.usec)
    }
}

#[derive(Deserialize)]
struct Hop<'a> {
    #[serde(default, deserialize_with = "address")]
    addr: Option<IpAddr>,
    probe_ttl: Option<u8>,
    /// Counted from 1.
    probe_id: Option<u16>,
    tx: Option<Time>,
    rtt: Option<f64>,
    reply_ttl: Option<u8>,
    reply_size: Option<u16>,
    reply_ipid: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    icmp_q_ttl: Option<u8>,
    tcp_flags: Option<u8>,
    #[serde(borrow, default)]
    flags: Vec<Cow<'a, str>>,
    #[serde(default)]
    icmpext: Vec<Extension>,
}

#[derive(Deserialize)]
struct Extension {
    ie_cn: Option<i64>,
    ie_ct: Option<i64>,
    #[serde(default)]
    mpls_labels: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    #[serde(rename = "mpls_ttl")]
    ttl: Option<u8>,
    #[serde(rename = "mpls_s")]
    bottom: Option<u8>,
    #[serde(rename = "mpls_exp")]
    class: Option<u8>,
    #[serde(rename = "mpls_label")]
    number: Option<u32>,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default, deserialize_with = "address")]
    from: Option<IpAddr>,
    /// Counted from 0.
    seq: Option<u16>,
    reply_size: Option<u16>,
    reply_ttl: Option<u8>,
    /// 32 bits for IPv6, where a fragment has one.
    reply_ipid: Option<u32>,
    tx: Option<Time>,
    rtt: Option<f64>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    tcp_flags: Option<u8>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default, deserialize_with = "address")]
    addr: Option<IpAddr>,
    q_ttl: Option<u8>,
    #[serde(default)]
    links: Vec<Vec<Target>>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(default, deserialize_with = "address")]
    addr: Option<IpAddr>,
    #[serde(default)]
    probes: Vec<Probe>,
}

#[derive(Deserialize)]
struct Probe {
    tx: Option<Time>,
    ttl: Option<u8>,
    attempt: Option<u8>,
    flowid: Option<u16>,
    #[serde(default)]
    replies: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    rx: Option<Time>,
    ttl: Option<u8>,
    rtt: Option<f64>,
    ipid: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    icmp_q_ttl: Option<u8>,
    tcp_flags: Option<u8>,
    #[serde(default)]
    icmpext: Vec<Extension>,
}

impl Reader {
    /// Reads one object.
    pub(super) fn read(&mut self, object: &[u8], offset: u64, batch: &mut Batch) {
        let error = match serde_json::from_slice(object) {
            Ok(line) => return self.take(line, batch),
            Err(error) => error,
        };
        Unread { object, offset, what: "line of scamper's", error }.read(
            batch,
            mended::mend,
            |text, left_out, batch| {
                let line: Line<'_> = serde_json::from_str(text)?;
                self.take(Line { sent_is_unknown: left_out.sent_is_unknown, ..line }, batch);
                Ok(())
            },
        );
    }

    fn take(&mut self, line: Line<'_>, batch: &mut Batch) {
        match line.kind.as_deref() {
            Some("cycle-start") => {
                self.list = line.list_name.map(Cow::into_owned);
                self.host = line.hostname.map(Cow::into_owned);
                self.cycle = line.id;
            }
            Some("cycle-stop") => {}
            Some(kind @ ("trace" | "ping" | "tracelb")) => self.read_measurement(kind, &line, batch),
            // M-Lab puts a line of its own in front.
            Some(_) | None => batch.count("records of other types"),
        }
    }

    fn read_measurement(&self, kind: &str, line: &Line<'_>, batch: &mut Batch) {
        let made = match kind {
            "trace" => trace(line, batch),
            "ping" => ping(line, batch),
            _ => tracelb(line, batch),
        };
        let Some(Made { method, protocol, port, probes, duplicates }) = made else { return };
        let vantage = line.monitor.as_deref().or(self.host.as_deref()).and_then(name);
        let vantage = vantage.or_else(|| line.src.and_then(name_of_address)).or_else(|| name("unknown"));
        let series = self.list.as_deref().and_then(name).or_else(|| name("scamper"));
        let at = line.start.and_then(Time::wall);
        let (Some(vantage), Some(series), Some(target), Some(at)) = (vantage, series, line.dst, at) else {
            return batch.count("results without an address, time or protocol");
        };
        let (source, cycle, is_part_of_sweep) = (line.src, self.cycle, false);
        batch.measured(Measurement {
            vantage,
            source,
            series,
            method,
            target,
            protocol,
            port,
            at,
            probes,
            duplicates,
            cycle,
            is_part_of_sweep,
        });
    }
}

/// What a line of measurement tells.
struct Made {
    method: Method,
    protocol: Protocol,
    port: Option<Port>,
    probes: Vec<Sent>,
    duplicates: u64,
}

fn is_ipv4(line: &Line<'_>) -> bool {
    line.dst.is_some_and(|target| target.is_ipv4())
}

fn protocol(method: &str) -> Option<Protocol> {
    [("icmp", Protocol::Icmp), ("udp", Protocol::Udp), ("tcp", Protocol::Tcp)]
        .into_iter()
        .find_map(|(word, protocol)| method.starts_with(word).then_some(protocol))
}

fn labels(extensions: &[Extension], batch: &mut Batch) -> Vec<MplsLabel> {
    let is_mpls = |one: &&Extension| (one.ie_cn, one.ie_ct) == (Some(1), Some(1));
    let others = extensions.iter().filter(|one| !is_mpls(one)).count();
    batch.count_many("ICMP extension objects other than MPLS labels", others as u64);
    let labels = extensions.iter().filter(is_mpls).flat_map(|one| &one.mpls_labels);
    let label = |label: &Label| {
        let number = label.number.filter(|number| *number < 1 << 20)?;
        Some(MplsLabel {
            label: number,
            class: label.class.unwrap_or(0) & 7,
            bottom: label.bottom == Some(1),
            ttl: label.ttl.unwrap_or(0),
        })
    };
    labels.filter_map(label).take(256).collect()
}

fn trace(line: &Line<'_>, batch: &mut Batch) -> Option<Made> {
    batch.count("traceroutes");
    let Some(protocol) = line.method.as_deref().and_then(protocol) else {
        batch.count("traceroutes of an unknown method");
        return None;
    };
    let flow = if protocol == Protocol::Icmp { line.icmp_sum } else { line.sport };
    let answers: Vec<HopAnswer> =
        line.hops.iter().filter_map(|one| hop(line, protocol, one, batch)).collect();
    let has = |flag: &str| line.flags.iter().any(|one| one.eq_ignore_ascii_case(flag));
    let furthest = || answers.iter().map(|one| one.ttl.get().into()).max().unwrap_or(0);
    let told = Told {
        flow: FlowId(flow.unwrap_or(0)),
        first: line.firsthop.unwrap_or(1),
        last: if line.sent_is_unknown { 0 } else { line.hop_count.unwrap_or_else(furthest) },
        attempts: line.attempts.unwrap_or(1),
        all_attempts: has("allattempts") || has("all-attempts"),
        from_the_middle: has("doubletree"),
        answers,
    };
    let (probes, duplicates) = told.sent(batch);
    let port = line.dport.filter(|_| protocol != Protocol::Icmp).and_then(Port::new);
    Some(Made { method: Method::Trace, protocol, port, probes, duplicates })
}

fn hop(line: &Line<'_>, protocol: Protocol, hop: &Hop<'_>, batch: &mut Batch) -> Option<HopAnswer> {
    let icmp = hop.icmp_type.zip(hop.icmp_code);
    let kind = says(protocol, is_ipv4(line), icmp, hop.tcp_flags, batch)?;
    let (Some(from), Some(ttl)) = (hop.addr, hop.probe_ttl.and_then(Ttl::new)) else {
        batch.count("answers without an address or TTL");
        return None;
    };
    let has = |word: &str| hop.flags.iter().any(|flag| flag.eq_ignore_ascii_case(word));
    let of_kernel = has("dltxts") && has("dlrxts");
    let source = if of_kernel { RttSource::Kernel } else { RttSource::UserSpace };
    let heard = Heard {
        from,
        kind,
        icmp,
        reply_ttl: hop.reply_ttl,
        quoted_ttl: hop.icmp_q_ttl,
        mpls: labels(&hop.icmpext, batch),
        size: hop.reply_size,
        ip_id: hop.reply_ipid,
    };
    Some(HopAnswer {
        ttl,
        attempt: u8::try_from(hop.probe_id.unwrap_or(1).saturating_sub(1)).unwrap_or(u8::MAX),
        at: hop.tx.and_then(Time::wall),
        reply: heard.reply(),
        rtt: hop.rtt.map_or(Rtt::NOT_TOLD, |ms| rtt_of_ms(ms, source)),
    })
}

fn ping(line: &Line<'_>, batch: &mut Batch) -> Option<Made> {
    batch.count("pings");
    let Some(kind) = line.method.as_deref().and_then(PingKind::named) else {
        batch.count("pings of an unknown method");
        return None;
    };
    let (port, flow) = kind.port_and_flow(line.sport.unwrap_or(0), line.dport.unwrap_or(0));
    let ttl = line.ttl.and_then(Ttl::new).unwrap_or(Ttl::TO_THE_END);
    let method = method_at(kind.method, ttl, batch);
    let number = line.ping_sent.filter(|_| !line.sent_is_unknown);
    let mut pings = Pings::new(kind, flow, ttl, number.unwrap_or(0));
    for response in &line.responses {
        let icmp = response.icmp_type.zip(response.icmp_code);
        let Some(kind) = says(kind.protocol, is_ipv4(line), icmp, response.tcp_flags, batch) else {
            continue;
        };
        let Some(from) = response.from else {
            batch.count("answers without an address or TTL");
            continue;
        };
        let heard = Heard {
            from,
            kind,
            icmp,
            reply_ttl: response.reply_ttl,
            quoted_ttl: None,
            mpls: Vec::new(),
            size: response.reply_size,
            ip_id: response.reply_ipid.and_then(|id| u16::try_from(id).ok()),
        };
        let rtt = response.rtt.map_or(Rtt::NOT_TOLD, |ms| rtt_of_ms(ms, RttSource::UserSpace));
        let at = response.tx.and_then(Time::wall);
        pings.add(response.seq.unwrap_or(0), at, Outcome::Answered { reply: heard.reply(), rtt }, batch);
    }
    let (probes, duplicates) = pings.sent(batch);
    Some(Made { method, protocol: kind.protocol, port, probes, duplicates })
}

fn tracelb(line: &Line<'_>, batch: &mut Batch) -> Option<Made> {
    batch.count("load-balancer traceroutes");
    let method = line.method.as_deref().unwrap_or_default();
    let Some(protocol) = protocol(method) else {
        batch.count("traceroutes of an unknown method");
        return None;
    };
    let has_port = protocol != Protocol::Icmp && method != "udp-dport";
    let port = line.dport.filter(|_| has_port).and_then(Port::new);
    let (mut probes, mut duplicates) = (Probes::default(), 0_u64);
    stand(line).answers().for_each(|sent| probes.add(sent));
    let targets = line.nodes.iter().flat_map(|node| &node.links).flatten();
    for (from, probe) in targets.flat_map(|target| target.probes.iter().map(|probe| (target.addr, probe))) {
        let Some(ttl) = probe.ttl.and_then(Ttl::new) else {
            batch.count("probes without a TTL");
            continue;
        };
        let answers =
            probe.replies.iter().filter_map(|one| answered((line, protocol), (from, probe), one, batch));
        let mut answers: Vec<Outcome> = answers.collect();
        if answers.is_empty() && !probe.replies.is_empty() {
            continue;
        }
        let further = answers.len().saturating_sub(1) as u64;
        duplicates = duplicates.saturating_add(further);
        let outcome = if answers.is_empty() { Outcome::Silent } else { answers.swap_remove(0) };
        let (flow, attempt) = (FlowId(probe.flowid.unwrap_or(0)), probe.attempt.unwrap_or(0));
        probes.add(Sent { flow, ttl, attempt, at: probe.tx.and_then(Time::wall), outcome });
    }
    let probes = probes.numbered(batch);
    Some(Made { method: Method::Multipath, protocol, port, probes, duplicates })
}

/// Of the links of a node all are told together whom they lead to, and the hops between.
fn stand(line: &Line<'_>) -> Nodes {
    let mut nodes = Nodes::default();
    for node in &line.nodes {
        let targets = || node.links.iter().flatten();
        targets().filter_map(|target| target.addr).for_each(|to| nodes.lead_to(to));
        let probes = targets().flat_map(|target| &target.probes);
        let probes = probes.filter_map(|probe| Some((probe.ttl.and_then(Ttl::new)?, probe)));
        let nearest = probes.min_by_key(|(ttl, _)| *ttl);
        if let Some(((ttl, probe), from)) = nearest.zip(node.addr) {
            nodes.went_through(from, node.q_ttl, (FlowId(probe.flowid.unwrap_or(0)), ttl));
        }
    }
    nodes
}

/// Answers name nobody: it is whom the link leads to who answered.
fn answered(
    (line, protocol): (&Line<'_>, Protocol),
    (from, probe): (Option<IpAddr>, &Probe),
    answer: &Answer,
    batch: &mut Batch,
) -> Option<Outcome> {
    let icmp = answer.icmp_type.zip(answer.icmp_code);
    let kind = says(protocol, is_ipv4(line), icmp, answer.tcp_flags, batch)?;
    let Some(from) = from else {
        batch.count("answers without an address or TTL");
        return None;
    };
    let heard = Heard {
        from,
        kind,
        icmp,
        reply_ttl: answer.ttl,
        quoted_ttl: answer.icmp_q_ttl,
        mpls: labels(&answer.icmpext, batch),
        size: None,
        ip_id: answer.ipid,
    };
    // The two times are whole microseconds, the difference is rounded.
    let times = probe.tx.and_then(Time::wall).zip(answer.rx.and_then(Time::wall));
    let rtt = times.filter(|(sent, came)| came >= sent).map(|(sent, came)| came.since(sent));
    let of_ms = || answer.rtt.map_or(Rtt::NOT_TOLD, |ms| rtt_of_ms(ms, RttSource::UserSpace));
    let rtt = rtt.map_or_else(of_ms, |span: Duration| Rtt { span, source: RttSource::UserSpace });
    Some(Outcome::Answered { reply: heard.reply(), rtt })
}

//! Results of RIPE Atlas: traceroutes and pings of all firmwares, one object each.
//!
//! The probe is the vantage, the measurement the series, `paris_id` the flow. A trace sends its packets one
//! after the other, so that `late`, which counts packets, tells which of them a late answer is for. Answers
//! that quote another destination (`edst`) are taken at Atlas's word where it matched them in time; late
//! ones are answers to another measurement of the same probe. Behind its gap limit a trace sends one last packet
//! with TTL 255, which tells nothing of the way: it is kept only where it ended the way.

mod mended;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::Deserialize;

use super::fields::{MOST_ATTEMPTS, address, name, rtt_of_ms, seconds};
use super::mended::Unread;
use super::{Batch, Measurement, Sent};
use crate::model::{
    FlowId, MatchQuality, Method, MplsLabel, Name, Outcome, Protocol, Reply, ReplyKind, Rtt, RttSource,
    SendFault, Ttl, Unreachable, WallTime,
};
use crate::wire::icmp_says;

/// The TTL of the last packet behind the gap limit.
const LAST_DITCH: u8 = 255;

/// IPv4 and ICMP header, which Atlas does not count.
const HEADERS_V4: u16 = 28;

/// One result. The type stands last in it, so that all types are read as one.
#[derive(Deserialize)]
struct Measured<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    msm_id: Option<i64>,
    prb_id: Option<i64>,
    timestamp: Option<i64>,
    #[serde(default, deserialize_with = "address")]
    from: Option<IpAddr>,
    #[serde(default, deserialize_with = "address")]
    dst_addr: Option<IpAddr>,
    /// The destination, in old firmware.
    #[serde(default, deserialize_with = "address")]
    addr: Option<IpAddr>,
    #[serde(borrow)]
    proto: Option<Cow<'a, str>>,
    /// The protocol, in old firmware: `ICMP4`, `UDP6`, …
    #[serde(borrow)]
    mode: Option<Cow<'a, str>>,
    paris_id: Option<i64>,
    size: Option<i64>,
    ttl: Option<i64>,
    #[serde(borrow, default)]
    result: Vec<Entry<'a>>,
}

/// One hop of a trace, or one packet of a ping.
#[derive(Deserialize)]
struct Entry<'a> {
    hop: Option<i64>,
    #[serde(borrow)]
    result: Option<Vec<Answer<'a>>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    rtt: Option<f64>,
    x: Option<serde::de::IgnoredAny>,
    ttl: Option<i64>,
    #[serde(default, deserialize_with = "address")]
    srcaddr: Option<IpAddr>,
    #[serde(default, deserialize_with = "address")]
    src_addr: Option<IpAddr>,
    dup: Option<serde::de::IgnoredAny>,
}

/// What became of one packet of a trace, or an answer besides.
#[derive(Deserialize)]
struct Answer<'a> {
    x: Option<serde::de::IgnoredAny>,
    #[serde(default, deserialize_with = "address")]
    from: Option<IpAddr>,
    rtt: Option<f64>,
    ttl: Option<i64>,
    size: Option<i64>,
    late: Option<i64>,
    dup: Option<serde::de::IgnoredAny>,
    err: Option<ErrCode<'a>>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    ittl: Option<i64>,
    #[serde(borrow)]
    flags: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "address")]
    edst: Option<IpAddr>,
    icmpext: Option<Extension>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ErrCode<'a> {
    Code(i64),
    #[serde(borrow)]
    Letter(Cow<'a, str>),
}

#[derive(Deserialize)]
struct Extension {
    #[serde(default)]
    obj: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    class: Option<i64>,
    #[serde(default)]
    mpls: Vec<Label>,
}

#[derive(Deserialize)]
struct Label {
    #[serde(rename = "label")]
    number: u32,
    exp: Option<u8>,
    s: Option<u8>,
    ttl: Option<u8>,
}

/// Only the type of a result: those of other types are made otherwise.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
}

fn is_of_other_type(object: &[u8]) -> bool {
    let typed = serde_json::from_slice::<Typed<'_>>(object);
    typed.is_ok_and(|typed| !matches!(&*typed.kind, "traceroute" | "ping"))
}

/// Reads one object.
pub(super) fn read(object: &[u8], offset: u64, batch: &mut Batch) {
    match serde_json::from_slice(object) {
        Ok(result) => take(&result, offset, batch),
        Err(_) if is_of_other_type(object) => batch.count("results of other types"),
        Err(error) => Unread { object, offset, what: "result of RIPE Atlas", error }.read(
            batch,
            mended::mend,
            |text, _, batch| {
                take(&serde_json::from_str(text)?, offset, batch);
                Ok(())
            },
        ),
    }
}

fn take(result: &Measured<'_>, offset: u64, batch: &mut Batch) {
    let kind = match result.kind.as_deref() {
        Some("traceroute") => Kind::Trace,
        Some("ping") => Kind::Ping,
        Some(_) => return batch.count("results of other types"),
        None => return batch.fault(offset, "no result of RIPE Atlas: it has no type"),
    };
    batch.count(match kind {
        Kind::Trace => "traceroutes",
        Kind::Ping => "pings",
    });
    let Some(frame) = Frame::of(result) else {
        return batch.count("results without an address, time or protocol");
    };
    match kind {
        Kind::Trace => trace(frame, result, batch),
        Kind::Ping => ping(frame, result, batch),
    }
}

enum Kind {
    Trace,
    Ping,
}

/// What both types have in common.
struct Frame {
    vantage: Name,
    series: Name,
    target: IpAddr,
    protocol: Protocol,
    at: WallTime,
}

impl Frame {
    fn of(result: &Measured<'_>) -> Option<Self> {
        let number = |number: Option<i64>| number.map_or("unknown".to_owned(), |number| number.to_string());
        Some(Self {
            vantage: name(&format!("atlas-{}", number(result.prb_id)))?,
            series: name(&format!("msm-{}", number(result.msm_id)))?,
            target: result.dst_addr.or(result.addr)?,
            protocol: protocol(result.proto.as_deref().or(result.mode.as_deref()))?,
            at: seconds(result.timestamp?, 0)?,
        })
    }

    fn measurement(
        self,
        method: Method,
        result: &Measured<'_>,
        probes: Vec<Sent>,
        duplicates: u64,
    ) -> Measurement {
        Measurement {
            vantage: self.vantage,
            source: result.from,
            series: self.series,
            method,
            target: self.target,
            protocol: self.protocol,
            port: None,
            at: self.at,
            probes,
            duplicates,
            cycle: None,
            is_part_of_sweep: false,
        }
    }
}

fn protocol(text: Option<&str>) -> Option<Protocol> {
    match text.map(|text| text.trim_end_matches(|digit: char| digit.is_ascii_digit())) {
        None | Some("ICMP") => Some(Protocol::Icmp),
        Some("UDP") => Some(Protocol::Udp),
        Some("TCP") => Some(Protocol::Tcp),
        Some(_) => None,
    }
}

fn trace(frame: Frame, result: &Measured<'_>, batch: &mut Batch) {
    let mut packets = Packets {
        target: frame.target,
        protocol: frame.protocol,
        flow: FlowId(small(result.paris_id).unwrap_or(0)),
        sent: Vec::new(),
        duplicates: 0,
        kept_since: 0,
    };
    for entry in &result.result {
        let Some(ttl) = entry.hop.and_then(|hop| u8::try_from(hop).ok()).and_then(Ttl::new) else {
            batch.count("hops without a number from 1 to 255");
            packets.kept_since = packets.sent.len();
            continue;
        };
        let mut hop = Hop { ttl, attempt: Some(0) };
        if let Some(error) = &entry.error {
            packets.push(&mut hop, Outcome::SendFailed(fault(error)), batch);
        }
        for answer in entry.result.iter().flatten() {
            packets.take(&mut hop, answer, batch);
        }
        if ttl.get() == LAST_DITCH {
            packets.keep_what_ended_the_way(batch);
        }
    }
    let Packets { sent, duplicates, .. } = packets;
    batch.measured(frame.measurement(Method::Trace, result, sent, duplicates));
}

/// The packets of a trace, in the order in which they were sent.
struct Packets {
    target: IpAddr,
    protocol: Protocol,
    flow: FlowId,
    sent: Vec<Sent>,
    duplicates: u64,
    /// How many were sent before the last one of which nothing can be kept: late answers count packets, and none of
    /// those before it can be told any more.
    kept_since: usize,
}

/// The hop at hand, and which attempt comes next.
struct Hop {
    ttl: Ttl,
    attempt: Option<u8>,
}

impl Packets {
    fn take(&mut self, hop: &mut Hop, answer: &Answer<'_>, batch: &mut Batch) {
        if answer.icmpext.is_some() {
            batch.count("answers with ICMP extensions");
        }
        if let Some(late) = answer.late {
            batch.count("late answers");
            return self.take_late(late, answer, batch);
        }
        if answer.dup.is_some() {
            batch.count("duplicate answers");
            self.duplicates = self.duplicates.saturating_add(1);
            return;
        }
        if answer.x.is_some() {
            batch.count("packets without an answer");
            return self.push(hop, Outcome::Silent, batch);
        }
        if let Some(error) = &answer.error {
            return self.push(hop, Outcome::SendFailed(fault(error)), batch);
        }
        let Some(reply) = self.reply(answer, batch) else {
            batch.count("answers without an address");
            return self.pass_over(hop);
        };
        let rtt = answer.rtt.map_or(Rtt::NOT_TOLD, |ms| rtt_of_ms(ms, RttSource::Monotonic));
        self.push(hop, Outcome::Answered { reply, rtt }, batch);
    }

    /// A packet was sent of which it cannot be told what became of it.
    fn pass_over(&mut self, hop: &mut Hop) {
        hop.attempt =
            hop.attempt.and_then(|attempt| attempt.checked_add(1)).filter(|next| *next < MOST_ATTEMPTS);
        self.kept_since = self.sent.len();
    }

    fn keep_what_ended_the_way(&mut self, batch: &mut Batch) {
        let (target, before) = (self.target, self.sent.len());
        self.sent.retain(|sent| match &sent.outcome {
            Outcome::Answered { reply, .. } => sent.ttl.get() != LAST_DITCH || reply.ends_way_to(target),
            _ => sent.ttl.get() != LAST_DITCH,
        });
        let left_out = before.saturating_sub(self.sent.len());
        batch.count_many("last packets, TTL 255, that did not end the way", left_out as u64);
    }

    fn push(&mut self, hop: &mut Hop, outcome: Outcome, batch: &mut Batch) {
        let Some(attempt) = hop.attempt else {
            return batch.count("packets after the 128th of a hop");
        };
        hop.attempt = attempt.checked_add(1).filter(|next| *next < MOST_ATTEMPTS);
        self.sent.push(Sent { flow: self.flow, ttl: hop.ttl, attempt, at: None, outcome });
    }

    /// So many packets before the one that is on its way, which has the next place.
    fn take_late(&mut self, late: i64, answer: &Answer<'_>, batch: &mut Batch) {
        if answer.edst.is_some_and(|edst| edst != self.target) {
            return batch.count("late answers that quote another destination");
        }
        let place = usize::try_from(late).ok().and_then(|late| self.sent.len().checked_sub(late));
        let place = place.filter(|place| *place >= self.kept_since);
        let reply = self.reply(answer, batch);
        let meant = place.and_then(|place| self.sent.get_mut(place));
        match (meant, reply) {
            (Some(sent), Some(reply)) if sent.outcome == Outcome::Silent => {
                sent.outcome = Outcome::Late { reply, rtt: Rtt::NOT_TOLD };
            }
            (Some(_), Some(_)) => self.duplicates = self.duplicates.saturating_add(1),
            _ => batch.count("late answers to no packet of their trace"),
        }
    }

    fn reply(&self, answer: &Answer<'_>, batch: &mut Batch) -> Option<Reply> {
        let from = answer.from?;
        let (kind, icmp) = self.says(answer, from);
        let quotes =
            matches!(kind, ReplyKind::TimeExceeded | ReplyKind::Unreachable(_) | ReplyKind::OtherIcmp);
        let is_tcp = matches!(kind, ReplyKind::SynAck | ReplyKind::Rst);
        let rewritten = answer.edst.is_some_and(|edst| edst != self.target);
        let size = small(answer.size).filter(|_| from.is_ipv4() && !is_tcp);
        Some(Reply {
            from,
            kind,
            icmp,
            reply_ttl: answer.ttl.and_then(|ttl| u8::try_from(ttl).ok()),
            quoted_ttl: quotes.then(|| answer.ittl.map_or(Some(1), |ttl| u8::try_from(ttl).ok())).flatten(),
            mpls: labels(answer.icmpext.as_ref(), batch),
            size: size.and_then(|size: u16| size.checked_add(HEADERS_V4)).unwrap_or(0),
            ip_id: None,
            matched: if rewritten { MatchQuality::Tolerant } else { MatchQuality::Exact },
        })
    }

    /// Atlas names the flags of TCP answers and the kind of unreachability. All others are told by who
    /// answers: the target, by the answer to its protocol, or a router whose TTL ran out.
    fn says(&self, answer: &Answer<'_>, from: IpAddr) -> (ReplyKind, Option<(u8, u8)>) {
        if let Some(err) = &answer.err {
            return unreachable(err, from.is_ipv4());
        }
        if let Some(flags) = &answer.flags {
            return (if flags.contains('R') { ReplyKind::Rst } else { ReplyKind::SynAck }, None);
        }
        let kind = match self.protocol {
            Protocol::Icmp if from == self.target => ReplyKind::EchoReply,
            Protocol::Udp if from == self.target => ReplyKind::Unreachable(Unreachable::Port),
            _ => ReplyKind::TimeExceeded,
        };
        (kind, None)
    }
}

fn unreachable(err: &ErrCode<'_>, is_ipv4: bool) -> (ReplyKind, Option<(u8, u8)>) {
    let letter = match err {
        ErrCode::Letter(letter) => letter.as_ref(),
        ErrCode::Code(code) => {
            let icmp = u8::try_from(*code).ok().map(|code| (if is_ipv4 { 3 } else { 1 }, code));
            let kind =
                icmp.map_or(ReplyKind::Unreachable(Unreachable::Other), |icmp| icmp_says(is_ipv4, icmp));
            return (kind, icmp);
        }
    };
    let why = match letter {
        "N" => Unreachable::Net,
        "H" => Unreachable::Host,
        "A" => Unreachable::Prohibited,
        "P" => Unreachable::Protocol,
        "p" => Unreachable::Port,
        _ => Unreachable::Other,
    };
    (ReplyKind::Unreachable(why), None)
}

fn labels(extension: Option<&Extension>, batch: &mut Batch) -> Vec<MplsLabel> {
    let mut labels = Vec::new();
    for object in extension.into_iter().flat_map(|extension| &extension.obj) {
        if object.class != Some(1) {
            batch.count("ICMP extension objects other than MPLS labels");
        }
        let sound = object.mpls.iter().filter(|label| label.number < 1 << 20);
        labels.extend(sound.take(256).map(|label| MplsLabel {
            label: label.number,
            class: label.exp.unwrap_or(0) & 7,
            bottom: label.s == Some(1),
            ttl: label.ttl.unwrap_or(0),
        }));
    }
    labels.truncate(256);
    labels
}

/// What the system said when it did not send.
pub(super) fn fault(text: &str) -> SendFault {
    let text = text.to_ascii_lowercase();
    let says = |words: &str| text.contains(words);
    if says("unreachable") || says("no route") {
        SendFault::NoRoute
    } else if says("network is down") || says("no such device") {
        SendFault::InterfaceDown
    } else if says("not permitted") || says("permission") || says("access") {
        SendFault::Forbidden
    } else if says("too long") {
        SendFault::TooLarge
    } else if says("assign requested address") {
        SendFault::NoSource
    } else {
        SendFault::Other
    }
}

fn small(number: Option<i64>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok())
}

fn ping(frame: Frame, result: &Measured<'_>, batch: &mut Batch) {
    let (mut sent, mut duplicates) = (Vec::new(), 0_u64);
    let mut attempts = 0..MOST_ATTEMPTS;
    for entry in &result.result {
        if entry.dup.is_some() {
            batch.count("duplicate answers");
            duplicates = duplicates.saturating_add(1);
            continue;
        }
        let Some(attempt) = attempts.next() else {
            batch.count("packets after the 128th of a ping");
            continue;
        };
        let outcome = match (&entry.error, entry.rtt, &entry.x) {
            (Some(error), ..) => Outcome::SendFailed(fault(error)),
            (None, Some(rtt), _) => pong(frame.target, result, entry, rtt),
            (None, None, Some(_)) => {
                batch.count("packets without an answer");
                Outcome::Silent
            }
            (None, None, None) => {
                batch.count("packets of which nothing is told");
                continue;
            }
        };
        sent.push(Sent { flow: FlowId(0), ttl: Ttl::TO_THE_END, attempt, at: None, outcome });
    }
    batch.measured(frame.measurement(Method::Echo, result, sent, duplicates));
}

fn pong(target: IpAddr, result: &Measured<'_>, entry: &Entry<'_>, rtt: f64) -> Outcome {
    let reply_ttl = entry.ttl.or(result.ttl).and_then(|ttl| u8::try_from(ttl).ok());
    let headers = if target.is_ipv4() { HEADERS_V4 } else { HEADERS_V4.saturating_add(20) };
    let reply = Reply {
        from: entry.srcaddr.or(entry.src_addr).unwrap_or(target),
        kind: ReplyKind::EchoReply,
        icmp: Some(if target.is_ipv4() { (0, 0) } else { (129, 0) }),
        reply_ttl,
        quoted_ttl: None,
        mpls: Vec::new(),
        size: small(result.size).and_then(|size| size.checked_add(headers)).unwrap_or(0),
        ip_id: None,
        matched: MatchQuality::Exact,
    };
    Outcome::Answered { reply, rtt: rtt_of_ms(rtt, RttSource::Monotonic) }
}

//! Records written by hand, for tests: a trace is one line, as traceroute would print it.

use std::net::IpAddr;
use std::time::Duration;

use super::origin::OriginTable;
use super::path::{Trace, Traces};
use crate::dataset::ProbeRecord;
use crate::model::{
    Asn, FlowId, MatchQuality, Method, Outcome, Port, Prefix, Probe, Protocol, Reply, ReplyKind, RoundId,
    Rtt, RttSource, SendFault, Ttl, Unit, Unreachable, WallTime,
};

pub(super) fn asn(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn time(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).unwrap()
}

pub(super) fn unit(text: &str) -> Unit {
    Unit(text.parse().unwrap())
}

/// The origins of the October 2017 story.
pub(super) fn origins() -> OriginTable {
    let rows = [
        ("188.1.0.0/16", 680),
        ("2001:638::/32", 680),
        ("4.0.0.0/9", 3356),
        ("2001:1900::/32", 3356),
        ("62.115.0.0/16", 1299),
        ("219.158.0.0/16", 4837),
        ("2408:8000::/32", 4837),
        ("188.43.224.0/20", 20_485),
        ("77.94.35.0/24", 30_721),
        ("175.45.176.0/24", 131_279),
        ("175.45.177.0/24", 131_279),
        ("175.45.178.0/24", 131_279),
        ("175.45.179.0/24", 131_279),
        ("2c0f:1::/32", 131_279),
    ];
    OriginTable::from_entries(
        rows.into_iter().map(|(prefix, number)| (prefix.parse::<Prefix>().unwrap(), vec![asn(number)])),
    )
}

/// Records in the making.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub(super) records: Vec<ProbeRecord>,
    pub(super) vantage: &'static str,
    pub(super) control: bool,
}

/// Traces of one round, each along a flow of its own: towards which address, and its line.
pub(super) fn traces(lines: &[(&str, &str)]) -> Vec<Trace> {
    let mut sheet = Sheet::new();
    for (flow, (target, line)) in (0_u16..).zip(lines) {
        sheet.trace(Aim { round: 1, at: time("2017-10-01T08:00:00Z"), target, flow }, line);
    }
    let mut traces = Traces::default();
    sheet.records.iter().for_each(|record| traces.add(record));
    traces.finish().collect()
}

/// Where a set of probes goes, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aim<'a> {
    pub(super) round: u64,
    pub(super) at: WallTime,
    pub(super) target: &'a str,
    pub(super) flow: u16,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self { records: Vec::new(), vantage: "de", control: false }
    }

    /// One trace, a word a hop: `addr` time exceeded, `addr=` the target's answer, `addr!N`, `!H`, `!X`,
    /// `!P` (port unreachable), `addr@0` with that quoted TTL, `*` silent, `x` not sent, `-` not probed. Several
    /// attempts at a hop stand behind each other with `,`. The probes leave a second apart.
    pub(super) fn trace(&mut self, aim: Aim<'_>, line: &str) {
        for (index, word) in line.split_whitespace().enumerate() {
            let ttl = Ttl::new(u8::try_from(index).unwrap() + 1).unwrap();
            let at = aim.at.after(Duration::from_secs(u64::try_from(index).unwrap()));
            for (attempt, word) in word.split(',').enumerate().filter(|(_, word)| *word != "-") {
                let attempt = u8::try_from(attempt).unwrap();
                self.push(Method::Trace, Aim { at, ..aim }, (ttl, attempt), outcome(word));
            }
        }
    }

    /// So many echoes, of which the first `answered` are.
    pub(super) fn echo(&mut self, aim: Aim<'_>, sent: u8, answered: u8) {
        for attempt in 0..sent {
            let word = if attempt < answered { format!("{}=", aim.target) } else { "*".to_owned() };
            self.push(Method::Echo, aim, (Ttl::TO_THE_END, attempt), outcome(&word));
        }
    }

    fn push(&mut self, method: Method, aim: Aim<'_>, (ttl, attempt): (Ttl, u8), outcome: Outcome) {
        let target = ip(aim.target);
        let length = Unit::default_length(target.is_ipv4());
        self.records.push(ProbeRecord {
            vantage: self.vantage.parse().unwrap(),
            prober: method.as_str().parse().unwrap(),
            method,
            probe: Probe {
                round: RoundId(aim.round),
                target,
                protocol: Protocol::Icmp,
                port: None::<Port>,
                flow: FlowId(aim.flow),
                ttl,
                attempt,
            },
            unit: Unit(Prefix::covering(target, length).unwrap()),
            control: self.control,
            sent_at: (!matches!(outcome, Outcome::SendFailed(_))).then_some(aim.at),
            outcome,
        });
    }
}

fn outcome(word: &str) -> Outcome {
    match word {
        "*" => return Outcome::Silent,
        "x" => return Outcome::SendFailed(SendFault::NoRoute),
        _ => {}
    }
    let (word, quoted) = word.split_once('@').unwrap_or((word, "1"));
    let (address, kind) = if let Some(address) = word.strip_suffix('=') {
        (address, ReplyKind::EchoReply)
    } else if let Some((address, letter)) = word.split_once('!') {
        let unreachable = match letter {
            "N" => Unreachable::Net,
            "H" => Unreachable::Host,
            "X" => Unreachable::Prohibited,
            "P" => Unreachable::Port,
            _ => Unreachable::Other,
        };
        (address, ReplyKind::Unreachable(unreachable))
    } else {
        (word, ReplyKind::TimeExceeded)
    };
    let reply = Reply {
        from: ip(address),
        kind,
        icmp: None,
        reply_ttl: Some(55),
        quoted_ttl: Some(quoted.parse().unwrap()),
        mpls: Vec::new(),
        size: 56,
        ip_id: None,
        matched: MatchQuality::Exact,
    };
    let rtt = Rtt { span: Duration::from_millis(160), source: RttSource::Kernel };
    Outcome::Answered { reply, rtt }
}

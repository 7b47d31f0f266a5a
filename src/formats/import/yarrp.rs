//! yarrp's text: one line an answer, in any order.
//!
//! ```text
//! target sec usec type code ttl hop rtt ipid psize rsize rttl rtos mpls count
//! ```
//!
//! Comments at the beginning say how yarrp was called. It is stateless: what was not answered has no line, so
//! that nothing is known of silence.

use std::net::IpAddr;
use std::time::Duration;

use super::fields::{kind_of_tcp, name, name_of_address, seconds};
use super::{Batch, Measurement, Sent};
use crate::model::{
    FlowId, MatchQuality, Method, Name, Outcome, Protocol, Reply, ReplyKind, Rtt, RttSource, Ttl,
};
use crate::wire::icmp_says;

/// What the comments said.
pub(super) struct Reader {
    source: Option<IpAddr>,
    protocol: Option<Protocol>,
    in_ms: bool,
    told_about_labels: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Self { source: None, protocol: Some(Protocol::Tcp), in_ms: false, told_about_labels: false }
    }
}

impl Reader {
    /// Reads one line.
    pub(super) fn read(&mut self, line: &[u8], offset: u64, batch: &mut Batch) {
        let Ok(text) = std::str::from_utf8(line) else { return batch.fault(offset, "a line is no text") };
        let text = text.trim();
        if let Some(comment) = text.strip_prefix('#') {
            return self.comment(comment);
        }
        if text.is_empty() {
            return;
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().take(16).collect();
        match self.answer(&fields, batch) {
            Some(measurement) => {
                batch.count("answers");
                batch.measured(measurement);
            }
            None => batch.fault(offset, "no line of yarrp's: target sec usec type code ttl hop rtt ..."),
        }
    }

    /// `SourceIP: …`, `Trace_Type: ICMP6`, `RTT_Granularity: us`.
    fn comment(&mut self, comment: &str) {
        let Some((key, value)) = comment.split_once(':') else { return };
        let value = value.trim();
        match key.trim() {
            "SourceIP" => self.source = value.parse().ok(),
            "RTT_Granularity" => self.in_ms = value == "ms",
            "Trace_Type" => {
                let words = [("ICMP", Protocol::Icmp), ("UDP", Protocol::Udp), ("TCP", Protocol::Tcp)];
                self.protocol = words.iter().find(|(word, _)| value.starts_with(word)).map(|(_, one)| *one);
            }
            _ => {}
        }
    }

    fn answer(&mut self, fields: &[&str], batch: &mut Batch) -> Option<Measurement> {
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let byte = |index: usize| number(index).and_then(|number| u8::try_from(number).ok());
        let target: IpAddr = fields.first()?.parse().ok()?;
        let came = seconds(i64::try_from(number(1)?).ok()?, i64::try_from(number(2)?).ok()?)?;
        let icmp = (byte(3)?, byte(4)?);
        let ttl = Ttl::new(byte(5)?)?;
        let from: IpAddr = fields.get(6)?.parse().ok()?;
        let span = number(7)?;
        let span = if self.in_ms { Duration::from_millis(span) } else { Duration::from_micros(span) };
        let protocol = self.protocol?;
        let labels = fields.get(13).is_some_and(|labels| *labels != "0");
        if labels && !self.told_about_labels {
            self.told_about_labels = true;
            batch.count("files with MPLS labels, which are left out");
        }
        let kind = says(target, from, protocol, icmp);
        let is_tcp = matches!(kind, ReplyKind::SynAck | ReplyKind::Rst);
        let reply = Reply {
            from,
            kind,
            icmp: (!is_tcp).then_some(icmp),
            reply_ttl: byte(11),
            quoted_ttl: None,
            mpls: Vec::new(),
            size: number(10).and_then(|size| u16::try_from(size).ok()).unwrap_or(0),
            ip_id: number(8).and_then(|id| u16::try_from(id).ok()).filter(|_| from.is_ipv4()),
            matched: MatchQuality::Exact,
        };
        let rtt = Rtt { span, source: RttSource::UserSpace };
        let sent_at = crate::model::WallTime::from_nanos(
            came.as_nanos().saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)),
        );
        let outcome = Outcome::Answered { reply, rtt };
        let sent = Sent { flow: FlowId(0), ttl, attempt: 0, at: Some(sent_at), outcome };
        Some(Measurement {
            vantage: self.vantage()?,
            source: self.source,
            series: name("yarrp")?,
            method: Method::Trace,
            target,
            protocol,
            port: None,
            at: sent_at,
            probes: vec![sent],
            duplicates: 0,
            cycle: None,
            is_part_of_sweep: true,
        })
    }

    fn vantage(&self) -> Option<Name> {
        self.source.and_then(name_of_address).or_else(|| name("yarrp"))
    }
}

/// Of a TCP answer yarrp writes the flags where the code of ICMP would stand, behind type 0.
fn says(target: IpAddr, from: IpAddr, protocol: Protocol, icmp: (u8, u8)) -> ReplyKind {
    if protocol == Protocol::Tcp && icmp.0 == 0 && from == target {
        return kind_of_tcp(icmp.1);
    }
    icmp_says(target.is_ipv4(), icmp)
}

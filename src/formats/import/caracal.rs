//! caracal's CSV, as Iris keeps it: one line an answer, in any order, of probes whose flow their ports tell.
//!
//! It is stateless: what was not answered has no line. Its time is that of the answer, in seconds or in
//! microseconds by version; round-trip times are tenths of milliseconds.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use super::fields::{name, name_of_address, seconds};
use super::{Batch, Measurement, Sent};
use crate::model::{
    FlowId, MatchQuality, Method, MplsLabel, Outcome, Port, Protocol, Reply, ReplyKind, Rtt, RttSource,
    Ttl, WallTime,
};
use crate::wire::icmp_says;

/// How the header line begins.
pub(super) const HEADER: &str = "capture_timestamp,probe_protocol,probe_src_addr";

/// Columns before and behind that of labels, which holds commas.
const BEFORE: usize = 14;
const BEHIND: usize = 2;

/// A time above this is in microseconds: as seconds it would be in the year 5138.
const MOST_SECONDS: i64 = 100_000_000_000;

/// Reads one line.
pub(super) fn read(line: &[u8], offset: u64, batch: &mut Batch) {
    let Ok(text) = std::str::from_utf8(line) else { return batch.fault(offset, "a line is no text") };
    let text = text.trim();
    if text.is_empty() || text.starts_with(HEADER) {
        return;
    }
    match Row::new(text).and_then(|row| row.measurement(batch)) {
        Some(measurement) => {
            batch.count("answers");
            batch.measured(measurement);
        }
        None => batch.fault(offset, "no line of caracal's: one of its 17 columns is wrong"),
    }
}

struct Row<'a> {
    fields: Vec<&'a str>,
    labels: &'a str,
    rtt: &'a str,
}

impl<'a> Row<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let mut before = text.splitn(BEFORE.checked_add(1)?, ',');
        let fields: Vec<&str> = before.by_ref().take(BEFORE).collect();
        let mut behind = before.next()?.rsplitn(BEHIND.checked_add(1)?, ',');
        let (_round, rtt, labels) = (behind.next()?, behind.next()?, behind.next()?);
        (fields.len() == BEFORE).then_some(Self { fields, labels, rtt })
    }

    fn number<T: std::str::FromStr>(&self, index: usize) -> Option<T> {
        self.fields.get(index)?.parse().ok()
    }

    /// IPv4 is written as an IPv6 address (RFC 4291 §2.5.5.2).
    fn address(&self, index: usize) -> Option<IpAddr> {
        Some(self.number::<Ipv6Addr>(index).map(IpAddr::V6).or(self.number(index))?.to_canonical())
    }

    fn measurement(&self, batch: &mut Batch) -> Option<Measurement> {
        let came = self.time()?;
        let tenths: u32 = self.rtt.parse().ok()?;
        let span = Duration::from_micros(u64::from(tenths).checked_mul(100)?);
        let sent_at =
            WallTime::from_nanos(came.as_nanos().checked_sub(i64::try_from(span.as_nanos()).ok()?)?);
        let protocol = match self.number(1)? {
            1_u8 | 58 => Protocol::Icmp,
            17 => Protocol::Udp,
            6 => Protocol::Tcp,
            _ => return None,
        };
        let source = self.address(2)?;
        let from = self.address(8)?;
        // An echo reply quotes nothing; older versions then name no target.
        let target = self.address(3).filter(|target| !target.is_unspecified()).unwrap_or(from);
        let (flow, port) = (self.number(4)?, self.number::<u16>(5)?);
        let icmp = (self.number(10)?, self.number(11)?);
        let kind = icmp_says(from.is_ipv4(), icmp);
        let reply = Reply {
            from,
            kind,
            icmp: Some(icmp),
            reply_ttl: self.number(12),
            quoted_ttl: self.number(7).filter(|_| kind != ReplyKind::EchoReply),
            mpls: labels(self.labels, batch),
            size: self.number(13)?,
            ip_id: None,
            matched: MatchQuality::Exact,
        };
        let rtt = Rtt { span, source: RttSource::UserSpace };
        let outcome = Outcome::Answered { reply, rtt };
        let sent = Sent {
            flow: FlowId(flow),
            ttl: Ttl::new(self.number(6)?)?,
            attempt: 0,
            at: Some(sent_at),
            outcome,
        };
        Some(Measurement {
            vantage: name_of_address(source)?,
            source: Some(source),
            series: name("caracal")?,
            method: Method::Trace,
            target,
            protocol,
            port: if protocol == Protocol::Icmp { None } else { Port::new(port) },
            at: sent_at,
            probes: vec![sent],
            duplicates: 0,
            cycle: None,
            is_part_of_sweep: true,
        })
    }

    fn time(&self) -> Option<WallTime> {
        let time: i64 = self.number(0)?;
        if time > MOST_SECONDS { seconds(0, time) } else { seconds(time, 0) }
    }
}

/// `"[(label, class, bottom, ttl), …]"`.
fn labels(text: &str, batch: &mut Batch) -> Vec<MplsLabel> {
    let between = |c: char| !c.is_ascii_digit();
    let numbers: Option<Vec<u32>> =
        text.split(between).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect();
    let label = |four: &[u32]| {
        let [label, class, bottom, ttl] = four else { return None };
        let in_range = *label < 1 << 20 && *class < 8 && *bottom < 2;
        let ttl = u8::try_from(*ttl).ok().filter(|_| in_range)?;
        Some(MplsLabel { label: *label, class: u8::try_from(*class).ok()?, bottom: *bottom == 1, ttl })
    };
    let numbers = numbers.unwrap_or_default();
    let labels: Option<Vec<MplsLabel>> = numbers.chunks(4).take(256).map(label).collect();
    if labels.is_none() {
        batch.count("label stacks that cannot be read");
    }
    labels.unwrap_or_default()
}

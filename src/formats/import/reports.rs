//! The reports of mtr and trippy in JSON: for each hop how many packets were sent and answered, and the
//! spread of their round-trip times, but not which packet was which.
//!
//! So a hop becomes as many probes as were sent, of which as many were answered; the first has the shortest time,
//! the second the longest, and of the others none is told. The target must be an address: a name is not looked up.

mod mended;

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

use super::fields::{MOST_ATTEMPTS, address, name, name_of_address, rtt_of_ms};
use super::mended::Unread;
use super::{Batch, Measurement, Sent};
use crate::model::{
    FlowId, MatchQuality, Method, Outcome, Protocol, Reply, ReplyKind, Rtt, RttSource, Ttl, WallTime,
};

#[derive(Deserialize)]
struct Mtr<'a> {
    #[serde(borrow, default)]
    report: MtrReport<'a>,
}

#[derive(Default, Deserialize)]
struct MtrReport<'a> {
    #[serde(borrow, default)]
    mtr: MtrCall<'a>,
    #[serde(borrow, default)]
    hubs: Vec<Hub<'a>>,
}

#[derive(Default, Deserialize)]
struct MtrCall<'a> {
    #[serde(borrow)]
    src: Option<Cow<'a, str>>,
    #[serde(borrow)]
    dst: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Hub<'a> {
    #[serde(default = "not_told", deserialize_with = "number")]
    count: f64,
    #[serde(borrow)]
    host: Option<Cow<'a, str>>,
    /// mtr writes the columns that its user asked for.
    #[serde(rename = "Loss%", default = "not_told", deserialize_with = "number")]
    loss: f64,
    #[serde(rename = "Snt", default = "not_told", deserialize_with = "number")]
    sent: f64,
    #[serde(rename = "Best", default = "not_told", deserialize_with = "number")]
    best: f64,
    #[serde(rename = "Wrst", default = "not_told", deserialize_with = "number")]
    worst: f64,
}

const fn not_told() -> f64 {
    f64::NAN
}

#[derive(Deserialize)]
struct Trippy<'a> {
    #[serde(borrow, default)]
    info: TrippyInfo<'a>,
    #[serde(borrow, default)]
    hops: Vec<TrippyHop<'a>>,
}

#[derive(Default, Deserialize)]
struct TrippyInfo<'a> {
    #[serde(default)]
    target: TrippyHost,
    #[serde(borrow)]
    start_timestamp: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct TrippyHost {
    #[serde(default, deserialize_with = "address")]
    ip: Option<IpAddr>,
}

#[derive(Deserialize)]
struct TrippyHop<'a> {
    ttl: Option<i64>,
    #[serde(default)]
    hosts: Vec<TrippyHost>,
    sent: Option<i64>,
    recv: Option<i64>,
    #[serde(borrow)]
    best: Option<Cow<'a, str>>,
    #[serde(borrow)]
    worst: Option<Cow<'a, str>>,
}

/// A number, also as text; mtr writes both by version.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either<'a> {
        Number(f64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
    }
    Ok(match Either::deserialize(from)? {
        Either::Number(number) => number,
        Either::Text(text) => text.parse().unwrap_or(f64::NAN),
    })
}

/// What a hop says, whoever wrote it.
struct Hop {
    ttl: Option<Ttl>,
    hosts: Vec<IpAddr>,
    sent: u64,
    answered: u64,
    best: f64,
    worst: f64,
}

/// Reads a report of mtr. It tells no time: `at` is that of the file.
pub(super) fn read_mtr(object: &[u8], offset: u64, at: WallTime, batch: &mut Batch) {
    let error = match serde_json::from_slice(object) {
        Ok(report) => return take_mtr(&report, offset, at, batch),
        Err(error) => error,
    };
    Unread { object, offset, what: "report of mtr", error }.read(batch, mended::mtr, |text, _, batch| {
        take_mtr(&serde_json::from_str(text)?, offset, at, batch);
        Ok(())
    });
}

fn take_mtr(mtr: &Mtr<'_>, offset: u64, at: WallTime, batch: &mut Batch) {
    let MtrReport { mtr: call, hubs } = &mtr.report;
    let Some(target) = call.dst.as_deref().and_then(address_in) else {
        return batch.fault(
            offset,
            "the report of mtr names no address of its target: run it with --no-dns and an address",
        );
    };
    let hops: Vec<Hop> = hubs.iter().filter_map(|hub| hub.hop(batch)).collect();
    let vantage = call.src.as_deref().unwrap_or("mtr");
    measured(vantage, "mtr", target, at, &hops, batch);
}

/// Counts a hop of which is not told how much was sent and answered.
fn untold(batch: &mut Batch) {
    batch.count("hops of which it is not told what was sent and answered");
}

impl Hub<'_> {
    fn hop(&self, batch: &mut Batch) -> Option<Hop> {
        if self.sent.is_nan() || self.loss.is_nan() {
            untold(batch);
            return None;
        }
        let name = self.host.as_deref().filter(|host| *host != "???");
        let host = name.and_then(address_in);
        if name.is_some() && host.is_none() {
            batch.count("hops with a name and without an address");
        }
        let (sent, loss) = (whole(self.sent), self.loss.clamp(0.0, 100.0));
        Some(Hop {
            ttl: u8::try_from(whole(self.count)).ok().and_then(Ttl::new),
            hosts: host.into_iter().collect(),
            sent,
            answered: whole((self.sent * (1.0 - loss / 100.0)).round()).min(sent),
            best: self.best,
            worst: self.worst,
        })
    }
}

/// Reads a report of trippy.
pub(super) fn read_trippy(object: &[u8], offset: u64, at: WallTime, batch: &mut Batch) {
    let error = match serde_json::from_slice(object) {
        Ok(report) => return take_trippy(&report, offset, at, batch),
        Err(error) => error,
    };
    Unread { object, offset, what: "report of trippy", error }.read(
        batch,
        mended::trippy,
        |text, _, batch| {
            take_trippy(&serde_json::from_str(text)?, offset, at, batch);
            Ok(())
        },
    );
}

fn take_trippy(report: &Trippy<'_>, offset: u64, at: WallTime, batch: &mut Batch) {
    let Some(target) = report.info.target.ip else {
        return batch.fault(offset, "the report of trippy names no address of its target");
    };
    let start = report.info.start_timestamp.as_deref();
    let at = start.and_then(|start| WallTime::parse_rfc3339(start).ok()).unwrap_or(at);
    let hops: Vec<Hop> = report.hops.iter().filter_map(|hop| hop.hop(batch)).collect();
    measured("trippy", "trippy", target, at, &hops, batch);
}

impl TrippyHop<'_> {
    fn hop(&self, batch: &mut Batch) -> Option<Hop> {
        let (Some(sent), Some(answered)) = (self.sent, self.recv) else {
            untold(batch);
            return None;
        };
        let milliseconds = |text: &Option<Cow<'_, str>>| {
            text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
        };
        let sent = u64::try_from(sent).unwrap_or(0);
        Some(Hop {
            ttl: self.ttl.and_then(|ttl| u8::try_from(ttl).ok()).and_then(Ttl::new),
            hosts: self.hosts.iter().filter_map(|host| host.ip).collect(),
            sent,
            answered: u64::try_from(answered).unwrap_or(0).min(sent),
            best: milliseconds(&self.best),
            worst: milliseconds(&self.worst),
        })
    }
}

/// An address, or the one that mtr's `-b` puts in brackets behind a name.
fn address_in(text: &str) -> Option<IpAddr> {
    let bracketed = || text.split_once('(')?.1.split_once(')')?.0.parse().ok();
    text.parse().ok().or_else(bracketed)
}

/// The nearest whole number; 0 for what is none or negative.
fn whole(number: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(number.round()).map_or(0, |span| span.as_secs())
}

fn measured(vantage: &str, series: &str, target: IpAddr, at: WallTime, hops: &[Hop], batch: &mut Batch) {
    batch.count("reports");
    let source: Option<IpAddr> = vantage.parse().ok();
    let vantage = source.and_then(name_of_address).or_else(|| name(vantage)).or_else(|| name(series));
    let (Some(vantage), Some(series)) = (vantage, name(series)) else { return };
    let probes = hops.iter().flat_map(|hop| sent(hop, target, batch)).collect();
    batch.measured(Measurement {
        vantage,
        source,
        series,
        method: Method::Trace,
        target,
        // What both use unless they are told otherwise; neither tells.
        protocol: Protocol::Icmp,
        port: None,
        at,
        probes,
        duplicates: 0,
        cycle: None,
        is_part_of_sweep: false,
    });
}

fn sent(hop: &Hop, target: IpAddr, batch: &mut Batch) -> Vec<Sent> {
    let Some(ttl) = hop.ttl else {
        batch.count("hops without a number from 1 to 255");
        return Vec::new();
    };
    let most = u64::from(MOST_ATTEMPTS);
    batch.count_many("packets after the 128th of a hop", hop.sent.saturating_sub(most));
    // Who answered each is not told: every host once, and the others by nobody that is known.
    let known = if hop.hosts.len() == 1 { hop.answered } else { hop.answered.min(hop.hosts.len() as u64) };
    batch.count_many("answers of which it is not told by whom", hop.answered.saturating_sub(known));
    let silent = hop.sent.saturating_sub(hop.answered);
    let spread = [hop.best, hop.worst].into_iter().map(|ms| rtt_of_ms(ms, RttSource::UserSpace));
    let spread = spread.chain(std::iter::repeat(Rtt::NOT_TOLD));
    let hosts = hop.hosts.iter().cycle().copied();
    let answers = hosts.zip(spread).take(usize::try_from(known.min(most)).unwrap_or(0));
    let answered = answers.map(|(from, rtt)| Outcome::Answered { reply: reply(from, target), rtt });
    let silences = std::iter::repeat_n(Outcome::Silent, usize::try_from(silent.min(most)).unwrap_or(0));
    let outcomes = answered.chain(silences).zip(0..MOST_ATTEMPTS);
    let sent = |(outcome, attempt)| Sent { flow: FlowId(0), ttl, attempt, at: None, outcome };
    outcomes.map(sent).collect()
}

fn reply(from: IpAddr, target: IpAddr) -> Reply {
    let kind = if from == target { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded };
    let (reply_ttl, quoted_ttl, mpls, matched) = (None, None, Vec::new(), MatchQuality::Exact);
    Reply { from, kind, icmp: None, reply_ttl, quoted_ttl, mpls, size: 0, ip_id: None, matched }
}

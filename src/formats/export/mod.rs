//! Records as other people's programs write them: warts, scamper's JSON, RIPE Atlas's JSON.
//!
//! These formats speak of traces and pings, ours of probes. So the records of one (vantage, round, target, protocol,
//! port, flow) are brought together, and become one trace or ping. What the format has no place for is counted.
//! `docs/formats.md` says for every format what becomes of each column.

mod atlas;
mod group;
mod scamper_json;
#[cfg(test)]
mod tests;
mod warts;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use group::{Group, Groups};

use crate::dataset::{DatasetError, ProbeRecord};
use crate::model::{Method, Name, Outcome, ReplyKind, Unreachable};

/// A format that probes are exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportTo {
    /// scamper's own: binary.
    Warts,
    /// scamper's JSON, one object a line.
    ScamperJson,
    /// RIPE Atlas's JSON, one object a line.
    AtlasJson,
}

/// From this attempt on a probe tests how often a router answers, and is no part of a trace.
const FIRST_TEST: u8 = 128;

/// Who measured, each with the addresses from which it did.
pub type Vantages = BTreeMap<Name, Vec<IpAddr>>;

/// Numbers of what has no place in a format, by name.
pub type LeftOut = BTreeMap<&'static str, u64>;

/// Why records could not be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The records could not be read.
    #[error(transparent)]
    Records(#[from] DatasetError),
    /// They could not be written.
    #[error("cannot write what is exported")]
    Write(#[from] io::Error),
}

/// Writes records in a format. Gives what was left out.
///
/// # Errors
/// The first record that cannot be read, or the system's reason for not taking what is written.
pub fn export(
    to: ExportTo,
    out: &mut dyn io::Write,
    vantages: Vantages,
    records: impl IntoIterator<Item = Result<ProbeRecord, DatasetError>>,
) -> Result<LeftOut, ExportError> {
    match to {
        ExportTo::Warts => write(to, &mut warts::Writer::new(out, vantages), records),
        ExportTo::ScamperJson => write(to, &mut scamper_json::Writer::new(out, vantages), records),
        ExportTo::AtlasJson => write(to, &mut atlas::Writer::new(out, vantages), records),
    }
}

/// A format that is written.
trait Write {
    /// Writes the probes of one trace or ping.
    fn group(&mut self, group: &Group) -> io::Result<()>;

    /// Ends the file.
    fn end(&mut self) -> io::Result<()>;
}

fn write(
    to: ExportTo,
    writer: &mut impl Write,
    records: impl IntoIterator<Item = Result<ProbeRecord, DatasetError>>,
) -> Result<LeftOut, ExportError> {
    let mut groups = Groups::default();
    let mut left_out = LeftOut::new();
    for record in records {
        let record = record?;
        if let Some(what) = no_place(to, &record) {
            count(&mut left_out, what);
            continue;
        }
        if matches!(record.outcome, Outcome::Late { .. }) {
            count(&mut left_out, "late answers, written as answers");
        }
        groups.add(record, |group| writer.group(&group))?;
    }
    groups.finish(|group| writer.group(&group))?;
    writer.end()?;
    Ok(left_out)
}

/// Why a record is left out. RIPE Atlas has no pings but by ICMP echo and by TCP.
const fn no_place(to: ExportTo, record: &ProbeRecord) -> Option<&'static str> {
    if matches!((to, record.method), (ExportTo::AtlasJson, Method::Udp | Method::Timestamp)) {
        return Some("pings by UDP or ICMP time stamps");
    }
    if record.probe.attempt >= FIRST_TEST {
        return Some("tests of how often a router answers");
    }
    match record.outcome {
        Outcome::SendFailed(_) => Some("probes that the system refused to send"),
        Outcome::Blocked(_) => Some("probes that were not allowed out"),
        Outcome::Skipped(_) => Some("probes that were not wanted"),
        Outcome::Answered { .. } | Outcome::Late { .. } | Outcome::Silent => None,
    }
}

fn count(left_out: &mut LeftOut, what: &'static str) {
    let number = left_out.entry(what).or_default();
    *number = number.saturating_add(1);
}

/// The address of a vantage in the family of a target.
fn source(vantages: &Vantages, vantage: &Name, target: IpAddr) -> Option<IpAddr> {
    let sources = vantages.get(vantage)?;
    sources.iter().copied().find(|source| source.is_ipv4() == target.is_ipv4())
}

/// The ICMP type and code of what an answer says, where they were not kept; `None` for TCP.
const fn icmp_of(kind: ReplyKind, is_ipv4: bool) -> Option<(u8, u8)> {
    Some(match (kind, is_ipv4) {
        (ReplyKind::SynAck | ReplyKind::Rst | ReplyKind::UdpReply, _) => return None,
        (ReplyKind::TimestampReply, _) => (14, 0),
        (ReplyKind::EchoReply, true) => (0, 0),
        (ReplyKind::EchoReply, false) => (129, 0),
        (ReplyKind::TimeExceeded, true) => (11, 0),
        (ReplyKind::TimeExceeded, false) => (3, 0),
        (ReplyKind::Unreachable(why), true) => (3, unreachable_v4(why)),
        (ReplyKind::Unreachable(Unreachable::Protocol), false) => (4, 1),
        (ReplyKind::Unreachable(why), false) => (1, unreachable_v6(why)),
        // Parameter problem.
        (ReplyKind::OtherIcmp, true) => (12, 0),
        (ReplyKind::OtherIcmp, false) => (4, 0),
    })
}

const fn unreachable_v4(why: Unreachable) -> u8 {
    match why {
        Unreachable::Net => 0,
        Unreachable::Host => 1,
        Unreachable::Protocol => 2,
        Unreachable::Port => 3,
        Unreachable::Prohibited => 13,
        Unreachable::Other => 5,
    }
}

const fn unreachable_v6(why: Unreachable) -> u8 {
    match why {
        Unreachable::Net => 0,
        Unreachable::Prohibited => 1,
        Unreachable::Host => 3,
        Unreachable::Port => 4,
        Unreachable::Protocol | Unreachable::Other => 2,
    }
}

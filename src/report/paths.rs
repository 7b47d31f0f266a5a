//! The traces of a dataset, hop by hop, with the reason for every assignment: as CSV, one row a hop, and
//! in short for people, one line a distinct path.
//!
//! Nothing is judged here: ways and upstreams are those that the report goes by. Every cell is a number,
//! an address, a prefix, a word of a closed set or a name with everything unusual escaped;
//! `docs/formats.md` documents the columns.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use csv::{Terminator, WriterBuilder};

use crate::analyse::compare::{RoutedTrace, routed_traces};
use crate::analyse::path::{Hop, HopAnswer, HopAs, NoUpstream, TraceKey};
use crate::dataset::{Dataset, Read};
use crate::model::{Asn, FlowId, Name, Port, Protocol, RoundId, Untrusted};

use super::recompute::{self, RecomputeError};
use super::tables::escaped_name;

/// The columns that say which trace a row is about.
const WHICH: [&str; 11] = [
    "vantage",
    "round",
    "prober",
    "unit",
    "target",
    "control",
    "protocol",
    "port",
    "flow",
    "epoch",
    "sent_at_ns",
];

/// The columns of a hop.
const HOP: [&str; 12] = [
    "ttl",
    "state",
    "address",
    "host",
    "asn",
    "alternatives",
    "rule",
    "confidence",
    "prefix",
    "connected_as",
    "rtt_us",
    "rtt_source",
];

/// The columns about the whole trace, repeated in each of its rows.
const WHOLE: [&str; 9] = [
    "as_path",
    "end",
    "looped",
    "origin",
    "upstream",
    "upstream_gap",
    "seen_entering",
    "no_upstream_reason",
    "no_upstream_behind",
];

/// The traces of a dataset, with what is known beside them.
#[derive(Clone, Debug)]
pub struct Paths {
    traces: Vec<RoutedTrace>,
    probers: BTreeMap<RoundId, Name>,
    hosts: BTreeMap<IpAddr, Untrusted>,
}

/// The traces of a dataset, with these origin tables or, if there are none, with those that its campaign
/// names.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn paths(dataset: &Dataset, origins: &[PathBuf]) -> Result<Paths, RecomputeError> {
    let traces = recompute::from_records(dataset, origins, |question, origins, read| {
        routed_traces(question, origins, read.flat_map(Read::records))
    })?;
    let rounds = dataset.rounds()?.into_iter();
    let probers = rounds.map(|round| (round.header.id, round.header.prober)).collect();
    Ok(Paths { traces, probers, hosts: recompute::looked_up(dataset)?.names().collect() })
}

impl Paths {
    /// Writes one row a hop, in the order of traces and hops; a trace without hops has one row without a
    /// hop. RFC 4180, with a header line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_csv(&self, out: impl io::Write) -> io::Result<()> {
        let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
        csv.write_record(WHICH.iter().chain(&HOP).chain(&WHOLE)).map_err(of_writer)?;
        for routed in &self.traces {
            let (which, whole) = (self.which(routed), whole(routed));
            let mut write = |hop: [String; HOP.len()]| {
                csv.write_record(which.iter().chain(&hop).chain(&whole)).map_err(of_writer)
            };
            if routed.path.hops.is_empty() {
                write(Default::default())?;
            }
            for (hop, hop_as) in routed.trace.hops.iter().zip(&routed.path.hops) {
                write(self.hop(hop, hop_as))?;
            }
        }
        csv.flush()
    }

    /// One line a distinct path of a target and flow, for people.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<Line, u64> = BTreeMap::new();
        for routed in &self.traces {
            let count = counts.entry(Line::of(routed)).or_default();
            *count = count.saturating_add(1);
        }
        let columns = |target: &str, carried: &str, flow: &str, traces: &str, path: &str| {
            format!("{target:<24} {carried:<8} {flow:>4} {traces:>6}  {path}\n")
        };
        let mut text = columns("target", "probe", "flow", "traces", "AS path, and what it shows");
        for (line, count) in counts {
            let carried = match line.port {
                Some(port) => format!("{}/{port}", line.protocol.as_str()),
                None => line.protocol.as_str().to_owned(),
            };
            let path =
                if line.path.is_empty() { line.shows } else { format!("{}: {}", line.path, line.shows) };
            text += &columns(
                &line.target.to_string(),
                &carried,
                &line.flow.to_string(),
                &count.to_string(),
                &path,
            );
        }
        text
    }

    fn which(&self, routed: &RoutedTrace) -> [String; WHICH.len()] {
        let (trace, key) = (&routed.trace, &routed.trace.key);
        [
            key.vantage.to_string(),
            key.round.to_string(),
            maybe(self.probers.get(&key.round)),
            trace.unit.to_string(),
            key.target.to_string(),
            trace.control.to_string(),
            key.protocol.as_str().to_owned(),
            maybe(key.port),
            key.flow.to_string(),
            maybe(routed.epoch.map(|epoch| epoch.saturating_add(1))),
            maybe(trace.sent.map(|(first, _)| first.as_nanos())),
        ]
    }

    fn hop(&self, hop: &Hop, hop_as: &HopAs) -> [String; HOP.len()] {
        let host = hop_as.address.and_then(|address| self.hosts.get(&address));
        let quickest = quickest(hop, hop_as.address);
        [
            hop.ttl.to_string(),
            hop.state().as_str().to_owned(),
            maybe(hop_as.address),
            host.map(escaped_name).unwrap_or_default(),
            maybe(hop_as.asn),
            alternatives(&hop_as.alternatives),
            hop_as.rule.as_str().to_owned(),
            hop_as.asn.map(|_| hop_as.confidence.as_str().to_owned()).unwrap_or_default(),
            maybe(hop_as.rule.prefix()),
            maybe(hop_as.connected),
            quickest
                .and_then(|answer| answer.rtt.told())
                .map(|span| microseconds(span.as_nanos()))
                .unwrap_or_default(),
            quickest.map(|answer| answer.rtt.source.as_str().to_owned()).unwrap_or_default(),
        ]
    }
}

/// The writer's own error, so that a closed pipe is known for what it is.
pub(super) fn of_writer(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("a row does not fit the table: {other:?}")),
    }
}

fn whole(routed: &RoutedTrace) -> [String; WHOLE.len()] {
    let (told, reason) = (routed.upstream.ok(), routed.upstream.err());
    [
        routed.path.to_string(),
        routed.path.end.as_str().to_owned(),
        routed.trace.looped.to_string(),
        maybe(routed.origin),
        maybe(told.map(|upstream| upstream.asn)),
        maybe(told.map(|upstream| upstream.gap)),
        maybe(told.map(|upstream| upstream.seen_entering)),
        reason.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        maybe(reason.and_then(NoUpstream::behind)),
    ]
}

/// The quickest answer of the address that stands for the hop.
fn quickest(hop: &Hop, address: Option<IpAddr>) -> Option<&HopAnswer> {
    let of_it = hop.answers.iter().filter(|answer| Some(answer.from) == address);
    of_it.min_by_key(|answer| answer.rtt.told().unwrap_or(Duration::MAX))
}

fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn alternatives(asns: &[Asn]) -> String {
    asns.iter().map(Asn::to_string).collect::<Vec<_>>().join("|")
}

fn microseconds(nanos: u128) -> String {
    format!("{}.{:03}", nanos.div_euclid(1000), nanos.rem_euclid(1000))
}

/// What makes a line of the summary of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    target: IpAddr,
    protocol: Protocol,
    port: Option<Port>,
    flow: FlowId,
    path: String,
    shows: String,
}

impl Line {
    fn of(routed: &RoutedTrace) -> Self {
        let TraceKey { target, protocol, port, flow, .. } = routed.trace.key;
        let shows = match routed.upstream {
            Ok(upstream) if upstream.seen_entering => format!("entered from {}", upstream.asn),
            Ok(upstream) => format!("silent behind {}, its upstream", upstream.asn),
            Err(reason) => format!("ends {reason}"),
        };
        Self { target, protocol, port, flow, path: routed.path.to_string(), shows }
    }
}

#[cfg(test)]
mod tests;

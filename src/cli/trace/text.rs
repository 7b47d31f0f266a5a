//! The text of a trace: one line a hop and address, as traceroute has taught everybody to read them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::IpAddr;

use super::answer;
use crate::analyse::origin::OriginTable;
use crate::dataset::ProbeRecord;
use crate::model::{FlowId, MplsLabel, Probe, Protocol, Reply, ReplyKind, Rtt, Unreachable};

/// Writes the trace that these records tell of; nothing if there are none.
///
/// # Errors
/// The writer's.
pub(super) fn write(out: &mut dyn Write, records: &[ProbeRecord], origins: &OriginTable) -> io::Result<()> {
    let Some(first) = records.first() else { return Ok(()) };
    let flows: BTreeSet<FlowId> = records.iter().map(|record| record.probe.flow).collect();
    let plural = if flows.len() == 1 { "" } else { "s" };
    writeln!(out, "{}, {} flow{plural}", headline("trace", &first.probe), flows.len())?;
    let lines = lines(records, origins);
    let layout = Layout::of(&lines);
    for line in &lines {
        writeln!(out, "{}", layout.show(line).trim_end())?;
    }
    match silence(records) {
        Some(remark) => writeln!(out, "{remark}"),
        None => Ok(()),
    }
}

/// What was done, where to, and in what.
pub(super) fn headline(what: &str, probe: &Probe) -> String {
    let carried = match (probe.protocol, probe.port) {
        (Protocol::Icmp, _) => "ICMP echo".to_owned(),
        (Protocol::Udp, None) => "UDP".to_owned(),
        (Protocol::Udp, Some(port)) => format!("UDP to port {port}"),
        (Protocol::Tcp, None) => "TCP SYN".to_owned(),
        (Protocol::Tcp, Some(port)) => format!("TCP SYN to port {port}"),
    };
    format!("{what} to {} by {carried}", probe.target)
}

/// What is told of one address at one TTL, or of the flows that met silence there.
struct Line {
    /// The TTL, in the first line of each.
    ttl: Option<u8>,
    address: String,
    asn: String,
    rtt: Option<Rtt>,
    remark: &'static str,
    /// The flows, where not all that were asked here met the same.
    flows: Vec<FlowId>,
    mpls: Vec<MplsLabel>,
}

/// The widths of the columns: no wider than what stands in them.
struct Layout {
    address: usize,
    asn: usize,
}

impl Layout {
    fn of(lines: &[Line]) -> Self {
        let widest = |cell: fn(&Line) -> &str| lines.iter().map(|line| cell(line).len()).max().unwrap_or(0);
        Self { address: widest(|line| &line.address), asn: widest(|line| &line.asn) }
    }

    fn show(&self, line: &Line) -> String {
        let ttl = line.ttl.map_or_else(String::new, |ttl| ttl.to_string());
        let rtt =
            line.rtt.map_or_else(String::new, |rtt| format!("{:.3} ms", rtt.span.as_secs_f64() * 1000.0));
        let mut cells = vec![format!("{ttl:>3}"), format!("{:<1$}", line.address, self.address)];
        if self.asn > 0 {
            cells.push(format!("{:<1$}", line.asn, self.asn));
        }
        cells.push(format!("{rtt:>12}{}", line.remark));
        if !line.flows.is_empty() {
            cells.push(format!("flows {}", list(&line.flows)));
        }
        cells.extend(line.mpls.iter().map(|label| format!("MPLS {} TTL {}", label.label, label.ttl)));
        cells.join("  ")
    }
}

fn list(flows: &[FlowId]) -> String {
    flows.iter().map(|flow| flow.0.to_string()).collect::<Vec<_>>().join(",")
}

/// All lines from the first TTL that was asked to the last that anybody answered.
fn lines(records: &[ProbeRecord], origins: &OriginTable) -> Vec<Line> {
    let ends = path_ends(records);
    let on_path = |record: &&ProbeRecord| {
        ends.get(&record.probe.flow).is_none_or(|end| record.probe.ttl.get() <= *end)
    };
    let mut by_ttl: BTreeMap<u8, Vec<&ProbeRecord>> = BTreeMap::new();
    for record in records.iter().filter(on_path) {
        by_ttl.entry(record.probe.ttl.get()).or_default().push(record);
    }
    let heard = |records: &[&ProbeRecord]| records.iter().any(|record| answer(record).is_some());
    let last = by_ttl.iter().filter(|(_, records)| heard(records)).map(|(ttl, _)| *ttl).max();
    by_ttl.range(..=last.unwrap_or(0)).flat_map(|(ttl, records)| hop(*ttl, records, origins)).collect()
}

/// The TTL at which each flow's path ended; flows that did not arrive are missing.
fn path_ends(records: &[ProbeRecord]) -> BTreeMap<FlowId, u8> {
    let mut ends = BTreeMap::new();
    for record in records.iter().filter(|record| is_end(record)) {
        let end = ends.entry(record.probe.flow).or_insert(u8::MAX);
        *end = record.probe.ttl.get().min(*end);
    }
    ends
}

fn is_end(record: &ProbeRecord) -> bool {
    answer(record).is_some_and(|(reply, _)| reply.ends_way_to(record.target()))
}

/// The lines of one TTL: addresses first, silence last.
fn hop(ttl: u8, records: &[&ProbeRecord], origins: &OriginTable) -> Vec<Line> {
    let mut met: BTreeMap<IpAddr, Vec<&ProbeRecord>> = BTreeMap::new();
    let mut silent: BTreeSet<FlowId> = records.iter().map(|record| record.probe.flow).collect();
    for record in records {
        if let Some((reply, _)) = answer(record) {
            met.entry(reply.from).or_default().push(record);
            silent.remove(&record.probe.flow);
        }
    }
    let mut lines: Vec<Line> =
        met.iter().filter_map(|(address, records)| answered(*address, records, origins)).collect();
    if !silent.is_empty() {
        lines.push(unanswered(silent));
    }
    if let [only] = lines.as_mut_slice() {
        only.flows.clear();
    }
    if let Some(first) = lines.first_mut() {
        first.ttl = Some(ttl);
    }
    lines
}

/// One address, with its quickest answer.
fn answered(address: IpAddr, records: &[&ProbeRecord], origins: &OriginTable) -> Option<Line> {
    let answers = records.iter().filter_map(|record| Some((record.target(), answer(record)?)));
    let (target, (reply, rtt)) = answers.min_by_key(|(_, (_, rtt))| rtt.span)?;
    let flows: BTreeSet<FlowId> = records.iter().map(|record| record.probe.flow).collect();
    Some(Line {
        ttl: None,
        address: address.to_string(),
        asn: origins.lookup(address).asn().map_or_else(String::new, |asn| asn.to_string()),
        rtt: Some(rtt),
        remark: remark(reply, target),
        flows: flows.into_iter().collect(),
        mpls: reply.mpls.clone(),
    })
}

fn unanswered(flows: BTreeSet<FlowId>) -> Line {
    Line {
        ttl: None,
        address: "*".to_owned(),
        asn: String::new(),
        rtt: None,
        remark: "",
        flows: flows.into_iter().collect(),
        mpls: Vec::new(),
    }
}

/// What traceroute writes behind a hop that is no ordinary one.
pub(super) fn remark(reply: &Reply, target: IpAddr) -> &'static str {
    match reply.kind {
        ReplyKind::Unreachable(Unreachable::Net) => " !N",
        ReplyKind::Unreachable(Unreachable::Host) => " !H",
        ReplyKind::Unreachable(Unreachable::Protocol) => " !P",
        ReplyKind::Unreachable(Unreachable::Prohibited) => " !X",
        ReplyKind::Unreachable(Unreachable::Port) if reply.from != target => " !p",
        ReplyKind::Unreachable(Unreachable::Other) | ReplyKind::OtherIcmp => " !?",
        ReplyKind::SynAck => " open",
        ReplyKind::Rst => " closed",
        _ => "",
    }
}

/// What stands in place of an end, if no flow came to one.
fn silence(records: &[ProbeRecord]) -> Option<String> {
    if records.iter().any(is_end) {
        return None;
    }
    let target = records.first()?.target();
    let ttl = |record: &ProbeRecord| record.probe.ttl.get();
    let asked = records.iter().map(ttl).max()?;
    let heard = records.iter().filter(|record| answer(record).is_some()).map(ttl).max();
    Some(match heard {
        Some(heard) if heard < asked => {
            format!("no answer from {target}, and none from hops {} to {asked}", heard.saturating_add(1))
        }
        Some(_) => format!("no answer from {target} within {asked} hops"),
        None => format!("no answer from {target}, and none from any of {asked} hops"),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Method, Outcome, Port, Prefix, RoundId, RttSource, Ttl, Unit, WallTime};

    const TARGET: &str = "192.0.2.99";

    fn record(ttl: u8, flow: u16, heard: Option<(&str, ReplyKind)>) -> ProbeRecord {
        let target = TARGET.parse().unwrap();
        ProbeRecord {
            vantage: "vantage".parse().unwrap(),
            prober: "trace".parse().unwrap(),
            method: Method::Trace,
            probe: Probe {
                round: RoundId(1),
                target,
                protocol: Protocol::Tcp,
                port: Port::new(80),
                flow: FlowId(flow),
                ttl: Ttl::new(ttl).unwrap(),
                attempt: 0,
            },
            unit: Unit(Prefix::covering(target, 24).unwrap()),
            control: false,
            sent_at: Some(WallTime::from_nanos(1)),
            outcome: heard.map_or(Outcome::Silent, |(from, kind)| Outcome::Answered {
                reply: Reply::plain(from.parse().unwrap(), kind),
                rtt: Rtt { span: Duration::from_micros(1500), source: RttSource::Kernel },
            }),
        }
    }

    fn hop_of(ttl: u8, flow: u16, from: &str) -> ProbeRecord {
        record(ttl, flow, Some((from, ReplyKind::TimeExceeded)))
    }

    fn text(records: &[ProbeRecord], origins: &OriginTable) -> String {
        let mut out = Vec::new();
        write(&mut out, records, origins).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn branches_silence_and_the_end_of_each_flow_can_be_read_off() {
        let open = Some((TARGET, ReplyKind::SynAck));
        let records = [
            hop_of(1, 0, "10.0.0.1"),
            hop_of(1, 1, "10.0.0.1"),
            hop_of(2, 0, "10.20.0.2"),
            hop_of(2, 1, "10.30.0.2"),
            record(3, 0, None),
            record(3, 1, None),
            hop_of(4, 0, "10.40.0.4"),
            record(4, 1, None),
            record(5, 0, open),
            record(5, 1, open),
            record(6, 0, open),
        ];
        let expected = "\
trace to 192.0.2.99 by TCP SYN to port 80, 2 flows
  1  10.0.0.1        1.500 ms
  2  10.20.0.2       1.500 ms  flows 0
     10.30.0.2       1.500 ms  flows 1
  3  *
  4  10.40.0.4       1.500 ms  flows 0
     *                         flows 1
  5  192.0.2.99      1.500 ms open
";
        assert_eq!(text(&records, &OriginTable::default()), expected);
    }

    #[test]
    fn a_known_as_has_a_column_and_a_refusal_its_letter() {
        let prohibited = ReplyKind::Unreachable(Unreachable::Prohibited);
        let records = [hop_of(1, 0, "10.0.0.1"), record(2, 0, Some(("4.69.0.1", prohibited)))];
        let origins =
            OriginTable::from_entries([("4.69.0.0/16".parse().unwrap(), vec!["AS4837".parse().unwrap()])]);
        let expected = "\
trace to 192.0.2.99 by TCP SYN to port 80, 1 flow
  1  10.0.0.1              1.500 ms
  2  4.69.0.1  AS4837      1.500 ms !X
";
        assert_eq!(text(&records, &origins), expected);
    }

    #[test]
    fn a_target_that_says_nothing_is_named_with_how_far_the_path_was_heard() {
        let records = [hop_of(1, 0, "10.0.0.1"), record(2, 0, None), record(3, 0, None)];
        let origins = OriginTable::default();
        assert!(
            text(&records, &origins).ends_with("\nno answer from 192.0.2.99, and none from hops 2 to 3\n")
        );
        assert!(
            text(&records[1..], &origins)
                .ends_with("\nno answer from 192.0.2.99, and none from any of 3 hops\n")
        );
        assert!(text(&[], &origins).is_empty());
    }
}

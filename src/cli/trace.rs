//! `trace`: the paths to one target, for a person at a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use super::exit::{Code, Failure, OrFail};
use super::run::{per_mille, progress_bar, unfit};
use super::{TraceArgs, TraceFormat, out};
use crate::analyse::origin::OriginTable;
use crate::dataset::{Ledger, ProbeRecord};
use crate::measure::campaign::config::VantageConfig;
use crate::measure::campaign::{
    Campaign, Report, RoundOrder, Station, StationOrder, drive, prepare, station_order,
};
use crate::measure::guard::{AllowedTargets, GuardRules, Standing, registered};
use crate::measure::probe::{TraceOrder, TraceProber};
use crate::measure::schedule::PacerRates;
use crate::model::{
    Clock, ClockPair, FlowId, Method, Outcome, Port, Pps, Prefix, Protocol, Reply, ReplyKind, RoundId, Rtt,
    SystemClock, Ttl, Unit, Unreachable,
};
use crate::report;

/// The round of a trace that belongs to no campaign.
const ROUND: RoundId = RoundId(1);

pub(super) fn run(args: &TraceArgs) -> Result<(), Failure> {
    let origins = report::load_origins(&args.origins).or_fail(Code::Usage)?;
    let clock = SystemClock::start();
    let pair = ClockPair::new(clock.mono(), clock.wall());
    let campaign = args.campaign.as_deref().map(Campaign::load).transpose().or_fail(Code::Usage)?;
    let station = prepare(order(args, campaign.as_ref())?, clock, pair).map_err(unfit)?;
    let (records, ledger) = trace(args, station)?;
    match args.format {
        TraceFormat::Csv => out::records(records.into_iter().map(Ok)),
        TraceFormat::Text => out::data(|out| print(out, args.target, &records, &origins)),
    }?;
    out::say(format_args!("{ledger}"));
    Ok(())
}

/// What the trace needs of the vantage: the campaign lends its operator, vantage and opt-outs, and its
/// target list does not matter. Private space may be traced, since a person named the very address.
fn order(args: &TraceArgs, campaign: Option<&Campaign>) -> Result<StationOrder, Failure> {
    let rate = Pps::new(args.rate).filter(|rate| rate.get() <= 1000.0).ok_or_else(|| {
        Failure::new(Code::Usage, format!("--rate {}: must be above 0 and at most 1000", args.rate))
    })?;
    let base = match campaign {
        Some(campaign) => station_order(campaign, 1.0).or_fail(Code::Usage)?,
        None => unnamed(rate)?,
    };
    let target =
        AllowedTargets { prefix: Prefix::host(args.target), unit_length: unit_length(args.target) };
    let mut rules = base.rules;
    rules.targets = vec![target];
    rules.allow_private =
        registered(args.target).is_some_and(|entry| matches!(entry.standing, Standing::Private));
    let rates = PacerRates { total: rate, burst: 1, per_unit: rate, per_responder: rate };
    Ok(StationOrder { rules, targets: vec![args.target], rates, unprivileged: None, ..base })
}

/// The vantage of nobody's campaign: no operator, so that public space is closed to it.
fn unnamed(rate: Pps) -> Result<StationOrder, Failure> {
    let name = "trace".parse().or_fail(Code::Failed)?;
    Ok(StationOrder {
        vantage: VantageConfig { name, interface: None, source_v4: None, source_v6: None },
        rules: GuardRules::closed(),
        targets: Vec::new(),
        rates: PacerRates { total: rate, burst: 1, per_unit: rate, per_responder: rate },
        attribution: None,
        unprivileged: None,
    })
}

fn unit_length(target: IpAddr) -> u8 {
    Unit::default_length(target.is_ipv4())
}

/// Runs the one round.
fn trace(args: &TraceArgs, mut station: Station) -> Result<(Vec<ProbeRecord>, Ledger), Failure> {
    station.engine.start(round(args)?);
    let bar = progress_bar();
    let (mut records, mut ledger) = (Vec::new(), Ledger::default());
    while !station.engine.is_idle() {
        let until = station.link.now().after(std::time::Duration::from_millis(200));
        drive(&mut station.engine, station.link.as_mut(), until, &|| true, &mut |reports| {
            for report in reports {
                match report {
                    Report::Record(record) => records.push(record),
                    Report::RoundOver { ledger: whole, .. } => ledger = whole,
                }
            }
        });
        bar.set_message(format!("{} answers", records.iter().filter(|r| answer(r).is_some()).count()));
        if let Some((_, (total, asked))) = station.engine.progress().next() {
            #[allow(clippy::cast_precision_loss, reason = "a progress bar needs no 53 bits")]
            bar.set_position(per_mille(asked as f64 / total.max(1) as f64));
        }
    }
    bar.finish_and_clear();
    Ok((records, ledger))
}

fn round(args: &TraceArgs) -> Result<RoundOrder, Failure> {
    let protocol = Protocol::from(args.protocol);
    let port = match protocol {
        Protocol::Icmp => None,
        Protocol::Udp => Some(args.port.unwrap_or(Port::TRACEROUTE)),
        Protocol::Tcp => args.port.or(Port::new(80)),
    };
    let prober = TraceProber::new(TraceOrder {
        round: ROUND,
        targets: vec![args.target],
        protocol,
        port,
        flows: args.flows,
        first_ttl: Ttl::new(args.first_ttl).unwrap_or(Ttl::FIRST),
        max_ttl: Ttl::new(args.max_ttl).unwrap_or(Ttl::FIRST),
        gap_limit: args.gap_limit,
        attempts: args.attempts,
        seed: 0,
    });
    let unit = Prefix::covering(args.target, unit_length(args.target))
        .ok_or_else(|| Failure::new(Code::Usage, format!("{} has no unit", args.target)))?;
    Ok(RoundOrder {
        id: ROUND,
        prober_name: "trace".parse().or_fail(Code::Failed)?,
        method: Method::Trace,
        prober: Box::new(prober),
        timeout: args.wait,
        targets: Arc::new(BTreeMap::from([(args.target, (Unit(unit), false))])),
        ledger: Ledger::default(),
    })
}

fn answer(record: &ProbeRecord) -> Option<(&Reply, Rtt)> {
    match &record.outcome {
        Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt } => Some((reply, *rtt)),
        _ => None,
    }
}

/// What answered at one TTL: for each address, the flows that met it and the quickest answer.
type HopRow<'a> = BTreeMap<IpAddr, (Vec<FlowId>, &'a Reply, Rtt)>;

/// One line a hop and address, as traceroute has taught everybody to read them.
fn print(
    out: &mut dyn Write,
    target: IpAddr,
    records: &[ProbeRecord],
    origins: &OriginTable,
) -> io::Result<()> {
    let end = path_end(target, records);
    let last = records.iter().map(|record| record.probe.ttl.get()).filter(|ttl| *ttl <= end).max();
    for ttl in records.iter().map(|r| r.probe.ttl.get()).min().unwrap_or(1)..=last.unwrap_or(0) {
        let hop = hop_row(records, ttl);
        if hop.is_empty() {
            writeln!(out, "{ttl:>3}  *")?;
        }
        for (line, (address, (flows, reply, rtt))) in hop.iter().enumerate() {
            let number = if line == 0 { format!("{ttl:>3}") } else { "   ".to_owned() };
            let asn = origins.lookup(*address).asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string());
            let millis = rtt.span.as_secs_f64() * 1000.0;
            write!(out, "{number}  {address:<39} {asn:<10} {millis:>9.3} ms{}", remark(reply, target))?;
            if hop.len() > 1 {
                write!(out, "  flows {}", list(flows))?;
            }
            for label in &reply.mpls {
                write!(out, "  MPLS label {} TTL {}", label.label, label.ttl)?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The TTL behind which only repetitions of the path's end were heard.
fn path_end(target: IpAddr, records: &[ProbeRecord]) -> u8 {
    let ends = |record: &&ProbeRecord| {
        answer(record).is_some_and(|(reply, _)| {
            reply.kind.arrived(reply.from == target) || matches!(reply.kind, ReplyKind::Unreachable(_))
        })
    };
    let mut by_flow: BTreeMap<FlowId, u8> = BTreeMap::new();
    for record in records.iter().filter(ends) {
        let end = by_flow.entry(record.probe.flow).or_insert(u8::MAX);
        *end = record.probe.ttl.get().min(*end);
    }
    let heard = records.iter().filter(|record| answer(record).is_some());
    let farthest = heard.map(|record| record.probe.ttl.get()).max().unwrap_or(0);
    by_flow.into_values().max().unwrap_or(farthest)
}

fn hop_row(records: &[ProbeRecord], ttl: u8) -> HopRow<'_> {
    let mut row = HopRow::new();
    for record in records.iter().filter(|record| record.probe.ttl.get() == ttl) {
        let Some((reply, rtt)) = answer(record) else { continue };
        let entry = row.entry(reply.from).or_insert_with(|| (Vec::new(), reply, rtt));
        entry.0.push(record.probe.flow);
        if rtt.span < entry.2.span {
            entry.2 = rtt;
        }
    }
    row
}

/// What traceroute writes behind a hop that is no ordinary one.
fn remark(reply: &Reply, target: IpAddr) -> &'static str {
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

fn list(flows: &[FlowId]) -> String {
    let mut flows: Vec<u16> = flows.iter().map(|flow| flow.0).collect();
    flows.sort_unstable();
    flows.dedup();
    flows.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

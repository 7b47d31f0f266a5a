//! `trace`: the paths to one target, for a person at a terminal.

mod text;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::exit::{Code, Failure, OrFail};
use super::run::{per_mille, progress_bar, unfit};
use super::{TraceArgs, TraceFormat, lab_tables, out};
use crate::dataset::{Ledger, ProbeRecord};
use crate::measure::campaign::config::VantageConfig;
use crate::measure::campaign::{
    Campaign, Report, RoundOrder, Station, StationOrder, drive, prepare, station_order,
};
use crate::measure::guard::{AllowedTargets, GuardRules, Standing, registered};
use crate::measure::probe::{TraceOrder, TraceProber};
use crate::measure::schedule::PacerRates;
use crate::model::{
    ClockPair, Method, Outcome, Port, Pps, Prefix, Protocol, Reply, RoundId, Rtt, SystemClock, Ttl, Unit,
};
use crate::report;

/// The round of a trace that belongs to no campaign.
const ROUND: RoundId = RoundId(1);

pub(super) fn run(args: &TraceArgs) -> Result<(), Failure> {
    let clock = SystemClock::start();
    let pair = ClockPair::read(&clock);
    let campaign = args.campaign.as_deref().map(Campaign::load).transpose().or_fail(Code::Usage)?;
    let station = prepare(order(args, campaign.as_ref())?, clock, pair).map_err(unfit)?;
    let in_lab = lab_tables::origins_at().filter(|_| station.rehearsal && args.origins.is_empty());
    let origins = in_lab.map_or_else(|| args.origins.clone(), |table| vec![table]);
    let origins = report::load_origins(&origins).or_fail(Code::Usage)?;
    let (records, ledger) = trace(args, station)?;
    match args.format {
        TraceFormat::Csv => out::records(records.into_iter().map(Ok)),
        TraceFormat::Text => out::data(|out| text::write(out, &records, &origins)),
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
        let driven = drive(&mut station.engine, station.link.as_mut(), until, &|| true, &mut |reports| {
            for report in reports {
                match report {
                    Report::Record(record) => records.push(record),
                    Report::RoundOver { ledger: whole, .. } => ledger.add(whole),
                    Report::Beside { round: None, counts } => ledger.add(counts),
                    Report::Beside { .. } => {}
                }
            }
        });
        driven.or_fail(Code::VantageUnfit)?;
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

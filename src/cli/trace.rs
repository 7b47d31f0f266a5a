//! `trace`: every path to one target, for a person at a terminal; or the paths of pinned flows.

mod json;
mod text;
mod view;
mod ways;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use humantime::format_duration;

use super::exit::{Code, Failure, OrFail};
use super::run::unfit;
use super::stop::Stop;
use super::{ProtocolArg, TraceArgs, TraceFormat, lab_tables, out};
use crate::dataset::{Ledger, ProbeRecord};
use crate::formats::as_names::load_as_names;
use crate::measure::campaign::config::VantageConfig;
use crate::measure::campaign::{
    Campaign, Report, RoundOrder, Station, StationOrder, SweptSoFar, drive, prepare, station_order,
};
use crate::measure::guard::{AllowedTargets, GuardRules, Standing, registered};
use crate::measure::net::PacketPath;
use crate::measure::probe::{
    Algorithm, LimitTested, MultipathOrder, MultipathProber, Prober, Targets, TraceOrder, TraceProber, Way,
};
use crate::measure::schedule::PacerRates;
use crate::model::{
    ClockPair, Method, Outcome, Port, Pps, Prefix, Protocol, Reply, RoundId, Rtt, SystemClock, Ttl, Unit,
};
use crate::multipath::StoppingRule;
use crate::report;

use view::{Labels, View};

/// The round of a trace that belongs to no campaign.
const ROUND: RoundId = RoundId(1);
/// How many routers are tested for a limit on their answers, at most: somebody is waiting.
const MOST_TESTED: u8 = 2;
/// As long as an answer is waited for at least.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

pub(super) fn run(args: &TraceArgs) -> Result<(), Failure> {
    let clock = SystemClock::start();
    let pair = ClockPair::read(&clock);
    let campaign = args.campaign.as_deref().map(Campaign::load).transpose().or_fail(Code::Usage)?;
    let order = round(args)?;
    let station = prepare(station_of(args, campaign.as_ref())?, clock, pair).map_err(unfit)?;
    let tables = lab_tables::paths().filter(|_| station.rehearsal);
    let (in_lab, names_in_lab) = tables.unzip();
    let origins = report::load_origins(&given_or(&args.origins, in_lab)).or_fail(Code::Usage)?;
    let names = load_as_names(&given_or(&args.as_names, names_in_lab)).or_fail(Code::Usage)?;
    let view = View::new(Labels { origins: &origins, names: &names });
    let stop = Stop::listen().or_fail(Code::Failed)?;
    let (records, ledger) = trace(order, station, &view, &stop)?;
    let decided = records.len();
    let format = if args.json { TraceFormat::Json } else { args.format };
    match (format, args.flows) {
        (TraceFormat::Csv, _) => out::records(records.into_iter().map(Ok)),
        (TraceFormat::Text, Some(_)) => out::data(|out| text::write(out, &records, &origins)),
        (TraceFormat::Text, None) => out::data(|out| view.write(out, &records)),
        (TraceFormat::Json, _) => out::data(|out| json::write(out, &records, view.labels())),
    }?;
    if let Some(code) = stop.seen() {
        return Err(Failure::new(code, format!("stopped; this is what {decided} packets told")));
    }
    out::say(format_args!("{ledger}"));
    Ok(())
}

/// The tables that were named, or else the lab's.
fn given_or(given: &[PathBuf], in_lab: Option<PathBuf>) -> Vec<PathBuf> {
    if given.is_empty() { in_lab.into_iter().collect() } else { given.to_vec() }
}

/// What the trace needs of the vantage: the campaign lends its operator, vantage and opt-outs, and its
/// target list does not matter. Private space may be traced, since a person named the very address.
fn station_of(args: &TraceArgs, campaign: Option<&Campaign>) -> Result<StationOrder, Failure> {
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
    // A person's one trace goes by --rate alone.
    Ok(StationOrder {
        rules,
        targets: vec![args.target],
        rates,
        too_fast: None,
        unprivileged: None,
        ..base
    })
}

/// The vantage of nobody's campaign: no operator, so that public space is closed to it.
fn unnamed(rate: Pps) -> Result<StationOrder, Failure> {
    let name = "trace".parse().or_fail(Code::Failed)?;
    Ok(StationOrder {
        vantage: VantageConfig {
            name,
            interface: None,
            source_v4: None,
            source_v6: None,
            packet_path: PacketPath::Auto,
        },
        rules: GuardRules::closed(),
        targets: Vec::new(),
        rates: PacerRates { total: rate, burst: 1, per_unit: rate, per_responder: rate },
        too_fast: None,
        attribution: None,
        unprivileged: None,
    })
}

fn unit_length(target: IpAddr) -> u8 {
    Unit::default_length(target.is_ipv4())
}

/// Runs the one round until it is over or stopped, and shows at a terminal how it grows.
fn trace(
    order: RoundOrder,
    mut station: Station,
    view: &View<'_>,
    stop: &Stop,
) -> Result<(Vec<ProbeRecord>, Ledger), Failure> {
    station.engine.start(order);
    let mut screen = view.on_screen();
    let (mut records, mut ledger) = (Vec::new(), Ledger::default());
    let going_on = || stop.seen().is_none();
    while !station.engine.is_idle() && going_on() {
        let until = station.link.now().after(Duration::from_millis(200));
        let driven = drive(&mut station.engine, station.link.as_mut(), until, &going_on, &mut |reports| {
            for report in reports {
                match report {
                    Report::Record(record) => records.push(record),
                    Report::RoundOver { ledger: whole, .. } => ledger.add(whole),
                    Report::Beside { round: None, counts } => ledger.add(counts),
                    Report::Beside { .. }
                    | Report::Dropped { .. }
                    | Report::Asked { .. }
                    | Report::Swept { .. } => {}
                }
            }
        });
        driven.or_fail(Code::VantageUnfit)?;
        screen.show(&records);
    }
    screen.clear();
    Ok((records, ledger))
}

fn round(args: &TraceArgs) -> Result<RoundOrder, Failure> {
    refuse_the_impossible(args)?;
    let unit = Prefix::covering(args.target, unit_length(args.target))
        .ok_or_else(|| Failure::new(Code::Usage, format!("{} has no unit", args.target)))?;
    let (method, prober): (Method, Box<dyn Prober>) = match args.flows {
        Some(flows) => (Method::Trace, Box::new(TraceProber::new(pinned(args, flows)))),
        None => (Method::Multipath, Box::new(MultipathProber::new(multipath(args)?))),
    };
    let targets: Arc<Targets> = Arc::new([(args.target, (Unit(unit), false))].into_iter().collect());
    let prober = Box::new(LimitTested::new(prober, Arc::clone(&targets), MOST_TESTED, 0).in_haste());
    Ok(RoundOrder {
        id: ROUND,
        prober_name: "trace".parse().or_fail(Code::Failed)?,
        method,
        prober,
        timeout: args.wait,
        targets,
        ledger: Ledger::default(),
        swept: SweptSoFar::default(),
    })
}

/// Refuses what cannot be measured, before anything is opened or sent.
fn refuse_the_impossible(args: &TraceArgs) -> Result<(), Failure> {
    let json = args.json || matches!(args.format, TraceFormat::Json);
    let rule = if args.first_ttl > args.max_ttl {
        format!("--first-ttl {}: must be at most --max-ttl, which is {}", args.first_ttl, args.max_ttl)
    } else if args.wait < SHORTEST_WAIT {
        format!(
            "--wait {}: must be at least {}",
            format_duration(args.wait),
            format_duration(SHORTEST_WAIT)
        )
    } else if let (ProtocolArg::Icmp, Some(port)) = (args.protocol, args.port) {
        format!("--port {port}: ICMP has no ports; add --protocol udp or tcp")
    } else if args.flows.is_some() && json {
        "--json tells of all paths: leave out --flows, or use --format csv".to_owned()
    } else {
        return Ok(());
    };
    Err(Failure::new(Code::Usage, rule))
}

fn pinned(args: &TraceArgs, flows: u16) -> TraceOrder {
    TraceOrder { round: ROUND, targets: vec![args.target], way: way(args), flows, seed: 0 }
}

fn multipath(args: &TraceArgs) -> Result<MultipathOrder, Failure> {
    let narrowest = args.narrowest_branch;
    if let Some(share) = narrowest.filter(|share| !(0.001..=0.5).contains(share)) {
        let rule = format!("--narrowest-branch {share}: must be from 0.001 to 0.5 of all flows");
        return Err(Failure::new(Code::Usage, rule));
    }
    let (way, stopping) = (way(args), StoppingRule::per_hop(args.confidence).or_fail(Code::Usage)?);
    let flows = u32::try_from(stopping.flows(1, narrowest)).unwrap_or(u32::MAX);
    let fewest = flows.saturating_mul(way.hops().into());
    if args.packets < fewest {
        let rule = format!(
            "--packets {}: must be at least {fewest}: the stopping rule wants {flows} flows at each of {} hops",
            args.packets,
            way.hops()
        );
        return Err(Failure::new(Code::Usage, rule));
    }
    Ok(MultipathOrder {
        round: ROUND,
        targets: vec![args.target],
        way,
        algorithm: if args.full { Algorithm::Full } else { Algorithm::Lite },
        stopping,
        narrowest,
        budget: args.packets,
        seed: 0,
    })
}

fn way(args: &TraceArgs) -> Way {
    let protocol = Protocol::from(args.protocol);
    Way {
        protocol,
        port: match protocol {
            Protocol::Icmp => None,
            Protocol::Udp => Some(args.port.unwrap_or(Port::TRACEROUTE)),
            Protocol::Tcp => args.port.or(Port::new(80)),
        },
        first_ttl: Ttl::new(args.first_ttl).unwrap_or(Ttl::FIRST),
        max_ttl: Ttl::new(args.max_ttl).unwrap_or(Ttl::FIRST),
        gap_limit: args.gap_limit,
        attempts: args.attempts,
    }
}

fn answer(record: &ProbeRecord) -> Option<(&Reply, Rtt)> {
    match &record.outcome {
        Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt } => Some((reply, *rtt)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    /// What is refused of these words behind `trace`, before there is a station that could send.
    fn refusal(words: &str) -> Option<String> {
        let command = TraceArgs::augment_args(Command::new("trace").no_binary_name(true));
        let matches = command.try_get_matches_from(words.split(' ').chain(["192.0.2.1"])).unwrap();
        let args = TraceArgs::from_arg_matches(&matches).unwrap();
        round(&args).err().map(|failure| failure.to_string())
    }

    #[test]
    fn what_cannot_be_measured_is_refused_by_name_and_before_anything_is_sent() {
        for (words, named) in [
            ("--first-ttl 9 --max-ttl 3", "--first-ttl 9"),
            ("--flows 2 --first-ttl 9 --max-ttl 3", "--first-ttl 9"),
            ("--wait 0s", "--wait 0s: must be at least 100ms"),
            ("--port 80", "--port 80"),
            ("--flows 2 --json", "--json"),
            ("--confidence 0", "confidence 0"),
            ("--confidence 1", "confidence 1"),
            ("--confidence 95", "confidence 95"),
            ("--confidence nan", "confidence NaN"),
            ("--narrowest-branch 0", "--narrowest-branch 0"),
            ("--narrowest-branch 0.6", "--narrowest-branch 0.6"),
            ("--packets 179", "--packets 179: must be at least 180"),
            ("--narrowest-branch 0.001", "--packets 20000: must be at least"),
        ] {
            let refusal = refusal(words).unwrap_or_default();
            assert!(refusal.starts_with(named), "{words}: {refusal:?}");
        }
        assert_eq!(refusal("--packets 180 --protocol udp --port 53"), None);
    }
}

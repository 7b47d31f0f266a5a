//! One `[[probers]]` table → one [`ProberSpec`].

use std::fmt::Debug;
use std::ops::Range;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use toml::Spanned;

use super::check::Checker;
use super::limits::{self, Limit};
use super::raw::{ProberTable, Text, Whole};
use super::{ProberKind, ProberSpec};
use crate::limits::MOST_PACKETS;
use crate::measure::probe::{Algorithm, Way};
use crate::measure::schedule::{Schedule, When};
use crate::model::{Method, Port, Protocol, Ttl, WallTime};
use crate::multipath::StoppingRule;

/// 2017-01-01T00:00:00Z: cron patterns are judged by the rounds that they would give from here on.
const REFERENCE: WallTime = WallTime::from_nanos(1_483_228_800_000_000_000);

/// Reads the table of a prober; `None` if something is wrong that no default can stand in for.
pub(super) fn prober(check: &mut Checker<'_>, table: &ProberTable) -> Option<ProberSpec> {
    let name = check.parsed("probers.name", &table.name);
    let timeout = check.span_of_time("probers.timeout", table.timeout.as_ref(), limits::TIMEOUT);
    let schedule = schedule(check, table);
    let method = method(check, table);
    if let Some(method) = method {
        refuse_foreign_keys(check, table, method);
    }
    let kind = match method? {
        Method::Echo => echo(check, table),
        Method::Tcp => tcp(check, table)?,
        Method::Trace => trace(check, table)?,
        Method::Multipath => multipath(check, table)?,
        Method::Census => census(check, table)?,
        Method::Udp | Method::Timestamp => return None,
    };
    let limit_tests = limit_tests(check, table, kind.method());
    Some(ProberSpec { name: name?, kind, timeout, limit_tests, schedule: schedule? })
}

fn method(check: &mut Checker<'_>, table: &ProberTable) -> Option<Method> {
    let is_ours = |method: &Method| !matches!(method, Method::Udp | Method::Timestamp);
    let ours = Method::ALL.into_iter().filter(is_ours);
    let found = ours.into_iter().find(|method| method.as_str() == table.kind.get_ref());
    if found.is_none() {
        let rule = "must be \"echo\", \"tcp\", \"trace\", \"multipath\" or \"census\"";
        check.refuse("probers.kind", &table.kind, rule);
    }
    found
}

/// A key and what stands there, if it is given.
type Given = (&'static str, Option<(Range<usize>, String)>);

fn given<T: Debug>(key: &'static str, value: Option<&Spanned<T>>) -> Given {
    (key, value.map(|value| (value.span(), format!("probers.{key} = {:?}", value.get_ref()))))
}

/// Refuses keys that mean nothing for this kind of prober.
fn refuse_foreign_keys(check: &mut Checker<'_>, table: &ProberTable, method: Method) {
    const WAYS: &[Method] = &[Method::Trace, Method::Multipath, Method::Census];
    const ALL_WAYS: &[Method] = &[Method::Multipath, Method::Census];
    let ports = table.ports.as_ref().map(|ports| {
        let numbers: Vec<i64> = ports.get_ref().iter().map(|port| *port.get_ref()).collect();
        (ports.span(), format!("probers.ports = {numbers:?}"))
    });
    let by_owner: [(Given, &[Method]); 17] = [
        (given("echoes", table.echoes.as_ref()), &[Method::Echo]),
        (given("spacing", table.spacing.as_ref()), &[Method::Echo]),
        (("ports", ports), &[Method::Tcp]),
        (given("attempts", table.attempts.as_ref()), &[Method::Tcp, Method::Trace, Method::Multipath]),
        (given("protocol", table.protocol.as_ref()), WAYS),
        (given("port", table.port.as_ref()), WAYS),
        (given("flows", table.flows.as_ref()), &[Method::Trace]),
        (given("first_ttl", table.first_ttl.as_ref()), WAYS),
        (given("max_ttl", table.max_ttl.as_ref()), WAYS),
        (given("gap_limit", table.gap_limit.as_ref()), WAYS),
        (given("algorithm", table.algorithm.as_ref()), &[Method::Multipath]),
        (given("confidence", table.confidence.as_ref()), ALL_WAYS),
        (given("balancers", table.balancers.as_ref()), ALL_WAYS),
        (given("narrowest_branch", table.narrowest_branch.as_ref()), ALL_WAYS),
        (given("packets", table.packets.as_ref()), ALL_WAYS),
        (given("limit_tests", table.limit_tests.as_ref()), WAYS),
        (given("every_address", table.every_address.as_ref()), &[Method::Census]),
    ];
    for ((_, value), owners) in by_owner {
        let Some((span, found)) = value.filter(|_| !owners.contains(&method)) else { continue };
        let names: Vec<String> = owners.iter().map(|owner| format!("{:?}", owner.as_str())).collect();
        let rule =
            format!("belongs to kind = {}, not to kind = \"{}\"", names.join(" or "), method.as_str());
        check.refuse_at(&span, &found, rule);
    }
}

fn echo(check: &mut Checker<'_>, table: &ProberTable) -> ProberKind {
    let echoes = check.whole("probers.echoes", table.echoes.as_ref(), limits::ECHOES);
    let spacing = check.span_of_time("probers.spacing", table.spacing.as_ref(), limits::SPACING);
    ProberKind::Echo { echoes: small(echoes), spacing }
}

fn tcp(check: &mut Checker<'_>, table: &ProberTable) -> Option<ProberKind> {
    let attempts = check.whole("probers.attempts", table.attempts.as_ref(), limits::TCP_ATTEMPTS);
    let Some(list) = &table.ports else {
        check.refuse("probers.kind", &table.kind, "needs probers.ports, as in ports = [443]");
        return None;
    };
    if !(1..=limits::MAX_PORTS).contains(&list.get_ref().len()) {
        let found = format!("probers.ports = [{} ports]", list.get_ref().len());
        check.refuse_at(&list.span(), &found, format!("must be 1 to {} ports", limits::MAX_PORTS));
    }
    let mut ports = Vec::new();
    for value in list.get_ref() {
        match port(check, "probers.ports", value) {
            Some(port) if ports.contains(&port) => {
                check.refuse("probers.ports", value, "is listed twice");
            }
            Some(port) => ports.push(port),
            None => {}
        }
    }
    Some(ProberKind::Tcp { ports, attempts: small(attempts) })
}

fn trace(check: &mut Checker<'_>, table: &ProberTable) -> Option<ProberKind> {
    let way = way(check, table)?;
    let flows = check.whole("probers.flows", table.flows.as_ref(), limits::FLOWS);
    Some(ProberKind::Trace { way, flows: u16::try_from(flows).unwrap_or(1) })
}

fn multipath(check: &mut Checker<'_>, table: &ProberTable) -> Option<ProberKind> {
    let way = way(check, table)?;
    let stopping = stopping(check, table)?;
    let narrowest = narrowest(check, table);
    let least = (stopping.flows(1, narrowest), way.hops());
    let packets = packets(check, table, limits::PACKETS, least);
    Some(ProberKind::Multipath { way, algorithm: algorithm(check, table)?, stopping, narrowest, packets })
}

fn census(check: &mut Checker<'_>, table: &ProberTable) -> Option<ProberKind> {
    let way = way(check, table)?;
    let confidence = (limits::CONFIDENCE, "as a probability");
    let confidence = check.number("probers.confidence", table.confidence.as_ref(), confidence);
    let stopping = StoppingRule::per_hop(confidence).ok()?;
    let balancers = table.balancers.as_ref().map(|value| {
        u32::try_from(check.whole("probers.balancers", Some(value), limits::BALANCERS)).unwrap_or(1)
    });
    let narrowest = narrowest(check, table);
    // At least one router a hop will be found, if there are so many hops.
    let together = stopping.together(balancers.unwrap_or(way.hops().into()));
    let least = (together.flows(1, narrowest), way.hops());
    let packets = packets(check, table, limits::CENSUS_PACKETS, least);
    let every_address = table.every_address.as_ref().is_none_or(|value| *value.get_ref());
    Some(ProberKind::Census { way, stopping, balancers, narrowest, every_address, packets })
}

fn narrowest(check: &mut Checker<'_>, table: &ProberTable) -> Option<f64> {
    let value = table.narrowest_branch.as_ref()?;
    let limit = (limits::NARROWEST_BRANCH, "of all flows");
    Some(check.number("probers.narrowest_branch", Some(value), limit))
}

/// The budget, which must do for so many flows at each of so many hops.
fn packets(
    check: &mut Checker<'_>,
    table: &ProberTable,
    limit: Limit<i64>,
    (flows, hops): (usize, u8),
) -> u32 {
    let packets = check.whole("probers.packets", table.packets.as_ref(), limit);
    let fewest = i64::try_from(flows).unwrap_or(i64::MAX).saturating_mul(hops.into());
    if packets < fewest {
        let rule = format!(
            "must be at least {fewest}: the stopping rule wants {flows} flows at each of {hops} hops, also where \
             nothing is balanced"
        );
        if let Some(value) = &table.packets {
            check.refuse("probers.packets", value, rule);
        } else {
            check.refuse("probers.kind", &table.kind, format!("probers.packets is {packets}: {rule}"));
        }
    }
    u32::try_from(packets).unwrap_or(u32::MAX)
}

/// How many routers are tested; none by traces, unless they are told to.
fn limit_tests(check: &mut Checker<'_>, table: &ProberTable, method: Method) -> u8 {
    let usual = match method {
        Method::Multipath | Method::Census => limits::LIMIT_TESTS.default,
        Method::Echo | Method::Tcp | Method::Udp | Method::Timestamp | Method::Trace => 0,
    };
    let limit = Limit { default: usual, ..limits::LIMIT_TESTS };
    u8::try_from(check.whole("probers.limit_tests", table.limit_tests.as_ref(), limit)).unwrap_or(0)
}

fn algorithm(check: &mut Checker<'_>, table: &ProberTable) -> Option<Algorithm> {
    match table.algorithm.as_ref().map_or("mda-lite", |text| text.get_ref().as_str()) {
        "mda-lite" => Some(Algorithm::Lite),
        "mda" => Some(Algorithm::Full),
        _ => {
            let rule = "must be \"mda-lite\" or \"mda\"";
            table.algorithm.as_ref().map(|value| check.refuse("probers.algorithm", value, rule))?;
            None
        }
    }
}

fn stopping(check: &mut Checker<'_>, table: &ProberTable) -> Option<StoppingRule> {
    let limit = (limits::CONFIDENCE, "as a probability");
    let confidence = check.number("probers.confidence", table.confidence.as_ref(), limit);
    let balancers = check.whole("probers.balancers", table.balancers.as_ref(), limits::BALANCERS);
    StoppingRule::whole_graph(confidence, u32::try_from(balancers).unwrap_or(1)).ok()
}

/// How the routers on a way are asked.
fn way(check: &mut Checker<'_>, table: &ProberTable) -> Option<Way> {
    let (protocol, port) = carrier(check, table)?;
    let lowest = Limit { default: limits::TTL.lowest, ..limits::TTL };
    let first_ttl = check.whole("probers.first_ttl", table.first_ttl.as_ref(), lowest);
    let max_ttl = check.whole("probers.max_ttl", table.max_ttl.as_ref(), limits::TTL);
    if let Some(value) = table.first_ttl.as_ref().filter(|_| first_ttl > max_ttl) {
        let rule = format!("must be at most probers.max_ttl, which is {max_ttl}");
        check.refuse("probers.first_ttl", value, rule);
    }
    let gap_limit = check.whole("probers.gap_limit", table.gap_limit.as_ref(), limits::GAP_LIMIT);
    let attempts = check.whole("probers.attempts", table.attempts.as_ref(), limits::TRACE_ATTEMPTS);
    Some(Way {
        protocol,
        port,
        first_ttl: Ttl::new(small(first_ttl)).unwrap_or(Ttl::FIRST),
        max_ttl: Ttl::new(small(max_ttl)).unwrap_or(Ttl::FIRST),
        gap_limit: small(gap_limit),
        attempts: small(attempts),
    })
}

/// What a trace is carried in, and to which port.
fn carrier(check: &mut Checker<'_>, table: &ProberTable) -> Option<(Protocol, Option<Port>)> {
    let protocol = match table.protocol.as_ref().map_or("icmp", |text| text.get_ref().as_str()) {
        "icmp" => Protocol::Icmp,
        "udp" => Protocol::Udp,
        "tcp" => Protocol::Tcp,
        _ => {
            let rule = "must be \"icmp\", \"udp\" or \"tcp\"";
            table.protocol.as_ref().map(|value| check.refuse("probers.protocol", value, rule))?;
            return None;
        }
    };
    let asked = table.port.as_ref().map(|value| (value, port(check, "probers.port", value)));
    match (protocol, asked) {
        (Protocol::Icmp, Some((value, _))) => {
            check.refuse("probers.port", value, "contradicts protocol = \"icmp\", which has no ports");
            None
        }
        (Protocol::Icmp, None) => Some((protocol, None)),
        (Protocol::Udp | Protocol::Tcp, Some((_, port))) => Some((protocol, Some(port?))),
        (Protocol::Udp, None) => Some((protocol, Some(Port::TRACEROUTE))),
        (Protocol::Tcp, None) => Some((protocol, Port::new(limits::TCP_TRACE_PORT))),
    }
}

fn port(check: &mut Checker<'_>, key: &str, value: &Whole) -> Option<Port> {
    let port = u16::try_from(*value.get_ref()).ok().and_then(Port::new);
    if port.is_none() {
        check.refuse(key, value, "must be a port from 1 to 65535");
    }
    port
}

fn schedule(check: &mut Checker<'_>, table: &ProberTable) -> Option<Schedule> {
    let when = match (&table.every, &table.cron) {
        (Some(every), None) => {
            When::Every(check.given_span_of_time("probers.every", every, limits::EVERY)?)
        }
        (None, Some(pattern)) => When::Cron(Box::new(cron(check, pattern)?)),
        (Some(_), Some(pattern)) => {
            check.refuse("probers.cron", pattern, "contradicts probers.every: leave out one of them");
            return None;
        }
        (None, None) => {
            let rule = "needs a schedule: every = \"30m\", or cron = \"0 * * * *\"";
            check.refuse("probers.name", &table.name, rule);
            return None;
        }
    };
    let gap = when.shortest_gap(REFERENCE).unwrap_or(limits::EVERY.highest);
    let most = gap.checked_div(2).unwrap_or_default();
    let usual = gap.checked_div(10).unwrap_or_default().min(limits::DEFAULT_JITTER);
    let limit = Limit { lowest: Duration::ZERO, default: usual, highest: most };
    let jitter = check.span_of_time("probers.jitter", table.jitter.as_ref(), limit);
    Some(Schedule { when, jitter })
}

/// Five fields, no seconds and no year, so that a round a minute is the most that a pattern can ask for.
fn cron(check: &mut Checker<'_>, pattern: &Text) -> Option<Cron> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = match parser.parse(pattern.get_ref()) {
        Ok(cron) => cron,
        Err(error) => {
            let rule =
                format!("must be five fields of cron, minute hour day month weekday, in UTC ({error})");
            check.refuse("probers.cron", pattern, rule);
            return None;
        }
    };
    let when = When::Cron(Box::new(cron.clone()));
    if when.shortest_gap(REFERENCE).is_none() {
        check.refuse("probers.cron", pattern, "matches no two times: a round would never come");
        return None;
    }
    Some(cron)
}

impl ProberSpec {
    /// What it sends to a unit of so many targets in an hour, as a term of a sum.
    pub(super) fn hourly_term(&self, targets: u64) -> String {
        let (packets, rounds) = (self.kind.packets_per_target(), tidy(self.rounds_per_hour()));
        format!("{} {targets} targets x {packets} packets x {rounds} rounds", self.name)
    }

    /// The most packets that it sends to a unit with so many targets in an hour.
    #[must_use]
    pub fn hourly_packets(&self, targets: u64) -> f64 {
        let tests = if targets > 0 { self.packets_of_tests() } else { 0 };
        count(self.kind.packets_to_unit(targets).saturating_add(tests)) * self.rounds_per_hour()
    }

    /// The most packets of a round with which routers are tested for a limit on their answers.
    #[must_use]
    pub fn packets_of_tests(&self) -> u64 {
        u64::from(self.limit_tests).saturating_mul(MOST_PACKETS)
    }

    /// Rounds an hour where they lie closest.
    #[must_use]
    pub fn rounds_per_hour(&self) -> f64 {
        self.schedule.when.rounds_per_hour(REFERENCE)
    }
}

/// Whole numbers without a point, others with two digits behind it.
pub(in crate::measure::campaign) fn tidy(number: f64) -> String {
    let text = format!("{number:.2}");
    text.strip_suffix(".00").map_or(text.clone(), str::to_owned)
}

/// A count as a number to reckon with.
#[allow(clippy::cast_precision_loss, reason = "counts of packets stay far below 2^53")]
pub(in crate::measure::campaign) const fn count(number: u64) -> f64 {
    number as f64
}

/// A value that was checked against limits within 255.
fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(1)
}

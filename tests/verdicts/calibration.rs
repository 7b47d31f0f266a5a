//! Whether verdicts are as sure as they say: campaigns drawn from seeds, in which it is known what happened. A few in
//! every test run; a thousand and more by `scripts/calibrate`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tetherline::analyse::compare::{
    Alarm, AlarmKind, Estimate, Findings, FoundChange, Metric, OutageState, UnitFindings,
};
use tetherline::lab::{TrueHop, Truth};
use tetherline::model::{Asn, FlowId, LinkChange, Method, Probe, Unit, WallTime};
use tetherline::report;

use crate::internet::{Internet, Plot, ROUND, ROUNDS};
use crate::played::Played;
use crate::stage;

/// When every router has adopted what an event changed.
const SETTLED: Duration = Duration::from_secs(5);

/// What came of many campaigns.
#[derive(Clone, Debug, Default)]
struct Tally {
    campaigns: u64,
    quiet: u64,
    /// Quiet campaigns with a change of a link, and seeds of campaigns of all kinds with one that is none.
    alarms: Vec<u64>,
    /// Losses and additions of links that carried a tenth of the traced flows: how many, and seeds of those not found, or
    /// not in time.
    events: [u64; 2],
    missed: Vec<u64>,
    late: Vec<u64>,
    /// The same of links to which the balancers dealt fewer flows, though a tenth and more was theirs.
    thin: u64,
    thin_missed: Vec<u64>,
    /// Changes of links between addresses that were told, and seeds with one that is none.
    links: usize,
    false_links: Vec<u64>,
    /// Shares of flows by an upstream, and differences between epochs, by whether the interval holds the truth.
    shares: Coverage,
    differences: Coverage,
    /// Units that were up, times campaigns, and seeds in which one was called down.
    up: u64,
    called_down: Vec<u64>,
    vantage_down: u64,
    /// What was told while campaigns went on: in how many rounds, seeds with an alarm of what did not happen, once for each,
    /// and seeds of events not told, or late.
    rounds: u64,
    false_alarms: Vec<u64>,
    untold: Vec<u64>,
    told_late: Vec<u64>,
    panicked: Vec<u64>,
}

/// How often intervals held the truth, or lay above or below it.
#[derive(Clone, Copy, Debug, Default)]
struct Coverage {
    held: u32,
    above: u32,
    below: u32,
}

impl Coverage {
    fn note(&mut self, (low, high): (f64, f64), truth: f64) {
        // Truths are sums of fractions: at 0 and 1 they may lie beside them by rounding.
        const NEAR: f64 = 1e-9;
        match () {
            () if truth < low - NEAR => self.above += 1,
            () if truth > high + NEAR => self.below += 1,
            () => self.held += 1,
        }
    }

    fn add(&mut self, other: Self) {
        self.held += other.held;
        self.above += other.above;
        self.below += other.below;
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.held + self.above + self.below;
        let share = f64::from(self.held) * 100.0 / f64::from(all.max(1));
        write!(f, "{} of {all}, {share:.1} %; {} above, {} below", self.held, self.above, self.below)
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.campaigns += other.campaigns;
        self.quiet += other.quiet;
        self.up += other.up;
        self.vantage_down += other.vantage_down;
        self.thin += other.thin;
        self.links += other.links;
        self.rounds += other.rounds;
        self.shares.add(other.shares);
        self.differences.add(other.differences);
        for (sum, more) in self.events.iter_mut().zip(other.events) {
            *sum += more;
        }
        let lists = [
            (&mut self.alarms, &other.alarms),
            (&mut self.missed, &other.missed),
            (&mut self.late, &other.late),
            (&mut self.thin_missed, &other.thin_missed),
            (&mut self.false_links, &other.false_links),
            (&mut self.called_down, &other.called_down),
            (&mut self.panicked, &other.panicked),
            (&mut self.false_alarms, &other.false_alarms),
            (&mut self.untold, &other.untold),
            (&mut self.told_late, &other.told_late),
        ];
        for (all, more) in lists {
            all.extend(more);
            all.sort_unstable();
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lost, added] = self.events;
        writeln!(
            f,
            "campaigns: {}, of which the vantage's line was down in {}",
            self.campaigns, self.vantage_down
        )?;
        writeln!(
            f,
            "without an event: {}; with a link event told: {} {:?}",
            self.quiet,
            self.alarms.len(),
            self.alarms
        )?;
        writeln!(f, "links with a tenth of the traced flows, lost: {lost}; added: {added}")?;
        writeln!(f, "  not found, or not by name: {} {:?}", self.missed.len(), self.missed)?;
        writeln!(f, "  not within one round: {} {:?}", self.late.len(), self.late)?;
        writeln!(
            f,
            "links to which fewer were dealt: {}; not found: {} {:?}",
            self.thin,
            self.thin_missed.len(),
            self.thin_missed
        )?;
        writeln!(
            f,
            "changes of links between addresses told: {}; campaigns with one that is none: {} {:?}",
            self.links,
            self.false_links.len(),
            self.false_links
        )?;
        writeln!(f, "shares of flows by an upstream, held by their interval: {}", self.shares)?;
        writeln!(f, "differences of such shares: {}", self.differences)?;
        writeln!(
            f,
            "units that were up: {}; called down: {} {:?}",
            self.up,
            self.called_down.len(),
            self.called_down
        )?;
        writeln!(
            f,
            "while they went on, in {} rounds: false alarms: {} {:?}; events not told: {} {:?}, not within one round: {} {:?}",
            self.rounds,
            self.false_alarms.len(),
            self.false_alarms,
            self.untold.len(),
            self.untold,
            self.told_late.len(),
            self.told_late
        )?;
        writeln!(f, "panicked: {:?}", self.panicked)
    }
}

/// Half of the seeds have no event, a quarter each a loss and an addition.
fn plot(seed: u64) -> Plot {
    match seed % 4 {
        0 | 1 => Plot::Nothing,
        2 => Plot::Lost,
        _ => Plot::Added,
    }
}

fn play(seed: u64, watched: bool) -> Tally {
    let internet = Internet::draw(seed, plot(seed));
    let played = stage::campaign(&internet.scenario, &internet.campaign);
    let findings = report::findings(&played.dataset, &[]).expect("findings");
    let flows = TrueFlows::new(&internet, &played);
    let mut tally = Tally {
        campaigns: 1,
        vantage_down: u64::from(internet.vantage_down.is_some()),
        ..Tally::default()
    };
    if internet.event.is_none() {
        tally.quiet = 1;
        tally.alarms.extend((!findings.found.is_empty()).then_some(seed));
    }
    let thin = flows.carried(&internet) < 0.1;
    judge_event((seed, thin), &internet, &findings, &mut tally);
    tally.links = findings.found_links.len();
    let mut false_links = findings.found_links.iter().filter(|link| !flows.confirm(&link.found));
    tally.false_links.extend(false_links.next().map(|_| seed));
    judge_outages(seed, &findings, &mut tally);
    if watched {
        judge_alarms(seed, &internet, &stage::alarms(&played.dataset, |_| true), &mut tally);
    }
    judge_intervals(&internet, &findings, &mut tally);
    tally
}

/// A round, and the time that its traces take, in seconds. While the vantage's line is down there are no rounds.
fn most(internet: &Internet) -> u64 {
    ROUND.as_secs() * 2 + internet.vantage_down.map_or(0, |(from, to)| to.since(from).as_secs())
}

/// The flows that were traced, and the ways that they truly took.
struct TrueFlows {
    truth: Truth,
    /// Each with a packet of it, and whether its target is a control.
    packets: BTreeMap<(Unit, IpAddr, FlowId), (Vec<u8>, bool)>,
}

impl TrueFlows {
    fn new(internet: &Internet, played: &Played) -> Self {
        let records = played.dataset.records().expect("records").map(|record| record.expect("a record"));
        let traced = records.filter(|record| record.method == Method::Trace);
        let probes: BTreeMap<_, (Probe, bool)> = traced
            .map(|record| {
                let flow = (record.unit, record.probe.target, record.probe.flow);
                (flow, (record.probe, record.control))
            })
            .collect();
        let packet = |probe: &Probe| {
            let mut packet = Vec::new();
            played.codec.encode(probe, &mut packet).expect("a packet");
            packet
        };
        let packets =
            probes.iter().map(|(flow, (probe, control))| (*flow, (packet(probe), *control))).collect();
        Self { truth: Truth::new(&internet.scenario), packets }
    }

    /// Whether a flow crosses a link at a time, named by what stands for its ends.
    fn crosses<N: PartialEq>(
        &self,
        packet: &[u8],
        link: &(N, N),
        end: impl Fn(&TrueHop) -> Option<N>,
        at: WallTime,
    ) -> bool {
        let hops = self.truth.path(packet, at).expect("an IP packet").hops;
        let is_it = |hop: &TrueHop, named: &N| end(hop).as_ref() == Some(named);
        hops.windows(2).any(|pair| is_it(&pair[0], &link.0) && is_it(&pair[1], &link.1))
    }

    /// The share of the flows to units of the origin that crosses the link of the event in the round that stands next to it.
    fn carried(&self, internet: &Internet) -> f64 {
        let Some((change, link, at)) = internet.event else { return 0.0 };
        let moment = match change {
            LinkChange::Lost => internet.rounds().filter(|round| *round < at).last(),
            LinkChange::Added => internet.rounds().find(|round| *round > at.after(SETTLED)),
        };
        let at = moment.unwrap_or(at);
        let flows = self.packets.values().filter(|(_, control)| !control);
        let carried =
            flows.clone().filter(|(packet, _)| self.crosses(packet, &link, |hop| Some(hop.asn), at));
        float(carried.count()) / float(flows.count())
    }

    /// Whether flows of those that were counted crossed a link between addresses at one end of the bracket and none at the
    /// other.
    fn confirm(&self, found: &FoundChange<IpAddr>) -> bool {
        let (with, without) = match found.change {
            LinkChange::Lost => (found.from, found.to),
            LinkChange::Added => (found.to, found.from),
        };
        let counted =
            self.packets.iter().filter(|((unit, ..), _)| found.whole_vantage || *unit == found.unit);
        let crossing = |at| {
            let mut packets = counted.clone().map(|(_, (packet, _))| packet);
            packets.any(|packet| self.crosses(packet, &found.link, |hop| hop.answers_from, at))
        };
        crossing(with) && !crossing(without)
    }
}

fn float(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("few"))
}

fn judge_event((seed, thin): (u64, bool), internet: &Internet, findings: &Findings, tally: &mut Tally) {
    let Some((change, link, at)) = internet.event else { return };
    if thin {
        tally.thin = 1;
    } else {
        tally.events[usize::from(change == LinkChange::Added)] = 1;
    }
    let found: Vec<_> =
        findings.found.iter().filter(|found| found.link == link && found.change == change).collect();
    let of_it = found.iter().filter(|found| found.from <= at && at <= found.to);
    match of_it.min_by_key(|found| found.to) {
        None if thin => tally.thin_missed.push(seed),
        None => tally.missed.push(seed),
        Some(first) if first.to.since(at).as_secs() > most(internet) => tally.late.push(seed),
        Some(_) => {}
    }
}

/// Whatever else changed with the event is no false alarm: links next to it are left, and ways become longer. The
/// vantage's own trouble is no event.
fn judge_alarms(seed: u64, internet: &Internet, told: &[(WallTime, Alarm)], tally: &mut Tally) {
    let named = |(_, alarm): &&(WallTime, Alarm)| {
        internet.event.is_some_and(|(change, (from, to), at)| {
            let kind = match change {
                LinkChange::Lost => AlarmKind::LinkLost,
                LinkChange::Added => AlarmKind::LinkAdded,
            };
            alarm.kind == kind && alarm.subject == format!("{from}-{to}") && alarm.holds(at)
        })
    };
    tally.rounds = u64::from(ROUNDS);
    match (internet.event, told.iter().find(named)) {
        (Some(_), None) => tally.untold.push(seed),
        (Some((_, _, at)), Some((told, _))) if told.since(at).as_secs() > most(internet) => {
            tally.told_late.push(seed);
        }
        _ => {}
    }
    let false_ones = told.iter().filter(|(_, alarm)| {
        let of_event = internet.event.is_some_and(|(_, _, at)| alarm.holds(at));
        !of_event && alarm.kind != AlarmKind::VantageUnwell
    });
    tally.false_alarms.extend(false_ones.map(|_| seed));
}

/// The lines to the origin are never all lost, so its units are up; only the vantage or single hosts are not.
fn judge_outages(seed: u64, findings: &Findings, tally: &mut Tally) {
    for unit in &findings.units {
        tally.up += 1;
        let down = unit.watches.iter().flat_map(|watch| &watch.outages);
        let mut down = down.filter(|outage| outage.state == OutageState::Down);
        if !unit.control && down.next().is_some() {
            tally.called_down.push(seed);
        }
    }
}

/// The shares of the origin's first line. Differences are those of the epoch before.
fn judge_intervals(internet: &Internet, findings: &Findings, tally: &mut Tally) {
    let line = Asn::try_from(300).expect("an AS");
    let truths: Vec<f64> = findings
        .epochs
        .iter()
        .map(|epoch| {
            let rounds = internet.rounds().filter(|at| epoch.start <= *at && *at < epoch.end);
            internet.share(&rounds.collect::<Vec<WallTime>>())
        })
        .collect();
    for unit in findings.units.iter().filter(|unit| !unit.control) {
        for (found, truth) in unit.by_epoch.iter().zip(&truths) {
            let share = found.upstreams.iter().find(|share| share.upstream == line);
            if let Some(Estimate { low, high, .. }) = share.map(|share| share.share).or(found.unseen) {
                tally.shares.note((low, high), *truth);
            }
        }
        for change in unit.changes.iter().filter(|change| change.metric == Metric::Upstream(line)) {
            let truth = truths[change.epoch] - truths[change.epoch - 1];
            change.interval.into_iter().for_each(|interval| tally.differences.note(interval, truth));
        }
    }
}

/// Plays campaigns; some of them are watched while they go on, which takes ten times as long.
fn try_all(seeds: Range<u64>, watched: &Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let sum = Mutex::new(Tally::default());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let played = catch_unwind(AssertUnwindSafe(|| play(seed, watched.contains(&seed))));
            let tally = played.unwrap_or_else(|_| Tally { panicked: vec![seed], ..Tally::default() });
            sum.lock().expect("no panic inside").add(&tally);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    sum.into_inner().expect("no panic inside")
}

#[test]
fn dozens_of_campaigns_tell_events_that_happened_and_no_others() {
    let tally = try_all(0..24, &(0..4));
    assert!(
        tally.panicked.is_empty()
            && tally.alarms.is_empty()
            && tally.false_links.is_empty()
            && tally.called_down.is_empty(),
        "\n{tally}"
    );
    assert!(tally.missed.is_empty() && tally.late.is_empty(), "\n{tally}");
    assert!(
        tally.rounds > 0
            && tally.false_alarms.is_empty()
            && tally.untold.is_empty()
            && tally.told_late.is_empty(),
        "\n{tally}"
    );
}

#[test]
#[ignore = "plays the seeds of TETHERLINE_SEEDS: use scripts/calibrate"]
fn calibrate() {
    let text = std::env::var("TETHERLINE_SEEDS").unwrap_or_else(|_| "0..1000".to_owned());
    let number = |text: &str| text.trim().parse::<u64>().expect("TETHERLINE_SEEDS is N or FROM..TO");
    let seeds = match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    };
    if seeds.end == seeds.start + 1 {
        let internet = Internet::draw(seeds.start, plot(seeds.start));
        let findings = stage::findings(&internet.scenario, &internet.campaign);
        let found: Vec<String> = findings.found.iter().map(|found| format!("{found:?}\n")).collect();
        let unit =
            |unit: &UnitFindings| format!("{}: {:#?}\n{:#?}\n", unit.unit, unit.verdict, unit.watches);
        let units: Vec<String> = findings.units.iter().map(unit).collect();
        let links: Vec<String> = findings.found_links.iter().map(|link| format!("{link:?}\n")).collect();
        let found = [found, links].concat().concat();
        let told = format!("{}\n{:?}\n{found}{}", internet.toml, internet.event, units.concat());
        let _gone = std::io::stderr().write_all(told.as_bytes());
    }
    let tally = try_all(seeds.clone(), &seeds);
    let _gone = writeln!(std::io::stderr(), "\n{tally}");
    assert!(tally.panicked.is_empty());
}

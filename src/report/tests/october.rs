//! Synthetic findings in the shape of October 2017: a second upstream appears, later the first goes away.
//! The estimates are computed here from the rounds of the timeline, so that all parts agree.

use std::collections::BTreeMap;
use std::time::Duration;

use super::diverse;
use crate::analyse::compare::{
    AsEdge, CampaignBacktest, Change, DelayChange, DelayFindings, DelayPoint, DelaySeries, DelaySubject,
    Epoch, Estimate, Findings, FoundChange, FoundLink, Metric, Outage, OutageState, PathCount, PathThen,
    PinnedFlow, Proof, Reach, Reachability, TimelinePoint, Trouble, UnitEpoch, UnitFindings, UpstreamShare,
    Watch, Watched,
};
use crate::analyse::diversity::DiversityFindings;
use crate::dataset::Ledger;
use crate::model::{Asn, Event, FlowId, LinkChange, Method, Protocol, RoundId, Unit, Untrusted, WallTime};

const UNICOM: u32 = 4837;
const TTK: u32 = 20485;
const ORIGIN: u32 = 131_279;

pub(super) fn asn(number: u32) -> Asn {
    Asn::try_from(number).unwrap()
}

fn time(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{text}Z")).unwrap()
}

/// How a unit behaves: in each epoch the share of echoes answered, and of flows through TransTelekom
/// (`None`: traces end before any upstream).
struct Habit {
    unit: &'static str,
    origin: u32,
    control: bool,
    answers: [f64; 3],
    over_ttk: [Option<f64>; 3],
    verdict: &'static [&'static str],
}

const HABITS: [Habit; 6] = [
    Habit {
        unit: "175.45.176.0/24",
        origin: ORIGIN,
        control: false,
        answers: [0.98, 0.97, 0.95],
        over_ttk: [Some(0.0), Some(0.44), Some(1.0)],
        verdict: &[
            "gained a second upstream, AS20485, with the event at 09:07:51: its share went from 0.0 % to 45.5 %",
            "AS4837 was in every path before 09:07:51 and in none after 11:00:00; losing it did not cut the unit off",
        ],
    },
    Habit {
        unit: "175.45.177.0/24",
        origin: ORIGIN,
        control: false,
        answers: [0.0, 0.0, 0.0],
        over_ttk: [Some(0.0), Some(0.0), None],
        verdict: &[
            "reachability cannot be judged: nothing there ever answered",
            "traces came through AS4837 alone as long as it was there; after 11:00:00 none came near the unit",
        ],
    },
    Habit {
        unit: "175.45.178.0/24",
        origin: ORIGIN,
        control: false,
        answers: [0.99, 0.98, 0.98],
        over_ttk: [Some(0.0), Some(0.61), Some(1.0)],
        verdict: &["gained a second upstream, AS20485, and lost the first, AS4837; reachable throughout"],
    },
    Habit {
        unit: "175.45.179.0/24",
        origin: ORIGIN,
        control: false,
        answers: [0.96, 0.95, 0.0],
        over_ttk: [Some(0.0), Some(0.0), None],
        verdict: &["cut off at 11:00:00, with the loss of AS4837-AS131279: it never had a second upstream"],
    },
    Habit {
        unit: "192.0.2.0/24",
        origin: 64_496,
        control: true,
        answers: [1.0, 0.99, 1.0],
        over_ttk: [None; 3],
        verdict: &["no change: the vantage was well"],
    },
    Habit {
        unit: "2001:db8:1::/48",
        origin: 64_497,
        control: true,
        answers: [0.97, 0.97, 0.98],
        over_ttk: [None; 3],
        verdict: &["no change: the vantage was well"],
    },
];

/// The findings of the whole story.
pub(super) fn october() -> Findings {
    let epochs = epochs();
    let timeline: Vec<TimelinePoint> = HABITS.iter().flat_map(|habit| rounds(habit, &epochs)).collect();
    let units = HABITS.iter().map(|habit| unit(habit, &epochs, &timeline)).collect();
    Findings {
        campaign: "kp-2017-10".parse().unwrap(),
        vantages: vec!["erlangen-1".parse().unwrap()],
        rehearsal: true,
        speed: 300.0,
        epochs,
        units,
        edges: edges(),
        timeline,
        names: names(),
        opt_outs: vec![("175.45.177.0/24".parse().unwrap(), time("11:20:00"))],
        clock_steps: Vec::new(),
        dropped: Vec::new(),
        ledger: ledger(),
        rounds: (212, 1),
        confidence: 0.95,
        straddling: 4,
        diversity: diverse::diversity(),
        foretold: CampaignBacktest::default(),
        found: vec![found("175.45.176.0/24"), found("175.45.178.0/24")],
        tests: 17,
        found_links: vec![found_link()],
        link_tests: 41,
        delays: delays(),
        troubles: vec![trouble()],
    }
}

/// A dataset in which nothing was found: no unit, one epoch, no round.
/// The second line was the shorter one, and its first link alone got longer.
fn delays() -> DelayFindings {
    let unit = DelaySubject::Unit(Unit("175.45.176.0/24".parse().unwrap()), Method::Echo);
    let link = DelaySubject::Link("4.69.154.9".parse().unwrap(), "188.43.225.1".parse().unwrap());
    let around = |value: f64| Estimate { value, low: value - 0.4, high: value + 0.6 };
    let change = |subject: &DelaySubject, before: f64, after: f64| DelayChange {
        vantage: "erlangen-1".parse().unwrap(),
        subject: subject.clone(),
        from: time("09:05:27"),
        to: time("09:10:03"),
        rounds: (RoundId(3), RoundId(4)),
        before: around(before),
        after: around(after),
        difference: around(after - before),
        of_rounds: (12, 30),
        p: 3.5e-5,
        rate: 7e-5,
    };
    let point = |round: u64, at: &str, median| DelayPoint {
        round: RoundId(round),
        at: time(at),
        median,
        samples: 9,
    };
    let points = vec![point(3, "09:05:27", 290.04), point(4, "09:10:03", 160.26)];
    DelayFindings {
        changes: vec![change(&unit, 290.0, 160.3), change(&link, 0.2, 2.4)],
        series: vec![DelaySeries { vantage: "erlangen-1".parse().unwrap(), subject: unit, points }],
        tests: 4,
    }
}

/// The second line as the flows show it.
fn found(unit: &str) -> FoundChange {
    let flow = PinnedFlow {
        target: "175.45.176.71".parse().unwrap(),
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(3),
    };
    FoundChange {
        vantage: "de".parse().unwrap(),
        unit: unit.parse().map(Unit).unwrap(),
        link: (asn(TTK), asn(ORIGIN)),
        change: LinkChange::Added,
        from: time("09:05:27"),
        to: time("09:10:03"),
        at_once: true,
        cut: time("09:10:00"),
        used: 20,
        flows: 44,
        others: 44,
        whole_vantage: unit.contains("178"),
        p: 1.25e-7,
        rate: 2.5e-7,
        proofs: vec![Proof { flow, before: RoundId(7), after: RoundId(9) }],
    }
}

/// One of several links between the same two ASes.
fn found_link() -> FoundLink {
    let FoundChange { vantage, unit, from, to, at_once, cut, proofs, .. } = found("175.45.177.0/24");
    let link = ("219.158.39.42".parse().unwrap(), "175.45.177.217".parse().unwrap());
    let found = FoundChange {
        vantage,
        unit,
        link,
        change: LinkChange::Lost,
        from,
        to,
        at_once,
        cut,
        used: 12,
        flows: 24,
        others: 24,
        whole_vantage: false,
        p: 4.0e-5,
        rate: 9.0e-4,
        proofs,
    };
    FoundLink { found, holders: (Some(asn(UNICOM)), Some(asn(ORIGIN))), with: None }
}

fn trouble() -> Trouble {
    Trouble {
        vantage: "de".parse().unwrap(),
        last_well: Some(time("08:00:02")),
        first_silent: time("08:05:01"),
        last_silent: time("08:15:03"),
        first_well: Some(time("08:20:01")),
        probes: 12,
    }
}

/// One outage in .178, and one silence of which the host may be the cause in .176.
fn watch(habit: &Habit) -> Watch {
    let outage = |state, path, addresses| Outage {
        last_up: Some(time("11:00:02")),
        begun_by: time("11:05:01"),
        ended_after: time("11:15:03"),
        first_up: Some(time("11:20:01")),
        silent: (time("11:05:01"), time("11:15:03")),
        rounds: (RoundId(40), RoundId(44)),
        probes: 24,
        addresses,
        state,
        path,
        controlled: true,
        seen_up_from: Vec::new(),
    };
    let answers = habit.answers.iter().any(|share| *share > 0.0);
    Watch {
        vantage: "de".parse().unwrap(),
        addresses: if answers { 4 } else { 0 },
        availability: answers.then_some(0.91),
        watched: if answers { Watched::Judged } else { Watched::NothingAnswers },
        outages: match habit.unit {
            "175.45.178.0/24" => vec![outage(OutageState::Down, PathThen::Cut, 4)],
            "175.45.176.0/24" => vec![outage(OutageState::HostsUnsure, PathThen::AsBefore, 1)],
            _ => Vec::new(),
        },
        silent_methods: Vec::new(),
    }
}

pub(super) fn nothing() -> Findings {
    let epochs = epochs().into_iter().take(1).collect();
    Findings {
        epochs,
        units: Vec::new(),
        edges: Vec::new(),
        timeline: Vec::new(),
        diversity: DiversityFindings::default(),
        foretold: CampaignBacktest::default(),
        names: BTreeMap::new(),
        opt_outs: Vec::new(),
        ledger: Ledger::default(),
        rounds: (0, 0),
        straddling: 0,
        found: Vec::new(),
        tests: 0,
        found_links: Vec::new(),
        link_tests: 0,
        delays: DelayFindings::default(),
        troubles: Vec::new(),
        rehearsal: false,
        ..october()
    }
}

fn epochs() -> Vec<Epoch> {
    let event = |at, change, link: &str| Event { at: time(at), change, link: link.parse().unwrap() };
    let gained = event("09:07:51", LinkChange::Added, "AS20485-AS131279");
    let lost = event("11:00:00", LinkChange::Lost, "AS4837-AS131279");
    vec![
        Epoch { start: time("07:30:00"), end: gained.at, found: Vec::new(), opened_by: Vec::new() },
        Epoch { start: gained.at, end: lost.at, found: Vec::new(), opened_by: vec![gained] },
        Epoch { start: lost.at, end: time("12:29:40.25"), found: Vec::new(), opened_by: vec![lost] },
    ]
}

fn block(habit: &Habit) -> Unit {
    Unit(habit.unit.parse().unwrap())
}

/// A reachability round every five minutes, a trace round every ten, and a pause without any.
fn rounds(habit: &Habit, epochs: &[Epoch]) -> Vec<TimelinePoint> {
    let starts = (0..60_u64).filter(|round| !(33..37).contains(round));
    let points = starts.flat_map(|round| {
        let at = epochs[0].start.after(Duration::from_secs(round * 300 + 7));
        let epoch = epochs.iter().rposition(|epoch| epoch.start <= at).unwrap();
        let jitter = [0.03, -0.02, 0.0, -0.05, 0.04][usize::try_from(round * 3 % 5).unwrap()];
        let part = |share: f64, whole: u32| {
            let wanted = if share > 0.0 && share < 1.0 { share + jitter } else { share };
            (0..whole).filter(|n| f64::from(*n) + 0.5 < wanted * f64::from(whole)).count() as u64
        };
        let reach = TimelinePoint {
            unit: block(habit),
            at,
            probes: if habit.answers[0] > 0.0 { 24 } else { 0 },
            answered: part(habit.answers[epoch], 24),
            upstreams: BTreeMap::new(),
        };
        let traced = TimelinePoint {
            at: at.after(Duration::from_secs(60)),
            probes: 0,
            answered: 0,
            upstreams: flows(habit, epoch, |share| part(share, 32)),
            ..reach.clone()
        };
        if round % 2 == 0 && !habit.control { vec![reach, traced] } else { vec![reach] }
    });
    points.collect()
}

fn flows(habit: &Habit, epoch: usize, part: impl Fn(f64) -> u64) -> BTreeMap<Option<Asn>, u64> {
    let all = match habit.over_ttk[epoch] {
        None => vec![(None, 32)],
        Some(share) => {
            let over_ttk = part(share).min(31);
            let lost = u64::from(share > 0.0);
            vec![(Some(asn(UNICOM)), 32 - over_ttk - lost), (Some(asn(TTK)), over_ttk), (None, lost)]
        }
    };
    all.into_iter().filter(|(_, flows)| *flows > 0).collect()
}

fn unit(habit: &Habit, epochs: &[Epoch], timeline: &[TimelinePoint]) -> UnitFindings {
    let by_epoch: Vec<UnitEpoch> = (0..3).map(|epoch| unit_epoch(habit, epoch, epochs, timeline)).collect();
    UnitFindings {
        unit: block(habit),
        control: habit.control,
        origin: Some(asn(habit.origin)),
        changes: changes(&by_epoch),
        watches: vec![watch(habit)],
        by_epoch,
        verdict: habit.verdict.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn unit_epoch(habit: &Habit, epoch: usize, epochs: &[Epoch], timeline: &[TimelinePoint]) -> UnitEpoch {
    let span = &epochs[epoch];
    let points = timeline.iter().filter(|point| point.unit == block(habit));
    let points: Vec<_> = points.filter(|point| (span.start..span.end).contains(&point.at)).collect();
    let probes: u64 = points.iter().map(|point| point.probes).sum();
    let answered: u64 = points.iter().map(|point| point.answered).sum();
    let mut flows: BTreeMap<Option<Asn>, u64> = BTreeMap::new();
    for (upstream, count) in points.iter().flat_map(|point| &point.upstreams) {
        *flows.entry(*upstream).or_default() += count;
    }
    let unattributed = flows.remove(&None).unwrap_or(0);
    let known: u64 = flows.values().sum();
    let mut upstreams: Vec<UpstreamShare> = flows
        .iter()
        .map(|(upstream, flows)| UpstreamShare {
            likeness: 0.0,
            upstream: upstream.unwrap(),
            flows: *flows,
            share: wilson(*flows, known),
            seen_entering: flows / 9,
        })
        .collect();
    upstreams.sort_by_key(|share| std::cmp::Reverse(share.flows));
    let paths = u32::try_from(upstreams.len()).unwrap();
    UnitEpoch {
        reach: match (habit.answers[0] > 0.0, answered) {
            (false, _) => Reach::NotObservable,
            (true, 0) => Reach::Unreachable,
            (true, _) => Reach::Reachable,
        },
        reachability: vec![
            Reachability { method: Method::Echo, probes, answered, share: share(answered, probes) },
            Reachability {
                method: Method::Tcp,
                probes: probes / 3,
                answered: answered / 3,
                share: share(answered / 3, probes / 3),
            },
        ],
        unattributed,
        traced: known + unattributed,
        longest_gap: (known > 0).then_some(3),
        paths: PathCount { address: u64::from(paths) * 5, autonomous_system: u64::from(paths) },
        as_disjoint: (known > 0).then_some(paths),
        single_points: match (paths, upstreams.first()) {
            (1, Some(only)) => {
                vec![asn(if only.upstream == asn(UNICOM) { 3356 } else { 1299 }), only.upstream]
            }
            _ => Vec::new(),
        },
        upstreams,
        unseen: share(0, known),
    }
}

fn share(part: u64, whole: u64) -> Option<Estimate> {
    (whole > 0).then(|| wilson(part, whole))
}

fn wilson(part: u64, whole: u64) -> Estimate {
    let (n, z) = (whole as f64, 1.959_964);
    let p = part as f64 / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    Estimate { value: p, low: ((middle - half) / whole).max(0.0), high: ((middle + half) / whole).min(1.0) }
}

fn changes(by_epoch: &[UnitEpoch]) -> Vec<Change> {
    let mut changes = Vec::new();
    for (index, (before, after)) in by_epoch.iter().zip(by_epoch.iter().skip(1)).enumerate() {
        for upstream in [UNICOM, TTK].map(asn) {
            let known = |epoch: &UnitEpoch| epoch.traced - epoch.unattributed;
            if known(before) == 0 || known(after) == 0 {
                continue;
            }
            let of = |epoch: &UnitEpoch| {
                let flows = epoch.upstreams.iter().find(|share| share.upstream == upstream);
                wilson(flows.map_or(0, |share| share.flows), known(epoch))
            };
            changes.push(of_shares(index + 1, Metric::Upstream(upstream), of(before), of(after)));
        }
        if let (Some(one), Some(two)) = (before.reachability[0].share, after.reachability[0].share) {
            changes.push(of_shares(index + 1, Metric::Answered(Method::Echo), one, two));
        }
        let (one, two) = (before.paths.autonomous_system as f64, after.paths.autonomous_system as f64);
        let metric = Metric::AsPaths;
        let difference = two - one;
        changes.push(Change {
            epoch: index + 1,
            metric,
            before: one,
            after: two,
            difference,
            interval: None,
        });
    }
    changes.sort_by(|one, two| two.difference.abs().total_cmp(&one.difference.abs()));
    changes.retain(|change| change.difference != 0.0);
    changes
}

fn of_shares(epoch: usize, metric: Metric, before: Estimate, after: Estimate) -> Change {
    let difference = after.value - before.value;
    let interval = Some((
        difference - (after.value - after.low).hypot(before.high - before.value),
        difference + (after.high - after.value).hypot(before.value - before.low),
    ));
    Change { epoch, metric, before: before.value, after: after.value, difference, interval }
}

fn edges() -> Vec<AsEdge> {
    let used = [
        [(680, 3356, 1040, false), (3356, UNICOM, 1040, false), (UNICOM, ORIGIN, 1040, true)].to_vec(),
        [
            (680, 3356, 690, false),
            (680, 1299, 270, false),
            (3356, UNICOM, 690, false),
            (1299, TTK, 270, false),
            (UNICOM, ORIGIN, 690, true),
            (TTK, ORIGIN, 240, true),
            (TTK, ORIGIN, 30, false),
        ]
        .to_vec(),
        [(680, 1299, 530, false), (1299, TTK, 530, false), (TTK, ORIGIN, 530, true)].to_vec(),
    ];
    let edge = |(epoch, links): (usize, Vec<(u32, u32, u64, bool)>)| {
        links.into_iter().map(move |(from, to, flows, across_gap)| AsEdge {
            epoch,
            from: asn(from),
            to: asn(to),
            flows,
            across_gap,
        })
    };
    used.into_iter().enumerate().flat_map(edge).collect()
}

fn names() -> BTreeMap<Asn, Untrusted> {
    let names = [
        (680, "DFN Verein zur Foerderung eines Deutschen Forschungsnetzes e.V."),
        (1299, "Arelion"),
        (3356, "Level 3 Parent, LLC"),
        (UNICOM, "China Unicom Backbone"),
        (TTK, "TransTelekom"),
        (ORIGIN, "Star Joint Venture"),
        (64_496, "Documentation A"),
        (64_497, "Documentation B"),
    ];
    names.into_iter().map(|(number, name)| (asn(number), Untrusted::new(name))).collect()
}

fn ledger() -> Ledger {
    Ledger {
        planned: 61_180,
        sent: 58_204,
        blocked: 0,
        send_failed: 0,
        skipped: 2_976,
        answered: 49_311,
        late: 12,
        silent: 8_881,
        in_flight: 0,
        duplicates: 3,
        unmatched: 17,
        malformed: 0,
        kernel_dropped: 0,
    }
}

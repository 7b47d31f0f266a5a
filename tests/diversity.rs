//! Path diversity against the truth of the simulated Internet: how often intervals hold it, and that what is said
//! to be disjoint never exceeds what there is.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tetherline::analyse::compare::Findings;
use tetherline::analyse::diversity::{Figure, Level, Measure, UnitDiversity, effective};
use tetherline::lab::{CutOf, Flows, Over, Recipe, Scenario, Truth, VirtualInternet, generate};
use tetherline::model::{Asn, MonoTime, Protocol, WallTime};
use tetherline::report;

use crate::played::play;

#[allow(dead_code, reason = "what one suite does not use, another does")]
mod played;

const UPSTREAMS: &str = include_str!("scenarios/upstreams.toml");

/// Forty-eight flows to three addresses, two rounds before the third upstream comes and two behind it.
const CAMPAIGN: &str = r#"
[campaign]
name = "coverage"
duration = "2h"
[vantage]
name = "here"
[rates]
total = 10000
per_unit = 1000
per_responder = 1000
[[targets]]
prefix = "175.45.176.0/24"
hitlist = ["175.45.176.21", "175.45.176.22", "175.45.176.23"]
per_unit = 3
[[events]]
at = 2017-10-01T08:15:00Z
change = "added"
link = "AS9002-AS131279"
[[probers]]
name = "trace"
kind = "trace"
every = "30m"
flows = 16
"#;

/// What a campaign in a scenario comes to, and when it began.
fn measured(scenario: &Scenario, file: &str, once: bool) -> (Findings, WallTime) {
    let played = play(scenario, file, once);
    (report::findings(&played.dataset, &[]).expect("readable"), played.at.0)
}

fn figure(unit: &UnitDiversity, epoch: usize, of: (Level, Measure)) -> Option<Figure> {
    let readings = &unit.by_epoch[epoch].readings;
    readings.iter().find(|reading| (reading.level, reading.measure) == of)?.judged.ok()
}

fn change(unit: &UnitDiversity, of: (Level, Measure)) -> Option<Figure> {
    let found = unit.contrasts.iter().find(|contrast| (contrast.level, contrast.measure) == of)?;
    found.judged.ok().map(|found| found.change)
}

/// How often an interval was there, held the truth, or lay beside it.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    held: u32,
    below: u32,
    above: u32,
    none: u32,
}

/// Some truths are the largest that there can be, to which an end of an interval only comes near.
const NEAR: f64 = 1e-4;

impl Score {
    fn note(&mut self, figure: Option<Figure>, truth: f64) {
        match figure.and_then(|figure| figure.interval.ok()) {
            None => self.none += 1,
            Some(interval) if truth < interval.low - NEAR => self.above += 1,
            Some(interval) if truth > interval.high + NEAR => self.below += 1,
            Some(_) => self.held += 1,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            held: self.held + other.held,
            below: self.below + other.below,
            above: self.above + other.above,
            none: self.none + other.none,
        }
    }

    fn coverage(self) -> f64 {
        f64::from(self.held) / f64::from((self.held + self.below + self.above).max(1))
    }
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).expect("an AS")
}

const UNICOM: u32 = 4837;

/// The true numbers of an epoch, from the true shares of the flows.
struct TrueEpoch {
    unicom: f64,
    upstreams: f64,
    as_paths: f64,
    address_paths: f64,
}

fn true_epoch(truth: &Truth, at: WallTime) -> TrueEpoch {
    let ways = truth.ways(&Flows::to("175.45.176.21".parse().expect("an address"), Protocol::Icmp), at);
    let shares = |wanted: &dyn Fn(Asn, Asn) -> bool| -> BTreeMap<Asn, f64> {
        let links = ways.as_links.iter().filter(|((from, to), _)| wanted(*from, *to));
        links.map(|((from, to), share)| (if *from == asn(680) { *to } else { *from }, *share)).collect()
    };
    let upstreams = shares(&|_, to| to == asn(131_279));
    let first = shares(&|from, _| from == asn(680));
    let number = |shares: &mut dyn Iterator<Item = f64>| {
        effective(&shares.collect::<Vec<_>>()).expect("some way leads there")
    };
    // What goes over these two parts once more, into equal halves.
    let parts = |(asn, share): (&Asn, &f64)| match asn.get() {
        174 | 3356 => vec![share / 2.0; 2],
        _ => vec![*share],
    };
    TrueEpoch {
        unicom: upstreams[&asn(UNICOM)],
        upstreams: number(&mut upstreams.values().copied()),
        as_paths: number(&mut first.values().copied()),
        address_paths: number(&mut first.iter().flat_map(parts)),
    }
}

/// The table of coverage over so many seeds: what it is of, and how it went.
fn coverage(seeds: std::ops::Range<u64>) -> Vec<(&'static str, Score)> {
    let mut scores: BTreeMap<usize, (&'static str, Score)> = BTreeMap::new();
    for seed in seeds {
        let scenario = Scenario::parse("upstreams.toml", UPSTREAMS).expect("valid").with_seed(seed);
        let (findings, start) = measured(&scenario, CAMPAIGN, false);
        let truth = Truth::new(&scenario);
        let minute = |minute: u64| start.after(std::time::Duration::from_secs(60 * minute));
        let [before, after] = [true_epoch(&truth, minute(1)), true_epoch(&truth, minute(119))];
        assert_eq!(findings.epochs.len(), 2);
        let unit = &findings.diversity.units[0];
        let share = (Level::As, Measure::UpstreamShare(asn(UNICOM)));
        let upstreams = (Level::As, Measure::EffectiveUpstreams);
        let hegemony = (Level::As, Measure::Hegemony(asn(UNICOM)));
        let as_paths = (Level::As, Measure::EffectivePaths);
        let address_paths = (Level::Address, Measure::EffectivePaths);
        let rows = [
            ("share of AS4837, before", figure(unit, 0, share), before.unicom),
            ("share of AS4837, after", figure(unit, 1, share), after.unicom),
            ("share of AS4837, difference", change(unit, share), after.unicom - before.unicom),
            ("effective upstreams, before", figure(unit, 0, upstreams), before.upstreams),
            ("effective upstreams, after", figure(unit, 1, upstreams), after.upstreams),
            (
                "effective upstreams, difference",
                change(unit, upstreams),
                after.upstreams - before.upstreams,
            ),
            ("hegemony of AS4837, difference", change(unit, hegemony), after.unicom - before.unicom),
            ("effective AS paths, before", figure(unit, 0, as_paths), before.as_paths),
            ("effective AS paths, after", figure(unit, 1, as_paths), after.as_paths),
            ("effective AS paths, difference", change(unit, as_paths), after.as_paths - before.as_paths),
            ("effective address paths, before", figure(unit, 0, address_paths), before.address_paths),
            ("effective address paths, after", figure(unit, 1, address_paths), after.address_paths),
            (
                "effective address paths, difference",
                change(unit, address_paths),
                after.address_paths - before.address_paths,
            ),
        ];
        for (place, (name, found, truth)) in rows.into_iter().enumerate() {
            scores.entry(place).or_insert((name, Score::default())).1.note(found, truth);
        }
        let disjoint = |epoch| figure(unit, epoch, (Level::As, Measure::Disjoint)).map(|found| found.value);
        assert!(disjoint(0) <= Some(2.0) && disjoint(1) <= Some(3.0), "seed {seed}");
    }
    scores.into_values().collect()
}

#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    const SEEDS: u64 = 20;
    for (name, score) in coverage(0..SEEDS) {
        // Fifteen of 20 or fewer would come by chance once in 400 times if 95 % were right.
        assert!(score.held + score.none >= 16, "{name}: {score:?}");
        assert!(score.none <= 1, "{name}: {score:?}");
    }
}

/// The figures of docs/measurements.md; printed after every hundred campaigns.
#[test]
#[ignore = "takes minutes"]
fn over_a_thousand_campaigns_intervals_hold_the_truth_as_often_as_they_say() {
    let first = std::env::var("FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let mut all: Vec<(&str, Score)> = Vec::new();
    for start in (first..first + 1_000).step_by(100) {
        let more = coverage(start..start + 100);
        all = if all.is_empty() {
            more
        } else {
            all.into_iter().zip(more).map(|((name, one), (_, two))| (name, one.and(two))).collect()
        };
        for (name, score) in &all {
            eprintln!("up to {}: {name}: {:.1} %, {score:?}", start + 99, score.coverage() * 100.0);
        }
    }
    for (name, score) in all {
        assert!(score.coverage() >= 0.90, "{name}: {score:?}");
    }
}

/// An address of the target's AS that somebody has, in a generated Internet, and its unit.
fn target(text: &str, scenario: &Scenario) -> Option<IpAddr> {
    let hosts = text.split("[[host]]").skip(1).filter_map(|part| part.split(']').next());
    let hosts: Vec<&str> = hosts.flat_map(|list| list.split('"')).collect();
    let truth = Truth::new(scenario);
    let start = VirtualInternet::new(scenario).clock().wall(MonoTime::default());
    let number = text.split("the target is AS").nth(1)?.split(';').next()?;
    let origin: Asn = format!("AS{number}").parse().ok()?;
    hosts.into_iter().filter_map(|host| host.parse::<IpAddr>().ok()).filter(IpAddr::is_ipv4).find(|host| {
        let paths = truth.as_paths(*host, start);
        paths.iter().any(|path| path.last() == Some(&origin))
    })
}

#[test]
fn ways_said_to_be_disjoint_are_never_more_than_there_are_links_to_cut() {
    let (mut compared, mut equal) = (0, 0);
    for seed in 0..12 {
        let text = generate(&Recipe { ases: Some(30), seed, ..Recipe::default() }).expect("generated");
        let scenario = Scenario::parse("generated.toml", &text).expect("valid");
        let Some(target) = target(&text, &scenario) else { continue };
        let IpAddr::V4(address) = target else { continue };
        let [a, b, c, _] = address.octets();
        let file = format!(
            "[campaign]\nname = \"cuts\"\n[vantage]\nname = \"here\"\n[rates]\ntotal = 10000\nper_unit = 1000\n\
             per_responder = 1000\n[[targets]]\nprefix = \"{a}.{b}.{c}.0/24\"\nhitlist = [\"{target}\"]\nper_unit = 1\n\
             [[probers]]\nname = \"m\"\nkind = \"multipath\"\nevery = \"1h\"\nalgorithm = \"mda\"\n\
             [[probers]]\nname = \"t\"\nkind = \"trace\"\nevery = \"1h\"\nflows = 32\n"
        );
        let (findings, start) = measured(&scenario, &file, true);
        let truth = Truth::new(&scenario);
        let flows = Flows::to(target, Protocol::Icmp);
        let Some(cut) = truth.cut(&flows, CutOf::Links, Over::Forwarding, start) else { continue };
        let unit = findings.diversity.units.iter().find(|unit| unit.unit.0.contains(target));
        let Some(found) = unit.and_then(|unit| figure(unit, 0, (Level::Address, Measure::Disjoint))) else {
            continue;
        };
        let most = u32::try_from(cut.members.len()).expect("few");
        assert!(found.value <= f64::from(most), "seed {seed}: {} of {most}", found.value);
        compared += 1;
        equal += u32::from((found.value - f64::from(most)).abs() < 1e-9);
    }
    assert!(compared >= 6, "{compared}");
    assert!(equal * 2 >= compared, "{equal} of {compared}");
}

//! Round-trip times of which it is known what became of them.

use std::time::Duration;

use super::*;
use crate::analyse::compare::tests::question;
use crate::analyse::compare::{Findings, analyse};
use crate::analyse::sheet::{Aim, Sheet, origins, time};
use crate::model::{Outcome, Rtt, RttSource};

/// Numbers around 0 with a standard deviation of about 1, the same every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..12 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            sum += f64::from(u32::try_from(self.0 >> 32).unwrap()) / f64::from(u32::MAX);
        }
        sum - 6.0
    }
}

/// Echoes to some targets of .178, a round every five minutes; how long each takes in each round, in milliseconds, `None` for
/// silence.
fn echoed(targets: usize, rounds: u64, mut took: impl FnMut(usize, u64) -> Option<f64>) -> Findings {
    let mut sheet = Sheet::new();
    for round in 1..=rounds {
        let at = time("2017-10-01T00:00:00Z").after(Duration::from_secs(300 * round));
        for target in 0..targets {
            let address = format!("175.45.178.{}", target + 10);
            let answer = took(target, round);
            let aim = Aim { round, at, target: &address, flow: 0 };
            sheet.echo(aim, 1, u8::from(answer.is_some()));
            let last = sheet.records.last_mut().unwrap();
            if let (Some(took), Outcome::Answered { rtt, .. }) = (answer, &mut last.outcome) {
                *rtt = Rtt { span: Duration::from_secs_f64(took / 1e3), source: RttSource::Kernel };
            }
        }
    }
    analyse(&question(&[]), &origins(), sheet.records)
}

#[test]
fn a_way_that_became_longer_is_told_with_its_moment_its_size_and_its_rounds() {
    let mut noise = Noise(1);
    let findings = echoed(5, 40, |target, round| {
        let usual = 160.0 + f64::from(u32::try_from(target).unwrap());
        Some(usual + noise.next() + if round > 22 { 60.0 } else { 0.0 })
    });
    let [change] = findings.delays.changes.as_slice() else { panic!("{:?}", findings.delays.changes) };
    assert_eq!((change.rounds.0.0, change.rounds.1.0), (22, 23));
    assert_eq!(change.of_rounds, (22, 18));
    assert!((change.difference.value - 60.0).abs() < 1.0, "{change:?}");
    assert!(change.difference.low > 58.0 && change.difference.high < 62.0, "{change:?}");
    assert!(change.to.since(change.from) == Duration::from_secs(300));
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == "175.45.178.0/24").unwrap();
    let told: Vec<&String> = unit.verdict.iter().filter(|text| text.contains("longer")).collect();
    assert!(told.len() == 1 && told[0].contains("by echo"), "{:?}", unit.verdict);
}

#[test]
fn of_a_way_that_became_longer_the_one_link_is_told_that_did() {
    let mut noise = Noise(3);
    let mut sheet = Sheet::new();
    for round in 1..=40_u64 {
        let at = time("2017-10-01T00:00:00Z").after(Duration::from_secs(300 * round));
        for flow in 0..3 {
            let from = sheet.records.len();
            let aim = Aim { round, at, target: "175.45.178.10", flow };
            sheet.trace(aim, "188.1.144.1 4.69.154.9 219.158.117.1 * 175.45.178.10=");
            for (hop, record) in (1_u32..).zip(sheet.records.iter_mut().skip(from)) {
                let longer = if hop >= 3 && round > 20 { 12.0 } else { 0.0 };
                let took = 20.0f64.mul_add(f64::from(hop), 0.2 * noise.next()) + longer;
                if let Outcome::Answered { rtt, .. } = &mut record.outcome {
                    *rtt = Rtt { span: Duration::from_secs_f64(took / 1e3), source: RttSource::Kernel };
                }
            }
        }
    }
    let found = analyse(&question(&[]), &origins(), sheet.records).delays;
    let links: Vec<&DelayChange> =
        found.changes.iter().filter(|change| matches!(change.subject, DelaySubject::Link(..))).collect();
    let [change] = links.as_slice() else { panic!("{links:?}") };
    let link = DelaySubject::Link("4.69.154.9".parse().unwrap(), "219.158.117.1".parse().unwrap());
    assert_eq!((&change.subject, change.rounds.0.0), (&link, 20));
    assert!((change.difference.value - 12.0).abs() < 0.5, "{change:?}");
    assert_eq!(found.changes.len(), 2, "and the way to the unit: {:?}", found.changes);
    assert!(found.series.iter().all(|series| matches!(series.subject, DelaySubject::Unit(..))));
}

#[test]
fn that_other_targets_answer_is_no_change_of_the_way() {
    let mut noise = Noise(2);
    let findings = echoed(4, 40, |target, round| {
        let usual = 150.0 + 40.0 * f64::from(u32::try_from(target).unwrap());
        let answers = if round > 20 { target >= 2 } else { target < 3 };
        answers.then(|| usual + noise.next())
    });
    assert_eq!(findings.delays.changes, []);
}

#[test]
fn five_rounds_are_too_few_for_a_level_and_less_than_a_millisecond_is_no_change() {
    let short = echoed(3, 17, |_, round| Some(if round > 12 { 300.0 } else { 100.0 }));
    assert_eq!(short.delays.changes, []);
    let small = echoed(3, 60, |_, round| Some(if round > 30 { 100.9 } else { 100.0 }));
    assert_eq!(small.delays.changes, []);
    assert!(small.delays.tests > 0 && small.delays.series.len() == 1);
}

/// Rounds of 300 quiet campaigns, each like the one before by `alike`.
fn alarms(alike: f64) -> usize {
    let quiet = |seed| {
        let mut noise = Noise(seed);
        let mut level = 0.0_f64;
        let points = (0..100).map(|round| {
            level = alike.mul_add(level, noise.next());
            let at = WallTime::from_nanos(300_000_000_000 * round);
            DelayPoint {
                round: RoundId(u64::try_from(round).unwrap()),
                at,
                median: 200.0 + 4.0 * level,
                samples: 9,
            }
        });
        let unit = crate::model::Unit("175.45.178.0/24".parse().unwrap());
        let subject = DelaySubject::Unit(unit, Method::Echo);
        let series = DelaySeries { vantage: "de".parse().unwrap(), subject, points: points.collect() };
        levels::changes(&series, 0.95).iter().any(|change| change.p <= 0.01)
    };
    (0..300).filter(|seed| quiet(*seed)).count()
}

#[test]
fn quiet_days_cause_no_alarm_also_where_rounds_resemble_each_other() {
    // One in a hundred is what the rate allows; of 300, eight are within the 99 % interval of that.
    for alike in [0.0, 0.4, 0.8] {
        let found = alarms(alike);
        assert!(found <= 8, "{found} of 300 quiet series of likeness {alike} changed");
    }
}

//! What is told of campaigns of which it is known what happened, and that it is told once.

use std::time::Duration;

use crate::analyse::compare::tests::{TO_TTK, TO_UNICOM, question};
use crate::analyse::compare::{Alarm, AlarmKind, Alarms, Look, analyse};
use crate::analyse::sheet::{Aim, Sheet, origins, time};
use crate::dataset::Read;
use crate::model::WallTime;

const HOST: &str = "175.45.178.10";
const HOUR: Duration = Duration::from_secs(3600);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

fn round_at(round: u64) -> WallTime {
    time("2017-10-01T00:00:00Z").after(HOUR * u32::try_from(round).unwrap())
}

/// Looks after every round at all up to it, and gives what each told.
fn looks(sheet: &Sheet, rounds: u64, one_false_in: Duration) -> Vec<(u64, Alarm)> {
    let (question, origins) = (question(&[]), origins());
    let mut alarms = Alarms::default();
    let look = Look { question: &question, origins: &origins, news_of: HOUR, one_false_in };
    let at = |last: u64| {
        let seen = sheet.records.iter().filter(|record| record.probe.round.0 <= last);
        let told = alarms.look(&look, [Read::Records(seen.cloned().collect())]);
        told.into_iter().map(|alarm| (last, alarm)).collect::<Vec<_>>()
    };
    (1..=rounds).flat_map(at).collect()
}

/// Traces of twenty flows, each round a word: `a` all over the first line, `b` half of them over the second.
fn traced(rounds: &str) -> Sheet {
    let mut sheet = Sheet::new();
    for (round, ways) in (1_u64..).zip(rounds.chars()) {
        for flow in 0..20_u16 {
            let way = if ways == 'b' && flow % 2 == 0 { TO_TTK[0] } else { TO_UNICOM[0] };
            let at = round_at(round).after(Duration::from_millis(u64::from(flow)));
            sheet.trace(Aim { round, at, target: HOST, flow }, &format!("{way} * * {HOST}="));
        }
    }
    sheet
}

fn told(looks: &[(u64, Alarm)]) -> Vec<(u64, AlarmKind, &str)> {
    looks.iter().map(|(round, alarm)| (*round, alarm.kind, alarm.subject.as_str())).collect()
}

#[test]
fn a_link_that_comes_and_goes_is_told_after_the_first_round_that_shows_it_and_once() {
    let looks = looks(&traced("aaaabbbbaaaa"), 12, MONTH);
    let border: Vec<_> =
        told(&looks).into_iter().filter(|(_, _, subject)| subject.ends_with("-AS131279")).collect();
    let link = "AS20485-AS131279";
    assert_eq!(border, [(5, AlarmKind::LinkAdded, link), (9, AlarmKind::LinkLost, link)]);
    let (_, added) = looks.iter().find(|(_, alarm)| alarm.subject == link).unwrap();
    assert!(added.from < round_at(5) && round_at(5) <= added.to, "{added:?}");
    assert_eq!((added.before, added.after), (Some(0.0), Some(0.5)));
    assert_eq!(added.units.iter().map(ToString::to_string).collect::<Vec<_>>(), ["175.45.178.0/24"]);
}

#[test]
fn what_would_be_clear_enough_for_a_report_is_not_for_a_look_that_may_be_wrong_once_in_a_lifetime() {
    let sheet = traced("aaaabbbb");
    let report = analyse(&question(&[]), &origins(), sheet.records.iter().cloned());
    assert!(!report.found.is_empty());
    assert_eq!(looks(&sheet, 8, HOUR * 1_000_000), []);
}

#[test]
fn a_flow_table_dealt_out_anew_is_no_alarm() {
    let mut sheet = Sheet::new();
    for (round, shift) in (1_u64..).zip([0, 0, 1, 1, 0, 1, 0, 0]) {
        for flow in 0..20_u16 {
            let way = if (flow + shift) % 2 == 0 { TO_TTK[0] } else { TO_UNICOM[0] };
            sheet.trace(
                Aim { round, at: round_at(round), target: HOST, flow },
                &format!("{way} * * {HOST}="),
            );
        }
    }
    assert_eq!(looks(&sheet, 8, HOUR), []);
}

/// Echoes to five hosts, and to two controls: who answers in which round.
fn echoed(rounds: u64, hosts: impl Fn(u64) -> bool, controls: impl Fn(u64) -> bool) -> Sheet {
    let mut sheet = Sheet::new();
    for round in 1..=rounds {
        let ask = |sheet: &mut Sheet, target: String, second: u64, answered: bool| {
            let at = round_at(round).after(Duration::from_secs(second));
            sheet.echo(Aim { round, at, target: &target, flow: 0 }, 1, u8::from(answered));
        };
        for host in 0..5 {
            ask(&mut sheet, format!("175.45.178.{}", 10 + host), 2 * host, hosts(round));
        }
        sheet.control = true;
        for host in 0..2 {
            ask(&mut sheet, format!("77.94.35.{}", 1 + host), 1 + 6 * host, controls(round));
        }
        sheet.control = false;
    }
    sheet
}

#[test]
fn an_outage_is_told_when_it_is_sure_and_again_when_it_is_over() {
    let sheet = echoed(30, |round| !(20..24).contains(&round), |_| true);
    let looks = looks(&sheet, 30, MONTH);
    let unit = "175.45.178.0/24";
    assert_eq!(told(&looks), [(21, AlarmKind::Down, unit), (24, AlarmKind::Down, unit)]);
    let (begun, over) = (&looks[0].1, &looks[1].1);
    assert!(begun.over.is_none() && begun.from < round_at(20) && round_at(20) <= begun.to, "{begun:?}");
    let (last_silent, answered) = over.over.unwrap();
    assert!(last_silent < round_at(24) && answered == round_at(24), "{over:?}");
}

#[test]
fn a_vantage_that_hears_nobody_is_told_and_nothing_of_the_units_behind_it() {
    let well = |round: u64| !(20..25).contains(&round);
    let looks = looks(&echoed(30, well, well), 30, MONTH);
    assert!(looks.iter().all(|(_, alarm)| alarm.kind == AlarmKind::VantageUnwell), "{looks:?}");
    assert_eq!(looks.iter().map(|(_, alarm)| alarm.over.is_some()).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn an_outage_longer_than_what_is_looked_at_is_over_with_the_first_answer_and_was_one() {
    let (question, origins) = (question(&[]), origins());
    let sheet = echoed(60, |round| !(20..50).contains(&round), |_| true);
    let mut alarms = Alarms::default();
    let look = Look { question: &question, origins: &origins, news_of: HOUR, one_false_in: MONTH };
    let mut states = Vec::new();
    for last in 1..=60_u64 {
        let seen = |round: u64| round <= last && last < round + 20;
        let records = sheet.records.iter().filter(|record| seen(record.probe.round.0));
        let told = alarms.look(&look, [Read::Records(records.cloned().collect())]);
        states.extend(told.into_iter().map(|alarm| (last, alarm.over.is_some())));
    }
    assert_eq!(states, [(21, false), (50, true)]);
}

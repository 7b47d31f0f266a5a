//! Outages, and what only looks like one.

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::analyse::compare::tests::{TO_UNICOM, question};
use crate::analyse::compare::{Findings, Outage, OutageState, PathThen, Watch, Watched, analyse};
use crate::analyse::sheet::{Aim, Sheet, origins, time};
use crate::model::{Method, WallTime};

const UNIT: &str = "175.45.178.0/24";

/// Five minutes from one round to the next.
fn round_at(round: u64) -> WallTime {
    time("2017-10-01T00:00:00Z").after(Duration::from_secs(300 * round))
}

/// Echoes to hosts of the unit and to two controls, round by round, a second apart.
fn echoes(
    sheet: &mut Sheet,
    rounds: u64,
    hosts: u64,
    answers: impl Fn(u64, u64) -> bool,
    controls: impl Fn(u64) -> bool,
) {
    for round in 0..rounds {
        for host in 0..hosts {
            let target = format!("175.45.178.{}", 10 + host);
            let at = round_at(round).after(Duration::from_secs(2 * host));
            sheet.echo(Aim { round, at, target: &target, flow: 0 }, 1, u8::from(answers(round, host)));
        }
        sheet.control = true;
        for host in 0..2_u64 {
            let target = format!("77.94.35.{}", 1 + host);
            let at = round_at(round).after(Duration::from_secs(1 + 2 * host));
            sheet.echo(Aim { round, at, target: &target, flow: 0 }, 1, u8::from(controls(round)));
        }
        sheet.control = false;
    }
}

fn findings(sheet: Sheet) -> Findings {
    analyse(&question(&[]), &origins(), sheet.records)
}

fn watch(findings: &Findings) -> Watch {
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == UNIT).unwrap();
    unit.watches[0].clone()
}

fn outages(answers: impl Fn(u64, u64) -> bool, controls: impl Fn(u64) -> bool, hosts: u64) -> Vec<Outage> {
    let mut sheet = Sheet::new();
    echoes(&mut sheet, 60, hosts, answers, controls);
    watch(&findings(sheet)).outages
}

#[test]
fn an_outage_has_a_begin_and_an_end_between_answer_and_silence() {
    let found = outages(|round, _| !(20..24).contains(&round), |_| true, 4);
    let [outage] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(outage.state, OutageState::Down);
    assert_eq!(outage.last_up, Some(round_at(19).after(Duration::from_secs(6))));
    assert_eq!(outage.silent, (round_at(20), round_at(23).after(Duration::from_secs(6))));
    assert!(outage.begun_by <= round_at(20).after(Duration::from_secs(2)), "{outage:?}");
    assert!(outage.ended_after >= round_at(23).after(Duration::from_secs(4)), "{outage:?}");
    assert_eq!(outage.first_up, Some(round_at(24)));
    assert_eq!((outage.probes, outage.addresses, outage.controlled), (16, 4, true));
}

#[test]
fn losses_at_the_end_of_a_round_that_meet_others_at_the_begin_of_the_next_are_no_outage() {
    let lost = |round, host| (round == 20 && host > 2) || (round == 21 && host < 4);
    assert_eq!(outages(|round, host| !lost(round, host), |_| true, 8), vec![]);
    let whole = |round, host| lost(round, host) || round == 21;
    assert_eq!(outages(|round, host| !whole(round, host), |_| true, 8).len(), 1);
}

#[test]
fn an_outage_may_reach_to_the_end() {
    let found = outages(|round, _| round < 50, |_| true, 4);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].first_up, None);
}

#[test]
fn while_the_vantage_is_unwell_nothing_is_down() {
    let mut sheet = Sheet::new();
    let well = |round| !(20..30).contains(&round);
    echoes(&mut sheet, 60, 4, |round, _| well(round), well);
    let findings = findings(sheet);
    assert!(watch(&findings).outages.is_empty());
    let [trouble] = findings.troubles.as_slice() else { panic!("{:?}", findings.troubles) };
    assert_eq!(trouble.last_well, Some(round_at(19).after(Duration::from_secs(3))));
    assert_eq!(trouble.first_well, Some(round_at(30).after(Duration::from_secs(1))));
}

#[test]
fn a_blink_of_the_vantage_is_no_outage_either() {
    for length in 1..=3 {
        let well = |round| !(20..20 + length).contains(&round);
        let found = outages(|round, _| well(round), well, 8);
        assert!(found.iter().all(|outage| outage.state != OutageState::Down), "{found:?}");
    }
}

#[test]
fn an_answer_of_a_control_after_the_vantage_came_back_does_not_vouch_for_it_before() {
    // In round 20 the vantage hears nothing; in the next one the first two hosts are silent by chance, as one in seven is.
    let answers = |round, host| match (round, host) {
        (20, _) | (21, 0 | 1) => false,
        _ => (round * 8 + host) % 7 != 0,
    };
    let found = outages(answers, |round| round != 20, 8);
    assert_eq!(found.iter().map(|outage| outage.state).collect::<Vec<_>>(), [OutageState::VantageUnsure]);
}

#[test]
fn an_answer_of_a_control_before_the_vantage_went_away_does_not_vouch_for_it_afterwards() {
    // The hosts are asked twice, the controls only the first time and early. Then the vantage hears nothing any more, and
    // the host before the controls was silent by chance, as one in seven is.
    let mut sheet = Sheet::new();
    for round in 0..60 {
        for (again, host) in (0..2).flat_map(|again| (0..8).map(move |host| (again, host))) {
            let target = format!("175.45.178.{}", 10 + host);
            let at = round_at(round).after(Duration::from_secs(20 * again + 2 * host));
            let aim = Aim { round: 2 * round + again, at, target: &target, flow: 0 };
            sheet.echo(aim, 1, u8::from(round != 30 && (round * 16 + again * 8 + host) % 7 != 0));
        }
        sheet.control = true;
        let at = round_at(round).after(Duration::from_secs(1));
        sheet.echo(Aim { round: 2 * round, at, target: "77.94.35.1", flow: 0 }, 1, 1);
        sheet.control = false;
    }
    let found = watch(&findings(sheet)).outages;
    assert_eq!(found.iter().map(|outage| outage.state).collect::<Vec<_>>(), [OutageState::VantageUnsure]);
}

#[test]
fn an_outage_is_found_although_the_vantage_was_unwell_for_a_part_of_it() {
    let found = outages(|round, _| !(10..40).contains(&round), |round| !(20..30).contains(&round), 4);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].state, found[0].first_up), (OutageState::Down, Some(round_at(40))));
}

#[test]
fn a_single_host_that_falls_silent_is_not_a_unit_that_is_down() {
    let found = outages(|round, _| !(20..40).contains(&round), |_| true, 1);
    assert_eq!(found.iter().map(|outage| outage.state).collect::<Vec<_>>(), [OutageState::HostsUnsure]);
    let one_of_four = outages(|round, host| host > 0 || !(20..40).contains(&round), |_| true, 4);
    assert_eq!(one_of_four, Vec::<Outage>::new());
}

#[test]
fn traces_that_end_before_the_upstream_show_that_a_single_host_was_cut_off() {
    let mut sheet = Sheet::new();
    let up = |round| !(20..30).contains(&round);
    echoes(&mut sheet, 60, 1, |round, _| up(round), |_| true);
    for round in 0..60 {
        for flow in 0..4 {
            let tail = if up(round) { "* * 175.45.178.10=" } else { "!" };
            let line = if up(round) {
                format!("{} {tail}", TO_UNICOM[0])
            } else {
                "188.1.144.1 188.1.241.21 4.69.154.9!N".to_owned()
            };
            sheet.trace(Aim { round, at: round_at(round), target: "175.45.178.10", flow }, &line);
        }
    }
    let found = watch(&findings(sheet)).outages;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].state, found[0].path), (OutageState::Down, PathThen::Cut));
}

#[test]
fn where_nothing_or_next_to_nothing_answers_nothing_is_judged() {
    let mut sheet = Sheet::new();
    echoes(&mut sheet, 60, 4, |_, _| false, |_| true);
    let silent = watch(&findings(sheet));
    assert_eq!((silent.watched, silent.addresses, silent.availability), (Watched::NothingAnswers, 0, None));
    let mut sheet = Sheet::new();
    echoes(&mut sheet, 60, 4, |round, host| (round, host) == (3, 1), |_| true);
    let rare = watch(&findings(sheet));
    assert_eq!((rare.watched, rare.outages.len()), (Watched::TooRarely, 0));
}

#[test]
fn one_method_that_is_silent_is_a_filter_and_no_outage() {
    let mut sheet = Sheet::new();
    echoes(&mut sheet, 60, 4, |round, _| !(20..40).contains(&round), |_| true);
    for round in 0..60 {
        let line = format!("{} * * 175.45.178.10=", TO_UNICOM[0]);
        sheet.trace(Aim { round, at: round_at(round), target: "175.45.178.10", flow: 0 }, &line);
    }
    let found = watch(&findings(sheet));
    assert!(found.outages.is_empty(), "{:?}", found.outages);
    assert_eq!(found.silent_methods.len(), 1);
    assert_eq!(found.silent_methods[0].0, Method::Echo);
}

#[test]
fn what_another_vantage_hears_makes_it_unreachable_from_some_only() {
    let mut sheet = Sheet::new();
    echoes(&mut sheet, 60, 4, |round, _| !(20..30).contains(&round), |_| true);
    sheet.vantage = "us";
    echoes(&mut sheet, 60, 4, |_, _| true, |_| true);
    let findings = findings(sheet);
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == UNIT).unwrap();
    let [de, us] = unit.watches.as_slice() else { panic!("{:?}", unit.watches) };
    assert_eq!((de.outages.len(), us.outages.len()), (1, 0));
    assert_eq!(de.outages[0].seen_up_from, ["us".parse().unwrap()]);
    assert!(
        unit.verdict.iter().any(|text| text.contains("unreachable from some only")),
        "{:?}",
        unit.verdict
    );
}

proptest! {
    // Always the same campaigns: chance alone may show a silence in one of a thousand, and must not do so in one run of the
    // tests and not in another.
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]
    #[test]
    fn probes_that_are_lost_by_chance_are_no_outage(
        lost in prop::collection::vec(0_u32..100, 60 * 4), percent in 0_u32..25,
    ) {
        let answers = |round: u64, host: u64| lost[usize::try_from(round * 4 + host).unwrap()] >= percent;
        prop_assert_eq!(outages(answers, |_| true, 4), Vec::<Outage>::new());
    }
}

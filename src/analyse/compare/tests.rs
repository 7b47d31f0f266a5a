#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::analyse::diversity::{Level, Measure, Reading, Why};
use crate::analyse::sheet::{Aim, Sheet, asn, origins, time, unit};
use crate::dataset::{Ledger, ProbeRecord};
use crate::model::{Asn, Event, LinkChange, Method, Outcome, Untrusted, WallTime};

pub(super) const TO_UNICOM: [&str; 2] = [
    "188.1.144.1 188.1.241.21 4.69.154.9 4.69.152.144 219.158.102.145 219.158.117.1 219.158.102.214",
    "188.1.144.1 188.1.241.25 62.115.114.88 62.115.116.41 219.158.96.197 219.158.117.1 219.158.102.214",
];
pub(super) const TO_TTK: [&str; 2] = [
    "188.1.144.1 188.1.241.21 4.69.154.9 188.43.225.1 188.43.225.153",
    "188.1.144.1 188.1.241.25 62.115.114.88 62.115.139.193 188.43.225.153",
];

fn event(at: &str, change: LinkChange, link: &str) -> Event {
    Event { at: time(at), change, link: link.parse().unwrap() }
}

fn added() -> Event {
    event("2017-10-01T09:07:51Z", LinkChange::Added, "AS20485-AS131279")
}

fn lost() -> Event {
    event("2017-10-01T10:50:00Z", LinkChange::Lost, "AS4837-AS131279")
}

pub(super) fn question(events: &[Event]) -> Question {
    let names = [(4837, "China Unicom"), (20_485, "TransTelekom"), (64_500, "elsewhere")];
    Question {
        started_at: WallTime::from_nanos(0),
        campaign: "october".parse().unwrap(),
        vantages: vec!["de".parse().unwrap()],
        vantage_as: BTreeMap::new(),
        rehearsal: true,
        speed: 300.0,
        units: vec![(unit("77.94.35.0/24"), true), (unit("175.45.176.0/24"), false)],
        events: events.to_vec(),
        opt_outs: Vec::new(),
        clock_steps: Vec::new(),
        dropped: Vec::new(),
        ledger: Ledger::default(),
        rounds: (9, 0),
        names: names.into_iter().map(|(number, name)| (asn(number), Untrusted::new(name))).collect(),
        confidence: 0.95,
        seed: 7,
        asked: Vec::new(),
    }
}

/// Three rounds in each of the three epochs of the story: number, start, epoch.
fn rounds() -> Vec<(u64, WallTime, usize)> {
    let starts = [
        "08:00", "08:30", "08:55", // before
        "09:30", "10:00", "10:30", // both lines
        "11:00", "11:30", "12:00", // only the second
    ];
    let at = |text: &str| time(&format!("2017-10-01T{text}:00Z"));
    (1_u64..).zip(starts).map(|(round, text)| (round, at(text), (round as usize - 1) / 3)).collect()
}

/// One round of the story. Towards .176 and .178, hosts answer; .177 and .179 are silent as they are, and
/// .177 is never announced over the second line.
fn october_round(sheet: &mut Sheet, round: u64, at: WallTime, epoch: usize) {
    for (block, host) in [(176, true), (177, false), (178, true), (179, false)] {
        let target = format!("175.45.{block}.10");
        let aim = Aim { round, at, target: &target, flow: 0 };
        sheet.echo(aim, 5, if host { 5 } else { 0 });
        for flow in 0..16_u16 {
            let side = usize::from(flow % 2);
            let way = match (epoch, block) {
                (0, _) | (1, 177) => TO_UNICOM[side],
                (1, _) if side == 0 => TO_UNICOM[side],
                (2, 177) => {
                    ["188.1.144.1 188.1.241.21 4.69.154.9", "188.1.144.1 188.1.241.25 62.115.114.88!N"]
                        [side]
                }
                _ => TO_TTK[side],
            };
            let tail = if host { format!("* * * {target}=") } else { "* * * *".to_owned() };
            sheet.trace(Aim { flow, ..aim }, &format!("{way} {tail}"));
        }
    }
    sheet.control = true;
    let control = Aim { round, at, target: "77.94.35.1", flow: 0 };
    sheet.echo(control, 5, 5);
    sheet.trace(control, &format!("{} 77.94.35.1=", TO_TTK[1]));
    sheet.control = false;
}

fn october() -> Vec<ProbeRecord> {
    let mut sheet = Sheet::new();
    for (round, at, epoch) in rounds() {
        october_round(&mut sheet, round, at, epoch);
    }
    sheet.records
}

fn found(findings: &Findings, text: &str) -> UnitFindings {
    findings.units.iter().find(|found| found.unit == unit(text)).unwrap().clone()
}

fn shares(epoch: &UnitEpoch) -> Vec<(u32, u64, u64)> {
    epoch.upstreams.iter().map(|share| (share.upstream.get(), share.flows, share.seen_entering)).collect()
}

fn points(unit: &UnitFindings) -> Vec<Vec<Asn>> {
    unit.by_epoch.iter().map(|epoch| epoch.single_points.clone()).collect()
}

fn says(unit: &UnitFindings, words: &str) -> bool {
    unit.verdict.iter().any(|sentence| sentence.contains(words))
}

#[test]
fn the_october_story_is_told_as_it_was() {
    let findings = analyse(&question(&[added(), lost()]), &origins(), october());
    assert_eq!(findings.epochs.len(), 3);
    assert_eq!(findings.straddling, 0);
    let order: Vec<String> = findings.units.iter().map(|unit| unit.unit.to_string()).collect();
    assert_eq!(order[0], "175.45.176.0/24");
    assert_eq!(order[4], "77.94.35.0/24");

    let dual = found(&findings, "175.45.178.0/24");
    assert_eq!(dual.origin, Some(asn(131_279)));
    assert_eq!(points(&dual), vec![vec![asn(4837)], vec![], vec![asn(20_485)]]);
    let disjoint: Vec<_> = dual.by_epoch.iter().map(|epoch| epoch.as_disjoint).collect();
    assert_eq!(disjoint, vec![Some(1), Some(2), Some(1)]);
    assert_eq!(shares(&dual.by_epoch[0]), vec![(4837, 48, 48)]);
    assert_eq!(shares(&dual.by_epoch[1]), vec![(4837, 24, 24), (20_485, 24, 24)]);
    assert_eq!(shares(&dual.by_epoch[2]), vec![(20_485, 48, 48)]);
    assert_eq!(dual.by_epoch[0].longest_gap, Some(3));
    assert!(dual.by_epoch.iter().all(|epoch| epoch.reach == Reach::Reachable));
    assert!(says(
        &dual,
        "gained a second upstream, AS20485, between 2017-10-01 08:55:00 and 09:30:04 UTC (declared: 09:07:51): \
         24 of 48 traces, was 0 of 48 (+50.0 points [+19.1, +74.1]); AS4837 is no longer on every path"
    ));
    assert!(says(
        &dual,
        "lost upstream AS4837 between 2017-10-01 10:30:00 and 11:00:04 UTC (declared: 10:50:00)"
    ));
    assert!(says(&dual, "AS20485 is now on every path"));
    assert_eq!(dual.verdict.len(), 3, "{:?}", dual.verdict);
    assert_eq!(dual.verdict[2], "at first reachable, through AS4837 alone, which is on every path");

    let single = found(&findings, "175.45.177.0/24");
    assert!(single.by_epoch.iter().all(|epoch| epoch.reach == Reach::NotObservable));
    assert_eq!(points(&single), vec![vec![asn(4837)], vec![asn(4837)], vec![]]);
    assert_eq!(shares(&single.by_epoch[1]), vec![(4837, 48, 0)]);
    assert_eq!(shares(&single.by_epoch[2]), vec![]);
    assert_eq!((single.by_epoch[2].unattributed, single.by_epoch[2].traced), (48, 48));
    assert_eq!(single.by_epoch[2].as_disjoint, None);
    assert!(says(&single, "cannot be judged: nothing there answers"));
    assert!(says(&single, "no upstream can be told after link AS4837-AS131279 was lost"));
    assert!(says(&single, "AS1299, where a router says \"no route\" (24)"));
    assert!(!says(&single, "cut off"));

    let silent = found(&findings, "175.45.179.0/24");
    assert_eq!(points(&silent), points(&dual));
    assert_eq!(shares(&silent.by_epoch[1]), vec![(4837, 24, 0), (20_485, 24, 0)]);
    assert!(says(&silent, "what is said of the path is inferred"));
    assert!(silent.verdict[0].starts_with("gained a second upstream"), "what changed comes first");
}

#[test]
fn what_is_drawn_agrees_with_what_is_counted() {
    let findings = analyse(&question(&[added(), lost()]), &origins(), october());
    let into_origin = |epoch: usize| -> u64 {
        let into = findings.edges.iter().filter(|edge| edge.epoch == epoch && edge.to == asn(131_279));
        into.map(|edge| edge.flows).sum()
    };
    let counted = |epoch: usize| -> u64 {
        let measured = findings.units.iter().filter(|unit| !unit.control);
        measured.flat_map(|unit| &unit.by_epoch[epoch].upstreams).map(|share| share.flows).sum()
    };
    for epoch in 0..3 {
        assert_eq!(into_origin(epoch), counted(epoch));
    }
    assert!(findings.edges.iter().all(|edge| edge.across_gap == (edge.to == asn(131_279))));
    assert_eq!(findings.timeline.len(), 9 * 5);
    let flows: u64 = findings.timeline.iter().flat_map(|point| point.upstreams.values()).sum();
    assert_eq!(flows, 9 * 65);
    assert!(findings.timeline.is_sorted_by_key(|point| point.at));
    let named: Vec<u32> = findings.names.keys().map(|asn| asn.get()).collect();
    assert_eq!(named, vec![4837, 20_485], "only names that occur");
}

/// Sixteen flows, half of them over each line, in three rounds before and three after an event that changed nothing; after it
/// flow `flow` goes as flow `dealt(flow)` went.
fn unchanged(dealt: fn(u16) -> u16) -> (f64, f64) {
    let mut sheet = Sheet::new();
    for (round, at, epoch) in rounds().into_iter().take(6) {
        for flow in 0..16_u16 {
            let as_flow = if epoch == 0 { flow } else { dealt(flow) };
            let way = if as_flow < 8 { TO_UNICOM[0] } else { TO_TTK[0] };
            let aim = Aim { round, at, target: "175.45.178.10", flow };
            sheet.trace(aim, &format!("{way} * * * 175.45.178.10="));
        }
    }
    let findings = analyse(&question(&[added()]), &origins(), sheet.records);
    let unit = findings.units.iter().find(|of| of.unit == unit("175.45.178.0/24")).unwrap();
    let change = unit.changes.iter().find(|change| change.metric == Metric::Upstream(asn(4837))).unwrap();
    assert!(change.difference.abs() < 1e-9, "{change:?}");
    change.interval.unwrap()
}

#[test]
fn that_the_same_flows_stay_where_they_are_makes_a_difference_surer_than_that_as_many_do() {
    let (low, high) = unchanged(|flow| flow);
    assert!(low.abs() < 1e-9 && high.abs() < 1e-9, "{low} to {high}");
    // Every other flow changed sides: as many as before, but not the same ones.
    let (low, high) = unchanged(|flow| flow.wrapping_mul(2) % 16 + flow / 8);
    assert!(low < -0.25 && high > 0.25, "{low} to {high}");
}

#[test]
fn changes_come_with_intervals_largest_first() {
    let findings = analyse(&question(&[added(), lost()]), &origins(), october());
    let dual = found(&findings, "175.45.178.0/24");
    let gained = dual
        .changes
        .iter()
        .find(|change| change.epoch == 1 && change.metric == Metric::Upstream(asn(20_485)))
        .unwrap();
    let (low, high) = gained.interval.unwrap();
    assert!((gained.difference - 0.5).abs() < 1e-9 && low > 0.0 && high < 1.0);
    let disjoint = dual.changes.iter().find(|change| change.metric == Metric::AsDisjoint).unwrap();
    assert_eq!(disjoint.interval, None);
    let answered: Vec<_> =
        dual.changes.iter().filter(|change| change.metric == Metric::Answered(Method::Echo)).collect();
    assert_eq!(answered.len(), 2);
    assert!(answered.iter().all(|change| change.difference == 0.0));
}

/// Only the first line, and it is lost; `controls` tells whether the control units still answer then.
fn cut_off(controls: Option<bool>) -> Findings {
    let mut sheet = Sheet::new();
    for (round, at, epoch) in rounds() {
        let up = epoch < 2;
        let aim = Aim { round, at, target: "175.45.178.10", flow: 0 };
        sheet.echo(aim, 5, if up { 5 } else { 0 });
        let tail = if up { "* * * 175.45.178.10=" } else { "219.158.39.42!N" };
        sheet.trace(aim, &format!("{} {tail}", TO_UNICOM[0]));
        if let Some(answer) = controls {
            sheet.control = true;
            sheet.echo(Aim { target: "77.94.35.1", ..aim }, 5, if up || answer { 5 } else { 0 });
            sheet.control = false;
        }
    }
    let mut question = question(&[lost()]);
    question.units.clear();
    analyse(&question, &origins(), sheet.records)
}

/// Rounds at which each of some flows came through the first line (`a`), the second (`b`) or was not told (`-`).
fn flows(starts: &[&str], flows: &[&str], events: &[Event]) -> UnitFindings {
    let mut sheet = Sheet::new();
    for (flow, ways) in (0_u16..).zip(flows) {
        for ((round, start), way) in (1_u64..).zip(starts).zip(ways.chars()) {
            // Flows of one round follow each other; that says nothing about when the line changed.
            let at = time(start).after(std::time::Duration::from_millis(u64::from(flow) * 7));
            let aim = Aim { round, at, target: "175.45.178.10", flow };
            let way = match way {
                'a' => format!("{} * * * 175.45.178.10=", TO_UNICOM[0]),
                'b' => format!("{} * * * 175.45.178.10=", TO_TTK[0]),
                _ => "* * *".to_owned(),
            };
            sheet.trace(aim, &way);
        }
    }
    found(&analyse(&question(events), &origins(), sheet.records), "175.45.178.0/24")
}

const HOURLY: [&str; 4] =
    ["2017-10-01T08:00:00Z", "2017-10-01T09:00:00Z", "2017-10-01T10:00:00Z", "2017-10-01T11:00:00Z"];

#[test]
fn a_gain_is_bracketed_by_two_rounds_of_the_same_flow_and_never_by_neighbours_in_one_round() {
    let unit = flows(&HOURLY, &["aabb", "aaaa", "aabb", "aabb", "aabb", "aabb", "aaaa"], &[added()]);
    assert!(says(&unit, "between 2017-10-01 09:00:00 and 10:00:0"), "{:?}", unit.verdict);
    assert!(says(&unit, "UTC (declared: 09:07:51): 10 of 14 traces, was 0 of 14"), "{:?}", unit.verdict);
}

#[test]
fn a_trace_without_a_known_upstream_widens_the_bracket_of_its_flow() {
    let unit = flows(&HOURLY, &["a-bb"; 6], &[added()]);
    assert!(says(&unit, "between 2017-10-01 08:00:00 and 10:00:0"), "{:?}", unit.verdict);
}

#[test]
fn flows_that_turned_at_different_times_are_said_to_have_done_so() {
    let unit = flows(&HOURLY, &["aabb", "aabb", "aabb", "aabb", "aaab", "aaab"], &[added()]);
    let words =
        "between 2017-10-01 09:00:00 and 11:00:09 UTC (declared: 09:07:51), not all flows at one moment";
    assert!(says(&unit, words), "{:?}", unit.verdict);
}

#[test]
fn flows_that_moved_to_a_new_line_do_not_date_the_loss_of_the_old_one() {
    let unit = flows(&HOURLY, &["aabb", "aabb", "aaab", "aaab", "aaab", "aaab"], &[added(), lost()]);
    assert!(
        says(&unit, "lost upstream AS4837 between 2017-10-01 10:00:00 and 11:00:0"),
        "{:?}",
        unit.verdict
    );
}

#[test]
fn an_event_that_was_declared_for_another_time_is_said_to_lie_outside() {
    let wrong = event("2017-10-01T08:30:00Z", LinkChange::Lost, "AS4837-AS131279");
    let unit = flows(&HOURLY, &["aabb"; 6], &[wrong]);
    let words = "between 2017-10-01 09:00:00 and 10:00:08 UTC (declared: 08:30:00, which lies outside)";
    assert!(says(&unit, words), "{:?}", unit.verdict);
    let late = event("2017-10-01T10:30:00Z", LinkChange::Lost, "AS4837-AS131279");
    let unit = flows(&HOURLY, &["aabb"; 6], &[late]);
    let words = "between 2017-10-01 09:00:00 and 10:00:08 UTC (declared: 10:30:00, which lies outside)";
    assert!(says(&unit, words), "{:?}", unit.verdict);
}

#[test]
fn a_unit_that_falls_silent_while_the_controls_answer_is_cut_off() {
    let findings = cut_off(Some(true));
    let unit = found(&findings, "175.45.178.0/24");
    assert_eq!(unit.by_epoch[1].reach, Reach::Unreachable);
    assert!(says(
        &unit,
        "cut off after link AS4837-AS131279 was lost: 0 of 15 probes answered, was 30 of 30 (\u{2212}100.0 points"
    ));
    let lost = &unit.changes[0];
    assert_eq!(lost.metric, Metric::Answered(Method::Echo));
    assert!(lost.interval.unwrap().1 < 0.0);
}

#[test]
fn verdicts_are_suspended_while_the_vantage_is_in_trouble() {
    let findings = cut_off(Some(false));
    let unit = found(&findings, "175.45.178.0/24");
    assert_eq!(unit.by_epoch[1].reach, Reach::NotObservable);
    assert!(says(&unit, "the vantage was in trouble") && !says(&unit, "cut off"));
    assert!(unit.changes.is_empty());
    assert_eq!(found(&findings, "77.94.35.0/24").by_epoch[1].reach, Reach::Unreachable);
}

#[test]
fn without_controls_the_vantages_own_trouble_is_named_as_a_condition() {
    let unit = found(&cut_off(None), "175.45.178.0/24");
    assert!(says(&unit, "trouble at the vantage is not ruled out"));
}

#[test]
fn a_handful_of_lost_probes_is_no_outage() {
    let mut sheet = Sheet::new();
    let aim = |round, at| Aim { round, at: time(at), target: "175.45.178.10", flow: 0 };
    sheet.echo(aim(1, "2017-10-01T10:00:00Z"), 10, 5);
    sheet.echo(aim(2, "2017-10-01T11:00:00Z"), 2, 0);
    let findings = analyse(&question(&[lost()]), &origins(), sheet.records);
    let unit = found(&findings, "175.45.178.0/24");
    assert_eq!(unit.by_epoch[1].reach, Reach::NotObservable);
    assert!(says(&unit, "too few probes"));
}

#[test]
fn a_trace_that_straddles_an_event_is_left_out_and_counted() {
    let mut sheet = Sheet::new();
    for (round, at) in [(1, "10:00:00"), (2, "10:49:57"), (3, "11:00:00")] {
        let at = time(&format!("2017-10-01T{at}Z"));
        let aim = Aim { round, at, target: "175.45.178.10", flow: 0 };
        sheet.trace(aim, &format!("{} * * * 175.45.178.10=", TO_UNICOM[0]));
    }
    let findings = analyse(&question(&[lost()]), &origins(), sheet.records);
    let unit = found(&findings, "175.45.178.0/24");
    assert_eq!(findings.straddling, 1);
    assert_eq!(unit.by_epoch.iter().map(|epoch| epoch.traced).collect::<Vec<_>>(), vec![1, 1]);
    assert!(says(&unit, "1 trace with probes on both sides of an event is left out"));
}

#[test]
fn an_empty_dataset_says_that_nothing_was_measured() {
    let findings = analyse(&question(&[added()]), &origins(), []);
    assert_eq!(findings.epochs.len(), 1);
    for unit in &findings.units {
        assert_eq!(unit.by_epoch[0].reach, Reach::NotMeasured);
        assert_eq!(unit.verdict, vec!["not measured: no probe was sent"]);
    }
}

/// Every number of the findings.
fn numbers(findings: &Findings) -> Vec<f64> {
    let mut numbers = vec![findings.speed, findings.confidence];
    for unit in &findings.units {
        for epoch in &unit.by_epoch {
            let shares = epoch.upstreams.iter().map(|share| share.share);
            let all = shares.chain(epoch.reachability.iter().filter_map(|of| of.share));
            numbers.extend(all.flat_map(|share| [share.value, share.low, share.high]));
        }
        for change in &unit.changes {
            numbers.extend([change.before, change.after, change.difference]);
            numbers.extend(change.interval.into_iter().flat_map(|(low, high)| [low, high]));
        }
    }
    numbers
}

fn word() -> impl Strategy<Value = String> {
    let address = prop::sample::select(vec![
        "188.1.144.1",
        "4.69.154.9",
        "62.115.114.88",
        "219.158.102.214",
        "188.43.225.153",
        "10.0.0.1",
        "8.8.8.8",
        "175.45.178.10",
        "175.45.178.1",
        "77.94.35.1",
        "2c0f:1::9",
        "fe80::1",
    ]);
    let mark = prop::sample::select(vec!["", "", "", "=", "!N", "!H", "!X", "!P", "@0", "@9"]);
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => Just("-".to_owned()),
        1 => Just("x".to_owned()),
        8 => (address, mark).prop_map(|(address, mark)| format!("{address}{mark}")),
    ]
}

type Line = (u64, u64, bool, u16, bool, Vec<String>);

fn random_records(lines: &[Line]) -> Vec<ProbeRecord> {
    let mut sheet = Sheet::new();
    for (round, minute, six, flow, control, words) in lines {
        let start = time("2017-10-01T09:00:00Z");
        let at = start.after(std::time::Duration::from_secs(minute * 60));
        let target = if *six { "2c0f:1::9" } else { "175.45.178.10" };
        sheet.control = *control;
        let aim = Aim { round: *round, at, target, flow: *flow };
        sheet.trace(aim, &words.join(" "));
        sheet.echo(aim, words.len() as u8, (minute % 4) as u8);
    }
    sheet.records
}

proptest! {
    #[test]
    fn random_records_never_panic_and_their_order_does_not_matter(
        lines in prop::collection::vec(
            (1_u64..4, 0_u64..120, any::<bool>(), 0_u16..3, any::<bool>(), prop::collection::vec(word(), 0..12)),
            0..12,
        ),
        confidence in prop_oneof![Just(f64::NAN), Just(0.95), -1.0..2.0_f64],
        turn in 0_usize..50,
    ) {
        let mut question = question(&[added(), lost()]);
        question.confidence = confidence;
        question.speed = confidence;
        let mut records = random_records(&lines);
        let findings = analyse(&question, &origins(), records.clone());
        prop_assert!(numbers(&findings).into_iter().all(f64::is_finite));
        for unit in &findings.units {
            prop_assert!(!unit.verdict.is_empty());
            prop_assert!(unit.verdict.iter().all(|sentence| !sentence.contains("NaN")));
        }
        records.reverse();
        let turn = turn.min(records.len());
        records.rotate_left(turn);
        let again = analyse(&question, &origins(), records);
        prop_assert_eq!(format!("{findings:?}"), format!("{again:?}"));
    }
}

/// Ways of a campaign over one of two addresses, so many at the levels of addresses and of routers.
fn distinct_paths(records: Vec<ProbeRecord>) -> [Result<f64, Why>; 2] {
    let at_speed = Question { speed: 1.0, ..question(&[]) };
    let findings = analyse(&at_speed, &origins(), records);
    let of_unit = findings.diversity.units.iter().find(|found| !found.control).unwrap();
    let readings = &of_unit.by_epoch[0].readings;
    [Level::Address, Level::Router].map(|level| {
        let is_it =
            |reading: &&Reading| (reading.level, reading.measure) == (level, Measure::DistinctPaths);
        readings.iter().find(is_it).unwrap().judged.map(|figure| figure.value)
    })
}

#[test]
fn two_addresses_that_number_their_answers_with_one_counter_are_one_router_in_a_report() {
    let (two, target) = (["4.69.154.9", "4.69.160.1"], "175.45.176.10");
    let mut sheet = Sheet::new();
    for round in 0..80_u64 {
        for (flow, address) in (0_u16..).zip(two) {
            let at = time("2017-10-01T08:00:00Z");
            let at = at.after(std::time::Duration::from_secs(60 * round + 20 * u64::from(flow)));
            let way = format!("188.1.144.1 {address} 4.69.1.2 219.158.102.214 {target}=");
            sheet.trace(Aim { round, at, target, flow }, &way);
        }
    }
    assert_eq!(distinct_paths(sheet.records.clone()), [Ok(2.0), Err(Why::NoAliases)]);
    for record in &mut sheet.records {
        let seconds = record.sent_at.unwrap().as_nanos() / 1_000_000_000;
        if let Outcome::Answered { reply, .. } = &mut record.outcome
            && two.contains(&reply.from.to_string().as_str())
        {
            reply.ip_id = u16::try_from(seconds * 6 % 65_536).ok();
        }
    }
    assert_eq!(distinct_paths(sheet.records), [Ok(2.0), Ok(1.0)]);
}

//! October 2017 at a five-minute cadence, with nothing declared: what Dyn published of those two days is what the
//! report must find by itself. In the hours in which nothing happened only echoes are sent.

use std::sync::OnceLock;

use tetherline::analyse::compare::{
    Alarm, AlarmKind, DelaySubject, Findings, FoundChange, OutageState, Reach, UnitFindings, Watched,
};
use tetherline::lab::Scenario;
use tetherline::model::{Asn, LinkChange, Method, WallTime};
use tetherline::report;

use crate::stage;

/// From half past eight on 1 October to half past nine on the 2nd. In .177 and .179 nobody answers.
const CAMPAIGN: &str = r#"
[campaign]
name = "october"
seed = 7
duration = "25h"

[vantage]
name = "de"

[rates]
total = 400
burst = 20
per_unit = 100
per_responder = 100
liveness_per_unit_hour = 600

[[targets]]
prefix = "175.45.176.0/22"
per_unit = 3
hitlist = [
    "175.45.176.21", "175.45.176.22", "175.45.176.68", "175.45.177.10",
    "175.45.178.129", "175.45.178.130", "175.45.178.161",
]

[[targets]]
prefix = "210.52.109.0/24"
per_unit = 1
hitlist = ["210.52.109.10"]
control = true

[[targets]]
prefix = "77.94.35.0/24"
per_unit = 1
hitlist = ["77.94.35.10"]
control = true

[[probers]]
name = "echo"
kind = "echo"
every = "5m"

[[probers]]
name = "trace"
kind = "trace"
cron = "*/5 7-12 * * *"
flows = 8
attempts = 1
gap_limit = 4
"#;

fn scenario() -> Scenario {
    let text = include_str!("../../src/lab/october_2017_exact.toml");
    let later = text.replace("2017-10-01T00:00:00Z", "2017-10-01T08:30:00Z").replace("7days", "25h");
    Scenario::parse("october.toml", &later).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What the report finds, and what was told after rounds around the time at which the second line came; told again to
/// somebody who goes on with the campaign afterwards.
struct October {
    findings: Findings,
    told: Vec<(WallTime, Alarm)>,
    again: Vec<(WallTime, Alarm)>,
}

fn october() -> &'static October {
    static OCTOBER: OnceLock<October> = OnceLock::new();
    OCTOBER.get_or_init(|| {
        let played = stage::campaign(&scenario(), CAMPAIGN);
        let dataset = &played.dataset;
        let around = |at_round: WallTime| at("01T09:00:00") < at_round && at_round < at("01T09:20:00");
        let told = || stage::alarms(dataset, around);
        let (told, again) = (told(), told());
        October { findings: report::findings(dataset, &[]).expect("findings"), told, again }
    })
}

fn findings() -> &'static Findings {
    &october().findings
}

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-{text}Z")).expect("a time")
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).expect("an AS")
}

fn unit(third: u8) -> &'static UnitFindings {
    let name = format!("175.45.{third}.0/24");
    findings().units.iter().find(|unit| unit.unit.to_string() == name).expect("a unit of the campaign")
}

/// The epoch of a moment.
fn epoch(at: WallTime) -> usize {
    let epochs = &findings().epochs;
    epochs.iter().rposition(|epoch| epoch.start <= at).expect("an epoch")
}

/// What was found of the link from TransTelekom into the network, for a unit.
fn of_ttk(third: u8) -> Vec<&'static FoundChange> {
    let link = (asn(20485), asn(131_279));
    let found = findings().found.iter();
    found.filter(|found| found.unit == unit(third).unit && found.link == link).collect()
}

#[test]
fn before_the_second_line_all_four_networks_hang_on_the_first() {
    let before = epoch(at("01T09:00:00"));
    for third in 176..=179 {
        let found = &unit(third).by_epoch[before];
        assert_eq!(found.single_points.last(), Some(&asn(4837)), ".{third}");
        assert_eq!(found.upstreams.len(), 1, ".{third}: {:?}", found.upstreams);
    }
}

#[test]
fn after_it_three_of_them_do_not_and_the_fourth_does() {
    let after = epoch(at("01T09:30:00"));
    for third in [176, 178, 179] {
        let found = &unit(third).by_epoch[after];
        assert!(found.single_points.is_empty(), ".{third}: {:?}", found.single_points);
        assert_eq!(found.as_disjoint, Some(2), ".{third}");
    }
    assert_eq!(unit(177).by_epoch[after].single_points.last(), Some(&asn(4837)));
}

#[test]
fn every_coming_and_going_of_the_second_line_is_found_for_the_units_that_it_concerns_and_for_no_other() {
    use LinkChange::{Added, Lost};
    let told = |third: u8| -> Vec<LinkChange> { of_ttk(third).iter().map(|found| found.change).collect() };
    assert_eq!(told(176), [Added, Lost, Added, Lost], "{:#?}", unit(176).verdict);
    assert_eq!(told(178), [Added, Lost, Added], "{:#?}", unit(178).verdict);
    assert_eq!(told(179), [Added, Lost, Added, Lost], "{:#?}", unit(179).verdict);
    assert_eq!(told(177), [], "{:#?}", unit(177).verdict);
    let events = ["01T09:07:51", "01T10:14:45", "01T12:21:55"];
    let of_all = events.map(at);
    for (third, last) in [(176, Some("02T07:56:39")), (178, None), (179, Some("02T09:10:29"))] {
        let truth = of_all.iter().copied().chain(last.map(at));
        for (found, truth) in of_ttk(third).into_iter().zip(truth) {
            assert!(found.from < truth && truth < found.to, ".{third}: {truth} is not in {found:?}");
            let width = found.to.since(found.from);
            assert!(width.as_secs() < 10 * 60, ".{third}: within one round, not {width:?}");
            assert!(!found.proofs.is_empty() && found.rate <= 0.01);
        }
    }
}

#[test]
fn the_second_line_is_told_after_the_first_round_that_crosses_it_and_only_once() {
    let October { told, again, .. } = october();
    let line = told.iter().filter(|(_, alarm)| alarm.subject == "AS20485-AS131279");
    let [(told_at, alarm)] = line.collect::<Vec<_>>()[..] else { panic!("{told:?}") };
    assert!(told_at.since(at("01T09:07:51")).as_secs() <= 300, "told at {told_at}");
    assert!(alarm.kind == AlarmKind::LinkAdded && alarm.holds(at("01T09:07:51")), "{alarm:?}");
    let units: Vec<String> = alarm.units.iter().map(ToString::to_string).collect();
    assert_eq!(units, ["175.45.176.0/24", "175.45.178.0/24", "175.45.179.0/24"]);
    assert!(told.iter().all(|(_, alarm)| alarm.holds(at("01T09:07:51"))), "{told:?}");
    assert_eq!(again.len(), 0, "{again:?}");
}

#[test]
fn nothing_else_is_found_at_the_border_of_the_network() {
    for found in &findings().found {
        let into = found.link.1 == asn(131_279);
        assert!(!into || found.link.0 == asn(20485), "{found:?}");
    }
}

#[test]
fn in_the_end_only_one_of_them_has_two_lines() {
    let last = epoch(at("02T09:20:00"));
    for third in 176..=179 {
        let found = &unit(third).by_epoch[last];
        let upstreams: Vec<u32> = found.upstreams.iter().map(|share| share.upstream.get()).collect();
        let two = third == 178;
        assert_eq!(upstreams.len(), if two { 2 } else { 1 }, ".{third}: {upstreams:?}");
        assert_eq!(found.single_points.is_empty(), two, ".{third}: {:?}", found.single_points);
    }
}

#[test]
fn nothing_is_claimed_of_the_reachability_of_those_where_nobody_answers() {
    for third in [177, 179] {
        let unit = unit(third);
        assert!(unit.by_epoch.iter().all(|epoch| epoch.reach == Reach::NotObservable), ".{third}");
        assert!(unit.watches.iter().all(|watch| watch.watched == Watched::NothingAnswers), ".{third}");
        assert!(unit.watches.iter().all(|watch| watch.outages.is_empty()), ".{third}");
        assert!(unit.verdict.iter().any(|text| text.contains("reachability cannot be judged")), ".{third}");
    }
}

/// When .176 and .178 were away, as the scenario says.
const AWAY: [(u8, &str, &str); 10] = [
    (176, "01T10:47:00", "01T10:51:40"),
    (176, "01T11:08:10", "01T11:15:30"),
    (176, "01T11:22:00", "01T11:28:00"),
    (176, "01T11:36:20", "01T11:40:50"),
    (176, "01T12:02:00", "01T12:09:10"),
    (178, "01T10:47:00", "01T10:51:40"),
    (178, "01T10:56:00", "01T11:01:30"),
    (178, "01T11:08:10", "01T11:15:30"),
    (178, "01T11:36:20", "01T11:40:50"),
    (178, "01T12:02:00", "01T12:09:10"),
];

#[test]
fn outages_are_found_when_they_were_and_at_no_other_time() {
    let mut missed = 0;
    for third in [176, 178] {
        let watch = &unit(third).watches[0];
        let away: Vec<_> = AWAY.iter().filter(|(of, _, _)| *of == third).collect();
        for outage in &watch.outages {
            assert_eq!(outage.state, OutageState::Down, "{outage:?}");
            let within = away
                .iter()
                .any(|(_, from, to)| at(from) <= outage.begun_by && outage.ended_after <= at(to));
            assert!(within, ".{third} was up then: {outage:?}");
        }
        for (_, from, to) in away {
            let told = watch.outages.iter().any(|outage| {
                outage.last_up.is_some_and(|up| up <= at(from))
                    && outage.first_up.is_some_and(|up| at(to) <= up)
            });
            missed += usize::from(!told);
        }
    }
    assert!(missed <= 2, "{missed} of {} outages were not found", AWAY.len());
}

#[test]
fn the_vantage_was_well_all_the_time() {
    assert!(findings().troubles.is_empty(), "{:?}", findings().troubles);
}

/// Eight rounds lie before the first of the three moments, which are too few to be sure of.
#[test]
fn round_trips_change_with_the_second_line_and_at_no_other_time() {
    let moments = [(at("01T09:07:51"), false), (at("01T10:14:45"), true), (at("01T12:21:55"), false)];
    let changes = &findings().delays.changes;
    for change in changes {
        let is_then = |(moment, _): &&(WallTime, bool)| change.from <= *moment && *moment <= change.to;
        let (_, longer) =
            moments.iter().find(is_then).unwrap_or_else(|| panic!("nothing was then: {change:?}"));
        assert_eq!(change.difference.low > 50.0, *longer, "{change:?}");
        assert_eq!(change.difference.high < -50.0, !*longer, "{change:?}");
    }
    let of_both = DelaySubject::Unit(unit(178).unit, Method::Trace);
    let told = changes.iter().filter(|change| change.subject == of_both && change.from > moments[0].0);
    assert_eq!(told.count(), 2, "{changes:?}");
}

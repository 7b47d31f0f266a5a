//! What is found in flows of which it is known what became of them.

use std::net::IpAddr;
use std::time::Duration;

use crate::analyse::compare::tests::{TO_TTK, TO_UNICOM, question};
use crate::analyse::compare::{Findings, FoundChange, analyse};
use crate::analyse::sheet::{Aim, Sheet, asn, origins, time};
use crate::model::LinkChange;

/// Traces of an hour's rhythm: by target, the flows, each with a letter a round. `a` is a way over the first line, `b`
/// one over the second, `A` the first line with a silent router in the place of its whole AS, `B` the second with the
/// AS before it silent, `d` the first with the AS before it silent, `p` and `q` the first over one or the other of two links into the origin, `c` the second with silence only in the middle of that AS, `C` with its other routers silent, too,
/// `-` silence from the vantage's network on.
fn traced(targets: &[(&str, &[&str])]) -> Findings {
    let mut sheet = Sheet::new();
    for (target, flows) in targets {
        for (flow, ways) in (0_u16..).zip(*flows) {
            for (round, way) in (1_u64..).zip(ways.chars()) {
                let hour = Duration::from_secs(3600 * round);
                let at = time("2017-10-01T00:00:00Z").after(hour + Duration::from_millis(u64::from(flow)));
                let line = match way {
                    'a' => format!("{} * * {target}=", TO_UNICOM[0]),
                    'A' => format!("188.1.144.1 188.1.241.21 4.69.154.9 4.69.152.144 * * * * * {target}="),
                    'b' => format!("{} * * {target}=", TO_TTK[0]),
                    'B' => format!("188.1.144.1 188.1.241.21 * 188.43.225.1 188.43.225.153 * * {target}="),
                    'c' => format!("188.1.144.1 188.1.241.21 4.69.154.9 * 188.43.225.153 * * {target}="),
                    'd' => format!(
                        "188.1.144.1 188.1.241.21 * * 219.158.102.145 219.158.117.1 219.158.102.214 * * {target}="
                    ),
                    'p' => format!("{} 175.45.177.217 * {target}=", TO_UNICOM[0]),
                    'q' => format!("{PARALLEL} {target}="),
                    'C' => format!("188.1.144.1 188.1.241.21 * * 188.43.225.153 * * {target}="),
                    _ => "188.1.144.1 * * *".to_owned(),
                };
                sheet.trace(Aim { round, at, target, flow }, &line);
            }
        }
    }
    analyse(&question(&[]), &origins(), sheet.records)
}

/// The changes at the border, in the order of time: the last number of the unit's network, the upstream, what happened.
fn at_border(findings: &Findings) -> Vec<(String, u32, LinkChange)> {
    let border = findings.found.iter().filter(|found| found.link.1 == asn(131_279));
    border.map(|found| (found.unit.to_string(), found.link.0.get(), found.change)).collect()
}

/// Another link between the same two ASes.
const PARALLEL: &str = "188.1.144.1 188.1.241.21 4.69.154.9 4.69.152.144 219.158.102.145 219.158.117.1 219.158.102.218 175.45.177.221 *";

const ONE: &str = "175.45.178.10";
const UNIT: &str = "175.45.178.0/24";

#[test]
fn a_second_line_is_found_with_its_time_its_flows_and_the_rounds_that_prove_it() {
    let flows = ["aaab", "aaaa"].repeat(10);
    let findings = traced(&[(ONE, &flows)]);
    assert_eq!(at_border(&findings), [(UNIT.to_owned(), 20_485, LinkChange::Added)]);
    let found = findings.found.iter().find(|found| found.link == (asn(20_485), asn(131_279))).unwrap();
    assert_eq!((found.used, found.flows, found.others), (10, 20, 20));
    let (from, to) = (time("2017-10-01T03:00:00Z"), time("2017-10-01T04:00:30Z"));
    assert!(from <= found.from && found.from < found.to && found.to <= to, "{found:?}");
    assert!(found.at_once && found.proofs.len() == 10);
    assert!(found.proofs.iter().all(|proof| (proof.before.0, proof.after.0) == (3, 4)));
    // C(20,10)/C(40,10) that ten flows came and none had been there; one half for each of the ten that stayed; both by
    // Fisher's method; in the one round in which flows moved.
    let product = 184_756.0 / 847_660_528.0 * 0.5_f64.powi(10);
    assert!((found.p / (product * (1.0 - product.ln())) - 1.0).abs() < 1e-6, "{}", found.p);
    assert_eq!(findings.epochs.len(), 2);
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == UNIT).unwrap();
    let told =
        unit.verdict.iter().any(|text| text.starts_with("gained a second upstream, AS20485, between"));
    assert!(told, "{:?}", unit.verdict);
}

#[test]
fn flows_that_are_dealt_out_anew_over_the_same_links_are_no_change_of_links() {
    let flows = ["abab", "baba", "aabb", "bbaa", "abba", "baab"].repeat(4);
    assert_eq!(traced(&[(ONE, &flows)]).found, Vec::<FoundChange>::new());
}

#[test]
fn a_link_that_few_flows_used_is_not_lost_when_they_are_dealt_out_anew() {
    let mut flows = vec!["bbaa"; 2];
    flows.extend(["aaaa"; 18]);
    assert_eq!(traced(&[(ONE, &flows)]).found, Vec::<FoundChange>::new());
}

#[test]
fn a_flow_that_falls_silent_is_no_change_of_links() {
    let flows = ["aa--", "bb--"].repeat(10);
    assert_eq!(traced(&[(ONE, &flows)]).found, Vec::<FoundChange>::new());
}

#[test]
fn a_lost_answer_that_hides_an_as_takes_no_link_away() {
    let flows = ["aaAA", "aaAA", "aaaa"].repeat(8);
    assert_eq!(traced(&[(ONE, &flows)]).found, Vec::<FoundChange>::new());
}

#[test]
fn an_as_that_falls_silent_makes_no_link_across_it() {
    let flows = ["ccCC", "ccCc", "cccc", "aaaa"].repeat(8);
    assert_eq!(traced(&[(ONE, &flows)]).found, Vec::<FoundChange>::new());
}

#[test]
fn a_link_is_found_lost_where_another_leads_into_the_same_as_though_what_lies_before_it_is_hidden() {
    let flows = ["aaBB", "bbBB"].repeat(10);
    assert_eq!(at_border(&traced(&[(ONE, &flows)])), [(UNIT.to_owned(), 4837, LinkChange::Lost)]);
}

#[test]
fn a_link_is_found_lost_though_the_as_before_it_fell_silent_where_that_silence_cannot_hide_it() {
    let findings = traced(&[(ONE, &["aaaC", "cccC"].repeat(10))]);
    let lost = findings.found.iter().filter(|found| found.change == LinkChange::Lost);
    let lost: Vec<_> = lost.map(|found| (found.link.0.get(), found.link.1.get())).collect();
    assert_eq!(lost, [(3356, 4837), (4837, 131_279)]);
}

#[test]
fn few_flows_that_leave_are_enough_where_others_stay_also_if_it_is_hidden_where_they_parted() {
    let leave = [vec!["CCdd"; 5], vec!["dddd"; 30]].concat();
    // That the silent AS stands before both lines is only known from another unit.
    let elsewhere: (&str, &[&str]) = ("175.45.176.10", &["cccc", "aaaa"]);
    assert_eq!(
        at_border(&traced(&[(ONE, &leave), elsewhere])),
        [(UNIT.to_owned(), 20_485, LinkChange::Lost)]
    );
}

#[test]
fn flows_that_move_by_themselves_do_not_prove_that_a_link_between_addresses_went() {
    let restless = ["qpqqpp", "pqpqpp", "qqpqpp", "pqqqpp", "qpqqpp", "pqpqpp"];
    let flows = [restless.to_vec(), vec!["pppppp"; 30]].concat();
    assert_eq!(traced(&[(ONE, &flows)]).found_links, Vec::new());
    let pinned = [vec!["qqqqpp"; 6], vec!["pppppp"; 30]].concat();
    assert!(!traced(&[(ONE, &pinned)]).found_links.is_empty());
}

#[test]
fn one_of_two_links_between_the_same_ases_is_found_lost_by_its_addresses() {
    let findings = traced(&[(ONE, &["pppp", "qqpp"].repeat(10))]);
    assert_eq!(findings.found, Vec::<FoundChange>::new());
    let lost: Vec<_> = findings.found_links.iter().map(|link| (link.found.link, link.border())).collect();
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    let into_origin = (address("219.158.102.218"), address("175.45.177.221"));
    let within = (address("219.158.117.1"), address("219.158.102.218"));
    assert_eq!(lost, [(into_origin, Some((asn(4837), asn(131_279)))), (within, None)]);
    assert!(
        findings
            .found_links
            .iter()
            .all(|link| link.found.change == LinkChange::Lost && link.with.is_none())
    );
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == UNIT).unwrap();
    let told = "link 219.158.102.218-175.45.177.221 of AS4837-AS131279 fell out of use (0 of 20 flows";
    assert!(unit.verdict.iter().any(|text| text.contains(told)), "{:?}", unit.verdict);
}

#[test]
fn links_between_addresses_do_not_change_by_new_dealing_or_silence() {
    let dealt = ["pqpq", "qpqp", "ppqq", "qqpp", "pqqp"].repeat(4);
    assert_eq!(traced(&[(ONE, &dealt)]).found_links, Vec::new());
    let silent = ["ppaa", "pppp", "qqqq"].repeat(6);
    assert_eq!(traced(&[(ONE, &silent)]).found_links, Vec::new());
}

#[test]
fn links_between_addresses_that_change_with_an_as_are_told_to_follow_from_it() {
    let findings = traced(&[(ONE, &["aabb", "aaaa"].repeat(10))]);
    assert!(!findings.found_links.is_empty());
    assert!(findings.found_links.iter().all(|link| link.with.is_some()));
}

/// How wide the interval of the first line's share is.
fn width(findings: &Findings) -> f64 {
    let unit = findings.units.iter().find(|unit| unit.unit.to_string() == UNIT).unwrap();
    let shares = &unit.by_epoch[0].upstreams;
    let share = shares.iter().find(|share| share.upstream == asn(4837)).unwrap().share;
    share.high - share.low
}

#[test]
fn flows_of_a_target_are_no_samples_of_their_own_where_a_balancer_goes_by_destination() {
    let targets = [ONE, "175.45.178.11", "175.45.178.12"];
    let (first, second, both) = (["aa"; 16], ["bb"; 16], ["aa", "bb", "bb", "aa"].repeat(4));
    let by_flow = width(&traced(&targets.map(|target| (target, &both[..]))));
    let by_target = width(&traced(&[(ONE, &first), (targets[1], &second), (targets[2], &second)]));
    assert!(by_flow < 0.35 && by_target > 0.7, "{by_flow} and {by_target}");
}

#[test]
fn a_link_is_found_lost_though_some_of_its_flows_go_where_nobody_answers() {
    let flows = ["aabb", "aabb", "aa--", "bbbb"].repeat(6);
    assert_eq!(at_border(&traced(&[(ONE, &flows)])), [(UNIT.to_owned(), 4837, LinkChange::Lost)]);
    let mostly = ["aabb", "aa--", "aa--", "bbbb"].repeat(6);
    assert_eq!(traced(&[(ONE, &mostly)]).found, Vec::<FoundChange>::new());
}

#[test]
fn what_happens_to_one_unit_is_told_of_that_unit_alone() {
    let (both, lost) = (["aaaa", "bbbb"].repeat(10), ["aaaa", "bbaa"].repeat(10));
    let findings = traced(&[(ONE, &both), ("175.45.176.10", &lost)]);
    assert_eq!(at_border(&findings), [("175.45.176.0/24".to_owned(), 20_485, LinkChange::Lost)]);
}

#[test]
fn what_few_flows_of_each_unit_show_all_of_them_together_do() {
    let flows = ["aabb", "aaaa", "aabb"];
    let units: Vec<String> = (176..=179).map(|third| format!("175.45.{third}.10")).collect();
    let targets: Vec<(&str, &[&str])> = units.iter().map(|unit| (unit.as_str(), &flows[..])).collect();
    let findings = traced(&targets);
    let added = findings.found.iter().filter(|found| found.link == (asn(20_485), asn(131_279)));
    assert_eq!(added.clone().count(), 4);
    assert!(added.clone().all(|found| found.whole_vantage && (found.used, found.flows) == (8, 12)));
    assert!(traced(&targets[..1]).found.is_empty(), "three flows by themselves prove nothing");
}

#[test]
fn few_flows_that_leave_a_link_are_enough_where_all_others_stay_and_not_where_they_move_too() {
    let stay = [vec!["bbaa"; 5], ["aaaa"; 30].to_vec()].concat();
    let findings = traced(&[(ONE, &stay)]);
    assert_eq!(at_border(&findings), [(UNIT.to_owned(), 20_485, LinkChange::Lost)]);
    let fewer = [vec!["bbaa"; 2], ["aaaa"; 30].to_vec()].concat();
    assert_eq!(traced(&[(ONE, &fewer)]).found, Vec::<FoundChange>::new());
}

#[test]
fn a_balancer_that_looks_at_destinations_alone_makes_no_change_of_links() {
    let (stays, moves) = (["aaaa"; 16], ["bbaa"; 16]);
    let targets: [(&str, &[&str]); 3] =
        [(ONE, &stays), ("175.45.178.11", &stays), ("175.45.178.12", &moves)];
    assert_eq!(traced(&targets).found, Vec::<FoundChange>::new());
}

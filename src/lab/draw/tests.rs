use proptest::prelude::*;

use super::write_picture;
use crate::lab::Scenario;
use crate::lab::testing::{fork, line};

const EVERYTHING: &str = include_str!("../../../tests/scenarios/everything.toml");

fn picture(scenario: &Scenario) -> String {
    let mut bytes = Vec::new();
    write_picture(scenario, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_picture_shows_everything_that_a_scenario_says() {
    let scenario = Scenario::parse("everything.toml", EVERYTHING).unwrap();
    let drawn = picture(&scenario);
    assert_eq!(drawn, picture(&scenario), "the same scenario gave two pictures");
    insta::assert_snapshot!("everything", drawn);
}

/// The lines of a picture that hold this.
fn lines<'a>(picture: &'a str, what: &str) -> Vec<&'a str> {
    picture.lines().filter(|line| line.contains(what)).collect()
}

#[test]
fn what_events_change_is_dashed_and_nothing_else_is() {
    let event = |what: &str| format!("[[event]]\nat = \"2017-10-01T08:15:00Z\"\n{what}\n");
    let cases = [
        ("lost = \"AS680-AS1299\"", "edge-right 10ms\\nlost 08:15:00"),
        ("added = [\"far\", \"right\"]", "right-far 10ms\\nadded 08:15:00"),
        ("weight = { link = \"left-far\", weight = 5 }", "left-far 10ms\\nweight 5 from 08:15:00"),
        ("router_down = \"right\"", "right\\ndown 08:15:00"),
        ("icmp_rate = { router = \"far\" }", "far\\nno limit from 08:15:00"),
        (
            "icmp_rate = { router = \"far\", limit = { per_second = 0.5, burst = 3 } }",
            "ICMP 0.5/s, burst 3 from",
        ),
        (
            "announce = { prefix = \"203.0.113.0/24\", to = [3356] }",
            "1 host\\nto AS3356 only from 08:15:00",
        ),
        (
            "announce = { prefix = \"203.0.112.0/20\", to = [] }",
            "AS64500 Far\\n203.0.112.0/20 to nobody from",
        ),
        ("relation = { peers = [680, 1299] }", "edge-right 10ms\\npeers from 08:15:00"),
        ("relation = { provider = 1299, customer = 3356 }", "left-right 10ms\\nAS1299 provides from"),
        ("uplink = \"down\"", "label=\"down 08:15:00\""),
        ("hosts_down = \"203.0.113.10/32\"", "203.0.113.10/32 down 08:15:00"),
        ("hosts_down = \"203.0.0.0/16\"", "1 host\\nhosts down 08:15:00"),
    ];
    for (what, label) in cases {
        let drawn = picture(&fork(&[], &event(what)));
        let dashed = lines(&drawn, "dashed\"");
        assert_eq!(dashed.len(), 1, "{what}: {dashed:?}");
        assert!(dashed[0].contains(label), "{what}: {}", dashed[0]);
    }
    assert!(lines(&picture(&fork(&[], "")), "dashed\"").is_empty());
}

#[test]
fn links_lead_away_from_the_vantage_and_arrows_to_the_provider() {
    let drawn = picture(&fork(&[], ""));
    // edge, left, right, far are r0 to r3.
    for (arc, arrow) in [
        ("r0 -> r1 ", "dir=forward"),
        ("r0 -> r2 ", "dir=forward"),
        ("r1 -> r3 ", "dir=back"),
        ("r2 -> r3 ", "dir=back"),
        ("r1 -> r2 ", "dir=none, penwidth"),
    ] {
        let found = lines(&drawn, arc);
        assert!(found.len() == 1 && found[0].contains(arrow), "{arc}: {found:?}");
    }
    let drawn = picture(&line(&[], ""));
    assert!(lines(&drawn, "l12 10ms")[0].contains("r0 -> r1 [dir=none, label="));
}

#[test]
fn many_changes_of_one_thing_are_counted_and_days_are_told() {
    let event = |day: u8, minute: u8, what: &str| {
        format!("[[event]]\nat = \"2017-10-0{day}T08:{minute}:00Z\"\nuplink = \"{what}\"\n")
    };
    let events: String = [1, 1, 1, 2, 2, 2]
        .into_iter()
        .zip(10..)
        .map(|(day, minute)| event(day, minute, if minute % 2 == 0 { "down" } else { "up" }))
        .collect::<Vec<_>>()
        .concat();
    let text = EVERYTHING.split("[[event]]").next().unwrap().replace("\"2h\"", "\"48h\"") + &events;
    let drawn = picture(&Scenario::parse("days.toml", &text).unwrap());
    let label = "down 08:10:00\\nup 08:11:00\\ndown 08:12:00\\nup 2017-10-02 08:13:00\\nand 2 more";
    assert_eq!(lines(&drawn, label).len(), 1, "{drawn}");
}

/// What is left of a picture without its strings; every string must end.
fn without_strings(picture: &str) -> String {
    let (mut rest, mut inside, mut escaped) = (String::new(), false, false);
    for character in picture.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            _ if inside => {}
            _ => rest.push(character),
        }
    }
    assert!(!inside && !escaped);
    rest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_can_leave_its_label(names in proptest::collection::vec(any::<String>(), 3)) {
        let mut renamed = Scenario::parse("everything.toml", EVERYTHING).unwrap();
        let plain = without_strings(&picture(&renamed));
        renamed.routers[0].name = names[0].clone();
        renamed.ases[1].name = names[1].clone();
        renamed.links[2].name = Some(names[2].clone());
        let drawn = picture(&renamed);
        prop_assert!(drawn.chars().all(|character| character == '\n' || !character.is_control()));
        prop_assert_eq!(without_strings(&drawn), plain);
    }
}

#[test]
fn what_graphviz_reads_as_an_escape_or_an_entity_is_shown_as_it_is_written() {
    let mut renamed = fork(&[], "");
    renamed.routers[1].name = r#"a "b" \N &lt; c]"#.to_owned();
    assert_eq!(lines(&picture(&renamed), r#"label="a \"b\" \\N &amp;lt; c]""#).len(), 1);
}

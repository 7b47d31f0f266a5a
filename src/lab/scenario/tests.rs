mod mistakes;

use std::fs;

use super::{BuiltIn, Scenario};
use crate::model::{FileErrors, LinkChange};

/// Two ASes, a vantage in one and a host in the other.
const SMALL: &str = r#"
[clock]
start = "2017-10-01T07:30:00Z"
duration = "1h"

[vantage]
name = "here"
addresses = ["188.1.0.10"]
gateway = "r1"

[[as]]
number = 680
name = "One"
prefixes = ["188.1.0.0/16"]
providers = [3356]

[[as]]
number = 3356
name = "Two"

[[router]]
name = "r1"
as = 680
addresses = ["188.1.0.1"]

[[router]]
name = "r2"
as = 3356
addresses = ["4.0.0.1"]

[[link]]
between = ["r1", "r2"]
delay = "5ms"

[[network]]
prefix = "4.0.1.0/24"
router = "r2"

[[host]]
addresses = ["4.0.1.10"]

[[event]]
at = "2017-10-01T08:00:00Z"
lost = "AS680-AS3356"
"#;

fn errors(text: &str) -> FileErrors {
    Scenario::parse("s.toml", text).unwrap_err()
}

/// The line of the small scenario that holds `old`, and what is said when `new` stands there instead.
fn mistake(old: &str, new: &str) -> (usize, String) {
    let at = SMALL.find(old).unwrap_or_else(|| panic!("{old} is not in the scenario"));
    let line = SMALL[..at].lines().count().max(1) + usize::from(SMALL[..at].ends_with('\n'));
    (line, errors(&SMALL.replacen(old, new, 1)).to_string())
}

#[test]
fn the_scenario_of_the_demo_is_as_documented() {
    let scenario = Scenario::october_2017().unwrap();
    assert_eq!(scenario.start().to_string(), "2017-10-01T07:20:00Z");
    assert_eq!(scenario.duration().as_secs(), 5 * 3600 + 40 * 60);
    assert_eq!(scenario.as_name("AS131279".parse().unwrap()), Some("Star JV"));
    let events: Vec<String> = scenario.events().map(|event| format!("{} {event}", event.at)).collect();
    assert_eq!(
        events,
        [
            "2017-10-01T09:07:51Z link AS20485-AS131279 added",
            "2017-10-01T11:05:00Z link AS4837-AS131279 lost",
        ]
    );
}

#[test]
fn every_built_in_scenario_is_found_by_its_name_and_is_valid() {
    for built_in in BuiltIn::all() {
        let scenario = Scenario::load(built_in.name.as_ref()).unwrap();
        let ends = scenario.start().after(scenario.duration());
        assert!(scenario.events().all(|event| event.at <= ends), "{}", built_in.name);
        assert_eq!(scenario.as_name("AS131279".parse().unwrap()), Some("Star JV"), "{}", built_in.name);
    }
    let unknown = Scenario::load("october-2018".as_ref()).unwrap_err().to_string();
    assert!(unknown.starts_with("october-2018: cannot be read: "), "{unknown}");
    assert!(unknown.ends_with("or october-2017, october-2017-exact, december-2014"), "{unknown}");
}

/// A folder with the small scenario in it.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    folder
}

/// What becomes of a file that lies beside the small scenario.
fn beside(folder: &tempfile::TempDir, text: &str) -> Result<Scenario, FileErrors> {
    let path = folder.path().join("longer.toml");
    fs::write(&path, text).unwrap();
    Scenario::load(&path)
}

const LONGER: &str = "extends = \"small.toml\"
seed = 7

[clock]
start = \"2017-10-01T07:30:00Z\"
duration = \"3h\"

[[event]]
at = \"2017-10-01T10:00:00Z\"
lost = \"AS680-AS3356\"
";

#[test]
fn a_scenario_that_extends_another_has_its_network_and_its_own_clock_and_events() {
    let folder = folder();
    let longer = beside(&folder, LONGER).unwrap();
    assert_eq!((longer.seed, longer.duration().as_secs()), (7, 3 * 3600));
    assert_eq!(longer.as_name("AS3356".parse().unwrap()), Some("Two"));
    let times: Vec<String> = longer.events().map(|event| event.at.to_string()).collect();
    assert_eq!(times, ["2017-10-01T10:00:00Z"]);
    let same = beside(&folder, "extends = \"small.toml\"\n").unwrap();
    assert_eq!((same.seed, same.duration().as_secs(), same.events().count()), (0, 3600, 1));
}

#[test]
fn a_mistake_is_told_with_the_file_in_which_it_stands() {
    let folder = folder();
    let cases = [
        ("10:00:00Z", "23:00:00Z", "longer.toml:9: event.at = 2017-10-01T23:00:00Z: must be from"),
        ("AS680-AS3356", "AS680-AS9", "longer.toml:10: event.lost = AS9-AS680: must be a link"),
        ("\"3h\"", "\"20m\"", "longer.toml:9: event.at"),
        ("seed = 7", "convergence = \"2h\"", "longer.toml:2: convergence = 2h: must be at most 1m"),
        ("seed = 7", "speed = 7", "longer.toml:2: speed = 7: unknown field"),
        ("small.toml", "smell.toml", "longer.toml:1: extends = smell.toml: cannot be read: "),
        ("small.toml", "longer.toml", "longer.toml:1: extends = longer.toml: must be a whole scenario"),
    ];
    for (old, new, said) in cases {
        let errors = beside(&folder, &LONGER.replacen(old, new, 1)).unwrap_err();
        assert!(errors.0.iter().any(|error| error.to_string().contains(said)), "{new}: {errors}");
    }
    // An event of the other file that this file's clock does not reach.
    let moved = LONGER.replace("T07:30", "T08:30");
    let moved = moved.split("[[event]]").next().unwrap().to_owned();
    let errors = beside(&folder, &moved).unwrap_err().to_string();
    assert!(errors.contains("small.toml:43: event.at = 2017-10-01T08:00:00Z"), "{errors}");
    // What is wrong with the other file is no matter of this one.
    fs::write(folder.path().join("small.toml"), SMALL.replace("4.0.1.10", "9.9.9.9")).unwrap();
    let errors = beside(&folder, LONGER).unwrap_err().to_string();
    assert!(errors.contains("small.toml:40: host.addresses = 9.9.9.9"), "{errors}");
    assert_eq!(errors.lines().count(), 1);
}

#[test]
fn a_text_without_a_folder_extends_only_built_in_scenarios() {
    let of = |name: &str| Scenario::parse("s.toml", &format!("extends = \"{name}\"\n"));
    assert_eq!(of("october-2017").unwrap().events().count(), 2);
    let refused = of("src/lab/october_2017.toml").unwrap_err().to_string();
    assert!(refused.starts_with("s.toml:1: extends = src/lab/october_2017.toml: must be october-2017"));
}

#[test]
fn a_small_scenario_needs_no_more_than_it_shows() {
    let scenario = Scenario::parse("s.toml", SMALL).unwrap();
    let event = scenario.events().next().unwrap();
    assert_eq!(event.change, LinkChange::Lost);
    assert!((scenario.speed() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn a_mistake_is_named_with_its_line_its_value_and_the_rule() {
    let cases = [
        ("name = \"here\"", "nane = \"here\"", "unknown field"),
        ("\"1h\"", "\"1 fortnight\"", "span of time"),
        ("\"2017-10-01T07:30:00Z\"", "\"yesterday\"", "RFC 3339"),
        ("188.1.0.0/16", "188.1.0.1/16", "did you mean 188.1.0.0/16"),
        ("gateway = \"r1\"", "gateway = \"r7\"", "vantage.gateway = r7: must be the name of a [[router]]"),
        ("\"188.1.0.10\"", "\"4.0.1.11\"", "must lie inside a prefix of the AS of the gateway"),
        (
            "providers = [3356]",
            "providers = [3357]",
            "as.providers = AS3357: must be the number of an [[as]]",
        ),
        ("providers = [3356]", "providers = [680]", "must be another AS"),
        ("number = 3356", "number = 680", "must be defined only once"),
        ("name = \"r2\"", "name = \"r1\"", "router.name = r1: must be defined only once"),
        ("[\"4.0.0.1\"]", "[\"188.1.0.1\"]", "must belong to nobody else: r1 has it already"),
        ("[\"4.0.0.1\"]", "[\"4.0.0.1\", \"4.0.0.2\"]", "at most one address of each family"),
        ("delay = \"5ms\"", "delay = \"5h\"", "must be at most 1m"),
        ("delay = \"5ms\"", "delay = \"5ms\"\nloss = 1.5", "link.loss = 1.5: must be a probability"),
        ("[\"r1\", \"r2\"]", "[\"r1\", \"r1\"]", "must be two different routers"),
        ("\"4.0.1.10\"", "\"4.0.2.10\"", "host.addresses = 4.0.2.10: must lie inside a [[network]]"),
        ("\"2017-10-01T08:00:00Z\"", "\"2017-10-01T09:00:00Z\"", "must be from 2017-10-01T07:30:00Z"),
        ("\"AS680-AS3356\"", "\"AS680\"", "event.lost = AS680: must be the name of a [[link]], two ASes"),
        ("\"AS680-AS3356\"", "\"AS680-AS9\"", "must be a link between ASes that are"),
        ("\"AS680-AS3356\"", "[\"r1\", \"r9\"]", "must be two routers with a [[link]]"),
        (
            "router = \"r2\"",
            "router = \"r2\"\nannounce_to = [3356]",
            "must be a provider, peer or customer",
        ),
    ];
    for (old, new, rule) in cases {
        let (line, said) = mistake(old, new);
        assert!(said.contains(rule), "{new}: {said}");
        let added = new.matches('\n').count();
        let named = said.lines().any(|error| error.starts_with(&format!("s.toml:{}:", line + added)));
        assert!(named, "{new} in line {line}: {said}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_lines() {
    let text =
        SMALL.replace("4.0.1.10", "9.9.9.9").replace("188.1.0.10", "9.9.9.8").replace("AS680-", "AS681-");
    let lines: Vec<usize> = errors(&text).0.iter().filter_map(|error| error.line).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.is_sorted());
}

#[test]
fn a_circle_of_providers_is_refused() {
    let text = SMALL.replace("name = \"Two\"", "name = \"Two\"\nproviders = [9]")
        + "[[as]]\nnumber = 9\nname = \"Nine\"\nproviders = [680]\n";
    assert!(errors(&text).to_string().contains("must not be a customer of its own customers"));
}

#[test]
fn a_relation_without_a_link_and_a_link_without_a_relation_are_refused() {
    let stranger = "[[as]]\nnumber = 9\nname = \"Nine\"\n[[router]]\nname = \"r9\"\nas = 9\n";
    let unlinked = format!("{SMALL}{stranger}").replace("[3356]", "[3356, 9]");
    assert!(errors(&unlinked).to_string().contains("must have a [[link]] to AS9"));
    let unrelated = format!("{SMALL}{stranger}[[link]]\nbetween = [\"r1\", \"r9\"]\ndelay = \"1ms\"\n");
    assert!(errors(&unrelated).to_string().contains("must be provider and customer, or peers"));
}

#[test]
fn events_must_take_turns() {
    let twice = format!("{SMALL}[[event]]\nat = \"2017-10-01T08:10:00Z\"\nlost = \"AS680-AS3356\"\n");
    assert!(errors(&twice).to_string().contains("a link: must come only while it is away"));
    let both =
        SMALL.replace("lost = \"AS680-AS3356\"", "lost = \"AS680-AS3356\"\nadded = \"AS680-AS3356\"");
    assert!(errors(&both).to_string().contains("must say exactly one thing"));
}

const PAGE: &str = include_str!("../../../docs/scenarios.md");

/// What stands in the page as TOML from a heading on.
fn examples(from: &str) -> impl Iterator<Item = &'static str> {
    let part = &PAGE[PAGE.find(from).expect("the heading is there")..];
    part.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap())
}

#[test]
fn the_whole_example_of_the_documentation_is_a_scenario_and_so_is_what_is_added_to_it() {
    let whole = examples("# Scenarios").next().unwrap();
    Scenario::parse("docs/scenarios.md", whole).unwrap();
    let mut added = 0;
    for more in examples("## At the top") {
        let text = format!("{whole}\n{more}");
        Scenario::parse("docs/scenarios.md", &text).unwrap_or_else(|errors| panic!("{errors}\n{more}"));
        added += 1;
    }
    assert!(added >= 9, "{added}");
}

/// All keys that a table may have, as the error about one that it may not have names them.
fn keys(header: &str) -> Vec<String> {
    let text = mistakes::EVERYTHING.replacen(header, &format!("{header}\nno_such_key = 1"), 1);
    let rule = errors(&text).0.remove(0).rule;
    let (_, keys) = rule.split_once("expected one of ").unwrap_or_else(|| panic!("{header}: {rule}"));
    keys.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_key_that_a_scenario_may_have_is_documented() {
    let tables = [
        "[clock]",
        "[vantage]",
        "[[as]]",
        "[[router]]",
        "[[link]]",
        "[[network]]",
        "[[host]]",
        "[[forger]]",
        "[[tunnel]]",
        "[[event]]",
    ];
    let documented = |section: &str, key: &str| {
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.filter_map(|row| row.split('|').nth(1)).any(|cell| cell.contains(&format!("`{key}`")))
    };
    for table in tables {
        let heading = format!("## `{table}`\n");
        let (_, section) = PAGE.split_once(&heading).unwrap_or_else(|| panic!("{table} has no section"));
        let section = section.split("\n## ").next().unwrap();
        for key in keys(table) {
            assert!(documented(section, &key), "{table}: {key} is not documented");
        }
    }
    let (_, top) = PAGE.split_once("## At the top\n").unwrap();
    for key in keys(
        "# Every key of the language of scenarios, once or more. docs/scenarios.md says what each of them means.",
    ) {
        let is_table = tables.iter().any(|table| table.trim_matches(['[', ']']) == key);
        assert!(is_table || documented(top, &key), "{key} is not documented");
    }
}

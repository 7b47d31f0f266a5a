//! The running program looks at scenarios: `lab check`. Nothing here enters a namespace or sends a packet.

use std::fs;
use std::process::{Command, Output};

const SMALL: &str = include_str!("scenarios/small.toml");

/// `tetherline lab` with these arguments, in a folder that holds `scenario` as `s.toml`.
fn lab(scenario: &str, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("s.toml"), scenario).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetherline"));
    command.arg("lab").args(arguments).current_dir(folder.path()).output().expect("started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn a_scenario_without_a_mistake_is_summed_up() {
    let output = lab(SMALL, &["check", "s.toml"]);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    let said = text(&output.stdout);
    for line in
        ["ASes      3", "routers   4", "links     3, 2 of them between ASes", "hosts     3", "events    0"]
    {
        assert!(said.lines().any(|said| said == line), "{line} is not in:\n{said}");
    }
    assert!(said.contains("duration  1day\n"), "{said}");
}

#[test]
fn the_built_in_scenario_can_be_checked_by_its_name() {
    let output = lab("", &["check", "october-2017"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("scenario  october-2017: nothing is wrong with it\n"));
}

#[test]
fn all_mistakes_of_a_scenario_are_told_with_their_lines_and_nothing_is_summed_up() {
    let wrong =
        SMALL.replace("gateway = \"edge\"", "gateway = \"hedge\"").replace("loss = 0.02", "loss = 2.0");
    let line_of = |what: &str| wrong.lines().position(|line| line.contains(what)).expect("it is there") + 1;
    let output = lab(&wrong, &["check", "s.toml"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    let said = text(&output.stderr);
    let gateway = format!("s.toml:{}: vantage.gateway = hedge: must be", line_of("hedge"));
    let loss = format!("s.toml:{}: link.loss = 2: must be a probability", line_of("loss = 2.0"));
    assert!(said.contains(&gateway) && said.contains(&loss), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named_and_so_is_what_could_be_given() {
    let output = lab("", &["check", "nowhere.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("nowhere.toml: cannot be read") && said.contains("october-2017"), "{said}");
}

#[test]
fn a_picture_goes_to_standard_output_and_is_the_same_every_time() {
    let everything = include_str!("scenarios/everything.toml");
    let [one, other] = [0, 1].map(|_| lab(everything, &["draw", "s.toml"]));
    assert_eq!((one.status.code(), text(&one.stderr).as_str()), (Some(0), ""));
    assert!(text(&one.stdout).starts_with("digraph scenario {\n") && text(&one.stdout).ends_with("}\n"));
    assert_eq!(one.stdout, other.stdout);
    let wrong = lab("seed = 1\n", &["draw", "s.toml"]);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(2), 0));
}

#[test]
fn a_file_with_the_name_of_a_command_can_still_be_run_in() {
    // There is none, so that nothing starts; but it is looked for.
    let output = lab("", &["./check", "--", "true"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("./check: cannot be read"));
}

//! `tetherline whatif` as a process: what it prints, what it refuses, and what it says then. It sends nothing.

use std::fs;
use std::path::Path;

use assert_cmd::Command;

/// AS9 hangs on AS4 alone; AS5 and AS1 are farther up.
const BEFORE: &str = "1|4|-1\n1|5|-1\n4|9|-1\n5|7|-1\n1|2|0\n2|8|-1\n";
const AFTER: &str = "1|4|-1\n1|5|-1\n4|9|-1\n5|9|-1\n5|7|-1\n1|2|0\n2|8|-1\n";

fn whatif(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    fs::write(folder.join("before"), BEFORE).unwrap();
    fs::write(folder.join("after"), AFTER).unwrap();
    let mut command = Command::cargo_bin("tetherline").unwrap();
    let output = command.arg("whatif").args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn losing_the_only_upstream_leaves_nobody_and_adding_a_second_one_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let asked = ["--as-rel", "before", "--origin", "AS9", "--lose", "AS4", "--seeds", "2"];
    let (code, shown, _) = whatif(folder.path(), &asked);
    assert_eq!(code, 0);
    assert!(shown.starts_with("AS9, if AS4 is lost\n"), "{shown}");
    let reach = |shown: &str| {
        let line = shown.lines().find(|line| line.contains("ASes with a route")).unwrap();
        line.split_whitespace().skip(4).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(reach(&shown), ["6", "0"]);
    let asked = [&asked[..], &["--add", "AS5-AS9:transit"]].concat();
    assert_eq!(reach(&whatif(folder.path(), &asked).1), ["6", "5"]);
}

#[test]
fn several_files_are_shown_together_as_a_range_and_written_value_by_value() {
    let folder = tempfile::tempdir().unwrap();
    let asked =
        ["--as-rel", "before", "after", "--origin", "9", "--lose", "AS4-AS9", "--csv", "out.csv", "--json"];
    let (code, shown, _) = whatif(folder.path(), &asked);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(json["snapshots"].as_array().unwrap().len(), 2);
    let csv = fs::read_to_string(folder.path().join("out.csv")).unwrap();
    assert!(csv.contains("before,seed_10,after,reach,,0\r\n"), "{csv}");
    assert!(csv.contains("after,lowest_asn,after,reach,,6\r\n"), "{csv}");
    let text = whatif(folder.path(), &asked[..7]).1;
    assert!(text.contains("over all snapshots and ties") && text.contains("0 to 6"), "{text}");
}

#[test]
fn sets_are_lost_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("sets.toml"),
        "[[set]]\nname = \"cable\"\nmembers = [\"AS1-AS4\", \"AS1-AS5\"]\n",
    )
    .unwrap();
    let asked = ["--as-rel", "after", "--origin", "AS9", "--sets", "sets.toml", "--lose", "cable"];
    let (code, shown, error) = whatif(folder.path(), &asked);
    assert_eq!(code, 0, "{error}");
    assert!(shown.starts_with("AS9, if cable is lost\n"));
    let reach = shown.lines().find(|line| line.contains("ASes with a route")).unwrap();
    assert_eq!(reach.split_whitespace().skip(4).collect::<Vec<_>>(), ["6", "3"]);
}

#[test]
fn what_is_not_there_is_a_mistake_that_names_what_is() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str]| {
        let (code, shown, error) = whatif(folder.path(), &[&["--as-rel", "before"], arguments].concat());
        assert_eq!((code, shown.as_str()), (2, ""), "{error}");
        error
    };
    let error = refused(&["--origin", "AS99"]);
    assert!(error.contains("before: AS99: is not there; the most like it are AS9"), "{error}");
    let error = refused(&["--origin", "AS9", "--lose", "AS5-AS9"]);
    assert!(error.contains("AS5-AS9: is not there; the links most like it are"), "{error}");
    assert!(error.contains("AS4-AS9"), "{error}");
    let error = refused(&["--origin", "AS9", "--lose", "cable"]);
    assert!(error.contains("\"cable\" cannot be lost"), "{error}");
    let error = refused(&["--origin", "AS9", "--add", "AS5-AS9"]);
    assert!(error.contains("AS20485-AS131279:transit"), "{error}");
    let (code, ..) = whatif(folder.path(), &["--as-rel", "nowhere", "--origin", "AS9"]);
    assert_eq!(code, 2);
}

#[test]
fn a_link_that_only_some_snapshots_know_is_told_of_beside_those_that_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let asked = ["--as-rel", "before", "after", "--origin", "AS9", "--lose", "AS5-AS9"];
    let (code, shown, _) = whatif(folder.path(), &asked);
    assert_eq!(code, 0);
    assert!(shown.contains("  AS5-AS9: is not there"), "{shown}");
}

#[test]
fn a_ranking_names_the_links_and_ases_without_which_nobody_is_left_alone_and_in_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let asked =
        ["--as-rel", "before", "after", "--origin", "AS9", "--rank", "3", "--pairs", "--csv", "rank.csv"];
    let (code, shown, error) = whatif(folder.path(), &asked);
    assert_eq!((code, error.as_str()), (0, ""));
    // Of six ASes, all lose their route with the link in one snapshot, and none in the other.
    let line = shown.lines().find(|line| line.trim_start().starts_with("AS4-AS9 ")).unwrap();
    assert!(line.contains("0 to 6"), "{shown}");
    assert!(shown.contains("AS4-AS9 and AS5-AS9"), "{shown}");
    let csv = fs::read_to_string(folder.path().join("rank.csv")).unwrap();
    assert!(csv.contains("after,lowest_asn,AS4-AS9,AS5-AS9,6,6,0,\r\n"), "{csv}");
    assert!(csv.contains("before,lowest_asn,AS4,,5,,0,"), "{csv}");
    let (code, shown, _) = whatif(folder.path(), &[&asked[..7], &["--json"]].concat());
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, json["rows"].as_array().unwrap().is_empty()), (0, false));
}

#[test]
fn a_prediction_is_held_against_a_later_table_beside_the_guess_that_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let asked =
        ["--as-rel", "before", "--after", "after", "--origin", "AS9", "--backtest", "--csv", "test.csv"];
    let (code, shown, error) = whatif(folder.path(), &asked);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(shown.contains("before, then after: AS5-AS9:transit added"), "{shown}");
    let right = shown.lines().find(|line| line.contains("right: the last AS")).unwrap();
    assert!(right.contains("100.0 %"), "{right}");
    let csv = fs::read_to_string(folder.path().join("test.csv")).unwrap();
    assert!(csv.contains("before,after,lowest_asn,upstream_right,,1.000000,0.666667,\r\n"), "{csv}");
    let (code, _, error) = whatif(
        folder.path(),
        &["--as-rel", "before", "after", "--after", "after", "--origin", "AS9", "--backtest"],
    );
    assert_eq!(code, 2);
    assert!(error.contains("--after has 1 files and --as-rel 2"), "{error}");
}

/// The relations of the built-in scenario; the line that AS131279 gains is among them.
const OCTOBER: &str = "3356|680|-1\n1299|680|-1\n1299|3356|0\n1299|4837|0\n3356|4837|-1\n3356|20485|-1\n1299|20485|-1\n\
    4837|131279|-1\n20485|131279|-1\n4837|9929|-1\n20485|30721|-1\n";

#[test]
fn the_events_of_a_campaign_are_foretold_and_held_against_what_was_measured_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = Command::cargo_bin("tetherline").unwrap();
    demo.args(["demo", "--virtual", "--keep", "kept"]).current_dir(folder.path()).assert().success();
    fs::write(folder.path().join("october"), OCTOBER).unwrap();
    let asked = [
        "--as-rel",
        "october",
        "--dataset",
        "kept",
        "--origin",
        "AS131279",
        "--backtest",
        "--csv",
        "c.csv",
    ];
    let (code, shown, error) = whatif(folder.path(), &asked);
    assert_eq!(code, 0, "{error}");
    assert!(shown.contains("link AS20485-AS131279 added"), "{shown}");
    // Losing AS4837 leaves one way: everybody comes through AS20485, as foretold.
    let lost = &shown[shown.find("link AS4837-AS131279 lost").unwrap()..];
    assert!(lost.contains("went elsewhere than foretold: 0.0 %"), "{shown}");
    let csv = fs::read_to_string(folder.path().join("c.csv")).unwrap();
    assert!(csv.starts_with("events,unit,upstream,foretold,before,after,after_low,after_high\r\n"));
    assert!(!csv.to_lowercase().contains("nan"));
    // The report tells the same, where the table is among its sources.
    let mut report = Command::cargo_bin("tetherline").unwrap();
    report.args(["report", "kept", "-o", "kept/origins/lab.pfx2as", "-o", "october", "--output", "report"]);
    report.current_dir(folder.path()).assert().success();
    let scores = fs::read_to_string(folder.path().join("report/foretold_scores.csv")).unwrap();
    assert!(scores.contains("3,175.45.176.0/24,0.00000,"), "{scores}");
    let shares = fs::read_to_string(folder.path().join("report/foretold.csv")).unwrap();
    assert_eq!(shares.lines().count(), csv.lines().count(), "{shares}\n{csv}");
    // Without a table, what was measured is all there is, and that is said.
    let asked = ["--dataset", "kept", "--origin", "AS131279", "--lose", "AS20485-AS131279"];
    let (code, shown, error) = whatif(folder.path(), &asked);
    assert_eq!(code, 0, "{error}");
    assert!(
        error.contains("no table: of the links measured in") && error.contains("is assumed"),
        "{error}"
    );
    assert!(shown.starts_with("AS131279, if AS20485-AS131279 is lost"), "{shown}");
}

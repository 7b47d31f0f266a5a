//! Whether all outputs say the same, whether nothing from outside can do harm in any of them, and whether
//! a dataset that holds nothing still gives an honest report.

#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    reason = "the oracles of tests are plain arithmetic on small numbers"
)]

mod diverse;
mod foretold;
mod october;
mod printed;
pub(super) mod reading;

use std::collections::BTreeSet;

use super::dictionary::{self, Kind};
use super::*;
use crate::analyse::compare::{Estimate, Findings, Reach};
use crate::dataset::ClockStep;
use crate::model::{RoundId, Untrusted, WallTime};
use october::{asn, nothing, october};
use reading::{CsvFile, brief_row, page_brief_row, page_rows, terminal_rows, without_colour};

fn csv_of(findings: &Findings) -> Vec<CsvFile> {
    csv_files(findings).unwrap().iter().map(|(name, bytes)| CsvFile::read(name, bytes)).collect()
}

fn csv_named(findings: &Findings, name: &str) -> CsvFile {
    csv_of(findings).into_iter().find(|file| file.name == name).unwrap()
}

fn everything(findings: &Findings) -> Vec<(String, String)> {
    let mut texts = vec![
        ("terminal".to_owned(), terminal(findings, Style::PLAIN)),
        ("report.html".to_owned(), html(findings).unwrap()),
        ("timeline.svg".to_owned(), timeline_figure::draw(findings).svg()),
        ("paths.svg".to_owned(), path_figure::draw(findings).svg()),
    ];
    let csv = csv_files(findings).unwrap();
    texts.extend(csv.into_iter().map(|(name, bytes)| (name.to_owned(), String::from_utf8(bytes).unwrap())));
    texts.extend(latex_files(findings).into_iter().map(|(name, text)| (name.to_owned(), text)));
    texts
}

/// What a reader makes of three cells of a CSV file: percent with one decimal, rounded half up.
fn shown_share([value, low, high]: [&str; 3]) -> String {
    let percent = |cell: &str| {
        let (whole, decimals) = cell.split_once('.').unwrap();
        let parts: u64 = format!("{whole}{decimals}").parse().unwrap();
        match parts {
            1..=49 => "<0.1".to_owned(),
            99_950..=99_999 => ">99.9".to_owned(),
            _ => format!("{:.1}", (parts as f64 / 100.0).round() / 10.0),
        }
    };
    format!("{} % [{}, {}]", percent(value), percent(low), percent(high))
}

#[test]
fn the_terminal_the_page_and_the_csv_give_the_same_shares() {
    let findings = october();
    let text = terminal(&findings, Style::PLAIN);
    let page = html(&findings).unwrap();
    let mut compared = 0;
    for (file, label) in [("reachability.csv", "method"), ("upstreams.csv", "upstream")] {
        for row in csv_named(&findings, file).rows.iter().filter(|row| !row["share"].is_empty()) {
            let shown = shown_share(["share", "low", "high"].map(|column| row[column].as_str()));
            let label = match (label, row[label].as_str()) {
                ("upstream", upstream) => format!("via {upstream}"),
                (_, "tcp") => "TCP answered".to_owned(),
                (_, method) => format!("{method} answered"),
            };
            let epoch: usize = row["epoch"].parse().unwrap();
            assert_eq!(terminal_rows(&text, &row["unit"])[&label][epoch - 1], shown, "{row:?}");
            assert_eq!(page_rows(&page, &row["unit"])[&label][epoch - 1], shown, "{row:?}");
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

#[test]
fn the_terminal_the_page_and_the_csv_give_the_same_counts() {
    let findings = october();
    let text = terminal(&findings, Style::PLAIN);
    let page = html(&findings).unwrap();
    for row in &csv_named(&findings, "paths.csv").rows {
        let epoch: usize = row["epoch"].parse().unwrap();
        for rows in [terminal_rows(&text, &row["unit"]), page_rows(&page, &row["unit"])] {
            assert_eq!(rows["state"][epoch - 1].replace(' ', "_"), row["reach"], "{row:?}");
            assert_eq!(rows["traces"][epoch - 1], row["traced"], "{row:?}");
            if row["traced"] != "0" {
                assert_eq!(rows["AS paths"][epoch - 1], row["as_paths"], "{row:?}");
                assert_eq!(rows["address paths"][epoch - 1], row["address_paths"], "{row:?}");
            }
        }
    }
    for row in &csv_named(&findings, "ledger.csv").rows {
        let known = match row["entry"].as_str() {
            "kernel_dropped" => "dropped by the kernel".to_owned(),
            entry => entry.replace('_', " "),
        };
        let shown = format!("{known} {}", row["packets"]);
        assert!(text.contains(&shown) && page.contains(&shown), "{shown}");
    }
}

#[test]
fn the_terminal_the_page_and_the_csv_give_the_same_changes() {
    let findings = october();
    let (text, page) = (terminal(&findings, Style::PLAIN), html(&findings).unwrap());
    let rows = csv_named(&findings, "changes.csv").rows;
    assert!(rows.len() > 12);
    for row in &rows {
        let difference: f64 = row["difference"].parse().unwrap();
        let sign = if difference < 0.0 { '\u{2212}' } else { '+' };
        let shown = if row["metric"].ends_with("_share") {
            format!("{sign}{:.1} points", (difference.abs() * 1000.0 + 1e-7).round() / 10.0)
        } else {
            format!("{sign}{difference:.0}").replace("\u{2212}-", "\u{2212}")
        };
        assert!(text.contains(&shown), "{shown} {row:?}");
        assert!(page.contains(&format!("<strong>{shown}</strong>")), "{shown} {row:?}");
    }
}

#[test]
fn the_short_table_agrees_with_the_csv() {
    let findings = october();
    let page = html(&findings).unwrap();
    for width in [80, 100] {
        let text = terminal(&findings, Style { full: false, width, colour: false });
        for row in csv_named(&findings, "upstreams.csv").rows.iter().filter(|row| !row["share"].is_empty())
        {
            let share = shown_share(["share", "low", "high"].map(|column| row[column].as_str()));
            let share = share.split(" [").next().unwrap();
            for shown in [
                brief_row(&text, &row["unit"], &row["epoch"]),
                page_brief_row(&page, &row["unit"], &row["epoch"]),
            ] {
                assert!(shown.contains(share), "{row:?} {shown}");
            }
        }
        for row in &csv_named(&findings, "reachability.csv").rows {
            let shown = format!("{}/{}", row["answered"], row["probes"]);
            let control =
                findings.units.iter().any(|unit| unit.control && unit.unit.to_string() == row["unit"]);
            if !control && row["probes"] != "0" {
                assert!(brief_row(&text, &row["unit"], &row["epoch"]).contains(&shown), "{row:?}");
                assert!(page_brief_row(&page, &row["unit"], &row["epoch"]).contains(&shown), "{row:?}");
            }
        }
    }
}

#[test]
fn every_cell_is_what_the_dictionary_says_and_no_spreadsheet_takes_it_for_a_formula() {
    for findings in [october(), hostile(), nothing()] {
        for file in csv_of(&findings).iter().filter(|file| file.name != "columns.csv") {
            let sheet = dictionary::SHEETS.iter().find(|sheet| sheet.file == file.name).unwrap();
            for row in &file.rows {
                for column in sheet.columns {
                    let cell = &row[column.name];
                    assert!(reading::fits(column.kind, cell), "{} {}: {cell:?}", file.name, column.name);
                }
            }
        }
    }
}

#[test]
fn columns_csv_names_the_columns_of_every_file() {
    let files = csv_of(&october());
    let dictionary = files.last().unwrap();
    assert_eq!(dictionary.name, "columns.csv");
    for file in &files {
        let rows = dictionary.rows.iter().filter(|row| row["file"] == file.name);
        let documented: Vec<&str> = rows.map(|row| row["column"].as_str()).collect();
        assert_eq!(documented, file.header, "{}", file.name);
    }
    assert!(dictionary.rows.iter().all(|row| !row["type"].is_empty() && !row["meaning"].is_empty()));
}

#[test]
fn two_reports_of_the_same_findings_are_the_same_bytes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = write_all(&october(), one.path()).unwrap();
    std::fs::write(other.path().join(".report.html.partial"), "left by a crash").unwrap();
    std::fs::write(other.path().join("report.html"), "of yesterday").unwrap();
    write_all(&october(), other.path()).unwrap();
    assert_eq!(first.len(), std::fs::read_dir(other.path()).unwrap().count());
    for path in first {
        let name = path.file_name().unwrap();
        assert_eq!(
            std::fs::read(&path).unwrap(),
            std::fs::read(other.path().join(name)).unwrap(),
            "{name:?}"
        );
    }
}

#[test]
fn an_error_names_what_could_not_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("occupied");
    std::fs::write(&file, "").unwrap();
    let error = write_all(&october(), &file).unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    std::fs::create_dir_all(folder.path().join("report/paths.svg")).unwrap();
    let error = write_all(&october(), &folder.path().join("report")).unwrap_err();
    assert!(error.to_string().ends_with("report/paths.svg"), "{error}");
}

/// Names and sentences as an enemy would choose them.
fn hostile() -> Findings {
    let mut findings = october();
    let texts = [
        "<script>alert(1)</script>".to_owned(),
        "</title></style><img src=x onerror=alert(1)>".to_owned(),
        "\u{1b}[2J\u{1b}]0;owned\u{7}".to_owned(),
        "=cmd|' /C calc'!A0".to_owned(),
        "-2+3\",\"x\r\n@SUM(1)".to_owned(),
        "\u{202e}gnp.exe\u{2066} \u{5d0}\u{5d1}".to_owned(),
        "x".repeat(65_536),
        "nul\0 {{ campaign }} \\input{/etc/passwd} \u{ffff}".to_owned(),
    ];
    let asns: Vec<_> = findings.names.keys().copied().collect();
    findings.names = asns.into_iter().zip(texts.iter().cloned().map(Untrusted::new)).collect();
    findings.names.insert(asn(99), Untrusted::new("\t=1+1"));
    findings.units[0].verdict = texts.to_vec();
    findings
}

#[test]
fn names_from_outside_do_no_harm_in_any_output() {
    for (name, text) in everything(&hostile()) {
        let csv = name.rsplit('.').next() == Some("csv");
        let allowed = |c: char| c == '\n' || (c == '\r' && csv);
        let bad = text.chars().find(|c| {
            (c.is_control() && !allowed(*c))
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(bad, None, "{name}");
        if name.ends_with("html") || name.ends_with("svg") {
            assert!(!text.contains("<script") && !text.contains("<img"), "{name}");
        }
        if name.ends_with("tex") {
            assert!(!text.contains("\\input"), "{name}");
        }
        assert!(text.len() < 300_000, "{name}: {}", text.len());
    }
}

#[test]
fn who_opted_out_is_told_alike_everywhere_and_nowhere_if_nobody_did() {
    let sentence = "Opted out, and not probed from then on: 175.45.177.0/24 from 2017-10-01 11:20:00.";
    for (text, none) in [
        (terminal(&october(), Style::PLAIN), terminal(&nothing(), Style::PLAIN)),
        (terminal(&october(), Style { full: false, ..Style::PLAIN }), terminal(&nothing(), Style::PLAIN)),
        (html(&october()).unwrap(), html(&nothing()).unwrap()),
    ] {
        assert!(text.contains(sentence), "{text}");
        assert!(!none.contains("Opted out"), "{none}");
    }
    let csv = csv_named(&october(), "opt_outs.csv");
    let told = (csv.rows[0]["prefix"].as_str(), csv.rows[0]["at"].as_str());
    assert_eq!((csv.rows.len(), told), (1, ("175.45.177.0/24", "2017-10-01T11:20:00Z")));
    let many = |number: u8| (format!("10.{number}.0.0/16").parse().unwrap(), october().opt_outs[0].1);
    let many = Findings { opt_outs: (0..=255).map(many).collect(), ..october() };
    assert!(
        html(&many).unwrap().contains("10.19.0.0/16 from 2017-10-01 11:20:00; 236 more in opt_outs.csv.")
    );
}

#[test]
fn a_wall_clock_that_was_stepped_is_told_where_it_is_told_how_to_read() {
    let step = |at: &str, by_ns| ClockStep { at: WallTime::parse_rfc3339(at).unwrap(), by_ns };
    let clock_steps = vec![
        step("2017-10-01T09:03:00Z", 28_980_000_000_000),
        step("2017-10-01T10:00:00Z", -90_000_000_000),
    ];
    let findings = Findings { clock_steps, ..october() };
    let told = "8 h 3 min forward at 2017-10-01 09:03:00; 1 min 30 s back at 2017-10-01 10:00:00.";
    assert!(html(&findings).unwrap().contains(told));
    let text = terminal(&findings, Style { width: 120, ..Style::PLAIN });
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(told), "{text}");
    assert!(!terminal(&october(), Style::PLAIN).contains("slept"));
}

#[test]
fn rounds_in_which_the_kernel_dropped_packets_are_named() {
    let round = |number| (RoundId(number), "trace-icmp".parse().unwrap(), 1_200);
    let findings = Findings { dropped: (1..=22).map(round).collect(), ..october() };
    let text = terminal(&findings, Style { width: 120, ..Style::PLAIN });
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("round 20 of trace-icmp (1,200 packets); 2 more."), "{text}");
    assert!(html(&findings).unwrap().contains("round 1 of trace-icmp (1,200 packets);"));
    assert!(!terminal(&october(), Style::PLAIN).contains("dropped packets"));
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let page = html(&october()).unwrap();
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "src=", "@import", "<link", "<script", "<iframe"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("url(").count(), page.matches("url(#").count());
}

#[test]
fn every_id_on_the_page_is_there_once_and_every_reference_has_its_id() {
    let page = html(&october()).unwrap();
    let values = |start: &str, end: char| -> Vec<String> {
        page.split(start).skip(1).map(|rest| rest.split(end).next().unwrap().to_owned()).collect()
    };
    let ids = values(" id=\"", '"');
    let unique: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(unique.len(), ids.len());
    let labels = values("aria-labelledby=\"", '"').into_iter();
    let labels = labels.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>());
    for reference in values("url(#", ')').into_iter().chain(values("href=\"#", '"')).chain(labels) {
        assert!(unique.contains(&reference), "{reference}");
    }
}

#[test]
fn a_dataset_that_holds_nothing_is_said_to_hold_nothing() {
    let findings = nothing();
    let no_unit = "No unit was measured, so nothing can be said.";
    assert!(terminal(&findings, Style::PLAIN).contains(no_unit));
    assert!(html(&findings).unwrap().contains(no_unit));
    assert!(timeline_figure::draw(&findings).svg().contains("there is no timeline"));
    assert!(path_figure::draw(&findings).svg().contains("No path between ASes was seen"));
    let without_epochs = Findings { epochs: Vec::new(), ..nothing() };
    assert_eq!(everything(&without_epochs).len(), everything(&findings).len());
}

#[test]
fn what_cannot_be_judged_is_said_in_the_place_of_the_number() {
    let page = html(&october()).unwrap();
    let section = page.split("<h2 id=\"diversity\">").nth(1).unwrap().split("<h2 ").next().unwrap();
    assert!(section.contains("cannot be judged, because nothing was traced in the epoch."), "{section}");
    assert!(section.contains("<strong>+0.98</strong> <span class=\"interval\">[+0.91, +1]</span>"));
    let text = terminal(&october(), Style { full: false, ..Style::PLAIN });
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("epoch 1 \u{2192} 2: effective upstreams 1 \u{2192} 1.98, +0.98 [+0.91, +1]"),
        "{text}"
    );
    assert!(text.contains("175.45.177.0/24: cannot be judged, because nothing was traced in the epoch."));
    let rows = csv_named(&october(), "diversity.csv").rows;
    assert!(rows.iter().all(|row| row["value"].is_empty() <= !row["reason"].is_empty()));
    assert!(rows.iter().all(|row| row["low"].is_empty() == row["interval"].is_empty()));
    let (cuts, tex) = (csv_named(&october(), "cuts.csv").rows, latex_files(&october()));
    assert!(cuts.iter().any(|row| row["from"] == "AS4837" && row["role"] == "smallest_cut"));
    let tex = &tex.iter().find(|(name, _)| *name == "diversity.tex").unwrap().1;
    assert!(tex.contains(r"effective upstreams & 1, 1.98 & +0.98 [+0.91, +1] \\"), "{tex}");
}

#[test]
fn one_epoch_has_no_before_and_after() {
    let mut findings = october();
    findings.epochs.truncate(1);
    for unit in &mut findings.units {
        unit.by_epoch.truncate(1);
        unit.changes.clear();
        unit.verdict.clear();
    }
    for text in [terminal(&findings, Style::PLAIN), html(&findings).unwrap()] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("no before and after to compare"));
        assert!(text.contains("Cannot be judged"));
    }
}

#[test]
fn what_is_no_number_never_reaches_a_reader() {
    let mut findings = october();
    let broken = Estimate { value: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY };
    findings.speed = f64::NAN;
    diverse::spoil(&mut findings.diversity);
    findings.confidence = f64::NAN;
    for unit in &mut findings.units {
        for epoch in &mut unit.by_epoch {
            epoch.reachability.iter_mut().for_each(|entry| entry.share = Some(broken));
            epoch.upstreams.iter_mut().for_each(|entry| entry.share = broken);
        }
        for change in &mut unit.changes {
            (change.before, change.after, change.difference) = (f64::NAN, f64::INFINITY, f64::NAN);
            change.interval = Some((f64::NAN, f64::NAN));
        }
    }
    for (name, text) in everything(&findings) {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        assert_eq!(words.filter(|word| matches!(*word, "NaN" | "inf" | "nan")).count(), 0, "{name}");
    }
    assert!(terminal(&findings, Style::PLAIN).contains("not known"));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for findings in [october(), hostile(), nothing()] {
        for width in [72, 80, 100, 120] {
            for full in [false, true] {
                let text = terminal(&findings, Style { colour: false, width, full });
                let widest = text.lines().max_by_key(|line| line.chars().count()).unwrap();
                assert!(widest.chars().count() <= width, "{width}: {widest:?}");
            }
        }
    }
}

#[test]
fn colour_adds_nothing_that_the_words_do_not_say() {
    for full in [false, true] {
        let plain = terminal(&october(), Style { full, ..Style::PLAIN });
        let coloured = terminal(&october(), Style { colour: true, full, ..Style::PLAIN });
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(without_colour(&coloured), plain);
    }
}

#[test]
fn a_unit_that_never_answered_is_not_called_unreachable() {
    let findings = october();
    let rows = terminal_rows(&terminal(&findings, Style::PLAIN), "175.45.177.0/24");
    assert_eq!(rows["state"], ["not observable"; 3]);
    assert!(findings.units[1].by_epoch.iter().all(|epoch| epoch.reach == Reach::NotObservable));
    assert!(timeline_figure::draw(&findings).svg().contains("not observable: nothing there ever answered"));
}

#[test]
fn the_path_figure_tells_what_came_and_what_went() {
    let svg = path_figure::draw(&october()).svg();
    let epochs: Vec<&str> = svg.split(">Epoch ").skip(1).collect();
    let [first, second, third] = epochs.as_slice() else { unreachable!("{} epochs", epochs.len()) };
    assert!(!first.contains(", new<") && !first.contains(">gone<"));
    assert!(second.contains("AS20485 to AS131279: 270 flows") && second.contains(">270, new<"));
    assert!(third.contains("AS4837 to AS131279: not seen any more"));
    assert!(third.contains("in all paths: 2 of 2 units"));
}

#[test]
fn no_label_of_a_link_covers_another_and_names_stand_in_the_boxes() {
    let svg = path_figure::draw(&october()).svg();
    let number = |shape: &str, key: &str| -> f64 {
        shape.split(&format!(" {key}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let boxes: Vec<[f64; 4]> = svg
        .split("<rect class=\"tag\"")
        .skip(1)
        .map(|shape| ["x", "y", "width", "height"].map(|key| number(shape, key)))
        .collect();
    assert!(boxes.len() > 10);
    for (index, [x, y, width, height]) in boxes.iter().enumerate() {
        for [other_x, other_y, other_width, other_height] in boxes.iter().skip(index + 1) {
            let beside = x + width <= *other_x || other_x + other_width <= *x;
            let below = y + height <= *other_y || other_y + other_height <= *y;
            assert!(beside || below, "{x} {y} and {other_x} {other_y}");
        }
    }
    assert!(svg.contains(">Arelion<") && svg.contains(">TransTelekom<"));
}

#[test]
fn the_text_reads_as_it_should() {
    insta::assert_snapshot!("october", terminal(&october(), Style::PLAIN));
    insta::assert_snapshot!("brief", terminal(&october(), Style { full: false, ..Style::PLAIN }));
    insta::assert_snapshot!(
        "brief_80",
        terminal(&october(), Style { full: false, width: 80, colour: false })
    );
    insta::assert_snapshot!(
        "nothing",
        terminal(&nothing(), Style { colour: false, width: 80, full: true })
    );
}

#[test]
fn the_dictionary_has_no_word_that_a_spreadsheet_could_run() {
    for column in dictionary::SHEETS.iter().flat_map(|sheet| sheet.columns) {
        if let Kind::Word(words) = column.kind {
            let plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(words.iter().all(|word| word.chars().all(plain)), "{words:?}");
        }
    }
}

#[test]
fn changes_of_round_trips_stand_in_the_page_and_in_their_file_alike() {
    let page = html(&october()).unwrap();
    let files = csv_files(&october()).unwrap();
    let (_, bytes) = files.iter().find(|(name, _)| *name == "delay_changes.csv").unwrap();
    let file = CsvFile::read("delay_changes.csv", bytes);
    let [unit, link] = file.rows.as_slice() else { panic!("{:?}", file.rows) };
    assert_eq!(
        (unit["unit"].as_str(), unit["method"].as_str(), unit["near"].as_str()),
        ("175.45.176.0/24", "echo", "")
    );
    assert_eq!(
        (link["unit"].as_str(), link["near"].as_str(), link["far"].as_str()),
        ("", "4.69.154.9", "188.43.225.1")
    );
    assert_eq!(
        (unit["before"].as_str(), unit["after"].as_str(), unit["difference"].as_str()),
        ("290.0", "160.3", "-129.7")
    );
    for text in [
        "175.45.176.0/24, echo",
        "link 4.69.154.9 to 188.43.225.1",
        "290.0 ms to 160.3 ms",
        "\u{2212}129.7 ms",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

//! How many flows, and how many answers: what Linux does by its own counting, and the simulator by ours.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use super::lab::{DIAMOND, TARGETS, ask_all_in, rows};

/// The diamond with one key more.
fn diamond_with(folder: &Path, table: &str, key: &str) -> String {
    let path = folder.join("changed.toml");
    let text = fs::read_to_string(DIAMOND).expect("the diamond");
    assert_eq!(text.matches(table).count(), 1, "{table}");
    fs::write(&path, text.replace(table, &format!("{table}\n{key}"))).expect("written");
    path.display().to_string()
}

/// What these scripts say in the kernel lab, and in the simulator.
fn in_both(scenario: &str, folder: &Path, scripts: &[String]) -> [Vec<String>; 2] {
    let simulated = |script: &String| {
        let output = Command::new(env!("CARGO_BIN_EXE_tetherline"))
            .args(["lab", scenario, "--", "sh", "-euc", script])
            .env("T", env!("CARGO_BIN_EXE_tetherline"))
            .output()
            .expect("the lab starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    [ask_all_in(scenario, folder, scripts), scripts.iter().map(simulated).collect()]
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn a_link_of_three_times_the_weight_gets_three_flows_of_four() {
    const FLOWS: usize = 400;
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = diamond_with(folder.path(), "between = [\"r1\", \"r2b\"]", "weight = 3");
    let script = |target| {
        format!("\"$T\" trace {target} --protocol udp --flows {FLOWS} --max-ttl 2 --rate 1000 --format csv")
    };
    for said in in_both(&scenario, folder.path(), &TARGETS.map(script)).concat() {
        let rows = rows(&said);
        let heavy = ["10.66.3.2", "fd66:3::2"].map(|address| address.parse().ok());
        let met = rows.iter().filter(|row| row.ttl == Some(2) && heavy.contains(&row.from)).count();
        // Five standard deviations around 300.
        assert!((257..=343).contains(&met), "{met} of {FLOWS}");
    }
}

/// When a probe was sent, and whether it was answered.
#[derive(Deserialize)]
struct Sent {
    sent_at_ns: i64,
    outcome: String,
}

/// A tenth of a second, in which the bucket gets one token.
const TENTH: i64 = 100_000_000;

/// How many of probes at these times find a token in a bucket of 6.
fn passed(times: &[i64]) -> usize {
    let (mut held, mut last) = (6 * TENTH, times[0]);
    let finds = |at: &&i64| {
        held = (held + **at - last).min(6 * TENTH);
        last = **at;
        let finds = held >= TENTH;
        held -= if finds { TENTH } else { 0 };
        finds
    };
    times.iter().filter(finds).count()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn a_router_lets_a_burst_of_errors_through_and_then_its_rate() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = "icmp_rate = { per_second = 10, burst = 6 }";
    let scenario = diamond_with(folder.path(), "addresses = [\"10.66.1.2\", \"fd66:1::2\"]", limit);
    let script = |target| {
        format!("\"$T\" trace {target} --flows 200 --max-ttl 1 --attempts 1 --rate 100 --format csv")
    };
    for said in in_both(&scenario, folder.path(), &TARGETS.map(script)).concat() {
        let mut reader = csv::Reader::from_reader(said.as_bytes());
        let probes: Vec<Sent> = reader.deserialize().map(|row| row.expect("a row")).collect();
        let mut times: Vec<i64> = probes.iter().map(|probe| probe.sent_at_ns).collect();
        times.sort_unstable();
        let span_ns = times[times.len() - 1] - times[0];
        let answered = probes.iter().filter(|probe| probe.outcome == "answered").count();
        let most = 6 + usize::try_from(span_ns / TENTH).expect("a while") + 1;
        // It sends no more than it may, and does not stay far behind what its bucket held when the probes came.
        let least = passed(&times) * 2 / 3;
        assert!((least..=most).contains(&answered), "{answered} answers, of {least} to {most}");
    }
}

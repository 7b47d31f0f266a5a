//! A whole campaign among Linux routers: recorded, exported and reported.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tetherline::dataset::{Dataset, RoundState};

use super::lab::{END, Row, TARGETS, hops, rows, run};

pub(crate) const CAMPAIGN: &str = r#"
[campaign]
name = "kernel-lab"

[operator]
name = "The kernel lab"
contact = "noc@kernel-lab.net"
purpose = "To be judged by routers that nobody here wrote"

[vantage]
name = "vantage"

[rates]
total = 500
burst = 10
per_unit = 100
per_responder = 100
liveness_per_unit_hour = 3600

[guard]
allow_private = true

[[targets]]
prefix = "10.66.9.0/24"
select = "hitlist"
hitlist = ["10.66.9.10", "10.66.9.11"]

[[targets]]
prefix = "fd66:9::/48"
select = "hitlist"
hitlist = ["fd66:9::10", "fd66:9::11"]

[[probers]]
name = "echo"
kind = "echo"
every = "10m"
echoes = 3
spacing = "100ms"

[[probers]]
name = "tcp"
kind = "tcp"
every = "10m"
ports = [80, 81]

[[probers]]
name = "trace-icmp"
kind = "trace"
every = "10m"
protocol = "icmp"

[[probers]]
name = "trace-udp"
kind = "trace"
every = "10m"
protocol = "udp"

[[probers]]
name = "trace-tcp"
kind = "trace"
every = "10m"
protocol = "tcp"
port = 81
"#;

/// What each kind of liveness probe was answered, and how often.
fn liveness(rows: &[Row]) -> BTreeMap<(&str, Option<u16>, &str), usize> {
    let mut counts = BTreeMap::new();
    for row in rows.iter().filter(|row| row.method != "trace") {
        *counts.entry((row.method.as_str(), row.port, row.reply.as_str())).or_default() += 1;
    }
    counts
}

/// Every hop of every trace is one that can be there, and both branches were met.
fn check_traces(rows: &[Row], target: &str) {
    let known = hops(target);
    let (mut met, own) = (vec![0; known.len()], target.parse().ok());
    for row in rows.iter().filter(|row| row.method == "trace" && Some(row.target) == own) {
        let (Some(ttl), Some(from)) = (row.ttl, row.from) else { panic!("not answered: {row:?}") };
        let hop = usize::from(ttl.min(END) - 1);
        assert!(known[hop].contains(&from), "{row:?}");
        met[hop] += 1;
    }
    assert!(met.iter().all(|count| *count >= 12), "3 protocols with 4 flows each: {met:?}");
}

fn check_ledger(folder: &Path, rows: &[Row]) {
    let dataset = Dataset::open_read_only(folder).expect("a dataset");
    let ledger = dataset.total_ledger().expect("a ledger");
    assert!(ledger.balances(), "{ledger}");
    let answered = rows.iter().filter(|row| row.outcome == "answered").count() as u64;
    assert_eq!((ledger.answered, ledger.sent), (answered, rows.len() as u64), "{ledger}");
    assert!(dataset.rounds().expect("rounds").iter().all(|round| round.state == RoundState::Complete));
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn a_campaign_is_answered_as_the_topology_says_and_can_be_exported_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("probes.toml"), CAMPAIGN).expect("written");
    let script = "\"$T\" run --once \"$DIR/probes.toml\" >&2
        \"$T\" report \"$DIR/kernel-lab\" --output \"$DIR/report\" >\"$DIR/report.txt\"
        \"$T\" export \"$DIR/kernel-lab\"";
    let rows = rows(&run(folder.path(), script));

    let expected = [
        (("echo", None, "echo_reply"), 12),
        (("tcp", Some(80), "syn_ack"), 4),
        (("tcp", Some(81), "rst"), 4),
    ];
    assert_eq!(liveness(&rows), expected.into());
    for target in TARGETS {
        check_traces(&rows, target);
    }
    let unstamped = rows.iter().filter(|row| row.rtt_source != "kernel").count();
    assert!(unstamped * 20 <= rows.len(), "{unstamped} of {} are not stamped by the kernel", rows.len());
    check_ledger(&folder.path().join("kernel-lab"), &rows);

    let report = fs::read_to_string(folder.path().join("report.txt")).expect("a report");
    for unit in ["10.66.9.0/24", "fd66:9::/48"] {
        assert!(report.contains(unit), "{report}");
    }
    assert!(folder.path().join("report").read_dir().expect("a folder").count() > 1);
}

//! The lab, what a trace must see in it, and what ours says that it saw.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The target, in each family.
pub(crate) const TARGETS: [&str; 2] = ["10.66.9.10", "fd66:9::10"];

/// What tetherline calls its protocols.
pub(crate) const PROTOCOLS: [&str; 3] = ["icmp", "udp", "tcp"];

/// As many flows as it takes to meet both branches of the load balancer: that none of them takes one of the
/// two has a chance of one in four thousand million.
pub(crate) const ENOUGH_FLOWS: u16 = 32;

/// The source port of flow 0.
pub(crate) const FIRST_PORT: u16 = 40_000;

/// The TTL at which the target answers.
pub(crate) const END: u8 = 5;

/// The scenario of the diamond.
pub(crate) const DIAMOND: &str = "tests/kernel_lab/diamond.toml";

/// A command of the project's own that begins a lab. In scripts, `$T` is tetherline and `$DIR` is `folder`.
pub(crate) fn kernel_lab(folder: &Path) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("scripts/kernel-lab"));
    command.env("T", env!("CARGO_BIN_EXE_tetherline")).env("DIR", folder).current_dir(root);
    command
}

/// Runs a shell script at the vantage of a scenario. Returns its standard output.
pub(crate) fn run_in(scenario: &str, folder: &Path, script: &str) -> String {
    let output = kernel_lab(folder).args([scenario, "sh", "-euc", script]).output();
    let output = output.expect("scripts/kernel-lab starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{said}");
    String::from_utf8(output.stdout).expect("text")
}

/// The same at the vantage of the diamond.
pub(crate) fn run(folder: &Path, script: &str) -> String {
    run_in(DIAMOND, folder, script)
}

/// Runs one script in the diamond and needs no files.
pub(crate) fn ask(script: &str) -> String {
    run(&std::env::temp_dir(), script)
}

/// Runs several scripts, one after the other in one lab, and returns what each of them said.
pub(crate) fn ask_all_in<S: AsRef<str>>(scenario: &str, folder: &Path, scripts: &[S]) -> Vec<String> {
    let said = run_in(scenario, folder, &one_after_the_other(scripts));
    apart(&said, scripts.len())
}

/// The same in the diamond.
pub(crate) fn ask_all<S: AsRef<str>>(scripts: &[S]) -> Vec<String> {
    ask_all_in(DIAMOND, &std::env::temp_dir(), scripts)
}

const NEXT: &str = "---- next";

/// One script of several, which marks where the next one begins to speak.
pub(crate) fn one_after_the_other<S: AsRef<str>>(scripts: &[S]) -> String {
    scripts.iter().map(|script| format!("{}\necho '{NEXT}'\n", script.as_ref())).collect()
}

/// What each of so many scripts has said.
pub(crate) fn apart(said: &str, scripts: usize) -> Vec<String> {
    let parts: Vec<String> = said.split(&format!("{NEXT}\n")).map(str::to_owned).collect();
    assert_eq!(parts.len(), scripts + 1, "{said}");
    parts.into_iter().take(scripts).collect()
}

/// The command that traces a target as fast as a laboratory allows, and prints CSV.
pub(crate) fn trace(protocol: &str, target: &str, flows: u16) -> String {
    format!("\"$T\" trace {target} --protocol {protocol} --flows {flows} --rate 1000 --format csv\n")
}

/// One probe, as the CSV tells it.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) protocol: String,
    pub(crate) target: IpAddr,
    pub(crate) flow: u16,
    pub(crate) ttl: Option<u8>,
    pub(crate) port: Option<u16>,
    pub(crate) outcome: String,
    pub(crate) reply: String,
    pub(crate) from: Option<IpAddr>,
    pub(crate) rtt_source: String,
}

/// Reads what `trace --format csv` printed, also several times in a row.
pub(crate) fn rows(text: &str) -> Vec<Row> {
    let header = text.lines().next().expect("a header line");
    let (names, probes): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| *line == header);
    assert!(!names.is_empty() && !probes.is_empty(), "{text}");
    let table = std::iter::once(header).chain(probes).collect::<Vec<_>>().join("\n");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    reader.deserialize().map(|row| row.expect("a row of the documented columns")).collect()
}

/// The addresses that must be met at each TTL, over all flows: routers answer from where the probe came in.
pub(crate) fn hops(target: &str) -> Vec<BTreeSet<IpAddr>> {
    let hops: [&[&str]; 5] = if target.contains(':') {
        [
            &["fd66:1::2"],
            &["fd66:2::2", "fd66:3::2"],
            &["fd66:4::2", "fd66:5::2"],
            &["fd66:6::2"],
            &[target],
        ]
    } else {
        [
            &["10.66.1.2"],
            &["10.66.2.2", "10.66.3.2"],
            &["10.66.4.2", "10.66.5.2"],
            &["10.66.6.2"],
            &[target],
        ]
    };
    hops.map(|hop| hop.iter().map(|address| address.parse().expect("an address")).collect()).into()
}

/// The addresses that were met at each TTL up to the target's.
pub(crate) fn met(rows: &[Row]) -> Vec<BTreeSet<IpAddr>> {
    let at = |ttl| rows.iter().filter(move |row| row.ttl == Some(ttl)).filter_map(|row| row.from).collect();
    (1..=END).map(at).collect()
}

/// The path of one flow up to the target.
pub(crate) fn path(rows: &[Row], flow: u16) -> Vec<BTreeSet<IpAddr>> {
    let at = |ttl| {
        let probes = rows.iter().filter(move |row| row.flow == flow && row.ttl == Some(ttl));
        probes.filter_map(|row| row.from).collect()
    };
    (1..=END).map(at).collect()
}

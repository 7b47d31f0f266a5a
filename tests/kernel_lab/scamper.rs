//! The judge is CAIDA's scamper.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::lab::{END, FIRST_PORT, TARGETS, ask_all, path, rows, trace};

/// The flows that are compared.
const FLOWS: u16 = 16;

/// The paths in scamper's JSON, a line each, in the order of their source ports: it prints each when it is done.
fn paths(text: &str) -> Vec<Vec<BTreeSet<IpAddr>>> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut traces: Vec<Value> = lines.filter(|line| line["type"] == "trace").collect();
    traces.sort_by_key(|trace| trace["sport"].as_u64());
    traces.iter().map(hops).collect()
}

fn hops(trace: &Value) -> Vec<BTreeSet<IpAddr>> {
    let mut hops = vec![BTreeSet::new(); usize::from(END)];
    for hop in trace["hops"].as_array().expect("hops") {
        let ttl = usize::try_from(hop["probe_ttl"].as_u64().expect("a TTL")).expect("a small one");
        hops[ttl - 1].insert(hop["addr"].as_str().expect("an address").parse().expect("an address"));
    }
    hops
}

/// Commands of scamper, to be compared with our trace of a protocol.
type Comparison = (&'static str, &'static str, Vec<String>);

/// In one lab, for each comparison, runs our trace, then scamper once for each of the commands; returns our
/// path of each flow, and scamper's paths.
fn both(comparisons: &[Comparison]) -> Vec<[Vec<Vec<BTreeSet<IpAddr>>>; 2]> {
    let script = |(target, protocol, commands): &Comparison| {
        let commands: String = commands.iter().map(|command| format!(" -I '{command} {target}'")).collect();
        [trace(protocol, target, FLOWS), format!("scamper -O json {commands}")]
    };
    let scripts: Vec<String> = comparisons.iter().flat_map(script).collect();
    let said = ask_all(&scripts);
    let read = |said: &[String]| {
        let ours = rows(&said[0]);
        [(0..FLOWS).map(|flow| path(&ours, flow)).collect(), paths(&said[1])]
    };
    said.chunks(2).map(read).collect()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn scamper_with_the_ports_of_a_flow_takes_the_path_of_that_flow() {
    let commands = |method: &str, port: u16| {
        (FIRST_PORT..FIRST_PORT + FLOWS)
            .map(|source| format!("trace -P {method} -w 1 -s {source} -d {port}"))
            .collect()
    };
    // Over IPv6 this scamper does not recognise the answers to its own udp-paris.
    let comparisons = [
        (TARGETS[0], "udp", commands("udp-paris", 33_434)),
        (TARGETS[0], "tcp", commands("tcp", 80)),
        (TARGETS[1], "tcp", commands("tcp", 80)),
    ];
    for ((target, protocol, _), [ours, theirs]) in comparisons.iter().zip(both(&comparisons)) {
        assert_eq!(theirs, ours, "{protocol} {target}");
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn scamper_meets_nobody_whom_we_do_not_and_at_the_same_ttls() {
    let methods = [("icmp", "icmp-paris"), ("icmp", "icmp"), ("udp", "udp")];
    let comparison =
        |target, (protocol, method)| (target, protocol, vec![format!("trace -P {method} -w 1")]);
    let comparisons = TARGETS.map(|target| methods.map(|method| comparison(target, method))).concat();
    for ((target, _, command), [ours, theirs]) in comparisons.iter().zip(both(&comparisons)) {
        let [theirs] = theirs.as_slice() else { panic!("{theirs:?}") };
        for (ttl, hop) in theirs.iter().enumerate() {
            let met = ours.iter().any(|path| path[ttl] == *hop);
            assert!(met, "{command:?} {target} {}: {hop:?}, but {ours:?}", ttl + 1);
        }
    }
}

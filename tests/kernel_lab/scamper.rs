//! The judge is CAIDA's scamper.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::lab::{END, FIRST_PORT, TARGETS, ask, path, rows, trace};

/// The flows that are compared.
const FLOWS: u16 = 16;

/// The paths in scamper's JSON, a line each.
fn paths(text: &str) -> Vec<Vec<BTreeSet<IpAddr>>> {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["type"] == "trace").map(|trace| hops(&trace)).collect()
}

fn hops(trace: &Value) -> Vec<BTreeSet<IpAddr>> {
    let mut hops = vec![BTreeSet::new(); usize::from(END)];
    for hop in trace["hops"].as_array().expect("hops") {
        let ttl = usize::try_from(hop["probe_ttl"].as_u64().expect("a TTL")).expect("a small one");
        hops[ttl - 1].insert(hop["addr"].as_str().expect("an address").parse().expect("an address"));
    }
    hops
}

/// Runs our trace, then scamper once for each of these commands, in one lab; returns our path of each flow,
/// and scamper's paths.
fn both(protocol: &str, target: &str, commands: &[String]) -> [Vec<Vec<BTreeSet<IpAddr>>>; 2] {
    let mark = "then";
    let commands: String = commands.iter().map(|command| format!(" -I '{command} {target}'")).collect();
    let script = format!("{} echo {mark}; scamper -O json {commands}", trace(protocol, target, FLOWS));
    let said = ask(&script);
    let (ours, theirs) = said.split_once(mark).expect("both ran");
    let ours = rows(ours);
    [(0..FLOWS).map(|flow| path(&ours, flow)).collect(), paths(theirs)]
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn scamper_with_the_ports_of_a_flow_takes_the_path_of_that_flow() {
    // Over IPv6 this scamper does not recognise the answers to its own udp-paris.
    for (target, protocol, method, port) in [
        (TARGETS[0], "udp", "udp-paris", 33_434),
        (TARGETS[0], "tcp", "tcp", 80),
        (TARGETS[1], "tcp", "tcp", 80),
    ] {
        let commands: Vec<String> = (FIRST_PORT..FIRST_PORT + FLOWS)
            .map(|source| format!("trace -P {method} -w 1 -s {source} -d {port}"))
            .collect();
        let [ours, theirs] = both(protocol, target, &commands);
        assert_eq!(theirs, ours, "{protocol} {target}");
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn scamper_meets_nobody_whom_we_do_not_and_at_the_same_ttls() {
    for target in TARGETS {
        for (protocol, method) in [("icmp", "icmp-paris"), ("icmp", "icmp"), ("udp", "udp")] {
            let [ours, theirs] = both(protocol, target, &[format!("trace -P {method} -w 1")]);
            let [theirs] = theirs.as_slice() else { panic!("{theirs:?}") };
            for (ttl, hop) in theirs.iter().enumerate() {
                let met = ours.iter().any(|path| path[ttl] == *hop);
                assert!(met, "{method} {target} {}: {hop:?}, but {ours:?}", ttl + 1);
            }
        }
    }
}

//! The judge is traceroute for Linux.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::lab::{END, ENOUGH_FLOWS, FIRST_PORT, TARGETS, ask_all, met, path, rows, trace};

/// How traceroute is told to use the same protocol and port as we do.
const METHODS: [(&str, &str); 3] = [("icmp", "-I"), ("udp", "-U -p 33434"), ("tcp", "-T -p 80")];

/// The addresses in each line that begins with a TTL.
fn hops(text: &str) -> Vec<BTreeSet<IpAddr>> {
    let lines = text.lines().filter(|line| !line.starts_with("traceroute to"));
    lines.map(|line| line.split_whitespace().filter_map(|word| word.parse().ok()).collect()).collect()
}

/// Splits what several traceroutes printed.
fn runs(text: &str) -> Vec<Vec<BTreeSet<IpAddr>>> {
    text.split("traceroute to").skip(1).map(|run| hops(run.split_once('\n').expect("a line").1)).collect()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn traceroute_meets_nobody_whom_we_do_not_and_at_the_same_ttls() {
    let questions = TARGETS.map(|target| METHODS.map(|method| (target, method))).concat();
    let script = |(target, (protocol, method)): &(&str, (&str, &str))| {
        [trace(protocol, target, ENOUGH_FLOWS), format!("traceroute -n -w 1 -q 10 {method} {target}")]
    };
    let scripts: Vec<String> = questions.iter().flat_map(script).collect();
    let said = ask_all(&scripts);
    for ((_, (protocol, _)), said) in questions.iter().zip(said.chunks(2)) {
        let (ours, theirs) = (met(&rows(&said[0])), hops(&said[1]));
        assert_eq!(theirs.len(), usize::from(END), "{theirs:?}");
        for (ttl, (ours, theirs)) in (1..).zip(ours.iter().zip(&theirs)) {
            assert!(!theirs.is_empty() && theirs.is_subset(ours), "{ttl}: {theirs:?}, but {ours:?}");
            assert!(ours.len() == 1 || *protocol != "icmp", "{ttl}: {ours:?}");
        }
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn traceroute_with_the_ports_of_a_flow_takes_the_path_of_that_flow() {
    let questions = TARGETS.map(|target| [(target, METHODS[1]), (target, METHODS[2])]).concat();
    let script = |(target, (protocol, method)): &(&str, (&str, &str))| {
        let theirs = (FIRST_PORT..FIRST_PORT + 8)
            .map(|port| format!("traceroute -n -w 1 -q 1 {method} --sport={port} {target}\n"));
        [trace(protocol, target, 8), theirs.collect()]
    };
    let scripts: Vec<String> = questions.iter().flat_map(script).collect();
    let said = ask_all(&scripts);
    for ((target, (protocol, _)), said) in questions.iter().zip(said.chunks(2)) {
        let ours = rows(&said[0]);
        let ours: Vec<_> = (0..8).map(|flow| path(&ours, flow)).collect();
        assert_eq!(runs(&said[1]), ours, "{protocol} {target}");
    }
}

mod nft {
    use super::super::nft::PROHIBITED_PORT;
    use super::*;

    #[test]
    #[ignore = "needs the kernel lab: scripts/test runs it"]
    fn both_say_that_the_router_before_the_target_prohibits_a_port() {
        let script = |target| {
            format!(
                "\"$T\" trace {target} --flows 1 --protocol tcp --port 25 --rate 1000; \
                 traceroute -n -w 1 -q 1 -T -p 25 {target}"
            )
        };
        let scripts = [vec![PROHIBITED_PORT.to_owned()], TARGETS.map(script).to_vec()].concat();
        for (target, said) in TARGETS.iter().zip(&ask_all(&scripts)[1..]) {
            let refusals: Vec<Vec<&str>> = said
                .lines()
                .filter(|line| line.ends_with("!X"))
                .map(|line| line.split_whitespace().take(2).collect())
                .collect();
            let router = if target.contains(':') { "fd66:6::2" } else { "10.66.6.2" };
            assert_eq!(refusals, [["5", router], ["5", router]], "{said}");
        }
    }
}

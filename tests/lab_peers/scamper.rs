//! CAIDA's scamper. It builds its own frames for TCP, and asks for the gateway's hardware address itself.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::lab::{Flow, Lab, Path, TARGETS};

mod exchange;

fn address(value: &Value) -> IpAddr {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address: {value}"))
}

/// What scamper said of a kind, in the order in which it was done.
fn results(text: &str, kind: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["type"] == kind).collect()
}

/// Who answered at each TTL.
fn path(trace: &Value) -> Path {
    let hops = trace["hops"].as_array().unwrap_or_else(|| panic!("no hops: {trace}"));
    for (ttl, hop) in (1..).zip(hops) {
        assert_eq!(hop["probe_ttl"], ttl, "{trace}");
    }
    hops.iter().map(|hop| address(&hop["addr"])).collect()
}

fn trace(lab: &Lab, options: &str, target: &str) -> Path {
    let said = lab.run(&format!("scamper -O json -I 'trace -w 2 {options} {target}'"));
    let [trace] = results(&said, "trace").try_into().unwrap_or_else(|_| panic!("one trace: {said}"));
    path(&trace)
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn every_method_reports_the_only_path() {
    let lab = Lab::straight();
    for target in TARGETS {
        for method in
            ["icmp", "icmp-paris", "udp", "udp-paris", "tcp", "tcp -d 80", "tcp-ack", "tcp-ack -d 80"]
        {
            assert_eq!(trace(&lab, &format!("-P {method}"), target), lab.only_path(target), "{method}");
        }
    }
}

/// The flow of two ports.
type Kind = fn(u16, u16) -> Flow;

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn a_trace_by_given_ports_takes_the_path_of_their_flow() {
    let lab = Lab::diamonds();
    let methods: [(&str, Kind); 3] = [("udp-paris", Flow::Udp), ("tcp", Flow::Tcp), ("tcp-ack", Flow::Tcp)];
    for target in TARGETS {
        for (method, flow) in methods {
            let ports = 40_000..40_012;
            let commands = ports
                .clone()
                .map(|source| format!(" -I 'trace -w 2 -P {method} -s {source} -d 33434 {target}'"));
            let said = lab.run(&format!("scamper -w 1 -O json {}", commands.collect::<String>()));
            let traces = results(&said, "trace");
            let theirs: Vec<(u64, Path)> =
                traces.iter().map(|trace| (trace["sport"].as_u64().unwrap(), path(trace))).collect();
            let true_ones: Vec<(u64, Path)> =
                ports.map(|source| (source.into(), lab.path(target, flow(source, 33_434)))).collect();
            assert_eq!(theirs, true_ones, "{method} {target}");
            let distinct: BTreeSet<&Path> = theirs.iter().map(|(_, path)| path).collect();
            assert!(distinct.len() > 2, "{method} {target}: {distinct:?}");
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn an_icmp_trace_that_keeps_to_one_flow_reports_a_true_path() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        let path = trace(&lab, "-P icmp-paris", target);
        assert!(lab.paths(target, Flow::Echo(0)).contains(&path), "{path:?}");
    }
}

fn links(tracelb: &Value) -> BTreeSet<(IpAddr, IpAddr)> {
    let nodes = tracelb["nodes"].as_array().unwrap_or_else(|| panic!("no nodes: {tracelb}"));
    let mut links = BTreeSet::new();
    for node in nodes {
        let sets = node["links"].as_array().into_iter().flatten();
        let next = sets.flat_map(|set| set.as_array().into_iter().flatten());
        links.extend(next.map(|next| (address(&node["addr"]), address(&next["addr"]))));
    }
    links
}

/// Even at a confidence of 99 % scamper misses a branch now and then. Its flows come from its process number, which
/// is therefore the first of a namespace, so that it is the same flows that are sent here every time.
fn finds_the_load_balancers(method: &str, target: &str, kind: Flow) {
    let lab = Lab::diamonds();
    let command = format!("scamper -O json -I 'tracelb -c 99 -w 2 -W 15 -P {method} {target}'");
    let said = lab.run(&format!("unshare --pid --fork {command}"));
    let [tracelb] = results(&said, "tracelb").try_into().expect("one result");
    assert_eq!(links(&tracelb), lab.links(target, kind), "{method} {target}");
}

/// One search takes half a minute, most of which it waits.
fn all_find_the_load_balancers(target: &str, methods: &[(&str, Flow)]) {
    std::thread::scope(|scope| {
        for (method, kind) in methods {
            scope.spawn(move || finds_the_load_balancers(method, target, *kind));
        }
    });
}

const UDP: Flow = Flow::Udp(40_000, 33_434);

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn tracelb_finds_the_load_balancers_and_nothing_else_over_ipv4() {
    let tcp = Flow::Tcp(40_000, 33_434);
    all_find_the_load_balancers(
        TARGETS[0],
        &[("udp-dport", UDP), ("udp-sport", UDP), ("icmp-echo", Flow::Echo(0)), ("tcp-sport", tcp)],
    );
}

/// This scamper sends nothing where it is to find load balancers by TCP over IPv6, wherever it runs.
#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn tracelb_finds_the_load_balancers_and_nothing_else_over_ipv6() {
    let methods = [("udp-dport", UDP), ("udp-sport", UDP), ("icmp-echo", Flow::Echo(0))];
    all_find_the_load_balancers(TARGETS[1], &methods);
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn pings_are_answered_by_the_target_across_all_its_hops() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        for method in ["icmp-echo", "tcp-ack", "tcp-syn -d 80", "udp"] {
            let said = lab.run(&format!("scamper -O json -I 'ping -c 2 -i 1 -P {method} {target}'"));
            let [ping] = results(&said, "ping").try_into().expect("one result");
            let answers = ping["responses"].as_array().expect("answers");
            assert_eq!(answers.len(), 2, "{method}: {ping}");
            for answer in answers {
                assert_eq!(
                    (address(&answer["from"]), &answer["reply_ttl"]),
                    (target.parse().unwrap(), &57.into())
                );
            }
        }
    }
}

//! Traceroute for Linux.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::lab::{Flow, Lab, TARGETS};

const METHODS: [&str; 5] = ["-I", "-U", "-T -p 80", "-T -p 81", ""];

/// The addresses in each line that begins with a TTL.
fn hops(text: &str) -> Vec<BTreeSet<IpAddr>> {
    let (title, lines) = text.split_once('\n').expect("a title");
    assert!(title.starts_with("traceroute to"), "{text}");
    for (ttl, line) in (1_u8..).zip(lines.lines()) {
        assert_eq!(line.split_whitespace().next(), Some(ttl.to_string().as_str()), "{text}");
    }
    let addresses = |line: &str| line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    lines.lines().map(addresses).collect()
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn every_method_reports_the_only_path() {
    let lab = Lab::straight();
    for target in TARGETS {
        let path: Vec<BTreeSet<IpAddr>> =
            lab.only_path(target).into_iter().map(|hop| [hop].into()).collect();
        for method in METHODS {
            let said = lab.run(&format!("traceroute -n -w 5,0,0 {method} {target}"));
            assert_eq!(hops(&said), path, "{method}");
            assert!(!said.contains('*'), "{said}");
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn a_trace_by_given_ports_takes_the_path_of_their_flow() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        for source in 40_000..40_006 {
            for (method, flow) in
                [("-U -p 33434", Flow::Udp(source, 33_434)), ("-T -p 80", Flow::Tcp(source, 80))]
            {
                let script = format!("traceroute -n -w 5,0,0 -q 1 {method} --sport={source} {target}");
                let path = lab.path(target, flow).into_iter().map(|hop| [hop].into());
                assert_eq!(hops(&lab.run(&script)), path.collect::<Vec<_>>(), "{script}");
            }
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn flows_that_change_from_probe_to_probe_meet_only_who_is_there() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        for (method, kind) in
            [("-I", Flow::Echo(0)), ("", Flow::Udp(40_000, 33_434)), ("-T -p 80", Flow::Tcp(40_000, 80))]
        {
            let met = hops(&lab.run(&format!("traceroute -n -w 5,0,0 -q 10 {method} {target}")));
            let there = lab.hops(target, kind);
            assert_eq!(met.len(), there.len(), "{method}: {met:?}");
            for (met, there) in met.iter().zip(&there) {
                assert!(!met.is_empty() && met.is_subset(there), "{method}: {met:?}, but {there:?}");
            }
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn the_labels_of_a_tunnel_are_shown_where_they_are() {
    let lab = Lab::straight();
    for target in TARGETS {
        let said = lab.run(&format!("traceroute -n -w 5,0,0 -q 1 -e -I {target}"));
        let labelled: Vec<&str> = said.lines().filter(|line| line.contains("MPLS")).collect();
        let [line] = labelled.as_slice() else { panic!("{said}") };
        assert!(line.contains("L=24017") && line.contains("L=16003") && line.starts_with(" 6 "), "{said}");
    }
}

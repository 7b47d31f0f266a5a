//! What scamper measures can be imported, and its own tools read what is exported.

use std::collections::BTreeSet;

use serde_json::Value;

use super::results;
use crate::lab::{Lab, TARGETS};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tetherline");

/// scamper traces and pings in the lab, into `t.warts`.
fn measured() -> (Lab, String) {
    let mut asked = Vec::new();
    for target in TARGETS {
        for method in ["icmp-paris", "udp-paris", "tcp -d 80"] {
            asked.push(format!("-I 'trace -w 1 -P {method} {target}'"));
        }
        asked.push(format!("-I 'ping -c 2 -i 1 {target}'"));
    }
    asked.push(format!("-I 'tracelb -w 1 -W 15 -P udp-dport {}'", TARGETS[0]));
    (Lab::diamonds(), format!("scamper -O warts -o t.warts {}", asked.join(" ")))
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn warts_and_json_of_the_same_traces_give_the_same_records() {
    let (lab, measure) = measured();
    let records = |name: &str| {
        // JSON does not tell by which clock, nor, where load balancers are searched, the labels.
        let same =
            r#"awk -F, -v OFS=, '{ sub("kernel", "user_space", $21) } $4 == "multipath" { $24 = "" } 1'"#;
        format!("{PROGRAM} export {name} | {same} | sort > {name}.csv")
    };
    let said = lab.run(&format!(
        "{measure}; sc_warts2json t.warts > t.json
         {PROGRAM} import t.warts --output w; {PROGRAM} import t.json --output j
         {}; {}; wc -l < w.csv; diff w.csv j.csv",
        records("w"),
        records("j")
    ));
    let lines: usize = said.trim().parse().unwrap_or_else(|_| panic!("no difference: {said}"));
    assert!(lines > 100, "{lines}");
}

/// A hop of a trace, as far as we store it: how often a silent hop would have been asked we do not, if none was.
fn hops(text: &str) -> BTreeSet<String> {
    let keys = [
        "addr",
        "probe_ttl",
        "probe_id",
        "rtt",
        "reply_ttl",
        "reply_size",
        "reply_ipid",
        "icmp_type",
        "icmp_code",
        "icmp_q_ttl",
        "tcp_flags",
        "icmpext",
        "tx",
    ];
    let of_trace = |trace: Value| {
        let about = ["method", "src", "dst", "sport", "dport", "icmp_sum", "stop_reason", "hop_count"];
        let about = about.map(|key| trace[key].to_string()).join(" ");
        let hops = trace["hops"].as_array().cloned().unwrap_or_default();
        hops.into_iter()
            .map(move |hop| format!("{about}: {}", keys.map(|key| hop[key].to_string()).join(" ")))
    };
    results(text, "trace").into_iter().flat_map(of_trace).collect()
}

/// The links of load-balancer traceroutes.
fn links(text: &str) -> BTreeSet<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let nodes = results(text, "tracelb").into_iter().flat_map(|search| list(&search["nodes"]));
    let of_node = |node: Value| {
        let targets = list(&node["links"]).into_iter().flat_map(|link| list(&link));
        targets.map(|target| format!("{} {}", node["addr"], target["addr"])).collect::<Vec<_>>()
    };
    nodes.flat_map(of_node).collect()
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn what_came_from_warts_goes_back_to_warts_as_scampers_tools_see_it() {
    let (lab, measure) = measured();
    let said = lab.run(&format!(
        "{measure}; {PROGRAM} import t.warts --output w; {PROGRAM} export w --format warts > again.warts
         sc_warts2json t.warts; echo ----; sc_warts2json again.warts; echo ----
         sc_analysis_dump -C t.warts; echo ----; sc_analysis_dump -C again.warts; sc_warts2text again.warts >&2"
    ));
    let [first, again, dump, dump_again] =
        said.split("----\n").collect::<Vec<_>>().try_into().expect("four outputs");
    let (searched, again_searched) = (links(first), links(again));
    assert!(again_searched.len() > 12 && again_searched.is_subset(&searched), "{again_searched:?}");
    let (first, again) = (hops(first), hops(again));
    assert!(first.len() > 30, "{first:#?}");
    assert_eq!(first.difference(&again).collect::<Vec<_>>(), Vec::<&String>::new());
    // The numbers of list and cycle are ours, a trace begins with its first probe, and flows of the load-balancer
    // trace have become traces.
    let lines = |dump: &str| -> BTreeSet<String> {
        let fields = dump.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let traces = fields.filter(|fields| fields.first() == Some(&"T"));
        traces.map(|fields| [&fields[..3], &fields[6..]].concat().join("\t")).collect()
    };
    let (dump, dump_again) = (lines(dump), lines(dump_again));
    assert_eq!(dump.difference(&dump_again).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// What our records keep of pings: of a ping that changes its destination port not the source port, and of flags of TCP
/// only whether the port is open.
fn pings(text: &str) -> BTreeSet<String> {
    let keys = [
        "from",
        "seq",
        "reply_size",
        "reply_ttl",
        "reply_ipid",
        "reply_proto",
        "tx",
        "rtt",
        "icmp_type",
        "icmp_code",
    ];
    let of_ping = |ping: Value| {
        let about = ["src", "dst", "dport", "ping_sent", "ttl"].map(|key| ping[key].to_string()).join(" ");
        let method = ping["method"].as_str().expect("a method").to_owned();
        let source = if method == "udp-dport" { String::new() } else { ping["sport"].to_string() };
        let answers = ping["responses"].as_array().cloned().unwrap_or_default();
        let answers = answers.iter().map(|one| keys.map(|key| one[key].to_string()).join(" "));
        format!("{method} {source} {about}: {}", answers.collect::<Vec<_>>().join("; "))
    };
    results(text, "ping").into_iter().map(of_ping).collect()
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn pings_by_udp_tcp_and_time_stamps_go_back_to_warts_as_scampers_tools_see_them() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/src/formats/import/corpus/pings.warts");
    let said = Lab::straight().run(&format!(
        "{PROGRAM} import {corpus} --output p; {PROGRAM} export p --format warts > again.warts
         sc_warts2json {corpus}; echo ----; sc_warts2json again.warts; sc_warts2text again.warts >&2"
    ));
    let (first, again) = said.split_once("----\n").expect("two outputs");
    assert_eq!(pings(first).len(), 7);
    assert_eq!(pings(again), pings(first));
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn scampers_tools_see_the_hops_of_our_own_campaign() {
    let lab = Lab::straight();
    let said = lab.run(&format!(
        "{PROGRAM} demo --virtual --keep d >/dev/null; {PROGRAM} export d --format warts > d.warts
         {PROGRAM} export d; echo ----; sc_warts2json d.warts; sc_analysis_dump d.warts >&2; sc_warts2text d.warts >&2"
    ));
    let (csv, json) = said.split_once("----\n").expect("two outputs");
    let mut rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().expect("a header");
    let column = |name: &str| header.iter().position(|one| *one == name).expect(name);
    let [method, target, flow, ttl, attempt, from] =
        ["method", "target", "flow", "ttl", "attempt", "from"].map(column);
    let ours: BTreeSet<String> = rows
        .filter(|row| ["trace", "multipath", "census"].contains(&row[method]) && !row[from].is_empty())
        .map(|row| format!("{} {} {} {} {}", row[target], row[flow], row[ttl], row[attempt], row[from]))
        .collect();
    let hop = |trace: &Value, hop: &Value| {
        let flow = if trace["icmp_sum"].is_null() { &trace["sport"] } else { &trace["icmp_sum"] };
        let attempt = hop["probe_id"].as_u64().expect("a number") - 1;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        format!("{} {flow} {} {attempt} {}", text(&trace["dst"]), hop["probe_ttl"], text(&hop["addr"]))
    };
    let theirs: BTreeSet<String> = results(json, "trace")
        .iter()
        .flat_map(|trace| trace["hops"].as_array().into_iter().flatten().map(|one| hop(trace, one)))
        .collect();
    assert!(ours.len() > 100, "{}", ours.len());
    assert_eq!(theirs, ours);
}

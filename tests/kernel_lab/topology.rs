//! What a trace says about paths that we know, because we laid the cables.

use super::lab::{END, ENOUGH_FLOWS, PROTOCOLS, Row, TARGETS, ask, ask_all, hops, met, path, rows, trace};

/// Each answer at the end of the path, once, and whether it is the target's own. A second SYN that comes before
/// the reset of the first is one that Linux may leave unanswered.
fn endings(rows: &[Row]) -> Vec<(&str, bool)> {
    let last = rows.iter().filter(|row| row.ttl == Some(END) && row.outcome == "answered");
    let mut endings: Vec<_> = last.map(|row| (row.reply.as_str(), row.from == Some(row.target))).collect();
    endings.dedup();
    endings
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn many_flows_show_both_branches_and_each_flow_keeps_to_one() {
    let questions = TARGETS.map(|target| ["udp", "tcp"].map(|protocol| (target, protocol))).concat();
    let scripts: Vec<String> =
        questions.iter().map(|(target, protocol)| trace(protocol, target, ENOUGH_FLOWS)).collect();
    for ((target, protocol), said) in questions.iter().zip(ask_all(&scripts)) {
        let ours = rows(&said);
        assert_eq!(met(&ours), hops(target), "{protocol}");
        for flow in 0..ENOUGH_FLOWS {
            let path = path(&ours, flow);
            assert!(path.iter().all(|hop| hop.len() == 1), "{protocol} {flow}: {path:?}");
        }
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn echoes_of_all_flows_take_the_one_path_that_linux_gives_them() {
    let scripts = TARGETS.map(|target| trace("icmp", target, ENOUGH_FLOWS));
    for (target, said) in TARGETS.iter().zip(ask_all(&scripts)) {
        let (met, known) = (met(&rows(&said)), hops(target));
        assert!(met.iter().all(|hop| hop.len() == 1), "{met:?}");
        assert!(met.iter().zip(&known).all(|(hop, known)| hop.is_subset(known)), "{met:?}");
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn the_target_answers_each_protocol_in_its_own_way() {
    let expected = [
        ("icmp", "", "echo_reply"),
        ("udp", "", "unreachable_port"),
        ("tcp", "--port 80", "syn_ack"),
        ("tcp", "--port 81", "rst"),
    ];
    let questions = TARGETS.map(|target| expected.map(|answer| (target, answer))).concat();
    let script = |(target, (protocol, port, _)): &(&str, (&str, &str, &str))| {
        format!("{} {port}", trace(protocol, target, 2).trim_end())
    };
    let scripts: Vec<String> = questions.iter().map(script).collect();
    for ((target, (protocol, port, reply)), said) in questions.iter().zip(ask_all(&scripts)) {
        assert_eq!(endings(&rows(&said)), [(*reply, true)], "{protocol} {port} {target}");
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn every_probe_among_routers_that_all_answer_is_answered_and_stamped_by_the_kernel() {
    let script: String =
        TARGETS.iter().flat_map(|target| PROTOCOLS.map(|protocol| trace(protocol, target, 4))).collect();
    let all = rows(&ask(&script));
    let unanswered: Vec<&Row> = all.iter().filter(|row| row.outcome != "answered").collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    let unstamped: Vec<&Row> = all.iter().filter(|row| row.rtt_source != "kernel").collect();
    assert!(unstamped.is_empty(), "{unstamped:?}");
}

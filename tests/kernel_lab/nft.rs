//! Linux routers that filter and lose packets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::lab::{DIAMOND, END, ENOUGH_FLOWS, Row, TARGETS, ask_all, hops, met, rows, run_in, trace};

/// The last router before the targets prohibits a TCP port.
pub(crate) const PROHIBITED_PORT: &str = "lab in r4 nft '
    table inet refusals {
        chain forward {
            type filter hook forward priority 0;
            ip daddr 10.66.9.0/24 tcp dport 25 reject with icmp type admin-prohibited
            ip6 daddr fd66:9::/64 tcp dport 25 reject with icmpv6 type admin-prohibited
        }
    }'\n";

/// The diamond, but every link loses one packet in twenty.
fn lossy(folder: &Path) -> String {
    let path = folder.join("lossy.toml");
    let text = fs::read_to_string(DIAMOND).expect("the diamond");
    fs::write(&path, text.replace("delay = \"0ms\"", "delay = \"0ms\"\nloss = 0.05")).expect("written");
    path.display().to_string()
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn lost_packets_leave_silence_and_never_a_wrong_hop() {
    let folder = tempfile::tempdir().expect("a folder");
    for target in TARGETS {
        let script = format!("{} --wait 1s --attempts 4", trace("udp", target, ENOUGH_FLOWS).trim_end());
        let rows = rows(&run_in(&lossy(folder.path()), folder.path(), &script));
        assert_eq!(met(&rows), hops(target));
        let outcomes: BTreeSet<&str> = rows.iter().map(|row| row.outcome.as_str()).collect();
        let others: Vec<&Row> =
            rows.iter().filter(|row| !["answered", "silent"].contains(&row.outcome.as_str())).collect();
        assert!(others.is_empty(), "{others:?}");
        assert!(outcomes.contains("silent"), "nothing was lost");
        let beyond = rows.iter().filter(|row| row.ttl > Some(END)).filter_map(|row| row.from);
        assert!(beyond.into_iter().all(|from| from == rows[0].target));
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn a_prohibited_port_is_told_as_such_by_the_router_that_prohibits_it() {
    let scripts = TARGETS.map(|target| format!("{} --port 25", trace("tcp", target, 4).trim_end()));
    let said = ask_all(&[&[PROHIBITED_PORT.to_owned()], scripts.as_slice()].concat());
    for (target, said) in TARGETS.iter().zip(&said[1..]) {
        let rows = rows(said);
        let router = hops(target)[3].first().copied();
        for row in rows.iter().filter(|row| row.ttl >= Some(END)) {
            assert_eq!((row.reply.as_str(), row.from), ("unreachable_prohibited", router), "{row:?}");
        }
    }
}

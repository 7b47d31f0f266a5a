//! Linux routers that filter and lose packets.

use std::collections::BTreeSet;

use super::lab::{END, ENOUGH_FLOWS, Row, TARGETS, ask, hops, met, rows, trace};

/// The third router loses one packet in ten, of those that it forwards and of its own; but it always finds
/// its neighbours.
const LOSS: &str = "ip netns exec r3 nft '
    table inet loss {
        chain forward { type filter hook forward priority 0; numgen random mod 10 == 0 drop; }
        chain output {
            type filter hook output priority 0;
            icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
            numgen random mod 10 == 0 drop
        }
    }'\n";

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn lost_packets_leave_silence_and_never_a_wrong_hop() {
    for target in TARGETS {
        let said = ask(&format!("{LOSS}{} --wait 1s", trace("udp", target, ENOUGH_FLOWS).trim_end()));
        let rows = rows(&said);
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
    for target in TARGETS {
        let rows = rows(&ask(&format!("{} --port 25", trace("tcp", target, 4).trim_end())));
        let router = hops(target)[3].first().copied();
        for row in rows.iter().filter(|row| row.ttl >= Some(END)) {
            assert_eq!((row.reply.as_str(), row.from), ("unreachable_prohibited", router), "{row:?}");
        }
    }
}

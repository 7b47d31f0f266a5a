//! ping of the iputils.

use super::lab::{Flow, Lab, TARGETS};

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn the_target_answers_across_all_its_hops() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        let said = lab.run(&format!("ping -n -c 3 -i 0.2 {target}"));
        assert!(said.contains("3 packets transmitted, 3 received, 0% packet loss"), "{said}");
        assert_eq!(said.matches("ttl=57").count(), 3, "{said}");
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn a_router_tells_that_the_time_to_live_ran_out() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        let hops = lab.hops(target, Flow::Echo(0));
        for (ttl, hop) in (1..8).zip(&hops) {
            let said = lab.run(&format!("ping -n -c 1 -t {ttl} {target} || true"));
            let tells = hop.iter().any(|router| said.contains(&format!("From {router} icmp_seq=1 Time")));
            assert!(tells, "{ttl}: {said}, but {hop:?}");
        }
    }
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn where_nothing_leads_the_gateway_says_so() {
    let said = Lab::diamonds().run("ping -n -c 1 203.0.113.1 || true");
    assert!(said.contains("From 188.1.144.1 icmp_seq=1 Destination Net Unreachable"), "{said}");
}

//! zmap builds its own frames. Since version 2.1.1 waits for ever for the end of the kernel's table of neighbours
//! where Linux puts the end into the same message, it is told the gateway's hardware address.

use std::collections::BTreeSet;

use super::lab::Lab;

const GATEWAY: &str = "02:00:00:00:00:01";

/// Everybody in the network whom a scan finds.
fn scan(options: &str) -> BTreeSet<String> {
    let options = format!("-G {GATEWAY} -q -r 2000 -c 1 -b /dev/null -o - {options}");
    let said = Lab::diamonds().run(&format!("zmap {options} 175.45.176.0/24"));
    said.lines().map(str::to_owned).collect()
}

fn addresses(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|address| (*address).to_owned()).collect()
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn an_echo_scan_finds_all_that_answer_and_nobody_else() {
    let there = addresses(&["175.45.176.1", "175.45.176.71", "175.45.176.91"]);
    assert_eq!(scan("-M icmp_echoscan"), there);
}

#[test]
#[ignore = "needs other people's programs: scripts/test runs it"]
fn a_syn_scan_finds_all_open_ports_and_no_other() {
    assert_eq!(scan("-M tcp_synscan -p 80"), addresses(&["175.45.176.71", "175.45.176.91"]));
    assert_eq!(scan("-M tcp_synscan -p 81"), addresses(&[]));
}

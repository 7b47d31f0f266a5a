//! Hosts: what they answer on open, closed and filtered ports, and with which TTL.

use super::*;
use crate::lab::testing::Bench;

/// A host of the line beside its first one.
const OTHER: [&str; 2] = ["203.0.113.20", "2001:db8::20"];

fn with_host(keys: &str) -> Bench {
    let addresses = OTHER.map(|address| format!("\"{address}\"")).join(", ");
    Bench::line(&[], &format!("[[host]]\naddresses = [{addresses}]\n{keys}\n"))
}

/// What comes back for an echo request, TCP segments to ports 80 and 81, datagrams to ports 80 and 81.
fn answers(keys: &str, host: &str) -> [&'static str; 5] {
    let probes = [
        echo_request(host, 64, 7, 1),
        syn(host, 64, (40_000, 80), 1),
        syn(host, 64, (40_000, 81), 1),
        udp(host, 64, (40_000, 80), &[1]),
        udp(host, 64, (40_000, 81), &[1]),
    ];
    probes.map(|probe| with_host(keys).ask(Duration::ZERO, &probe).map_or("", |answer| kind(&answer)))
}

fn kind(answer: &[u8]) -> &'static str {
    let received = received(answer);
    if received.protocol == etherparse::IpNumber::TCP {
        let tcp = TcpHeader::from_slice(&received.payload).unwrap().0;
        return if tcp.rst { "rst" } else { "syn-ack" };
    }
    match said(answer) {
        (0 | 129, 0) => "echo",
        (3, 3) | (1, 4) => "port",
        other => panic!("{other:?}"),
    }
}

#[test]
fn hosts_answer_on_each_port_as_they_are_told_to() {
    let cases = [
        ("", ["echo", "rst", "rst", "port", "port"]),
        ("open = [80]", ["echo", "syn-ack", "rst", "port", "port"]),
        ("open = [80]\nclosed = \"silent\"", ["echo", "syn-ack", "", "", ""]),
        ("closed = [81]", ["echo", "", "rst", "", "port"]),
        ("open = [80]\nclosed = [81]", ["echo", "syn-ack", "rst", "", "port"]),
        ("echo = false", ["", "rst", "rst", "port", "port"]),
        ("open = [80]\nfiltered = [\"icmp\"]", ["", "syn-ack", "rst", "port", "port"]),
        ("open = [80]\nfiltered = [\"tcp\"]", ["echo", "", "", "port", "port"]),
        ("open = [80]\nfiltered = [\"udp\", \"tcp\"]", ["echo", "", "", "", ""]),
    ];
    for (keys, expected) in cases {
        for host in OTHER {
            assert_eq!(answers(keys, host), expected, "{host}: {keys}");
        }
    }
}

#[test]
fn hosts_answer_with_a_ttl_and_a_delay_of_their_own() {
    for host in OTHER {
        let mut bench = with_host("reply_ttl = 128\ndelay = \"2ms\"");
        bench.send(Duration::ZERO, &echo_request(host, 64, 7, 1));
        let arrivals = bench.arrivals();
        assert_eq!((arrivals[0].0, received(&arrivals[0].1).ttl), (Duration::from_millis(64), 128 - 4));
    }
}

use std::net::IpAddr;
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header, TcpHeader};

use crate::lab::testing::{Bench, HOSTS, echo_request, received, said};
use crate::model::Prefix;

/// A forger beside the line, who claims to be somebody in `198.51.100.0/24` or `2001:db8:99::/48`.
fn forger(per_second: f64, says: &str, is_ipv4: bool) -> Bench {
    let (from, about) = claims(is_ipv4);
    Bench::line(
        &[],
        &format!(
            "[[forger]]\nper_second = {per_second:?}\nsays = [{says}]\nfrom = \"{from}\"\nabout = \"{about}\"\n"
        ),
    )
}

fn claims(is_ipv4: bool) -> (Prefix, Prefix) {
    let [from, about] = if is_ipv4 {
        ["198.51.100.0/24", "203.0.113.0/24"]
    } else {
        ["2001:db8:99::/48", "2001:db8:1::/48"]
    };
    (from.parse().unwrap(), about.parse().unwrap())
}

/// Sends one packet that nobody answers, and waits for what is forged.
fn forged(mut bench: Bench, at: Duration) -> Vec<(Duration, Vec<u8>)> {
    let unanswered = echo_request("203.0.113.99", 64, 1, 1);
    bench.send(at, &unanswered);
    bench.arrivals()
}

#[test]
fn a_forger_is_as_fast_as_it_is_told_to_be_while_answers_may_be_waited_for() {
    let start = Duration::from_secs(5);
    let arrivals = forged(forger(200.0, "\"echo-reply\"", true), start);
    // Poisson, over ten seconds behind the last packet.
    let count = u32::try_from(arrivals.len()).unwrap();
    assert!((f64::from(count) - 2000.0).abs() < 4.0 * 2000_f64.sqrt(), "{count}");
    let times: Vec<Duration> = arrivals.iter().map(|(at, _)| *at).collect();
    assert!(times.is_sorted());
    assert!(times[0] >= start && *times.last().unwrap() <= start + Duration::from_secs(10));
}

#[test]
fn nothing_is_forged_before_the_vantage_has_sent_and_long_after() {
    let mut bench = forger(100.0, "\"rst\"", true);
    assert!(bench.arrivals().is_empty());
    bench.send(Duration::from_secs(1), &echo_request("203.0.113.99", 64, 1, 1));
    assert!(!bench.arrivals().is_empty());
    bench.send(Duration::from_secs(100), &echo_request("203.0.113.99", 64, 1, 1));
    let second = bench.arrivals();
    assert!(second.iter().all(|(at, _)| *at >= Duration::from_secs(100)));
    assert!(second.len() > 800, "{}", second.len());
}

/// What a forged packet pretends to be, as whoever receives it reads it.
fn kind(packet: &[u8]) -> &'static str {
    let received = received(packet);
    if received.protocol == IpNumber::TCP {
        let tcp = TcpHeader::from_slice(&received.payload).unwrap().0;
        return if tcp.rst { "rst" } else { "syn-ack" };
    }
    match said(packet) {
        (0 | 129, 0) => "echo-reply",
        (11, 0) => "time-exceeded",
        (3, 0) if received.from.is_ipv6() => "time-exceeded",
        (3, 3) | (1, 4) => "port-unreachable",
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_forged_packet_is_a_whole_answer_about_somebody_in_the_prefix() {
    for is_ipv4 in [true, false] {
        let (from, about) = claims(is_ipv4);
        for says in ["time-exceeded", "port-unreachable", "echo-reply", "syn-ack", "rst"] {
            let arrivals = forged(forger(20.0, &format!("\"{says}\""), is_ipv4), Duration::ZERO);
            assert!(arrivals.len() > 100, "{says}");
            for (_, packet) in arrivals {
                assert_eq!(kind(&packet), says);
                let source = received(&packet).from;
                let claimed = if says == "time-exceeded" { from } else { about };
                assert!(claimed.contains(source), "{says} from {source}");
            }
        }
    }
}

#[test]
fn a_forged_error_quotes_a_probe_of_the_vantage_to_the_prefix() {
    let (_, about) = claims(true);
    let mut protocols = Vec::new();
    for (_, packet) in forged(forger(50.0, "\"time-exceeded\"", true), Duration::ZERO) {
        let quote = received(&packet).payload[8..].to_vec();
        let (header, _) = Ipv4Header::from_slice(&quote).unwrap();
        assert_eq!(header.header_checksum, header.calc_header_checksum());
        assert_eq!(header.source, [188, 1, 144, 10]);
        assert!(about.contains(IpAddr::from(header.destination)));
        protocols.push(header.protocol.0);
    }
    protocols.sort_unstable();
    protocols.dedup();
    assert_eq!(protocols, [1, 6, 17]);
}

#[test]
fn a_forger_says_all_that_it_is_told_to_and_what_is_forged_answers_nothing() {
    let mut bench = forger(100.0, "\"rst\", \"echo-reply\", \"time-exceeded\"", true);
    bench.send(Duration::ZERO, &echo_request(HOSTS[0], 64, 0x7777, 1));
    let mut kinds: Vec<&str> = Vec::new();
    let mut own = 0;
    while let Some((_, packet)) =
        crate::model::Underlay::advance(&mut bench.lab, crate::model::MonoTime::NEVER)
    {
        match bench.lab.answered() {
            Some(question) => {
                assert_eq!((question, received(&packet).from.to_string().as_str()), (0, HOSTS[0]));
                own += 1;
            }
            None => kinds.push(kind(&packet)),
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!((kinds, own), (vec!["echo-reply", "rst", "time-exceeded"], 1));
}

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]

mod events;
mod hosts;
mod identifications;
mod links;
mod quotes;
mod tunnels;
mod voices;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use etherparse::{Ipv4Header, TcpHeader};
use proptest::prelude::*;

use super::{MOST_IN_FLIGHT, Simulator};
use crate::lab::testing::{ack, echo_request, likelihood, received, said, syn, udp};
use crate::lab::{Scenario, TrueEnd, Truth};
use crate::model::{MonoTime, Underlay, WallTime};

fn october() -> Scenario {
    Scenario::october_2017().unwrap()
}

/// The same without chance.
fn calm() -> Scenario {
    let mut scenario = october();
    for link in &mut scenario.links {
        link.hazards = crate::lab::scenario::Hazards::default();
    }
    scenario
}

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{text}Z")).unwrap()
}

/// Sends one packet at a wall time of a calm October and waits for what comes back.
fn ask(packet: &[u8], time: &str) -> Option<(Duration, Vec<u8>)> {
    let mut lab = Simulator::new(&calm());
    let now = lab.clock().mono(at(time));
    lab.inject(now, packet);
    lab.advance(MonoTime::NEVER).map(|(arrival, packet)| (arrival.since(now), packet))
}

type Build = fn(&str, u8) -> Vec<u8>;

const KINDS: [(&str, Build); 3] = [
    ("icmp", |to, ttl| echo_request(to, ttl, 7, 1)),
    ("udp", |to, ttl| udp(to, ttl, (40_000, 33_434), &[0; 12])),
    ("tcp", |to, ttl| syn(to, ttl, (40_000, 443), 99)),
];

#[test]
fn each_ttl_is_answered_by_the_router_that_the_truth_names() {
    let truth = Truth::new(&calm());
    for to in ["175.45.176.80", "210.52.109.20", "2001:df1:4b00::10"] {
        for (kind, build) in KINDS {
            let path = truth.path(&build(to, 64), at("08:00:00")).unwrap();
            let time_exceeded = if to.contains(':') { (3, 0) } else { (11, 0) };
            for (index, hop) in path.hops.iter().enumerate() {
                let ttl = index as u8 + 1;
                let answer = ask(&build(to, ttl), "08:00:00").map(|(_, packet)| packet);
                let filtered = path.end == TrueEnd::Filtered && index + 1 == path.hops.len();
                assert_eq!(
                    answer.as_deref().map(|packet| received(packet).from),
                    hop.answers_from,
                    "{kind} {ttl}"
                );
                if let Some(packet) = answer.filter(|_| !filtered) {
                    assert_eq!(said(&packet), time_exceeded, "{kind} to {to}, TTL {ttl}");
                }
            }
        }
    }
}

#[test]
fn the_ttl_of_an_answer_counts_the_routers_on_its_way_back() {
    // The gateway itself, one router behind it, and the target behind 13 routers.
    let gateway = ask(&echo_request("175.45.176.80", 1, 7, 1), "08:00:00").unwrap().1;
    assert_eq!(received(&gateway).ttl, 255);
    let second = ask(&echo_request("175.45.176.80", 2, 7, 1), "08:00:00").unwrap().1;
    assert_eq!(received(&second).ttl, 254);
    let target = ask(&echo_request("175.45.176.80", 64, 7, 1), "08:00:00").unwrap().1;
    assert_eq!(received(&target).ttl, 64 - 13);
}

#[test]
fn a_ttl_that_only_just_suffices_arrives_with_one_left() {
    assert!(ask(&echo_request("175.45.176.80", 13, 7, 1), "08:00:00").is_none());
    let reply = ask(&echo_request("175.45.176.80", 14, 7, 1), "08:00:00").unwrap().1;
    assert_eq!(said(&reply), (0, 0));
}

#[test]
fn the_quote_is_the_packet_as_it_arrived_and_as_long_as_the_rfc_says() {
    let probe = udp("175.45.176.80", 3, (40_000, 33_434), &[7; 40]);
    let short = received(&ask(&probe, "08:00:00").unwrap().1).payload;
    let long = received(&ask(&udp("175.45.176.80", 2, (40_000, 33_434), &[7; 40]), "08:00:00").unwrap().1);
    assert!(short.len() == 8 + 28 || short.len() == 8 + probe.len());
    assert_eq!(long.payload.len(), 8 + probe.len());
    let quoted = &long.payload[8..];
    let (header, _) = Ipv4Header::from_slice(quoted).unwrap();
    assert_eq!(header.time_to_live, 1);
    assert_eq!(header.header_checksum, header.calc_header_checksum());
    assert_eq!(&quoted[20..], &probe[20..]);
}

#[test]
fn a_router_with_labels_shows_them_as_rfc_4950_says() {
    let hop = 8; // unicom-dalian
    for to in ["175.45.176.80", "2001:df1:4b00::10"] {
        let is_ipv4 = !to.contains(':');
        let icmp = received(&ask(&echo_request(to, hop, 7, 1), "08:00:00").unwrap().1).payload;
        let length = if is_ipv4 { usize::from(icmp[5]) * 4 } else { usize::from(icmp[4]) * 8 };
        assert_eq!(length, 128);
        let extension = &icmp[8 + length..];
        let sum = etherparse::checksum::Sum16BitWords::new().add_slice(extension);
        assert_eq!(sum.ones_complement(), 0);
        assert_eq!(
            [extension[0], extension[4], extension[5], extension[6], extension[7]],
            [0x20, 0, 12, 1, 1]
        );
        let labels: Vec<u32> =
            extension[8..].chunks(4).map(|l| u32::from_be_bytes(l.try_into().unwrap())).collect();
        assert_eq!(labels, [(24_017 << 12) | 1, (16_003 << 12) | (1 << 8) | 1]);
    }
}

#[test]
fn one_border_router_prohibits_udp_and_lets_the_rest_pass() {
    let (_, answer) = ask(&udp("175.45.176.80", 64, (40_000, 33_434), &[]), "08:00:00").unwrap();
    assert_eq!(said(&answer), (3, 13));
    assert_eq!(received(&answer).from, "219.158.39.42".parse::<IpAddr>().unwrap());
    assert_eq!(said(&ask(&echo_request("175.45.176.80", 64, 7, 1), "08:00:00").unwrap().1), (0, 0));
    let (_, answer) = ask(&syn("175.45.176.80", 64, (40_000, 80), 41), "08:00:00").unwrap();
    let (tcp, _) = TcpHeader::from_slice(&received(&answer).payload).map(|(h, d)| (h, d.len())).unwrap();
    assert!(tcp.syn && tcp.ack && !tcp.rst);
    assert_eq!((tcp.acknowledgment_number, tcp.source_port, tcp.destination_port), (42, 80, 40_000));
}

#[test]
fn an_open_port_knows_its_connections_and_resets_every_other_acknowledgment() {
    for to in ["175.45.176.80", "2001:df1:4b00::10"] {
        let tcp = |packet: &[u8]| {
            let answer = ask(packet, "08:00:00").map(|(_, answer)| received(&answer).payload);
            answer.map(|segment| TcpHeader::from_slice(&segment).unwrap().0)
        };
        let first = tcp(&syn(to, 64, (40_000, 80), 41)).unwrap().sequence_number;
        assert_eq!(tcp(&ack(to, 64, (40_000, 80), first + 1)), None);
        let reset = tcp(&ack(to, 64, (40_000, 80), first)).unwrap();
        assert_eq!((reset.rst, reset.ack, reset.sequence_number), (true, false, first));
        assert!(tcp(&ack(to, 64, (40_001, 80), first + 1)).unwrap().rst, "the connection of another port");
    }
}

#[test]
fn closed_ports_answer_as_the_host_is_told_to() {
    for to in ["175.45.178.129", "2001:df1:4b00::10"] {
        let (_, answer) = ask(&syn(to, 64, (40_000, 444), 41), "08:00:00").unwrap();
        let tcp = TcpHeader::from_slice(&received(&answer).payload).unwrap().0;
        assert!(tcp.rst && tcp.ack && !tcp.syn);
        assert_eq!((tcp.sequence_number, tcp.acknowledgment_number), (0, 42));
    }
    assert!(ask(&syn("175.45.177.10", 64, (40_000, 80), 41), "08:00:00").is_none());
    assert!(ask(&echo_request("175.45.177.10", 64, 7, 1), "08:00:00").is_none());
    assert!(ask(&syn("175.45.177.10", 64, (40_000, 443), 41), "08:00:00").is_some());
    let (_, refused) = ask(&udp("210.52.109.20", 64, (40_000, 53), &[1, 2, 3]), "08:00:00").unwrap();
    assert_eq!(said(&refused), (3, 3));
    let (_, refused) = ask(&udp("2001:df1:4b00::10", 64, (40_000, 53), &[1, 2, 3]), "08:00:00").unwrap();
    assert_eq!(said(&refused), (1, 4));
}

#[test]
fn the_two_lines_have_the_delays_that_were_measured() {
    let reaches = |time: &str, id| {
        let (delay, reply) = ask(&echo_request("175.45.178.161", 64, id, 1), time).unwrap();
        assert_eq!(said(&reply), (0, 0));
        delay.as_millis()
    };
    for id in 0..16 {
        assert!((285..=296).contains(&reaches("08:00:00", id)), "{} ms", reaches("08:00:00", id));
        let later = reaches("11:30:00", id);
        assert!((155..=172).contains(&later), "{later} ms");
    }
    let both: Vec<u128> = (0..32).map(|id| reaches("10:00:00", id)).collect();
    assert!(both.iter().any(|delay| *delay > 280) && both.iter().any(|delay| *delay < 175), "{both:?}");
}

#[test]
fn without_a_route_the_first_router_that_knows_says_so() {
    let gateway: IpAddr = "188.1.144.1".parse().unwrap();
    for probe in [echo_request("175.45.177.10", 64, 7, 1), udp("198.51.100.1", 1, (1, 2), &[])] {
        let (_, answer) = ask(&probe, "11:30:00").unwrap();
        assert_eq!((said(&answer), received(&answer).from), ((3, 0), gateway));
    }
    let (_, answer) = ask(&echo_request("2001:df1:4b01::10", 64, 7, 1), "11:30:00").unwrap();
    assert_eq!(said(&answer), (1, 0));
    // Nobody has this address, but its network is announced: silence.
    assert!(ask(&echo_request("175.45.179.1", 64, 7, 1), "08:00:00").is_none());
}

#[test]
fn routers_answer_for_their_own_addresses() {
    for own in ["219.158.39.42", "4.69.201.34", "62.115.60.22", "2408:8000:2:23::1", "188.1.144.1"] {
        let (_, reply) = ask(&echo_request(own, 64, 7, 1), "08:00:00").unwrap();
        let expected = if own.contains(':') { (129, 0) } else { (0, 0) };
        assert_eq!((said(&reply), received(&reply).from), (expected, own.parse().unwrap()));
    }
}

#[test]
fn an_echo_reply_brings_back_what_was_sent() {
    let probe = echo_request("210.52.109.10", 64, 0x1234, 0x5678);
    let reply = received(&ask(&probe, "08:00:00").unwrap().1);
    assert_eq!(reply.payload[4..], probe[24..]);
}

#[test]
fn what_a_host_would_drop_is_not_answered() {
    let mut wrong = syn("210.52.109.10", 64, (40_000, 80), 41);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    assert!(ask(&wrong, "08:00:00").is_none(), "a wrong TCP checksum was answered");
    let mut wrong = echo_request("210.52.109.10", 64, 7, 1);
    wrong[10] ^= 1;
    assert!(ask(&wrong, "08:00:00").is_none(), "a wrong IP header checksum was answered");
    let mut spoofed = echo_request("2001:df1:4b00::10", 64, 7, 1);
    spoofed[23] ^= 1;
    assert!(ask(&spoofed, "08:00:00").is_none(), "a forged source was routed");
}

#[test]
fn no_error_is_sent_about_an_error() {
    let mut error = echo_request("175.45.176.80", 2, 7, 1);
    error[20] = 11;
    assert!(ask(&error, "08:00:00").is_none());
}

fn run(scenario: &Scenario) -> Vec<(MonoTime, Vec<u8>)> {
    let mut lab = Simulator::new(scenario);
    let mut arrivals = Vec::new();
    for index in 0..600_u16 {
        let now = MonoTime::from_nanos(u64::from(index) * 3_000_000);
        while let Some(arrival) = lab.advance(now) {
            arrivals.push(arrival);
        }
        let (_, build) = KINDS[usize::from(index) % 3];
        lab.inject(
            now,
            &build(["175.45.176.80", "2001:df1:4b00::10"][usize::from(index) % 2], 6 + (index % 12) as u8),
        );
    }
    while let Some(arrival) = lab.advance(MonoTime::NEVER) {
        arrivals.push(arrival);
    }
    arrivals
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_the_same_times() {
    let first = run(&october());
    assert!(first.len() > 300);
    assert!(first.is_sorted_by_key(|(at, _)| *at));
    assert!(first == run(&october()));
    assert!(first != run(&october().with_seed(2)));
}

#[test]
fn about_as_many_packets_are_lost_as_the_links_say() {
    let mut lab = Simulator::new(&october());
    let sent = 20_000_u32;
    for index in 0..sent {
        let now = MonoTime::from_nanos(u64::from(index) * 100_000);
        lab.inject(now, &echo_request("175.45.176.80", 64, index as u16, (index >> 16) as u16));
    }
    let mut came = 0_u32;
    while lab.advance(MonoTime::NEVER).is_some() {
        came += 1;
    }
    // 0.5 % and 1 %, there and back.
    let expected = f64::from(sent) * (0.995_f64 * 0.99).powi(2);
    assert!((f64::from(came) - expected).abs() < 5.0 * (expected * 0.03).sqrt(), "{came} of {expected}");
}

#[test]
fn balancers_are_uniform_and_independent_of_each_other() {
    let truth = Truth::new(&calm());
    for (kind, _) in KINDS {
        let mut first: BTreeMap<String, u32> = BTreeMap::new();
        let mut second = first.clone();
        let mut together = first.clone();
        for port in 1..=3_000_u16 {
            let probe = match kind {
                "icmp" => echo_request("175.45.176.80", 64, port, 1),
                "udp" => udp("175.45.178.161", 64, (port, 33_434), &[]),
                _ => syn("175.45.176.81", 64, (port, 80), 1),
            };
            let hops = truth.path(&probe, at("08:00:00")).unwrap().hops;
            let (frankfurt, shenyang) = (hops[1].router.clone(), hops[6].router.clone());
            *together.entry(format!("{frankfurt} {shenyang}")).or_default() += 1;
            *first.entry(frankfurt).or_default() += 1;
            *second.entry(shenyang).or_default() += 1;
        }
        assert_eq!((first.len(), second.len(), together.len()), (2, 3, 6));
        for counts in [first, second, together] {
            let found: Vec<u32> = counts.values().copied().collect();
            assert!(likelihood(&found, &vec![1.0; found.len()]) > 0.001, "{kind}: {counts:?}");
        }
    }
}

#[test]
fn a_flow_keeps_to_its_path_whatever_its_ttl_and_payload() {
    let truth = Truth::new(&calm());
    for port in 0..50 {
        let path = |ttl, payload: &[u8]| {
            truth.path(&udp("210.52.109.20", ttl, (port + 1, 33_434), payload), at("08:00:00")).unwrap()
        };
        assert_eq!(path(3, &[1, 2, 3]), path(64, &[9; 100]));
    }
}

#[test]
fn a_flood_is_dropped_and_not_stored() {
    let mut lab = Simulator::new(&october());
    let probe = echo_request("175.45.176.80", 64, 7, 1);
    lab.queue.reserve(MOST_IN_FLIGHT);
    for _ in 0..MOST_IN_FLIGHT + 10 {
        lab.inject(MonoTime::default(), &probe);
    }
    assert_eq!(lab.queue.len(), MOST_IN_FLIGHT);
}

proptest! {
    #[test]
    fn no_packet_whatever_brings_the_lab_down(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        kind in 0..3_usize,
        ttl in 0..=255_u8,
        changes in proptest::collection::vec((0..80_usize, any::<u8>()), 0..6),
    ) {
        let mut lab = Simulator::new(&calm());
        lab.inject(MonoTime::default(), &bytes);
        for to in ["175.45.176.80", "2001:df1:4b00::10"] {
            let mut packet = KINDS[kind].1(to, ttl);
            for (at, value) in &changes {
                let at = at % packet.len();
                packet[at] = *value;
            }
            lab.inject(MonoTime::default(), &packet);
        }
        while let Some((_, answer)) = lab.advance(MonoTime::NEVER) {
            received(&answer);
        }
    }
}

#[test]
fn every_arrival_says_which_question_it_answers_however_late_and_however_often_it_comes() {
    let mut scenario = calm();
    for link in &mut scenario.links {
        link.hazards.duplicate = 0.2;
        link.hazards.reorder =
            crate::lab::scenario::Reorder { probability: 0.3, by: Duration::from_millis(40) };
    }
    let mut lab = Simulator::new(&scenario);
    for number in 0..200_u16 {
        let now = MonoTime::from_nanos(u64::from(number) * 1_000_000);
        lab.inject(now, &echo_request("210.52.109.20", 64, 7, number));
    }
    let mut order = Vec::new();
    while let Some((_, packet)) = lab.advance(MonoTime::NEVER) {
        let echo = received(&packet).payload;
        let sequence = u64::from(u16::from_be_bytes([echo[6], echo[7]]));
        assert_eq!(lab.answered(), Some(sequence));
        order.push(sequence);
    }
    assert!(!order.is_sorted() && order.len() > 220, "{} arrivals", order.len());
}

#[test]
fn what_routers_have_found_out_before_changes_no_answer() {
    let mut scenario = calm().at_speed(1.0);
    (scenario.convergence, scenario.convergence_inside) =
        (Duration::from_secs(100), Duration::from_secs(50));
    let mut experienced = Simulator::new(&scenario);
    // Before, while and after routes converge; each question waits until the last one has been answered.
    let seconds = ["09:07:30", "11:04:30"]
        .map(at)
        .into_iter()
        .flat_map(|from| (0..150).map(move |second| (second, from.after(Duration::from_secs(second)))));
    let targets =
        ["175.45.176.80", "175.45.177.10", "210.52.109.20", "2001:df1:4b00::10", "2001:df1:4b01::10"];
    for (second, time) in seconds {
        let now = experienced.clock().mono(time);
        let (to, (_, build)) = (targets[second as usize % 5], KINDS[second as usize % 3]);
        let question = build(to, 4 + (second % 13) as u8);
        let [old, new] = [&mut experienced, &mut Simulator::new(&scenario)].map(|lab| {
            lab.inject(now, &question);
            let (arrival, answer) = lab.advance(MonoTime::NEVER)?;
            let answer = received(&answer);
            Some((arrival, answer.from, answer.ttl, answer.payload))
        });
        assert_eq!(old, new, "{time:?} {to}");
    }
}

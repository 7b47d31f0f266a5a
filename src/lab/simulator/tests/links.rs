//! Links: delay, jitter, loss, reordering, duplication, MTU, as a prober at the vantage meets them.

use super::*;
use crate::lab::testing::{Bench, HOSTS, with_v4_header};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Echo requests to router r2 of a line whose first link is changed, one a millisecond: how long each answer
/// takes; `None` for those that bring none.
fn round_trips(first_link: &str, count: u16) -> Vec<Option<Duration>> {
    let mut bench = Bench::line(&[("l12", first_link)], "");
    for index in 0..count {
        bench.send(ms(index.into()), &echo_request("188.1.0.2", 64, 1, index));
    }
    let mut round_trips = vec![None; usize::from(count)];
    for (at, packet) in bench.arrivals() {
        let sequence = received(&packet).payload[6..8].try_into().map(u16::from_be_bytes).unwrap();
        let late = at.checked_sub(ms(sequence.into()));
        assert_eq!(round_trips[usize::from(sequence)], None, "{sequence} came twice");
        round_trips[usize::from(sequence)] = late;
    }
    round_trips
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[test]
fn the_delay_of_every_link_is_paid_both_ways() {
    for (ttl, expected) in [(1, 2), (2, 22), (3, 42), (4, 62), (64, 62)] {
        let mut bench = Bench::line(&[("here", "delay = \"1ms\"")], "");
        bench.send(Duration::ZERO, &echo_request(HOSTS[0], ttl, 1, 1));
        let mut times = bench.arrivals().into_iter().map(|(at, _)| at);
        assert_eq!(times.next(), Some(ms(expected)), "TTL {ttl}");
    }
}

#[test]
fn jitter_has_the_mean_and_the_spread_of_its_shape_on_each_way() {
    // Mean 3 ms; a standard deviation of 1, 1/√3 and 1/3 of it. That of "pareto" has no end.
    let shapes = [
        ("\"3ms\"", Some(3.0)),
        ("{ mean = \"3ms\", shape = \"exponential\" }", Some(3.0)),
        ("{ mean = \"3ms\", shape = \"uniform\" }", Some(3.0_f64.sqrt())),
        ("{ mean = \"3ms\", shape = \"normal\" }", Some(1.0)),
        ("{ mean = \"3ms\", shape = \"pareto\" }", None),
    ];
    for (jitter, deviation) in shapes {
        let trips = round_trips(&format!("jitter = {jitter}"), 10_000);
        let late: Vec<f64> = trips.iter().map(|trip| trip.unwrap().as_secs_f64() * 1e3 - 20.0).collect();
        let (mean, spread) = mean_and_deviation(&late);
        assert!((mean - 6.0).abs() < 0.25, "{jitter}: mean {mean}");
        if let Some(deviation) = deviation {
            let expected = deviation * 2.0_f64.sqrt();
            assert!((spread / expected - 1.0).abs() < 0.05, "{jitter}: deviation {spread}, not {expected}");
        }
        let longest = late.iter().copied().fold(0.0, f64::max);
        match jitter {
            _ if jitter.contains("pareto") => assert!(longest > 60.0, "no tail: {longest}"),
            _ if jitter.contains("uniform") || jitter.contains("normal") => assert!(longest <= 12.0),
            _ => assert!(longest <= 60.0),
        }
    }
}

#[test]
fn losses_come_one_by_one_or_in_runs_of_the_given_length() {
    let pairs = |loss: &str| {
        let trips = round_trips(&format!("loss = {loss}"), 20_000);
        let answered = trips.iter().flatten().count() as f64 / trips.len() as f64;
        let twice = trips.windows(2).filter(|pair| pair.iter().all(Option::is_some)).count();
        (answered, twice as f64 / trips.len() as f64)
    };
    // Answered: lost neither there nor back. Twice in a row: moreover, no run of losses has begun in between.
    let (answered, twice) = pairs("0.1");
    assert!((answered - 0.81).abs() < 0.015, "{answered}");
    assert!((twice - 0.81 * 0.81).abs() < 0.015, "{twice}");
    let (answered, twice) = pairs("{ mean = 0.1, burst = 5 }");
    let begins: f64 = 0.1 / 0.9 / 5.0;
    assert!((answered - 0.81).abs() < 0.02, "{answered}");
    assert!((twice - 0.81 * (1.0 - begins).powi(2)).abs() < 0.02, "{twice}");
}

#[test]
fn a_link_that_loses_everything_is_silent_in_both_directions() {
    assert!(round_trips("loss = 1.0", 100).iter().all(Option::is_none));
}

#[test]
fn packets_that_are_held_back_are_overtaken() {
    let trips = round_trips("reorder = { probability = 0.25, by = \"30ms\" }", 10_000);
    let mut counts: BTreeMap<Duration, f64> = BTreeMap::new();
    for trip in &trips {
        *counts.entry(trip.unwrap()).or_default() += 1.0;
    }
    // Held back on neither, one, or both ways.
    let expected = [(20, 0.5625), (50, 0.375), (80, 0.0625)];
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), expected.map(|(millis, _)| ms(millis)));
    for (millis, share) in expected {
        let found = counts[&ms(millis)] / trips.len() as f64;
        assert!((found - share).abs() < 0.015, "{found} of {share} take {millis} ms");
    }
}

#[test]
fn a_packet_that_is_doubled_on_every_link_arrives_and_is_answered_as_often() {
    let every = "duplicate = 1.0";
    for host in HOSTS {
        let mut bench = Bench::line(&[("l12", every), ("l23", every), ("l34", every)], "");
        bench.send(Duration::ZERO, &echo_request(host, 64, 1, 1));
        let arrivals = bench.arrivals();
        assert_eq!(arrivals.len(), 8 * 8);
        let bytes = |packet: &[u8]| received(packet).payload;
        assert!(
            arrivals.iter().all(|(at, packet)| *at == ms(60) && bytes(packet) == bytes(&arrivals[0].1))
        );
    }
}

#[test]
fn the_share_of_doubled_packets_is_the_given_one() {
    let mut bench = Bench::line(&[("l12", "duplicate = 0.2")], "");
    for index in 0..10_000 {
        bench.send(ms(index.into()), &echo_request("188.1.0.2", 64, 1, index));
    }
    let arrivals = bench.arrivals().len() as f64;
    assert!((arrivals / 10_000.0 - 1.2 * 1.2).abs() < 0.02, "{arrivals}");
}

#[test]
fn what_is_too_long_for_a_link_and_not_to_be_fragmented_is_told_the_length_that_fits() {
    let changes = [("l23", "mtu = 1400")];
    for (host, router) in HOSTS.into_iter().zip(["188.1.12.2", "2001:638:12::2"]) {
        let headers = if host.contains(':') { 48 } else { 28 };
        let fits = udp(host, 64, (40_000, 33_434), &vec![0; 1400 - headers]);
        let too_long = udp(host, 64, (40_000, 33_434), &vec![0; 1401 - headers]);
        let answer = received(&Bench::line(&changes, "").ask(ms(0), &fits).unwrap());
        assert_eq!(answer.from.to_string(), host);
        let answer = received(&Bench::line(&changes, "").ask(ms(0), &too_long).unwrap());
        assert_eq!(answer.from.to_string(), router);
        let said = if host.contains(':') { [2, 0] } else { [3, 4] };
        assert_eq!(
            (answer.payload[..2].to_vec(), answer.payload[4..8].to_vec()),
            (said.to_vec(), vec![0, 0, 5, 120])
        );
    }
}

#[test]
fn a_packet_that_may_be_fragmented_passes_a_link_of_any_mtu() {
    let packet = udp(HOSTS[0], 64, (40_000, 33_434), &[0; 1000]);
    let may_be_fragmented = with_v4_header(packet.clone(), 6, &[0, 0]);
    let mut bench = Bench::line(&[("l23", "mtu = 500")], "");
    assert_eq!(bench.ask(ms(0), &packet).map(|answer| said(&answer)), Some((3, 4)));
    assert_eq!(bench.ask(ms(0), &may_be_fragmented).map(|answer| said(&answer)), Some((3, 3)));
}

#[test]
fn every_link_takes_what_ipv6_asks_of_links() {
    let packet = udp(HOSTS[1], 64, (40_000, 33_434), &[0; 1280 - 48]);
    let mut bench = Bench::line(&[("l23", "mtu = 500")], "");
    assert_eq!(bench.ask(ms(0), &packet).map(|answer| said(&answer)), Some((1, 4)));
    let longer = udp(HOSTS[1], 64, (40_000, 33_434), &[0; 1281 - 48]);
    let answer = bench.ask(ms(0), &longer).unwrap();
    assert_eq!((said(&answer), received(&answer).payload[4..8].to_vec()), ((2, 0), vec![0, 0, 5, 0]));
}

//! The built-in scenarios against what was published about those days. Figures of the replay: when, by the
//! truth of the lab, which of the four /24s was reached over whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::BuiltIn;
use crate::lab::testing::{echo_request, syn};
use crate::lab::{Truth, VirtualInternet};
use crate::model::{MonoTime, Underlay, WallTime};

const PREFIXES: [&str; 4] = ["175.45.176", "175.45.177", "175.45.178", "175.45.179"];
const UNICOM: u32 = 4837;
const TTK: u32 = 20_485;
/// The vantage's AS and the origin: on every path, and no answer to what could be lost.
const ENDS: [u32; 2] = [680, 131_279];

/// A scenario by whose clock a second is a second, so that routes follow within a second.
fn truth(name: &str) -> Truth {
    let scenario = BuiltIn::named(name).unwrap().scenario().unwrap();
    Truth::new(&scenario.at_speed(1.0))
}

fn time(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).unwrap()
}

fn upstreams(truth: &Truth, prefix: &str, at: WallTime) -> BTreeSet<u32> {
    let host: IpAddr = format!("{prefix}.1").parse().unwrap();
    truth.upstreams(host, at).into_iter().map(crate::model::Asn::get).collect()
}

/// What is on every path, and would cut the prefix off.
fn cut(truth: &Truth, prefix: &str, at: WallTime) -> BTreeSet<u32> {
    let paths = truth.as_paths(format!("{prefix}.1").parse().unwrap(), at);
    let path = |path: Vec<crate::model::Asn>| path.into_iter().map(crate::model::Asn::get).collect();
    let common = paths.into_iter().map(path).reduce(|one: BTreeSet<u32>, other| &one & &other);
    common.unwrap_or_default().into_iter().filter(|asn| !ENDS.contains(asn)).collect()
}

/// From which second on a prefix has which upstreams, in a span of time; the first is how it was before. What
/// lasts less than a minute may be overlooked, and in these scenarios nothing does.
fn history(truth: &Truth, prefix: &str, (from, to): (&str, &str)) -> Vec<(WallTime, BTreeSet<u32>)> {
    let begin = time(from);
    let second = |second: u64| begin.after(Duration::from_secs(second));
    let state = |at: u64| upstreams(truth, prefix, second(at).after(Duration::from_millis(500)));
    let mut changes = vec![(begin, state(0))];
    for minute in 0..time(to).since(begin).as_secs() / 60 {
        let (before, after) = (changes.last().unwrap().1.clone(), state(minute * 60 + 60));
        if after != before {
            let seconds: Vec<u64> = (minute * 60 + 1..=minute * 60 + 60).collect();
            let turned = seconds.partition_point(|at| state(*at) == before);
            changes.push((second(seconds[turned]), after));
        }
    }
    changes
}

/// The seconds at which an upstream came (true) and went.
fn turns(history: &[(WallTime, BTreeSet<u32>)], upstream: u32) -> Vec<(String, bool)> {
    let has = |entry: &(WallTime, BTreeSet<u32>)| entry.1.contains(&upstream);
    let turned = history.windows(2).filter(|pair| has(&pair[0]) != has(&pair[1]));
    turned.map(|pair| (pair[1].0.to_string(), has(&pair[1]))).collect()
}

const BOTH_DAYS: (&str, &str) = ("2017-10-01T00:00:00Z", "2017-10-03T00:00:00Z");

#[test]
fn the_second_line_came_and_went_for_each_network_at_the_seconds_that_dyn_published() {
    let truth = truth("october-2017-exact");
    let day =
        [("2017-10-01T09:07:51Z", true), ("2017-10-01T10:14:45Z", false), ("2017-10-01T12:21:55Z", true)];
    let ends = [("175.45.176", "2017-10-02T07:56:39Z"), ("175.45.179", "2017-10-02T09:10:29Z")];
    for (prefix, last) in ends {
        let expected: Vec<_> =
            day.iter().chain([&(last, false)]).map(|(at, up)| ((*at).to_owned(), *up)).collect();
        assert_eq!(turns(&history(&truth, prefix, BOTH_DAYS), TTK), expected, "{prefix}");
    }
    let expected = day.map(|(at, up)| (at.to_owned(), up));
    assert_eq!(turns(&history(&truth, "175.45.178", BOTH_DAYS), TTK), expected);
    assert_eq!(turns(&history(&truth, "175.45.177", BOTH_DAYS), TTK), []);
    let week_end = time("2017-10-05T23:59:00Z");
    let both: Vec<&str> =
        PREFIXES.into_iter().filter(|prefix| upstreams(&truth, prefix, week_end).len() == 2).collect();
    assert_eq!(both, ["175.45.178"]);
}

#[test]
fn what_cuts_each_network_off_is_the_first_line_before_the_second_came_and_nothing_after() {
    let truth = truth("october-2017-exact");
    for prefix in PREFIXES {
        assert_eq!(cut(&truth, prefix, time("2017-10-01T09:07:50Z")), [UNICOM].into(), "{prefix} before");
        let after = cut(&truth, prefix, time("2017-10-01T09:07:52Z"));
        let expected = if prefix == "175.45.177" { [UNICOM].into() } else { BTreeSet::new() };
        assert_eq!(after, expected, "{prefix} after");
    }
}

/// Spans without a route, first and last second.
fn away(history: &[(WallTime, BTreeSet<u32>)]) -> Vec<(WallTime, WallTime)> {
    let gone = history.windows(2).filter(|pair| pair[0].1.is_empty());
    gone.map(|pair| (pair[0].0, pair[1].0)).collect()
}

#[test]
fn all_four_were_away_together_four_times_within_the_hours_of_instability() {
    let truth = truth("october-2017-exact");
    let gaps: BTreeMap<&str, Vec<_>> =
        PREFIXES.into_iter().map(|prefix| (prefix, away(&history(&truth, prefix, BOTH_DAYS)))).collect();
    let common: Vec<_> =
        gaps["175.45.176"].iter().filter(|gap| gaps.values().all(|of| of.contains(gap))).collect();
    assert_eq!(common.len(), 4);
    assert_eq!(common[0].0, time("2017-10-01T10:47:00Z"));
    for (prefix, gaps) in &gaps {
        assert_eq!(gaps.len(), 5, "{prefix} was also away by itself");
        for (from, to) in gaps {
            assert!(
                *from >= time("2017-10-01T10:47:00Z") && *to <= time("2017-10-01T12:26:00Z"),
                "{prefix}"
            );
            assert!(to.since(*from) < Duration::from_secs(600), "{prefix}: brief");
        }
    }
}

#[test]
fn in_2014_the_only_line_was_away_for_nine_hours_and_31_minutes_after_a_day_of_instability() {
    let truth = truth("december-2014");
    let whole = ("2014-12-20T00:00:00Z", "2014-12-25T00:00:00Z");
    let reference = history(&truth, PREFIXES[0], whole);
    assert_eq!(turns(&reference, TTK), []);
    let gaps = away(&reference);
    let (outage, unrest) = gaps.split_last().unwrap();
    assert_eq!(*outage, (time("2014-12-22T16:15:00Z"), time("2014-12-23T01:46:00Z")));
    assert!(outage.0.since(unrest[0].0) > Duration::from_secs(24 * 3600));
    for prefix in &PREFIXES[1..] {
        for at in gaps.iter().flat_map(|(from, to)| [*from, *to]) {
            let at = at.after(Duration::from_secs(1));
            assert_eq!(upstreams(&truth, prefix, at), upstreams(&truth, PREFIXES[0], at), "{prefix}");
        }
    }
}

/// Of an echo request and a SYN to port 443, how many are answered by the target itself.
fn answers(name: &str, host: &str) -> usize {
    let scenario = BuiltIn::named(name).unwrap().scenario().unwrap().at_speed(1.0);
    let mut internet = VirtualInternet::new(&scenario);
    internet.inject(MonoTime::default(), &echo_request(host, 64, 1, 1));
    internet.inject(MonoTime::default(), &syn(host, 64, (34_000, 443), 1));
    let host: IpAddr = host.parse().unwrap();
    let arrivals =
        std::iter::from_fn(|| internet.advance(MonoTime::default().after(Duration::from_secs(5))));
    let source = |packet: &[u8]| IpAddr::from(<[u8; 4]>::try_from(&packet[12..16]).unwrap());
    arrivals.filter(|(_, packet)| source(packet) == host).count()
}

#[test]
fn nobody_answers_in_177_but_in_the_scenario_of_the_demo() {
    assert_eq!(answers("october-2017", "175.45.177.10"), 1);
    for name in ["october-2017-exact", "december-2014"] {
        assert_eq!(answers(name, "175.45.177.10"), 0, "{name}");
        assert_eq!(answers(name, "175.45.176.80"), 2, "{name}");
    }
}

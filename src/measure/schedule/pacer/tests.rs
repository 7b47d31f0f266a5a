#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
#![allow(clippy::cast_precision_loss)]
use std::collections::HashMap;
use std::hash::Hash;

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn unit(number: u8) -> Unit {
    Unit(crate::model::Prefix::covering(IpAddr::from([198, 18, number, 0]), 24).unwrap())
}

fn responder(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

/// What wants to leave: an idle time before it, the unit, and who will answer.
type Wish = (u64, u8, Option<u8>);

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let idle = prop_oneof![4 => Just(0), 2 => 0..SECOND / 10, 1 => 0..10 * SECOND];
    prop::collection::vec((idle, 0..4_u8, prop::option::of(0..3_u8)), 1..400)
}

fn rates() -> impl Strategy<Value = PacerRates> {
    let rate = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(|x: f64| Pps::new(x.exp()).unwrap());
    (rate(0.5, 10_000.0), 1_u32..50, rate(0.05, 5_000.0), rate(0.05, 5_000.0)).prop_map(
        |(total, burst, per_unit, per_responder)| PacerRates { total, burst, per_unit, per_responder },
    )
}

/// The first time, from `now` on, at which a packet may go by all rates.
fn earliest(pacer: &Pacer, now: MonoTime, unit: Unit, responder: Option<IpAddr>) -> MonoTime {
    let opens = pacer.closed(now, unit, responder).map_or(now, |(_, opens)| opens);
    opens.max(pacer.earliest_total(now))
}

/// Sends every wish as early as the pacer allows; gives back when each left.
fn drive(rates: PacerRates, wishes: &[Wish]) -> Vec<(u64, u8, Option<u8>)> {
    let mut pacer = Pacer::new(rates);
    let mut now = MonoTime::from_nanos(5 * SECOND);
    let mut sent = Vec::new();
    for (idle, to, answered_by) in wishes {
        now = MonoTime::from_nanos(now.as_nanos() + idle);
        now = earliest(&pacer, now, unit(*to), answered_by.map(responder));
        pacer.spend(now, unit(*to), answered_by.map(responder));
        sent.push((now.as_nanos(), *to, *answered_by));
    }
    sent
}

/// The most packets that left within any one second.
fn busiest_second(times: &[u64]) -> usize {
    let from =
        |first: usize| times[first..].iter().take_while(|time| *time - times[first] < SECOND).count();
    (0..times.len()).map(from).max().unwrap_or(0)
}

fn by_key<K: Hash + Eq>(sent: impl Iterator<Item = (K, u64)>) -> HashMap<K, Vec<u64>> {
    let mut times: HashMap<K, Vec<u64>> = HashMap::new();
    for (key, time) in sent {
        times.entry(key).or_default().push(time);
    }
    times
}

/// What may leave in a second at a rate: a packet more, or a thousandth more if that is more.
fn with_what_leaves_together(rate: Pps) -> f64 {
    rate.get() + (rate.get() / 1_000.0).max(1.0)
}

proptest! {
    #[test]
    fn no_second_sees_more_than_cap_and_burst(rates in rates(), wishes in wishes()) {
        let sent = drive(rates, &wishes);
        let all: Vec<u64> = sent.iter().map(|(time, ..)| *time).collect();
        prop_assert!(busiest_second(&all) as f64 <= rates.total.get() + f64::from(rates.burst));
        for times in by_key(sent.iter().map(|(time, unit, _)| (*unit, *time))).values() {
            prop_assert!(busiest_second(times) as f64 <= with_what_leaves_together(rates.per_unit));
        }
        let answered = sent.iter().filter_map(|(time, _, by)| by.map(|by| (by, *time)));
        for times in by_key(answered).values() {
            prop_assert!(busiest_second(times) as f64 <= with_what_leaves_together(rates.per_responder));
        }
    }

    #[test]
    fn a_sender_with_enough_to_send_reaches_the_rate(rates in rates()) {
        let total_alone = PacerRates {
            per_unit: Pps::new(1_000_000.0).unwrap(), per_responder: Pps::new(1_000_000.0).unwrap(), ..rates
        };
        let sent = drive(total_alone, &vec![(0, 0, None); 10_000]);
        let after_burst = &sent[rates.burst as usize..];
        let span = after_burst.last().unwrap().0 - after_burst[0].0;
        let mean = (after_burst.len() - 1) as f64 / (span as f64 / 1e9);
        let error = (mean / rates.total.get() - 1.0).abs();
        prop_assert!(error < 0.01, "mean {mean} instead of {}", rates.total);
    }
}

const START: MonoTime = MonoTime::from_nanos(5 * SECOND);

/// Sends with a thread that wakes so much too late each time, as long as it takes for so many packets;
/// returns when each left, and the pacer.
fn drive_late(rates: PacerRates, packets: usize, lateness: &[u64]) -> (Vec<u64>, Pacer) {
    let mut pacer = Pacer::new(rates);
    let mut late = lateness.iter().cycle();
    let mut now = START;
    let mut sent = Vec::with_capacity(packets);
    while sent.len() < packets {
        while pacer.earliest_total(now) <= now {
            pacer.spend(now, unit(0), None);
            sent.push(now.as_nanos());
        }
        now = MonoTime::from_nanos(pacer.wake(now).as_nanos() + late.next().unwrap());
    }
    (sent, pacer)
}

/// From one packet a second to a million.
fn any_rate() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1.0), Just(1_000_000.0), (0.0..1_000_000_f64.ln()).prop_map(f64::exp)]
}

fn in_all(total: f64, burst: u32) -> PacerRates {
    let fast = Pps::new(1_000_000.0).unwrap();
    PacerRates { total: Pps::new(total).unwrap(), burst, per_unit: fast, per_responder: fast }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A thread that wakes late, but never later than threads do, keeps the rate to one part in a hundred;
    /// one that must be punctual may be late by a hundredth of the interval.
    #[test]
    fn any_rate_from_one_to_a_million_is_kept_to_one_percent(
        total in any_rate(),
        burst in prop_oneof![Just(1_u32), 1_u32..1_000],
        late in prop::collection::vec(0.0..1.0, 1..50),
    ) {
        let rates = in_all(total, burst);
        let most = if Pacer::new(rates).is_tight() { 1e7 / total } else { LATENESS.as_nanos() as f64 };
        let lateness: Vec<u64> = late.iter().map(|share| (share * most) as u64).collect();
        let (sent, pacer) = drive_late(rates, burst as usize + 3_000, &lateness);
        // Packets leave together, so the rate is that at which the bucket fills: how much more than what was
        // taken would it hold by now, had nothing been lost?
        let taken = pacer.total.full_at().since(START).as_secs_f64();
        let mean = sent.len() as f64 / taken;
        prop_assert!((mean / total - 1.0).abs() < 0.01, "{mean} instead of {total}");
    }

    /// In any time T, whatever it is, no more than the burst and what the rate allows in T.
    #[test]
    fn no_time_however_short_sees_more_than_the_burst_and_its_share(
        total in any_rate(),
        burst in prop_oneof![Just(1_u32), 1_u32..1_000],
        late in prop::collection::vec(0_u64..SECOND / 100, 1..50),
    ) {
        let (sent, _) = drive_late(in_all(total, burst), 3_000, &late);
        // The most that left within any time, by the generic cell rate algorithm run backwards: each packet
        // counted at its time less what the rate had allowed until then.
        let ahead: Vec<f64> =
            sent.iter().enumerate().map(|(index, at)| index as f64 - *at as f64 / 1e9 * total).collect();
        let mut lowest = f64::INFINITY;
        for excess in ahead {
            lowest = lowest.min(excess);
            let within = excess - lowest + 1.0;
            prop_assert!(within <= f64::from(burst) + 0.01, "{within} packets beyond the rate");
        }
    }
}

#[test]
fn where_packets_leave_slowly_each_has_its_time_and_where_fast_some_leave_together() {
    let gaps = |total, burst| {
        let (sent, _) = drive_late(in_all(total, burst), 1_000 + burst as usize, &[0]);
        let mut gaps: Vec<u64> = sent[burst as usize..].windows(2).map(|pair| pair[1] - pair[0]).collect();
        gaps.dedup();
        gaps
    };
    assert_eq!(gaps(100.0, 10), [SECOND / 100]);
    assert_eq!(gaps(1_000.0, 1), [SECOND / 1_000]);
    assert_eq!(gaps(100_000.0, 64).iter().max(), Some(&160_000), "16 packets, six thousand times a second");
}

#[test]
fn only_bursts_too_small_for_their_rate_need_a_punctual_thread() {
    let tight = |total, burst| Pacer::new(in_all(total, burst)).is_tight();
    assert_eq!([tight(40.0, 1), tight(100.0, 10), tight(10_000.0, 10), tight(1e6, 256)], [false; 4]);
    assert_eq!([tight(100.0, 1), tight(10_000.0, 2), tight(1e6, 100)], [true; 3]);
}

#[test]
fn a_rehearsal_sends_as_many_packets_in_a_minute_as_the_campaign_in_hours() {
    let rate = |pps| Pps::new(pps).unwrap();
    let rates = PacerRates { total: rate(100.0), burst: 1, per_unit: rate(1.0), per_responder: rate(1.0) };
    let sent = drive(rates.squeezed(300.0), &[(0, 0, None); 301]);
    let span = sent.last().unwrap().0 - sent[0].0;
    assert!((SECOND * 99 / 100..=SECOND * 101 / 100).contains(&span), "{span} ns");
}

#[test]
fn responders_that_fell_silent_are_forgotten() {
    let rate = |pps| Pps::new(pps).unwrap();
    let rates =
        PacerRates { total: rate(1_000.0), burst: 1, per_unit: rate(1_000.0), per_responder: rate(1.0) };
    let mut pacer = Pacer::new(rates);
    let mut now = MonoTime::default();
    for number in 0..50_000_u32 {
        let router = Some(IpAddr::from(number.to_be_bytes()));
        now = earliest(&pacer, now, unit(0), router);
        pacer.spend(now, unit(0), router);
    }
    assert!(pacer.responders.held() <= 3_000, "{} are remembered", pacer.responders.held());
}

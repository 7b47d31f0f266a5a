//! Counters whose truth is known.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

use std::net::IpAddr;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::analyse::aliases::Fingerprints;

const HOUR: f64 = 3_600.0;

/// Something that numbers its packets, as a function of seconds.
type Numbers<'f> = &'f mut dyn FnMut(f64) -> u16;

/// Whom a campaign asks: in every minute of this hour a few times within a few seconds, everybody in the same.
fn times(dice: &mut Xoshiro256PlusPlus) -> Vec<f64> {
    let mut times: Vec<f64> = (0..60_u32)
        .flat_map(|minute| [0, 1].map(|_| f64::from(minute) * 60.0 + dice.random::<f64>() * 4.0))
        .collect();
    times.sort_by(f64::total_cmp);
    times
}

/// The samples of somebody who is asked at these times.
fn samples(times: &[f64], numbers: Numbers<'_>) -> Vec<Sample> {
    let (mut samples, who) = (Fingerprints::default(), IpAddr::from([10, 0, 0, 1]));
    for time in times {
        let sent = (time * 1e9) as i64;
        let took = Duration::from_millis(20);
        samples.add_sample(who, &"vp".parse().unwrap(), (sent, took), numbers(time + 0.01));
    }
    samples.of(who)
}

/// A counter of this speed and start, which answers are counted in.
fn counter(start: u16, velocity: f64) -> impl FnMut(f64) -> u16 {
    let mut answered = 0_u16;
    move |time| {
        answered += 1;
        start.wrapping_add(answered).wrapping_add((velocity * time) as u64 as u16)
    }
}

/// No pair that a whole dataset of this many pairs may be told of.
fn is_told(verdict: Verdict, tried: usize) -> bool {
    matches!(verdict, Verdict::Together(chance) if chance * tried as f64 <= 0.01)
}

#[test]
fn independent_counters_of_nearly_the_same_speed_are_not_told_to_be_one() {
    const NUMBER: usize = 40;
    let (mut told, mut apart, mut all) = (0, 0, 0);
    for seed in 0..12 {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let speed = 0.05 * 2_f64.powi(seed as i32);
        let counters: Vec<Counter> = (0..NUMBER)
            .filter_map(|_| {
                let velocity = speed * dice.random_range(0.95..1.05);
                let times = times(&mut dice);
                Counter::new(samples(&times, &mut counter(dice.random(), velocity)))
            })
            .collect();
        assert_eq!(counters.len(), NUMBER, "at {speed} a second");
        let tried = NUMBER * (NUMBER - 1) / 2;
        for (place, one) in counters.iter().enumerate() {
            for other in &counters[..place] {
                let verdict = one.with(other);
                told += usize::from(is_told(verdict, tried));
                apart += usize::from(verdict == Verdict::Apart);
                all += 1;
            }
        }
    }
    assert_eq!(told, 0);
    assert!(apart * 100 > all * 95, "{apart} of {all}");
}

#[test]
fn one_counter_behind_two_addresses_is_told_and_never_refused() {
    for seed in 0..40 {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let velocity = 0.5 * 2_f64.powf(dice.random_range(0.0..8.0));
        let mut asked: Vec<(f64, bool)> = times(&mut dice).into_iter().map(|time| (time, true)).collect();
        asked.extend(times(&mut dice).into_iter().map(|time| (time, false)));
        asked.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut counter = counter(dice.random(), velocity);
        let given: Vec<(f64, bool, u16)> =
            asked.into_iter().map(|(time, own)| (time, own, counter(time + 0.01))).collect();
        let of = |own: bool| {
            let mut given = given.iter().filter(|one| one.1 == own);
            let times: Vec<f64> = given.clone().map(|one| one.0).collect();
            Counter::new(samples(&times, &mut |_| given.next().unwrap().2)).unwrap()
        };
        let verdict = of(true).with(&of(false));
        assert!(is_told(verdict, 500), "seed {seed}, {velocity} a second: {verdict:?}");
    }
}

#[test]
fn zeros_constants_chance_and_numbers_of_probes_are_no_counters() {
    for seed in 0..200 {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let times = times(&mut dice);
        let few = &times[..dice.random_range(3..times.len())];
        let constant: u16 = dice.random();
        assert!(Counter::new(samples(few, &mut |_| 0)).is_none());
        assert!(Counter::new(samples(few, &mut |_| constant)).is_none());
        assert!(Counter::new(samples(few, &mut |_| dice.random())).is_none(), "seed {seed}");
        // As traces number their probes: from 1 on at the first hop, again and again.
        let hop = dice.random_range(1..20);
        assert!(
            Counter::new(samples(few, &mut |_| hop + dice.random_range(0..3))).is_none(),
            "seed {seed}"
        );
    }
}

#[test]
fn what_goes_round_between_two_samples_tells_nothing() {
    let hourly: Vec<f64> = (0..50).map(|number| f64::from(number) * HOUR).collect();
    assert!(Counter::new(samples(&hourly, &mut counter(7, 100.0))).is_none());
    assert!(Counter::new(samples(&hourly, &mut counter(7, 0.1))).is_some());
}

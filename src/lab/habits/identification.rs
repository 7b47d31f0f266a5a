//! Which identification the IPv4 packets of a router or host bear: a counter of what it sends, or something else.
//!
//! A counter begins anywhere and counts what is sent to the vantage, and besides what the router sends to others: that
//! is a function of the time alone, so that the same packets at the same times are answered alike.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use siphasher::sip::SipHasher13;

use crate::lab::balance::write_address;
use crate::lab::scenario::{CountedOver, IpId, Scenario};
use crate::model::MonoTime;

/// A part of the mean rate, by which the rate of other packets is now above and now below it.
const SWING: f64 = 0.5;
/// Seconds from high to high; each counter has its own between these.
const SHORTEST_SWING: f64 = 60.0;
const LONGEST_SWING: f64 = 600.0;

/// Who counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counter {
    Router(usize),
    Address(IpAddr),
}

/// What stands in the header of what somebody sends.
pub(in crate::lab) struct Sending {
    /// The position of the router; `None` for a host.
    pub(in crate::lab) router: Option<usize>,
    /// The address that it sends from.
    pub(in crate::lab) from: IpAddr,
    pub(in crate::lab) at: MonoTime,
    /// What chance would choose.
    pub(in crate::lab) chosen: u16,
    /// The identification of the packet that is answered.
    pub(in crate::lab) asked: u16,
}

/// What counters have counted.
#[derive(Debug, Default)]
pub(in crate::lab) struct Counters(HashMap<Counter, u16>);

impl Counters {
    /// The identification of a packet that is sent.
    pub(in crate::lab) fn next(&mut self, habit: IpId, seed: u64, sending: &Sending) -> u16 {
        match habit {
            IpId::Random => sending.chosen,
            IpId::Zero => 0,
            IpId::Copied => sending.asked,
            IpId::Counter { over, per_second } => {
                let who = Counter::of(over, sending);
                let others = others(&who, seed, per_second, sending.at);
                let counted = self.0.entry(who).or_default();
                *counted = counted.wrapping_add(1);
                others.wrapping_add(*counted)
            }
        }
    }
}

impl Counter {
    const fn of(over: CountedOver, sending: &Sending) -> Self {
        match (over, sending.router) {
            (CountedOver::Router, Some(router)) => Self::Router(router),
            _ => Self::Address(sending.from),
        }
    }
}

/// The identifications of answers that routers would send, for whoever judges by more vantages than a simulator has.
#[derive(Debug)]
pub struct TrueIpIds {
    seed: u64,
    routers: HashMap<String, (usize, IpId)>,
    counters: Counters,
    random: Xoshiro256PlusPlus,
}

impl TrueIpIds {
    /// Before anybody has answered.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let routers = scenario.routers.iter().enumerate();
        Self {
            seed: scenario.seed,
            routers: routers.map(|(place, router)| (router.name.clone(), (place, router.ip_id))).collect(),
            counters: Counters::default(),
            random: Xoshiro256PlusPlus::seed_from_u64(scenario.seed),
        }
    }

    /// That of an answer of this router from this address, so long after the start of the lab, to a packet of any
    /// identification. Times must not go back. `None` for a router that is not in the scenario, and for IPv6.
    pub fn next(&mut self, router: &str, from: IpAddr, after: Duration) -> Option<u16> {
        let (place, habit) = *self.routers.get(router).filter(|_| from.is_ipv4())?;
        let at = MonoTime::default().after(after);
        let (chosen, asked) = (self.random.random(), self.random.random());
        Some(self.counters.next(
            habit,
            self.seed,
            &Sending { router: Some(place), from, at, chosen, asked },
        ))
    }
}

/// Where a counter began, and what was sent to others until now. The rate swings, since traffic does; it is never
/// below half of its mean.
fn others(counter: &Counter, seed: u64, per_second: f64, now: MonoTime) -> u16 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0x1d);
    match counter {
        Counter::Router(router) => router.hash(&mut hasher),
        Counter::Address(address) => write_address(&mut hasher, *address),
    }
    let [one, two, three, four, five, six, ..] = hasher.finish().to_be_bytes();
    let share = |high: u8, low: u8| f64::from(u16::from_be_bytes([high, low])) / 65_536.0;
    let period = SHORTEST_SWING + (LONGEST_SWING - SHORTEST_SWING) * share(three, four);
    let phase = TAU * share(five, six);
    let seconds = now.since(MonoTime::default()).as_secs_f64();
    let angle = TAU * seconds / period;
    let swung = SWING * period / TAU * (phase.cos() - (angle + phase).cos());
    let sent = (per_second * (seconds + swung)).max(0.0).floor() % 65_536.0;
    // A whole number below 2^16.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let sent = sent as u16;
    u16::from_be_bytes([one, two]).wrapping_add(sent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sent_to_others_comes_at_its_rate_and_never_goes_back(
            seed in any::<u64>(), router in 0_usize..99, per_second in 0.0..2_000.0, start in 0_u64..100_000,
        ) {
            let at = |tenths: u64| {
                let now = MonoTime::from_nanos((start * 10 + tenths) * 100_000_000);
                others(&Counter::Router(router), seed, per_second, now)
            };
            let steps = (0..6_000).map(|step| f64::from(at(step + 1).wrapping_sub(at(step))));
            let (mut sum, most) = (0.0, per_second * (1.0 + SWING) / 10.0 + 1.0);
            for step in steps {
                prop_assert!(step <= most, "{} in a tenth of a second", step);
                sum += step;
            }
            // A part of a swing at most is over or under.
            prop_assert!((sum / 600.0 - per_second).abs() <= per_second * 0.2 + 0.1, "{}", sum);
        }
    }
}

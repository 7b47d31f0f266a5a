//! What tells a router that limits its ICMP answers from one whose answers are lost: asked in the same way at two
//! rates, the first answers the smaller part of what is asked faster, the second the same part.
//!
//! Both wings stand on this: a prober asks by it, and the analysis judges by it. Routers are known to limit by
//! token buckets (Linux `icmp_ratelimit`, Cisco IOS, Junos); the test wants nothing of a bucket but that it runs
//! empty. Pure knowledge; it sends nothing.
//!
//! ```text
//!   fast: 80 packets as fast as the rates allow, of which the last 48 count: the first ones empty the bucket
//!   slow: 24 packets at an eighth of that rate; and where many of these are lost too, 24 at an eighth of it again
//! ```

use statrs::distribution::{Discrete, Hypergeometric};

/// One of the packet trains of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Train {
    /// As fast as the rates allow.
    Fast,
    /// At an eighth of that rate.
    Slow,
    /// At an eighth of that again.
    Slower,
}

impl Train {
    /// All trains, in the order in which they are sent.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Slow, Self::Slower];

    /// The first attempt that belongs to it; no other probe has attempts so high.
    #[must_use]
    pub const fn first_attempt(self) -> u8 {
        match self {
            Self::Fast => 128,
            Self::Slow => 208,
            Self::Slower => 232,
        }
    }

    /// How many packets it has.
    #[must_use]
    pub const fn packets(self) -> u8 {
        match self {
            Self::Fast => 80,
            Self::Slow | Self::Slower => 24,
        }
    }

    /// The train that an attempt belongs to; `None` for probes that test nothing.
    #[must_use]
    pub fn of(attempt: u8) -> Option<Self> {
        Self::ALL.into_iter().rev().find(|train| attempt >= train.first_attempt())
    }

    /// Each train is sent so many times as slowly as the one before.
    pub const SLOWER_BY: u32 = 8;
    /// Packets of the fast train that only empty the bucket.
    pub const BEFORE_IT_COUNTS: u8 = 32;
}

/// The packets of the longest test.
pub const MOST_PACKETS: u64 = 128;
/// From this attempt on the fast train counts.
const COUNTS_FROM: u8 = Train::Fast.first_attempt() + Train::BEFORE_IT_COUNTS;
/// The chance of calling limited what only loses.
const SIGNIFICANCE: f64 = 1e-3;
/// A share of losses that is not worth a word.
const LITTLE: f64 = 0.1;

/// What became of the packets of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// What became of the fast train while the bucket may not have been empty.
    before: Tally,
    fast: Tally,
    slow: Tally,
    slower: Tally,
}

/// Packets of a train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    answered: u64,
    lost: u64,
}

/// What a test says of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It limits how often it answers.
    Limited,
    /// Packets to it or from it are lost, whatever the rate.
    Lossy,
    /// It answers.
    Steady,
    /// Not enough was sent to say.
    Undecided,
}

impl Verdict {
    /// The verdict in one word of a closed set.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Limited => "limited",
            Self::Lossy => "lossy",
            Self::Steady => "steady",
            Self::Undecided => "undecided",
        }
    }
}

impl Tally {
    const fn sent(self) -> u64 {
        self.answered.saturating_add(self.lost)
    }

    fn loss(self) -> f64 {
        number(self.lost) / number(self.sent().max(1))
    }

    fn note(&mut self, answered: bool) {
        let count = if answered { &mut self.answered } else { &mut self.lost };
        *count = count.saturating_add(1);
    }
}

impl Trial {
    /// Takes in a packet of the test; others are left aside.
    pub fn note(&mut self, attempt: u8, answered: bool) {
        let tally = match Train::of(attempt) {
            Some(Train::Fast) if attempt < COUNTS_FROM => &mut self.before,
            Some(Train::Fast) => &mut self.fast,
            Some(Train::Slow) => &mut self.slow,
            Some(Train::Slower) => &mut self.slower,
            None => return,
        };
        tally.note(answered);
    }

    /// Whether the fast train lost so little that slow ones can tell nothing.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.fast.sent() > 0 && self.fast.loss() <= LITTLE && self.before.loss() <= LITTLE
    }

    /// Whether a train is still to be sent: the slow one unless nothing was lost, and the slower one if the slow one
    /// did not tell and lost much.
    #[must_use]
    pub fn wants(&self, train: Train) -> bool {
        match train {
            Train::Fast => self.fast.sent() == 0,
            Train::Slow => self.fast.sent() > 0 && !self.is_steady() && self.slow.sent() == 0,
            Train::Slower => {
                self.slow.sent() > 0
                    && self.slower.sent() == 0
                    && self.slow.loss() > LITTLE
                    && self.verdict() != Verdict::Limited
            }
        }
    }

    /// What it says.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.fast.sent() < 16 {
            return Verdict::Undecided;
        }
        if self.is_steady() {
            return Verdict::Steady;
        }
        let trains = [self.slow, self.slower].into_iter().filter(|train| train.sent() >= 8);
        let mut limited = trains.clone().filter(|train| fewer_lost(*train, self.fast) < SIGNIFICANCE);
        if limited.next().is_some() {
            return Verdict::Limited;
        }
        if trains.count() == 0 { Verdict::Undecided } else { Verdict::Lossy }
    }
}

/// The chance that the slow train loses so few packets if both lose alike: Fisher's exact test, one-sided.
fn fewer_lost(slow: Tally, fast: Tally) -> f64 {
    let all = slow.sent().saturating_add(fast.sent());
    let lost = slow.lost.saturating_add(fast.lost);
    let Ok(by_chance) = Hypergeometric::new(all, lost, slow.sent()) else { return 1.0 };
    (0..=slow.lost).map(|count| by_chance.pmf(count)).sum()
}

#[allow(clippy::cast_precision_loss, reason = "counts of packets stay far below 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_precision_loss)]
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// A test of a router that answers by a token bucket, over a way that loses packets; times in seconds.
    fn trial(seed: u64, loss: f64, (offered, limit, burst): (f64, f64, f64)) -> Trial {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut trial, mut tokens) = (Trial::default(), burst);
        let mut spacing = 1.0 / offered;
        for train in Train::ALL {
            if trial.wants(train) {
                for packet in 0..train.packets() {
                    tokens = f64::min(tokens + limit * spacing, burst);
                    let arrives = dice.random::<f64>() >= loss;
                    let answered = arrives && tokens >= 1.0;
                    tokens -= if answered { 1.0 } else { 0.0 };
                    trial.note(train.first_attempt() + packet, answered && dice.random::<f64>() >= loss);
                }
            }
            spacing *= f64::from(Train::SLOWER_BY);
        }
        trial
    }

    fn share(wanted: Verdict, loss: f64, bucket: (f64, f64, f64)) -> f64 {
        let of = (0..500).filter(|seed| trial(*seed, loss, bucket).verdict() == wanted).count();
        of as f64 / 500.0
    }

    #[test]
    fn every_attempt_belongs_to_one_train_and_the_trains_fill_what_there_is() {
        let packets: u64 = Train::ALL.into_iter().map(|train| u64::from(train.packets())).sum();
        assert_eq!(packets, MOST_PACKETS);
        for train in Train::ALL {
            for packet in 0..train.packets() {
                assert_eq!(Train::of(train.first_attempt() + packet), Some(train));
            }
        }
        assert_eq!(Train::of(127), None);
    }

    #[test]
    fn a_limit_is_recognised_from_half_of_what_is_offered_to_a_hundredth() {
        for limit in [0.5, 0.25, 0.1, 0.05, 0.01] {
            for burst in [1.0, 5.0, 10.0] {
                for loss in [0.0, 0.01] {
                    let recognised = share(Verdict::Limited, loss, (1.0, limit, burst));
                    assert!(recognised >= 0.95, "limit {limit}, burst {burst}, loss {loss}: {recognised}");
                }
            }
        }
    }

    #[test]
    fn loss_alone_is_hardly_ever_called_a_limit() {
        for loss in [0.0, 0.01, 0.05, 0.2, 0.5, 0.9] {
            let limited = share(Verdict::Limited, loss, (1.0, 1e9, 1e9));
            assert!(limited <= 0.004, "{loss}: {limited}");
        }
        assert!(share(Verdict::Steady, 0.01, (1.0, 1e9, 1e9)) > 0.95);
        assert!(share(Verdict::Lossy, 0.3, (1.0, 1e9, 1e9)) > 0.95);
    }

    #[test]
    fn a_router_that_falls_silent_is_not_called_limited() {
        let mut trial = Trial::default();
        assert_eq!(trial.verdict(), Verdict::Undecided);
        for train in [Train::Fast, Train::Slow, Train::Slower] {
            (0..train.packets()).for_each(|packet| trial.note(train.first_attempt() + packet, false));
        }
        assert_eq!(trial.verdict(), Verdict::Lossy);
    }
}

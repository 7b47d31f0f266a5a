//! One token bucket, kept as one number.

use std::hash::Hash;
use std::time::Duration;

use crate::model::{Keyed, MonoTime, Pps};

/// How a bucket fills: the generic cell rate algorithm (ITU-T I.371, "virtual scheduling"). In any window
/// of length T at most `depth` + rate × T packets pass; whole nanoseconds, rounded towards the slower side,
/// so that nothing drifts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refill {
    /// Time from one token to the next.
    interval: Duration,
    /// How far a full bucket may run ahead: (depth − 1) intervals.
    lead: Duration,
}

impl Refill {
    /// A bucket that fills at `rate` and holds `depth` packets; a depth of 0 is taken as 1.
    #[must_use]
    pub fn new(rate: Pps, depth: u32) -> Self {
        let nanos = (1e9 / rate.get()).ceil();
        let interval = Duration::try_from_secs_f64(nanos / 1e9).unwrap_or(Duration::MAX);
        Self { interval, lead: interval.saturating_mul(depth.saturating_sub(1)) }
    }

    /// By how much a sender that always has something to send may be late, again and again, and still
    /// reaches the rate to a hundredth.
    #[must_use]
    pub fn leeway(&self) -> Duration {
        self.lead.max(self.interval.checked_div(100).unwrap_or_default())
    }
}

/// What was taken out of a bucket. A new one is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it is full again, if nothing more is taken.
    full_at: MonoTime,
}

impl Bucket {
    /// The first time, from `now` on, at which a packet may pass.
    #[must_use]
    pub fn earliest(&self, now: MonoTime, refill: Refill) -> MonoTime {
        now.max(MonoTime::default().after(self.full_at.since(MonoTime::default().after(refill.lead))))
    }

    /// Takes a token for a packet that passes `now`, whether there was one or not.
    pub fn spend(&mut self, now: MonoTime, refill: Refill) {
        self.full_at = self.full_at.max(now).after(refill.interval);
    }

    /// When it is full again: what comes in later is lost.
    #[must_use]
    pub const fn full_at(&self) -> MonoTime {
        self.full_at
    }

    /// Whether it is full, and so need not be remembered.
    #[must_use]
    pub fn is_full(&self, now: MonoTime) -> bool {
        self.full_at <= now
    }
}

/// Buckets of one kind, one for each key. Full ones are forgotten, so at most the keys that were used
/// within one filling time are held: (total rate ÷ rate per key) × depth of them.
#[derive(Clone, Debug)]
pub struct Buckets<K> {
    refill: Refill,
    held: Keyed<K, Bucket>,
    sweep_at: usize,
}

/// Number of buckets held before the full ones are looked for.
const FIRST_SWEEP: usize = 1024;

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// All of them full.
    #[must_use]
    pub fn new(refill: Refill) -> Self {
        let mut held = Keyed::default();
        held.reserve(FIRST_SWEEP);
        Self { refill, held, sweep_at: FIRST_SWEEP }
    }

    /// The first time, from `now` on, at which a packet for this key may pass.
    #[must_use]
    pub fn earliest(&self, now: MonoTime, key: K) -> MonoTime {
        self.held.get(&key).map_or(now, |bucket| bucket.earliest(now, self.refill))
    }

    /// Takes a token of this key.
    pub fn spend(&mut self, now: MonoTime, key: K) {
        if self.held.len() >= self.sweep_at {
            self.held.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = self.held.len().saturating_mul(2).max(FIRST_SWEEP);
        }
        self.held.entry(key).or_default().spend(now, self.refill);
    }

    /// How many are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }
}

//! The limit on what routers and hosts send by ICMP: a token bucket in simulated time, so that the same packets at the
//! same times are answered alike.

use std::collections::HashMap;
use std::hash::Hash;

use crate::lab::scenario::IcmpRate;
use crate::model::MonoTime;

/// A token bucket. It begins full, and again so when its rate is changed.
#[derive(Clone, Copy, Debug)]
pub(in crate::lab) struct Bucket {
    rate: IcmpRate,
    tokens: f64,
    filled: MonoTime,
}

impl Bucket {
    pub(in crate::lab) fn new(rate: IcmpRate, now: MonoTime) -> Self {
        Self { rate, tokens: f64::from(rate.burst), filled: now }
    }

    /// Takes a token, if one is there. Times must not go back.
    pub(in crate::lab) fn take(&mut self, rate: IcmpRate, now: MonoTime) -> bool {
        if self.rate != rate {
            *self = Self::new(rate, now);
        }
        let new = rate.per_second * now.since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + new).min(f64::from(rate.burst));
        self.filled = self.filled.max(now);
        let there = self.tokens >= WHOLE;
        if there {
            self.tokens = (self.tokens - 1.0).max(0.0);
        }
        there
    }
}

/// A token that came in parts is whole although the parts were rounded.
const WHOLE: f64 = 1.0 - 1e-9;

/// The buckets of all that have a limit.
#[derive(Debug)]
pub(in crate::lab) struct Buckets<Who>(HashMap<Who, Bucket>);

impl<Who> Default for Buckets<Who> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Who: Eq + Hash> Buckets<Who> {
    /// Whether somebody may send one more message now; `rate` is the limit at this time.
    pub(in crate::lab) fn let_through(&mut self, who: Who, rate: Option<IcmpRate>, now: MonoTime) -> bool {
        let Some(rate) = rate else { return true };
        self.0.entry(who).or_insert_with(|| Bucket::new(rate, now)).take(rate, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_its_rate_for_ever() {
        let rate = IcmpRate { per_second: 10.0, burst: 3 };
        let mut bucket = Bucket::new(rate, MonoTime::default());
        let at = |millis: u64| MonoTime::from_nanos(millis * 1_000_000);
        let mut taken =
            |millis: u64, tries: u32| (0..tries).filter(|_| bucket.take(rate, at(millis))).count();
        assert_eq!(taken(0, 9), 3);
        assert_eq!(taken(99, 9), 0);
        assert_eq!(taken(101, 9), 1);
        assert_eq!(taken(60_000, 9), 3, "more than the burst was saved up");
        assert_eq!((60_001..70_001).map(|millis| taken(millis, 1)).sum::<usize>(), 100);
    }
}

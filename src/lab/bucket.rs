//! A token bucket: so many at once, and so many in the long run.

use super::scenario::IcmpRate;
use crate::model::MonoTime;

/// How full a bucket is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    tokens: f64,
    at: MonoTime,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(rate: IcmpRate, now: MonoTime) -> Self {
        Self { tokens: f64::from(rate.burst), at: now }
    }

    /// Takes a token, if there is one. Times of successive calls never go back.
    pub(super) fn take(&mut self, rate: IcmpRate, now: MonoTime) -> bool {
        let new = now.since(self.at).as_secs_f64() * rate.per_second;
        self.tokens = (self.tokens + new).min(f64::from(rate.burst));
        self.at = now;
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
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

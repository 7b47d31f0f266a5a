//! The limit on a router's ICMP errors: a token bucket in simulated time, so that the same packets at the
//! same times are answered alike.

use std::collections::HashMap;

use crate::lab::scenario::{IcmpRate, RouterIndex};
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

/// The buckets of all routers that have a limit.
#[derive(Debug, Default)]
pub(in crate::lab) struct Buckets(HashMap<RouterIndex, Bucket>);

impl Buckets {
    /// Whether a router may send one more error now; `rate` is its limit at this time.
    pub(in crate::lab) fn let_through(
        &mut self,
        router: RouterIndex,
        rate: Option<IcmpRate>,
        now: MonoTime,
    ) -> bool {
        let Some(rate) = rate else { return true };
        self.0.entry(router).or_insert_with(|| Bucket::new(rate, now)).take(rate, now)
    }
}

//! How each balancer splits flows, pooled over all targets of a round: a router balances the flows to a /22
//! in one way, and what one target cannot show in a few flows, a thousand targets can.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::stopping::narrowest_if_unequal;

/// The splits of all routers that were seen to send flows on.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    splits: HashMap<IpAddr, Split>,
}

#[derive(Clone, Debug, Default)]
struct Split {
    counts: BTreeMap<IpAddr, u64>,
    flows: u64,
    narrowest: Option<f64>,
}

/// A split is judged anew at every so many flows.
const JUDGED_EVERY: u64 = 8;
/// A narrowest share that falls by less than this is no news: it would reopen what is finished.
const NEWS: f64 = 0.8;

impl Splits {
    /// Notes a flow that a router sent on to another one. The flow must have been chosen without looking at
    /// where it goes. Returns whether more must now be asked behind this router.
    pub fn note(&mut self, from: IpAddr, to: IpAddr) -> bool {
        let split = self.splits.entry(from).or_default();
        let count = split.counts.entry(to).or_default();
        *count = count.saturating_add(1);
        split.flows = split.flows.saturating_add(1);
        if split.counts.len() < 2 || split.flows.checked_rem(JUDGED_EVERY) != Some(0) {
            return false;
        }
        let counts: Vec<u64> = split.counts.values().copied().collect();
        let Some(narrowest) = narrowest_if_unequal(&counts) else { return false };
        let is_news = split.narrowest.is_none_or(|known| narrowest < known * NEWS);
        if is_news {
            split.narrowest = Some(narrowest);
        }
        is_news
    }

    /// The share of a router's narrowest branch, where its branches are known to be unequal.
    #[must_use]
    pub fn narrowest(&self, router: IpAddr) -> Option<f64> {
        self.splits.get(&router)?.narrowest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn an_unequal_split_becomes_news_once_and_an_equal_one_never() {
        let mut splits = Splits::default();
        let news = (0..400).filter(|n| splits.note(router(1), router(if n % 10 == 0 { 3 } else { 2 })));
        assert!((1..=3).contains(&news.count()));
        assert!(splits.narrowest(router(1)).is_some_and(|share| (0.03..0.1).contains(&share)));
        assert!((0..200).all(|n: u8| !splits.note(router(4), router(5 + n % 2))));
        assert_eq!(splits.narrowest(router(4)), None);
    }
}

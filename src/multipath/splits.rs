//! How each balancer splits flows, pooled over all targets of a round: a router balances the flows to a /22
//! in one way, and what one target cannot show in a few flows, a thousand targets can: that its branches are
//! unequal, that it balances packet by packet, or that it never does.

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
    /// Further packets of flows that went the way that their flow had gone before.
    repeated: u64,
    /// A flow went two ways.
    by_packet: bool,
}

/// A split is judged anew at every so many flows.
const JUDGED_EVERY: u64 = 8;
/// A narrowest share that falls by less than this is no news: it would reopen what is finished.
const NEWS: f64 = 0.8;
/// Further packets, all on the ways of their flows, after which a router is believed to balance by flows: of
/// packets that it sends one by one on two branches as unequal as 90/10, so many take the wide one by chance in
/// one of 10¹¹ cases.
const CERTAINLY_BY_FLOW: u64 = 256;

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

    /// Notes whether a further packet of a flow that a router had sent one of several ways went the same way.
    /// Returns whether other flows through this router must now be looked at again.
    pub fn note_repeat(&mut self, router: IpAddr, same_way: bool) -> bool {
        let split = self.splits.entry(router).or_default();
        let is_news = !same_way && !split.by_packet;
        split.repeated = split.repeated.saturating_add(u64::from(same_way));
        split.by_packet |= !same_way;
        is_news
    }

    /// Whether a flow through this router was seen to go two ways.
    #[must_use]
    pub fn goes_by_packet(&self, router: IpAddr) -> bool {
        self.splits.get(&router).is_some_and(|split| split.by_packet)
    }

    /// Whether this router was shown never to send the packets of a flow two ways.
    #[must_use]
    pub fn goes_by_flow(&self, router: IpAddr) -> bool {
        self.splits
            .get(&router)
            .is_some_and(|split| !split.by_packet && split.repeated >= CERTAINLY_BY_FLOW)
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

    #[test]
    fn a_router_goes_by_flows_until_one_of_them_goes_two_ways() {
        let mut splits = Splits::default();
        assert!((0..255).all(|_| !splits.note_repeat(router(1), true)));
        assert!(!splits.goes_by_flow(router(1)), "not yet certain");
        splits.note_repeat(router(1), true);
        assert!(splits.goes_by_flow(router(1)) && !splits.goes_by_packet(router(1)));
        assert!(splits.note_repeat(router(1), false), "news once");
        assert!(!splits.note_repeat(router(1), false));
        assert!(splits.goes_by_packet(router(1)) && !splits.goes_by_flow(router(1)));
    }
}

//! How each balancer splits flows, pooled over all targets of a round: a router balances the flows to a /22
//! in one way, and what one target cannot show in a few flows, a thousand targets can: that its branches are
//! unequal, that it balances packet by packet, or that it never does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use super::stopping::narrowest_if_unequal;

/// The splits of all routers that were seen to send flows on.
#[derive(Clone, Debug, Default)]
pub struct Splits {
    splits: HashMap<IpAddr, Split>,
    /// By router and target: to whom the first flow went that was noted.
    firsts: HashMap<(IpAddr, IpAddr), IpAddr>,
}

#[derive(Clone, Debug, Default)]
struct Split {
    counts: BTreeMap<IpAddr, u64>,
    /// Next hops between which flows to one and the same target are balanced. What goes elsewhere to other targets is
    /// routed there, in whatever shares, and says nothing of balancing.
    branches: Vec<BTreeSet<IpAddr>>,
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
    /// Notes a flow to a target that a router sent on to another one. The flow must have been chosen without looking at
    /// where it goes. Returns whether more must now be asked behind this router.
    pub fn note(&mut self, target: IpAddr, from: IpAddr, to: IpAddr) -> bool {
        let first = *self.firsts.entry((from, target)).or_insert(to);
        let split = self.splits.entry(from).or_default();
        let count = split.counts.entry(to).or_default();
        *count = count.saturating_add(1);
        if first != to {
            split.join(first, to);
        }
        let Some(narrowest) = split.narrowest_beside(to) else { return false };
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

impl Split {
    /// Takes two next hops for branches of one balancer.
    fn join(&mut self, one: IpAddr, other: IpAddr) {
        let is_apart = |branches: &BTreeSet<IpAddr>| !branches.contains(&one) && !branches.contains(&other);
        if self.branches.iter().any(|branches| branches.contains(&one) && branches.contains(&other)) {
            return;
        }
        let (apart, joined): (Vec<_>, Vec<_>) = self.branches.drain(..).partition(is_apart);
        self.branches = apart;
        self.branches.push(joined.into_iter().flatten().chain([one, other]).collect());
    }

    /// The share of the narrowest of the branches that this next hop is one of, if it is time to judge them and they
    /// are unequal.
    fn narrowest_beside(&self, to: IpAddr) -> Option<f64> {
        let branches = self.branches.iter().find(|branches| branches.contains(&to))?;
        let counts: Vec<u64> =
            branches.iter().filter_map(|branch| self.counts.get(branch)).copied().collect();
        let flows: u64 = counts.iter().sum();
        (flows.checked_rem(JUDGED_EVERY) == Some(0)).then(|| narrowest_if_unequal(&counts)).flatten()
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
        let target = |n: u8| IpAddr::from([10, 9, 0, n / 4]);
        let news = (0..200)
            .filter(|n| splits.note(target(*n), router(1), router(if n % 10 == 0 { 3 } else { 2 })));
        assert!((1..=3).contains(&news.count()));
        assert!(splits.narrowest(router(1)).is_some_and(|share| (0.03..0.1).contains(&share)));
        assert!((0..200).all(|n: u8| !splits.note(target(n), router(4), router(5 + n % 2))));
        assert_eq!(splits.narrowest(router(4)), None);
    }

    #[test]
    fn what_is_routed_to_some_targets_one_way_and_to_others_another_is_not_balanced() {
        let mut splits = Splits::default();
        let target = |n: u8| IpAddr::from([10, 9, 0, n / 4]);
        let next = |n: u8| if (n / 4).is_multiple_of(10) { 3 } else { 2 };
        assert!((0..200).all(|n| !splits.note(target(n), router(1), router(next(n)))));
        assert_eq!(splits.narrowest(router(1)), None);
        // A balancer between two others, on the ways to other targets.
        let target = |n: u8| IpAddr::from([10, 9, 1, n / 4]);
        assert!((0..200).all(|n| !splits.note(target(n), router(1), router(8 + n % 2))));
        assert_eq!(splits.narrowest(router(1)), None, "equal branches, routed to each target");
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

//! How good predictions are: an event is foretold from a topology before it and held against one after it, beside the
//! guess that nothing changes. What a later topology says is worked out by the same model, from relations that were inferred
//! anew; it tells how far predictions hold when everything else goes on changing, not how far the model is true.

use std::collections::BTreeMap;

use super::change::{Absent, Change};
use super::graph::Topology;
use super::hegemony::float;
use super::key::Ties;
use super::loss::Lost;
use super::outlook::Outlook;
use super::routes::{Announcement, Routes};
use crate::model::{AsLink, Asn};

/// How well some routes foretold others. Shares are of the ASes that are compared: those that both topologies have, but for the
/// origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// How many ASes are compared.
    pub compared: u64,
    /// The share of which it was foretold rightly whether they have a route; `None` if none is compared.
    pub reach_right: Option<f64>,
    /// Of those with a route in both, the share whose last AS before the origin was foretold; `None` without any.
    pub upstream_right: Option<f64>,
    /// The same of the AS that comes next.
    pub next_right: Option<f64>,
    /// How much the catchments overlap: the sum of the smaller over the sum of the larger (weighted Jaccard).
    pub overlap: Option<f64>,
    /// What was foretold.
    pub outlook: Outlook,
}

/// An event, foretold and held against what came.
#[derive(Clone, Debug)]
pub struct Backtest {
    /// What happened.
    pub change: Change,
    /// For each way to break ties.
    pub trials: Vec<(Ties, Trial)>,
}

/// One way to break ties.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The prediction.
    pub foretold: Score,
    /// The guess that nothing changes.
    pub unchanged: Score,
    /// What came.
    pub actual: Outlook,
}

/// Foretells a change from one topology and holds it against another. Without a change, it is what differs between both in
/// the links of the origin.
///
/// # Errors
/// An origin that is not in both.
pub fn backtest(
    (before, after): (&Topology, &Topology),
    announcement: &Announcement,
    change: Option<&Change>,
    ties: &[Ties],
) -> Result<Backtest, Absent> {
    before.check_as(announcement.origin)?;
    after.check_as(announcement.origin)?;
    let change = change.cloned().unwrap_or_else(|| changes_at(before, after, announcement.origin));
    let changed = before.with(&change.add);
    let trials = ties.iter().filter_map(|ties| {
        let mut foretold = Routes::to(&changed, announcement, *ties)?;
        drop(foretold.lose_all(&change.lose));
        let unchanged = Routes::to(before, announcement, *ties)?;
        let actual = Routes::to(after, announcement, *ties)?;
        let (foretold, unchanged) = (score(&foretold, &actual), score(&unchanged, &actual));
        Some((*ties, Trial { foretold, unchanged, actual: actual.outlook() }))
    });
    Ok(Backtest { trials: trials.collect(), change })
}

/// What became of the links of an AS.
#[must_use]
pub fn changes_at(before: &Topology, after: &Topology, asn: Asn) -> Change {
    let links = |topology: &Topology| -> Vec<AsLink> {
        topology.neighbours_of(asn).into_iter().filter_map(|other| AsLink::new(asn, other)).collect()
    };
    let gone = links(before).into_iter().filter(|link| after.relation(*link).is_none()).map(Lost::Link);
    let new = links(after).into_iter().filter(|link| before.relation(*link) != after.relation(*link));
    Change { lose: gone.collect(), add: new.filter_map(|link| after.relation(link)).collect() }
}

/// Holds some routes against others to the same origin.
#[must_use]
pub fn score(foretold: &Routes<'_>, actual: &Routes<'_>) -> Score {
    let mut tally = Tally::default();
    let origin = actual.origin();
    let asns = foretold.topology().asns().iter().copied();
    for asn in asns.filter(|asn| Some(*asn) != origin && actual.topology().has(*asn)) {
        let routes = (foretold.route(asn), actual.route(asn));
        tally.compared = tally.compared.saturating_add(1);
        tally.reach_right =
            tally.reach_right.saturating_add(usize::from(routes.0.is_some() == routes.1.is_some()));
        let upstreams = [foretold.last_hop(asn), actual.last_hop(asn)];
        for (upstream, which) in upstreams.into_iter().zip([0_usize, 1]) {
            if let Some(count) =
                upstream.and_then(|asn| tally.through.entry(asn).or_default().get_mut(which))
            {
                *count = count.saturating_add(1);
            }
        }
        if let (Some(one), Some(other)) = routes {
            tally.routed = tally.routed.saturating_add(1);
            tally.next_right = tally.next_right.saturating_add(usize::from(one.next == other.next));
            let [one, other] = upstreams;
            tally.upstream_right = tally.upstream_right.saturating_add(usize::from(one == other));
        }
    }
    tally.score(foretold.outlook())
}

#[derive(Default)]
struct Tally {
    compared: usize,
    reach_right: usize,
    routed: usize,
    upstream_right: usize,
    next_right: usize,
    /// By upstream: foretold and actual.
    through: BTreeMap<Asn, [usize; 2]>,
}

impl Tally {
    fn score(self, outlook: Outlook) -> Score {
        let share = |part: usize, whole: usize| (whole > 0).then(|| float(part) / float(whole));
        let sum = |pick: fn(usize, usize) -> usize| {
            self.through
                .values()
                .map(|[one, other]| pick(*one, *other))
                .fold(0_usize, usize::saturating_add)
        };
        Score {
            compared: self.compared as u64,
            reach_right: share(self.reach_right, self.compared),
            upstream_right: share(self.upstream_right, self.routed),
            next_right: share(self.next_right, self.routed),
            overlap: share(sum(usize::min), sum(usize::max)),
            outlook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{link, n, transit};
    use super::*;

    #[test]
    fn an_event_that_is_all_that_changed_is_foretold_wholly_and_the_guess_of_no_change_is_not() {
        let before = [transit(1, 4), transit(1, 5), transit(4, 9), transit(5, 7), transit(4, 6)];
        let after = [&before[..], &[transit(5, 9)]].concat();
        let (before, after) = (Topology::of(&before), Topology::of(&after));
        let announcement = Announcement::of(n(9));
        let found = backtest((&before, &after), &announcement, None, &[Ties::LowestAsn]).unwrap();
        assert_eq!(found.change, Change { lose: Vec::new(), add: vec![transit(5, 9)] });
        let (_, trial) = &found.trials[0];
        let Trial { foretold, unchanged, actual } = trial;
        assert_eq!((foretold.upstream_right, foretold.overlap), (Some(1.0), Some(1.0)));
        assert_eq!(&foretold.outlook, actual);
        // 5 and 7 came through 4: two of five are wrong; 3 of 5 overlap, and 7 are counted either way.
        assert_eq!((unchanged.compared, unchanged.reach_right), (5, Some(1.0)));
        assert_eq!((unchanged.upstream_right, unchanged.overlap), (Some(0.6), Some(3.0 / 7.0)));
        let back = backtest((&after, &before), &announcement, None, &[Ties::LowestAsn]).unwrap();
        assert_eq!(back.change, Change { lose: vec![Lost::Link(link(5, 9))], add: Vec::new() });
        assert_eq!(back.trials[0].1.foretold.upstream_right, Some(1.0));
    }

    #[test]
    fn nothing_to_compare_gives_no_share() {
        let (before, after) = (Topology::of(&[transit(1, 9)]), Topology::of(&[transit(2, 9)]));
        let found = backtest((&before, &after), &Announcement::of(n(9)), None, &[Ties::LowestAsn]).unwrap();
        let score = &found.trials[0].1.unchanged;
        assert_eq!(
            (score.compared, score.reach_right, score.upstream_right, score.overlap),
            (0, None, None, None)
        );
    }
}

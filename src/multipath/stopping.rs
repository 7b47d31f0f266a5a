//! When enough flows have been sent through a load balancer: the stopping rule of the multipath detection
//! algorithm (Veitch, Augustin, Friedman, Teixeira 2009), in closed form, and what it is worth where the
//! balancer's branches are not equally wide.
//!
//! With `k - 1` branches seen, one more is ruled out after so many flows that all of `k` branches would have
//! been seen but for a chance of at most ε: `k (1 - w)^n <= ε`, where `w` is the share of flows that the
//! narrowest branch takes. For equal branches `w = 1/k`.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// A stopping rule: the chance that a branch goes unseen, at one balancer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoppingRule {
    epsilon: f64,
}

/// A chance of missing a branch that is no chance, or one that no number of flows can promise.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("confidence {0}: must be above 0 and below 1, as in 0.95")]
pub struct BadConfidence(f64);

impl StoppingRule {
    /// All branches of each balancer are seen with this probability, which lies above 0 and below 1.
    ///
    /// # Errors
    /// If it does not.
    pub fn per_hop(confidence: f64) -> Result<Self, BadConfidence> {
        let possible = confidence > 0.0 && confidence < 1.0;
        if possible { Ok(Self { epsilon: 1.0 - confidence }) } else { Err(BadConfidence(confidence)) }
    }

    /// A branch is missed with at most this probability, which must lie above 0 and below 1.
    pub(super) const fn missing_at_most(epsilon: f64) -> Self {
        Self { epsilon }
    }

    /// All branches of all balancers together are seen with this probability, if there are no more than
    /// `balancers` of them on the way to a target.
    ///
    /// # Errors
    /// If the probability is not above 0 and below 1.
    pub fn whole_graph(confidence: f64, balancers: u32) -> Result<Self, BadConfidence> {
        Self::per_hop(confidence).map(|rule| rule.together(balancers))
    }

    /// The rule by which so many balancers are found whole together with the probability with which this one
    /// finds one.
    #[must_use]
    pub fn together(self, balancers: u32) -> Self {
        let all = (-self.epsilon).ln_1p();
        Self { epsilon: -(all / f64::from(balancers.max(1))).exp_m1() }
    }

    /// The chance of missing a branch that this rule allows at one balancer.
    #[must_use]
    pub const fn epsilon(self) -> f64 {
        self.epsilon
    }

    /// How many flows must have been answered before one more branch than the `seen` ones is ruled out.
    /// `narrowest` is the smallest share of flows that a branch may have; without it all are taken to
    /// be equal. At least one branch counts as seen.
    #[must_use]
    pub fn flows(self, seen: usize, narrowest: Option<f64>) -> usize {
        let (branches, share) = hypothesis(seen, narrowest);
        // Rounding must not demand a flow more where the quotient is a whole number.
        let flows = ((self.epsilon / branches).ln() / (-share).ln_1p() - 1e-9).ceil();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates, and is positive"
        )]
        let flows = flows as usize;
        flows
    }
}

/// An upper bound on the chance that `flows` answered flows have missed a branch, where `seen` are known and
/// none is narrower than `narrowest`, or all are equal.
#[must_use]
pub fn chance_missed(seen: usize, flows: usize, narrowest: Option<f64>) -> f64 {
    let (branches, share) = hypothesis(seen, narrowest);
    (branches * (1.0 - share).powf(as_number(flows))).min(1.0)
}

/// One branch more than were seen, and the share of the narrowest of them.
fn hypothesis(seen: usize, narrowest: Option<f64>) -> (f64, f64) {
    let branches = as_number(seen.max(1).saturating_add(1));
    let equal = 1.0 / branches;
    let share = narrowest.map_or(equal, |share| share.min(equal));
    (branches, share.clamp(NARROWEST, equal))
}

/// Narrower branches than one flow in ten thousand are beyond any measurement.
const NARROWEST: f64 = 1e-4;

/// The share of the narrowest branch of a balancer, with caution, if the flows that took each branch speak
/// against equal shares; `None` if they do not, or are too few to say.
///
/// Pearson's chi-square test at one in ten thousand, since it is asked again and again as flows come in. The
/// share is the lower end of Wilson's 95 % interval around what was seen.
#[must_use]
pub(super) fn narrowest_if_unequal(counts: &[u64]) -> Option<f64> {
    const SIGNIFICANCE: f64 = 1e-4;
    /// Pearson's test wants five in every cell.
    const FEWEST_A_BRANCH: u64 = 5;
    let total: u64 = counts.iter().sum();
    let branches = u64::try_from(counts.len()).ok()?;
    if branches < 2 || total < branches.saturating_mul(FEWEST_A_BRANCH) {
        return None;
    }
    let expected = precise(total) / precise(branches);
    let statistic: f64 = counts.iter().map(|count| (precise(*count) - expected).powi(2) / expected).sum();
    let distribution = ChiSquared::new(precise(branches.saturating_sub(1))).ok()?;
    let equal = distribution.sf(statistic) >= SIGNIFICANCE;
    let narrowest = counts.iter().min()?;
    (!equal).then(|| wilson_low(precise(*narrowest), precise(total)))
}

/// The lower end of Wilson's score interval at 95 % (1927).
fn wilson_low(hits: f64, total: f64) -> f64 {
    const Z: f64 = 1.959_963_984_540_054;
    let share = hits / total;
    let square = Z * Z / total;
    let spread = Z * (share * (1.0 - share) / total + square / (4.0 * total)).sqrt();
    ((share + square / 2.0 - spread) / (1.0 + square)).max(0.0)
}

#[allow(clippy::cast_precision_loss, reason = "counts of flows stay far below 2^53")]
const fn precise(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss, reason = "counts of flows stay far below 2^53")]
const fn as_number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(confidence: f64) -> StoppingRule {
        StoppingRule::per_hop(confidence).unwrap()
    }

    #[test]
    fn the_stopping_points_are_those_of_the_closed_form() {
        let points = |rule: StoppingRule| (1..=15).map(|seen| rule.flows(seen, None)).collect::<Vec<_>>();
        assert_eq!(points(rule(0.95)), [6, 11, 16, 21, 27, 33, 39, 45, 51, 57, 63, 70, 77, 83, 90]);
        assert_eq!(rule(0.95).flows(0, None), 6, "a hop at which nothing was seen yet has a branch");
        assert_eq!(rule(0.99).flows(1, None), 8);
    }

    /// The chance that an equal balancer with `branches` is left before all are seen: every state of "so
    /// many seen after so many flows", one flow at a time.
    fn exact_failure(rule: StoppingRule, shares: &[f64], narrowest: Option<f64>) -> f64 {
        let full = (1_usize << shares.len()) - 1;
        let mut states = vec![0.0; full + 1];
        states[0] = 1.0;
        let mut failed = 0.0;
        for sent in 0..2_000 {
            let mut after = vec![0.0; full + 1];
            for (seen, chance) in states.iter().enumerate().filter(|(_, chance)| **chance > 0.0) {
                let count = seen.count_ones() as usize;
                if seen == full {
                    continue;
                }
                if count > 0 && sent >= rule.flows(count, narrowest) {
                    failed += chance;
                    continue;
                }
                for (branch, share) in shares.iter().enumerate() {
                    after[seen | (1 << branch)] += chance * share;
                }
            }
            states = after;
        }
        failed
    }

    #[test]
    fn equal_branches_are_missed_no_more_often_than_promised() {
        let published = [0.03125, 0.03771, 0.04239, 0.0476, 0.04498, 0.04395, 0.04412, 0.0450, 0.0463];
        for (branches, expected) in (2_u8..).zip(published) {
            let shares = vec![1.0 / f64::from(branches); usize::from(branches)];
            let failure = exact_failure(rule(0.95), &shares, None);
            assert!((failure - expected).abs() < 6e-5, "{branches} branches: {failure}");
            assert!(exact_failure(rule(0.99), &shares, None) <= 0.01);
        }
    }

    #[test]
    fn unequal_branches_are_missed_far_more_often_until_their_shares_are_reckoned_with() {
        for (shares, blind) in [([0.75, 0.25], 0.178), ([0.9, 0.1], 0.53)] {
            let failure = exact_failure(rule(0.95), &shares, None);
            assert!((failure - blind).abs() < 2e-3, "{shares:?}: {failure}");
            let widened = exact_failure(rule(0.95), &shares, Some(shares[1]));
            assert!(widened <= 0.05, "{shares:?}: {widened}");
        }
        assert!(exact_failure(rule(0.95), &[0.5, 0.25, 0.25], Some(0.25)) <= 0.05);
    }

    #[test]
    fn the_chance_of_having_missed_one_falls_to_the_promise_and_not_above_one() {
        assert!((chance_missed(1, 0, None) - 1.0).abs() < 1e-12);
        for seen in 1..40 {
            let enough = rule(0.95).flows(seen, None);
            assert!(chance_missed(seen, enough, None) <= 0.05);
            assert!(chance_missed(seen, enough - 1, None) > 0.05, "a flow too many at {seen}");
        }
    }

    #[test]
    fn a_whole_graph_asks_more_of_each_balancer_than_one_alone() {
        let graph = StoppingRule::whole_graph(0.95, 5).unwrap();
        assert!((graph.epsilon() - 0.0102).abs() < 1e-4, "{}", graph.epsilon());
        assert_eq!(StoppingRule::whole_graph(0.95, 1).unwrap(), rule(0.95));
    }

    #[test]
    fn impossible_confidence_is_refused() {
        for confidence in [0.0, 1.0, -1.0, 2.0, f64::NAN] {
            assert!(
                StoppingRule::per_hop(confidence).is_err()
                    && StoppingRule::whole_graph(confidence, 4).is_err()
            );
        }
    }

    #[test]
    fn shares_are_called_unequal_only_on_evidence() {
        assert_eq!(narrowest_if_unequal(&[6, 4]), None);
        assert_eq!(narrowest_if_unequal(&[60, 40]), None);
        assert_eq!(narrowest_if_unequal(&[9, 1]), None, "too few flows to say");
        let narrow = narrowest_if_unequal(&[90, 10]).unwrap();
        assert!((0.05..0.1).contains(&narrow), "{narrow}");
        assert_eq!(narrowest_if_unequal(&[1_000]), None);
        assert_eq!(narrowest_if_unequal(&[]), None);
    }
}

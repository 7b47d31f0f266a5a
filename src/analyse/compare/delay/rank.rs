//! Whether two runs of rounds differ in level, and what the level of one is, where rounds that follow each other
//! resemble each other.

use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};

use super::super::findings::Estimate;
use super::super::number::length;
use super::points::median;

/// How many independent rounds a round is worth, at least.
const LEAST_WORTH: f64 = 0.025;

/// For how much of an independent round each round counts, by how much each resembles the one before: (1 − r) / (1 + r)
/// for a first-order autocorrelation r around the levels (Bartlett 1946), its bias in short series taken off
/// (Kendall 1954).
pub(super) fn worth(runs: &[&[f64]]) -> f64 {
    let (mut squares, mut products, mut number) = (0.0, 0.0, 0_usize);
    for run in runs {
        let level = median(run).unwrap_or_default();
        let away: Vec<f64> = run.iter().map(|value| value - level).collect();
        squares += away.iter().map(|one| one * one).sum::<f64>();
        products += away.iter().zip(away.iter().skip(1)).map(|(one, other)| one * other).sum::<f64>();
        number = number.saturating_add(run.len());
    }
    if squares <= 0.0 {
        return 1.0;
    }
    let r = products / squares;
    worth_at(r + 3.0_f64.mul_add(r, 1.0) / length(number))
}

/// The same for a likeness from round to round.
pub(super) fn worth_at(likeness: f64) -> f64 {
    let r = likeness.clamp(0.0, 1.0);
    ((1.0 - r) / (1.0 + r)).max(LEAST_WORTH)
}

/// Up to so many independent values on either side the distribution of ranks is counted out.
const COUNTED_OUT: u64 = 20;

/// The probability of ranks as far apart as these if both runs have one level (Mann and Whitney 1947), two-sided; each
/// value counts for `worth` of one. Few values by counting, many by the normal distribution with its correction for ties.
pub(super) fn differ(one: &[f64], other: &[f64], worth: f64) -> f64 {
    let (u, ties) = statistic(one, other);
    let (m, n) = (length(one.len()), length(other.len()));
    let fewer = u.min(m.mul_add(n, -u));
    let (few, others) = (independent(one.len(), worth), independent(other.len(), worth));
    if few.max(others) <= COUNTED_OUT {
        let share = if m * n > 0.0 { fewer / (m * n) } else { 1.0 };
        return (2.0 * counted_out(few, others, share)).min(1.0);
    }
    let all = m + n;
    let variance = m * n / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance.is_nan() || variance <= 0.0 {
        return 1.0;
    }
    let z = (m.mul_add(n / 2.0, -fewer) - 0.5).max(0.0) / variance.sqrt() * worth.sqrt();
    (2.0 * Normal::standard().sf(z)).clamp(0.0, 1.0)
}

/// How often a value of one run is above one of the other, a tie for half; and the sum over ties of t³ − t.
fn statistic(one: &[f64], other: &[f64]) -> (f64, f64) {
    let ours = one.iter().map(|value| (*value, true));
    let mut all: Vec<(f64, bool)> = ours.chain(other.iter().map(|value| (*value, false))).collect();
    all.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for alike in all.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let number = length(alike.len());
        let ours = length(alike.iter().filter(|(_, ours)| *ours).count());
        ranks += ours * (before + f64::midpoint(number, 1.0));
        ties += number.powi(3) - number;
        before += number;
    }
    let m = length(one.len());
    (ranks - m * (m + 1.0) / 2.0, ties)
}

/// The probability of at most this share of all pairs, of `m` values with `n` others without ties: the subsets of the
/// ranks with so small a sum, of all subsets.
fn counted_out(m: u64, n: u64, share: f64) -> f64 {
    let pairs = usize::try_from(m.saturating_mul(n)).unwrap_or(usize::MAX);
    // For each number of ranks taken, and each sum of what they are above the lowest ranks possible: in how many ways.
    let mut ways =
        vec![vec![0.0_f64; pairs.saturating_add(1)]; usize::try_from(m).unwrap_or(0).saturating_add(1)];
    if let Some(none) = ways.first_mut().and_then(|sums| sums.first_mut()) {
        *none = 1.0;
    }
    for rank in 0..usize::try_from(m.saturating_add(n)).unwrap_or(0) {
        for taken in (1..ways.len()).rev() {
            // The rank is that much above the lowest that could be taken as this one.
            let Some(above) = rank.checked_sub(taken.saturating_sub(1)) else { continue };
            let (fewer, more) = ways.split_at_mut(taken);
            let (Some(from), Some(to)) = (fewer.last(), more.first_mut()) else { continue };
            to.iter_mut().skip(above).zip(from).for_each(|(to, from)| *to += from);
        }
    }
    let Some(ways) = ways.last() else { return 1.0 };
    let reached = ways.iter().enumerate().filter(|(sum, _)| length(*sum) <= share * length(pairs) + 1e-9);
    reached.map(|(_, ways)| ways).sum::<f64>() / ways.iter().sum::<f64>()
}

/// The median with the interval between two of the values whose ranks hold it at this confidence, if so many values,
/// each of which counts for `worth` of one, can (the sign test turned round); `None` if they are too few.
pub(super) fn level(values: &[f64], worth: f64, confidence: f64) -> Option<Estimate> {
    let value = median(values)?;
    let independent = independent(values.len(), worth);
    let tail = (1.0 - confidence) / 2.0;
    let deal = Binomial::new(0.5, independent).ok()?;
    let left_out = (0..independent).take_while(|rank| deal.cdf(*rank) <= tail).count().checked_sub(1)?;
    let whole = usize::try_from(independent).ok()?;
    let rank = left_out.checked_mul(values.len())?.checked_div(whole)?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (low, high) = (*sorted.get(rank)?, *sorted.get(values.len().checked_sub(1)?.checked_sub(rank)?)?);
    Some(Estimate { value, low, high })
}

/// Whole independent values among so many.
fn independent(number: usize, worth: f64) -> u64 {
    let number = super::super::unit::count(number);
    (0..=number)
        .rev()
        .find(|fewer| super::super::number::real(*fewer) <= super::super::number::real(number) * worth)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 1e-6, "{found} is not {expected}");
    }

    #[test]
    fn ranks_have_the_probabilities_of_mann_and_whitney() {
        // scipy 1.17, stats.mannwhitneyu, two-sided, method "exact".
        let (low, high) =
            ([1.1, 2.2, 3.3, 4.4, 5.5, 6.6, 7.7, 2.5], [4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
        close(differ(&low, &high, 1.0), 0.011_106_541);
        close(differ(&high, &low, 1.0), 0.011_106_541);
        // Nothing of one run above any of the other: 2 of C(12, 6).
        let (six, others) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [7.0, 8.0, 9.0, 10.0, 11.0, 12.0]);
        close(differ(&six, &others, 1.0), 2.0 / 924.0);
        // method "asymptotic", with continuity, and with ties.
        let many: Vec<f64> = (0..30).map(f64::from).collect();
        let more: Vec<f64> = (0..25).map(|place| f64::from(place) + 9.0).collect();
        close(differ(&many, &more, 1.0), 0.009_212_618);
        assert!((differ(&[3.0; 8], &[3.0; 8], 1.0) - 1.0).abs() < 1e-9);
        assert!((differ(&[], &[1.0], 1.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_median_lies_between_the_ranks_of_the_binomial_distribution() {
        // At 95 % the k lowest and highest are left out: scipy's binom.cdf(k, n, 0.5) at most 0.025.
        let values: Vec<f64> = (0..100).map(f64::from).collect();
        for (number, left_out) in [(6, 0), (9, 1), (10, 1), (20, 5), (50, 17), (100, 39)] {
            let found = level(&values[..number], 1.0, 0.95).unwrap();
            assert_eq!(
                (found.low, found.high),
                (values[left_out], values[number - 1 - left_out]),
                "{number}"
            );
        }
        assert_eq!(level(&values[..5], 1.0, 0.95), None);
        assert_eq!(level(&values[..12], 0.4, 0.95), None);
        let wide = level(&values, 0.2, 0.95).unwrap();
        assert_eq!((wide.low, wide.high), (values[25], values[74]));
    }

    #[test]
    fn rounds_that_repeat_each_other_are_worth_less_and_independent_ones_one_each() {
        let alternating: Vec<f64> = (0..40).map(|place| f64::from(place % 2)).collect();
        assert!((worth(&[&alternating]) - 1.0).abs() < f64::EPSILON);
        let slow: Vec<f64> = (0..40).map(|place| (f64::from(place) / 10.0).sin()).collect();
        assert!(worth(&[&slow]) < 0.1, "{}", worth(&[&slow]));
        assert!((worth(&[&[5.0; 12]]) - 1.0).abs() < f64::EPSILON);
    }
}

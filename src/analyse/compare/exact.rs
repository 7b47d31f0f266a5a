//! How likely chance alone would show what was seen, and how many such tests may be believed at once.

use statrs::function::factorial::ln_binomial;

/// Of `flows` flows, `used` went over a link; of `others` asked across the change, none. The probability that the
/// link's flows all fall on one side if which flow goes where is drawn anew (Fisher's exact test, one-sided). 1 where
/// there is nothing to test.
pub(super) fn all_on_one_side(used: u64, flows: u64, others: u64) -> f64 {
    if used == 0 || used > flows {
        return 1.0;
    }
    let both = flows.saturating_add(others);
    (ln_binomial(flows, used) - ln_binomial(both, used)).exp().clamp(0.0, 1.0)
}

/// Two independent p-values as one (Fisher's method for two).
pub(super) fn both(one: f64, other: f64) -> f64 {
    let product = one * other;
    if product > 0.0 { (product * (1.0 - product.ln())).clamp(0.0, 1.0) } else { 0.0 }
}

/// For each p-value the smallest false discovery rate at which it would be among the discoveries (Benjamini and
/// Hochberg 1995). In the order of the p-values given.
pub(super) fn false_discovery_rates(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    let p = |index: usize| p_values.get(index).copied().unwrap_or(1.0);
    order.sort_by(|one, other| p(*one).total_cmp(&p(*other)));
    let mut rates = vec![1.0; p_values.len()];
    let (tests, mut smallest) = (super::unit::count(p_values.len()), 1.0_f64);
    for (rank, index) in (1_u64..).zip(&order).collect::<Vec<_>>().into_iter().rev() {
        smallest = smallest.min(p(*index) * super::interval::float(tests) / super::interval::float(rank));
        if let Some(rate) = rates.get_mut(*index) {
            *rate = smallest;
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_on_one_side_have_the_probability_of_the_hypergeometric_distribution() {
        // C(16,8)/C(32,8), C(8,8)/C(16,8) and C(4,1)/C(8,1), by hand.
        for (used, flows, others, expected) in
            [(8, 16, 16, 12_870.0 / 10_518_300.0), (8, 8, 8, 1.0 / 12_870.0), (1, 4, 4, 0.5)]
        {
            let found = all_on_one_side(used, flows, others);
            assert!((found - expected).abs() < 1e-9 * expected, "{found} is not {expected}");
        }
        assert!((all_on_one_side(0, 5, 5) - 1.0).abs() < f64::EPSILON);
        assert!((all_on_one_side(3, 5, 0) - 1.0).abs() < 1e-12);
        assert!(all_on_one_side(90_000, 100_000, 100_000).is_finite());
    }

    #[test]
    fn two_p_values_make_one_that_is_uniform_again() {
        // The product of two uniform numbers is below x with probability x(1 - ln x).
        let grid = 400_u32;
        let at = |step: u32| (f64::from(step) + 0.5) / f64::from(grid);
        for level in [0.01, 0.1, 0.5] {
            let pairs = (0..grid).flat_map(|one| (0..grid).map(move |other| (at(one), at(other))));
            let below = pairs.filter(|(one, other)| both(*one, *other) <= level).count();
            let share = f64::from(u32::try_from(below).unwrap()) / f64::from(grid * grid);
            assert!((share - level).abs() < 0.005, "{share} below {level}");
        }
        assert!(both(0.0, 0.5).abs() < f64::EPSILON && (both(1.0, 1.0) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn discovery_rates_are_those_of_the_paper_of_1995() {
        // Benjamini and Hochberg 1995, section 3.1: fifteen tests, of which the first four stand at 0.05.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let rates = false_discovery_rates(&p);
        assert_eq!(rates.iter().filter(|rate| **rate <= 0.05).count(), 4);
        assert!((rates[0] - 0.0015).abs() < 1e-12 && (rates[3] - 0.035_625).abs() < 1e-12, "{rates:?}");
        assert!(rates.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}

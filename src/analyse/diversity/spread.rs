//! How evenly something is spread: Shannon's entropy, and the number of equal shares that would be as uneven
//! to guess.

/// Shannon's entropy in bits of weights that need not add up to one; `None` of nothing.
#[must_use]
pub fn entropy(weights: &[f64]) -> Option<f64> {
    let whole: f64 = weights.iter().sum();
    let shares = weights.iter().filter(|weight| **weight > 0.0).map(|weight| weight / whole);
    (whole > 0.0).then(|| shares.map(|share| -share * share.log2()).sum::<f64>().max(0.0))
}

/// The effective number: how many equally used ones would be as diverse, `2^H` (Hill 1973, of order 1).
#[must_use]
pub fn effective(weights: &[f64]) -> Option<f64> {
    entropy(weights).map(f64::exp2)
}

/// The entropy in parts of the largest that so many kinds can have, 0 to 1; `None` of fewer than two kinds,
/// of which none is more even than the other.
#[must_use]
pub fn evenness(weights: &[f64]) -> Option<f64> {
    let kinds = weights.iter().filter(|weight| **weight > 0.0).count();
    let most = real(kinds).log2();
    (kinds > 1).then(|| entropy(weights).map(|bits| (bits / most).min(1.0)))?
}

/// A number of things as a real number; exact up to four billion and held there.
pub(super) fn real(things: usize) -> f64 {
    f64::from(u32::try_from(things).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_shares_count_in_full_and_a_sole_one_counts_once() {
        assert_eq!(effective(&[5.0]), Some(1.0));
        assert_eq!(effective(&[3.0, 3.0, 3.0, 3.0]), Some(4.0));
        assert_eq!(evenness(&[3.0, 3.0]), Some(1.0));
        // 9:1, by hand: 0.9 log2(1/0.9) + 0.1 log2(10) = 0.4690 bits.
        assert!((entropy(&[9.0, 1.0]).unwrap() - 0.468_996).abs() < 1e-6);
    }

    #[test]
    fn of_nothing_there_is_no_number() {
        assert_eq!((entropy(&[]), effective(&[0.0, 0.0]), evenness(&[1.0])), (None, None, None));
    }

    proptest! {
        #[test]
        fn the_effective_number_lies_between_one_and_the_number_of_kinds(
            weights in prop::collection::vec(0.0..100.0_f64, 1..20),
        ) {
            let kinds = weights.iter().filter(|weight| **weight > 0.0).count();
            if let Some(found) = effective(&weights) {
                prop_assert!((1.0..=real(kinds) + 1e-9).contains(&found), "{}", found);
            }
        }
    }
}

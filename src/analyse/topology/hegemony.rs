//! AS hegemony (Fontugne, Shah, Aben, PAM 2018): how much of what reaches an origin crosses an AS, without the
//! viewpoints that see it most and least.

/// The share of viewpoints that is left out at either end.
pub const TRIM: f64 = 0.1;

/// The mean of scores without the `trim` highest and the `trim` lowest share of them, each rounded down to whole scores.
/// `None` if nothing is left.
#[must_use]
pub fn trimmed_mean(scores: &[f64], trim: f64) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let cut = left_out(sorted.len(), trim);
    let kept = sorted.get(cut..sorted.len().saturating_sub(cut)).filter(|kept| !kept.is_empty())?;
    Some(kept.iter().sum::<f64>() / float(kept.len()))
}

/// The same where each of so many viewpoints either crosses an AS (score 1) or not (0).
#[must_use]
pub fn hegemony_of_crossings(crossing: usize, viewpoints: usize, trim: f64) -> Option<f64> {
    let cut = left_out(viewpoints, trim);
    let kept = viewpoints.saturating_sub(cut.saturating_mul(2));
    let ones = crossing.saturating_sub(cut).min(kept);
    (kept > 0).then(|| float(ones) / float(kept))
}

fn left_out(scores: usize, trim: f64) -> usize {
    let share = (float(scores) * trim).floor().max(0.0);
    // Through text, since a cast would cut off what does not fit.
    format!("{share:.0}").parse().unwrap_or(0)
}

pub(super) fn float(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fewer_than_ten_viewpoints_are_not_trimmed_and_none_give_nothing() {
        assert_eq!(trimmed_mean(&[1.0, 0.0, 1.0, 0.0], TRIM), Some(0.5));
        assert_eq!(trimmed_mean(&[], TRIM), None);
        assert_eq!(trimmed_mean(&[1.0, 0.0], 0.5), None);
        let ten = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5];
        assert_eq!(trimmed_mean(&ten, TRIM), Some(0.0625));
        assert_eq!(hegemony_of_crossings(0, 0, TRIM), None);
    }

    proptest! {
        #[test]
        fn crossings_are_scores_of_zero_and_one(viewpoints in 1_usize..200, share in 0.0_f64..=1.0) {
            let crossing = (0..viewpoints).filter(|at| float(*at) < share * float(viewpoints)).count();
            let scores: Vec<f64> = (0..viewpoints).map(|at| if at < crossing { 1.0 } else { 0.0 }).collect();
            let whole = hegemony_of_crossings(crossing, viewpoints, TRIM).unwrap();
            prop_assert!((whole - trimmed_mean(&scores, TRIM).unwrap()).abs() < 1e-12);
        }
    }
}

//! Where a series is best cut: PELT, pruned exact linear time (Killick, Fearnhead and Eckley 2012), for the sum of
//! squares. Pure; finds the same cuts as trying all, for every series that has no more than some thousand points.

/// The best cuts, each the index of the first value of a new part; no part has fewer than `least` values. Each cut must
/// lower the sum of squares by more than `penalty`.
pub(super) fn cuts(values: &[f64], penalty: f64, least: usize) -> Vec<usize> {
    let sums = Sums::new(values);
    let least = least.max(1);
    // For each end: the lowest cost up to there, and where the last part of that begins.
    let mut best: Vec<Option<(f64, usize)>> = vec![None; values.len().saturating_add(1)];
    if let Some(begin) = best.first_mut() {
        *begin = Some((-penalty, 0));
    }
    let mut begins: Vec<(usize, f64)> = Vec::new();
    for end in least..=values.len() {
        let fresh = end.saturating_sub(least);
        if let Some((cost, _)) = best.get(fresh).copied().flatten() {
            // From here on, a part that begins there instead is never dearer.
            begins.retain(|(begin, before)| before + sums.squares(*begin, fresh) <= cost);
            begins.push((fresh, cost));
        }
        let priced =
            begins.iter().map(|(begin, before)| (before + sums.squares(*begin, end) + penalty, *begin));
        let cheapest = priced.min_by(|one, other| one.0.total_cmp(&other.0));
        if let Some(place) = best.get_mut(end) {
            *place = cheapest;
        }
    }
    let mut cuts = Vec::new();
    let mut end = values.len();
    while let Some((_, begin)) = best.get(end).copied().flatten().filter(|(_, begin)| *begin > 0) {
        cuts.push(begin);
        end = begin;
    }
    cuts.reverse();
    cuts
}

/// Sums up to each place, of the values and of their squares.
struct Sums(Vec<(f64, f64)>);

impl Sums {
    fn new(values: &[f64]) -> Self {
        // Around their mean, lest small differences drown in large sums.
        let mean = values.iter().sum::<f64>() / super::super::number::length(values.len()).max(1.0);
        let add = |sums: &mut (f64, f64), value: &f64| {
            let value = value - mean;
            *sums = (sums.0 + value, value.mul_add(value, sums.1));
            Some(*sums)
        };
        Self(std::iter::once((0.0, 0.0)).chain(values.iter().scan((0.0, 0.0), add)).collect())
    }

    /// The sum of squares of `begin..end` around its own mean.
    fn squares(&self, begin: usize, end: usize) -> f64 {
        let (Some(one), Some(other)) = (self.0.get(begin), self.0.get(end)) else { return 0.0 };
        let number = super::super::number::length(end.saturating_sub(begin)).max(1.0);
        let sum = other.0 - one.0;
        (other.1 - one.1 - sum * sum / number).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lowest cost, by trying all.
    fn cheapest(values: &[f64], penalty: f64, least: usize) -> f64 {
        let sums = Sums::new(values);
        let mut best = vec![f64::INFINITY; values.len() + 1];
        best[0] = -penalty;
        for end in least..=values.len() {
            for begin in 0..=end - least {
                best[end] = best[end].min(best[begin] + sums.squares(begin, end) + penalty);
            }
        }
        best[values.len()]
    }

    fn cost(values: &[f64], cuts: &[usize], penalty: f64) -> f64 {
        let sums = Sums::new(values);
        let begins = std::iter::once(0).chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([values.len()]);
        let parts: f64 = begins.zip(ends).map(|(begin, end)| sums.squares(begin, end)).sum();
        parts + penalty * super::super::super::number::length(cuts.len())
    }

    proptest! {
        #[test]
        fn no_other_cuts_are_cheaper(
            levels in prop::collection::vec((0_u8..4, 1_usize..20), 1..6),
            noise in prop::collection::vec(-1.0_f64..1.0, 120),
            penalty in 0.5_f64..20.0,
            least in 1_usize..7,
        ) {
            let levels = levels.iter().flat_map(|(level, long)| std::iter::repeat_n(f64::from(*level), *long));
            let values: Vec<f64> = levels.zip(noise).map(|(level, noise)| level * 2.0 + noise).collect();
            prop_assume!(values.len() >= least);
            let found = cuts(&values, penalty, least);
            let ends = found.iter().copied().chain([values.len()]);
            let begins = std::iter::once(0).chain(found.iter().copied());
            prop_assert!(begins.zip(ends).all(|(begin, end)| end - begin >= least));
            let (ours, best) = (cost(&values, &found, penalty), cheapest(&values, penalty, least));
            prop_assert!((ours - best).abs() < 1e-6, "{ours} where {best} is to be had: {found:?}");
        }
    }

    #[test]
    fn one_step_is_cut_where_it_is_and_a_level_line_not_at_all() {
        let step: Vec<f64> = (0..40).map(|place| if place < 17 { 1.0 } else { 2.0 }).collect();
        assert_eq!(cuts(&step, 0.5, 6), [17]);
        assert_eq!(cuts(&[3.0; 40], 0.001, 6), [] as [usize; 0]);
        assert_eq!(cuts(&[1.0, 9.0], 0.001, 6), [] as [usize; 0]);
        assert_eq!(cuts(&[], 1.0, 6), [] as [usize; 0]);
    }
}

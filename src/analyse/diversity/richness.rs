//! How much has not been seen: the number of kinds estimated from those that were seen once and twice, and how
//! many would have been seen with less effort.
//!
//! The samples are flows, each counted once however often it was traced: a pinned flow that goes the same way in
//! a hundred rounds has shown one way, not a hundred times the same. The formulas are those of Chao (1984,
//! 1987); with flows as samples it is the estimator for incidences, with one kind a sample that for abundances.

use super::spread::real;

/// The estimated number of kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Richness {
    /// Kinds that were seen.
    pub seen: f64,
    /// Kinds that there are at least, as estimated.
    pub estimate: f64,
    /// The lower end of the interval; never below what was seen.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// In how many samples each kind was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incidence {
    /// One entry a kind, each at least 1 and at most `samples`.
    pub counts: Vec<usize>,
    /// How many samples were taken.
    pub samples: usize,
}

impl Incidence {
    /// Chao's lower bound for the number of kinds, with its interval by the logarithm of what was not seen (Chao
    /// 1987), `z` standard deviations wide to either side. `None` of fewer than two samples, or of no kind.
    #[must_use]
    pub fn chao(&self, z: f64) -> Option<Richness> {
        if self.samples < 2 || self.counts.is_empty() {
            return None;
        }
        let (seen, once, twice) = (real(self.counts.len()), self.seen_in(1), self.seen_in(2));
        let scale = (real(self.samples) - 1.0) / real(self.samples);
        let unseen = if twice > 0.0 {
            scale * once * once / (2.0 * twice)
        } else {
            scale * once * (once - 1.0) / 2.0
        };
        let estimate = seen + unseen;
        let (low, high) = if unseen > 0.0 {
            let variance = variance(once, twice, (scale, estimate));
            let factor = (z * (variance / (unseen * unseen)).ln_1p().sqrt()).exp();
            (seen + unseen / factor, seen + unseen * factor)
        } else {
            self.of_whole(z)
        };
        Some(Richness { seen, estimate, low, high })
    }

    /// The interval where nothing seen hints at anything unseen (Colwell's `EstimateS`): by the chance that a kind
    /// of mean incidence goes unseen.
    fn of_whole(&self, z: f64) -> (f64, f64) {
        let (seen, all) = (real(self.counts.len()), real(self.counts.iter().sum()));
        let missed = (-all / seen).exp();
        let spread = z * (seen * missed).sqrt() / (1.0 - missed);
        (seen, (seen / (1.0 - missed) + spread).max(seen))
    }

    /// The share of the next sample's sightings that would be of kinds already seen (Good 1953, after Turing).
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        let all = real(self.counts.iter().sum());
        (all > 0.0).then(|| 1.0 - self.seen_in(1) / all)
    }

    /// How many kinds so many of the samples would have shown, on average over all choices of them (Hurlbert 1971;
    /// Colwell et al. 2004). `None` for more samples than there are, or for none.
    #[must_use]
    pub fn rarefied(&self, samples: usize) -> Option<f64> {
        let known = samples > 0 && samples <= self.samples && !self.counts.is_empty();
        known.then(|| self.counts.iter().map(|count| 1.0 - self.missed(*count, samples)).sum())
    }

    /// The same with its interval over other samples of the network, not only over choices of these (Colwell et al.
    /// 2004, equation 6).
    #[must_use]
    pub fn rarefied_between(&self, samples: usize, z: f64) -> Option<(f64, f64, f64)> {
        let value = self.rarefied(samples)?;
        let all = self.chao(z)?.estimate;
        let seen = self.counts.iter().map(|count| 1.0 - self.missed(*count, samples));
        let variance = (seen.map(|seen| seen * seen).sum::<f64>() - value * value / all).max(0.0);
        let spread = z * variance.sqrt();
        Some((value, (value - spread).max(0.0), value + spread))
    }

    /// The chance that a kind seen in `count` samples is in none of `chosen` of them.
    fn missed(&self, count: usize, chosen: usize) -> f64 {
        let without = self.samples.saturating_sub(count);
        if chosen > without {
            return 0.0;
        }
        (0..chosen)
            .map(|drawn| (real(without) - real(drawn)) / (real(self.samples) - real(drawn)))
            .product()
    }

    fn seen_in(&self, samples: usize) -> f64 {
        real(self.counts.iter().filter(|count| **count == samples).count())
    }
}

/// The variance of Chao's estimator (Chao 1987; Chao and Chiu 2016).
fn variance(once: f64, twice: f64, (scale, estimate): (f64, f64)) -> f64 {
    if twice > 0.0 {
        let ratio = once / twice;
        let terms = scale / 2.0 * ratio.powi(2) + scale * scale * (ratio.powi(3) + ratio.powi(4) / 4.0);
        return twice * terms;
    }
    let square = scale * scale;
    let first = scale * once * (once - 1.0) / 2.0;
    let second = square * once * (2.0 * once - 1.0).powi(2) / 4.0;
    (first + second - square * once.powi(4) / (4.0 * estimate)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const Z: f64 = 1.959_964;

    fn incidence(counts: &[(usize, usize)], samples: usize) -> Incidence {
        let counts = counts.iter().flat_map(|(seen, kinds)| std::iter::repeat_n(*seen, *kinds));
        Incidence { counts: counts.collect(), samples }
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-3, "{found} is not {expected}");
    }

    /// The spiders of Ellison et al. (2010), which are the worked example of Chao et al. (2014) and of iNEXT.
    #[test]
    fn the_estimate_and_its_interval_are_those_of_the_spiders_in_the_textbooks() {
        let girdled = [46, 22, 17, 15, 15, 9, 8, 6, 6, 4, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        let girdled = Incidence { counts: girdled.to_vec(), samples: 168 };
        let found = girdled.chao(Z).unwrap();
        close(found.estimate, 43.893);
        close(found.low, 30.511);
        close(found.high, 96.971);
        let logged = incidence(&[(1, 14), (2, 4), (12, 19)], 252).chao(Z).unwrap();
        close(logged.estimate, 61.403);
        close(logged.low, 43.502);
        close(logged.high, 128.583);
    }

    #[test]
    fn where_everything_was_seen_often_nothing_is_estimated_to_be_missing() {
        let found = incidence(&[(16, 2)], 32).chao(Z).unwrap();
        assert!((found.estimate - 2.0).abs() < 1e-9 && (found.low - 2.0).abs() < 1e-9);
        assert!(found.high < 2.01, "{}", found.high);
        assert_eq!(incidence(&[(16, 2)], 32).coverage(), Some(1.0));
    }

    #[test]
    fn of_nothing_or_of_one_sample_nothing_is_estimated() {
        assert_eq!(incidence(&[(1, 3)], 1).chao(Z), None);
        assert_eq!(Incidence::default().chao(Z), None);
        assert_eq!(incidence(&[(1, 3)], 5).rarefied(6), None);
    }

    proptest! {
        /// Rarefaction against all choices of samples, one by one.
        #[test]
        fn rarefaction_is_the_mean_over_all_choices(
            members in prop::collection::vec(1_u32..256, 1..6), chosen in 1_usize..8,
        ) {
            const SAMPLES: u32 = 8;
            let counts = members.iter().map(|samples| samples.count_ones() as usize).collect();
            let sets = (0_u32..1 << SAMPLES).filter(|set| set.count_ones() as usize == chosen);
            let (mut seen, mut all) = (0.0, 0.0);
            for set in sets {
                seen += real(members.iter().filter(|samples| **samples & set != 0).count());
                all += 1.0;
            }
            let found = Incidence { counts, samples: 8 }.rarefied(chosen).unwrap();
            prop_assert!((found - seen / all).abs() < 1e-9);
        }

        #[test]
        fn intervals_hold_their_estimate_and_are_numbers(
            counts in prop::collection::vec(1_usize..40, 1..60), more in 0_usize..100,
        ) {
            let samples = counts.iter().copied().max().unwrap_or(1) + more;
            let taken = Incidence { counts, samples };
            if let Some(found) = taken.chao(Z) {
                prop_assert!(found.seen <= found.low + 1e-9 && found.low <= found.estimate + 1e-9);
                prop_assert!(found.estimate <= found.high + 1e-9 && found.high.is_finite());
            }
            for effort in 1..=samples {
                if let Some((value, low, high)) = taken.rarefied_between(effort, Z) {
                    prop_assert!(value.is_finite() && low.is_finite() && high.is_finite() && low <= high);
                }
            }
        }
    }
}

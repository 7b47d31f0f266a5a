//! Intervals for shares and for differences of shares. Total: every input gives numbers within range.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::findings::Estimate;

/// So many of so many: `part` is at most `whole`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) part: u64,
    pub(super) whole: u64,
}

/// A level of confidence, as the quantile of the normal distribution that leaves half of the rest on
/// either side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    z: f64,
}

impl Level {
    /// From a level such as 0.95. What is no level between 0.5 and 0.9999 is taken as the nearer of the two;
    /// what is no number as 0.95.
    pub(super) fn new(confidence: f64) -> Self {
        let quantile = 1.0 - (1.0 - sound(confidence)) / 2.0;
        // 1.96 stands in for a standard normal distribution that statrs would refuse to make: it does not.
        let z = Normal::new(0.0, 1.0).map_or(1.959_963_984_540_054, |normal| normal.inverse_cdf(quantile));
        Self { z }
    }

    /// The quantile.
    pub(super) const fn z(self) -> f64 {
        self.z
    }

    /// The share with its score interval (Wilson 1927), every question for a sample of its own; `None` of nothing.
    pub(super) fn wilson(self, share: Share) -> Option<Estimate> {
        Some(self.score(share, share.value()?, float(share.whole)))
    }

    /// The share of all clusters together, with the score interval of as many independent samples as their spread shows them
    /// to be worth (Korn and Graubard 1998; with Wilson's interval: Dean and Pagano 2015). Clusters that agree
    /// wholly are worth one sample each.
    pub(super) fn clustered(self, clusters: &[Share]) -> Option<Estimate> {
        let mut all = Share::default();
        for cluster in clusters {
            all.add(*cluster);
        }
        let value = all.value()?;
        Some(self.score(all, value, self.worth(clusters, all, value)))
    }

    fn worth(self, clusters: &[Share], all: Share, value: f64) -> f64 {
        let (number, whole) = (float(super::unit::count(clusters.len())), float(all.whole));
        if all.part == 0 || all.part >= all.whole {
            return number;
        }
        let Ok(student) = StudentsT::new(0.0, 1.0, number - 1.0) else { return 1.0 };
        let residual = |cluster: &Share| float(cluster.part) - value * float(cluster.whole);
        let squares: f64 = clusters.iter().map(|cluster| residual(cluster).powi(2)).sum();
        let variance = number / (number - 1.0) * squares / (whole * whole);
        // The spread itself is known from so few clusters.
        let few = self.z / student.inverse_cdf(Normal::standard().cdf(self.z));
        (value * (1.0 - value) / variance * few * few).clamp(1.0, whole)
    }

    fn score(self, share: Share, value: f64, n: f64) -> Estimate {
        let z2 = self.z * self.z;
        let middle = value + z2 / (2.0 * n);
        let spread = self.z * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // Rounding must not push an end past the estimate at 0 and at 1.
        let low = ((middle - spread) / scale).clamp(0.0, value);
        let high = ((middle + spread) / scale).clamp(value, 1.0);
        let low = if share.part == 0 { 0.0 } else { low };
        let high = if share.part >= share.whole { 1.0 } else { high };
        Estimate { value, low, high }
    }

    /// After minus before, with Newcombe's hybrid score interval (Newcombe 1998, method 10); `None` if
    /// either is a share of nothing.
    pub(super) fn difference(self, before: Share, after: Share) -> Option<Estimate> {
        Some(difference(self.wilson(before)?, self.wilson(after)?, 0.0))
    }
}

/// After minus before, of shares of which the samples resemble each other so much (their correlation): the interval is made
/// of theirs as Newcombe's is.
pub(super) fn difference(before: Estimate, after: Estimate, likeness: f64) -> Estimate {
    let Estimate { value, low, high } = apart(before, after, likeness);
    Estimate { value, low: low.max(-1.0), high: high.min(1.0) }
}

/// After minus before, of any two numbers that resemble each other so much: each end of the interval is made of what both
/// may be off, which is less where both are off alike (Zou and Donner 2008; Newcombe 1998, paired, method 10).
pub(super) fn apart(before: Estimate, after: Estimate, likeness: f64) -> Estimate {
    let together = |one: f64, other: f64| {
        let square = one.mul_add(one, other * other) - 2.0 * likeness * one * other;
        square.max(0.0).sqrt()
    };
    let value = after.value - before.value;
    let down = together(after.value - after.low, before.high - before.value);
    let up = together(after.high - after.value, before.value - before.low);
    Estimate { value, low: value - down, high: value + up }
}

impl Share {
    fn value(self) -> Option<f64> {
        (self.whole > 0).then(|| (float(self.part) / float(self.whole)).clamp(0.0, 1.0))
    }
}

/// A level of confidence that can be reckoned with: 0.5 to 0.9999, or 0.95 for what is no number.
pub(super) fn sound(confidence: f64) -> f64 {
    if confidence.is_finite() { confidence.clamp(0.5, 0.9999) } else { 0.95 }
}

/// A count as a number, exact up to 4 billion and held there.
pub(super) fn float(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 5e-5, "{found} is not {expected}");
    }

    fn share(part: u64, whole: u64) -> Share {
        Share { part, whole }
    }

    #[test]
    fn shares_have_the_intervals_of_newcombes_table() {
        // Newcombe, Two-sided confidence intervals for the single proportion, 1998, method 3.
        for (part, whole, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = Level::new(0.95).wilson(share(part, whole)).unwrap();
            close(found.low, low);
            close(found.high, high);
        }
    }

    #[test]
    fn differences_have_the_intervals_of_newcombes_table() {
        // Newcombe, Interval estimation for the difference between independent proportions, 1998, method 10.
        for (one, other, low, high) in [
            (share(56, 70), share(48, 80), 0.0524, 0.3339),
            (share(9, 10), share(3, 10), 0.1705, 0.8090),
            (share(10, 10), share(0, 20), 0.6791, 1.0),
            (share(5, 56), share(0, 29), -0.0381, 0.1926),
        ] {
            let found = Level::new(0.95).difference(other, one).unwrap();
            close(found.low, low);
            close(found.high, high);
        }
    }

    /// The width of the interval of flows that are each traced in so many rounds, the first of them over the link always
    /// or, if they are not pinned, every other time.
    fn width(flows: u64, rounds: u64, pinned: bool) -> f64 {
        let part = |flow: u64| match pinned {
            true if flow < flows / 2 => rounds,
            true => 0,
            false => rounds / 2 + flow % 2,
        };
        let clusters: Vec<Share> = (0..flows).map(|flow| share(part(flow), rounds)).collect();
        let found = Level::new(0.95).clustered(&clusters).unwrap();
        found.high - found.low
    }

    #[test]
    fn rounds_of_a_pinned_flow_make_no_share_surer_and_rounds_of_one_that_is_dealt_out_each_time_do() {
        close(width(20, 50, true), width(20, 1, true));
        assert!(width(20, 50, false) < width(20, 1, true) / 4.0);
        // Twenty pinned flows: 19 degrees of freedom, t = 2.0930, so worth 19 (1.9600/2.0930)^2 = 16.66 samples.
        let wilson = 2.0 * 1.96 / (1.0 + 3.8415 / 16.662)
            * (0.25_f64 / 16.662 + 3.8415 / (4.0 * 16.662 * 16.662)).sqrt();
        close(width(20, 1, true), wilson);
    }

    #[test]
    fn what_all_pinned_flows_agree_in_is_as_sure_as_they_are_many() {
        let all = |flows| Level::new(0.95).clustered(&vec![share(7, 7); flows]).unwrap();
        close(all(12).low, Level::new(0.95).wilson(share(12, 12)).unwrap().low);
        close(all(1).low, Level::new(0.95).wilson(share(1, 1)).unwrap().low);
        assert_eq!(Level::new(0.95).clustered(&[]), None);
    }

    #[test]
    fn a_share_of_nothing_is_no_number() {
        assert_eq!(Level::new(0.95).wilson(share(0, 0)), None);
        assert_eq!(Level::new(f64::NAN).difference(share(1, 2), share(0, 0)), None);
    }

    proptest! {
        #[test]
        fn intervals_hold_their_estimate_and_stay_in_range(
            a in 0_u64..2000, b in 0_u64..2000, c in 0_u64..2000, d in 0_u64..2000, level in -1.0..2.0_f64,
        ) {
            let (before, after) = (share(a.min(b), b), share(c.min(d), d));
            let level = Level::new(level);
            for found in [level.wilson(before), level.wilson(after)].into_iter().flatten() {
                prop_assert!(0.0 <= found.low && found.low <= found.value);
                prop_assert!(found.value <= found.high && found.high <= 1.0);
            }
            if let Some(found) = level.difference(before, after) {
                prop_assert!(-1.0 <= found.low && found.low <= found.value && found.value <= found.high && found.high <= 1.0);
            }
        }
    }
}

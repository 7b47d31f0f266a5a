//! Intervals for shares and for differences of shares. Total: every input gives numbers within range.

use statrs::distribution::{ContinuousCDF, Normal};

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

    /// The share with its score interval (Wilson 1927); `None` of nothing.
    pub(super) fn wilson(self, share: Share) -> Option<Estimate> {
        let (value, n) = (share.value()?, float(share.whole));
        let z2 = self.z * self.z;
        let middle = value + z2 / (2.0 * n);
        let spread = self.z * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z2 / n;
        // Rounding must not push an end past the estimate at 0 and at 1.
        let low = ((middle - spread) / scale).clamp(0.0, value);
        let high = ((middle + spread) / scale).clamp(value, 1.0);
        let low = if share.part == 0 { 0.0 } else { low };
        let high = if share.part >= share.whole { 1.0 } else { high };
        Some(Estimate { value, low, high })
    }

    /// After minus before, with Newcombe's hybrid score interval (Newcombe 1998, method 10); `None` if
    /// either is a share of nothing. It takes the flows for independent.
    pub(super) fn difference(self, before: Share, after: Share) -> Option<Estimate> {
        let (before, after) = (self.wilson(before)?, self.wilson(after)?);
        let value = after.value - before.value;
        let down = (after.value - after.low).hypot(before.high - before.value);
        let up = (after.high - after.value).hypot(before.value - before.low);
        Some(Estimate { value, low: (value - down).max(-1.0), high: (value + up).min(1.0) })
    }
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

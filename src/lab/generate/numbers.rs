//! Numbers: of ASes, and between whole and broken ones.

use std::time::Duration;

use crate::model::Asn;

/// `AS_TRANS` (RFC 6793) is nobody's number.
const AS_TRANS: u32 = 23_456;

/// What an AS is when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It needs no provider.
    Top = 0,
    /// It wants customers.
    Transit,
    /// It wants none.
    Stub,
}

/// The last AS number that was given to each kind. All are those of public networks.
#[derive(Debug)]
pub(super) struct Numbers([u32; 3]);

impl Numbers {
    pub(super) const fn new() -> Self {
        Self([100, 1000, 10_000])
    }

    pub(super) fn next(&mut self, kind: Kind) -> Option<Asn> {
        let last = self.0.get_mut(kind as usize)?;
        let step = if *last == AS_TRANS - 1 { 2 } else { 1 };
        *last = last.saturating_add(step);
        Asn::try_from(*last).ok()
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}

/// The nearest whole number; 0 below it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(super) fn rounded(number: f64) -> usize {
    number.round().clamp(0.0, 1e9) as usize
}

/// A span of so many milliseconds, in whole microseconds.
pub(super) fn milliseconds(number: f64) -> Duration {
    Duration::from_micros(u64::try_from(rounded(number * 1000.0)).unwrap_or(u64::MAX))
}

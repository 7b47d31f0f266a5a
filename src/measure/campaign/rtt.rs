//! Round-trip times: which clock is believed.
//!
//! The kernel's stamps are taken as the packets pass the interface, so they are free of this program's
//! own delays, but they are on the wall clock, which may be stepped between the two. The monotonic clock
//! is never stepped, but reads late. So the kernel's difference is believed only where the monotonic
//! one allows it.

use std::time::Duration;

use crate::model::{MonoTime, Rtt, RttSource, WallTime};

/// How much longer than the monotonic time the kernel's may be: both clocks are read apart.
const CLOCK_SLACK: Duration = Duration::from_millis(1);
/// How late this program may come to read a packet that the kernel stamped.
const READING_DELAY: Duration = Duration::from_millis(250);

/// When a probe left and its reply came, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    /// This program handed it over.
    pub(super) sent: MonoTime,
    /// This program read the reply.
    pub(super) received: MonoTime,
    /// The kernel saw it leave.
    pub(super) departed: Option<WallTime>,
    /// The kernel saw the reply come.
    pub(super) arrived: Option<WallTime>,
}

/// The round-trip time, and which clock it was taken with.
pub(super) fn measure(stamps: &Stamps) -> Rtt {
    let monotonic = stamps.received.since(stamps.sent);
    match kernel_span(stamps) {
        Some(span) if is_plausible(span, monotonic) => Rtt { span, source: RttSource::Kernel },
        _ => Rtt { span: monotonic, source: RttSource::Monotonic },
    }
}

fn kernel_span(stamps: &Stamps) -> Option<Duration> {
    let (departed, arrived) = (stamps.departed?, stamps.arrived?);
    (arrived >= departed).then(|| arrived.since(departed))
}

fn is_plausible(kernel: Duration, monotonic: Duration) -> bool {
    kernel <= monotonic.saturating_add(CLOCK_SLACK) && monotonic <= kernel.saturating_add(READING_DELAY)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "small numbers")]

    use super::*;

    fn stamps(kernel_step_ns: i64) -> Stamps {
        Stamps {
            sent: MonoTime::from_nanos(1_000),
            received: MonoTime::from_nanos(30_001_000),
            departed: Some(WallTime::from_nanos(1_500_000_000_000_000_000)),
            arrived: Some(WallTime::from_nanos(1_500_000_000_029_000_000 + kernel_step_ns)),
        }
    }

    #[test]
    fn the_kernel_is_believed_until_its_clock_is_stepped() {
        assert_eq!(measure(&stamps(0)).source, RttSource::Kernel);
        assert_eq!(measure(&stamps(0)).span, Duration::from_millis(29));
        for step in [-3_600_000_000_000, -40_000_000, 5_000_000, 3_600_000_000_000] {
            let rtt = measure(&stamps(step));
            assert_eq!(rtt.source, RttSource::Monotonic, "step {step}");
            assert_eq!(rtt.span, Duration::from_millis(30));
        }
    }
}

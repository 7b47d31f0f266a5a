//! Round-trip times: which clock is believed.
//!
//! The kernel's stamps are taken as the packets pass the interface, so they are free of this program's
//! own delays. They reach this module already brought to the monotonic clock; one that was spoilt on the
//! way, because the wall clock was stepped between stamping and reading, does not lie between sending and
//! reading, or puts the reply before the probe. Then this program's own readings are taken instead.

use std::time::Duration;

use crate::model::{MonoTime, Rtt, RttSource};

/// The clocks are read one after the other: by how much order may seem violated at either end.
const CLOCK_SLACK: Duration = Duration::from_micros(500);

/// When a probe left and its reply came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    /// This program handed it over.
    pub(super) sent: MonoTime,
    /// This program read the reply.
    pub(super) received: MonoTime,
    /// The kernel saw it leave.
    pub(super) departed: Option<MonoTime>,
    /// The kernel saw the reply come.
    pub(super) arrived: Option<MonoTime>,
}

/// The round-trip time, and which clock it was taken with.
pub(super) fn measure(stamps: &Stamps) -> Rtt {
    match (stamps.departed, stamps.arrived) {
        (Some(departed), Some(arrived)) if in_order([stamps.sent, departed, arrived, stamps.received]) => {
            Rtt { span: arrived.since(departed), source: RttSource::Kernel }
        }
        _ => Rtt { span: stamps.received.since(stamps.sent), source: RttSource::Monotonic },
    }
}

/// Handed over, left, came, was read; the reply never before the probe.
fn in_order([sent, departed, arrived, received]: [MonoTime; 4]) -> bool {
    sent <= departed.after(CLOCK_SLACK) && departed <= arrived && arrived <= received.after(CLOCK_SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply after 29 ms that was read 400 ms late, its arrival stamped wrongly by so much.
    fn stamps(wrong_by_ns: i64) -> Stamps {
        let arrived = u64::try_from(1_029_500_000 + wrong_by_ns).unwrap();
        Stamps {
            sent: MonoTime::from_nanos(1_000_000_000),
            received: MonoTime::from_nanos(1_430_000_000),
            departed: Some(MonoTime::from_nanos(1_000_500_000)),
            arrived: Some(MonoTime::from_nanos(arrived)),
        }
    }

    #[test]
    fn a_program_that_reads_late_still_gets_the_kernels_time() {
        let rtt = measure(&stamps(0));
        assert_eq!((rtt.span, rtt.source), (Duration::from_millis(29), RttSource::Kernel));
    }

    #[test]
    fn a_stamp_that_a_clock_step_spoilt_is_not_believed() {
        for step in [-900_000_000, -40_000_000, 500_000_000, 3_600_000_000_000] {
            let rtt = measure(&stamps(step));
            assert_eq!(rtt.source, RttSource::Monotonic, "step {step}");
            assert_eq!(rtt.span, Duration::from_millis(430));
        }
    }

    #[test]
    fn without_both_stamps_the_programs_own_readings_are_taken() {
        for spoilt in [Stamps { departed: None, ..stamps(0) }, Stamps { arrived: None, ..stamps(0) }] {
            assert_eq!(measure(&spoilt).source, RttSource::Monotonic);
        }
    }
}

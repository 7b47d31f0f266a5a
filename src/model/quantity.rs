//! Small quantities that carry their rule: TTLs, ports, flows, rates, round-trip times.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU16};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time to live or hop limit as it is sent: 1 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ttl(NonZeroU8);

impl Ttl {
    /// The first hop.
    pub const FIRST: Self = Self(NonZeroU8::MIN);
    /// What hosts commonly send, and what probes that are to arrive carry.
    pub const TO_THE_END: Self = Self(match NonZeroU8::new(64) {
        Some(ttl) => ttl,
        None => NonZeroU8::MIN,
    });

    /// `None` for 0: no packet leaves with it.
    #[must_use]
    pub const fn new(ttl: u8) -> Option<Self> {
        match NonZeroU8::new(ttl) {
            Some(ttl) => Some(Self(ttl)),
            None => None,
        }
    }

    /// As it stands in the IP header.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A UDP or TCP port: 1 to 65535, host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

impl Port {
    /// Where UDP traceroute has pointed since 1988; nothing is expected to listen there.
    pub const TRACEROUTE: Self = Self(match NonZeroU16::new(33_434) {
        Some(port) => port,
        None => NonZeroU16::MIN,
    });

    /// `None` for 0.
    #[must_use]
    pub const fn new(port: u16) -> Option<Self> {
        match NonZeroU16::new(port) {
            Some(port) => Some(Self(port)),
            None => None,
        }
    }

    /// The number, host byte order.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which of the flows towards a target: 0, 1, 2, … The fields that load balancers hash are a fixed
/// function of (target, protocol, flow), the same in every round and after every restart: otherwise
/// load balancing would look like change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlowId(pub u16);

impl fmt::Display for FlowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Packets per second: above 0, at most 1,000,000.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Pps(f64);

impl Pps {
    /// One packet in a hundred seconds: the slowest that a campaign can ask for.
    pub const SLOWEST: Self = Self(0.01);

    /// `None` if it is not above 0 and at most 1,000,000.
    #[must_use]
    pub fn new(rate: f64) -> Option<Self> {
        (rate > 0.0 && rate <= 1_000_000.0).then_some(Self(rate))
    }

    /// So many packets in an hour.
    #[must_use]
    pub fn per_hour(packets: f64) -> Option<Self> {
        Self::new(packets / 3600.0)
    }

    /// Packets per second.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The time from one packet to the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.0).unwrap_or(Duration::MAX)
    }

    /// The rate in a rehearsal whose wall clock runs `speed` times as fast; stops at the maximum.
    #[must_use]
    pub fn squeezed(self, speed: f64) -> Self {
        Self((self.0 * speed.max(1.0)).min(1_000_000.0))
    }
}

impl fmt::Display for Pps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packets per second", self.0)
    }
}

/// Room on a disk, in bytes. Read with its unit, as `100MiB`; shown in whole units, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// A text that is no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be a size with its unit, as in \"100MiB\" or \"2GiB\"")]
pub struct BadBytes;

impl Bytes {
    /// Units and the power of two that each is, the largest first.
    const UNITS: [(&str, u32); 3] = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
}

impl FromStr for Bytes {
    type Err = BadBytes;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = Self::UNITS.into_iter();
        let mut read = units.filter_map(|(unit, power)| Some((text.strip_suffix(unit)?, power)));
        let (number, power) = read.next().ok_or(BadBytes)?;
        let number: u64 = number.trim_end().parse().map_err(|_| BadBytes)?;
        number.checked_mul(1 << power).map(Self).ok_or(BadBytes)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A unit is left to the next smaller one while less than ten of it would be shown.
        let fits = |(_, power): &(&str, u32)| self.0 >> power >= 10;
        let (unit, power) = Self::UNITS.into_iter().find(fits).unwrap_or(("KiB", 10));
        write!(f, "{} {unit}", self.0 >> power)
    }
}

/// A round-trip time and the clock that it was taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rtt {
    /// The span; zero where nobody told it.
    pub span: Duration,
    /// The clock.
    pub source: RttSource,
}

impl Rtt {
    /// That of an answer of which somebody else's program does not say how long it took.
    pub const NOT_TOLD: Self = Self { span: Duration::ZERO, source: RttSource::NotTold };

    /// The span, if it is known.
    #[must_use]
    pub fn told(&self) -> Option<Duration> {
        (self.source != RttSource::NotTold).then_some(self.span)
    }

    /// The span, if it may be compared with others: known, and not taken in user space.
    #[must_use]
    pub fn comparable(&self) -> Option<Duration> {
        self.told().filter(|_| self.source != RttSource::UserSpace)
    }
}

/// Which clock a round-trip time was taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RttSource {
    /// Both ends stamped by the kernel as the packet passed the interface.
    Kernel,
    /// Both ends read by this program on the monotonic clock of its packet path.
    Monotonic,
    /// Taken in user space, by the unprivileged engine or by somebody else's program; stays out of RTT statistics.
    UserSpace,
    /// By none: somebody else's program that measured it does not say how long it took.
    NotTold,
}

impl RttSource {
    /// All sources, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Kernel, Self::Monotonic, Self::UserSpace, Self::NotTold];

    /// As it stands in the `rtt_source` column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Monotonic => "monotonic",
            Self::UserSpace => "user_space",
            Self::NotTold => "not_told",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_with_its_unit_and_shown_to_three_digits_or_so() {
        let shown = |text: &str| text.parse::<Bytes>().map(|bytes| bytes.to_string()).ok();
        for (text, expected) in [
            ("100MiB", "100 MiB"),
            ("2 GiB", "2048 MiB"),
            ("16GiB", "16 GiB"),
            ("3KiB", "3 KiB"),
            ("0MiB", "0 KiB"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["100", "100MB", "-1MiB", "1.5GiB", "MiB", "99999999999999GiB", ""] {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert_eq!(Bytes(4_718_592).to_string(), "4608 KiB");
    }
}
